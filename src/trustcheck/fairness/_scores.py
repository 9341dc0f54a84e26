"""Do scores mean the same, and are they worth as much, for every group?"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from trustcheck.fairness._gap import FACTS, By
from trustcheck.fairness._numbers import (
    compared,
    detail,
    each,
    largest,
    largest_difference,
    unknown,
)
from trustcheck.probe import Want, probe
from trustcheck.stats import distances, gaps, intervals, ranks, strata
from trustcheck.stats.intervals import Interval
from trustcheck.types import Estimate, Measurement, NotMeasurable

if TYPE_CHECKING:
    from trustcheck.subject import Subject

_SCORED: dict[str, Any] = FACTS | {
    "needs": ("groups", "scores", "labels"),
    "wants": ("scores",),
    "tasks": ("binary", "multiclass"),
}
_MOST_PAIRS, _THRESHOLDS = 800, 200  # pairs of groups that are compared in full
_ROWWISE = {"weights": False, "clusters": False}


def _asks(subject: Subject, **settings: Any) -> tuple[Want, ...]:
    if subject.task == "regression":
        return (Want("predictions"),)
    return (Want("scores"),) if "scores" in subject.offers() else ()


_ANY_TASK: dict[str, Any] = FACTS | {"needs": ("groups",), "wants": _asks}


@probe(
    title="AUC parity",
    question="Does the score rank members of every group equally well?",
    unit="difference of AUCs",
    **(_SCORED | _ROWWISE),
)
def auc_parity(
    subject: Subject, rng: np.random.Generator, *, by: By = None, reference: str | None = None
) -> Measurement:
    """Measure the largest gap in AUC, within groups, between any two groups.

    The subgroup AUC of Borkan et al. (2019). Each group's interval is DeLong's on the logit scale
    (DeLong, DeLong & Clarke-Pearson 1988), widened where rows are few; differences by MOVER (Zou &
    Donner 2008). With more than two classes, the largest over the one-vs-rest AUCs.

    Parameters
    ----------
    subject : Subject
        With sensitive columns, scores and labels.
    by : str or list of str
        Sensitive column; a list means the intersection. The only one unless given.
    reference : str
        Group that all others are compared with, by its name; every pair of groups unless given.

    Returns
    -------
    Finding
        Headline ``gap``, 0 to 1; one detail row per group (and class).

    Examples
    --------
    >>> import trustcheck as tc
    >>> subject = tc.Subject.from_predictions(
    ...     [0, 1] * 100,
    ...     [0, 1] * 100,
    ...     y_proba=[0.2, 0.8, 0.3, 0.6] * 50,
    ...     sensitive={"sex": ["f", "f", "m", "m"] * 50},
    ... )
    >>> auc_parity(subject).value
    0.0
    """
    classes, scores = _offered(subject)
    truth = subject.truth

    def auc(rows: np.ndarray, e: int, level: float) -> Interval:
        positive = truth[rows] == classes[e]
        own = scores[rows, e]
        return ranks.auc_interval(own[positive], own[~positive], level=level)

    return largest_difference(
        subject,
        compared(subject, by),
        auc,
        "auc",
        unit="difference of AUCs",
        quantities=tuple(str(subject.classes[c]) for c in classes),
        reference=reference,
    )


@probe(
    title="Mean score",
    question="Does the model think equally well of every group?",
    unit="difference of mean scores, or of mean predictions in units of the target",
    **_ANY_TASK,
)
def mean_score(
    subject: Subject, rng: np.random.Generator, *, by: By = None, reference: str | None = None
) -> Measurement:
    """Measure the largest gap in mean score (mean prediction, for regression).

    Balance of the score in the whole group: demographic parity before any threshold. Means of
    probabilities have the interval of ``stats.intervals.bounded_mean``, numbers Student's.

    Parameters
    ----------
    subject : Subject
        With sensitive columns, and scores unless the task is regression.
    by : str or list of str
        Sensitive column; a list means the intersection. The only one unless given.
    reference : str
        Group that all others are compared with, by its name; every pair of groups unless given.

    Returns
    -------
    Finding
        Headline ``gap``, at least 0, in units of the score; one detail row per group (and class).

    Examples
    --------
    >>> import trustcheck as tc
    >>> subject = tc.Subject.from_predictions(
    ...     None,
    ...     [0, 1] * 100,
    ...     y_proba=[0.25, 0.75] * 100,
    ...     sensitive={"sex": ["f", "m"] * 100},
    ...     task="binary",
    ... )
    >>> round(mean_score(subject).value, 9)
    0.5
    """
    groups = compared(subject, by)
    regression = subject.task == "regression"
    if regression:
        values, mean = subject.predictions[:, None], intervals.mean
        names: tuple[str, ...] = ("",)
    else:
        classes, values = _offered(subject)
        names, mean = tuple(str(subject.classes[c]) for c in classes), intervals.bounded_mean

    def average(rows: np.ndarray, e: int, level: float) -> Interval:
        return mean(values[rows, e], level=level, **_draws(subject, rows))

    unit = "difference of mean predictions, in units of the target"
    return largest_difference(
        subject,
        groups,
        average,
        "mean",
        unit=unit if regression else "difference of mean scores",
        quantities=names,
        ends=(0.0, None if regression else 1.0),
        reference=reference,
    )


@probe(
    title="Calibration within groups",
    question="Is a score as likely to come true in every group as it says?",
    unit="difference of the share that came true and the mean score",
    **_SCORED,
)
def group_calibration(subject: Subject, rng: np.random.Generator, *, by: By = None) -> Measurement:
    """Measure the worst group's calibration in the large: share of positives less mean score.

    Calibration within groups (Kleinberg, Mullainathan & Raghavan 2017) at its first level, the
    mean (Van Calster et al. 2019): a group above 0 is better than the model thinks, one below 0
    worse. Upper end of the interval: the largest of the groups' own; lower end: holds for all
    groups together (Sidak 1967). Curves are for ``reliability.calibration``.

    Parameters
    ----------
    subject : Subject
        With sensitive columns, scores and labels.
    by : str or list of str
        Sensitive column; a list means the intersection. The only one unless given.

    Returns
    -------
    Finding
        Headline ``gap``, 0 to 1, of the worst group; one detail row per group (and class), signed.

    Examples
    --------
    >>> import trustcheck as tc
    >>> subject = tc.Subject.from_predictions(
    ...     [0, 1] * 100, [0, 1] * 100, y_proba=[0.5] * 200, sensitive={"sex": ["f", "m"] * 100}
    ... )
    >>> group_calibration(subject).value
    0.5
    """
    groups = compared(subject, by)
    classes, scores = _offered(subject)
    error = (subject.truth[:, None] == np.array(classes)) - scores

    def bias(rows: np.ndarray, e: int, level: float) -> Interval:
        half = intervals.bounded_mean(
            (error[rows, e] + 1) / 2, level=level, **_draws(subject, rows)
        )
        return Interval(*(2 * end - 1 for end in half))

    quantities = tuple(str(subject.classes[c]) for c in classes)
    at, found = each(groups, bias, len(quantities))
    known = np.isfinite(found).all(axis=0)
    if not known.any():
        raise NotMeasurable("no group has rows enough to compare its labels with its scores")
    usual, joint = found[:, known], at(strata.together(found[0].size))[:, known]
    worst = largest(
        np.abs(usual[0]),
        np.maximum(np.maximum(joint[1], -joint[2]), 0.0),
        np.abs(usual[1:]).max(axis=0),
    )
    g, e = np.argwhere(known)[worst.pair[0]]
    which = f" ({quantities[e]})" if len(quantities) > 1 else ""
    said = "better" if usual[0, worst.pair[0]] > 0 else "worse"
    return Measurement(
        {
            "gap": Estimate(
                worst.value,
                worst.low,
                worst.high,
                int((groups.codes == g).sum()),
                "difference of the share that came true and the mean score",
                range=(0.0, 1.0),
            )
        },
        rows=detail(groups, found, "bias", quantities),
        notes=(f"Worst for {groups.names[g]!r}{which}, which does {said} than its scores say.",),
        picture="intervals",
        incomplete=unknown(groups, found, "bias"),
    )


@probe(
    title="Distribution parity",
    question="Would groups fare alike wherever the threshold were put?",
    unit="largest difference of selection rates over all thresholds",
    **(_ANY_TASK | _ROWWISE),
)
def distribution_parity(
    subject: Subject, rng: np.random.Generator, *, by: By = None
) -> Measurement:
    """Measure how far apart two groups' selection rates can be, whatever the threshold.

    Statistical parity of scores after Agarwal, Dudik & Wu (2019): the Kolmogorov-Smirnov distance
    between the groups' distributions of scores (predictions, for regression). Lower end by
    Kolmogorov's quantile over all pairs (Bonferroni), upper end the largest pairwise one.

    Parameters
    ----------
    subject : Subject
        With sensitive columns, and scores unless the task is regression.
    by : str or list of str
        Sensitive column; a list means the intersection. The only one unless given.

    Returns
    -------
    Finding
        Headline ``gap``, 0 to 1. One detail row per pair of groups (and class), widest first: the
        threshold at which they are furthest apart, rounded, and their distance.

    Examples
    --------
    >>> import trustcheck as tc
    >>> subject = tc.Subject.from_predictions(
    ...     None,
    ...     [1.0, 2.0, 3.0, 4.0] * 50,
    ...     sensitive={"sex": ["f", "f", "m", "m"] * 50},
    ...     task="regression",
    ... )
    >>> distribution_parity(subject).value
    1.0
    """
    groups = compared(subject, by)
    if subject.task == "regression":
        values = subject.predictions[:, None]
        names: tuple[str, ...] = ("",)
    else:
        classes, values = _offered(subject)
        names = tuple(str(subject.classes[c]) for c in classes)
    members = [np.flatnonzero(groups.codes == g) for g in range(len(groups.names))]
    every = len(members) * (len(members) - 1) // 2
    comparisons = every * len(names)
    rows, got = [], []
    for e, name in enumerate(names):
        own = [np.sort(values[member, e]) for member in members]
        for i, j in _pairs(own):
            both = distances.steps(own[i], own[j], ordered=True)
            found = distances.kolmogorov_smirnov(both, comparisons=comparisons)
            alone = distances.kolmogorov_smirnov(both)
            up, down = (i, j) if both.gap < 0 else (j, i)
            got.append((found.value, found.low, found.high))
            row: dict[str, str | int | float | None]
            row = {"group": groups.names[up], "below": groups.names[down]}
            if len(names) > 1:
                row["event"] = name
            rows.append(
                row
                | {
                    "threshold": float(f"{both.where:.2g}"),
                    "n": len(members[i]) + len(members[j]),
                    "distance": found.value,
                    "low": alone.low,
                    "high": alone.high,
                }
            )
    gap: gaps.LargestGap = largest(*np.array(got).T)
    order = np.argsort([-found[0] for found in got], kind="stable")
    top = rows[int(order[0])]
    return Measurement(
        {
            "gap": Estimate(
                gap.value,
                gap.low,
                gap.high,
                subject.n,
                "largest difference of selection rates over all thresholds",
                range=(0.0, 1.0),
            )
        },
        rows=tuple(rows[int(o)] for o in order),
        notes=(
            f"Furthest apart: {top['group']!r} above {top['below']!r}.",
            *([_screened(every)] if every > _MOST_PAIRS else []),
        ),
        picture="intervals",
    )


def _screened(pairs: int) -> str:
    return (
        f"Of {pairs:,} pairs those that matter most at {_THRESHOLDS} thresholds were looked at in"
        " full; the lower end holds for all pairs."
    )


def _pairs(samples: list[np.ndarray]) -> list[tuple[int, int]]:
    """Return the pairs of ascending samples to compare in full: all, or those that may decide."""
    first, second = np.tril_indices(len(samples), -1)
    if len(first) > _MOST_PAIRS:
        at = np.quantile(np.concatenate(samples), np.arange(1, _THRESHOLDS) / _THRESHOLDS)
        share = np.array([np.searchsorted(x, at, side="right") / len(x) for x in samples])
        apart = np.array([np.abs(row - share).max(axis=1) for row in share])[first, second]
        size = np.array([len(x) for x in samples])
        noise = np.sqrt(1 / size[first] + 1 / size[second])
        # The widest decide the value, those of most doubt the upper end, of least the lower.
        ranked = [np.argsort(-apart - z * noise, kind="stable") for z in (0.0, 1.0, 2.0, -2.5)]
        kept = np.unique([order[: _MOST_PAIRS // 4] for order in ranked])
        first, second = first[kept], second[kept]
    return list(zip(first.tolist(), second.tolist(), strict=True))


def _offered(subject: Subject) -> tuple[list[int], np.ndarray]:
    """Return the classes whose score counts, and those scores, shape (n, E)."""
    classes = (
        [subject.positive_code] if subject.task == "binary" else list(range(len(subject.classes)))
    )
    return classes, np.asarray(subject.scores)[:, classes]


def _draws(subject: Subject, rows: np.ndarray) -> dict[str, Any]:
    """Return the weights and clusters of some rows, as the intervals take them."""
    return {
        "weights": None if subject.weights is None else subject.weights[rows],
        "clusters": None if subject.clusters is None else subject.clusters[rows],
    }
