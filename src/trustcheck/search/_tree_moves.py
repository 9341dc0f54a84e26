"""Local search over cells: all single moves at once, pairs of moves, several starts."""

from __future__ import annotations

import numpy as np

from trustcheck.search._leaves import Near

#: Numbers held at a time, moves of one point or several.
_CHUNK = 8_000_000
#: Cheaper cells of a column that are tried as the first of two moves.
_FEW = 8


class Moves:
    """What every change of one column does to the sum, for points given by a cell per column.

    In the line of the leaf-tuple attack (Zhang, Zhang & Hsieh 2020): only leaves that a point
    misses in one column at most can become the leaf that applies by moving one column.

    Parameters
    ----------
    near : Near
    """

    def __init__(self, near: Near) -> None:
        self.near = near
        self.price = near.cost**2 if near.norm == "l2" else near.cost
        self.column = near.column
        self.misses = np.ascontiguousarray(~near.inside.T)  # (k, leaves)
        #: Leaves looked at so far.
        self.work = 0

    def total(self, points: np.ndarray) -> np.ndarray:
        """Size of the changes, shape (q,); squared for L2."""
        price = self.price[points]
        if self.near.norm == "l2":
            return np.asarray(price.sum(axis=1))
        return np.asarray(price.max(axis=1, initial=0.0))

    def sums(self, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the sums at points, shape (q,), and after every single move, shape (q, k)."""
        near = self.near
        missed = np.zeros((len(points), len(near.gain)), dtype=np.int16)
        where = np.zeros_like(missed)
        for c in range(points.shape[1]):
            outside = self.misses[points[:, c]]
            missed += outside
            where += np.int16(c) * outside
        return self._moved(missed, where)

    def sums_around(self, point: np.ndarray, cells: np.ndarray) -> np.ndarray:
        """Return sums after a move to each of some cells and any second move, shape (q, k)."""
        outside = self.misses[point]
        missed = outside.sum(axis=0, dtype=np.int16)
        where = (outside * np.arange(len(point), dtype=np.int16)[:, None]).sum(
            axis=0, dtype=np.int16
        )
        size = max(1, _CHUNK // max(len(missed), 1))
        parts = []
        for i in range(0, len(cells), size):
            part = cells[i : i + size]
            c = self.column[part]
            change = self.misses[part].astype(np.int16) - outside[c]
            parts.append(
                self._moved(missed + change, where + c[:, None].astype(np.int16) * change)[1]
            )
        return np.concatenate(parts)

    def _moved(self, missed: np.ndarray, where: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return sums, given how many columns each leaf misses, and which if it is one."""
        near, q = self.near, len(missed)
        self.work += missed.size
        k, gain = len(near.cost), near.gain
        point, leaf = np.nonzero(missed == 0)
        here = near.offset + np.bincount(point, gain[leaf], q)
        steps = np.zeros(q * (k + 1))

        def add(rows: np.ndarray, leaves: np.ndarray, low: np.ndarray, high: np.ndarray) -> None:
            ends = np.concatenate([rows * (k + 1) + low, rows * (k + 1) + high + 1])
            steps[:] += np.bincount(ends, np.concatenate([gain[leaves], -gain[leaves]]), len(steps))

        columns = np.flatnonzero(near.ordered)
        add(
            np.repeat(point, len(columns)), np.repeat(leaf, len(columns)),
            near.low[leaf][:, columns].ravel(), near.high[leaf][:, columns].ravel(),
        )  # fmt: skip
        other, once = np.nonzero(missed == 1)
        missing = where[other, once]
        fits = near.ordered[missing]
        rows, leaves, columns = other[fits], once[fits], missing[fits]
        add(rows, leaves, near.low[leaves, columns], near.high[leaves, columns])
        moved = near.offset + np.cumsum(steps.reshape(q, k + 1), axis=1)[:, :k]
        for c in np.flatnonzero(~near.ordered):
            cells = slice(near.start[c], near.start[c + 1])
            rows = np.concatenate([point, other[missing == c]])
            leaves = np.concatenate([leaf, once[missing == c]])
            order = np.argsort(rows, kind="stable")
            gains = np.where(near.inside[leaves[order], cells], gain[leaves[order]][:, None], 0.0)
            first = np.searchsorted(rows[order], np.arange(q))
            moved[:, cells] = near.offset + np.add.reduceat(gains, first, axis=0)
        return here, moved

    def shrink(self, point: np.ndarray, most: int) -> np.ndarray:
        """Return a flip that no single move, and no pair of moves, makes smaller.

        Parameters
        ----------
        point : int ndarray, shape (c,)
            A flip.
        most : int
            Pairs of moves made at most.
        """
        point = self._lighter(point)
        for _ in range(most):
            other = self._pair(point)
            if other is None:
                break
            point = self._lighter(other)
        return point

    def _lighter(self, point: np.ndarray) -> np.ndarray:
        """Move one column at a time to a cheaper cell that keeps the flip, the best one first."""
        while True:
            _, moved = self.sums(point[None])
            saved = self.price[point][self.column] - self.price
            good = (moved[0] > self.near.doubt) & (saved > 0)
            if not good.any():
                return point
            best = int(np.where(good, saved, 0.0).argmax())
            point = point.copy()
            point[self.column[best]] = best

    def _pair(self, point: np.ndarray) -> np.ndarray | None:
        """Return the best flip got by lowering one column and moving another, if it is smaller."""
        now = float(self.total(point[None])[0])
        cheaper = self._cheaper(point)
        if not len(cheaper):
            return None
        lower = np.tile(point, (len(cheaper), 1))
        lower[np.arange(len(cheaper)), self.column[cheaper]] = cheaper
        moved = self.sums_around(point, cheaper)
        flips = moved > self.near.doubt
        left = self.total(lower)[:, None]
        if self.near.norm == "l2":
            total = left - self.price[lower][:, self.column] + self.price
        else:
            total = np.maximum(self._others(lower)[:, self.column], self.price)
        total = np.where(flips, total, np.inf)
        best = np.unravel_index(int(total.argmin()), total.shape)
        if not total[best] < now * (1 - 1e-12):
            return None
        found = lower[best[0]].copy()
        found[self.column[best[1]]] = best[1]
        return found

    def _cheaper(self, point: np.ndarray) -> np.ndarray:
        """Return cells cheaper than the point's, a few for each column."""
        found = []
        for c, cell in enumerate(point):
            start, own = self.near.start[c], self.near.own[c]
            if self.near.ordered[c] and cell != own:
                between = np.arange(min(cell, own), max(cell, own) + 1)
                between = between[between != cell]
                found.append(
                    between[np.unique(np.linspace(0, len(between) - 1, _FEW).round().astype(int))]
                )
            elif cell != own:
                cells = np.arange(start, self.near.start[c + 1])
                found.append(cells[self.price[cells] < self.price[cell]])
        return np.concatenate(found) if found else np.zeros(0, dtype=np.int64)

    def _others(self, points: np.ndarray) -> np.ndarray:
        """Largest price among all other columns, shape (q, c)."""
        price = self.price[points]
        if price.shape[1] < 2:
            return np.zeros_like(price)
        top = np.partition(price, -2, axis=1)[:, -2:]
        return np.where(price == top[:, 1:], top[:, :1], top[:, 1:])

    def climb(self, points: np.ndarray, radius: float, turns: int) -> np.ndarray:
        """Raise the sum at points, one column at a time, with every change within a radius.

        Returns the points, some of which may flip.
        """
        limit = radius**2 if self.near.norm == "l2" else radius
        points = points.copy()
        active = np.arange(len(points))
        for _ in range(turns):
            here, moved = self.sums(points[active])
            going = here <= self.near.doubt
            active, here, moved = active[going], here[going], moved[going]
            if not len(active):
                break
            price = self.price[points[active]]
            if self.near.norm == "l2":
                total = price.sum(axis=1)[:, None] - price[:, self.column] + self.price
            else:
                total = np.maximum(self._others(points[active])[:, self.column], self.price)
            moved = np.where(total < limit, moved, -np.inf)
            best = moved.argmax(axis=1)
            better = moved[np.arange(len(active)), best] > here + 1e-12
            active, best = active[better], best[better]
            points[active, self.column[best]] = best
        return points
