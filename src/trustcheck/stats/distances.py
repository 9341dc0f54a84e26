"""How far apart two samples are: distances with intervals that hold with drift and without it.

Both distances are suprema: Kolmogorov-Smirnov of ``|F(x) - G(x)|`` over x, total variation of
``|P(A) - Q(A)|`` over sets A of levels. That gives both ends. At the place where the true
supremum lies the difference is one of two proportions, so the largest upper bound over all places
holds it. And by the triangle inequality the observed distance exceeds the true one by no more
than the distance of the sampling errors, whose null quantile is therefore subtracted.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

from trustcheck.stats.intervals import Interval, newcombe, z_value

Floats = NDArray[np.float64]

#: Places at which the upper bound is looked for, beside the one of the largest difference.
_PLACES = 4096
#: Shares below this are raised to it, so that an empty bin has a logarithm.
FLOOR = 1e-6


class Steps(NamedTuple):
    """Two empirical distribution functions on their pooled points.

    Attributes
    ----------
    points
        Distinct values of both samples, ascending, shape (k,).
    reference, current
        Shares of each sample at or below the point, shape (k,).
    n_reference, n_current
        Sizes.
    """

    points: Floats
    reference: Floats
    current: Floats
    n_reference: int
    n_current: int


def steps(reference: ArrayLike, current: ArrayLike) -> Steps:
    """Return both distribution functions; exact, ties included.

    Parameters
    ----------
    reference, current
        Shapes (n,) and (m,), at least one value each, none of them nan.

    Raises
    ------
    ValueError
        If a sample is empty or holds nan.

    Examples
    --------
    >>> steps([1, 2], [2, 2, 3]).reference.tolist()
    [0.5, 1.0, 1.0]
    """
    r, c = (np.sort(np.asarray(a, dtype=float)) for a in (reference, current))
    if not (r.size and c.size) or np.isnan(r[-1]) or np.isnan(c[-1]):
        raise ValueError("both samples need at least one value, and none may be nan")
    points = np.concatenate([r, c])
    points.sort(kind="stable")  # merges the two sorted halves
    points = points[np.append(points[1:] != points[:-1], True)]
    f, g = (np.searchsorted(a, points, side="right") / a.size for a in (r, c))
    return Steps(points, f, g, r.size, c.size)


def kolmogorov_smirnov(both: Steps, *, comparisons: int = 1, level: float = 0.95) -> Interval:
    """Largest difference of two distribution functions.

    Parameters
    ----------
    both
        From `steps`.
    comparisons
        How many such distances the lower end has to hold for at once (Bonferroni).
    level
        Confidence level, inside (0, 1).

    Returns
    -------
    Interval
        Inside [0, 1]. `low`: the distance less the Kolmogorov quantile (conservative with ties).
        `high`: the largest Newcombe upper bound over the points.

    References
    ----------
    Kolmogorov (1933); Smirnov (1939); Newcombe (1998); Berger (1982) for the upper end.

    Examples
    --------
    >>> both = steps(np.arange(200), np.arange(200) + 60)
    >>> print("{:.2f} in [{:.2f}, {:.2f}]".format(*kolmogorov_smirnov(both)))
    0.30 in [0.15, 0.39]
    """
    n, m = both.n_reference, both.n_current
    gap = np.abs(both.reference - both.current)
    value = float(gap.max())
    tail = special.ndtr(-z_value(level)) / comparisons
    noise = float(special.kolmogi(tail)) * (1 / n + 1 / m) ** 0.5
    places = np.unique(np.linspace(0, gap.size - 1, min(_PLACES, gap.size)).astype(int))
    places = np.append(places, gap.argmax())
    high = _upper(both.reference[places], both.current[places], n, m, level)
    return Interval(value, max(value - noise, 0.0), high)


def smirnov_p(both: Steps) -> float:
    """Asymptotic p-value of no difference, for `kolmogorov_smirnov`.

    Examples
    --------
    >>> round(smirnov_p(steps(np.arange(100), np.arange(100) + 20)), 3)
    0.037
    """
    size = both.n_reference * both.n_current / (both.n_reference + both.n_current)
    return float(special.kolmogorov(np.abs(both.reference - both.current).max() * size**0.5))


def smirnov_chance(n: int, m: int) -> float:
    """Kolmogorov-Smirnov distance that samples of one continuous distribution have on average.

    Examples
    --------
    >>> round(smirnov_chance(1000, 1000), 3)
    0.039
    """
    return float(np.sqrt(np.pi / 2) * np.log(2) * (1 / n + 1 / m) ** 0.5)


def wasserstein(both: Steps) -> float:
    """Area between two distribution functions, in the unit of the values.

    References
    ----------
    Vallender (1974), Calculation of the Wasserstein distance on the line.

    Examples
    --------
    >>> wasserstein(steps([0.0, 1.0], [2.0, 3.0]))
    2.0
    """
    gap = np.abs(both.reference - both.current)
    return float(gap[:-1] @ np.diff(both.points))


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
    high = max(_upper(*cut, n, m, level), value)
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


def bin_edges(reference: ArrayLike, bins: int = 10) -> Floats:
    """Inner edges of bins with equal shares of the reference; tied edges are merged.

    A constant reference gets three bins: below, at and above its value.

    Examples
    --------
    >>> bin_edges([1, 1, 1, 1, 2, 3, 4, 5, 6], 4).tolist()  # the edge at 1 is the lowest
    [2.0, 4.0]
    """
    values = np.asarray(reference, dtype=float)
    finite = values[np.isfinite(values)]
    # Infinite values count as the outermost finite ones: there is no number between them.
    values = np.clip(values, finite.min(), finite.max()) if finite.size else np.sign(values)
    edges = np.unique(np.quantile(values, np.linspace(0, 1, bins + 1)))
    if edges.size == 1:
        return np.array([edges[0], np.nextafter(edges[0], np.inf)])
    return edges[1:-1]


def bin_counts(values: ArrayLike, edges: Floats) -> NDArray[np.int64]:
    """Counts of values per bin; bins are closed on the left.

    Examples
    --------
    >>> bin_counts([0.0, 1.0, 1.0, 5.0], np.array([1.0, 2.0])).tolist()
    [1, 2, 1]
    """
    return np.bincount(np.searchsorted(edges, values, side="right"), minlength=edges.size + 1)


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


def _shares(reference: ArrayLike, current: ArrayLike) -> tuple[Floats, Floats, float, float]:
    r, c = np.asarray(reference, dtype=float), np.asarray(current, dtype=float)
    n, m = float(r.sum()), float(c.sum())
    if r.shape != c.shape or not (n > 0 and m > 0):
        raise ValueError("both sides need counts of the same levels, at least one each")
    return r / n, c / m, n, m


def _upper(f: Floats, g: Floats, n: float, m: float, level: float) -> float:
    """Largest upper bound on the absolute difference of two proportions, over places."""
    bounds = newcombe(f * n, n, g * m, m, level=level)
    return float(min(max(np.max(bounds.high), -np.min(bounds.low)), 1.0))


def _mean_noise(variances: Floats) -> float:
    return float(np.sqrt(2 / np.pi) / 2 * np.sqrt(variances).sum())


def _noise_quantile(p: Floats, q: Floats, n: float, m: float, tail: float) -> float:
    """Upper quantile of half the sum of absolute sampling errors."""
    variances = p * (1 - p) / n + q * (1 - q) / m
    varies = variances > 0
    if not varies.any():
        return 0.0
    p, q, sd = p[varies], q[varies], np.sqrt(variances[varies])
    rho = np.clip(-(np.outer(p, p) / n + np.outer(q, q) / m) / np.outer(sd, sd), -1, 1)
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
