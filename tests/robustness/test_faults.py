import numpy as np
import pandas as pd
import pytest
from sklearn.compose import make_column_transformer
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

import trustcheck as tc
from trustcheck.robustness import faults
from trustcheck.robustness._kinds import FAULTS, differs, faults_of
from trustcheck.stats import intervals
from trustcheck.subject import Schema
from trustcheck.types import InputError, Status

LIMIT = 0.60
BINARY = {"task": "binary", "classes": [0, 1]}
UNITS = ("times 10", "times 100", "times 1000", "beyond range")


def world(seed, n=1000):
    rng = np.random.default_rng(seed)
    return pd.DataFrame(rng.normal(10, 2, size=(n, 4)), columns=list("abcd"))


def unclipped(X):
    return (X["a"] + X["b"] + X["c"] + X["d"] > 45).astype(int)


def clipped(X):
    return (X[list("abcd")].clip(4, 16).sum(axis=1) > 31).astype(int)


def mixed(n=600, seed=0):
    rng = np.random.default_rng(seed)
    day = pd.Timestamp("2020-01-01") + pd.to_timedelta(rng.integers(0, 900, n), "D")
    X = pd.DataFrame(
        {
            "age": rng.integers(18, 80, n),
            "income": rng.lognormal(10, 0.5, n),
            "debt": rng.lognormal(8, 0.5, n),
            "small": rng.integers(1, 9, n).astype("int8"),
            "rooms": pd.array(rng.integers(1, 9, n), dtype="Int64"),
            "job": rng.choice(["clerk", "nurse", "driver"], n),
            "town": pd.Series(rng.choice(["aa", "a"], n), dtype=object),
            "grade": pd.Categorical(rng.choice(["low", "high"], n)),
            "code": pd.Categorical(rng.integers(1, 4, n)),
            "owner": rng.random(n) < 0.4,
            "since": day,
            "abroad": pd.Series(day).dt.tz_localize("Europe/Paris"),
            "note": [f"text {i}" for i in range(n)],
            "constant": 1.0,
        }
    )
    y = (X["age"] / 20 + X["owner"] + (X["job"] == "nurse") + rng.normal(0, 0.5, n) > 3).astype(int)
    X.loc[rng.random(n) < 0.1, ["income", "job", "grade", "rooms", "since"]] = None
    return X, y


def pipeline(X, y, unknown="ignore"):
    encode = make_column_transformer(
        (make_pipeline(SimpleImputer(), StandardScaler()), ["age", "income", "debt", "small"]),
        (OneHotEncoder(handle_unknown=unknown), ["job", "grade", "owner"]),
    )
    return make_pipeline(encode, LogisticRegression()).fit(X, y)


def test_kept_is_the_mean_over_every_column_and_fault_when_every_row_is_used():
    X = world(0, 300)[["a", "b"]]

    def model(X):
        return (X["a"] > 9).astype(int)

    found = faults(tc.Subject(model, X, **BINARY), kinds=("times 10",), rows=300)
    before = model(X)
    shares = [(model(X.assign(**{name: X[name] * 10})) == before).to_numpy() for name in X]
    assert found.value == pytest.approx(np.mean(shares))
    worst = np.mean(shares, axis=1).min()
    assert found.metrics["worst_column"].value == pytest.approx(worst)
    per_row = intervals.mean(np.mean(shares, axis=0))  # a row broken in two ways is one draw
    assert found.high - found.low == pytest.approx(per_row.high - per_row.low, rel=0.15)


def test_a_model_that_a_wrong_unit_carries_away_is_found():
    failed = 0
    for seed in range(20):
        found = faults(tc.Subject(unclipped, world(seed), seed=seed, **BINARY), kinds=UNITS)
        failed += found.high < LIMIT and found.metrics["worst_column"].high < LIMIT
    assert failed >= 19


def test_its_twin_that_clips_its_inputs_stays_quiet():
    passed = 0
    for seed in range(20):
        found = faults(tc.Subject(clipped, world(seed), seed=seed, **BINARY))
        passed += found.low > LIMIT
    assert passed >= 19


