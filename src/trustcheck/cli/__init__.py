"""The command line: parse, call, print.

Exit codes: 0 pass, 1 a measured fail, 2 no report could be made, 3 inconclusive or unmeasured.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence

from trustcheck._secrets import masked
from trustcheck.types import InputError, TrustError

NO_REPORT = 2


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code."""
    from trustcheck.cli import (
        _compare,
        _demo,
        _documents,
        _history,
        _plan,
        _probes,
        _run,
        _schema,
        _show,
    )

    parser = argparse.ArgumentParser(
        prog="trustcheck",
        description="Tests whether a trained tabular model can be trusted, and proves it.",
        epilog="Exit codes: 0 pass, 1 a measured fail, 2 no report could be made,"
        " 3 inconclusive or required but unmeasured.",
    )
    commands = parser.add_subparsers(dest="command", metavar="command", required=True)
    for command in (_demo, _run, _plan, _show, _history, _compare, _probes, _documents, _schema):
        command.add_to(commands)
    arguments = parser.parse_args(argv)
    try:
        code: int = arguments.run(arguments)
    except (InputError, TrustError, FileNotFoundError, PermissionError) as fault:
        print(f"trustcheck: {masked(str(fault))}", file=sys.stderr)
        return NO_REPORT
    except BrokenPipeError:  # whoever read the output has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return NO_REPORT
    except KeyboardInterrupt:
        print("trustcheck: interrupted; no report was written", file=sys.stderr)
        return NO_REPORT
    except Exception as fault:  # noqa: BLE001 - a job must see exit code 2, whatever broke
        import traceback

        print(masked(traceback.format_exc()), end="", file=sys.stderr)
        print(
            f"trustcheck: internal error ({type(fault).__name__}); please report it",
            file=sys.stderr,
        )
        return NO_REPORT
    return code
