"""Inconclusive worlds that get the rows they were told to get, beside an oracle who knows the truth."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice

import fairness_worlds as worlds
import numpy as np

from trustcheck.stats import gaps, intervals

Advice = Callable[..., "gaps.Needed | None"]


@dataclass(frozen=True)
class Told:
    """One inconclusive verdict: what was advised, what came of it, what the oracle would say.

    `seeing` knows the true rates and keeps the present rows; `planning` knows the true rates but
    has not seen the data, so it may ask for none.
    """

    groups: int
    sizes: str
    unfair: bool
    resolved: bool
    rows: float
    seeing: float
    planning: float


def open_cells(*, full: bool) -> Iterator[tuple[worlds.Cell, float]]:
    """Cells and limits at least 20 % of the limit away from the true gap."""
    counts = (2, 3, 5, 10, 20) if full else (2, 5, 20)
    for groups in counts:
        shapes = {f"{n} each": np.full(groups, n) for n in (20, 100, 500, 2000)}
        shapes["50 and 5000"] = np.array([50] + [5000] * (groups - 1))
        shapes["10 to 5000"] = np.geomspace(10, 5000, groups).round()
        for sized, sizes in shapes.items():
            for base in (0.02, 0.05, 0.1, 0.2, 0.3, 0.5):
                for gap in (0.0, 0.05, 0.1, 0.2, 0.3):
                    for limit in worlds.LIMITS:
                        if base + gap > 0.5 or abs(gap - limit) < 0.2 * limit - 1e-9:
                            continue
                        for rates in worlds.rate_shapes(groups, base, gap).values():
                            cell = tuple(int(n) for n in sizes), tuple(float(p) for p in rates)
                            yield worlds.Cell(*cell, sized), limit


def follow(
    *, full: bool, step: int, start: int = 0, most: int = 4, advice: Advice = gaps.groups_needed
) -> list[Told]:
    """Every `step`-th cell from `start` on: give up to `most` inconclusive worlds their rows."""
    told = []
    for cell, limit in islice(open_cells(full=full), start, None, step):
        p, n = np.array(cell.rates), np.array(cell.sizes, float)
        x, rng = cell.draw(60, f"open at {limit}"), cell.rng(f"more at {limit}")
        low, high = worlds.ends(x, n)
        for seen in x[(low <= limit) & (high > limit)][:most]:
            more = given(advice(seen, n, limit), len(n))
            after = seen + rng.binomial(more.astype(np.int64), p)
            (low_after,), (high_after,) = worlds.ends(after[None], (n + more)[None])
            settled = bool(high_after <= limit or low_after > limit) and bool(more.sum())
            noise = rng.standard_normal((100, len(n)))
            told.append(
                Told(
                    len(n),
                    cell.kind,
                    cell.gap > limit,
                    settled,
                    float(more.sum()) if more.sum() else np.inf,
                    oracle(seen / n, p, n, limit, noise),
                    oracle(None, p, n, limit, noise),
                )
            )
    return told


def given(need: gaps.Needed | None, groups: int) -> np.ndarray:
    """Rows to add by group; none where no number of rows was named."""
    more = np.zeros(groups)
    if need is not None:
        more[need.group] += need.rows
        if need.other is not None:
            more[need.other] += need.other_rows
        for group, rows in getattr(need, "more", ()):
            more[group] += rows
    return np.minimum(more, 1e12)


def oracle(
    seen: np.ndarray | None, p: np.ndarray, n: np.ndarray, limit: float, noise: np.ndarray
) -> float:
    """Fewest rows with which the rule decides with a chance of 0.8, by normal approximation.

    The allocations are those of `gaps.groups_needed`: the 2, 4, 8, ... groups whose true rates lie
    nearest to the limit, or all, raised to one size.
    """
    k, v = len(n), p * (1 - p)
    z, wide = intervals.z_value(), gaps.simultaneous_z(k)
    i, j = np.nonzero(~np.eye(k, dtype=bool))
    near = p[i] - p[j] + z * np.sqrt(v[i] / n[i] + v[j] / n[j])
    nearest = np.argsort(-near, kind="stable")
    i, j = i[nearest], j[nearest]
    order = np.array(list(dict.fromkeys(np.stack([i, j], axis=1).ravel().tolist())))
    few, far = i[:120], j[:120]  # pairs further off decide nothing

    def decides(more: np.ndarray) -> bool:
        total = n + more
        if seen is None:
            rates = p + noise * np.sqrt(v / total)
        else:
            rates = (n * seen + more * p + noise * np.sqrt(more * v)) / total
        gap, error = rates[:, few] - rates[:, far], np.sqrt((v / total)[few] + (v / total)[far])
        passed, failed = (gap <= limit - z * error).all(1), (gap > limit + wide * error).any(1)
        return bool(np.mean(passed | failed) >= 0.8)

    if seen is None and decides(np.zeros(k)):
        return 0.0
    best, count = np.inf, 2
    while True:
        chosen = np.isin(np.arange(k), order[:count])
        few_rows, many = np.log2(n[chosen].min()), 20.0
        for _ in range(9):
            middle = (few_rows + many) / 2
            enough = decides(np.where(chosen, np.maximum(2**middle - n, 0), 0))
            few_rows, many = (few_rows, middle) if enough else (middle, many)
        if many < 20:
            best = min(best, float(np.where(chosen, np.maximum(2**many - n, 0), 0).sum()))
        if count >= k:
            return best
        count *= 2
