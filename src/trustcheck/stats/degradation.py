"""How much of an answer, and of its quality, is left when the inputs are disturbed."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from trustcheck.stats.intervals import (
    Interval,
    bounded_mean,
    effective_size,
    mean,
    median,
    ratio_of_means,
    wilson,
)

Floats = NDArray[np.float64]


def consistency(unchanged: ArrayLike, *, level: float = 0.95) -> Interval:
    """Mean share of unchanged answers, from the rows counted by how many of K draws they kept.

    Parameters
    ----------
    unchanged
        Shape (K + 1,): number of rows in which 0, 1, ..., K of the K draws left the answer alone.
    level
        Confidence level, inside (0, 1).

    Returns
    -------
    Interval
        As `bounded_mean` of the rows' own shares: rows are the evidence, draws within one are not.

    Examples
    --------
    >>> print("{:.3f} in [{:.3f}, {:.3f}]".format(*consistency([2, 6, 192])))
    0.975 in [0.950, 0.988]
    """
    counts = np.asarray(unchanged, dtype=int)
    draws = len(counts) - 1
    return bounded_mean(np.repeat(np.arange(draws + 1) / draws, counts), level=level, draws=draws)


def weighted_median(
    values: ArrayLike,
    *,
    weights: ArrayLike | None = None,
    clusters: ArrayLike | None = None,
    level: float = 0.95,
) -> Interval:
    """Median of rows that carry weights or belong together, with Woodruff's interval.

    The share of rows at or below the median is 1/2 up to sampling error; the interval of that
    share (Wilson, at its effective size) is read back through the weighted distribution. Without
    weights and clusters it is `median`, whose ends are exact.

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
        In the unit of `values`; all nan without rows.

    References
    ----------
    Woodruff (1952), Confidence intervals for medians and other position measures.

    Examples
    --------
    >>> found = weighted_median([1.0, 2.0, 3.0, 10.0], weights=[1, 1, 1, 4])
    >>> found.value, found.low, found.high
    (10.0, 1.0, 10.0)
    """
    if weights is None and clusters is None:
        return median(values, level=level)
    v = np.asarray(values, dtype=float)
    w = np.ones(len(v)) if weights is None else np.asarray(weights, dtype=float)
    if not w.any():
        return Interval(np.nan, np.nan, np.nan)
    order = np.argsort(v, kind="stable")
    order = order[w[order] > 0]
    ordered, below = v[order], np.cumsum(w[order]) / w.sum()

    def quantile(share: float) -> float:
        # The slack keeps a share that is met exactly from being missed by rounding.
        return float(ordered[min(int(np.searchsorted(below, share - 1e-12)), len(ordered) - 1)])

    middle = quantile(0.5)
    size = effective_size(v <= middle, weights=w, clusters=clusters, level=level)
    share = wilson(size / 2, size, level=level)
    return Interval(middle, quantile(share.low), quantile(share.high))


def curve_weights(severities: ArrayLike) -> Floats:
    """Weights of the points of a curve in its mean height from severity 0 to the last one.

    Parameters
    ----------
    severities
        Shape (s,), above 0 and increasing; the curve's point at 0 is known and left out.

    Returns
    -------
    array, shape (s,)
        Trapezoid weights over the last severity; with the weight of the point at 0 they sum to 1.

    Examples
    --------
    >>> curve_weights([0.5, 1.0]).tolist()
    [0.5, 0.25]
    """
    grid = np.concatenate([[0.0], np.asarray(severities, dtype=float)])
    step = np.diff(grid)
    return np.asarray((step + np.append(step[1:], 0.0)) / 2 / grid[-1])


def skill_rows(right: ArrayLike, truth: ArrayLike, weights: ArrayLike | None = None) -> Floats:
    """Return one number per row whose (weighted) mean is the balanced skill.

    Balanced accuracy rescaled so that chance is 0; rows deviate from it by their influence, so
    that ratios of two skills on the same rows get the right variance.

    Parameters
    ----------
    right
        Shape (n,), share of right answers per row, inside [0, 1].
    truth
        Shape (n,), class codes of at least two classes.
    weights
        Shape (n,), not negative.

    Examples
    --------
    >>> rows = skill_rows([1, 1, 0, 1, 1], [0, 0, 0, 1, 1])  # recalls 2/3 and 1
    >>> round(float(rows.mean()), 3)
    0.667
    """
    hit, codes = np.asarray(right, dtype=float), np.asarray(truth)
    w = np.ones(len(hit)) if weights is None else np.asarray(weights, dtype=float)
    size = np.bincount(codes, w)
    present, share = size > 0, size / w.sum()
    recall = np.divide(np.bincount(codes, w * hit), size, out=np.zeros(len(size)), where=present)
    k = int(present.sum())
    skill = (recall[present].mean() - 1 / k) / (1 - 1 / k)
    spread = np.where(present, share, 1.0)  # rows of weight 0 count nowhere
    return np.asarray(skill + (hit - recall[codes]) / spread[codes] / (k - 1))


def kept_share(
    disturbed: ArrayLike,
    clean: ArrayLike,
    *,
    weights: ArrayLike | None = None,
    clusters: ArrayLike | None = None,
) -> Interval | None:
    """Share of the clean lead over a trivial answer that is kept under disturbance.

    Parameters
    ----------
    disturbed, clean
        Shape (n,): each row's part in the lead over the trivial answer, whose means are the leads.
    weights
        Shape (n,), not negative.
    clusters
        Shape (n,), integer codes: rows with the same code may depend on one another.

    Returns
    -------
    Interval or None
        Inside [0, 1]; None where the clean lead is not clearly above 0 (the lower end of its 95 %
        interval is not), since the share then means nothing. Where no row differs, the spread says
        nothing, and the lower end is Wilson's for rows of which none lost its part.

    Examples
    --------
    >>> kept = kept_share([0.8, 0.9, 0.7, 0.8], [1.0, 1.1, 0.9, 1.0])
    >>> round(kept.value, 3)
    0.8
    >>> kept_share([0.8, -0.9], [1.0, -1.0]) is None
    True
    """
    if not mean(clean, weights=weights, clusters=clusters).low > 0:
        return None
    got = ratio_of_means(disturbed, clean, weights=weights, clusters=clusters)
    if np.array_equal(disturbed, clean):
        part = np.maximum(clean, 0.0) * (1.0 if weights is None else np.asarray(weights))
        got = bounded_mean(np.ones(len(part)), weights=part, clusters=clusters)
    return Interval(*(float(np.clip(end, 0.0, 1.0)) for end in got))
