"""How far apart two count vectors are: total variation, stability index, Jensen-Shannon."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

from trustcheck.stats.intervals import Interval, newcombe, z_value

Floats = NDArray[np.float64]

#: Shares below this are raised to it, so that an empty bin has a logarithm.
FLOOR = 1e-6


def total_variation(
    reference: ArrayLike, current: ArrayLike, *, comparisons: int = 1, level: float = 0.95
) -> Interval:
    """Half the sum of absolute differences of shares: the largest difference over sets of levels.

    Parameters
    ----------
    reference, current
        Counts per level, shape (k,), adding up to at least 1.
    comparisons
        How many such distances the lower end has to hold for at once (Bonferroni).
    level
        Confidence level, inside (0, 1).

    Returns
    -------
    Interval
        Inside [0, 1]. `low`: the distance less the quantile of its sampling error. `high`: the
        largest Newcombe upper bound over sets of levels in the order of their likelihood ratio,
        which the set with the largest difference belongs to.

    Raises
    ------
    ValueError
        If the counts differ in shape, or one side has none.

    Notes
    -----
    The sampling error ``sum |e_k| / 2`` has Gaussian terms, whose mean and variance are known in
    closed form; a scaled chi distribution with both of them gives the quantile. It is exact for
    two levels and tends to the normal for many.

    References
    ----------
    Newcombe (1998); Berger (1982); Nabeya (1951), Absolute moments in 2-dimensional normal
    distribution.

    Examples
    --------
    >>> print("{:.2f} in [{:.2f}, {:.2f}]".format(*total_variation([60, 30, 10], [40, 30, 30])))
    0.20 in [0.03, 0.33]
    """
    p, q, n, m = _shares(reference, current)
    value = float(np.abs(p - q).sum() / 2)
    noise = _noise_quantile(p, q, n, m, float(special.ndtr(-z_value(level))) / comparisons)
    order = np.lexsort((p, q / (p + q + (p + q == 0))))
    cut = np.minimum(np.cumsum(p[order]), 1.0), np.minimum(np.cumsum(q[order]), 1.0)
    high = max(upper(*cut, n, m, level), value)
    return Interval(value, max(value - noise, 0.0), high)


def variation_chance(reference: ArrayLike, current: ArrayLike) -> float:
    """Total variation that samples of one distribution, the pooled one, have on average.

    Examples
    --------
    >>> round(variation_chance([500, 500], [500, 500]), 3)
    0.018
    """
    p, q, n, m = _shares(reference, current)
    pooled = (n * p + m * q) / (n + m)
    return float(_mean_noise(pooled * (1 - pooled) * (1 / n + 1 / m)))


def chi_square_p(reference: ArrayLike, current: ArrayLike) -> float:
    """p-value of Pearson's test that two count vectors share one distribution.

    Examples
    --------
    >>> round(chi_square_p([60, 40], [45, 55]), 3)
    0.034
    """
    p, q, n, m = _shares(reference, current)
    pooled = (n * p + m * q) / (n + m)
    seen = pooled > 0
    if seen.sum() < 2:
        return 1.0
    statistic = ((p - q)[seen] ** 2 / pooled[seen]).sum() * n * m / (n + m)
    return float(special.chdtrc(seen.sum() - 1, statistic))


def rare(
    reference: ArrayLike, current: ArrayLike, *, free: int = 10, noise: float = 0.05
) -> NDArray[np.bool_]:
    """Levels too rare for their number: those to be counted as one.

    Parameters
    ----------
    reference, current
        Counts per level, shape (k,).
    free
        So many levels, the most frequent ones, are always kept; and never more than 500.
    noise
        Total variation that may arise by chance alone when the other levels are counted as one.

    Returns
    -------
    array of bool, shape (k,)

    Examples
    --------
    >>> counts = np.r_[900, np.ones(100, dtype=int)]
    >>> int(rare(counts, counts).sum())
    21
    """
    p, q, n, m = _shares(reference, current)
    # Ranked on both tables as one: without drift this says nothing on how they differ.
    pooled = (n * p + m * q) / (n + m)
    order = np.argsort(-pooled, kind="stable")
    ordered = pooled[order]
    spread = np.sqrt(ordered * (1 - ordered) * (1 / n + 1 / m))
    chance = np.sqrt(2 / np.pi) / 2 * np.cumsum(spread)
    kept = int(np.clip(np.searchsorted(chance, noise), free, 500))
    out = np.zeros(pooled.size, dtype=bool)
    if chance[-1] > noise or pooled.size > 500:
        out[order[kept:]] = True
    return out


def psi(reference: ArrayLike, current: ArrayLike) -> float:
    """Population stability index of two count vectors, shares floored at 1e-6.

    Examples
    --------
    >>> round(psi([50, 50], [40, 60]), 4)
    0.0405
    """
    p, q, _, _ = _shares(reference, current)
    p, q = np.maximum(p, FLOOR), np.maximum(q, FLOOR)
    return float(((q - p) * np.log(q / p)).sum())


def psi_chance(reference: ArrayLike, current: ArrayLike) -> float:
    """Population stability index that samples of one distribution have on average.

    References
    ----------
    Yurdakul and Naranjo (2020), Statistical properties of the population stability index.

    Examples
    --------
    >>> round(psi_chance([10] * 10, [10] * 10), 2)
    0.18
    """
    p, q, n, m = _shares(reference, current)
    return float((1 / n + 1 / m) * max(int(((p + q) > 0).sum()) - 1, 0))


def psi_interval(
    reference: ArrayLike, current: ArrayLike, *, comparisons: int = 1, level: float = 0.95
) -> Interval:
    """Population stability index with the part that chance alone makes taken off.

    Parameters
    ----------
    reference, current
        Counts per bin, shape (k,), adding up to at least 1.
    comparisons
        How many such indices the lower end has to hold for at once (Bonferroni).
    level
        Confidence level, inside (0, 1).

    Returns
    -------
    Interval
        At least 0. Half a row is added to every bin, so that an empty one has a logarithm that
        its rows can vouch for.

    Notes
    -----
    Near no drift the index over ``1/n + 1/m`` is noncentral chi-square with k - 1 degrees of
    freedom, whose parameter is inverted; far from it the index is normal with the variance of its
    linear part. Neither holds everywhere: the interval is the hull of both.

    References
    ----------
    Yurdakul and Naranjo (2020), Statistical properties of the population stability index.

    Examples
    --------
    >>> print("{:.2f} in [{:.2f}, {:.2f}]".format(*psi_interval([500, 500], [400, 600])))
    0.04 in [0.00, 0.08]
    """
    r, c = (np.asarray(counts, dtype=float) for counts in (reference, current))
    seen = (r + c) > 0
    p, q, n, m = _shares(r[seen] + 0.5, c[seen] + 0.5)
    if seen.sum() < 2:
        return Interval(0.0, 0.0, 0.0)
    chance = 1 / n + 1 / m
    index = float(((q - p) * np.log(q / p)).sum())
    freedom = len(p) - 1
    value = max(index - chance * freedom, 0.0)
    tail = float(special.ndtr(-z_value(level)))
    tails = np.array([1 - tail / comparisons, tail])
    near = np.nan_to_num(special.chndtrinc(index / chance, freedom, tails)) * chance
    slopes = 1 - q / p - np.log(q / p), 1 - p / q + np.log(q / p)
    linear = sum(
        (share @ slope**2 - (share @ slope) ** 2) / size
        for share, slope, size in zip((p, q), slopes, (n, m), strict=True)
    )
    far = value - special.ndtri(tails) * (linear + 2 * freedom * chance**2) ** 0.5
    low, high = min(near[0], far[0]), max(near[1], far[1])
    return Interval(value, float(np.clip(low, 0.0, value)), float(max(high, value)))


def jensen_shannon(reference: ArrayLike, current: ArrayLike) -> float:
    """Jensen-Shannon distance of two count vectors, base 2: 0 (equal) to 1 (disjoint).

    References
    ----------
    Endres and Schindelin (2003), A new metric for probability distributions.

    Examples
    --------
    >>> jensen_shannon([1, 0], [0, 1])
    1.0
    """
    p, q, _, _ = _shares(reference, current)
    middle = (p + q) / 2
    divergence = (special.rel_entr(p, middle) + special.rel_entr(q, middle)).sum() / 2
    return float(np.sqrt(max(divergence / np.log(2), 0.0)))


def upper(f: Floats, g: Floats, n: float, m: float, level: float) -> float:
    """Largest upper bound on the absolute difference of two proportions, over places."""
    bounds = newcombe(f * n, n, g * m, m, level=level)
    return float(min(max(np.max(bounds.high), -np.min(bounds.low)), 1.0))


def _shares(reference: ArrayLike, current: ArrayLike) -> tuple[Floats, Floats, float, float]:
    r, c = np.asarray(reference, dtype=float), np.asarray(current, dtype=float)
    n, m = float(r.sum()), float(c.sum())
    if r.shape != c.shape or not (n > 0 and m > 0):
        raise ValueError("both sides need counts of the same levels, at least one each")
    return r / n, c / m, n, m


def _mean_noise(variances: Floats) -> float:
    return float(np.sqrt(2 / np.pi) / 2 * np.sqrt(variances).sum())


def _noise_quantile(p: Floats, q: Floats, n: float, m: float, tail: float) -> float:
    """Upper quantile of half the sum of absolute sampling errors."""
    variances = p * (1 - p) / n + q * (1 - q) / m
    shared = -(np.outer(p, p) / n + np.outer(q, q) / m)
    np.fill_diagonal(shared, variances)
    return half_sum_quantile(shared, tail)


def half_sum_quantile(covariance: ArrayLike, tail: float) -> float:
    """Upper quantile of half the sum of absolute values of Gaussian errors.

    Parameters
    ----------
    covariance
        Of the errors, shape (k, k).
    tail
        Probability of a larger sum, inside (0, 1).

    Notes
    -----
    A scaled chi distribution with the sum's mean and variance, which are known in closed form.

    References
    ----------
    Nabeya (1951), Absolute moments in 2-dimensional normal distribution.

    Examples
    --------
    >>> round(half_sum_quantile([[1.0, -1.0], [-1.0, 1.0]], 0.05), 2)  # |e| of one normal error
    1.96
    """
    both = np.asarray(covariance, dtype=float)
    varies = np.diag(both) > 0
    if not varies.any():
        return 0.0
    both = both[np.ix_(varies, varies)]
    sd = np.sqrt(np.diag(both))
    rho = np.clip(both / np.outer(sd, sd), -1, 1)
    np.fill_diagonal(rho, 1.0)
    shared = np.sqrt(1 - rho**2) + rho * np.arcsin(rho) - 1
    mean, variance = _mean_noise(sd**2), float(sd @ shared @ sd) / (2 * np.pi)
    degrees = _chi_degrees(mean**2 / (mean**2 + variance))
    scale = ((mean**2 + variance) / degrees) ** 0.5
    return float(scale * special.chdtri(degrees, tail) ** 0.5)


def _chi_degrees(ratio: float) -> float:
    """Degrees of freedom of the chi distribution with this squared mean over mean square."""
    low, high = 0.0, 20.0  # powers of e; two levels have one degree
    for _ in range(60):
        middle = (low + high) / 2
        half = np.exp(middle) / 2
        got = np.exp(2 * (special.gammaln(half + 0.5) - special.gammaln(half))) / half
        low, high = (middle, high) if got < ratio else (low, middle)
    return float(np.exp((low + high) / 2))
