"""Branch and bound over boxes of cells: a flip within a radius, or the proof that there is none."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from trustcheck.search._leaves import SPARE, Near

#: Boxes taken up at a time.
_BATCH = 32
#: Points that rounding leaves in doubt and the model is asked about, in one search.
_DOUBTS = 100
#: What is lost without a leaf that has no substitute.
_ALL = 1e9


class Outcome(NamedTuple):
    """What a search came to.

    Attributes
    ----------
    proven : bool
        Whether no flip is nearer than ``radius``.
    radius : float
        Size of the nearest flip found, or else the radius asked about.
    cells : int ndarray, shape (c,), or None
        The nearest flip found.
    sure : bool
        Whether that one flips beyond doubt about rounding.
    work : int
        Leaves looked at.
    """

    proven: bool
    radius: float
    cells: np.ndarray | None
    sure: bool
    work: int


class _Boxes(NamedTuple):
    """Boxes of cells, one entry each.

    Attributes
    ----------
    first, last : int ndarray, shape (b, c)
        Of columns that are ordered.
    levels : bool ndarray, shape (b, k)
        Cells that are left of the other columns.
    cost : ndarray, shape (b, c)
        Least cost by column; squared for L2, like all costs here.
    far : ndarray, shape (b, leaves)
        Least size of a change into both box and leaf; infinite where they do not meet.
    """

    first: np.ndarray
    last: np.ndarray
    levels: np.ndarray
    cost: np.ndarray
    far: np.ndarray

    def at(self, rows: np.ndarray) -> _Boxes:
        return _Boxes(*(part[rows] for part in self))


class _Split(NamedTuple):
    """How each box is cut in two: a column, and the last cell of one half, or its only level."""

    column: np.ndarray
    cell: np.ndarray


#: Whether the model itself gives the point of some cells another answer.
Flips = Callable[[np.ndarray], bool]


def prove(near: Near, radius: float, work: int, flips: Flips | None = None) -> Outcome:
    """Look for a flip nearer than a radius until none can be left, or the work is done.

    The boxes of all leaves that meet a box of cells bound the sum of gains from above, tree by
    tree (Chen et al. 2019, Devos et al. 2021). Where the best leaves of all trees meet, there is a
    point that reaches the bound; where two of them do not, the box is cut between them, where
    that costs both halves most.

    Parameters
    ----------
    near : Near
        Drawn with a radius that is not smaller.
    radius : float
    work : int
        Most leaves looked at: the same on every machine.
    flips : callable, optional
        Settles points whose sum rounding leaves in doubt; else those count as flips, not sure.

    Examples
    --------
    A tree of two leaves, the second of which flips the answer at a cost of 2:

    >>> cells = np.array([0, 1])
    >>> near = Near(
    ...     columns=cells[:1], start=np.array([0, 2]), ordered=np.array([True]),
    ...     cost=np.array([0.0, 2.0]), value=np.array([5.0, 7.0]), edge=cells, cell=cells,
    ...     own=cells[:1], low=np.array([[1], [0]]), high=np.array([[1], [0]]),
    ...     inside=np.array([[False, True], [True, False]]), tree=np.array([0, 2]),
    ...     gain=np.array([1.0, -1.0]), offset=0.0, doubt=0.0, radius=3.0, norm="linf",
    ... )  # fmt: skip
    >>> prove(near, 3.0, 1000).radius, prove(near, 2.0, 1000).proven
    (2.0, True)
    """
    if not len(near.gain) or near.most <= -near.doubt:  # the row's own leaves, or none that flip
        return Outcome(True, radius, None, False, 0)
    search = _Search(near, radius, flips)
    waiting = [search.root()]
    done = 0
    while waiting and done < work:
        boxes = waiting.pop()
        while waiting and len(boxes.cost) < _BATCH:
            more = waiting.pop()
            boxes = _Boxes(*(np.concatenate(pair) for pair in zip(boxes, more, strict=True)))
        if len(boxes.cost) > _BATCH:
            waiting.append(boxes.at(np.arange(len(boxes.cost) - _BATCH)))
            boxes = boxes.at(np.arange(len(boxes.cost) - _BATCH, len(boxes.cost)))
        done += boxes.far.size
        boxes = search.split(boxes)
        if len(boxes.cost):
            waiting.append(boxes)
    return Outcome(not waiting, search.radius, search.cells, search.sure, done)


class _Search:
    """The nearest flip so far, and tables of what a split does."""

    def __init__(self, near: Near, radius: float, flips: Flips | None) -> None:
        self.near = near
        self.flips = flips
        self.settled: dict[bytes, bool] = {}
        self.radius = radius
        self.cells: np.ndarray | None = None
        self.sure = False
        self.l2 = near.norm == "l2"
        self.price = near.cost**2 if self.l2 else near.cost
        self.leaf_cost = np.zeros((len(near.columns), len(near.gain)))
        for c, (a, b) in enumerate(zip(near.start[:-1], near.start[1:], strict=True)):
            self.leaf_cost[c] = np.where(near.inside[:, a:b], self.price[a:b], np.inf).min(axis=1)
        self.low, self.high = near.low.T.copy(), near.high.T.copy()
        self.is_level = np.repeat(~near.ordered, np.diff(near.start))

    @property
    def limit(self) -> float:
        """Sizes from here on are not nearer; squared for L2."""
        reach = self.radius * (1 - SPARE)
        return float(reach**2 if self.l2 else reach)

    def total(self, cost: np.ndarray) -> np.ndarray:
        return np.asarray(cost.sum(axis=-1) if self.l2 else cost.max(axis=-1, initial=0.0))

    def root(self) -> _Boxes:
        near = self.near
        return _Boxes(
            near.start[:-1][None],
            near.start[1:][None] - 1,
            np.ones((1, len(near.cost)), dtype=bool),
            np.zeros((1, len(near.columns))),
            self.total(self.leaf_cost.T)[None],
        )

    def split(self, boxes: _Boxes) -> _Boxes:
        """Drop what cannot flip, note what does, and return the halves of the rest."""
        near, count = self.near, len(self.near.gain)
        starts = near.tree[:-1]
        boxes = boxes.at(self.total(boxes.cost) < self.limit)
        alive = np.where(boxes.far < self.limit, np.arange(count, dtype=np.int32), np.int32(count))
        leaf = np.minimum.reduceat(alive, starts, axis=1)
        most = near.offset + near.gain[np.minimum(leaf, count - 1)].sum(axis=1)
        fine = (leaf < count).all(axis=1) & (most > -near.doubt)
        boxes, alive, leaf, most = boxes.at(fine), alive[fine], leaf[fine], most[fine]
        if not len(most):
            return boxes
        alive[np.arange(len(leaf))[:, None], leaf] = count
        second = np.minimum.reduceat(alive, starts, axis=1)
        lost = near.gain[leaf] - near.gain[np.minimum(second, count - 1)]
        regret = np.where(second < count, lost, _ALL)
        split, open_still = self._choose(boxes, leaf, most, regret)
        boxes = boxes.at(open_still)
        split = _Split(split.column[open_still], split.cell[open_still])
        return self._halves(boxes, split)

    def _choose(
        self, boxes: _Boxes, leaf: np.ndarray, most: np.ndarray, regret: np.ndarray
    ) -> tuple[_Split, np.ndarray]:
        """Return where to cut each box; note flips, and which boxes are done with by them."""
        near = self.near
        low, high = near.low[leaf], near.high[leaf]  # (b, t, c)
        first, last = (
            np.maximum(low.max(axis=1), boxes.first),
            np.minimum(high.min(axis=1), boxes.last),
        )
        slack = (most + near.doubt)[:, None]
        score = np.full(first.shape, -1.0)
        cell = np.zeros(first.shape, dtype=np.int64)
        apart = (first > last) & near.ordered
        for cut in (last, first - 1):
            above = (regret[:, :, None] * (low > cut[:, None])).sum(axis=1)
            below = (regret[:, :, None] * (high <= cut[:, None])).sum(axis=1)
            worth = (np.minimum(above, slack) + 1e-12) * (np.minimum(below, slack) + 1e-12)
            worth = np.where(apart, worth, -1.0)
            better = worth > score
            score, cell = np.where(better, worth, score), np.where(better, cut, cell)
        point = np.clip(near.own, first, last)
        for c in np.flatnonzero(~near.ordered):
            cells = np.arange(near.start[c], near.start[c + 1])
            inside = near.inside[leaf][:, :, cells]  # (b, t, cells)
            left = boxes.levels[:, cells]
            common = inside.all(axis=1) & left
            price = np.where(common, self.price[cells], np.inf)
            point[:, c] = cells[price.argmin(axis=1)]
            without = (regret[:, :, None] * ~inside).sum(axis=1)
            only = (
                regret[:, :, None]
                * (inside & ((inside & left[:, None]).sum(axis=2) == 1)[..., None])
            ).sum(axis=1)
            worth = (np.minimum(without, slack) + 1e-12) * (np.minimum(only, slack) + 1e-12)
            worth = np.where(left, worth, -1.0)
            best = worth.argmax(axis=1)
            score[:, c] = np.where(common.any(axis=1), -1.0, worth[np.arange(len(best)), best])
            cell[:, c] = cells[best]
        meets = (score < 0).all(axis=1)
        column = score.argmax(axis=1)
        open_still = np.ones(len(most), dtype=bool)
        for b in np.flatnonzero(meets):
            cost = self.price[point[b]]
            if self.total(cost) < self.limit:
                self._note(point[b], most[b], leaf[b])
            # A nearer flip may be left where the box reaches nearer than this point.
            excess = cost - boxes.cost[b]
            widest = int(excess.argmax())
            column[b] = widest
            if self.total(boxes.cost[b]) >= self.limit or excess[widest] <= 0:
                open_still[b] = False
                continue
            cell[b, widest] = point[b, widest]
            if near.ordered[widest] and point[b, widest] > near.own[widest]:
                cell[b, widest] -= 1
        return _Split(column, cell[np.arange(len(column)), column]), open_still

    def _note(self, point: np.ndarray, most: float, leaf: np.ndarray) -> None:
        sure = bool(most > self.near.doubt)
        if not sure and self.flips is not None:
            # The same leaves always get the same answer, so one point speaks for all.
            key = leaf.tobytes()
            if key not in self.settled and len(self.settled) < _DOUBTS:
                self.settled[key] = self.flips(point)
            if key in self.settled:
                if not self.settled[key]:
                    return
                sure = True
        self.sure = sure
        self.radius, self.cells = float(self.near.size(self.near.cost[point])), point.copy()

    def _halves(self, boxes: _Boxes, split: _Split) -> _Boxes:
        near, b = self.near, np.arange(len(boxes.cost))
        c, ordered = split.column, near.ordered[split.column]
        halves = []
        for half in (True, False):
            first, last, levels = boxes.first.copy(), boxes.last.copy(), boxes.levels.copy()
            if half:
                last[b, c] = np.where(ordered, split.cell, last[b, c])
            else:
                first[b, c] = np.where(ordered, split.cell + 1, first[b, c])
            meets = (self.low[c] <= last[b, c][:, None]) & (self.high[c] >= first[b, c][:, None])
            new = np.where(
                first[b, c] <= last[b, c],
                self.price[np.clip(near.own[c], first[b, c], last[b, c])],
                np.inf,
            )
            for i in np.flatnonzero(~ordered):
                own = slice(near.start[c[i]], near.start[c[i] + 1])
                chosen = np.arange(own.start, own.stop) == split.cell[i]
                levels[i, own] &= chosen if half else ~chosen
                cells = own.start + np.flatnonzero(levels[i, own])
                meets[i] = near.inside[:, cells].any(axis=1)
                new[i] = self.price[cells].min(initial=np.inf)
            old = boxes.cost[b, c]
            cost, far = boxes.cost.copy(), boxes.far.copy()
            cost[b, c] = new
            leaf = self.leaf_cost[c]
            if self.l2:
                far += np.maximum(leaf, new[:, None]) - np.maximum(leaf, old[:, None])
            else:
                far = np.maximum(far, new[:, None])
            far[~meets] = np.inf
            halves.append(_Boxes(first, last, levels, cost, far).at(np.isfinite(new)))
        return _Boxes(*(np.concatenate(pair) for pair in zip(*halves, strict=True)))
