"""Named comparisons of two rates each: groups against a reference group, cells against the rest."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from trustcheck.stats._proportions import Interval, koopman_low, mid_p, z_value
from trustcheck.stats.strata import together

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Largest:
    """The contrast furthest from equality and the interval that decides.

    Attributes
    ----------
    value, low, high
        The largest absolute difference (or smallest ratio); ``low <= value <= high``.
    at
        Position of the contrast that shows `value`.
    """

    value: float
    low: float
    high: float
    at: int


def largest_contrast(
    successes: ArrayLike,
    n: ArrayLike,
    other_successes: ArrayLike,
    other_n: ArrayLike,
    *,
    level: float = 0.95,
) -> Largest:
    """Largest absolute difference among given comparisons of two rates.

    Parameters
    ----------
    successes, n, other_successes, other_n
        Shape (c,): counts (or effective counts) and sizes of the two sides of each comparison.
        One whose either size is 0 is left out.
    level
        Confidence level of the interval, inside (0, 1).

    Returns
    -------
    Largest
        Inside [0, 1]. `high`: the largest upper bound of any one comparison, since all must clear
        a limit for it to hold. `low`: the largest lower bound that holds for all together, at
        least 0. Both are Newcombe's, of mid-p ends, as in `gaps.largest_gap`.

    Raises
    ------
    ValueError
        If no comparison has rows on both sides.

    References
    ----------
    Berger (1982) for the intersection-union test; Sidak (1967), whose inequality holds whatever
    the comparisons share; Newcombe (1998).

    Examples
    --------
    >>> from trustcheck.stats.contrasts import largest_contrast
    >>> found = largest_contrast([45, 40], [100, 100], [30, 30], [100, 100])
    >>> print(f"{found.value:.2f} in [{found.low:.2f}, {found.high:.2f}]", found.at)
    0.15 in [0.00, 0.28] 0
    """
    known, (x1, n1, x2, n2) = _known(successes, n, other_successes, other_n)
    sides = [(x1, n1), (x2, n2)]
    joint = together(len(known), level)
    near, wide = ([mid_p(x, size, level=v) for x, size in sides] for v in (level, joint))
    p, q = x1 / n1, x2 / n2
    high = np.maximum(_above(p, near[0], q, near[1]), _above(q, near[1], p, near[0]))
    low = np.maximum(-_above(q, wide[1], p, wide[0]), -_above(p, wide[0], q, wide[1]))
    gap = np.abs(p - q)
    at = int(gap.argmax())
    value = float(gap[at])
    return Largest(
        value, min(max(float(low.max()), 0.0), value), max(float(high.max()), value), int(known[at])
    )


def smallest_ratio(
    successes: ArrayLike,
    n: ArrayLike,
    other_successes: ArrayLike,
    other_n: ArrayLike,
    *,
    level: float = 0.95,
) -> Largest:
    """Smallest ratio of two rates, the smaller over the larger, among given comparisons.

    Parameters
    ----------
    successes, n, other_successes, other_n, level
        As in `largest_contrast`.

    Returns
    -------
    Largest
        Inside [0, 1]; all three nan where every rate is 0. `low`: the smallest Koopman bound of
        any one comparison. `high`: the smallest upper bound that holds for all together.

    Raises
    ------
    ValueError
        As in `largest_contrast`.

    References
    ----------
    Koopman (1984); otherwise as in `largest_contrast`.

    Examples
    --------
    >>> from trustcheck.stats.contrasts import smallest_ratio
    >>> found = smallest_ratio([300], [1000], [450], [1000])
    >>> print(f"{found.value:.2f} in [{found.low:.2f}, {found.high:.2f}]")
    0.67 in [0.59, 0.75]
    """
    known, (x1, n1, x2, n2) = _known(successes, n, other_successes, other_n)
    p, q = x1 / n1, x2 / n2
    z, joint = z_value(level), z_value(together(len(known), level))
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.minimum(p, q) / np.maximum(p, q)
        low = np.minimum(koopman_low(p, n1, q, n2, z), koopman_low(q, n2, p, n1, z))
        up = np.minimum(1 / koopman_low(q, n2, p, n1, joint), 1 / koopman_low(p, n1, q, n2, joint))
    if np.isnan(ratio).all():
        return Largest(np.nan, np.nan, np.nan, int(known[0]))
    at = int(np.nanargmin(ratio))
    value = float(ratio[at])
    # A comparison of two rates of 0 has no ratio, so nothing is known of how small it is.
    lowest = 0.0 if np.isnan(ratio).any() else float(np.nanmin(low))
    highest = float(np.nanmin(np.append(up, 1.0)))
    return Largest(value, min(lowest, value), max(highest, value), int(known[at]))


def _known(*sides: ArrayLike) -> tuple[NDArray[np.intp], list[Floats]]:
    """Return which comparisons have rows on both sides, and their arrays."""
    arrays = [np.asarray(side, dtype=float).ravel() for side in sides]
    known = np.flatnonzero((arrays[1] > 0) & (arrays[3] > 0))
    if not len(known):
        raise ValueError("a comparison needs rows on both sides")
    return known, [a[known] for a in arrays]


def _above(p: Floats, first: Interval, q: Floats, second: Interval) -> Floats:
    """Upper bound of p - q from the ends of both (Newcombe)."""
    return np.asarray(p - q + np.hypot(first.high - p, q - second.low))
