import numpy as np
import pandas as pd
import pytest
from scipy.stats import norm
from sklearn.compose import make_column_selector, make_column_transformer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

import trustcheck as tc
from trustcheck.robustness import noise
from trustcheck.stats import degradation
from trustcheck.types import InputError, Status

LIMIT = 0.95
W = np.array([1.0, -2.0, 0.5])
UNBOUNDED = {"low": None, "high": None}
BINARY = {"task": "binary", "classes": [0, 1]}


def normal_frame(n, seed=0):
    rng = np.random.default_rng(seed)
    return pd.DataFrame(rng.normal(size=(n, 3)) * [1, 3, 10], columns=["a", "b", "c"])


def linear_score(X):
    return X[["a", "b", "c"]].to_numpy() @ W + 0.7


def unclipped(model, X, y=None, **facts):
    return tc.Subject(model, X, y, schema=dict.fromkeys(X.columns, UNBOUNDED), **facts)


def clusters_world(seed, n=1000):
    rng = np.random.default_rng(seed)
    y = rng.integers(0, 2, n)
    X = pd.DataFrame(rng.normal(size=(n, 4)) + 2.5 * y[:, None], columns=list("abcd"))
    return X, y


def mixed_world(n=800, seed=0):
    rng = np.random.default_rng(seed)
    X = pd.DataFrame(
        {
            "age": rng.integers(18, 80, n),
            "income": rng.lognormal(10, 0.5, n),
            "job": rng.choice(["clerk", "nurse", "driver"], n),
            "owner": rng.random(n) < 0.4,
        }
    )
    y = (X["age"] / 20 + X["owner"] + (X["job"] == "nurse") + rng.normal(0, 0.5, n) > 3).astype(int)
    X.loc[rng.random(n) < 0.1, "income"] = np.nan
    X.loc[rng.random(n) < 0.1, "job"] = None
    encode = make_column_transformer(
        (SimpleImputer(), make_column_selector(dtype_include=np.number)),
        (OneHotEncoder(handle_unknown="ignore"), ["job", "owner"]),
    )
    return make_pipeline(encode, LogisticRegression(max_iter=2000)), X, y


def test_consistency_of_a_linear_score_is_the_closed_form():
    X = normal_frame(400)
    subject = unclipped(lambda X: (linear_score(X) > 0).astype(int), X, **BINARY)
    found = noise(subject, epsilon=0.3, draws=200, rows=400)
    scales = np.array([subject.schema[name].scale for name in X])
    flip = norm.cdf(-np.abs(linear_score(X)) / (0.3 * np.linalg.norm(W * scales)))
    error = np.sqrt((flip * (1 - flip)).sum() / 200) / 400
    assert abs(found.value - (1 - flip.mean())) < 4 * error
    never = ((1 - flip) ** 200).mean()
    assert abs(found.metrics["worst_case"].value - never) < 0.03


def test_consistency_of_a_linear_regression_is_the_closed_form():
    X = normal_frame(4000)
    subject = unclipped(linear_score, X, task="regression")
    found = noise(subject, epsilon=0.2, draws=1)
    scales = np.array([subject.schema[name].scale for name in X])
    quarter, three_quarters = np.quantile(linear_score(X), [0.25, 0.75])
    sd = 0.2 * np.linalg.norm(W * scales) / (three_quarters - quarter)
    expected = 1 - norm.ppf(0.75) * sd  # the median of |N(0, sd)|
    assert found.low <= expected <= found.high
    assert abs(found.value - expected) < 0.01


def test_a_brittle_model_is_found():
    def stripes(X):
        return (np.floor(X["a"] / 0.4) % 2).astype(int)

    failed = 0
    for seed in range(20):
        X, _ = clusters_world(seed)
        failed += noise(tc.Subject(stripes, X, seed=seed, **BINARY)).high < LIMIT
    assert failed >= 19


