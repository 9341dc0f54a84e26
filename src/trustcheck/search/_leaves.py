"""What is left of an ensemble near one row: few cells, few leaves, one number to push above 0."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from trustcheck.search._cells import Grid

#: Most entries (leaves by cells) that are held.
_MOST = 60_000_000
#: Sizes are compared with this much to spare, so that rounding never proves anything.
SPARE = 1e-9


@dataclass(frozen=True, eq=False)
class Aim:
    """What counts as another answer: outputs, weighed and added, above a limit.

    Parameters
    ----------
    weights : ndarray, shape (outputs,)
    limit : float
    doubt : float
        Sums this close to the limit may fall on either side.
    """

    weights: np.ndarray
    limit: float
    doubt: float


@dataclass(frozen=True, eq=False)
class Near:
    """The part of an ensemble that changes of one row smaller than a radius can reach.

    Cells of all columns lie side by side; a leaf allows some of every column's. Of each tree one
    leaf applies: the answer flips where their gains and the offset add up to more than 0.

    Parameters
    ----------
    columns : int ndarray, shape (c,)
        Features of the space.
    start : int ndarray, shape (c + 1,)
        Where each column's cells start, k of them in all.
    ordered : bool ndarray, shape (c,)
        Whether a column's cells are intervals of numbers, in their order; else levels.
    cost, value : ndarray, shape (k,)
        Size of the change into each cell, below the radius, and its cheapest value.
    edge, cell : int ndarray, shape (k,)
        The grid's first cell (or level) in each of them, and the cheapest one.
    own : int ndarray, shape (c,)
        The row's own cells.
    low, high : int ndarray, shape (leaves, c)
        First and last cell that a leaf allows.
    inside : bool ndarray, shape (leaves, k)
        Cells that a leaf allows.
    tree : int ndarray, shape (trees + 1,)
        Where each tree's leaves start; the largest gain comes first.
    gain : ndarray, shape (leaves,)
    offset, doubt : float
    radius : float
    norm : {"linf", "l2"}
    """

    columns: np.ndarray
    start: np.ndarray
    ordered: np.ndarray
    cost: np.ndarray
    value: np.ndarray
    edge: np.ndarray
    cell: np.ndarray
    own: np.ndarray
    low: np.ndarray
    high: np.ndarray
    inside: np.ndarray
    tree: np.ndarray
    gain: np.ndarray
    offset: float
    doubt: float
    radius: float
    norm: str

    @property
    def column(self) -> np.ndarray:
        """The column of each cell, shape (k,)."""
        return np.repeat(np.arange(len(self.columns)), np.diff(self.start))

    @property
    def most(self) -> float:
        """No change of this row within the radius adds up to more."""
        return self.offset + float(self.gain[self.tree[:-1]].sum())

    def size(self, cost: np.ndarray) -> np.ndarray:
        """Return the size of changes given one by one, over the last axis."""
        if self.norm == "linf":
            return np.asarray(cost.max(axis=-1, initial=0.0))
        return np.asarray(np.sqrt((cost**2).sum(axis=-1)))

    def place(self, cells: np.ndarray) -> np.ndarray:
        """Return the grid's cells (q, d) as those kept here, (q, c): the nearest, or the row's own."""
        found = np.tile(self.own, (len(cells), 1))
        for c, j in enumerate(self.columns):
            edge = self.edge[self.start[c] : self.start[c + 1]]
            at = np.clip(np.searchsorted(edge, cells[:, j], side="right") - 1, 0, None)
            fits = self.ordered[c] | (edge[at] == cells[:, j])
            found[:, c] = np.where(fits, self.start[c] + at, self.own[c])
        return found

    def margins(self, cells: np.ndarray) -> np.ndarray:
        """Return sums for points given by one cell per column, shape (q,)."""
        return np.array([self.offset + self.gain[self.leaves_at(point)].sum() for point in cells])

    def leaves_at(self, point: np.ndarray) -> np.ndarray:
        """Return the leaf of each tree that applies at a point, shape (trees,)."""
        return np.flatnonzero(self.inside[:, point].all(axis=1))


def near(grid: Grid, row: int, aim: Aim, radius: float, norm: str) -> Near | None:
    """Return what changes of a row smaller than a radius can reach; None if that is too much."""
    d = len(grid.low)
    free = grid.free(row)
    costs, values = [np.zeros(0)] * d, [np.zeros(0)] * d
    for j in np.flatnonzero(free):
        costs[j], values[j] = grid.prices(row, j)
    open_cells = [cost < radius for cost in costs]
    at = np.flatnonzero(_reached(grid, row, free, open_cells)[grid.leaves.node])
    tree, gain = grid.leaves.tree[at], grid.trees.nodes.value[grid.leaves.node[at]] @ aim.weights
    columns = np.flatnonzero(free)
    starts = grid.starts
    low = np.zeros((len(at), len(columns)), dtype=np.int64)
    high, cheapest = low.copy(), np.zeros((len(at), len(columns)))
    cells: list[np.ndarray] = []  # by column: the cells kept, in the grid's numbers
    for c, j in enumerate(columns):
        kept = np.flatnonzero(open_cells[j])
        cells.append(kept)
        if grid.levels[j]:
            has = grid.leaves.has[at, starts[j] : starts[j + 1]][:, kept]
            high[:, c] = len(kept) - 1
            cheapest[:, c] = np.where(has, costs[j][kept], np.inf).min(axis=1, initial=np.inf)
            continue
        counted = np.concatenate([[0], np.cumsum(open_cells[j])])
        low[:, c] = counted[grid.leaves.low[at, j]]
        high[:, c] = counted[grid.leaves.high[at, j] + 1] - 1
        mine = int(np.argmin(costs[j][kept]))
        nearest = np.clip(mine, low[:, c], high[:, c])
        empty = low[:, c] > high[:, c]
        cheapest[:, c] = np.where(empty, np.inf, costs[j][kept][np.clip(nearest, 0, len(kept) - 1)])
    far = (
        cheapest.max(axis=1, initial=0.0) if norm == "linf" else np.sqrt((cheapest**2).sum(axis=1))
    )
    kept = far < radius * (1 + SPARE)
    at, tree, gain, low, high = at[kept], tree[kept], gain[kept], low[kept], high[kept]
    # Trees with one leaf left are constants.
    _, first, counts = np.unique(tree, return_index=True, return_counts=True)
    offset = (
        float(grid.trees.base @ aim.weights) - aim.limit + float(gain[first[counts == 1]].sum())
    )
    many = np.repeat(counts > 1, counts)
    at, tree, gain, low, high = at[many], tree[many], gain[many], low[many], high[many]
    order = np.lexsort((-gain, tree))
    at, tree, gain, low, high = at[order], tree[order], gain[order], low[order], high[order]
    lost = len(counts) < len(grid.trees.roots)  # cannot be: the row itself reaches every tree
    assert not lost
    if len(at) * sum(len(np.unique(high[:, c])) for c in range(len(columns))) > _MOST:
        return None
    bounds = np.flatnonzero(np.diff(tree, prepend=-1, append=-1)) if len(tree) else np.zeros(1)
    return _packed(
        grid, columns, cells, costs, values, at, low, high,
        tree=bounds.astype(np.int64), gain=gain, offset=offset, doubt=aim.doubt, radius=radius,
        norm=norm,
    )  # fmt: skip


def _reached(grid: Grid, row: int, free: np.ndarray, open_cells: list[np.ndarray]) -> np.ndarray:
    """Whether each node can be reached from open cells, test by test."""
    nodes = grid.trees.nodes
    count = len(nodes.feature)
    first = np.array([int(cells.argmax()) if cells.any() else 0 for cells in open_cells])
    last = np.array(
        [len(cells) - 1 - int(cells[::-1].argmax()) if cells.any() else 0 for cells in open_cells]
    )
    j = np.maximum(grid.column, 0)
    first, last = (ends if len(ends) else np.zeros(1, dtype=np.int64) for ends in (first, last))
    below, above = first[j] <= grid.cut, last[j] > grid.cut
    left, right = np.where(grid.rising, below, above), np.where(grid.rising, above, below)
    levels = np.array(grid.levels, dtype=np.int64)
    if len(grid.left_levels):
        flat = np.concatenate(
            [
                cells if len(cells) else np.zeros(n, bool)
                for cells, n in zip(open_cells, levels, strict=True)
                if n
            ]
        )
        tests = np.flatnonzero((grid.column >= 0) & (levels[j] > 0))
        owner = np.repeat(np.arange(len(levels)), levels)
        goes, stays = grid.left_levels & flat, ~grid.left_levels & flat
        # A test concerns the levels of its own column only.
        by = np.zeros((len(levels), len(flat)), dtype=bool)
        by[owner, np.arange(len(flat))] = True
        left_any, right_any = goes @ by.T, stays @ by.T
        left[tests] = left_any[grid.cut[tests], grid.column[tests]]
        right[tests] = right_any[grid.cut[tests], grid.column[tests]]
    fixed = np.flatnonzero(
        (nodes.feature >= 0) & ((grid.column < 0) | ~free[j] if len(free) else True)
    )
    goes_left = grid.trees.goes_left(grid.encoded[row, nodes.feature[fixed]], fixed)
    left[fixed], right[fixed] = goes_left, ~goes_left
    alive = np.zeros(count, dtype=bool)
    alive[grid.trees.roots] = True
    for layer in grid.layers:
        alive[nodes.left[layer]] = alive[layer] & left[layer]
        alive[nodes.right[layer]] = alive[layer] & right[layer]
    return alive


def _packed(
    grid: Grid,
    columns: np.ndarray,
    cells: list[np.ndarray],
    costs: list[np.ndarray],
    values: list[np.ndarray],
    at: np.ndarray,
    low: np.ndarray,
    high: np.ndarray,
    **rest: object,
) -> Near:
    """Merge cells that no leaf left tells apart, and drop columns with one cell left."""
    used, starts = [], [0]
    cost, value, edge, cell, own = [], [], [], [], []
    lows, highs, inside, ordered = [], [], [], []
    for c, j in enumerate(columns):
        price, worth = costs[j][cells[c]], values[j][cells[c]]
        if grid.levels[j]:
            has = grid.leaves.has[at, grid.starts[j] : grid.starts[j + 1]][:, cells[c]]
            if not len(at) or (has == has[:, :1]).all():
                continue
            edges = np.arange(len(price))
        else:
            edges = np.unique(np.concatenate([[0], low[:, c], high[:, c] + 1]))
            edges = edges[edges < len(price)]
            if len(edges) < 2:
                continue
        best = np.array(
            [
                first + int(np.argmin(price[first:last]))
                for first, last in zip(edges, [*edges[1:], len(price)], strict=True)
            ]
        )
        used.append(j)
        ordered.append(not grid.levels[j])
        cost.append(price[best])
        value.append(worth[best])
        edge.append(cells[c][edges])
        cell.append(cells[c][best])
        own.append(starts[-1] + int(np.argmin(price[best])))
        if grid.levels[j]:
            lows.append(np.full(len(at), starts[-1]))
            highs.append(np.full(len(at), starts[-1] + len(edges) - 1))
            inside.append(has)
        else:
            lows.append(starts[-1] + np.searchsorted(edges, low[:, c]))
            highs.append(starts[-1] + np.searchsorted(edges, high[:, c], side="right") - 1)
            flat = starts[-1] + np.arange(len(edges))
            inside.append((lows[-1][:, None] <= flat) & (flat <= highs[-1][:, None]))
        starts.append(starts[-1] + len(edges))
    shape = (len(at), 0)
    return Near(
        np.array(used, dtype=np.int64),
        np.array(starts),
        np.array(ordered, dtype=bool),
        np.concatenate([*cost, np.zeros(0)]),
        np.concatenate([*value, np.zeros(0)]),
        np.concatenate([*edge, np.zeros(0, dtype=np.int64)]),
        np.concatenate([*cell, np.zeros(0, dtype=np.int64)]),
        np.array(own, dtype=np.int64),
        np.column_stack([np.zeros(shape, dtype=np.int64), *lows]),
        np.column_stack([np.zeros(shape, dtype=np.int64), *highs]),
        np.column_stack([np.zeros(shape, dtype=bool), *inside]),
        **rest,  # type: ignore[arg-type]
    )
