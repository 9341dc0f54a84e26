"""Intervals for proportions, and for differences, sums and ratios of independent estimates.

All but `mover_sum` work elementwise: arguments broadcast, and scalars give floats. Counts and
sizes need not be integers, so the effective sizes of weighted data go through the same formulas.
"""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

Floats = NDArray[np.float64]
#: Hits and misses from which on the mid-p interval is taken from its approximation.
MANY = 20


class Interval(NamedTuple):
    """An estimate and the two ends of its interval.

    Attributes
    ----------
    value, low, high
        Floats, or arrays of one common shape, with ``low <= value <= high``.
        All nan where there was nothing to measure.
    """

    value: Any
    low: Any
    high: Any


def z_value(level: float = 0.95) -> float:
    """Normal quantile of a central two-sided interval.

    Parameters
    ----------
    level
        Confidence level, inside (0, 1).

    Raises
    ------
    ValueError
        If `level` is not inside (0, 1).

    Examples
    --------
    >>> from trustcheck.stats.intervals import z_value
    >>> round(z_value(0.95), 4)
    1.96
    """
    if not 0 < level < 1:
        raise ValueError(f"level must be inside (0, 1), got {level!r}")
    return float(special.ndtri(0.5 + level / 2))


def wilson(
    successes: ArrayLike, n: ArrayLike, *, level: float = 0.95, z: float | None = None
) -> Interval:
    """Score interval of a proportion.

    Parameters
    ----------
    successes, n
        Counts (or effective counts) and sizes, ``0 <= successes <= n``; they broadcast.
    level
        Confidence level, inside (0, 1); not used when `z` is given.
    z
        Normal quantile to use in place of the one of `level`.

    Returns
    -------
    Interval
        Proportions inside [0, 1]; nan where ``n == 0``.

    Raises
    ------
    ValueError
        If a size is negative or a count lies outside ``[0, n]``.

    References
    ----------
    Wilson (1927), Probable inference, the law of succession, and statistical inference.

    Examples
    --------
    >>> from trustcheck.stats.intervals import wilson
    >>> print("{:.3f} in [{:.3f}, {:.3f}]".format(*wilson(81, 263)))
    0.308 in [0.255, 0.366]
    """
    p, size = share(successes, n)
    z = z_value(level) if z is None else z
    return _interval(p, _wilson_low(p, size, z), 1 - _wilson_low(1 - p, size, z))


def clopper_pearson(successes: ArrayLike, n: ArrayLike, *, level: float = 0.95) -> Interval:
    """Exact (never too short) interval of a proportion.

    Parameters
    ----------
    successes, n
        Counts (or effective counts) and sizes, ``0 <= successes <= n``; they broadcast.
    level
        Confidence level, inside (0, 1).

    Returns
    -------
    Interval
        Proportions inside [0, 1]; nan where ``n == 0``.

    Raises
    ------
    ValueError
        If a size is negative or a count lies outside ``[0, n]``.

    References
    ----------
    Clopper and Pearson (1934), The use of confidence or fiducial limits.

    Examples
    --------
    >>> from trustcheck.stats.intervals import clopper_pearson
    >>> print("{:.3f} in [{:.3f}, {:.3f}]".format(*clopper_pearson(0, 30)))
    0.000 in [0.000, 0.116]
    """
    p, size = share(successes, n)
    tail = special.ndtr(-z_value(level))
    hits, misses = p * size, (1 - p) * size
    # Without hits (misses) the low (high) end is known and its beta quantile undefined.
    low = np.where(p == 0, 0.0, special.betaincinv(hits, misses + 1, tail))
    high = np.where(p == 1, 1.0, special.betaincinv(hits + 1, misses, 1 - tail))
    return _interval(p, low, high)


