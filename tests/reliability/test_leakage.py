import numpy as np
import pandas as pd
import pytest

import trustcheck as tc
from trustcheck.reliability import overlap, target_copies


def tables(seed, n=600, copied=0, coarse=False):
    rng = np.random.default_rng(seed)
    X = pd.DataFrame({"a": rng.normal(size=2 * n), "job": rng.choice(["x", "y", "z"], 2 * n)})
    X["b"] = 0 if coarse else rng.normal(size=2 * n)
    if coarse:
        X["a"] = rng.integers(0, 20, 2 * n)
    X.loc[rng.random(2 * n) < 0.05, "a"] = np.nan
    y = np.where(rng.random(2 * n) < 0.5, X["job"] == "x", X["a"] > 0)
    past, now = X[:n].reset_index(drop=True), X[n:].reset_index(drop=True)
    if copied:
        now.iloc[:copied] = past.iloc[:copied].to_numpy()
        now["a"] = now["a"].astype(float)
    return past, y[:n], now, y[n:]


def ask(probe, past, known, now, truth, **facts):
    return probe(
        tc.Subject(
            lambda X: (X["job"] == "x").to_numpy(), now, truth, reference=(past, known), **facts
        )
    )


@pytest.mark.parametrize("coarse", [False, True])
def test_copied_rows_fail_and_rows_that_repeat_by_themselves_do_not_in_19_of_20_worlds(coarse):
    clean = [ask(overlap, *tables(s, coarse=coarse)) for s in range(20)]
    assert sum(found.low > 0.05 for found in clean) <= 1
    if not coarse:
        leaky = [ask(overlap, *tables(s, copied=300)) for s in range(20)]
        assert sum(found.low > 0.05 for found in leaky) >= 19
        assert sum(found.high < 0.05 for found in clean) >= 19


def test_the_share_found_is_that_of_a_merge():
    past, known, now, truth = tables(1, coarse=True)
    found = ask(overlap, past, known, now, truth)
    merged = now.merge(past.drop_duplicates(), how="left", indicator=True)
    assert found.metrics["overlap"].value == pytest.approx((merged["_merge"] == "both").mean())
    assert found.metrics["repeats"].value == pytest.approx(past.duplicated(keep=False).mean())


def test_another_number_type_is_the_same_row():
    past, known, *_ = tables(2, coarse=True)
    whole = past.fillna(0)
    found = ask(overlap, whole, known, whole.astype({"a": "int64"}), known)
    assert found.metrics["overlap"].value == 1


def test_given_rows_from_before_the_end_of_the_reference_are_counted():
    past, known, now, truth = tables(3)
    past["day"], now["day"] = (
        pd.date_range("2020-01-01", periods=600),
        pd.date_range("2021-07-01", periods=600),
    )
    found = ask(overlap, past, known, now, truth, time="day", features=["a", "job", "b"])
    late = (now["day"] <= past["day"].max()).mean()
    assert found.metrics["not_later"].value == pytest.approx(late)
    assert "looks back" in found.notes[0]


def test_a_copy_of_the_label_fails_and_honest_columns_pass_in_19_of_20_worlds():
    passed = failed = 0
    for seed in range(20):
        past, known, now, truth = tables(seed)
        passed += ask(target_copies, past, known, now, truth).at_most(0.9).status == "pass"
        past["paid"], now["paid"] = np.where(known, 7.5, -1), np.where(truth, 7.5, -1)
        found = ask(target_copies, past, known, now, truth)
        failed += found.at_most(0.9).status == "fail"
        assert found.rows[0]["column"] == "paid"
        assert any("paid" in note and "before the outcome" in note for note in found.notes)
    assert min(passed, failed) >= 19


def test_a_column_of_noise_has_no_skill_however_many_levels_it_has():
    rng = np.random.default_rng(4)
    past, known, now, truth = tables(4)
    past["id"], now["id"] = (rng.integers(0, 10**6, 600).astype(str) for _ in range(2))
    found = ask(target_copies, past, known, now, truth)
    row = next(row for row in found.rows if row["column"] == "id")
    assert row["low"] <= 0 <= row["high"]


def test_numbers_as_labels_are_explained_by_bins():
    rng = np.random.default_rng(5)
    X = rng.normal(size=(2000, 2))
    y = 3 * X[:, 0]
    subject = tc.Subject(
        lambda X: X[:, 0], X[1000:], y[1000:], reference=(X[:1000], y[:1000]), task="regression"
    )
    assert target_copies(subject).value > 0.95
    assert target_copies(subject).rows[0]["column"] == "x0"


def test_one_true_label_is_an_honest_skip():
    past, known, now, _ = tables(6)
    found = ask(target_copies, past, known, now, np.ones(600, bool))
    assert found.status == "skipped"
