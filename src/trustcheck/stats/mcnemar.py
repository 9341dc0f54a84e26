"""Two answers to the same cases: how much more often the first is right."""

import numpy as np

from trustcheck.stats.intervals import Interval, z_value


def difference(first_only: float, second_only: float, n: float, *, level: float = 0.95) -> Interval:
    """Difference of two shares of the same rows, first less second.

    Parameters
    ----------
    first_only, second_only
        Rows on which the first alone is right, and the second alone.
    n
        Rows in all, those on which both or neither are right included.
    level
        Confidence level, inside (0, 1).

    Returns
    -------
    Interval
        Inside [-1, 1].

    Raises
    ------
    ValueError
        If a count is negative, there are no rows, or fewer rows than disagreements.

    Notes
    -----
    Wald's interval after one row of each disagreement is added.

    References
    ----------
    McNemar (1947), Note on the sampling error of the difference between correlated proportions or
    percentages; Bonett and Price (2012), Adjusted Wald confidence interval for a difference of
    binomial proportions based on paired data.

    Examples
    --------
    >>> from trustcheck.stats.mcnemar import difference
    >>> print("{:.3f} in [{:.3f}, {:.3f}]".format(*difference(21, 9, 50)))
    0.240 in [0.027, 0.435]
    """
    if min(first_only, second_only) < 0 or n <= 0 or first_only + second_only > n:
        raise ValueError("counts must not be negative, nor more than the rows")
    p, q = (first_only + 1) / (n + 2), (second_only + 1) / (n + 2)
    half = z_value(level) * float(np.sqrt((p + q - (p - q) ** 2) / (n + 2)))
    value = (first_only - second_only) / n
    return Interval(value, max(min(p - q - half, value), -1.0), min(max(p - q + half, value), 1.0))
