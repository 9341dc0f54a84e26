from itertools import combinations, product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trustcheck.stats.intervals import clopper_pearson, mover_difference, newcombe
from trustcheck.stats.slices import (
    Slice,
    confirm,
    detectable_excess,
    distinct,
    needed_ratio,
    score,
    score_bound,
    top_slices,
)


def table(rng, n, levels):
    """One-hot table of one feature per number of levels."""
    blocks = [rng.integers(0, size, n)[:, None] == np.arange(size) for size in levels]
    feature = np.repeat(np.arange(len(levels)), levels)
    return np.concatenate(blocks, axis=1), feature


def brute_force(member, feature, loss, *, min_size, alpha, depth):
    n, total, found = len(loss), loss.sum(), []
    for deep in range(1, depth + 1):
        for chosen in combinations(range(member.shape[1]), deep):
            if len({feature[column] for column in chosen}) < deep:
                continue
            mask = member[:, chosen].all(axis=1)
            if mask.sum() >= min_size:
                size, summed = int(mask.sum()), float(loss[mask].sum())
                value = float(score(size, summed, n, total, alpha=alpha))
                found.append(Slice(chosen, value, size, summed))
    return sorted(found, key=lambda s: (-s.score, len(s.predicates), s.predicates))


@pytest.mark.parametrize("seed", range(25))
@pytest.mark.parametrize("kind", ["errors", "amounts"])
def test_the_top_slices_are_those_of_brute_force(seed, kind):
    rng = np.random.default_rng(seed)
    member, feature = table(rng, 300, rng.integers(2, 5, 5))
    loss = (rng.random(300) < 0.1 + 0.4 * (member[:, 0] & member[:, -1])).astype(float)
    if kind == "amounts":
        loss *= rng.exponential(size=300)
    settings_ = {"min_size": 12, "alpha": float(rng.choice([0.6, 0.95, 1.0]))}
    depth, k = int(rng.integers(1, 4)), int(rng.integers(1, 15))
    found, evaluated = top_slices(member, feature, loss, k=k, depth=depth, **settings_)
    every = brute_force(member, feature, loss, depth=depth, **settings_)
    assert [one.predicates for one in found] == [one.predicates for one in every[:k]]
    assert [one.score for one in found] == pytest.approx([one.score for one in every[:k]])
    assert [one.size for one in found] == [one.size for one in every[:k]]
    # Counting overlaps of predicates that hold too few rows is waste, but never too much of it.
    sets = sum(
        int(np.prod([np.sum(feature == f) for f in chosen]))
        for deep in range(1, depth + 1)
        for chosen in combinations(range(5), deep)
    )
    assert evaluated <= sets


def test_pruning_leaves_most_candidates_uncounted_when_size_matters():
    rng = np.random.default_rng(0)
    member, feature = table(rng, 4000, [5] * 20)
    loss = (rng.random(4000) < 0.1 + 0.35 * (member[:, 0] & member[:, 5])).astype(float)
    found, evaluated = top_slices(member, feature, loss, k=4, min_size=40, alpha=0.6)
    assert len(found) == 4
    assert evaluated < 0.1 * (100 + 4750)


@settings(max_examples=150, deadline=None, derandomize=True)
@given(
    st.integers(0, 10_000),
    st.sampled_from([0.3, 0.6, 0.95, 1.0]),
    st.integers(1, 20),
)
def test_the_bound_is_never_below_the_score_of_a_slice_inside(seed, alpha, min_size):
    rng = np.random.default_rng(seed)
    n = 80
    member, _ = table(rng, n, [2, 3, 2])
    loss = rng.integers(0, 3, n) * rng.choice([1.0, 0.37])
    total = loss.sum()
    for one in product([0, 1], [2, 3, 4], [5, 6]):
        for outer in (one[:1], one[1:], one):
            parts = [member[:, column] for column in outer]
            inner = member[:, one].all(axis=1)
            if inner.sum() < min_size:
                continue
            bound = score_bound(
                min(part.sum() for part in parts),
                min(loss[part].sum() for part in parts),
                min(loss[part].max() for part in parts),
                n, total, min_size=min_size, alpha=alpha,
            )  # fmt: skip
            assert bound >= score(inner.sum(), loss[inner].sum(), n, total, alpha=alpha) - 1e-9


