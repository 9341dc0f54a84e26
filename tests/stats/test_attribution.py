import itertools
import math

import numpy as np
import pytest

from trustcheck.stats import attribution


def exact_shapley(value, d):
    """Shapley values by their definition; value(mask of features kept)."""
    phi = np.zeros(d)
    for j in range(d):
        others = [k for k in range(d) if k != j]
        for size in range(d):
            weight = math.factorial(size) * math.factorial(d - size - 1) / math.factorial(d)
            for kept in itertools.combinations(others, size):
                mask = np.isin(np.arange(d), kept)
                with_j = mask.copy()
                with_j[j] = True
                phi[j] += weight * (value(with_j) - value(mask))
    return phi


def test_places_invert_orders():
    orders = np.array(list(itertools.permutations(range(4))))
    place = attribution.places(orders)
    assert (np.take_along_axis(place, orders, axis=1) == np.arange(4)).all()


def test_the_largest_attribution_goes_first_and_ties_are_broken_by_the_draw():
    phi = np.array([[0.2, 0.9, 0.2, -1.0]])
    assert attribution.falling_places(phi, [[0.1, 0.0, 0.7, 0.0]]).tolist() == [[1, 0, 2, 3]]
    assert attribution.falling_places(phi, [[0.7, 0.0, 0.1, 0.0]]).tolist() == [[2, 0, 1, 3]]


@pytest.mark.parametrize("d", [2, 3, 7, 10, 11, 25, 100, 999])
@pytest.mark.parametrize("steps", [2, 5, 10])
def test_cuts_rise_strictly_between_none_and_all(d, steps):
    cuts = attribution.cuts(d, steps)
    assert len(cuts) == min(d, steps) - 1
    assert (np.diff(np.r_[0, cuts, d]) > 0).all()


def test_the_mean_over_all_walks_is_the_shapley_value():
    d = 5
    game = np.random.default_rng(0).normal(size=2**d)

    def value(kept):
        return game[int(kept @ (1 << np.arange(d)))]

    place = attribution.places(list(itertools.permutations(range(d))))
    kept = place[:, None, :] >= np.arange(d + 1)[:, None]  # after k steps
    outputs = np.apply_along_axis(value, 2, kept)
    got = attribution.walk_contributions(place, outputs)
    np.testing.assert_allclose(got.mean(axis=0), exact_shapley(value, d), atol=1e-12)
    np.testing.assert_allclose(got.sum(axis=1), outputs[:, 0] - outputs[:, -1], atol=1e-12)


def test_the_gain_is_the_deletion_formula_with_areas_measured_from_the_floor():
    rng = np.random.default_rng(1)
    start = rng.uniform(0.5, 1, 50)
    deletion, random = start[:, None] - rng.uniform(0, 0.5, (2, 50, 9))
    floor = np.minimum(deletion, random).min(axis=1)
    auc_del, auc_rand = ((c - floor[:, None]).mean() for c in (deletion, random))
    got = attribution.deletion_gain(
        start - deletion.mean(axis=1), start - random.mean(axis=1), start - floor
    )
    assert got.value == pytest.approx((auc_rand - auc_del) / auc_rand)


def test_the_gain_is_one_where_the_first_step_does_it_all_and_never_more():
    best = np.array([1.0, 2.0, 0.5, 0.0])
    got = attribution.deletion_gain(best, best / 2, best)
    assert tuple(got) == pytest.approx((1.0, 1.0, 1.0))
    near = attribution.deletion_gain([1.0, 1.9, 0.1], [0.2, 1.0, 0.0], [1.0, 2.0, 0.5])
    assert near.low < near.value < near.high <= 1.0


def test_the_gain_of_an_order_like_the_control_has_an_interval_that_covers_zero():
    rng, missed = np.random.default_rng(2), 0
    for _ in range(400):
        scale = rng.lognormal(0, 1, 60)
        explained, random = scale * rng.uniform(0, 1, (2, 60))
        got = attribution.deletion_gain(explained, random, 1.2 * scale)
        missed += not got.low <= 0 <= got.high
    assert missed <= 35  # 5 % of 400 is 20


def test_weights_count_rows_and_clusters_widen():
    rng = np.random.default_rng(3)
    e, r = rng.uniform(0.3, 0.6, 40), rng.uniform(0.1, 0.3, 40)
    one = attribution.deletion_gain(e, r, np.full(40, 0.8), weights=np.r_[np.full(20, 2), [1] * 20])
    both = [np.r_[a[:20], a] for a in (e, r, np.full(40, 0.8))]
    assert one.value == pytest.approx(attribution.deletion_gain(*both).value)
    copied = [np.repeat(a, 5) for a in (e, r, np.full(40, 0.8))]
    wide = attribution.deletion_gain(*copied, clusters=np.repeat(np.arange(40), 5))
    narrow = attribution.deletion_gain(*copied)
    assert wide.high - wide.low > 1.5 * (narrow.high - narrow.low)


def test_where_no_order_can_be_told_from_another_there_is_no_gain():
    with pytest.raises(ValueError, match="denominator"):
        attribution.deletion_gain([0.1, 0.2], [0.1, 0.2], [0.1, 0.2])
