"""The same flip with as few changed cells as possible, and a blind search to compare with."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from trustcheck.search._attack import FLIPPED

if TYPE_CHECKING:
    from trustcheck.search._attack import Search

#: Numbers of cells tried.
CELLS = (1, 2, 3, 4, 6, 9, 14, 24)


def fewest(search: Search, limit: np.ndarray) -> np.ndarray:
    """Return each row's flip with the fewest changed cells found, shape (m, d).

    Keeps the largest changes of the best point, puts the others back, and lets those kept grow
    up to the limit. At most one query per entry of ``CELLS`` and row.

    Parameters
    ----------
    search : Search
        Rows without a flip keep their own values.
    limit : ndarray, shape (m,)
        Largest size of the changes.
    """
    space, best = search.space, search.best.copy()
    rows = np.flatnonzero(np.isfinite(search.distance))
    size = np.abs(space.units(rows, best[rows]))
    rank = np.argsort(np.argsort(-size, axis=1, kind="stable"), axis=1)
    count = (size > 0).sum(axis=1)
    who, cells = np.repeat(np.arange(len(rows)), len(CELLS)), np.tile(CELLS, len(rows))
    use = cells < count[who]
    who, cells = who[use], cells[use]
    own, points = space.own[rows[who]], best[rows[who]]
    points = np.where(rank[who] < cells[:, None], points, own)
    # Far out along the same direction, then back to the limit.
    points = np.where(space.categorical, points, own + (points - own) * 1e3)
    points = space.pull(rows[who], points, limit[rows[who]])
    flips = search.margins(rows[who], points) < FLIPPED
    order = np.flatnonzero(flips)[::-1]  # the fewest cells are written last
    best[rows[who[order]]] = points[order]
    return best


def blind(search: Search, radius: float, rng: np.random.Generator, *, count: int) -> None:
    """Ask random points of a given size around every row, as the control of an attack.

    Parameters
    ----------
    search : Search
        Filled in place.
    radius : float
    rng : numpy Generator
    count : int
        Points per row.
    """
    space = search.space
    rows = np.repeat(np.arange(len(space.own)), count)
    points = space.own[rows] + 1e3 * space.scale * rng.standard_normal(
        (len(rows), space.own.shape[1])
    )
    levels = np.array([max(len(feature.levels), 1) for feature in space.features])
    redrawn = rng.random(points.shape) < 1.0 / len(levels)
    level = np.where(redrawn, rng.integers(levels, size=points.shape), space.own[rows])
    points = np.where(space.categorical, level, points)
    search.margins(rows, space.pull(rows, points, np.full(len(rows), radius)))
