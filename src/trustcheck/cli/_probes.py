"""``trustcheck probes``: what exists, what each needs, what it costs, and why it would be skipped."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from trustcheck.cli._inputs import add_subject_options, read_subject

if TYPE_CHECKING:
    from trustcheck.probe import Probe

_INDENT = " " * 34


def add_to(commands: Any) -> None:
    """Register the command."""
    parser = commands.add_parser(
        "probes",
        help="list the probes, and which of them apply to a model",
        description="Lists what each probe asks, needs and costs. With --for, also says which"
        " would be skipped for that model and data, and how to change that; no probe is run.",
    )
    parser.add_argument("name", nargs="?", help="a pillar or a probe; all unless given")
    parser.add_argument("--for", nargs=2, type=Path, metavar=("MODEL", "DATA"), dest="files")
    add_subject_options(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Print a few lines per probe."""
    from trustcheck import catalog

    found = catalog.find(arguments.name) if arguments.name else list(catalog.probes().values())
    if arguments.files is None:
        for probe in found:
            print(f"{probe.id:<33} {probe.question}")
            print(f"{_INDENT}needs: {', '.join(probe.needs) or 'nothing'}")
            print(f"{_INDENT}rows sent: {probe.cost or 'not stated'}")
        return 0
    from trustcheck._evaluate import plan

    print_plan(plan(read_subject(arguments, *arguments.files), found))
    return 0


def print_plan(planned: list[tuple[Probe, str | None]]) -> None:
    """Print what would run, and why the rest would be skipped."""
    for probe, reason in planned:
        print(f"{probe.key:<33} {probe.question}")
        print(_INDENT + (f"skipped: {reason}" if reason else f"runs; rows sent: {probe.cost}"))
    runs = sum(reason is None for _, reason in planned)
    print(f"{runs} of {len(planned)} would run.")
