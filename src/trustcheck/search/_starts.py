"""Where to start a search: near rows with another answer, and the way a linear stand-in points."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy import special

if TYPE_CHECKING:
    from trustcheck.search._space import Space

#: How far beyond the nearest donor the linear stand-in's point lies.
BEYOND = 1.5
#: Ridges of the linear stand-ins, as parts of the mean variance: where columns say the same, the
#: least ridge gives wild slopes.
RIDGES = (1e-6, 0.3)
#: Of the logistic stand-in: penalty of squared slopes, and steps.
PENALTY, NEWTON = 3.0, 8


def starts(
    space: Space, pool: np.ndarray, other: np.ndarray, graded: np.ndarray, count: int
) -> np.ndarray:
    """Return points to start from: down the linear slopes, then the nearest donors.

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
        At least 3.

    Returns
    -------
    ndarray, shape (m, count, d)
        Valid points; the row itself where there are too few.
    """
    donors = nearest(space, pool, other, count - len(RIDGES))
    m = len(donors)
    rows = np.arange(m)
    far = space.distance(rows, donors[:, 0])
    length = BEYOND * np.where(far > 0, far, 1.0)
    found = []
    for slope in _slopes(space, pool, graded):
        way = -np.sign(slope) if space.norm == "linf" else -slope
        size = space.size(np.broadcast_to(way, space.own.shape))
        step = way * np.divide(length, size, out=np.zeros(m), where=size > 0)[:, None]
        points = np.where(space.categorical, space.own, space.own + step * space.scale)
        found.append(space.snap(rows, points)[:, None])
    return np.concatenate([*found, donors], axis=1)


def stand_in(space: Space, pool: np.ndarray, graded: np.ndarray) -> np.ndarray:
    """Return the slopes of the smoother linear stand-in, shape (m, d); parameters as `starts`."""
    return np.broadcast_to(_slopes(space, pool, graded)[-1], space.own.shape)


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


def _slopes(space: Space, pool: np.ndarray, graded: np.ndarray) -> list[np.ndarray]:
    """Linear stand-ins' slopes per robust scale of each number, (m or 1, d).

    Ridge regressions; the last is logistic where answers are all or nothing.
    """
    codes = np.where(space.categorical, np.nan, pool / space.scale)
    seen = np.isfinite(codes)
    mean = np.where(seen, codes, 0.0).sum(axis=0) / np.maximum(seen.sum(axis=0), 1)
    centred = np.where(seen, codes - mean, 0.0)
    gram = centred.T @ centred
    unit = np.trace(gram) / max(len(gram), 1)
    target = (graded - graded.mean(axis=1, keepdims=True)) @ centred
    found = [
        np.asarray(np.linalg.solve(gram + (ridge * unit + 1e-12) * np.eye(len(gram)), target.T).T)
        for ridge in RIDGES
    ]
    if np.isin(graded, (0, 1)).all():
        lines, back = np.unique(graded, axis=0, return_inverse=True)
        found[-1] = np.stack([_logistic(centred, line) for line in lines])[np.ravel(back)]
    return found


def _logistic(centred: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Return the slopes of a penalised logistic regression, by Newton steps."""
    table = np.column_stack([centred, np.ones(len(centred))])
    penalty = np.diag(np.r_[np.full(centred.shape[1], PENALTY), 1e-6])
    weights = np.zeros(table.shape[1])
    for _ in range(NEWTON):
        share = special.expit(np.clip(table @ weights, -30, 30))
        slope = table.T @ (share - target) + penalty @ weights
        curve = (table * (share * (1 - share))[:, None]).T @ table + penalty
        weights = weights - np.linalg.solve(curve, slope)
    return np.asarray(weights[:-1])
