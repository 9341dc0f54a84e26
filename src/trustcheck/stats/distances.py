"""How far apart two samples are: distances with intervals that hold with drift and without it.

Kolmogorov-Smirnov is a supremum of ``|F(x) - G(x)|`` over x, total variation one of
``|P(A) - Q(A)|`` over sets A of levels. That gives both ends. At the place where the true
supremum lies the difference is one of two proportions, so the largest upper bound over all places
holds it. And by the triangle inequality the observed distance exceeds the true one by no more
than the distance of the sampling errors, whose null quantile is therefore subtracted.

Everything on numbers reads the two sorted samples: sorting them once is most of the work.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

from trustcheck.stats._shares import (
    FLOOR,
    chi_square_p,
    jensen_shannon,
    psi,
    psi_chance,
    psi_interval,
    rare,
    total_variation,
    upper,
    variation_chance,
)
from trustcheck.stats.intervals import Interval, z_value

__all__ = [
    "FLOOR",
    "Steps",
    "bin_counts",
    "bin_edges",
    "chi_square_p",
    "jensen_shannon",
    "kolmogorov_smirnov",
    "psi",
    "psi_chance",
    "psi_interval",
    "quantile",
    "rare",
    "smirnov_chance",
    "smirnov_p",
    "steps",
    "total_variation",
    "variation_chance",
    "wasserstein",
    "wasserstein_interval",
]

Floats = NDArray[np.float64]
Counts = NDArray[np.int64]

#: Quantiles of each sample that make the grid on which distribution functions are first compared.
_GRID = 2048


class Steps(NamedTuple):
    """Two empirical distribution functions, exact and on a grid of their own quantiles.

    Attributes
    ----------
    reference, current
        Both samples, sorted, shapes (n,) and (m,).
    points
        Distinct values of the grid, ascending, shape (k,): all values of samples of 2,048 rows
        or fewer, and always both ends.
    below, upto
        Values of either sample below, and at or below, each point, shape (2, k).
    gap
        ``F(at) - G(at)`` where its absolute value is largest.
    at
        F there: the share of the reference's rows up to that place.
    where
        The value at that place.
    """

    reference: Floats
    current: Floats
    points: Floats
    below: Counts
    upto: Counts
    gap: float
    at: float
    where: float


def steps(reference: ArrayLike, current: ArrayLike, *, ordered: bool = False) -> Steps:
    """Return both distribution functions and their largest difference; exact, ties included.

    Parameters
    ----------
    reference, current
        Shapes (n,) and (m,), at least one value each, none of them nan.
    ordered
        Whether both are ascending already.

    Raises
    ------
    ValueError
        If a sample is empty or holds nan.

    Examples
    --------
    >>> both = steps([1, 2], [2, 2, 3])
    >>> both.points.tolist(), both.upto[0].tolist(), both.gap
    ([1.0, 2.0, 3.0], [1, 2, 2], 0.5)
    """
    r, c = (np.asarray(a, dtype=float) for a in (reference, current))
    if not ordered:
        r, c = np.sort(r), np.sort(c)
    if not (r.size and c.size) or np.isnan(r[-1]) or np.isnan(c[-1]):
        raise ValueError("both samples need at least one value, and none may be nan")
    points = np.unique(np.concatenate([_quantiles(r), _quantiles(c)]))
    below, upto = (
        np.array([np.searchsorted(a, points, side=side) for a in (r, c)])
        for side in ("left", "right")
    )
    return Steps(r, c, points, below, upto, *_largest(r, c, points, below, upto))


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
        `high`: the largest Newcombe upper bound over the points of the grid, and at the place of
        the largest difference.

    References
    ----------
    Kolmogorov (1933); Smirnov (1939); Newcombe (1998); Berger (1982) for the upper end.

    Examples
    --------
    >>> both = steps(np.arange(200), np.arange(200) + 60)
    >>> print("{:.2f} in [{:.2f}, {:.2f}]".format(*kolmogorov_smirnov(both)))
    0.30 in [0.15, 0.39]
    """
    n, m = both.reference.size, both.current.size
    value = abs(both.gap)
    tail = special.ndtr(-z_value(level)) / comparisons
    noise = float(special.kolmogi(tail)) * (1 / n + 1 / m) ** 0.5
    f = np.append(both.upto[0] / n, both.at)
    g = np.append(both.upto[1] / m, np.clip(both.at - both.gap, 0.0, 1.0))
    return Interval(value, max(value - noise, 0.0), max(upper(f, g, n, m, level), value))


