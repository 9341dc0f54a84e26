"""The worst of several shares, with one interval that holds for it."""

import numpy as np
from numpy.typing import ArrayLike
from scipy import special

from trustcheck.stats.intervals import Interval, wilson, z_value


def worst_share(successes: ArrayLike, n: ArrayLike, *, level: float = 0.95) -> Interval:
    """Largest of k shares, each counted on rows of its own kind.

    Parameters
    ----------
    successes, n
        Shape (k,): counts and sizes, sizes above 0.
    level
        Confidence level of the interval, inside (0, 1).

    Returns
    -------
    Interval
        Inside [0, 1]. `high`: the largest upper Wilson bound, since "none exceeds the limit" may
        be tested for each at the full level (Berger 1982). `low`: the largest lower Wilson bound
        that holds for all k together (Sidak), since "some exceeds it" picks one of k.

    Raises
    ------
    ValueError
        If there are no shares, or one has no rows.

    References
    ----------
    Berger (1982), Multiparameter hypothesis testing; Sidak (1967); Wilson (1927).

    Examples
    --------
    >>> from trustcheck.stats.worst import worst_share
    >>> print("{:.3f} in [{:.3f}, {:.3f}]".format(*worst_share([0, 6], [300, 100])))
    0.060 in [0.025, 0.125]
    """
    x, size = np.asarray(successes, dtype=float), np.asarray(n, dtype=float)
    if not size.size or np.any(size <= 0):
        raise ValueError("every share needs rows")
    z_value(level)
    together = float(special.ndtri(0.5 + level ** (1 / size.size) / 2))
    return Interval(
        float((x / size).max()),
        float(np.max(wilson(x, size, z=together).low)),
        float(np.max(wilson(x, size, level=level).high)),
    )
