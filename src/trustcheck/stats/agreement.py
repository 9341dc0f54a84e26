"""How alike two explanations of the same rows are, and how much of it chance would give."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from trustcheck.stats.intervals import Interval, bounded_mean, ratio_of_means

Floats = NDArray[np.float64]

#: What no row misses by more than is a matter of rounding, as a share of what chance would miss by.
_ROUNDED = 1e-9


def beyond_chance(
    miss: ArrayLike,
    chance: ArrayLike,
    *,
    least: float | None = None,
    weights: ArrayLike | None = None,
    clusters: ArrayLike | None = None,
    level: float = 0.95,
) -> Interval:
    """Return 1 - mean(miss) / mean(chance): 0 for what chance would give, 1 without a miss.

    Parameters
    ----------
    miss
        Shape (n,), at least 0: how far each row is from perfect.
    chance
        Shape (n,), at least 0: how far chance would leave it.
    least
        The least the number can be, if it cannot be any.
    weights, clusters
        As in `intervals.ratio_of_means`.
    level
        Confidence level, inside (0, 1).

    Returns
    -------
    Interval
        At most 1. Where no row misses, the spread says nothing, and the lower end is Wilson's for
        rows of which none missed as far as chance would.

    Raises
    ------
    ValueError
        If chance leaves no row short of perfect.

    References
    ----------
    The form of kappa, Cohen (1960); interval by the delta method, Cochran (1977), section 6.3.

    Examples
    --------
    >>> round(beyond_chance([0.1, 0.2, 0.0], [0.5, 0.6, 0.4]).value, 3)
    0.8
    """
    got = ratio_of_means(miss, chance, weights=weights, clusters=clusters, level=level)
    ends = np.array([1 - got.value, 1 - got.high, 1 - got.low])
    counted = np.asarray(chance, dtype=float) * (1.0 if weights is None else np.asarray(weights))
    if got.value < _ROUNDED and np.max(miss) < _ROUNDED * np.max(chance):
        ends[1] -= bounded_mean(0 * counted, weights=counted, clusters=clusters, level=level).high
    return Interval(*np.clip(ends, least, 1.0).tolist())


def repeatability(
    one: ArrayLike, two: ArrayLike, weights: ArrayLike | None = None
) -> tuple[Floats, Floats]:
    """Return miss and chance of a mean of two measurements, for `beyond_chance`.

    The result is the split-half reliability of the mean: 1 less the variance that the two do not
    share, over the variance between rows. With vectors the variances are summed over components.

    Parameters
    ----------
    one, two
        Shape (n, d), n at least 2: two independent measurements of each row.
    weights
        Shape (n,), not negative: what each row counts in the mean explanation.

    References
    ----------
    Spearman (1910), Brown (1910).

    Examples
    --------
    >>> miss, chance = repeatability([[1.0], [2], [3]], [[1.2], [1.8], [3.0]])
    >>> round(beyond_chance(miss, chance).value, 3)
    0.993
    """
    first, second = np.asarray(one, dtype=float), np.asarray(two, dtype=float)
    middle = (first + second) / 2
    weights = None if weights is None else np.asarray(weights, dtype=float)
    between = ((middle - np.average(middle, axis=0, weights=weights)) ** 2).sum(axis=1)
    return ((first - second) ** 2).sum(axis=1) / 4, between * len(first) / (len(first) - 1)


def concordance(
    one: ArrayLike, two: ArrayLike, weights: ArrayLike | None = None
) -> tuple[Floats, Floats]:
    """Return miss and chance of two measurements of each row, for `beyond_chance`.

    The result is Fisher's intraclass correlation: 1 if both are equal on every row, 0 if they are
    as far apart as those of two different rows, summed over components.

    Parameters
    ----------
    one, two
        Shape (n, d).
    weights
        As in `repeatability`.

    References
    ----------
    Fisher (1925), Statistical Methods for Research Workers, section 38.

    Examples
    --------
    >>> miss, chance = concordance([[1.0], [2], [3]], [[1.0], [2], [3.5]])
    >>> round(beyond_chance(miss, chance).value, 3)
    0.952
    """
    first, second = np.asarray(one, dtype=float), np.asarray(two, dtype=float)
    weights = None if weights is None else np.asarray(weights, dtype=float)
    middle = np.average((first + second) / 2, axis=0, weights=weights)
    apart = (first - middle) ** 2 + (second - middle) ** 2
    return ((first - second) ** 2).sum(axis=1), apart.sum(axis=1)


def shared_weight(one: ArrayLike, two: ArrayLike) -> tuple[Floats, Floats]:
    """Return miss and chance of two explanations of each row, for `beyond_chance`.

    Each explanation is a weight per feature, scaled so that the absolute weights of a row add up
    to 1. Shared is what both give to the same feature with the same sign: with absolute weights p
    and q, the sum of min(p, q). Chance is the mean of that over all permutations of the features
    of one of them. The result is 1 if both spread their weight alike, 0 if no more than by chance.

    Parameters
    ----------
    one, two
        Shape (n, d), signed; their scales may differ, from row to row too.

    References
    ----------
    Krishna et al. (2022), The disagreement problem in explainable machine learning, measure
    disagreement; the sum of minima is 1 less the total variation distance.

    Examples
    --------
    >>> miss, chance = shared_weight([[3.0, 1.0, 0.0]], [[6.0, -2.0, 0.0]])
    >>> miss.tolist(), chance.round(3).tolist()
    ([0.25], [0.667])
    """
    first, second = (_scaled(np.asarray(values, dtype=float)) for values in (one, two))
    pairs = [_common(a[:, None], b[None, :]) for a, b in zip(first, second, strict=True)]
    shared = np.array([np.trace(pair) for pair in pairs])
    chance = np.array([pair.sum() / len(pair) for pair in pairs])
    says = (np.abs(first).sum(axis=1) + np.abs(second).sum(axis=1)) > 0  # either names a feature
    return np.where(says, np.maximum(1 - shared, 0.0), 0.0), np.where(says, 1 - chance, 0.0)


def top_shared(one: ArrayLike, two: ArrayLike, k: int) -> Floats:
    """Return the share of the k largest weights of each row that both explanations name.

    Examples
    --------
    >>> top_shared([[3.0, -2.0, 1.0]], [[1.0, 0.0, 3.0]], k=2).tolist()
    [0.5]
    """
    named = []
    for values in (one, two):
        size = np.abs(np.asarray(values, dtype=float))
        top = np.argsort(-size, axis=1, kind="stable")[:, :k]
        chosen = np.zeros(size.shape, dtype=bool)
        np.put_along_axis(chosen, top, values=True, axis=1)
        named.append(chosen)
    return (named[0] & named[1]).sum(axis=1) / k


def _scaled(values: Floats) -> Floats:
    whole = np.abs(values).sum(axis=1, keepdims=True)
    return np.divide(values, whole, out=np.zeros_like(values), where=whole > 0)


def _common(one: Floats, two: Floats) -> Floats:
    least: Floats = np.where(one * two > 0, np.minimum(np.abs(one), np.abs(two)), 0.0)
    return least
