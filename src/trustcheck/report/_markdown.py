"""A report as Markdown: text that stays text, whatever names it holds."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any

from trustcheck.report import _view
from trustcheck.report._text import clean, interval, metric_name, number, percent, short
from trustcheck.report._view import Entry, Name, Sentence
from trustcheck.types import Report, VerdictStatus

_MARKS = re.compile(r"([\\`*_\[\]<>|~&#$!@])")
_LINKS = re.compile(r"(?i)\b(https?|ftp|mailto|xmpp|www)([:.])")


def markdown(report: Report) -> str:
    """Return the report as Markdown."""
    listed = _view.entries(report)
    blocks = [
        f"# Trust report: {escaped(_view.subject_name(report))}",
        _scope(report),
        _unmeasured(report),
        f"## Verdict: {_view.SYMBOLS[report.verdict]} {_view.WORDS[report.verdict]}",
        f"**{_view.headline(report)}** {_sentences(_view.summary(report))}",
        "## Scores",
        scores_table(report),
        (
            f"{_view.OWN_SCHEME} 60 is the requirement line; the assured score counts what was not"
            " measured as 0."
        ),
        "## Findings",
        findings_table(listed),
        *_section("## What would settle what is open", map(_settles, listed)),
        *_section("## How few rows carry a verdict", map(_fragility, listed)),
        *_section("## Where the limits come from", dict.fromkeys(map(_provenance, listed))),
        *_section("## Skipped or crashed", map(_skipped, listed)),
        "## Made with",
        _made_with(report),
    ]
    return "\n\n".join(block for block in blocks if block) + "\n"


def escaped(text: Any, width: int = 80) -> str:
    r"""Return foreign text so that Markdown shows it as it is.

    Examples
    --------
    >>> escaped("a|b <script> `x`")
    'a\\|b \\<script\\> \\`x\\`'
    """
    return _LINKS.sub(r"\1\\\2", _MARKS.sub(r"\\\1", short(text, width)))


def code(text: Any, width: int = 100) -> str:
    """Return foreign text as code that is safe inside a table."""
    said = short(text, width).replace("|", "\\|")
    longest = max((len(run) for run in re.findall("`+", said)), default=0)
    fence = "`" * (longest + 1)
    pad = " " if longest else ""
    return f"{fence}{pad}{said}{pad}{fence}"


def _sentences(sentences: Iterable[Sentence]) -> str:
    return " ".join(sentence(parts) for parts in sentences)


def sentence(parts: Sentence) -> str:
    """Return a sentence with the foreign text in it escaped."""
    return "".join(escaped(part, 400) if isinstance(part, Name) else part for part in parts)


def _scope(report: Report) -> str:
    said = _view.scope_sentence(report)
    return f"> **Partial report.** {said}" if said else ""


def _unmeasured(report: Report) -> str:
    found = _view.unmeasured(report)
    if not found:
        return ""
    items = [f"- **{sentence(label)}**: {escaped(why, 200)}" for label, why in found]
    return "**Required, but not measured**\n\n" + "\n".join(items)


def _table(head: Sequence[str], rows: Iterable[Sequence[str]], right: Iterable[int] = ()) -> str:
    to_right = set(right)
    rule = ["---:" if i in to_right else "---" for i in range(len(head))]
    lines = [head, rule, *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def scores_table(report: Report) -> str:
    rows = [
        (
            _view.score_title(s),
            "–" if s.score is None else number(round(s.score)),
            number(round(s.low)),
            number(round(s.high)),
            _marked(s.verdict),
            percent(s.coverage),
            str(s.assurance or "–"),
        )
        for s in report.dimension_scores
    ]
    head = ("Dimension", "Score", "Assured", "At best", "Verdict", "Coverage", "Assurance")
    return _table(head, rows, right=(1, 2, 3, 5))


def _marked(status: VerdictStatus) -> str:
    return f"{_view.SYMBOLS[status]} {_view.WORDS[status]}"


def findings_table(listed: Iterable[Entry]) -> str:
    rows = []
    for entry in listed:
        got, verdict = _view.judged(entry), entry.verdict
        status = "– Not judged" if verdict is None else _marked(verdict.status)
        key = entry.finding.key if entry.finding is not None else entry.verdicts[0].key
        name = escaped(entry.title, 60)
        measured = f"{escaped(metric_name(got[0]))} {number(got[1].value)}" if got else "–"
        rows.append(
            (
                f"{name}<br>{code(key)}",
                measured,
                interval(got[1]) if got else "–",
                _view.limit_text(verdict) or "–",
                status,
            )
        )
    if not rows:
        return "No probe was run."
    return _table(("Finding", "Number", "Interval", "Asked", "Verdict"), rows)


def _section(title: str, items: Iterable[str]) -> list[str]:
    lines = [f"- {item}" for item in items if item]
    return [title, "\n".join(lines)] if lines else []


def _settles(entry: Entry) -> str:
    return _labelled(entry, map(_view.settles, entry.verdicts))


def _fragility(entry: Entry) -> str:
    return _labelled(entry, map(_view.fragility, entry.verdicts))


def _labelled(entry: Entry, said: Iterable[str]) -> str:
    text = " ".join(filter(None, said))
    return f"{sentence(entry.label)}: {escaped(text, 400)}" if text else ""


def _provenance(entry: Entry) -> str:
    if entry.verdict is None or not _view.limit_text(entry.verdict):
        return ""
    requirement = entry.verdict.requirement
    return (
        f"{escaped(entry.title, 60)}, {_view.limit_text(entry.verdict)}"
        f" ({requirement.severity}): {escaped(requirement.provenance, 200)}"
    )


def _skipped(entry: Entry) -> str:
    said = _view.no_number(entry) if entry.finding is not None else ""
    return f"{sentence(entry.label)}: {escaped(said, 300)}" if said else ""


def _made_with(report: Report) -> str:
    facts = [
        (
            "Profile",
            f"{escaped(report.profile.name)}, version {escaped(report.profile.version, 20)}",
        ),
        ("Profile SHA-256", code(report.profile.sha256) if report.profile.sha256 else ""),
        ("Data SHA-256", code(clean(report.subject.get("data_sha256") or ""))),
        ("Seed", str(report.seed)),
        *((escaped(name, 40), escaped(v, 60)) for name, v in sorted(report.environment.items())),
    ]
    return "\n".join(f"- {name}: {value}" for name, value in facts if value.strip("`"))
