"""Templates of the documents an audit asks for, with what a report has measured filled in."""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from importlib import resources
from os import PathLike
from pathlib import Path
from typing import Any

from trustcheck import standard
from trustcheck.report import _view
from trustcheck.report._files import write
from trustcheck.report._markdown import code, escaped, findings_table
from trustcheck.types import InputError, Report

REGISTER = "documents.toml"
BLANK = standard.BLANK


def init_documents(folder: str | PathLike[str], report: Report | None = None) -> list[Path]:
    """Write templates and register; see :func:`trustcheck.report.init_documents`."""
    folder = Path(folder)
    kinds = standard.load().document_kinds
    asked = tomllib.loads(
        resources.files(__package__).joinpath("templates/documents.toml").read_text("utf-8")
    )
    texts = {f"{kind.id}.md": _template(kind, asked[kind.id], report) for kind in kinds}
    texts = {REGISTER: _register(kinds), **texts}
    taken = [name for name in texts if (folder / name).exists()]
    if taken:
        raise InputError(
            f"{folder.name} already holds {', '.join(taken)}; nothing was written, so that no"
            " work is lost. Name another folder"
        )
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in texts.items():
        write(folder / name, text.encode())
    return [folder / name for name in texts]


def _register(kinds: Sequence[standard.DocumentKind]) -> str:
    entries = "\n\n".join(
        f'[[document]]  # {kind.title}\nkind = "{kind.id}"\npath = "{kind.id}.md"\n'
        'owner = ""  # who answers for it\ndate = ""  # of its last approval: 2026-05-31'
        for kind in kinds
    )
    return f"# The register accountability.documents reads: tc.Context(documents={REGISTER!r}).\n\n{entries}\n"


def _template(kind: standard.DocumentKind, asked: dict[str, Any], report: Report | None) -> str:
    blocks = [
        f"# {kind.title}",
        _speaks(kind),
        f"| | |\n| --- | --- |\n| Owner | {BLANK} |\n| Approved on | {BLANK} |\n| Holds until | {BLANK} |",
        "## The model",
        f"{BLANK}" if report is None else _subject(report),
    ]
    for heading, question in asked["questions"]:
        blocks += [f"## {heading}", f"{question}", BLANK]
    if "threats" in asked:
        blocks += ["## Threats", _threats(asked["threats"], report)]
    if report is not None:
        blocks += ["## What was measured", _measured(kind, report)]
    return "\n\n".join(blocks) + "\n"


def _speaks(kind: standard.DocumentKind) -> str:
    spoken = ", ".join(key.replace("_", " ") for key in kind.attributes)
    return f"Asked for by {', '.join(kind.references)}. Speaks to {spoken}."


def _subject(report: Report) -> str:
    card = report.subject
    columns = ", ".join(escaped(feature["name"], 40) for feature in card["features"][:40])
    return (
        f"{escaped(_view.subject_name(report))}: {card['task']}, {card['rows']:,} rows tested,"
        f" {len(card['features'])} columns read ({columns}). Data"
        f" {code((card.get('data_sha256') or '-')[:12])}, profile {escaped(report.profile.name)}."
        f" Verdict: {_view.WORDS[report.verdict]}."
    )


def _entries(report: Report, wanted: Any) -> list[_view.Entry]:
    return [e for e in _view.entries(report) if e.finding is not None and wanted(e.finding)]


def _measured(kind: standard.DocumentKind, report: Report) -> str:
    attributes = set(kind.attributes)
    found = _entries(report, lambda finding: attributes & set(finding.keys))
    if not found:
        return "No probe that speaks to this was run."
    return findings_table(found)


def _threats(clauses: Sequence[str], report: Report | None) -> str:
    """Return one row per threat of the outline, with the findings that bear on it."""
    outline = standard.load()
    lines = ["| Threat | Evidence | Likelihood | Measure | Risk that remains |", "| --- " * 5 + "|"]
    for clause in clauses:
        found = (
            []
            if report is None
            else _entries(report, lambda finding, clause=clause: clause in finding.clauses)
        )
        evidence = "; ".join(
            f"{escaped(entry.title, 60)}: {_view.WORDS[entry.verdict.status]}"
            for entry in found
            if entry.verdict is not None
        )
        name = f"{outline.clause(clause).title} (TR 24028 {outline.clause(clause).label})"
        lines.append(f"| {name} | {evidence or 'not measured'} | {BLANK} | {BLANK} | {BLANK} |")
    return "\n".join(lines)
