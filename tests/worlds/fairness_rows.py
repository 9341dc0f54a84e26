"""Open verdicts that get the rows they were told to get, beside an oracle who knows the truth."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

import fairness_worlds as worlds
import numpy as np

from trustcheck.stats import _growth, _pairs, gaps, intervals

MARGIN = 0.2


@dataclass(frozen=True)
class Told:
    """One open verdict: what was advised, what came of it, and what the oracle would say."""

    groups: int
    alike: bool  # sizes
    off: float  # true gap over the limit
    fewest: float
    resolved: bool
    rows: float
    oracle: float
    oracle_resolved: bool


def any_worlds(seed: int) -> Iterator[tuple[worlds.Cell, float]]:
    """Worlds without end, and limits: any true gap from 0 to twice the limit, but not near it.

    Sizes and lowest rates are spread as in the grid; one group, whichever, lies above or below
    the others, or all are spread evenly.
    """
    rng = np.random.default_rng(seed)
    while True:
        groups, limit = int(rng.choice([2, 3, 5, 10, 20])), float(rng.choice(worlds.LIMITS))
        many = np.exp(rng.uniform(np.log(20), np.log(5000), 1 if rng.random() < 0.4 else groups))
        base = np.sin(rng.uniform(*np.arcsin(np.sqrt([0.02, 0.5])))) ** 2
        off = rng.uniform(0, 2 * (1 - MARGIN))
        gap = limit * (off if off < 1 - MARGIN else off + 2 * MARGIN)
        shapes = list(worlds.rate_shapes(groups, base, gap).values())
        rates = rng.permutation(shapes[rng.integers(len(shapes))])
        sizes = np.broadcast_to(np.rint(many), groups)
        kind = "alike" if len(many) == 1 else "unlike"
        yield worlds.Cell(tuple(map(int, sizes)), tuple(map(float, rates)), kind), limit


def distant_worlds() -> Iterator[tuple[worlds.Cell, float]]:
    """Cells of the grid's kind: few gaps, none within half the limit of it; the smallest apart."""
    for groups in (2, 3, 5, 10, 20):
        shapes = [np.full(groups, n) for n in (20, 100, 500, 2000)]
        shapes += [np.array([50] + [5000] * (groups - 1)), np.geomspace(10, 5000, groups).round()]
        for sizes in shapes:
            for base in (0.02, 0.05, 0.1, 0.2, 0.3, 0.5):
                for gap in (0.0, 0.05, 0.1, 0.2, 0.3):
                    for limit in worlds.LIMITS:
                        if base + gap > 0.5 or abs(gap - limit) < MARGIN * limit - 1e-9:
                            continue
                        for rates in worlds.rate_shapes(groups, base, gap).values():
                            kind = "alike" if len(set(sizes)) == 1 else "unlike"
                            cell = tuple(map(int, sizes)), tuple(map(float, rates))
                            yield worlds.Cell(*cell, kind), limit


def follow(source: Iterator[tuple[worlds.Cell, float]], most: int | None = None) -> list[Told]:
    """One open verdict of each world that shows any in 30 draws, up to `most`."""
    return list(islice((told for cell, limit in source for told in _one(cell, limit)), most))


def _one(cell: worlds.Cell, limit: float) -> Iterator[Told]:
    p, n = np.array(cell.rates), np.array(cell.sizes, float)
    x = cell.draw(30, f"open at {limit}")
    low, high = worlds.ends(x, n)
    for seen in x[(low <= limit) & (high > limit)][:1]:
        plans = given(gaps.groups_needed(seen, n, limit), len(n)), oracle(seen, p, n, limit)
        settled = []
        for place, more in enumerate(plans):
            rng = cell.rng(f"more at {limit}, {place}")
            after = seen + rng.binomial(more.astype(np.int64), p)
            (lowest,), (highest,) = worlds.ends(after[None], (n + more)[None])
            settled.append(bool(highest <= limit or lowest > limit))
        asked, best = (float(more.sum()) or np.inf for more in plans)
        alike, off = cell.kind == "alike", cell.gap / limit
        yield Told(len(n), alike, off, n.min(), settled[0], asked, best, settled[1])


def given(need: gaps.Needed | None, groups: int) -> np.ndarray:
    """Rows to add by group; none where no number of rows was named."""
    more = np.zeros(groups)
    for group, rows in () if need is None else need.more:
        more[group] = rows
    return more


def oracle(seen: np.ndarray, p: np.ndarray, n: np.ndarray, limit: float) -> np.ndarray:
    """Fewest rows by group, beside the present ones, with which the rule decides in 80 %.

    The oracle plans like the library, with the same allocations, but in the one true world.
    """
    (event,) = _pairs.events(seen, n, 0.95)
    z = intervals.z_value()
    future = _growth._Future(event, limit, z, MARGIN)
    future.worlds = np.tile(p, (_growth.DRAWS, 1))
    v = p * (1 - p) / n
    near = np.abs(np.subtract.outer(p, p)) + z * np.sqrt(np.add.outer(v, v))
    np.fill_diagonal(near, -np.inf)
    order = np.argsort(-near.max(axis=0), kind="stable")
    plans = [future.plan(chosen, 0.8) for chosen in _growth._choices(order)]
    return min((plan for plan in plans if plan is not None), key=np.sum)
