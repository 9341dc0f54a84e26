"""One column of two tables, compared: its distance with interval, and facts about the change."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from trustcheck.stats import distances
from trustcheck.stats.intervals import Interval
from trustcheck.subject._schema import robust_scale
from trustcheck.types import Estimate, Row, Scalar

UNIT = "largest difference of shares of rows, 0 = alike, 1 = disjoint"
#: A column is called broken where chance would make it look so with less than this probability.
_SURPRISE = 1e-3


@dataclass(frozen=True)
class Compared:
    """A column's distance, its detail row, and what broke (plain words, if anything did)."""

    name: str
    distance: Interval
    row: Row
    broken: str | None = None


def numbers(name: str, before: np.ndarray, now: np.ndarray, comparisons: int) -> Compared:
    """Compare numbers: Kolmogorov-Smirnov, or the change of the share missing if that is larger.

    Parameters
    ----------
    name : str
        Of the column.
    before, now : array, shapes (n,) and (m,)
        Reference and given values, missing as nan.
    comparisons : int
        Distances the lower end has to hold for at once.
    """
    a, b = before[~np.isnan(before)], now[~np.isnan(now)]
    gaps = [len(a), len(before) - len(a)], [len(b), len(now) - len(b)]
    facts: dict[str, Scalar] = {"missing_before": gaps[0][1] / len(before)}
    facts |= {"missing_now": gaps[1][1] / len(now)}
    missing = distances.total_variation(*gaps, comparisons=comparisons)
    if not (len(a) and len(b)):
        facts |= {"chance": distances.variation_chance(*gaps), "p": distances.chi_square_p(*gaps)}
        return Compared(name, missing, _row(name, "share missing", missing, facts), _empty(*gaps))
    both = distances.steps(a, b)
    found = distances.kolmogorov_smirnov(both, comparisons=comparisons)
    edges = distances.bin_edges(a)
    bins = [distances.bin_counts(values, edges) for values in (a, b)]
    at = int(np.abs(both.reference - both.current).argmax())
    side = "above" if both.current[at] < both.reference[at] else "up to"
    finite = bool(np.isfinite(both.points[[0, -1]]).all())
    facts |= {
        "chance": distances.smirnov_chance(len(a), len(b)),
        "p": distances.smirnov_p(both),
        # The value itself stays in the table: its place in the reference is said instead.
        "where": f"more rows {side} the reference's {both.reference[at]:.0%} quantile",
        "wasserstein": distances.wasserstein(both) / robust_scale(a) if finite else None,
        **_binned(*bins),
    }
    measure = "KS"
    if gaps[0][1] or gaps[1][1]:
        # Two distances, one column: the larger of each end, as over columns.
        measure = "share missing" if missing.value > found.value else measure
        found = Interval(*np.maximum(found, missing).tolist())
    alike = [(int((c == b[0]).sum()), int((c != b[0]).sum())) for c in (a, b)]
    varied = bool((a == a[0]).all()) and alike[1][1] > 0
    broken = _empty(*gaps) or _constant(*alike, varied=varied)
    return Compared(name, found, _row(name, measure, found, facts), broken)


def levels(
    name: str,
    before: np.ndarray,
    now: np.ndarray,
    comparisons: int,
    *,
    printed: Callable[[int], str],
    missing: bool = False,
) -> Compared:
    """Compare counts per level: total variation.

    Parameters
    ----------
    name : str
        Of the column.
    before, now : array of int, shape (k,)
        Reference and given counts of each level.
    comparisons : int
        Distances the lower end has to hold for at once.
    printed : callable
        Takes a level's position and returns the name under which it may be shown.
    missing : bool
        Whether the last level stands for missing values.
    """
    known = slice(None, -1 if missing else None)
    a, b = before[known], now[known]
    gaps = [[int(c[known].sum()), int(c.sum() - c[known].sum())] for c in (before, now)]
    facts: dict[str, Scalar] = {"missing_before": gaps[0][1] / int(before.sum())}
    facts |= {"missing_now": gaps[1][1] / int(now.sum())}
    facts["new_levels"] = float(b[a == 0].sum() / now.sum())
    broken = _empty(*gaps)
    if not broken and len(a) and a.any() and b.any():
        if not b[a > 0].any():
            broken = "none of its levels occurs in the reference"
        else:
            top = int(b.argmax())
            alike = [(int(c[top]), int(c.sum() - c[top])) for c in (a, b)]
            broken = _constant(*alike, varied=(a > 0).sum() == 1 and (b > 0).sum() > 1)
    few = distances.rare(before, now)
    kept = np.flatnonzero(~few)
    if few.any():
        before, now = (np.append(c[kept], c[few].sum()) for c in (before, now))
    change = now / now.sum() - before / before.sum()
    most = int(np.abs(change).argmax())
    who = printed(int(kept[most])) if most < len(kept) else f"the {few.sum()} rarest levels"
    found = distances.total_variation(before, now, comparisons=comparisons)
    facts |= {
        "chance": distances.variation_chance(before, now),
        "p": distances.chi_square_p(before, now),
        "where": f"{who}: {change[most]:+.1%}" if found.value else None,
        **_binned(before, now),
    }
    return Compared(name, found, _row(name, "total variation", found, facts), broken)


def worst_first(compared: Sequence[Compared]) -> list[Compared]:
    """Sort by distance; where shares are equally far apart, by how far the numbers moved."""
    return sorted(
        compared, key=lambda c: (-c.distance.value, -float(c.row["wasserstein"] or 0), c.name)
    )


def largest(compared: Sequence[Compared], n: int) -> Estimate:
    """Return the largest distance: `high` the largest upper, `low` the largest joint lower end."""
    ends = np.array([found.distance for found in compared]).max(axis=0)
    return Estimate(ends[0], ends[1], ends[2], n=n, unit=UNIT, range=(0.0, 1.0))


def chance_note(compared: Sequence[Compared]) -> list[str]:
    """Say how far apart a column would be by chance, where the distance may be just that."""
    top = worst_first(compared)[0]
    chance = float(top.row["chance"] or 0)
    if top.distance.low > 0 or chance < 0.03:
        return []
    note = (
        f"With so few rows {top.name!r} would show about {chance:.2f} without any drift: here only"
        " the interval's lower end could be evidence of drift."
    )
    return [note]


def _binned(before: np.ndarray, now: np.ndarray) -> dict[str, Scalar]:
    """Bin-wise distances; the index also with its mean without drift taken off."""
    index = distances.psi(before, now)
    return {
        "psi": index,
        "psi_above_chance": max(index - distances.psi_chance(before, now), 0.0),
        "js": distances.jensen_shannon(before, now),
    }


def _row(name: str, measure: str, found: Interval, facts: dict[str, Scalar]) -> Row:
    """One detail row; every row has the same cells."""
    row: dict[str, Scalar] = {"column": name, "measure": measure}
    row |= {"value": found.value, "low": found.low, "high": found.high}
    cells = ("where", "chance", "p", "psi", "psi_above_chance", "js", "wasserstein",
             "missing_before", "missing_now", "new_levels")  # fmt: skip
    return row | {cell: facts.get(cell) for cell in cells}


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
