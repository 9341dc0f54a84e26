"""What a mitigation gained and what it cost: two reports of the same rows, number by number."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from trustcheck.fairness._gap import Event, rates
from trustcheck.probe import Probe, probe
from trustcheck.stats import change, counts, difference, intervals, mcnemar
from trustcheck.stats.intervals import Interval
from trustcheck.subject import Subject
from trustcheck.types import Better, Estimate, Finding, Measurement, Report, Row, Status

#: Gaps whose denominators a change of predictions leaves alone, so that rows can be paired.
_PAIRED = {
    "fairness.demographic_parity": ("selection",),
    "fairness.equal_opportunity": ("tpr",),
    "fairness.predictive_equality": ("fpr",),
    "fairness.equalized_odds": ("tpr", "fpr"),
    "fairness.accuracy_parity": ("accuracy",),
}
_MOST_PAIRS = 1_000  # ordered pairs of groups, over all events, that are compared pair by pair


@dataclass(frozen=True)
class _Change:
    key: str
    before: float
    after: float
    ends: Interval
    better: Better
    paired: bool

    def row(self) -> Row:
        """Return a detail row; what it says is decided by the interval alone."""
        sign = 1 if self.better is Better.HIGH else -1
        good, bad = (self.ends.low > 0, self.ends.high < 0)[::sign]
        return {
            "what": self.key,
            "says": "gain" if good else "cost" if bad else "open",
            "compared": "row by row" if self.paired else "end to end",
            "before": self.before,
            "after": self.after,
            "change": float(self.ends.value),
            "low": float(self.ends.low),
            "high": float(self.ends.high),
        }


def comparison(judged: Subject, before: Report, after: Report, notes: tuple[str, ...]) -> Probe:
    """Return the probe that compares the two reports, and the two models row by row."""
    regression = judged.task == "regression"
    headline = "absolute_error" if regression else "accuracy"

    @probe(
        pillar="fairness",
        title="What the mitigation changes",
        question="What does the mitigation gain, and what does it cost?",
        headline=headline,
        unit="change of the mean absolute error" if regression else "change of accuracy",
        better="low" if regression else "high",
        keys=("accountability.bias_detection", "accountability.fairness_auditing"),
        clauses=("8.4", "9.5"),
        needs=("labels", "predictions"),
        weights=True,
        clusters=True,
    )
    def mitigation(
        subject: Subject,
        rng: np.random.Generator,  # noqa: ARG001 - every probe takes one
        *,
        fix: str = "",  # noqa: ARG001 - said by the finding, as are these
        by: Any = None,  # noqa: ARG001
        constraint: str | None = None,  # noqa: ARG001
        objective: str | None = None,  # noqa: ARG001
    ) -> Measurement:
        """Compare every headline before and after, on the same rows."""
        error = _error(judged, subject) if regression else _accuracy(judged, subject)
        changes = [error, *_changes(judged, subject, before, after)]
        metrics = {
            c.key: Estimate(
                c.ends.value,
                c.ends.low,
                c.ends.high,
                subject.n,
                f"change of {c.key}",
                better=c.better,
            )
            for c in changes
            if c.paired
        }
        lost = [
            key
            for key, finding in before.findings.items()
            if finding.status is Status.MEASURED
            and (key not in after.findings or after.findings[key].status is not Status.MEASURED)
        ]
        same = [key for key, finding in before.findings.items() if _same(key, finding, after)]
        said = [
            f"{what}: {', '.join(dict.fromkeys(key.partition('[')[0] for key in keys))}."
            for what, keys in (("No longer measurable", lost), ("Untouched", same))
            if keys
        ]
        return Measurement(
            metrics,
            rows=tuple(c.row() for c in changes),
            notes=(*notes, *said),
            picture="intervals",
        )

    return mitigation


def _accuracy(before: Subject, after: Subject) -> _Change:
    right = np.array([s.predictions == s.truth for s in (before, after)])
    _, only_before, only_after, n = _cells(before, np.zeros(before.n, dtype=int), 1, *right)
    gained, lost = float(only_after[0]), float(only_before[0])
    ends = mcnemar.difference(gained, lost, max(float(n[0]), gained + lost))
    was, now = (np.average(r, weights=before.weights) for r in right)
    return _Change("accuracy", float(was), float(now), ends, Better.HIGH, paired=True)


def _error(before: Subject, after: Subject) -> _Change:
    errors = [np.abs(s.predictions - s.truth) for s in (before, after)]
    facts: dict[str, Any] = {"weights": before.weights, "clusters": before.clusters}
    ends = intervals.mean(errors[1] - errors[0], **facts)
    was, now = (np.average(e, weights=before.weights) for e in errors)
    return _Change("absolute_error", float(was), float(now), ends, Better.LOW, paired=True)


def _changes(before: Subject, after: Subject, first: Report, second: Report) -> Iterator[_Change]:
    for key, old in first.findings.items():
        new = dict(second.findings).get(key)
        if new is None or new.status is not Status.MEASURED or old.status is not Status.MEASURED:
            continue
        ends = _gap_change(before, after, old) or _by_influence(before, old, new)
        paired = ends is not None
        if not paired and _same(key, old, second):
            continue
        yield _Change(
            key,
            old.value,
            new.value,
            ends or difference.dependent(_ends(old), _ends(new)),
            old.better,
            paired,
        )


def _same(key: str, old: Finding, second: Report) -> bool:
    """Whether a number has nothing to do with the model: it came out the same to the last bit."""
    new = dict(second.findings).get(key)
    return new is not None and old.status is Status.MEASURED and new.metrics == old.metrics


def _gap_change(before: Subject, after: Subject, finding: Finding) -> Interval | None:
    """Return the paired change of a largest gap of rates, where pairs of groups are few enough."""
    names = _PAIRED.get(finding.id)
    plain = finding.formula == "gaps.largest_gap"
    if names is None or not plain or before.task == "regression":
        return None
    groups = before.groups(_by(finding))
    events = [event for name in names for event in rates(before, name)]
    k = len(groups.names)
    if k * (k - 1) * len(events) > _MOST_PAIRS:
        return None
    parts = [
        _cells(before, groups.codes, k, *(_hits(s, event) for s in (before, after)), event=event)
        for event in events
    ]
    return change.largest_gap_change(*(np.column_stack(part) for part in zip(*parts, strict=True)))


def _by(finding: Finding) -> str | tuple[str, ...]:
    by = finding.params["by"]
    return by if isinstance(by, str) else tuple(by)


def _hits(subject: Subject, event: Event) -> np.ndarray:
    return np.asarray(event.numerator[_row(subject, event), subject.predictions])


def _row(subject: Subject, event: Event) -> np.ndarray:
    return subject.truth if event.numerator.shape[0] > 1 else np.zeros(subject.n, dtype=int)


def _cells(
    subject: Subject,
    codes: np.ndarray,
    k: int,
    first: np.ndarray,
    second: np.ndarray,
    *,
    event: Event | None = None,
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Return both, before only, after only, and all rows, as effective numbers, shape (k,) each."""
    counted = np.ones(subject.n, dtype=bool)
    if event is not None:
        counted = event.denominator[_row(subject, event), subject.predictions]
    cell = np.where(counted, 2 * first + second, 4)
    table = counts.count(
        codes, 0 * codes, cell, (k, 1, 5), weight=subject.weights, cluster=subject.clusters
    )
    among = (np.arange(5) < 4)[None, :]
    shares = [table.share((np.arange(5) == c)[None, :], among) for c in (3, 2, 1)]
    # Of the cells' effective sizes the smallest, so that none is counted for more than it is.
    n = np.min([size for _, size in shares], axis=0)
    both, old, new = (x / np.where(m > 0, m, 1.0) * n for x, m in shares)
    return both, old, new, n


def _by_influence(subject: Subject, old: Finding, new: Finding) -> Interval | None:
    """Return the paired change of a smooth number, from what each row does to it."""
    largest = (old.formula or "").partition(".")[0] in ("gaps", "contrasts", "strata")
    if largest or old.influence is None or new.influence is None:
        return None
    if any(f.value in f.estimate().range for f in (old, new)):
        return None  # at the end of what it can be it does not move smoothly
    return difference.paired(
        _ends(old),
        _ends(new),
        old.influence,
        new.influence,
        weights=subject.weights,
        clusters=subject.clusters,
    )


def _ends(finding: Finding) -> Interval:
    return Interval(finding.value, finding.low, finding.high)
