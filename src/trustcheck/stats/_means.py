"""Intervals for means, ratios of means and medians of rows, with weights and clusters.

Variances are linearised: the mean of weighted rows varies like the sum of its residuals, and
rows of one cluster count as one draw. Weights are sampling weights; their scale is irrelevant,
and rows of weight 0 are left out.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

from trustcheck.stats._proportions import Interval, wilson, z_value

Floats = NDArray[np.float64]


def mean(
    values: ArrayLike,
    *,
    weights: ArrayLike | None = None,
    clusters: ArrayLike | None = None,
    level: float = 0.95,
) -> Interval:
    """Student t interval of a mean.

    Constant values give an interval of no width: for shares and other bounded values, where that
    would claim too much, use `bounded_mean`.

    Parameters
    ----------
    values
        Shape (n,).
    weights
        Shape (n,), not negative.
    clusters
        Shape (n,), integer codes: rows with the same code may depend on one another.
    level
        Confidence level, inside (0, 1).

    Returns
    -------
    Interval
        In the unit of `values`; all nan without rows, and infinitely wide with a single row or
        cluster. Degrees of freedom: rows (or clusters) less one.

    Raises
    ------
    ValueError
        If the arrays differ in length or a weight is negative.

    References
    ----------
    Student (1908); for clusters Liang and Zeger (1986), with the factor G / (G - 1).

    Examples
    --------
    >>> from trustcheck.stats.intervals import mean
    >>> print("{:.2f} in [{:.2f}, {:.2f}]".format(*mean([1.0, 2.0, 3.0, 4.0])))
    2.50 in [0.45, 4.55]
    """
    return ratio_of_means(
        values, np.ones(np.shape(values)), weights=weights, clusters=clusters, level=level
    )


def ratio_of_means(
    numerator: ArrayLike,
    denominator: ArrayLike,
    *,
    weights: ArrayLike | None = None,
    clusters: ArrayLike | None = None,
    level: float = 0.95,
) -> Interval:
    """Interval of the mean of one variable over the mean of another, by the delta method.

    Parameters
    ----------
    numerator, denominator
        Shape (n,): both variables of the same rows.
    weights
        Shape (n,), not negative.
    clusters
        Shape (n,), integer codes: rows with the same code may depend on one another.
    level
        Confidence level, inside (0, 1).

    Returns
    -------
    Interval
        In units of `numerator` per `denominator`; all nan without rows, and infinitely wide with
        a single row or cluster. Degrees of freedom: rows (or clusters) less one.

    Raises
    ------
    ValueError
        If the mean of the denominator is 0, the arrays differ in length or a weight is negative.

    References
    ----------
    Cochran (1977), Sampling Techniques, section 6.3.

    Examples
    --------
    >>> from trustcheck.stats.intervals import ratio_of_means
    >>> print("{:.2f} in [{:.2f}, {:.2f}]".format(*ratio_of_means([2, 3, 7], [1, 2, 3])))
    2.00 in [0.76, 3.24]
    """
    z_value(level)  # refuses a bad level before anything else
    (top, bottom), w, codes = _rows([numerator, denominator], weights, clusters)
    if not w.size:
        return Interval(np.nan, np.nan, np.nan)
    total = float(w @ bottom)
    if total == 0:
        raise ValueError("the mean of the denominator is 0, so the ratio is undefined")
    ratio = float(w @ top) / total
    variance, draws = _variance(w * (top - ratio * bottom) / total, codes)
    if draws == 1:
        return Interval(ratio, -np.inf, np.inf)
    half = float(special.stdtrit(draws - 1, 0.5 + level / 2)) * variance**0.5
    return Interval(ratio, ratio - half, ratio + half)


def bounded_mean(
    values: ArrayLike,
    *,
    weights: ArrayLike | None = None,
    clusters: ArrayLike | None = None,
    level: float = 0.95,
    draws: int = 1,
) -> Interval:
    """Wilson interval of the mean of values in [0, 1], at their effective sample size.

    The effective size is the number of independent 0/1 rows that would estimate the mean as
    precisely. Unweighted, unclustered 0/1 values give exactly the Wilson interval.

    Parameters
    ----------
    values
        Shape (n,), inside [0, 1].
    weights
        Shape (n,), not negative.
    clusters
        Shape (n,), integer codes: rows with the same code may depend on one another.
    level
        Confidence level, inside (0, 1).
    draws
        How many 0/1 draws each value is the mean of; the effective size is at most n * draws.

    Returns
    -------
    Interval
        Inside [0, 1]; all nan without rows.

    Raises
    ------
    ValueError
        If a value lies outside [0, 1], the arrays differ in length or a weight is negative.

    Notes
    -----
    ``n_eff = n / deff`` with ``deff`` the linearised variance over ``p (1 - p) / (n - 1)``,
    times ``(t_{n-1} / t_{G-1})^2`` for G clusters, kept inside [1, n * draws]. Where the variance
    says nothing (all values equal, or all cluster totals in balance) it is Kish's
    ``(sum w)^2 / sum w^2`` over rows, or over clusters.

    References
    ----------
    Korn and Graubard (1998), Confidence intervals for proportions with small expected number of
    positive counts estimated from survey data; Kish (1965), Survey Sampling.

    Examples
    --------
    >>> from trustcheck.stats.intervals import bounded_mean
    >>> print("{:.3f} in [{:.3f}, {:.3f}]".format(*bounded_mean([0, 0, 0, 1, 0, 0, 0, 0])))
    0.125 in [0.022, 0.471]
    """
    p, size = _effective(values, weights, clusters, level, draws)
    return wilson(p * size, size, level=level)


def effective_size(
    indicator: ArrayLike,
    *,
    weights: ArrayLike | None = None,
    clusters: ArrayLike | None = None,
    level: float = 0.95,
) -> float:
    """Independent, equally weighted rows that would estimate a share as precisely as these do.

    Parameters
    ----------
    indicator
        Shape (n,), 0 or 1 (or inside [0, 1]).
    weights
        Shape (n,), not negative.
    clusters
        Shape (n,), integer codes: rows with the same code may depend on one another.
    level
        Confidence level of the interval meant; matters for few clusters only.

    Returns
    -------
    float
        Inside [1, n], as in `bounded_mean`; 0 without rows.

    Raises
    ------
    ValueError
        If a value lies outside [0, 1], the arrays differ in length or a weight is negative.

    References
    ----------
    Korn and Graubard (1998); Kish (1965), Survey Sampling.

    Examples
    --------
    >>> from trustcheck.stats.intervals import effective_size
    >>> round(effective_size([0, 1, 1, 0, 1]), 9)
    5.0
    >>> round(effective_size([1, 1, 1, 1], weights=[3, 1, 1, 1]), 9)
    3.0
    """
    return _effective(indicator, weights, clusters, level, 1)[1]


def median(values: ArrayLike, *, level: float = 0.95) -> Interval:
    """Median with a distribution-free interval between two order statistics.

    Parameters
    ----------
    values
        Shape (n,).
    level
        Confidence level, inside (0, 1).

    Returns
    -------
    Interval
        In the unit of `values`; all nan without rows. Coverage is at least `level`, save where n
        is too small for that (n < 6 at 0.95): then the ends are the smallest and largest value.

    References
    ----------
    Conover (1999), Practical Nonparametric Statistics, section 3.2.

    Examples
    --------
    >>> from trustcheck.stats.intervals import median
    >>> median([3.0, 1.0, 4.0, 1.5, 9.0, 2.0, 6.0])
    Interval(value=3.0, low=1.0, high=9.0)
    """
    tail = float(special.ndtr(-z_value(level)))
    ordered = np.sort(np.asarray(values, dtype=float))
    n = len(ordered)
    if not n:
        return Interval(np.nan, np.nan, np.nan)
    # The most rows to leave out at either end; bdtrik inverts the binomial cdf, and is 0 if even
    # P(no row below the median) exceeds the tail.
    cut = int(special.bdtrik(tail, n, 0.5))
    return Interval(float(np.median(ordered)), float(ordered[cut]), float(ordered[n - 1 - cut]))


def _rows(
    columns: list[ArrayLike], weights: ArrayLike | None, clusters: ArrayLike | None
) -> tuple[list[Floats], Floats, NDArray[np.int64] | None]:
    """Columns and weights of the rows that count, and their clusters numbered from 0."""
    arrays = [np.asarray(c, dtype=float) for c in columns]
    w = np.ones(len(arrays[0])) if weights is None else np.asarray(weights, dtype=float)
    codes = None if clusters is None else np.asarray(clusters)
    if len({a.shape for a in (*arrays, w, *([] if codes is None else [codes]))}) > 1:
        raise ValueError("values, weights and clusters must have the same length")
    if np.any(w < 0):
        raise ValueError("weights must not be negative")
    counts = w > 0
    if codes is not None:
        codes = np.unique(codes[counts], return_inverse=True)[1]
    return [a[counts] for a in arrays], w[counts], codes


def _variance(residuals: Floats, codes: NDArray[np.int64] | None) -> tuple[float, int]:
    """Variance of the sum of residuals that add up to 0, and its number of independent draws."""
    totals = residuals if codes is None else np.bincount(codes, residuals)
    draws = len(totals)
    return float(totals @ totals) * draws / max(draws - 1, 1), draws


def _effective(
    values: ArrayLike,
    weights: ArrayLike | None,
    clusters: ArrayLike | None,
    level: float,
    draws: int,
) -> tuple[float, float]:
    """Mean and effective size (see `bounded_mean`)."""
    (v,), w, codes = _rows([values], weights, clusters)
    if not np.all((v >= 0) & (v <= 1)):
        raise ValueError("values must lie between 0 and 1")
    if not v.size:
        return np.nan, 0.0
    n, share = len(v), w / w.sum()
    p = min(float(share @ v), 1.0)  # rounding must not push it past 1
    spread = p * (1 - p)
    variance, groups = _variance(share * (v - p), codes)
    if variance <= 1e-12 * spread / n or groups == 1:
        totals = share if codes is None else np.bincount(codes, share)
        return p, max(float(1 / (totals @ totals)), 1.0)
    few = special.stdtrit(n - 1, 0.5 + level / 2) / special.stdtrit(groups - 1, 0.5 + level / 2)
    size = float(n / (n - 1) * spread / variance * few**2)
    return p, min(max(size, 1.0), float(n * draws))