def test_a_model_with_a_wide_margin_stays_quiet():
    passed = 0
    for seed in range(20):
        X, y = clusters_world(seed)
        model = LogisticRegression().fit(X, y)
        passed += noise(tc.Subject(model, X, y, seed=seed)).low > LIMIT
    assert passed >= 19


def test_the_statistics_give_the_headline_back():
    X, y = clusters_world(0)
    found = noise(tc.Subject(LogisticRegression().fit(X, y), X, y))
    assert found.formula == "degradation.consistency"
    again = degradation.consistency(**found.statistics)
    assert (again.value, again.low, again.high) == pytest.approx(
        (found.value, found.low, found.high), abs=1e-12
    )
    assert sum(found.statistics["unchanged"]) == 1000


def test_the_order_of_rows_changes_nothing_and_a_second_run_is_equal():
    model, X, y = mixed_world()
    y = y.to_numpy()
    model.fit(X, y)
    order = np.random.default_rng(1).permutation(len(X))
    weights = np.random.default_rng(2).random(len(X))
    given = tc.Subject(model, X, y, sample_weight=weights)
    turned = tc.Subject(
        model, X.iloc[order].reset_index(drop=True), y[order], sample_weight=weights[order]
    )
    for changes in ({}, {"rows": 300}):
        one, two, three = noise(given, **changes), noise(turned, **changes), noise(given, **changes)
        assert one == three
        for name, estimate in one.metrics.items():
            other = two.metrics[name]
            assert (estimate.value, estimate.low, estimate.high) == pytest.approx(
                (other.value, other.low, other.high), abs=1e-12
            )
        assert one.influence[order] == pytest.approx(two.influence, abs=1e-12)


def test_the_curve_falls_and_the_area_is_its_mean_height():
    X, y = clusters_world(3)
    found = noise(
        tc.Subject(LogisticRegression().fit(X, y), X, y), severities=(0.2, 0.5, 1, 2), epsilon=0.2
    )
    values = [row["value"] for row in found.rows]
    assert [row["severity"] for row in found.rows] == [0.2, 0.5, 1.0, 2.0]
    assert values == sorted(values, reverse=True)
    expected = np.trapezoid([1.0, *values], [0, 0.2, 0.5, 1, 2]) / 2
    assert found.metrics["area"].value == pytest.approx(expected)


def test_epsilon_is_always_a_point_of_the_curve():
    X, y = clusters_world(3)
    found = noise(tc.Subject(LogisticRegression().fit(X, y), X), epsilon=0.3, severities=(0.1,))
    assert [row["severity"] for row in found.rows] == [0.1, 0.3]
    assert found.rows[1]["value"] == found.value


@pytest.mark.parametrize(("n", "sent"), [(200, 800), (2000, 8000), (15_000, 60_000)])
def test_the_default_cost_is_at_most_four_rows_a_row_and_sixty_thousand(n, sent):
    X, _ = clusters_world(0, n)
    subject = tc.Subject(lambda X: (X["a"] > 1).astype(int), X, **BINARY)
    assert noise(subject).rows_sent["perturbed"] == sent
    assert noise(subject.with_budget(2 * n)).rows_sent["perturbed"] <= max(4 * n * 2 / 30, 4)


def test_two_thousand_rows_give_a_tight_interval():
    X, y = clusters_world(0, 2000)
    found = noise(tc.Subject(LogisticRegression().fit(X, y), X))
    assert found.high - found.low < 0.02


def test_rows_that_repeat_do_not_count_as_evidence_when_they_are_clustered():
    X, y = clusters_world(4, 300)
    X, y = pd.concat([X] * 4, ignore_index=True), np.tile(y, 4)
    model = LogisticRegression().fit(X, y)
    loose = noise(tc.Subject(model, X, y), epsilon=1.0, severities=())
    tight = noise(
        tc.Subject(model, X, y, cluster=np.tile(range(300), 4)), epsilon=1.0, severities=()
    )
    assert tight.high - tight.low > 1.3 * (loose.high - loose.low)


