"""The few shapes that pictures are made of; everything foreign is escaped here.

Colours are ``currentColor``, or a custom property with a fallback, so a picture follows the page
it stands on, in light and dark; no style element, so nothing leaks out of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from typing import Literal

import svg

from trustcheck.report._text import clean, short

Anchor = Literal["start", "middle", "end"]
MUTED = "var(--tc-muted, currentColor)"
LIMIT = "var(--tc-limit, currentColor)"
MARK = "var(--tc-mark, currentColor)"
_TITLE = 300  # characters of a long label that a picture still carries


def frame(
    width: float, height: float, elements: Sequence[svg.Element], *, title: str, about: str = ""
) -> svg.SVG:
    """Return a picture of a size, with its name and description for those who cannot see it."""
    said = clean(title)[:_TITLE]
    named: list[svg.Element] = [svg.Title(text=escape(said))]
    described: list[svg.Element] = (
        [svg.Desc(text=escape(clean(about)[: 2 * _TITLE]))] if about else []
    )
    return svg.SVG(
        xmlns=None,
        viewBox=svg.ViewBoxSpec(0, 0, rounded(width), rounded(height)),
        class_=["tc-svg"],
        extra={
            "role": "img",
            "aria-label": escape(said),
            "font-family": "system-ui,sans-serif",
            "font-size": "11",
            "fill": "currentColor",
        },
        elements=[*named, *described, *elements],
    )


def rounded(value: float) -> float | int:
    """Return a coordinate with one digit: small files, and the same ones everywhere."""
    near = round(float(value), 1)
    return int(near) if near == int(near) else near


def line(
    x1: float,
    y1: float,
    x2: float,
    y2: float,
    *,
    colour: str = "currentColor",
    width: float = 1,
    dash: str | None = None,
) -> svg.Line:
    """Return a straight line."""
    return svg.Line(
        x1=rounded(x1),
        y1=rounded(y1),
        x2=rounded(x2),
        y2=rounded(y2),
        stroke=colour,
        stroke_width=width,
        extra={"stroke-dasharray": dash} if dash else None,
    )


def lines(
    stretches: Iterable[tuple[float, float, float, float]], *, colour: str, width: float = 1
) -> svg.Path:
    """Return many straight lines as one shape."""
    said = "".join(
        f"M{rounded(x1)} {rounded(y1)}L{rounded(x2)} {rounded(y2)}" for x1, y1, x2, y2 in stretches
    )
    return svg.Path(stroke=colour, stroke_width=width, fill="none", extra={"d": said})


def box(
    x: float,
    y: float,
    width: float,
    height: float,
    *,
    colour: str,
    opacity: float = 1,
    r: float = 0,
) -> svg.Rect:
    """Return a filled rectangle."""
    return svg.Rect(
        x=rounded(x),
        y=rounded(y),
        width=rounded(max(width, 0)),
        height=rounded(height),
        fill=colour,
        fill_opacity=None if opacity == 1 else opacity,
        rx=r or None,
    )


def dot(x: float, y: float, *, r: float = 3.5, colour: str = MARK) -> svg.Circle:
    """Return a point."""
    return svg.Circle(cx=rounded(x), cy=rounded(y), r=r, fill=colour)


def word(
    x: float,
    y: float,
    text: str,
    *,
    anchor: Anchor = "start",
    colour: str | None = None,
    room: int = 40,
    bold: bool = False,
) -> svg.Text:
    """Return a text, cut to a number of cells; what was cut off is told when pointed at."""
    shown = short(text, room)
    whole = clean(text)
    inner: list[svg.Element] = []
    if shown != whole:
        inner = [svg.Title(text=escape(whole[:_TITLE]))]
    return svg.Text(
        x=rounded(x),
        y=rounded(y),
        text_anchor=None if anchor == "start" else anchor,
        fill=colour,
        font_weight="bold" if bold else None,
        text=None if inner else escape(shown),
        elements=[*inner, svg.TSpan(text=escape(shown))] if inner else None,
    )