def smirnov_p(both: Steps) -> float:
    """p-value of no difference, for `kolmogorov_smirnov`; conservative with ties.

    The law of one sample of ``n m / (n + m)`` rows (rounded) stands for that of two, and its limit,
    corrected for the size, for the law: within 0.003 from 10 rows on, 0.0001 from 200.

    References
    ----------
    Vrbik (2018), Small-sample corrections to Kolmogorov-Smirnov test statistic.

    Examples
    --------
    >>> round(smirnov_p(steps(np.arange(100), np.arange(100) + 20)), 2)
    0.03
    """
    n, m = both.reference.size, both.current.size
    size = max(round(n * m / (n + m)), 1)
    scaled = abs(both.gap) * size**0.5
    corrected = scaled + 1 / (6 * size**0.5) + (scaled - 1) / (4 * size)
    return float(special.kolmogorov(max(corrected, 0.0)))


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
    r, c = both.reference, both.current
    n, m = r.size, c.size
    if n == m:
        gaps = r - c
        return float(np.abs(gaps, out=gaps).mean())
    # Both quantile functions are constant between multiples of 1/n and 1/m: walk along them all.
    common = int(np.gcd(n, m))
    per_r, per_c = m // common, n // common
    levels = np.concatenate([np.arange(1, n + 1) * per_r, np.arange(1, m + 1) * per_c])
    levels.sort(kind="stable")  # merges two ascending halves
    widths = np.diff(levels, prepend=0)
    gaps = np.abs(r[(levels - 1) // per_r] - c[(levels - 1) // per_c])
    return float(gaps @ widths) / (n * per_r)


def wasserstein_interval(both: Steps, *, comparisons: int = 1, level: float = 0.95) -> Interval:
    """Area between two distribution functions, with its interval.

    Parameters
    ----------
    both
        From `steps`, of finite values.
    comparisons
        How many such distances the lower end has to hold for at once (Bonferroni).
    level
        Confidence level, inside (0, 1).

    Returns
    -------
    Interval
        At least 0, in the unit of the values.

    Notes
    -----
    The distance is the largest, over signs s(x), of the integral of ``s (F - G)``. The sampling
    error of each is normal, and as errors at two places are never negatively correlated, that of
    the constant sign, a difference of means, has the largest variance v. The distance for the
    best true sign is a lower bound of the one observed, so the upper end adds the normal quantile
    of v. By the triangle inequality the lower end takes off a quantile of the area under the
    absolute error: its mean, plus the normal quantile of v (a norm of a Gaussian process exceeds
    its median by no more; Tsirelson, Ibragimov and Sudakov 1976). Needs finite variances.

    References
    ----------
    Vallender (1974); Tsirelson, Ibragimov and Sudakov (1976), Norms of Gaussian sample functions.

    Examples
    --------
    >>> both = steps(np.arange(200.0), np.arange(200.0) + 60)
    >>> print("{:.0f} in [{:.0f}, {:.0f}]".format(*wasserstein_interval(both)))
    60 in [42, 71]
    """
    r, c = both.reference, both.current
    n, m = r.size, c.size
    value = wasserstein(both)
    spread = (r.var() / n + c.var() / m) ** 0.5
    f, g = both.upto[0, :-1] / n, both.upto[1, :-1] / m
    widths = np.diff(both.points)
    error = np.sqrt(2 / np.pi * (f * (1 - f) / n + g * (1 - g) / m)) @ widths
    tail = float(special.ndtr(-z_value(level))) / comparisons
    low = value - error + float(special.ndtri(tail)) * spread
    return Interval(value, float(max(low, 0.0)), float(value + z_value(level) * spread))


def bin_edges(reference: ArrayLike, bins: int = 10, *, ordered: bool = False) -> Floats:
    """Inner edges of bins with equal shares of the reference; tied edges are merged.

    Where one value holds so many rows that a single bin would remain (a constant column, or one
    that is nearly always 0), it gets a bin of its own between those below and above it.

    Examples
    --------
    >>> bin_edges([1, 1, 1, 1, 2, 3, 4, 5, 6], 4).tolist()  # the edge at 1 is the lowest
    [2.0, 4.0]
    """
    values = np.asarray(reference, dtype=float)
    values = values if ordered else np.sort(values)
    if not np.isfinite(values[[0, -1]]).all():
        finite = values[np.isfinite(values)]
        # Infinite values count as the outermost finite ones: there is no number between them.
        values = np.clip(values, finite[0], finite[-1]) if finite.size else np.sign(values)
    quantiles = quantile(values, np.linspace(0, 1, bins + 1))
    edges = np.unique(quantiles)[1:-1]
    if edges.size == 0:
        middle = float(quantiles[bins // 2])
        return np.array([middle, np.nextafter(middle, np.inf)])
    return edges


def bin_counts(values: ArrayLike, edges: Floats, *, ordered: bool = False) -> Counts:
    """Counts of values per bin; bins are closed on the left.

    Examples
    --------
    >>> bin_counts([0.0, 1.0, 1.0, 5.0], np.array([1.0, 2.0])).tolist()
    [1, 2, 1]
    """
    held = np.asarray(values, dtype=float)
    if ordered:
        return np.diff(np.searchsorted(held, edges), prepend=0, append=held.size)
    return np.bincount(np.searchsorted(edges, held, side="right"), minlength=edges.size + 1)


def quantile(ordered: Floats, shares: ArrayLike) -> Floats:
    """``np.quantile`` of an ascending array, to the last bit, without looking at all of it.

    Examples
    --------
    >>> quantile(np.array([0.0, 1.0, 4.0]), [0.5, 0.75]).tolist()
    [1.0, 2.5]
    """
    at = np.asarray(shares, dtype=float) * (ordered.size - 1)
    under = np.floor(at).astype(np.int64)
    part = at - under
    low, high = ordered[under], ordered[np.minimum(under + 1, ordered.size - 1)]
    with np.errstate(invalid="ignore"):  # between infinite values there is nothing
        step = high - low
        # Rounded as NumPy does: bins may be cut at the very value.
        between = np.where(part >= 0.5, high - step * (1 - part), low + step * part)
    return np.where((part == 0) | (low == high), low, between)


def _quantiles(ordered: Floats) -> Floats:
    places = np.linspace(0, ordered.size - 1, min(_GRID, ordered.size)).astype(np.int64)
    return ordered[places]


def _largest(
    r: Floats, c: Floats, points: Floats, below: Counts, upto: Counts
) -> tuple[float, float, float]:
    """Return F - G where it is furthest from 0, F there, and the value.

    Between two points of the grid the difference cannot exceed what the rows between them allow,
    so only the cells whose bound beats the largest difference so far are looked into.
    """
    n, m = r.size, c.size
    f, g = upto[0] / n, upto[1] / m
    top = int(np.abs(f - g).argmax())
    found = float(f[top] - g[top]), float(f[top]), float(points[top])
    bound = np.maximum(below[0, 1:] / n - g[:-1], below[1, 1:] / m - f[:-1])
    bound[(below[:, 1:] == upto[:, :-1]).all(axis=0)] = 0.0  # nothing lies between
    for cell in np.argsort(-bound):
        if bound[cell] <= abs(found[0]):
            break
        (first, other), (last, end) = upto[:, cell], below[:, cell + 1]
        rows, others = r[first:last], c[other:end]
        # F - G is largest at a value of r, where F steps up, and least at one of c. Of tied values
        # the last one counts all of them; the others only fall short.
        up = np.arange(first + 1, last + 1) / n
        high = up - (other + np.searchsorted(others, rows, "right")) / m
        down = (first + np.searchsorted(rows, others, "right")) / n
        low = down - np.arange(other + 1, end + 1) / m
        for sign, gaps, places, held in ((1, high, up, rows), (-1, -low, down, others)):
            best = int(gaps.argmax()) if gaps.size else 0
            if gaps.size and gaps[best] > abs(found[0]):
                found = sign * float(gaps[best]), float(places[best]), float(held[best])
    return found
