"""Adjusted p-values of several tests at once, for lists of details."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

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
