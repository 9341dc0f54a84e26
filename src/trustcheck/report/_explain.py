"""A verdict in full, as plain text: what a failed test shows the person who has to act."""

from __future__ import annotations

from collections.abc import Iterator

from trustcheck.report import _view
from trustcheck.report._json import columns
from trustcheck.report._text import cells, count, metric_name, number, short
from trustcheck.types import Finding, Row, Scalar, Status, Verdict, VerdictStatus

_ROWS, _COLUMNS, _NOTES = 12, 7, 4


def explain(verdict: Verdict, finding: Finding | None) -> str:
    """Return a verdict with its number, the groups behind it, and what would settle it."""
    title = finding.title if finding is not None else verdict.requirement.title or verdict.key
    word = f"{_view.SYMBOLS[verdict.status]} {_view.WORDS[verdict.status].upper()}"
    lines = [f"{word}: {short(title)}   {short(verdict.key, 120)}"]
    if finding is not None:
        lines.append(f"  {short(finding.question, 160)}")
    lines += [f"  {line}" for line in _about(verdict, finding)]
    if finding is not None and finding.status is Status.MEASURED:
        lines += [f"    {line}" for line in _table(finding.rows)]
        lines += [f"  · {short(note, 220)}" for note in finding.notes[:_NOTES]]
    return "\n".join(lines)


def _about(verdict: Verdict, finding: Finding | None) -> Iterator[str]:
    limit, origin = _view.limit_text(verdict), short(verdict.requirement.provenance, 200)
    if verdict.estimate is not None:
        estimate = verdict.estimate
        got = f"{metric_name(verdict.metric)} {_view.measured_text(estimate)}"
        yield f"measured  {got}, {count(estimate.n, 'row')}"
    elif finding is not None and finding.status is not Status.MEASURED:
        yield f"measured  nothing: {finding.status}, {short(finding.reason or '', 300)}"
    else:
        yield f"measured  nothing: {_view.why(verdict)}"
    yield f"asked     {limit or 'nothing'}  ({origin})"
    yield f"so        {_view.plain_words(verdict)}"
    if said := _view.settles(verdict):
        yield f"settle    {said}"
    if verdict.status is VerdictStatus.INCONCLUSIVE and not verdict and verdict.point_meets:
        yield "strict    inconclusive counts as a failure here"
    if said := _view.fragility(verdict):
        yield said


def _table(rows: tuple[Row, ...]) -> list[str]:
    if not rows:
        return []
    names = columns(rows)[:_COLUMNS]
    body = [[_cell(row.get(name)) for name in names] for row in rows[:_ROWS]]
    texts = [all(isinstance(row.get(n), (str, type(None))) for row in rows[:_ROWS]) for n in names]
    heads = [short(name.replace("_", " "), 24) for name in names]
    widths = [max(cells(line[i]) for line in [heads, *body]) for i in range(len(names))]

    def row(line: list[str]) -> str:
        said = (_pad(item, widths[i], left=texts[i]) for i, item in enumerate(line))
        return "  ".join(said).rstrip()

    more = [f"and {len(rows) - _ROWS} more rows: finding.to_frame()"] if len(rows) > _ROWS else []
    return [row(heads), *map(row, body), *more]


def _cell(value: Scalar) -> str:
    return short(value, 32) if isinstance(value, str) else number(value)


def _pad(text: str, width: int, *, left: bool) -> str:
    space = " " * (width - cells(text))
    return text + space if left else space + text
