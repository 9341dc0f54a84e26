"""Learns to tell the reference and the given rows apart, once for every probe that asks."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from trustcheck.stats import ranks
from trustcheck.stats.intervals import Interval
from trustcheck.subject._encode import Encoded, encode, with_values
from trustcheck.types import NotMeasurable

if TYPE_CHECKING:
    import pandas as pd

    from trustcheck.subject import Subject
    from trustcheck.subject._side import Side

#: Rows of either table looked at, the fewest that say anything, and the rows of both on which the
#: columns are told apart.
MOST_ROWS, FEWEST, FOR_COLUMNS = 3_000, 40, 1_000
#: So many times likelier under the given rows than under the reference: hardly any support there.
UNSUPPORTED = 20.0


class Apart(NamedTuple):
    """How well the two tables are told apart, on rows kept from learning.

    Attributes
    ----------
    auc
        Chance that a given row looks newer than a row of the reference.
    lost
        For each feature, the AUC lost where its values are exchanged between rows.
    names
        The features looked at, in that order.
    unsupported
        Share of given rows that look 20 times likelier than under the reference.
    learnt, held
        Rows learnt from and measured on, of both tables.
    """

    auc: Interval
    lost: tuple[Interval, ...]
    names: tuple[str, ...]
    unsupported: float
    learnt: int
    held: int


def apart(subject: Subject) -> Apart:
    """Return how well the tables can be told apart; learnt once.

    Raises
    ------
    NotMeasurable
        With fewer than 40 rows in a table, or no column but free text.
    """
    if min(subject.n, subject.reference.n) < FEWEST:
        raise NotMeasurable(f"telling the tables apart needs {FEWEST} rows in each of them")
    if all(subject.schema[str(name)].kind == "text" for name in subject.features):
        raise NotMeasurable("the model reads no column but free text")
    return subject.shared("drift: telling the tables apart", _learn)


def drawn(subject: Subject, side: Side, size: int, rng: np.random.Generator) -> Encoded:
    """Return up to ``size`` rows as numbers, in a random order that their content decides."""
    import pandas as pd

    rows = side.sample(size, rng)
    columns = {name: side.column(name).iloc[rows] for name in subject.features}
    frame: pd.DataFrame = pd.DataFrame(columns).reset_index(drop=True)
    return encode(frame, subject.schema)


def _learn(subject: Subject, rng: np.random.Generator) -> Apart:
    from sklearn.ensemble import HistGradientBoostingClassifier

    before = drawn(subject, subject.reference, MOST_ROWS, rng)
    now = drawn(subject, subject.data, MOST_ROWS, rng)
    sides = [np.split(side.matrix, [len(side.matrix) // 2]) for side in (before, now)]
    learnt, held = (np.concatenate([sides[0][half], sides[1][half]]) for half in (0, 1))
    newer, of_held = (np.repeat([0, 1], [len(sides[0][h]), len(sides[1][h])]) for h in (0, 1))
    with subject.fitting():
        # Levels are codes in the order of their counts, which trees cut as they do numbers.
        judge = HistGradientBoostingClassifier(
            max_iter=60,
            max_leaf_nodes=15,
            learning_rate=0.1,
            early_stopping=False,
            random_state=int(rng.integers(2**31)),
        ).fit(with_values(learnt), newer)
        score = judge.decision_function(held)
        some = np.concatenate([np.flatnonzero(of_held == t)[: FOR_COLUMNS // 2] for t in (0, 1)])
        others = judge.decision_function(_exchanged(held[some]))
    lost = tuple(
        ranks.auc_lost(score[some], other, of_held[some])
        for other in others.reshape(held.shape[1], len(some))
    )
    auc = ranks.auc_interval(score[of_held == 1], score[of_held == 0])
    odds = score[of_held == 1] - np.log(newer.mean() / (1 - newer.mean()))  # tables of one size
    far = float(np.mean(odds > np.log(UNSUPPORTED)))
    return Apart(auc, lost, before.names, far, len(learnt), len(held))


def _exchanged(matrix: np.ndarray) -> np.ndarray:
    """Return the matrix once per column, with that column's values given to other rows."""
    # Rows are in random order, one table after the other: a quarter of the way round, every second
    # row gets a value of the other table, as by chance.
    moved = np.roll(matrix, len(matrix) // 4, axis=0)
    copies = np.repeat(matrix[None], matrix.shape[1], axis=0)
    for j in range(matrix.shape[1]):
        copies[j, :, j] = moved[:, j]
    return copies.reshape(-1, matrix.shape[1])
