import itertools
import time

import numpy as np
import pytest
import scipy.stats
from hypothesis import given as given_
from hypothesis import settings
from hypothesis import strategies as st

from trustcheck.stats import gaps, intervals

laws = settings(derandomize=True, deadline=None, max_examples=50, database=None)
groups = st.lists(st.tuples(st.integers(1, 500), st.floats(0, 1)), min_size=2, max_size=8)


def rng():
    return np.random.default_rng(20240518)


def counts(table):
    n = np.array([size for size, _ in table])
    return np.round(n * [share for _, share in table]), n


def apart(x1, n1, x2, n2, level=0.95, z=None):
    """The interval of one difference."""
    ends = (intervals.mid_p(x, n, level=level, z=z) for x, n in ((x1, n1), (x2, n2)))
    return intervals.mover_difference(*ends)


def brute_gap(x, n, level=0.95):
    """The largest gap as its definition reads: one pair after another."""
    x, n = (np.asarray(a, float).reshape(len(a), -1) for a in (x, n))
    n = np.broadcast_to(n, x.shape)
    share = 1 - (1 - level) / x.shape[1]
    found = []
    for e in range(x.shape[1]):
        present = np.flatnonzero(n[:, e])
        q = scipy.stats.studentized_range.ppf(share, len(present), np.inf)
        for i, j in itertools.combinations(present, 2):
            four = (x[i, e], n[i, e], x[j, e], n[j, e])
            value, low, high = apart(*four, level=level)
            _, wide_low, wide_high = apart(*four, z=q / 2**0.5)
            found.append((abs(value), max(wide_low, -wide_high, 0), max(high, -low)))
    return tuple(np.max(found, axis=0))


def brute_ratio(x, n):
    q = scipy.stats.studentized_range.ppf(0.95, len(x), np.inf)
    found = []
    for i, j in itertools.combinations(range(len(x)), 2):
        value, low, high = intervals.koopman(x[i], n[i], x[j], n[j])
        _, wide_low, wide_high = intervals.koopman(x[i], n[i], x[j], n[j], z=q / 2**0.5)
        value = min(value, 1 / value) if value else 0
        top = min(wide_high, 1 / wide_low if wide_low else np.inf, 1)
        found.append((value, min(low, 1 / high), top))
    return tuple(np.nanmin(found, axis=0))


def ends(found):
    return found.value, found.low, found.high


# The critical value


@pytest.mark.parametrize("k", [2, 3, 10, 100, 500])
@pytest.mark.parametrize("level", [0.9, 0.95, 0.9995])
def test_the_simultaneous_z_solves_the_integral_of_the_range(k, level):
    q = gaps.simultaneous_z(k, level=level) * 2**0.5
    x = np.linspace(-9, 9, 4001)
    phi, cdf = scipy.stats.norm.pdf(x), scipy.stats.norm.cdf
    chance = k * np.trapezoid(phi * (cdf(x + q) - cdf(x)) ** (k - 1), x)
    assert chance == pytest.approx(level, abs=1e-9)


def test_the_simultaneous_z_of_two_groups_is_the_plain_one():
    assert gaps.simultaneous_z(2) == pytest.approx(intervals.z_value(), abs=1e-9)


def test_the_simultaneous_z_refuses_one_group_and_impossible_levels():
    with pytest.raises(ValueError, match="groups"):
        gaps.simultaneous_z(1)
    with pytest.raises(ValueError, match="level"):
        gaps.simultaneous_z(3, level=1.0)


# The largest gap


def test_two_groups_give_the_interval_of_their_difference():
    found = gaps.largest_gap([48, 56], [80, 70])
    assert ends(found) == pytest.approx(apart(56, 70, 48, 80), abs=1e-9)
    assert ends(found) == pytest.approx(intervals.newcombe(56, 70, 48, 80), abs=0.003)
    assert (found.pair, found.blocking) == ((1, 0), (1, 0))


@laws
@given_(groups)
def test_the_largest_gap_is_the_largest_over_pairs(table):
    x, n = counts(table)
    assert ends(gaps.largest_gap(x, n)) == pytest.approx(brute_gap(x, n), abs=1e-9)