def test_the_one_column_that_breaks_the_model_comes_first():
    X = world(3)
    found = faults(tc.Subject(lambda X: (X["c"] > 9).astype(int), X, **BINARY))
    assert (found.rows[0]["column"], found.rows[0]["fault"]) == ("c", "all")
    others = [r for r in found.rows if r["column"] in "ad" and r["fault"] == "all"]
    assert [row["value"] for row in others] == [1.0, 1.0]
    worst = found.metrics["worst_column"]
    assert worst.value == pytest.approx(found.rows[0]["value"])
    assert worst.value < found.value
    assert worst.high > found.rows[0]["high"]  # it was chosen among four


def test_every_fault_keeps_gaps_and_means_something_for_each_dtype():
    X, _ = mixed()
    made = {}
    for name, sort, _, fault in faults_of(X, Schema.infer(X)):
        broken = fault(X)
        if (name, sort) not in (("small", "one digit"), ("rooms", "one digit")):
            assert differs(X, broken).any(), (name, sort)
        made.setdefault(name, {})[sort] = broken[name]
        if sort != "swapped":
            assert broken[name].isna().equals(X[name].isna()), (name, sort)
            new = sort in ("unseen", "typo") and X[name].dtype == "category"
            assert new or broken[name].dtype == X[name].dtype, (name, sort)
    assert "note" not in made and "constant" not in made  # noqa: PT018
    assert set(made["age"]) == {*FAULTS} - {"unseen", "typo", "swapped"}
    assert set(made["job"]) == {"unseen", "typo", "stale", "stuck"}
    assert set(made["owner"]) == {"stale", "stuck"}
    assert made["small"]["times 1000"].max() == 127  # as much as the column holds
    assert made["code"]["unseen"].eq(4).all()
    assert not set(made["town"]["typo"]) & {"a", "aa"}
    assert set(made["grade"]["typo"].dropna()) == {"olw", "ihgh"}
    assert (made["income"]["swapped"].dropna() == X["debt"][X["debt"].notna()]).all()
    ages = made["age"]["one digit"]
    assert set(ages % 10) == {0}
    assert made["since"]["beyond range"].max() > X["since"].max()


def test_a_refusal_is_counted_apart_and_its_column_named():
    X, y = mixed()
    found = faults(tc.Subject(pipeline(X, y, "error"), X, y))
    by = {(row["column"], row["fault"]): row for row in found.rows}
    for name in ("job", "grade"):
        for fault in ("unseen", "typo"):
            assert by[name, fault]["value"] is None
            assert by[name, fault]["exception"] == "ValueError"
        assert by[name, "stale"]["exception"] == ""
    assert 0 < found.metrics["refused"].value < 0.2
    soft = faults(tc.Subject(pipeline(X, y), X, y))
    assert soft.metrics["refused"].value == 0
    assert any("job (unseen)" in note for note in found.notes)
    assert found.rows_sent["perturbed"] <= 1500


def test_a_model_that_refuses_every_fault_is_skipped_and_one_that_refuses_a_few_is_not():
    X = world(0)

    def guarded(X):
        if ((X < 0) | (X > 20)).any(axis=None):
            raise ValueError("out of range")
        return (X["a"] > 9).astype(int)

    subject = tc.Subject(guarded, X, **BINARY)
    assert "raises on every" in faults(subject, kinds=UNITS).reason
    found = faults(subject)
    assert found.metrics["refused"].value > 0.5
    assert found.metrics["silent_change"].value < 0.1
    assert found.rows_sent["perturbed"] <= 2500


def test_the_order_of_rows_changes_nothing():
    X, y = mixed()
    model, y = pipeline(X, y), y.to_numpy()
    order = np.random.default_rng(1).permutation(len(X))
    one = faults(tc.Subject(model, X, y))
    two = faults(tc.Subject(model, X.iloc[order].reset_index(drop=True), y[order]))
    for left, right in zip(one.rows, two.rows, strict=True):
        assert left == pytest.approx(right, abs=1e-12)
    assert one.influence[order] == pytest.approx(two.influence, abs=1e-12)


