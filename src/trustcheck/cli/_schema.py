"""``trustcheck schema``: JSON Schemas, for editors and for those who read our files."""

from __future__ import annotations

import argparse
import json
from typing import Any


def add_to(commands: Any) -> None:
    """Register the command."""
    parser = commands.add_parser("schema", help="print the JSON Schema of a job file or a report")
    parser.add_argument("kind", choices=["job", "report"])
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Print it."""
    if arguments.kind == "job":
        from trustcheck import jobs

        found = jobs.schema()
    else:
        from trustcheck import report

        found = report.schema()
    print(json.dumps(found, indent=2, ensure_ascii=False))
    return 0
