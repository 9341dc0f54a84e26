"""Small pictures that go with a number: a status icon, a score bar, an interval and its limit."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import svg

from trustcheck.report._svg import LIMIT, MUTED, box, dot, frame, line, word
from trustcheck.report._text import cells, number
from trustcheck.report._view import WORDS
from trustcheck.types import Estimate, Requirement, Score, VerdictStatus

_SHAPES = {
    VerdictStatus.PASS: (
        "M10 1a9 9 0 1 0 0 18a9 9 0 1 0 0-18Z",  # a disc
        "M5.5 10.5l3 3l6-6.5",  # with a tick
    ),
    VerdictStatus.FAIL: (
        "M6.3 1h7.4L19 6.3v7.4L13.7 19H6.3L1 13.7V6.3Z",  # an octagon
        "M6.5 6.5l7 7M13.5 6.5l-7 7",  # with a cross
    ),
    VerdictStatus.INCONCLUSIVE: (
        "M10 1.5L18.5 10L10 18.5L1.5 10Z",  # a diamond, half of it filled
        "M10 3L3 10L10 17Z",
    ),
    VerdictStatus.NOT_MEASURED: ("M1.5 1.5h17v17h-17Z", "M6 10h8"),  # a square with a dash
    VerdictStatus.NOT_APPLICABLE: ("M10 3a7 7 0 1 0 0 14a7 7 0 1 0 0-14Z", "M5 15L15 5"),
}
_HOLLOW = (VerdictStatus.NOT_MEASURED, VerdictStatus.NOT_APPLICABLE)
PASSES = "var(--tc-pass, #1a7045)"
_COLOURS = {
    VerdictStatus.FAIL: "var(--tc-fail)",
    VerdictStatus.INCONCLUSIVE: "var(--tc-open)",
    VerdictStatus.NOT_MEASURED: MUTED,
    VerdictStatus.PASS: "var(--tc-pass)",
    VerdictStatus.NOT_APPLICABLE: MUTED,
}


def icon(status: VerdictStatus) -> str:
    """Return the mark of a status: its shape differs, not only its colour."""
    said = svg.SVG(
        xmlns=None,
        viewBox=svg.ViewBoxSpec(0, 0, 20, 20),
        width=20,
        height=20,
        class_=["tc-icon"],
        extra={"aria-hidden": "true"},
        text=_shape(status),
    )
    return str(said)


def symbol(status: VerdictStatus) -> str:
    """Return the mark of a status as a symbol, to be drawn once and used many times."""
    return f'<symbol id="mark-{status}" viewBox="0 0 20 20">{_shape(status)}</symbol>'


def _shape(status: VerdictStatus) -> str:
    outline, mark = _SHAPES[status]
    stroke = 'stroke-linecap="round" stroke-linejoin="round"'
    if status is VerdictStatus.INCONCLUSIVE:
        return (
            f'<path d="{outline}" fill="none" stroke="currentColor" stroke-width="2" {stroke}/>'
            f'<path d="{mark}" fill="currentColor"/>'
        )
    if status in _HOLLOW:
        return (
            f'<path d="{outline}" fill="none" stroke="currentColor" stroke-width="2"'
            f' stroke-dasharray="3 2"/><path d="{mark}" fill="none" stroke="currentColor"'
            f' stroke-width="2.4" {stroke}/>'
        )
    return (
        f'<path d="{outline}" fill="currentColor"/><path d="{mark}" fill="none"'
        f' stroke="var(--tc-paper, #fff)" stroke-width="2.4" {stroke}/>'
    )


def score_bar(score: Score) -> str:
    """Return a dimension's score from 0 to 100, its interval, and the requirement line at 60."""
    left, right, top = 4.0, 296.0, 6.0

    def at(value: float) -> float:
        return left + (right - left) * min(max(value, 0.0), 100.0) / 100

    parts: list[svg.Element] = [
        box(left, top, right - left, 10, colour=MUTED, opacity=0.18, r=5),
    ]
    said = f"No score; anything from {number(score.low)} to {number(score.high)} is possible."
    if score.score is not None:
        said = (
            f"Score {number(round(score.score))} of 100, assured {number(round(score.low))},"
            f" at best {number(round(score.high))}; the requirement line is at 60."
        )
        bar = box(left, top, at(score.score) - left, 10, colour="currentColor", r=5)
        parts.append(bar)
    dash = None if score.score is not None else "3 3"
    y = top + 16
    parts += [
        line(at(score.low), y, at(score.high), y, colour="currentColor", width=2, dash=dash),
        line(at(score.low), y - 4, at(score.low), y + 4, colour="currentColor", width=2),
        line(at(score.high), y - 4, at(score.high), y + 4, colour="currentColor", width=2),
        line(at(60), 1, at(60), 27, colour="var(--tc-ink, currentColor)", width=1.5, dash="2 2"),
        word(left, 38, "0", colour=MUTED),
        word(at(60), 38, "60", anchor="middle", colour=MUTED),
        word(right, 38, "100", anchor="end", colour=MUTED),
    ]
    return str(frame(300, 42, parts, title=said))


