"""Shares of classes in data without labels, from how often each class is predicted there."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

from trustcheck.stats._shares import half_sum_quantile
from trustcheck.stats.intervals import Interval, z_value

Floats = NDArray[np.float64]


class LabelShift(NamedTuple):
    """Estimated classes of the given rows.

    Attributes
    ----------
    distance
        Total variation between the classes of the reference and those estimated.
    shares
        Estimated share of each class, arrays of shape (k,): below 0 or above 1 by chance.
    weights
        Share over that in the reference, arrays of shape (k,): how to weigh its rows.
    condition
        Condition number of the confusion matrix: errors may grow by so much.
    """

    distance: Interval
    shares: Interval
    weights: Interval
    condition: float


def black_box_shift(
    confusion: ArrayLike, predicted: ArrayLike, *, level: float = 0.95
) -> LabelShift:
    """Solve for the shares of classes under which the model would predict as it does.

    Holds if only the shares of the classes changed, not what rows of a class look like.

    Parameters
    ----------
    confusion
        Reference counts, predicted class x true class, shape (k, k); every class must occur.
    predicted
        Given rows per predicted class, shape (k,).
    level
        Confidence level, inside (0, 1).

    Returns
    -------
    LabelShift
        Intervals by the delta method: both tables are samples. The distance's interval adds and
        takes off the quantile of the distance of the errors (triangle inequality).

    Raises
    ------
    ValueError
        If a class never occurs, or the predictions cannot tell two classes apart.

    References
    ----------
    Lipton, Wang and Smola (2018), Detecting and correcting for label shift with black box
    predictors.

    Examples
    --------
    >>> found = black_box_shift([[80, 20], [20, 80]], [68, 32])
    >>> found.shares.value.round(2).tolist(), round(found.condition, 2)
    ([0.8, 0.2], 1.67)
    """
    table, seen = np.asarray(confusion, dtype=float), np.asarray(predicted, dtype=float)
    per_class, n, m = table.sum(axis=0), table.sum(), seen.sum()
    if not (per_class > 0).all():
        raise ValueError("every class needs rows in the reference")
    given = table / per_class
    condition = float(np.linalg.cond(given))
    if not condition < 1e8:
        raise ValueError("the predictions cannot tell the classes apart")
    before, mu = per_class / n, seen / m
    inverse = np.linalg.inv(given)
    shares = inverse @ mu
    noise = _multinomial(mu) / m
    for k, share in enumerate(shares):
        noise = noise + share**2 * _multinomial(given[:, k]) / per_class[k]
    of_shares = inverse @ noise @ inverse.T
    of_change = of_shares + _multinomial(before) / n
    distance = float(np.abs(shares - before).sum() / 2)
    reach = half_sum_quantile(of_change, 2 * float(special.ndtr(-z_value(level))))
    z = z_value(level)
    sd = np.sqrt(np.diag(of_shares))
    weights = shares / before
    # The shares of the reference err too, apart from the rest.
    spread = np.sqrt(np.diag(of_shares) + weights**2 * before * (1 - before) / n) / before
    return LabelShift(
        Interval(*np.clip([distance, distance - reach, distance + reach], 0.0, 1.0).tolist()),
        Interval(shares, shares - z * sd, shares + z * sd),
        Interval(weights, weights - z * spread, weights + z * spread),
        condition,
    )


def _multinomial(shares: Floats) -> Floats:
    return np.diag(shares) - np.outer(shares, shares)
