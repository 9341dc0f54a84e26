import itertools

import numpy as np
import pytest

from trustcheck.stats import gaps, intervals, spread


def test_shares_give_the_gap_of_counts():
    rng = np.random.default_rng(0)
    for _ in range(50):
        k, events = int(rng.integers(2, 7)), int(rng.integers(1, 3))
        n = rng.integers(5, 300, (k, events))
        x = rng.binomial(n, rng.random((k, events)))
        got = spread.largest_difference(
            x / n, lambda level, x=x, n=n: intervals.mid_p(x, n, level=level)[1:]
        )
        want = gaps.largest_gap(x, n)
        assert (got.value, got.low, got.high) == pytest.approx(
            (want.value, want.low, want.high), abs=1e-9
        )
        assert (got.pair, got.event) == (want.pair, want.event)


def test_ends_equal_a_plain_loop_over_pairs():
    rng = np.random.default_rng(1)
    for _ in range(20):
        k = int(rng.integers(2, 6))
        v, se = rng.normal(size=k), rng.uniform(0.1, 1, k)

        def ends(level, v=v, se=se):
            z = intervals.z_value(level)
            return v - z * se, v + 2 * z * se  # lopsided on purpose

        got = spread.largest_difference(v, ends)
        z, wide = intervals.z_value(0.95), gaps.simultaneous_z(k)
        pairs = list(itertools.permutations(range(k), 2))
        high = max(v[i] - v[j] + np.hypot(2 * z * se[i], z * se[j]) for i, j in pairs)
        low = max(v[i] - v[j] - np.hypot(wide * se[i], 2 * wide * se[j]) for i, j in pairs)
        assert got.high == pytest.approx(high, abs=1e-12)
        assert got.low == pytest.approx(max(low, 0), abs=1e-9)
        assert got.value == pytest.approx(np.ptp(v), abs=1e-12)


def test_normal_means_are_covered_and_equal_ones_seldom_said_to_differ():
    rng = np.random.default_rng(2)
    covered, alarms = 0, 0
    for _ in range(400):
        truth = np.array([0.0, 0.3, 0.3, 0.1])
        for true in (truth, np.zeros(4)):
            v = true + 0.1 * rng.normal(size=4)
            got = spread.largest_difference(
                v, lambda level, v=v: (v - 0.1 * _z(level), v + 0.1 * _z(level))
            )
            if true is truth:
                covered += got.low <= 0.3 <= got.high
            else:
                alarms += got.low > 0
    assert covered >= 0.93 * 400
    assert alarms <= 0.08 * 400


def _z(level):
    return intervals.z_value(level)


def test_groups_that_are_not_known_are_left_out():
    got = spread.largest_difference(
        [0.1, np.nan, 0.4, 9.0],
        lambda level: ([0.0, np.nan, 0.3, -np.inf], [0.2, np.nan, 0.5, np.inf]),
    )
    assert got.pair == (2, 0)
    with pytest.raises(ValueError, match="two groups"):
        spread.largest_difference([0.1, np.nan], lambda level: ([0.0, np.nan], [0.2, np.nan]))


def test_ratio_is_the_exponential_of_the_gap_of_logarithms():
    v = np.array([2.0, 3.0, 5.0])

    def ends(level):
        spreads = np.exp(0.1 * intervals.z_value(level))
        return v / spreads, v * spreads

    got = spread.smallest_ratio(v, ends)
    assert got.value == pytest.approx(0.4)
    assert got.low == pytest.approx(0.4 * np.exp(-0.1 * 1.959964 * 2**0.5), rel=1e-6)
    assert got.high == pytest.approx(0.4 * np.exp(0.1 * gaps.simultaneous_z(3) * 2**0.5), rel=1e-6)
    assert got.pair == (0, 2)


def test_a_lower_end_at_zero_leaves_no_lower_bound_of_the_ratio():
    got = spread.smallest_ratio([1.0, 2.0], lambda level: ([-0.5, 1.5], [2.5, 2.5]))
    assert (got.low, got.value) == (0.0, 0.5)
    assert got.high <= 1


def test_a_reference_leaves_only_its_own_pairs():
    rng = np.random.default_rng(3)
    for _ in range(20):
        k = int(rng.integers(2, 7))
        v, se = rng.normal(size=k), rng.uniform(0.1, 1, k)
        at = int(rng.integers(k))

        def ends(level, v=v, se=se):
            z = intervals.z_value(level)
            return v - z * se, v + z * se

        got = spread.largest_difference(v, ends, reference=at)
        others = [g for g in range(k) if g != at]
        assert got.value == pytest.approx(np.abs(v[others] - v[at]).max(), abs=1e-12)
        reach = np.hypot(se[others], se[at])
        joint = intervals.z_value(0.95 ** (1 / (k - 1)))
        gap = np.abs(v[others] - v[at])
        assert got.low == pytest.approx(max((gap - joint * reach).max(), 0.0), abs=1e-9)
        assert got.high == pytest.approx((gap + 1.959964 * reach).max(), abs=1e-5)
        assert at in got.pair
    ratio = spread.smallest_ratio(
        [2.0, 4.0, 1.0], lambda level: ([1.8, 3.5, 0.9], [2.2, 4.6, 1.1]), reference=0
    )
    assert ratio.value == 0.5
    assert ratio.pair in ((0, 1), (2, 0))
