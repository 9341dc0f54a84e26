"""What the fuzz has found, each in its smallest form."""

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import make_column_transformer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

import trustcheck as tc
from trustcheck import drift, explain, fairness, privacy, reliability, robustness, safety
from trustcheck.explain import _encoded as encoded
from trustcheck.explain._swap import Swap
from trustcheck.search._space import Space
from trustcheck.stats import agreement, counts, degradation, distances, intervals
from trustcheck.subject._schema import Schema


def first_column(X):
    assert list(X.columns) == [0, 1], "the model is sent the user's own column names"
    return (X[0] > 0).to_numpy().astype(int)


def numbered(n=60):
    rng = np.random.default_rng(0)
    return pd.DataFrame({0: rng.normal(size=n), 1: rng.integers(0, 3, n)})


def test_column_names_that_are_no_strings_are_spelt_out_and_given_back_to_the_model():
    X = numbered()
    y = (X[0] > 0.2).astype(int)
    subject = tc.Subject(first_column, X, y, reference=(numbered(), y), features=[0, 1])
    assert subject.features == ["0", "1"]
    asked = [robustness.noise, robustness.missing, robustness.faults, safety.slices,
             safety.hostile_input, reliability.metamorphic, explain.faithfulness]  # fmt: skip
    report = tc.evaluate(subject, asked)
    assert {f.status for f in report.findings.values()} <= {"measured", "skipped"}
    assert report.findings["robustness.noise"].status == "measured"


def test_predictions_alone_take_numbered_columns_and_a_reference():
    y = [0, 1] * 30
    subject = tc.Subject.from_predictions(y, y, X=numbered(), reference=numbered())
    assert drift.features(subject).value == 0


def test_two_names_with_one_spelling_are_refused():
    X = pd.DataFrame([[1.0, 2.0]], columns=[1, "1"])
    with pytest.raises(tc.InputError, match="more than one column named 1"):
        tc.Subject(lambda X: X[1] > 0, X, [True])


def test_r_squared_has_no_interval_beyond_1():
    y = np.array([0.0] * 19 + [100.0])
    noise = np.random.default_rng(0).normal(size=20) * np.r_[np.full(19, 0.1), 5.0]
    finding = reliability.performance(tc.Subject.from_predictions(y, y + noise, task="regression"))
    assert finding.high <= 1


def test_one_cluster_of_numbers_has_no_spread():
    y = [0.5, 1.5, 2.7]
    subject = tc.Subject.from_predictions(y, [1.0, 1.2, 2.0], cluster=[1, 1, 1], task="regression")
    assert "no spread" in reliability.performance(subject).reason


def test_the_range_of_skill_is_that_of_the_classes_that_occur():
    subject = tc.Subject.from_predictions([0, 1] * 20, [1, 2] * 20, classes=[0, 1, 2])
    skill = reliability.performance(subject).estimate()
    assert skill.range[0] <= skill.low <= skill.value == -1


def test_a_class_whose_rows_weigh_nothing_has_no_part_in_the_skill():
    truth, weights = [0] * 20 + [1] * 20 + [2], [1.0] * 40 + [0.0]
    subject = tc.Subject.from_predictions(truth, truth, sample_weight=weights)
    finding = reliability.performance(subject)
    assert finding.value == 1
    assert finding.influence[-1] == 0


def test_harm_of_one_row_is_not_measured():
    context = tc.Context(costs={(0, 1): 1, (1, 0): 1})
    one = {"reference": ([[0.0], [1.0]], [0, 1]), "classes": [0, 1], "context": context}
    finding = safety.harm(tc.Subject(lambda X: np.ones(len(X), dtype=int), [[1.0]], [1], **one))
    assert "no spread" in finding.reason


def test_infinite_values_have_bins():
    assert distances.bin_edges([1.0, 2.0, np.inf, np.inf], 4).tolist() == [1.75]
    X = np.array([[1.0], [2.0], [np.inf], [np.inf]] * 5)
    subject = tc.Subject(
        lambda X: X[:, 0] > 1, X, reference=X, task="binary", classes=[False, True]
    )
    assert drift.features(subject).value == 0


def test_whole_numbers_near_the_largest_stay_whole_numbers():
    X = pd.DataFrame(
        {"id": np.random.default_rng(0).integers(-(2**62), 2**62, 60), "a": np.arange(60)}
    )
    subject = tc.Subject(lambda X: X["a"] % 2, X, X["a"] % 2)
    assert robustness.faults(subject).status == "measured"


