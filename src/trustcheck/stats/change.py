"""How the largest gap between groups changes when the same rows get other 0/1 outcomes."""

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import linalg

from trustcheck.stats.intervals import Interval, z_value

Floats = NDArray[np.float64]


def largest_gap_change(
    both: ArrayLike,
    before_only: ArrayLike,
    after_only: ArrayLike,
    n: ArrayLike,
    *,
    level: float = 0.95,
) -> Interval:
    """Change of the largest gap between groups, when the same rows get other outcomes.

    Parameters
    ----------
    both, before_only, after_only
        Shape (k,) or (k, E): rows (or effective rows) of each group that show the outcome (of
        each of E events) before and after, only before, only after.
    n
        In the same shape: rows in which the event is counted; a group without any is left out
        of that event.
    level
        Confidence level, inside (0, 1).

    Returns
    -------
    Interval
        Largest gap after less largest gap before, inside [-1, 1]; negative where it shrank.

    Raises
    ------
    ValueError
        If no event has two groups with rows.

    Notes
    -----
    A largest of several has no smooth change, so its pairs are bounded one by one. With A the
    ordered pairs' differences after and B before, the change is max A - max B. It is at most
    A_p - B_q for the pair p that is largest after and every q: so ``high`` is the largest over p
    of the smallest over q of the upper bounds of A_p - B_q, bounds that hold for all q together
    (Bonferroni); ``low`` is found the other way round. It holds whichever pairs are truly the
    largest, and however many tie.

    References
    ----------
    Agresti and Caffo (2000) for the rows added; Berger (1982), Multiparameter hypothesis testing.

    Examples
    --------
    >>> from trustcheck.stats.change import largest_gap_change
    >>> got = largest_gap_change([300, 480], [100, 20], [50, 0], [1000, 1000])
    >>> print("{:.3f} in [{:.3f}, {:.3f}]".format(*got))
    0.030 in [0.001, 0.059]
    """
    cells = np.stack([_columns(a) for a in (both, before_only, after_only)])
    size = _columns(n)
    widest, pairs, shared = [], [], []
    for e in range(size.shape[1]):
        groups = np.flatnonzero(size[:, e] > 0)
        if len(groups) < 2:
            continue
        m = size[groups, e]
        raw = cells[:, groups, e] / m
        widest.append([np.ptp(raw[0] + raw[k]) for k in (1, 2)])
        b11, b10, b01 = (cells[:, groups, e] + 0.5) / (m + 2)
        before, after = b11 + b10, b11 + b01
        noise = [p * (1 - p) / (m + 2) for p in (before, after)]
        i, j = np.nonzero(~np.eye(len(groups), dtype=bool))
        pairs.append([before[i] - before[j], after[i] - after[j], *(v[i] + v[j] for v in noise)])
        # Two differences vary together by the groups they have in common.
        own = np.diag((b11 - after * before) / (m + 2))
        shared.append(own[i][:, i] - own[i][:, j] - own[j][:, i] + own[j][:, j])
    if not pairs:
        raise ValueError("a gap needs at least two groups with rows")
    was, now = np.max(widest, axis=0)
    b, a, noise_b, noise_a = np.concatenate(pairs, axis=1)
    # Rows of different events have nothing in common.
    variance = noise_a[:, None] + noise_b - 2 * linalg.block_diag(*shared)
    half = z_value(1 - (1 - level) / len(a)) * np.sqrt(np.maximum(variance, 0.0))
    difference = a[:, None] - b
    high = float((difference + half).min(axis=1).max())
    low = float((difference - half).max(axis=0).min())
    value = float(now - was)
    return Interval(value, max(min(low, value), -1.0), min(max(high, value), 1.0))


def _columns(values: ArrayLike) -> Floats:
    array = np.asarray(values, dtype=float)
    return array.reshape(len(array), -1)
