"""All pairs of groups at once: rates in one array, bounds of their differences in one matrix."""

from collections.abc import Iterator, Sequence
from functools import lru_cache
from operator import itemgetter
from typing import Any, NamedTuple, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from trustcheck.stats._proportions import mid_p, share, z_value

Floats = NDArray[np.float64]
Ranked = TypeVar("Ranked", bound=tuple[Any, ...])


class Event(NamedTuple):
    """One column of the table, without the groups that have no rows in it."""

    column: int
    groups: NDArray[np.intp]
    rates: Floats
    sizes: Floats
    z: float  # simultaneous over the pairs of this event and over the events


class Peak(NamedTuple):
    """The largest entry of a pair matrix."""

    at: float
    pair: tuple[int, int]
    column: int


@lru_cache(maxsize=1024)
def simultaneous_z(groups: int, *, level: float = 0.95) -> float:
    """Normal quantile at which the intervals of all pairs of groups hold together.

    Parameters
    ----------
    groups
        How many groups are compared, at least 2; with 2 this is `z_value`.
    level
        Confidence level of all pairs together, inside (0, 1).

    Returns
    -------
    float
        The quantile of the studentized range with infinite degrees of freedom, over sqrt(2).

    Raises
    ------
    ValueError
        If `groups` is less than 2 or `level` not inside (0, 1).

    References
    ----------
    Tukey (1953) and Kramer (1956).

    Examples
    --------
    >>> from trustcheck.stats.gaps import simultaneous_z
    >>> [round(simultaneous_z(k), 3) for k in (2, 3, 10)]
    [1.96, 2.344, 3.164]
    """
    if groups < 2:
        raise ValueError(f"groups must be at least 2, got {groups!r}")
    z_value(level)
    from scipy import stats  # slow to load

    return float(stats.studentized_range.ppf(level, groups, np.inf)) / 2**0.5


def table(successes: ArrayLike, n: ArrayLike) -> tuple[Floats, Floats]:
    """Rates and sizes, shape (k, E)."""
    x, size = (np.asarray(a, dtype=float) for a in (successes, n))
    return share(x.reshape(len(x), -1), size.reshape(len(size), -1))


def events(successes: ArrayLike, n: ArrayLike, level: float) -> Iterator[Event]:
    """Events in which at least two groups have rows; ValueError if there are none."""
    rates, sizes = table(successes, n)
    present = [np.flatnonzero(column > 0) for column in sizes.T]
    usable = [(e, groups) for e, groups in enumerate(present) if len(groups) > 1]
    if not usable:
        raise ValueError("a gap needs at least two groups with rows")
    for e, groups in usable:
        z = simultaneous_z(len(groups), level=1 - (1 - level) / len(usable))
        yield Event(e, groups, rates[groups, e], sizes[groups, e], z)


def upper(event: Event, z: float) -> Floats:
    """Upper bound of rate i - rate j, for all ordered pairs: Newcombe's, of mid-p ends.

    Wilson's ends, which Newcombe took, err beside very small groups and far out in the tails,
    where many pairs have to hold together; exact ones are wider than they need to be.
    """
    p = event.rates
    _, low, high = mid_p(p * event.sizes, event.sizes, z=z)
    reach = np.sqrt(np.add.outer((high - p) ** 2, (p - low) ** 2))
    return np.asarray(np.subtract.outer(p, p) + reach)


def lower(event: Event, z: float) -> Floats:
    """Lower bound of rate i - rate j, for all ordered pairs."""
    return -upper(event, z).T


def peak(matrix: Floats, event: Event) -> Peak:
    """Largest entry off the diagonal (a group is no pair with itself); nan counts for nothing."""
    matrix = np.where(np.isnan(matrix), -np.inf, matrix)
    np.fill_diagonal(matrix, -np.inf)
    i, j = divmod(int(matrix.argmax()), len(matrix))
    return Peak(float(matrix[i, j]), (int(event.groups[i]), int(event.groups[j])), event.column)


def top(peaks: Sequence[Ranked]) -> Ranked:
    """The first of those that rank highest by their first entry."""
    return max(peaks, key=itemgetter(0))
