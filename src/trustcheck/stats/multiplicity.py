"""Adjusted p-values of several tests at once, for lists of details."""

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

Floats = NDArray[np.float64]


def holm(p: ArrayLike) -> Floats:
    """Adjust p-values so that the chance of any false finding is kept.

    Parameters
    ----------
    p
        Shape (m,): p-values inside [0, 1]; nan stands for no test, and stays.

    Returns
    -------
    array, shape (m,)
        Inside [0, 1]; one at most alpha may be called at level alpha, whatever the dependence.

    Raises
    ------
    ValueError
        If a p-value lies outside [0, 1].

    References
    ----------
    Holm (1979), A simple sequentially rejective multiple test procedure.

    Examples
    --------
    >>> from trustcheck.stats.multiplicity import holm
    >>> holm([0.01, 0.04, 0.03]).round(3).tolist()
    [0.03, 0.06, 0.06]
    """
    known, order, ranked = _ranked(p)
    steps = np.arange(len(ranked), 0, -1)
    return _put(known, order, np.maximum.accumulate(ranked * steps))


def benjamini_hochberg(p: ArrayLike) -> Floats:
    """Adjust p-values so that the expected share of false findings among those called is kept.

    Parameters
    ----------
    p
        As in `holm`.

    Returns
    -------
    array, shape (m,)
        Inside [0, 1]; for independent or positively dependent tests.

    Raises
    ------
    ValueError
        As in `holm`.

    References
    ----------
    Benjamini and Hochberg (1995), Controlling the false discovery rate.

    Examples
    --------
    >>> from trustcheck.stats.multiplicity import benjamini_hochberg
    >>> benjamini_hochberg([0.01, 0.04, 0.03]).round(3).tolist()
    [0.03, 0.04, 0.04]
    """
    known, order, ranked = _ranked(p)
    scaled = ranked * len(ranked) / np.arange(1, len(ranked) + 1)
    return _put(known, order, np.minimum.accumulate(scaled[::-1])[::-1])


def against_rest(successes: ArrayLike, n: ArrayLike) -> Floats:
    """Score test of each group's rate against that of all other groups together.

    Parameters
    ----------
    successes, n
        Shape (k,) or (k, E): counts (or effective counts) and sizes by group, and by event.

    Returns
    -------
    array, of the same shape
        Two-sided p-values; nan where a group, or all others, have no rows. 1 where no rate varies.

    References
    ----------
    Pearson (1900): for two rates the square of the statistic is his chi-square.

    Examples
    --------
    >>> from trustcheck.stats.multiplicity import against_rest
    >>> against_rest([30, 45, 40], [100, 100, 100]).round(3).tolist()
    [0.036, 0.093, 0.675]
    """
    x, m = np.asarray(successes, dtype=float), np.asarray(n, dtype=float)
    hits, size = x.sum(axis=0), m.sum(axis=0)
    with np.errstate(invalid="ignore", divide="ignore"):
        common = hits / size
        spread = common * (1 - common) * (1 / m + 1 / (size - m))
        apart = np.abs(x / m - (hits - x) / (size - m))
        z = np.where(spread > 0, apart / np.sqrt(spread), 0.0)
    return np.asarray(np.where((m > 0) & (m < size), 2 * special.ndtr(-z), np.nan))


def _ranked(p: ArrayLike) -> tuple[Floats, NDArray[np.intp], Floats]:
    values = np.asarray(p, dtype=float)
    if np.any((values < 0) | (values > 1)):
        raise ValueError("p-values must be inside [0, 1]")
    order = np.argsort(values, kind="stable")[: int(np.isfinite(values).sum())]  # nan sorts last
    return values, order, values[order]


def _put(values: Floats, order: NDArray[np.intp], adjusted: Floats) -> Floats:
    out = np.full(values.shape, np.nan)
    out[order] = np.minimum(adjusted, 1.0)
    return out
