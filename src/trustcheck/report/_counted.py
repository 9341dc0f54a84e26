"""What the detail rows of a report count, group by group."""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterable, Mapping

import numpy as np

from trustcheck.report._disclosure import Table, implied
from trustcheck.types import Finding, Report, Row, Scalar

# Probes with one row for each group (and event): their numbers add up over groups.
_EVENTS = {
    "demographic_parity": "predicted",
    "equal_opportunity": "given",
    "predictive_equality": "other",
    "predictive_parity": "precision",
    "equalized_odds": "given",
    "accuracy_parity": "right",
    "treatment_equality": "missed",
    "representation": "labelled",
}
AUDITED = {*(f"fairness.{name}" for name in _EVENTS), "reliability.conformal"}
_OF_ALL = {  # whose n is all rows of the group
    "fairness.demographic_parity",
    "fairness.accuracy_parity",
    "fairness.representation",
    "reliability.conformal",
}
# Shares of people that are as good as a number of them.
SHARES = ("rate", "coverage", "error")
_MOST_CLASSES = 10
Cells = frozenset[Hashable]


def columns_of(finding: Finding, report: Report) -> tuple[str, ...]:
    """Return the columns whose groups a finding is about."""
    by = finding.params.get("by") or report.subject.get("sensitive") or ()
    return (by,) if isinstance(by, str) else tuple(map(str, by))


def tables(report: Report) -> list[Table]:
    """Return what the report shows of each way to form groups, and what that gives away."""
    sharing: dict[tuple[str, ...], list[Finding]] = {}
    for finding in report.findings.values():
        if finding.id in AUDITED and finding.rows:
            sharing.setdefault(columns_of(finding, report), []).append(finding)
    found = []
    for by, findings in sharing.items():
        names = list(dict.fromkeys(group_of(row) for f in findings for row in f.rows))
        counts: dict[Hashable, np.ndarray] = {}
        for finding in findings:
            cells = _cells(finding, report)
            for row in finding.rows:
                for key, value in _counts(row, finding, cells, report):
                    # What no other table shares has a name of its own.
                    name = (by, *key) if isinstance(key, tuple) else key
                    count = counts.setdefault(name, np.full(len(names), np.nan))
                    at = names.index(group_of(row))
                    count[at] = np.fmin(count[at], value)
        sets = {name: count for name, count in counts.items() if isinstance(name, frozenset)}
        found.append(Table(by, tuple(names), counts | (implied(sets) if sets else {})))
    return found


def group_of(row: Row) -> str:
    """Return the name of a row's group."""
    return str(row.get("group"))


def _counts(
    row: Row, finding: Finding, cells: Mapping[str, tuple[Cells, Cells]], report: Report
) -> Iterable[tuple[Hashable, float]]:
    """Yield the numbers of people that a row shows, under the cells they are counted in."""
    n, event = number_of(row.get("n")), str(row.get("event", ""))
    among, hit = cells.get(event, ((finding.key, event, "n"), (finding.key, event, "count")))
    yield among, n
    if finding.id in _OF_ALL:
        yield "n", n
    count = number_of(row.get("count"))
    for share in SHARES:
        if math.isnan(count) and share in row:
            count = round(n * number_of(row[share]), 6)
    yield hit, count
    if event not in cells:
        yield (finding.key, event, "rest"), n - count
    before = report.subject.get("reference_rows")
    if "reference_share" in row and isinstance(before, int):
        yield "reference", round(number_of(row["reference_share"]) * before, 6)


def number_of(value: Scalar) -> float:
    """Return a cell as a number; NaN where it is none."""
    return float(value) if isinstance(value, (int, float)) else math.nan


def _cells(finding: Finding, report: Report) -> dict[str, tuple[Cells, Cells]]:
    """Return for each event the cells (label, prediction) of its n and of its count.

    Empty where they are not known: then each number stands for itself.
    """
    kind = _EVENTS.get(finding.id.removeprefix("fairness."))
    events = list(dict.fromkeys(str(row.get("event", "")) for row in finding.rows))
    classes = [str(label) for label in report.subject.get("classes") or ()]
    if kind is None or (kind == "labelled" and report.subject.get("weighted")):
        return {}
    if not classes:  # regression: above ever higher thresholds
        above = [(finding.id, event) for event in events]
        whole = frozenset([(finding.id, None), *above])
        return {event: (whole, frozenset(above[i:])) for i, event in enumerate(events)}
    if len(classes) > _MOST_CLASSES or (len(classes) > 2 and events == [""] and kind != "right"):
        return {}
    every = frozenset((label, said) for label in classes for said in classes)
    found: dict[str, tuple[Cells, Cells]] = {}
    for event in events:
        name, among = event, ""
        if kind in ("given", "other"):
            name, _, among = event.rpartition(" given ")
        elif kind == "missed":
            name = event.removesuffix(" missed")
        name = name or str(report.subject.get("positive"))
        one = frozenset(cell for cell in every if cell[0] == name)
        said = frozenset(cell for cell in every if cell[1] == name)
        found[event] = {
            "predicted": (every, said),
            "labelled": (every, one),
            "right": (every, frozenset((label, label) for label in classes)),
            "precision": (said, one & said),
            "given": (one, one & said) if among != "other" else (every - one, said - one),
            "missed": (one ^ said, one - said),
            "other": (every - one, said - one),
        }[kind]
    return found
