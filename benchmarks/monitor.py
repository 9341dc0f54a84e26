"""One day of a monitor: the step on arrays, the whole update with its store, and what is kept.

Run: python benchmarks/monitor.py. 500 rows a day, reference of 2,000 rows, medians of processor time over 60 days.
"""

import json
import statistics
import tempfile
import time

import numpy as np
import pandas as pd

import trustcheck as tc
from trustcheck.stats import sequential


def main() -> None:
    """Print a line per number of columns."""
    print("columns   step ms   update ms (SQLite)   state kB   (processor time)")
    for columns in (1, 20, 200):
        rng = np.random.default_rng(0)
        names = [f"c{j}" for j in range(columns)]
        first = pd.DataFrame(rng.normal(size=(2000, columns)), columns=names)
        state = sequential.start(first.to_numpy())
        store = tc.open_store(f"{tempfile.mkdtemp()}/history.db")
        monitor = tc.Monitor(store, reference=first)
        steps, updates = [], []
        for day in range(60):
            rows = rng.normal(size=(500, columns))
            begun = time.process_time()
            state = sequential.step(state, rows)
            steps.append(time.process_time() - begun)
            batch = pd.DataFrame(rows, columns=names)
            begun = time.process_time()
            monitor.update(batch, key=day)
            updates.append(time.process_time() - begun)
        kept = len(json.dumps(store.load_state("monitor")))
        step, update = (1000 * statistics.median(times) for times in (steps, updates))
        print(f"{columns:7} {step:9.1f} {update:20.1f} {kept / 1000:10.0f}")


if __name__ == "__main__":
    main()
