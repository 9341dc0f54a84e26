import time

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import make_column_transformer
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

import trustcheck as tc
from trustcheck.safety import slices
from trustcheck.stats.slices import confirm
from trustcheck.types import InputError, Status

LIMIT = 0.15


def people(n, seed):
    rng = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "age": rng.integers(18, 80, n),
            "income": rng.lognormal(10, 0.5, n).round(2),
            "job": rng.choice(["clerk", "nurse", "driver", "cook"], n),
            "owner": rng.random(n) < 0.4,
            "town": pd.Categorical(rng.choice(list("abcde"), n)),
            "seen": pd.Timestamp("2024-01-01") + pd.to_timedelta(rng.integers(0, 700, n), unit="D"),
        }
    )


def answered(X, seed, base=0.1, planted=0.0):
    """Predictions that err at a base rate everywhere, and more in the planted slice."""
    rng = np.random.default_rng(1000 + seed)
    weak = (X["job"] == "nurse") & (X["town"] == "a")
    truth = rng.integers(0, 2, len(X))
    wrong = rng.random(len(X)) < base + planted * weak
    return tc.Subject.from_predictions(truth, truth ^ wrong, X=X, seed=seed), weak.mean()


def test_a_world_of_noise_has_no_confirmed_slice_and_passes():
    confirmed, passed = 0, 0
    for seed in range(20):
        found = slices(answered(people(4000, seed), seed)[0])
        assert found.value >= 0
        assert len(found.rows) == 10
        confirmed += any(row["confirmed"] for row in found.rows)
        passed += bool(found.at_most(LIMIT))
    assert confirmed <= 1
    assert passed >= 19


def test_a_planted_slice_of_five_percent_is_found_and_named():
    found_it, failed = 0, 0
    for seed in range(20):
        subject, share = answered(people(9000, seed), seed, planted=0.35)
        assert 0.04 < share < 0.06
        found = slices(subject)
        worst = found.rows[0]
        found_it += worst["confirmed"] and worst["slice"] == "job = nurse & town = a"
        failed += found.low > LIMIT
    assert found_it >= 19
    assert failed >= 19


def test_statistics_give_the_headline_back_and_ends_are_in_order():
    found = slices(answered(people(3000, 3), 3, planted=0.4)[0])
    assert found.formula == "slices.confirm"
    got = confirm(**found.statistics)
    assert (got.value, got.low, got.high) == (found.value, found.low, found.high)
    assert 0 < found.low <= found.value <= found.high <= 1
    assert found.n == 1500
    assert found.rows_sent == {}


def test_a_weak_range_of_a_number_is_found_too():
    for seed in range(5):
        X = people(4000, seed)
        rng = np.random.default_rng(seed)
        wrong = rng.random(4000) < np.where((X["age"] > 54) & X["owner"], 0.4, 0.1)
        truth = np.zeros(4000, dtype=int)
        found = slices(tc.Subject.from_predictions(truth, truth ^ wrong, X=X, seed=seed))
        assert found.low > 0.1
        assert "age" in found.rows[0]["slice"]
        assert "owner = True" in found.rows[0]["slice"]


def test_copies_of_a_row_fall_into_both_halves():
    X = pd.DataFrame({"kind": np.arange(4000) % 4, "side": np.arange(4000) % 3})
    truth = np.zeros(4000, dtype=int)
    subject = tc.Subject.from_predictions(truth, (X["kind"] == 1).astype(int), X=X)
    found = slices(subject, depth=1)
    assert found.rows[0]["slice"] == "kind = 1"
    assert abs(found.rows[0]["n"] - 500) < 100
    assert found.statistics["total"] == 2000


def test_the_order_of_rows_changes_nothing_and_a_second_run_is_equal():
    X = people(3000, 1)
    X.loc[::7, "income"] = np.nan
    subject, _ = answered(X, 1, planted=0.3)
    order = np.random.default_rng(0).permutation(len(X))
    turned = tc.Subject.from_predictions(
        subject.truth[order],
        subject.predictions[order],
        X=X.iloc[order].reset_index(drop=True),
        seed=1,
    )
    one, two, three = slices(subject), slices(turned), slices(subject)
    assert one == three
    assert one.rows == two.rows
    assert one.metrics == two.metrics


def test_conditions_read_like_sentences_and_cuts_are_those_of_the_reference():
    reference = people(5000, 9)
    X = people(4000, 2)
    X.loc[X.index % 6 == 0, "income"] = np.nan
    truth = np.zeros(4000, dtype=int)
    wrong = X["income"].isna() | (X["seen"] < "2024-03-01")
    wrong |= X["owner"] & (np.arange(4000) % 3 == 0)
    subject = tc.Subject(
        LogisticRegression().fit(np.eye(2), [0, 1]), X, truth, reference=reference, features=list(X)
    )
    subject._data.answers.update(predictions=wrong.to_numpy().astype(int), scores=None)
    named = {row["slice"] for row in slices(subject, depth=1, top=30, alpha=0.99).rows}
    assert {"income is missing", "owner = True", "job = nurse", "town = a"} <= named
    fifths = reference["age"].quantile([0.2, 0.4, 0.6, 0.8]).tolist()
    assert {f"age {fifths[0] + 1:g} to {fifths[1]:g}", f"age {fifths[3] + 1:g} or more"} <= named
    assert any(name.startswith("seen at most 2024-05-") for name in named)
    assert not any("nan" in name or "e+" in name for name in named)


