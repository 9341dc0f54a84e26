import numpy as np
import pandas as pd
import pytest

import trustcheck as tc
from trustcheck import fairness

LIMIT = 0.10


def world(rng, rates, n=2000, weights=None, cluster=None):
    group = np.repeat(np.arange(len(rates)), n)
    predicted = (rng.random(group.size) < np.asarray(rates)[group]).astype(int)
    return tc.Subject.from_predictions(
        None,
        predicted,
        sensitive={"g": np.array([f"g{k}" for k in range(len(rates))])[group]},
        task="binary",
        classes=[0, 1],
        sample_weight=weights,
        cluster=cluster,
    )


def test_gap_equals_fairlearn_on_random_tables():
    from fairlearn.metrics import demographic_parity_difference, demographic_parity_ratio

    rng = np.random.default_rng(0)
    for _ in range(20):
        n = int(rng.integers(50, 400))
        y, p = rng.integers(0, 2, (2, n))
        g = rng.choice(list("abcd"), n)
        subject = tc.Subject.from_predictions(y, p, sensitive={"g": g})
        finding = fairness.demographic_parity(subject)
        assert finding.value == pytest.approx(
            demographic_parity_difference(y, p, sensitive_features=g), abs=1e-12
        )
        assert finding.metrics["ratio"].value == pytest.approx(
            demographic_parity_ratio(y, p, sensitive_features=g), abs=1e-12
        )


def test_weighted_gap_equals_fairlearn():
    from fairlearn.metrics import demographic_parity_difference

    rng = np.random.default_rng(1)
    y, p, g = rng.integers(0, 2, 300), rng.integers(0, 2, 300), rng.choice(list("abc"), 300)
    w = rng.exponential(size=300)
    subject = tc.Subject.from_predictions(y, p, sensitive={"g": g}, sample_weight=w)
    expected = demographic_parity_difference(y, p, sensitive_features=g, sample_weight=w)
    assert fairness.demographic_parity(subject).value == pytest.approx(expected, abs=1e-12)


def test_two_groups_have_an_interval_close_to_newcombes():
    from statsmodels.stats.proportion import confint_proportions_2indep

    group = ["a"] * 100 + ["b"] * 80
    predicted = [1] * 60 + [0] * 40 + [1] * 30 + [0] * 50
    subject = tc.Subject.from_predictions(
        None, predicted, sensitive={"g": group}, task="binary", classes=[0, 1]
    )
    finding = fairness.demographic_parity(subject)
    low, high = confint_proportions_2indep(60, 100, 30, 80, method="newcomb")
    assert (finding.low, finding.high) == pytest.approx((low, high), abs=0.005)  # mid-p ends


def test_a_planted_gap_fails_in_19_of_20_worlds():
    failed = sum(
        fairness.demographic_parity(world(np.random.default_rng(s), [0.3, 0.3, 0.5]))
        .at_most(LIMIT)
        .status
        == "fail"
        for s in range(20)
    )
    assert failed >= 19


def test_equal_groups_never_fail_and_mostly_pass():
    verdicts = [
        fairness.demographic_parity(world(np.random.default_rng(s), [0.3, 0.3, 0.3]))
        .at_most(LIMIT)
        .status
        for s in range(20)
    ]
    assert verdicts.count("fail") == 0
    assert verdicts.count("pass") >= 19


def test_the_interval_contains_zero_for_equal_groups():
    rng = np.random.default_rng(2)
    contains = [
        fairness.demographic_parity(world(rng, [0.3] * 10, n=200)).low == 0.0 for _ in range(100)
    ]
    assert np.mean(contains) >= 0.90


def test_clusters_widen_the_interval():
    rng = np.random.default_rng(3)
    # Each person appears ten times with one and the same answer: ten rows, one piece of evidence.
    people = 200
    answer = rng.integers(0, 2, people)
    group = rng.choice(["a", "b"], people)
    options = {"sensitive": {"g": np.repeat(group, 10)}, "task": "binary", "classes": [0, 1]}
    rows = tc.Subject.from_predictions(None, np.repeat(answer, 10), **options)
    clustered = tc.Subject.from_predictions(
        None, np.repeat(answer, 10), cluster=np.repeat(np.arange(people), 10), **options
    )
    alone = tc.Subject.from_predictions(
        None, answer, sensitive={"g": group}, task="binary", classes=[0, 1]
    )
    wide, narrow = fairness.demographic_parity(clustered), fairness.demographic_parity(rows)
    honest = fairness.demographic_parity(alone)
    assert (wide.low, wide.high) == pytest.approx((honest.low, honest.high), abs=1e-9)
    assert wide.high - wide.low > 2 * (narrow.high - narrow.low)


