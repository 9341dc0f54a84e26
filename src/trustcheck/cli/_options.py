"""Options that several commands share."""

from __future__ import annotations

import argparse
from pathlib import Path

from trustcheck.types import Report


def add_run_options(parser: argparse.ArgumentParser) -> None:
    """Add profile, probes, seed, workers and outputs."""
    parser.add_argument("--profile", default="default", help="a shipped name or a TOML file")
    parser.add_argument(
        "--probes", nargs="+", metavar="PROBE", help="pillars or probe ids; all unless given"
    )
    parser.add_argument("--seed", type=int, default=0, help="every random draw comes from it")
    parser.add_argument("--jobs", type=int, default=1, help="workers; the numbers do not change")
    parser.add_argument(
        "--out",
        nargs="+",
        type=Path,
        metavar="FILE",
        help="where to write the report: .html, .json, .md or .xml (JUnit), by ending",
    )
    parser.add_argument("--quiet", action="store_true", help="no progress, no table")


def write(report: Report, outputs: list[Path], *, quiet: bool) -> None:
    """Save the report, print it, and say where it is."""
    if not quiet:
        print(report)
    for path in outputs:
        path.parent.mkdir(parents=True, exist_ok=True)
        report.save(path)
    if outputs:
        print("Report: " + ", ".join(str(path.resolve()) for path in outputs))
