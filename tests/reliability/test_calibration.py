import numpy as np
import pandas as pd
import pytest
from scipy import special
from sklearn.compose import make_column_transformer
from sklearn.impute import SimpleImputer
from sklearn.isotonic import IsotonicRegression
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

import trustcheck as tc
from trustcheck.reliability import calibration

LIMIT = 0.10


def world(seed, stretch=1.0, n=1000, **facts):
    rng = np.random.default_rng(seed)
    z = rng.normal(0, 1.5, n)
    p = special.expit(stretch * z)
    y = (rng.random(n) < special.expit(z)).astype(int)
    return tc.Subject.from_predictions(y, (p > 0.5).astype(int), p, **facts)


def classes_world(seed, stretch=1.0, n=1500):
    rng = np.random.default_rng(seed)
    z = rng.normal(0, 1.5, (n, 3))
    y = [rng.choice(3, p=row) for row in special.softmax(z, axis=1)]
    p = special.softmax(stretch * z, axis=1)
    return tc.Subject.from_predictions(y, p.argmax(axis=1), p)


@pytest.mark.parametrize("make", [world, classes_world])
def test_a_calibrated_model_passes_and_an_overconfident_one_fails_in_19_of_20_worlds(make):
    good = [calibration(make(seed)).at_most(LIMIT).status for seed in range(20)]
    bad = [calibration(make(seed, 4.0)).at_most(LIMIT) for seed in range(20)]
    assert good.count("pass") >= 19
    assert [verdict.status for verdict in bad].count("fail") >= 19


def test_the_brier_score_and_its_recalibration_are_those_of_scikit_learn():
    subject = world(1, stretch=3.0, n=5000)
    finding = calibration(subject)
    p, y = subject.scores[:, 1], subject.truth
    q = IsotonicRegression().fit(p, y).predict(p)
    assert finding.metrics["brier"].value == pytest.approx(np.mean((p - y) ** 2), abs=1e-12)
    raw = np.mean((p - y) ** 2) - np.mean((q - y) ** 2)
    taken_off = raw - finding.metrics["miscalibration"].value
    assert 0 < taken_off < 0.003
    assert finding.value**2 == pytest.approx(finding.metrics["miscalibration"].value)
    assert abs(finding.metrics["ece"].value - finding.value) < 0.02
    assert finding.metrics["slope"].value == pytest.approx(1 / 3, abs=0.05)
    assert "too extreme" in finding.notes[0]
    assert finding.metrics["p_value"].value < 0.05


def test_the_curve_holds_every_row_once_and_is_drawn():
    finding = calibration(world(2))
    assert sum(row["n"] for row in finding.rows) == 1000
    assert [row["stated"] for row in finding.rows] == sorted(row["stated"] for row in finding.rows)
    assert finding.plot() is not None


def test_the_other_positive_class_gives_the_same_distance():
    z = np.random.default_rng(3).normal(0, 1.5, 800)
    p = special.expit(2 * z)
    y = (np.random.default_rng(4).random(800) < special.expit(z)).astype(int)
    one, other = (
        calibration(
            tc.Subject.from_predictions(y, (p > 0.5).astype(int), stated, positive=positive)
        )
        for positive, stated in ((1, p), (0, 1 - p))
    )
    assert one.value == pytest.approx(other.value, abs=0.01)
    assert one.metrics["slope"].value == pytest.approx(other.metrics["slope"].value)


def test_rows_of_weight_zero_play_no_part():
    rng = np.random.default_rng(5)
    p = rng.random(600)
    y = (rng.random(600) < p).astype(int)
    y[:200] = 1 - (p[:200] > 0.5)
    w = np.r_[np.zeros(200), np.ones(400)]
    weighted = calibration(
        tc.Subject.from_predictions(y, (p > 0.5).astype(int), p, sample_weight=w)
    )
    alone = calibration(tc.Subject.from_predictions(y[200:], (p > 0.5)[200:].astype(int), p[200:]))
    assert weighted.value == pytest.approx(alone.value, abs=1e-12)
    assert weighted.high == pytest.approx(alone.high, abs=1e-12)
    assert np.all(weighted.influence[:200] == 0)


def test_the_influence_is_the_derivative_by_the_weight_of_a_row():
    rng = np.random.default_rng(6)
    p = rng.random(400)
    y = (rng.random(400) < p**3).astype(int)
    w = np.ones(400)
    base = calibration(tc.Subject.from_predictions(y, (p > 0.5).astype(int), p))
    up = np.argsort(base.influence)[-40:]
    w[up] += 0.05
    moved = calibration(tc.Subject.from_predictions(y, (p > 0.5).astype(int), p, sample_weight=w))
    assert moved.value - base.value == pytest.approx(
        0.05 * base.influence[up].sum() / 400, rel=0.15
    )


def test_a_mixed_pipeline_with_missing_values_is_measured():
    rng = np.random.default_rng(7)
    X = pd.DataFrame(
        {"a": rng.normal(size=2000), "job": pd.Categorical(rng.choice(["x", "y"], 2000))}
    )
    y = np.where(rng.random(2000) < special.expit(2 * X["a"]), "yes", "no")
    X.loc[::11, "a"] = np.nan
    columns = make_column_transformer((SimpleImputer(), ["a"]), (OneHotEncoder(), ["job"]))
    model = make_pipeline(columns, LogisticRegression()).fit(X[:600], y[:600])
    finding = calibration(tc.Subject(model, X[600:], y[600:]))
    assert finding.at_most(LIMIT).status == "pass"
    assert finding.rows_sent.get("perturbed", 0) == 0


def test_what_states_no_probability_or_has_too_few_rows_is_an_honest_skip():
    labels = tc.Subject.from_predictions([0, 1] * 50, [0, 1] * 50)
    assert calibration(labels).status == "skipped"
    numbers = tc.Subject.from_predictions([0.5, 1.5] * 50, [0.4, 1.1] * 50)
    assert calibration(numbers).status == "skipped"
    few = calibration(world(8, n=15))
    assert few.status == "skipped"
    assert "at least 20" in few.reason
