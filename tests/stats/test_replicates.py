import numpy as np
import pytest
from scipy import stats

from trustcheck.stats import replicates


def test_shares_of_cells_are_jeffreys_beta():
    drawn = replicates.cell_draws([3, 17, 5, 9], [3, 17, 5, 9], 20_000, np.random.default_rng(0))
    share = drawn[:, 0] / drawn[:, :2].sum(axis=1)
    assert np.quantile(share, [0.025, 0.5, 0.975]) == pytest.approx(
        stats.beta(3.5, 17.5).ppf([0.025, 0.5, 0.975]), abs=0.006
    )


def test_weighted_cells_vary_as_their_resampled_sums():
    rng = np.random.default_rng(1)
    w = rng.exponential(size=500)
    drawn = replicates.cell_draws([w.sum()], [(w**2).sum()], 20_000, rng)[:, 0]
    assert drawn.mean() == pytest.approx(w.sum(), rel=0.02)
    assert drawn.var() == pytest.approx((w**2).sum(), rel=0.05)


def test_student_is_students():
    x = np.random.default_rng(2).normal(size=12)
    got = replicates.student(x.mean(), stats.sem(x), 12)(0.9)
    assert (got.low, got.high) == pytest.approx(
        stats.t.interval(0.9, 11, x.mean(), stats.sem(x)), abs=1e-12
    )


def test_a_skewed_interval_holds_its_value_at_any_level():
    at = replicates.skewed(1.0, np.linspace(0.2, 0.9, 100))
    assert at(0.95).high == 1.0
    assert at(0.99).low < at(0.95).low < at(0.5).low < 1.0