def mid_p(
    successes: ArrayLike, n: ArrayLike, *, level: float = 0.95, z: float | None = None
) -> Interval:
    """Mid-p interval of a proportion: exact tails that count half of what was observed.

    Parameters
    ----------
    successes, n
        Counts (or effective counts) and sizes, ``0 <= successes <= n``; they broadcast.
    level
        Confidence level, inside (0, 1); not used when `z` is given.
    z
        Normal quantile to use in place of the one of `level`.

    Returns
    -------
    Interval
        Proportions inside [0, 1]; nan where ``n == 0``.

    Raises
    ------
    ValueError
        If a size is negative or a count lies outside ``[0, n]``.

    References
    ----------
    Lancaster (1961), Significance tests in discrete distributions; Berry and Armitage (1995),
    Mid-P confidence intervals: a brief review.

    Examples
    --------
    >>> from trustcheck.stats.intervals import mid_p
    >>> print("{:.3f} in [{:.3f}, {:.3f}]".format(*mid_p(0, 30)))
    0.000 in [0.000, 0.095]
    """
    p, size = share(successes, n)
    z = z_value(level) if z is None else z
    low, missed = mid_p_low(np.stack([p, 1 - p]), np.stack([size, size]), z)
    return _interval(p, low, 1 - missed)


def newcombe(
    x1: ArrayLike,
    n1: ArrayLike,
    x2: ArrayLike,
    n2: ArrayLike,
    *,
    level: float = 0.95,
    z: float | None = None,
) -> Interval:
    """Interval of the difference of two independent proportions, first minus second.

    Parameters
    ----------
    x1, n1, x2, n2
        Counts (or effective counts) and sizes, ``0 <= x <= n``; they broadcast.
    level
        Confidence level, inside (0, 1); not used when `z` is given.
    z
        Normal quantile to use in place of the one of `level`.

    Returns
    -------
    Interval
        Differences inside [-1, 1]; nan where a size is 0.

    Raises
    ------
    ValueError
        If a size is negative or a count lies outside ``[0, n]``.

    References
    ----------
    Newcombe (1998), Interval estimation for the difference between independent proportions,
    method 10.

    Examples
    --------
    >>> from trustcheck.stats.intervals import newcombe
    >>> print("{:.4f} in [{:.4f}, {:.4f}]".format(*newcombe(56, 70, 48, 80)))
    0.2000 in [0.0524, 0.3339]
    """
    return mover_difference(wilson(x1, n1, level=level, z=z), wilson(x2, n2, level=level, z=z))


def mover_difference(e1: Interval, e2: Interval) -> Interval:
    """Interval of the difference of two independent estimates, from their own intervals.

    Parameters
    ----------
    e1, e2
        Estimates with intervals of one common level; they broadcast.

    Returns
    -------
    Interval
        ``e1 - e2``, in the unit of the estimates.

    References
    ----------
    Zou and Donner (2008), Construction of confidence limits about effect measures (MOVER).

    Examples
    --------
    >>> from trustcheck.stats.intervals import Interval, mover_difference
    >>> mover_difference(Interval(5.0, 2.0, 9.0), Interval(4.0, 1.0, 8.0))
    Interval(value=1.0, low=-4.0, high=6.0)
    """
    (v1, l1, h1), (v2, l2, h2) = (map(np.asarray, e) for e in (e1, e2))
    value = v1 - v2
    return _interval(value, value - np.hypot(v1 - l1, h2 - v2), value + np.hypot(h1 - v1, v2 - l2))


def mover_sum(
    values: ArrayLike, lows: ArrayLike, highs: ArrayLike, weights: ArrayLike | None = None
) -> Interval:
    """Interval of a weighted sum of independent estimates, from their own intervals.

    Parameters
    ----------
    values, lows, highs
        Shape (..., k): estimates and the ends of their intervals, all of one level.
    weights
        Shape (k,) or (..., k), of any sign; 1 each when left out.

    Returns
    -------
    Interval
        The sum over the last axis, in the unit of the estimates times the weights.

    References
    ----------
    Zou and Donner (2008), Construction of confidence limits about effect measures (MOVER).

    Examples
    --------
    >>> from trustcheck.stats.intervals import mover_sum
    >>> mover_sum([5.0, 4.0], [2.0, 1.0], [9.0, 8.0], weights=[1, -1])
    Interval(value=1.0, low=-4.0, high=6.0)
    """
    w = np.asarray(1.0 if weights is None else weights, dtype=float)
    terms, one_end, other_end = (w * np.asarray(a, dtype=float) for a in (values, lows, highs))
    # A negative weight turns an interval round.
    below = terms - np.minimum(one_end, other_end)
    above = np.maximum(one_end, other_end) - terms
    total = terms.sum(axis=-1)
    return _interval(
        total,
        total - np.sqrt((below**2).sum(axis=-1)),
        total + np.sqrt((above**2).sum(axis=-1)),
    )


