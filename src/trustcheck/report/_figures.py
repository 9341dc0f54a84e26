"""Pictures of a finding's detail rows: intervals, a curve, bars."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Sequence
from copy import deepcopy
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import svg

from trustcheck.report._json import columns
from trustcheck.report._svg import LIMIT, MARK, MUTED, box, dot, frame, line, lines, rounded, word
from trustcheck.report._text import cells, count, metric_name, number, short
from trustcheck.types import Finding, InputError, Requirement, Row, Scalar

MOST_ROWS = 20
_WIDTH = 400.0
_SERIES = 5
_STACKED = 24  # cells of the longest label that stands beside its line
_DASHES = (None, "6 3", "2 3", "8 3 2 3", "1 4")


@dataclass(slots=True)
class Picture:
    """A finding's picture: an SVG tree that may be changed before it is shown or saved.

    Parameters
    ----------
    svg : svg.SVG
        The tree, from the library svg.py.
    caption : str
        What the picture shows, in words.
    """

    svg: svg.SVG
    caption: str

    def _repr_svg_(self) -> str:
        alone = deepcopy(self.svg)
        alone.xmlns = "http://www.w3.org/2000/svg"
        return str(alone)

    def _repr_html_(self) -> str:
        return f'<div style="max-width:560px">{self.svg}</div>'

    def __str__(self) -> str:
        return str(self.svg)

    def __repr__(self) -> str:
        return f"<picture: {self.caption}>"

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the picture as an SVG file.

        Raises
        ------
        InputError
            If the file cannot be written.
        """
        try:
            Path(path).write_text(self._repr_svg_() + "\n", encoding="utf-8")
        except OSError as fault:
            raise InputError(f"cannot write the picture {str(path)!r}: {fault.strerror}") from fault


@dataclass(frozen=True, slots=True)
class _Point:
    label: str
    x: float
    value: float
    low: float | None
    high: float | None


def picture(
    finding: Finding, requirement: Requirement | None = None, *, most: int = MOST_ROWS
) -> Picture | None:
    """Return the finding's picture, or none where it has none.

    A requirement's limits are drawn where the rows hold the very metric it is about.
    """
    if finding.picture not in ("intervals", "curve", "bars") or most < 1:
        return None
    names = columns(finding.rows)
    shape = _columns(names, finding.rows, finding.headline)
    if shape is None:
        return None
    label, x, value = shape
    if finding.picture == "curve" and x is None:
        return None
    points = _points(finding.rows, label, x, value, curve=finding.picture == "curve")
    if not points:
        return None
    limits = _limits(finding, requirement, value)
    spoken = metric_name(finding.headline if value == "value" else value)
    title = f"{finding.title}: {spoken}"
    if finding.picture == "curve":
        under = _under(finding.rows, x, names)
        if under and not any(point.label for point in points):
            points = [replace(point, label=spoken) for point in points] + under
        return _curve(points, limits, title, metric_name(x or ""), spoken, between=bool(under))
    shown, more = points[:most], ""
    if len(points) > most:
        more = f" The first {most} of {len(points)} are drawn."
        if most > 1 and _by_name(finding.rows):
            few = most // 2
            order = sorted(range(len(points)), key=lambda i: points[i].value)
            shown = [points[i] for i in sorted({*order[:few], *order[-few:]})]
            more = f" The {few} lowest and the {few} highest of {len(points)} are drawn."
    kind = "intervals" if finding.picture == "intervals" else "bars"
    return _rows(shown, limits, title, spoken, kind, more)


def _under(rows: Sequence[Row], x: str | None, names: Sequence[str]) -> list[_Point]:
    """Return a second line, a column with ends of its own (``verified``, ``verified_low`` ...)."""
    for name in names:
        if f"{name}_low" in names and f"{name}_high" in names:
            return [
                _Point(
                    metric_name(name),
                    _float(row.get(x or "")) or 0.0,
                    _float(row.get(name)) or 0.0,
                    _float(row.get(f"{name}_low")),
                    _float(row.get(f"{name}_high")),
                )
                for row in rows
                if _float(row.get(name)) is not None
            ]
    return []


def _by_name(rows: Sequence[Row]) -> bool:
    """Whether rows are groups in the order of their names, so that the first are not the worst."""
    names = [str(row.get("group")) for row in rows]
    distinct = list(dict.fromkeys(names))
    return len(distinct) > 1 and distinct == sorted(distinct)


def _columns(
    names: Sequence[str], rows: Sequence[Row], headline: str
) -> tuple[list[str], str | None, str] | None:
    """Return the columns of labels, of x, and of the value.

    The value is the last number before its ends; where there are none, the headline's own column,
    else the last number.
    """
    bounds = {"low", "high"}
    numeric = [n for n in names if n not in bounds and _is(rows, n, number_like=True)]
    labels = [n for n in names if n not in bounds and _is(rows, n, number_like=False)]
    if not numeric:
        return None
    before = numeric
    if "low" in names:
        place = names.index("low")
        before = [n for n in numeric if names.index(n) < place] or numeric
    value = headline if headline in numeric and "low" not in names else before[-1]
    x = next((n for n in numeric if n != value), None)
    return labels, x, value


