"""The smallest flip of a tree ensemble near each row, and the proof how near none is.

The interface for probes: ``read`` a model once, then ``attack`` or ``certify`` the rows of the
grid it returns. Points are codes of the grid's space: ``space.decode(rows, points)`` makes them
rows of the user's own frame, on which the caller asks the model's own ``predict`` before anything
counts as a flip. Relations between columns are not known here: a point may break one (the caller's
checker decides), while a proof, which holds for more points than are allowed, stays valid.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from trustcheck.search import _cells, _pipeline, _trees
from trustcheck.search._leaves import SPARE, Aim, Near, near
from trustcheck.search._tree_bound import Flips, prove
from trustcheck.search._tree_descent import descend
from trustcheck.search._tree_milp import LEAVES, TOLERANCE, solve

if TYPE_CHECKING:
    import pandas as pd

    from trustcheck.search._cells import Grid
    from trustcheck.search._space import Space

#: Leaves looked at in one proof, and nodes of the solver: counts, not seconds.
WORK, NODES = 20_000_000, 2_000
#: Smaller radii tried where the proof up to the flip found does not close, and steps between the
#: first that does and the one before.
_SMALLER, _BETWEEN = (0.98, 0.9, 0.75, 0.5, 0.3, 0.15, 0.05), 2
#: Proofs tried as flips nearer and nearer are found.
_AGAIN = 4
#: Rows of the reference kept to start from.
_POOL = 500


@dataclass(frozen=True)
class Found:
    """What is known about each row; m entries.

    Parameters
    ----------
    points : ndarray, shape (m, d)
        Codes of the nearest flip found; the row's own where there is none.
    upper : ndarray, shape (m,)
        Its size; infinite where none was found.
    lower : ndarray, shape (m,)
        No flip is nearer: proven. Infinite where no valid change of any size flips.
    """

    points: np.ndarray
    upper: np.ndarray
    lower: np.ndarray

    @property
    def exact(self) -> np.ndarray:
        """Where both meet, to the tolerance of the solver, shape (m,)."""
        return np.asarray(self.lower >= self.upper * (1 - 2 * TOLERANCE))


def read(
    model: Any,
    space: Space,
    reference: pd.DataFrame,
    send: Callable[[pd.DataFrame], Any] | None = None,
) -> Grid | str:
    """Read a fitted tree ensemble, behind whatever pipeline, around the rows of a space.

    Parameters
    ----------
    model : object
        The user's own fitted model (``subject.native``).
    space : Space
        Rows to attack, of which anything may change that is not frozen there; its norm, scales,
        ranges and price of a category hold.
    reference : DataFrame
        Rows on which what was read is compared with the model.
    send : callable, optional
        Brings a frame into the form the model is given (``subject.own``).

    Returns
    -------
    Grid or str
        The reason, in plain words, if it is no tree ensemble or cannot be read.
    """
    space = replace(space, relations=())
    steps = _pipeline.read(model, reference, send)
    if isinstance(steps, str):
        return steps
    native = steps.native(reference)
    trees = _trees.read(steps, native, _pipeline.as_matrix(native))
    return (
        trees
        if isinstance(trees, str)
        else _cells.build(space, steps, trees, reference.iloc[:_POOL])
    )


def certify(
    grid: Grid,
    radius: float,
    *,
    answers: np.ndarray | None = None,
    shift: float | None = None,
    work: int = WORK,
) -> np.ndarray:
    """Prove for each row that no valid change of any columns up to a size flips the answer.

    Parameters
    ----------
    grid : Grid
        Of ``read``.
    radius : float
        Largest change of any one column, in its robust scale (the L-infinity norm, whatever the
        norm of the space).
    answers : int ndarray, shape (m,), optional
        Classes the model gives the rows, by position; its trees' own unless given.
    shift : float, optional
        Regression: by how much, and more, a prediction has to move.
    work : int
        Most leaves looked at per row.

    Returns
    -------
    bool ndarray, shape (m,)
        Proven. Elsewhere a flip exists, or the work did not suffice.
    """
    raw = grid.trees.raw(grid.encoded)
    reach = radius * (1 + 4 * SPARE)
    return np.array(
        [
            all(
                _is_clear(near(grid, row, aim, reach, "linf"), work, Asker(grid, row, shift))
                for aim in _aims(grid, raw[row], None if answers is None else answers[row], shift)
            )
            for row in range(len(raw))
        ],
        dtype=bool,
    )


def _is_clear(here: Near | None, work: int, asker: Asker) -> bool:
    if here is None:
        return False
    found = prove(here, here.radius, work, asker.about(here))
    return found.proven and found.cells is None


def attack(
    grid: Grid,
    *,
    answers: np.ndarray | None = None,
    shift: float | None = None,
    work: int = WORK,
    nodes: int = NODES,
) -> Found:
    """Find the nearest flip of each row, and prove how near none is, in the norm of the space.

    Parameters
    ----------
    grid : Grid
        Of ``read``.
    answers, shift
        As for ``certify``.
    work, nodes : int
        Most leaves looked at per proof, and most nodes of the solver (0: do without it): counts,
        so that results are the same on every machine.

    Returns
    -------
    Found
    """
    m, _ = grid.space.own.shape
    raw = grid.trees.raw(grid.encoded)
    found = Found(grid.space.own.copy(), np.full(m, np.inf), np.zeros(m))
    for row in range(m):
        aims = _aims(grid, raw[row], None if answers is None else answers[row], shift)
        found.lower[row], found.upper[row], found.points[row] = _one(
            grid, row, aims, Asker(grid, row, shift), work, nodes
        )
    return found


def _aims(grid: Grid, raw: np.ndarray, answer: Any, shift: float | None) -> list[Aim]:
    """Return what would be another answer than a row's own."""
    trees = grid.trees
    doubt = trees.tolerance
    if not trees.classes:
        if shift is None:
            raise ValueError("shift= says what counts as another answer of a regression")
        base = np.exp(raw[0]) if trees.link == "log" else raw[0]
        ends = [base + shift, base - shift]
        if trees.link == "log":
            ends = [np.log(end) if end > 0 else -np.inf for end in ends]
        one = np.ones(1)
        return [
            Aim(way * one, way * end, doubt)
            for way, end in zip((1, -1), ends, strict=True)
            if np.isfinite(end)
        ]
    if trees.classes == 1:
        return []
    own = int(trees.decide(raw[None])[0]) if answer is None else int(answer)
    if len(raw) == 1:
        return [Aim(np.array([-1.0 if own else 1.0]), 0.0, doubt)]
    others = [k for k in np.argsort(-raw, kind="stable") if k != own]
    unit = np.eye(len(raw))
    # Where sums are exact, a tie goes to the first class: no doubt about it.
    ties = [(2 * doubt if k > own else -2 * doubt) if trees.exact else 0.0 for k in others]
    return [Aim(unit[k] - unit[own], tie, doubt) for k, tie in zip(others, ties, strict=True)]


