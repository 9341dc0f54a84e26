"""Copies of a model: estimators trained on somebody's answers to a table of encoded rows."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from trustcheck.stats import intervals, paired, skill
from trustcheck.subject._encode import with_values

TREES, LINEAR = "boosted trees", "linear"
#: Class shares below this do not enter the training: they would only make it slow.
LEAST_SHARE = 1e-3
#: One-hot columns per feature; rarer levels share the column of zeros.
MOST_LEVELS = 50

Predict = Callable[[np.ndarray], np.ndarray]


class Bench(NamedTuple):
    """What an attacker works with: rows as ``encode`` returns them, and answers to them.

    Attributes
    ----------
    queries : ndarray, shape (q, d)
    taught, truth : ndarray, shape (q,) or (q, classes)
        The model's answers to the queries and their true labels: numbers, or class shares
        (probabilities, or 1 for the label).
    fresh : ndarray, shape (n, d)
        Rows the attacker did not ask about; the first ``picking`` pick the kind of copy, the
        others measure it.
    wanted : ndarray, shape (n,)
        The model's answers to them: codes, or numbers.
    categorical : bool ndarray, shape (d,)
        Columns that hold codes of levels.
    """

    queries: np.ndarray
    taught: np.ndarray
    truth: np.ndarray
    fresh: np.ndarray
    wanted: np.ndarray
    picking: int
    categorical: np.ndarray
    seed: int


class Copy(NamedTuple):
    """The best copy found, by its errors on the measuring rows beside those of its twin.

    ``errors`` are wrong or not; for regression distances to the model's answer. The twin is of
    the same family, and was taught the true labels of the same queries.
    """

    queries: int
    family: str
    errors: np.ndarray
    twin_errors: np.ndarray

    @property
    def counted(self) -> bool:
        """Whether errors are right or wrong, not distances."""
        return self.errors.dtype == bool

    @property
    def cells(self) -> dict[str, int]:
        """Rows on which both err, the copy alone, its twin alone."""
        copy, twin = self.errors, self.twin_errors
        return {
            "both": int((copy & twin).sum()),
            "first_only": int((copy & ~twin).sum()),
            "second_only": int((~copy & twin).sum()),
        }

    @property
    def gain(self) -> intervals.Interval | None:
        """Part of the twin's errors that the model's answers removed; None if it made none."""
        if not self.twin_errors.any():
            return None
        if self.counted:
            return paired.share_removed(**self.cells)
        return skill.squared_skill(self.errors, self.twin_errors)


def attack(bench: Bench, size: int) -> Copy:
    """Train each family on the first queries, pick the best copy, and measure it on other rows."""

    def fit(family: str, target: np.ndarray, *, clean: bool) -> Predict:
        return _fit(family, bench, bench.queries[:size], target[:size], clean=clean)

    def errors(copied: Predict, part: slice) -> np.ndarray:
        answers, wanted = copied(bench.fresh[part]), bench.wanted[part]
        return answers - wanted if wanted.dtype.kind == "f" else answers != wanted

    picking, measuring = slice(bench.picking), slice(bench.picking, None)
    copies = {family: fit(family, bench.taught, clean=True) for family in (TREES, LINEAR)}
    missed = {
        family: float(np.mean(errors(copied, picking).astype(float) ** 2))
        for family, copied in copies.items()
    }
    best = min(missed, key=lambda family: missed[family])
    twin = fit(best, bench.truth, clean=False)
    return Copy(size, best, errors(copies[best], measuring), errors(twin, measuring))


def _fit(
    family: str, bench: Bench, rows: np.ndarray, target: np.ndarray, *, clean: bool
) -> Predict:
    """Train one surrogate; a clean target is a function of the rows, with no noise to fear."""
    if target.ndim == 1:
        row, answer, share = np.arange(len(rows)), target, None
    else:  # a probability enters as that share of a row of each class: the cross-entropy
        row, answer = np.nonzero(target > LEAST_SHARE)
        share = target[row, answer]
        if (answer == answer[0]).all():
            return lambda new: np.full(len(new), answer[0])
    if family == TREES:
        trees = _trees(target, bench)
        trees.fit(with_values(rows[row]), answer, sample_weight=share)
        return lambda new: np.asarray(trees.predict(new))
    widen, linear = _one_hot(rows, bench.categorical), _linear(target, clean=clean)
    with warnings.catch_warnings():
        from sklearn.exceptions import ConvergenceWarning

        warnings.simplefilter("ignore", ConvergenceWarning)  # more steps would change no answer
        linear.fit(widen(rows)[row], answer, sample_weight=share)
    return lambda new: np.asarray(linear.predict(widen(new)))


def _trees(target: np.ndarray, bench: Bench) -> Any:
    from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

    regression = target.ndim == 1
    kind = HistGradientBoostingRegressor if regression else HistGradientBoostingClassifier
    return kind(
        # One tree a class and round: fewer rounds where there are many classes.
        max_iter=100 if regression else max(20, 200 // target.shape[1]),
        min_samples_leaf=int(np.clip(len(target) // 50, 5, 20)),
        categorical_features=bench.categorical if bench.categorical.any() else None,
        early_stopping=False,
        random_state=bench.seed,
    )


def _linear(target: np.ndarray, *, clean: bool) -> Any:
    from sklearn.linear_model import LogisticRegression, Ridge

    if target.ndim == 1:
        return Ridge(alpha=1e-3 if clean else 1.0)
    return LogisticRegression(C=100.0 if clean else 1.0, max_iter=500)


def _one_hot(rows: np.ndarray, categorical: np.ndarray) -> Predict:
    """Return the map from encoded rows to scaled numbers and indicators of the levels seen."""
    numbers = rows[:, ~categorical]
    known = np.isfinite(numbers)
    middle = np.array(
        [np.median(x[k]) if k.any() else 0.0 for x, k in zip(numbers.T, known.T, strict=True)]
    )
    scale = np.std(np.where(known, numbers, middle), axis=0)
    scale[scale == 0] = 1.0
    levels = [
        (column, level)
        for column in np.flatnonzero(categorical)
        for level in np.unique(rows[:, column])
        if level < MOST_LEVELS  # never true of nan
    ]

    def widen(new: np.ndarray) -> np.ndarray:
        scaled = (new[:, ~categorical] - middle) / scale
        seen = [new[:, column] == level for column, level in levels]
        return np.column_stack([np.where(np.isnan(scaled), 0.0, scaled), *seen])

    return widen
