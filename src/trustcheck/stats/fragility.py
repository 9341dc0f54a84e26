"""How few rows carry a verdict on the largest gap: the fewest whose loss, or change, ends it.

Written with the share that a pair wants to rise, a verdict ends where an upper bound
``p_i + q_j - 1 + hypot(reach_i, reach_j)`` (q = 1 - p) climbs to a goal: over the limit for one
pair of a pass, up to minus the limit for the reverse of every failing pair of a fail.

Each share enters through ``p + sqrt((u - p)^2 + c)``, with u its mid-p upper end. That grows in
p and in u, as ``u - p <= sqrt((u - p)^2 + c)``. Of the rows that may go, a miss raises both p and
u by its going, and leaves more hits among as many rows than a hit would: so only misses of i and
hits of j are worth removing (or turning), and the bound grows with the count of either.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from trustcheck.stats import gaps
from trustcheck.stats._pairs import Event, Floats, events, lower, upper
from trustcheck.stats._proportions import mid_p_low, z_value

__all__ = ["Change", "Fragility", "largest_gap"]

PAIRS = 16  # failing pairs looked at in an event, those that fail by most
STEPS = 1024  # stretches of a search that may stay open


@dataclass(frozen=True, slots=True)
class Change:
    """The fewest rows whose change ends a verdict.

    Attributes
    ----------
    rows
        The number of rows; if not `exact`, no fewer will do.
    exact
        Whether so many rows do end it: computed afresh with them changed.
    hits, misses
        For each group the hits and the misses to change, in column `event`; empty if not `exact`.
    event
        Column in which they count.
    becomes
        The verdict after the change; None where it is only sure to be another one.
    """

    rows: int
    exact: bool
    hits: tuple[int, ...] = ()
    misses: tuple[int, ...] = ()
    event: int = 0
    becomes: str | None = None


@dataclass(frozen=True, slots=True)
class Fragility:
    """The fewest rows that carry a verdict, ``pass`` or ``fail``; None where no number ends it."""

    verdict: str
    removal: Change | None
    relabelling: Change | None


def largest_gap(
    successes: ArrayLike,
    n: ArrayLike,
    limit: float,
    *,
    level: float = 0.95,
    rows: int | None = None,
) -> Fragility | None:
    """Fewest rows whose removal, or whose relabelling, ends a verdict on the largest gap.

    Parameters
    ----------
    successes, n, level
        As in `trustcheck.stats.gaps.largest_gap`; whole numbers of rows.
    limit
        Limit on the gap: a pass if the interval ends at or below it, a fail if it begins above.
    rows
        Rows counted, over all groups and events, where that is known. Sizes that sum to another
        number are effective sizes, even if whole.

    Returns
    -------
    Fragility or None
        None without a verdict (the interval reaches across the limit), and for counts that are
        no whole numbers, where weights or clusters leave no rows to count.

    Raises
    ------
    ValueError
        As in `trustcheck.stats.gaps.largest_gap`.

    Notes
    -----
    Relabelling turns a hit into a miss or a miss into a hit, inside the event's denominator. No
    group is emptied of an event: one row at least stays.

    A pass is exact. It ends as soon as one bound of one pair in one event exceeds the limit, so
    the fewest rows are those of the cheapest pair; what its rows do to other events is no matter,
    as the bounds of a pass do not depend on one another. Only what it becomes is then open.

    A fail ends when every bound holds. `rows` is the optimum over failing pairs that share one
    group (of the 16 pairs that fail by most), which no change undercuts; it is exact if the whole
    table, computed afresh, then fails no more. With several events, whose rows may or may not be
    the same, it stays a lower bound.

    References
    ----------
    Walsh et al. (2014), The statistical significance of randomized controlled trial results is
    frequently fragile: a case for a Fragility Index; Broderick, Giordano and Meager (2020), An
    automatic finite-sample robustness metric, for removal.

    Examples
    --------
    >>> from trustcheck.stats import fragility
    >>> found = fragility.largest_gap([480, 510], [1000, 1000], 0.08)
    >>> found.verdict, found.removal.rows, found.relabelling.rows, found.removal.becomes
    ('pass', 12, 7, 'inconclusive')
    """
    hits, size = (np.asarray(a, dtype=float) for a in (successes, n))
    hits, size = (a.reshape(len(a), -1) for a in np.broadcast_arrays(hits, size))
    whole = np.rint([hits, size])
    counted = np.allclose(whole, [hits, size], rtol=0, atol=1e-6) and rows in (None, whole[1].sum())
    now = _verdict(hits, size, limit, level)
    if now == "inconclusive" or not counted:
        return None
    table = np.stack([whole[0], whole[1] - whole[0]])
    end = _end_pass if now == "pass" else _end_fail
    return Fragility(now, end(table, limit, level, False), end(table, limit, level, True))


def _verdict(hits: Floats, size: Floats, limit: float, level: float) -> str:
    found = gaps.largest_gap(hits, size, level=level)
    return "pass" if found.high <= limit else "fail" if found.low > limit else "inconclusive"


# One pair ------------------------------------------------------------------------------------


class _Side(NamedTuple):
    """A share that is to rise: its hits and misses, and whether misses turn or go."""

    hits: float
    misses: float
    turn: bool

    @property
    def room(self) -> int:
        """Misses that may change; a row stays."""
        return int(self.misses if self.turn or self.hits else self.misses - 1)

    def path(self, changed: NDArray[np.intp], z: float) -> tuple[Floats, Floats]:
        """Share, and squared reach of its upper bound, after so many misses changed."""
        hits = self.hits + self.turn * changed
        size = np.asarray(self.hits + self.misses - (not self.turn) * changed, dtype=float)
        missed = np.asarray(1 - hits / size)
        return 1 - missed, (missed - mid_p_low(missed, size, z)) ** 2


def _sides(table: Floats, pair: tuple[int, int], turn: bool) -> tuple[_Side, _Side]:
    """The rates of a pair's first group and the complement of its second; `table` is (2, k)."""
    (up, missed), (fallen, down) = table[:, pair[0]], table[:, pair[1]]
    return _Side(float(up), float(missed), turn), _Side(float(down), float(fallen), turn)


