"""Small subjects of every task, on which every probe of the catalog is run."""

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import make_column_transformer
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

import trustcheck as tc


def frame(n, rng):
    return pd.DataFrame(
        {
            "income": rng.lognormal(10, 0.5, n),
            "age": rng.integers(18, 80, n),
            "job": rng.choice(["clerk", "nurse", "smith"], n),
            "member": rng.random(n) < 0.3,
            "debt": np.where(rng.random(n) < 0.1, np.nan, rng.normal(5, 2, n)),
        }
    )


def build(task, n=400, seed=0):
    rng = np.random.default_rng(seed)
    X = frame(2 * n, rng)
    signal = (
        np.log(X["income"])
        - 10
        + (X["age"] - 45) / 40
        + (X["job"] == "nurse")
        + rng.normal(0, 0.5, 2 * n)
    )
    if task == "regression":
        y, last = signal, RandomForestRegressor(20, max_depth=5, random_state=0)
    elif task == "binary":
        y = pd.Series(np.where(signal > 0.3, "yes", "no"), index=X.index)
        last = RandomForestClassifier(20, max_depth=5, random_state=0)
    else:
        y = pd.cut(signal, [-9, -0.2, 0.8, 9], labels=["low", "mid", "high"]).astype(str)
        last = RandomForestClassifier(20, max_depth=5, random_state=0)
    columns = make_column_transformer(
        (OneHotEncoder(handle_unknown="ignore"), ["job"]), remainder="passthrough"
    )
    model = make_pipeline(columns, last).fit(X[:n], y[:n])
    return {
        "model": model,
        "X": X[n:].reset_index(drop=True),
        "y": pd.Series(np.asarray(y[n:])),
        "sensitive": pd.DataFrame({"sex": rng.choice(["f", "m"], n)}),
        "reference": (X[:n], y[:n]),
    }


@pytest.fixture(scope="session", params=["binary", "multiclass", "regression"])
def parts(request):
    return build(request.param)


def subject_from(parts, order=None, rename=None):
    X, y, groups = parts["X"], parts["y"], parts["sensitive"]
    if order is not None:
        X, y, groups = (t.iloc[order].reset_index(drop=True) for t in (X, y, groups))
    if rename:
        groups = groups.replace(rename)
    return tc.Subject(parts["model"], X, y, sensitive=groups, reference=parts["reference"], seed=3)


@pytest.fixture(scope="session")
def subject(parts):
    return subject_from(parts)


@pytest.fixture(scope="session")
def make():
    return subject_from
