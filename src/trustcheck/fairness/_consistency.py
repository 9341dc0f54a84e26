"""Are people who are alike answered alike?"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from trustcheck.fairness._flips import mean_influence
from trustcheck.fairness._proxies import content_order
from trustcheck.probe import probe
from trustcheck.stats import intervals
from trustcheck.subject._encode import encode
from trustcheck.subject._schema import robust_scale
from trustcheck.types import Estimate, InputError, Measurement, NotMeasurable, Row

if TYPE_CHECKING:
    from trustcheck.subject import Subject

#: Rows whose neighbours are looked for, and rows among which they are looked for.
MOST_ASKED, MOST_POOL = 2_000, 8_000
#: Levels told apart in one column; rarer ones count as one.
MOST_LEVELS = 30


@probe(
    title="Individual consistency",
    question="Are people who are alike answered alike?",
    headline="consistency",
    unit="mean agreement with the nearest neighbours",
    better="high",
    keys=("accountability.bias_detection",),
    clauses=("8.4", "9.5"),
    needs=("features", "predictions"),
    wants=("predictions",),
    cost="none beyond the shared pass",
    weights=True,
)
def consistency(subject: Subject, rng: np.random.Generator, *, k: int = 5) -> Measurement:
    """Measure how far each person's answer agrees with those of the most similar others.

    Consistency after Zemel et al. (2013): one less the mean distance of an answer from the mean
    answer of the k nearest neighbours. Neighbours are sought in the other half of the rows, so
    that the rows averaged do not depend on one another. Sensitive columns play no part in who is
    alike.

    Parameters
    ----------
    subject : Subject
        With features.
    k : int
        Neighbours, at least 1.

    Returns
    -------
    Finding
        Headline ``consistency``, 0 to 1: share of neighbours with the same class; for regression
        one less the distance from their mean, in robust spreads of all predictions (at most 1).
        ``chance``: the same with neighbours drawn at random. One detail row per predicted class.

    Examples
    --------
    >>> import numpy as np, pandas as pd, trustcheck as tc
    >>> X = pd.DataFrame({"age": np.r_[np.linspace(20, 30, 50), np.linspace(60, 70, 50)]})
    >>> answer = (X["age"] > 45).astype(int)
    >>> consistency(tc.Subject.from_predictions(answer, answer, X=X)).value
    1.0
    """
    if k < 1:
        raise InputError("k must be at least 1")
    names = [name for name in subject.features if name not in subject.sensitive]
    space = _space(subject, names)
    rows = content_order(subject, names, rng)
    half = len(rows) // 2
    asked, pool = rows[:half][:MOST_ASKED], rows[half:][:MOST_POOL]
    if len(asked) < 2 or len(pool) <= k:
        raise NotMeasurable(f"{k} neighbours need at least {2 * k + 2} rows; give more rows")
    from sklearn.neighbors import NearestNeighbors

    with subject.fitting():
        near = NearestNeighbors(n_neighbors=k).fit(space[pool])
        found = pool[near.kneighbors(space[asked], return_distance=False)]
    own, theirs = subject.predictions[asked], subject.predictions[found]
    random = subject.predictions[rng.permutation(pool)[np.arange(len(asked) * k) % len(pool)]]
    values, chance = (_agreement(subject, own, t) for t in (theirs, random.reshape(-1, k)))
    weights = None if subject.weights is None else subject.weights[asked]
    got, base = (intervals.bounded_mean(v, weights=weights) for v in (values, chance))
    unit = "mean agreement with the nearest neighbours"
    return Measurement(
        {
            "consistency": Estimate(*got, len(asked), unit, range=(0.0, 1.0)),
            "chance": Estimate(
                *base, len(asked), "mean agreement with random rows", range=(0.0, 1.0)
            ),
        },
        rows=_rows(subject, own, values),
        notes=(
            f"{len(asked)} rows, each against its {k} nearest among {len(pool)} others.",
            "A model that answers every row alike is perfectly consistent: read chance beside it.",
        ),
        picture="intervals" if subject.task != "regression" else None,
        influence=mean_influence(subject, asked, values - got.value),
    )


def _agreement(subject: Subject, own: np.ndarray, theirs: np.ndarray) -> np.ndarray:
    if subject.task != "regression":
        return (own[:, None] == theirs).mean(axis=1)
    away = np.abs(own - theirs.mean(axis=1)) / robust_scale(subject.predictions)
    return 1 - np.minimum(away, 1.0)


def _space(subject: Subject, names: list[str]) -> np.ndarray:
    """Return the rows where distances count: numbers in robust scales, another level as one.

    A missing number lies at the median, one scale off every known one.
    """
    table = encode(subject.X[names], subject.schema)
    if not table.names:
        raise NotMeasurable("no column says who is alike: none besides sensitive ones and text")
    parts = []
    for column, name, levels in zip(table.matrix.T, table.names, table.categorical, strict=True):
        gone = np.isnan(column)
        if levels:
            code = np.where(gone, 0, np.minimum(np.nan_to_num(column), MOST_LEVELS - 1) + 1)
            parts.append(np.eye(MOST_LEVELS + 1)[code.astype(int)] / np.sqrt(2))
        else:
            middle = np.median(column[~gone]) if not gone.all() else 0.0
            scaled = np.where(gone, 0.0, (column - middle) / subject.schema[name].scale)
            parts.append(np.column_stack([scaled, gone]))
    return np.column_stack(parts)


def _rows(subject: Subject, own: np.ndarray, values: np.ndarray) -> tuple[Row, ...]:
    if subject.task == "regression":
        return ()
    rows: list[Row] = []
    for code in np.unique(own):
        got = intervals.bounded_mean(values[own == code])
        row: dict[str, str | int | float | None] = {"predicted": str(subject.classes[code])}
        row |= {"n": int((own == code).sum()), "consistency": float(got.value)}
        rows.append(row | {"low": float(got.low), "high": float(got.high)})
    return tuple(rows)
