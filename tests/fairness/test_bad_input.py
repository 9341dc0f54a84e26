"""Data as they come: missing groups, empty denominators, labels of other kinds, 500 groups."""

import time

import numpy as np
import pandas as pd
import pytest

import trustcheck as tc
from trustcheck import fairness

G = ["a", "b"] * 50
RATES = {
    "equal_opportunity": "rows whose label is 1",
    "predictive_equality": "rows whose label is not 1",
    "predictive_parity": "rows predicted 1",
    "negative_predictive_parity": "rows not predicted 1",
    "treatment_equality": "errors about 1",
}


def subject(y, p, g, **options):
    return tc.Subject.from_predictions(y, p, sensitive={"g": g}, **options)


# Groups --------------------------------------------------------------------------------------


@pytest.mark.parametrize("gap", [None, np.nan, pd.NA, pd.NaT])
def test_missing_group_values_are_a_group_of_their_own_and_said_so(gap):
    groups = pd.Series(["a", "b", gap] * 60, dtype=object)
    finding = fairness.demographic_parity(subject([0, 1, 1] * 60, [0, 1, 1] * 60, groups))
    assert [row["group"] for row in finding.rows] == ["a", "b", "(missing)"]
    assert finding.rows[2]["n"] == 60
    assert any("without a value of g" in note and "(missing)" in note for note in finding.notes)


def test_missing_numbers_and_categories_are_too():
    for groups in (pd.Series([1.0, np.nan] * 50), pd.Categorical(["x", None] * 50)):
        finding = fairness.equal_opportunity(subject([0, 1, 1, 0] * 25, [0, 1] * 50, groups))
        assert finding.rows[-1]["group"] == "(missing)"
    scored = fairness.mean_score(
        tc.Subject.from_predictions(
            [0, 1] * 50, [0, 1] * 50, [0.2, 0.7] * 50, sensitive={"g": [None, "b"] * 50}
        )
    )
    assert any("without a value" in note for note in scored.notes)


def test_missing_values_everywhere_leave_nothing_to_compare():
    finding = fairness.demographic_parity(subject([0, 1] * 50, [0, 1] * 50, [None] * 100))
    assert finding.status == "skipped"
    assert "one group" in finding.reason


@pytest.mark.parametrize(
    "age",
    [np.arange(100) / 3, np.arange(100), (np.arange(100) / 3).astype(object)],
    ids=["floats", "integers", "objects"],
)
def test_a_continuous_column_is_refused_with_a_way_to_bin_it(age):
    X = pd.DataFrame({"age": age})
    outside = tc.Subject.from_predictions([0, 1] * 50, [0, 1] * 50, sensitive=X)
    inside = tc.Subject.from_predictions([0, 1] * 50, [0, 1] * 50, X=X, sensitive=["age"])
    for given in (outside, inside):
        with pytest.raises(tc.InputError, match=r"'age' is continuous \(100 distinct .*pd\.cut"):
            fairness.equalized_odds(given)
        report = tc.evaluate(given, probes=["fairness.equalized_odds"], show_progress=False)
        finding = report.findings["fairness.equalized_odds"]
        assert finding.status == "error"
        assert "pd.cut" in finding.reason


def test_bins_made_as_told_are_groups():
    bands = pd.cut(np.arange(100), [-1, 30, 60, 100])
    finding = fairness.demographic_parity(subject([0, 1] * 50, [0, 1] * 50, bands))
    assert [row["group"] for row in finding.rows] == ["(-1, 30]", "(30, 60]", "(60, 100]"]


def many(n, k=500, seed=0):
    rng = np.random.default_rng(seed)
    return tc.Subject.from_predictions(
        rng.integers(0, 2, n), rng.integers(0, 2, n), rng.random(n),
        sensitive={"zip": [f"z{i:03}" for i in rng.integers(0, k, n)]},
    )  # fmt: skip


@pytest.mark.parametrize(
    "name",
    ["demographic_parity", "equalized_odds", "mean_score", "distribution_parity", "worst_group"],
)
def test_500_groups_are_fast_and_readable(name):
    given = many(20_000)
    started = time.process_time()
    finding = getattr(fairness, name)(given)
    assert time.process_time() - started < 20  # minutes, were pairs compared one by one
    assert len(str(finding)) < 200
    assert all(len(note) < 300 for note in finding.notes)
    assert len(str(finding.plot())) < 50_000


def test_500_groups_of_which_many_are_empty_are_counted_not_listed():
    for name in ("equal_opportunity", "auc_parity"):
        incomplete = getattr(fairness, name)(many(1500)).incomplete
        assert " more" in incomplete
        assert len(incomplete) < 300


