"""Differences of rates between groups within strata: like compared with like, then averaged."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from trustcheck.stats.intervals import Interval, newcombe, z_value

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class LargestDifference:
    """The common difference furthest from 0, and its interval.

    Attributes
    ----------
    value, low, high
        The largest absolute difference and the interval that decides; ``low <= value <= high``.
    group, event
        Position of the group, and of the event, that show `value`.
    """

    value: float
    low: float
    high: float
    group: int
    event: int = 0


def common_difference(
    successes: ArrayLike,
    n: ArrayLike,
    other_successes: ArrayLike,
    other_n: ArrayLike,
    *,
    level: float = 0.95,
) -> Interval:
    """Mantel-Haenszel difference of two groups' rates over strata.

    Parameters
    ----------
    successes, n, other_successes, other_n
        Shape (strata, ...): counts (or effective counts) and sizes of the two groups. A stratum
        without rows of both carries no weight.
    level
        Confidence level, inside (0, 1).

    Returns
    -------
    Interval
        Of shape (...): the first group's rate less the other's, inside [-1, 1]; nan where no
        stratum has rows of both.

    Notes
    -----
    Strata weigh ``n1 n2 / (n1 + n2)``. The variance is Sato's, which holds for few large and for
    many small strata alike. It enters, as a design effect, the sizes at which Newcombe's interval
    of the two standardised rates is taken, so that rates near 0 and 1 do no harm; with a single
    stratum this is Newcombe's interval itself. Where the variance is 0 (no stratum has rows of
    either kind) the design effect is 1.

    References
    ----------
    Mantel and Haenszel (1959); Greenland and Robins (1985), Estimation of a common effect
    parameter from sparse follow-up data; Sato (1989), On the variance estimator for the
    Mantel-Haenszel risk difference; Newcombe (1998); Korn and Graubard (1998) for design effects.

    Examples
    --------
    >>> from trustcheck.stats.strata import common_difference
    >>> got = common_difference([80, 10], [100, 40], [30, 45], [40, 180])
    >>> print("{:.3f} in [{:.3f}, {:.3f}]".format(*got))
    0.023 in [-0.083, 0.129]
    """
    x1, n1, x2, n2 = (np.asarray(a, float) for a in (successes, n, other_successes, other_n))
    total = np.where(n1 * n2 > 0, n1 + n2, 1.0)
    weight = np.where(n1 * n2 > 0, n1 * n2 / total, 0.0)
    whole = weight.sum(axis=0)
    with np.errstate(divide="ignore", invalid="ignore"):
        share = weight / whole
        rates = [
            (share * _safe(x, size)).sum(axis=0).clip(0, 1) for x, size in ((x1, n1), (x2, n2))
        ]
        spread = [(share**2 * _safe(1.0, size)).sum(axis=0) for size in (n1, n2)]
        held = weight > 0
        skew = (n1**2 * x2 - n2**2 * x1 + n1 * n2 * (n2 - n1) / 2) / total**2
        level_part = (x1 * (n2 - x2) + x2 * (n1 - x1)) / (2 * total)
        variance = (
            (rates[0] - rates[1]) * np.where(held, skew, 0.0).sum(axis=0)
            + np.where(held, level_part, 0.0).sum(axis=0)
        ) / whole**2
        plain = sum(p * (1 - p) * s for p, s in zip(rates, spread, strict=True))
        effect = np.where((variance > 1e-15) & (plain > 1e-15), variance / plain, 1.0)
        sizes = [np.where(whole > 0, 1 / (s * effect), 0.0) for s in spread]
    first, second = ((np.where(m > 0, p, 0.0) * m, m) for p, m in zip(rates, sizes, strict=True))
    return newcombe(*first, *second, level=level)


def largest_common_difference(
    successes: ArrayLike, n: ArrayLike, reference: int, *, level: float = 0.95
) -> LargestDifference:
    """Largest absolute common difference between any group and a reference group.

    Parameters
    ----------
    successes, n
        Shape (strata, groups, events): counts (or effective counts) and sizes.
    reference
        Position of the group that all others are compared with.
    level
        Confidence level of the interval, inside (0, 1).

    Returns
    -------
    LargestDifference
        `high`: the largest bound of any one pair (all pairs must clear a limit to pass, so each
        may be tested at the full level). `low`: the largest lower bound at `together`, at least 0.

    Raises
    ------
    ValueError
        If no stratum has rows of the reference and of another group.

    References
    ----------
    Berger (1982) for the intersection-union test; Sidak (1967) for the simultaneous level.

    Examples
    --------
    >>> from trustcheck.stats.strata import largest_common_difference
    >>> x, n = [[[80], [30]], [[10], [45]]], [[[100], [40]], [[40], [180]]]
    >>> found = largest_common_difference(x, n, 1)
    >>> print(f"{found.value:.3f} in [{found.low:.3f}, {found.high:.3f}]", found.group)
    0.023 in [0.000, 0.129] 0
    """
    each = against(successes, n, reference, level=level)
    known = ~np.isnan(np.asarray(each.value))
    if not known.any():
        raise ValueError("no stratum has rows of the reference and of another group")
    joint = against(successes, n, reference, level=together(int(known.sum()), level))
    size = np.where(known, np.abs(each.value), -1.0)
    group, event = np.unravel_index(int(np.argmax(size)), size.shape)
    low = np.fmax.reduce(np.fmax(joint.low, -np.asarray(joint.high)), axis=None)
    high = np.fmax.reduce(np.fmax(each.high, -np.asarray(each.low)), axis=None)
    return LargestDifference(
        float(size.max()), max(float(low), 0.0), float(high), int(group), int(event)
    )


def against(successes: ArrayLike, n: ArrayLike, reference: int, *, level: float = 0.95) -> Interval:
    """Return `common_difference` of every group from the reference, shape (groups, events).

    Parameters
    ----------
    successes, n, reference, level
        As in `largest_common_difference`; the reference's own entries are nan.

    Examples
    --------
    >>> from trustcheck.stats.strata import against
    >>> against([[[3], [5]]], [[[10], [10]]], 0).value.round(2).tolist()
    [[nan], [0.2]]
    """
    x, size = np.asarray(successes, dtype=float), np.array(n, dtype=float)
    other = x[:, [reference]], size[:, [reference]]
    size[:, reference] = 0.0
    x = np.where(size > 0, x, 0.0)
    return common_difference(x, size, *(np.broadcast_to(a, x.shape) for a in other), level=level)


def together(comparisons: int, level: float = 0.95) -> float:
    """Level at which so many two-sided intervals hold together (Sidak 1967).

    Examples
    --------
    >>> from trustcheck.stats.strata import together
    >>> together(1), round(together(4), 4)
    (0.95, 0.9873)
    """
    z_value(level)  # checks the level
    return level if comparisons == 1 else float(level ** (1 / comparisons))


def _safe(x: ArrayLike, n: Floats) -> Floats:
    return np.divide(x, n, out=np.zeros(n.shape), where=n > 0)
