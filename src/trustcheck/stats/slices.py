"""Slices of the data in which a model errs more than elsewhere: exact search, honest confirmation.

A predicate is a column of a 0/1 table ("age 37 to 48"), a slice a conjunction of predicates on
different features. The search is SliceLine's (Sagadeeva and Boehm 2021): level by level, dropping
what a bound on the score shows to be hopeless. What is found in noise looks bad too, so the errors
of the slices reported must be counted again, on rows the search has not seen.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

from trustcheck.stats.intervals import Interval, clopper_pearson, mover_difference, newcombe

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
#: Cells of the largest table held at once while sizes are counted.
_CELLS = 20_000_000
_SLACK = 1e-9  # rounding must not prune a slice that ties with the k-th best


@dataclass(frozen=True, slots=True)
class Slice:
    """A conjunction of predicates.

    Attributes
    ----------
    predicates
        Columns of the table of predicates, in increasing order.
    score
        See `score`.
    size, loss
        Rows it holds, and the sum of their losses.
    """

    predicates: tuple[int, ...]
    score: float
    size: int
    loss: float


@dataclass(frozen=True, slots=True)
class Confirmation:
    """Excess errors of slices on rows the search has not seen.

    Attributes
    ----------
    value
        Largest excess among the confirmed slices; 0 if none is.
    low, high
        Largest simultaneous lower bound, and largest upper bound, at least 0;
        ``low <= value <= high``.
    excess
        Per slice: error less that of all other rows, its simultaneous lower bound, and its own
        upper bound.
    confirmed
        Per slice: whether its simultaneous lower bound is above 0.
    """

    value: float
    low: float
    high: float
    excess: Interval
    confirmed: Bools


def score(size: ArrayLike, loss: ArrayLike, n: int, total: float, *, alpha: float = 0.95) -> Floats:
    """SliceLine's score: relative error, less a price for being small.

    Parameters
    ----------
    size, loss
        Rows of the slices, above 0, and the sums of their losses; they broadcast.
    n, total
        All rows, and the sum of their losses; without any loss every relative error counts as 1.
    alpha
        Weight of the error against the size, inside (0, 1].

    Returns
    -------
    array
        ``alpha (e_S / e - 1) - (1 - alpha) (n / |S| - 1)``: 0 for all rows together.

    References
    ----------
    Sagadeeva and Boehm (2021), SliceLine: fast, linear-algebra-based slice finding for ML model
    debugging.

    Examples
    --------
    >>> score(100, 40, 1000, 100, alpha=0.9).round(6).item()  # four times the average error
    1.8
    """
    s = np.asarray(size, dtype=float)
    ratio = np.asarray(loss) * n / (s * total) if total > 0 else np.ones(np.shape(loss))
    return np.asarray(alpha * (ratio - 1) - (1 - alpha) * (n / s - 1))


def score_bound(
    size: ArrayLike,
    loss: ArrayLike,
    peak: ArrayLike,
    n: int,
    total: float,
    *,
    min_size: int,
    alpha: float = 0.95,
) -> Floats:
    """Largest score that a slice and all slices inside it can have.

    Parameters
    ----------
    size, loss, peak
        Upper bounds of rows, sum of losses and largest loss of a row; they broadcast.
    n, total, alpha
        As in `score`.
    min_size
        Rows a slice must hold, at least 1.

    Returns
    -------
    array
        -inf where `size` is below `min_size`.

    Notes
    -----
    A slice of s rows has a loss of at most ``min(s peak, loss)``; its score then rises with s up
    to ``loss / peak`` and is monotone beyond, so the maximum is at one of three sizes.

    Examples
    --------
    >>> score_bound(100, 40, 1, 1000, 100, min_size=10, alpha=0.9).round(6).item()
    5.7
    """
    size, loss, peak = (np.asarray(a, dtype=float) for a in (size, loss, peak))
    turn = np.divide(loss, peak, out=np.zeros(np.broadcast(loss, peak).shape), where=peak > 0)
    most = np.maximum(size, min_size)
    best = np.full(np.broadcast(size, loss, peak).shape, -np.inf)
    for s in (np.full(most.shape, float(min_size)), np.clip(turn, min_size, most), most):
        best = np.maximum(best, score(s, np.minimum(s * peak, loss), n, total, alpha=alpha))
    return np.where(size < min_size, -np.inf, best)


def top_slices(
    member: ArrayLike,
    feature: ArrayLike,
    loss: ArrayLike,
    *,
    k: int,
    min_size: int,
    alpha: float = 0.95,
    depth: int = 2,
) -> tuple[list[Slice], int]:
    """Find the k slices of the highest score, exactly.

    Parameters
    ----------
    member
        Shape (n, p), bool: which rows fulfil which predicate.
    feature
        Shape (p,), integer codes, not decreasing: predicates of one feature exclude each other.
    loss
        Shape (n,), at least 0.
    k
        At least 1.
    min_size
        Rows a slice must hold, at least 1.
    alpha
        As in `score`.
    depth
        Largest number of predicates in a slice, at least 1.

    Returns
    -------
    slices
        Best first; of equal scores the one with fewer, then earlier predicates comes first.
    evaluated
        Number of candidates whose errors were counted.

    Examples
    --------
    >>> member = np.array([[1, 0, 1], [1, 0, 0], [0, 1, 1], [0, 1, 0]] * 50, dtype=bool)
    >>> loss = member[:, 0] & member[:, 2]
    >>> top_slices(member, [0, 0, 1], loss, k=1, min_size=20)[0][0].predicates
    (0, 2)
    """
    table, codes = np.asarray(member, dtype=bool), np.asarray(feature)
    losses = np.asarray(loss, dtype=float)
    n, total, wrong = len(losses), float(losses.sum()), losses > 0
    if not table.size:
        return [], 0
    peaks = [losses[wrong][column].max(initial=0.0) for column in table[wrong].T]
    basic = _Level(
        np.arange(table.shape[1])[:, None],
        table.sum(axis=0).astype(float),
        losses[wrong] @ table[wrong],
        np.array(peaks),
    )
    level, evaluated = basic, table.shape[1]
    best = _best([], level, n, total, k, min_size, alpha)
    for _ in range(1, depth):
        floor = best[-1].score if len(best) == k else -np.inf
        bound = score_bound(
            np.minimum.outer(level.size, basic.size),
            np.minimum.outer(level.loss, basic.loss),
            np.minimum.outer(level.peak, basic.peak),
            n, total, min_size=min_size, alpha=alpha,
        )  # fmt: skip
        later = codes[level.predicates[:, -1], None] < codes  # each set of predicates once
        parent, child = np.nonzero(later & (bound > -np.inf) & (bound >= floor - _SLACK))
        if not parent.size:
            break
        evaluated += len(parent)
        rows, at = np.unique(parent, return_inverse=True)
        columns, to = np.unique(child, return_inverse=True)
        size, summed = _overlaps(table, level.predicates[rows], columns, losses)
        level = _Level(
            np.column_stack([level.predicates[parent], child]),
            size[at, to],
            summed[at, to],
            np.minimum(level.peak[parent], basic.peak[child]),
        )
        best = _best(best, level, n, total, k, min_size, alpha)
    return best, evaluated


def distinct(found: list[Slice], member: ArrayLike, *, k: int, overlap: float = 0.9) -> list[Slice]:
    """Return the first k slices that hold other rows than those before them.

    Parameters
    ----------
    found
        Best first.
    member
        Shape (n, p), bool, as in `top_slices`.
    k
        At least 1.
    overlap
        Jaccard index (rows in both over rows in either) above which two slices are the same.

    Examples
    --------
    >>> member = np.array([[1, 1], [1, 1], [0, 0]], dtype=bool)
    >>> twins = [Slice((0,), 1.0, 2, 2.0), Slice((1,), 1.0, 2, 2.0)]
    >>> [one.predicates for one in distinct(twins, member, k=2)]
    [(0,)]
    """
    table = np.asarray(member, dtype=bool)
    kept: list[Slice] = []
    masks: list[Bools] = []
    for one in found:
        mask = np.logical_and.reduce([table[:, column] for column in one.predicates])
        if all((mask & other).sum() <= overlap * (mask | other).sum() for other in masks):
            kept.append(one)
            masks.append(mask)
        if len(kept) == k:
            break
    return kept


def confirm(
    errors: ArrayLike, sizes: ArrayLike, total_errors: int, total: int, *, level: float = 0.95
) -> Confirmation:
    """Compare each slice's share of errors with that of all other rows.

    Parameters
    ----------
    errors, sizes
        Shape (k,), k at least 1: errors and rows of each slice; neither a slice nor the rest of
        the rows may be empty.
    total_errors, total
        Errors and rows of all rows together.
    level
        Confidence level, inside (0, 1).

    Returns
    -------
    Confirmation
        Upper bounds are Newcombe's, each at `level`. Lower bounds hold for all k slices together
        (Bonferroni) and combine exact limits: so far out in the tail, score limits of a small
        share are passed up to five times as often as they say.

    References
    ----------
    Newcombe (1998), Interval estimation for the difference between independent proportions;
    Clopper and Pearson (1934); Zou and Donner (2008) for differences of any two limits.

    Examples
    --------
    >>> found = confirm([30, 12], [60, 100], 100, 1000)
    >>> print(f"{found.value:.2f} in [{found.low:.2f}, {found.high:.2f}]", found.confirmed)
    0.43 in [0.28, 0.55] [ True False]
    """
    x, m = np.asarray(errors, dtype=float), np.asarray(sizes, dtype=float)
    counts = (x, m, total_errors - x, total - m)
    own = newcombe(*counts, level=level)
    together = _sure(*counts, level=1 - (1 - level) / len(x))
    confirmed = together.low > 0
    return Confirmation(
        value=float(np.max(own.value, where=confirmed, initial=0.0)),
        low=float(np.max(together.low, initial=0.0)),
        high=float(np.max(own.high, initial=0.0)),
        excess=Interval(own.value, together.low, own.high),
        confirmed=confirmed,
    )


def needed_ratio(share: float, *, alpha: float = 0.95) -> float:
    """Relative error from which a slice with this share of the rows scores above 0.

    Examples
    --------
    >>> round(needed_ratio(0.05), 2), round(needed_ratio(0.2), 2)
    (2.0, 1.21)
    """
    return 1 + (1 - alpha) / alpha * (1 / share - 1)


def detectable_excess(
    share: float, error: float, n: int, k: int, *, level: float = 0.95, power: float = 0.8
) -> float:
    """Excess that is confirmed with a chance of about `power`.

    Parameters
    ----------
    share
        Share of the rows in the slice, inside (0, 1).
    error
        Share of errors in the other rows, 0 to 1.
    n, k
        Rows that confirm, and slices reported.

    Returns
    -------
    float
        inf if not even a slice of errors only would be.

    Examples
    --------
    >>> round(detectable_excess(0.05, 0.1, 2000, 10), 2)
    0.14
    """
    excess = np.linspace(0, 1 - error, 1001)[1:]
    m, inside = share * n, error + excess
    unlucky = inside - float(special.ndtri(power)) * np.sqrt(inside * (1 - inside) / m)
    rest = (error * (n - m), n - m)
    enough = _sure(np.clip(unlucky, 0, 1) * m, m, *rest, level=1 - (1 - level) / k).low > 0
    return float(excess[np.argmax(enough)]) if enough.any() else float("inf")


@dataclass(frozen=True, slots=True)
class _Level:
    """Slices of one number of predicates: shape (m, depth), and (m,) for what they hold."""

    predicates: NDArray[np.intp]
    size: Floats
    loss: Floats
    peak: Floats


def _sure(x1: ArrayLike, n1: ArrayLike, x2: ArrayLike, n2: ArrayLike, *, level: float) -> Interval:
    """Difference of two shares with ends that hold however small the level's tail."""
    return mover_difference(
        clopper_pearson(x1, n1, level=level), clopper_pearson(x2, n2, level=level)
    )


