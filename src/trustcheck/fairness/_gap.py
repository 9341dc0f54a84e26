"""The largest gap between groups in shares of one count table: group x label x prediction."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from trustcheck.stats import contrasts, counts, gaps, intervals, multiplicity
from trustcheck.subject._groups import MISSING
from trustcheck.types import Better, Estimate, InputError, Measurement, NotMeasurable, Row

if TYPE_CHECKING:
    from trustcheck.subject import Subject
    from trustcheck.subject._groups import Groups

By = str | list[str] | None
FACTS: dict[str, Any] = {
    "headline": "gap",
    "better": "low",
    "keys": ("accountability.bias_detection", "accountability.fairness_auditing"),
    "clauses": ("8.4", "9.5"),
    "wants": ("predictions",),
    "cost": "none beyond the shared pass",
    "weights": True,
    "clusters": True,
}
LABELLED = FACTS | {
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


def favoured(subject: Subject, labels: int) -> list[tuple[Any, np.ndarray]]:
    """Return each class that may be favourable with its cells, shape (labels, predictions)."""
    classes = np.arange(len(subject.classes))
    codes = [subject.positive_code] if subject.task == "binary" else list(classes)
    return [(subject.classes[c], np.tile(classes == c, (labels, 1))) for c in codes]


def recalls(subject: Subject) -> list[Event]:
    """Return the true positive rate of each favoured class."""
    return [
        Event(f"{label} given {label}", f"rows whose label is {label}", predicted, predicted.T)
        for label, predicted in favoured(subject, len(subject.classes))
    ]


def false_alarms(subject: Subject) -> list[Event]:
    """Return the false positive rate of each favoured class."""
    return [
        Event(f"{label} given other", f"rows whose label is not {label}", predicted, ~predicted.T)
        for label, predicted in favoured(subject, len(subject.classes))
    ]


#: Rates that may be asked for by name.
RATES = {
    "selection": "selection rates",
    "tpr": "true positive rates",
    "fpr": "false positive rates",
    "accuracy": "accuracies",
}


def rates(subject: Subject, rate: str) -> list[Event]:
    """Return the events of a rate asked for by name; labels are needed but for "selection"."""
    if rate not in RATES:
        raise InputError(f"rate={rate!r} is unknown; it is one of {', '.join(RATES)}")
    k = len(subject.classes)
    if rate == "selection":
        anywhere = np.ones((1, k), dtype=bool)
        return [
            Event(str(label), "all rows", predicted, anywhere)
            for label, predicted in favoured(subject, 1)
        ]
    if "labels" not in subject.offers():
        raise NotMeasurable(f"{RATES[rate]} need labels: {subject.why_missing('labels')}")
    if rate == "accuracy":
        return [Event("right", "all rows", np.eye(k, dtype=bool), np.ones((k, k), dtype=bool))]
    return recalls(subject) if rate == "tpr" else false_alarms(subject)


def thresholds(subject: Subject, by: By) -> tuple[counts.CountTable, list[Event]]:
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


def largest_gap(
    subject: Subject,
    by: By,
    table: counts.CountTable,
    events: list[Event],
    what: str,
    *,
    reference: str | None = None,
    complement: str | None = None,
) -> Measurement:
    """Return the largest gap in the share of any event, with one detail row per group.

    Parameters
    ----------
    what, complement : str
        What the shares are; what their complements are, if those have a ratio worth knowing.
    reference : str, optional
        The group all others are compared with; every pair of groups unless given.
    """
    groups = subject.groups(by or ())
    names = groups.names
    if len(names) < 2:
        raise NotMeasurable(
            f"all rows belong to one group of {' and '.join(groups.by)}; a gap needs two"
        )
    fixed = None if reference is None else position(groups, reference)
    shares = [table.share(event.numerator, event.denominator) for event in events]
    successes = np.column_stack([share[0] for share in shares])
    sizes = np.column_stack([share[1] for share in shares])
    comparable = (sizes > 0).sum(axis=0) >= 2
    if fixed is not None:
        comparable &= sizes[fixed] > 0
    if not comparable.any():
        who = (
            "fewer than two groups have" if fixed is None else f"no group beside {reference!r} has"
        )
        if fixed is not None and not (sizes[fixed] > 0).any():
            who = f"the reference group {reference!r} has no rows to compare with:"
        raise NotMeasurable(f"{who} {events[0].among}; a gap needs two")
    events = [event for event, kept in zip(events, comparable, strict=True) if kept]
    successes, sizes = successes[:, comparable], sizes[:, comparable]
    gap = _against(successes, sizes, fixed) if fixed is not None else _any(successes, sizes)
    top, bottom = (names[i] for i in gap.pair)
    event = events[gap.event]
    which = "" if len(events) == 1 else f" ({event.name})"
    against = "" if reference is None else f" from {reference!r}"
    metrics = {
        "gap": Estimate(
            *gap.ends, n=subject.n, unit=f"difference of {what}{against}", range=(0.0, 1.0)
        )
    }
    notes = [*compared_with(reference), f"Furthest apart: {top!r} above {bottom!r}{which}."]
    ratios = [("ratio", successes, what)]
    ratios += [("miss_ratio", sizes - successes, complement)] if complement else []
    for name, hits, of in ratios:
        value, low, high = gap.ratio(hits, sizes)
        if np.isfinite([value, low, high]).all():
            metrics[name] = Estimate(
                value,
                low,
                high,
                n=subject.n,
                unit=f"smallest ratio of two {of}{' with the reference' * bool(reference)}",
                range=(0.0, 1.0),
                better=Better.HIGH,
            )
    if what == "selection rates" and "ratio" in metrics:
        notes.append(
            "A ratio below 0.8 is the four-fifths rule of thumb of US employment practice, not a law."
        )
    empty = []
    for event, size in zip(events, sizes.T, strict=True):
        if lost := [repr(name) for name, n in zip(names, size, strict=True) if n == 0]:
            empty.append(f"group {said(lost)} has no {event.among}")
    return Measurement(
        metrics,
        rows=detail(names, events, successes, sizes, table),
        statistics=gap.statistics,
        formula=gap.formula,
        notes=(*notes, *unnamed(groups)),
        picture="intervals",
        incomplete=f"{'; '.join(empty)}: its rate is unknown." if empty else None,
        influence=_influence(subject, groups.codes, event, gap.pair),
    )


def position(groups: Groups, reference: str) -> int:
    """Return where the reference group stands; InputError if there is none of that name."""
    if reference not in groups.names:
        known = said([repr(name) for name in groups.names])
        raise InputError(
            f"reference={reference!r} is no group of {' and '.join(groups.by)}; there are {known}"
        )
    return groups.names.index(reference)


def compared_with(reference: str | None) -> list[str]:
    """Name the reference group, where there is one."""
    return [] if reference is None else [f"Reference group: {reference!r}."]


def said(names: Sequence[str], between: str = ", ", most: int = 8) -> str:
    """Join names, the first few where they are many."""
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return between.join(names[:most]) + more


def unnamed(groups: Groups) -> list[str]:
    """Say what became of rows whose sensitive columns lack a value."""
    if not any(MISSING in name.split(" & ") for name in groups.names):
        return []
    return [
        f"Rows without a value of {' or '.join(groups.by)} form groups of their own, {MISSING!r}."
    ]


@dataclass(frozen=True)
class _Gap:
    """The widest gap: who shows it, its interval, and the formula that gives it."""

    ends: tuple[float, float, float]
    pair: tuple[int, int]
    event: int
    statistics: dict[str, Any]
    formula: str
    ratio: Callable[[np.ndarray, np.ndarray], tuple[float, float, float]]


def _any(successes: np.ndarray, sizes: np.ndarray) -> _Gap:
    """Compare every two groups."""

    def ratio(hits: np.ndarray, n: np.ndarray) -> tuple[float, float, float]:
        found = gaps.smallest_ratio(hits, n)
        return found.value, found.low, found.high

    gap = gaps.largest_gap(successes, sizes)
    return _Gap(
        (gap.value, gap.low, gap.high),
        gap.pair,
        gap.event,
        {"successes": successes.tolist(), "n": sizes.tolist()},
        "gaps.largest_gap",
        ratio,
    )


def _against(successes: np.ndarray, sizes: np.ndarray, reference: int) -> _Gap:
    """Compare every other group with the reference group."""

    def split(table: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        others = np.delete(table, reference, axis=0)
        return others.ravel(), np.broadcast_to(table[reference], others.shape).ravel()

    def sides(hits: np.ndarray, n: np.ndarray) -> dict[str, Any]:
        (x, other), (m, other_n) = split(hits), split(n)
        return {"successes": x, "n": m, "other_successes": other, "other_n": other_n}

    def ratio(hits: np.ndarray, n: np.ndarray) -> tuple[float, float, float]:
        found = contrasts.smallest_ratio(**sides(hits, n))
        return found.value, found.low, found.high

    statistics = sides(successes, sizes)
    gap = contrasts.largest_contrast(**statistics)
    other, event = divmod(gap.at, successes.shape[1])
    other += other >= reference
    rates = successes[:, event] / np.maximum(sizes[:, event], 1e-300)
    above = rates[other] >= rates[reference]
    return _Gap(
        (gap.value, gap.low, gap.high),
        (other, reference) if above else (reference, other),
        event,
        {name: values.tolist() for name, values in statistics.items()},
        "contrasts.largest_contrast",
        ratio,
    )


def detail(
    names: tuple[str, ...],
    events: list[Event],
    successes: np.ndarray,
    sizes: np.ndarray,
    table: counts.CountTable,
) -> tuple[Row, ...]:
    got = intervals.wilson(successes, sizes)
    apart = _differences(successes, sizes)
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
                # Of a test against all others, adjusted for all of these rows (Holm 1979).
                "p_differs": float(apart[g, e]) if np.isfinite(apart[g, e]) else None,
            }
            rows.append(row)
    return tuple(rows)


def _differences(successes: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    """Chance of such a difference from all other groups, adjusted over groups and events."""
    p = multiplicity.against_rest(successes, sizes)
    once = p[:1] if len(p) == 2 else p  # of two groups each is all the others
    return np.broadcast_to(multiplicity.holm(once.ravel()).reshape(once.shape), p.shape)


def _influence(
    subject: Subject, codes: np.ndarray, event: Event, pair: tuple[int, int]
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
    for group, sign in zip(pair, (1.0, -1.0), strict=True):
        inside = counted & (codes == group)
        share = weight[inside].sum() / weight.sum()
        if share > 0:
            rate = np.average(hit[inside], weights=weight[inside])
            out[inside] = sign * (hit[inside] - rate) / share
    return out
