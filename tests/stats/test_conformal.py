import numpy as np
import pytest
from scipy import stats

from trustcheck.stats.conformal import (
    adaptive_scores,
    effective_rows,
    new_band,
    shared_band,
    shortfall,
    threshold,
)
from trustcheck.stats.intervals import wilson


def test_a_new_row_is_covered_as_often_as_vovks_beta_law_says():
    rng = np.random.default_rng(0)
    covered = np.array([threshold(rng.random(99), 0.9) for _ in range(4000)])
    law = stats.beta(90, 10)  # of uniform scores, the coverage is the threshold itself
    assert stats.kstest(covered, law.cdf).pvalue > 0.01


def test_one_threshold_serves_as_that_of_all_other_rows():
    scores = np.random.default_rng(1).random(73)
    cut = threshold(scores, 0.9, others=True)
    one_by_one = [s <= threshold(np.delete(scores, i), 0.9) for i, s in enumerate(scores)]
    assert (scores <= cut).tolist() == one_by_one


def test_the_band_of_new_rows_is_the_beta_binomial_one_and_holds_in_simulation():
    low, high = new_band([60, 200], 199, 0.9)
    law = stats.betabinom([60, 200], 180, 20)
    assert low == pytest.approx(law.ppf(0.025) / [60, 200])
    assert high == pytest.approx(law.ppf(0.975) / [60, 200])
    rng = np.random.default_rng(2)
    found = [np.mean(rng.random(60) <= threshold(rng.random(199), 0.9)) for _ in range(3000)]
    assert 0.945 <= np.mean((low[0] <= found) & (found <= high[0])) <= 0.99


def test_the_band_of_shared_rows_holds_in_simulation():
    rng = np.random.default_rng(3)
    low, high = shared_band([80], 300, 270)
    found = []
    for _ in range(3000):
        scores = rng.random(300)
        found.append(np.mean(scores[:80] <= threshold(scores, 0.9, others=True)))
    assert 0.945 <= np.mean((low[0] <= found) & (found <= high[0])) <= 0.99


def test_effective_rows_have_the_variance_of_the_beta_binomial_law():
    law = stats.betabinom(70, 90, 10)
    p = law.mean() / 70
    assert p * (1 - p) / effective_rows(70, 99) == pytest.approx(law.var() / 70**2)


def test_adaptive_scores_of_true_probabilities_are_uniform_in_every_part():
    rng = np.random.default_rng(4)
    p = rng.dirichlet([0.5, 1, 2], 6000)
    truth = np.array([rng.choice(3, p=row) for row in p])
    scores = adaptive_scores(p, rng.random(6000))[np.arange(6000), truth]
    for sure in (True, False):
        part = (p.max(axis=1) > 0.7) == sure
        assert stats.kstest(scores[part], "uniform").pvalue > 0.01


def test_the_shortfall_of_one_group_is_wilsons():
    value, low, high = wilson(30, 200)
    assert tuple(shortfall([30], [200], 0.9)) == pytest.approx((value - 0.1, low - 0.1, high - 0.1))


def test_too_few_rows_have_no_finite_threshold():
    assert threshold(np.arange(8), 0.9) == np.inf
    assert threshold(np.arange(9), 0.9) == 8
