"""Where in a series of rows their distribution changed."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]

#: Blocks of rows between which a change is first looked for, and bins of values compared.
_BLOCKS, _BINS = 256, 32


class ChangePoint(NamedTuple):
    """The best single split of a series.

    Attributes
    ----------
    row
        First row after the change; 0 < row < n.
    size
        Distance of the distributions before and after, on bins: 0 to 1. It is the largest of many
        splits, so it is above 0 by chance: measure the distance on other rows.
    """

    row: int
    size: float


def bins_of(values: ArrayLike, most: int = _BINS) -> NDArray[np.int64]:
    """Return the bin of each number, missing ones in a bin of their own, shape (n,).

    Bins hold about equal numbers of rows; equal values share one.

    Examples
    --------
    >>> bins_of([0, 0, 0, 5, 7, np.nan], 3).tolist()
    [0, 0, 0, 1, 1, 2]
    """
    x = np.asarray(values, dtype=float)
    known = np.sort(x[~np.isnan(x)])
    if not known.size:
        return np.zeros(x.size, dtype=np.int64)
    places = np.linspace(0, known.size - 1, most + 1).astype(int)
    upper = np.unique(known[places])
    found = np.searchsorted(upper, x, side="left")
    return np.where(np.isnan(x), upper.size, found)


def change_point(codes: ArrayLike, *, ordered: bool = True, fewest: int = 20) -> ChangePoint:
    """Find the row from which on the codes come from another distribution.

    Parameters
    ----------
    codes
        Small whole numbers from 0, in order of time, shape (n,).
    ordered
        Whether neighbouring codes are near (bins of numbers), so that sets ``code <= c`` are
        compared (Kolmogorov-Smirnov); else any set of codes (total variation).
    fewest
        Rows each side has at least.

    Returns
    -------
    ChangePoint

    Raises
    ------
    ValueError
        With fewer than ``2 * fewest`` rows.

    Notes
    -----
    The split is the one that maximises the distance times ``sqrt(k (n - k)) / n``, k rows before
    it: first over blocks of rows, then over single rows for the set of codes found to have
    changed most.

    References
    ----------
    Carlstein (1988), Nonparametric change-point estimation; Page (1954) for cumulative sums.

    Examples
    --------
    >>> change_point([0] * 300 + [0, 1] * 100).row
    301
    """
    x = np.asarray(codes, dtype=np.int64)
    n = x.size
    if n < 2 * fewest:
        raise ValueError(f"a change point needs {2 * fewest} rows")
    k = int(x.max()) + 1
    ends = np.unique(np.linspace(0, n, min(_BLOCKS, n // fewest * 2) + 1).astype(int))
    block = np.repeat(np.arange(ends.size - 1), np.diff(ends))
    held = np.bincount(block * k + x, minlength=(ends.size - 1) * k).reshape(-1, k)
    before = np.cumsum(held, axis=0)[:-1].astype(float)
    splits = ends[1:-1]
    inside = (splits >= fewest) & (splits <= n - fewest)
    before, splits = before[inside], splits[inside]
    gaps = before / splits[:, None] - (held.sum(axis=0) - before) / (n - splits)[:, None]
    if ordered:
        gaps = np.cumsum(gaps, axis=1)
        sizes = np.abs(gaps).max(axis=1)
    else:
        sizes = np.abs(gaps).sum(axis=1) / 2
    top = int((sizes * np.sqrt(splits * (n - splits))).argmax())
    event = x <= int(np.abs(gaps[top]).argmax()) if ordered else (gaps[top] > 0)[x]
    # The set is fixed now: its cumulative sum bends where its share changes.
    step = int(np.diff(ends).max())
    rows = np.arange(max(splits[top] - step, fewest), min(splits[top] + step, n - fewest) + 1)
    total = np.cumsum(event)
    bend = np.abs(total[rows - 1] - rows * (total[-1] / n)) / np.sqrt(rows * (n - rows))
    row = int(rows[bend.argmax()])
    return ChangePoint(row, float(sizes[top]))
