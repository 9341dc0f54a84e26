import numpy as np
import pandas as pd
import pytest
from sklearn.compose import make_column_transformer
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

import trustcheck as tc
from trustcheck.robustness import missing
from trustcheck.robustness._missing import _blank
from trustcheck.stats import degradation
from trustcheck.types import InputError, Status

LIMIT = 0.90
BINARY = {"task": "binary", "classes": [0, 1]}


def world(seed, n=1000):
    rng = np.random.default_rng(seed)
    return pd.DataFrame(rng.normal(size=(n, 4)), columns=list("abcd"))


def turns_on_a_gap(X):
    return np.where(X["a"].isna(), X["b"] < 0, X["b"] > 0).astype(int)


def ignores_a_gap(X):
    return (X["b"].fillna(0.5) > -2).astype(int)


def mixed_world(n=600, seed=0):
    rng = np.random.default_rng(seed)
    X = pd.DataFrame(
        {
            "age": rng.integers(18, 80, n),
            "income": rng.lognormal(10, 0.5, n),
            "job": rng.choice(["clerk", "nurse", "driver"], n),
            "grade": pd.Categorical(rng.choice(["low", "high"], n)),
            "owner": rng.random(n) < 0.4,
            "rooms": pd.array(rng.integers(1, 9, n), dtype="Int64"),
            "since": pd.Timestamp("2020-01-01") + pd.to_timedelta(rng.integers(0, 900, n), "D"),
            "note": [f"text {i}" for i in range(n)],
        }
    )
    y = (X["age"] / 20 + X["owner"] + (X["job"] == "nurse") + rng.normal(0, 0.5, n) > 3).astype(int)
    X.loc[rng.random(n) < 0.1, ["income", "job"]] = None
    encode = make_column_transformer(
        (SimpleImputer(), ["age", "income"]),
        (OneHotEncoder(handle_unknown="ignore"), ["job", "grade", "owner"]),
    )
    return make_pipeline(encode, LogisticRegression(max_iter=2000)), X, y


def test_consistency_of_a_model_of_one_column_is_the_closed_form():
    X = world(0, 20_000)[["a"]]
    subject = tc.Subject(lambda X: (X["a"].fillna(1.0) > 0.5).astype(int), X, **BINARY)
    below = (X["a"] <= 0.5).mean()
    for rate in (0.1, 0.4):
        found = missing(subject, rate=rate)
        assert found.low <= 1 - rate * below <= found.high
        assert abs(found.value - (1 - rate * below)) < 0.01
        alone = found.rows[-1]
        assert alone["missing"] == "a"
        assert alone["low"] <= 1 - below <= alone["high"]


def test_a_model_that_turns_on_a_gap_is_found():
    failed = 0
    for seed in range(20):
        found = missing(tc.Subject(turns_on_a_gap, world(seed), seed=seed, **BINARY), rate=0.3)
        by_name = {row["missing"]: row for row in found.rows}
        failed += found.high < LIMIT and by_name["a"]["value"] == 0
    assert failed >= 19


def test_a_model_that_has_an_answer_for_gaps_stays_quiet():
    passed = 0
    for seed in range(20):
        found = missing(tc.Subject(ignores_a_gap, world(seed), seed=seed, **BINARY))
        passed += found.low > LIMIT
    assert passed >= 19


def test_a_model_that_raises_loses_the_decision_and_the_column_is_named():
    X, n = world(1), 1000
    y = (X["a"] > 0).astype(int)

    def model(X):
        if X["c"].isna().any():
            raise ValueError("no gaps here")
        return (X["a"].fillna(0) > -9).astype(int)

    found = missing(tc.Subject(model, X, y, **BINARY))
    does = {row["missing"]: (row["model"], row["exception"]) for row in found.rows}
    assert does["c"] == ("raises", "ValueError")
    assert does["a"] == does["b"] == does["d"] == ("answers", "")
    assert does["10% of all cells"] == ("raises for some rows", "ValueError")
    assert found.low < 0.9 < found.high
    assert any("raises when c is missing" in note for note in found.notes)
    assert found.rows_sent["perturbed"] <= 2 * n
    strict = tc.Subject(LinearRegression().fit(X, X["a"]), X, X["a"])
    assert missing(strict, rate=1.0).value == 0
    assert {row["model"] for row in missing(strict).rows[2:]} == {"raises"}


