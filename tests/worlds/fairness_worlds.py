"""Worlds of groups whose true rates are known, many at a time, and the statistics run on them.

A world is drawn from sizes and rates; a cell of the grid is one choice of both, drawn many times.
The bounds are those of `trustcheck.stats.gaps`, on all draws of a cell at once.
"""

from __future__ import annotations

import os
import zlib
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from scipy import stats

from trustcheck.stats import gaps, intervals

FULL = os.environ.get("TRUSTCHECK_WORLDS") == "full"
LIMITS = (0.05, 0.10, 0.20)


@dataclass(frozen=True)
class Cell:
    """Sizes and true rates of the groups, and what to call them in a table."""

    sizes: tuple[int, ...]
    rates: tuple[float, ...]
    kind: str

    @property
    def gap(self) -> float:
        return round(max(self.rates) - min(self.rates), 12)

    def rng(self, purpose: str) -> np.random.Generator:
        """Random numbers that depend on nothing but the cell and what they are for."""
        return np.random.default_rng(zlib.crc32(f"{purpose} {self.sizes} {self.rates}".encode()))

    def draw(self, worlds: int, purpose: str = "data") -> np.ndarray:
        shape = worlds, len(self.sizes)
        return self.rng(purpose).binomial(self.sizes, self.rates, shape).astype(float)


def rate_shapes(groups: int, base: float, gap: float) -> dict[str, np.ndarray]:
    """True rates from `base` to `base + gap`; the first group is the smallest where sizes differ."""
    if gap == 0:
        return {"equal rates": np.full(groups, base)}
    high, low = np.full(groups, base), np.full(groups, base + gap)
    high[0] += gap
    low[0] -= gap
    shapes = {"first high": high, "first low": low}
    if groups > 2:
        shapes["spread"] = np.linspace(base, base + gap, groups)
    return shapes


def size_shapes(groups: int, equal: tuple[int, ...], small: tuple[int, ...]) -> dict[str, object]:
    """Group sizes between 10 and 5,000."""
    shapes = {f"{n} each": np.full(groups, n) for n in equal}
    shapes |= {f"{n} and 5000": np.array([n] + [5000] * (groups - 1)) for n in small}
    shapes["10 to 5000"] = np.geomspace(10, 5000, groups).round()
    return shapes


def grid(*, full: bool = FULL) -> Iterator[Cell]:
    """Cells over group counts 2-20, 10-5,000 rows per group, rates 0.02-0.5."""
    counts = (2, 3, 5, 10, 20) if full else (2, 5, 20)
    equal = (10, 20, 50, 100, 200, 500, 1000, 2000, 5000) if full else (10, 50, 500, 5000)
    small = (10, 50, 200, 1000) if full else (10, 200)
    bases = (0.02, 0.05, 0.1, 0.2, 0.3, 0.5) if full else (0.02, 0.1, 0.3, 0.5)
    spans = (0.0, 0.05, 0.1, 0.2, 0.3) if full else (0.0, 0.1, 0.3)
    for groups in counts:
        for sized, sizes in size_shapes(groups, equal, small).items():
            for base in bases:
                for span in spans:
                    if base + span > 0.5:
                        continue
                    for rated, rates in rate_shapes(groups, base, span).items():
                        yield Cell(
                            tuple(int(n) for n in sizes),
                            tuple(round(float(p), 12) for p in rates),
                            f"{groups} groups, {sized}, {rated}",
                        )


def compose(p: np.ndarray, low: np.ndarray, high: np.ndarray) -> np.ndarray:
    """Upper bound of rate i - rate j of every world from the ends of both; -inf where i = j."""
    above, below = (high - p) ** 2, (p - low) ** 2
    found = p[..., :, None] - p[..., None, :]
    found += np.sqrt(above[..., :, None] + below[..., None, :])
    index = np.arange(found.shape[-1])
    found[..., index, index] = -np.inf
    return found


def uppers(x: np.ndarray, n: np.ndarray, z: float) -> np.ndarray:
    """Upper bounds of rate i - rate j of every world: counts (worlds, k), sizes to match."""
    bounds = np.empty((3, *x.shape))
    sizes = np.broadcast_to(n, x.shape)
    for g in range(x.shape[1]):
        # Equal counts of a group have equal ends: ask for each once.
        rows = np.stack([x[:, g], sizes[:, g]])
        known, where = np.unique(rows, axis=1, return_inverse=True)
        bounds[..., g] = np.stack(intervals.mid_p(*known, z=z))[:, where.ravel()]
    return compose(*bounds)


