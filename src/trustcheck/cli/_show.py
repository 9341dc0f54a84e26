"""``trustcheck show``: print a saved report, or write it in another form."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from trustcheck.cli._options import write


def add_to(commands: Any) -> None:
    """Register the command."""
    parser = commands.add_parser("show", help="print a saved report, or convert it")
    parser.add_argument("report", type=Path, help="a report saved as JSON")
    parser.add_argument("--profile", help="judge it by another profile; nothing is measured again")
    parser.add_argument(
        "--out", nargs="+", type=Path, metavar="FILE", help=".html, .json, .md or .xml"
    )
    parser.add_argument("--strict", action="store_true", help="inconclusive counts as a failure")
    parser.add_argument(
        "--redact",
        nargs="?",
        type=int,
        const=10,
        metavar="N",
        help="leave out what tells about groups with counts below N (10 unless given)",
    )
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Load, judge again if asked, print, write."""
    from trustcheck.types import Report

    report = Report.load(arguments.report)
    if arguments.profile:
        report = report.judge(arguments.profile)
    if arguments.redact is not None:
        report = report.redacted(arguments.redact)
    write(report, arguments.out or [], quiet=False)
    return report.exit_code(strict=arguments.strict)
