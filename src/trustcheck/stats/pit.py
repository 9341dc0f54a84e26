"""Stated uncertainty of numbers: coverage of intervals, the probability integral transform, CRPS."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

from trustcheck.stats.intervals import Interval, mean, wilson

Floats = NDArray[np.float64]


class Coverage(NamedTuple):
    """Largest gap between promised and observed coverage, and what was observed at each level."""

    gap: Interval
    observed: Interval


def coverage_gap(hits: ArrayLike, n: ArrayLike, promised: ArrayLike) -> Coverage:
    """Largest distance of observed from promised coverage over several levels.

    Parameters
    ----------
    hits, n
        Shape (L,): rows inside their interval, of how many rows (effective sizes allowed).
    promised
        Shape (L,), inside (0, 1).

    Returns
    -------
    Coverage
        `gap`: its upper end is the largest over the levels, its lower end holds for all levels
        together (Bonferroni). `observed`: Wilson intervals, arrays of shape (L,).

    Examples
    --------
    >>> found = coverage_gap([400, 700], [1000, 1000], [0.5, 0.9]).gap
    >>> print("{:.2f} in [{:.2f}, {:.2f}]".format(*found))
    0.20 in [0.17, 0.23]
    """
    target = np.asarray(promised, dtype=float)
    seen = wilson(hits, n)
    joint = wilson(hits, n, level=1 - 0.05 / len(target))
    value = float(np.abs(seen.value - target).max())
    high = float(np.maximum(np.abs(seen.low - target), np.abs(seen.high - target)).max())
    apart = np.maximum(joint.low - target, target - joint.high)
    return Coverage(Interval(value, min(max(float(apart.max()), 0.0), value), high), seen)


def normal_pit(truth: ArrayLike, mean: ArrayLike, spread: ArrayLike) -> Floats:
    """Stated chance of a number below the true one, shape (n,); uniform where statements are true.

    References
    ----------
    Dawid (1984), Present position and potential developments: the prequential approach.

    Examples
    --------
    >>> normal_pit([0.0, 1.96], [0.0, 0.0], [1.0, 1.0]).round(3).tolist()
    [0.5, 0.975]
    """
    centre, scale = np.asarray(mean, dtype=float), np.asarray(spread, dtype=float)
    return np.asarray(special.ndtr((np.asarray(truth, dtype=float) - centre) / scale))


def uniform_distance(pit: ArrayLike, *, level: float = 0.95) -> Interval:
    """Largest distance of the distribution of the transforms from the uniform one.

    The interval is that of the band of Dvoretzky, Kiefer and Wolfowitz (Massart 1990): the distance
    of the true distribution lies inside with at least `level`, whatever the distribution.

    Examples
    --------
    >>> round(uniform_distance(np.linspace(0.0005, 0.9995, 1000)).value, 3)
    0.001
    """
    u = np.sort(np.asarray(pit, dtype=float))
    n = len(u)
    step = np.arange(n + 1) / n
    value = float(max((step[1:] - u).max(), (u - step[:-1]).max()))
    half = float((np.log(2 / (1 - level)) / (2 * n)) ** 0.5)
    return Interval(value, max(value - half, 0.0), min(value + half, 1.0))


def normal_crps(truth: ArrayLike, centre: ArrayLike, spread: ArrayLike) -> Interval:
    """Mean continuous ranked probability score of normal statements, in units of the truth.

    References
    ----------
    Gneiting and Raftery (2007), Strictly proper scoring rules, prediction, and estimation.

    Examples
    --------
    >>> round(normal_crps([0.0, 0.0], [0.0, 0.0], [1.0, 1.0]).value, 4)
    0.2337
    """
    scale = np.asarray(spread, dtype=float)
    z = (np.asarray(truth, dtype=float) - np.asarray(centre, dtype=float)) / scale
    density = np.exp(-(z**2) / 2) / (2 * np.pi) ** 0.5
    score = scale * (z * (2 * special.ndtr(z) - 1) + 2 * density - np.pi**-0.5)
    found = mean(score)
    return Interval(found.value, max(float(found.low), 0.0), found.high)