def ends(x: np.ndarray, n: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """`low` and `high` of `gaps.largest_gap` of every world."""
    return lows(x, n), uppers(x, n, intervals.z_value()).max(axis=(-2, -1))


def lows(x: np.ndarray, n: np.ndarray) -> np.ndarray:
    # A lower bound of i over j is minus the upper bound of j over i.
    above = uppers(x, n, gaps.simultaneous_z(x.shape[-1]))
    index = np.arange(x.shape[-1])
    above[..., index, index] = np.inf
    return np.maximum(-above.min(axis=(-2, -1)), 0.0)


def within(hits: np.ndarray, trials: int) -> tuple[np.ndarray, np.ndarray]:
    """Clopper-Pearson interval of a simulated share."""
    _, low, high = intervals.clopper_pearson(hits, trials)
    return np.asarray(low), np.asarray(high)


@dataclass(frozen=True)
class Outcome:
    """What the statistics said about the worlds of one cell."""

    cell: Cell
    low: np.ndarray
    high: np.ndarray
    pairs: np.ndarray  # share of worlds whose interval covers the truth, by unordered pair

    @property
    def covered(self) -> float:
        # The draws are exact, the true gap is a rounded float.
        truth = self.cell.gap
        return float(np.mean((self.low <= truth + 1e-9) & (truth <= self.high + 1e-9)))

    def passes(self, limit: float) -> float:
        return float(np.mean(self.high <= limit))

    def fails(self, limit: float) -> float:
        return float(np.mean(self.low > limit))


def simulate(cell: Cell, worlds: int) -> Outcome:
    """Draw a cell's worlds and decide each."""
    n, x = np.array(cell.sizes, float), cell.draw(worlds)
    lists = []
    k = len(n)
    upper_i, upper_j = np.triu_indices(k, 1)
    truth = np.subtract.outer(cell.rates, cell.rates)
    missed = np.zeros((k, k))
    step = max(1, 400_000 // k**2)
    for start in range(0, worlds, step):
        part = x[start : start + step]
        above = uppers(part, n, intervals.z_value())
        missed += (above < truth - 1e-9).sum(axis=0)
        lists.append((lows(part, n), above.max(axis=(-2, -1))))
    low, high = (np.concatenate(side) for side in zip(*lists, strict=True))
    # One interval cannot miss on both sides.
    both = (missed + missed.T)[upper_i, upper_j]
    return Outcome(cell, low, high, 1 - both / worlds)


def rule_power(
    rates: np.ndarray, n: np.ndarray, limit: float, *, passing: bool, noise: np.ndarray
) -> float:
    """Chance that the rule decides, if estimated rates were normal with their true variances.

    `noise` holds standard normals, shape (draws, k), so that powers of several sizes compare.
    """
    rates, v = np.asarray(rates), np.asarray(rates) * (1 - np.asarray(rates)) / n
    error = np.sqrt(np.add.outer(v, v))
    np.fill_diagonal(error, np.nan)
    found = rates + noise * np.sqrt(v)
    gap = found[:, :, None] - found[:, None, :]
    if passing:
        room = limit - intervals.z_value() * error
        return float(np.mean(~np.any(gap > room, axis=(1, 2))))
    need = limit + gaps.simultaneous_z(len(rates)) * error
    return float(np.mean(np.any(gap > need, axis=(1, 2))))


def rows_for_power(
    rates: np.ndarray, limit: float, *, passing: bool, draws: int = 2000, power: float = 0.8
) -> int | None:
    """Rows per group at which the rule has this power; None if not within 10-5,000."""
    noise = np.random.default_rng(7).standard_normal((draws, len(rates)))

    def strong(n: float) -> bool:
        return (
            rule_power(rates, np.full(len(rates), n), limit, passing=passing, noise=noise) >= power
        )

    few, many = 10, 5000
    if strong(few) or not strong(many):
        return None
    while many - few > max(1, few // 200):
        middle = (few + many) // 2
        few, many = (few, middle) if strong(middle) else (middle, many)
    return many


def in_reach(cell: Cell, limit: float, worlds: int, *, wrong: float = 0.05) -> float:
    """Share of a cell's worlds (of one size) that a rule with so few wrong passes can pass.

    A rule that passes x hits in one group and y in another, and passes no less with fewer in the
    first or more in the second, passes a gap at the limit at least as often as that gap shows
    x or fewer and y or more. Where that exceeds `wrong` for some rates, the pair cannot pass.
    """
    x, n = cell.draw(worlds), cell.sizes[0]
    low = np.concatenate([[0.0], np.geomspace(1e-4, 1 - limit, 60)])
    most, pairs = x.max(axis=1), np.unique(np.stack([x.max(axis=1), x.min(axis=1)], axis=1), axis=0)
    few = stats.binom.cdf(pairs[:, :1], n, low + limit)
    many = stats.binom.sf(pairs[:, 1:] - 1, n, low)
    good = {
        tuple(pair) for pair, p in zip(pairs, (few * many).max(axis=1), strict=True) if p <= wrong
    }
    return float(np.mean([pair in good for pair in zip(most, x.min(axis=1), strict=True)]))
