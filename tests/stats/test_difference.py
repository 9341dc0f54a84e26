"""Differences of two estimates from the same rows."""

import numpy as np
import pytest

from trustcheck.stats import difference, gaps, intervals, skill
from trustcheck.stats.intervals import Interval, z_value


def mean_interval(values):
    half = z_value(0.95) * values.std() / np.sqrt(len(values))
    return Interval(values.mean(), values.mean() - half, values.mean() + half)


def test_paired_means_are_the_mean_of_the_differences():
    rng = np.random.default_rng(0)
    first = rng.normal(size=4000)
    second = first + rng.normal(0.1, 0.5, 4000)
    closed = mean_interval(second - first)
    got = difference.paired(
        mean_interval(first),
        mean_interval(second),
        first - first.mean(),
        3 * (second - second.mean()),
    )  # only the proportions of an influence matter
    assert got.value == pytest.approx(closed.value)
    assert got.high - got.low == pytest.approx(closed.high - closed.low, rel=0.03)


def test_weights_are_repeated_rows_and_clusters_are_single_ones():
    rng = np.random.default_rng(1)
    a, b, times = rng.normal(size=200), rng.normal(size=200), rng.integers(1, 4, 200)
    ends = Interval(0.0, -0.1, 0.1), Interval(0.1, 0.0, 0.2)
    weighted = difference.paired(*ends, a, b, weights=times.astype(float))
    repeated = difference.paired(*ends, np.repeat(a, times), np.repeat(b, times))
    assert tuple(weighted) == pytest.approx(tuple(repeated), abs=5e-3)  # but for the row added
    rows = np.repeat(np.arange(200), times)
    clustered = difference.paired(*ends, np.repeat(a, times), np.repeat(b, times), clusters=rows)
    single = difference.paired(*ends, a * times, b * times)
    assert tuple(clustered) == pytest.approx(tuple(single))


def test_equal_answers_still_leave_room():
    a = np.tile([-1.0, 1.0], 100)
    ends = Interval(0.5, 0.4, 0.6)
    same = difference.paired(ends, ends, a, a)
    assert same.value == 0
    assert 0.005 < same.high < 0.02  # about one row in 200, twice over
    none = difference.paired(ends, ends, np.zeros(200), np.zeros(200))
    assert none.high == pytest.approx(np.hypot(0.1, 0.1))


def test_ends_to_opposite_ends_hold_for_any_correlation():
    rng = np.random.default_rng(2)
    z = z_value(0.95)
    for rho in (-1.0, -0.5, 0.0, 0.9):
        noise = rng.multivariate_normal([0, 0], [[1, rho], [rho, 1]], 4000)
        held = [
            d.low <= 1 <= d.high
            for a, b in noise
            for d in [
                difference.dependent(
                    Interval(a, a - z, a + z), Interval(1 + b, 1 + b - z, 1 + b + z)
                )
            ]
        ]
        assert np.mean(held) > 0.94


def shares(codes, hit, k):
    return np.bincount(codes, hit, k)[:, None], np.bincount(codes, minlength=k)[:, None].astype(
        float
    )


def gap(codes, hit, k):
    got = gaps.largest_gap(*shares(codes, hit, k))
    influence = np.zeros(len(codes))
    for group, sign in zip(got.pair, (1, -1), strict=True):
        inside = codes == group
        influence[inside] = sign * (hit[inside] - hit[inside].mean()) / inside.mean()
    return Interval(got.value, got.low, got.high), influence


def balanced(codes, hit):
    hits, sizes = np.bincount(codes, hit), np.bincount(codes)
    got = skill.balanced_skill(hits.astype(float), sizes.astype(float))
    return got, (hit - (hits / sizes)[codes]) / (sizes / len(codes))[codes]


def covered(draw, truth, times=300):
    return np.mean([d.low <= truth <= d.high for d in (draw() for _ in range(times))])


@pytest.mark.parametrize("rates", [(0.3, 0.3), (0.3, 0.5), (0.3, 0.3, 0.3), (0.2, 0.4, 0.6)])
@pytest.mark.parametrize("flip", [0.02, 0.2])
def test_the_difference_of_two_largest_gaps_is_covered(rates, flip):
    rng, rates = np.random.default_rng(3), np.array(rates)
    codes = np.repeat(np.arange(len(rates)), 150)
    changed = rates * (1 - flip) + (1 - rates) * flip

    def draw():
        first = rng.random(len(codes)) < rates[codes]
        second = first ^ (rng.random(len(codes)) < flip)
        (a, fa), (b, fb) = (gap(codes, hit.astype(float), len(rates)) for hit in (first, second))
        return difference.paired(a, b, fa, fb)

    assert covered(draw, np.ptp(changed) - np.ptp(rates)) >= 0.93


@pytest.mark.parametrize(
    ("n", "wrong", "flip"), [(60, 0.2, 0.05), (200, 0.2, 0.1), (300, 0.02, 0.02)]
)
def test_the_difference_of_two_skills_is_covered_and_paired_is_the_narrower(n, wrong, flip):
    rng, codes, widths = np.random.default_rng(4), np.arange(n) % 2, []

    def draw():
        first = rng.random(n) >= wrong
        second = first ^ (rng.random(n) < flip)
        (a, fa), (b, fb) = (balanced(codes, hit.astype(float)) for hit in (first, second))
        found, apart = difference.paired(a, b, fa, fb), intervals.mover_difference(b, a)
        widths.append([found.high - found.low, apart.high - apart.low])
        return found

    assert covered(draw, -2 * flip * (1 - 2 * wrong)) >= 0.93  # skill is 2 x accuracy - 1
    paired, apart = np.mean(widths, axis=0)
    assert paired < apart
