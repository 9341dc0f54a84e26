"""Copies of a model: estimators trained on somebody's answers to a table of encoded rows."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

TREES, LINEAR = "boosted trees", "linear"
#: Class shares below this do not enter the training: they would only make it slow.
LEAST_SHARE = 1e-3
#: One-hot columns per feature; rarer levels share the column of zeros.
MOST_LEVELS = 50

Predict = Callable[[np.ndarray], np.ndarray]


def fit_surrogate(
    family: str,
    rows: np.ndarray,
    target: np.ndarray,
    *,
    categorical: np.ndarray,
    clean: bool,
    seed: int,
) -> Predict:
    """Train one surrogate; return its prediction function (class codes, or numbers).

    Parameters
    ----------
    family : {"boosted trees", "linear"}
        Histogram gradient boosting, or logistic (ridge) regression on one-hot columns.
    rows : ndarray, shape (q, d)
        As ``subject._encode.encode`` returns them.
    target : ndarray, shape (q,) or (q, classes)
        Numbers, or each row's class shares: probabilities, or 1 for its label.
    categorical : bool ndarray, shape (d,)
        Which columns hold codes of levels.
    clean : bool
        The target is a function of the rows (a model's answer), so that there is no noise to
        guard against.
    seed : int
        Of the estimators.
    """
    if target.ndim == 1:
        row, answer, share = np.arange(len(rows)), target, None
    else:  # a probability enters as that share of a row of each class: the cross-entropy
        row, answer = np.nonzero(target > LEAST_SHARE)
        share = target[row, answer]
        if (answer == answer[0]).all():
            return lambda new: np.full(len(new), answer[0])
    if family == TREES:
        trees = _trees(target, categorical, seed)
        trees.fit(rows[row], answer, sample_weight=share)
        return lambda new: np.asarray(trees.predict(new))
    widen = _one_hot(rows, categorical)
    linear = _linear(target, clean)
    with warnings.catch_warnings():
        from sklearn.exceptions import ConvergenceWarning

        warnings.simplefilter("ignore", ConvergenceWarning)  # a few more steps change no answer
        linear.fit(widen(rows)[row], answer, sample_weight=share)
    return lambda new: np.asarray(linear.predict(widen(new)))


def _trees(target: np.ndarray, categorical: np.ndarray, seed: int) -> Any:
    from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

    regression = target.ndim == 1
    kind = HistGradientBoostingRegressor if regression else HistGradientBoostingClassifier
    return kind(
        # One tree a class and round: fewer rounds where there are many classes.
        max_iter=100 if regression else max(20, 200 // target.shape[1]),
        min_samples_leaf=int(np.clip(len(target) // 50, 5, 20)),
        categorical_features=categorical if categorical.any() else None,
        early_stopping=False,
        random_state=seed,
    )


def _linear(target: np.ndarray, clean: bool) -> Any:
    from sklearn.linear_model import LogisticRegression, Ridge

    if target.ndim == 1:
        return Ridge(alpha=1e-3 if clean else 1.0)
    return LogisticRegression(C=100.0 if clean else 1.0, max_iter=200)


def _one_hot(rows: np.ndarray, categorical: np.ndarray) -> Predict:
    """Return the map from encoded rows to scaled numbers and indicators of levels seen."""
    numbers = rows[:, ~categorical]
    known = np.isfinite(numbers)
    middle = np.array(
        [np.median(x[k]) if k.any() else 0.0 for x, k in zip(numbers.T, known.T, strict=True)]
    )
    scale = np.std(np.where(known, numbers, middle), axis=0)
    scale[scale == 0] = 1.0
    levels = [
        (j, level)
        for j in np.flatnonzero(categorical)
        for level in np.unique(rows[:, j])
        if level < MOST_LEVELS  # false for nan
    ]

    def widen(new: np.ndarray) -> np.ndarray:
        scaled = (new[:, ~categorical] - middle) / scale
        seen = [(new[:, j] == level) for j, level in levels]
        return np.column_stack([np.where(np.isnan(scaled), 0.0, scaled), *seen])

    return widen
