"""What a default run costs the model: at most 40 rows per given row, reference rows included."""

import numpy as np
import pandas as pd
import pytest

import trustcheck as tc
from trustcheck.types import Status

LIMIT = 40


def table(n, seed):
    rng = np.random.default_rng(seed)
    X = pd.DataFrame({f"x{i}": rng.normal(size=n) for i in range(8)})
    X["kind"] = rng.choice(["a", "b", "c"], n)
    X["sex"] = rng.choice(["f", "m"], n)
    return X, signal(X) + rng.normal(0, 0.5, n)


def signal(X):
    return X["x0"].to_numpy() + X["x1"].to_numpy() * (X["kind"] == "a").to_numpy()


class Counting:
    """A model no library can read, that counts the rows it is sent."""

    def __init__(self):
        self.rows = 0

    def seen(self, X):
        self.rows += len(X)
        return np.nan_to_num(pd.to_numeric(pd.Series(signal(X))).to_numpy(float))


class Regressor(Counting):
    def predict(self, X):
        return self.seen(X)


class Labels(Counting):
    classes_ = np.array(["no", "yes"])

    def predict(self, X):
        return self.classes_[(self.seen(X) > 0).astype(int)]


class Scores(Labels):
    def predict_proba(self, X):
        p = 1 / (1 + np.exp(-3 * self.seen(X)))
        return np.column_stack([1 - p, p])


class Multiclass(Counting):
    classes_ = np.array([0, 1, 2])

    def predict(self, X):
        return self.classes_[np.digitize(self.seen(X), [-0.5, 0.5])]

    def predict_proba(self, X):
        return np.eye(3)[self.predict(X)] * 0.7 + 0.1


@pytest.mark.parametrize("kind", [Regressor, Labels, Scores, Multiclass])
@pytest.mark.parametrize(("n", "reference"), [(2_000, 40_000), (3_001, 3_000)])
def test_no_model_is_sent_more_than_40_rows_per_row(kind, n, reference):
    model = kind()
    (X, z), (train, z_train) = table(n, 0), table(reference, 1)
    if kind is Regressor:
        y, y_train = z, z_train
    elif kind is Multiclass:
        y, y_train = np.digitize(z, [-0.5, 0.5]), np.digitize(z_train, [-0.5, 0.5])
    else:
        y, y_train = np.where(z > 0, "yes", "no"), np.where(z_train > 0, "yes", "no")
    rule = {"monotone": "x0", "direction": "up"} | ({"of": 2} if kind is Multiclass else {})
    costs = [[0, 1], [5, 0]] if kind in (Labels, Scores) else None
    subject = tc.Subject(
        model,
        X,
        y,
        sensitive=["sex"],
        reference=(train, y_train),
        context=tc.Context(rules=[rule], costs=costs),
    )
    report = tc.evaluate(subject)
    assert not [f.key for f in report.findings.values() if f.status == Status.ERROR]
    assert sum(report.run["rows_sent"].values()) == model.rows
    assert model.rows <= LIMIT * n
    assert report.run["rows_sent"]["given"] <= 2 * n
    assert report.run["rows_sent"]["reference"] <= 6 * n
