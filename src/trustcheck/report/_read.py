"""Plain data read back into a report, with plain words for what does not fit."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import Any, NoReturn, TypeVar

from trustcheck.report._json import FORMAT
from trustcheck.types import (
    SCHEMA_VERSION,
    Assurance,
    Better,
    Dimension,
    Estimate,
    Finding,
    Findings,
    Fragility,
    InputError,
    Method,
    Profile,
    Report,
    Requirement,
    Scope,
    Score,
    Severity,
    Status,
    Verdict,
    VerdictStatus,
)

Read = Callable[[Any, str], Any]
_T = TypeVar("_T")
_LARGEST = sys.float_info.max


def loads(content: bytes) -> Report:
    """Read a report from the bytes of a saved one."""
    try:
        data = json.loads(
            content.decode("utf-8-sig"), parse_constant=_no_constant, parse_float=_finite
        )
    except UnicodeDecodeError as fault:
        raise InputError("this is no saved report: it is not text in UTF-8") from fault
    except json.JSONDecodeError as fault:
        where = f"line {fault.lineno}, column {fault.colno}"
        raise InputError(
            f"this is no complete saved report: it is not valid JSON at {where};"
            " the file may have been cut short"
        ) from fault
    except RecursionError as fault:
        raise InputError("this is no saved report: it is nested too deeply") from fault
    except InputError:
        raise
    except ValueError as fault:  # a number with more digits than Python reads
        raise InputError(
            "this is no saved report: it holds a number that cannot be read"
        ) from fault
    return from_dict(data)


def from_dict(data: Any) -> Report:
    """Build a report from plain data; see :func:`trustcheck.report.from_dict`."""
    if not isinstance(data, Mapping) or data.get("format") != FORMAT:
        raise InputError(
            f'this is no saved trustcheck report: it lacks "format": "{FORMAT}"'
            ' (save one with report.save("report.json"))'
        )
    version = _text(data.get("schema_version"), "schema_version")
    if version.partition(".")[0] != SCHEMA_VERSION.partition(".")[0]:
        raise InputError(
            f"this report has schema version {version[:20]};"
            f" this trustcheck reads version {SCHEMA_VERSION.partition('.')[0]}.x"
        )
    got = {name: _at(read, data, name, "") for name, read in _REPORT.items()}
    run = dict(got["run"])
    facts = run.pop("findings", {})
    findings = tuple(
        _finding(item, facts, f"findings[{i}]") for i, item in enumerate(got["findings"])
    )
    try:
        by_key = Findings(findings)
    except ValueError as fault:
        raise InputError(f"this report does not fit its schema: {fault}") from fault
    return Report(
        subject=got["subject"],
        findings=by_key,
        verdicts=got["verdicts"],
        dimension_scores=got["scores"],
        verdict=got["verdict"],
        reasons=got["reasons"],
        profile=got["profile"],
        scope=got["scope"],
        coverage=got["coverage"],
        correlations=got["correlations"],
        environment=got["environment"],
        seed=got["seed"],
        run=run,
    )


# Readers: each takes a value and where it stands, and returns it or says what is wrong with it.


def _no_constant(name: str) -> NoReturn:
    raise InputError(f"this is no saved report: it holds {name}, which JSON does not know")


def _finite(digits: str) -> float:
    value = float(digits)
    if math.isinf(value):
        _no_constant("a number beyond all floats")
    return value


def _wrong(at: str, wanted: str, value: Any) -> InputError:
    kind = "nothing" if value is None else type(value).__name__
    return InputError(f"this report does not fit its schema: {at} must be {wanted}, not {kind}")


def _text(value: Any, at: str) -> str:
    if isinstance(value, str):
        return value
    raise _wrong(at, "text", value)


def _whole(value: Any, at: str) -> int:
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    raise _wrong(at, "a whole number", value)


def _real(value: Any, at: str) -> float:
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if is_number and -_LARGEST <= value <= _LARGEST:  # False for NaN, too
        return value
    raise _wrong(at, "a finite number", value)


def _flag(value: Any, at: str) -> bool:
    if isinstance(value, bool):
        return value
    raise _wrong(at, "true or false", value)


def _any(value: Any, at: str) -> Any:  # noqa: ARG001 - a reader like the others
    return value


def _scalar(value: Any, at: str) -> Any:
    if isinstance(value, (dict, list)):
        raise _wrong(at, "text, a number, true, false or null", value)
    return value


def _member(kind: type[StrEnum]) -> Read:
    def read(value: Any, at: str) -> StrEnum:
        if isinstance(value, str) and value in set(kind):
            return kind(value)
        raise _wrong(at, f"one of {', '.join(kind)}", value)

    return read


def _one_of(*choices: str) -> Read:
    def read(value: Any, at: str) -> Any:
        if isinstance(value, str) and value in choices:
            return value
        raise _wrong(at, f"one of {', '.join(choices)}", value)

    return read


def _maybe(read: Read) -> Read:
    return lambda value, at: None if value is None else read(value, at)


def _list(read: Read) -> Read:
    def inner(value: Any, at: str) -> tuple[Any, ...]:
        if not isinstance(value, (list, tuple)):
            raise _wrong(at, "a list", value)
        return tuple(read(item, f"{at}[{i}]") for i, item in enumerate(value))

    return inner


def _table(read: Read) -> Read:
    def inner(value: Any, at: str) -> dict[str, Any]:
        if not isinstance(value, Mapping):
            raise _wrong(at, "an object", value)
        return {_text(name, at): read(item, f"{at}.{name[:80]}") for name, item in value.items()}

    return inner


def _at(read: Read, data: Mapping[str, Any], name: str, at: str) -> Any:
    place = f"{at}.{name}" if at else name
    if name not in data:
        raise InputError(f"this report does not fit its schema: {place} is missing")
    return read(data[name], place)


def _record(
    kind: type[_T], fields: Mapping[str, Read], later: Mapping[str, Read] | None = None
) -> Callable[[Any, str], _T]:
    """Read one object; ``later`` are fields that older reports lack."""

    def read(value: Any, at: str) -> _T:
        if not isinstance(value, Mapping):
            raise _wrong(at, "an object", value)
        there = {name: field for name, field in (later or {}).items() if name in value}
        got = {
            name: _at(field, value, name, at) for name, field in (*fields.items(), *there.items())
        }
        try:
            return kind(**got)
        except ValueError as fault:
            raise InputError(f"this report does not fit its schema: {at}: {fault}") from fault

    return read


def _range(value: Any, at: str) -> tuple[Any, ...]:
    ends: tuple[Any, ...] = _list(_maybe(_real))(value, at)
    if len(ends) != 2:
        raise _wrong(at, "a list of two ends", value)
    return ends


def _metrics(value: Any, at: str) -> dict[str, Estimate]:
    items: tuple[Any, ...] = _list(_any)(value, at)
    found = {}
    for i, item in enumerate(items):
        estimate = _estimate(item, f"{at}[{i}]")
        found[_at(_text, item, "name", f"{at}[{i}]")] = estimate
    return found


def _finding(value: Any, facts: Any, at: str) -> Finding:
    if not isinstance(value, Mapping):
        raise _wrong(at, "an object", value)
    got = {name: _at(read, value, name, at) for name, read in _FINDING.items()}
    order = got.pop("columns")
    if any(name not in order for row in got["rows"] for name in row):
        raise InputError(f"this report does not fit its schema: {at}.rows hold unlisted columns")
    got["rows"] = tuple({name: row[name] for name in order if name in row} for row in got["rows"])
    if got["status"] is Status.MEASURED and got["headline"] not in got["metrics"]:
        raise InputError(
            f"this report does not fit its schema: {at} was measured but has no number"
        )
    own = facts.get(got["key"], {}) if isinstance(facts, Mapping) else {}
    place = f"run.findings.{got['key'][:80]}"
    own = _table(_any)(own, place)
    return Finding(
        **got,
        rows_sent=_table(_whole)(own.get("rows_sent", {}), f"{place}.rows_sent"),
        seconds=float(_maybe(_real)(own.get("seconds"), f"{place}.seconds") or 0.0),
    )


_estimate = _record(
    Estimate,
    {
        "value": _real,
        "low": _real,
        "high": _real,
        "n": _whole,
        "unit": _text,
        "method": _member(Method),
        "range": _range,
        "better": _maybe(_member(Better)),
    },
)
_requirement = _record(
    Requirement,
    {
        "key": _text,
        "at_most": _maybe(_real),
        "at_least": _maybe(_real),
        "metric": _maybe(_text),
        "target": _maybe(_real),
        "worst": _maybe(_real),
        "severity": _member(Severity),
        "weight": _real,
        "required": _flag,
        "family": _maybe(_text),
        "assurance": _maybe(_member(Assurance)),
        "provenance": _text,
        "not_applicable": _maybe(_text),
        "dimension": _maybe(_member(Dimension)),
        "title": _text,
    },
)
_profile = _record(
    Profile,
    {
        "name": _text,
        "version": _text,
        "description": _text,
        "inconclusive": _one_of("warn", "fail"),
        "sha256": _text,
        "requirements": _list(_requirement),
    },
)
_fragility = _record(
    Fragility,
    {
        "removals": _maybe(_whole),
        "relabels": _maybe(_whole),
        "exact": _flag,
        "said": _text,
    },
)
_verdict = _record(
    Verdict,
    {
        "key": _text,
        "requirement": _requirement,
        "status": _member(VerdictStatus),
        "message": _text,
        "metric": _text,
        "dimension": _member(Dimension),
        "estimate": _maybe(_estimate),
        "rows_needed": _maybe(_whole),
        "group": _maybe(_text),
        "point_meets": _flag,
        "strict": _flag,
    },
    {"fragility": _maybe(_fragility)},
)
_score = _record(
    Score,
    {
        "dimension": _member(Dimension),
        "score": _maybe(_real),
        "low": _real,
        "high": _real,
        "verdict": _member(VerdictStatus),
        "coverage": _real,
        "assurance": _maybe(_member(Assurance)),
        "reason": _text,
    },
)
_FINDING: Mapping[str, Read] = {
    "id": _text,
    "key": _text,
    "title": _text,
    "question": _text,
    "dimension": _member(Dimension),
    "keys": _list(_text),
    "clauses": _list(_text),
    "version": _whole,
    "params": _table(_any),
    "seed": _whole,
    "status": _member(Status),
    "headline": _text,
    "better": _member(Better),
    "metrics": _metrics,
    "columns": _list(_text),
    "rows": _list(_table(_scalar)),
    "statistics": _table(_any),
    "formula": _maybe(_text),
    "notes": _list(_text),
    "assurance": _member(Assurance),
    "picture": _maybe(_text),
    "incomplete": _maybe(_text),
    "reason": _maybe(_text),
    "error": _maybe(_table(_text)),
}
_REPORT: Mapping[str, Read] = {
    "statement": _text,
    "subject": _table(_any),
    "profile": _profile,
    "scope": _member(Scope),
    "seed": _whole,
    "verdict": _member(VerdictStatus),
    "reasons": _list(_text),
    "scores": _list(_score),
    "verdicts": _list(_verdict),
    "findings": _list(_any),
    "coverage": _table(_text),
    "correlations": _table(_real),
    "environment": _table(_text),
    "run": _table(_any),
}
