"""What counts as another answer, and how far an answer is from it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from trustcheck.subject._schema import robust_scale
from trustcheck.types import NotMeasurable

if TYPE_CHECKING:
    import pandas as pd

    from trustcheck.subject import Subject
    from trustcheck.subject._side import Side

#: Scores of exactly 0 or 1 in more than this share: they are votes, not logistic curves.
VOTES = 0.01


@dataclass(frozen=True)
class Flip:
    """The answers to some rows, and what is another one.

    A classifier's answer flips when the label changes; a regression's when the number moves by
    more than ``most``. Margins are above 0 where the answer is kept and below where it flips:
    graded by scores (difference of logarithms, or of votes) or by the number; else 1 and -1.

    Parameters
    ----------
    subject : Subject
    rows : ndarray, shape (m,)
        Positions of the rows.
    base : ndarray, shape (m,)
        The answers: codes, or numbers.
    graded : bool
        Whether margins are graded.
    votes : bool
        Whether scores are compared as they are.
    ties : bool
        Whether exact ties are answers (of trees, say; the first class wins) and not just a
        boundary that a search runs into.
    most : float
        Largest move of a regression's number that keeps it.
    way : ndarray, shape (m,)
        Towards which side (1 or -1) a regression's number is pushed; a move to the other side
        that is large enough flips it too.
    """

    subject: Subject
    rows: np.ndarray
    base: np.ndarray
    graded: bool
    votes: bool
    ties: bool
    most: float
    way: np.ndarray

    @classmethod
    def of(cls, subject: Subject, rows: np.ndarray, output: str, shift: float, pool: Side) -> Flip:
        """Return what flips the answers to some of the given rows."""
        base, numbers = subject.predictions[rows], subject.task == "regression"
        graded, votes, ties, most, way = output == "auto", False, False, 0.0, np.ones(len(rows))
        if numbers:
            most = shift * robust_scale(subject.predictions)
            above = (pool.predictions > base[:, None] + most).sum(axis=1)
            below = (pool.predictions < base[:, None] - most).sum(axis=1)
            way = np.where(above >= below, 1.0, -1.0)
        elif graded and "scores" in subject.offers():
            scores = subject.scores
            votes = bool(np.mean((scores == 0) | (scores == 1)) > VOTES)
            top = np.partition(pool.scores, -2, axis=1)[:, -2:]
            ties = bool((top[:, 0] == top[:, 1]).any())
            # A threshold other than the highest score: then scores do not tell what flips.
            graded = bool((scores.argmax(axis=1) == subject.predictions).all())
        else:
            graded = False
        if len(np.unique(np.concatenate([pool.predictions, subject.predictions]))) < 2:
            raise NotMeasurable(
                "the model gives every row at hand the same answer, so there is no other answer to"
                " look for; pass reference= with rows that get another one"
            )
        return cls(subject, rows, base, graded, votes, ties, most, way)

    @classmethod
    def plain(cls, subject: Subject, rows: np.ndarray, shift: float) -> Flip:
        """Return the same for a model that is read and not asked."""
        numbers = subject.task == "regression"
        most = shift * robust_scale(subject.predictions) if numbers else 0.0
        base = subject.predictions[rows]
        return cls(subject, rows, base, False, False, False, most, np.ones(len(rows)))

    def turned(self) -> Flip:
        """Return the same, with a regression's numbers pushed to the other side."""
        return replace(self, way=-self.way)

    def ask(self, frame: pd.DataFrame, rows: np.ndarray) -> np.ndarray:
        """Return the margins of copies of the rows, shape (q,)."""
        if self.graded and self.subject.task != "regression":
            return self._lead(self.subject.predict_proba(frame), self.base[rows])
        return self._margin(self.subject.predict(frame), rows)

    def confirm(self, frame: pd.DataFrame, rows: np.ndarray) -> np.ndarray:
        """Whether the model's own predict gives copies of the rows another answer, shape (q,)."""
        answers = self.subject.predict(frame)
        if self.subject.task == "regression":
            return np.asarray(np.abs(answers - self.base[rows]) > self.most)
        return np.asarray(answers != self.base[rows])

    @property
    def margin(self) -> np.ndarray | None:
        """Margins of the rows as they are, shape (m,), if they are graded."""
        if not self.graded:
            return None
        if self.subject.task == "regression":
            return np.ones(len(self.rows))
        return self._lead(self.subject.scores[self.rows], self.base)

    def pool(self, side: Side, at: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return which donors are answered otherwise, (m, p), and how alike their answers are."""
        answers = side.predictions[at]
        if self.subject.task == "regression":
            moved = self.way[:, None] * (answers - self.base[:, None])
            return np.abs(moved) > self.most, -moved
        other = answers != self.base[:, None]
        if not self.graded:
            return other, 1.0 - other
        scores, codes = side.scores[at], np.arange(len(self.subject.classes))
        by_class = np.array([self._lead(scores, np.full(len(at), code)) for code in codes])
        return other, by_class[self.base]

    def _margin(self, answers: np.ndarray, rows: np.ndarray) -> np.ndarray:
        if self.subject.task == "regression":
            moved = self.way[rows] * (answers - self.base[rows]) / self.most
            margin = np.where(moved < -1.0, 1.0 + moved, 1.0 - moved)
            return margin if self.graded else np.sign(margin)
        return np.where(answers != self.base[rows], -1.0, 1.0)

    def _lead(self, scores: np.ndarray, codes: np.ndarray) -> np.ndarray:
        """Lead of one class over the best of the others."""
        lines = np.arange(len(scores))
        own, others = scores[lines, codes], scores.copy()
        others[lines, codes] = -1.0
        best = others.max(axis=1)
        if self.votes:
            lead = own - best
        else:
            lead = np.log(np.maximum(own, 1e-300)) - np.log(np.maximum(best, 1e-300))
        lost = self.ties & (lead == 0) & (scores.argmax(axis=1) != codes)
        return np.where(lost, -1e-6, lead)