def limit_bar(requirement: Requirement, estimate: Estimate, status: VerdictStatus) -> str:
    """Return an estimate on its scale: the side that passes is shaded, the limit a line."""
    limits = [x for x in (requirement.at_least, requirement.at_most) if x is not None]
    if not limits:
        return ""
    first, last = _scale(estimate, limits)
    left, right, y = 6.0, 334.0, 28.0

    def at(value: float) -> float:
        return left + (right - left) * (min(max(value, first), last) - first) / (last - first)

    least = first if requirement.at_least is None else requirement.at_least
    most = last if requirement.at_most is None else requirement.at_most
    low, high = at(estimate.low), at(estimate.high)
    parts: list[svg.Element] = [
        box(left, y - 22, right - left, 34, colour=MUTED, opacity=0.1, r=4),
        box(at(least), y - 22, at(most) - at(least), 34, colour=PASSES, opacity=0.2, r=4),
    ]  # fmt: skip
    if at(most) - at(least) > 44:
        parts.append(
            word((at(least) + at(most)) / 2, y - 10, "passes", anchor="middle", colour=MUTED)
        )
    parts += [line(at(x), y - 25, at(x), y + 15, colour=LIMIT, width=2, dash="4 2") for x in limits]
    parts += [
        line(low, y, high, y, colour="currentColor", width=3),
        line(low, y - 5, low, y + 5, colour="currentColor", width=2),
        line(high, y - 5, high, y + 5, colour="currentColor", width=2),
        dot(at(estimate.value), y, r=5, colour="currentColor"),
    ]
    parts += _below(limits, first, last, at, y + 29)
    said = (
        f"{WORDS[status]}: value {number(estimate.value)}, from {number(estimate.low)}"
        f" to {number(estimate.high)}; limit {requirement.limit_text}."
    )
    return str(frame(340, y + 34, parts, title=said))


def strip(requirement: Requirement, estimate: Estimate) -> str:
    """Return an estimate beside its limit, small, for a line of a list whose text says the same."""
    limits = [x for x in (requirement.at_least, requirement.at_most) if x is not None]
    if not limits:
        return ""
    first, last = _scale(estimate, limits)

    def at(value: float) -> float:
        return 1 + 126 * (min(max(value, first), last) - first) / (last - first)

    least = first if requirement.at_least is None else requirement.at_least
    most = last if requirement.at_most is None else requirement.at_most
    low, high = at(estimate.low), at(estimate.high)
    return str(
        _plain(
            128,
            16,
            [
                box(1, 3, 126, 10, colour=MUTED, opacity=0.12),
                box(at(least), 3, at(most) - at(least), 10, colour=PASSES, opacity=0.3),
                *(box(at(x) - 1, 0, 2, 16, colour=LIMIT) for x in limits),
                box(low, 7, max(high - low, 1), 2, colour="currentColor"),
                dot(at(estimate.value), 8, r=3.5, colour="currentColor"),
            ],
        )
    )


def shares(counts: Mapping[VerdictStatus, int]) -> str:
    """Return one bar that shows how many requirements came out how; empty where there are none."""
    total = sum(counts.values())
    if not total:
        return ""
    parts: list[svg.Element] = []
    x = 0.0
    for status, colour in _COLOURS.items():
        wide = 1000 * counts.get(status, 0) / total
        if wide:
            hollow = status in _HOLLOW
            parts.append(
                box(x, 0, max(wide - 4, 2), 14, colour=colour, opacity=0.35 if hollow else 1)
            )
        x += wide
    return str(_plain(1000, 14, parts, stretched=True))


def _plain(
    width: int, height: int, parts: list[svg.Element], *, stretched: bool = False
) -> svg.SVG:
    """Return a picture that adds nothing to the text beside it."""
    more = {"aria-hidden": "true"} | ({"preserveAspectRatio": "none"} if stretched else {})
    return svg.SVG(
        xmlns=None, viewBox=svg.ViewBoxSpec(0, 0, width, height), elements=parts, extra=more
    )


def _below(
    limits: list[float], first: float, last: float, at: Callable[[float], float], y: float
) -> list[svg.Element]:
    """Return the limits and, where there is room beside them, the ends of the scale."""
    said: list[svg.Element] = []
    taken: list[tuple[float, float]] = []
    marks = [(limit, f"limit {number(limit)}", True) for limit in limits]
    marks += [(first, number(first), False), (last, number(last), False)]
    for value, text, bold in marks:
        half = cells(text) * 3.1 + 3
        x = min(max(at(value), half), 340 - half)
        if any(x - half < end and start < x + half for start, end in taken):
            continue
        taken.append((x - half, x + half))
        colour = LIMIT if bold else MUTED
        said.append(word(x, y, text, anchor="middle", colour=colour, bold=bold))
    return said


def _scale(estimate: Estimate, limits: list[float]) -> tuple[float, float]:
    """Return the ends of a scale that shows estimate and limits, inside the metric's own range."""
    first = min(estimate.low, *limits)
    last = max(estimate.high, *limits)
    pad = 0.2 * (last - first) or abs(first) * 0.2 or 0.5
    end_low, end_high = estimate.range
    first, last = first - pad, last + pad
    if end_low is not None:
        first = end_low if first < end_low + pad else first
    if end_high is not None:
        last = end_high if last > end_high - pad else last
    return (first, last) if last > first else (first - 0.5, last + 0.5)
