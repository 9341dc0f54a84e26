"""Mitigations: group-wise thresholds over a fitted model, and a model fitted again on weights."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from trustcheck import runner
from trustcheck.subject import Subject
from trustcheck.subject._groups import MISSING
from trustcheck.subject._table import mix, row_keys
from trustcheck.types import InputError

if TYPE_CHECKING:
    import pandas as pd

CONSTRAINTS = (
    "demographic_parity",
    "equalized_odds",
    "true_positive_rate_parity",
    "false_positive_rate_parity",
    "false_negative_rate_parity",
    "true_negative_rate_parity",
)


def group_names(frame: pd.DataFrame, by: tuple[str, ...]) -> np.ndarray:
    """Return the name of each row's group, whatever the type of its columns, shape (n,)."""

    def name(value: Any) -> str:
        if value is None or value != value:  # noqa: PLR0124 - nan
            return MISSING
        whole = isinstance(value, (float, np.floating)) and float(value).is_integer()
        return str(int(value)) if whole else str(value)

    parts = [[name(value) for value in frame[column].tolist()] for column in by]
    return np.array([" & ".join(levels) for levels in zip(*parts, strict=True)], dtype=object)


class GroupThresholds:
    """A fitted binary model whose scores are cut by thresholds of the row's group.

    Where the optimum lies between two thresholds it is a draw between them. The draw depends on
    the row's content and the seed alone, so that equal rows are always answered alike. A row of a
    group that was not seen in fitting gets the model's own answer.
    """

    def __init__(
        self, base: Subject, by: tuple[str, ...], *, constraint: str, objective: str, seed: int
    ) -> None:
        from fairlearn.postprocessing import ThresholdOptimizer

        self._base, self._by, self._seed = base.view(), by, seed
        self._features = list(base.features)
        self.classes_ = np.array(base.classes)
        frame = carried(base, base.data.X, by)
        names, positive = group_names(frame, by), base.truth == base.positive_code
        for name in np.unique(names):
            if len(np.unique(positive[names == name])) < 2:
                raise InputError(
                    f"the rows to fit on know one label only for group {name!r} of"
                    f" {' and '.join(by)}, so no threshold can be chosen for it; join it with"
                    " another group, or name other columns (by=)"
                )
        scores = self._scores(frame[self._features])
        optimum = ThresholdOptimizer(
            estimator=_scores_alone(),
            constraints=constraint,
            objective=objective,
            prefit=True,
            predict_method="predict",
        ).fit(scores[:, None], positive.astype(int), sensitive_features=names)
        self.rules = optimum.interpolated_thresholder_.interpolation_dict

    def _scores(self, X: pd.DataFrame) -> np.ndarray:
        code = self._base.positive_code
        if "scores" in self._base.offers():
            return np.asarray(self._base.predict_proba(X)[:, code])
        return (self._base.predict(X) == code).astype(float)

    def chances(self, X: pd.DataFrame) -> np.ndarray:
        """Return each row's chance of the positive answer, shape (n,); nan for unseen groups."""
        names, out = group_names(X, self._by), np.full(len(X), np.nan)
        scores = self._scores(X[self._features])
        for name, rule in self.rules.items():
            inside = names == name
            own = scores[inside]
            chance = rule.p0 * rule.operation0(own) + rule.p1 * rule.operation1(own)
            ignored = rule.get("p_ignore", 0.0)
            out[inside] = (1 - ignored) * chance + ignored * rule.get("prediction_constant", 0.0)
        return out

    def predict(self, X: pd.DataFrame) -> np.ndarray:
        """Return labels."""
        chance = self.chances(X)
        keys = mix(row_keys(X, []) ^ np.uint64(self._seed))
        positive = chance > (keys >> np.uint64(11)) / 2.0**53
        code = self._base.positive_code
        answer = np.where(positive, code, 1 - code)
        unseen = np.isnan(chance)
        if unseen.any():
            answer[unseen] = self._base.predict(X.loc[unseen, self._features])
        return np.asarray(self.classes_[answer])


def _scores_alone() -> Any:
    """Return an estimator whose answer is the only column: fairlearn is given the scores."""
    from sklearn.base import BaseEstimator

    class Scores(BaseEstimator):  # type: ignore[misc]
        def fit(self, X: np.ndarray, y: Any = None) -> Any:  # noqa: ARG002
            return self

        def predict(self, X: np.ndarray) -> np.ndarray:
            return np.asarray(X)[:, 0]

        def __sklearn_is_fitted__(self) -> bool:
            return True

    return Scores()


def carried(subject: Subject, frame: pd.DataFrame, by: tuple[str, ...]) -> pd.DataFrame:
    """Return the given rows with those columns of ``by`` beside them that are no features."""
    frame = frame.copy(deep=False)
    for column in by:
        if column not in subject.features:
            frame[column] = subject.sensitive_columns[column].to_numpy()
    return frame


def thresholds(
    base: Subject, by: tuple[str, ...], *, constraint: str, objective: str, seed: int
) -> GroupThresholds:
    """Choose thresholds for each group on the rows of ``base`` (Hardt, Price & Srebro 2016)."""
    if base.task != "binary":
        raise InputError(f"thresholds by group are for binary models, not {base.task} ones")
    if constraint not in CONSTRAINTS:
        raise InputError(
            f"constraint={constraint!r} is unknown; it is one of {', '.join(CONSTRAINTS)}"
        )
    if not runner.installed("fairness"):
        raise InputError("fix='threshold' needs fairlearn: pip install trustcheck[fairness]")
    return GroupThresholds(base, by, constraint=constraint, objective=objective, seed=seed)


def reweighing(base: Subject, by: tuple[str, ...]) -> np.ndarray:
    """Return weights under which group and label are independent (Kamiran & Calders 2012).

    Shape (n,): P(group) P(label) / P(group, label), times the rows' own weights.
    """
    own = np.ones(base.n) if base.weights is None else base.weights
    groups = base.groups(by).codes
    joint = np.zeros((groups.max() + 1, len(base.classes)))
    np.add.at(joint, (groups, base.truth), own)
    share = joint / joint.sum()
    expected = share.sum(axis=1, keepdims=True) * share.sum(axis=0)
    return np.asarray(own * (expected / np.where(share > 0, share, 1.0))[groups, base.truth])


def reweighed(base: Subject, by: tuple[str, ...]) -> Any:
    """Fit the subject's own kind of model again on its rows, with the weights of ``reweighing``."""
    if base.task == "regression":
        raise InputError("reweighing is for classes, not for regression")
    model = base.native
    if not (hasattr(model, "fit") and hasattr(model, "get_params")):
        raise InputError(
            f"the model ({base.model_name}) cannot be fitted again: fix='reweigh' needs a"
            " scikit-learn estimator or Pipeline; use fix='threshold', or a function subject -> model"
        )
    from sklearn.base import clone
    from sklearn.utils.validation import has_fit_parameter

    fresh, prefix, last = clone(model), "", model
    while hasattr(last, "steps") and isinstance(last.steps, list):
        prefix, last = f"{prefix}{last.steps[-1][0]}__", last.steps[-1][1]
    if not has_fit_parameter(last, "sample_weight"):
        raise InputError(
            f"the model ({type(last).__name__}) takes no sample_weight, so it cannot be reweighed;"
            " use fix='threshold', or a function subject -> model"
        )
    labels = np.array(base.classes)[base.truth]
    with base.fitting():
        fresh.fit(base.own(base.X), labels, **{f"{prefix}sample_weight": reweighing(base, by)})
    return fresh
