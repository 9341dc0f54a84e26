"""How many rows of a table share their combination of values."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from trustcheck.stats.intervals import Interval

Ints = NDArray[np.int64]


def classes(codes: ArrayLike) -> Ints:
    """Class of each row: rows with equal codes in every column share one.

    Parameters
    ----------
    codes
        Shape (n, d), integers from 0 on: the value of each column as a code.

    Returns
    -------
    array, shape (n,)
        Integers from 0 on, every one of which occurs.

    Examples
    --------
    >>> from trustcheck.stats.anonymity import classes
    >>> classes([[0, 1], [0, 0], [0, 1]]).tolist()
    [1, 0, 1]
    """
    table = np.asarray(codes, dtype=np.int64)
    found = np.zeros(len(table), dtype=np.int64)
    for column in table.T:
        # Renumbered after each column, so that the product never overflows.
        _, found = np.unique(found * (column.max(initial=0) + 1) + column, return_inverse=True)
    return found


def distinct_within(groups: ArrayLike, values: ArrayLike) -> Ints:
    """How many different values each group holds.

    Parameters
    ----------
    groups
        Shape (n,), integers from 0 on, every one of which occurs.
    values
        Shape (n,), integers from 0 on.

    Returns
    -------
    array, shape (groups,)
        At least 1. With people as values it is the number of people in a class; with labels the
        distinct l-diversity of the class.

    References
    ----------
    Machanavajjhala et al. (2007), l-diversity: privacy beyond k-anonymity.

    Examples
    --------
    >>> from trustcheck.stats.anonymity import distinct_within
    >>> distinct_within([0, 0, 1, 1], [7, 7, 7, 3]).tolist()
    [1, 2]
    """
    group, value = np.asarray(groups, dtype=np.int64), np.asarray(values, dtype=np.int64)
    pairs = np.unique(np.column_stack([group, value]), axis=0)
    return np.bincount(pairs[:, 0]).astype(np.int64)


def share_below(size: ArrayLike, rows: ArrayLike, k: int) -> Interval:
    """Share of rows in classes smaller than k: an exact number, its own lower and upper end.

    Parameters
    ----------
    size
        Shape (m,), sizes of classes.
    rows
        Shape (m,), rows in classes of that size.
    k
        The least size asked for.

    Returns
    -------
    Interval
        Inside [0, 1].

    Raises
    ------
    ValueError
        If there are no rows.

    References
    ----------
    Sweeney (2002), k-anonymity: a model for protecting privacy.

    Examples
    --------
    >>> from trustcheck.stats.anonymity import share_below
    >>> share_below([1, 4, 20], [3, 8, 40], k=5).value
    0.21568627450980393
    """
    sizes, counts = np.asarray(size), np.asarray(rows, dtype=float)
    if counts.sum() == 0:
        raise ValueError("there are no rows")
    value = float(counts[sizes < k].sum() / counts.sum())
    return Interval(value, value, value)