def test_a_sample_of_rows_takes_some_of_their_copies():
    X = pd.DataFrame({"x": np.repeat([1.5, 2.5], 500)})
    subject = tc.Subject(lambda X: (X["x"] > 2.45).astype(int), X, **BINARY)
    found = noise(subject, rows=400, draws=1)
    # Copies of 2.5 flip in about a quarter of the draws (scale 0.74), those of 1.5 never.
    assert 0.78 < found.value < 0.97


def test_rows_of_weight_zero_count_nowhere():
    X, y = clusters_world(5, 600)
    brittle = (X["d"] > X["d"].median()).to_numpy()

    def model(X):
        stripes = np.floor(X["a"] / 0.2) % 2
        return np.where(X["d"] > 8, stripes, X["a"] > 1).astype(int)

    X.loc[brittle, "d"] += 50
    found = noise(tc.Subject(model, X, y, sample_weight=(~brittle).astype(float)))
    assert found.value > 0.9
    assert noise(tc.Subject(model, X, y)).value < 0.8


def test_mixed_columns_with_gaps_pass_through_a_pipeline():
    model, X, y = mixed_world()
    found = noise(tc.Subject(model.fit(X, y), X, y))
    assert found.status is Status.MEASURED
    assert 0.9 < found.value < 1
    assert 0.5 < found.metrics["normalised_score"].value <= 1
    assert any("3.2%" in note for note in found.notes)


def test_more_than_two_classes_work():
    rng = np.random.default_rng(0)
    y = rng.integers(0, 3, 600)
    X = pd.DataFrame(rng.normal(size=(600, 2)) + 4 * np.eye(3)[y][:, :2], columns=["a", "b"])
    found = noise(tc.Subject(LogisticRegression().fit(X, y), X, y))
    assert 0.9 < found.low < found.high <= 1
    assert found.metrics["normalised_score"].value > 0.9


def test_regression_with_weights_and_clusters_works_and_keeps_its_skill():
    X = normal_frame(900)
    y = linear_score(X) + np.random.default_rng(1).normal(size=900)
    model = LinearRegression().fit(X, y)
    plain = noise(tc.Subject(model, X, y))
    full = noise(
        tc.Subject(model, X, y, sample_weight=np.full(900, 2.0), cluster=np.arange(900) // 3)
    )
    assert full.value == pytest.approx(plain.value, abs=0.01)
    assert 0.9 < plain.metrics["normalised_score"].value <= 1
    assert plain.metrics["consistency"].range == (None, 1.0)


def test_a_guess_has_no_skill_to_keep():
    X, _ = clusters_world(0)
    y = np.random.default_rng(9).integers(0, 2, len(X))
    found = noise(tc.Subject(lambda X: (X["a"] > 1).astype(int), X, y))
    assert "normalised_score" not in found.metrics
    assert any("trivial" in note for note in found.notes)


def test_bare_arrays_are_sent_as_arrays():
    X, y = clusters_world(0)
    model = LogisticRegression().fit(X.to_numpy(), y)
    assert noise(tc.Subject(model, X.to_numpy(), y)).value > 0.95


def test_what_cannot_be_asked_is_skipped_with_a_reason():
    text = pd.DataFrame({"note": [f"text {i}" for i in range(200)]})
    found = noise(tc.Subject(lambda X: X["note"].str.len() > 6, text, **BINARY))
    assert found.status is Status.SKIPPED
    assert "free text" in found.reason
    flat = noise(tc.Subject(lambda X: np.ones(len(X)), normal_frame(100), task="regression"))
    assert "one number" in flat.reason
    alone = noise(tc.Subject.from_predictions([0, 1], [0, 1], X=normal_frame(2)))
    assert "predictions" in alone.reason


@pytest.mark.parametrize(
    "wrong", [{"epsilon": 0.0}, {"severities": (0.1, -1.0)}, {"draws": 0}, {"rows": 0}]
)
def test_bad_parameters_are_refused(wrong):
    X, _ = clusters_world(0)
    with pytest.raises(InputError):
        noise(tc.Subject(lambda X: (X["a"] > 1).astype(int), X, **BINARY), **wrong)