def test_slices_need_more_than_one_row():
    finding = safety.slices(tc.Subject(lambda X: X[:, 0], [[1.0]], [1.0], task="regression"))
    assert "give more rows" in finding.reason


def test_an_empty_column_does_not_stop_the_search_for_members():
    rng = np.random.default_rng(0)
    X, more = (pd.DataFrame({"a": rng.normal(size=60), "b": np.nan}) for _ in range(2))
    y = [0, 1] * 30
    subject = tc.Subject(lambda X: (X["a"] > 0).astype(int), X, y, reference=(more, y))
    assert privacy.membership(subject).status == "measured"


def test_an_intraclass_correlation_is_at_least_minus_1():
    miss, chance = agreement.concordance([[1.0], [2.0], [8.0]], [[2.0], [1.0], [1.0]])
    assert agreement.beyond_chance(miss, chance).low < -1
    assert agreement.beyond_chance(miss, chance, least=-1).low == -1


def test_rows_that_weigh_nothing_have_no_stability():
    X = np.linspace(-1, 1, 40)[:, None]
    answers = lambda X: (1e4 * X[:, 0] % 2 > 1).astype(int)  # noqa: E731 - noise changes nearly all
    weights = np.r_[1.0, np.zeros(39)]
    finding = explain.stability(tc.Subject(answers, X, answers(X), sample_weight=weights))
    assert finding.status == "skipped"


def test_categories_nobody_has_are_no_donors_of_noise():
    X = pd.DataFrame({"a": pd.Categorical(["u", "v"] * 20), "b": np.arange(40.0)})
    unused = X.assign(a=pd.Categorical([None] * 40, ["u", "v"]))
    subject = tc.Subject(lambda X: (X["b"] > 9).astype(int), X, [0, 1] * 20, reference=unused)
    assert robustness.noise(subject).status == "measured"


def test_a_surrogate_may_part_the_missing_from_the_known():
    X = pd.DataFrame({"a": [np.nan, 1.0, 2.0, np.nan] * 30, "b": np.zeros(120)})
    gaps = lambda X: X["a"].isna().astype(int)  # noqa: E731
    finding = explain.surrogate(tc.Subject(gaps, X, gaps(X)))
    rules = [str(row["rule"]) for row in finding.rows]
    assert sorted(rules) == ["a is known", "a is missing"]


def test_a_group_whose_rows_weigh_nothing_has_no_label_rate():
    def finding(weights):
        y, people = [0, 1, 1] * 20, ["a", "b", "c"] * 20
        subject = tc.Subject.from_predictions(
            y, y, sensitive={"sex": people}, sample_weight=weights
        )
        return fairness.representation(subject)

    assert "weight above 0" in finding([1.0, 0.0, 0.0] * 20).reason
    rates = {row["group"]: row["rate"] for row in finding([1.0, 1.0, 0.0] * 20).rows}
    assert rates == {"a": 0.0, "b": 1.0, "c": None}


def test_equal_labels_have_no_spread_even_if_their_mean_is_rounded():
    y = np.full(20, 0.1 + 0.2)
    subject = tc.Subject.from_predictions(y, y + 1, sample_weight=[0.1, 0.7] * 10)
    assert "same true value" in reliability.performance(subject).reason


def test_perfect_agreement_of_some_rows_is_no_proof_for_all():
    got = agreement.beyond_chance(np.zeros(20), np.ones(20))
    assert got.value == 1
    assert got.low == pytest.approx(intervals.wilson(20, 20).low)


def test_skill_that_no_row_lost_may_yet_be_lost_by_others():
    got = degradation.kept_share(np.ones(20), np.ones(20))
    assert got.value == 1
    assert got.low == pytest.approx(intervals.wilson(20, 20).low)


@pytest.mark.parametrize("seed", range(4))  # both orders of the donors
def test_encoded_columns_are_traced_where_rows_and_donors_are_few(seed):
    # In one order each row meets only the donor that is like it in one column.
    rng = np.random.default_rng(seed)
    X = pd.DataFrame({"a": rng.normal(size=60), "sex": ["f", "m"] * 30, "kind": ["x", "y"] * 30})
    encode = make_column_transformer((OneHotEncoder(), ["sex", "kind"]), remainder="passthrough")
    y = (X["a"] > 0).astype(int)
    model = make_pipeline(encode, LogisticRegression()).fit(X, y)
    subject = tc.Subject(model, X, y, reference=(X[:2], y[:2]))
    swap = Swap.draw(subject, np.arange(6), rng)
    rows, _, owner = encoded.encode(swap, [model[0]], rng)
    assert rows.shape == (6, 5)
    assert owner.tolist() == [1, 1, 2, 2, 0]


