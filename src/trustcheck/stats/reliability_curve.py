"""The reliability curve of probabilities, and the calibration error over its bins."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from trustcheck.stats.calibration import Floats, checked
from trustcheck.stats.intervals import Interval, bounded_mean, z_value


class Bins(NamedTuple):
    """Bins of rows by score, all of one shape: mean score, observed rate and its interval, rows.

    `size` is the effective number of rows, `share` the bin's share of all weight.
    """

    score: Floats
    rate: Floats
    low: Floats
    high: Floats
    n: NDArray[np.int64]
    size: Floats
    share: Floats


def curve(
    scores: ArrayLike, outcomes: ArrayLike, *, weights: ArrayLike | None = None, bins: int = 15
) -> Bins:
    """Reliability curve: mean score and observed rate, with its Wilson interval, per bin.

    Parameters
    ----------
    scores, outcomes, weights
        As in `corp`.
    bins
        At most so many, of equal numbers of rows; equal scores are never parted.

    Examples
    --------
    >>> got = curve([0.1, 0.1, 0.9, 0.9], [0, 0, 1, 1], bins=2)
    >>> got.score.tolist(), got.rate.tolist(), got.n.tolist()
    ([0.1, 0.9], [0.0, 1.0], [2, 2])
    """
    p, y, w = checked(scores, outcomes, weights)
    edges = np.unique(np.quantile(p, np.linspace(0, 1, bins + 1)[1:-1]))
    codes = np.searchsorted(edges, p)
    rows = []
    for code in np.unique(codes):
        at = codes == code
        size = w[at].sum() ** 2 / (w[at] ** 2).sum()
        rate = bounded_mean(y[at], weights=w[at])
        rows.append((np.average(p[at], weights=w[at]), *rate, at.sum(), size, w[at].sum()))
    score, value, low, high, n, size, mass = np.array(rows, dtype=float).T
    return Bins(score, value, low, high, n.astype(np.int64), size, mass / mass.sum())


def debiased_error(bins: Bins, *, level: float = 0.95) -> Interval:
    """Root of the mean squared calibration error over bins, its sampling noise taken off.

    References
    ----------
    Kumar, Liang and Ma (2019), Verified uncertainty calibration.

    Examples
    --------
    >>> p, y = np.repeat([0.2, 0.8], 100), np.tile([0, 1], 100)
    >>> round(debiased_error(curve(p, y, bins=2)).value, 3)
    0.296
    """
    usable = bins.size > 1
    rate, size, share = bins.rate[usable], bins.size[usable], bins.share[usable]
    squared = (rate - bins.score[usable]) ** 2
    total = float(share @ (squared - rate * (1 - rate) / (size - 1)))
    pulled = (rate * size + 1) / (size + 2)  # a bin without any outcome still has noise
    noise = pulled * (1 - pulled) / size
    half = z_value(level) * float(share**2 @ (4 * squared * noise + 2 * noise**2)) ** 0.5
    value, low, high = np.clip([total, total - half, total + half], 0, 1) ** 0.5
    return Interval(float(value), float(low), float(high))
