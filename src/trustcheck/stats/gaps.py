"""The largest of several gaps between groups: one interval that carries both decision rules.

"No gap exceeds the limit" is an intersection of claims, so each pair may be tested at the full
level: `high` is the largest pairwise upper bound. "Some gap exceeds it" is a union, so its bounds
must hold together: `low` is the largest simultaneous lower bound.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

from trustcheck.stats._pairs import Event, Floats, events, lower, peak, simultaneous_z, top, upper
from trustcheck.stats._proportions import koopman_low
from trustcheck.stats.intervals import z_value

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


@dataclass(frozen=True, slots=True)
class Needed:
    """Rows that would settle an inconclusive gap.

    Attributes
    ----------
    group, rows
        Position of the group that should grow most, and by how many rows.
    other, other_rows
        The next group that must grow with it, and by how many rows; None and 0 if none must.
    event
        Column the rows count in: rows are rows of that column's denominator.
    more
        Further groups that must grow too: position and rows of each.
    """

    group: int
    rows: int
    other: int | None = None
    other_rows: int = 0
    event: int = 0
    more: tuple[tuple[int, int], ...] = ()


def groups_needed(
    successes: ArrayLike,
    n: ArrayLike,
    limit: float,
    *,
    level: float = 0.95,
    power_margin: float = 0.8416,
) -> Needed | None:
    """Rows of which groups would bring the largest gap clear of a limit, on either side.

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
        The groups that should be raised to one common size: of the pair that decides, of more
        pairs or of all, whichever takes fewest rows in all. No rows if the gap is settled
        already; None if the observed gap equals the limit.

    Raises
    ------
    ValueError
        As in `largest_gap`.

    Notes
    -----
    The largest of many observed gaps overstates the true one, so with more than two groups the
    rows to come are supposed to follow rates shrunk towards their mean. Every pair must pass (as
    if pairs were independent), or the best one fail. Of several events only the one nearest to a
    decision is looked at. In
    simulated worlds the advice settles about four of five open verdicts, but where the true gap
    exceeds the limit it asks for several times the rows that are needed.

    References
    ----------
    Efron and Morris (1975), Data analysis using Stein's estimator and its generalizations;
    DerSimonian and Laird (1986) for the spread of the rates.

    Examples
    --------
    >>> from trustcheck.stats.gaps import groups_needed
    >>> groups_needed([300, 30], [1000, 90], 0.10)
    Needed(group=1, rows=542, other=None, other_rows=0, event=0, more=())
    """
    found = largest_gap(successes, n, level=level)
    if abs(found.value - limit) < 1e-9:
        return None
    z, passing = z_value(level), found.value < limit
    settled = found.high <= limit or found.low > limit
    peaks = []
    for event in events(successes, n, level):
        near = upper(event, z)
        if not passing:
            gap = np.subtract.outer(event.rates, event.rates)
            with np.errstate(divide="ignore"):  # -1 from its lower bound of -1
                near = (gap - limit) / (gap - lower(event, event.z))
        peaks.append((*peak(near, event), near, event))
    _, pair, column, near, event = top(peaks)
    if settled:
        return Needed(min(pair, key=lambda g: event.sizes[event.groups == g][0]), 0, event=column)
    np.fill_diagonal(near, -np.inf)
    order = np.argsort(-np.maximum(near.max(axis=0), near.max(axis=1)), kind="stable")
    plans = []
    count = 2
    while True:
        plans.append(_raised(event, order[:count], limit, z, float(special.ndtr(power_margin))))
        if count >= len(order):
            break
        count *= 2
    rows = min(plans, key=lambda plan: float(plan.sum()))
    grown = [g for g in np.argsort(-rows, kind="stable") if rows[g]]
    (first, most), *rest = [(int(event.groups[g]), int(rows[g])) for g in grown]
    if not rest:
        return Needed(first, most, event=column)
    (second, next_most), *others = rest
    return Needed(first, most, second, next_most, column, tuple(others))


def _raised(
    event: Event, groups: NDArray[np.intp], limit: float, z: float, chance: float
) -> Floats:
    """Rows that raise these groups to the common size at which the limit is cleared."""
    few, many = 0.0, 30.0  # powers of 2
    sizes = event.sizes

    def raised(size: float) -> Floats:
        m = sizes.copy()
        m[groups] = np.maximum(m[groups], size)
        return m

    for _ in range(24):
        middle = (few + many) / 2
        clear = 1 - _open(event, raised(2**middle), limit, z) >= chance
        few, many = (few, middle) if clear else (middle, many)
    rows = np.ceil(raised(2**many) - sizes)
    if not rows.any():  # the wanted chance is rounded away; still it takes new rows to settle
        rows[groups[sizes[groups].argmin()]] = 1
    return rows


def _open(event: Event, sizes: Floats, limit: float, z: float) -> float:
    """Chance that the interval still holds the limit once the groups have these sizes."""
    truth, new = _shrunk(event, limit), (sizes - event.sizes) / sizes
    rates = (1 - new) * event.rates + new * truth
    # Two rates are taken as observed, so the luck of the present rows has to count as noise too.
    noise = (new if len(sizes) > 2 else 1.0) * truth * (1 - truth) / sizes
    grown = event._replace(rates=rates, sizes=sizes)
    scatter = np.sqrt(np.maximum(np.add.outer(noise, noise), 1e-24))
    ends = (limit - np.stack([lower(grown, grown.z), upper(grown, z)])) / scatter
    ends[:, range(len(sizes)), range(len(sizes))] = np.inf
    unfailed, passed = special.log_ndtr(ends)
    return float(np.exp(unfailed.min()) - np.exp(passed.sum()))


def _shrunk(event: Event, limit: float) -> Floats:
    """Rates drawn towards their mean by what their noise explains; inside (0, 1).

    They are taken to spread by at least a fifth of the limit, lest a few alike look all equal.
    Two rates say nothing about how rates spread, and stay.
    """
    p, n = event.rates, event.sizes
    if len(p) == 2:
        return np.clip(p, 1e-3, 1 - 1e-3)
    common = (p * n + 0.5).sum() / (n + 1).sum()
    weight = n / (common * (1 - common))
    excess = (weight * (p - np.average(p, weights=weight)) ** 2).sum() - (len(p) - 1)
    spread = excess / (weight.sum() - (weight**2).sum() / weight.sum())
    spread = max(spread, (0.2 * limit) ** 2)
    mean = np.average(p, weights=1 / (1 / weight + spread))
    return np.clip(mean + (p - mean) * spread / (spread + 1 / weight), 1e-3, 1 - 1e-3)
