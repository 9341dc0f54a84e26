"""One column of two tables, compared: its distance with interval, and facts about the change."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from trustcheck.drift import _breaks
from trustcheck.drift._read import Levels, Numbers, ordered, read
from trustcheck.stats import distances
from trustcheck.stats.intervals import Interval
from trustcheck.subject._schema import robust_scale
from trustcheck.types import Estimate, Row, Scalar

if TYPE_CHECKING:
    import pandas as pd

    from trustcheck.subject import Subject

UNIT = "largest difference of shares of rows, 0 = alike, 1 = disjoint"
_CELLS = (
    "where", "matters", "importance", "chance", "p", "ks", "tv", "wasserstein", "wasserstein_low",
    "wasserstein_high", "psi", "psi_bins", "psi_above_chance", "psi_low", "psi_high", "js",
    "missing_before", "missing_now", "new_levels",
)  # fmt: skip


@dataclass(frozen=True)
class Compared:
    """A column's distance, its detail row, and what broke (plain words, if anything did)."""

    name: str
    distance: Interval
    row: Row
    broken: str | None = None


def column(
    subject: Subject, name: str, before: pd.Series, now: pd.Series, comparisons: int
) -> Compared:
    """Compare two versions of a feature, as what the schema says it is."""
    as_what, found = read(before, now, subject.schema[str(name)])
    if isinstance(found, Numbers):
        return numbers(
            str(name), found, comparisons, of=" of length" if as_what == "length" else ""
        )
    names = found.names

    def printed(place: int) -> str:
        if place == len(names):
            return "missing"
        return names[place] if as_what == "kinds" else subject.printable_level(name, names[place])

    return levels(str(name), found, comparisons, printed=printed)


def values(name: str, before: np.ndarray, now: np.ndarray, comparisons: int) -> Compared:
    """Compare two arrays of numbers, missing as nan."""
    return numbers(name, ordered(before, now), comparisons)


def numbers(name: str, found: Numbers, comparisons: int, *, of: str = "") -> Compared:
    """Compare numbers: Kolmogorov-Smirnov, or the change of the share missing if that is larger.

    Parameters
    ----------
    name : str
        Of the column.
    found : Numbers
        Its content.
    comparisons : int
        Distances the lower end has to hold for at once.
    of : str
        What was measured of each value, if not the value itself (" of length").
    """
    a, b = found.before, found.now
    gaps = [(len(side), rows - len(side)) for side, rows in zip(found[:2], found.rows, strict=True)]
    facts: dict[str, Scalar] = _missing(*gaps)
    missing = distances.total_variation(*gaps, comparisons=comparisons)
    broken = _breaks.of_numbers(found)
    if not (len(a) and len(b)):
        facts |= {"chance": distances.variation_chance(*gaps), "p": distances.chi_square_p(*gaps)}
        return Compared(name, missing, _row(name, "share missing", missing, facts), broken)
    both = distances.steps(a, b, ordered=True)
    distance = distances.kolmogorov_smirnov(both, comparisons=comparisons)
    edges = distances.bin_edges(a, ordered=True)
    side = "above" if both.gap > 0 else "up to"
    facts |= {
        "chance": distances.smirnov_chance(len(a), len(b)),
        "p": distances.smirnov_p(both),
        "ks": distance.value,
        # The value itself stays in the table: its place in the reference is said instead.
        "where": f"more rows {side} the reference's {both.at:.0%} quantile",
        **_binned(
            distances.bin_counts(a, edges, ordered=True),
            distances.bin_counts(b, edges, ordered=True),
            comparisons,
        ),
    }
    if np.isfinite(both.points[[0, -1]]).all():
        scale = _scale(a)
        far = distances.wasserstein_interval(both, comparisons=comparisons)
        cells = ("wasserstein", "wasserstein_low", "wasserstein_high")
        facts |= {cell: end / scale for cell, end in zip(cells, far, strict=True)}
    measure = f"KS{of}"
    if gaps[0][1] or gaps[1][1]:
        # Two distances, one column: the larger of each end, as over columns.
        measure = "share missing" if missing.value > distance.value else measure
        distance = Interval(*np.maximum(distance, missing).tolist())
    return Compared(name, distance, _row(name, measure, distance, facts), broken)