def test_the_largest_gap_is_the_largest_over_pairs_and_events():
    source = rng()
    for _ in range(20):
        n = source.integers([[0], [1], [1], [1], [1]], 60, (5, 3))
        x = source.binomial(n, source.uniform(0.1, 0.9, (5, 3)))
        found = gaps.largest_gap(x, n, level=0.9)
        assert ends(found) == pytest.approx(brute_gap(x, n, 0.9), abs=1e-9)
        i, j = found.pair
        gap = x[i, found.event] / n[i, found.event] - x[j, found.event] / n[j, found.event]
        assert gap == pytest.approx(found.value)


def test_sizes_may_be_shared_by_the_events():
    x, n = [[10, 20], [20, 60], [5, 50]], [100, 120, 90]
    assert gaps.largest_gap(x, n) == gaps.largest_gap(x, np.transpose([n, n]))


@laws
@given_(groups, st.randoms(use_true_random=False))
def test_the_order_of_groups_changes_nothing_but_positions(table, random):
    x, n = counts(table)
    order = list(range(len(n)))
    random.shuffle(order)
    for function in (gaps.largest_gap, gaps.smallest_ratio):
        here, there = function(x, n), function(x[order], n[order])
        assert ends(here) == pytest.approx(ends(there), abs=1e-12, nan_ok=True)
        rates = x / n
        (i, j), (a, b) = here.pair, (order[g] for g in there.pair)
        if function is gaps.largest_gap:
            assert rates[i] - rates[j] == pytest.approx(rates[a] - rates[b])


@laws
@given_(groups)
def test_the_value_lies_between_the_ends(table):
    x, n = counts(table)
    gap, ratio = gaps.largest_gap(x, n), gaps.smallest_ratio(x, n)
    assert 0 <= gap.low <= gap.value <= gap.high <= 1
    if x.any():
        assert 0 <= ratio.low <= ratio.value <= ratio.high <= 1


@laws
@given_(groups, st.floats(1.01, 50))
def test_more_rows_at_the_same_rates_never_widen_the_interval(table, more):
    x, n = counts(table)
    few, many = gaps.largest_gap(x, n), gaps.largest_gap(x * more, n * more)
    assert few.low <= many.low + 1e-9
    assert many.high <= few.high + 1e-9


def test_groups_without_rows_are_left_out():
    with_empty = gaps.largest_gap([50, 0, 90, 30], [200, 0, 200, 200])
    without = gaps.largest_gap([50, 90, 30], [200, 200, 200])
    assert ends(with_empty) == ends(without)
    assert with_empty.low > 0
    assert (with_empty.pair, with_empty.blocking) == ((2, 3), (2, 3))
    events = gaps.largest_gap([[50, 1], [90, 0], [30, 0]], [[200, 7], [200, 0], [200, 0]])
    assert ends(events) == ends(without)


def test_fewer_than_two_groups_are_refused():
    for x, n in (([5, 0], [20, 0]), ([3], [4]), ([[1, 0], [0, 1]], [[2, 0], [0, 2]])):
        for function in (gaps.largest_gap, gaps.smallest_ratio):
            with pytest.raises(ValueError, match="two groups"):
                function(x, n)


def test_impossible_tables_are_refused():
    for x, n in (([5, 3], [4, 4]), ([1, 1], [-1, 2])):
        with pytest.raises(ValueError, match="must"):
            gaps.largest_gap(x, n)


def test_equal_rates_still_name_two_different_groups():
    found = gaps.largest_gap([5, 5, 5], [10, 10, 10])
    assert found.value == found.low == 0 < found.high
    assert found.pair[0] != found.pair[1]


def test_five_hundred_groups_take_less_than_half_a_second():
    n = rng().integers(20, 2000, 500)
    x = rng().binomial(n, 0.3)
    gaps.simultaneous_z.cache_clear()
    started = time.process_time()
    gaps.largest_gap(x, n)
    assert time.process_time() - started < 0.5


# Does it keep its word?


@pytest.mark.parametrize("k", [2, 3, 5, 10])
def test_equal_groups_rarely_seem_unequal(k):
    x = rng().binomial(100, 0.3, (3000, k))
    wrong = np.mean([gaps.largest_gap(row, [100] * k).low > 0 for row in x])
    assert wrong <= 0.065  # 0.05, and three standard errors of this simulation
    naive = intervals.newcombe(x.max(axis=1), 100, x.min(axis=1), 100).low > 0
    assert k == 2 or naive.mean() > 0.1


