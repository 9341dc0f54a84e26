"""The largest gap between groups in shares of one count table: group x label x prediction."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from trustcheck.stats import counts, gaps, intervals
from trustcheck.types import Better, Estimate, Measurement, NotMeasurable, Row

if TYPE_CHECKING:
    from trustcheck.subject import Subject

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
        rows=detail(names, events, successes, sizes, table),
        statistics={"successes": successes.tolist(), "n": sizes.tolist()},
        formula="gaps.largest_gap",
        notes=tuple(notes),
        picture="intervals",
        incomplete=f"{'; '.join(empty)}: its rate is unknown." if empty else None,
        influence=_influence(subject, groups.codes, event, gap),
    )


def detail(
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
