import numpy as np
import pytest
from sklearn.metrics import balanced_accuracy_score

from trustcheck.stats.degradation import (
    consistency,
    curve_weights,
    kept_share,
    skill_rows,
    weighted_median,
)
from trustcheck.stats.intervals import bounded_mean, median, wilson


def test_consistency_of_one_draw_is_wilson_and_of_several_is_the_mean_over_rows():
    assert consistency([7, 93]) == pytest.approx(wilson(93, 100))
    shares = np.repeat([0, 1 / 3, 2 / 3, 1], [1, 2, 3, 94])
    assert consistency([1, 2, 3, 94]) == pytest.approx(bounded_mean(shares, draws=3))


def test_weighted_median_without_weights_is_the_exact_one():
    values = np.random.default_rng(0).normal(size=101)
    assert weighted_median(values) == median(values)


def test_weighted_median_of_whole_weights_is_the_median_of_repeated_rows():
    rng = np.random.default_rng(1)
    values, weights = rng.normal(size=81), rng.integers(0, 5, 81)
    repeated = np.sort(np.repeat(values, weights))
    got = weighted_median(values, weights=weights)
    assert got.value == repeated[(len(repeated) - 1) // 2]
    assert got.low < got.value < got.high


@pytest.mark.parametrize("kind", ["weights", "clusters"])
def test_weighted_median_covers_the_true_median(kind):
    hits = 0
    for seed in range(300):
        rng = np.random.default_rng(seed)
        if kind == "weights":
            values = rng.normal(size=200)
            weights = rng.choice([1.0, 5.0], 200)
            got = weighted_median(values, weights=weights)
        else:
            codes = np.repeat(np.arange(60), 5)
            values = rng.normal(size=60)[codes] + 0.5 * rng.normal(size=300)
            got = weighted_median(values, clusters=codes)
        hits += got.low <= 0 <= got.high
    assert 0.92 <= hits / 300 <= 0.985


def test_curve_weights_integrate_straight_lines_exactly():
    grid = np.array([0.05, 0.1, 0.2, 0.5])
    weights = curve_weights(grid)
    assert weights @ grid == pytest.approx(0.25)  # the mean of s over [0, 0.5]
    assert 1 - weights.sum() == pytest.approx(0.05 / 2 / 0.5)


def test_skill_rows_average_to_adjusted_balanced_accuracy():
    rng = np.random.default_rng(2)
    truth, guess = rng.integers(0, 4, (2, 400))
    guess = np.where(rng.random(400) < 0.6, truth, guess)
    weights = rng.random(400)
    rows = skill_rows(guess == truth, truth, weights)
    expected = balanced_accuracy_score(truth, guess, sample_weight=weights, adjusted=True)
    assert np.average(rows, weights=weights) == pytest.approx(expected)


def test_kept_share_covers_the_truth_when_shares_of_classes_are_estimated_too():
    hits, worlds = 0, 400
    for seed in range(worlds):
        rng = np.random.default_rng(seed)
        truth = (rng.random(600) < 0.2).astype(int)
        clean = rng.random(600) < np.where(truth == 1, 0.8, 0.9)  # skill 0.7
        noisy = np.where(rng.random(600) < 0.2, rng.random(600) < 0.5, clean)  # 0.8 of it
        got = kept_share(skill_rows(noisy, truth), skill_rows(clean, truth))
        hits += got.low <= 0.8 <= got.high
    assert 0.925 <= hits / worlds <= 0.975


def test_kept_share_is_refused_where_there_is_nothing_to_keep():
    rng = np.random.default_rng(0)
    assert kept_share(rng.normal(size=100), rng.normal(size=100)) is None
