"""Two estimates of the same rows, each with its own interval: how far apart are the true values?

For estimates of different rows see ``intervals.mover_difference``.
"""

import numpy as np

from trustcheck.stats.intervals import Interval


def dependent(first: Interval, second: Interval) -> Interval:
    """Second less first, whatever the dependence: from end to opposite end.

    Parameters
    ----------
    first, second
        Value and ends, or bounds.

    Returns
    -------
    Interval
        Holds wherever both ends do; for two normal estimates no correlation can break its level.

    Examples
    --------
    >>> from trustcheck.stats.difference import dependent
    >>> from trustcheck.stats.intervals import Interval
    >>> print(
    ...     "{:.1f} in [{:.1f}, {:.1f}]".format(
    ...         *dependent(Interval(0.5, 0.2, 0.6), Interval(0.8, 0.5, 0.9))
    ...     )
    ... )
    0.3 in [-0.1, 0.7]
    """
    value = second.value - first.value
    return Interval(value, second.low - first.high, second.high - first.low)


def paired(
    first: Interval,
    second: Interval,
    first_influence: np.ndarray,
    second_influence: np.ndarray,
    *,
    weights: np.ndarray | None = None,
    clusters: np.ndarray | None = None,
) -> Interval:
    """Second less first, for two estimates from the same rows.

    Parameters
    ----------
    first, second
        Value and ends, of one level.
    first_influence, second_influence
        Influence of each row on the values, shape (n,); only their proportions matter.
    weights
        What each row stands for, shape (n,).
    clusters
        Which rows belong together, shape (n,).

    Returns
    -------
    Interval
        Of the same level.

    Notes
    -----
    Distances from value to end are combined as those of correlated estimates; the correlation is
    that of the influences. As if one row had been added on which each alone is right, the interval
    is never without width.

    References
    ----------
    Zou (2007), Toward using confidence intervals to compare correlations; Hampel (1974), The
    influence curve and its role in robust estimation; Bonett and Price (2012), Adjusted Wald
    confidence interval for a difference of binomial proportions based on paired data.

    Examples
    --------
    >>> import numpy as np
    >>> from trustcheck.stats.difference import paired
    >>> from trustcheck.stats.intervals import Interval
    >>> rows = np.tile([-1.0, 1.0], 50)
    >>> nearly = np.where(np.arange(100) < 4, -rows, rows)
    >>> print(
    ...     "{:.2f} in [{:.2f}, {:.2f}]".format(
    ...         *paired(Interval(0.5, 0.4, 0.6), Interval(0.6, 0.5, 0.7), rows, nearly)
    ...     )
    ... )
    0.10 in [0.06, 0.14]
    """
    both = np.array([first_influence, second_influence], dtype=float)
    if clusters is not None:
        # Within a cluster the weighted influences add up before they are squared.
        both = both if weights is None else both * weights
        codes = np.unique(clusters, return_inverse=True)[1]
        both = np.array([np.bincount(codes, row) for row in both])
    elif weights is not None:
        both *= np.sqrt(weights)
    norms = np.sqrt((both**2).sum(axis=1))
    shares = np.divide(both, norms[:, None], out=np.zeros_like(both), where=norms[:, None] > 0)
    rho = float(np.clip((shares[0] * shares[1]).sum(), -1.0, 1.0))
    halves = np.array([(e.high - e.low) / 2 for e in (first, second)])
    one_row = float((np.abs(shares).max(axis=1) * halves).max())
    extra = 2 * one_row**2

    def reach(one: float, other: float) -> float:
        return float(np.sqrt(max(one**2 + other**2 - 2 * rho * one * other, 0.0) + extra))

    value = second.value - first.value
    below = reach(second.value - second.low, first.high - first.value)
    above = reach(second.high - second.value, first.value - first.low)
    return Interval(value, value - below, value + above)
