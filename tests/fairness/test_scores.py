import numpy as np
import pandas as pd
import pytest
from sklearn import metrics

import trustcheck as tc
from trustcheck import fairness

ALL = ("auc_parity", "mean_score", "group_calibration", "distribution_parity", "worst_group")


def scored(rng, n=1200, shift=(0.0, 0.0, 0.0), lean=(0.0, 0.0, 0.0), weights=False):
    code = rng.integers(0, 3, n)
    p = 1 / (1 + np.exp(-rng.normal(size=n) - np.asarray(shift)[code]))
    y = (rng.random(n) < np.clip(p + np.asarray(lean)[code], 0, 1)).astype(int)
    w = rng.uniform(0.5, 2, n) if weights else None
    return y, p, np.array(list("abc"))[code], w


def subject_of(y, p, g, w=None):
    return tc.Subject.from_predictions(
        y, (p > 0.5).astype(int), y_proba=p, sensitive={"g": g}, sample_weight=w
    )


def by_group(finding, column):
    return {row["group"]: row[column] for row in finding.rows}


def test_values_equal_scikit_learn_and_scipy_group_by_group():
    from scipy.stats import ks_2samp

    rng = np.random.default_rng(0)
    y, p, g, _ = scored(rng, shift=(0, 0.5, 1))
    subject = subject_of(y, p, g)
    aucs = {k: metrics.roc_auc_score(y[g == k], p[g == k]) for k in "abc"}
    assert by_group(fairness.auc_parity(subject), "auc") == pytest.approx(aucs, abs=1e-12)
    assert fairness.auc_parity(subject).value == pytest.approx(np.ptp([*aucs.values()]), abs=1e-12)
    distances = [ks_2samp(p[g == a], p[g == b]).statistic for a, b in ("ab", "ac", "bc")]
    assert fairness.distribution_parity(subject).value == pytest.approx(max(distances), abs=1e-12)
    right = {k: metrics.accuracy_score(y[g == k], p[g == k] > 0.5) for k in "abc"}
    assert fairness.worst_group(subject).value == pytest.approx(min(right.values()), abs=1e-12)


def test_weighted_means_equal_numpy():
    y, p, g, w = scored(np.random.default_rng(1), shift=(0, 0.5, 1), weights=True)
    subject = subject_of(y, p, g, w)
    means = {k: np.average(p[g == k], weights=w[g == k]) for k in "abc"}
    assert by_group(fairness.mean_score(subject), "mean") == pytest.approx(means, abs=1e-12)
    bias = {k: np.average((y - p)[g == k], weights=w[g == k]) for k in "abc"}
    found = fairness.group_calibration(subject)
    assert by_group(found, "bias") == pytest.approx(bias, abs=1e-12)
    assert found.value == pytest.approx(max(map(abs, bias.values())), abs=1e-12)


def test_equal_groups_are_seldom_said_to_differ_and_planted_gaps_are_found():
    quiet, loud = dict.fromkeys(ALL[:4], 0), dict.fromkeys(ALL[:4], 0)
    for seed in range(20):
        rng = np.random.default_rng(seed)
        even = subject_of(*scored(rng))
        apart = subject_of(*scored(rng, shift=(0, 0, 1.5), lean=(0, 0, -0.3)))
        for name in quiet:
            quiet[name] += getattr(fairness, name)(even).low == 0
            loud[name] += getattr(fairness, name)(apart).low > 0
    assert min(quiet.values()) >= 18
    assert all(loud[name] >= 19 for name in ("mean_score", "group_calibration"))
    assert loud["distribution_parity"] >= 19


@pytest.mark.parametrize("name", ALL)
def test_the_order_of_rows_changes_nothing(name):
    rng = np.random.default_rng(3)
    columns = scored(rng)[:3]
    order = rng.permutation(len(columns[0]))
    one, other = (
        getattr(fairness, name)(subject_of(*(c[o] for c in columns))) for o in (slice(None), order)
    )
    assert (one.value, one.low, one.high) == pytest.approx(
        (other.value, other.low, other.high), abs=1e-12
    )


