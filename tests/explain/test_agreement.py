import numpy as np
import pandas as pd
import pytest
from sklearn.compose import make_column_transformer
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder
from sklearn.tree import DecisionTreeClassifier

import trustcheck as tc
from trustcheck.explain import agreement, attributions
from trustcheck.stats import agreement as alike
from trustcheck.types import Status

LIMIT = 0.4


def black_box(function, seed, n=1200):
    X = np.random.default_rng(seed).normal(size=(n, 6))
    return tc.Subject(function, X, task="regression", seed=seed)


def any_will_do(T):
    """One large feature suffices: replacing another changes nothing, so occlusion sees none."""
    return 1.0 * (T.max(axis=1) > 0.3)


def additive(T):
    return np.sin(T[:, 0]) + T[:, 1] ** 2 - T[:, 2]


def test_features_that_stand_in_for_each_other_are_found_in_at_least_19_of_20_seeds():
    findings = [agreement(black_box(any_will_do, seed)) for seed in range(20)]
    assert sum(f.high < LIMIT for f in findings) >= 19


def test_an_additive_twin_agrees_wholly_in_all_seeds():
    # Each feature's part is then the same in every order, and the donors are the same too.
    for seed in range(20):
        finding = agreement(black_box(additive, seed))
        assert finding.value == pytest.approx(1)
        assert 0.9 < finding.low < 1  # rows not looked at might disagree
        assert finding.metrics["top_features"].value == 1


@pytest.mark.parametrize("model", [LogisticRegression(), DecisionTreeClassifier(max_depth=3)])
def test_small_models_that_are_read_pass_in_at_least_19_of_20_seeds(model):
    passed = 0
    for seed in range(20):
        X = np.random.default_rng(seed).normal(size=(600, 4))
        y = (X @ [2.0, 1.0, 0.5, 0.0] > 0).astype(int)
        passed += agreement(tc.Subject(model.fit(X, y), X, y, seed=seed)).low > LIMIT
    assert passed >= 19


def test_a_linear_model_that_is_read_agrees_wholly_with_asking_it():
    X = np.random.default_rng(0).normal(size=(300, 4))
    model = LinearRegression().fit(X, X @ [3.0, -1.0, 0.5, 0.0])
    finding = agreement(tc.Subject(model, X, task="regression", reference=X + 1))
    assert finding.value == pytest.approx(1)
    again = alike.beyond_chance(**finding.statistics)
    assert tuple(again) == pytest.approx((finding.value, finding.low, finding.high))
    for row in finding.rows:
        assert row["share"] == pytest.approx(row["share_by_occlusion"])


def test_shared_weight_is_that_of_a_plain_loop_over_permutations():
    from itertools import permutations

    rng = np.random.default_rng(0)
    one, two = rng.normal(size=(2, 5, 4))
    miss, chance = alike.shared_weight(one, 7 * two)
    for i in range(5):
        p, q = one[i] / np.abs(one[i]).sum(), two[i] / np.abs(two[i]).sum()

        def common(q, p=p):
            pairs = zip(p, q, strict=True)
            return sum(min(abs(a), abs(b)) for a, b in pairs if a * b > 0)

        assert miss[i] == pytest.approx(1 - common(q))
        every = [common(q[list(order)]) for order in permutations(range(4))]
        assert chance[i] == pytest.approx(1 - np.mean(every))


def test_unrelated_explanations_agree_as_by_chance():
    rng = np.random.default_rng(0)
    one = rng.exponential(size=(3000, 5)) * [5, 4, 3, 2, 1]
    two = rng.permuted(one, axis=1)
    low, high = alike.beyond_chance(*alike.shared_weight(one, two))[1:]
    assert low < 0 < high


def test_mixed_columns_are_measured_and_the_order_of_rows_changes_nothing():
    rng = np.random.default_rng(0)
    X = pd.DataFrame(
        {
            "debt": np.where(rng.random(400) < 0.1, np.nan, rng.normal(size=400)),
            "age": rng.integers(18, 80, 400),
            "job": rng.choice(["clerk", "nurse", "smith"], 400),
            "town": pd.Categorical(rng.choice(["a", "b"], 400)),
        }
    )
    y = np.digitize((X["job"] == "nurse") * 20 + X["age"], [40, 60])
    columns = make_column_transformer((OneHotEncoder(), ["job", "town"]), remainder="passthrough")
    model = make_pipeline(columns, RandomForestClassifier(10, max_depth=4, random_state=0))
    model.fit(X, y)
    one = agreement(tc.Subject(model, X, y))
    assert one.status is Status.MEASURED
    assert {row["feature"] for row in one.rows[:2]} == {"age", "job"}
    order = rng.permutation(400)
    rows = X.iloc[order].reset_index(drop=True)
    other = agreement(tc.Subject(model, rows, y[order]))
    ends = (one.value, one.low, one.high)
    assert ends == pytest.approx((other.value, other.low, other.high), abs=1e-12)


@pytest.mark.parametrize("n", [100, 300, 1500])
def test_the_second_method_takes_at_most_one_row_a_row(n):
    subject = black_box(additive, 0, n)
    attributions(subject)
    assert 0 < agreement(subject).rows_sent["perturbed"] <= n


def test_where_there_is_no_answer_the_reason_is_given():
    one = tc.Subject(lambda T: T[:, 0], np.arange(99.0)[:, None], task="regression")
    assert "one feature" in agreement(one).reason
    constant = black_box(lambda T: np.ones(len(T)), 0)
    assert "neither method" in agreement(constant).reason
    assert "one method only" in agreement(black_box(additive, 0), method="occlusion").reason
    small = black_box(additive, 0).with_budget(60)
    assert "budget" in agreement(small).reason
