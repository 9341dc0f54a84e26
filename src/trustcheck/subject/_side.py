"""One table of a subject (the given data, or the reference) and the answers cached for it."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import numpy as np

from trustcheck.subject._table import mix, row_keys
from trustcheck.types import NotMeasurable

if TYPE_CHECKING:
    import pandas as pd

    from trustcheck.subject._subject import Subject


class Table:
    """Rows, truth and cached answers; immutable but for the cache."""

    def __init__(
        self,
        name: str,
        frame: pd.DataFrame | None,
        features: list[str],
        truth: np.ndarray | None,
        n: int,
        extras: dict[str, Any] | None = None,
    ) -> None:
        self.name = name
        self.frame = frame
        self.features = features
        self.truth = truth
        self.n = n
        self.extras = extras or {}
        self.answers: dict[str, np.ndarray | None] = {}
        self.faults: dict[str, Exception] = {}
        self.lock = threading.RLock()
        self._keys: np.ndarray | None = None
        self._draw_keys: np.ndarray | None = None

    def __getstate__(self) -> dict[str, Any]:
        """Leave the lock behind when a worker process takes a copy."""
        return {name: value for name, value in vars(self).items() if name != "lock"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state, lock=threading.RLock())

    def part(self, rows: np.ndarray) -> Table:
        """Return some of the rows as a table of their own, with nothing answered yet."""
        assert self.frame is not None
        truth = None if self.truth is None else self.truth[rows]
        frame = self.frame.iloc[rows].reset_index(drop=True)
        return Table(self.name, frame, self.features, truth, len(rows))

    @property
    def keys(self) -> np.ndarray:
        """64-bit content key of each row, shape (n,)."""
        if self._keys is None:
            import pandas as pd

            frame = pd.DataFrame(index=range(self.n)) if self.frame is None else self.frame
            extras = [self.extras[name] for name in sorted(self.extras)]
            if self.truth is not None:
                extras.append(self.truth)
            if self.frame is None:  # predictions alone: the answers are the content
                extras += [a for a in self.answers.values() if a is not None and a.ndim == 1]
            self._keys = row_keys(frame, extras)
        return self._keys

    @property
    def draw_keys(self) -> np.ndarray:
        """Keys that differ between copies of a row too, so that copies are drawn one by one.

        Which copy gets which number does not matter: they are the same row.
        """
        if self._draw_keys is None:
            order = np.argsort(self.keys, kind="stable")
            ranked = self.keys[order]
            first = np.r_[True, ranked[1:] != ranked[:-1]]
            place = np.arange(self.n) - np.maximum.accumulate(np.where(first, np.arange(self.n), 0))
            keys = np.empty_like(self.keys)
            keys[order] = mix(ranked + mix(place.astype(np.uint64)))
            self._draw_keys = keys
        return self._draw_keys


class Side:
    """A table as one probe sees it: answers are asked for once, through the probe's own meter."""

    def __init__(self, subject: Subject, table: Table) -> None:
        self._subject = subject
        self._table = table

    @property
    def n(self) -> int:
        """Number of rows."""
        return self._table.n

    @property
    def X(self) -> pd.DataFrame:  # noqa: N802
        """The columns the model reads, in its order."""
        if self._table.frame is None:
            raise NotMeasurable(self._subject.why_missing("features"))
        return self._table.frame[self._table.features]

    def column(self, name: str) -> pd.Series:
        """Return one column the model reads, without a copy of the table."""
        if self._table.frame is None:
            raise NotMeasurable(self._subject.why_missing("features"))
        return self._table.frame[name]

    def own_column(self, name: str | None) -> pd.Series | None:
        """Return a column of the user's table, read by the model or not; None if it has none."""
        frame = self._table.frame
        return None if frame is None or name not in frame.columns else frame[name]

    @property
    def frame(self) -> pd.DataFrame:
        """All columns of the table, those that the model does not read too."""
        if self._table.frame is None:
            raise NotMeasurable(self._subject.why_missing("features"))
        return self._table.frame

    @property
    def truth(self) -> np.ndarray:
        """True classes as codes into ``subject.classes``, or true numbers, shape (n,)."""
        if self._table.truth is None:
            raise NotMeasurable(self._subject.why_missing("labels"))
        return self._table.truth

    @property
    def has_truth(self) -> bool:
        """Whether labels are known."""
        return self._table.truth is not None

    @property
    def predictions(self) -> np.ndarray:
        """Predicted classes as codes, or predicted numbers, shape (n,)."""
        answer = self._subject.answer("predictions", self._table)
        if answer is None:
            raise NotMeasurable(self._subject.why_missing("predictions"))
        return answer

    @property
    def scores(self) -> np.ndarray:
        """Predicted probabilities, shape (n, classes)."""
        answer = self._subject.answer("scores", self._table)
        if answer is None:
            raise NotMeasurable(self._subject.why_missing("scores"))
        return answer

    @property
    def row_keys(self) -> np.ndarray:
        """64-bit content key of each row, shape (n,)."""
        return self._table.keys

    def sample(self, size: int, rng: np.random.Generator) -> np.ndarray:
        """Return positions of up to ``size`` rows drawn without replacement.

        The draw, and the order it comes in, depend on the content of the rows and on ``rng``,
        not on the order of the table: draw random numbers for the rows in the order returned.
        """
        salt = np.uint64(rng.integers(0, 2**63, dtype=np.uint64))
        keys = mix(self._table.draw_keys ^ salt)
        size = min(size, self.n)
        if size < self.n:
            chosen = np.argpartition(keys, size - 1)[:size]
            return chosen[np.argsort(keys[chosen], kind="stable")]
        return np.argsort(keys, kind="stable")
