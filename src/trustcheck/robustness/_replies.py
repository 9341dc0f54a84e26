"""Asking about rows a model may refuse, many kinds of them in few calls."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd

    from trustcheck.subject import Subject

#: Rows of a refused kind asked one by one: one bad row stops a whole call.
FEW = 10


@dataclass(frozen=True)
class Reply:
    """What came back.

    Attributes
    ----------
    answers : array, shape (k,)
        Of the first k rows; nan where the model raised, or gave nothing that can be used.
    kind : str
        Type of the exception; empty where every row was answered.
    """

    answers: np.ndarray
    kind: str = ""

    @property
    def does(self) -> str:
        """What the model does with such rows, in words."""
        refused = np.isnan(self.answers)
        if not refused.any():
            return "answers"
        return "raises" if refused.all() else "raises for some rows"


def rows_each(budget: int, kinds: int) -> int:
    """Return how many rows of each kind fit a budget of rows sent, whatever the model refuses.

    Of m rows of a kind, :func:`ask` may send 2 pilots and, if refused, 2 max(1, m // 8) more.
    """
    share = budget / kinds
    return int(min(share - 4, (share - 2) / 1.25))


def ask(subject: Subject, frames: Sequence[pd.DataFrame]) -> list[Reply]:
    """Ask about several kinds of rows (one frame each, in random order), refusals and all.

    Frames of equal dtypes share one call. A pilot with the first row of each tells first which
    kinds the model refuses: of those, few rows are asked one by one. Should the large call still
    be refused, the first eighth of each kind is asked on its own.
    """
    groups: dict[tuple[str, ...], list[int]] = {}
    for at, frame in enumerate(frames):
        groups.setdefault(tuple(map(repr, frame.dtypes)), []).append(at)
    replies: dict[int, Reply] = {}
    for group in groups.values():
        replies |= _ask_alike(subject, {at: frames[at] for at in group})
    return [replies[at] for at in range(len(frames))]


def _ask_alike(subject: Subject, frames: dict[int, pd.DataFrame]) -> dict[int, Reply]:
    if _together(subject, [frame.head(1) for frame in frames.values()])[1]:
        held = [at for at, frame in frames.items() if not _together(subject, [frame.head(1)])[1]]
    else:
        held = list(frames)
    replies = {at: _singly(subject, frame) for at, frame in frames.items() if at not in held}
    if not held:
        return replies
    answers, refused = _together(subject, [frames[at] for at in held])
    if not refused:
        ends = np.cumsum([len(frames[at]) for at in held])[:-1]
        return replies | {
            at: Reply(part) for at, part in zip(held, np.split(answers, ends), strict=True)
        }
    for at in held:
        head = frames[at].head(max(1, len(frames[at]) // 8))
        answers, refused = _together(subject, [head])
        replies[at] = _singly(subject, head) if refused else Reply(answers)
    return replies


def _singly(subject: Subject, frame: pd.DataFrame) -> Reply:
    rows = [frame.iloc[[at]] for at in range(min(FEW, len(frame)))]
    single = [_together(subject, [row]) for row in rows]
    kinds = [kind for _, kind in single if kind]
    return Reply(np.concatenate([answer for answer, _ in single]), kinds[0] if kinds else "")


def _together(subject: Subject, frames: Sequence[pd.DataFrame]) -> tuple[np.ndarray, str]:
    """Answers of one call and "", or nan and the type of what was raised; a warning is neither."""
    import pandas as pd

    frame = pd.concat(frames, ignore_index=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return subject.predict(frame).astype(float), ""
        except Exception as fault:  # noqa: BLE001 - what the model raises is the result
            return np.full(len(frame), np.nan), type(fault).__name__
