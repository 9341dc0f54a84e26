"""``trustcheck compare``: what became better or worse between two saved reports."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any


def add_to(commands: Any) -> None:
    """Register the command."""
    parser = commands.add_parser(
        "compare",
        help="compare two saved reports",
        description="Compares two reports saved as JSON and judged by one profile. Exit codes: 0"
        " nothing is clearly worse, 1 something is, 3 they cannot be compared.",
    )
    parser.add_argument("first", type=Path, help="the older report, or the champion's")
    parser.add_argument("second", type=Path, help="the newer one, or the challenger's")
    parser.add_argument("--out", type=Path, metavar="FILE", help="also as JSON")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Load, compare, print."""
    from trustcheck._compare import compare
    from trustcheck.report._files import write
    from trustcheck.types import Report

    found = compare(Report.load(arguments.first), Report.load(arguments.second))
    print(found)
    if arguments.out is not None:
        write(arguments.out, (json.dumps(found.to_dict(), indent=1) + "\n").encode())
    if found.reason is not None:
        return 3
    return 1 if found.of("worse") else 0
