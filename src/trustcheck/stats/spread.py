"""The largest gap between groups in any quantity that has an interval: means, AUCs, metrics.

The same two rules as in `gaps`, without counts: each group brings its estimate and the ends of
its interval at any level, and intervals of differences are recovered from those ends (MOVER).
"""

from collections.abc import Callable, Iterable

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

from trustcheck.stats._pairs import Event, peak, simultaneous_z, top
from trustcheck.stats.gaps import LargestGap
from trustcheck.stats.intervals import z_value

Floats = NDArray[np.float64]
#: The ends of each group's interval at a level, in the shape of the values.
Ends = Callable[[float], Iterable[ArrayLike]]


def largest_difference(
    values: ArrayLike, ends: Ends, *, level: float = 0.95, reference: int | None = None
) -> LargestGap:
    """Largest difference between any two independent groups, over one or several quantities.

    Parameters
    ----------
    values
        Shape (k,) or (k, E): estimates of E quantities in k groups.
    ends
        Returns, for a level inside (0, 1), the lower and upper ends of each estimate's own
        interval, in the shape of `values`. A group whose value or ends are not finite is left
        out of that quantity.
    level
        Confidence level of the interval, inside (0, 1).
    reference
        Position of the group that all others are compared with; every two groups if None.

    Returns
    -------
    LargestGap
        In the unit of the values. `high`: the largest pairwise upper bound. `low`: the largest
        lower bound that holds for all pairs and quantities together, at least 0.

    Raises
    ------
    ValueError
        If no quantity is known in two groups.

    References
    ----------
    Zou and Donner (2008), Construction of confidence limits about effect measures; Berger (1982);
    Tukey (1953) and Kramer (1956) for the simultaneous level, Sidak (1967) with a reference.

    Examples
    --------
    >>> from trustcheck.stats.intervals import wilson
    >>> from trustcheck.stats.spread import largest_difference
    >>> got = largest_difference(
    ...     [0.30, 0.45, 0.40], lambda level: wilson([30, 45, 40], [100] * 3, level=level)[1:]
    ... )
    >>> print(f"{got.value:.2f} in [{got.low:.2f}, {got.high:.2f}]", got.pair)
    0.15 in [0.00, 0.28] (1, 0)
    """
    values = _columns(values)
    own = [_columns(end) for end in ends(level)]
    known = np.isfinite(values) & np.isfinite(own[0]) & np.isfinite(own[1])
    if reference is not None:
        known &= known[reference]
    usable = [e for e in range(values.shape[1]) if known[:, e].sum() > 1]
    if not usable:
        raise ValueError("a gap needs at least two groups in which the quantity is known")
    # One level for all quantities, that of the most groups: sound for those with fewer.
    most, each = int(known.sum(axis=0).max()), 1 - (1 - level) / len(usable)
    z = simultaneous_z(most, level=each) if reference is None else z_value(each ** (1 / (most - 1)))
    wide = [_columns(end) for end in ends(float(special.erf(z / 2**0.5)))]
    gaps, lows, highs = [], [], []
    for e in usable:
        groups = np.flatnonzero(known[:, e])
        v = values[groups, e]
        event = Event(e, groups, v, np.ones(len(groups)), z)
        asked = groups == reference  # pairs without the reference count for nothing
        out = 0.0 if reference is None else np.where(asked[:, None] | asked, 0.0, np.nan)
        gaps.append(peak(out + np.subtract.outer(v, v), event))
        lows.append(peak(out - _upper(v, *(a[groups, e] for a in wide)).T, event))
        highs.append(peak(out + _upper(v, *(a[groups, e] for a in own)), event))
    value, low, high = map(top, (gaps, lows, highs))
    return LargestGap(
        value.at,
        min(max(low.at, 0.0), value.at),
        max(high.at, value.at),
        value.pair,
        high.pair,
        value.column,
    )


def smallest_ratio(
    values: ArrayLike, ends: Ends, *, level: float = 0.95, reference: int | None = None
) -> LargestGap:
    """Smallest ratio of a positive quantity between any two independent groups.

    Parameters
    ----------
    values, ends, level, reference
        As in `largest_difference`. A value that is not above 0 has no ratio: its group is left
        out; a lower end at or below 0 is taken for 0.

    Returns
    -------
    LargestGap
        Ratios inside [0, 1]: `low` the smallest pairwise lower bound, `high` the smallest
        simultaneous upper one. `pair` and `blocking` are (smaller, larger).

    Raises
    ------
    ValueError
        If no quantity is known, and above 0, in two groups.

    References
    ----------
    As in `largest_difference`, on the logarithmic scale.

    Examples
    --------
    >>> from trustcheck.stats.spread import smallest_ratio
    >>> got = smallest_ratio([2.0, 4.0], lambda level: ([1.8, 3.5], [2.2, 4.6]))
    >>> print(f"{got.value:.2f} in [{got.low:.2f}, {got.high:.2f}]", got.pair)
    0.50 in [0.42, 0.59] (0, 1)
    """
    z_value(level)
    found = np.asarray(values, dtype=float)
    logs = np.log(np.where(found > 0, found, np.nan))
    # Zero cannot be reached on the logarithmic scale; the smallest number stands in for it.
    tiny = np.finfo(float).tiny

    def log_ends(level: float) -> tuple[Floats, Floats]:
        low, high = (np.asarray(end, dtype=float) for end in ends(level))
        return np.log(np.maximum(low, tiny)), np.log(high)

    gap = largest_difference(logs, log_ends, level=level, reference=reference)
    ratio, low, high = np.exp([-gap.value, -gap.high, -gap.low])
    return LargestGap(
        float(ratio),
        0.0 if low < 1e-100 else float(low),
        float(high),
        gap.pair[::-1],
        gap.blocking[::-1],
        gap.event,
    )


def _columns(values: ArrayLike) -> Floats:
    array = np.asarray(values, dtype=float)
    return array.reshape(len(array), -1)


def _upper(v: Floats, low: Floats, high: Floats) -> Floats:
    """MOVER's upper bound of v i - v j, for all ordered pairs."""
    reach = np.sqrt(np.add.outer((high - v) ** 2, (v - low) ** 2))
    return np.asarray(np.subtract.outer(v, v) + reach)
