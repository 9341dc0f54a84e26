"""A report as a terminal shows it."""

from __future__ import annotations

import shutil
import sys
from io import StringIO

from rich.console import Console
from rich.table import Table
from rich.text import Text

from trustcheck.report import _view
from trustcheck.report._text import cells, clean, number, short
from trustcheck.report._view import Entry
from trustcheck.types import Report, Score, Status, Verdict, VerdictStatus

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
_REASONS = 8


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
    if missing:
        console.print("Required, but not measured:")
        lines = [("○", f"{''.join(label)}: {why}", "") for label, why in missing]
        _reasons(console, lines)
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
    lines = [
        (
            _view.SYMBOLS[verdict.status],
            f"{''.join(entry.label)}: {_brief(verdict) or _said(entry)}",
            _STYLES[verdict.status],
        )
        for entry, verdict in shown
    ]
    _reasons(console, lines)
    console.print()
    console.print(_scores(report))
    if listed:
        console.print()
        console.print(_findings(listed, console.width - 50))
    console.print()
    console.print(_view.OWN_SCHEME)
    if said := _view.cost(report):
        console.print(said, style="dim")


def _reasons(console: Console, lines: list[tuple[str, str, str]]) -> None:
    table = Table.grid(padding=(0, 1))
    for mark, said, style in lines[:_REASONS]:
        table.add_row(Text(f" {mark}", style), Text(short(said, 200)))
    if len(lines) > _REASONS:
        table.add_row("", f"and {len(lines) - _REASONS} more")
    if lines:
        console.print(table)


def _brief(verdict: Verdict) -> str:
    """Return what would settle it, without what the present rows would show: the report has it."""
    return _view.settles(verdict).partition(" The present rows ")[0]


def _said(entry: Entry) -> str:
    got = _view.judged(entry)
    limit = _view.limit_text(entry.verdict)
    if got is None and entry.finding is not None and entry.finding.reason:
        return entry.finding.reason
    return f"{_view.measured_text(got[1])}, asked {limit}" if got else limit


def _grid() -> Table:
    return Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")


def _scores(report: Report) -> Table:
    table = _grid()
    table.add_column("dimension", no_wrap=True)
    table.add_column("0       60 100", no_wrap=True)
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


def _findings(listed: list[Entry], room: int) -> Table:
    table = _grid()
    table.add_column("finding", ratio=1, overflow="ellipsis", no_wrap=True)
    table.add_column("value", justify="right", no_wrap=True)
    table.add_column("low–high", justify="right", no_wrap=True)
    table.add_column("asked", no_wrap=True, max_width=14)
    table.add_column("verdict", no_wrap=True)
    table.expand = True
    pillar = None
    for entry in listed:
        key = entry.finding.key if entry.finding is not None else entry.verdicts[0].key
        home, _, rest = key.partition(".")
        if home != pillar:
            pillar = home
            table.add_row(Text(short(home, 40), "bold"))
        table.add_row(Text("  " + _squeezed(rest or home, room)), *_numbers(entry))
    return table


def _numbers(entry: Entry) -> list[Text]:
    got, verdict = _view.judged(entry), entry.verdict
    if got:
        exact = got[1].low == got[1].high
        ends = "exact" if exact else f"{number(got[1].low)}–{number(got[1].high)}"
        numbers = [number(got[1].value), ends]
    elif entry.finding is None:
        numbers = ["–", ""]
    else:
        numbers = ["crashed" if entry.finding.status is Status.ERROR else "skipped", ""]
    limit = _view.limit_text(verdict).replace("at most", "≤").replace("at least", "≥")
    judged = Text("– not judged", "dim") if verdict is None else _verdict(verdict.status)
    return [*map(Text, numbers), Text(limit.replace(" and ", " ")), judged]


def _squeezed(text: str, width: int) -> str:
    """Cut a name in the middle: its parameters at the end tell it from its siblings."""
    said = clean(text)
    if cells(said) <= width:
        return said
    end = said[-14:] if said.isascii() else ""
    return short(said, width - len(end)) + end
