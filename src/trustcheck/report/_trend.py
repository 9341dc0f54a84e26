"""One number over many runs: value, interval, requirement line, and what the verdicts were."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import svg

from trustcheck.report._figures import _flat
from trustcheck.report._svg import LIMIT, MARK, MUTED, dot, frame, line, word
from trustcheck.report._text import cells, number, short

_WIDTH, _LEFT, _RIGHT, _TOP, _BOTTOM = 400.0, 46.0, 390.0, 10.0, 110.0


@dataclass(frozen=True, slots=True)
class Point:
    """One run's number; ``value`` is None where nothing was measured."""

    label: str
    value: float | None
    low: float | None
    high: float | None
    status: str


def trend(
    points: Sequence[Point],
    *,
    title: str,
    limits: Sequence[float] = (),
    ends: tuple[float | None, float | None] = (None, None),
) -> str:
    """Return the picture: oldest left, the band is the 95 % interval, limits are dashed.

    A failed run is a cross, a passed one a disc, any other a ring: colour is not the only sign.
    """
    first, last = _scale(points, limits, ends)
    step = (_RIGHT - _LEFT - 12) / max(len(points) - 1, 1)

    def at(i: int) -> float:
        return _LEFT + 6 + step * i if len(points) > 1 else (_LEFT + _RIGHT) / 2

    def up(value: float) -> float:
        return _BOTTOM - (_BOTTOM - _TOP) * (value - first) / (last - first)

    parts: list[svg.Element] = []
    for end, y in ((last, _TOP), (first, _BOTTOM)):
        parts.append(line(_LEFT, y, _RIGHT, y, colour=MUTED, width=0.5))
        parts.append(word(_LEFT - 6, y + 4, number(end), anchor="end", colour=MUTED))
    parts += [
        line(_LEFT, up(x), _RIGHT, up(x), colour=LIMIT, width=1.5, dash="4 2") for x in limits
    ]
    for chunk in _chunks(points):
        parts += _band(chunk, at, up)
    for i, point in enumerate(points):
        if point.value is not None:
            parts += _mark(at(i), up(point.value), point.status)
    parts += _dates(points, at)
    about = "; ".join(
        f"{short(p.label, 16)}: {'none' if p.value is None else number(p.value)} {p.status}"
        for p in points[-8:]
    )
    return str(frame(_WIDTH, _BOTTOM + 26, parts, title=title, about=about))


def _scale(
    points: Sequence[Point], limits: Sequence[float], ends: tuple[float | None, float | None]
) -> tuple[float, float]:
    values = [v for p in points for v in (p.value, p.low, p.high) if v is not None]
    first, last = min([*values, *limits], default=0.0), max([*values, *limits], default=1.0)
    first, last = (
        given if given is not None else own for given, own in zip(ends, (first, last), strict=True)
    )
    if first == last:
        pad = abs(first) * 0.1 or 0.5
        first, last = first - pad, last + pad
    return first, last


def _chunks(points: Sequence[Point]) -> list[list[tuple[int, Point]]]:
    """Return the stretches in which every run has a number: no line crosses a gap."""
    found: list[list[tuple[int, Point]]] = [[]]
    for i, point in enumerate(points):
        if point.value is None:
            found.append([])
        else:
            found[-1].append((i, point))
    return [chunk for chunk in found if chunk]


def _band(
    chunk: Sequence[tuple[int, Point]], at: Callable[[int], float], up: Callable[[float], float]
) -> list[svg.Element]:
    known = [(i, p) for i, p in chunk if p.low is not None and p.high is not None]
    if len(chunk) == 1:
        return [
            line(at(i), up(p.low or 0), at(i), up(p.high or 0), colour=MARK, width=2)
            for i, p in known
        ]
    edge = [(at(i), up(p.high or 0.0)) for i, p in known]
    edge += [(at(i), up(p.low or 0.0)) for i, p in reversed(known)]
    middle = [(at(i), up(p.value or 0.0)) for i, p in chunk]
    return [
        svg.Polygon(points=_flat(edge), fill=MARK, fill_opacity=0.16),
        svg.Polyline(points=_flat(middle), fill="none", stroke=MARK, stroke_width=1.5),
    ]


def _mark(x: float, y: float, status: str) -> list[svg.Element]:
    if status == "fail":
        ends = ((-3, 3), (3, -3))
        return [
            line(x - 3, y + one, x + 3, y + other, colour="var(--tc-fail, currentColor)", width=2)
            for one, other in ends
        ]
    if status == "pass":
        return [dot(x, y, r=2.5, colour="var(--tc-pass, currentColor)")]
    ring = dot(x, y, r=2.5, colour="var(--tc-paper, #fff)")
    ring.stroke, ring.stroke_width = "var(--tc-open, currentColor)", 1.5
    return [ring]


def _dates(points: Sequence[Point], at: Callable[[int], float]) -> list[svg.Element]:
    if not points:
        return []
    y = _BOTTOM + 17
    if len(points) == 1:
        return [word(at(0), y, points[0].label, anchor="middle", colour=MUTED, room=24)]
    said = [word(_LEFT, y, points[0].label, colour=MUTED, room=24)]
    if cells(points[-1].label) + cells(points[0].label) < 52:
        said.append(word(_RIGHT, y, points[-1].label, anchor="end", colour=MUTED, room=24))
    return list(said)
