import numpy as np
import pandas as pd
import pytest
from sklearn.compose import make_column_transformer
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

import trustcheck as tc
from trustcheck import reliability
from trustcheck.reliability._metamorphic import RELATIONS

LIMIT = 0.01


def table(seed=0, n=1500):
    rng = np.random.default_rng(seed)
    X = pd.DataFrame(
        {
            "a": rng.normal(size=n),
            "b": np.where(rng.random(n) < 0.1, np.nan, rng.normal(3, 2, n)),
            "k": rng.integers(0, 9, n),
            "job": rng.choice(["x", "y", "z"], n),
        }
    )
    return X, (X["a"] + X["k"] / 4 + rng.normal(size=n) > 1).astype(int)


def clean(X, y):
    columns = make_column_transformer(
        (OneHotEncoder(handle_unknown="ignore"), ["job"]), remainder="passthrough"
    )
    return make_pipeline(columns, HistGradientBoostingClassifier(max_iter=3)).fit(X, y)


class Broken:
    """A logistic score of two columns, with one defect in how it is asked."""

    def __init__(self, defect, seed=0):
        self.defect, self.rng, self.asked = defect, np.random.default_rng(seed), 0
        self.classes_ = np.array([0, 1])

    def predict_proba(self, X):
        z = X["a"].to_numpy() + X["k"].to_numpy() / 4 - 1
        if self.defect == "batch":
            z = z - z.mean()
        if self.defect == "noise":
            z = z + self.rng.normal(0, 0.01, len(z))
        if self.defect == "neighbour":
            z = z + 0.1 * np.roll(z, 1)
        if self.defect == "position":
            z = z + X.iloc[:, 2].fillna(0).to_numpy()
        if self.defect == "duplicates":
            z = z + X.duplicated().to_numpy()
        if self.defect == "dtype" and X["a"].dtype == np.float32:
            z = z + 0.01
        if self.defect == "single" and len(X) == 1:
            raise RuntimeError
        p = 1 / (1 + np.exp(-z))
        return np.column_stack([1 - p, p])

    def predict(self, X):
        return self.predict_proba(X).argmax(axis=1)


DEFECTS = {
    "batch": "another batch",
    "noise": "asked twice",
    "neighbour": "order of rows",
    "position": "order of columns",
    "duplicates": "every row twice",
    "dtype": "number type",
    "single": "one row at a time",
}


@pytest.mark.parametrize("defect", DEFECTS)
def test_a_planted_defect_is_found_and_named_in_19_of_20_worlds(defect):
    found = 0
    for seed in range(20):
        X, y = table(seed)
        finding = reliability.metamorphic(tc.Subject(Broken(defect, seed), X, y, seed=seed))
        row = next(r for r in finding.rows if r["relation"] == DEFECTS[defect])
        found += finding.at_most(LIMIT).status == "fail" and row["share"] > 0.8
    assert found >= 19


def test_a_clean_pipeline_with_missing_values_is_quiet_in_19_of_20_worlds():
    X, y = table()
    model = clean(X, y)
    for seed in range(20):
        finding = reliability.metamorphic(tc.Subject(model, X, y, seed=seed))
        assert finding.value == 0
        assert finding.at_most(LIMIT).status == "pass"
        assert finding.rows_sent["asking"] <= len(X)


def test_one_broken_relation_gives_its_share_of_the_checks():
    X, y = table()
    finding = reliability.metamorphic(tc.Subject(Broken("single"), X, y))
    checked = {row["relation"]: row["checked"] for row in finding.rows}
    expected = checked["one row at a time"] / sum(checked.values())
    assert finding.value == pytest.approx(expected, abs=1e-12)
    assert finding.rows[1]["raised"] == "RuntimeError"
    assert finding.n == sum(checked.values())


def test_arrays_have_no_column_order_and_labels_alone_are_compared():
    X, y = table()
    values = X[["a", "k"]].to_numpy()
    model = LogisticRegression().fit(values, y)
    finding = reliability.metamorphic(tc.Subject(model.predict, values, y))
    assert "order of columns" not in {row["relation"] for row in finding.rows}
    assert finding.value == 0


def test_a_clear_refusal_of_another_column_order_is_recorded_and_not_counted():
    X, y = table()
    model = make_pipeline(StandardScaler(), LogisticRegression()).fit(X[["a", "k"]], y)
    finding = reliability.metamorphic(tc.Subject(model, X, y))
    (row,) = [row for row in finding.rows if row["relation"] == "order of columns"]
    assert (row["raised"], row["counted"], row["changed"]) == ("ValueError", False, 0)
    assert finding.value == 0


def test_regression_counts_changes_on_the_scale_of_the_predictions():
    X, y = table()
    model = LinearRegression().fit(X[["a", "k"]], 1e6 * y)
    assert reliability.metamorphic(tc.Subject(model, X, 1e6 * y)).value == 0

    def drifting(frame, calls=[0]):  # noqa: B006 - remembers
        calls[0] += 1
        return model.predict(frame[["a", "k"]]) + calls[0]

    subject = tc.Subject(drifting, X, 1e6 * y, task="regression")
    shares = {row["relation"]: row["share"] for row in reliability.metamorphic(subject).rows}
    assert shares.pop("every row twice") == 0  # both copies are in one batch
    assert shares.pop("saved and loaded") == 0  # a function inside a function cannot be saved
    assert set(shares.values()) == {1.0}
    subject = tc.Subject(drifting, X, 1e6 * y, task="regression")
    assert reliability.metamorphic(subject, tolerance=0.1).value == 0.0


def test_too_few_rows_are_an_honest_skip_and_bad_settings_are_refused():
    X, y = table(n=len(RELATIONS))
    finding = reliability.metamorphic(tc.Subject(Broken(""), X, y))
    assert finding.status == "skipped"
    assert "give more rows" in finding.reason
    X, y = table(n=100)
    for bad in ({"tolerance": -1.0}, {"rows": 0}):
        with pytest.raises(tc.InputError):
            reliability.metamorphic(tc.Subject(Broken(""), X, y), **bad)


class Forgetful(LinearRegression):
    """Loses what it learnt when it is written down."""

    def __getstate__(self):
        return super().__getstate__() | {"intercept_": 0.0}


def test_a_model_that_changes_when_saved_is_found():
    X, y = table()
    model = Forgetful().fit(X[["a", "k"]], y + 100)
    finding = reliability.metamorphic(tc.Subject(model, X, y + 100, task="regression"))
    changed = {row["relation"]: row["changed"] for row in finding.rows}
    assert changed.pop("saved and loaded") > 0
    assert set(changed.values()) == {0}
