"""Group metrics with replicates on 1,000,000 rows, beside fairlearn and one pandas groupby.

    python benchmarks/fairness_groups.py [rows]

Holds sex x race, four metrics and 2,000 replicates of them against two targets: at least 10,000
times as fast per replicate as fairlearn's MetricFrame(n_boot=...), and in all at most 1.5 times as
long as one pandas groupby([...]).size() over the same columns, whatever their dtype. The subject is
built, and the model asked, beforehand; counting, metrics and replicates are timed, best of three.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable

import numpy as np
import pandas as pd
from fairlearn.metrics import MetricFrame, false_positive_rate, selection_rate, true_positive_rate
from sklearn.metrics import accuracy_score

import trustcheck as tc
from trustcheck.stats import counts

DRAWS = 2000
DTYPES = {
    "category": "category",
    "str": pd.StringDtype("python", na_value=np.nan),
    "Arrow string": pd.StringDtype("pyarrow", na_value=np.nan),
    "object": object,
}
EVERYWHERE = np.ones((2, 2), dtype=bool)
LABEL, PREDICTION = np.indices((2, 2))
METRICS = {  # cells that count, among those in which they are counted
    "selection rate": (PREDICTION == 1, EVERYWHERE),
    "true positive rate": (PREDICTION == 1, LABEL == 1),
    "false positive rate": (PREDICTION == 1, LABEL == 0),
    "accuracy": (PREDICTION == LABEL, EVERYWHERE),
}


def rows(n: int) -> tuple[pd.DataFrame, np.ndarray, np.ndarray]:
    """Return two group columns, labels and predictions."""
    rng = np.random.default_rng(0)
    sex = np.array(["Female", "Male"])[rng.integers(0, 2, n)]
    races = ["Amer-Indian-Eskimo", "Asian-Pac-Islander", "Black", "Other", "White"]
    race = np.array(races)[rng.choice(5, n, p=[0.01, 0.03, 0.1, 0.01, 0.85])]
    truth = (rng.random(n) < 0.25 + 0.1 * (sex == "Male")).astype(int)
    predicted = np.where(rng.random(n) < 0.85, truth, 1 - truth)
    return pd.DataFrame({"sex": sex, "race": race}), truth, predicted


def best(work: Callable[[], object], times: int = 3) -> float:
    """Return the seconds of the quickest run."""
    took = []
    for _ in range(times):
        started = time.perf_counter()
        work()
        took.append(time.perf_counter() - started)
    return min(took)


def intervals(subject: tc.Subject) -> dict[str, np.ndarray]:
    """Return low, value and high of each metric in each group; nothing is remembered."""
    subject._counts.clear()  # noqa: SLF001
    table = subject.counts(by=["sex", "race"])
    drawn = table.replicates(DRAWS, np.random.default_rng(0))
    return {
        name: np.stack(
            [
                counts.shares(table.weight, *cells),
                *np.quantile(counts.shares(drawn, *cells), [0.025, 0.975], axis=0),
            ]
        )
        for name, cells in METRICS.items()
    }


def main() -> None:
    """Run and print the figures beside their targets."""
    n = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    frame, truth, predicted = rows(n)
    subject = tc.Subject.from_predictions(truth, predicted, sensitive=frame)
    table = subject.counts(by=["sex", "race"])

    def draw() -> None:
        drawn = table.replicates(DRAWS, np.random.default_rng(0))
        for cells in METRICS.values():
            np.quantile(counts.shares(drawn, *cells), [0.025, 0.975], axis=0)

    def theirs(replicates: int) -> float:
        started = time.perf_counter()
        more = {"n_boot": replicates, "ci_quantiles": [0.025, 0.975], "random_state": 0}
        MetricFrame(
            metrics={
                "selection rate": selection_rate,
                "true positive rate": true_positive_rate,
                "false positive rate": false_positive_rate,
                "accuracy": accuracy_score,
            },
            y_true=truth,
            y_pred=predicted,
            sensitive_features=frame,
            **(more if replicates else {}),
        )
        return time.perf_counter() - started

    ours = best(draw) / DRAWS
    plain, two = theirs(0), theirs(2)
    their = (two - plain) / 2
    print(f"{n:,} rows, {len(table.rows)} groups, {len(METRICS)} metrics, {DRAWS:,} replicates")
    print(f"fairlearn, a replicate    {their:10.3f} s")
    print(f"trustcheck, a replicate   {ours:10.2e} s")
    print(f"times as fast             {their / ours:10,.0f}   target at least 10,000")
    for name, dtype in DTYPES.items():
        columns = frame.astype(dtype)
        subject = tc.Subject.from_predictions(truth, predicted, sensitive=columns)
        subject.counts(by=["sex", "race"])  # predictions and labels are coded once
        group = best(lambda: columns.groupby(["sex", "race"], observed=True).size())  # noqa: B023
        own = best(lambda: intervals(subject))  # noqa: B023
        print(
            f"{name:13s} all {own * 1e3:6.0f} ms, one groupby {group * 1e3:6.0f} ms:"
            f" {own / group:5.2f} times   target at most 1.5"
        )


if __name__ == "__main__":
    main()