def test_doubling_every_weight_changes_nothing():
    rng = np.random.default_rng(4)
    w = rng.exponential(size=4000)
    one = fairness.demographic_parity(world(np.random.default_rng(5), [0.3, 0.4], weights=w))
    two = fairness.demographic_parity(world(np.random.default_rng(5), [0.3, 0.4], weights=2 * w))
    assert (one.low, one.value, one.high) == pytest.approx(
        (two.low, two.value, two.high), abs=1e-12
    )


def test_multiclass_takes_the_worst_class_and_regression_thresholds():
    rng = np.random.default_rng(6)
    g = np.repeat(["a", "b"], 1000)
    p = np.where((g == "b") & (rng.random(2000) < 0.3), "z", rng.choice(["x", "y", "z"], 2000))
    multi = fairness.demographic_parity(
        tc.Subject.from_predictions(None, p, sensitive={"g": g}, task="multiclass")
    )
    rate = pd.crosstab(g, p, normalize="index")
    assert multi.value == pytest.approx((rate.max() - rate.min()).max(), abs=1e-12)
    score = rng.normal(size=2000) + (g == "b")
    number = fairness.demographic_parity(
        tc.Subject.from_predictions(None, score, sensitive={"g": g}, task="regression")
    )
    # A unit shift of a normal moves Phi(1/2) - Phi(-1/2) = 0.383 of the mass past the middle.
    assert number.value == pytest.approx(0.383, abs=0.05)


def test_missing_group_values_are_a_group_of_their_own():
    subject = tc.Subject.from_predictions(
        None, [0, 1] * 50, sensitive={"g": ["a", None] * 50}, task="binary", classes=[0, 1]
    )
    assert [row["group"] for row in fairness.demographic_parity(subject).rows] == ["a", "(missing)"]


def test_an_open_verdict_names_the_group_and_its_rows():
    subject = world(np.random.default_rng(7), [0.3, 0.32], n=150)
    with pytest.warns(tc.TrustInconclusiveWarning, match=r"more rows of group 'g\d' (and|would)"):
        verdict = fairness.demographic_parity(subject).at_most(LIMIT)
    assert verdict.status == "inconclusive"
    assert verdict.rows_needed > 0
    assert verdict.group in ("g0", "g1")


def test_misuse_is_told_with_a_remedy():
    subject = tc.Subject.from_predictions(
        None, [0, 1] * 50, sensitive={"a": ["x", "y"] * 50, "age": np.arange(100)}, task="binary",
        classes=[0, 1],
    )  # fmt: skip
    with pytest.raises(ValueError, match="several sensitive columns, a, age"):
        fairness.demographic_parity(subject)
    with pytest.raises(tc.InputError, match="'age' is continuous"):
        fairness.demographic_parity(subject, by="age")
    with pytest.raises(tc.InputError, match="'sex' is not a sensitive column"):
        fairness.demographic_parity(subject, by="sex")
    with pytest.raises(TypeError, match="no parameter groups; it has: by"):
        fairness.demographic_parity(subject, groups="a")


def test_one_group_and_no_groups_are_honest_skips():
    one = tc.Subject.from_predictions(
        None, [0, 1], sensitive={"g": ["a", "a"]}, task="binary", classes=[0, 1]
    )
    assert fairness.demographic_parity(one).status == "skipped"
    none = tc.Subject.from_predictions([0, 1], [0, 1])
    finding = fairness.demographic_parity(none)
    assert finding.status == "skipped"
    assert "no sensitive columns" in finding.reason


ORACLES = {
    "equal_opportunity": "equal_opportunity_difference",
    "equalized_odds": "equalized_odds_difference",
}


