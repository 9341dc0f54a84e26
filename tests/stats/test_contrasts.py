import numpy as np
import pytest
from statsmodels.stats.proportion import confint_proportions_2indep

from trustcheck.stats import contrasts, gaps, strata


def test_one_comparison_is_that_of_two_groups():
    got, gap = (
        contrasts.largest_contrast([60], [100], [30], [80]),
        gaps.largest_gap([60, 30], [100, 80]),
    )
    assert (got.value, got.low, got.high) == pytest.approx(
        (gap.value, gap.low, gap.high), abs=1e-12
    )
    low, high = confint_proportions_2indep(60, 100, 30, 80, method="newcomb")
    assert (got.low, got.high) == pytest.approx((low, high), abs=0.01)  # of Wilson's ends
    ratio, usual = (
        contrasts.smallest_ratio([30], [80], [60], [100]),
        gaps.smallest_ratio([30, 60], [80, 100]),
    )
    assert (ratio.value, ratio.low, ratio.high) == pytest.approx(
        (usual.value, usual.low, usual.high), abs=1e-9
    )


def test_sides_may_be_exchanged_and_empty_ones_are_left_out():
    rng = np.random.default_rng(0)
    n, m = rng.integers(0, 60, (2, 8))
    x, y = rng.binomial(n, 0.3), rng.binomial(m, 0.5)
    one, other = contrasts.largest_contrast(x, n, y, m), contrasts.largest_contrast(y, m, x, n)
    assert one == other
    both = (n > 0) & (m > 0)
    kept = contrasts.largest_contrast(x[both], n[both], y[both], m[both])
    assert (one.value, one.low, one.high) == (kept.value, kept.low, kept.high)
    assert np.flatnonzero(both)[kept.at] == one.at
    with pytest.raises(ValueError, match="rows on both sides"):
        contrasts.largest_contrast([1], [2], [0], [0])


def test_upper_end_is_nearly_that_of_a_reference_group_elsewhere():
    x, n = np.array([[30], [45], [40]]), np.full((3, 1), 100)
    elsewhere = strata.largest_common_difference(x[None], n[None], 0)
    here = contrasts.largest_contrast([45, 40], [100, 100], [30, 30], [100, 100])
    assert (here.value, here.high) == pytest.approx((elsewhere.value, elsewhere.high), abs=0.01)


def test_rates_of_zero_have_no_ratio_and_leave_the_lower_end_open():
    assert np.isnan(contrasts.smallest_ratio([0], [9], [0], [9]).value)
    got = contrasts.smallest_ratio([0, 8], [9, 20], [0, 9], [9, 20])
    assert got.low == 0
    assert got.value == pytest.approx(8 / 9)


def test_equal_rates_are_seldom_called_unequal():
    rng = np.random.default_rng(1)
    wrong = {}
    for k, n, p in [(2, 20, 0.1), (10, 40, 0.3), (17, 15, 0.5), (30, 200, 0.05)]:
        x = rng.binomial(n, p, (1000, k))
        wrong[k] = np.mean(
            [
                contrasts.largest_contrast(row, [n] * k, [row.sum()] * k, [n * k] * k).low > 0
                for row in x
            ]
        )
    assert max(wrong.values()) <= 0.06, wrong