def koopman(
    x1: ArrayLike,
    n1: ArrayLike,
    x2: ArrayLike,
    n2: ArrayLike,
    *,
    level: float = 0.95,
    z: float | None = None,
) -> Interval:
    """Score interval of the ratio of two independent proportions, first over second.

    Parameters
    ----------
    x1, n1, x2, n2
        Counts (or effective counts) and sizes, ``0 <= x <= n``; they broadcast.
    level
        Confidence level, inside (0, 1); not used when `z` is given.
    z
        Normal quantile to use in place of the one of `level`.

    Returns
    -------
    Interval
        Ratios inside [0, inf]. ``x1 == 0`` gives a low end of 0 and ``x2 == 0`` a high end of
        inf; the value is nan where both are 0, and everything is nan where a size is 0.

    Raises
    ------
    ValueError
        If a size is negative or a count lies outside ``[0, n]``.

    Notes
    -----
    The asymptotic score interval, without Miettinen and Nurminen's factor N / (N - 1).

    References
    ----------
    Koopman (1984), Confidence intervals for the ratio of two binomial proportions.

    Examples
    --------
    >>> from trustcheck.stats.intervals import koopman
    >>> print("{:.3f} in [{:.3f}, {:.3f}]".format(*koopman(36, 40, 16, 80)))
    4.500 in [2.940, 7.152]
    """
    (p1, m1), (p2, m2) = share(x1, n1), share(x2, n2)
    z = z_value(level) if z is None else z
    with np.errstate(divide="ignore", invalid="ignore"):
        value, high = p1 / p2, 1 / koopman_low(p2, m2, p1, m1, z)
    low = koopman_low(p1, m1, p2, m2, z)
    # fmin, fmax: the ends are known even where the value is 0 / 0.
    return Interval(*map(_plain, (value, np.fmin(low, value), np.fmax(high, value))))


def share(successes: ArrayLike, n: ArrayLike) -> tuple[Floats, Floats]:
    """Proportions and sizes of one shape, the proportion nan where the size is 0."""
    x, size = np.broadcast_arrays(np.asarray(successes, dtype=float), np.asarray(n, dtype=float))
    if np.any(size < 0):
        raise ValueError("sizes must not be negative")
    p = np.divide(x, size, out=np.full(size.shape, np.nan), where=size > 0)
    # Counts made as rate * size miss 0 and n by rounding; the ends are special to every formula.
    whole = np.rint(p)
    p = np.where(np.abs(p - whole) < 1e-12, whole, p)
    if np.any((p < 0) | (p > 1)):
        raise ValueError("successes must lie between 0 and n")
    return p, size


def _interval(value: Any, low: Any, high: Any) -> Interval:
    """Ends that hold the value in spite of rounding."""
    return Interval(*map(_plain, (value, np.minimum(low, value), np.maximum(high, value))))


def _plain(a: Any) -> Any:
    a = np.asarray(a)
    return a.item() if a.ndim == 0 else a


def _wilson_low(p: Floats, n: Floats, z: float) -> Floats:
    """Lower root of ``(p - t)^2 = z^2 t (1 - t) / n``, written without cancellation."""
    with np.errstate(divide="ignore", invalid="ignore"):
        c = z * z / n
        return np.asarray(p * p / (p + c / 2 + np.sqrt(c * (p * (1 - p) + c / 4))))


