"""The largest of several gaps between groups: one interval that carries both decision rules.

"No gap exceeds the limit" is an intersection of claims, so each pair may be tested at the full
level: `high` is the largest pairwise upper bound. "Some gap exceeds it" is a union, so its bounds
must hold together: `low` is the largest simultaneous lower bound.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from trustcheck.stats._growth import Needed, detectable_gap, groups_needed
from trustcheck.stats._pairs import events, lower, peak, simultaneous_z, top, upper
from trustcheck.stats._proportions import koopman_low
from trustcheck.stats.intervals import z_value

__all__ = [
    "LargestGap",
    "Needed",
    "detectable_gap",
    "groups_needed",
    "largest_gap",
    "simultaneous_z",
    "smallest_ratio",
]


@dataclass(frozen=True, slots=True)
class LargestGap:
    """The widest gap between groups and its interval.

    Attributes
    ----------
    value, low, high
        The observed gap (or ratio) and the interval that decides; ``low <= value <= high``.
    pair
        Positions (i, j) of the groups that show `value`: rate i minus rate j, or rate i over
        rate j.
    blocking
        Positions (i, j) of the groups that keep the result from passing: the pair behind `high`
        of a gap (rate i may exceed rate j by so much), or behind `low` of a ratio.
    event
        Column in which `pair` was found; 0 if there is one.
    """

    value: float
    low: float
    high: float
    pair: tuple[int, int]
    blocking: tuple[int, int]
    event: int = 0


def largest_gap(successes: ArrayLike, n: ArrayLike, *, level: float = 0.95) -> LargestGap:
    """Largest difference of rates between any two groups, over one or several events.

    Parameters
    ----------
    successes
        Shape (k,) or (k, E): counts (or rate times effective size) of E events in k groups.
    n
        Shape (k,) or (k, E): sizes; a group is left out of the events in which its size is 0.
    level
        Confidence level of the interval, inside (0, 1).

    Returns
    -------
    LargestGap
        Rates inside [0, 1]. `high`: the largest pairwise upper bound. `low`: the largest
        simultaneous lower bound (at `simultaneous_z`), at least 0. Bounds of a pair are composed
        of the mid-p ends of both rates, as Newcombe composed his of Wilson's.

    Raises
    ------
    ValueError
        If no event has two groups with rows, a size is negative or a count lies outside
        ``[0, n]``.

    References
    ----------
    Berger (1982) for the intersection-union test; Agresti, Bini, Bertaccini and Ryu (2008),
    Simultaneous confidence intervals for comparing binomial parameters; Newcombe (1998), method
    10; Zou and Donner (2008) for other ends in it; Lancaster (1961) for the mid-p.

    Examples
    --------
    >>> from trustcheck.stats.gaps import largest_gap
    >>> found = largest_gap([30, 45, 40], [100, 100, 100])
    >>> print(f"{found.value:.2f} in [{found.low:.2f}, {found.high:.2f}]", found.pair)
    0.15 in [0.00, 0.28] (1, 0)
    """
    values, lows, highs = [], [], []
    for event in events(successes, n, level):
        values.append(peak(np.subtract.outer(event.rates, event.rates), event))
        lows.append(peak(lower(event, event.z), event))
        highs.append(peak(upper(event, z_value(level)), event))
    value, low, high = map(top, (values, lows, highs))
    return LargestGap(value.at, max(low.at, 0.0), high.at, value.pair, high.pair, value.column)


def smallest_ratio(successes: ArrayLike, n: ArrayLike, *, level: float = 0.95) -> LargestGap:
    """Smallest ratio of rates between any two groups, over one or several events.

    Parameters
    ----------
    successes, n
        As in `largest_gap`.
    level
        Confidence level of the interval, inside (0, 1).

    Returns
    -------
    LargestGap
        Ratios inside [0, 1]. `low`: the smallest pairwise Koopman lower bound. `high`: the
        smallest Koopman upper bound at `simultaneous_z`, at most 1. An event in which every rate
        is 0 has no ratio: it pulls `low` to 0, and without any other event all three are nan.

    Raises
    ------
    ValueError
        As in `largest_gap`.

    References
    ----------
    Koopman (1984); Berger (1982); Agresti, Bini, Bertaccini and Ryu (2008).

    Examples
    --------
    >>> from trustcheck.stats.gaps import smallest_ratio
    >>> found = smallest_ratio([300, 450, 400], [1000, 1000, 1000])
    >>> print(f"{found.value:.2f} in [{found.low:.2f}, {found.high:.2f}]", found.pair)
    0.67 in [0.59, 0.77] (0, 1)
    """
    values, lows, highs = [], [], []
    for event in events(successes, n, level):
        one, other = (event.rates[:, None], event.sizes[:, None]), (event.rates, event.sizes)
        with np.errstate(divide="ignore", invalid="ignore"):
            # One over the lower bound of i over j is the upper bound of j over i.
            values.append(peak(-(one[0] / other[0]), event))
            lows.append(peak(-koopman_low(*one, *other, z_value(level)), event))
            highs.append(peak(-1 / koopman_low(*one, *other, event.z), event))
    value, low, high = map(top, (values, lows, highs))
    ends = -value.at, -low.at, min(-high.at, 1.0)
    if np.isinf(value.at):
        ends = np.nan, np.nan, np.nan
    return LargestGap(*ends, value.pair, low.pair, value.column)