def test_rare_levels_are_not_printed():
    X = pd.DataFrame({"name": [f"person {i}" for i in range(40)] * 50, "x": np.arange(2000) % 9})
    reference = pd.DataFrame({"name": [f"person {i}" for i in range(2000)], "x": 1.0})
    truth = np.zeros(2000, dtype=int)
    model = LogisticRegression().fit(np.eye(2), [0, 1])
    subject = tc.Subject(
        model, X, truth, features=["name", "x"], reference=reference,
        schema={"name": {"kind": "categorical"}},
    )  # fmt: skip
    subject._data.answers.update(predictions=(X["name"] == "person 3").to_numpy().astype(int))
    for row in slices(subject, min_share=0.02).rows:
        assert "person" not in row["slice"]


def test_a_regression_with_a_bad_corner_is_found_and_a_clean_one_is_not():
    rng = np.random.default_rng(0)
    X = people(4000, 0)[["age", "income"]]
    noise = rng.normal(0, 1, 4000)
    for bad in (False, True):
        y = X["age"] + noise * (1 + 9 * (bad & (X["age"] > 70)))
        model = LinearRegression().fit(X, y)
        found = slices(tc.Subject(model, X, y))
        assert (found.low > LIMIT) == bad
        assert "absolute error" in found.unit
        assert found.rows[0]["confirmed"] == bad


def test_more_than_two_classes_and_a_pipeline_with_gaps_work():
    X = people(3000, 5)
    rng = np.random.default_rng(5)
    y = np.where(X["age"] > 50, "old", np.where(X["owner"], "owner", "other"))
    y = np.where((X["town"] == "a") & (rng.random(3000) < 0.5), "other", y)
    X.loc[rng.random(3000) < 0.1, ["job", "town"]] = None
    model = make_pipeline(
        make_column_transformer(
            (OneHotEncoder(handle_unknown="ignore"), ["job", "owner", "town"]),
            ("passthrough", ["age"]),
        ),
        LogisticRegression(max_iter=5000),
    ).fit(X, y)
    found = slices(tc.Subject(model, X, y))
    assert found.status is Status.MEASURED
    assert "town = a" in found.rows[0]["slice"]
    assert len(found.examples) == 10


def test_a_perfect_model_gets_an_upper_end_and_no_slice():
    X = people(2000, 0)
    truth = np.arange(2000) % 2
    found = slices(tc.Subject.from_predictions(truth, truth, X=X))
    assert found.value == found.low == 0
    assert 0 < found.high < 0.1


def test_twins_are_listed_once():
    X = people(3000, 4)
    X["job again"] = X["job"]
    found = slices(answered(X, 4, planted=0.4)[0], depth=1)
    named = [row["slice"].replace(" again", "") for row in found.rows]
    assert len(named) == len(set(named))


def test_the_trade_off_is_printed():
    notes = " ".join(slices(answered(people(4000, 0), 0)[0]).notes)
    assert "5% of the rows from 2.0 times the average" in notes
    assert "four times in five" in notes


def test_rows_without_any_split_are_skipped_with_a_reason():
    X = pd.DataFrame({"x": np.zeros(300)})
    found = slices(tc.Subject.from_predictions([0, 1] * 150, [0, 0] * 150, X=X))
    assert found.status is Status.SKIPPED
    assert "more rows" in found.reason
    few = slices(tc.Subject.from_predictions([0, 1], [0, 1], X=pd.DataFrame({"x": [1, 2]})))
    assert few.status is Status.SKIPPED
    clustered = tc.Subject.from_predictions([0, 1] * 150, [0, 0] * 150, X=X, cluster=np.arange(300))
    assert "cluster" in slices(clustered).reason


@pytest.mark.parametrize(
    "wrong", [{"depth": 0}, {"depth": 4}, {"alpha": 1.0}, {"min_share": 0.5}, {"top": 0}]
)
def test_bad_parameters_are_refused(wrong):
    with pytest.raises(InputError):
        slices(answered(people(100, 0), 0)[0], **wrong)


def test_fifty_thousand_rows_of_fifteen_features_take_less_than_three_seconds():
    frames = [people(50_000, seed).add_suffix(f" {seed}") for seed in range(3)]
    X = pd.concat(frames, axis=1).iloc[:, :15]
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 2, 50_000)
    subject = tc.Subject.from_predictions(truth, truth ^ (rng.random(50_000) < 0.1), X=X)
    started = time.perf_counter()
    slices(subject)
    assert time.perf_counter() - started < 3
