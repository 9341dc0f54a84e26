"""Is the model as good on new rows as on those it learnt from?"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np

from trustcheck.probe import Want, probe
from trustcheck.stats import intervals, skill
from trustcheck.types import Better, Estimate, Measurement, NotMeasurable

if TYPE_CHECKING:
    from trustcheck.stats.intervals import Interval
    from trustcheck.subject import Subject
    from trustcheck.subject._side import Side


def _wants(_subject: Subject) -> Iterable[Want]:
    yield Want("predictions")
    yield Want("predictions", "reference")


@probe(
    title="Generalisation",
    question="Is the model as good on new rows as on the reference it learnt from?",
    headline="gap",
    unit="skill on the reference less skill on the given rows",
    better="low",
    keys=("reliability.performance_consistency",),
    clauses=("8.8.2", "9.10.2"),
    needs=("labels", "predictions", "model", "reference_labels"),
    wants=_wants,
    cost="the reference once, shared with other probes",
    weights=True,
    clusters=True,
)
def generalisation(subject: Subject, rng: np.random.Generator) -> Measurement:
    """Measure how much skill is lost from the reference to the given rows.

    The reference is taken to be the training data: a large gap means that the model learnt rows by
    heart (Hastie, Tibshirani & Friedman 2009, chapter 7). Skill is that of
    ``reliability.performance``.

    Parameters
    ----------
    subject : Subject
        With labels and a labelled reference.

    Returns
    -------
    Finding
        Headline ``gap``; also ``reference_skill`` and ``skill``.

    Examples
    --------
    >>> import trustcheck as tc
    >>> from sklearn.tree import DecisionTreeClassifier
    >>> rng = np.random.default_rng(0)
    >>> X, y = rng.normal(size=(400, 3)), rng.integers(0, 2, 400)
    >>> model = DecisionTreeClassifier().fit(X[:200], y[:200])
    >>> subject = tc.Subject(model, X[200:], y[200:], reference=(X[:200], y[:200]))
    >>> generalisation(subject).at_most(0.1).status.value
    'fail'
    """
    past = subject.reference_sample
    then = _skill(subject, past, None, None)
    now = _skill(subject, subject.data, subject.weights, subject.clusters)
    gap = intervals.mover_difference(then, now)
    if not np.isfinite(gap.low) or not np.isfinite(gap.high):
        raise NotMeasurable("one row, or one cluster, has no spread; give more")
    unit = "0 = ignores the inputs, 1 = always right"

    def estimate(found: Interval, n: int) -> Estimate:
        return Estimate(*found, n=n, unit=unit, range=(None, 1.0), better=Better.HIGH)

    notes = []
    if subject.task != "regression" and past.n and (past.predictions == past.truth).all():
        notes.append("The model is right about every reference row: it may know them by heart.")
    return Measurement(
        {
            "gap": Estimate(
                *gap, n=subject.n, unit="skill on the reference less skill on the given rows"
            ),
            "reference_skill": estimate(then, past.n),
            "skill": estimate(now, subject.n),
        },
        notes=tuple(notes),
    )


def _skill(
    subject: Subject, side: Side, weights: np.ndarray | None, clusters: np.ndarray | None
) -> Interval:
    truth, predicted = side.truth, side.predictions
    if subject.task == "regression":
        baseline = truth - float(subject.reference.truth.mean())
        if not baseline.any():
            raise NotMeasurable("every true value is the same, so there is nothing to explain")
        return skill.squared_skill(truth - predicted, baseline, weights=weights, clusters=clusters)
    known = truth if weights is None else truth[weights > 0]
    if len(np.unique(known)) < 2:
        raise NotMeasurable(
            "every true class is the same in the given rows or in the reference, so skill cannot be"
            " told from guessing it; give rows of the other class too"
        )
    return skill.weighted_skill(
        truth, predicted, len(subject.classes), weights=weights, clusters=clusters
    )