def levels(
    name: str, found: Levels, comparisons: int, *, printed: Callable[[int], str]
) -> Compared:
    """Compare counts per level: total variation.

    Parameters
    ----------
    name : str
        Of the column.
    found : Levels
        Its content.
    comparisons : int
        Distances the lower end has to hold for at once.
    printed : callable
        Takes a level's position and returns the name under which it may be shown.
    """
    before, now = found.before, found.now
    known = slice(None, -1 if found.missing else None)
    gaps = [(int(c[known].sum()), int(c.sum() - c[known].sum())) for c in (before, now)]
    facts: dict[str, Scalar] = _missing(*gaps)
    facts["new_levels"] = float(now[known][before[known] == 0].sum() / now.sum())
    broken = _breaks.of_levels(found)
    few = distances.rare(before, now)
    kept = np.flatnonzero(~few)
    if few.any():
        before, now = (np.append(c[kept], c[few].sum()) for c in (before, now))
    change = now / now.sum() - before / before.sum()
    most = int(np.abs(change).argmax())
    who = printed(int(kept[most])) if most < len(kept) else f"the {few.sum()} rarest levels"
    distance = distances.total_variation(before, now, comparisons=comparisons)
    facts |= {
        "chance": distances.variation_chance(before, now),
        "p": distances.chi_square_p(before, now),
        "where": f"{who}: {change[most]:+.1%}" if distance.value else None,
        **_binned(before, now, comparisons),
    }
    return Compared(name, distance, _row(name, "total variation", distance, facts), broken)


def worst_first(compared: Sequence[Compared]) -> list[Compared]:
    """Sort by how much the change matters, where known; then by distance, then by how far."""
    return sorted(
        compared,
        key=lambda c: (
            -float(c.row["matters"] or 0),
            -c.distance.value,
            -float(c.row["wasserstein"] or 0),
            c.name,
        ),
    )


def largest(compared: Sequence[Compared], n: int) -> Estimate:
    """Return the largest distance: `high` the largest upper, `low` the largest joint lower end."""
    ends = np.array([found.distance for found in compared]).max(axis=0)
    return Estimate(ends[0], ends[1], ends[2], n=n, unit=UNIT, range=(0.0, 1.0))


def chance_note(compared: Sequence[Compared]) -> list[str]:
    """Say how far apart a column would be by chance, where the distance may be just that."""
    top = max(compared, key=lambda c: (c.distance.value, c.name))
    chance = float(top.row["chance"] or 0)
    if top.distance.low > 0 or chance < 0.03:
        return []
    note = (
        f"With so few rows {top.name!r} would show about {chance:.2f} without any drift: here only"
        " the interval's lower end could be evidence of drift."
    )
    return [note]


def _scale(ordered_values: np.ndarray) -> float:
    """Return the robust scale of finite ascending values; the quartiles nearly always do."""
    low, high = distances.quantile(ordered_values, [0.25, 0.75])
    return float((high - low) / 1.349) if high > low else robust_scale(ordered_values)


def _missing(before: Sequence[int], now: Sequence[int]) -> dict[str, Scalar]:
    return {"missing_before": before[1] / sum(before), "missing_now": now[1] / sum(now)}


def _binned(before: np.ndarray, now: np.ndarray, comparisons: int) -> dict[str, Scalar]:
    """Bin-wise distances; the index also with its mean without drift taken off."""
    above = distances.psi_interval(before, now, comparisons=comparisons)
    return {
        "tv": float(np.abs(before / before.sum() - now / now.sum()).sum() / 2),
        "psi": distances.psi(before, now),
        "psi_bins": len(before),
        "psi_above_chance": above.value,
        "psi_low": above.low,
        "psi_high": above.high,
        "js": distances.jensen_shannon(before, now),
    }


def _row(name: str, measure: str, distance: Interval, facts: dict[str, Scalar]) -> Row:
    """One detail row; every row has the same cells."""
    row: dict[str, Scalar] = {"column": name, "measure": measure}
    row |= {"value": distance.value, "low": distance.low, "high": distance.high}
    return row | {cell: facts.get(cell) for cell in _CELLS}