def _bound(one: tuple[Floats, Floats], other: tuple[Floats, Floats]) -> Floats:
    return one[0] + other[0] - 1 + np.sqrt(one[1] + other[1])


def _fewest(
    sides: tuple[_Side, _Side], goal: float, z: float, most: float = np.inf
) -> tuple[int, int] | None:
    """Fewest changes on both sides that bring the bound to the goal; None if more than `most`."""
    one, other = sides

    def split(total: int) -> tuple[int, int] | None:
        # The bound grows with both counts, so no split between two points exceeds that with the
        # most of either side: stretches that stay below the goal so are left out.
        points = np.array([max(0, total - other.room), min(total, one.room)])
        while True:
            mine, its = one.path(points, z), other.path(total - points, z)
            good = points[_bound(mine, its) >= goal]
            if len(good):
                own = int(good[np.argmin(np.minimum(good, total - good))])
                return own, total - own  # in one group, if the ends will do
            hope = mine[0][1:] + its[0][:-1] - 1 + np.sqrt(mine[1][1:] + its[1][:-1])
            wide = (np.diff(points) > 1) & (hope >= goal)
            if not wide.any():
                return None
            points = _grid(points[:-1][wide], points[1:][wide])

    end = int(min(one.room + other.room, most))
    if end < 0:
        return None
    if np.isfinite(most) and split(end) is None:
        return None
    low, high = -1, 0  # the answer lies in (low, high]
    while (found := split(high)) is None:
        if high == end:
            return None
        low, high = high, min(2 * high + 1, end)
    while high - low > 1:
        middle = (low + high) // 2
        better = split(middle)
        low, high, found = (middle, high, found) if better is None else (low, middle, better)
    return found


# A pass: one pair is enough ------------------------------------------------------------------


def _end_pass(table: Floats, limit: float, level: float, turn: bool) -> Change | None:
    z, goal, best = z_value(level), float(np.nextafter(limit, np.inf)), np.inf
    found: tuple[int, tuple[int, int], tuple[int, int]] | None = None
    for event in _events(table, level):
        bounds = upper(event, z)
        order = np.dstack(np.unravel_index(np.argsort(-bounds, axis=None), bounds.shape))[0]
        for i, j in order[order[:, 0] != order[:, 1]]:
            pair = int(event.groups[i]), int(event.groups[j])
            sides = _sides(table[:, :, event.column], pair, turn)
            if (counts := _fewest(sides, goal, z, best - 1)) is not None:
                best, found = sum(counts), (event.column, pair, counts)
    if found is None:
        return None
    column, (i, j), (misses, hits) = found
    changed = np.zeros(table.shape[:2])
    changed[1, i], changed[0, j] = misses, hits
    return _change(table, changed, column, limit, level, turn)


# A fail: every pair must hold ----------------------------------------------------------------


