"""``trustcheck run``: a job file, or the user's own model on the user's own data."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from trustcheck.cli._inputs import add_subject_options, read_subject
from trustcheck.cli._options import add_run_options, write
from trustcheck.types import InputError


def add_to(commands: Any) -> None:
    """Register the command."""
    parser = commands.add_parser(
        "run",
        help="run a job file, or audit a model file on a data file",
        description="Runs a job (trustcheck run job.toml), or audits a saved model on a table."
        " skops and ONNX files load as they are; joblib and pickle files can run any code when"
        " loaded, so they need --allow-pickle. A job file says all of it itself; beside it only"
        " --quiet counts.",
    )
    parser.add_argument("model", type=Path, help="job.toml; or .skops, .onnx, .joblib, .pkl")
    parser.add_argument("data", type=Path, nargs="?", help="rows to test on: .parquet or .csv")
    add_subject_options(parser)
    parser.add_argument("--strict", action="store_true", help="inconclusive counts as a failure")
    add_run_options(parser)
    parser.set_defaults(run=run, defaults=vars(parser.parse_args(["job.toml"])))


def run(arguments: argparse.Namespace) -> int:
    """Load, audit, write; the exit code says what came of it."""
    import trustcheck as tc

    if arguments.model.suffix == ".toml":
        return _job(arguments)
    if arguments.data is None:
        raise InputError("say which rows to test on: trustcheck run MODEL DATA, or a job.toml")
    report = tc.evaluate(
        read_subject(arguments, arguments.model, arguments.data),
        probes=arguments.probes,
        profile=arguments.profile,
        n_jobs=arguments.jobs,
        show_progress=False if arguments.quiet else None,
    )
    write(report, arguments.out or [Path("trustcheck-report.html")], quiet=arguments.quiet)
    return report.exit_code(strict=arguments.strict)


def _job(arguments: argparse.Namespace) -> int:
    from trustcheck import jobs

    own = {"command", "model", "quiet", "run", "defaults"}
    given = [
        name
        for name, value in arguments.defaults.items()
        if name not in own and getattr(arguments, name) != value
    ]
    if given:
        options = ", ".join(
            "DATA" if name == "data" else f"--{name.replace('_', '-')}" for name in given
        )
        raise InputError(f"{options}: with a job file, write it into {arguments.model.name}")
    outcome = jobs.run(jobs.load(arguments.model), show_progress=False if arguments.quiet else None)
    if not arguments.quiet:
        print(outcome.report)
    for line in outcome.said:
        print(line)
    if outcome.outputs:
        print("Report: " + ", ".join(str(path) for path in outcome.outputs))
    return outcome.code
