"""Do groups of people fare alike? Shares of one count table: group x label x prediction."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from trustcheck.probe import probe
from trustcheck.stats import counts, gaps, intervals
from trustcheck.types import Better, Estimate, Measurement, NotMeasurable, Row

if TYPE_CHECKING:
    from trustcheck.subject import Subject

By = str | list[str] | None
_FACTS: dict[str, Any] = {
    "headline": "gap",
    "better": "low",
    "keys": ("accountability.bias_detection", "accountability.fairness_auditing"),
    "clauses": ("8.4", "9.5"),
    "wants": ("predictions",),
    "cost": "none beyond the shared pass",
    "weights": True,
    "clusters": True,
}
_LABELLED = _FACTS | {
    "needs": ("groups", "predictions", "labels"),
    "tasks": ("binary", "multiclass"),
}


@dataclass(frozen=True)
class Event:
    """A share of cells: those that count, among those in which they are counted."""

    name: str
    among: str
    numerator: np.ndarray
    denominator: np.ndarray


@probe(
    title="Demographic parity",
    question="Do groups get the favourable prediction equally often?",
    unit="difference of selection rates",
    needs=("groups", "predictions"),
    **_FACTS,
)
def demographic_parity(subject: Subject, rng: np.random.Generator, *, by: By = None) -> Measurement:
    """Measure the largest gap in selection rate between any two groups.

    The interval carries two rules at once: its upper end is the largest pairwise upper bound
    (intersection-union; Berger 1982), its lower end the largest simultaneous lower bound
    (Tukey-Kramer; Agresti et al. 2008), both through Newcombe's closed form (1998). So it can
    contain 0 when groups are equal, which a bootstrap of max - min never does.

    Parameters
    ----------
    subject : Subject
        With sensitive columns.
    by : str or list of str
        Sensitive column; a list means the intersection. The only one unless given.

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
        table, events = _thresholds(subject, by)
    else:
        table = subject.counts(by or (), labels=False)
        anywhere = np.ones((1, len(subject.classes)), dtype=bool)
        events = [
            Event(str(label), "all rows", predicted, anywhere)
            for label, predicted in _favourable(subject, 1)
        ]
    return _largest_gap(subject, by, table, events, "selection rates")


@probe(
    title="Equal opportunity",
    question="Do deserving members of every group get the favourable prediction equally often?",
    unit="difference of true positive rates",
    **_LABELLED,
)
def equal_opportunity(subject: Subject, rng: np.random.Generator, *, by: By = None) -> Measurement:
    """Measure the largest gap in true positive rate (recall) between any two groups.

    Equality of opportunity after Hardt, Price & Srebro (2016). Interval as for
    ``demographic_parity``; with more than two classes, the largest over one-vs-rest recalls.

    Parameters
    ----------
    subject : Subject
        With sensitive columns and labels.
    by : str or list of str
        Sensitive column; a list means the intersection. The only one unless given.

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
    return _largest_gap(
        subject, by, subject.counts(by or ()), _recalls(subject), "true positive rates"
    )


@probe(
    title="Predictive equality",
    question="Do undeserving members of every group get the favourable prediction equally often?",
    unit="difference of false positive rates",
    **_LABELLED,
)
def predictive_equality(
    subject: Subject, rng: np.random.Generator, *, by: By = None
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
    return _largest_gap(
        subject, by, subject.counts(by or ()), _false_alarms(subject), "false positive rates"
    )


@probe(
    title="Equalized odds",
    question="Are the error rates of all groups alike, among deserving and undeserving members?",
    unit="difference of true or false positive rates",
    **_LABELLED,
)
def equalized_odds(subject: Subject, rng: np.random.Generator, *, by: By = None) -> Measurement:
    """Measure the larger of the gaps in true and in false positive rate.

    Equalized odds after Hardt, Price & Srebro (2016), reduced as fairlearn does: the worst of
    the two differences. One interval covers both rates and all pairs of groups.

    Parameters
    ----------
    subject : Subject
        With sensitive columns and labels.
    by : str or list of str
        Sensitive column; a list means the intersection. The only one unless given.

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
    events = [*_recalls(subject), *_false_alarms(subject)]
    return _largest_gap(
        subject, by, subject.counts(by or ()), events, "true and false positive rates"
    )


