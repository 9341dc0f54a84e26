"""Maximum mean discrepancy of two samples of rows, with an interval from independent blocks."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from trustcheck.stats.intervals import Interval, mean

Floats = NDArray[np.float64]


def median_bandwidth(rows: ArrayLike) -> float:
    """Median distance between two rows: the usual width of a Gaussian kernel.

    Parameters
    ----------
    rows
        Shape (n, d), at least two of them. Use other rows than those compared.

    Returns
    -------
    float
        Above 0; 1 where most rows are equal.

    References
    ----------
    Gretton, Borgwardt, Rasch, Schoelkopf and Smola (2012), A kernel two-sample test, section 8.

    Examples
    --------
    >>> median_bandwidth([[0.0], [1.0], [3.0]])
    2.0
    """
    x = np.asarray(rows, dtype=float)
    middle = float(np.median(_squares(x, x)[np.triu_indices(len(x), 1)])) ** 0.5
    return middle if middle > 0 else 1.0


def squared_mmd(x: ArrayLike, y: ArrayLike, bandwidth: float) -> float:
    """Unbiased squared discrepancy under a Gaussian kernel; below 0 by chance without drift.

    Parameters
    ----------
    x, y
        Shapes (n, d) and (m, d), at least two rows each.
    bandwidth
        Standard deviation of the kernel, above 0.

    References
    ----------
    Gretton et al. (2012), A kernel two-sample test, lemma 6.

    Examples
    --------
    >>> round(squared_mmd([[0.0], [0.0]], [[9.0], [9.0]], 1.0), 6)
    2.0
    """
    a, b = np.asarray(x, dtype=float), np.asarray(y, dtype=float)

    def within(rows: Floats) -> float:
        kernel = np.exp(-_squares(rows, rows) / (2 * bandwidth**2))
        return float((kernel.sum() - len(rows)) / (len(rows) * (len(rows) - 1)))

    across = float(np.exp(-_squares(a, b) / (2 * bandwidth**2)).mean())
    return within(a) + within(b) - 2 * across


def block_mmd(
    x: ArrayLike, y: ArrayLike, bandwidth: float, blocks: int, *, level: float = 0.95
) -> Interval:
    """Squared discrepancy, averaged over blocks of rows, with the t interval of the blocks.

    Blocks share no row, so their values are independent, whatever the kernel and whether there
    is drift or not. The upper end is at least 0, below which no discrepancy lies.

    Parameters
    ----------
    x, y
        Shapes (n, d) and (m, d), in random order, at least two rows per block each.
    bandwidth
        Standard deviation of the kernel, above 0; chosen without looking at these rows.
    blocks
        How many; at least 2, better 40.
    level
        Confidence level, inside (0, 1).

    References
    ----------
    Zaremba, Gretton and Blaschko (2013), B-tests: low variance kernel two-sample tests.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> x, y = rng.normal(size=(2, 400, 3))
    >>> block_mmd(x, y, 2.0, 40).low < 0 < block_mmd(x, y + 1, 2.0, 40).low
    True
    """
    pairs = zip(np.array_split(np.asarray(x), blocks), np.array_split(np.asarray(y), blocks),
                strict=True)  # fmt: skip
    value, low, high = mean([squared_mmd(a, b, bandwidth) for a, b in pairs], level=level)
    return Interval(value, low, max(high, 0.0, value))


def _squares(a: Floats, b: Floats) -> Floats:
    found = (a**2).sum(axis=1)[:, None] + (b**2).sum(axis=1) - 2 * a @ b.T
    return np.maximum(found, 0.0)
