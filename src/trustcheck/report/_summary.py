"""A report as a short Markdown summary, for the page of a pipeline's run."""

from __future__ import annotations

from collections.abc import Sequence

from trustcheck.report import _view
from trustcheck.report._markdown import escaped
from trustcheck.report._text import number
from trustcheck.types import Report, VerdictStatus

_MOST = 10


def summary(report: Report, *, remarks: Sequence[str] = ()) -> str:
    """Return verdict, scores, what failed or is open, and remarks, in a screen of Markdown."""
    symbol, word = _view.SYMBOLS[report.verdict], _view.WORDS[report.verdict]
    lines = [
        f"### {symbol} {word}: {escaped(_view.subject_name(report))}",
        "",
        f"{_view.headline(report)} {_view.scope_sentence(report)}".strip(),
        "",
        "| Dimension | Score | Assured | Verdict |",
        "| --- | ---: | ---: | --- |",
    ]
    for s in report.dimension_scores:
        score = "–" if s.score is None else number(round(s.score))
        mark = f"{_view.SYMBOLS[s.verdict]} {_view.WORDS[s.verdict]}"
        lines.append(f"| {_view.score_title(s)} | {score} | {number(round(s.low))} | {mark} |")
    graver = (VerdictStatus.FAIL, VerdictStatus.NOT_MEASURED, VerdictStatus.INCONCLUSIVE)
    told = [
        v
        for status in graver
        for v in report.verdicts
        if v.status is status and (v.requirement.required or v.estimate is not None)
    ]
    if told:
        lines += [
            "",
            *(f"- {_view.SYMBOLS[v.status]} {escaped(v.message, 300)}" for v in told[:_MOST]),
        ]
    if len(told) > _MOST:
        lines.append(f"- and {len(told) - _MOST} more: see the report.")
    lines += ["", *(f"- {escaped(remark, 400)}" for remark in remarks)] if remarks else []
    return "\n".join(lines) + "\n\n"
