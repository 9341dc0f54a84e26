"""Skill over an answer that ignores the inputs: 0 for any constant or random guess, 1 if perfect."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from trustcheck.stats.intervals import (
    Interval,
    effective_size,
    mover_sum,
    ratio_of_means,
    wilson,
)

if TYPE_CHECKING:
    from numpy.typing import ArrayLike


def balanced_skill(successes: ArrayLike, n: ArrayLike, *, level: float = 0.95) -> Interval:
    """Return balanced accuracy rescaled so that chance is 0 and perfection is 1.

    ``(mean recall - 1/K) / (1 - 1/K)`` over the K classes present; for two classes this is
    Youden's J (Youden 1950). Any answer that ignores the inputs, whatever the class shares, has
    an expected skill of exactly 0. The interval combines Wilson intervals of the recalls
    (MOVER; Zou & Donner 2008).

    Parameters
    ----------
    successes, n : array-like, shape (K,)
        Rows of each class predicted rightly, and rows of each class; effective sizes allowed.
        Classes without rows are left out.

    Returns
    -------
    Interval

    Raises
    ------
    ValueError
        If fewer than two classes have rows.

    Examples
    --------
    >>> round(balanced_skill([90, 80], [100, 100]).value, 3)
    0.7
    """
    hits, sizes = np.asarray(successes, dtype=float), np.asarray(n, dtype=float)
    present = sizes > 0
    k = int(present.sum())
    if k < 2:
        raise ValueError("balanced skill needs rows of at least two classes")
    recall = wilson(hits[present], sizes[present], level=level)
    mean = mover_sum(recall.value, recall.low, recall.high, weights=np.full(k, 1 / k))
    value, low, high = ((float(end) - 1 / k) / (1 - 1 / k) for end in mean)
    return Interval(value, max(low, -1 / (k - 1)), min(high, 1.0))


def weighted_skill(
    truth: np.ndarray,
    predicted: np.ndarray,
    k: int,
    *,
    weights: np.ndarray | None = None,
    clusters: np.ndarray | None = None,
    level: float = 0.95,
) -> Interval:
    """Balanced skill of predicted classes, row by row.

    Parameters
    ----------
    truth, predicted : ndarray, shape (n,)
        Codes from 0 to ``k - 1``.
    k : int
        Number of classes.
    weights, clusters : ndarray, shape (n,), optional
        As in `intervals.bounded_mean`.

    Raises
    ------
    ValueError
        If fewer than two classes have rows.

    Examples
    --------
    >>> truth, predicted = np.array([0, 0, 1, 1]), np.array([0, 0, 1, 0])
    >>> weighted_skill(truth, predicted, 2).value
    0.5
    """
    right, hits, sizes = (truth == predicted).astype(float), np.zeros(k), np.zeros(k)
    for code in range(k):
        at = truth == code if weights is None else (truth == code) & (weights > 0)
        if at.any():
            own = None if weights is None else weights[at]
            together = None if clusters is None else clusters[at]
            sizes[code] = effective_size(right[at], weights=own, clusters=together, level=level)
            hits[code] = sizes[code] * np.average(right[at], weights=own)
    return balanced_skill(hits, sizes, level=level)


def squared_skill(
    error: np.ndarray,
    baseline_error: np.ndarray,
    *,
    weights: np.ndarray | None = None,
    clusters: np.ndarray | None = None,
    level: float = 0.95,
) -> Interval:
    """Return 1 - mean(error^2) / mean(baseline_error^2): R^2 against a given constant answer.

    Parameters
    ----------
    error, baseline_error : ndarray, shape (n,)
        Residuals of the model and of the constant.

    Raises
    ------
    ValueError
        If the baseline makes no error at all.

    Examples
    --------
    >>> truth, model = np.array([1.0, 2, 3, 4]), np.array([1.1, 2.1, 2.9, 3.9])
    >>> round(squared_skill(truth - model, truth - truth.mean()).value, 3)
    0.992
    """
    share = ratio_of_means(
        error**2, baseline_error**2, weights=weights, clusters=clusters, level=level
    )
    return Interval(1 - share.value, 1 - share.high, min(1 - share.low, 1.0))
