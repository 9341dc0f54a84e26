import numpy as np
import pytest

from trustcheck.stats import strata


def test_the_common_difference_is_the_coefficient_of_a_regression_with_strata():
    sm = pytest.importorskip("statsmodels.api")
    rng = np.random.default_rng(0)
    for _ in range(10):
        stratum, group = rng.integers(0, 6, 500), rng.integers(0, 2, 500)
        y = (rng.random(500) < 0.1 + 0.1 * stratum + 0.05 * group).astype(float)
        design = np.column_stack([group, np.eye(6)[stratum]])
        fit = sm.OLS(y, design).fit(cov_type="HC0")
        cells = [np.bincount(stratum[group == g], minlength=6) for g in (1, 0)]
        hits = [np.bincount(stratum[group == g], y[group == g], 6) for g in (1, 0)]
        got = strata.common_difference(hits[0], cells[0], hits[1], cells[1])
        assert got.value == pytest.approx(fit.params[0], abs=1e-12)
        width = 2 * 1.959964 * fit.bse[0]
        assert got.high - got.low == pytest.approx(width, rel=0.04)


def test_one_stratum_has_newcombes_interval():
    from statsmodels.stats.proportion import confint_proportions_2indep

    got = strata.common_difference([60], [100], [30], [80])
    expected = confint_proportions_2indep(60, 100, 30, 80, method="newcomb")
    assert (got.low, got.high) == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize(
    ("strata_count", "n", "other", "base", "gap"),
    [(5, 60, 100, 0.5, 0.05), (200, 1, 1, 0.4, 0.1), (5, 50, 50, 0.02, 0.0), (3, 10, 10, 0.1, 0)],
)
def test_the_interval_covers_in_dense_sparse_and_rare_strata(strata_count, n, other, base, gap):
    rng = np.random.default_rng(1)
    base = np.linspace(0.5, 1.5, strata_count)[:, None] * base
    shape = (strata_count, 2000)
    x, y = rng.binomial(n, base + gap, shape), rng.binomial(other, base, shape)
    got = strata.common_difference(x, np.full(shape, n), y, np.full(shape, other))
    assert np.mean((got.low <= gap) & (gap <= got.high)) >= 0.94


def test_the_largest_difference_is_never_below_its_pairs_and_its_low_end_is_simultaneous():
    rng = np.random.default_rng(2)
    n = rng.integers(20, 80, (4, 5, 2)).astype(float)
    x = rng.binomial(n.astype(int), 0.4)
    found = strata.largest_common_difference(x, n, 2)
    each = strata.against(x, n, 2)
    assert found.value == pytest.approx(np.nanmax(np.abs(each.value)), abs=1e-12)
    assert found.high == pytest.approx(np.nanmax(np.maximum(each.high, -each.low)), abs=1e-12)
    assert 0 <= found.low <= np.nanmax(np.maximum(each.low, -each.high)).clip(0)


def test_equal_groups_are_called_different_in_at_most_one_world_in_twenty():
    rng = np.random.default_rng(3)
    n = np.full((3, 6, 1), 60)
    rates = np.array([0.2, 0.5, 0.8])[:, None, None]
    lows = [strata.largest_common_difference(rng.binomial(n, rates), n, 0).low for _ in range(500)]
    assert np.mean(np.array(lows) > 0) <= 0.06


def test_strata_without_rows_of_both_groups_say_nothing():
    got = strata.common_difference([3, 0], [10, 0], [0, 5], [0, 10])
    assert np.isnan(got.value)
    with pytest.raises(ValueError, match="no stratum"):
        strata.largest_common_difference([[[3], [0]], [[0], [5]]], [[[10], [0]], [[0], [10]]], 0)
    with_more = strata.common_difference([6, 3, 0], [10, 10, 0], [2, 0, 5], [10, 0, 10])
    assert with_more == pytest.approx(strata.common_difference([6], [10], [2], [10]))
