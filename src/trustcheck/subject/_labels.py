"""Which task this is, which classes there are, and labels as codes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from trustcheck.types import InputError

if TYPE_CHECKING:
    import pandas as pd

    from trustcheck.subject._model import Model

#: Integers with more distinct values than this are numbers to predict, not classes.
MOST_CLASSES = 20


@dataclass(frozen=True, slots=True)
class Coding:
    """The task, and how labels become numbers.

    Parameters
    ----------
    task : {"binary", "multiclass", "regression"}
    classes : list
        Labels by code, those the model never saw last; empty for regression.
    known : int
        How many of them the model gives probabilities for.
    positive, positive_code
        The positive class of a binary task.
    """

    task: str
    classes: list[Any]
    known: int = 0
    positive: Any = None
    positive_code: int = 1

    def encode(self, labels: pd.Series | None, *, what: str) -> np.ndarray | None:
        """Return class codes or finite numbers, shape (n,); None for None."""
        if labels is None:
            return None
        if self.task == "regression":
            return numbers(labels, what=what)
        return encode(labels, self.classes, what=what)


def find_coding(
    model: Model | None,
    y: pd.Series | None,
    reference: pd.Series | None,
    *,
    task: str | None,
    classes: Any,
    positive: Any,
) -> Coding:
    """Tell task, classes and positive class from what the user said, the model and the labels."""
    if find_task(task, model, y, positive=positive) == "regression":
        return Coding("regression", [])
    named = list(classes) if classes is not None else None if model is None else model.classes
    found = find_classes(named, reference, y)
    known = len(named) if named is not None else len(found)
    if len(found) == 2:
        label, code = find_positive(positive, found)
        return Coding("binary", found, known, label, code)
    if positive is not None:
        raise InputError(f"positive= is for two classes; this subject has {len(found)}")
    return Coding("multiclass", found, known)


def find_task(task: str | None, model: Model | None, y: pd.Series | None, *, positive: Any) -> str:
    """Return "classification" or "regression".

    The user's word first, then the model's, then the labels' own look.
    """
    if task is not None:
        if task in ("binary", "multiclass", "classification"):
            return "classification"
        if task == "regression":
            return task
        raise InputError(f"task must be 'binary', 'multiclass' or 'regression', not {task!r}")
    if positive is not None:
        return "classification"
    if model is not None and not model.is_callable:
        if model.classes is not None or model.has_scores:
            return "classification"
        kind = getattr(model.native, "_estimator_type", None) or _sklearn_kind(model.native)
        if kind in ("regressor", "classifier"):
            return "regression" if kind == "regressor" else "classification"
    if y is None:
        raise InputError(
            "without labels the task cannot be told; pass task='binary', 'multiclass' or 'regression'"
        )
    return "classification" if _looks_like_classes(y) else "regression"


def find_classes(
    named: list[Any] | None, reference: pd.Series | None, y: pd.Series | None
) -> list[Any]:
    """Return the labels in the order of the probability columns.

    Raises
    ------
    InputError
        If labels and model share no class, are of different kinds, or only one class exists.
    """
    seen = [series for series in (reference, y) if series is not None]
    if named is not None:
        classes = list(named)
    elif seen:
        classes = _sorted_labels(list(seen[0].unique()))
    else:
        raise InputError(
            "the classes are unknown: pass classes= in the order of the probability columns"
        )
    if len(set(classes)) != len(classes):
        raise InputError("classes= names a class more than once")
    for series in seen:
        present = [label for label in series.unique() if label not in set(classes)]
        if present and len(present) == series.nunique():
            raise InputError(
                f"none of the labels is a class of the model: labels are {_kind_of(present)},"
                f" classes are {_kind_of(classes)}; convert y to the model's own labels"
            )
        classes = classes + _sorted_labels(present)
    if len(classes) < 2:
        raise InputError(
            "there is only one class; a classifier cannot be judged on it."
            " Give rows of the other class too, or pass classes="
        )
    return [_plain(label) for label in classes]


def find_positive(positive: Any, classes: list[Any]) -> tuple[Any, int]:
    """Return the positive class and its code: the larger in sort order unless named."""
    if positive is None:
        try:
            positive = max(classes)
        except TypeError:
            positive = classes[-1]
    if positive not in classes:
        raise InputError(f"positive={positive!r} is not a class; the classes are {classes}")
    return _plain(positive), classes.index(positive)


def encode(labels: pd.Series, classes: list[Any], *, what: str) -> np.ndarray:
    """Return labels as codes into ``classes``, shape (n,); InputError on missing ones."""
    missing = labels.isna().to_numpy()
    if missing.any():
        raise InputError(
            f"{what} is missing in {int(missing.sum())} row(s), the first at position"
            f" {int(np.argmax(missing))}; drop those rows, or leave {what} out altogether"
        )
    return encode_answers(labels.to_numpy(), classes, what=what)


def encode_answers(values: np.ndarray, classes: list[Any], *, what: str) -> np.ndarray:
    """Return class labels as codes; InputError naming the position of the first unknown one."""
    import pandas as pd

    values = np.asarray(values)
    if values.ndim == 2 and values.shape[1] == 1:
        values = values[:, 0]
    if values.ndim != 1:
        raise InputError(
            f"{what} must be one label per row, but has {values.ndim} dimensions; wrap one output"
            " of a multi-output model, e.g. lambda X: model.predict(X)[:, 0]"
        )
    codes, found = pd.factorize(values)
    table = {label: code for code, label in enumerate(classes)}
    lookup = np.array([table.get(_plain(label), -1) for label in found] or [-1], dtype=np.int64)
    out = np.where(codes >= 0, lookup[codes], -1)
    if (out < 0).any():
        raise InputError(
            f"{what} holds {int((out < 0).sum())} value(s) that are no class, the first at position"
            f" {int(np.argmax(out < 0))} ({_kind_of(values[out < 0][:1])}); the classes are"
            f" {_kind_of(classes)}. A 1-D return is read as labels: return two columns for probabilities"
        )
    return out


def numbers(y: pd.Series, *, what: str) -> np.ndarray:
    """Return labels as finite floats, shape (n,)."""
    try:
        values = y.to_numpy(dtype=float, na_value=np.nan)
    except (TypeError, ValueError) as fault:
        raise InputError(
            f"{what} holds values that are not numbers; for classes pass task='binary' or 'multiclass'"
        ) from fault
    wrong = ~np.isfinite(values)
    if wrong.any():
        raise InputError(
            f"{what} is missing or infinite in {int(wrong.sum())} row(s), the first at position"
            f" {int(np.argmax(wrong))}; drop those rows, or leave {what} out altogether"
        )
    return np.asarray(values, dtype=float)


def _looks_like_classes(y: pd.Series) -> bool:
    import pandas as pd

    if not pd.api.types.is_numeric_dtype(y.dtype) or pd.api.types.is_bool_dtype(y.dtype):
        return True
    values = y.dropna()
    whole = bool((values == values.round()).all())
    return whole and values.nunique() <= MOST_CLASSES


def _sklearn_kind(model: Any) -> str | None:
    if not hasattr(model, "__sklearn_tags__"):
        return None
    from sklearn.base import is_classifier, is_regressor

    if is_classifier(model):
        return "classifier"
    return "regressor" if is_regressor(model) else None


def _sorted_labels(labels: list[Any]) -> list[Any]:
    plain = [_plain(label) for label in labels if label == label and label is not None]  # noqa: PLR0124 - drops nan
    try:
        return sorted(plain)
    except TypeError as fault:
        kinds = ", ".join(sorted({type(label).__name__ for label in plain}))
        raise InputError(
            f"the labels mix kinds ({kinds}); convert them to one, e.g. y.astype(str)"
        ) from fault


def _plain(label: Any) -> Any:
    return label.item() if isinstance(label, np.generic) else label


def _kind_of(values: Any) -> str:
    return " and ".join(sorted({type(_plain(value)).__name__ for value in values}))
