"""``trustcheck probes``: what exists, what each needs and what it costs."""

from __future__ import annotations

import argparse
from typing import Any


def add_to(commands: Any) -> None:
    """Register the command."""
    parser = commands.add_parser("probes", help="list the probes")
    parser.add_argument("name", nargs="?", help="a pillar or a probe; all unless given")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Print one line per probe, or all facts of one."""
    from trustcheck import catalog
    from trustcheck.types import InputError

    try:
        found = catalog.find(arguments.name) if arguments.name else list(catalog.probes().values())
    except ValueError as fault:
        raise InputError(str(fault)) from fault
    for probe in found:
        print(f"{probe.id:<34} {probe.question}")
        print(
            f"{'':<34} needs {', '.join(probe.needs) or 'nothing'}; sends {probe.cost or 'rows to the model'}"
        )
    return 0