@probe(
    title="Predictive parity",
    question="Does a favourable prediction mean the same for every group?",
    unit="difference of positive predictive values",
    **_LABELLED,
)
def predictive_parity(subject: Subject, rng: np.random.Generator, *, by: By = None) -> Measurement:
    """Measure the largest gap in positive predictive value (precision) between two groups.

    Predictive parity after Chouldechova (2017). Interval as for ``demographic_parity``.

    Parameters
    ----------
    subject : Subject
        With sensitive columns and labels.
    by : str or list of str
        Sensitive column; a list means the intersection. The only one unless given.

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
        for label, predicted in _favourable(subject, len(subject.classes))
    ]
    return _largest_gap(subject, by, subject.counts(by or ()), events, "positive predictive values")


@probe(
    title="Accuracy parity",
    question="Is the model equally often right for every group?",
    unit="difference of accuracies",
    **_LABELLED,
)
def accuracy_parity(subject: Subject, rng: np.random.Generator, *, by: By = None) -> Measurement:
    """Measure the largest gap in accuracy between any two groups.

    Overall accuracy equality after Berk et al. (2018). Interval as for ``demographic_parity``.

    Parameters
    ----------
    subject : Subject
        With sensitive columns and labels.
    by : str or list of str
        Sensitive column; a list means the intersection. The only one unless given.

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
    k = len(subject.classes)
    right = Event("right", "all rows", np.eye(k, dtype=bool), np.ones((k, k), dtype=bool))
    return _largest_gap(subject, by, subject.counts(by or ()), [right], "accuracies")


def _favourable(subject: Subject, labels: int) -> list[tuple[Any, np.ndarray]]:
    """Return each class that may be favourable with its cells, shape (labels, predictions)."""
    classes = np.arange(len(subject.classes))
    codes = [subject.positive_code] if subject.task == "binary" else list(classes)
    return [(subject.classes[c], np.tile(classes == c, (labels, 1))) for c in codes]


def _recalls(subject: Subject) -> list[Event]:
    return [
        Event(f"{label} given {label}", f"rows whose label is {label}", predicted, predicted.T)
        for label, predicted in _favourable(subject, len(subject.classes))
    ]


def _false_alarms(subject: Subject) -> list[Event]:
    return [
        Event(f"{label} given other", f"rows whose label is not {label}", predicted, ~predicted.T)
        for label, predicted in _favourable(subject, len(subject.classes))
    ]


def _thresholds(subject: Subject, by: By) -> tuple[counts.CountTable, list[Event]]:
    """Return counts by decile of the prediction, and the events "above decile j"."""
    groups, predictions = subject.groups(by or ()), subject.predictions
    edges = np.unique(np.quantile(predictions, np.linspace(0.1, 0.9, 9)))
    codes = np.searchsorted(edges, predictions, side="left")
    bins = len(edges) + 1
    table = counts.count(
        groups.codes,
        np.zeros(subject.n, dtype=int),
        codes,
        (len(groups.names), 1, bins),
        weight=subject.weights,
        cluster=subject.clusters,
    )
    anywhere = np.ones((1, bins), dtype=bool)
    events = [
        Event(f"above {edge:.3g}", "all rows", np.arange(bins)[None, :] > j, anywhere)
        for j, edge in enumerate(edges)
        if (codes > j).any()
    ]
    if not events:
        raise NotMeasurable("the model predicts one number for every row; nothing to compare")
    return table, events


