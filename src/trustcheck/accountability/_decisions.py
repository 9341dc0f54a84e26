"""Logs of what people did with the model's answers, read and checked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from trustcheck.types import InputError, NotMeasurable

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Log:
    """A log of decisions, one entry per case.

    Parameters
    ----------
    model : array
        The model's answers.
    decided, accepted, overruled : bool arrays
        Whether a person decided, as the model said, or otherwise.
    human_better, model_better : bool arrays
        Which of the two was right alone (or, for amounts, nearer); means nothing unless ``known``.
    model_wrong : bool array or None
        None for amounts.
    known : bool array
        Whether the truth is known.
    seconds : array
        Time taken, nan where it was not.
    flagged, reviewed : bool arrays
        Whether a review was due, and is on record; True throughout where the log does not say.
    reviewer : int array or None
        Who decided, as a code; -1 where the log does not say.
    """

    model: np.ndarray
    decided: np.ndarray
    accepted: np.ndarray
    overruled: np.ndarray
    human_better: np.ndarray
    model_better: np.ndarray
    model_wrong: np.ndarray | None
    known: np.ndarray
    seconds: np.ndarray
    flagged: np.ndarray
    reviewed: np.ndarray
    reviewer: np.ndarray | None

    @property
    def timed(self) -> np.ndarray:
        """Cases whose time was taken."""
        return np.isfinite(self.seconds)


def read(decisions: Any) -> Log:
    """Return the user's log, or say what to change in it."""
    import pandas as pd

    frame = _frame(decisions)
    numeric = [_is_numeric(frame[name]) for name in ("model", "human")]
    if numeric[0] != numeric[1] and frame["human"].notna().any():
        kinds = ["numbers" if is_number else "words" for is_number in numeric]
        raise InputError(
            f"decisions: column 'model' holds {kinds[0]} and 'human' holds {kinds[1]}, so they can"
            " never agree; write both alike"
        )
    model, human = (_values(frame, name, numeric=numeric[0]) for name in ("model", "human"))
    decided = frame["human"].notna().to_numpy()
    accepted = decided & (model == human)
    known, truth = np.zeros(len(frame), dtype=bool), model
    if "truth" in frame:
        known = frame["truth"].notna().to_numpy()
        truth = _values(frame, "truth", numeric=numeric[0])
    graded = numeric[0] and _is_graded(model)
    if graded:  # an amount: the nearer answer is the better one
        off_human, off_model = np.abs(human - truth), np.abs(model - truth)
    else:
        off_human, off_model = (human != truth).astype(float), (model != truth).astype(float)
    return Log(
        model=frame["model"].to_numpy(),
        decided=decided,
        accepted=accepted,
        overruled=decided & ~accepted,
        human_better=off_human < off_model,
        model_better=off_model < off_human,
        model_wrong=None if graded else off_model > 0,
        known=known,
        seconds=_seconds(frame),
        flagged=_yes(frame, "flagged"),
        reviewed=_yes(frame, "reviewed"),
        reviewer=pd.factorize(frame["reviewer"])[0] if "reviewer" in frame else None,
    )


def _frame(decisions: Any) -> pd.DataFrame:
    import pandas as pd

    if hasattr(decisions, "to_pandas"):
        decisions = decisions.to_pandas()
    try:
        frame = pd.DataFrame(decisions).reset_index(drop=True)
    except (TypeError, ValueError) as fault:
        raise InputError(
            f"decisions cannot be read as a table ({type(decisions).__name__}); give a frame, a"
            " list of dicts or a dict of lists of one length"
        ) from fault
    missing = [name for name in ("model", "human") if name not in frame.columns]
    if missing:
        raise InputError(
            f"decisions lacks column {' and '.join(map(repr, missing))}; it has"
            f" {', '.join(map(str, frame.columns)) or 'none'}. Rename the model's answer to 'model'"
            " and the final decision to 'human'"
        )
    if not len(frame):
        raise NotMeasurable("the log of decisions has no rows yet")
    if frame["model"].isna().any():
        at = int(frame["model"].isna().to_numpy().argmax())
        raise InputError(f"decisions: column 'model' is missing at position {at}; drop such cases")
    return frame


def _is_numeric(column: pd.Series) -> bool:
    import pandas as pd

    return pd.api.types.is_numeric_dtype(column.dropna().infer_objects())


def _values(frame: pd.DataFrame, name: str, *, numeric: bool) -> np.ndarray:
    """Return numbers, missing ones as nan, or words, missing ones as none at all."""
    import pandas as pd

    column = frame[name]
    if not numeric:
        words = [
            "" if gone else str(cell) for cell, gone in zip(column, column.isna(), strict=True)
        ]
        return np.array(words, dtype=object)
    numbers = pd.to_numeric(column.astype(object), errors="coerce")
    values = numbers.astype(float).to_numpy(dtype=float, na_value=np.nan)
    lost = np.isnan(values) & column.notna().to_numpy()
    if lost.any():
        raise InputError(
            f"decisions: column {name!r} holds no number at position {int(lost.argmax())}, but"
            " 'model' holds numbers; write both alike"
        )
    return values


def _is_graded(model: np.ndarray) -> bool:
    """Whether answers are amounts: more than twenty different ones, or fractions."""
    return bool(len(np.unique(model)) > 20 or np.any(model != np.round(model)))


def _seconds(frame: pd.DataFrame) -> np.ndarray:
    import pandas as pd

    if "seconds" not in frame:
        return np.full(len(frame), np.nan)
    numbers = pd.to_numeric(frame["seconds"], errors="coerce").to_numpy(float, na_value=np.nan)
    bad = (np.isnan(numbers) & frame["seconds"].notna().to_numpy()) | (numbers < 0)
    if bad.any():
        raise InputError(
            "decisions: column 'seconds' must hold numbers of at least 0, but position"
            f" {int(bad.argmax())} holds none"
        )
    return numbers


def _yes(frame: pd.DataFrame, name: str) -> np.ndarray:
    """Return a column of yes and no; missing is no, and a column not there is all yes."""
    if name not in frame:
        return np.ones(len(frame), dtype=bool)
    cells, missing = frame[name].to_numpy(dtype=object), frame[name].isna().to_numpy()
    for at in np.flatnonzero(~missing):
        if cells[at] not in (True, False):
            raise InputError(
                f"decisions: column {name!r} must hold True and False (or 1 and 0), but position"
                f" {at} holds a {type(cells[at]).__name__}"
            )
    return np.array([not gone and bool(cell) for cell, gone in zip(cells, missing, strict=True)])
