import numpy as np
import pytest
from sklearn import metrics

import trustcheck as tc
from trustcheck import fairness


def regression(rng, n=900, lean=(0.0, 0.0, 0.0), noise=(1.0, 1.0, 1.0), weights=None):
    code = rng.integers(0, 3, n)
    truth = 3 * rng.normal(size=n)
    guess = truth + np.asarray(noise)[code] * rng.normal(size=n) - np.asarray(lean)[code]
    return tc.Subject.from_predictions(
        truth,
        guess,
        sensitive={"g": np.array(list("abc"))[code]},
        task="regression",
        sample_weight=weights,
    )


def by_group(finding, column):
    return {row["group"]: row[column] for row in finding.rows}


def test_regression_values_equal_scikit_learn():
    rng = np.random.default_rng(2)
    w = rng.uniform(0.5, 2, 900)
    subject = regression(rng, noise=(1, 1.5, 2), lean=(0, 0.2, 0.5), weights=w)
    g = subject.groups("g")
    mae, residual, skill = {}, {}, {}
    for k, name in enumerate(g.names):
        of = g.codes == k
        t, q = subject.truth[of], subject.predictions[of]
        mae[name] = metrics.mean_absolute_error(t, q, sample_weight=w[of])
        residual[name] = np.average(t - q, weights=w[of])
        trivial = np.average(np.abs(t - np.median(subject.truth)), weights=w[of])
        skill[name] = 1 - mae[name] / trivial
    ratio = fairness.error_parity(subject)
    assert by_group(ratio, "error") == pytest.approx(mae, abs=1e-12)
    assert ratio.value == pytest.approx(min(mae.values()) / max(mae.values()), abs=1e-12)
    gap = fairness.residual_parity(subject)
    assert gap.value == pytest.approx(np.ptp([*residual.values()]), abs=1e-12)
    worst = fairness.worst_group(subject)
    assert worst.value == pytest.approx(min(skill.values()), abs=1e-12)


def test_regression_defects_are_found_and_a_clean_twin_is_quiet():
    found = np.zeros((3, 2), dtype=int)
    for seed in range(20):
        rng = np.random.default_rng(seed)
        for twin, subject in enumerate(
            (regression(rng), regression(rng, lean=(0, 0, 1), noise=(1, 1, 3)))
        ):
            found[0, twin] += fairness.residual_parity(subject).low > 0
            found[1, twin] += fairness.error_parity(subject).high < 1
            found[2, twin] += fairness.worst_group(subject).high < 0.4
    assert (found[:, 0] <= 2).all()
    assert (found[:, 1] >= 19).all()


def test_a_group_of_one_row_is_named():
    lone = regression(np.random.default_rng(5))
    truth, guess = lone.truth.copy(), lone.predictions.copy()
    names = np.array(lone.groups("g").names)[lone.groups("g").codes].astype(object)
    names[0] = "lone"
    with_one = tc.Subject.from_predictions(truth, guess, sensitive={"g": names}, task="regression")
    for name in ("residual_parity", "error_parity", "worst_group", "mean_score"):
        assert "'lone'" in getattr(fairness, name)(with_one).incomplete, name


def test_the_worst_group_holds_for_weights_and_covers_its_accuracy():
    covered = 0
    for seed in range(200):
        rng = np.random.default_rng(seed)
        g = np.repeat(list("abc"), 100)
        right = rng.random(300) < np.repeat([0.9, 0.8, 0.9], 100)
        w = rng.uniform(0.5, 1.5, 300)
        subject = tc.Subject.from_predictions(
            np.ones(300, dtype=int),
            right.astype(int),
            sensitive={"g": g},
            sample_weight=w,
            classes=[0, 1],
        )
        found = fairness.worst_group(subject)
        covered += found.low <= 0.8 <= found.high
        lowest = min(np.average(right[g == k], weights=w[g == k]) for k in "abc")
        assert found.value == pytest.approx(lowest, abs=1e-12)
    assert covered >= 186


def test_every_regression_has_a_row_per_group():
    subject = regression(np.random.default_rng(9))
    for name in ("mean_score", "distribution_parity", "residual_parity", "error_parity"):
        assert len(getattr(fairness, name)(subject).rows) == 3
