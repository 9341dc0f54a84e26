import numpy as np
import pandas as pd
import pytest
from sklearn.compose import make_column_transformer
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

import trustcheck as tc
from trustcheck.explain import attributions, stability
from trustcheck.explain._explained import explained
from trustcheck.explain._stability import _nearby
from trustcheck.stats import agreement
from trustcheck.types import InputError, Status

LIMIT = 0.7


def black_box(function, seed, n=1200):
    X = np.random.default_rng(seed).normal(size=(n, 6))
    return tc.Subject(function, X, task="regression", seed=seed)


def restless(T):
    return T @ np.arange(6) + 40 * np.sin(40 * T[:, 0])


def calm(T):
    return T @ np.arange(6) + 40 * np.sin(T[:, 0])


def test_a_restless_model_is_found_and_its_calm_twin_passes_in_at_least_19_of_20_seeds():
    restless_ones = [stability(black_box(restless, seed)) for seed in range(20)]
    calm_ones = [stability(black_box(calm, seed)) for seed in range(20)]
    assert sum(f.high < LIMIT for f in restless_ones) >= 19
    assert sum(f.low > LIMIT for f in calm_ones) >= 19
    # The output is as restless as its explanation: it is the model, not the method.
    assert all(f.metrics["output_stability"].value < LIMIT for f in restless_ones)
    assert {f.rows[0]["feature"] for f in restless_ones} == {"x0"}


@pytest.mark.parametrize("seedless", [LogisticRegression(), DecisionTreeClassifier(max_depth=3)])
def test_small_models_that_are_read_pass_in_at_least_19_of_20_seeds(seedless):
    passed = 0
    for seed in range(20):
        X = np.random.default_rng(seed).normal(size=(300, 4))
        y = (X @ [2.0, 1.0, 0.5, 0.0] > 0).astype(int)
        passed += stability(tc.Subject(seedless.fit(X, y), X, y, seed=seed)).low > LIMIT
    assert passed >= 19


def test_a_tree_grown_on_noise_is_less_stable_than_a_pruned_one():
    X = np.random.default_rng(0).normal(size=(400, 4))
    y = X[:, 0] + np.random.default_rng(1).normal(size=400)

    def measured(model):
        return stability(tc.Subject(model.fit(X, y), X, y, task="regression")).value

    deep, shallow = DecisionTreeRegressor(random_state=0), DecisionTreeRegressor(max_depth=2)
    assert measured(deep) < measured(shallow) - 0.1


def test_a_linear_model_has_the_closed_form():
    X = np.random.default_rng(0).normal(size=(200, 3))
    w = np.array([3.0, -1.0, 0.5])
    subject = tc.Subject(LinearRegression().fit(X, X @ w), X, task="regression")
    finding = stability(subject, epsilon=0.5)
    again = agreement.beyond_chance(**finding.statistics)
    assert tuple(again) == pytest.approx((finding.value, finding.low, finding.high))
    swap = explained(subject).recipe.swap
    one = w * X[swap.rows]
    # Movement is that of the row itself: 1 - w^2 e^2 / (2 w^2), donors cancel.
    assert finding.value == pytest.approx(1 - 0.5**2 / 2, abs=0.03)
    assert np.sum(finding.statistics["chance"]) == pytest.approx(
        2 * ((one - one.mean(axis=0)) ** 2).sum(), rel=0.3
    )
    assert stability(subject, epsilon=1e-6).value == pytest.approx(1)


def mixed(n=400):
    rng = np.random.default_rng(0)
    X = pd.DataFrame(
        {
            "income": np.where(rng.random(n) < 0.1, np.nan, rng.lognormal(10, 0.5, n)),
            "age": pd.array(rng.integers(18, 80, n), dtype="Int64"),
            "gain": np.where(rng.random(n) < 0.8, 0.0, rng.lognormal(8, 1, n)),
            "job": rng.choice(["clerk", "nurse", "smith"], n),
            "town": pd.Categorical(rng.choice(["a", "b"], n)),
        }
    )
    y = (X["job"] == "nurse") * 20 + X["age"].astype(float) > 50
    columns = make_column_transformer(
        (OneHotEncoder(sparse_output=False), ["job", "town"]), remainder="passthrough"
    )
    return X, y.to_numpy(), make_pipeline(columns, HistGradientBoostingClassifier(max_iter=5))


def test_copies_keep_dtypes_missing_values_and_all_that_is_no_number():
    X, y, _ = mixed()
    subject = tc.Subject(lambda T: np.zeros(len(T)), X, y, task="regression")
    copies, moved = _nearby(X, subject, 0.1, np.random.default_rng(0))
    assert moved == ["income", "age"]  # of gain, most rows share one number
    assert (copies.dtypes == X.dtypes).all()
    assert (copies.isna() == X.isna()).all(axis=None)
    pd.testing.assert_frame_equal(copies.drop(columns=moved), X.drop(columns=moved))
    change = (copies["income"] - X["income"]).dropna() / subject.schema["income"].scale
    assert change.std() == pytest.approx(0.1, rel=0.2)


def test_mixed_columns_are_measured_and_the_order_of_rows_changes_nothing():
    X, y, model = mixed()
    model.fit(X, y)
    one = stability(tc.Subject(model, X, y, reference=X))
    order = np.random.default_rng(1).permutation(len(X))
    rows = X.iloc[order].reset_index(drop=True)
    other = stability(tc.Subject(model, rows, y[order], reference=X))
    assert one.status is Status.MEASURED
    ends = (one.value, one.low, one.high)
    assert ends == pytest.approx((other.value, other.low, other.high), abs=1e-12)
    assert any("another predicted class" in note for note in one.notes)


@pytest.mark.parametrize("n", [100, 300, 1500])
def test_copies_and_their_explanations_take_at_most_two_rows_a_row(n):
    subject = black_box(calm, 0, n)
    first = attributions(subject)
    assert first.rows_sent["perturbed"] <= 4 * n
    assert 0 < stability(subject).rows_sent["perturbed"] <= 2 * n


def test_where_there_is_no_answer_the_reason_is_given():
    words = pd.DataFrame({"a": list("xyz") * 40, "b": list("uv") * 60})
    no_number = tc.Subject(lambda T: (T["a"] == "x") * 1.0, words, task="regression")
    assert "no feature is a number" in stability(no_number).reason
    constant = stability(black_box(lambda T: np.ones(len(T)), 0))
    assert "same attributions" in constant.reason
    with pytest.raises(InputError, match="epsilon must be"):
        stability(black_box(calm, 0), epsilon=0)
