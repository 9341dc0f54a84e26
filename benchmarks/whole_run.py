"""A default run on 50,000 x 15 mixed rows: total time against the time inside the model and libraries.

    python benchmarks/whole_run.py [rows]

Holds the run against its targets: at most 40 rows sent per given row, at most 90 s on 2 cores, and
at most 1.25 times the seconds inside the user's model, shap and estimators fitted here, plus 15 s.
"""

from __future__ import annotations

import sys

import numpy as np
import pandas as pd
from sklearn.compose import make_column_transformer
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OrdinalEncoder

import trustcheck as tc


def table(n: int, seed: int) -> tuple[pd.DataFrame, np.ndarray]:
    """Return rows the size and mixture of Adult: 15 columns, 7 of them categories."""
    rng = np.random.default_rng(seed)
    columns = {f"number_{i}": rng.normal(size=n) for i in range(5)}
    columns |= {f"count_{i}": rng.poisson(3, n) for i in range(3)}
    columns |= {
        f"kind_{i}": rng.choice([f"level {k}" for k in range(3 + 5 * i)], n) for i in range(6)
    }
    columns["sex"] = rng.choice(["f", "m"], n)
    frame = pd.DataFrame(columns)
    frame.loc[rng.random(n) < 0.05, "number_4"] = np.nan
    signal = (
        frame["number_0"] + 0.7 * frame["number_1"] * (frame["kind_0"] == "level 1")
        + 0.2 * frame["count_0"] - 0.5 * (frame["kind_1"] == "level 2")
    )  # fmt: skip
    return frame, (signal + rng.normal(0, 0.7, n) > 0.6).astype(int).to_numpy()


def main() -> None:
    """Run and print the figures beside their targets."""
    n = int(sys.argv[1]) if len(sys.argv) > 1 else 50_000
    train, y_train = table(n, 0)
    test, y_test = table(n, 1)
    kinds = [name for name in train if train[name].dtype.kind not in "if"]
    encode = make_column_transformer(
        (OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1), kinds),
        remainder="passthrough",
    )
    model = make_pipeline(encode, HistGradientBoostingClassifier(random_state=0))
    model.fit(train, y_train)
    subject = tc.Subject(
        model, test, y_test, sensitive=["sex"], reference=(train, y_train), name="benchmark"
    )
    run = tc.evaluate(subject, show_progress=False).run
    total, inside = run["seconds"], run["model_seconds"] + run["library_seconds"]
    sent, calls = sum(run["rows_sent"].values()), sum(run["calls"].values())
    print(f"rows sent per given row   {sent / n:8.1f}   target at most 40")
    print(f"rows a call               {sent / calls:8.0f}")
    print(f"seconds                   {total:8.1f}   target at most 90")
    print(f"  inside the model        {run['model_seconds']:8.1f}")
    print(f"  shap and fits           {run['library_seconds']:8.1f}")
    print(
        f"seconds allowed           {1.25 * inside + 15:8.1f}   1.25 x (model + shap + fits) + 15"
    )


if __name__ == "__main__":
    main()
