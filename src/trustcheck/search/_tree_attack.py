"""The smallest flip of a tree ensemble near each row, and the proof how near none is.

The interface for probes: ``read`` a model once, then ``attack`` or ``certify`` the rows of the
grid it returns. Points are codes of the grid's space: ``space.decode(rows, points)`` makes them
rows of the user's own frame, on which the caller asks the model's own ``predict`` before anything
counts as a flip. Relations between columns are not known here: a point may break one (the caller's
checker decides), while a proof, which holds for more points than are allowed, stays valid.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from trustcheck.search import _cells, _pipeline, _trees
from trustcheck.search._leaves import SPARE, Aim, Near, near
from trustcheck.search._tree_bound import prove

if TYPE_CHECKING:
    import pandas as pd

    from trustcheck.search._cells import Grid
    from trustcheck.search._space import Space

#: Whether changed rows, and the rows they come from, get another answer from the model itself.
Confirm = Callable[["pd.DataFrame", np.ndarray], np.ndarray]

#: Leaves looked at per row, once to prove and once for each lower radius tried.
WORK = 20_000_000
#: First radius tried, and steps between what is proven and what is found.
FIRST, STEPS = 0.125, 4


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
        """Where both meet, shape (m,)."""
        return np.asarray(self.lower >= self.upper * (1 - 2 * SPARE))


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
    steps = _pipeline.read(model, reference, send)
    if isinstance(steps, str):
        return steps
    native = steps.native(reference)
    trees = _trees.read(steps, native, _pipeline.as_matrix(native))
    return trees if isinstance(trees, str) else _cells.build(space, steps, trees)


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
                _is_clear(near(grid, row, aim, reach, "linf"), reach, work)
                for aim in _aims(grid, raw[row], None if answers is None else answers[row], shift)
            )
            for row in range(len(raw))
        ],
        dtype=bool,
    )


def _is_clear(here: Near, radius: float, work: int) -> bool:
    found = prove(here, radius, work)
    return found.proven and found.cells is None


def attack(
    grid: Grid,
    *,
    answers: np.ndarray | None = None,
    shift: float | None = None,
    confirm: Confirm | None = None,
    work: int = WORK,
) -> Found:
    """Find the nearest flip of each row, and prove how near none is, in the norm of the space.

    Parameters
    ----------
    grid : Grid
        Of ``read``.
    answers, shift
        As for ``certify``.
    confirm : callable, optional
        Settles the rare points that rounding leaves in doubt; where it is not given they only
        lower the proven end.
    work : int
        Most leaves looked at per search: a count, so that results are the same on every machine.

    Returns
    -------
    Found
    """
    m, _ = grid.space.own.shape
    raw = grid.trees.raw(grid.encoded)
    found = Found(grid.space.own.copy(), np.full(m, np.inf), np.zeros(m))
    for row in range(m):
        aims = _aims(grid, raw[row], None if answers is None else answers[row], shift)
        found.lower[row], found.upper[row] = _one(grid, row, aims, found.points, confirm, work)
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
    own = int(trees.decide(raw[None])[0]) if answer is None else int(answer)
    if len(raw) == 1:
        return [Aim(np.array([-1.0 if own else 1.0]), 0.0, doubt)]
    others = [k for k in np.argsort(-raw, kind="stable") if k != own]
    unit = np.eye(len(raw))
    # Where sums are exact, a tie goes to the first class: no doubt about it.
    ties = [(2 * doubt if k > own else -2 * doubt) if trees.exact else 0.0 for k in others]
    return [Aim(unit[k] - unit[own], tie, doubt) for k, tie in zip(others, ties, strict=True)]


def _one(
    grid: Grid, row: int, aims: list[Aim], points: np.ndarray, confirm: Confirm | None, work: int
) -> tuple[float, float]:
    """Return the proven and the found end for one row; put the point found in its place."""
    norm = grid.space.norm
    lower, upper = 0.0, np.inf
    for radius in _ladder(grid, row, norm):
        proven = True
        for aim in aims:
            here = near(grid, row, aim, min(radius, upper), norm)
            outcome = prove(here, here.radius, work)
            if outcome.cells is None:
                proven &= outcome.proven
                continue
            point = grid.space.own[row].copy()
            point[here.columns] = here.value[outcome.cells]
            if outcome.sure or _holds(grid, row, point, confirm):
                upper, points[row] = outcome.radius, point
                proven &= outcome.proven
            else:
                proven = False
        if proven:
            lower = min(radius, upper)
        if np.isfinite(upper) or not proven:
            break
    if not np.isfinite(upper) and lower == np.inf:
        return np.inf, np.inf
    for _ in range(STEPS):
        if lower >= upper * (1 - SPARE) or not np.isfinite(upper):
            break
        middle = (lower + upper) / 2
        if all(_is_clear(near(grid, row, aim, middle, norm), middle, work) for aim in aims):
            lower = middle
        else:
            break
    return lower, upper


def _ladder(grid: Grid, row: int, norm: str) -> Iterator[float]:
    """Yield growing radii, the last of which is infinite."""
    farthest = 0.0
    for j in np.flatnonzero(grid.free(row)):
        cost = grid.prices(row, j)[0]
        most = float(cost[np.isfinite(cost)].max(initial=0.0))
        farthest = max(farthest, most) if norm == "linf" else float(np.hypot(farthest, most))
    radius = FIRST
    while radius <= farthest:
        yield radius
        radius *= 2
    yield np.inf


def _holds(grid: Grid, row: int, point: np.ndarray, confirm: Confirm | None) -> bool:
    if confirm is None:
        return False
    rows = np.array([row])
    return bool(confirm(grid.space.decode(rows, point[None]), rows)[0])
