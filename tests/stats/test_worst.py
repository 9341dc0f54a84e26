import numpy as np
import pytest

from trustcheck.stats.intervals import wilson
from trustcheck.stats.worst import worst_share


def test_of_one_share_it_is_the_wilson_interval():
    assert tuple(worst_share([7], [90])) == pytest.approx(tuple(wilson(7, 90)))


def test_a_limit_met_by_all_is_missed_and_one_exceeded_is_claimed_at_most_5_in_100_times():
    rng = np.random.default_rng(0)
    rates = np.array([0.10, 0.10, 0.02, 0.10])
    draws = rng.binomial(400, rates, (4000, 4))
    ends = np.array([worst_share(x, [400] * 4)[1:] for x in draws])
    assert np.mean(ends[:, 0] > 0.10) <= 0.03
    assert np.mean(ends[:, 1] < 0.10) <= 0.03


def test_nothing_seen_in_n_rows_leaves_about_four_in_n():
    assert worst_share([0, 0], [1000, 2000]).high == pytest.approx(3.84 / 1003.84, rel=1e-3)


def test_a_share_without_rows_is_refused():
    with pytest.raises(ValueError, match="needs rows"):
        worst_share([0, 0], [10, 0])