def test_the_bound_is_reached_by_the_best_slice_there_can_be():
    sizes = np.arange(20, 101)
    for peak, loss in ((1.0, 45.0), (1.0, 100.0), (1.0, 5.0), (0.5, 40.0)):
        for alpha in (0.2, 0.6, 0.95):
            scores = score(sizes, np.minimum(sizes * peak, loss), 1000, 120.0, alpha=alpha)
            bound = score_bound(100, loss, peak, 1000, 120.0, min_size=20, alpha=alpha)
            assert bound == pytest.approx(scores.max())


def test_without_any_loss_large_slices_rank_first_and_nothing_breaks():
    member, feature = table(np.random.default_rng(0), 200, [2, 4])
    found, _ = top_slices(member, feature, np.zeros(200), k=3, min_size=5)
    assert len(found) == 3
    assert [one.size for one in found] == sorted((one.size for one in found), reverse=True)
    assert all(one.score < 0 for one in found)


def test_a_table_without_predicates_has_no_slices():
    assert top_slices(np.zeros((5, 0), bool), [], np.ones(5), k=2, min_size=1) == ([], 0)


def test_slices_that_hold_nearly_the_same_rows_are_reported_once():
    rng = np.random.default_rng(0)
    first = rng.random(1000) < 0.3
    twin, other = first ^ (rng.random(1000) < 0.01), rng.random(1000) < 0.3
    member = np.column_stack([first, twin, other])
    found = [Slice((column,), 3.0 - column, 300, 1.0) for column in range(3)]
    assert [one.predicates for one in distinct(found, member, k=3)] == [(0,), (2,)]
    assert len(distinct(found, member, k=1)) == 1


def test_confirmation_puts_the_value_between_its_ends_and_agrees_with_newcombe():
    rng = np.random.default_rng(0)
    for _ in range(200):
        sizes = rng.integers(5, 200, 4)
        errors = rng.binomial(sizes, rng.random(4))
        total = 500
        total_errors = int(errors.max() + rng.integers(0, 100))
        got = confirm(errors, sizes, total_errors, total)
        assert 0 <= got.low <= got.value <= got.high
        own = newcombe(errors, sizes, total_errors - errors, total - sizes)
        assert got.excess.value == pytest.approx(own.value)
        assert got.high == pytest.approx(max(own.high.max(), 0))
        exact = [
            mover_difference(
                clopper_pearson(x, m, level=0.9875), clopper_pearson(y, w, level=0.9875)
            )
            for x, m, y, w in zip(errors, sizes, total_errors - errors, total - sizes, strict=True)
        ]
        assert got.excess.low == pytest.approx([one.low for one in exact])
        if not got.confirmed.any():
            assert got.value == got.low == 0


@pytest.mark.parametrize(("size", "error"), [(16, 0.05), (16, 0.2), (100, 0.05), (100, 0.2)])
def test_lower_bounds_of_all_slices_hold_together(size, error):
    rng = np.random.default_rng(1)
    wrong, worlds, k = 0, 600, 10
    for _ in range(worlds):
        errors = rng.binomial(size, error, k)
        rest = rng.binomial(1000, error)
        wrong += confirm(errors, np.full(k, size), errors.sum() + rest, 1000 + k * size).low > 0
    assert wrong / worlds <= 0.025  # one-sided


def test_needed_ratio_is_where_the_score_turns_positive():
    for share in (0.05, 0.3, 0.9):
        ratio = needed_ratio(share, alpha=0.8)
        assert score(share * 1000, ratio * share * 100, 1000, 100, alpha=0.8) == pytest.approx(0)


def test_detectable_excess_is_confirmed_four_times_in_five():
    rng = np.random.default_rng(2)
    excess = detectable_excess(0.05, 0.1, 2000, 10)
    hits = 0
    for _ in range(1000):
        inside, rest = rng.binomial(100, 0.1 + excess), rng.binomial(1900, 0.1)
        errors = np.r_[inside, np.full(9, 10)]
        hits += confirm(errors, np.full(10, 100), inside + rest, 2000).confirmed[0]
    assert 0.7 < hits / 1000 < 0.9
    assert detectable_excess(0.05, 0.9, 40, 10) == float("inf")