def table(rng, n=400, groups="abc"):
    y, p = rng.integers(0, 2, (2, n))
    return y, p, rng.choice(list(groups), n), rng.exponential(size=n)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("name", ORACLES)
def test_error_rate_gaps_equal_fairlearn(name, weighted):
    from fairlearn import metrics

    rng = np.random.default_rng(10)
    for _ in range(10):
        y, p, g, w = table(rng)
        weights = w if weighted else None
        subject = tc.Subject.from_predictions(y, p, sensitive={"g": g}, sample_weight=weights)
        expected = getattr(metrics, ORACLES[name])(
            y, p, sensitive_features=g, sample_weight=weights
        )
        assert getattr(fairness, name)(subject).value == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("weighted", [False, True])
def test_other_gaps_equal_metric_frame(weighted):
    from fairlearn.metrics import MetricFrame, false_positive_rate
    from sklearn.metrics import accuracy_score, precision_score

    rng = np.random.default_rng(11)
    for _ in range(10):
        y, p, g, w = table(rng)
        weights = w if weighted else np.ones_like(w)
        subject = tc.Subject.from_predictions(
            y, p, sensitive={"g": g}, sample_weight=w if weighted else None
        )
        for name, metric in (
            ("predictive_equality", false_positive_rate),
            ("predictive_parity", precision_score),
            ("accuracy_parity", accuracy_score),
        ):
            frame = MetricFrame(
                metrics=metric,
                y_true=y,
                y_pred=p,
                sensitive_features=g,
                sample_params={"sample_weight": weights},
            )
            got = getattr(fairness, name)(subject).value
            assert got == pytest.approx(frame.difference(), abs=1e-12), name


def biased(seed, gap_in, n=4000, gap=0.35):
    """Labels are fair; one group's errors are worse in the way named."""
    rng = np.random.default_rng(seed)
    y, g = rng.integers(0, 2, n), rng.choice(["a", "b"], n)
    worse = gap * (g == "b")
    tpr = 0.8 - worse * (gap_in in ("equal_opportunity", "equalized_odds", "accuracy_parity"))
    fpr = 0.2 + worse * (gap_in in ("predictive_equality", "predictive_parity", "accuracy_parity"))
    p = (rng.random(n) < np.where(y == 1, tpr, fpr)).astype(int)
    return tc.Subject.from_predictions(y, p, sensitive={"g": g})


ERROR_RATES = (
    "equal_opportunity",
    "predictive_equality",
    "equalized_odds",
    "predictive_parity",
    "accuracy_parity",
)


@pytest.mark.parametrize("name", ERROR_RATES)
def test_a_planted_error_gap_fails_and_its_clean_twin_passes(name):
    ask = getattr(fairness, name)
    failed = [ask(biased(s, name)).at_most(LIMIT).status == "fail" for s in range(20)]
    passed = [ask(biased(s, "nothing")).at_most(LIMIT).status == "pass" for s in range(20)]
    assert sum(failed) >= 19
    assert sum(passed) >= 19


def test_a_group_without_positives_is_named_and_the_verdict_stays_open():
    y = [1, 0] * 300 + [0] * 50
    p = [1, 0] * 300 + [0] * 50
    g = ["a", "a", "b", "b"] * 150 + ["c"] * 50
    finding = fairness.equal_opportunity(tc.Subject.from_predictions(y, p, sensitive={"g": g}))
    assert "group 'c' has no rows whose label is 1" in finding.incomplete
    assert [row["rate"] for row in finding.rows] == [1.0, 1.0, None]
    with pytest.warns(tc.TrustInconclusiveWarning, match="its rate is unknown"):
        assert finding.at_most(0.5).status == "inconclusive"


def test_multiclass_error_rates_are_one_vs_rest():
    rng = np.random.default_rng(12)
    y, p = rng.choice(list("xyz"), (2, 900))
    g = rng.choice(["a", "b"], 900)
    subject = tc.Subject.from_predictions(y, p, sensitive={"g": g})
    recall = {(k, c): np.mean(p[(g == k) & (y == c)] == c) for k in "ab" for c in "xyz"}
    expected = max(abs(recall["a", c] - recall["b", c]) for c in "xyz")
    assert fairness.equal_opportunity(subject).value == pytest.approx(expected, abs=1e-12)


