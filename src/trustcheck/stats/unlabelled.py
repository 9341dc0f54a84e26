"""Performance on rows without labels, from guesses that labelled rows have set right.

A guess (of the chance that a row is positive, or of its loss) is compared with what was observed
in bands of the guess, and what it was off by there is added to the guesses of the rows without
labels. Right if rows with one guess are alike in either sample: no change of the concept.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

from trustcheck.stats.calibration import cox
from trustcheck.stats.intervals import Interval, z_value

Floats = NDArray[np.float64]

#: Cells of rows with nearly one guess in which the rows without labels are counted.
_CELLS = 400


class Bands(NamedTuple):
    """What the guesses of labelled rows were off by.

    Attributes
    ----------
    edges
        Inner edges of the bands, ascending, shape (k - 1,); closed on the left.
    offset
        Mean of observed less guess in each band, shape (k,).
    variance
        Sampling variance of each offset, shape (k,).
    expected
        The same where guesses are right: for chances, that of as many draws.
    rows
        Labelled rows per band, shape (k,).
    """

    edges: Floats
    offset: Floats
    variance: Floats
    expected: Floats
    rows: Floats

    @property
    def p(self) -> float:
        """Chance that guesses that are right on average in every band look at least as far off."""
        statistic = float((self.offset**2 / self.expected).sum())
        return float(special.chdtrc(len(self.offset), statistic))

    @property
    def off(self) -> float:
        """Mean absolute offset over the labelled rows."""
        return float(np.abs(self.offset) @ self.rows / self.rows.sum())


class Expected(NamedTuple):
    """Expected performance: `loss` is always there; the others only with positive guesses."""

    loss: Interval
    auc: Interval | None = None
    precision: Interval | None = None
    recall: Interval | None = None


def straightened(scores: ArrayLike, observed: ArrayLike, given: ArrayLike) -> tuple[Floats, Floats]:
    """Bring scores onto the line that fits labelled rows, so that bands have little to add.

    Without this, scores that are off by a slope would be off within the bands too.

    Parameters
    ----------
    scores, observed
        Of the labelled rows: scores in [0, 1], and whether the row is positive, shape (n,).
    given
        Scores of the rows without labels, shape (m,).

    Returns
    -------
    Both arrays of scores, as they came where no rising line fits.

    References
    ----------
    Platt (1999), Probabilistic outputs for support vector machines; Cox (1958).

    Examples
    --------
    >>> far = np.repeat([0.01, 0.99], 100)
    >>> observed = np.r_[np.ones(20), np.zeros(80), np.ones(80), np.zeros(20)]
    >>> straightened(far, observed, [0.01, 0.99])[1].round(2).tolist()
    [0.2, 0.8]
    """
    s, t = np.asarray(scores, dtype=float), np.asarray(given, dtype=float)
    line = cox(s, np.asarray(observed, dtype=float))
    if line is None or not 0.05 < line[0].value < 20:
        return s, t
    slope, intercept = line[0].value, line[1].value

    def along(x: Floats) -> Floats:
        found = special.expit(slope * special.logit(np.clip(x, 1e-6, 1 - 1e-6)) + intercept)
        return np.asarray(found, dtype=float)

    return along(s), along(t)


def bands(guess: ArrayLike, observed: ArrayLike, most: int = 20) -> Bands:
    """Compare guesses with what was observed, in bands with equal numbers of rows.

    Parameters
    ----------
    guess, observed
        Of the labelled rows, shape (n,): at least one row.
    most
        Bands at most; fewer where they would hold fewer than 25 rows, or guesses are tied.

    Examples
    --------
    >>> found = bands([0.2] * 50 + [0.8] * 50, [0] * 40 + [1] * 60)
    >>> abs(found.offset).round(2).tolist(), found.rows.tolist()
    ([0.0, 0.2], [50.0, 50.0])
    """
    g, y = np.asarray(guess, dtype=float), np.asarray(observed, dtype=float)
    k = int(np.clip(g.size // 25, 1, most))
    cuts = np.quantile(g, np.arange(1, k) / k, method="inverted_cdf")
    edges = np.unique(cuts[cuts > g.min()])
    at = np.searchsorted(edges, g, side="right")
    rows = np.bincount(at, minlength=edges.size + 1).astype(float)
    offset = np.bincount(at, y - g, edges.size + 1) / rows
    residual = (y - g - offset[at]) ** 2
    # One row more with the overall spread: a band in which every guess was right is not certain.
    spread = (np.bincount(at, residual, edges.size + 1) + residual.mean()) / rows
    variance = np.maximum(spread, 1e-12) / rows
    expected = variance
    if np.isin(y, (0, 1)).all() and g.min() >= 0 and g.max() <= 1:
        expected = np.maximum(np.bincount(at, g * (1 - g)) / rows, 1e-12) / rows
    return Bands(edges, offset, variance, expected, rows)


def expected_loss(
    found: Bands, guess: ArrayLike, *, clip: tuple[float, float], level: float = 0.95
) -> Interval:
    """Mean loss of rows without labels.

    Parameters
    ----------
    found
        From `bands`, of guessed and observed losses.
    guess
        Guessed losses of the rows without labels, shape (m,).
    clip
        Ends the loss can take.
    level
        Confidence level, inside (0, 1).

    References
    ----------
    Saerndal, Swensson and Wretman (1992), Model assisted survey sampling: the regression estimator
    within strata, whose variance this is; NannyML (2023) for the estimator of a regressor's loss.

    Examples
    --------
    >>> found = bands([1.0, 2.0] * 50, [1.5, 2.5] * 50)
    >>> round(expected_loss(found, [1.0, 1.0, 2.0, 2.0], clip=(0.0, np.inf)).value, 2)
    2.0
    """
    g = np.asarray(guess, dtype=float)
    at = np.searchsorted(found.edges, g, side="right")
    right = np.clip(g + found.offset[at], *clip)
    shares = np.bincount(at, minlength=found.offset.size) / g.size
    value = float(right.mean())
    variance = float(right.var()) / max(g.size - 1, 1) + shares**2 @ found.variance
    low, high = value + np.array([-1, 1]) * z_value(level) * variance**0.5
    return Interval(value, max(low, min(clip[0], value)), min(high, max(clip[1], value)))


def expected_performance(
    found: Bands,
    score: ArrayLike,
    positive: ArrayLike,
    folds: ArrayLike,
    *,
    level: float = 0.95,
) -> Expected:
    """Share of wrong answers, AUC, precision and recall of two classes without labels.

    Parameters
    ----------
    found
        From `bands`, of the scores and the classes (0 or 1) of labelled rows.
    score
        Scores of the positive class of the rows without labels, shape (m,).
    positive
        Whether the positive class is predicted, shape (m,).
    folds
        Codes of a few random parts of the rows, shape (m,).
    level
        Confidence level, inside (0, 1).

    Notes
    -----
    Rows are counted in cells of nearly one score; each cell's rows are positive with its mean
    score, set right by its band. The variance adds that of the bands, through the derivative of
    the metric, and that of the rows, by the jackknife over the parts.

    References
    ----------
    Confidence-based performance estimation, as NannyML (2023) describes it; Garg et al. (2022),
    Leveraging unlabeled data to predict out-of-distribution performance.

    Examples
    --------
    >>> score = np.linspace(0.05, 0.95, 1000)
    >>> known = bands(score, np.random.default_rng(0).random(1000) < score)
    >>> got = expected_performance(known, score, score > 0.5, np.arange(1000) % 20)
    >>> bool(got.loss.low < 0.275 < got.loss.high)  # the mean of min(score, 1 - score)
    True
    """
    s, chosen = np.asarray(score, dtype=float), np.asarray(positive, dtype=bool)
    part = np.asarray(folds)
    parts = int(part.max()) + 1
    cuts = np.unique(np.quantile(s, np.arange(1, _CELLS) / _CELLS, method="inverted_cdf"))
    edges = np.union1d(cuts, found.edges)
    cell = 2 * np.searchsorted(edges, s, side="right") + chosen
    cells = 2 * (edges.size + 1)
    count = np.bincount(part * cells + cell, minlength=parts * cells).reshape(parts, cells)
    total = np.bincount(cell, s, cells)
    kept = np.flatnonzero(count.any(axis=0))
    count, mean = count[:, kept].astype(float), total[kept] / count[:, kept].sum(axis=0)
    band = np.searchsorted(found.edges, mean, side="right")
    says, level_of = (kept % 2).astype(bool), kept // 2

    def metrics(rows: Floats, offset: Floats) -> Floats:
        chance = np.clip(mean + offset[band], 0.0, 1.0)
        hits, misses = rows * chance, rows * (1 - chance)
        right = hits[says].sum() + misses[~says].sum()
        pos, neg = np.bincount(level_of, hits), np.bincount(level_of, misses)
        below = np.cumsum(neg) - neg / 2
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.array(
                [
                    1 - right / rows.sum(),
                    pos @ below / (pos.sum() * neg.sum()),
                    hits[says].sum() / rows[says].sum(),
                    hits[says].sum() / hits.sum(),
                ]
            )

    whole = count.sum(axis=0)
    values = metrics(whole, found.offset)
    steps = np.sqrt(found.variance)
    slopes = np.array(
        [
            (metrics(whole, found.offset + step * one) - values)
            for step, one in zip(steps, np.eye(steps.size), strict=True)
        ]
    )
    without = np.array([metrics(whole - rows, found.offset) for rows in count])
    sampled = (parts - 1) / parts * ((without - without.mean(axis=0)) ** 2).sum(axis=0)
    quantile = float(special.stdtrit(parts - 1, special.ndtr(z_value(level))))
    reach = quantile * np.sqrt((slopes**2).sum(axis=0) + sampled)
    ends = [
        Interval(float(v), float(max(v - r, 0.0)), float(min(v + r, 1.0)))
        if np.isfinite(v + r)
        else None
        for v, r in zip(values, reach, strict=True)
    ]
    assert ends[0] is not None
    return Expected(ends[0], *ends[1:])
