"""Summaries of a whole table of labels against predictions, with intervals."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

from trustcheck.stats.intervals import Interval, effective_size, wilson, z_value

Floats = NDArray[np.float64]

#: Tables drawn for an interval, and cells drawn in all where classes are many.
_DRAWS, _CELLS = 4000, 8_000_000


def f1(true_positive: float, counted: float, *, level: float = 0.95) -> Interval:
    """F1 of one class: a monotone function of the share ``TP / (TP + FP + FN)``.

    Parameters
    ----------
    true_positive, counted
        Rows of the class predicted as it, and rows that are of the class or predicted as it;
        effective sizes allowed. `counted` is above 0.
    level
        Confidence level, inside (0, 1).

    Returns
    -------
    Interval
        Inside [0, 1]: the Wilson interval of the share (Jaccard's index j), as 2 j / (1 + j).

    References
    ----------
    van Rijsbergen (1979), Information Retrieval; Wilson (1927).

    Examples
    --------
    >>> print("{:.2f} in [{:.2f}, {:.2f}]".format(*f1(60, 80)))
    0.86 in [0.78, 0.91]
    """
    ends = np.array(wilson(true_positive, counted, level=level), dtype=float)
    return Interval(*(2 * ends / (1 + ends)).tolist())


def matthews(table: ArrayLike) -> Floats:
    """Matthews' correlation of labels and predictions (Matthews 1975; Gorodkin 2004 for k > 2).

    Parameters
    ----------
    table
        Shape (..., k, k): rows (or weight) by label and prediction.

    Returns
    -------
    array, shape (...)
        Inside [-1, 1]; 0 where labels or predictions are all alike.

    Examples
    --------
    >>> round(float(matthews([[40, 10], [10, 40]])), 12)
    0.6
    """
    right, label, prediction = _shares(table)
    chance = (label * prediction).sum(axis=-1)
    both = (1 - (label**2).sum(axis=-1)) * (1 - (prediction**2).sum(axis=-1))
    spread = both > 1e-15
    return np.asarray(np.where(spread, (right - chance) / np.where(spread, both, 1) ** 0.5, 0.0))


def kappa(table: ArrayLike) -> Floats:
    """Cohen's kappa: agreement beyond that of independent answers (Cohen 1960).

    Parameters
    ----------
    table
        As in `matthews`.

    Returns
    -------
    array, shape (...)
        Inside [-1, 1]; 0 where labels and predictions are all one class.

    Examples
    --------
    >>> round(float(kappa([[40, 10], [10, 40]])), 12)
    0.6
    """
    right, label, prediction = _shares(table)
    chance = (label * prediction).sum(axis=-1)
    spread = chance < 1 - 1e-15
    return np.asarray(np.where(spread, (right - chance) / np.where(spread, 1 - chance, 1), 0.0))


def macro_f1(table: ArrayLike) -> Floats:
    """Mean over classes of F1; a class that is neither there nor predicted is left out.

    Parameters
    ----------
    table
        As in `matthews`.

    Returns
    -------
    array, shape (...)
        Inside [0, 1].

    Examples
    --------
    >>> round(float(macro_f1([[40, 10], [10, 40]])), 12)
    0.8
    """
    counts = np.asarray(table, dtype=float)
    met = counts.sum(axis=-1) + counts.sum(axis=-2)
    right = 2 * np.diagonal(counts, axis1=-2, axis2=-1)
    each = np.divide(right, met, out=np.zeros_like(met), where=met > 0)
    return np.asarray(each.sum(axis=-1) / (met > 0).sum(axis=-1))


def _shares(table: ArrayLike) -> tuple[Floats, Floats, Floats]:
    """Share that is right, and the shares of labels and of predictions."""
    counts = np.asarray(table, dtype=float)
    share = counts / counts.sum(axis=(-2, -1), keepdims=True)
    right = np.trace(share, axis1=-2, axis2=-1)
    return np.asarray(right), share.sum(axis=-1), share.sum(axis=-2)


def of_table(
    statistic: Callable[[ArrayLike], Floats],
    label: ArrayLike,
    prediction: ArrayLike,
    k: int,
    *,
    weights: ArrayLike | None = None,
    clusters: ArrayLike | None = None,
    level: float = 0.95,
) -> Interval:
    """Interval of a summary of the whole table.

    Parameters
    ----------
    statistic
        Takes tables, shape (..., k, k), of any total.
    label, prediction
        Codes from 0 to k - 1, shape (n,).
    k
        Number of classes.
    weights, clusters
        As in `intervals.bounded_mean`.
    level
        Confidence level, inside (0, 1).

    Returns
    -------
    Interval
        The statistic of the table as it is, and quantiles over tables drawn from the Dirichlet
        distribution around it: a table without errors keeps a width. Draws are the same for the
        same table.

    Notes
    -----
    Prior: half a row per cell for two classes, k rows in all for more. With weights or clusters
    the table counts as many rows as the effective size of the share predicted rightly.

    References
    ----------
    Gelman et al. (2013), Bayesian Data Analysis, section 3.4; Goutte and Gaussier (2005) for such
    intervals of F scores.

    Examples
    --------
    >>> y, guess = [0] * 50 + [1] * 50, [0] * 40 + [1] * 40 + [0] * 20
    >>> print("{:.1f} in [{:.1f}, {:.1f}]".format(*of_table(matthews, y, guess, 2)))
    0.4 in [0.2, 0.6]
    """
    y, guess = np.asarray(label), np.asarray(prediction)
    table = np.bincount(y * k + guess, weights, k * k)
    value = float(statistic(table.reshape(k, k)))
    size = float(len(y))
    if weights is not None or clusters is not None:
        size = effective_size(y == guess, weights=weights, clusters=clusters)
    prior = 0.5 if k == 2 else 1 / k
    shape = table * (size / table.sum()) + prior
    draws = int(np.clip(_CELLS // k**2, 200, _DRAWS))
    drawn = np.random.default_rng(0).gamma(shape, size=(draws, k * k))
    found = statistic(drawn.reshape(-1, k, k))
    low, high = np.quantile(found, [(1 - level) / 2, (1 + level) / 2]).tolist()
    return Interval(value, min(low, value), max(high, value))


def average_precision(scores: ArrayLike, positive: ArrayLike, *, level: float = 0.95) -> Interval:
    """Area under the precision-recall curve, as a step function, with a logit interval.

    Parameters
    ----------
    scores
        Shape (n,).
    positive
        Booleans, shape (n,), of which at least one is true.
    level
        Confidence level, inside (0, 1).

    Returns
    -------
    Interval
        Inside [0, 1].

    Raises
    ------
    ValueError
        If no row is positive.

    References
    ----------
    Boyd, Eng and Page (2013), Area under the precision-recall curve: point estimates and
    confidence intervals (the logit interval, whose size is the number of positive rows).

    Examples
    --------
    >>> average_precision([0.9, 0.8, 0.7, 0.1], [True, False, True, False]).value
    0.8333333333333333
    """
    s, y = np.asarray(scores, dtype=float), np.asarray(positive, dtype=bool)
    if not y.any():
        raise ValueError("average precision needs a positive row")
    order = np.argsort(-s, kind="stable")
    last = np.r_[np.diff(s[order]) != 0, True]  # equal scores enter together
    hits, rows = np.cumsum(y[order])[last], np.flatnonzero(last) + 1
    value = float((np.diff(np.r_[0, hits]) * hits / rows).sum() / y.sum())
    size = float(y.sum())
    middle = (value * size + 0.5) / (size + 1)
    reach = z_value(level) / (size * middle * (1 - middle)) ** 0.5
    low, high = special.expit(special.logit(middle) + np.array([-reach, reach])).tolist()
    return Interval(value, min(low, value), max(high, value))