@pytest.mark.parametrize("k", [2, 3, 5, 10])
def test_a_gap_at_the_limit_rarely_passes_and_rarely_fails(k):
    source, n, limit = rng(), np.array([60] + [400] * (k - 1)), 0.1
    rates = np.full(k, 0.3)
    rates[0] += limit
    found = [gaps.largest_gap(x, n) for x in source.binomial(n, rates, (1500, k))]
    assert np.mean([f.high < limit for f in found]) <= 0.04
    assert np.mean([f.low > limit for f in found]) <= 0.05
    assert np.mean([f.low <= limit <= f.high for f in found]) >= 0.935


def test_with_rows_enough_good_passes_and_bad_fails():
    source, n = rng(), np.full(4, 3000)
    for worst, call in ((0.32, lambda f: f.high < 0.1), (0.5, lambda f: f.low > 0.1)):
        tables = source.binomial(n, [0.3, 0.3, 0.31, worst], (200, 4))
        assert np.mean([call(gaps.largest_gap(x, n)) for x in tables]) >= 0.95


# The smallest ratio


@settings(laws, max_examples=25)
@given_(groups)
def test_the_smallest_ratio_is_the_smallest_over_pairs(table):
    x, n = counts(table)
    x = np.maximum(x, [1] + [0] * (len(n) - 1))
    assert ends(gaps.smallest_ratio(x, n)) == pytest.approx(brute_ratio(x, n), abs=1e-9)


def test_the_smallest_ratio_names_its_groups_and_what_blocks():
    found = gaps.smallest_ratio([30, 60, 3], [100, 100, 6])
    assert found.value == pytest.approx(0.5)
    assert found.pair == (0, 1)
    assert found.low == pytest.approx(
        min(intervals.koopman(3, 6, 60, 100).low, intervals.koopman(30, 100, 60, 100).low)
    )
    assert found.blocking == (2, 1)


def test_a_group_that_never_succeeds_has_ratio_zero():
    found = gaps.smallest_ratio([0, 5], [10, 10])
    assert (found.value, found.low, found.pair) == (0, 0, (0, 1))
    assert 0 < found.high < 1


def test_no_success_anywhere_has_no_ratio():
    assert np.isnan(ends(gaps.smallest_ratio([0, 0, 0], [10, 20, 30]))).all()
    one_event = gaps.smallest_ratio([[0, 50], [0, 60]], [100, 100])
    assert one_event.low == 0
    assert one_event.value == pytest.approx(50 / 60)


def test_equal_groups_rarely_seem_to_have_a_ratio_below_one():
    x = rng().binomial(100, 0.3, (500, 4))
    assert np.mean([gaps.smallest_ratio(row, [100] * 4).high < 1 for row in x]) <= 0.08


# Rows needed


def given(need, groups):
    more = np.zeros(groups, int)
    for group, rows in need.more:
        more[group] = rows
    return more


def test_the_small_group_of_the_blocking_pair_grows_alone():
    x, n = [1500, 1550, 9], [5000, 5000, 30]
    need = gaps.groups_needed(x, n, 0.15)
    assert gaps.largest_gap(x, n).blocking == (2, 0)
    assert [group for group, _ in need.more] == [2]
    assert need.rows == need.more[0][1] > 30


def test_where_all_pairs_block_all_groups_grow_to_one_size():
    n = np.array([90, 100, 110, 120, 130])
    need = gaps.groups_needed(0.3 * n, n, 0.1)
    grown = n + given(need, 5)
    assert (grown > n).all()
    assert len(set(grown)) == 1
    assert list(need.more) == sorted(need.more, key=lambda pair: -pair[1])


def test_groups_that_no_pair_needs_do_not_grow():
    rates, n = np.array([0.1, 0.5, 0.3, 0.3, 0.3, 0.3]), np.full(6, 150)
    need = gaps.groups_needed(rates * n, n, 0.3)
    assert {group for group, _ in need.more} == {0, 1}


