"""Rows to explain, the number explained on each, and copies of them with donor values."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from trustcheck.types import NotMeasurable

if TYPE_CHECKING:
    import pandas as pd

    from trustcheck.subject import Subject

#: Most donors held at a time, and most cells of copies in memory at a time.
DONORS = 100
_CELLS = 10_000_000


@dataclass(frozen=True)
class Attributions:
    """What each feature adds to the explained output of each row.

    Parameters
    ----------
    values : array, shape (r, d)
        On the user's own columns; for the first r of the rows asked for.
    base : array, shape (r,), or None
        What they start from: ``base + values.sum(axis=1)`` is the explained output where the
        method is additive; None where it is not.
    rebuilt : array, shape (r,), or None
        The model's output as base and values rebuild it, in the model's own units.
    method : str
        "tree", "linear", "sampling" or "occlusion".
    output : str
        What is explained, in words.
    rows_sent : int
        Copies sent to the model for it.
    notes : tuple of str
        How it was done, and what could not be.
    donors : int array, shape (r, k), or None
        Donors each row was compared with, where they differ from row to row.
    """

    values: np.ndarray
    base: np.ndarray | None
    rebuilt: np.ndarray | None
    method: str
    output: str
    rows_sent: int = 0
    notes: tuple[str, ...] = ()
    donors: np.ndarray | None = None


@dataclass(frozen=True)
class Swap:
    """Some given rows and some donor rows, ready to be mixed column by column.

    The number explained is, for a classifier, the probability of the class predicted on the
    row (1 or 0 where the model gives labels only); for a regression, the prediction.

    Parameters
    ----------
    subject : Subject
    rows : int array, shape (r,)
        Positions of the rows explained.
    donors : int array, shape (m,)
        Positions of the donors, in the reference if there is one, else in the data.
    code : int array, shape (r,)
        Which output is explained on each row.
    value : array, shape (r,)
        That output on the row as it is, from the shared pass.
    own : bool
        Donors come from the data itself.
    """

    subject: Subject
    rows: np.ndarray
    donors: np.ndarray
    code: np.ndarray
    value: np.ndarray
    own: bool
    _both: pd.DataFrame  # the rows, then the donors

    @classmethod
    def draw(cls, subject: Subject, rows: np.ndarray, rng: np.random.Generator) -> Swap:
        """Draw donors for these rows."""
        if subject.n < 2 and "reference" not in subject.offers():
            raise NotMeasurable(
                "one row and no reference give no other values to compare with; pass reference="
            )
        own = "reference" not in subject.offers()
        source = subject.data if own else subject.reference
        donors = source.sample(DONORS, rng)
        if subject.task == "regression":
            code, value = np.zeros(len(rows), dtype=np.int64), subject.predictions[rows]
        else:
            code = subject.predictions[rows]
            value = (
                subject.scores[rows, code] if "scores" in subject.offers() else np.ones(len(rows))
            )
        both: pd.DataFrame = _stack(subject.X.iloc[rows], source.X.iloc[donors])
        return cls(subject, rows, donors, code, np.asarray(value, dtype=float), own, both)

    @property
    def d(self) -> int:
        """Number of features."""
        return len(self.subject.features)

    @property
    def most_donors(self) -> int:
        """Different donors any row can have."""
        return len(self.donors) - int(self.own)

    @property
    def output(self) -> str:
        """What is explained, in words."""
        if self.subject.task == "regression":
            return "prediction"
        if "scores" in self.subject.offers():
            return "probability of the predicted class"
        return "predicted class (1 while it is predicted, else 0)"

    def head(self, count: int) -> Swap:
        """Return the same with the first ``count`` rows at most."""
        return self.only(np.arange(len(self.rows)) < count)

    def only(self, kept: np.ndarray) -> Swap:
        """Return the same with some of the rows."""
        every = np.r_[kept, np.ones(len(self.donors), dtype=bool)]
        return replace(
            self,
            rows=self.rows[kept],
            code=self.code[kept],
            value=self.value[kept],
            _both=self._both.take(np.flatnonzero(every)),
        )

    def part(self, which: slice) -> Swap:
        """Return the same with some of the donors only."""
        r = len(self.rows)
        kept = np.arange(len(self.donors))[which]
        return replace(
            self,
            donors=self.donors[kept],
            _both=self._both.take(np.r_[:r, r + kept]),
        )

    def moved(self, frame: pd.DataFrame, value: np.ndarray) -> Swap:
        """Return the same donors for copies of the rows, on which the output is ``value``."""
        donors = self._both.iloc[len(self.rows) :]
        return replace(self, value=value, _both=_stack(frame, donors))

    def pair(self, count: int, rng: np.random.Generator) -> np.ndarray:
        """Return ``count`` different donors for each row, shape (r, count); never the row itself.

        Donors stand in random order, so that a run of them from a random start is a random draw
        and every donor serves equally often.
        """
        m = len(self.donors)
        start = rng.integers(m, size=len(self.rows))
        chosen = (start[:, None] + np.arange(count)) % m
        if self.own:
            same = self.donors[chosen] == self.rows[:, None]
            chosen = np.where(same, (start[:, None] + count) % m, chosen)
        return chosen

    def copies(self, row: np.ndarray, donor: np.ndarray, swapped: np.ndarray) -> pd.DataFrame:
        """Return copies of rows with the swapped columns taken from donors.

        Parameters
        ----------
        row, donor : int arrays, shape (N,)
            Positions among the rows, and among the donors.
        swapped : bool array, shape (N, d)
        """
        import pandas as pd

        donor = donor + len(self.rows)
        columns = {
            name: self._both[name].array.take(np.where(swapped[:, j], donor, row))
            for j, name in enumerate(self._both.columns)
        }
        return pd.DataFrame(columns)

    def ask(self, row: np.ndarray, donor: np.ndarray, swapped: np.ndarray) -> np.ndarray:
        """Return the explained output of such copies, shape (N,), in few large calls."""
        size = max(1000, _CELLS // self.d)
        parts = [np.zeros(0)]
        for start in range(0, len(row), size):
            part = slice(start, start + size)
            answer = self.subject.output(self.copies(row[part], donor[part], swapped[part]))
            parts.append(answer[np.arange(len(answer)), self.code[row[part]]])
        return np.concatenate(parts)


def _stack(rows: pd.DataFrame, donors: pd.DataFrame) -> pd.DataFrame:
    """Return both tables under each other, categories kept as categories."""
    import pandas as pd

    columns = {}
    for name in rows.columns:
        upper, lower = rows[name], donors[name]
        if isinstance(upper.dtype, pd.CategoricalDtype) and upper.dtype != lower.dtype:
            levels = upper.cat.categories
            extra = pd.Index(lower.dropna().unique()).difference(levels, sort=False)
            both = upper.dtype if not len(extra) else pd.CategoricalDtype(levels.append(extra))
            upper, lower = upper.astype(both), lower.astype(both)
        columns[name] = pd.concat([upper, lower], ignore_index=True)
    return pd.DataFrame(columns)
