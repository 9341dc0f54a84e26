"""The smallest valid change of each row that flips the answer: all rows in step, queries capped."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import count
from typing import TYPE_CHECKING

import numpy as np

from trustcheck.search import _moves
from trustcheck.search._repair import repair

if TYPE_CHECKING:
    import pandas as pd

    from trustcheck.search._space import Space

#: Given changed rows and the rows they come from: how far each answer is from flipping (flipped
#: below 0). Only the sign counts where the search is not guided.
Ask = Callable[["pd.DataFrame", np.ndarray], np.ndarray]

#: Donors kept per row; those a search starts from; points asked per row in a random
#: round; rounds without a new point after which it ends.
DONORS, STARTS, BATCH, IDLE = 12, 3, 12, 5
#: A round guided by scores follows so many random ones.
GUIDED = 6
#: Points of a random round that lean on the slope of the last answers, and how many those are.
LEAN, TRAIL = 3, 48
#: Margins above this are ties, up to rounding.
FLIPPED = -1e-9


@dataclass
class Search:
    """What has been found and spent so far; one entry per row.

    Parameters
    ----------
    space : Space
    ask : callable
    cap : int
        Most queries per row.
    """

    space: Space
    ask: Ask
    cap: int
    best: np.ndarray = field(init=False)
    distance: np.ndarray = field(init=False)
    margin: np.ndarray = field(init=False)
    used: np.ndarray = field(init=False)
    trail: np.ndarray = field(init=False)  # the last points asked about, and what was answered
    answers: np.ndarray = field(init=False)
    unanswered: int = 0
    known: dict[bytes, float] = field(default_factory=dict)
    prior: np.ndarray = field(init=False)  # slopes of a linear stand-in, where there is one

    def __post_init__(self) -> None:
        m = len(self.space.own)
        self.best = self.space.own.copy()
        self.distance = np.full(m, np.inf)
        self.margin = np.zeros(m)
        self.used = np.zeros(m, dtype=np.int64)
        self.trail = np.zeros((m, TRAIL, self.space.own.shape[1]))
        self.answers = np.zeros((m, TRAIL))
        self.prior = np.zeros(self.space.own.shape)

    @property
    def left(self) -> np.ndarray:
        """Queries left per row."""
        return self.cap - self.used

    def margins(self, rows: np.ndarray, points: np.ndarray, *, closer: bool = False) -> np.ndarray:
        """Ask about points and keep the nearest that flip, shape (q,); inf where not asked.

        Equal points are asked once in a search, and none beyond the cap; with ``closer`` only
        those nearer than the best.
        """
        distance = self.space.distance(rows, points)
        wanted = distance > 0
        if closer:
            wanted &= distance < self.distance[rows] * (1 - 1e-9)
        keyed = np.column_stack([rows, np.where(np.isnan(points), 0.0, points)])
        keys = [line.tobytes() for line in keyed]
        places = {key: i for i, key in reversed(list(enumerate(keys))) if key not in self.known}
        new = np.zeros(len(rows), dtype=bool)
        new[list(places.values())] = True
        new &= wanted
        if self.space.relations:
            new[new] = self.space.valid(rows[new], points[new])
        at = np.flatnonzero(new & (_rank(rows, new) < self.left[rows]))
        if at.size:
            slot = (self.used[rows[at]] + _rank_by(rows[at], np.arange(len(at)))) % TRAIL
            answers = self._answers(rows[at], points[at])
            self.trail[rows[at], slot] = self.space.units(rows[at], points[at])
            self.answers[rows[at], slot] = np.where(np.isfinite(answers), answers, 0.0)
            self.known.update(zip([keys[i] for i in at], answers.tolist(), strict=True))
        margins = np.array([self.known.get(key, np.inf) for key in keys])
        flips = np.flatnonzero(margins < FLIPPED)
        order = flips[np.lexsort((distance[flips], rows[flips]))]
        winners = order[np.unique(rows[order], return_index=True)[1]]
        winners = winners[distance[winners] < self.distance[rows[winners]]]
        self.best[rows[winners]] = points[winners]
        self.distance[rows[winners]] = distance[winners]
        self.margin[rows[winners]] = margins[winners]
        return margins

    def _answers(self, rows: np.ndarray, points: np.ndarray) -> np.ndarray:
        frame = self.space.decode(rows, points)
        try:
            return self._count(rows, frame)
        except Exception:  # noqa: BLE001 - the model may refuse a row in any way it likes
            return self._halves(rows, frame)

    def _halves(self, rows: np.ndarray, frame: pd.DataFrame) -> np.ndarray:
        """Ask again in two halves, once; what is refused again does not count as flipped."""
        margins = np.full(len(rows), np.inf)
        again = _rank(rows, np.ones(len(rows), dtype=bool)) < self.left[rows]
        for part in np.array_split(np.flatnonzero(again), 2):
            if part.size:
                with suppress(Exception):
                    margins[part] = self._count(rows[part], frame.iloc[part])
        self.unanswered += int(np.isinf(margins).sum())
        return margins

    def _count(self, rows: np.ndarray, frame: pd.DataFrame) -> np.ndarray:
        self.used += np.bincount(rows, minlength=len(self.used))
        return self.ask(frame.reset_index(drop=True), rows)


def attack(
    search: Search,
    donors: np.ndarray,
    rng: np.random.Generator,
    *,
    margin: np.ndarray | None = None,
    spare: int = 0,
    rows: np.ndarray | None = None,
) -> None:
    """Look for the nearest flip of every row until all but ``spare`` queries are used.

    Start at the nearest rows with another answer and bisect; then random steps, which only the
    sign of the answer judges, and, where scores are given, mixes that their changes suggest.

    Parameters
    ----------
    search : Search
        Filled in place.
    donors : ndarray, shape (m, k, d)
        Valid points to start from, nearest first.
    rng : numpy Generator
    margin : ndarray, shape (m,), optional
        The margin of each row as it is: the answers are graded, so let them guide.
    spare : int
        Queries to leave unused per row.
    rows : int ndarray, optional
        Those attacked; all unless given.
    """
    every = np.arange(len(search.space.own)) if rows is None else rows
    search.cap -= spare
    try:
        _search(search, every, donors, rng, margin)
    finally:
        search.cap += spare


def _search(
    search: Search,
    every: np.ndarray,
    donors: np.ndarray,
    rng: np.random.Generator,
    margin: np.ndarray | None,
) -> None:
    _start(search, every, donors)
    guided = margin is not None
    if margin is not None:
        _guided_round(search, every, search.space.own[every], margin[every], donors, rng)
    reach = np.full(len(donors), 0.3)
    idle = 0  # rounds that found nothing new to ask: few whole numbers and categories
    for turn in count():
        rows, spent = every[search.left[every] > 0], search.used.sum()
        if not rows.size or idle == IDLE:
            break
        if guided and turn % GUIDED == 0:
            able = rows[np.isfinite(search.distance[rows]) & (search.left[rows] > 30)]
            _guided_round(search, able, search.best[able], search.margin[able], donors, rng)
        _random_round(search, rows, donors, reach, rng)
        idle = 0 if search.used.sum() > spent else idle + 1


def _start(search: Search, rows: np.ndarray, donors: np.ndarray) -> None:
    """Ask the nearest donors, with and without their categories, and walk back from those."""
    space = search.space
    starts = donors[rows, :STARTS]
    variants = [starts]
    if space.categorical.any() and not space.categorical.all():
        variants.append(np.where(space.categorical, space.own[rows][:, None], starts))
        variants.append(np.where(space.categorical, starts, space.own[rows][:, None]))
    ends = np.concatenate(variants, axis=1)
    who = np.repeat(rows, ends.shape[1])
    flat = ends.reshape(len(who), -1)
    flipped = search.margins(who, flat) < FLIPPED
    for extra in range(STARTS, donors.shape[1], STARTS):
        lost = rows[~np.isfinite(search.distance[rows])]
        more = donors[lost, extra : extra + STARTS]
        search.margins(np.repeat(lost, more.shape[1]), more.reshape(-1, flat.shape[1]))
    # Bisection of the radius: the point of that size on the way to (or nearest to) the donor.
    far = space.distance(who, flat)
    keep = flipped & (_rank_by(who, np.where(flipped, far, np.inf)) < STARTS)
    who, flat, far = who[keep], flat[keep], far[keep]
    near = np.zeros(len(who))
    for _ in range(5):
        middle = (near + far) / 2
        below = search.margins(who, space.pull(who, flat, middle)) < FLIPPED
        near, far = np.where(below, near, middle), np.where(below, middle, far)


def _random_round(
    search: Search,
    rows: np.ndarray,
    donors: np.ndarray,
    reach: np.ndarray,
    rng: np.random.Generator,
) -> None:
    """Ask a batch of random points per row, all nearer than the best; adapt the size of steps."""
    space, who = search.space, np.repeat(rows, BATCH)
    before = search.distance[rows]
    donor = donors[who, rng.integers(donors.shape[1], size=len(who))]
    sizes = np.where(np.isfinite(search.distance), search.distance, 1.0)[who]
    spread = reach[who] * rng.lognormal(0.0, 1.0, len(who))
    # Half of the steps are as small as those that last helped, half may still leap elsewhere.
    leap = np.where(rng.random(len(who)) < 0.5, rng.random(len(who)), spread)
    points = _moves.random_steps(space, who, search.best[who], donor, leap * sizes, rng)
    slope = _moves.trail_slope(search.trail[rows], search.answers[rows])
    lean = np.tile(np.arange(BATCH) < LEAN, len(rows))
    points[lean] = _moves.lean(
        space, who[lean], search.best[who[lean]], np.repeat(slope, LEAN, axis=0), sizes[lean], rng
    )
    shrink = np.clip(spread * rng.random(len(who)), 1e-4, 0.6)
    points = space.pull(who, points, search.distance[who] * (1 - shrink))
    search.margins(who, points, closer=True)
    better = search.distance[rows] < before
    reach[rows] = np.clip(reach[rows] * np.where(better, 1.3, 0.6), 1e-3, 0.5)


def _guided_round(
    search: Search,
    rows: np.ndarray,
    center: np.ndarray,
    margin: np.ndarray,
    donors: np.ndarray,
    rng: np.random.Generator,
) -> None:
    """Try cells one by one around a point, and mix what lowered the margin."""
    space = search.space
    if not rows.size:
        return
    r, d = center.shape
    radius = search.distance[rows]
    reach = np.where(np.isfinite(radius), radius, 1.0) * (1.0 if space.norm == "linf" else 0.6)
    tried = _moves.trials(space, rows, center, donors[rows, 0], reach, rng)
    # Where not all cells can be afforded, those already changed come first, then those that count
    # for the linear stand-in, and random ones.
    afford = max(int(search.left[rows].min() - _moves.MIXES - _moves.SLOPES) // 2, 1)
    prior = search.prior[rows]
    likely = np.abs(prior) / np.maximum(np.abs(prior).max(axis=1, keepdims=True), 1e-300)
    first = space.changed(rows, center) + 2 * likely + rng.random((r, d))
    rank = np.argsort(np.argsort(-first, axis=1), axis=1)
    cell = np.broadcast_to((rank < afford)[:, :, None], tried.shape)
    who, j, k = np.nonzero(cell & (tried != center[:, :, None]))
    points = center[who]
    points[np.arange(len(who)), j] = tried[who, j, k]
    points = repair(space, rows[who], points)
    got = search.margins(rows[who], points)
    gains = np.zeros(tried.shape)
    gains[who, j, k] = np.where(np.isfinite(got), got - margin[who], 0.0)
    guess = np.where(rank < afford, 0.0, prior)
    mixes = _moves.combine(space, rows, center, margin, tried, gains, radius, prior, guess)
    who = np.repeat(rows, mixes.shape[1])
    points = space.pull(who, mixes.reshape(len(who), d), search.distance[who] * 0.999)
    search.margins(who, points, closer=True)


def _rank(rows: np.ndarray, counted: np.ndarray) -> np.ndarray:
    """Place of each counted entry among those of its row, in the order given."""
    return _rank_by(rows, np.where(counted, np.arange(len(rows), dtype=float), np.inf))


def _rank_by(rows: np.ndarray, key: np.ndarray) -> np.ndarray:
    """Place of each entry among those of its row by a key."""
    order = np.lexsort((key, rows))
    ranked = rows[order]
    start = np.r_[True, ranked[1:] != ranked[:-1]]
    place = np.arange(len(rows)) - np.maximum.accumulate(np.where(start, np.arange(len(rows)), 0))
    ranks = np.empty(len(rows), dtype=np.int64)
    ranks[order] = place
    return ranks
