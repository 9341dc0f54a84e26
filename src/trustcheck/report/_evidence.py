"""The appendix: coverage of the standard, counterparts elsewhere, fingerprints, words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from trustcheck import standard
from trustcheck.report import _view
from trustcheck.report._json import STATEMENT
from trustcheck.report._text import clean, count, number, short
from trustcheck.types import Report

COVERAGE = {
    "measured": "●",
    "attested": "◐",
    "not covered": "○",
    "not applicable": "–",
}
HOW_SCORES = (
    (
        "Each requirement gets a utility: 60 where its limit is exactly met, 100 at its target, 0 at"
        " its worst value. 60 is the requirement line."
    ),
    (
        "A dimension's score is the weighted geometric mean of the utilities of its requirements, so"
        " one bad number is not averaged away. There is no mean over the six dimensions."
    ),
    (
        "Uncertainty is carried along: the assured score is the 2.5 % quantile with everything"
        " unmeasured counted as 0; the upper end is the 97.5 % quantile with it counted as 100."
    ),
    (
        "A failed critical requirement caps a score at 39, a failed major one at 59. For the assured"
        " score, an unmeasured requirement caps like a failed one and an inconclusive one caps at 59."
    ),
    "With less than half of the requirements (by weight) measured there is no score.",
    (
        "A requirement passes only if its whole interval lies inside the limit, fails only if the"
        " whole interval lies outside, and is inconclusive otherwise."
    ),
)
GLOSSARY = (
    ("Assurance", "What kind of evidence a number rests on: declared, searched, statistical or proven."),
    ("Assured score", "A score that holds even in the unlucky case, with everything unmeasured counted as 0."),
    ("Attested", "Shown by a document that people wrote, not by a measurement."),
    ("Coverage", "The share, by weight, of a dimension's requirements that were measured."),
    ("Detail rows", "The numbers behind a headline: one row for each group, level or feature."),
    ("Dimension", "One of the six groups of attributes of ISO/IEC TR 24028 that the report is keyed to."),
    ("Finding", "The answer of one probe: a number with its interval, or the reason why there is none."),
    ("Inconclusive", "The interval reaches across the limit: these data cannot decide it. More rows usually can."),
    ("Interval", "Where the true value is expected to lie; a 95 % interval misses it in 1 of 20 cases at most."),
    ("Limit", "The number a requirement asks a metric to stay below, or above. Its origin is stated beside it."),
    ("Probe", "A question put to the model and its data."),
    ("Profile", "A named set of requirements. The same findings can be judged under another profile."),
    ("Reference", "Training data, or other earlier data, that the tested data are compared with."),
    ("Requirement", "A limit on a metric, with what it is worth and where it comes from."),
    ("Severity", "How much a requirement matters: critical, major or minor."),
)  # fmt: skip


def evidence(report: Report) -> dict[str, Any]:
    """Return the facts of the appendix."""
    outline = standard.load()
    return {
        "statement": STATEMENT,
        "standard": f"{outline.id}, {outline.title}",
        "coverage": _coverage(report),
        "frameworks": [_framework(item) for item in outline.frameworks],
        "crosswalk": [
            (
                dimension.title,
                [", ".join(row.references) or "–" for row in outline.crosswalk(dimension.id)],
            )
            for dimension in outline.dimensions
        ],
        "how_scores": HOW_SCORES,
        "fingerprints": _fingerprints(report),
        "environment": sorted(report.environment.items())[:40],
        "run": run_facts(report),
        "sent": _sent(report),
        "profile": report.profile,
        "correlations": len(report.correlations),
        "seed": report.seed,
        "schema_version": report.schema_version,
        "glossary": GLOSSARY,
    }


def clause_label(id_: str) -> str:
    """Return a clause's number and title, with a dagger where they are not confirmed."""
    try:
        return standard.load().clause(id_).label
    except KeyError:
        return f"{short(id_, 40)}†"


def attribute_title(key: str) -> str:
    """Return an attribute's name in reports; its key where the standard has none."""
    try:
        return standard.load().attribute(key).title
    except KeyError:
        return short(key, 60)


def _coverage(report: Report) -> list[dict[str, Any]]:
    clauses: dict[str, dict[str, None]] = {}
    asked: dict[str, int] = {}
    for finding in report.findings.values():
        for key in finding.keys:
            clauses.setdefault(key, {}).update(dict.fromkeys(finding.clauses))
            asked[key] = asked.get(key, 0) + (str(finding.status) == "measured")
    return [
        {
            "title": dimension.title,
            "clauses": ", ".join(clause_label(id_) for id_ in dimension.clauses),
            "attributes": [
                {
                    "title": attribute.title,
                    "meaning": attribute.meaning,
                    "status": short(report.coverage.get(attribute.key, "not covered"), 40),
                    "symbol": COVERAGE.get(report.coverage.get(attribute.key, "not covered"), "?"),
                    "findings": asked.get(attribute.key, 0),
                    "clauses": ", ".join(
                        clause_label(id_) for id_ in list(clauses.get(attribute.key, {}))[:8]
                    )
                    or "–",
                }
                for attribute in dimension.attributes
            ],
        }
        for dimension in standard.load().dimensions
    ]


def _framework(item: standard.Framework) -> dict[str, Any]:
    dates = [f"{date.isoformat()}: {what}" for date, what in item.applies]
    said = ". ".join(part.rstrip(".") for part in (item.title, item.note, item.source) if part)
    return {
        "id": item.id + ("" if item.confirmed else "†"),
        "about": said + "." + (f" Applies from {'; '.join(dates)}." if dates else ""),
    }


def _fingerprints(report: Report) -> list[tuple[str, str]]:
    found = [
        ("Data under test", report.subject.get("data_sha256")),
        ("Reference data", report.subject.get("reference_sha256")),
        ("Profile", report.profile.sha256),
    ]
    return [(name, short(value, 80)) for name, value in found if value]


def run_facts(report: Report) -> list[tuple[str, str]]:
    """Return what may differ between two equal runs, but for where it ran."""
    run = report.run
    said = []
    for key, name in (
        ("started", "Started"),
        ("seconds", "Seconds"),
        ("model_seconds", "Seconds in the model"),
        ("library_seconds", "Seconds in shap and in estimators fitted here"),
    ):
        value = run.get(key)
        if isinstance(value, (str, int, float)):
            said.append((name, number(value)))
    for key, name in (("rows_sent", "Rows sent to the model"), ("calls", "Calls of the model")):
        table = run.get(key)
        if isinstance(table, Mapping) and table:
            said.append((name, _counts(table)))
    if said and (ratio := _view.rows_per_row(report)) is not None:
        said.append(("Rows sent per given row", ratio))
    return said


def _counts(table: Mapping[str, Any]) -> str:
    return ", ".join(f"{clean(k)[:40]} {number(v)}" for k, v in sorted(table.items())[:12])


def _sent(report: Report) -> list[tuple[str, str, str]]:
    """Return rows sent and seconds of the findings that cost most."""
    costs = [
        (sum(f.rows_sent.values()), f.seconds, short(f.key, 60))
        for f in report.findings.values()
        if f.rows_sent or f.seconds
    ]
    costs.sort(key=lambda cost: (-cost[0], -cost[1], cost[2]))
    return [(key, count(rows, "row"), f"{seconds:.2f} s") for rows, seconds, key in costs[:20]]
