import numpy as np
import pandas as pd
import pytest
from lightgbm import LGBMClassifier
from sklearn.ensemble import (
    GradientBoostingRegressor,
    HistGradientBoostingClassifier,
    RandomForestClassifier,
)
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier
from xgboost import XGBClassifier

import trustcheck as tc
from trustcheck.robustness import adversarial, certified
from trustcheck.types import Assurance, InputError, Status

LIMIT = 0.5


def world(n=500, seed=0, gap=2.0):
    rng = np.random.default_rng(seed)
    y = rng.integers(0, 2, n)
    X = pd.DataFrame(rng.normal(size=(n, 3)) * [1, 5, 0.1], columns=list("abc"))
    X["a"] += gap * y
    return X, y


@pytest.mark.parametrize("epsilon", [0.1, 0.25, 0.7])
def test_a_linear_model_is_certified_as_the_closed_form_says(epsilon):
    X, y = world()
    model = make_pipeline(StandardScaler(), LogisticRegression()).fit(X, y)
    subject = tc.Subject(model, X, y, schema={name: dict.fromkeys(("low", "high")) for name in X})
    scales = np.array([subject.schema[name].scale for name in X])
    slope = np.abs(scales * model[-1].coef_[0] / model[0].scale_).sum()
    safe = np.abs(model.decision_function(X)) / slope > epsilon
    found = certified(subject, epsilon=epsilon)
    assert found.value == pytest.approx(np.mean(safe & (model.predict(X) == y)))
    assert found.n == len(X)
    assert found.assurance is Assurance.PROVEN


def thin(seed):
    """Many small effects: a little of each adds up to more than the margin."""
    X = pd.DataFrame(np.random.default_rng(seed).normal(size=(500, 40)))
    return X.rename(columns=str), (X.sum(axis=1) > 0).astype(int)


@pytest.mark.parametrize(("make", "seen"), [(thin, True), (lambda s: world(500, s, 6.0), False)])
def test_a_model_without_a_margin_is_found_and_one_with_a_margin_stays_quiet(make, seen):
    agreed = 0
    for seed in range(20):
        X, y = make(seed)
        found = certified(tc.Subject(LogisticRegression().fit(X, y), X, y, seed=seed))
        agreed += found.high < LIMIT if seen else found.low > LIMIT
    assert agreed >= 19


@pytest.mark.parametrize(
    "model",
    [
        DecisionTreeClassifier(max_depth=5, random_state=0),
        RandomForestClassifier(15, max_depth=5, random_state=0),
        HistGradientBoostingClassifier(max_iter=20, random_state=0),
        LogisticRegression(),
        XGBClassifier(n_estimators=10, max_depth=3, random_state=0),
        LGBMClassifier(n_estimators=10, num_leaves=6, verbose=-1),
    ],
    ids=lambda model: type(model).__name__,
)
@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_no_attack_flips_what_is_proven(model, norm):
    X, y = world(gap=1.5)
    subject = tc.Subject(model.fit(X, y), X, y)
    proof = certified(subject, norm=norm, rows=30)
    asked = adversarial(
        tc.Subject(model.predict_proba, X, y, classes=[0, 1]), norm=norm, rows=30, queries=200
    )
    both = adversarial(subject, norm=norm, rows=30)
    assert not any("Alarm" in note for note in both.notes)
    assert both.metrics["verified"].value == proof.value
    for one, two, three in zip(proof.rows, both.rows, asked.rows, strict=True):
        assert one["n"] == two["n"] == three["n"]  # the very same rows
        assert one["value"] == two["verified"] <= two["value"] + 1e-12
        assert one["value"] <= three["value"] + 1e-12
    assert proof.value > 0.2


def test_a_single_tree_is_exact():
    X, y = world(gap=1.5)
    subject = tc.Subject(DecisionTreeClassifier(max_depth=4, random_state=0).fit(X, y), X, y)
    found = adversarial(subject, rows=40)
    assert found.metrics["exact"].value == 1
    assert found.metrics["verified"].value == found.value


def test_a_regression_is_certified():
    X, _ = world()
    model = LinearRegression().fit(X, X["a"] * 3)
    found = certified(tc.Subject(model, X, schema={"a": {"low": None, "high": None}}))
    scale = tc.Subject(model, X).schema["a"].scale
    shift = np.diff(np.quantile(3 * X["a"], [0.25, 0.75]))[0] / 1.349
    assert found.metrics["median_bound"].value == pytest.approx(shift / 3 / scale, rel=1e-4)
    assert found.value == 1


def test_no_attack_moves_a_number_that_is_proven_to_stay():
    X, _ = world()
    model = GradientBoostingRegressor(n_estimators=20, random_state=0).fit(
        X, X["a"] * 3 + X["b"] / 5
    )
    proof = certified(tc.Subject(model, X), rows=30, epsilon=0.5, shift=0.5)
    asked = adversarial(
        tc.Subject(model.predict, X, task="regression"), rows=30, epsilon=0.5, shift=0.5
    )
    assert 0 < proof.value <= asked.value


def test_the_order_of_rows_changes_nothing():
    X, y = world()
    model = RandomForestClassifier(5, max_depth=4, random_state=0).fit(X, y)
    order = np.random.default_rng(0).permutation(len(X))
    one = certified(tc.Subject(model, X, y), rows=25)
    two = certified(tc.Subject(model, X.iloc[order].reset_index(drop=True), y[order]), rows=25)
    assert one.metrics == two.metrics
    assert one.influence[order] == pytest.approx(two.influence, abs=1e-12)


def test_what_cannot_be_proven_is_skipped_with_a_reason_and_bad_parameters_are_refused():
    X, y = world()
    model = LogisticRegression().fit(X, y)
    by_hand = certified(tc.Subject(model.predict_proba, X, y, classes=[0, 1]))
    assert by_hand.status is Status.SKIPPED
    assert "cannot be read" in by_hand.reason
    fixed = certified(tc.Subject(model, X, y, schema={name: {"immutable": True} for name in X}))
    assert "immutable" in fixed.reason
    for wrong in ({"epsilon": 0}, {"norm": "l7"}, {"rows": 0}, {"work": 1}):
        with pytest.raises(InputError):
            certified(tc.Subject(model, X, y), **wrong)
