import functools

import numpy as np
import pytest
from fairlearn.metrics import MetricFrame
from sklearn import metrics

import trustcheck as tc
from trustcheck import fairness


def world(seed, tpr=(0.8, 0.8), n=150, **options):
    rng = np.random.default_rng(seed)
    g = np.repeat(np.arange(len(tpr)), n)
    y = rng.integers(0, 2, g.size)
    p = (rng.random(g.size) < np.where(y == 1, np.asarray(tpr)[g], 0.2)).astype(int)
    return tc.Subject.from_predictions(y, p, sensitive={"g": g.astype(str)}, **options)


def right(y_true, y_pred):
    return float((y_true == y_pred).mean())


@pytest.mark.parametrize("name", ["f1_score", "precision_score", "matthews_corrcoef"])
def test_values_are_those_of_metric_frame(name):
    rng = np.random.default_rng(0)
    y, p, g = rng.integers(0, 2, 300), rng.integers(0, 2, 300), rng.choice(list("abc"), 300)
    w = rng.exponential(size=300)
    frame = MetricFrame(
        metrics=getattr(metrics, name), y_true=y, y_pred=p, sensitive_features=g,
        sample_params={"sample_weight": w},
    )  # fmt: skip
    subject = tc.Subject.from_predictions(y, p, sensitive={"g": g}, sample_weight=w)
    finding = fairness.user_metric(subject, metric=name, draws=100)
    assert finding.value == pytest.approx(frame.difference(), abs=1e-12)
    assert [row[name] for row in finding.rows] == pytest.approx(list(frame.by_group), abs=1e-12)


def test_the_interval_of_a_share_is_that_of_the_closed_form():
    subject = world(1, tpr=(0.8, 0.6), n=400)
    mine = fairness.user_metric(subject, metric=right, draws=2000)
    known = fairness.accuracy_parity(subject)
    assert mine.value == pytest.approx(known.value, abs=1e-12)
    assert (mine.low, mine.high) == pytest.approx((known.low, known.high), abs=0.01)


def test_a_planted_gap_is_found_and_its_clean_twin_stays_quiet():
    ask = fairness.user_metric.using(metric=right, draws=100)
    unfair = [ask(world(s, tpr=(0.9, 0.3), n=400)).at_most(0.1).status == "fail" for s in range(20)]
    assert sum(unfair) >= 19
    quiet = [ask(world(s, tpr=(0.8,) * 4, n=60)).low == 0 for s in range(60)]
    assert sum(quiet) >= 54


def test_regression_reads_numbers_and_small_samples_as_student_does():
    rng = np.random.default_rng(2)
    y = rng.normal(size=60)
    p, g = y + rng.normal(size=60), ["a", "b"] * 30
    subject = tc.Subject.from_predictions(y, p, sensitive={"g": g}, task="regression")
    weighted = fairness.user_metric(subject, metric="mean_absolute_error", draws=4000)

    def error(y_true, y_pred):
        return float(np.abs(y_true - y_pred).mean())

    plain = fairness.user_metric(subject, metric=error, draws=4000)
    for finding in (weighted, plain):
        for k, row in zip("ab", finding.rows, strict=True):
            e = np.abs(y - p)[np.array(g) == k]
            half = 2.0452 * e.std(ddof=1) / 30**0.5
            assert row["low"] == pytest.approx(e.mean() - half, abs=0.1 * half)
            assert row["high"] == pytest.approx(e.mean() + half, abs=0.1 * half)


def test_macro_over_classes_and_the_users_positive_class():
    rng = np.random.default_rng(3)
    y, p, g = (
        rng.choice(list("xyz"), 300),
        rng.choice(list("xyz"), 300),
        rng.choice(["a", "b"], 300),
    )
    subject = tc.Subject.from_predictions(y, p, sensitive={"g": g})
    finding = fairness.user_metric(subject, metric="recall_score", draws=100)
    for row in finding.rows:
        inside = g == row["group"]
        assert row["recall_score"] == pytest.approx(
            metrics.recall_score(y[inside], p[inside], average="macro"), abs=1e-12
        )
    y, p = np.where(y == "x", "yes", "no"), np.where(p == "x", "yes", "no")
    chosen = tc.Subject.from_predictions(y, p, sensitive={"g": g}, positive="no")
    finding = fairness.user_metric(chosen, metric="precision_score", draws=100)
    assert "pos_label='no'" in finding.notes[0]
    a = g == "a"
    assert finding.rows[0]["precision_score"] == metrics.precision_score(y[a], p[a], pos_label="no")


def test_a_metric_without_a_denominator_is_unknown_not_zero():
    y, p = [1, 0] * 60 + [0] * 30, [1, 0, 0, 1] * 30 + [0] * 30
    subject = tc.Subject.from_predictions(y, p, sensitive={"g": list("aabb") * 30 + ["c"] * 30})
    finding = fairness.user_metric(subject, metric="recall_score", draws=100)
    assert [row["recall_score"] is None for row in finding.rows] == [False, False, True]
    assert "'c'" in finding.incomplete


def test_numbers_depend_on_neither_row_order_nor_group_names():
    rng = np.random.default_rng(4)
    for task in ("binary", "regression"):
        y = rng.integers(0, 2, 200) if task == "binary" else rng.normal(size=200)
        p = rng.integers(0, 2, 200) if task == "binary" else y + rng.normal(size=200)
        g = rng.choice(["a", "b"], 200)
        name = "f1_score" if task == "binary" else "mean_squared_error"
        order = rng.permutation(200)
        ends = []
        for rows, names in ((np.arange(200), {"a": "a", "b": "b"}), (order, {"a": "z", "b": "b"})):
            groups = [names[k] for k in g[rows]]
            subject = tc.Subject.from_predictions(
                y[rows], p[rows], sensitive={"g": groups}, task=task
            )
            finding = fairness.user_metric(subject, metric=name, draws=100)
            ends.append((finding.value, finding.low, finding.high))
        assert ends[0] == pytest.approx(ends[1], abs=1e-12)


def test_misuse_is_told_with_a_remedy():
    subject = world(5)
    finding = fairness.user_metric(subject)
    assert finding.status == "skipped"
    assert "no metric was named" in finding.reason
    with pytest.raises(tc.InputError, match="did you mean 'f1_score'"):
        fairness.user_metric(subject, metric="f1_scor")
    with pytest.raises(tc.InputError, match="metrics of scores are fairness.auc_parity"):
        fairness.user_metric(subject, metric="roc_auc_score")
    with pytest.raises(tc.InputError, match="counts rows"):
        fairness.user_metric(subject, metric=lambda y, p: float((y == p).sum()))
    with pytest.raises(tc.InputError, match="one number"):
        fairness.user_metric(subject, metric=lambda y, p: "good")
    weighted = world(5, sample_weight=np.ones(300))
    with pytest.raises(tc.InputError, match="takes no sample_weight"):
        fairness.user_metric(weighted, metric=right)
    with pytest.raises(tc.InputError, match="draws must be"):
        fairness.user_metric(subject, metric=right, draws=3)


def test_a_function_is_named_alike_in_every_run():
    score = functools.partial(metrics.fbeta_score, beta=2)
    assert (
        fairness.user_metric.using(metric=score).key == "fairness.user_metric[metric=fbeta_score]"
    )
    finding = fairness.user_metric(world(6), metric=score, draws=100)
    assert finding.params["metric"] == "fbeta_score"
    assert finding.headline == "gap"
