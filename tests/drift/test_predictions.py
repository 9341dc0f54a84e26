import warnings

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from sklearn.compose import make_column_transformer
from sklearn.datasets import make_classification, make_regression
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

import trustcheck as tc
from trustcheck import drift

LIMIT = 0.10


def world(seed, *, classes=2, shift=0.0, n=1500, model=None):
    X, y = make_classification(
        3 * n, 8, n_informative=5, n_classes=classes, flip_y=0.1, random_state=seed
    )
    model = LogisticRegression(max_iter=500) if model is None else model
    model.fit(X[:n], y[:n])
    now = X[2 * n :].copy()
    if shift:
        towards = model.coef_[0] / np.linalg.norm(model.coef_[0])
        now += shift * towards
    return tc.Subject(model, now, y[2 * n :], reference=(X[:n], y[:n]))


def test_the_distance_of_scores_equals_scipy():
    subject = world(0, shift=1.0)
    one, other = subject.reference.scores[:, 1], subject.scores[:, 1]
    got = drift.predictions(subject, held_out=True)
    assert got.value == pytest.approx(stats.ks_2samp(one, other).statistic, abs=1e-12)
    assert got.rows[0]["wasserstein"] > 0


def test_a_shift_is_found_by_default_and_held_out_in_19_of_20_worlds():
    worlds = [world(seed, shift=1.5) for seed in range(20)]
    for held_out in (False, True):
        found = [drift.predictions(subject, held_out=held_out) for subject in worlds]
        assert sum(f.at_most(LIMIT).status == "fail" for f in found) >= 19


def test_without_drift_nothing_is_claimed_in_19_of_20_worlds():
    found = [drift.predictions(world(seed)) for seed in range(20)]
    assert sum(f.low == 0 for f in found) >= 19
    assert sum(f.high <= LIMIT for f in found) >= 17


def test_a_forest_that_knows_the_reference_by_heart_raises_no_false_alarm():
    for seed in range(5):
        subject = world(seed, model=RandomForestClassifier(30, random_state=0))
        assert drift.predictions(subject, held_out=True).low > 0.05  # memory, not drift
        found = drift.predictions(subject)
        assert found.low <= 0.01
        assert found.rows[0]["measure"] == "total variation"
        assert "held_out" in found.notes[0]


def test_every_class_has_a_row_of_its_own():
    found = drift.predictions(world(1, classes=4))
    assert {row["column"] for row in found.rows} == {f"score of {k}" for k in range(4)}
    assert found.high == max(row["high"] for row in found.rows)


def test_labels_alone_are_compared_by_total_variation():
    X = np.linspace(0, 1, 1000)[:, None]
    subject = tc.Subject(
        lambda rows: np.where(rows[:, 0] > 0.5, "yes", "no"),
        X + 0.2,
        np.where(X[:, 0] > 0.3, "yes", "no"),
        reference=(X, np.where(X[:, 0] > 0.5, "yes", "no")),
    )
    found = drift.predictions(subject, held_out=True)
    assert found.value == pytest.approx(0.2, abs=1e-12)
    assert found.rows[0]["where"].endswith("20.0%")


def test_numbers_of_a_regressor_and_its_memory():
    X, y = make_regression(900, 5, noise=60, random_state=0)
    forest = RandomForestRegressor(30, random_state=0).fit(X[:300], y[:300])
    data, known, new = (X[600:], y[600:]), (X[:300], y[:300]), (X[300:600], y[300:600])
    refused = drift.predictions(tc.Subject(forest, *data, reference=known))
    assert refused.status == "skipped"
    assert "held_out=True" in refused.reason
    found = drift.predictions(tc.Subject(forest, *data, reference=new))
    expected = stats.ks_2samp(forest.predict(new[0]), forest.predict(data[0])).statistic
    assert found.value == pytest.approx(expected, abs=1e-12)


def test_a_pipeline_on_mixed_columns_with_gaps_and_no_labels():
    rng = np.random.default_rng(2)
    X = pd.DataFrame({"a": rng.normal(size=900), "job": rng.choice(["x", "y", "z"], 900)})
    X.loc[rng.random(900) < 0.2, "a"] = np.nan
    y = (X["a"].fillna(0) + (X["job"] == "x") + rng.normal(size=900) > 0).astype(int)
    columns = make_column_transformer((SimpleImputer(), ["a"]), (OneHotEncoder(), ["job"]))
    model = make_pipeline(columns, LogisticRegression()).fit(X[:300], y[:300])
    subject = tc.Subject(model, X[600:].reset_index(drop=True), reference=X[:300])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = drift.predictions(subject)
    assert found.status == "measured"
    assert "trained on the reference" in found.notes[0]
    assert (
        found.rows_sent == {"given": 600, "reference": 600} or sum(found.rows_sent.values()) <= 1200
    )


def test_the_order_of_rows_changes_nothing():
    X, y = make_classification(600, random_state=3)
    model = LogisticRegression().fit(X, y)
    one = drift.predictions(tc.Subject(model, X[:300], y[:300], reference=(X[300:], y[300:])))
    mixed = np.random.default_rng(0).permutation(300)
    other = drift.predictions(
        tc.Subject(model, X[:300][mixed], y[:300][mixed], reference=(X[300:], y[300:]))
    )
    assert (one.value, one.low, one.high) == pytest.approx(
        (other.value, other.low, other.high), abs=1e-12
    )