def mid_p_low(p: Floats, n: Floats, z: float) -> Floats:
    """Rate t at which ``P(X > x) + P(X = x) / 2`` is the tail beyond z, for x of n at rate t."""
    low = np.where(n > 0, 0.0, np.nan)
    for many in (False, True):
        some = (p > 0) & ((np.minimum(p, 1 - p) * n >= MANY) == many)  # neither nan
        if some.any():
            low[some] = (_mid_p_many if many else _mid_p_few)(p[some], n[some], z)
    return low


def _mid_p_few(p: Floats, n: Floats, z: float) -> Floats:
    x, y = p * n, (1 - p) * n
    constant = special.betaln(x + 1, y + 1) + np.log(n + 1)
    t = special.betaincinv(x + 0.5, y + 0.5, special.ndtr(-z))  # Jeffreys' end is near
    for _ in range(5):  # Newton on the normal scale, in log t; four steps reach the last digit
        t = np.clip(t, 1e-300, 1 - 1e-16)
        chance = np.exp(x * np.log(t) + y * np.log1p(-t) - constant)
        found = special.ndtri(special.betainc(x, y + 1, t) - chance / 2)
        slope = chance / 2 * (x + y * t / (1 - t))
        t = t * np.exp(-(found + z) * np.exp(-(found**2) / 2) / (np.sqrt(2 * np.pi) * slope))
    return np.asarray(t)


def _mid_p_many(p: Floats, n: Floats, z: float) -> Floats:
    """The same by saddlepoint approximation, 50 times as fast and within 0.001 standard errors.

    With r the signed root of the likelihood ratio and u how far log odds are off, the mid-p tail
    is that of ``r + log(v / r) / r`` on the normal scale, with ``v = 2 tanh(u / 2) sd``; a plain
    ``v = u sd`` is for quantities that are no counts (Barndorff-Nielsen 1986; Daniels 1987).
    """
    wilson_low, odds = _wilson_low(p, n, z), special.logit(p)
    sd, u = np.sqrt(n * p * (1 - p)), odds - special.logit(wilson_low)
    with np.errstate(divide="ignore", invalid="ignore"):
        for _ in range(4):  # Newton in u
            t = special.expit(odds - u)
            r = np.sqrt(2 * n * (special.rel_entr(p, t) + special.rel_entr(1 - p, 1 - t)))
            th, dr = np.tanh(u / 2), n * (p - t) / r
            w = np.log(2 * th * sd / r)
            slope = dr + ((1 - th * th) / (2 * th) - dr / r - w * dr / r) / r
            u = u - (r + w / r - z) / slope
    # Of very many rows the difference from Wilson's end is lost in rounding.
    return np.where(n < 1e10, special.expit(odds - u), wilson_low)


def koopman_low(p1: Floats, n1: Floats, p2: Floats, n2: Floats, z: float) -> Floats:
    """Smallest ratio that the score test at `z` does not reject.

    With ``s = (x1 - n1 t1) / (1 - t1)`` the likelihood equations under a given ratio give
    ``t1 = (x1 - s) / (n1 - s)`` and ``t2 = (x2 + s) / (n2 + s)``, and the statistic becomes
    ``s^2 (q1 / (x1 - s) + q2 / (x2 + s))``: it grows in s over (0, x1), so bisection finds z^2.
    """
    x1, x2, q1, q2 = p1 * n1, p2 * n2, 1 - p1, 1 - p2
    # Bisecting t = x1 - s, not s, keeps small ratios accurate.
    t, step = x1 / 2, x1 / 4
    for _ in range(60):
        s = x1 - t
        beyond = s * s * (q1 * (x2 + s) + q2 * t) > z * z * t * (x2 + s)
        t = t + np.where(beyond, step, -step)
        step = step / 2
    s = x1 - t
    with np.errstate(divide="ignore", invalid="ignore"):
        # With x1 = n1, s stops at n1 while t1 falls below 1 by what the statistic still lacks.
        lacking = np.maximum(z * z / n1**2 - q2 / (x2 + n1), 0)
        t1 = np.where(q1 == 0, 1 / (1 + n1 * lacking), t / (n1 * q1 + t))
        return np.where(p1 == 0, 0 * p2, t1 * (n2 + s) / (x2 + s))