def test_a_greater_chance_and_a_nearer_gap_take_more_rows():
    x, n = [40, 48], [120, 120]
    need = [gaps.groups_needed(x, n, 0.1, chance=chance).rows for chance in (0.6, 0.8, 0.9)]
    assert need == sorted(need)
    assert need[0] < need[2]
    wide, narrow = (gaps.groups_needed(x, n, 0.1, margin=m).rows for m in (0.5, 0.1))
    assert wide < narrow


@pytest.mark.parametrize(("rates", "limit"), [((0.3, 0.3, 0.3, 0.32), 0.2), ((0.3, 0.7), 0.2)])
def test_the_rows_asked_for_settle_what_is_far_from_the_limit(rates, limit):
    source, n = rng(), np.full(len(rates), 30)
    done = []
    for x in source.binomial(n, rates, (60, len(n))):
        need = gaps.groups_needed(x, n, limit)
        if not need.rows:
            continue
        more = given(need, len(n))
        found = gaps.largest_gap(x + source.binomial(more, rates), n + more)
        done.append(found.high <= limit or found.low > limit)
    assert len(done) > 15
    assert np.mean(done) >= 0.8


@laws
@given_(groups, st.randoms(use_true_random=False))
def test_the_order_of_groups_changes_no_rows_needed(table, random):
    x, n = counts(table)
    order = list(range(len(n)))
    random.shuffle(order)
    here, there = gaps.groups_needed(x, n, 0.15), gaps.groups_needed(x[order], n[order], 0.15)
    assert (here is None) == (there is None)
    if here is not None:
        assert here.rows == there.rows


def test_rows_count_in_the_event_that_decides():
    x, n = np.array([[500, 30], [505, 40]]), np.array([[1000, 100], [1000, 120]])
    need = gaps.groups_needed(x, n, 0.1)
    assert (need.event, need.more[0][0]) == (1, 0)


def test_a_settled_gap_needs_no_rows_and_none_show_that_there_is_no_gap():
    assert gaps.groups_needed([50, 50], [100, 100], 0.9).more == ()
    assert gaps.groups_needed([90, 10], [100, 100], 0.1).more == ()
    assert gaps.groups_needed([[50, 90], [50, 10]], [100, 100], 0.1).rows == 0
    assert gaps.groups_needed([50, 51], [100, 100], 0.0) is None
    assert gaps.groups_needed([30, 20], [100, 100], 0.1).rows > 0  # on the limit, but by luck


def test_rows_of_500_groups_take_less_than_two_seconds():
    n = rng().integers(20, 2000, 500)
    x = rng().binomial(n, 0.3)
    started = time.process_time()
    assert gaps.groups_needed(x, n, 0.3).rows > 0
    assert time.process_time() - started < 4


@laws
@given_(groups, st.floats(0, 0.9))
def test_an_open_gap_needs_rows_of_groups_that_exist(table, limit):
    x, n = counts(table)
    found, need = gaps.largest_gap(x, n), gaps.groups_needed(x, n, limit)
    if need is not None:
        assert (need.rows > 0) == (found.low <= limit < found.high)
        assert all(0 <= group < len(n) and rows > 0 for group, rows in need.more)


# The smallest gap that would be seen


@pytest.mark.parametrize(
    ("n", "rate", "limit", "k"),
    [((500, 500), 0.3, 0.0, 2), ((80, 2000), 0.2, 0.0, 2), ((400, 300), 0.1, 0.1, 6)],
)
def test_the_detectable_gap_is_seen_in_four_of_five_worlds(n, rate, limit, k):
    gap = gaps.detectable_gap(n, rate, limit=limit, groups=k)
    x = rng().binomial(n, [rate + gap, rate], (4000, 2))
    low = apart(x[:, 0], n[0], x[:, 1], n[1], z=gaps.simultaneous_z(k)).low
    assert np.mean(low > limit) == pytest.approx(0.8, abs=0.05)


def test_a_gap_that_no_rate_reaches_is_not_detectable():
    assert np.isnan(gaps.detectable_gap((3, 3), 0.5))
    for n, rate in (((0, 5), 0.3), ((5, 5), 1.2)):
        with pytest.raises(ValueError, match=r"rows|rate"):
            gaps.detectable_gap(n, rate)
