"""Model adapters: any estimator, any callable, or predictions alone; every row sent is counted."""

from __future__ import annotations

import inspect
import time
from collections import Counter
from typing import TYPE_CHECKING, Any

import numpy as np

from trustcheck.subject import _foreign
from trustcheck.subject._table import Form, send
from trustcheck.types import InputError

if TYPE_CHECKING:
    from collections.abc import Callable

    import pandas as pd

#: Rows per call: large enough that a model's fixed costs vanish, small enough for memory.
BATCH = 65_536
#: Calls of at least so many rows show what a row costs where many are asked together.
BULK = 1_000

# Classifiers whose ``predict`` is the arg-max of their ``predict_proba`` but for rounding at an
# exact tie (read in the libraries' source); rows close to a tie are asked again.
_LABELS_FOLLOW_SCORES = {
    "sklearn.ensemble._forest": {"RandomForestClassifier", "ExtraTreesClassifier"},
    "sklearn.ensemble._hist_gradient_boosting.gradient_boosting": {
        "HistGradientBoostingClassifier"
    },
    "sklearn.ensemble._gb": {"GradientBoostingClassifier"},
    "sklearn.linear_model._logistic": {"LogisticRegression"},
    "sklearn.tree._classes": {"DecisionTreeClassifier", "ExtraTreeClassifier"},
    "lightgbm.sklearn": {"LGBMClassifier"},
    "xgboost.sklearn": {"XGBClassifier"},
}
_TIE = 1e-9


class Meter:
    """Counts rows, calls and seconds by purpose; a view's meter also feeds its parent's."""

    def __init__(self, parent: Meter | None = None) -> None:
        self.rows: Counter[str] = Counter()
        self.calls: Counter[str] = Counter()
        self.seconds = 0.0
        self.library_seconds = 0.0
        self.waits: list[float] = []  # seconds of calls with one row
        self.bulk = [0, 0.0]  # rows and seconds of calls with at least BULK rows
        self._parent = parent

    def add(self, purpose: str, rows: int, seconds: float) -> None:
        """Record one call."""
        self.rows[purpose] += rows
        self.calls[purpose] += 1
        self.seconds += seconds
        if rows == 1:
            self.waits.append(seconds)
        elif rows >= BULK:
            self.bulk = [self.bulk[0] + rows, self.bulk[1] + seconds]
        if self._parent is not None:
            self._parent.add(purpose, rows, seconds)

    def latency(self) -> dict[str, float]:
        """Return how long answers took: one row alone (median, 95th percentile), and in bulk."""
        facts: dict[str, float] = {}
        if self.waits:
            median, tail = np.quantile(self.waits, [0.5, 0.95]) * 1e3
            facts |= {
                "one_row_calls": len(self.waits),
                "one_row_median_ms": round(float(median), 4),
                "one_row_p95_ms": round(float(tail), 4),
            }
        if self.bulk[0]:
            facts["bulk_us_per_row"] = round(self.bulk[1] / self.bulk[0] * 1e6, 4)
        return facts

    def add_library(self, seconds: float) -> None:
        """Record time spent in a library that fits or explains for a probe."""
        self.library_seconds += seconds
        if self._parent is not None:
            self._parent.add_library(seconds)


class Model:
    """A fitted estimator or a callable, asked through one door.

    Parameters
    ----------
    model : object
        With ``predict`` and/or ``predict_proba``; or a callable whose 2-D return is read as
        probabilities and whose 1-D return is read as predictions.
    form : Form
        What the user's table was, and so what the model is sent.
    names : dict, optional
        The user's own names of columns, where they are not strings.
    """

    def __init__(self, model: Any, *, form: Form, names: dict[str, Any] | None = None) -> None:
        model = _foreign.adapt(model)
        self.native = model
        self.form = form
        self.names = names or {}
        self.is_callable = not (hasattr(model, "predict") or hasattr(model, "predict_proba"))
        if self.is_callable and not callable(model):
            raise InputError(
                f"the model ({type(model).__name__}) has no predict or predict_proba and cannot be"
                " called; pass a fitted estimator or a function, or use Subject.from_predictions"
            )
        if isinstance(model, type):
            raise InputError(
                f"the model is the class {model.__name__}, not a fitted instance of it"
            )
        self.has_labels = not self.is_callable and hasattr(model, "predict")
        self.has_scores = not self.is_callable and _offers(model, "predict_proba")
        if isinstance(getattr(model, "classes_", None), list):
            raise InputError(
                f"the model ({type(model).__name__}) has several outputs; trustcheck takes one:"
                " wrap one of them, e.g. lambda X: model.predict(X)[:, 0]"
            )
        _require_fitted(model)

    @property
    def name(self) -> str:
        """Class of the model; for a pipeline, that of its last step too."""
        outer = type(self.native).__name__
        if self.is_callable:
            return getattr(self.native, "__name__", outer)
        last = _last_step(self.native)
        return outer if last is self.native else f"{outer}({type(last).__name__})"

    @property
    def classes(self) -> list[Any] | None:
        """Labels in the order of the probability columns, if the model says so."""
        found = getattr(self.native, "classes_", None)
        return None if found is None else list(np.asarray(found).tolist())

    @property
    def features(self) -> list[str] | None:
        """Names of the columns it was fitted on, if it says so."""
        try:
            found = getattr(self.native, "feature_names_in_", None)
        except Exception:  # noqa: BLE001 - some wrappers raise from this property
            return None
        return None if found is None else [str(name) for name in found]

    @property
    def labels_follow_scores(self) -> bool:
        """Whether labels may be read off scores, ties apart (proven for the model's class)."""
        last = type(_last_step(self.native))
        return last.__name__ in _LABELS_FOLLOW_SCORES.get(last.__module__, set())

    @property
    def states_spread(self) -> bool:
        """Whether ``predict(X, return_std=True)`` is offered."""
        try:
            return "return_std" in inspect.signature(_last_step(self.native).predict).parameters
        except (AttributeError, TypeError, ValueError):
            return False

    def ask_spread(self, frame: pd.DataFrame, meter: Meter) -> tuple[np.ndarray, np.ndarray]:
        """Ask for predictions and the standard deviations stated with them."""
        started = time.perf_counter()
        mean, spread = self.native.predict(send(frame, self.form, self.names), return_std=True)
        meter.add("stated uncertainty", len(frame), time.perf_counter() - started)
        return check_numbers(mean), check_numbers(spread)

    def ask(self, output: str, frame: pd.DataFrame, meter: Meter, purpose: str) -> np.ndarray:
        """Send rows in large batches and return the raw answers.

        Parameters
        ----------
        output : {"predict", "predict_proba", "call"}
            Which door of the model.
        """
        method: Callable[[Any], Any] = (
            self.native if output == "call" else getattr(self.native, output)
        )
        parts = []
        for start in range(0, len(frame), BATCH):
            batch = frame.iloc[start : start + BATCH]
            started = time.perf_counter()
            try:
                answer = _dense(method(send(batch, self.form, self.names)))
            finally:  # rows a model refused were sent all the same
                meter.add(purpose, len(batch), time.perf_counter() - started)
            if answer.ndim == 0 or len(answer) != len(batch):
                got = "one value" if answer.ndim == 0 else f"{len(answer)} rows"
                raise InputError(
                    f"the model answered {got} for {len(batch)} rows ({output});"
                    " it must return one answer per row, in order"
                )
            parts.append(answer)
        return parts[0] if len(parts) == 1 else np.concatenate(parts)