def test_a_model_that_refuses_some_rows_is_asked_about_few_one_by_one():
    def model(X):
        if X[["a", "b"]].isna().all(axis=1).any():
            raise ValueError("give a or b")
        return (X["c"].fillna(0) > -9).astype(int)

    found = missing(tc.Subject(model, world(0), **BINARY), rate=0.5)
    assert {row["model"] for row in found.rows[3:]} == {"answers"}
    assert found.n < 300
    assert found.low < 0.75 < found.high
    assert found.rows_sent["perturbed"] <= 2000


def test_every_dtype_says_missing_its_own_way():
    _, X, _ = mixed_world()
    subject = tc.Subject(lambda X: np.ones(len(X), int), X, **BINARY)
    gone = np.ones(len(X), dtype=bool)
    kinds = {name: _blank(subject, X[name], gone).dtype for name in X}
    assert kinds["age"] == "float64"
    assert kinds["owner"] == "object"
    for name in ("income", "job", "grade", "rooms", "since"):
        assert kinds[name] == X[name].dtype
    assert all(_blank(subject, X[name], gone).isna().all() for name in X)
    spelled = pd.Series(["x", None], dtype=object)
    assert _blank(subject, spelled, np.array([True, False])).iloc[0] is None
    flags = tc.Subject(
        lambda X: X[:, 0], np.array([[True], [False]]), task="binary", classes=[0, 1]
    )
    assert _blank(flags, flags.X["x0"], np.array([True, False])).dtype == float


def test_mixed_columns_pass_through_a_pipeline_whose_gaps_are_named():
    model, X, y = mixed_world()
    found = missing(tc.Subject(model.fit(X, y), X, y, schema={"age": {"immutable": True}}))
    assert found.status is Status.MEASURED
    assert {row["missing"] for row in found.rows[2:]} == set(X) - {"note"}
    assert {row["model"] for row in found.rows} == {"answers"}
    assert 0.7 < found.value < 1
    lost = found.metrics["accuracy_lost"]
    assert -0.05 < lost.value < 0.2
    assert [row["value"] for row in found.rows[:2]] == sorted(
        [row["value"] for row in found.rows[:2]], reverse=True
    )


@pytest.mark.parametrize("mechanism", ["mcar", "mar", "mnar"])
def test_the_share_of_cells_is_the_rate_whatever_the_mechanism(mechanism):
    seen = []

    def model(X):
        seen.append(X)
        return np.zeros(len(X), int)

    X = world(0, 4000)
    missing(tc.Subject(model, X, **BINARY), rate=0.6, rates=(), mechanism=mechanism)
    sent = max(seen[1:], key=len)
    rows = 1 - 0.4**4  # rows without a gap are not sent
    assert abs(sent.isna().mean().mean() * rows - 0.6) < 0.02
    left = sent["a"].mean()  # the large go first where the value itself decides
    assert (left < -0.2) == (mechanism == "mnar")


def test_the_order_of_rows_changes_nothing_and_the_statistics_give_the_headline():
    model, X, y = mixed_world()
    y = y.to_numpy()
    model.fit(X, y)
    order = np.random.default_rng(1).permutation(len(X))
    turned = tc.Subject(model, X.iloc[order].reset_index(drop=True), y[order])
    for mechanism in ("mcar", "mnar"):
        one = missing(tc.Subject(model, X, y), mechanism=mechanism)
        two = missing(turned, mechanism=mechanism)
        assert one.rows == two.rows
        assert one.influence[order] == pytest.approx(two.influence, abs=1e-12)
        again = degradation.consistency(**one.statistics)
        assert (again.value, again.low, again.high) == pytest.approx((one.value, one.low, one.high))


