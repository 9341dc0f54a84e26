"""``trustcheck run``: audit the user's own model on the user's own data."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from trustcheck.cli._inputs import add_subject_options, read_subject
from trustcheck.cli._options import add_run_options, write


def add_to(commands: Any) -> None:
    """Register the command."""
    parser = commands.add_parser(
        "run",
        help="audit a model file on a data file",
        description="Audits a saved model. skops files load as they are; joblib and pickle files"
        " can run any code when loaded, so they need --allow-pickle.",
    )
    parser.add_argument("model", type=Path, help=".skops, .joblib or .pkl")
    parser.add_argument("data", type=Path, help="rows to test on: .parquet or .csv")
    add_subject_options(parser)
    parser.add_argument("--strict", action="store_true", help="inconclusive counts as a failure")
    add_run_options(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Load, audit, write; the exit code says what came of it."""
    import trustcheck as tc

    report = tc.evaluate(
        read_subject(arguments, arguments.model, arguments.data),
        probes=arguments.probes,
        profile=arguments.profile,
        n_jobs=arguments.jobs,
        show_progress=False if arguments.quiet else None,
    )
    write(report, arguments.out or [Path("trustcheck-report.html")], quiet=arguments.quiet)
    return report.exit_code(strict=arguments.strict)
