"""A report for people who must not learn about individuals in small groups.

Whatever holds counts of people is shown only where it is large and stays unknown where it is not;
a table that cannot be audited is shown whole or not at all. Hundepool et al. (2012),
*Statistical Disclosure Control*.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from itertools import pairwise

import numpy as np

from trustcheck.report._counted import AUDITED, SHARES, columns_of, group_of, number_of, tables
from trustcheck.report._disclosure import JOINT, Group, suppressed
from trustcheck.types import (
    Finding,
    Findings,
    InputError,
    Report,
    Row,
    Score,
    Status,
    Verdict,
    VerdictStatus,
)

# Numbers of people in a detail row.
_PEOPLE = ("n", "count", "rows", "size", "members", "non_members", "unique_rows_without")
# Compares a group with all others, hidden ones among them, so it would tell of those.
_COMPARED = "p_differs"
_CLASS_METRICS = ("k", "unique_rows")
_FEWEST = 3  # withheld numbers that may hide behind one score
_OPEN = (VerdictStatus.NOT_MEASURED, VerdictStatus.NOT_APPLICABLE)


def redact(report: Report, min_cell: int = 10) -> Report:
    """Return the report without numbers of small groups; see :meth:`Report.redacted`.

    Raises
    ------
    InputError
        If ``min_cell`` is no whole number above 1, or the report was redacted for a smaller one.
    """
    if type(min_cell) is not int or min_cell < 2:
        raise InputError("min_cell must be a whole number of at least 2")
    done = report.subject.get("redacted")
    if isinstance(done, Mapping):
        if done.get("min_cell", 0) < min_cell:
            raise InputError(
                f"this report is redacted already, with min_cell={done.get('min_cell')}; its"
                f" counts are gone, so redact the original with min_cell={min_cell}"
            )
        return report
    hidden = suppressed(tables(report), min_cell)
    kept = {key: _finding(f, report, hidden, min_cell) for key, f in report.findings.items()}
    withheld = {
        key
        for key, finding in report.findings.items()
        if finding.status is Status.MEASURED and kept[key].status is not Status.MEASURED
    }
    verdicts = tuple(_verdict(v, kept, withheld) for v in report.verdicts)
    said = {old.message: new.message for old, new in zip(report.verdicts, verdicts, strict=True)}
    name = report.subject.get("name", "unnamed model")
    return replace(
        report,
        subject={
            **report.subject,
            "name": f"Redacted (min_cell={min_cell}, not recomputable): {name}",
            "redacted": {"min_cell": min_cell, "recomputable": False},
        },
        findings=Findings(tuple(kept.values())),
        verdicts=verdicts,
        dimension_scores=tuple(
            _score(s, report.verdicts, withheld) for s in report.dimension_scores
        ),
        reasons=(_notice(min_cell), *(said.get(r, r) for r in report.reasons)),
        correlations={},
    )


def _notice(min_cell: int) -> str:
    return (
        f"Redacted with min_cell={min_cell}: groups with a count below {min_cell} (0 included) have"
        " no numbers, nor have others whose numbers would give those back, nor have findings that"
        " rest on them. Verdicts are those of the original, and so are scores, rounded to whole"
        " numbers. This report cannot be recomputed or verified: its statistics are left out."
    )


# What is left of each part --------------------------------------------------------------------


def _finding(finding: Finding, report: Report, hidden: set[Group], least: int) -> Finding:
    """Return a finding without what could be recomputed, and without small counts."""
    plain = tuple({k: v for k, v in row.items() if k != _COMPARED} for row in finding.rows)
    finding = replace(finding, rows=plain)
    rows = _rows(finding, report, hidden, least)
    bare = replace(
        finding,
        rows=rows,
        statistics={},
        formula=None,
        notes=tuple(note for note in finding.notes if not _names(note, hidden)),
        metrics={
            name: estimate
            for name, estimate in finding.metrics.items()
            if name not in _CLASS_METRICS or name == finding.headline or estimate.value >= least
        },
        examples=None,
        influence=None,
        exception=None,
    )
    if finding.status is not Status.MEASURED:
        told = _names(finding.reason or "", hidden)
        return replace(bare, reason="the reason names a small group" if told else finding.reason)
    grouped = finding.id in AUDITED or "by" in finding.params
    if not (grouped and _touched(finding, report, hidden)) and not _rests(finding, rows):
        return replace(bare, rows=tuple(_silent(row, hidden) for row in rows))
    return replace(
        bare,
        status=Status.SKIPPED,
        metrics={},
        notes=(),
        incomplete=None,
        picture=None,
        reason=(
            f"measured, but withheld (min_cell={least}): its number rests on rows of detail that"
            " are too small to show; the other rows are in the saved data"
        ),
    )


def _rests(finding: Finding, rows: tuple[Row, ...]) -> bool:
    """Whether a number rests on rows that are gone, and is not one that a row still shows."""
    if rows == finding.rows or not any("n" in row for row in finding.rows):
        return False
    shown = [set(row.values()) for row in rows]
    return not all(
        any({estimate.value, estimate.low, estimate.high} <= values for values in shown)
        for estimate in finding.metrics.values()
    )


def _touched(finding: Finding, report: Report, hidden: set[Group]) -> bool:
    by = columns_of(finding, report)
    return any(other == by for other, _ in hidden)


def _rows(finding: Finding, report: Report, hidden: set[Group], least: int) -> tuple[Row, ...]:
    """Return the detail rows; those that are too small keep their names only."""
    by = columns_of(finding, report)
    if finding.id in AUDITED:
        gone = {i for i, row in enumerate(finding.rows) if (by, group_of(row)) in hidden}
    else:
        small = [_small(row, least) or _named(row, hidden) for row in finding.rows]
        gone = {i for i, is_small in enumerate(small) if is_small}
        # Groups crossed with something else add up to groups: all rows, or none.
        if any("group" in row for row in finding.rows) and (gone or hidden):
            gone = set(range(len(finding.rows)))
        if finding.id == "safety.slices":
            gone |= _nearly_equal(finding.rows, least)
        gone = _completed(finding.rows, gone, least)
    return tuple(_blank(row) if i in gone else row for i, row in enumerate(finding.rows))


def _small(row: Row, least: int) -> bool:
    """Whether a row counts some people, but few; nobody at all is no group."""
    n = number_of(row.get("n"))
    people = [number_of(row.get(name)) for name in _PEOPLE]
    people += [n * number_of(row.get(name)) for name in SHARES]
    return any(0 < round(count, 6) < least for count in people if not math.isnan(count))


def _named(row: Row, hidden: set[Group]) -> bool:
    """Whether a row counts people under the name of a hidden group."""
    return any(name in row for name in _PEOPLE) and _speaks_of(row, hidden)


def _speaks_of(row: Row, hidden: set[Group]) -> bool:
    """Whether a row's texts have the columns of a hidden group and its levels."""
    text = " ".join(value for value in row.values() if isinstance(value, str))
    return any(_words(text, (*by, *group.split(JOINT))) for by, group in hidden)


