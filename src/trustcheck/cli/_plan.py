"""``trustcheck plan``: what a job would ask, and why not where it would skip it."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any


def add_to(commands: Any) -> None:
    """Register the command."""
    parser = commands.add_parser(
        "plan",
        help="check a job file and say what it would run",
        description="Reads a job, its model and its data, and says which probes would run and which"
        " would be skipped and why. No probe is run, nothing is written.",
    )
    parser.add_argument("job", type=Path, help="job.toml")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Print one line per probe."""
    from trustcheck import jobs
    from trustcheck._evaluate import plan
    from trustcheck.cli._probes import print_plan
    from trustcheck.jobs._inputs import subject_of
    from trustcheck.jobs._run import inputs_of, profile_of

    job = jobs.load(arguments.job)
    profile = profile_of(job)
    subject = subject_of(inputs_of(job))
    print_plan(plan(subject, job.probes))
    print(f"Judged by profile {profile.name!r}, {len(profile.requirements)} requirements.")
    for kind, place in job.outputs.model_dump(by_alias=True, exclude_none=True).items():
        print(f"Would write {kind}: {place}")
    return 0
