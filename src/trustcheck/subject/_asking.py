"""Asking the model: the fewest questions, each answer checked, every row counted."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING

import numpy as np

from trustcheck.subject import _labels
from trustcheck.subject._model import Meter, Model, check_numbers, check_scores, near_tie
from trustcheck.types import NotMeasurable

if TYPE_CHECKING:
    import pandas as pd

    from trustcheck.subject._side import Table

Answers = dict[str, "np.ndarray | None"]
NO_MODEL = "only predictions were given, so the model cannot be asked about other rows"


class Asker:
    """A model, the labels it speaks in, and a meter.

    Parameters
    ----------
    model : Model or None
        None for predictions alone.
    coding : Coding
        Task and classes.
    """

    def __init__(self, model: Model | None, coding: _labels.Coding) -> None:
        self.model = model
        self.coding = coding
        self.meter = Meter()

    def metered(self) -> Asker:
        """Return this asker with a meter of its own, which also feeds this one's."""
        seen = copy.copy(self)
        seen.meter = Meter(self.meter)
        return seen

    def has_scores(self, data: Table) -> bool:
        """Whether probabilities can be had."""
        if self.coding.task == "regression":
            return False
        if self.model is None or self.model.is_callable:
            # What a callable returns is known only once it has been asked.
            return self.answer("scores", data) is not None
        return self.model.has_scores

    def answer(self, what: str, table: Table) -> np.ndarray | None:
        """Return cached "predictions" or "scores" of a table, asking the model at most once.

        None where the model gives no such answer; a fault of the model is remembered and raised
        again, so that a failing model is not asked over and over.
        """
        with table.lock:
            if what in table.faults:
                raise table.faults[what]
            if what not in table.answers:
                if self.model is None:
                    return None
                assert table.frame is not None
                purpose = "given" if table.name == "data" else "reference"
                try:
                    learnt = self.ask(table.frame[table.features], what, purpose)
                except Exception as fault:
                    table.faults[what] = fault
                    raise
                table.answers.update(learnt)
            return table.answers[what]

    def ask(self, X: pd.DataFrame, what: str, purpose: str, *, alone: bool = False) -> Answers:
        """Ask the fewest questions that answer ``what``; return all that was learnt.

        With ``alone``, nothing is asked for the sake of labels that only the scores' ties hide.
        """
        model = self.model
        if model is None:
            raise NotMeasurable(NO_MODEL)
        if model.is_callable:
            return self._read(model.ask("call", X, self.meter, purpose))
        if self.coding.task == "regression":
            raw = model.ask("predict", X, self.meter, purpose)
            return {"predictions": check_numbers(raw), "scores": None}
        if what == "scores":
            if not model.has_scores:
                return {"scores": None}
            raw = model.ask("predict_proba", X, self.meter, purpose)
            scores = self.pad(check_scores(raw, self.coding.known))
            learnt: Answers = {"scores": scores}
            if alone:
                return learnt
            if not model.has_labels:
                learnt["predictions"] = np.argmax(scores, axis=1)
            elif model.labels_follow_scores:
                learnt["predictions"] = self._labels_from(model, scores, X, purpose)
            return learnt
        if not model.has_labels or (model.has_scores and model.labels_follow_scores):
            return self.ask(X, "scores", purpose)
        return {"predictions": self._encoded(model.ask("predict", X, self.meter, purpose))}

    def pad(self, scores: np.ndarray) -> np.ndarray:
        """Give classes the model never saw a probability of 0."""
        extra = len(self.coding.classes) - scores.shape[1]
        return np.pad(scores, ((0, 0), (0, extra))) if extra > 0 else scores

    def _labels_from(
        self, model: Model, scores: np.ndarray, X: pd.DataFrame, purpose: str
    ) -> np.ndarray:
        labels = np.argmax(scores, axis=1)
        tied = near_tie(scores)
        if tied.any():
            raw = model.ask("predict", X[tied], self.meter, f"{purpose}, ties")
            labels[tied] = self._encoded(raw)
        return labels

    def _read(self, raw: np.ndarray) -> Answers:
        """Read a callable's return: two dimensions are probabilities, one is predictions."""
        if self.coding.task == "regression":
            return {"predictions": check_numbers(raw), "scores": None}
        if raw.ndim == 2 and raw.shape[1] > 1:
            scores = self.pad(check_scores(raw, self.coding.known))
            return {"scores": scores, "predictions": np.argmax(scores, axis=1)}
        return {"predictions": self._encoded(raw), "scores": None}

    def _encoded(self, raw: np.ndarray) -> np.ndarray:
        return _labels.encode_answers(raw, self.coding.classes, what="the model's answer")
