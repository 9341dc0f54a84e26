"""Can a person's group be told from what the model reads, or from what it answers?"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from trustcheck.fairness._gap import By
from trustcheck.probe import Want, probe
from trustcheck.stats import ranks, strata
from trustcheck.stats.intervals import Interval
from trustcheck.subject._encode import Encoded, content_keys, encode, with_values
from trustcheck.subject._table import mix
from trustcheck.types import Estimate, Measurement, NotMeasurable, Row

if TYPE_CHECKING:
    from trustcheck.subject import Subject

#: Rows looked at, and the fewest rows of a group in either half.
MOST_ROWS, FEWEST = 8_000, 10
#: Bands into which one number is put, to tell the group from it alone.
BANDS = 20


def _wants(subject: Subject, **_params: Any) -> Iterator[Want]:
    yield Want("scores" if "scores" in subject.offers() else "predictions")


@probe(
    title="Proxies",
    question="Can a person's group be told from the other columns the model reads?",
    headline="auc",
    unit="chance that a member of a group looks more like one than another person, 0.5 = no proxy",
    better="low",
    keys=("accountability.bias_detection",),
    clauses=("8.4", "9.5"),
    needs=("groups", "features", "predictions"),
    wants=_wants,
    cost="none beyond the shared pass",
)
def proxies(subject: Subject, rng: np.random.Generator, *, by: By = None) -> Measurement:
    """Measure how well the columns the model reads predict a person's group.

    A model that does not read a sensitive column may still find it in others (redundant
    encodings; Pedreshi, Ruggieri & Turini 2008, Hardt et al. 2016). Boosted trees learn the group
    from the columns on half the rows; the other half, which they never saw, gives the AUC, each
    group against the rest, with DeLong's interval (1988). The sensitive columns themselves are
    left out.

    Parameters
    ----------
    subject : Subject
        With sensitive columns and features.
    by : str or list of str
        Sensitive column; a list means the intersection. The only one unless given.

    Returns
    -------
    Finding
        Headline ``auc``, 0 to 1, of the group told best; ``answer_auc``, from the model's answer
        alone. One detail row per feature alone, the best first.

    Examples
    --------
    >>> import numpy as np, pandas as pd, trustcheck as tc
    >>> rng = np.random.default_rng(0)
    >>> sex = rng.choice(["f", "m"], 400)
    >>> X = pd.DataFrame({"height": np.where(sex == "m", 180, 150) + rng.normal(size=400)})
    >>> subject = tc.Subject.from_predictions(sex == "m", sex == "m", X=X, sensitive={"sex": sex})
    >>> proxies(subject).value
    1.0
    """
    groups = subject.groups(by or ())
    names = [name for name in subject.features if name not in groups.by]
    table = encode(subject.X[names], subject.schema)
    if not table.names:
        raise NotMeasurable(f"the model reads no column besides {' and '.join(groups.by)}")
    rows = content_order(subject, names, rng)[:MOST_ROWS]
    learn, held = rows[: len(rows) // 2], rows[len(rows) // 2 :]
    sizes = np.array(
        [np.bincount(groups.codes[half], minlength=len(groups.names)) for half in (learn, held)]
    )
    first = [int(np.argmax(groups.codes[rows] == g)) for g in range(len(groups.names))]
    asked = [int(g) for g in np.lexsort((first, -sizes.sum(axis=0)))]  # no name breaks a tie
    asked = [g for g in asked if sizes[:, g].min() >= FEWEST]
    if not asked or (len(held) - sizes[1, asked[0]]) < FEWEST or len(groups.names) < 2:
        raise NotMeasurable(
            f"telling groups of {' and '.join(groups.by)} apart needs two of at least"
            f" {2 * FEWEST} rows each; give more rows"
        )
    # The small ones count among the rest; with two groups the second AUC is the first again.
    small = [name for g, name in enumerate(groups.names) if g not in asked]
    asked = asked[:1] if len(groups.names) == 2 else asked
    member = groups.codes[:, None] == np.array(asked)
    guess = _learn(subject, table, member, learn, held, int(rng.integers(2**31)))
    value, group = _largest(guess, member[held])
    alone = [
        _largest(_banded(column, member, learn, held), member[held], len(table.names))
        for column in _columns(table)
    ]
    answer = subject.scores if "scores" in subject.offers() else subject.predictions[:, None]
    if answer.shape[1] == 2:
        answer = answer[:, 1:]
    told = [
        _largest(_banded(_bands(column, learn), member, learn, held), member[held], answer.shape[1])
        for column in answer.T
    ]
    best = max((got for got, _ in told), key=lambda got: float(got.value))
    unit = "chance that a member of a group looks more like one than another person"
    notes = [
        f"Told best from all columns: {groups.names[asked[group]]!r}.",
        f"Learnt on {len(learn)} rows, measured on {len(held)} others.",
        "A proxy is not unfair by itself: a column may matter in its own right.",
        "What comes of it, fairness.demographic_parity and fairness.conditional_parity say.",
        "Intervals of detail rows hold for all features together.",
    ]
    if used := [name for name in groups.by if name in subject.features]:
        notes.append(f"Left out: {', '.join(used)}, which the model reads outright.")
    if small:
        notes.append(f"Too few rows to be told apart alone: {', '.join(small)}.")
    order = sorted(range(len(alone)), key=lambda j: (-alone[j][0].value, table.names[j]))
    return Measurement(
        {
            "auc": Estimate(*value, len(held), unit, range=(0.0, 1.0)),
            "answer_auc": Estimate(
                *best, len(held), f"{unit}, from the model's answer", range=(0.0, 1.0)
            ),
        },
        rows=tuple(
            _row(table.names[j], groups.names[asked[alone[j][1]]], alone[j][0]) for j in order
        ),
        notes=tuple(notes),
        picture="intervals",
    )


def content_order(subject: Subject, names: list[str], rng: np.random.Generator) -> np.ndarray:
    """Return all given rows in a random order that what the groups are called does not change.

    Rows that are equal in these features lie side by side.
    """
    rows = subject.sample(subject.n, rng)
    keys = content_keys(subject.X[names], subject.schema)[rows]
    salt = np.uint64(rng.integers(0, 2**63, dtype=np.uint64))
    return rows[np.argsort(mix(keys ^ salt), kind="stable")]


def _row(feature: str, group: str, got: Interval) -> Row:
    return {
        "feature": feature,
        "group": group,
        "auc": float(got.value),
        "low": float(got.low),
        "high": float(got.high),
    }


def _learn(
    subject: Subject,
    table: Encoded,
    member: np.ndarray,
    learn: np.ndarray,
    held: np.ndarray,
    seed: int,
) -> np.ndarray:
    """Return each held-out row's chance of belonging to each group, shape (held, groups)."""
    from sklearn.ensemble import HistGradientBoostingClassifier

    guess = np.empty((len(held), member.shape[1]))
    with subject.fitting():
        for g in range(member.shape[1]):
            judge = HistGradientBoostingClassifier(
                max_iter=60,
                max_leaf_nodes=15,
                learning_rate=0.1,
                early_stopping=False,
                categorical_features=table.categorical,
                random_state=seed,
            ).fit(with_values(table.matrix[learn]), member[learn, g])
            guess[:, g] = judge.predict_proba(table.matrix[held])[:, 1]
    return guess