def _is(rows: Sequence[Row], name: str, *, number_like: bool) -> bool:
    seen = [row[name] for row in rows if row.get(name) is not None]
    if number_like:
        return bool(seen) and all(_float(item) is not None for item in seen)
    return bool(seen) and all(isinstance(item, str) for item in seen)


def _float(value: Scalar) -> float | None:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    return float(value) if math.isfinite(value) else None


def _points(
    rows: Sequence[Row], label: Sequence[str], x: str | None, value: str, *, curve: bool
) -> list[_Point]:
    found = []
    for i, row in enumerate(rows):
        got = _float(row.get(value))
        place = _float(row.get(x)) if x else None
        if got is None or (curve and place is None):
            continue
        low, high = _float(row.get("low")), _float(row.get("high"))
        said = " · ".join(short(row[n], 200) for n in label if row.get(n))
        if not said and not curve:
            said = number(row.get(x)) if x else str(i + 1)
        found.append(_Point(said, place or 0.0, got, low, high))
    return found


def _limits(finding: Finding, requirement: Requirement | None, value: str) -> list[float]:
    if requirement is None or value != (requirement.metric or finding.headline):
        return []
    return [x for x in (requirement.at_least, requirement.at_most) if x is not None]


def _ends(
    points: Sequence[_Point], limits: Sequence[float], *, from_zero: bool
) -> tuple[float, float]:
    values = [v for p in points for v in (p.value, p.low, p.high) if v is not None]
    first, last = min([*values, *limits]), max([*values, *limits])
    if from_zero or (0 <= first < 0.5 * last):
        first, last = min(first, 0.0), max(last, 0.0)
    if first == last:
        first, last = first - 0.5, last + 0.5
    return first, last


def _ticks(first: float, last: float, most: int = 5) -> list[float]:
    """Return round numbers inside a scale."""
    step = 10.0 ** math.floor(math.log10((last - first) / most))
    step *= next(m for m in (1, 2, 5, 10, 20) if (last - first) / (m * step) <= most)
    start = math.ceil(first / step - 1e-9)
    return [round(k * step, 12) for k in range(start, math.floor(last / step + 1e-9) + 1)]


def _rows(
    points: Sequence[_Point],
    limits: Sequence[float],
    title: str,
    value: str,
    kind: str,
    more: str,
) -> Picture:
    widest = max(cells(short(p.label, _STACKED + 1)) for p in points)
    stacked = widest > _STACKED  # long labels stand above their lines, not beside them
    left = 8 if stacked else max(widest * 6.5, 30) + 10
    right = _WIDTH - 52
    first, last = _ends(points, limits, from_zero=kind == "bars")
    pitch, top = (34 if stacked else 20), 8

    def at(number_: float) -> float:
        return left + (right - left) * (number_ - first) / (last - first)

    bottom = top + pitch * len(points)
    stops = [(top + pitch * i + 17, top + pitch * i + 31) for i in range(len(points))]
    grid = stops if stacked else [(top - 4, bottom + 4)]
    parts: list[svg.Element] = _axis(at, _ticks(first, last), grid, bottom)
    parts += [
        line(at(x), top - 6, at(x), bottom, colour=LIMIT, width=2, dash="4 2") for x in limits
    ]
    spans: list[tuple[float, float, float, float]] = []
    for i, point in enumerate(points):
        y = top + pitch * i + (24 if stacked else 10)
        if stacked:
            parts.append(word(left, y - 10, point.label, room=66))
        else:
            parts.append(word(left - 8, y + 4, point.label, anchor="end", room=_STACKED))
        if kind == "bars":
            start = min(at(0), at(point.value))
            wide = abs(at(point.value) - at(0))
            parts.append(box(start, y - 5, wide, 10, colour=MARK, opacity=0.75, r=2))
        if point.low is not None and point.high is not None:
            spans.append((at(point.low), y, at(point.high), y))
        if kind == "intervals":
            parts.append(dot(at(point.value), y))
        parts.append(word(_WIDTH - 2, y + 4, number(point.value), anchor="end", room=10))
    if spans:
        parts.append(lines(spans, colour="currentColor", width=2))
    parts.append(word((left + right) / 2, bottom + 34, value, anchor="middle", colour=MUTED))
    ends = " with 95 % intervals" if any(p.low is not None for p in points) else ""
    caption = f"{count(len(points), 'row')}, {value}{ends}.{more}"
    if limits:
        caption += " The dashed line is the limit."
    about = "; ".join(f"{short(p.label, 40)} {number(p.value)}" for p in points)
    return Picture(frame(_WIDTH, bottom + 40, parts, title=title, about=about), caption)