def _largest_gap(
    subject: Subject, by: By, table: counts.CountTable, events: list[Event], what: str
) -> Measurement:
    groups = subject.groups(by or ())
    names = groups.names
    if len(names) < 2:
        raise NotMeasurable(
            f"all rows belong to one group of {' and '.join(groups.by)}; a gap needs two"
        )
    shares = [table.share(event.numerator, event.denominator) for event in events]
    successes = np.column_stack([share[0] for share in shares])
    sizes = np.column_stack([share[1] for share in shares])
    comparable = (sizes > 0).sum(axis=0) >= 2
    if not comparable.any():
        raise NotMeasurable(f"fewer than two groups have {events[0].among}; a gap needs two")
    events = [event for event, kept in zip(events, comparable, strict=True) if kept]
    successes, sizes = successes[:, comparable], sizes[:, comparable]
    gap = gaps.largest_gap(successes, sizes)
    top, bottom = (names[i] for i in gap.pair)
    event = events[gap.event]
    which = "" if len(events) == 1 else f" ({event.name})"
    metrics = {
        "gap": Estimate(
            gap.value,
            gap.low,
            gap.high,
            n=subject.n,
            unit=f"difference of {what}",
            range=(0.0, 1.0),
        )
    }
    notes = [f"Furthest apart: {top!r} above {bottom!r}{which}."]
    ratio = gaps.smallest_ratio(successes, sizes)
    if np.isfinite([ratio.value, ratio.low, ratio.high]).all():
        metrics["ratio"] = Estimate(
            ratio.value,
            ratio.low,
            ratio.high,
            n=subject.n,
            unit=f"smallest ratio of two {what}",
            range=(0.0, 1.0),
            better=Better.HIGH,
        )
    if what == "selection rates" and "ratio" in metrics:
        notes.append(
            "A ratio below 0.8 is the four-fifths rule of thumb of US employment practice, not a law."
        )
    empty = [
        f"group {name!r} has no {event.among}"
        for e, event in enumerate(events)
        for g, name in enumerate(names)
        if sizes[g, e] == 0
    ]
    return Measurement(
        metrics,
        rows=_rows(names, events, successes, sizes, table),
        statistics={"successes": successes.tolist(), "n": sizes.tolist()},
        formula="gaps.largest_gap",
        notes=tuple(notes),
        picture="intervals",
        incomplete=f"{'; '.join(empty)}: its rate is unknown." if empty else None,
        influence=_influence(subject, groups.codes, event, gap),
    )


def _rows(
    names: tuple[str, ...],
    events: list[Event],
    successes: np.ndarray,
    sizes: np.ndarray,
    table: counts.CountTable,
) -> tuple[Row, ...]:
    got = intervals.wilson(successes, sizes)
    rows = []
    for e, event in enumerate(events):
        for g, name in enumerate(names):
            cells = table.rows[g]
            known = sizes[g, e] > 0
            row: dict[str, str | int | float | None] = {"group": name}
            if len(events) > 1:
                row["event"] = event.name
            row |= {
                "n": int(cells[event.denominator].sum()),
                "count": int(cells[event.numerator & event.denominator].sum()),
                "rate": float(got.value[g, e]) if known else None,
                "low": float(got.low[g, e]) if known else None,
                "high": float(got.high[g, e]) if known else None,
            }
            rows.append(row)
    return tuple(rows)


def _influence(
    subject: Subject, codes: np.ndarray, event: Event, gap: gaps.LargestGap
) -> np.ndarray | None:
    """Influence of each row on the difference of the two groups furthest apart."""
    if subject.task == "regression":
        return None
    predicted = subject.predictions
    truth = subject.truth if event.numerator.shape[0] > 1 else np.zeros(subject.n, dtype=int)
    counted = event.denominator[truth, predicted]
    hit = event.numerator[truth, predicted].astype(float)
    weight = np.ones(subject.n) if subject.weights is None else subject.weights
    out = np.zeros(subject.n)
    for group, sign in zip(gap.pair, (1.0, -1.0), strict=True):
        inside = counted & (codes == group)
        share = weight[inside].sum() / weight.sum()
        if share > 0:
            rate = np.average(hit[inside], weights=weight[inside])
            out[inside] = sign * (hit[inside] - rate) / share
    return out
