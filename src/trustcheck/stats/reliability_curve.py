"""The reliability curve of probabilities, and the calibration error over its bins."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import fft

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


#: Cells of the grid on which residuals are smoothed, and noises drawn for the interval.
_GRID, _NOISES = 2048, 400


def smooth_error(
    scores: ArrayLike, outcomes: ArrayLike, *, weights: ArrayLike | None = None, level: float = 0.95
) -> Interval:
    """Smooth calibration error: residuals smoothed along the score, no bins to choose.

    Parameters
    ----------
    scores, outcomes, weights
        As in `corp`.
    level
        Confidence level, inside (0, 1).

    Returns
    -------
    Interval
        At least 0. The error is a norm of the smoothed residuals, so it differs from the true one
        by no more than the norm of their noise: its quantile, by a multiplier bootstrap at the
        bandwidth found, is the half-width. Conservative where the error is large.

    Notes
    -----
    Gaussian kernel reflected at 0 and 1; the bandwidth is the one equal to the error it gives.

    References
    ----------
    Blasiok and Nakkiran (2023), Smooth ECE: principled reliability diagrams via kernel smoothing.

    Examples
    --------
    >>> p, y = np.repeat([0.2, 0.8], 500), np.tile([0, 1], 500)
    >>> found = smooth_error(p, y)
    >>> round(found.value, 2), found.low > 0.1
    (0.24, True)
    """
    p, y, w = checked(scores, outcomes, weights)
    share = w / w.sum()
    cell = np.minimum((p * _GRID).astype(np.int64), _GRID - 1)
    residual = share * (y - p)
    wave = fft.dct(np.bincount(cell, residual, _GRID), norm="ortho")
    waves = np.pi * np.arange(_GRID)

    def norm(of: Floats, width: float) -> Floats:
        """Mean absolute value after smoothing: the reflected kernel is diagonal in cosines."""
        return np.abs(fft.idct(of * np.exp(-0.5 * (width * waves) ** 2), norm="ortho")).sum(axis=-1)

    narrow, wide = 1.0 / _GRID, 1.0
    for _ in range(40):
        width = (narrow * wide) ** 0.5
        narrow, wide = (width, wide) if norm(wave, width) > width else (narrow, width)
    value = float(norm(wave, wide))
    spread = np.bincount(cell, residual**2, _GRID) ** 0.5
    drawn = np.random.default_rng(0).standard_normal((_NOISES, _GRID)) * spread
    noise = norm(fft.dct(drawn, norm="ortho", axis=-1), wide)
    half = float(np.quantile(noise, level))
    return Interval(value, max(value - half, 0.0), value + half)
