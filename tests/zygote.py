"""Processes to kill: imports once, then forks a child for each piece of source it is told to run.

Started as a script. Each line of its input is JSON: ``{"run": source}`` answers the child's
process id; ``{"warm": source}`` runs it here, so that children find all imported, and answers 0;
``{"wait": pid}`` waits for it and answers its exit code (negative: the signal).
"""

import contextlib
import io
import json
import os
import sys
import traceback


def main():
    import tempfile

    import psycopg  # noqa: F401

    import trustcheck as tc
    import trustcheck.cli

    with tempfile.TemporaryDirectory() as folder:
        subject = tc.Subject.from_predictions([0, 1] * 50, [0, 1] * 50)
        report = tc.evaluate(subject, probes=["reliability.performance"], show_progress=False)
        store = tc.open_store(f"{folder}/warm.db")
        store.add(report)
        store.update_state("warm", lambda _: {})
    for line in sys.stdin:
        told = json.loads(line)
        if "wait" in told:
            status = os.waitpid(told["wait"], 0)[1]
            answer = os.waitstatus_to_exitcode(status)
        elif "warm" in told:
            with contextlib.redirect_stdout(io.StringIO()):
                exec(told["warm"], {})
            answer = 0
        else:
            answer = os.fork()
            if answer == 0:
                code = 1
                os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # standard output is for answers
                try:
                    exec(told["run"], {})
                    code = 0
                except SystemExit as end:
                    code = int(end.code or 0)
                except BaseException:  # noqa: BLE001 - a child must never return into the loop
                    traceback.print_exc()
                os._exit(code)
        sys.stdout.write(f"{answer}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
