"""Is the model right, clearly more often than an answer that ignores the inputs?"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np

from trustcheck.probe import Want, probe
from trustcheck.reliability import _usual
from trustcheck.stats import intervals, skill
from trustcheck.types import Estimate, Measurement, NotMeasurable, Row

if TYPE_CHECKING:
    from trustcheck.subject import Subject


def _wants(subject: Subject) -> Iterable[Want]:
    yield Want("predictions")
    if "scores" in subject.offers():
        yield Want("scores")


@probe(
    title="Performance",
    question="Is the model clearly better than an answer that ignores the inputs?",
    headline="skill",
    unit="0 = ignores the inputs, 1 = always right",
    better="high",
    keys=("reliability.performance_consistency",),
    clauses=("8.8.2", "9.10.2"),
    needs=("labels", "predictions"),
    wants=_wants,
    cost="none beyond the shared pass",
    weights=True,
    clusters=True,
    version=2,
)
def performance(subject: Subject, rng: np.random.Generator) -> Measurement:
    """Measure skill over the trivial baseline, with the usual metrics beside it.

    Classification: balanced accuracy rescaled so that every answer that ignores the inputs has
    skill 0 (Youden's J for two classes; Youden 1950). Regression: R^2 against the mean of the
    reference labels (of the given labels where there is no reference).

    Parameters
    ----------
    subject : Subject
        With labels.

    Returns
    -------
    Finding
        Headline ``skill``, at most 1. Further metrics of classification: ``accuracy``,
        ``balanced_accuracy``, ``precision``, ``recall``, ``specificity`` (two classes), ``f1``
        (mean over classes for more), ``matthews``, ``kappa``, and from probabilities ``brier``,
        ``log_loss``, ``auc`` and ``average_precision``. Of regression: ``mae``, ``rmse``,
        ``median_error`` and ``bias``. Each may be given a floor: ``finding.at_least(0.7,
        metric="f1")``. One detail row per class. A note says what the trivial answer reaches.

    Examples
    --------
    >>> import trustcheck as tc
    >>> subject = tc.Subject.from_predictions([0, 1] * 100, [0, 1] * 90 + [1, 0] * 10)
    >>> round(performance(subject).value, 3)
    0.8
    """
    return _regression(subject) if subject.task == "regression" else _classification(subject)


def _classification(subject: Subject) -> Measurement:
    k = len(subject.classes)
    table, diagonal = subject.counts(()), np.eye(k, dtype=bool)
    hits, sizes = np.zeros(k), np.zeros(k)
    for code in range(k):
        inside = np.zeros((k, k), dtype=bool)
        inside[code] = True
        (hits[code],), (sizes[code],) = table.share(diagonal, inside)
    present = sizes > 0
    if present.sum() < 2:
        raise NotMeasurable(
            "every given row has the same true class, so skill cannot be told from guessing it;"
            " give rows of the other class too"
        )
    got = skill.balanced_skill(hits, sizes)
    right = (subject.predictions == subject.truth).astype(float)
    accuracy = intervals.bounded_mean(right, weights=subject.weights, clusters=subject.clusters)
    metrics = {
        "skill": Estimate(
            *got,
            n=subject.n,
            unit="0 = ignores the inputs, 1 = always right",
            range=(-1 / (int(present.sum()) - 1), 1.0),
        ),
        "accuracy": Estimate(*accuracy, n=subject.n, unit="share of rows", range=(0.0, 1.0)),
    }
    metrics |= _usual.of_labels(subject, table, hits, sizes)
    if "scores" in subject.offers():
        metrics |= _usual.of_scores(subject)
    recall = intervals.wilson(hits[present], sizes[present])
    rows: tuple[Row, ...] = tuple(
        {
            "class": str(subject.classes[code]),
            "n": int(table.rows[0, code].sum()),
            "recall": float(value),
            "low": float(low),
            "high": float(high),
        }
        for code, value, low, high in zip(np.flatnonzero(present), *recall, strict=True)
    )
    absent = [str(subject.classes[code]) for code in np.flatnonzero(~present)]
    notes = [
        *(f"No given row has class {name}; it is left out of the skill." for name in absent),
        _usual.trivial(subject),
    ]
    return Measurement(
        metrics,
        rows=rows,
        statistics={"successes": hits.tolist(), "n": sizes.tolist()},
        formula="skill.balanced_skill",
        notes=tuple(notes),
        picture="intervals",
        influence=_influence(subject, hits, sizes, right),
    )


def _influence(
    subject: Subject, hits: np.ndarray, sizes: np.ndarray, right: np.ndarray
) -> np.ndarray:
    present = sizes > 0
    recall = np.divide(hits, sizes, out=np.zeros_like(hits), where=present)
    truth, k = subject.truth, int(present.sum())
    share = np.bincount(truth, subject.weights, len(sizes))
    share = (share / share.sum())[truth]
    # A class whose rows weigh nothing has no part in the skill.
    return np.divide(
        right - recall[truth], share * (k - 1), out=np.zeros(subject.n), where=share > 0
    )


def _regression(subject: Subject) -> Measurement:
    truth, error = subject.truth, subject.truth - subject.predictions
    if "reference_labels" in subject.offers():
        constant, where = float(np.mean(subject.reference.truth)), "the reference labels"
    else:
        constant, where = float(np.average(truth, weights=subject.weights)), "the given labels"
    baseline = truth - constant
    # What is left of equal values when their mean has been rounded is no spread.
    spread = np.abs(baseline if subject.weights is None else baseline * (subject.weights > 0))
    if spread.max() <= 8 * np.finfo(float).eps * np.abs(truth).max():
        raise NotMeasurable(
            "every given row has the same true value, so there is nothing to explain"
        )
    got = skill.squared_skill(error, baseline, weights=subject.weights, clusters=subject.clusters)
    if not np.isfinite(got.low):
        raise NotMeasurable("one row, or one cluster, has no spread; give more")
    ratio, trivial = 1 - got.value, np.average(np.abs(baseline), weights=subject.weights)
    influence = -(error**2 - ratio * baseline**2) / np.average(baseline**2, weights=subject.weights)
    return Measurement(
        {
            "skill": Estimate(
                *got, n=subject.n, unit="share of squared error explained (R^2)", range=(None, 1.0)
            ),
            **_usual.of_errors(subject),
        },
        notes=(f"The trivial answer is the mean of {where}: mean absolute error {trivial:.4g}.",),
        influence=influence,
    )