def test_regression_and_more_classes_and_weights_and_clusters_work():
    X = world(0, 800)
    y = X["a"] + X["b"]
    found = faults(tc.Subject(LinearRegression().fit(X, y), X, y))
    assert 0.3 < found.low < found.value < 0.8
    assert {row["value"] for row in found.rows if row["column"] == "d"} == {1.0}
    three = pd.qcut(y, 3, labels=False)
    model = HistGradientBoostingClassifier(max_iter=10).fit(X, three)
    plain = faults(tc.Subject(model, X, three))
    full = faults(
        tc.Subject(model, X, three, sample_weight=np.full(800, 2.0), cluster=np.arange(800) // 8)
    )
    assert plain.value == pytest.approx(full.value, abs=0.04)
    assert full.status is Status.MEASURED


@pytest.mark.parametrize(("n", "columns"), [(400, 4), (500, 60), (30_000, 4)])
def test_the_default_cost_is_at_most_two_rows_a_row_and_forty_thousand(n, columns):
    X = pd.DataFrame(np.random.default_rng(0).normal(size=(n, columns)))

    def picky(X):
        if (np.abs(X[:, 1]) > 30).any():
            raise ValueError
        return (X[:, 1] > 0).astype(int)

    for model in (picky, lambda X: (X[:, 1] > 0).astype(int)):
        found = faults(tc.Subject(model, X.to_numpy(), **BINARY))
        assert found.rows_sent["perturbed"] <= min(2 * n, 40_000)
    assert any("beyond the budget" in note for note in found.notes) == (columns == 60)


def test_what_cannot_be_asked_is_skipped_and_bad_parameters_are_refused():
    text = pd.DataFrame({"note": [f"text {i}" for i in range(200)]})
    found = faults(tc.Subject(lambda X: X["note"].str.len() > 6, text, **BINARY))
    assert "free text" in found.reason
    subject = tc.Subject(clipped, world(0), **BINARY)
    assert "budget" in faults(subject.with_budget(1)).reason
    for wrong in ({"kinds": ("rust",)}, {"kinds": ()}, {"tolerance": 2.0}, {"rows": 0}):
        with pytest.raises(InputError):
            faults(subject, **wrong)


def test_a_one_hot_group_breaks_as_one_column_and_a_stuck_column_shows_one_value():
    rng = np.random.default_rng(0)
    colour = rng.integers(3, size=600)
    X = pd.DataFrame(
        {f"c_{k}": (colour == k).astype(int) for k in range(3)} | {"a": rng.normal(size=600)}
    )
    schema = Schema.infer(X)
    made = {(str(name), sort): fault(X) for name, sort, _, fault in faults_of(X, schema)}
    group = "one of c_0, c_1, c_2"
    assert {sort for name, sort in made if name == group} == {"unseen", "stale"}
    assert not any(name.startswith("c_") for name, _ in made)
    assert all((column == 0).all() for column in made[group, "unseen"].values())
    assert (sum(made[group, "stale"].values()) == 1).all()
    assert len(set(made["a", "stuck"]["a"])) == 1


def test_a_model_that_minds_duplicates_is_found_and_one_that_does_not_stays_quiet():
    X = world(0, 600)
    answers = unclipped(X)

    def minds(frame):
        repeated = frame.duplicated(keep=False).to_numpy()
        return np.where(repeated, 1 - unclipped(frame), unclipped(frame))

    quiet = faults(tc.Subject(unclipped, X, answers, **BINARY), kinds=("stale",))
    assert quiet.metrics["duplicates"].value == 1
    assert (
        faults(tc.Subject(minds, X, answers, **BINARY), kinds=("stale",)).metrics["duplicates"].high
        < 0.5
    )