def test_screening_many_pairs_loses_neither_value_nor_ends(monkeypatch):
    from trustcheck.fairness import _scores

    given = many(3000, k=60, seed=1)
    screened = fairness.distribution_parity(given)
    assert len(screened.rows) < 60 * 59 // 2
    assert "Of 1,770 pairs" in screened.notes[1]
    monkeypatch.setattr(_scores, "_MOST_PAIRS", 10_000)
    full = fairness.distribution_parity(given)
    assert len(full.rows) == 60 * 59 // 2
    assert (screened.value, screened.low, screened.high) == (full.value, full.low, full.high)


# Denominators and weights --------------------------------------------------------------------


@pytest.mark.parametrize("name", RATES)
def test_a_rate_without_a_denominator_is_unknown_not_zero(name):
    y, p = [1, 0, 1, 0] * 50, [1, 1, 0, 0] * 50
    third = {
        "equal_opportunity": ([0] * 40, [1, 0] * 20),
        "predictive_equality": ([1] * 40, [1, 0] * 20),
        "predictive_parity": ([1, 0] * 20, [0] * 40),
        "negative_predictive_parity": ([1, 0] * 20, [1] * 40),
        "treatment_equality": ([1, 0] * 20, [1, 0] * 20),
    }[name]
    finding = getattr(fairness, name)(
        subject(y + third[0], p + third[1], list("aaaabbbb") * 25 + ["c"] * 40)
    )
    assert finding.rows[2] == finding.rows[2] | {"group": "c", "n": 0, "rate": None, "low": None}
    assert f"group 'c' has no {RATES[name]}: its rate is unknown" in finding.incomplete
    with pytest.warns(tc.TrustInconclusiveWarning, match="its rate is unknown"):
        assert finding.at_most(1.0).status == "inconclusive"


def test_weights_must_be_numbers_of_at_least_zero():
    for bad, said in ((-1.0, "negative in 1 row"), (np.nan, "missing or infinite in 1 row")):
        with pytest.raises(tc.InputError, match=said):
            subject([0, 1] * 50, [0, 1] * 50, G, sample_weight=[1.0] * 99 + [bad])
    with pytest.raises(tc.InputError, match="every sample_weight is 0"):
        subject([0, 1] * 50, [0, 1] * 50, G, sample_weight=[0] * 100)


def test_a_group_that_weighs_nothing_is_named():
    finding = fairness.accuracy_parity(
        subject([0, 1] * 60, [0, 1] * 60, list("abc") * 40, sample_weight=[1, 1, 0] * 40)
    )
    assert finding.rows[2]["rate"] is None
    assert "'c'" in finding.incomplete


# Labels and predictions ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("y", "p"),
    [
        ([True, True, False, False], [1, 1, 0, 0]),
        ([1.0, 1.0, 0.0, 0.0], [1, 1, 0, 0]),
        (np.array(["n", "n", "y", "y"]), pd.Categorical(["n", "n", "y", "y"])),
        (pd.array([1, 1, 0, 0], dtype="Int64"), [1, 1, 0, 0]),
    ],
    ids=["bool, int", "float, int", "str, category", "nullable, int"],
)
def test_kinds_that_are_equal_are_taken_for_equal(y, p):
    y, p = (pd.concat([pd.Series(v)] * 25, ignore_index=True) for v in (y, p))
    finding = fairness.accuracy_parity(subject(y, p, G))
    assert [row["rate"] for row in finding.rows] == [1.0, 1.0]


@pytest.mark.parametrize(
    ("y", "p"),
    [(["0", "1"], [0, 1]), ([0, 1], ["0", "1"]), ([True, False], ["True", "False"])],
)
def test_kinds_that_only_look_alike_are_refused_with_a_remedy(y, p):
    with pytest.raises(tc.InputError, match=r"labels mix kinds \(.*str\).*y\.astype\(str\)"):
        subject(y * 50, p * 50, G)


def test_a_model_that_answers_in_another_kind_is_refused():
    X = pd.DataFrame({"x": range(100)})

    class Model:
        def __init__(self, classes):
            self.classes_ = np.array(classes)

        def predict(self, X):
            return np.array(["0", "1"] * 50)

    with pytest.raises(tc.InputError, match="labels are int, classes are str"):
        tc.Subject(Model(["0", "1"]), X, [0, 1] * 50, sensitive={"g": G})
    wrong = tc.Subject(Model([0, 1]), X, [0, 1] * 50, sensitive={"g": G})
    with pytest.raises(tc.InputError, match="answer holds 100 value"):
        fairness.demographic_parity(wrong)


@pytest.mark.parametrize("bad", [None, np.nan])
def test_missing_labels_are_refused_by_position(bad):
    with pytest.raises(tc.InputError, match="y is missing in 1 row.*position 3"):
        subject([0.0, 1.0, 1.0, bad] + [0.0] * 96, [0, 1] * 50, G, task="binary")


def test_columns_of_another_length_are_refused():
    with pytest.raises(tc.InputError, match="99"):
        subject([0, 1] * 50, [0, 1] * 50, G[:99])