def _end_fail(table: Floats, limit: float, level: float, turn: bool) -> Change | None:
    if limit < 0:  # no gap is below 0
        return None
    stars: list[tuple[int, Floats]] = []
    for event in _events(table, level):
        for place, pairs in _stars(event, limit):
            star = _star(table[:, :, event.column], place, pairs, limit, event.z, turn)
            if star is None:
                return None
            stars.append(star)
    least = max(bound for bound, _ in stars)
    tries = [made for _, made in stars if made.sum() == least] if table.shape[2] == 1 else []
    for made in tries:
        change = _change(table, made, 0, limit, level, turn)
        if change.becomes != "fail":
            return change
    return Change(least, exact=False)


def _stars(event: Event, limit: float) -> Iterator[tuple[int, list[tuple[int, int]]]]:
    """Failing pairs that share a group, turned round: (low, high); with the place they share."""
    bounds = lower(event, event.z)
    np.fill_diagonal(bounds, -np.inf)
    worst = np.argsort(-bounds, axis=None, kind="stable")[:PAIRS]
    high, low = np.unravel_index(worst[bounds.flat[worst] > limit], bounds.shape)
    pairs = list(zip(event.groups[low].tolist(), event.groups[high].tolist(), strict=True))
    for place in (0, 1):
        for group in sorted({pair[place] for pair in pairs}):
            yield place, [pair for pair in pairs if pair[place] == group]


def _star(
    counts: Floats, place: int, pairs: list[tuple[int, int]], limit: float, z: float, turn: bool
) -> tuple[int, Floats] | None:
    """Changes (hits and misses by group) with which all pairs of a star hold.

    Beside them the rows below which there are none: as many, unless the search was cut short.
    """
    shared = _sides(counts, pairs[0], turn)[place]
    leaves = [_sides(counts, pair, turn)[1 - place] for pair in pairs]
    points = _grid(np.array([0]), np.array([shared.room]))
    while True:
        needs = _needs(shared, leaves, points, limit, z)
        totals = points + needs.sum(axis=0)
        best = int(np.argmin(totals))
        # The leaves need ever fewer: inside a step, no fewer than its start plus their last needs.
        hope = np.where(np.diff(points) > 1, points[:-1] + needs.sum(axis=0)[1:] + 1, np.inf)
        wide = hope < totals[best]
        if not wide.any() or wide.sum() > STEPS:
            break
        steps = _grid(points[:-1][wide], points[1:][wide])
        points = np.unique(np.append(steps, points[best]))
    if not np.isfinite(totals[best]):
        return None
    changed = np.zeros_like(counts)
    changed[1 - place, pairs[0][place]] = points[best]
    for pair, need in zip(pairs, needs[:, best], strict=True):
        changed[place, pair[1 - place]] = need
    return int(min(totals[best], hope.min(initial=np.inf))), changed


def _grid(start: NDArray[np.intp], stop: NDArray[np.intp]) -> NDArray[np.intp]:
    """Points that cut each stretch into steps: many steps of one stretch, few of many."""
    steps = 256 if len(start) == 1 else 16
    cuts = start[:, None] + (stop - start)[:, None] * np.arange(steps + 1) // steps
    return np.unique(cuts)


def _needs(
    shared: _Side, leaves: list[_Side], points: NDArray[np.intp], limit: float, z: float
) -> Floats:
    """Fewest changes of each leaf, beside so many of the shared group; inf if none will do."""
    path, needs = shared.path(points, z), []
    for leaf in leaves:
        low, high = np.zeros(len(points), dtype=int), np.full(len(points), leaf.room + 1)
        while (low < high).any():
            middle = (low + high) // 2
            good = _bound(path, leaf.path(np.minimum(middle, leaf.room), z)) >= -limit
            good |= low == high
            low, high = np.where(good, low, middle + 1), np.where(good, middle, high)
        needs.append(np.where(high > leaf.room, np.inf, high))
    return np.array(needs)


def _events(table: Floats, level: float) -> list[Event]:
    return list(events(table[0], table.sum(axis=0), level))


def _change(
    table: Floats, changed: Floats, column: int, limit: float, level: float, turn: bool
) -> Change:
    becomes = None
    if table.shape[2] == 1:
        left = table[:, :, 0] - changed + (changed[::-1] if turn else 0)
        becomes = _verdict(left[0], left.sum(axis=0), limit, level)
    hits, misses = (tuple(map(int, row)) for row in changed)
    return Change(int(changed.sum()), True, hits, misses, column, becomes)
