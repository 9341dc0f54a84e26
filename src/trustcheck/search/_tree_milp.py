"""The nearest flip as a mixed-integer program, for problems small enough (SciPy's HiGHS)."""

from __future__ import annotations

from itertools import pairwise
from typing import NamedTuple

import numpy as np
from scipy import optimize, sparse

from trustcheck.search._leaves import Near
from trustcheck.search._tree_bound import Flips

#: Most leaves it is given, and what the solver's tolerances may cost, relative to a size.
LEAVES, TOLERANCE = 1_800, 1e-5
#: Points that turn out not to flip, by the solver's tolerances, and are ruled out.
_RULED_OUT = 1


class Optimum(NamedTuple):
    """What the program came to.

    Attributes
    ----------
    lower : float
        No flip is nearer, the solver's tolerances being allowed for.
    cells : int ndarray, shape (c,), or None
        The nearest flip it found.
    """

    lower: float
    cells: np.ndarray | None


def solve(near: Near, nodes: int, flips: Flips) -> Optimum:
    """Minimise the L2 size of a flip (Kantchelian, Tygar & Joseph 2016).

    One binary variable per boundary between cells (or per level), one variable per leaf; a leaf
    applies only where the point lies on its side of every boundary. Since costs belong to cells,
    the squared size is linear.

    Parameters
    ----------
    near : Near
        With the norm "l2".
    nodes : int
        Most nodes of the solver's own tree: the same on every machine.
    flips : callable
        Settles points whose sum is in doubt.
    """
    k, leaves = len(near.cost), len(near.gain)
    trees = len(near.tree) - 1
    # Variables: is the cell at most this one (ordered), or just this one (levels); then leaves.
    price = near.cost**2
    objective = np.zeros(k + leaves)
    fixed = np.zeros(k, dtype=bool)
    rows: list[np.ndarray] = []
    columns: list[np.ndarray] = []
    values: list[np.ndarray] = []
    low: list[float] = []
    high: list[float] = []

    def constrain(where: np.ndarray, what: np.ndarray | float, least: float, most: float) -> None:
        rows.append(np.full(len(where), len(low)))
        columns.append(where)
        values.append(np.broadcast_to(what, len(where)))
        low.append(least)
        high.append(most)

    constant = 0.0
    for c, is_ordered in enumerate(near.ordered):
        cells = np.arange(near.start[c], near.start[c + 1])
        if is_ordered:
            objective[cells[:-1]] = price[cells[:-1]] - price[cells[1:]]
            constant += price[cells[-1]]
            fixed[cells[-1]] = True  # always at most the last one
            for one, other in pairwise(cells[:-1]):
                constrain(np.array([one, other]), np.array([1.0, -1.0]), -np.inf, 0.0)
        else:
            objective[cells] = price[cells]
            constrain(cells, 1.0, 1.0, 1.0)
    for t in range(trees):
        mine = np.arange(near.tree[t], near.tree[t + 1])
        constrain(k + mine, 1.0, 1.0, 1.0)
        for c, is_ordered in enumerate(near.ordered):
            first, last = near.start[c], near.start[c + 1] - 1
            if is_ordered:
                for edge in np.unique(near.high[mine, c][near.high[mine, c] < last]):
                    below = k + mine[near.high[mine, c] <= edge]
                    constrain(
                        np.append(below, edge), np.append(np.ones(len(below)), -1.0), -np.inf, 0.0
                    )
                for edge in np.unique(near.low[mine, c][near.low[mine, c] > first]) - 1:
                    above = k + mine[near.low[mine, c] > edge]
                    constrain(np.append(above, edge), 1.0, -np.inf, 1.0)
            else:
                cells = np.arange(first, last + 1)
                patterns, which = np.unique(
                    near.inside[mine][:, cells], axis=0, return_inverse=True
                )
                for p, pattern in enumerate(patterns):
                    if not pattern.all():
                        some = k + mine[which.ravel() == p]
                        constrain(
                            np.concatenate([some, cells[pattern]]),
                            np.concatenate([np.ones(len(some)), -np.ones(int(pattern.sum()))]),
                            -np.inf, 0.0,
                        )  # fmt: skip
    # Leaves may lean over a boundary by the solver's tolerance, in every tree.
    scale = float(np.abs(near.gain).max(initial=1e-300))
    least = (-near.offset - near.doubt) / scale - 2e-6 * (trees + 1)
    narrow = len(low)
    constrain(k + np.arange(leaves), near.gain / scale, least, np.inf)
    lower = np.zeros(k + leaves)
    lower[:k][fixed] = 1.0
    proven = None
    for turn in range(_RULED_OUT + 1):
        matrix = sparse.csr_array(
            (np.concatenate(values), (np.concatenate(rows), np.concatenate(columns))),
            shape=(len(low), k + leaves),
        )
        found = optimize.milp(
            objective,
            integrality=np.concatenate([np.ones(k), np.zeros(leaves)]),
            bounds=optimize.Bounds(lower, np.ones(k + leaves)),
            constraints=optimize.LinearConstraint(matrix, np.array(low), np.array(high)),
            options={"node_limit": nodes, "mip_rel_gap": TOLERANCE / 10},
        )
        bound = np.inf if found.status == 2 else -np.inf  # infeasible: nothing near enough flips
        if found.status != 2 and found.mip_dual_bound is not None:
            bound = constant + float(found.mip_dual_bound)
        if proven is None or turn < _RULED_OUT:
            proven = min(float(np.sqrt(max(bound, 0.0))) * (1 - TOLERANCE), near.radius)
        if found.x is None:
            break
        chosen = np.round(found.x[:k]).astype(bool)
        cells = np.array(
            [
                a + int(chosen[a:b].argmax())
                for a, b in zip(near.start[:-1], near.start[1:], strict=True)
            ]
        )
        total = float(near.margins(cells[None])[0])
        if total > near.doubt or (total > -near.doubt and flips(cells)):
            return Optimum(proven, cells)
        # These leaves together do not flip: rule them out, and last all that do so narrowly.
        constrain(k + near.leaves_at(cells), 1.0, -np.inf, trees - 1.0)
        if turn == _RULED_OUT - 1:
            low[narrow] = -near.offset / scale + 2e-6 * (trees + 1)
    return Optimum(proven or 0.0, None)
