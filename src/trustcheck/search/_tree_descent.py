"""From real rows with another answer down to a small flip: on the grid first, then near the row."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from trustcheck.search._leaves import SPARE, Aim, Near, near
from trustcheck.search._tree_moves import Moves

if TYPE_CHECKING:
    from trustcheck.search._cells import Grid

#: Donors looked at, and those a search starts from.
_LOOKED, _STARTS = 64, 8
#: Pairs of moves in one round, rounds, and steps of bisection.
_PAIRS, _ROUNDS, _BISECT = 40, 6, 6


def descend(
    grid: Grid, row: int, aim: Aim, upper: float, point: np.ndarray
) -> tuple[float, np.ndarray]:
    """Return the size and the point of the nearest flip found, if nearer than what is known.

    Parameters
    ----------
    grid : Grid
    row : int
    aim : Aim
    upper : float
        Size of the nearest flip known; infinite if there is none.
    point : ndarray, shape (d,)
        That flip.
    """
    starts, sizes = _starts(grid, row, aim)
    if not len(starts) and np.isinf(upper):
        return upper, point
    norm = grid.space.norm
    if len(starts) and sizes.min() < upper:
        upper, point = float(sizes.min()), starts[sizes.argmin()]
    seeds = np.concatenate([starts, point[None]])
    seeds = grid.cells_of(np.full(len(seeds), row), seeds)
    # A little room, for seeds that are larger now but shrink to less.
    radius = upper * 1.5
    for _ in range(_ROUNDS):
        here = near(grid, row, aim, radius, norm)
        if here is None or not len(here.gain):
            break
        moves = Moves(here)
        points = here.place(np.unique(seeds, axis=0))
        points = _smaller(moves, points, upper) if norm == "linf" else _shrunk(moves, points)
        if not len(points):
            break
        total = moves.total(points)
        size = float(here.size(here.cost[points[total.argmin()]]))
        seeds = np.tile(grid.own_cells(np.array([row])), (len(points), 1))
        seeds[:, here.columns] = here.cell[points]
        if size >= upper * (1 - SPARE):
            break
        upper, point = size, grid.space.own[row].copy()
        point[here.columns] = here.value[points[total.argmin()]]
        radius = upper if norm == "linf" else upper * 1.05
    return upper, point


def _starts(grid: Grid, row: int, aim: Aim) -> tuple[np.ndarray, np.ndarray]:
    """Return flips on the way to the nearest donors, smallest first, and their sizes."""
    space = grid.space
    donors = grid.pool[(grid.pool_raw @ aim.weights - aim.limit) > aim.doubt]
    rows = np.full(len(donors), row)
    points = space.snap(rows, np.where(np.isnan(donors), space.own[rows], donors))
    order = np.argsort(space.distance(rows, points), kind="stable")[:_LOOKED]
    points = points[order]
    points = points[_flips(grid, row, aim, points)][: 2 * _STARTS]
    rows = np.full(len(points), row)
    if not len(points):
        return points, np.zeros(0)
    points = _reset(grid, row, aim, points)
    low, high = np.zeros(len(points)), space.distance(rows, points)
    ends = points.copy()
    for _ in range(_BISECT):
        middle = (low + high) / 2
        pulled = space.pull(rows, ends, middle)
        flips = _flips(grid, row, aim, pulled)
        points[flips] = pulled[flips]
        high, low = np.where(flips, middle, high), np.where(flips, low, middle)
    sizes = space.distance(rows, points)
    order = np.argsort(sizes, kind="stable")[:_STARTS]
    return points[order], sizes[order]


def _flips(grid: Grid, row: int, aim: Aim, points: np.ndarray) -> np.ndarray:
    sums = grid.sums(np.full(len(points), row), points)
    return np.asarray(sums @ aim.weights - aim.limit > aim.doubt)


def _reset(grid: Grid, row: int, aim: Aim, points: np.ndarray) -> np.ndarray:
    """Put columns back to the row's own, the largest change first, where the flip survives."""
    space, own = grid.space, grid.space.own[row]
    points = points.copy()
    rows = np.full(len(points), row)
    order = np.argsort(-np.abs(space.units(rows, points)), axis=1, kind="stable")
    each = np.arange(len(points))
    for j in order.T:
        changed = points.copy()
        changed[each, j] = own[j]
        flips = _flips(grid, row, aim, changed)
        points[flips] = changed[flips]
    return points


def _shrunk(moves: Moves, points: np.ndarray) -> np.ndarray:
    """Return the flips among the points, made smaller by single moves and pairs."""
    here, _ = moves.sums(points)
    points = points[here > moves.near.doubt]
    found = [moves.shrink(point, _PAIRS) for point in points]
    return np.unique(np.array(found), axis=0) if found else points[:0]


def _smaller(moves: Moves, points: np.ndarray, upper: float) -> np.ndarray:
    """Return flips with a smaller largest change: clip to it, climb back, and again."""
    near: Near = moves.near
    here, _ = moves.sums(points)
    best = points[here > near.doubt]
    radius = upper
    while True:
        clipped = _clipped(near, points, radius)
        points = moves.climb(clipped, radius, 2 * points.shape[1])
        here, _ = moves.sums(points)
        flips = points[here > near.doubt]
        if not len(flips):
            return best
        best = flips[moves.total(flips).argsort(kind="stable")]
        radius = float(moves.total(best[:1])[0])


def _clipped(near: Near, points: np.ndarray, radius: float) -> np.ndarray:
    """Move every column to the nearest cell that costs less than the radius."""
    points = points.copy()
    for c, (a, b) in enumerate(zip(near.start[:-1], near.start[1:], strict=True)):
        cheap = np.flatnonzero(near.cost[a:b] < radius) + a
        if near.ordered[c]:
            points[:, c] = np.clip(points[:, c], cheap[0], cheap[-1])
        else:
            points[:, c] = np.where(near.cost[points[:, c]] < radius, points[:, c], near.own[c])
    return points
