"""The largest of several gaps between groups: one interval that carries both decision rules.

"No gap exceeds the limit" is an intersection of claims, so each pair may be tested at the full
level: `high` is the largest pairwise upper bound. "Some gap exceeds it" is a union, so its bounds
must hold together: `low` is the largest simultaneous lower bound.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from trustcheck.stats._pairs import Floats, events, lower, peak, simultaneous_z, table, top, upper
from trustcheck.stats._proportions import koopman_low
from trustcheck.stats.intervals import wilson, z_value

__all__ = [
    "LargestGap",
    "Needed",
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
        Rates inside [0, 1]. `high`: the largest pairwise Newcombe upper bound. `low`: the largest
        Newcombe lower bound at `simultaneous_z`, at least 0. With two groups and one event this
        is Newcombe's interval of the absolute difference.

    Raises
    ------
    ValueError
        If no event has two groups with rows, a size is negative or a count lies outside
        ``[0, n]``.

    References
    ----------
    Berger (1982) for the intersection-union test; Agresti, Bini, Bertaccini and Ryu (2008),
    Simultaneous confidence intervals for comparing binomial parameters; Newcombe (1998).

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


@dataclass(frozen=True, slots=True)
class Needed:
    """Rows that would settle an inconclusive gap.

    Attributes
    ----------
    group, rows
        Position of the group that should grow, and by how many rows.
    other, other_rows
        The group that must grow with it, and by how many rows; None and 0 if none must.
    event
        Column the rows count in: rows are rows of that column's denominator.
    """

    group: int
    rows: int
    other: int | None = None
    other_rows: int = 0
    event: int = 0


def groups_needed(
    successes: ArrayLike,
    n: ArrayLike,
    limit: float,
    *,
    level: float = 0.95,
    power_margin: float = 0.8416,
) -> Needed | None:
    """Rows of which group would bring the largest gap clear of a limit.

    The pair that decides is the blocking one if the observed gap is below the limit; else the one
    whose gap exceeds the limit by most half-widths of its simultaneous interval. Other pairs are
    not looked at; they may block next.

    Parameters
    ----------
    successes, n, level
        As in `largest_gap`.
    limit
        Limit on the gap.
    power_margin
        Normal quantile of the wanted chance that the new data settle it; 0.8416 for 80 %.

    Returns
    -------
    Needed or None
        The smaller group of the pair alone, if that is enough and cheaper; else both groups, to
        a common size. No rows if the gap is settled already; None if the observed gap equals the
        limit, which no number of rows settles.

    Raises
    ------
    ValueError
        As in `largest_gap`.

    Notes
    -----
    Supposes that the true rates are those observed. Future data then settle the pair with the
    wanted chance if its Newcombe bound, taken at z + `power_margin` in place of z, clears the
    limit: the distance to the limit must cover the interval and the noise of the new estimate.

    References
    ----------
    Newcombe (1998); Schuirmann (1987) for the decision whose power this is.

    Examples
    --------
    >>> from trustcheck.stats.gaps import groups_needed
    >>> groups_needed([300, 30], [1000, 90], 0.10)
    Needed(group=1, rows=546, other=None, other_rows=0, event=0)
    """
    found = largest_gap(successes, n, level=level)
    if abs(found.value - limit) < 1e-9:
        return None
    passing = found.value < limit
    peaks = []
    for event in events(successes, n, level):
        if passing:
            near, z = upper(event, z_value(level)), z_value(level)
        else:
            gap, z = np.subtract.outer(event.rates, event.rates), event.z
            with np.errstate(divide="ignore"):  # -1 from its lower bound of -1
                near = (gap - limit) / (gap - lower(event, z))
        peaks.append((*peak(near, event), z))
    _, pair, column, z = top(peaks)
    rates, sizes = (a[list(pair), column] for a in table(successes, n))
    slack = abs(limit - (rates[0] - rates[1]))
    # To pass, the higher rate may climb and the lower one fall by the slack in all; to fail, the
    # other way round. The fall of a rate is the climb of its complement.
    shares = np.abs(rates - ([0, 1] if passing else [1, 0]))
    order = np.argsort(sizes, kind="stable")
    small, large = (pair[o] for o in order)
    if found.high <= limit or found.low > limit:
        return Needed(small, 0, event=column)
    alone, together = _growth(shares[order], sizes[order], slack, z + power_margin)
    if alone <= together.sum():
        return Needed(small, _whole(alone), event=column)
    return Needed(small, _whole(together[0]), large, _whole(together[1]), column)


def _growth(shares: Floats, sizes: Floats, slack: float, z: float) -> tuple[float, Floats]:
    """Rows with which the upper bounds of two shares exceed them by `slack` in quadrature.

    First the rows of the first share alone (inf if the second leaves no room), then those of
    both that bring them to a common size.
    """

    def climb(m: Floats | float) -> Floats:
        return np.asarray(wilson(shares * m, m, z=z).high - shares)

    room = slack**2 - climb(sizes)[1] ** 2
    end = shares[0] + np.sqrt(max(room, 0))
    alone = z * z * end * (1 - end) / room if room > 0 else np.inf  # Wilson's equation for n
    few, many = 0.0, 64.0  # powers of 2
    for _ in range(60):
        middle = (few + many) / 2
        few, many = (few, middle) if np.hypot(*climb(2**middle)) <= slack else (middle, many)
    return float(alone - sizes[0]), np.maximum(2**many - sizes, 0)


def _whole(rows: float) -> int:
    return max(int(np.ceil(rows)), 1)
