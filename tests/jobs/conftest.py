"""A small model and its data in a folder, and the job that tests it."""

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression

JOB = """\
name = "credit"
probes = ["reliability.performance", "fairness.demographic_parity"]

[model]
path = "model.skops"

[data]
path = "test.csv"
target = "paid"
sensitive = ["sex"]

[reference]
path = "train.csv"

[outputs]
json = "reports/{date}.json"

[history]
store = "history.db"
"""


@pytest.fixture(scope="session")
def fitted():
    """A fitted model, rows to train and rows to test on."""
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(rng.normal(size=(1600, 3)), columns=list("abc"))
    frame["sex"] = rng.choice(["f", "m"], 1600)
    frame["paid"] = np.where(frame["a"] + rng.normal(0, 0.5, 1600) > 0, "yes", "no")
    train, test = frame[:400], frame[400:]
    return LogisticRegression().fit(train[list("abc")], train["paid"]), train, test


@pytest.fixture
def folder(tmp_path, fitted, monkeypatch):
    """A folder with model, data and job.toml; jobs are run from elsewhere."""
    from skops import io as skops_io

    model, train, test = fitted
    home = tmp_path / "job"
    home.mkdir()
    skops_io.dump(model, home / "model.skops")
    train.to_csv(home / "train.csv", index=False)
    test.to_csv(home / "test.csv", index=False)
    (home / "job.toml").write_text(JOB, "utf-8")
    monkeypatch.chdir(tmp_path)
    return home
