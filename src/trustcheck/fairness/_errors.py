"""How large are the errors group by group, and how does the worst-off group fare?"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from trustcheck.fairness._gap import LABELLED, By, Event
from trustcheck.fairness._gap import detail as shares_by_group
from trustcheck.fairness._numbers import (
    compared,
    detail,
    each,
    largest_difference,
    smallest_ratio,
    unknown,
)
from trustcheck.probe import probe
from trustcheck.stats import intervals, strata, worst
from trustcheck.stats.intervals import Interval
from trustcheck.types import Estimate, Measurement, NotMeasurable

if TYPE_CHECKING:
    from trustcheck.subject import Subject

_REGRESSION: dict[str, Any] = LABELLED | {"tasks": ("regression",)}


@probe(
    title="Residual parity",
    question="Does the model lean the same way for every group?",
    unit="difference of mean residuals, in units of the target",
    **_REGRESSION,
)
def residual_parity(
    subject: Subject, rng: np.random.Generator, *, by: By = None, reference: str | None = None
) -> Measurement:
    """Measure the largest gap in mean residual (label less prediction) between two groups.

    A model may have no bias overall and still rate one group too high and another too low
    (Calders et al. 2013). Means with Student's interval, differences by MOVER (Zou & Donner 2008).

    Parameters
    ----------
    subject : Subject
        A regression with sensitive columns and labels.
    by : str or list of str
        Sensitive column; a list means the intersection. The only one unless given.
    reference : str
        Group that all others are compared with, by its name; every pair of groups unless given.

    Returns
    -------
    Finding
        Headline ``gap``, at least 0, in units of the target; one detail row per group.

    Examples
    --------
    >>> import trustcheck as tc
    >>> subject = tc.Subject.from_predictions(
    ...     [1.0, 2.0, 3.0, 4.0] * 50,
    ...     [1.5, 2.5, 3.0, 4.0] * 50,
    ...     sensitive={"sex": ["f", "f", "m", "m"] * 50},
    ...     task="regression",
    ... )
    >>> residual_parity(subject).value
    0.5
    """
    residual = subject.truth - subject.predictions
    return largest_difference(
        subject,
        compared(subject, by),
        lambda rows, _, level: _mean(subject, residual, rows, level),
        "residual",
        unit="difference of mean residuals, in units of the target",
        ends=(0.0, None),
        reference=reference,
    )


@probe(
    title="Error parity",
    question="Are the model's errors as small for every group?",
    **(
        _REGRESSION
        | {"headline": "ratio", "better": "high", "unit": "smallest ratio of mean absolute errors"}
    ),
)
def error_parity(
    subject: Subject, rng: np.random.Generator, *, by: By = None, reference: str | None = None
) -> Measurement:
    """Measure the smallest ratio of two groups' mean absolute errors.

    Means with Student's interval, ratios by MOVER on the logarithmic scale (Zou & Donner 2008).

    Parameters
    ----------
    subject : Subject
        A regression with sensitive columns and labels.
    by : str or list of str
        Sensitive column; a list means the intersection. The only one unless given.
    reference : str
        Group that all others are compared with, by its name; every pair of groups unless given.

    Returns
    -------
    Finding
        Headline ``ratio``, 0 to 1, 1 where all groups' errors are equally large; one detail row
        per group.

    Examples
    --------
    >>> import trustcheck as tc
    >>> subject = tc.Subject.from_predictions(
    ...     [1.0, 2.0, 3.0, 4.0] * 50,
    ...     [1.5, 2.5, 4.0, 5.0] * 50,
    ...     sensitive={"sex": ["f", "f", "m", "m"] * 50},
    ...     task="regression",
    ... )
    >>> error_parity(subject).value
    0.5
    """
    error = np.abs(subject.truth - subject.predictions)
    return smallest_ratio(
        subject,
        compared(subject, by),
        lambda rows, _, level: _mean(subject, error, rows, level),
        "error",
        unit="smallest ratio of mean absolute errors",
        reference=reference,
    )


@probe(
    title="Worst group",
    question="How well does the model serve the group it serves worst?",
    **(
        LABELLED
        | {
            "headline": "worst",
            "better": "high",
            "unit": "accuracy, or share of the trivial error removed",
            "tasks": ("binary", "multiclass", "regression"),
        }
    ),
)
def worst_group(subject: Subject, rng: np.random.Generator, *, by: By = None) -> Measurement:
    """Measure accuracy (for regression, skill) in the group where it is lowest.

    Worst-group performance (Sagawa et al. 2020) and bounded group loss (Agarwal, Dudik & Wu 2019).
    A regression's skill is 1 less its mean absolute error over that of one constant answer, the
    median label, in the same group. Each group's own interval decides whether all do well enough
    (Berger 1982); ends that hold for all together, whether one does not (Sidak 1967).

    Parameters
    ----------
    subject : Subject
        With sensitive columns and labels.
    by : str or list of str
        Sensitive column; a list means the intersection. The only one unless given.

    Returns
    -------
    Finding
        Headline ``worst``, at most 1; one detail row per group. Its ``n`` is the rows of the worst
        group.

    Examples
    --------
    >>> import trustcheck as tc
    >>> subject = tc.Subject.from_predictions(
    ...     [1, 0] * 100, [1, 1] * 100, sensitive={"sex": ["f", "m"] * 100}
    ... )
    >>> worst_group(subject).value
    0.0
    """
    if subject.task == "regression":
        return _worst_skill(subject, by)
    groups, k = compared(subject, by), len(subject.classes)
    table = subject.counts(by or ())
    right = Event("right", "all rows", np.eye(k, dtype=bool), np.ones((k, k), dtype=bool))
    successes, sizes = table.share(right.numerator, right.denominator)
    counted = np.flatnonzero(sizes > 0)
    if not counted.size:
        raise NotMeasurable("no group has rows of weight above 0")
    hits, n = successes[counted], sizes[counted]
    errors = worst.worst_share(n - hits, n)
    at = int(counted[np.argmin(hits / n)])
    lost = [name for name, size in zip(groups.names, sizes, strict=True) if size == 0]
    return Measurement(
        {
            "worst": Estimate(
                1 - errors.value,
                1 - errors.high,
                1 - errors.low,
                int((groups.codes == at).sum()),
                "accuracy of the worst group",
                range=(0.0, 1.0),
            )
        },
        rows=shares_by_group(groups.names, [right], successes[:, None], sizes[:, None], table),
        notes=(f"Served worst: {groups.names[at]!r}.",),
        picture="intervals",
        incomplete=f"group {', '.join(map(repr, lost))} has no weight: its accuracy is unknown."
        if lost
        else None,
    )


def _worst_skill(subject: Subject, by: By) -> Measurement:
    groups, truth = compared(subject, by), subject.truth
    labels = subject.reference.truth if "reference_labels" in subject.offers() else truth
    error, trivial = np.abs(truth - subject.predictions), np.abs(truth - np.median(labels))

    def skill(rows: np.ndarray, _: int, level: float) -> Interval:
        weights = None if subject.weights is None else subject.weights[rows]
        if np.average(trivial[rows], weights=weights if np.any(weights) else None) == 0:
            return Interval(np.nan, np.nan, np.nan)
        clusters = None if subject.clusters is None else subject.clusters[rows]
        share = intervals.ratio_of_means(
            error[rows], trivial[rows], weights=weights, clusters=clusters, level=level
        )
        return Interval(1 - share.value, 1 - share.high, min(1 - share.low, 1.0))

    at, found = each(groups, skill, 1)
    known = np.flatnonzero(np.isfinite(found).all(axis=(0, 2)))
    if not known.size:
        raise NotMeasurable("no group has rows enough, with labels that differ, to show skill")
    value, low, _ = found[:, known, 0]
    high = at(strata.together(known.size))[2, known, 0]
    lowest = int(known[np.argmin(value)])
    return Measurement(
        {
            "worst": Estimate(
                float(value.min()),
                float(low.min()),
                max(float(high.min()), float(value.min())),
                int((groups.codes == lowest).sum()),
                "share of the trivial error removed in the worst group",
                range=(None, 1.0),
            )
        },
        rows=detail(groups, found, "skill", ("",)),
        notes=(f"Served worst: {groups.names[lowest]!r}.",),
        picture="intervals",
        incomplete=unknown(groups, found, "skill"),
    )


def _mean(subject: Subject, values: np.ndarray, rows: np.ndarray, level: float) -> Interval:
    return intervals.mean(
        values[rows],
        weights=None if subject.weights is None else subject.weights[rows],
        clusters=None if subject.clusters is None else subject.clusters[rows],
        level=level,
    )
