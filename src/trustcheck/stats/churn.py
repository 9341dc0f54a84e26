"""How much answers depend on which rows a model happened to learn from."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

from trustcheck.stats.intervals import Interval

Floats = NDArray[np.float64]


def disagreement(labels: ArrayLike) -> Floats:
    """Chance that two of the fits, taken at random, answer a row differently.

    Parameters
    ----------
    labels
        Shape (B, n): class codes of B fits, B at least 2.

    Returns
    -------
    array, shape (n,)
        Inside [0, 1]: one minus the self-consistency of each row.

    References
    ----------
    Cooper, Lee, Choksi, Barocas, De Sa, Grimmelmann, Kleinberg, Sen and Zhang (2024),
    Arbitrariness and social prediction.

    Examples
    --------
    >>> disagreement([[0, 0, 1], [0, 1, 1], [0, 1, 0]]).round(3).tolist()
    [0.0, 0.667, 0.667]
    """
    y = np.asarray(labels)
    fits = len(y)
    same = sum(
        ((y == code).sum(axis=0) * ((y == code).sum(axis=0) - 1) for code in np.unique(y)), 0
    )
    return np.asarray(1 - same / (fits * (fits - 1)), dtype=float)


def distance(numbers: ArrayLike) -> Floats:
    """Mean absolute difference of two of the fits, taken at random, per row.

    Parameters
    ----------
    numbers
        Shape (B, n): predicted numbers of B fits, B at least 2.

    Returns
    -------
    array, shape (n,)

    Examples
    --------
    >>> distance([[0.0, 1.0], [0.0, 3.0]]).tolist()
    [0.0, 2.0]
    """
    y = np.sort(np.asarray(numbers, dtype=float), axis=0)
    fits = len(y)
    # Sum of all pairwise distances from order statistics.
    coefficient = 2 * np.arange(fits) - fits + 1
    return np.asarray(coefficient @ y * 2 / (fits * (fits - 1)), dtype=float)


def mean_churn(answers: ArrayLike, *, numbers: bool = False, level: float = 0.95) -> Interval:
    """Mean over rows of how far two fits are apart, with the doubt from rows and from fits.

    Parameters
    ----------
    answers
        Shape (B, n), B at least 3, n at least 2.
    numbers
        Whether answers are numbers rather than class codes.
    level
        Confidence level, inside (0, 1).

    Returns
    -------
    Interval
        Not below 0; at most 1 for classes. Variance: that of the mean over rows, plus the
        jackknife over fits; Student's t with B - 1 degrees of freedom.

    Raises
    ------
    ValueError
        If there are fewer than three fits or two rows.

    References
    ----------
    Arvesen (1969), Jackknifing U-statistics.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> got = mean_churn(rng.random((6, 500)) < 0.5)
    >>> round(got.value, 1), got.low < 0.5 < got.high
    (0.5, True)
    """
    y = np.asarray(answers)
    fits, n = y.shape
    if fits < 3 or n < 2:
        raise ValueError("churn needs at least three fits and two rows")
    of = distance if numbers else disagreement
    rows = of(y)
    value = float(rows.mean())
    without = np.array([of(np.delete(y, at, axis=0)).mean() for at in range(fits)])
    variance = rows.var(ddof=1) / n + (fits - 1) / fits * ((without - without.mean()) ** 2).sum()
    half = float(special.stdtrit(fits - 1, 0.5 + level / 2)) * float(variance) ** 0.5
    if not numbers and not rows.any():
        half = float(-np.log((1 - level) / 2)) / n  # none of n rows: the rule of three
    high = value + half
    return Interval(value, max(value - half, 0.0), high if numbers else min(high, 1.0))
