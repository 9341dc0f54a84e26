"""What reading the model itself proves about rows, and the flips it points to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from trustcheck.search import _linear, _pipeline, _tree_attack
from trustcheck.search._repair import repair

if TYPE_CHECKING:
    from trustcheck.robustness._flip import Flip
    from trustcheck.search._attack import Search
    from trustcheck.search._space import Space
    from trustcheck.subject import Subject

#: A point on the very boundary is moved beyond it by these parts of its way, one after the other.
BEYOND = (0.0, 1e-6, 1e-4, 1e-2)
#: Classes of tree ensembles that may be readable.
TREES = frozenset(
    [
        "DecisionTreeClassifier", "DecisionTreeRegressor", "ExtraTreeClassifier",
        "ExtraTreeRegressor", "ExtraTreesClassifier", "ExtraTreesRegressor",
        "GradientBoostingClassifier", "GradientBoostingRegressor",
        "HistGradientBoostingClassifier", "HistGradientBoostingRegressor", "LGBMClassifier",
        "LGBMRegressor", "RandomForestClassifier", "RandomForestRegressor", "XGBClassifier",
        "XGBRegressor", "XGBRFClassifier", "XGBRFRegressor",
    ]
)  # fmt: skip
#: Rows a reading of trees is checked on, and leaves looked at for each row attacked.
CHECKED, WORK = 2_000, 100_000
#: Bound and flip are the same where they differ by less than this part.
SAME = 1e-3


@dataclass(frozen=True)
class White:
    """What was read, one entry per row.

    Parameters
    ----------
    what : str
        The model in words, e.g. "a linear model".
    lower : ndarray, shape (m,)
        Sizes below which no valid change flips the row's answer: proven.
    points : ndarray, shape (m, c, d)
        Points that should flip, the nearest first.
    worth : ndarray, shape (m, d), or None
        How much each cell counts, where that is known.
    """

    what: str
    lower: np.ndarray
    points: np.ndarray
    worth: np.ndarray | None = None


def final_of(subject: Subject) -> str | None:
    """Return "linear" or "trees" for models that may be readable, before any work is done."""
    _, final = _pipeline.unwrap(subject.native)
    if type(final).__name__ in _linear.CLASSIFIERS | _linear.REGRESSORS:
        return "linear"
    return "trees" if type(final).__name__ in TREES else None


def read(subject: Subject, space: Space, flip: Flip, work: int = WORK) -> White | str:
    """Read the model around some rows, or say in plain words why that cannot be done.

    Probes that read the same rows share what was read.
    """
    key = f"white box {space.norm} {space.category} {flip.most} {work} {len(flip.rows)} {flip.rows[:1]}"
    return subject.shared(key, lambda asked, _: _read(asked, space, flip, work))


def _read(subject: Subject, space: Space, flip: Flip, work: int) -> White | str:
    if final_of(subject) == "trees":
        return _read_trees(subject, space, flip, work)
    steps = _pipeline.read(subject.native, space.frame, subject.own)
    if isinstance(steps, str):
        return steps
    most = flip.most if subject.task == "regression" else None
    linear = _linear.read(space, steps, flip.base, subject.classes, most)
    if isinstance(linear, str):
        return linear
    lower, points = _linear.solve(space, linear)
    rows = np.arange(len(lower))
    ways = [
        np.where(space.categorical, points, space.own + (points - space.own) * (1 + more))
        for more in BEYOND
    ]
    points = np.stack([space.snap(rows, way) for way in ways], axis=1)
    worth = np.abs(linear.slopes).max(axis=1) + linear.drops.max(axis=1)
    return White("a linear model", lower, points, worth)


def _read_trees(subject: Subject, space: Space, flip: Flip, work: int) -> White | str:
    known = subject.reference if "reference" in subject.offers() else subject.data
    grid = _tree_attack.read(subject.native, space, known.X.iloc[:CHECKED], subject.own)
    if isinstance(grid, str):
        return grid
    answers, shift = None, None
    if subject.task == "regression":
        shift = flip.most
    else:
        order = [list(subject.classes).index(label) for label in grid.steps.final.classes_]
        place = np.full(len(subject.classes), -1)
        place[order] = np.arange(len(order))
        answers = place[flip.base]
    found = _tree_attack.attack(grid, answers=answers, shift=shift, work=work)
    rows = np.arange(len(found.lower))
    points = repair(space, rows, found.points)
    trees = len(grid.trees.roots)
    return White(f"{trees} tree{'s' if trees > 1 else ''}", found.lower, points[:, None])


def send(search: Search, white: White) -> None:
    """Ask the model about the points, one of a row after the other until one flips."""
    rows = np.arange(len(white.lower))
    for turn in range(white.points.shape[1]):
        rows = rows[~np.isfinite(search.distance[rows])]
        if rows.size:
            search.margins(rows, white.points[rows, turn])
