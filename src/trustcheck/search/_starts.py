"""Where to start a search: near rows with another answer, and the way a linear stand-in points."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from trustcheck.search._space import Space

#: How far beyond the nearest donor the linear stand-in's point lies.
BEYOND = 1.5


def starts(
    space: Space, pool: np.ndarray, other: np.ndarray, graded: np.ndarray, count: int
) -> np.ndarray:
    """Return points to start from: one down the linear slope, then the nearest donors.

    Parameters
    ----------
    space : Space
        Of m rows.
    pool : ndarray, shape (p, d)
        Codes of donors, in an order that does not depend on the table's.
    other : bool ndarray, shape (m, p)
        Which donors the model answers otherwise than the row.
    graded : ndarray, shape (m, p) or (1, p)
        How much each donor's answer resembles the row's own, e.g. the score of its class.
    count : int
        At least 2.

    Returns
    -------
    ndarray, shape (m, count, d)
        Valid points; the row itself where there are too few.
    """
    donors = nearest(space, pool, other, count - 1)
    m = len(donors)
    rows = np.arange(m)
    far = space.distance(rows, donors[:, 0])
    length = BEYOND * np.where(far > 0, far, 1.0)
    down = -_slopes(space, pool, graded)
    if space.norm == "linf":
        down = np.sign(down)
    size = space.size(np.broadcast_to(down, space.own.shape))
    down = down * np.divide(length, size, out=np.zeros(m), where=size > 0)[:, None]
    points = np.where(space.categorical, space.own, space.own + down * space.scale)
    return np.concatenate([space.snap(rows, points)[:, None], donors], axis=1)


def nearest(space: Space, pool: np.ndarray, other: np.ndarray, count: int) -> np.ndarray:
    """Return the nearest donors with another answer, shape (m, count, d).

    Cells that may not change, or are missing in either, are the row's own.
    """
    found = np.repeat(space.own[:, None], count, axis=1)
    for row, allowed in enumerate(other):
        donors = pool[allowed]
        rows = np.full(len(donors), row)
        points = space.snap(rows, np.where(np.isnan(donors), space.own[rows], donors))
        order = np.argsort(space.distance(rows, points), kind="stable")[:count]
        found[row, : len(order)] = points[order]
    return found


def _slopes(space: Space, pool: np.ndarray, graded: np.ndarray) -> np.ndarray:
    """Least-squares slope per robust scale of each number, shape (m or 1, d)."""
    codes = np.where(space.categorical, np.nan, pool / space.scale)
    seen = np.isfinite(codes)
    mean = np.where(seen, codes, 0.0).sum(axis=0) / np.maximum(seen.sum(axis=0), 1)
    centred = np.where(seen, codes - mean, 0.0)
    gram = centred.T @ centred
    ridge = 1e-6 * np.trace(gram) / max(len(gram), 1) + 1e-12
    target = (graded - graded.mean(axis=1, keepdims=True)) @ centred
    return np.asarray(np.linalg.solve(gram + ridge * np.eye(len(gram)), target.T).T)