def _best(
    best: list[Slice], level: _Level, n: int, total: float, k: int, min_size: int, alpha: float
) -> list[Slice]:
    """Return the k best of those known and a new level."""
    fits = np.flatnonzero(level.size >= min_size)
    scores = score(level.size[fits], level.loss[fits], n, total, alpha=alpha)
    order = np.argsort(-scores, kind="stable")[:k]
    new = [
        Slice(
            tuple(level.predicates[at].tolist()), float(value), int(level.size[at]), level.loss[at]
        )
        for at, value in zip(fits[order], scores[order], strict=True)
    ]
    return sorted(best + new, key=lambda s: (-s.score, len(s.predicates), s.predicates))[:k]


def _overlaps(
    table: Bools, parents: NDArray[np.intp], columns: NDArray[np.intp], losses: Floats
) -> tuple[Floats, Floats]:
    """Sizes and losses of every parent within every column, shape (parents, columns)."""
    shape = (len(parents), len(columns))
    size, summed = np.zeros(shape), np.zeros(shape)
    step = max(_CELLS // sum(shape), 1)
    for start in range(0, len(table), step):
        part, loss = table[start : start + step], losses[start : start + step]
        inside = part[:, parents[:, 0]]
        for column in parents.T[1:]:
            inside = inside & part[:, column]
        own = part[:, columns]
        size += inside.T.astype(np.float32) @ own.astype(np.float32)  # counts: exact in a chunk
        wrong = loss > 0
        summed += (inside[wrong].T * loss[wrong]) @ own[wrong]
    return size, summed
