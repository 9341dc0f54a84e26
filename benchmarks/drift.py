"""drift.features on 50 columns x 1,000,000 rows against a reference of equal size.

    python benchmarks/drift.py [--rows N] [--columns D] [--peer-rows N]
        [--evidently PYTHON] [--alibi PYTHON]

Holds the probe against ``np.sort`` on both copies of the columns (target: at most 4 times its
time) and its memory against that of a column. With the interpreters of environments that hold
Evidently (which needs pandas 2) and alibi-detect, it runs their drift checks side by side on the
same, fewer rows: targets at least 30 times faster than the first, and faster than the second.
"""

from __future__ import annotations

import argparse
import subprocess
import time
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

    from trustcheck.subject import Subject

EVIDENTLY = """
from evidently import Report
from evidently.presets import DataDriftPreset
started = time.perf_counter()
Report([DataDriftPreset()]).run(now, before).dict()
"""
ALIBI = """
from alibi_detect.cd import KSDrift
before, now = before.to_numpy(), now.to_numpy()
started = time.perf_counter()
KSDrift(before, p_val=0.05).predict(now)
"""


def tables(rows: int, columns: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return reference and given rows: numbers, amounts and counts, some columns drifting."""
    import numpy as np
    import pandas as pd

    rng = np.random.default_rng(0)

    def column(j: int, late: int) -> np.ndarray:
        values = rng.normal(0.02 * (j % 5) * late, 1, rows)
        return (values, np.round(10 * values, 2), np.round(300 * values))[j % 3]

    before, now = (
        pd.DataFrame({f"x{j}": column(j, late) for j in range(columns)}) for late in (0, 1)
    )
    return before, now


def best(work: Callable[[], object], times: int = 3) -> float:
    """Return the seconds of the fastest of some runs."""
    seconds = []
    for _ in range(times):
        started = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - started)
    return min(seconds)


def sort(before: Callable, now: Callable, names: list[str]) -> None:
    """Sort both copies of every column, one at a time: what no exact comparison can do without."""
    for name in names:
        for side in (before, now):
            side(name).to_numpy().copy().sort()


def peer(python: str, script: str, rows: int, columns: int) -> float:
    """Return the seconds another library needs, in its own environment."""
    code = (
        f"import sys, time; sys.path.insert(0, {str(Path(__file__).parent)!r}); import drift;"
        f"before, now = drift.tables({rows}, {columns})\n{script}print(time.perf_counter() - started)"
    )
    command = [python, "-W", "ignore", "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
    if done.returncode:
        raise SystemExit(done.stderr[-2000:])
    return float(done.stdout.split()[-1])


def subject(rows: int, columns: int) -> Subject:
    """Return a subject on such tables; say how long that took, data aside."""
    import numpy as np

    import trustcheck as tc

    before, now = tables(rows, columns)
    started = time.perf_counter()
    made = tc.Subject(
        lambda X: np.zeros(len(X)), now, reference=before, task="regression", name="drift"
    )
    print(f"{columns} columns x {rows:,} rows against as many")
    print(f"subject made in           {time.perf_counter() - started:8.2f} s, once for all probes")
    return made


def against_sort(big: Subject, rows: int) -> None:
    """Print time and memory beside those of sorting."""
    from trustcheck import drift

    tracemalloc.start()
    first = best(lambda: drift.features(big), 1)
    peak = tracemalloc.get_traced_memory()[1] / 1e6
    tracemalloc.stop()
    floor = best(lambda: sort(big.reference.column, big.data.column, big.features))
    ours = best(lambda: drift.features(big))
    print(f"np.sort on both copies    {floor:8.2f} s")
    print(f"drift.features            {ours:8.2f} s, the first time, importance too, {first:.2f}")
    print(f"times np.sort             {ours / floor:8.2f}   target at most 4")
    one = 8 * rows / 1e6
    print(f"peak memory               {peak:8.0f} MB, {peak / one:.1f} columns of {one:.0f} MB")


def main() -> None:
    """Run and print the figures beside their targets."""
    options = argparse.ArgumentParser()
    options.add_argument("--rows", type=int, default=1_000_000)
    options.add_argument("--columns", type=int, default=50)
    options.add_argument("--peer-rows", type=int, default=100_000)
    options.add_argument("--evidently")
    options.add_argument("--alibi")
    given = options.parse_args()
    against_sort(subject(given.rows, given.columns), given.rows)
    if not (given.evidently or given.alibi):
        print("peers not measured: name their interpreters with --evidently and --alibi")
        return
    from trustcheck import drift

    small = subject(given.peer_rows, given.columns)
    ours = best(lambda: drift.features(small))
    print(f"drift.features            {ours:8.3f} s")
    for name, python, script, target in (
        ("Evidently's preset", given.evidently, EVIDENTLY, 30),
        ("alibi-detect's KSDrift", given.alibi, ALIBI, 1),
    ):
        if python:
            took = peer(python, script, given.peer_rows, given.columns)
            print(f"{name:<26}{took:8.3f} s, {took / ours:.1f} times ours, target above {target}")


if __name__ == "__main__":
    main()
