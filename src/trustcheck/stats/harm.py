"""What errors cost: against the best decision that ignores the inputs, and in the worst tail."""

import numpy as np
from numpy.typing import ArrayLike

from trustcheck.stats.intervals import Interval, effective_size, mean, ratio_of_means, wilson


def relative_cost(
    costs: ArrayLike,
    baseline: ArrayLike,
    *,
    most: float | None = None,
    weights: ArrayLike | None = None,
    clusters: ArrayLike | None = None,
    level: float = 0.95,
) -> Interval:
    """Mean cost over the mean cost of a baseline decision on the same rows.

    Parameters
    ----------
    costs, baseline
        Shape (n,), at least 0: what each row's decision, and the baseline's, costs.
    most
        What a row can cost at most; the largest baseline cost unless given. Bounds from above
        what could have happened where nothing did.
    weights, clusters, level
        As in `intervals.mean`.

    Returns
    -------
    Interval
        At least 0. Delta method; where no row costs anything its width would be 0, so the upper
        end is then Wilson's for 0 of n rows (about 3.8 / n) at the cost `most`.

    Raises
    ------
    ValueError
        If a cost is negative or the baseline costs nothing.

    References
    ----------
    Cochran (1977), Sampling Techniques, section 6.3.

    Examples
    --------
    >>> from trustcheck.stats.harm import relative_cost
    >>> print("{:.2f} in [{:.2f}, {:.2f}]".format(*relative_cost([0, 1, 0, 5], [5, 5, 0, 5])))
    0.40 in [0.00, 1.32]
    """
    cost, base = np.asarray(costs, dtype=float), np.asarray(baseline, dtype=float)
    if np.any(cost < 0) or np.any(base < 0):
        raise ValueError("costs must not be negative")
    value, low, high = ratio_of_means(cost, base, weights=weights, clusters=clusters, level=level)
    if value == 0:
        n = effective_size(cost > 0, weights=weights, clusters=clusters, level=level)
        dearest = float(base.max()) if most is None else most
        high = (
            wilson(0, n, level=level).high
            * dearest
            / float(
                np.average(
                    base, weights=None if weights is None else np.asarray(weights, dtype=float)
                )
            )
        )
    return Interval(value, max(low, 0.0), high)


def tail_mean(
    costs: ArrayLike,
    *,
    tail: float = 0.05,
    weights: ArrayLike | None = None,
    clusters: ArrayLike | None = None,
    level: float = 0.95,
) -> Interval:
    """Mean of the dearest share of rows: the conditional value at risk at level 1 - tail.

    Parameters
    ----------
    costs
        Shape (n,).
    tail
        Share of rows in the tail, inside (0, 1].
    weights, clusters, level
        As in `intervals.mean`.

    Returns
    -------
    Interval
        In the unit of the costs. The smallest over t of t + E(cost - t)+ / tail, which a quantile
        attains; the interval is that of this mean at the quantile found, whose own error is of
        second order.

    Raises
    ------
    ValueError
        If `tail` is outside (0, 1].

    References
    ----------
    Rockafellar and Uryasev (2000), Optimization of conditional value-at-risk.

    Examples
    --------
    >>> from trustcheck.stats.harm import tail_mean
    >>> tail_mean([0.0] * 90 + [1.0] * 8 + [5.0] * 2, tail=0.05).value  # (2 * 5 + 3 * 1) / 5
    2.6
    """
    if not 0 < tail <= 1:
        raise ValueError(f"tail must be inside (0, 1], got {tail!r}")
    cost = np.asarray(costs, dtype=float)
    w = np.ones(len(cost)) if weights is None else np.asarray(weights, dtype=float)
    order = np.argsort(cost, kind="stable")[::-1]
    above = np.cumsum(w[order]) / w.sum()
    at = min(int(np.searchsorted(above, tail * (1 - 1e-12))), len(cost) - 1)
    quantile = cost[order][at]
    spread = mean(
        np.maximum(cost - quantile, 0) / tail, weights=weights, clusters=clusters, level=level
    )
    return Interval(*(float(quantile + end) for end in spread))