def _columns(table: Encoded) -> Iterator[np.ndarray]:
    """Yield each column as codes: of its levels, or of bands of its numbers."""
    for column, levels in zip(table.matrix.T, table.categorical, strict=True):
        if levels:
            yield np.nan_to_num(column, nan=-1).astype(int) + 1
        else:
            yield _bands(column, np.arange(len(column)))


def _bands(column: np.ndarray, rows: np.ndarray) -> np.ndarray:
    known = column[rows][np.isfinite(column[rows])]
    edges = np.unique(np.quantile(known, np.arange(1, BANDS) / BANDS)) if len(known) else known
    return np.where(np.isfinite(column), np.searchsorted(edges, column) + 1, 0)


def _banded(
    codes: np.ndarray, member: np.ndarray, learn: np.ndarray, held: np.ndarray
) -> np.ndarray:
    """Return the share of each group among the learnt rows of a held-out row's band."""
    bands = int(codes.max()) + 1
    rows = np.bincount(codes[learn], minlength=bands)
    guess = np.empty((len(held), member.shape[1]))
    for g in range(member.shape[1]):
        prior = member[learn, g].mean()
        inside = np.bincount(codes[learn], member[learn, g], bands)
        guess[:, g] = ((inside + prior) / (rows + 1))[codes[held]]
    return guess


def _largest(guess: np.ndarray, member: np.ndarray, times: int = 1) -> tuple[Interval, int]:
    """Return the largest AUC over groups and whose it is.

    Its upper end is the largest of any group; its lower end the largest that holds for all groups
    (and for so many ``times``) together.
    """
    pairs = [(guess[inside, g], guess[~inside, g]) for g, inside in enumerate(member.T)]
    each = [ranks.auc_interval(*pair) for pair in pairs]
    level = strata.together(len(pairs) * times)
    joint = each if level == 0.95 else [ranks.auc_interval(*pair, level=level) for pair in pairs]
    top = int(np.argmax([got.value for got in each]))
    high = max(float(got.high) for got in (each if times == 1 else joint))
    return Interval(float(each[top].value), max(float(got.low) for got in joint), high), top
