import numpy as np
import pytest

from trustcheck.stats.harm import relative_cost, tail_mean


def test_relative_cost_is_the_ratio_of_the_means():
    rng = np.random.default_rng(0)
    cost, base, w = rng.exponential(size=(3, 200))
    assert relative_cost(cost, base).value == pytest.approx(cost.mean() / base.mean())
    assert relative_cost(cost, base, weights=w).value == pytest.approx((w @ cost) / (w @ base))


def test_no_cost_seen_is_not_no_cost_possible():
    got = relative_cost(np.zeros(100), np.ones(100), most=5)
    assert got.value == got.low == 0
    assert got.high == pytest.approx(5 * 1.96**2 / (100 + 1.96**2), rel=1e-4)


def test_costs_below_zero_are_refused():
    with pytest.raises(ValueError, match="negative"):
        relative_cost([-1.0], [1.0])


def test_the_interval_covers_the_true_ratio():
    rng = np.random.default_rng(1)
    covered = 0
    for _ in range(2000):
        y = rng.random(400) < 0.3
        wrong = rng.random(400) < 0.15
        got = relative_cost(wrong * np.where(y, 5, 1), np.where(y, 0, 1))
        covered += got.low <= 0.15 * (0.3 * 5 + 0.7) / 0.7 <= got.high
    assert 0.93 <= covered / 2000 <= 0.97


def test_the_tail_mean_is_the_mean_of_the_dearest_rows():
    rng = np.random.default_rng(2)
    cost = rng.exponential(size=1000)
    assert tail_mean(cost, tail=0.05).value == pytest.approx(np.sort(cost)[-50:].mean())
    assert tail_mean(cost, tail=1.0).value == pytest.approx(cost.mean())
    doubled = tail_mean(cost, weights=np.full(1000, 2.0))
    assert doubled.value == pytest.approx(tail_mean(cost).value)


def test_the_tail_interval_covers_the_true_tail_mean():
    rng = np.random.default_rng(3)
    truth = 1 + np.log(20)  # of an exponential: its quantile plus 1
    covered = 0
    for _ in range(1000):
        got = tail_mean(rng.exponential(size=2000))
        covered += got.low <= truth <= got.high
    assert covered >= 920


def test_a_tail_outside_zero_to_one_is_refused():
    with pytest.raises(ValueError, match="tail"):
        tail_mean([1.0], tail=0)