def _nearly_equal(rows: tuple[Row, ...], least: int) -> set[int]:
    """Return rows that may lie in another but for a few: slices overlap."""
    gone: set[int] = set()
    n = [number_of(row.get("n")) for row in rows]
    errors = [m * number_of(row.get("error")) for m, row in zip(n, rows, strict=True)]
    for sizes in (n, errors):
        order = sorted(range(len(rows)), key=sizes.__getitem__, reverse=True)
        gone |= {b for a, b in pairwise(order) if sizes[a] - sizes[b] < least}
    return gone


def _completed(rows: tuple[Row, ...], gone: set[int], least: int) -> set[int]:
    """Return the rows to leave out so that what all rows add up to gives none of them back."""
    n = [number_of(row.get("n")) for row in rows]
    rest = [i for i in sorted(range(len(rows)), key=n.__getitem__) if i not in gone and n[i] > 0]
    while gone and rest and (len(gone) < 2 or np.nansum([n[i] for i in gone]) < least):
        gone = gone | {rest.pop(0)}
    return gone


def _blank(row: Row) -> Row:
    return {
        name: value if isinstance(value, str) and name != "where" else None
        for name, value in row.items()
    }


def _silent(row: Row, hidden: set[Group]) -> Row:
    """Return a row without a remark on a hidden group."""
    return {**row, "where": None} if "where" in row and _speaks_of(row, hidden) else row


def _names(text: str, hidden: set[Group]) -> bool:
    """Whether a text has every level of a hidden group as a word."""
    return any(_words(text, group.split(JOINT)) for _, group in hidden)


def _words(text: str, words: Iterable[str]) -> bool:
    return all(re.search(rf"(?<!\w){re.escape(word)}(?!\w)", text) for word in words)


def _verdict(verdict: Verdict, kept: Mapping[str, Finding], withheld: set[str]) -> Verdict:
    """Return a verdict that stays, without the number it came from if that is withheld."""
    bare = replace(verdict, fragility=None)
    finding = kept.get(verdict.key)
    if verdict.key not in withheld:
        gone = finding is not None and verdict.metric not in finding.metrics
        return replace(bare, estimate=None) if gone else bare
    asked = verdict.requirement.limit_text
    return replace(
        bare,
        message=(
            f"{verdict.status}: {verdict.metric.replace('_', ' ')} withheld to protect small groups;"
            f" asked: {asked} [{verdict.key}]."
        ),
        estimate=None,
        rows_needed=None,
        group=None,
    )


def _score(score: Score, verdicts: Iterable[Verdict], withheld: set[str]) -> Score:
    """Return a score in whole numbers; none where one or two withheld numbers could be solved for."""
    inside = {
        verdict.key
        for verdict in verdicts
        if verdict.dimension is score.dimension and verdict.status not in _OPEN
    }
    if 0 < len(inside & withheld) < _FEWEST:
        reason = (
            f"withheld: fewer than {_FEWEST} numbers that are withheld enter it; {score.reason}"
        )
        return replace(score, score=None, low=0.0, high=100.0, reason=reason)
    return replace(
        score,
        score=None if score.score is None else float(round(score.score)),
        low=float(round(score.low)),
        high=float(round(score.high)),
    )
