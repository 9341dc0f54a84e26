"""A report as JUnit XML: one test case per requirement, as test dashboards read it."""

from __future__ import annotations

from collections.abc import Iterator
from xml.etree import ElementTree as ET

from trustcheck.report import _view
from trustcheck.report._text import clean, short
from trustcheck.types import Report, Scope, Verdict, VerdictStatus


def junit(report: Report) -> bytes:
    """Return the report as JUnit XML.

    A failed requirement is a ``failure``; a required one that nothing measured is an ``error``; an
    open one is a ``failure`` where it counts as one (strict, or its point misses the limit), else
    ``skipped``, as is what does not apply.
    """
    cases = list(_cases(report))
    suite = ET.Element("testsuite", name=f"trustcheck: {_view.subject_name(report)}")
    for case in cases:
        suite.append(case)
    counts = {kind: sum(case.find(kind) is not None for case in cases) for kind in _KINDS}
    for name, number in (
        ("tests", len(cases)), ("failures", counts["failure"]), ("errors", counts["error"]),
        ("skipped", counts["skipped"]),
    ):  # fmt: skip
        suite.set(name, str(number))
    suite.set("timestamp", str(report.run.get("started", ""))[:19])
    suite.set("time", f"{float(report.run.get('seconds') or 0):.3f}")
    around = ET.Element("testsuites")
    around.append(suite)
    ET.indent(around)
    return ET.tostring(around, encoding="utf-8", xml_declaration=True) + b"\n"


_KINDS = ("failure", "error", "skipped")


def _cases(report: Report) -> Iterator[ET.Element]:
    timed = set()
    for verdict in report.verdicts:
        requirement = verdict.requirement
        name = " ".join([verdict.key, requirement.metric or "", requirement.limit_text])
        case = ET.Element("testcase", classname=str(verdict.dimension), name=short(name, 300))
        finding = dict(report.findings).get(verdict.key)
        if finding is not None and finding.key not in timed:
            timed.add(finding.key)
            case.set("time", f"{finding.seconds:.3f}")
        kind = _kind(verdict)
        if kind:
            ET.SubElement(case, kind, type=str(verdict.status), message=short(verdict.message, 500))
        else:
            ET.SubElement(case, "system-out").text = clean(verdict.message)
        yield case
    if report.scope is not Scope.FULL:
        return
    for score in report.dimension_scores:
        if score.verdict is VerdictStatus.NOT_MEASURED:
            case = ET.Element("testcase", classname=str(score.dimension), name="any requirement")
            ET.SubElement(case, "error", type="not_measured", message=clean(score.reason))
            yield case


def _kind(verdict: Verdict) -> str | None:
    status = verdict.status
    if status is VerdictStatus.PASS:
        return None
    if status is VerdictStatus.NOT_APPLICABLE:
        return "skipped"
    if status is VerdictStatus.NOT_MEASURED:
        return "error" if verdict.requirement.required else "skipped"
    return "skipped" if verdict else "failure"
