"""Do groups of people fare alike? Rates of predictions and errors, group by group."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from trustcheck.fairness._gap import (
    FACTS,
    LABELLED,
    By,
    false_alarms,
    largest_gap,
    rates,
    recalls,
    thresholds,
)
from trustcheck.probe import probe
from trustcheck.types import Measurement

if TYPE_CHECKING:
    from trustcheck.subject import Subject


@probe(
    title="Demographic parity",
    question="Do groups get the favourable prediction equally often?",
    unit="difference of selection rates",
    needs=("groups", "predictions"),
    **FACTS,
)
def demographic_parity(
    subject: Subject, rng: np.random.Generator, *, by: By = None, reference: str | None = None
) -> Measurement:
    """Measure the largest gap in selection rate between any two groups.

    The interval carries two rules at once: its upper end is the largest pairwise upper bound
    (intersection-union; Berger 1982), its lower end the largest simultaneous lower bound
    (Tukey-Kramer; Agresti et al. 2008), of mid-p ends joined as by Newcombe (1998). So it can
    contain 0 when groups are equal, which a bootstrap of max - min never does.

    Parameters
    ----------
    subject : Subject
        With sensitive columns.
    by : str or list of str
        Sensitive column; a list means the intersection. The only one unless given.
    reference : str
        Group that all others are compared with, by its name; every pair of groups unless given.

    Returns
    -------
    Finding
        Headline ``gap``, 0 to 1, and ``ratio``, the smallest ratio of two selection rates. One
        detail row per group (and class, or threshold). With more than two classes the gap is the
        largest over the classes; for regression, over the shares of predictions above each
        decile of all predictions.

    Raises
    ------
    InputError
        If ``by`` is no sensitive column, or is continuous.

    Examples
    --------
    >>> import trustcheck as tc
    >>> subject = tc.Subject.from_predictions(
    ...     None,
    ...     [1] * 50 + [0] * 150,
    ...     sensitive={"sex": ["f", "m"] * 100},
    ...     task="binary",
    ...     classes=[0, 1],
    ... )
    >>> demographic_parity(subject).value
    0.0
    """
    if subject.task == "regression":
        table, events = thresholds(subject, by)
    else:
        table = subject.counts(by or (), labels=False)
        events = rates(subject, "selection")
    return largest_gap(subject, by, table, events, "selection rates", reference=reference)


@probe(
    title="Equal opportunity",
    question="Do deserving members of every group get the favourable prediction equally often?",
    unit="difference of true positive rates",
    **LABELLED,
)
def equal_opportunity(
    subject: Subject, rng: np.random.Generator, *, by: By = None, reference: str | None = None
) -> Measurement:
    """Measure the largest gap in true positive rate (recall) between any two groups.

    Equality of opportunity after Hardt, Price & Srebro (2016). Interval as for
    ``demographic_parity``; with more than two classes, the largest over one-vs-rest recalls.

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
    ...     [1, 1, 0, 0] * 50, [1, 0, 0, 0] * 50, sensitive={"sex": ["f", "m", "f", "m"] * 50}
    ... )
    >>> equal_opportunity(subject).value
    1.0
    """
    return largest_gap(
        subject,
        by,
        subject.counts(by or ()),
        recalls(subject),
        "true positive rates",
        reference=reference,
        complement="false negative rates",
    )


@probe(
    title="Predictive equality",
    question="Do undeserving members of every group get the favourable prediction equally often?",
    unit="difference of false positive rates",
    **LABELLED,
)
def predictive_equality(
    subject: Subject, rng: np.random.Generator, *, by: By = None, reference: str | None = None
) -> Measurement:
    """Measure the largest gap in false positive rate between any two groups.

    Predictive equality after Corbett-Davies et al. (2017). Interval as for
    ``demographic_parity``.

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
    ...     [1, 1, 0, 0] * 50, [1, 1, 1, 0] * 50, sensitive={"sex": ["f", "m", "f", "m"] * 50}
    ... )
    >>> predictive_equality(subject).value
    1.0
    """
    return largest_gap(
        subject,
        by,
        subject.counts(by or ()),
        false_alarms(subject),
        "false positive rates",
        reference=reference,
    )


@probe(
    title="Equalized odds",
    question="Are the error rates of all groups alike, among deserving and undeserving members?",
    unit="difference of true or false positive rates",
    **LABELLED,
)
def equalized_odds(
    subject: Subject, rng: np.random.Generator, *, by: By = None, reference: str | None = None
) -> Measurement:
    """Measure the larger of the gaps in true and in false positive rate.

    Equalized odds after Hardt, Price & Srebro (2016), reduced as fairlearn does: the worst of
    the two differences. One interval covers both rates and all pairs of groups.

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
        Headline ``gap``, 0 to 1; detail rows per group and rate.

    Examples
    --------
    >>> import trustcheck as tc
    >>> subject = tc.Subject.from_predictions(
    ...     [1, 1, 0, 0] * 50, [1, 1, 1, 0] * 50, sensitive={"sex": ["f", "m", "f", "m"] * 50}
    ... )
    >>> equalized_odds(subject).value
    1.0
    """
    events = [*recalls(subject), *false_alarms(subject)]
    return largest_gap(
        subject,
        by,
        subject.counts(by or ()),
        events,
        "true and false positive rates",
        reference=reference,
    )


@probe(
    title="Accuracy parity",
    question="Is the model equally often right for every group?",
    unit="difference of accuracies",
    **LABELLED,
)
def accuracy_parity(
    subject: Subject, rng: np.random.Generator, *, by: By = None, reference: str | None = None
) -> Measurement:
    """Measure the largest gap in accuracy between any two groups.

    Overall accuracy equality after Berk et al. (2018). Interval as for ``demographic_parity``.

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
    ...     [1, 0] * 100, [1, 1] * 100, sensitive={"sex": ["f", "m"] * 100}
    ... )
    >>> accuracy_parity(subject).value
    1.0
    """
    return largest_gap(
        subject,
        by,
        subject.counts(by or ()),
        rates(subject, "accuracy"),
        "accuracies",
        reference=reference,
        complement="error rates",
    )
