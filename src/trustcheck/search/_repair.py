"""Bringing points back to what relations between columns allow."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from trustcheck.search._space import Space
    from trustcheck.subject import Relation

#: Times all relations are gone through: mending one may break another.
PASSES = 3


def repair(space: Space, rows: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Return points that keep every relation, near the given ones, shape (q, d).

    Where a relation equates or bounds a column by others, the column is moved as far as needed;
    where that is not enough, the cells the relation reads go back to the row's own, and where
    even that is not enough, all cells do.
    """
    if not space.relations or not len(rows):
        return points
    points = points.copy()
    for _ in range(PASSES):
        broken = np.zeros(len(rows), dtype=bool)
        for relation in space.relations:
            at = np.flatnonzero(~relation.holds(space.values(rows, points)))
            if not at.size:
                continue
            broken[at] = True
            _move(space, rows, points, at, relation)
            still = at[~relation.holds(space.values(rows[at], points[at]))]
            back = np.array([_reads(space, j, relation) for j in range(len(space.features))])
            points[still] = np.where(back, space.own[rows[still]], points[still])
        if not broken.any():
            return points
    lost = ~space.valid(rows, points)
    points[lost] = space.own[rows[lost]]
    return points


def _reads(space: Space, j: int, relation: Relation) -> bool:
    name = space.names[j]
    columns = space.groups[name].columns if name in space.groups else (name,)
    return not relation.columns.isdisjoint(columns)


def _move(
    space: Space, rows: np.ndarray, points: np.ndarray, at: np.ndarray, relation: Relation
) -> None:
    """Set a column to the value that its bound or equation asks for, in place."""
    if relation.op in ("implies", "and"):
        for part in relation.args[relation.op == "implies" :]:
            _move(space, rows, points, at, part)
    if relation.op not in ("<=", "=="):
        return
    values = space.values(rows[at], points[at])
    left, right = relation.args
    for side, other, sign in ((right, left, 1.0), (left, right, -1.0)):
        name = side.args[0] if side.op == "col" else None
        j = space.names.index(name) if name in space.names else -1
        if j < 0 or space.categorical[j]:
            continue
        bound = np.broadcast_to(np.asarray(other.of(values)), at.shape)
        if bound.dtype.kind not in "biuf":
            continue
        own, now = space.own[rows[at], j], points[at, j]
        if relation.op == "<=":
            if space.whole[j]:
                bound = own + sign * np.ceil(sign * (bound - own) - 1e-9)
            wrong = sign * now < sign * bound
        else:
            wrong = now != bound
        fits = wrong & (space.low[rows[at], j] <= bound) & (bound <= space.high[rows[at], j])
        points[at[fits], j] = bound[fits]
        at, values = at[~fits], {key: column[~fits] for key, column in values.items()}
