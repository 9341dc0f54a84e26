"""A report as a terminal shows it."""

from __future__ import annotations

import shutil
import sys
from io import StringIO

from rich.console import Console
from rich.table import Table
from rich.text import Text

from trustcheck.report import _view
from trustcheck.report._text import number, short
from trustcheck.report._view import Entry
from trustcheck.types import Report, Score, Status, VerdictStatus

_STYLES = {
    VerdictStatus.PASS: "green",
    VerdictStatus.FAIL: "bold red",
    VerdictStatus.INCONCLUSIVE: "yellow",
    VerdictStatus.NOT_MEASURED: "dim",
    VerdictStatus.NOT_APPLICABLE: "dim",
}
_BAR = 14
_EIGHTHS = " ▏▎▍▌▋▊▉█"
_WIDEST = 110
_REASONS = 12


def report_text(report: Report, *, width: int | None = None, color: bool | None = False) -> str:
    """Return the report as text; see :func:`trustcheck.report.report_text`."""
    tty = sys.stdout.isatty()
    wide = width or (min(shutil.get_terminal_size((80, 24)).columns, _WIDEST) if tty else 80)
    coloured = tty if color is None else color
    out = StringIO()
    console = Console(
        file=out,
        width=max(wide, 60),
        force_terminal=coloured,
        color_system="standard" if coloured else None,
        markup=False,
        emoji=False,
        highlight=False,
        legacy_windows=False,
        _environ={},
    )
    _print(console, report)
    # Tables pad their last column; trailing blanks say nothing.
    return "\n".join(line.rstrip() for line in out.getvalue().rstrip().split("\n"))


def _print(console: Console, report: Report) -> None:
    scope = _view.scope_sentence(report)
    if scope:
        console.print(Text.assemble(("PARTIAL ", "bold yellow"), scope))
    console.print(Text.assemble(("Trust report: ", "bold"), _view.subject_name(report, 60)))
    missing = _view.unmeasured(report)
    for label, why in missing[:_REASONS]:
        console.print(_line("○ required, not measured: ", f"{''.join(label)}: {why}", "dim"))
    _rest(console, len(missing))
    status = report.verdict
    mark = f"{_view.SYMBOLS[status]} {_view.WORDS[status].upper()}"
    console.print(Text.assemble((mark, _STYLES[status]), "  ", _view.headline(report)))
    listed = _view.entries(report)
    shown = [
        (entry, verdict)
        for kind in (_view.FAIL, _view.OPEN)
        for entry in listed
        for verdict in entry.verdicts
        if verdict.status is kind
    ]
    for entry, verdict in shown[:_REASONS]:
        why = _view.settles(verdict) or _said(entry)
        symbol = _view.SYMBOLS[verdict.status]
        console.print(_line(f"{symbol} ", f"{''.join(entry.label)}: {why}", _STYLES[verdict.status]))
    _rest(console, len(shown))
    console.print()
    console.print(_scores(report))
    if listed:
        console.print()
        console.print(_findings(listed))
    console.print()
    console.print(_view.OWN_SCHEME)


def _line(mark: str, said: str, style: str) -> Text:
    return Text.assemble("  ", (mark, style), short(said, 240))


def _rest(console: Console, total: int) -> None:
    if total > _REASONS:
        console.print(f"  and {total - _REASONS} more")


def _said(entry: Entry) -> str:
    got = _view.judged(entry)
    limit = _view.limit_text(entry.verdict)
    return f"{_view.measured_text(got[1])}, asked {limit}" if got else limit


def _grid() -> Table:
    return Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")


def _scores(report: Report) -> Table:
    table = _grid()
    table.add_column("dimension", no_wrap=True)
    table.add_column("0     60    100", no_wrap=True)
    table.add_column("score", justify="right", no_wrap=True)
    table.add_column("low–high", justify="right", no_wrap=True)
    table.add_column("verdict", no_wrap=True)
    for score in report.dimension_scores:
        table.add_row(
            Text(short(_view.score_title(score), 29)),
            Text(_bar(score), _STYLES[score.verdict]),
            Text("–" if score.score is None else number(round(score.score))),
            Text(f"{round(score.low)}–{round(score.high)}"),
            _verdict(score.verdict),
        )
    return table


def _bar(score: Score) -> str:
    """Return a bar of blocks with the requirement line at 60."""
    eighths = 0 if score.score is None else round(score.score / 100 * _BAR * 8)
    full, part = divmod(eighths, 8)
    blocks = list("█" * full + (_EIGHTHS[part] if part else ""))
    blocks += ["·"] * (_BAR - len(blocks))
    line = round(0.6 * _BAR)
    if line >= full + bool(part):
        blocks[line] = "|"
    return "".join(blocks)


def _verdict(status: VerdictStatus) -> Text:
    return Text(f"{_view.SYMBOLS[status]} {_view.WORDS[status].lower()}", _STYLES[status])


def _findings(listed: list[Entry]) -> Table:
    table = _grid()
    table.add_column("finding", ratio=1, overflow="ellipsis", no_wrap=True)
    table.add_column("value", justify="right", no_wrap=True)
    table.add_column("low–high", justify="right", no_wrap=True)
    table.add_column("asked", no_wrap=True)
    table.add_column("verdict", no_wrap=True)
    table.expand = True
    for entry in listed:
        got, verdict = _view.judged(entry), entry.verdict
        status = entry.finding.status if entry.finding is not None else Status.SKIPPED
        missing = "crashed" if status is Status.ERROR else "skipped"
        key = entry.finding.key if entry.finding is not None else entry.verdicts[0].key
        table.add_row(
            Text(short(key, 80)),
            Text(number(got[1].value) if got else missing if entry.finding else "–"),
            Text(f"{number(got[1].low)}–{number(got[1].high)}" if got else ""),
            Text(_view.limit_text(verdict).replace("at most", "≤").replace("at least", "≥")),
            Text("– not judged", "dim") if verdict is None else _verdict(verdict.status),
        )
    return table