def test_regression_has_no_error_rates():
    subject = tc.Subject.from_predictions(
        np.arange(100) / 7, np.arange(100) / 7, sensitive={"g": ["a", "b"] * 50}
    )
    finding = fairness.equalized_odds(subject)
    assert finding.status == "skipped"
    assert "no meaning for regression" in finding.reason


def test_treatment_equality_is_the_hand_count_of_missed_errors():
    rng = np.random.default_rng(8)
    y, p, g = rng.integers(0, 2, 400), rng.integers(0, 2, 400), rng.choice(list("abc"), 400)
    w = rng.exponential(size=400)
    subject = tc.Subject.from_predictions(y, p, sensitive={"g": g}, sample_weight=w)
    missed = [w[(g == k) & (y > p)].sum() / w[(g == k) & (y != p)].sum() for k in "abc"]
    finding = fairness.treatment_equality(subject)
    assert finding.value == pytest.approx(max(missed) - min(missed), abs=1e-12)
    assert [row["rate"] for row in finding.rows] == pytest.approx(missed, abs=1e-12)


def test_a_group_without_errors_has_no_treatment_to_compare_and_is_named():
    y, p = [1, 0] * 60, [1, 0] * 20 + [0, 1] * 20 + [0, 0] * 20
    subject = tc.Subject.from_predictions(
        y, p, sensitive={"g": list("a" * 40 + "b" * 40 + "c" * 40)}
    )
    finding = fairness.treatment_equality(subject)
    assert finding.value == 0.5
    assert "'a'" in finding.incomplete


def test_a_reference_group_is_compared_with_all_others_and_with_them_only():
    subject = world(np.random.default_rng(9), [0.3, 0.5, 0.1], n=1000)
    rates = {
        row["group"]: row["rate"]
        for row in fairness.demographic_parity(subject, reference="g0").rows
    }
    against = fairness.demographic_parity(subject, reference="g0")
    every = fairness.demographic_parity(subject)
    assert against.key == "fairness.demographic_parity[by=g,reference=g0]"
    assert against.value == pytest.approx(
        max(abs(rates[g] - rates["g0"]) for g in ("g1", "g2")), abs=1e-12
    )
    assert against.value < every.value
    assert against.notes[0] == "Reference group: 'g0'."
    ratio = min(rates["g0"] / rates["g1"], rates["g2"] / rates["g0"])
    assert against.metrics["ratio"].value == pytest.approx(ratio, abs=1e-12)
    assert against.at_most(LIMIT).status == "fail"
    with pytest.raises(tc.InputError, match="'male' is no group of g; there are 'g0', 'g1'"):
        fairness.demographic_parity(subject, reference="male")


def test_a_reference_without_positives_cannot_be_compared_with():
    subject = tc.Subject.from_predictions(
        [0, 1] * 50 + [0] * 20,
        [0, 1] * 50 + [0] * 20,
        sensitive={"g": ["a", "b"] * 0 + ["a"] * 50 + ["b"] * 50 + ["c"] * 20},
    )
    assert "reference group 'c'" in fairness.equal_opportunity(subject, reference="c").reason


def test_details_say_which_groups_differ_and_few_of_equal_ones_do():
    rng, cried = np.random.default_rng(0), 0
    group = np.repeat([f"g{i}" for i in range(10)], 200)
    for _ in range(100):
        predicted = (rng.random(2000) < 0.3).astype(int)
        subject = tc.Subject.from_predictions(predicted, predicted, sensitive={"g": group})
        rows = fairness.demographic_parity(subject).rows
        cried += any(row["p_differs"] < 0.05 for row in rows)
    assert cried <= 12  # more than 12 of 100 at a level of 5 %: 1 in 500
    predicted[group == "g3"] = rng.random(200) < 0.6
    subject = tc.Subject.from_predictions(predicted, predicted, sensitive={"g": group})
    apart = [
        row["group"] for row in fairness.demographic_parity(subject).rows if row["p_differs"] < 0.01
    ]
    assert apart == ["g3"]
