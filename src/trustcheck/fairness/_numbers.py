"""The largest gap between groups in a quantity that has an interval of its own in each group."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from trustcheck.fairness._gap import compared_with, position, said, unnamed
from trustcheck.stats import gaps, spread
from trustcheck.stats.intervals import Interval
from trustcheck.types import Estimate, Measurement, NotMeasurable, Row

if TYPE_CHECKING:
    from trustcheck.subject import Subject
    from trustcheck.subject._groups import Groups

#: The interval of quantity e on some rows, at a level: (rows, e, level) -> Interval.
Measure = Callable[[np.ndarray, int, float], Interval]


def compared(subject: Subject, by: str | list[str] | None) -> Groups:
    """Return the groups to compare; NotMeasurable unless there are two."""
    groups = subject.groups(by or ())
    if len(groups.names) < 2:
        raise NotMeasurable(
            f"all rows belong to one group of {' and '.join(groups.by)}; a gap needs two"
        )
    return groups


def largest_difference(
    subject: Subject,
    groups: Groups,
    measure: Measure,
    what: str,
    *,
    unit: str,
    quantities: tuple[str, ...] = ("",),
    ends: tuple[float | None, float | None] = (0.0, 1.0),
    reference: str | None = None,
) -> Measurement:
    """Return the largest gap in any of the quantities, with one detail row per group."""
    fixed = None if reference is None else position(groups, reference)
    known, found = each(groups, measure, len(quantities))
    try:
        gap = spread.largest_difference(
            known(0.95)[0], lambda level: known(level)[1:], reference=fixed
        )
    except ValueError:
        raise NotMeasurable(_too_few(what)) from None
    top, bottom = (groups.names[i] for i in gap.pair)
    which = f" ({quantities[gap.event]})" if len(quantities) > 1 else ""
    return Measurement(
        {"gap": Estimate(gap.value, gap.low, gap.high, subject.n, unit, range=ends)},
        rows=detail(groups, found, what, quantities),
        notes=(
            *compared_with(reference),
            f"Furthest apart: {top!r} above {bottom!r}{which}.",
            *unnamed(groups),
        ),
        picture="intervals",
        incomplete=unknown(groups, found, what),
    )


def smallest_ratio(
    subject: Subject,
    groups: Groups,
    measure: Measure,
    what: str,
    *,
    unit: str,
    reference: str | None = None,
) -> Measurement:
    """Return the smallest ratio of a positive quantity, with one detail row per group."""
    fixed = None if reference is None else position(groups, reference)
    known, found = each(groups, measure, 1)
    try:
        ratio = spread.smallest_ratio(
            known(0.95)[0], lambda level: known(level)[1:], reference=fixed
        )
    except ValueError:
        raise NotMeasurable(_too_few(what)) from None
    low, high = (groups.names[i] for i in ratio.pair)
    return Measurement(
        {"ratio": Estimate(ratio.value, ratio.low, ratio.high, subject.n, unit, range=(0.0, 1.0))},
        rows=detail(groups, found, what, ("",)),
        notes=(
            *compared_with(reference),
            f"Smaller for {low!r}, larger for {high!r}.",
            *unnamed(groups),
        ),
        picture="intervals",
        incomplete=unknown(groups, found, what, positive=True),
    )


def each(
    groups: Groups, measure: Measure, quantities: int
) -> tuple[Callable[[float], np.ndarray], np.ndarray]:
    """Return the intervals at any level, shape (3, k, E), and those at 95 %."""
    members = [np.flatnonzero(groups.codes == g) for g in range(len(groups.names))]

    def at(level: float) -> np.ndarray:
        got = [[measure(rows, e, level) for e in range(quantities)] for rows in members]
        return np.moveaxis(np.array(got, dtype=float), 2, 0)

    usual = at(0.95)
    return (lambda level: usual if level == 0.95 else at(level)), usual


def detail(
    groups: Groups, found: np.ndarray, what: str, quantities: tuple[str, ...]
) -> tuple[Row, ...]:
    sizes = np.bincount(groups.codes, minlength=len(groups.names))
    rows = []
    for e, quantity in enumerate(quantities):
        for g, name in enumerate(groups.names):
            row: dict[str, str | int | float | None] = {"group": name}
            if len(quantities) > 1:
                row["event"] = quantity
            value, low, high = found[:, g, e]
            known = bool(np.isfinite(found[:, g, e]).all())
            row |= {"n": int(sizes[g]), what: float(value) if known else None}
            row |= {"low": float(low) if known else None, "high": float(high) if known else None}
            rows.append(row)
    return tuple(rows)


def unknown(groups: Groups, found: np.ndarray, what: str, *, positive: bool = False) -> str | None:
    bad = ~np.isfinite(found).all(axis=(0, 2))
    if positive:
        bad |= (found[0] <= 0).any(axis=1)
    names = said([repr(name) for name, it in zip(groups.names, bad, strict=True) if it])
    return f"the rows of group {names} give no {what}: its gap is unknown." if names else None


def _too_few(what: str) -> str:
    return f"fewer than two groups have rows enough for their {what}; a gap needs two"


def largest(values: np.ndarray, lows: np.ndarray, highs: np.ndarray) -> gaps.LargestGap:
    """Return the largest of several magnitudes: lows hold together, highs one by one."""
    i, j = int(np.argmax(values)), int(np.argmax(highs))
    value = float(values[i])
    return gaps.LargestGap(
        value, min(float(lows.max()), value), max(float(highs[j]), value), (i, i), (j, j)
    )
