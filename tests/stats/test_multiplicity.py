import numpy as np
import pytest
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
