"""Two 0/1 outcomes of the same rows: how one share compares with the other."""

import numpy as np

from trustcheck.stats.intervals import Interval, wilson, z_value


def share_ratio(
    both: float, first_only: float, second_only: float, *, level: float = 0.95
) -> Interval:
    """Ratio of two shares of the same rows, first over second.

    Parameters
    ----------
    both, first_only, second_only
        Rows that show both outcomes, the first alone, the second alone; rows that show neither
        say nothing about the ratio.
    level
        Confidence level, inside (0, 1).

    Returns
    -------
    Interval
        Ratio inside [0, inf). Never without width: not even where no row shows the first outcome.

    Raises
    ------
    ValueError
        If a count is negative, or no row shows the second outcome.

    Notes
    -----
    Wilson intervals of both shares among the rows that show either, at a quantile so much nearer
    to 0 that their ratio has the width of the paired comparison.

    References
    ----------
    Bonett and Price (2006), Confidence intervals for a ratio of binomial proportions based on
    paired data.

    Examples
    --------
    >>> from trustcheck.stats.paired import share_ratio
    >>> print("{:.2f} in [{:.3f}, {:.3f}]".format(*share_ratio(6, 26, 4)))
    3.20 in [1.767, 5.797]
    """
    if min(both, first_only, second_only) < 0:
        raise ValueError("counts must not be negative")
    first, second, either = both + first_only, both + second_only, both + first_only + second_only
    if second == 0:
        raise ValueError("no row shows the second outcome, so the ratio is undefined")

    def spread(count: float) -> float:
        return float(np.sqrt((1 - (count + 1) / (either + 2)) / (count + 1)))

    paired = np.sqrt((first_only + second_only + 2) / ((first + 1) * (second + 1)))
    z = z_value(level) * float(paired) / (spread(first) + spread(second))
    value = first / second
    top, bottom = wilson(first, either, z=z), wilson(second, either, z=z)
    return Interval(value, min(top.low / bottom.high, value), max(top.high / bottom.low, value))


def share_removed(
    both: float, first_only: float, second_only: float, *, level: float = 0.95
) -> Interval:
    """Part of the second share that the first does without: 1 minus their ratio.

    Parameters
    ----------
    both, first_only, second_only, level
        As for `share_ratio`.

    Returns
    -------
    Interval
        At most 1: 1 where no row shows the first outcome, 0 where both are equally frequent,
        below 0 where the first is the more frequent.

    Raises
    ------
    ValueError
        As `share_ratio`.

    Examples
    --------
    >>> from trustcheck.stats.paired import share_removed
    >>> print("{:.2f} in [{:.2f}, {:.2f}]".format(*share_removed(5, 5, 35)))
    0.75 in [0.54, 0.86]
    """
    ratio = share_ratio(both, first_only, second_only, level=level)
    return Interval(1 - ratio.value, 1 - ratio.high, 1 - ratio.low)