def _axis(
    at: Callable[[float], float],
    ticks: Sequence[float],
    stretches: Sequence[tuple[float, float]],
    bottom: float,
) -> list[svg.Element]:
    """Return the grid, drawn where no label stands, with its numbers below."""
    grid = [(at(tick), start, at(tick), end) for tick in ticks for start, end in stretches]
    numbers = [
        word(at(tick), bottom + 17, number(tick), anchor="middle", colour=MUTED) for tick in ticks
    ]
    return [lines(grid, colour=MUTED, width=0.5), *numbers]


def _curve(
    points: Sequence[_Point],
    limits: Sequence[float],
    title: str,
    across: str,
    value: str,
    *,
    between: bool = False,
) -> Picture:
    by_label: dict[str, list[_Point]] = {}
    for point in points:
        by_label.setdefault(point.label, []).append(point)
    series = list(by_label.items())[:_SERIES]
    drawn = [p for _, group in series for p in group]
    first, last = _ends(drawn, limits, from_zero=False)
    x_first, x_last = min(p.x for p in drawn), max(p.x for p in drawn)
    if x_first == x_last:
        x_first, x_last = x_first - 0.5, x_last + 0.5
    left, right, top, bottom = 46.0, _WIDTH - 12, 14.0, 190.0

    def at(x: float) -> float:
        return left + (right - left) * (x - x_first) / (x_last - x_first)

    def up(y: float) -> float:
        return bottom - (bottom - top) * (y - first) / (last - first)

    parts: list[svg.Element] = []
    for tick in _ticks(first, last, 4):
        parts.append(line(left, up(tick), right, up(tick), colour=MUTED, width=0.5))
        parts.append(word(left - 6, up(tick) + 4, number(tick), anchor="end", colour=MUTED))
    for tick in _ticks(x_first, x_last):
        parts.append(line(at(tick), bottom, at(tick), bottom + 4, colour=MUTED))
        half = cells(number(tick)) * 3.2
        middle = min(at(tick), _WIDTH - half)
        parts.append(word(middle, bottom + 17, number(tick), anchor="middle", colour=MUTED))
    parts += [line(left, up(y), right, up(y), colour=LIMIT, width=2, dash="4 2") for y in limits]
    height = bottom + 38
    if between and len(series) == 2:
        edge = [(at(p.x), up(p.value)) for p in sorted(series[0][1], key=lambda p: p.x)]
        edge += [(at(p.x), up(p.value)) for p in sorted(series[1][1], key=lambda p: -p.x)]
        parts.append(svg.Polygon(points=_flat(edge), fill=MARK, fill_opacity=0.2))
    for i, (label, group) in enumerate(series):
        ordered = sorted(group, key=lambda p: p.x)
        band = [p for p in ordered if p.low is not None and p.high is not None]
        if len(band) > 1:
            edge = [(at(p.x), up(p.high or 0.0)) for p in band]
            edge += [(at(p.x), up(p.low or 0.0)) for p in reversed(band)]
            parts.append(svg.Polygon(points=_flat(edge), fill=MARK, fill_opacity=0.15))
        dash = {"stroke-dasharray": _DASHES[i] or ""} if _DASHES[i] else None
        path = _flat([(at(p.x), up(p.value)) for p in ordered])
        parts.append(
            svg.Polyline(points=path, fill="none", stroke=MARK, stroke_width=2, extra=dash)
        )
        if len(ordered) <= 25:
            parts += [dot(at(p.x), up(p.value), r=2.5) for p in ordered]
        if label and len(series) > 1:
            y = height + 12
            parts.append(line(left, y - 4, left + 28, y - 4, colour=MARK, width=2, dash=_DASHES[i]))
            parts.append(word(left + 36, y, label, room=50))
            height += 16
    parts.append(word((left + right) / 2, bottom + 34, across, anchor="middle", colour=MUTED))
    caption = f"{value[:1].upper()}{value[1:]} against {across}."
    if any(p.low is not None for p in drawn):
        caption += (
            f" The band{'s are' if between else ' is'} the 95 % interval{'s' if between else ''}."
        )
    if between and len(series) == 2:
        caption += f" The truth lies between {series[1][0]} and {series[0][0]}."
    if limits:
        caption += " The dashed line is the limit."
    if len(by_label) > _SERIES:
        caption += f" The first {_SERIES} of {len(by_label)} lines are drawn."
    about = "; ".join(f"{short(p.label, 20)} {number(p.x)}: {number(p.value)}" for p in drawn[:20])
    return Picture(frame(_WIDTH, height + 6, parts, title=title, about=about), caption)


def _flat(
    points: Sequence[tuple[float, float]],
) -> Any:  # svg.py's type for it changed between versions
    return [rounded(coordinate) for point in points for coordinate in point]
