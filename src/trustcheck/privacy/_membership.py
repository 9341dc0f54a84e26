"""Can the model's answer tell whether a row was in its training data?"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np

from trustcheck.probe import Want, probe
from trustcheck.stats import intervals, ranks
from trustcheck.subject._encode import content_keys, encode, with_values
from trustcheck.types import Better, Estimate, Measurement, NotMeasurable, Row

if TYPE_CHECKING:
    from trustcheck.subject import Subject
    from trustcheck.subject._side import Side

FEWEST = 10
#: Probabilities nearer to 0 or 1 than this count as equal.
CLIP = 1e-12
#: Metric, false-positive rate, and the fewest non-members on which it means something.
LOW_RATES = (("tpr_at_1pct_fpr", 0.01, 100), ("tpr_at_0.1pct_fpr", 0.001, 5_000))
#: The check whether the two tables are alike: rows of each at least and at most, and the lowest
#: AUC between them that is worth a word.
FEWEST_ALIKE, MOST_ALIKE, ALIKE = 50, 4_000, 0.55


def _wants(subject: Subject, *, exchangeability: bool = True) -> Iterable[Want]:
    del exchangeability
    what = "scores" if "scores" in subject.offers() else "predictions"
    yield from (Want(what), Want(what, "reference"))


@probe(
    title="Membership inference",
    question="Can the model's answer tell whether a row was in its training data?",
    headline="auc",
    unit="chance that a training row looks more like one than another row does, 0.5 = no leak",
    better="low",
    keys=("privacy.anonymisation",),
    clauses=("8.3", "9.6", "9.10.4"),
    needs=("features", "labels", "model", "predictions", "reference", "reference_labels"),
    wants=_wants,
    cost="none beyond the shared pass",
)
def membership(
    subject: Subject, rng: np.random.Generator, *, exchangeability: bool = True
) -> Measurement:
    """Attack with the model's confidence in the true answer, as in a population attack.

    The signal of a row is the logit of the probability of its true class (Carlini et al. 2022;
    the attack of Yeom et al. 2018 and Ye et al. 2022 without shadow models); whether the label
    is right where there are no probabilities; minus the absolute error for regression. Members
    are the rows of the reference, non-members the given rows. A row counts only if the reference
    holds no *other* row with the same features and label: the same rule for both sides, so that
    a model that remembers nothing has an expected AUC of one half.

    Parameters
    ----------
    subject : Subject
        Its reference must be the training data.
    exchangeability : bool
        Check on at most 4,000 rows of each table whether the two differ by themselves, which
        looks like memory; a note says so, the number stays.

    Returns
    -------
    Finding
        Headline ``auc``, 0 to 1, ties counting one half; ``tpr_at_1pct_fpr`` (from 100
        non-members) and ``tpr_at_0.1pct_fpr`` (from 5,000): the share of members found while
        that share of non-members is accused. One detail row per class.

    Examples
    --------
    >>> import trustcheck as tc
    >>> from sklearn.neighbors import KNeighborsClassifier
    >>> data = np.random.default_rng(0)
    >>> X, y = data.normal(size=(400, 5)), data.integers(0, 2, 400)
    >>> model = KNeighborsClassifier(1).fit(X[:200], y[:200])
    >>> finding = membership(tc.Subject(model, X[200:], y[200:], reference=(X[:200], y[:200])))
    >>> finding.low > 0.55
    True
    """
    members, others, notes = _kept(subject)
    inside, outside = (
        _signal(subject, subject.reference_sample)[members],
        _signal(subject, subject)[others],
    )
    metrics = {
        "auc": Estimate(
            *ranks.auc_interval(inside, outside),
            n=len(inside) + len(outside),
            unit="chance that a member's signal exceeds a non-member's, 0.5 = no leak",
            range=(0.0, 1.0),
        )
    }
    for name, rate, fewest in LOW_RATES:
        if len(outside) >= fewest:
            metrics[name] = Estimate(
                *ranks.tpr_at_fpr(inside, outside, rate),
                n=len(inside),
                unit=f"share of members found, {rate:g} = no leak",
                range=(0.0, 1.0),
                better=Better.LOW,
            )
    if exchangeability and min(len(members), len(others)) >= FEWEST_ALIKE:
        apart = _apart(subject, members, others, rng)
        if apart.low > ALIKE:
            notes.append(
                "The two tables differ by themselves: a classifier that never asks the model tells"
                f" reference rows from given rows with AUC {apart.value:.2f} ({apart.low:.2f} to"
                f" {apart.high:.2f}). That difference, and not memory, can produce this number;"
                " to know, give rows drawn together with the training data but kept out of it."
            )
    rows: tuple[Row, ...] = ()
    if subject.task != "regression":
        labels = subject.reference_sample.truth[members], subject.truth[others]
        rows = tuple(
            _row(str(name), inside[labels[0] == code], outside[labels[1] == code])
            for code, name in enumerate(subject.classes)
        )
    return Measurement(
        metrics, rows=rows, notes=tuple(notes), picture="intervals" if rows else None
    )


def _kept(subject: Subject) -> tuple[np.ndarray, np.ndarray, list[str]]:
    """Return positions of the members and non-members that have no twin in the reference."""
    whole, asked, schema = subject.reference, subject.reference_sample, subject.schema
    known = content_keys(whole.X, schema, whole.truth)
    inside = known if asked.n == whole.n else content_keys(asked.X, schema, asked.truth)
    given = content_keys(subject.X, schema, subject.truth)
    kinds, count = np.unique(known, return_counts=True)
    members = np.flatnonzero(count[np.searchsorted(kinds, inside)] == 1)
    others = np.flatnonzero(~np.isin(given, known))
    repeated, shared = len(inside) - len(members), len(given) - len(others)
    if min(len(members), len(others)) < FEWEST:
        raise NotMeasurable(
            f"{shared} of {len(given)} given rows are also in the reference, and {repeated} of its"
            f" {len(inside)} rows occur in it more than once; at least {FEWEST} other rows are needed"
            " on each side. Give rows the model was not trained on, and the training data as it was"
            " before any rows were repeated"
        )
    notes = []
    if repeated + shared:
        notes.append(
            f"{shared} given rows that are also in the reference, and {repeated} reference rows"
            " that occur in it more than once, are left out: each row that counts has no twin in"
            " the training data."
        )
    return members, others, notes


def _signal(subject: Subject, side: Subject | Side) -> np.ndarray:
    """Return how well the model does on each row: the larger, the more like a training row."""
    if subject.task == "regression":
        return -np.abs(side.truth - side.predictions)
    if "scores" not in subject.offers():
        return (side.predictions == side.truth).astype(float)
    true = np.arange(len(subject.classes)) == side.truth[:, None]
    # The other classes are summed: 1 - p would round away what a confident model tells.
    right, wrong = (np.where(cells, side.scores, 0.0).sum(axis=1) for cells in (true, ~true))
    logit = np.log(np.maximum(right, CLIP)) - np.log(np.maximum(wrong, CLIP))
    return np.round(logit, 9)  # equal answers stay equal however a model sums them up


def _apart(
    subject: Subject, members: np.ndarray, others: np.ndarray, rng: np.random.Generator
) -> intervals.Interval:
    """Return the held-out AUC of a classifier between the tables (Lopez-Paz and Oquab 2017)."""
    from sklearn.ensemble import HistGradientBoostingClassifier

    halves = []
    for side, kept in ((subject.reference_sample, members), (subject.data, others)):
        order = side.sample(side.n, rng)
        chosen = order[np.isin(order, kept)][:MOST_ALIKE]
        table = encode(side.X.iloc[chosen], subject.schema)
        rows = np.column_stack([table.matrix, side.truth[chosen]])
        halves.append((rows[: len(rows) // 2], rows[len(rows) // 2 :]))
    (known, tried), (new, held) = halves
    judge = HistGradientBoostingClassifier(
        max_iter=50, early_stopping=False, random_state=int(rng.integers(2**31))
    )
    with subject.fitting():
        judge.fit(with_values(np.vstack([known, new])), np.repeat([1, 0], [len(known), len(new)]))
        scores = [judge.predict_proba(rows)[:, 1] for rows in (tried, held)]
    return ranks.auc_interval(*scores)


def _row(name: str, inside: np.ndarray, outside: np.ndarray) -> Row:
    enough = min(len(inside), len(outside)) >= FEWEST
    auc = ranks.auc_interval(inside, outside) if enough else (None, None, None)
    return {
        "class": name,
        "auc": auc[0],
        "low": auc[1],
        "high": auc[2],
        "members": len(inside),
        "non_members": len(outside),
    }
