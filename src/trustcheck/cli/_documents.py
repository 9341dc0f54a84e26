"""``trustcheck documents``: templates of the documents an audit asks for, and their state."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any


def add_to(commands: Any) -> None:
    """Register the command."""
    parser = commands.add_parser("documents", help="write templates of documents, or check them")
    actions = parser.add_subparsers(dest="action", metavar="action", required=True)
    init = actions.add_parser(
        "init", help="write a template of each kind of document, and a register"
    )
    init.add_argument("folder", type=Path)
    init.add_argument("--report", type=Path, help="a report saved as JSON, to fill in from")
    init.set_defaults(run=_init)
    check = actions.add_parser("check", help="say what each document of a register lacks")
    check.add_argument("register", type=Path)
    check.set_defaults(run=_check)


def _init(arguments: argparse.Namespace) -> int:
    from trustcheck.report import init_documents
    from trustcheck.types import Report

    report = None if arguments.report is None else Report.load(arguments.report)
    register, *documents = init_documents(arguments.folder, report)
    print(f"Wrote {len(documents)} templates and the register {register}.")
    print("Fill in what is marked, name owners and dates in the register, then:")
    print(f"  trustcheck documents check {register}")
    return 0


def _check(arguments: argparse.Namespace) -> int:
    """Exit code 0 if all are complete, 1 if not."""
    import trustcheck as tc

    context = tc.Context(documents=arguments.register)
    nobody = tc.Subject(lambda X: X[:, 0], [[0.0]], task="regression", context=context)
    finding = tc.accountability.documents(nobody)
    for row in finding.rows:
        print(f"{'✓' if row['complete'] else '✗'} {row['title']}: {row['lacks'] or 'complete'}")
    return 0 if finding.value == 1 else 1
