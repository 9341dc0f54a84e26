"""Attributions as arithmetic: Shapley walks, deletion orders, and the gain over random orders.

A *walk* replaces the features of a row one after another, until all are replaced. Walks are
described by the place each feature takes in them, 0 for the feature replaced first.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from trustcheck.stats.intervals import Interval, ratio_of_means

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


def places(orders: ArrayLike) -> Ints:
    """Return the place of each feature in each order.

    Parameters
    ----------
    orders
        Shape (..., d): permutations of 0..d-1, the feature replaced first in front.

    Returns
    -------
    array, shape (..., d)

    Examples
    --------
    >>> places([2, 0, 1]).tolist()
    [1, 2, 0]
    """
    return np.argsort(np.asarray(orders, dtype=np.int64), axis=-1)


def falling_places(attributions: ArrayLike, ties: ArrayLike) -> Ints:
    """Return the place of each feature when the largest attribution goes first.

    Parameters
    ----------
    attributions
        Shape (..., d), signed.
    ties
        Shape (..., d), random numbers: equal attributions are ordered by them, so that an
        explanation that says nothing is a random order and not that of the columns.

    Returns
    -------
    array, shape (..., d)

    Examples
    --------
    >>> falling_places([0.1, 0.7, -0.3, 0.1], ties=[0.9, 0.5, 0.5, 0.2]).tolist()
    [2, 0, 3, 1]
    """
    phi, order = np.asarray(attributions, dtype=float), np.asarray(ties, dtype=float)
    return places(np.lexsort((order, -phi), axis=-1))


def cuts(d: int, steps: int) -> Ints:
    """Return how many features are replaced at each step between none and all.

    Parameters
    ----------
    d
        Features.
    steps
        Most steps from none to all; with fewer features each is a step of its own.

    Returns
    -------
    array, shape (min(d, steps) - 1,)

    Examples
    --------
    >>> cuts(4, 10).tolist(), cuts(100, 5).tolist()
    ([1, 2, 3], [20, 40, 60, 80])
    """
    count = min(d, steps)
    return np.round(np.arange(1, count) * d / count).astype(np.int64)


def walk_contributions(place: ArrayLike, outputs: ArrayLike) -> Floats:
    """Return how much the output falls when a walk replaces each feature.

    The mean over random walks is the Shapley value of the game whose pay-off is the output with
    the features outside a coalition replaced.

    Parameters
    ----------
    place
        Shape (..., d): place of each feature in the walk.
    outputs
        Shape (..., d + 1): output with the first 0, 1, ..., d features replaced.

    Returns
    -------
    array, shape (..., d)
        Sums to the output before less the output after the walk.

    References
    ----------
    Castro, Gomez and Tejada (2009), Polynomial calculation of the Shapley value based on
    sampling; Strumbelj and Kononenko (2014), Explaining prediction models and individual
    predictions with feature contributions.

    Examples
    --------
    >>> walk_contributions([1, 0], [5.0, 4.0, 1.0]).tolist()
    [3.0, 1.0]
    """
    falls = -np.diff(np.asarray(outputs, dtype=float), axis=-1)
    return np.take_along_axis(falls, np.asarray(place, dtype=np.int64), axis=-1)


def deletion_gain(
    explained: ArrayLike,
    random: ArrayLike,
    best: ArrayLike,
    *,
    weights: ArrayLike | None = None,
    clusters: ArrayLike | None = None,
    level: float = 0.95,
) -> Interval:
    """Return how much of the possible head start over random orders an explanation achieves.

    ``sum (explained - random) / sum (best - random)``. With curves measured from the lowest
    output a row reaches, the area left under the random curve is ``best - random`` and that
    under the deletion curve ``best - explained``; so this is (AUC_random - AUC_deletion) /
    AUC_random, whatever the level of the output.

    Parameters
    ----------
    explained
        Shape (n,): mean fall of each row's output along its walk in explained order.
    random
        Shape (n,): the same along random orders of the same row with the same donors.
    best
        Shape (n,): largest fall seen on the row, at least the other two.
    weights, clusters
        As in `intervals.ratio_of_means`.
    level
        Confidence level, inside (0, 1).

    Returns
    -------
    Interval
        0 in expectation for attributions unrelated to the model, at most 1 (the first step does
        it all), below 0 if worse than random.

    Raises
    ------
    ValueError
        If `best` nowhere exceeds `random`: no order can be told from another.

    References
    ----------
    Petsiuk, Das and Saenko (2018), RISE: randomized input sampling for explanation of black-box
    models (deletion); interval by the delta method, Cochran (1977), section 6.3.

    Examples
    --------
    >>> round(deletion_gain([0.5, 0.3, 0.4], [0.3, 0.2, 0.2], [0.6, 0.3, 0.5]).value, 3)
    0.714
    """
    first, control, most = (np.asarray(a, dtype=float) for a in (explained, random, best))
    got = ratio_of_means(
        first - control, most - control, weights=weights, clusters=clusters, level=level
    )
    return Interval(min(float(got.value), 1.0), min(float(got.low), 1.0), min(float(got.high), 1.0))
