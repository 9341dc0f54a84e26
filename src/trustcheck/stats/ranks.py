"""How well scores rank positives above negatives: AUC and the low false-positive end of the ROC.

Ties count one half in the AUC; at a false-positive rate they are broken at random, in
expectation. A constant score therefore has AUC 1/2 and TPR = FPR.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

from trustcheck.stats.intervals import Interval, clopper_pearson, wilson, z_value

Floats = NDArray[np.float64]


def auc(positive: ArrayLike, negative: ArrayLike) -> float:
    """Chance that a random positive scores above a random negative, ties counting one half.

    Parameters
    ----------
    positive, negative
        Shapes (m,) and (n,): scores of either class; infinite scores are allowed.

    Returns
    -------
    float
        Inside [0, 1]; nan if either class is empty.

    Raises
    ------
    ValueError
        If a score is nan.

    References
    ----------
    Mann and Whitney (1947); Hanley and McNeil (1982).

    Examples
    --------
    >>> from trustcheck.stats.ranks import auc
    >>> auc([0.9, 0.6, 0.4], [0.6, 0.1])
    0.75
    """
    pos, neg = _scores(positive), _scores(negative)
    return float(_placements(pos, neg).mean()) if pos.size and neg.size else np.nan


def auc_interval(positive: ArrayLike, negative: ArrayLike, *, level: float = 0.95) -> Interval:
    """AUC with an interval that holds for few rows and near 0 and 1 as well.

    Parameters
    ----------
    positive, negative
        Shapes (m,) and (n,): scores of either class; infinite scores are allowed.
    level
        Confidence level, inside (0, 1).

    Returns
    -------
    Interval
        Inside [0, 1]; all nan if either class is empty.

    Raises
    ------
    ValueError
        If a score is nan.

    Notes
    -----
    The hull of two intervals. DeLong's, on the logit scale with Brunner and Munzel's t quantile,
    is right for any scores given rows enough, but far too short if the few rows of a class that
    rank badly were not met. Newcombe's method 5, a score interval, is sound there. Where DeLong's
    variance is 0 or undefined (an AUC of 0 or 1, all scores tied, a class of one row), Wilson's
    interval over min(m, n) trials stands in: so many disjoint pairs of a positive and a negative
    are independent, each right with the AUC as its chance.

    References
    ----------
    DeLong, DeLong and Clarke-Pearson (1988); Sun and Xu (2014) for the fast ranks; Pepe (2003),
    section 5.2, for the logit; Brunner and Munzel (2000); Newcombe (2006), Confidence intervals
    for an effect size measure based on the Mann-Whitney statistic, part 2.

    Examples
    --------
    >>> from trustcheck.stats.ranks import auc_interval
    >>> print("{:.2f} in [{:.2f}, {:.2f}]".format(*auc_interval([3, 5, 6, 8, 9], [1, 2, 4, 5, 7])))
    0.78 in [0.30, 0.97]
    """
    pos, neg = _scores(positive), _scores(negative)
    m, n = len(pos), len(neg)
    if not m or not n:
        return Interval(np.nan, np.nan, np.nan)
    over, under = _placements(pos, neg), 1 - _placements(neg, pos)
    value = float(over.mean())
    delong, newcombe = _delong(over, under, level), _newcombe(value, m, n, z_value(level))
    return Interval(value, min(value, delong[0], newcombe[0]), max(value, delong[1], newcombe[1]))


def auc_lost(
    scores: ArrayLike, others: ArrayLike, positive: ArrayLike, *, level: float = 0.95
) -> Interval:
    """How much lower the AUC of other scores of the same rows is.

    Parameters
    ----------
    scores, others
        Two scores of each row, shape (n,).
    positive
        Whether a row is of the positive class, shape (n,), both classes twice at least.
    level
        Confidence level, inside (0, 1).

    References
    ----------
    DeLong, DeLong and Clarke-Pearson (1988), Comparing the areas under two or more correlated
    receiver operating characteristic curves.

    Examples
    --------
    >>> from trustcheck.stats.ranks import auc_lost
    >>> auc_lost([1, 2, 3, 4], [1, 3, 2, 4], [0, 0, 1, 1]).value
    0.25
    """
    member = np.asarray(positive, dtype=bool)
    over, under = [], []
    for given in (scores, others):
        held = np.asarray(given, dtype=float)
        pos, neg = held[member], held[~member]
        over.append(_placements(pos, np.sort(neg)))
        under.append(1 - _placements(neg, np.sort(pos)))
    moved = over[0] - over[1], under[0] - under[1]
    value = float(moved[0].mean())
    spread = sum(part.var(ddof=1) / part.size for part in moved) ** 0.5
    reach = z_value(level) * float(spread)
    return Interval(value, value - reach, value + reach)


def tpr_at_fpr(
    positive: ArrayLike, negative: ArrayLike, fpr: float, *, level: float = 0.95
) -> Interval:
    """Share of positives above the threshold that lets through a given share of negatives.

    Parameters
    ----------
    positive, negative
        Shapes (m,) and (n,): scores of either class; infinite scores are allowed.
    fpr
        False-positive rate inside [0, 1]. Where the threshold falls on tied scores, they pass
        with the probability that meets the rate exactly.
    level
        Confidence level, inside (0, 1).

    Returns
    -------
    Interval
        The true-positive rate, with the Clopper-Pearson interval of m trials; all nan if either
        class is empty. The interval holds for the threshold found: that another sample of
        negatives would move it is not counted, so n should be many times 1 / fpr.

    Raises
    ------
    ValueError
        If `fpr` lies outside [0, 1] or a score is nan.

    References
    ----------
    Carlini et al. (2022), Membership inference attacks from first principles, for the measure;
    Lehmann and Romano (2005), section 3.2, for the randomised threshold.

    Examples
    --------
    >>> from trustcheck.stats.ranks import tpr_at_fpr
    >>> tpr_at_fpr([9, 8, 7, 2], [1, 2, 3, 4, 5, 6, 7, 8, 3, 4], 0.1).value
    0.5
    >>> round(tpr_at_fpr([5] * 20, [5] * 50, 0.01).value, 9)
    0.01
    """
    if not 0 <= fpr <= 1:
        raise ValueError(f"fpr must lie inside [0, 1], got {fpr!r}")
    pos, neg = _scores(positive), _scores(negative)
    m, n = len(pos), len(neg)
    if not m or not n:
        return Interval(np.nan, np.nan, np.nan)
    passed = fpr * n
    whole = int(passed + 1e-9)  # fpr * n may fall short of a whole number by rounding
    if whole >= n:
        return clopper_pearson(m, m, level=level)
    threshold = neg[n - 1 - whole]
    (pos_above, pos_tied), (neg_above, neg_tied) = (_split(s, threshold) for s in (pos, neg))
    through = (passed - neg_above) / neg_tied
    return clopper_pearson(pos_above + max(through, 0.0) * pos_tied, m, level=level)


def _scores(scores: ArrayLike) -> Floats:
    ordered = np.sort(np.asarray(scores, dtype=float))
    if ordered.size and np.isnan(ordered[-1]):  # nan sorts last
        raise ValueError("scores must not be nan")
    return ordered


def _placements(scores: Floats, others: Floats) -> Floats:
    """Share of the sorted others that each score exceeds, ties counting one half."""
    below, up_to = (np.searchsorted(others, scores, side=side) for side in ("left", "right"))
    return np.asarray((below + up_to) / (2 * len(others)))


def _split(ordered: Floats, threshold: float) -> tuple[int, int]:
    """How many scores lie above the threshold, and how many on it."""
    first, last = (
        np.searchsorted(ordered, threshold, "left"),
        np.searchsorted(ordered, threshold, "right"),
    )
    return len(ordered) - int(last), int(last - first)


def _delong(over: Floats, under: Floats, level: float) -> tuple[float, float]:
    """Both ends from the placements of either class, or from disjoint pairs."""
    value, sizes = float(over.mean()), np.array([len(over), len(under)])
    fewest = int(sizes.min())
    if fewest > 1 and 0 < value < 1:
        parts = np.array([over.var(ddof=1), under.var(ddof=1)]) / sizes
        variance = parts.sum()
        if variance > 1e-20:  # more than rounding
            freedom = variance**2 / (parts**2 / (sizes - 1)).sum()
            quantile = special.stdtrit(freedom, 0.5 + level / 2)
            reach = quantile * np.sqrt(variance) / (value * (1 - value))
            low, high = special.expit(special.logit(value) + np.array([-reach, reach]))
            return float(low), float(high)
    _, low, high = wilson(value * fewest, fewest, level=level)
    return low, high


def _newcombe(value: float, m: int, n: int, z: float) -> tuple[float, float]:
    """Ends at which the score test rejects, by bisection from the outside in."""
    rejected, kept = np.array([0.0, 1.0]), np.array([value, value])
    for _ in range(60):
        theta = (rejected + kept) / 2
        spread = (1 - theta) / (2 - theta) + theta / (1 + theta)
        variance = theta * (1 - theta) * (1 + ((m + n) / 2 - 1) * spread) / (m * n)
        beyond = (value - theta) ** 2 > z * z * variance
        rejected, kept = np.where(beyond, theta, rejected), np.where(beyond, kept, theta)
    return float(kept[0]), float(kept[1])
