"""Replicates of a sample, and intervals from what a quantity does over them."""

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

from trustcheck.stats._proportions import Interval, z_value

Floats = NDArray[np.float64]
#: Rows that the prior adds, over all cells: in a 2 x 2 table Jeffreys' half a row each.
PRIOR_ROWS = 2.0


def cell_draws(
    weight: ArrayLike, squared: ArrayLike, draws: int, rng: np.random.Generator
) -> Floats:
    """Draws of the weights of cells of one count table.

    Parameters
    ----------
    weight, squared
        Shape (c,): sums of the rows' weights and of their squares in each cell (both the number
        of rows, where rows carry no weights).
    draws
        How many draws.
    rng
        Source of randomness.

    Returns
    -------
    array, shape (draws, c)
        Above 0. Without weights, normalised draws are Dirichlet with parameters counts plus the
        prior; with weights each cell's draw has the mean and variance of its resampled sum.

    References
    ----------
    Rubin (1981), The Bayesian bootstrap; Jeffreys (1946) for the prior.

    Examples
    --------
    >>> import numpy as np
    >>> from trustcheck.stats.replicates import cell_draws
    >>> cell_draws([30, 0], [30, 0], 4, np.random.default_rng(0)).shape
    (4, 2)
    """
    w, s = np.asarray(weight, dtype=float), np.asarray(squared, dtype=float)
    filled = w > 0
    usual = s.sum() / w.sum() if filled.any() else 1.0
    scale = np.where(filled, s / np.where(filled, w, 1.0), usual)
    shape = w / scale + PRIOR_ROWS / len(w)
    return np.asarray(rng.gamma(shape, size=(draws, len(w))) * scale)


def skewed(value: float, replicates: ArrayLike) -> Callable[[float], Interval]:
    """Return intervals at any level whose two sides reach as far as the replicates' quantiles.

    Parameters
    ----------
    value
        The estimate.
    replicates
        Shape (draws,): its values in draws from its sampling (or posterior) distribution.

    Returns
    -------
    callable
        Of a level, inside (0, 1). At 95 % the replicates' own quantiles, or `value` where both
        lie on one side of it; at others their distances scaled as normal quantiles scale.

    Examples
    --------
    >>> import numpy as np
    >>> from trustcheck.stats.replicates import skewed
    >>> at = skewed(0.5, np.linspace(0, 0.8, 1001))
    >>> print("{:.2f} in [{:.2f}, {:.2f}]".format(*at(0.95)))
    0.50 in [0.02, 0.78]
    """
    low, high = np.quantile(np.asarray(replicates, dtype=float), [0.025, 0.975])
    below, above = max(value - float(low), 0.0), max(float(high) - value, 0.0)

    def at(level: float) -> Interval:
        stretch = z_value(level) / z_value(0.95)
        return Interval(value, value - below * stretch, value + above * stretch)

    return at


def student(value: float, deviation: float, n: int) -> Callable[[float], Interval]:
    """Return Student's intervals at any level, for an estimate from n rows.

    Examples
    --------
    >>> from trustcheck.stats.replicates import student
    >>> print("{:.2f} in [{:.2f}, {:.2f}]".format(*student(2.5, 0.6455, 4)(0.95)))
    2.50 in [0.45, 4.55]
    """

    def at(level: float) -> Interval:
        half = float(special.stdtrit(n - 1, 0.5 + level / 2)) * deviation
        return Interval(value, value - half, value + half)

    return at
