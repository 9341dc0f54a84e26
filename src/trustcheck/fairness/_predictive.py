"""Does a prediction, or an error, mean the same for every group?"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from trustcheck.fairness._gap import LABELLED, By, Event, favoured, largest_gap
from trustcheck.probe import probe
from trustcheck.types import Measurement

if TYPE_CHECKING:
    from trustcheck.subject import Subject


@probe(
    title="Predictive parity",
    question="Does a favourable prediction mean the same for every group?",
    unit="difference of positive predictive values",
    **LABELLED,
)
def predictive_parity(
    subject: Subject, rng: np.random.Generator, *, by: By = None, reference: str | None = None
) -> Measurement:
    """Measure the largest gap in positive predictive value (precision) between two groups.

    Predictive parity after Chouldechova (2017). Interval as for ``demographic_parity``.

    Parameters
    ----------
    subject : Subject
        With sensitive columns and labels.
    by : str or list of str
        Sensitive column; a list means the intersection. The only one unless given.
    reference : str
        Group that all others are compared with, by its name; every pair of groups unless given.

    Returns
    -------
    Finding
        Headline ``gap``, 0 to 1; one detail row per group.

    Examples
    --------
    >>> import trustcheck as tc
    >>> subject = tc.Subject.from_predictions(
    ...     [1, 0, 0, 0] * 50, [1, 1, 0, 0] * 50, sensitive={"sex": ["f", "m", "f", "m"] * 50}
    ... )
    >>> predictive_parity(subject).value
    1.0
    """
    events = [
        Event(str(label), f"rows predicted {label}", predicted.T, predicted)
        for label, predicted in favoured(subject, len(subject.classes))
    ]
    return largest_gap(
        subject,
        by,
        subject.counts(by or ()),
        events,
        "positive predictive values",
        reference=reference,
    )


@probe(
    title="Negative predictive parity",
    question="Does an unfavourable prediction mean the same for every group?",
    unit="difference of negative predictive values",
    **LABELLED,
)
def negative_predictive_parity(
    subject: Subject, rng: np.random.Generator, *, by: By = None, reference: str | None = None
) -> Measurement:
    """Measure the largest gap in negative predictive value between two groups.

    The other half of predictive parity (conditional use accuracy equality; Berk et al. 2018).
    Interval as for ``demographic_parity``.

    Parameters
    ----------
    subject : Subject
        With sensitive columns and labels.
    by : str or list of str
        Sensitive column; a list means the intersection. The only one unless given.
    reference : str
        Group that all others are compared with, by its name; every pair of groups unless given.

    Returns
    -------
    Finding
        Headline ``gap``, 0 to 1; one detail row per group.

    Examples
    --------
    >>> import trustcheck as tc
    >>> subject = tc.Subject.from_predictions(
    ...     [1, 0, 1, 0] * 50, [0, 0, 1, 1] * 50, sensitive={"sex": ["f", "m", "f", "m"] * 50}
    ... )
    >>> negative_predictive_parity(subject).value
    1.0
    """
    events = [
        Event(f"not {label}", f"rows not predicted {label}", ~predicted.T, ~predicted)
        for label, predicted in favoured(subject, len(subject.classes))
    ]
    return largest_gap(
        subject,
        by,
        subject.counts(by or ()),
        events,
        "negative predictive values",
        reference=reference,
    )


@probe(
    title="Treatment equality",
    question="Of the model's errors, are as many against the person in every group?",
    unit="difference of missed shares",
    **LABELLED,
)
def treatment_equality(
    subject: Subject, rng: np.random.Generator, *, by: By = None, reference: str | None = None
) -> Measurement:
    """Measure the largest gap in the share of errors that are false negatives.

    Treatment equality after Berk et al. (2018), who compare the ratio of false negatives to false
    positives. The share false negatives / (false negatives + false positives) is equal exactly
    where their ratio is, stays finite where a group has no false positive, and has an interval:
    that of ``demographic_parity``.

    Parameters
    ----------
    subject : Subject
        With sensitive columns and labels.
    by : str or list of str
        Sensitive column; a list means the intersection. The only one unless given.
    reference : str
        Group that all others are compared with, by its name; every pair of groups unless given.

    Returns
    -------
    Finding
        Headline ``gap``, 0 to 1; one detail row per group. With more than two classes the gap is
        the largest over one-vs-rest errors.

    Examples
    --------
    >>> import trustcheck as tc
    >>> subject = tc.Subject.from_predictions(
    ...     [1, 0, 1, 0] * 50, [0, 1, 1, 0] * 50, sensitive={"sex": ["f", "m", "f", "m"] * 50}
    ... )
    >>> treatment_equality(subject).value
    1.0
    """
    labels = len(subject.classes)
    events = [
        Event(
            f"{label} missed",
            f"errors about {label}",
            predicted.T & ~predicted,
            predicted.T ^ predicted,
        )
        for label, predicted in favoured(subject, labels)
    ]
    return largest_gap(
        subject,
        by,
        subject.counts(by or ()),
        events,
        "missed shares of errors",
        reference=reference,
    )
