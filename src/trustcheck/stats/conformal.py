"""Split conformal prediction: scores, thresholds, and what coverage they owe."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from trustcheck.stats.intervals import Interval
from trustcheck.stats.worst import worst_share

Floats = NDArray[np.float64]


def adaptive_scores(probabilities: ArrayLike, uniform: ArrayLike) -> Floats:
    """Adaptive prediction scores: the probability of all likelier classes and a random part of one.

    Parameters
    ----------
    probabilities
        Shape (n, classes).
    uniform
        Shape (n,), drawn from [0, 1].

    Returns
    -------
    array, shape (n, classes)
        For true probabilities the score of the true class is uniform on [0, 1], given the inputs:
        a threshold then covers every kind of row equally.

    References
    ----------
    Romano, Sesia and Candes (2020), Classification with valid and adaptive coverage.

    Examples
    --------
    >>> adaptive_scores([[0.25, 0.75]], [0.5]).tolist()
    [[0.875, 0.375]]
    """
    p = np.asarray(probabilities, dtype=float)
    order = np.argsort(-p, axis=1, kind="stable")
    ranked = np.take_along_axis(p, order, axis=1)
    ahead = np.cumsum(ranked, axis=1) - ranked
    scores = np.empty_like(p)
    part = np.asarray(uniform, dtype=float)[:, None] * ranked
    np.put_along_axis(scores, order, ahead + part, axis=1)
    return scores


def threshold(scores: ArrayLike, level: float, *, others: bool = False) -> float:
    """Smallest threshold that covers an exchangeable row with a chance of at least `level`.

    Parameters
    ----------
    scores
        Scores of the true answers of the calibration rows, shape (n,).
    level
        Inside (0, 1).
    others
        Compare each of these very rows with the threshold of the n - 1 others, which comes to
        one threshold for all; else the threshold is for new rows.

    Returns
    -------
    float
        The ``ceil((n + 1) level)``-th smallest score (``ceil(n level)`` with `others`); infinite
        where n is too small for that.

    References
    ----------
    Vovk, Gammerman and Shafer (2005), Algorithmic learning in a random world.

    Examples
    --------
    >>> threshold(range(1, 20), 0.9), threshold(range(1, 21), 0.9, others=True)
    (18.0, 18.0)
    """
    ordered = np.sort(np.asarray(scores, dtype=float))
    place = _place(len(ordered) - others, level)
    return float(ordered[place - 1]) if place <= len(ordered) else math.inf


def new_band(
    rows: ArrayLike, calibration: int, level: float, *, chance: float = 0.95
) -> tuple[Floats, Floats]:
    """Coverage that chance gives to new exchangeable rows: the exact beta-binomial law.

    Parameters
    ----------
    rows
        Rows evaluated, shape (k,).
    calibration
        Rows the threshold was found on, enough for a finite one.
    level
        Coverage promised, inside (0, 1).
    chance
        With at least this chance the coverage lies inside the band.

    Returns
    -------
    (low, high)
        Shares of rows covered, both inside the band.

    References
    ----------
    Vovk (2012), Conditional validity of inductive conformal predictors; Angelopoulos and Bates
    (2023), Conformal prediction: a gentle introduction.

    Examples
    --------
    >>> low, high = new_band([100], 999, 0.9)
    >>> float(low[0]), float(high[0])
    (0.83, 0.96)
    """
    size = np.asarray(rows, dtype=np.int64)
    place = _place(calibration, level)
    return _band(stats.betabinom(size, place, calibration + 1 - place), size, chance)


def shared_band(
    rows: ArrayLike, n: int, covered: int, *, chance: float = 0.95
) -> tuple[Floats, Floats]:
    """Coverage that chance gives to groups of the calibration rows: the exact hypergeometric law.

    Parameters
    ----------
    rows
        Rows of each group, shape (k,).
    n, covered
        Rows in all, and how many of them are covered.
    chance
        As in `new_band`, and so is the return.

    Examples
    --------
    >>> low, high = shared_band([100], 1000, 900)
    >>> float(low[0]), float(high[0])
    (0.84, 0.95)
    """
    size = np.asarray(rows, dtype=np.int64)
    return _band(stats.hypergeom(n, covered, size), size, chance)


def effective_rows(rows: ArrayLike, calibration: int) -> Floats:
    """Independent rows that would tell coverage as precisely, the threshold being estimated too.

    The beta-binomial variance is that of a binomial with so many rows.

    Examples
    --------
    >>> effective_rows([100], 97).round().tolist()
    [50.0]
    """
    size = np.asarray(rows, dtype=float)
    return np.asarray(size / (1 + (size - 1) / (calibration + 2)))


def shortfall(missed: ArrayLike, n: ArrayLike, promised: float) -> Interval:
    """Coverage promised less coverage found, in the worst of several groups.

    Parameters
    ----------
    missed, n
        Effective counts and sizes, shape (k,), sizes above 0.
    promised
        Coverage, inside (0, 1).

    Returns
    -------
    Interval
        See `worst_share`; negative where every group is covered better than promised.

    Examples
    --------
    >>> print("{:.2f} in [{:.2f}, {:.2f}]".format(*shortfall([10, 30], [100, 100], 0.9)))
    0.20 in [0.11, 0.30]
    """
    return Interval(*(end - (1 - promised) for end in worst_share(missed, n)))


def _band(law: Any, size: NDArray[np.int64], chance: float) -> tuple[Floats, Floats]:
    tail = (1 - chance) / 2
    return law.ppf(tail) / size, law.ppf(1 - tail) / size


def _place(n: int, level: float) -> int:
    return math.ceil((n + 1) * level - 1e-9)  # rounding must not add a place
