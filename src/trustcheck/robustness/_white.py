"""What reading the model itself proves about rows, and the flips it points to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from trustcheck.search import _linear, _pipeline

if TYPE_CHECKING:
    from trustcheck.robustness._flip import Flip
    from trustcheck.search._attack import Search
    from trustcheck.search._space import Space
    from trustcheck.subject import Subject

#: A point on the very boundary is moved beyond it by these parts of its way, one after the other.
BEYOND = (0.0, 1e-6, 1e-4, 1e-2)
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
    """Return "linear" for models that may be readable as such, before any work is done."""
    _, final = _pipeline.unwrap(subject.native)
    name = type(final).__name__
    if name in _linear.CLASSIFIERS | _linear.REGRESSORS:
        return "linear"
    return None


def read(subject: Subject, space: Space, flip: Flip) -> White | str:
    """Read the model around some rows, or say in plain words why that cannot be done."""
    steps = _pipeline.read(subject.native, space.frame, subject.own)
    if isinstance(steps, str):
        return steps
    most = flip.most if subject.task == "regression" else None
    linear = _linear.read(space, steps, flip.base, subject.classes, most)
    if isinstance(linear, str):
        return linear
    lower, points = _linear.solve(space, linear)
    rows = np.arange(len(lower))
    ways = [np.where(space.categorical, points, space.own + (points - space.own) * (1 + more))
            for more in BEYOND]  # fmt: skip
    points = np.stack([space.snap(rows, way) for way in ways], axis=1)
    return White("a linear model", lower, points, np.abs(linear.slopes).max(axis=1) + linear.drops.max(axis=1))


def send(search: Search, white: White) -> None:
    """Ask the model about the points, one of a row after the other until one flips."""
    rows = np.flatnonzero(np.isfinite(white.lower))
    for turn in range(white.points.shape[1]):
        rows = rows[~np.isfinite(search.distance[rows])]
        if rows.size:
            search.margins(rows, white.points[rows, turn])
