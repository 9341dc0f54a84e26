"""The same flip with as few changed cells as possible, and a blind search to compare with."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from trustcheck.search._attack import FLIPPED
from trustcheck.search._moves import trail_slope

if TYPE_CHECKING:
    from trustcheck.search._attack import Search

#: Numbers of cells tried.
CELLS = (1, 2, 3, 4, 6, 9, 14, 24)
#: Decimals below the feature's scale that numbers are rounded to, the roundest first.
DIGITS = (0, 1, 2)


def fewest(search: Search, limit: np.ndarray, worth: np.ndarray | None = None) -> np.ndarray:
    """Return each row's flip with the fewest changed cells found, shape (m, d).

    Keeps the changes of the best point that are worth most, puts the others back, and lets those
    kept grow up to the limit. At most one query per entry of ``CELLS`` and row.

    Parameters
    ----------
    search : Search
        Rows without a flip keep their own values.
    limit : ndarray, shape (m,)
        Largest size of the changes.
    worth : ndarray, shape (m, d), optional
        How much a change of each cell by one scale lowers the margin; unless given, what the last
        answers of the search say.
    """
    space, best = search.space, search.best.copy()
    rows = np.flatnonzero(np.isfinite(search.distance))
    size = np.abs(space.units(rows, best[rows]))
    if worth is None:
        worth = trail_slope(search.trail, search.answers)
    # Where nothing is known, or no more than that a cell was left alone, larger changes come first.
    value = size * (
        np.abs(worth[rows]) + 1e-6 * np.abs(worth[rows]).max(axis=1, keepdims=True) + 1e-12
    )
    rank = np.argsort(np.argsort(-value, axis=1, kind="stable"), axis=1)
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


def roundest(search: Search, points: np.ndarray, limit: np.ndarray) -> np.ndarray:
    """Return flips with rounder numbers where the model still flips, shape (m, d).

    Changed numbers move to a multiple of a power of ten: the one near the feature's scale, else a
    tenth of it and so on; on, away from the row, or back if they are as far as allowed. At most
    one query per entry of ``DIGITS``.

    Parameters
    ----------
    search : Search
    points : ndarray, shape (m, d)
        Flips; the rows themselves where there is none.
    limit : ndarray, shape (m,)
        Largest size of the changes.
    """
    space = search.space
    rows = np.flatnonzero(space.changed(np.arange(len(points)), points).any(axis=1))
    best = points.copy()
    back = space.distance(np.arange(len(points)), points) > 0.99 * limit
    for digits in DIGITS:
        own, here = space.own[rows], points[rows]
        grid = 10.0 ** (digits - np.floor(np.log10(space.scale)))
        up = (here > own) != back[rows, None]
        out = np.where(up, np.ceil(here * grid - 1e-6), np.floor(here * grid + 1e-6)) / grid
        moved = space.changed(rows, here) & ~space.categorical & ~space.whole
        tried = space.snap(rows, np.where(moved, out, here))
        near = moved.any(axis=1) & (space.distance(rows, tried) <= limit[rows])
        flips = np.zeros(len(rows), dtype=bool)
        flips[near] = search.margins(rows[near], tried[near]) < FLIPPED
        best[rows[flips]] = tried[flips]
        rows = rows[~flips]
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