def test_what_runs_last_is_shown_with_its_pillar():
    y = [0, 1] * 60
    subject = tc.Subject.from_predictions(y, y, X=numbered(120))
    said = str(tc.evaluate(subject, show_progress=False))
    assert sum(line == "reliability" for line in said.splitlines()) == 1


@pytest.mark.parametrize("probe", [reliability.generalisation, reliability.churn])
def test_a_reference_of_one_class_is_no_crash(probe):
    X = numbered(40)
    y = np.arange(40) % 2
    model = LogisticRegression().fit(X.to_numpy(), y)
    found = probe(tc.Subject(model, X, y, reference=(X, 0 * y), classes=[0, 1]))
    assert found.status == "skipped"
    assert "the same" in found.reason


def test_cells_that_hold_lists_are_named_where_a_probe_stumbles_over_them():
    X = pd.DataFrame({"a": np.arange(200.0), "tags": [["x"]] * 200})
    model = lambda frame: (frame["a"] > 90).to_numpy().astype(int)  # noqa: E731
    report = tc.evaluate(tc.Subject(model, X, model(X)), safety.slices, show_progress=False)
    assert "column 'tags' holds values of kind list" in report.findings["safety.slices"].reason


def test_a_column_of_another_kind_than_in_the_reference_is_named_where_a_probe_stumbles_over_it():
    X = pd.DataFrame({"a": np.arange(200.0), "b": np.arange(200) % 7})
    now = X.assign(a=X["a"].astype(str))
    model = lambda frame: (frame["b"] > 3).to_numpy().astype(int)  # noqa: E731
    subject = tc.Subject(model, now, model(X), reference=(X, model(X)))
    report = tc.evaluate(subject, [robustness.faults, safety.slices], show_progress=False)
    reasons = [f.reason for f in report.findings.values() if f.status == "error"]
    assert reasons
    assert all("column 'a' holds text, but numbers in the reference" in said for said in reasons)


def test_one_cluster_is_worth_one_row_in_spite_of_rounding():
    rng = np.random.default_rng(0)
    for n in range(20, 60):  # sums of residuals miss 0 by rounding in some of them
        hit = rng.integers(0, 2, n)
        zeros = np.zeros(n, dtype=int)
        table = counts.count(zeros, zeros, hit, (1, 1, 2), weight=rng.random(n), cluster=zeros)
        _, size = table.share(np.array([[False, True]]), np.ones((1, 2), bool))
        assert size[0] == pytest.approx(1)


def test_infinite_cells_may_still_give_the_label_away():
    X = pd.DataFrame({"a": np.where(np.arange(120) % 10 < 4, np.inf, np.arange(120.0))})
    y = (X["a"] == np.inf).astype(int)
    model = lambda frame: (frame["a"] == np.inf).to_numpy().astype(int)  # noqa: E731
    found = reliability.target_copies(tc.Subject(model, X, y, reference=(X, y)))
    assert found.value == 1


def test_all_others_of_a_cell_are_summed_not_left_over():
    predicted = (np.arange(20) != 18).astype(int)
    heavy = np.arange(20) >= 18
    subject = tc.Subject.from_predictions(
        predicted,
        predicted,
        sensitive={"a": np.where(heavy, "y", "x"), "b": ["s", "t"] * 10},
        sample_weight=np.where(heavy, 4e4, 1e-6),
    )
    found = fairness.intersections(subject)
    assert np.isfinite(found.statistics["other_n"]).all()
    row = next(row for row in found.rows if row["group"] == "y")
    assert row["others"] == pytest.approx(1)


def test_a_radius_without_end_is_no_overflow_where_numbers_are_large():
    X = pd.DataFrame({"a": np.arange(20.0) * 1e12})
    space = Space.of(X, Schema.infer(X), norm="linf", category=1.0)
    rows, points = np.arange(20), X.to_numpy()[::-1]
    assert (space.pull(rows, points, np.full(20, np.inf)) == points).all()
