import numpy as np
import pytest
from sklearn import metrics
from sklearn.metrics import balanced_accuracy_score, r2_score, roc_auc_score

import trustcheck as tc
from trustcheck import reliability
from trustcheck.stats.skill import balanced_skill

LIMIT = 0.20


def test_skill_equals_adjusted_balanced_accuracy():
    rng = np.random.default_rng(0)
    for k in (2, 3, 5):
        y, p = rng.integers(0, k, (2, 500))
        subject = tc.Subject.from_predictions(y, p)
        expected = balanced_accuracy_score(y, p, adjusted=True)
        assert reliability.performance(subject).value == pytest.approx(expected, abs=1e-12)


def test_weighted_skill_equals_scikit_learn():
    rng = np.random.default_rng(1)
    y, p, w = rng.integers(0, 2, 400), rng.integers(0, 2, 400), rng.exponential(size=400)
    subject = tc.Subject.from_predictions(y, p, sample_weight=w)
    expected = balanced_accuracy_score(y, p, sample_weight=w, adjusted=True)
    assert reliability.performance(subject).value == pytest.approx(expected, abs=1e-12)


def test_regression_skill_is_r_squared_and_auc_is_auc():
    rng = np.random.default_rng(2)
    y = rng.normal(size=300)
    f = y + rng.normal(size=300)
    number = reliability.performance(tc.Subject.from_predictions(y, f))
    assert number.value == pytest.approx(r2_score(y, f), abs=1e-12)
    c = (y > 0).astype(int)
    s = 1 / (1 + np.exp(-f))
    label = reliability.performance(tc.Subject.from_predictions(c, (s > 0.5).astype(int), s))
    assert label.metrics["auc"].value == pytest.approx(roc_auc_score(c, s), abs=1e-12)
    assert label.metrics["brier"].value == pytest.approx(np.mean((s - c) ** 2), abs=1e-12)


def guess(rng, kind, n=2000):
    y = (rng.random(n) < 0.2).astype(int)
    predicted = {
        "constant": np.zeros(n, dtype=int),
        "coin": rng.integers(0, 2, n),
        "shares": (rng.random(n) < 0.2).astype(int),
        "good": np.where(rng.random(n) < 0.85, y, 1 - y),
    }[kind]
    return tc.Subject.from_predictions(y, predicted, classes=[0, 1])


@pytest.mark.parametrize("kind", ["constant", "coin", "shares"])
def test_an_answer_that_ignores_the_inputs_fails_in_19_of_20_worlds(kind):
    failed = [
        reliability.performance(guess(np.random.default_rng(s), kind)).at_least(LIMIT).status
        == "fail"
        for s in range(20)
    ]
    assert sum(failed) >= 19


def test_a_good_model_passes_in_19_of_20_worlds():
    passed = [
        reliability.performance(guess(np.random.default_rng(s), "good")).at_least(LIMIT).status
        == "pass"
        for s in range(20)
    ]
    assert sum(passed) >= 19


def test_the_interval_covers_the_true_skill():
    rng = np.random.default_rng(3)
    # True positive rate 0.7, true negative rate 0.9: skill 0.6.
    covered = []
    for _ in range(3000):
        n = rng.binomial(300, 0.3)
        hits = [rng.binomial(n, 0.7), rng.binomial(300 - n, 0.9)]
        got = balanced_skill(hits, [n, 300 - n])
        covered.append(got.low <= 0.6 <= got.high)
    assert 0.94 <= np.mean(covered) <= 0.97


def test_regression_against_the_reference_mean():
    rng = np.random.default_rng(4)
    x = rng.normal(size=(200, 1))
    y = 2 * x[:, 0] + 5
    subject = tc.Subject(
        lambda X: 2 * X[:, 0] + 5, x, y, reference=(x[:50], y[:50]), task="regression"
    )
    finding = reliability.performance(subject)
    assert finding.value == pytest.approx(1.0)
    assert "reference labels" in finding.notes[0]


def test_one_true_class_is_an_honest_skip():
    finding = reliability.performance(tc.Subject.from_predictions([1, 1, 1], [1, 0, 1]))
    assert finding.status == "skipped"
    assert "same true class" in finding.reason


def test_a_class_without_rows_is_named_and_left_out():
    subject = tc.Subject.from_predictions([0, 1] * 50, [0, 1] * 50, classes=[0, 1, 2])
    finding = reliability.performance(subject)
    assert finding.value == 1.0
    assert "class 2" in finding.notes[0]


def test_the_usual_metrics_are_those_of_scikit_learn():
    rng = np.random.default_rng(5)
    s, w = rng.random(600).round(2), rng.exponential(size=600)
    y, p = (rng.random(600) < s).astype(int), (s > 0.4).astype(int)
    got = reliability.performance(tc.Subject.from_predictions(y, p, s)).metrics
    expected = {
        "accuracy": metrics.accuracy_score(y, p),
        "balanced_accuracy": metrics.balanced_accuracy_score(y, p),
        "precision": metrics.precision_score(y, p),
        "recall": metrics.recall_score(y, p),
        "specificity": metrics.recall_score(y, p, pos_label=0),
        "f1": metrics.f1_score(y, p),
        "matthews": metrics.matthews_corrcoef(y, p),
        "kappa": metrics.cohen_kappa_score(y, p),
        "auc": metrics.roc_auc_score(y, s),
        "average_precision": metrics.average_precision_score(y, s),
        "log_loss": metrics.log_loss(y, s),
    }
    for name, value in expected.items():
        assert got[name].value == pytest.approx(value, abs=1e-12), name
        assert got[name].low < got[name].value < got[name].high
    weighted = reliability.performance(
        tc.Subject.from_predictions(y, p, s, sample_weight=w)
    ).metrics
    for name, function in {"f1": metrics.f1_score, "matthews": metrics.matthews_corrcoef}.items():
        assert weighted[name].value == pytest.approx(function(y, p, sample_weight=w), abs=1e-12)


def test_three_classes_have_macro_f1_and_regression_has_its_errors():
    rng = np.random.default_rng(6)
    y = rng.integers(0, 3, 500)
    p = np.where(rng.random(500) < 0.7, y, rng.integers(0, 3, 500))
    got = reliability.performance(tc.Subject.from_predictions(y, p)).metrics
    assert got["f1"].value == pytest.approx(metrics.f1_score(y, p, average="macro"), abs=1e-12)
    assert got["matthews"].value == pytest.approx(metrics.matthews_corrcoef(y, p), abs=1e-12)
    z = rng.normal(size=400)
    f = z + rng.normal(0.2, 1, 400)
    number = reliability.performance(tc.Subject.from_predictions(z, f)).metrics
    assert number["rmse"].value == pytest.approx(metrics.root_mean_squared_error(z, f), abs=1e-12)
    assert number["median_error"].value == pytest.approx(metrics.median_absolute_error(z, f))
    assert number["bias"].value == pytest.approx(np.mean(f - z), abs=1e-12)


def test_a_floor_can_be_asked_of_any_metric_and_the_trivial_answer_is_named():
    y = np.repeat([0, 1], [900, 100])
    finding = reliability.performance(
        tc.Subject.from_predictions(y, np.zeros(1000, int), classes=[0, 1])
    )
    assert finding.at_least(0.85, metric="accuracy").status == "pass"
    assert finding.at_least(0.85, metric="balanced_accuracy").status == "fail"
    assert "accuracy 0.9" in finding.notes[0]
