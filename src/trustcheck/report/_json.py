"""A report as plain data, and back.

Everything that may differ between two equal runs stands under the one key ``run``. Numbers that
JSON cannot hold (NaN, infinities) become null; examples, influences and exceptions stay behind.
"""

from __future__ import annotations

import datetime as dt
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from importlib import resources
from typing import Any

from trustcheck.types import (
    SCHEMA_VERSION,
    Estimate,
    Finding,
    InputError,
    Profile,
    Report,
    Requirement,
    Row,
    Score,
    Verdict,
)

FORMAT = "trustcheck.report"
STATEMENT = (
    "Scores, limits and verdicts are trustcheck's own scheme. ISO/IEC TR 24028:2020 defines no"
    " levels of trustworthiness; findings are keyed to its clauses, scores are not its."
)


def schema() -> dict[str, Any]:
    """Return the JSON Schema of a saved report."""
    path = resources.files(__package__).joinpath("schema", f"report-{SCHEMA_VERSION}.json")
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return found


def dumps(report: Report) -> bytes:
    """Return the report as JSON: sorted, floats exact, one spelling for one report."""
    text = json.dumps(
        to_dict(report), sort_keys=True, indent=1, ensure_ascii=False, allow_nan=False
    )
    # A lone surrogate has no UTF-8; its escape is valid JSON.
    return (text + "\n").encode("utf-8", "backslashreplace")


def to_dict(report: Report) -> dict[str, Any]:
    """Return the report as plain data under the published schema."""
    return {
        "format": FORMAT,
        "schema_version": report.schema_version,
        "statement": STATEMENT,
        "subject": plain(report.subject),
        "profile": _profile(report.profile),
        "scope": str(report.scope),
        "seed": report.seed,
        "verdict": str(report.verdict),
        "reasons": list(report.reasons),
        "scores": [_score(score) for score in report.dimension_scores],
        "verdicts": [_verdict(verdict) for verdict in report.verdicts],
        "findings": [finding_to_dict(finding) for finding in report.findings.values()],
        "coverage": plain(report.coverage),
        "correlations": plain(report.correlations),
        "environment": plain(report.environment),
        "run": {
            **plain(report.run),
            "findings": {
                finding.key: {
                    "rows_sent": plain(finding.rows_sent),
                    "seconds": plain(float(finding.seconds)),
                }
                for finding in report.findings.values()
            },
        },
    }


def finding_to_dict(finding: Finding) -> dict[str, Any]:
    """Return one finding as plain data, as it stands in a saved report."""
    return {
        "id": finding.id,
        "key": finding.key,
        "title": finding.title,
        "question": finding.question,
        "dimension": str(finding.dimension),
        "keys": list(finding.keys),
        "clauses": list(finding.clauses),
        "version": finding.version,
        "params": plain(finding.params),
        "seed": finding.seed,
        "status": str(finding.status),
        "headline": finding.headline,
        "better": str(finding.better),
        "metrics": [
            {"name": name, **_estimate(estimate)} for name, estimate in finding.metrics.items()
        ],
        "columns": columns(finding.rows),
        "rows": [plain(row) for row in finding.rows],
        "statistics": plain(finding.statistics),
        "formula": finding.formula,
        "notes": list(finding.notes),
        "assurance": str(finding.assurance),
        "picture": finding.picture,
        "incomplete": finding.incomplete,
        "reason": finding.reason,
        "error": None if finding.error is None else plain(finding.error),
    }


def columns(rows: Iterable[Row]) -> list[str]:
    """Return the columns of detail rows, in the order in which they first appear."""
    return list(dict.fromkeys(name for row in rows for name in row))


def plain(value: Any) -> Any:
    """Return a value as JSON can hold it."""
    if value is None or isinstance(value, (bool, int)):
        return value
    if isinstance(value, str):
        return str(value)
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else None
    if isinstance(value, (dt.date, dt.time)):
        return value.isoformat()
    if isinstance(value, Mapping):
        return {str(name): plain(item) for name, item in value.items()}
    if hasattr(value, "tolist"):  # numpy arrays and scalars
        return plain(value.tolist())
    if isinstance(value, (Sequence, set, frozenset)):
        items = sorted(value, key=repr) if isinstance(value, (set, frozenset)) else value
        return [plain(item) for item in items]
    raise InputError(f"a report cannot hold a {type(value).__name__}")


def _estimate(estimate: Estimate) -> dict[str, Any]:
    return {
        "value": estimate.value,
        "low": estimate.low,
        "high": estimate.high,
        "n": estimate.n,
        "unit": estimate.unit,
        "method": str(estimate.method),
        "range": plain(list(estimate.range)),
        "better": None if estimate.better is None else str(estimate.better),
    }


def _requirement(requirement: Requirement) -> dict[str, Any]:
    return {
        "key": requirement.key,
        "at_most": requirement.at_most,
        "at_least": requirement.at_least,
        "metric": requirement.metric,
        "target": requirement.target,
        "worst": requirement.worst,
        "severity": str(requirement.severity),
        "weight": requirement.weight,
        "required": requirement.required,
        "family": requirement.family,
        "assurance": None if requirement.assurance is None else str(requirement.assurance),
        "provenance": requirement.provenance,
        "not_applicable": requirement.not_applicable,
        "dimension": None if requirement.dimension is None else str(requirement.dimension),
        "title": requirement.title,
    }


def _profile(profile: Profile) -> dict[str, Any]:
    return {
        "name": profile.name,
        "version": profile.version,
        "description": profile.description,
        "inconclusive": profile.inconclusive,
        "sha256": profile.sha256,
        "requirements": [_requirement(requirement) for requirement in profile.requirements],
    }


def _verdict(verdict: Verdict) -> dict[str, Any]:
    return {
        "key": verdict.key,
        "requirement": _requirement(verdict.requirement),
        "status": str(verdict.status),
        "message": verdict.message,
        "metric": verdict.metric,
        "dimension": str(verdict.dimension),
        "estimate": None if verdict.estimate is None else _estimate(verdict.estimate),
        "rows_needed": verdict.rows_needed,
        "group": verdict.group,
        "point_meets": verdict.point_meets,
        "strict": verdict.strict,
        "fragility": None if verdict.fragility is None else asdict(verdict.fragility),
    }


def _score(score: Score) -> dict[str, Any]:
    return {
        "dimension": str(score.dimension),
        "score": score.score,
        "low": score.low,
        "high": score.high,
        "verdict": str(score.verdict),
        "coverage": score.coverage,
        "assurance": None if score.assurance is None else str(score.assurance),
        "reason": score.reason,
    }
