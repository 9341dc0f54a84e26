"""Inputs no honest row looks like, and asking about them without being stopped by them."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from trustcheck.types import InputError

if TYPE_CHECKING:
    import pandas as pd

    from trustcheck.subject import Feature, Subject

#: A text that is no level and no number.
NONSENSE = "?unseen?"


@dataclass(frozen=True)
class Reply:
    """What came back: answers, or the reason why there are none.

    Attributes
    ----------
    outcome : {"answered", "raised", "abstained"}
        "abstained": the model returned, but no usable answer (nan, None, a label of its own).
    answers : array or None
        Shape (n, classes), or (n, 1) for regression; None unless answered.
    kind, message
        Type and text of the exception, empty if there was none. The text stays in memory.
    """

    outcome: str
    answers: np.ndarray | None = None
    kind: str = ""
    message: str = ""


def ask(subject: Subject, frame: pd.DataFrame, *, purpose: str) -> Reply:
    """Ask about rows that may break the model; a warning is not a refusal."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return Reply("answered", subject.output(frame, purpose=purpose))
        except InputError as fault:  # raised by the subject, about what the model returned
            return Reply("abstained", kind=type(fault).__name__)
        except Exception as fault:  # noqa: BLE001 - what the model raises is the result
            return Reply("raised", kind=type(fault).__name__, message=str(fault))


def accepted(subject: Subject, frame: pd.DataFrame) -> np.ndarray:
    """Return which rows the guard of the context lets through, shape (n,); all without a guard.

    Raises
    ------
    InputError
        If the guard is no function, or returns no true or false for every row.
    """
    guard: Callable[[Any], Any] | None = subject.context.guard
    if guard is None:
        return np.ones(len(frame), dtype=bool)
    if not callable(guard):
        raise InputError(
            "guard= must be a function of the rows that returns True for each row to be answered,"
            f" or raises; it is of type {type(guard).__name__}"
        )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            mask = guard(subject.own(frame))
        except Exception:  # noqa: BLE001 - a guard may refuse by raising
            return np.zeros(len(frame), dtype=bool)
    mask = np.asarray(mask)
    if mask.shape != (len(frame),) or mask.dtype.kind not in "bO":
        raise InputError(
            f"guard= must return one True or False per row; for {len(frame)} rows it returned"
            f" {mask.dtype} of shape {mask.shape}"
        )
    return mask.astype(bool)


def confidence(answers: np.ndarray) -> np.ndarray:
    """Largest probability of each row, shape (n,)."""
    largest: np.ndarray = answers.max(axis=1)
    return largest


def beyond(feature: Feature, distance: float | np.ndarray, signs: np.ndarray) -> np.ndarray:
    """Numbers ``distance`` interquartile ranges outside the range seen, above it or below."""
    low, high = feature.low or 0.0, feature.high or 0.0
    away = distance * 1.349 * feature.scale
    return np.where(signs > 0, high + away, low - away)


def put(column: pd.Series, values: Any) -> pd.Series:
    """Return a column of new numbers: whole if it was whole and they are, else floats."""
    import pandas as pd

    numbers = np.broadcast_to(np.asarray(values, dtype=float), (len(column),))
    if pd.api.types.is_integer_dtype(column.dtype) and np.isfinite(numbers).all():
        numbers = np.rint(np.clip(numbers, -(2.0**62), 2.0**62)).astype(np.int64)
    return pd.Series(numbers, index=column.index)


def without(column: pd.Series) -> pd.Series:
    """Return the column with every value missing, as it would arrive."""
    import pandas as pd

    dtype = column.dtype
    if isinstance(dtype, pd.CategoricalDtype) or dtype.kind == "M" or not _is_number(column):
        keeps = isinstance(dtype, pd.CategoricalDtype) or dtype.kind in "Mm"
        empty = pd.Series([None] * len(column), index=column.index, dtype=object)
        return empty.astype(dtype) if keeps or isinstance(dtype, pd.StringDtype) else empty
    return pd.Series(np.full(len(column), np.nan), index=column.index)


def nonsense(column: pd.Series) -> pd.Series:
    """Return the column with every value a text that is no level and no number."""
    import pandas as pd

    if isinstance(column.dtype, pd.CategoricalDtype):
        levels = [*column.cat.categories.astype(object), NONSENSE]
        dtype: Any = pd.CategoricalDtype(levels)
    else:
        dtype = column.dtype if isinstance(column.dtype, pd.StringDtype) else object
    return pd.Series([NONSENSE] * len(column), index=column.index, dtype=dtype)


def _is_number(column: pd.Series) -> bool:
    import pandas as pd

    return bool(pd.api.types.is_numeric_dtype(column.dtype)) and not pd.api.types.is_bool_dtype(
        column.dtype
    )
