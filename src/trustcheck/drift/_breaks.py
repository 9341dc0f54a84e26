"""Breaks of data quality: a column that became empty or constant, came alive, or was recoded."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from trustcheck.drift._read import Levels, Numbers
from trustcheck.stats import distances

#: A column is called broken where chance would make it look so with less than this probability.
_SURPRISE = 1e-3
#: Share of rows a value the reference never holds needs to be called a code.
_CODE = 0.05
#: Factors between units people mix up: powers of ten, minutes, hours, days, kilobytes.
_FACTORS = np.array([10.0, 100.0, 1000.0, 1e4, 1e6, 1e9, 12.0, 24.0, 60.0, 3600.0, 86400.0, 1024.0])


def of_numbers(found: Numbers) -> str | None:
    """Say what broke in a column of numbers, if anything did."""
    a, b = found.before, found.now
    gaps = [(len(side), rows - len(side)) for side, rows in zip(found[:2], found.rows, strict=True)]
    broken = _empty(*gaps)
    if broken or not (len(a) and len(b)):
        return broken
    alike = [_count(side, b[0]) for side in (a, b)]
    sides = [(n, len(side) - n) for n, side in zip(alike, (a, b), strict=True)]
    broken = _constant(*sides, varied=bool(a[0] == a[-1]) and sides[1][1] > 0)
    return broken or _unit(a, b) or _code(a, b)


def of_levels(found: Levels) -> str | None:
    """Say what broke in a column of levels, if anything did."""
    known = slice(None, -1 if found.missing else None)
    a, b = found.before[known], found.now[known]
    gaps = [(int(c[known].sum()), int(c.sum() - c[known].sum())) for c in found[1:3]]
    broken = _empty(*gaps)
    if broken or not (len(a) and a.any() and b.any()):
        return broken
    if not b[a > 0].any():
        return "none of its levels occurs in the reference"
    top = int(b.argmax())
    alike = [(int(c[top]), int(c.sum() - c[top])) for c in (a, b)]
    broken = _constant(*alike, varied=(a > 0).sum() == 1 and (b > 0).sum() > 1)
    return broken or _spelling(found.names, a, b)


def _empty(before: Sequence[int], now: Sequence[int]) -> str | None:
    """Say that a column is empty; both are (present, missing)."""
    if now[0] == 0 and _surprising(before[1], before[0], now[1]):
        return "every value is missing now"
    return "every value of the reference is missing" if now[0] and not before[0] else None


def _constant(before: Sequence[int], now: Sequence[int], *, varied: bool) -> str | None:
    """Say that a column stopped, or began, to vary; both are (one value, others)."""
    if now[1] == 0 and _surprising(before[0], before[1], now[0]):
        return "it is constant now"
    return "it was constant in the reference and varies now" if varied else None


def _surprising(alike: int, other: int, rows: int) -> bool:
    """Whether so many rows that are all alike would be a surprise, given the reference."""
    return other > 0 and (alike / (alike + other)) ** rows < _SURPRISE


def _unit(a: np.ndarray, b: np.ndarray) -> str | None:
    """Say that the values are the old ones times the factor between two units."""
    before, now = (distances.quantile(side, [0.5])[0] for side in (a, b))
    if min(len(a), len(b)) < 100 or a[0] == a[-1] or not 0 < before * now < np.inf:
        return None
    larger = abs(now) > abs(before)
    ratio = now / before if larger else before / now
    unit = float(_FACTORS[np.abs(np.log(ratio / _FACTORS)).argmin()])
    if abs(np.log(ratio / unit)) > 0.3:
        return None
    scaled = distances.steps(a * unit if larger else a / unit, b, ordered=True)
    if abs(scaled.gap) > 0.02 + 1.5 * (1 / len(a) + 1 / len(b)) ** 0.5:
        return None
    return f"its values look like the reference's times {'' if larger else '1/'}{unit:g}: another unit?"


def _code(a: np.ndarray, b: np.ndarray) -> str | None:
    """Say that one new value holds many rows while the other rows are as they were."""
    at = distances.quantile(b, np.arange(1, 40) / 40)
    values, times = np.unique(at, return_counts=True)
    value = values[times.argmax()]
    held = _count(b, value)
    if held < _CODE * len(b) or held == len(b) or _count(a, value):
        return None
    if a[0] <= value <= a[-1]:
        return None
    rest = distances.steps(a, b[b != value], ordered=True)
    if abs(rest.gap) > 0.05 + distances.smirnov_chance(len(a), len(b) - held):
        return None
    return f"one value outside the reference's range holds {held / len(b):.0%} of its rows: a code?"


def _spelling(names: Sequence[Any], a: np.ndarray, b: np.ndarray) -> str | None:
    """Say that levels are spelt otherwise: by case, or by blanks around them."""
    if len(names) > 10_000:
        return None
    spelt = [str(name).strip().casefold() for name in names]
    known = {word for word, rows in zip(spelt, a, strict=True) if rows}
    moved = [
        int(rows)
        for word, rows, before in zip(spelt, b, a, strict=True)
        if rows and not before and word in known
    ]
    if not moved:
        return None
    return f"{sum(moved) / b.sum():.0%} of its rows spell a known level otherwise (case or blanks)"


def _count(ordered: np.ndarray, value: float) -> int:
    first, last = (np.searchsorted(ordered, value, side) for side in ("left", "right"))
    return int(last - first)
