"""``trustcheck history``: the runs of a store, as a table or as a page."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from trustcheck.types import InputError

if TYPE_CHECKING:
    from trustcheck.store import Run, Store


def add_to(commands: Any) -> None:
    """Register the command."""
    parser = commands.add_parser(
        "history",
        help="show the runs of jobs: a table, or a page with trends",
        description="Shows what a store remembers. STORE is its path, its URL, or the job file that"
        " names it (which keeps the password out of the command line).",
    )
    parser.add_argument("store", help="job.toml, a SQLite file, or a postgresql:// URL")
    parser.add_argument("--job", metavar="NAME", help="only this job")
    parser.add_argument("--last", type=int, default=30, metavar="N", help="rows shown (30)")
    parser.add_argument("--html", type=Path, metavar="FILE", help="write the page of one job")
    parser.add_argument("--accept", type=int, metavar="RUN", help="let ratchets compare with it")
    parser.add_argument(
        "--reset", metavar="MONITOR", help="end a monitor's alarms; needs --because"
    )
    parser.add_argument("--because", metavar="TEXT", help="kept with the monitor's new epoch")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Open, change if asked, show."""
    store, own = _store(arguments.store)
    name = arguments.job or own
    if arguments.accept is not None:
        kept = store.accept(arguments.accept)
        print(f"Run {kept.number} is the accepted one of {kept.name!r}.")
    if arguments.reset is not None:
        _reset(store, arguments.reset, arguments.because)
    runs = store.runs(name)
    if not runs:
        raise InputError(f"{store.url} has no run" + (f" of job {name!r}" if name else ""))
    if arguments.html is not None:
        _page(store, runs, arguments.html)
    else:
        _table(runs, arguments.last)
    return 0


def _store(place: str) -> tuple[Store, str | None]:
    from trustcheck.store import open_store

    if not place.endswith(".toml"):
        return open_store(place, create=False), None
    from trustcheck import jobs

    job = jobs.load(place)
    return jobs.store_of(job, create=False), job.name


def _reset(store: Store, monitor: str, because: str | None) -> None:
    from trustcheck.monitor import Monitor

    if not because:
        raise InputError("--reset needs --because: say what was found, for whoever reads it later")
    Monitor(store, name=monitor).reset(because)
    print(f"Monitor {monitor!r} begins a new epoch with its next look.")


def _page(store: Store, runs: list[Run], target: Path) -> None:
    from trustcheck.report._files import write
    from trustcheck.report._history import page

    names = sorted({run.name for run in runs})
    if len(names) > 1:
        raise InputError(
            f"the store has several jobs, say which: --job {' | '.join(map(repr, names))}"
        )
    target.parent.mkdir(parents=True, exist_ok=True)
    latest = store.report(runs[-1].number)
    said = page(names[0], runs, store.numbers(names[0]), latest, target.resolve().parent)
    write(target, said.encode("utf-8"))
    print(f"History: {target.resolve()}")


def _table(runs: list[Run], last: int) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from trustcheck.report._history import label, remarks

    several = len({run.name for run in runs}) > 1
    table = Table(box=None, pad_edge=False)
    heads = ["run", *(["job"] if several else []), "stands for", "started (UTC)", "verdict", "exit"]
    for head in [*heads, "remarks"]:
        table.add_column(
            head, no_wrap=head != "remarks", justify="right" if head in ("run", "exit") else "left"
        )
    for run in runs[-last:]:
        row = [str(run.number), *([run.name] if several else []), label(run)]
        row += [
            run.started[:16].replace("T", " "),
            run.verdict,
            str(run.code),
            "; ".join(remarks(run, brief=True)),
        ]
        table.add_row(*map(Text, row))
    Console(highlight=False).print(table)
    if len(runs) > last:
        print(f"The last {last} of {len(runs)} runs; --last shows more.")
