"""Answering only where one is sure: risk against coverage, and guarantees for it."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

from trustcheck.stats.intervals import Interval, clopper_pearson

Floats = NDArray[np.float64]


class Curve(NamedTuple):
    """Risk among the rows answered, at every coverage that a threshold can reach.

    Attributes
    ----------
    threshold
        Least confidence answered, falling; shape (t,).
    rows
        Rows answered, shape (t,).
    errors
        Sum of their losses, shape (t,).
    """

    threshold: Floats
    rows: NDArray[np.int64]
    errors: Floats


def curve(confidence: ArrayLike, loss: ArrayLike) -> Curve:
    """Risk-coverage curve; rows of equal confidence are answered together.

    Parameters
    ----------
    confidence
        Shape (n,): higher is surer.
    loss
        Shape (n,), at least 0.

    Raises
    ------
    ValueError
        If lengths differ, there are no rows, or a number is not finite.

    References
    ----------
    El-Yaniv and Wiener (2010), On the foundations of noise-free selective classification.

    Examples
    --------
    >>> got = curve([0.9, 0.8, 0.8, 0.6], [0, 0, 1, 1])
    >>> got.rows.tolist(), (got.errors / got.rows).round(2).tolist()
    ([1, 3, 4], [0.0, 0.33, 0.5])
    """
    c, x = _checked(confidence, loss)
    order = np.argsort(-c, kind="stable")
    last = np.r_[np.diff(c[order]) != 0, True]
    return Curve(c[order][last], np.flatnonzero(last) + 1, np.cumsum(x[order])[last])


def aurc(confidence: ArrayLike, loss: ArrayLike, *, level: float = 0.95) -> Interval:
    """Area under the risk-coverage curve, ties in random order in expectation.

    Parameters
    ----------
    confidence, loss
        As in `curve`.
    level
        Confidence level, inside (0, 1).

    Returns
    -------
    Interval
        In the unit of the loss, at least 0: the mean over k of the mean loss of the k surest
        rows. Symmetric on the scale of logarithms. Its variance is that of the influence of rows: a row counts with minus the logarithm
        of the coverage at which it enters, and dilutes those that enter after it.

    References
    ----------
    Geifman, Uziel and El-Yaniv (2019), Bias-reduced uncertainty estimation for deep neural
    classifiers; Hampel (1974) for the influence.

    Examples
    --------
    >>> round(aurc([0.9, 0.8, 0.7, 0.6], [0, 0, 1, 1]).value, 4)
    0.2083
    """
    c, x = _checked(confidence, loss)
    n = len(c)
    order = np.argsort(-c, kind="stable")
    at = np.unique(-c[order], return_inverse=True)[1]
    mean = (np.bincount(at, x[order]) / np.bincount(at))[at]  # ties shared out
    place = np.arange(1, n + 1)
    later = np.cumsum((1 / place)[::-1])[::-1]  # sum over k >= place of 1 / k
    value = float(mean @ later / n)
    # d AURC / d weight of a row: its own term, and a smaller share for all who enter at or after it.
    diluted = np.cumsum((np.cumsum(mean) / place**2)[::-1])[::-1]
    own = x[order] * later - diluted
    influence = own - own.mean()
    if n == 1 or value <= 0:
        return Interval(value, 0.0, float("inf") if n == 1 else value)
    quantile = float(special.stdtrit(n - 1, 0.5 + level / 2))
    half = quantile * float(influence @ influence / (n - 1) / n) ** 0.5
    return Interval(
        value, value * float(np.exp(-half / value)), value * float(np.exp(half / value))
    )


def oracle_aurc(loss: ArrayLike) -> float:
    """AURC of a confidence that orders the rows by their loss, the best there is.

    Examples
    --------
    >>> round(oracle_aurc([1, 0, 0, 1]), 4)
    0.2083
    """
    x = np.sort(np.asarray(loss, dtype=float))
    return float((np.cumsum(x) / np.arange(1, len(x) + 1)).mean())


class Guarantee(NamedTuple):
    """Largest coverage whose risk is held, with the threshold that gives it.

    Attributes
    ----------
    coverage
        Share of rows answered, 0 where no threshold holds the risk.
    threshold
        Answer where the confidence is at least so high; inf where none is.
    bound
        Upper bound of the risk there.
    """

    coverage: float
    threshold: float
    bound: float


def guaranteed(
    confidence: ArrayLike, wrong: ArrayLike, risk: float, *, level: float = 0.95
) -> Guarantee:
    """Largest coverage at which the share of wrong answers is at most `risk`, with a guarantee.

    Parameters
    ----------
    confidence
        Shape (n,).
    wrong
        Shape (n,), 0 or 1.
    risk
        Inside (0, 1).
    level
        Chance that the guarantee holds, inside (0, 1).

    Returns
    -------
    Guarantee

    Notes
    -----
    Thresholds at every hundredth of coverage are tested one after the other, surest rows first,
    until one fails: a fixed sequence of tests spends the error once, however long it is. Few rows
    prove little, so the walk begins where 6 / risk rows are answered, and a second one, with half
    of the error, at 25 / risk rows.

    References
    ----------
    Geifman and El-Yaniv (2017), Selective classification for deep neural networks, for the
    guarantee; Angelopoulos, Bates, Candes, Jordan and Lei (2021), Learn then test, for the fixed
    sequence; Clopper and Pearson (1934).

    Examples
    --------
    >>> confidence = np.linspace(0, 1, 1000)
    >>> found = guaranteed(confidence, confidence < 0.2, 0.05)
    >>> 0.75 < found.coverage < 0.85, found.bound <= 0.05
    (True, True)
    """
    found = curve(confidence, wrong)
    n = int(found.rows[-1])
    wanted = np.ceil(n * np.arange(1, 101) / 100)
    at = np.unique(np.searchsorted(found.rows, wanted))
    bounds = np.asarray(clopper_pearson(found.errors[at], found.rows[at], level=level).high)
    best = Guarantee(0.0, float("inf"), 1.0)
    for enough in (6, 25):
        begin = min(int(np.searchsorted(found.rows[at], enough / risk)), len(at) - 1)
        held = np.cumprod(bounds[begin:] <= risk)
        if held.any():
            last = at[begin + int(held.sum()) - 1]
            share = int(found.rows[last]) / n
            if share > best.coverage:
                bound = float(bounds[begin + int(held.sum()) - 1])
                best = Guarantee(share, float(found.threshold[last]), bound)
    return best


def _checked(confidence: ArrayLike, loss: ArrayLike) -> tuple[Floats, Floats]:
    c, x = np.asarray(confidence, dtype=float), np.asarray(loss, dtype=float)
    if c.shape != x.shape or c.ndim != 1 or not c.size:
        raise ValueError("confidence and loss need one length of at least 1")
    if not (np.isfinite(c).all() and np.isfinite(x).all()):
        raise ValueError("confidence and loss must be finite")
    return c, x