def _one(
    grid: Grid, row: int, aims: list[Aim], asker: Asker, work: int, nodes: int
) -> tuple[float, float, np.ndarray]:
    """Return the proven and the found end for one row, and the point found."""
    upper, point = np.inf, grid.space.own[row]
    for aim in aims:
        upper, point = descend(grid, row, aim, upper, point)
    lower = np.inf
    for aim in aims:
        proven, upper, point = _close(grid, row, aim, upper, point, asker, work, nodes)
        lower = min(lower, proven)
    return min(lower, upper), upper, point


def _close(
    grid: Grid,
    row: int,
    aim: Aim,
    upper: float,
    point: np.ndarray,
    asker: Asker,
    work: int,
    nodes: int,
) -> tuple[float, float, np.ndarray]:
    """Prove that nothing is nearer than the flip found, or find what is, or prove less."""
    norm = grid.space.norm
    here = near(grid, row, aim, upper, norm)
    for _ in range(_AGAIN):
        if here is None:
            break
        outcome = prove(here, here.radius, work, asker.about(here))
        if outcome.cells is not None and outcome.sure:
            upper, point = outcome.radius, asker.point(here, outcome.cells)
        if outcome.proven:
            return outcome.radius, upper, point
        if outcome.radius >= here.radius:
            break
        here = near(grid, row, aim, upper, norm)
    if here is not None and norm == "l2" and len(here.gain) <= LEAVES and nodes:
        best = solve(here, nodes, asker.about(here))
        if best.cells is not None:
            upper, point = float(here.size(here.cost[best.cells])), asker.point(here, best.cells)
        if best.lower > 0:
            return best.lower, upper, point
    top = upper if np.isfinite(upper) else 1.0
    low, high = 0.0, top
    for part in _SMALLER:
        if _is_clear(near(grid, row, aim, part * top, norm), work // 4, asker):
            low = part * top
            break
        high = part * top
    for _ in range(_BETWEEN if low else 0):
        middle = (low + high) / 2
        clear = _is_clear(near(grid, row, aim, middle, norm), work // 4, asker)
        low, high = (middle, high) if clear else (low, middle)
    return low, upper, point


@dataclass(frozen=True, eq=False)
class Asker:
    """Asks the model itself about the points of one row that rounding leaves in doubt."""

    grid: Grid
    row: int
    shift: float | None

    def point(self, here: Near, cells: np.ndarray) -> np.ndarray:
        """Return the codes of a point given by cells."""
        point = self.grid.space.own[self.row].copy()
        point[here.columns] = here.value[cells]
        return point

    def about(self, here: Near) -> Flips:
        """Return what says whether the point of some cells gets another answer."""
        return lambda cells: self.flips(self.point(here, cells))

    def flips(self, point: np.ndarray) -> bool:
        """Whether a point gets another answer than the row."""
        space, steps = self.grid.space, self.grid.steps
        both = np.stack([space.own[self.row], point])
        native = steps.native(space.decode(np.full(2, self.row), both))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # names of columns are no matter here
            before, after = steps.final.predict(native)
        if self.shift is None:
            return bool(before != after)
        return bool(abs(after - before) > self.shift)
