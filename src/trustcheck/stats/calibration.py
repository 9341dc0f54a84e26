"""Calibration of probabilities: the CORP decomposition and Cox's line.

Recalibrated scores come from isotonic regression, which fits noise too: a perfectly calibrated
model seems to gain a little from it. How much is found by drawing outcomes from the scores
themselves, and taken off.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import optimize, special

from trustcheck.stats.intervals import Interval, bounded_mean, z_value

Floats = NDArray[np.float64]

#: Scores are kept this far from 0 and 1 where their logit is needed.
_EDGE = 1e-6
#: Random numbers spent on calibrated worlds, and bounds on how many worlds that makes.
_NUMBERS, _FEWEST, _MOST = 4_000_000, 40, 400


class Corp(NamedTuple):
    """Brier score = miscalibration - discrimination + uncertainty.

    Attributes
    ----------
    miscalibration
        What recalibration would gain, less what it seems to gain for calibrated scores.
    discrimination
        What the recalibrated scores gain over the base rate, less the same amount.
    uncertainty
        Score of the base rate.
    p
        Chance that calibrated scores look at least as miscalibrated.
    gain
        Loss of each row less its loss after recalibration, shape (n,).
    """

    miscalibration: Interval
    discrimination: Interval
    uncertainty: Interval
    p: float
    gain: Floats


def isotonic(scores: ArrayLike, outcomes: ArrayLike, weights: ArrayLike | None = None) -> Floats:
    """Recalibrate: the non-decreasing function of the score that fits the outcomes best.

    Parameters
    ----------
    scores
        Probabilities, shape (n,).
    outcomes
        0 or 1, shape (n,).
    weights
        Shape (n,), above 0.

    Returns
    -------
    array, shape (n,)

    References
    ----------
    Ayer, Brunk, Ewing, Reid and Silverman (1955), pool-adjacent-violators.

    Examples
    --------
    >>> isotonic([0.1, 0.2, 0.3, 0.4], [0, 1, 0, 1]).tolist()
    [0.0, 0.5, 0.5, 1.0]
    """
    p, y, w = checked(scores, outcomes, weights)
    at = np.unique(p, return_inverse=True)[1]
    mass = np.bincount(at, w)
    fit = optimize.isotonic_regression(np.bincount(at, w * y) / mass, weights=mass).x
    return np.asarray(fit[at], dtype=float)


def corp(
    scores: ArrayLike,
    outcomes: ArrayLike,
    rng: np.random.Generator,
    *,
    weights: ArrayLike | None = None,
    level: float = 0.95,
) -> Corp:
    """Decompose the Brier score by isotonic recalibration.

    Parameters
    ----------
    scores, outcomes, weights
        As in `isotonic`.
    rng
        For the calibrated worlds; the order of rows changes nothing.
    level
        Confidence level, inside (0, 1).

    Raises
    ------
    ValueError
        If a score lies outside [0, 1], lengths differ, or a weight is not above 0.

    Notes
    -----
    Two errors: that of the mean gain, and that of what isotonic regression overfits (simulated;
    its quantiles from the gamma distribution with the mean and variance found). Lower end: both
    in quadrature. Upper end: the variance of the gain is nearly proportional to the
    miscalibration, so the largest value that could hide behind the one seen solves a quadratic
    equation.

    References
    ----------
    Dimitriadis, Gneiting and Jordan (2021), Stable reliability diagrams for probabilistic
    classifiers.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> p = rng.random(2000)
    >>> got = corp(p, rng.random(2000) < p, rng).miscalibration
    >>> got.low, got.high < 0.01
    (0.0, True)
    """
    p, y, w = checked(scores, outcomes, weights)
    z = z_value(level)
    share = w / w.sum()
    q, base = isotonic(p, y, w), float(share @ y)
    gain = (p - y) ** 2 - (q - y) ** 2
    found = max(float(share @ gain), 0.0)
    worlds = _calibrated_worlds(p, w, rng)
    chance, spread = float(worlds.mean()), float(worlds.var(ddof=1))
    few, many = (_gamma(chance, spread, float(special.ndtr(end))) for end in (-z, z))
    value = max(found - chance, 0.0)
    variance = float(share**2 @ (gain - found) ** 2)
    low = value - np.hypot(z * variance**0.5, many - chance)
    per_gain = variance / found if found > 1e-12 else float(4 * share**2 @ (p * (1 - p)))
    high = _hidden(value + chance - few, z * per_gain**0.5)
    better = (base - y) ** 2 - (q - y) ** 2
    resolved = float(share @ better)
    half = z * float(share**2 @ (better - resolved) ** 2) ** 0.5
    rate = bounded_mean(y, weights=w, level=level)
    ends = sorted(r * (1 - r) for r in (rate.low, rate.high))
    return Corp(
        Interval(value, min(max(low, 0.0), value), min(max(high, value), 1.0)),
        Interval(*np.clip(resolved - chance + half * np.array([0, -1, 1]), 0, 0.25).tolist()),
        Interval(base * (1 - base), ends[0], 0.25 if rate.low <= 0.5 <= rate.high else ends[1]),
        float((1 + (worlds >= found).sum()) / (1 + worlds.size)),
        gain,
    )


def cox(
    scores: ArrayLike, outcomes: ArrayLike, *, weights: ArrayLike | None = None, level: float = 0.95
) -> tuple[Interval, Interval] | None:
    """Slope and intercept of a logistic regression of the outcomes on the scores' logits.

    Calibrated scores have slope 1 and intercept 0; a slope below 1 means scores too extreme.

    Parameters
    ----------
    scores, outcomes, weights, level
        As in `corp`.

    Returns
    -------
    (slope, intercept), or None
        With robust (sandwich) variances; None where there is no finite fit, as when the scores
        separate the outcomes.

    References
    ----------
    Cox (1958), Two further applications of a model for binary regression; Huber (1967).

    Examples
    --------
    >>> p = np.repeat([0.2, 0.4, 0.6, 0.8], 5)
    >>> y = [1, 0, 0, 0, 0, 1, 1, 0, 0, 0, 1, 1, 1, 0, 0, 1, 1, 1, 1, 0]
    >>> [round(abs(line.value), 6) for line in cox(p, y)]
    [1.0, 0.0]
    """
    p, y, w = checked(scores, outcomes, weights)
    x = np.column_stack([special.logit(np.clip(p, _EDGE, 1 - _EDGE)), np.ones(len(p))])
    beta, step = np.array([1.0, 0.0]), np.ones(2)
    for _ in range(50):
        left = w * (y - special.expit(x @ beta))
        bend = (x.T * (w * special.expit(x @ beta) * special.expit(-x @ beta))) @ x
        # Where nothing bounds the fit, the curvature fades as the scores saturate.
        if not (np.linalg.cond(bend) < 1e12 and np.trace(bend) > 1e-9 * w.sum()):
            return None
        step = np.linalg.solve(bend, x.T @ left)
        if np.abs(step).max() < 1e-10:
            break
        beta = beta + step * min(1.0, 2.0 / float(np.abs(step).max()))
    else:
        return None
    inverse = np.linalg.inv(bend)
    half = z_value(level) * np.sqrt(np.diag(inverse @ ((x.T * left**2) @ x) @ inverse))
    slope, intercept = np.column_stack([beta, beta - half, beta + half]).tolist()
    return Interval(*slope), Interval(*intercept)


def checked(
    scores: ArrayLike, outcomes: ArrayLike, weights: ArrayLike | None
) -> tuple[Floats, Floats, Floats]:
    """Return scores, outcomes and weights as arrays of one length, or raise ValueError."""
    p, y = np.asarray(scores, dtype=float), np.asarray(outcomes, dtype=float)
    w = np.ones(len(p)) if weights is None else np.asarray(weights, dtype=float)
    if not p.shape == y.shape == w.shape or not p.size or not (w > 0).all():
        raise ValueError("scores, outcomes and weights above 0 need one length of at least 1")
    if not ((p >= 0) & (p <= 1)).all():
        raise ValueError("scores must lie between 0 and 1")
    return p, y, w


def _calibrated_worlds(p: Floats, w: Floats, rng: np.random.Generator) -> Floats:
    """What recalibration seems to gain where the scores are right."""
    order = np.lexsort((w, p))  # by content: the order of rows leaves no trace
    p, w = p[order], w[order]
    scores, at = np.unique(p, return_inverse=True)
    mass, worlds = np.bincount(at, w), []
    for _ in range(int(np.clip(_NUMBERS // len(p), _FEWEST, _MOST))):
        rate = np.bincount(at, w * (rng.random(len(p)) < p)) / mass
        fit = optimize.isotonic_regression(rate, weights=mass).x
        worlds.append(mass @ ((scores - rate) ** 2 - (fit - rate) ** 2) / mass.sum())
    return np.maximum(worlds, 0.0)


def _gamma(mean: float, variance: float, level: float) -> float:
    """Quantile of the gamma distribution with this mean and variance."""
    if min(mean, variance) <= 1e-15:
        return mean
    return float(special.gammaincinv(mean**2 / variance, level) * variance / mean)


def _hidden(value: float, noise: float) -> float:
    """Largest m with ``m - noise sqrt(m) <= value``."""
    return float((noise / 2 + (noise**2 / 4 + value) ** 0.5) ** 2)
