"""``trustcheck compare``: what became better or worse between two saved reports."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from trustcheck._compare import Comparison


def add_to(commands: Any) -> None:
    """Register the command."""
    parser = commands.add_parser(
        "compare",
        help="compare two saved reports, or the models of two jobs",
        description="Compares two reports saved as JSON and judged by one profile; or two job files"
        " that name the same rows: then both models are measured and told apart row by row, by the"
        " first job's profile. Exit codes: 0 nothing is clearly worse, 1 something is, 3 they cannot"
        " be compared.",
    )
    parser.add_argument("first", type=Path, help="the older report, or the champion's job.toml")
    parser.add_argument("second", type=Path, help="the newer one, or the challenger's")
    parser.add_argument("--out", type=Path, metavar="FILE", help="also as JSON")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Load, compare, print."""
    from trustcheck.report._files import write

    found = _compared(arguments.first, arguments.second)
    print(found)
    if arguments.out is not None:
        write(arguments.out, (json.dumps(found.to_dict(), indent=1) + "\n").encode())
    if found.reason is not None:
        return 3
    return 1 if found.of("worse") else 0


def _compared(first: Path, second: Path) -> Comparison:
    from trustcheck._compare import compare
    from trustcheck.types import InputError, Report

    kinds = {path.suffix == ".toml" for path in (first, second)}
    if kinds == {False}:
        return compare(Report.load(first), Report.load(second))
    if kinds != {True}:
        raise InputError("compare takes two reports, or two job files")
    from trustcheck import jobs
    from trustcheck.jobs._inputs import subject_of
    from trustcheck.jobs._run import inputs_of, profile_of

    both = [jobs.load(path) for path in (first, second)]
    champion, challenger = (subject_of(inputs_of(job)) for job in both)
    return compare(
        champion,
        challenger,
        profile_of(both[0]),
        probes=both[0].probes,
        n_jobs=both[0].workers,
        budget=both[0].budget,
    )