def check_scores(scores: np.ndarray, classes: int) -> np.ndarray:
    """Return probabilities as floats of shape (n, classes).

    Raises
    ------
    InputError
        Naming the position of the first row whose probabilities are not finite, lie outside
        [0, 1] or do not sum to 1, or if the number of columns is not that of the classes.
    """
    scores = np.asarray(scores, dtype=float)
    if scores.ndim == 1 and classes == 2:
        scores = np.column_stack([1.0 - scores, scores])
    if scores.ndim != 2 or scores.shape[1] != classes:
        shape = " x ".join(str(size) for size in scores.shape)
        raise InputError(
            f"the model's probabilities have shape {shape}, but there are {classes} classes;"
            " pass classes= in the order of the columns"
        )
    for wrong, what in (
        (~np.isfinite(scores).all(axis=1), "not finite"),
        (((scores < -1e-6) | (scores > 1 + 1e-6)).any(axis=1), "outside [0, 1]"),
        (np.abs(scores.sum(axis=1) - 1.0) > 1e-3, "not summing to 1"),
    ):
        if wrong.any():
            raise InputError(
                f"the model's probabilities are {what} in {int(wrong.sum())} row(s), the first at"
                f" position {int(np.argmax(wrong))}; return calibrated or softmax probabilities"
            )
    return np.clip(scores, 0.0, 1.0)


def check_numbers(values: np.ndarray) -> np.ndarray:
    """Return regression predictions as floats of shape (n,); InputError if not finite numbers."""
    values = np.asarray(values)
    if values.ndim == 2 and values.shape[1] == 1:
        values = values[:, 0]
    if values.ndim != 1:
        raise InputError(
            f"the model answered {values.shape[1]} numbers a row; trustcheck takes one output:"
            " wrap one output of it, e.g. lambda X: model.predict(X)[:, 0]"
        )
    try:
        values = values.astype(float)
    except (TypeError, ValueError) as fault:
        raise InputError(
            "the model's predictions are not numbers, but the task is regression"
        ) from fault
    wrong = ~np.isfinite(values)
    if wrong.any():
        raise InputError(
            f"the model's predictions are not finite in {int(wrong.sum())} row(s), the first at"
            f" position {int(np.argmax(wrong))}"
        )
    return values


def near_tie(scores: np.ndarray) -> np.ndarray:
    """Whether the two largest probabilities of a row are equal but for rounding, shape (n,)."""
    top = np.partition(scores, -2, axis=1)[:, -2:]
    tie: np.ndarray = (top[:, 1] - top[:, 0]) < _TIE
    return tie


def _offers(model: Any, method: str) -> bool:
    try:
        return callable(getattr(model, method, None))
    except Exception:  # noqa: BLE001 - available_if raises what it likes
        return False


def _last_step(model: Any) -> Any:
    while True:
        if hasattr(model, "steps") and isinstance(model.steps, list):
            model = model.steps[-1][1]
        elif hasattr(model, "best_estimator_"):
            model = model.best_estimator_
        else:
            return model


def _require_fitted(model: Any) -> None:
    if not type(model).__module__.startswith("sklearn."):
        return
    from sklearn.exceptions import NotFittedError
    from sklearn.utils.validation import check_is_fitted

    try:
        check_is_fitted(model)
    except NotFittedError as fault:
        raise InputError(
            f"the model ({type(model).__name__}) is not fitted; call its fit first"
        ) from fault


def _dense(answer: Any) -> np.ndarray:
    if hasattr(answer, "toarray"):
        answer = answer.toarray()
    if hasattr(answer, "detach"):
        answer = answer.detach().cpu().numpy()
    return np.asarray(answer)