def test_groups_that_cannot_be_measured_are_named_and_never_pass():
    y, p, g, _ = scored(np.random.default_rng(4))
    g = g.astype(object)
    g[0], y[g == "b"] = "lone", 1
    subject = subject_of(y, p, g)
    finding = fairness.auc_parity(subject)
    assert "'b'" in finding.incomplete
    assert "'lone'" in finding.incomplete
    with pytest.warns(tc.TrustInconclusiveWarning):
        assert not finding.at_most(1.0, strict=True)


def test_one_group_hard_labels_and_wrong_tasks_are_skipped_with_a_reason():
    y, p, g, _ = scored(np.random.default_rng(6), n=200)
    alone = subject_of(y, p, np.full(200, "a"))
    assert all("one group" in getattr(fairness, name)(alone).reason for name in ALL)
    hard = tc.Subject.from_predictions(y, (p > 0.5).astype(int), sensitive={"g": g})
    for name in ALL[:4]:
        assert getattr(fairness, name)(hard).status == "skipped"
    assert fairness.error_parity(hard).status == "skipped"


def test_several_classes_are_taken_one_against_the_rest():
    rng = np.random.default_rng(7)
    p = rng.dirichlet([1, 1, 1], 900)
    y = np.array([rng.choice(3, p=row) for row in p])
    g = rng.choice(["a", "b"], 900)
    subject = tc.Subject.from_predictions(y, p.argmax(1), p, sensitive={"g": g})
    aucs = [[metrics.roc_auc_score(y[g == k] == c, p[g == k, c]) for k in "ab"] for c in range(3)]
    assert fairness.auc_parity(subject).value == pytest.approx(
        np.abs(np.diff(aucs)).max(), abs=1e-12
    )
    for name in ALL:
        assert getattr(fairness, name)(subject).status == "measured"


def test_every_one_measures_a_pipeline_on_mixed_columns_with_gaps():
    from sklearn.ensemble import HistGradientBoostingClassifier

    rng = np.random.default_rng(8)
    X = pd.DataFrame(
        {
            "age": np.where(rng.random(400) < 0.1, np.nan, rng.normal(40, 10, 400)),
            "sex": pd.Categorical(rng.choice(["f", "m"], 400)),
        }
    )
    y = (rng.random(400) < 0.5).astype(int)
    model = HistGradientBoostingClassifier(categorical_features="from_dtype").fit(X, y)
    subject = tc.Subject(model, X, y, sensitive=["sex"])
    assert {getattr(fairness, name)(subject).status for name in ALL} == {"measured"}


def test_a_reference_group_is_the_only_one_compared_with():
    rng = np.random.default_rng(7)
    g, s = np.repeat(list("abc"), 300), rng.random(900)
    s = np.clip(s + np.repeat([0, 0.1, -0.1], 300), 0, 1)
    subject = tc.Subject.from_predictions(
        (rng.random(900) < s).astype(int), (s > 0.5).astype(int), s, sensitive={"g": g}
    )
    means = {row["group"]: row["mean"] for row in fairness.mean_score(subject).rows}
    finding = fairness.mean_score(subject, reference="a")
    assert finding.value == pytest.approx(max(abs(means[k] - means["a"]) for k in "bc"), abs=1e-12)
    assert finding.notes[0] == "Reference group: 'a'."
    assert fairness.auc_parity(subject, reference="a").value <= fairness.auc_parity(subject).value
    with pytest.raises(tc.InputError, match="'z' is no group of g; there are 'a', 'b', 'c'"):
        fairness.mean_score(subject, reference="z")
    numbers = tc.Subject.from_predictions(
        s, s + rng.normal(size=900) * np.repeat([1, 2, 3], 300), sensitive={"g": g},
        task="regression",
    )  # fmt: skip
    errors = {row["group"]: row["error"] for row in fairness.error_parity(numbers).rows}
    assert fairness.error_parity(numbers, reference="b").value == pytest.approx(
        min(errors["a"] / errors["b"], errors["b"] / errors["c"]), abs=1e-12
    )
    assert fairness.residual_parity(numbers, reference="b").notes[0] == "Reference group: 'b'."
