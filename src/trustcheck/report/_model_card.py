"""A report as a model card: the sections of Hugging Face's template, each field marked by origin.

After Mitchell et al. (2019), Model Cards for Model Reporting. The metadata block is YAML (written as
JSON strings, which YAML reads), with results under ``model-index`` as on Hugging Face.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from trustcheck import standard
from trustcheck.report import _view
from trustcheck.report._markdown import code, escaped, findings_table, scores_table, sentence
from trustcheck.report._text import clean, count, short
from trustcheck.types import Finding, Report, Status, VerdictStatus

MEASURED, DECLARED, MISSING = "measured", "declared", "missing"
MEANING = {
    MEASURED: "read from the model or the data by trustcheck",
    DECLARED: "stated by people, and not checked",
    MISSING: "still to be written by people",
}
_LISTED = 40  # requirements or columns a list names
_TASKS = {"regression": "tabular-regression"}


@dataclass(frozen=True, slots=True)
class Field:
    """One field of the card: its name, where its content comes from, and the content."""

    name: str
    origin: str
    text: str


def model_card(report: Report) -> str:
    """Return the report as a model card."""
    sections = _sections(report)
    fields = [field for _, listed in sections for field in listed]
    tally = ", ".join(
        f"{sum(field.origin == origin for field in fields)} {origin} ({meaning})"
        for origin, meaning in MEANING.items()
    )
    blocks = [
        _metadata(report, fields),
        f"# Model card: {escaped(_view.subject_name(report))}",
        f"Made from a trustcheck report. Of its {len(fields)} fields: {tally}.",
        f"> **Partial report.** {said}" if (said := _view.scope_sentence(report)) else "",
    ]
    for title, listed in sections:
        blocks.append(f"## {title}")
        blocks += [_field(field) for field in listed]
    return "\n\n".join(block for block in blocks if block) + "\n"


def _field(field: Field) -> str:
    mark = "**missing**" if field.origin == MISSING else f"*{field.origin}*"
    apart = "\n\n" if "\n" in field.text else " "
    return f"**{field.name}** ({mark}):{apart}{field.text.rstrip()}"


def _missing(name: str, what: str) -> Field:
    return Field(name, MISSING, f"{standard.BLANK} {what}")


# Sections, in the order of the template -------------------------------------------------------


def _sections(report: Report) -> list[tuple[str, list[Field]]]:
    return [
        ("Model Details", list(_details(report))),
        ("Uses", [
            _missing("Direct use", "What it decides or supports, and for whom."),
            _missing("Out-of-scope use", "What it must not be used for."),
        ]),
        ("Bias, Risks, and Limitations", list(_risks(report))),
        ("How to Get Started with the Model", [_missing("Code", "How it is loaded and asked.")]),
        ("Training Details", list(_training(report))),
        ("Evaluation", list(_evaluation(report))),
        ("Environmental Impact", [_missing("Emissions", "Energy of training, and how it was found.")]),
        ("Technical Specifications", list(_technical(report))),
        ("Documents", [_documents(report)]),
        ("Model Card Contact", [_missing("Contact", "Who answers for this card.")]),
    ]  # fmt: skip


def _details(report: Report) -> Iterator[Field]:
    card = report.subject
    yield Field("Name", DECLARED, escaped(_view.subject_name(report)))
    yield Field("Model type", MEASURED, escaped(card.get("model") or "predictions alone", 120))
    yield Field("Task", MEASURED, escaped(card.get("task"), 40))
    if card.get("classes"):
        shown = ", ".join(escaped(label, 40) for label in card["classes"][:20])
        yield Field("Classes", MEASURED, shown)
    if card.get("positive") is not None:
        yield Field("Favourable class", DECLARED, escaped(card["positive"], 40))
    columns = card.get("features") or []
    named = ", ".join(escaped(c["name"], 40) for c in columns[:_LISTED])
    more = f" and {len(columns) - _LISTED} more" if len(columns) > _LISTED else ""
    yield Field("Inputs", MEASURED, f"{count(len(columns), 'column')}: {named}{more}")
    digest = _fingerprint(report, "model file")
    if digest:
        yield Field("Model file", MEASURED, f"SHA-256 {code(digest)}")
    else:
        yield _missing("Model file", "The file and its SHA-256 (tc.Context(artefact=...)).")
    yield _missing("Developed by", "People or organisation.")
    yield _missing("License", "Under which it may be used.")


def _risks(report: Report) -> Iterator[Field]:
    groups = ", ".join(escaped(name, 60) for name in report.subject.get("sensitive") or [])
    if groups:
        yield Field("Groups compared", DECLARED, groups)
    else:
        yield _missing(
            "Groups compared", "Which groups of people could fare differently (sensitive=)."
        )
    titles = {
        VerdictStatus.FAIL: "Requirements not met",
        VerdictStatus.INCONCLUSIVE: "Undecided, and what would settle it",
        VerdictStatus.NOT_MEASURED: "Asked, but not measured",
    }
    answers = _view.answers(report)
    for status, title in titles.items():
        lines = [
            f"- {sentence(answer.label)}"
            + (f": {escaped(answer.said, 300)}" if answer.said else "")
            for answer in answers[status][:_LISTED]
        ]
        origin = MISSING if status is VerdictStatus.NOT_MEASURED and lines else MEASURED
        yield Field(title, origin, "\n".join(lines) + "\n" if lines else "none")
    yield _missing("Recommendations", "What users of the model have to know and do about these.")


def _training(report: Report) -> Iterator[Field]:
    rows, digest = report.subject.get("reference_rows"), report.subject.get("reference_sha256")
    if rows:
        said = f"given as reference: {count(rows, 'row')}, SHA-256 {code(digest or '-')}"
        yield Field("Training data", DECLARED, said)
    else:
        yield _missing("Training data", "Where it came from and who may use it (reference=).")
    yield _missing("Training procedure", "Preprocessing, hyperparameters, who chose them.")


def _evaluation(report: Report) -> Iterator[Field]:
    card, profile = report.subject, report.profile
    tested = (
        f"{count(card.get('rows') or 0, 'row')}, SHA-256 {code(card.get('data_sha256') or '-')}"
    )
    yield Field("Testing data", MEASURED, tested)
    limits = f"profile {escaped(profile.name)}, version {escaped(profile.version, 20)}"
    about = f": {escaped(profile.description, 300)}" if profile.description else ""
    yield Field("Requirements", DECLARED, limits + about)
    yield Field("Verdict", MEASURED, f"{_view.WORDS[report.verdict]}. {_view.tally(report)[0]}")
    yield Field("Scores", MEASURED, f"{scores_table(report)}\n\n{_view.OWN_SCHEME}\n")
    yield Field("Results", MEASURED, findings_table(_view.entries(report)) + "\n")


def _technical(report: Report) -> Iterator[Field]:
    versions = ", ".join(
        f"{escaped(name, 40)} {escaped(version, 40)}"
        for name, version in sorted(report.environment.items())[:_LISTED]
    )
    yield Field("Software", MEASURED, versions or "not recorded")
    started = report.run.get("started")
    yield Field(
        "Evaluated", MEASURED, f"{escaped(started or 'not recorded', 40)}, seed {report.seed}"
    )


def _documents(report: Report) -> Field:
    rows = [row for f in _found(report, "accountability.documents") for row in f.rows]
    kept = [row for row in rows if row.get("complete")]
    if not kept:
        return _missing("Register", "Documents with owners and dates (trustcheck documents init).")
    lines = (f"- {escaped(row.get('title'), 80)}, {escaped(row.get('date'), 20)}" for row in kept)
    return Field("Register", DECLARED, "\n".join(lines) + "\n")


def _found(report: Report, id_: str) -> list[Finding]:
    return [f for f in report.findings.values() if f.id == id_ and f.status is Status.MEASURED]


def _fingerprint(report: Report, item: str) -> str | None:
    rows = [row for f in _found(report, "accountability.fingerprint") for row in f.rows]
    digests = [row.get("sha256") for row in rows if row.get("item") == item]
    return str(digests[0]) if digests and digests[0] else None


# Metadata -------------------------------------------------------------------------------------


def _metadata(report: Report, fields: list[Field]) -> str:
    task = _TASKS.get(str(report.subject.get("task")), "tabular-classification")
    name = short(_view.subject_name(report), 80)
    digest = clean(report.subject.get("data_sha256") or "unknown")
    results = [line for finding in report.findings.values() for line in _result(finding)]
    lines = [
        "---",
        f"pipeline_tag: {task}",
        f"tags: [{task}, trustcheck]",
        "model-index:",
        f"  - name: {_quoted(name)}",
        "    results:",
        f"      - task: {{type: {task}}}",
        f"        dataset: {{name: {_quoted('data under test of ' + name)}, type: {_quoted(digest)}}}",
        f"        metrics:{'' if results else ' []'}",
        *results,
        "trustcheck:",
        f"  verdict: {report.verdict}",
        f"  scope: {report.scope}",
        f"  profile: {_quoted(short(report.profile.name))}",
    ]
    lines += [
        f"  {origin}: [{', '.join(_quoted(f.name) for f in fields if f.origin == origin)}]"
        for origin in MEANING
    ]
    return "\n".join([*lines, "---"])


def _result(finding: Finding) -> Iterator[str]:
    if finding.status is not Status.MEASURED:
        return
    estimate = finding.estimate()
    ends = ", ".join(
        f"{k}: {_plain(v)}" for k, v in (("low", estimate.low), ("high", estimate.high))
    )
    yield f"          - type: {_quoted(short(finding.key, 120))}"
    yield f"            name: {_quoted(short(f'{finding.title}: {finding.headline}', 120))}"
    yield f"            value: {_plain(estimate.value)}"
    yield f"            args: {{{ends}, n: {estimate.n}}}"


def _plain(value: float) -> str:
    said = f"{value:.6g}"
    # YAML 1.1 takes an exponent for part of a number only after a decimal point.
    return f"{value:.5e}" if "e" in said else said


def _quoted(text: Any) -> str:
    return json.dumps(str(text), ensure_ascii=False)