def test_regression_and_more_classes_and_weights_and_clusters_work():
    X = world(0, 800)
    y = X["a"] + X["b"]
    number = HistGradientBoostingRegressor(max_iter=30).fit(X, y)
    found = missing(tc.Subject(number, X, y))
    assert 0.8 < found.low < found.value < found.high < 1
    assert missing(tc.Subject(LinearRegression().fit(X, y), X, y)).value == pytest.approx(
        0.9**4,
        abs=0.05,  # rows that lost their answer count as changed by a whole IQR
    )
    assert found.metrics["error_added"].low > 0
    three = pd.qcut(y, 3, labels=False)
    classes = HistGradientBoostingClassifier(max_iter=10).fit(X, three)
    plain = missing(tc.Subject(classes, X, three))
    full = missing(
        tc.Subject(classes, X, three, sample_weight=np.full(800, 2.0), cluster=np.arange(800) // 4)
    )
    assert plain.value == pytest.approx(full.value, abs=0.04)  # other rows are drawn
    assert 0.6 < plain.low < plain.value < 1
    assert full.metrics["accuracy_lost"].value > 0


@pytest.mark.parametrize(("n", "columns"), [(100, 4), (500, 60), (30_000, 4)])
def test_the_default_cost_is_at_most_two_rows_a_row_and_forty_thousand(n, columns):
    X = pd.DataFrame(np.random.default_rng(0).normal(size=(n, columns)))

    def picky(X):
        if X["3"].isna().any() or X.isna().all(axis=1).any():
            raise ValueError
        return (X["1"] > 0).astype(int)

    X.columns = [str(name) for name in X.columns]
    for model in (picky, lambda X: (X["1"] > 0).astype(int)):
        found = missing(tc.Subject(model, X, **BINARY))
        assert found.rows_sent["perturbed"] <= min(2 * n, 40_000)


def test_what_cannot_be_asked_is_skipped_and_bad_parameters_are_refused():
    text = pd.DataFrame({"note": [f"text {i}" for i in range(200)]})
    found = missing(tc.Subject(lambda X: X["note"].str.len() > 6, text, **BINARY))
    assert "free text" in found.reason
    one = tc.Subject(ignores_a_gap, world(0)[["b"]], **BINARY)
    assert "second column" in missing(one, mechanism="mar").reason
    assert "budget" in missing(one.with_budget(1)).reason
    for wrong in ({"rate": 0.0}, {"rates": (1.5,)}, {"mechanism": "none"}, {"rows": 0}):
        with pytest.raises(InputError):
            missing(one, **wrong)


def test_a_one_hot_group_goes_missing_as_a_whole_and_imputers_are_named():
    rng = np.random.default_rng(0)
    colour = rng.integers(3, size=500)
    X = pd.DataFrame(
        {f"c_{k}": (colour == k).astype(float) for k in range(3)} | {"a": rng.normal(size=500)}
    )
    y = (X["a"] + X["c_1"] > 0.5).astype(int)
    seen = []

    def model(frame):
        gone = frame[["c_0", "c_1", "c_2"]].isna().sum(axis=1)
        seen.extend(gone[frame["a"].notna()])
        return (frame["a"].fillna(0) > 0.5).to_numpy().astype(int)

    for mechanism in ("mcar", "mnar"):
        seen.clear()
        subject = tc.Subject(model, X, y, task="binary", classes=[0, 1])
        found = missing(subject, rates=(0.3,), mechanism=mechanism)
        assert any("no step before it" in note for note in found.notes)
        assert seen.count(3) > 50
        assert seen.count(2) == 0
    fills = make_pipeline(SimpleImputer(), LogisticRegression()).fit(X, y)
    assert any("SimpleImputer" in note for note in missing(tc.Subject(fills, X, y)).notes)
