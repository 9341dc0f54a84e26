"""What it costs to do without each feature, and how many features cost next to nothing."""

import numpy as np
from numpy.typing import ArrayLike

from trustcheck.stats.intervals import Interval, mean


def costs(
    differences: ArrayLike,
    *,
    weights: ArrayLike | None = None,
    clusters: ArrayLike | None = None,
    level: float = 0.95,
) -> Interval:
    """Simultaneous intervals of the mean loss added by the removal of each of several features.

    Parameters
    ----------
    differences
        Shape (n, d): loss of each row without the feature, less its loss with it.
    weights
        Shape (n,), not negative.
    clusters
        Shape (n,), integer codes: rows with the same code may depend on one another.
    level
        Confidence level of all d intervals together, inside (0, 1).

    Returns
    -------
    Interval
        Arrays of shape (d,), in the unit of the loss.

    Notes
    -----
    Student intervals at level ``1 - (1 - level) / d`` (Bonferroni), after two rows are added to
    those seen, which gain and lose as much as any row did: as in the plus-four interval of a
    proportion, extremes seen once may be more frequent. A feature that moved no row keeps an
    interval without width: in n rows, what concerns fewer than about 3 in n may go unseen.

    References
    ----------
    Agresti and Coull (1998), Approximate is better than "exact" for interval estimation of
    binomial proportions; Student (1908).

    Examples
    --------
    >>> from trustcheck.stats.removal import costs
    >>> got = costs([[0.0, 0.2], [0.0, 0.4], [0.0, 0.1], [0.0, 0.3]] * 10)
    >>> [f"{v:.3f} in [{l:.3f}, {h:.3f}]" for v, l, h in zip(*got)]
    ['0.000 in [0.000, 0.000]', '0.250 in [0.184, 0.292]']
    """
    table = np.asarray(differences, dtype=float)
    n, d = table.shape
    weight = np.ones(n) if weights is None else np.asarray(weights, dtype=float)
    codes = None if clusters is None else np.asarray(clusters)
    total = weight.sum()
    value = weight @ table / total
    most = np.abs(table[weight > 0]).max(axis=0, initial=0.0)
    weight = np.append(weight, [total / n] * 2)
    if codes is not None:
        codes = np.append(codes, codes.max() + np.array([1, 2]))
    ends = [
        mean(np.append(column, [size, -size]), weights=weight, clusters=codes, level=1 - (1 - level) / d)
        for column, size in zip(table.T, most, strict=True)
    ]  # fmt: skip
    low, high = (np.array([end[i] for end in ends]) for i in (1, 2))
    return Interval(value, np.minimum(low, value), np.maximum(high, value))


def share_unneeded(value: ArrayLike, low: ArrayLike, high: ArrayLike, *, delta: float) -> Interval:
    """Share of features whose removal costs at most delta.

    Parameters
    ----------
    value, low, high
        Shape (d,): cost of each feature's removal with its simultaneous interval.
    delta
        The most a removal may cost, in the same unit.

    Returns
    -------
    Interval
        Inside [0, 1]: features that seem to cost at most `delta`; the lower end counts those
        that certainly do, the upper end those that possibly do.

    Examples
    --------
    >>> from trustcheck.stats.removal import share_unneeded
    >>> share_unneeded(
    ...     [0.0, 0.0, 0.2, 0.3], [0.0, -0.1, 0.1, 0.2], [0.0, 0.1, 0.3, 0.4], delta=0.01
    ... )
    Interval(value=0.5, low=0.25, high=0.5)
    """
    shares = [float(np.mean(np.asarray(end, dtype=float) <= delta)) for end in (value, high, low)]
    return Interval(*shares)
