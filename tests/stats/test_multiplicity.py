import numpy as np
import pytest
import scipy.stats
from statsmodels.stats.multitest import multipletests

from trustcheck.stats import multiplicity


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [(multiplicity.holm, "holm"), (multiplicity.benjamini_hochberg, "fdr_bh")],
)
def test_adjusted_p_values_equal_statsmodels(ours, theirs):
    rng = np.random.default_rng(0)
    for m in (1, 2, 7, 40):
        p = rng.random(m) ** 3
        p[: m // 3] = p[0]  # ties
        np.testing.assert_allclose(ours(p), multipletests(p, method=theirs)[1], atol=1e-12)
        with_gap = ours(np.append(p, np.nan))
        assert np.isnan(with_gap[-1])
        np.testing.assert_allclose(with_gap[:-1], ours(p), atol=1e-15)


def test_no_tests_and_impossible_values():
    assert multiplicity.holm([]).shape == (0,)
    assert np.isnan(multiplicity.benjamini_hochberg([np.nan])).all()
    with pytest.raises(ValueError, match="inside"):
        multiplicity.holm([0.5, 1.5])


def test_holm_rarely_calls_any_of_many_equal_groups():
    p = np.random.default_rng(1).random((2000, 20))
    assert np.mean([multiplicity.holm(row).min() <= 0.05 for row in p]) <= 0.065


def test_a_group_against_the_rest_is_the_chi_square_test():
    x, n = np.array([30, 45, 40]), np.array([100, 120, 100])
    found = multiplicity.against_rest(x, n)
    for g in range(3):
        rest = x.sum() - x[g], n.sum() - n[g]
        table = [[x[g], n[g] - x[g]], [rest[0], rest[1] - rest[0]]]
        expected = scipy.stats.chi2_contingency(table, correction=False).pvalue
        assert found[g] == pytest.approx(expected, abs=1e-12)
    assert np.isnan(multiplicity.against_rest([3, 0], [10, 0])).all()
    assert (multiplicity.against_rest([0, 0], [10, 20]) == 1).all()
