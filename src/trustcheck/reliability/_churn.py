"""Would the same training on other rows of the same kind have given other answers?"""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import numpy as np

from trustcheck.probe import probe
from trustcheck.stats import churn as chance
from trustcheck.stats import intervals
from trustcheck.subject._schema import robust_scale
from trustcheck.types import Better, Estimate, InputError, Measurement, Method, NotMeasurable

if TYPE_CHECKING:
    from trustcheck.subject import Subject

#: Given rows the refits answer, at most.
ASKED = 4_000
UNIT = "chance that two trainings answer a row differently"
FAR = "mean distance of two trainings, in robust scales of the predictions"


@probe(
    title="Churn",
    question="Would training on other rows of the same kind have given other answers?",
    headline="churn",
    unit=UNIT,
    better="low",
    keys=("reliability.performance_consistency",),
    clauses=("8.5", "9.10.5"),
    needs=("features", "fit", "reference_labels"),
    cost="fits: five on at most 5,000 reference rows each; the refits answer at most 4,000 given rows",
)
def churn(
    subject: Subject, rng: np.random.Generator, *, fits: int = 5, rows: int | None = 5_000
) -> Measurement:
    """Refit the model on resampled reference rows and count the answers that change.

    A decision that depends on the luck of the training sample is arbitrary (Cooper et al. 2024).
    Each refit draws the reference rows with replacement, and a new seed where the model has one.

    Parameters
    ----------
    subject : Subject
        With a model that can be fitted and a labelled reference.
    fits : int
        Trainings, at least 3.
    rows : int or None
        Reference rows per training, at least 10; None for all. With fewer rows than the model was
        trained on, answers depend more on luck: the churn found is then a bound from above, so it
        may pass a limit but never fail it.

    Returns
    -------
    Finding
        Headline ``churn``, 0 to 1 (regression: mean distance in robust scales of the predictions,
        at least 0). Also ``arbitrary``: share of rows on which the trainings are not of one mind
        (classification).

    Examples
    --------
    >>> import trustcheck as tc
    >>> from sklearn.linear_model import LogisticRegression
    >>> X = np.random.default_rng(0).normal(size=(400, 2))
    >>> y = X[:, 0] > 0
    >>> subject = tc.Subject(LogisticRegression().fit(X, y), X, y, reference=(X, y))
    >>> churn(subject).value < 0.1
    True
    """
    if fits < 3 or (rows is not None and rows < 10):
        raise InputError("fits must be at least 3 and rows at least 10")
    past = subject.reference
    size = past.n if rows is None else min(rows, past.n)
    if subject.task != "regression" and len(np.unique(past.truth)) < 2:
        raise NotMeasurable("every reference row has the same true class: nothing to learn from")
    pool = past.sample(size, rng)
    asked = subject.sample(ASKED, rng)
    if len(asked) < 2:
        raise NotMeasurable("churn is a share of rows; give more than one")
    frame = subject.X.iloc[asked].reset_index(drop=True)
    answers = np.array(
        [_refit(subject, pool[rng.integers(size, size=size)], rng).predict(frame, purpose="refits")
         for _ in range(fits)]
    )  # fmt: skip
    numbers = subject.task == "regression"
    if numbers:
        answers = answers / robust_scale(subject.predictions)
    found = chance.mean_churn(answers, numbers=numbers)
    bounded = size < past.n
    metrics = {
        "churn": Estimate(
            found.value,
            0.0 if bounded else found.low,
            found.high,
            n=len(asked),
            unit=FAR if numbers else UNIT,
            method=Method.BOUND if bounded else Method.INTERVAL,
            range=(0.0, None if numbers else 1.0),
        )
    }
    if not numbers:
        split = intervals.bounded_mean((answers != answers[0]).any(axis=0).astype(float))
        metrics["arbitrary"] = Estimate(
            *split,
            n=len(asked),
            unit=f"share of rows on which {fits} trainings are not of one mind",
            range=(0.0, 1.0),
            better=Better.LOW,
        )
    notes = [f"{fits} trainings on {size} reference rows, drawn with replacement."]
    if bounded:
        notes.append(
            f"The reference has {past.n} rows; with all of them (rows=None) answers depend less on"
            " luck, so what was found is a bound from above."
        )
    return Measurement(metrics, notes=tuple(notes))


def _refit(subject: Subject, drawn: np.ndarray, rng: np.random.Generator) -> Subject:
    """Return the subject with its model fitted anew on these reference rows."""
    from sklearn.base import clone

    past = subject.reference
    truth = past.truth[drawn]
    labels: Any = truth if subject.task == "regression" else np.array(subject.classes)[truth]
    if subject.task != "regression" and len(np.unique(truth)) < len(np.unique(past.truth)):
        # Every class once more, lest a rare one be lost by chance.
        first = np.unique(past.truth, return_index=True)[1]
        drawn, labels = (
            np.r_[drawn, first],
            np.r_[labels, np.array(subject.classes)[past.truth[first]]],
        )
    model = clone(subject.native)
    seeds = {
        name: int(rng.integers(2**31))
        for name, value in sorted(model.get_params().items())
        if name.rpartition("__")[2] == "random_state" and not hasattr(value, "integers")
    }
    model.set_params(**seeds)
    with warnings.catch_warnings(), subject.fitting():
        warnings.simplefilter("ignore")  # what a fit on fewer rows complains of is not news
        model.fit(subject.own(past.X.iloc[drawn].reset_index(drop=True)), labels)
    return subject.standing_in(model)
