import itertools
import json

import numpy as np
import pytest
from scipy import special, stats

from trustcheck.stats import _bets
from trustcheck.stats import sequential as s


def slow_ranks(mass, bins, chance):
    """Rank rows one by one: balls in lower bins, and a random part of those in the own bin."""
    urn, ranks = mass.copy(), np.empty(bins.shape)
    for i, row in enumerate(bins):
        for j, b in enumerate(row):
            ranks[i, j] = (urn[j, :b].sum() + chance[i, j] * urn[j, b]) / urn[j].sum()
        for j, b in enumerate(row):
            urn[j, b] += 1
    return ranks, urn


def slow_bets(ranks):
    """Log-factors of one column, bet by bet, as the docstring states them."""
    x = ranks - 0.5
    smooth = [
        np.log1p(sign * size * values).sum()
        for values in (x, 4 * (x**2 - 1 / 12))
        for size in _bets.SIZES
        for sign in (1, -1)
    ]
    cells = []
    for edges, into, out_of, _ in _bets.CELLS:
        for low, high in itertools.pairwise(edges):
            inside, w = (ranks >= low) & (ranks < high), high - low
            pairs = [(1 - c + c / w, 1 - c) for c in into]
            pairs += [(1 - c, 1 + c * w / (1 - w)) for c in out_of]
            cells += [np.log(np.where(inside, *pair)).sum() for pair in pairs]
    return np.array(smooth + cells)


def first_ranks(draw, n, looks, worlds=3000):
    """Ranks of the first rows after a reference of n, one column per world."""
    rng = np.random.default_rng(n)
    state = s.start(draw(rng, (n, worlds)))
    left, right = s._place(state.cuts, s._clean(draw(rng, (looks, worlds)))[0])
    bins = s._break_ties(state, left, right, rng.random(left.shape))
    return s._ranks(state.mass, bins, rng.random(bins.shape))[0]


DRAWS = {
    "numbers": lambda rng, size: rng.normal(size=size),
    "binary": lambda rng, size: (rng.random(size) < 0.3).astype(float),
    "levels": lambda rng, size: rng.integers(0, 40, size) / 40,
    "mostly zero, gaps": lambda rng, size: np.where(
        rng.random(size) < 0.2, np.nan, np.maximum(rng.normal(size=size) - 0.5, 0).round(1)
    ),
    "constant": lambda rng, size: np.ones(size),
    "infinite": lambda rng, size: np.where(rng.random(size) < 0.3, -np.inf, rng.normal(size=size)),
}


@pytest.mark.parametrize("draw", DRAWS.values(), ids=DRAWS)
@pytest.mark.parametrize("n", [20, 57, 200])
def test_ranks_are_uniform_and_independent_whatever_the_values_and_however_few(draw, n):
    ranks = first_ranks(draw, n, 3)
    for row in ranks:
        assert stats.kstest(row, "uniform").pvalue > 1e-4
    # Pairs of ranks are uniform on the square: counts in 36 cells of equal probability.
    for a, b in ((0, 1), (1, 2), (0, 2)):
        cells = np.bincount((ranks[a] * 6).astype(int) * 6 + (ranks[b] * 6).astype(int))
        assert stats.chisquare(cells).pvalue > 1e-4


def test_cuts_taken_for_fixed_in_advance_would_not_give_uniform_ranks():
    """Why the urn begins with gaps: counting the rows of each bin, plus one, is not the same."""
    rng = np.random.default_rng(1)
    reference, new = rng.normal(size=(20, 20_000)), rng.normal(size=(1, 20_000))
    state = s.start(reference)
    bins = s._place(state.cuts, new)[0]
    mass = np.full((20_000, 2), 10) + 0.0
    own = np.take_along_axis(mass, bins.T.astype(int), 1)[:, 0] + 1
    lower = np.where(bins[0] == 1, 10, 0)
    naive = (lower + rng.random(20_000) * own) / 21
    assert stats.kstest(naive, "uniform").pvalue < 1e-4


def test_ranks_equal_those_counted_one_by_one():
    rng = np.random.default_rng(2)
    mass, bins = rng.integers(1, 30, (3, 7)), rng.integers(0, 7, (75, 3)).astype(np.int16)
    mass[:] = mass[0]
    chance = rng.random(bins.shape)
    ranks, urn = s._ranks(mass, bins, chance)
    slow, slow_urn = slow_ranks(mass, bins, chance)
    np.testing.assert_allclose(ranks, slow, rtol=0, atol=1e-12)
    np.testing.assert_array_equal(urn, slow_urn)


def test_bets_equal_their_formula():
    ranks = np.random.default_rng(3).random((700, 2))
    np.testing.assert_allclose(
        _bets.won(ranks).T, np.c_[slow_bets(ranks[:, 0]), slow_bets(ranks[:, 1])]
    )


def test_every_bet_has_mean_one_under_uniform_ranks():
    grid = (np.arange(512 * 40) + 0.5) / (512 * 40)
    np.testing.assert_allclose(np.exp(_bets.won(grid[None])).mean(axis=0), 1, atol=1e-7)
    assert np.exp(_bets.log_weights()).sum() == pytest.approx(1)


def test_the_detector_adds_up_all_starting_looks():
    """Shiryaev-Roberts: the sum, over looks to start at, of the product of e-values since."""
    rng = np.random.default_rng(4)
    state = s.start(rng.normal(size=(100, 2)))
    won = []
    for _ in range(6):
        later = s.step(state, rng.normal(size=(30, 2)))
        won.append(later.evidence - np.logaddexp(state.evidence.astype(float), 0))
        state = later
    since = np.cumsum(np.array(won)[::-1], axis=0)
    near = {"rtol": 0, "atol": 1e-5}  # kept in single precision
    np.testing.assert_allclose(state.evidence, special.logsumexp(since, axis=0), **near)
    np.testing.assert_allclose(
        np.exp(s.evidence(state)), np.exp(state.evidence) @ np.exp(_bets.log_weights())
    )
    np.testing.assert_allclose(state.gain, since.max(axis=0), **near)
    np.testing.assert_array_equal(state.since, 6 - since.argmax(axis=0))


def test_threshold():
    assert np.exp(s.threshold(365, 20, 0.05)) == pytest.approx(365 * 20 / 0.05)


def same(a, b):
    return json.dumps(s.pack(a)) == json.dumps(s.pack(b))


def test_a_step_depends_on_state_and_rows_alone_not_on_their_order():
    rng = np.random.default_rng(5)
    reference, batch = (np.round(rng.normal(size=(n, 3)), 1) for n in (150, 80))
    state = s.start(reference)
    before = json.dumps(s.pack(state))
    once = s.step(state, batch)
    assert same(once, s.step(s.start(rng.permutation(reference)), rng.permutation(batch)))
    assert json.dumps(s.pack(state)) == before
    assert not same(once, s.step(s.start(reference, seed=(1,)), batch))


def test_a_packed_state_goes_on_as_if_it_had_never_been_away():
    rng = np.random.default_rng(6)
    state = s.start(np.where(rng.random((150, 4)) < 0.1, np.nan, rng.normal(size=(150, 4))))
    away = state
    for _ in range(5):
        batch = rng.normal(size=(40, 4))
        state, away = (
            s.step(state, batch),
            s.step(s.unpack(json.loads(json.dumps(s.pack(away)))), batch),
        )
    assert same(state, away)
    with pytest.raises(ValueError, match="version 2"):
        s.unpack(s.pack(state) | {"version": 2})


def test_restarting_forgets_every_look_and_keeps_the_reference():
    rng = np.random.default_rng(7)
    begun = s.start(rng.normal(size=(150, 2)), seed=(3,))
    state = s.step(begun, rng.normal(size=(40, 2)))
    assert same(s.restart(state, seed=(3,)), begun)


def test_no_value_of_most_rows_is_kept():
    values = np.random.default_rng(8).normal(size=(2000, 1))
    state = s.step(s.start(values), values)
    kept = {float(v) for name in ("cuts", "evidence", "gain") for v in getattr(state, name).ravel()}
    assert (
        len(kept & set(values.ravel().tolist())) == 101
    )  # 99 percentiles, and the tenth from either end


def test_a_year_of_looks_takes_few_periods_that_cover_it():
    rng = np.random.default_rng(9)
    state = s.start(rng.normal(size=(100, 1)))
    for _ in range(365):
        state = s.step(state, rng.normal(size=(3, 1)))
    assert len(state.spans) <= 17
    assert state.spans[0, 0] == 1
    assert state.spans[-1, 1] == 365
    np.testing.assert_array_equal(state.spans[1:, 0], state.spans[:-1, 1] + 1)
    assert state.recent.sum() == 3 * 365 == state.rows
    for since in (1, 200, 300, 360, 365):
        before, now, first = s.window(state, 0, since)
        assert before.sum() == 100
        assert now.sum() == 3 * (366 - first)
        assert since <= first <= max(since, 365 - (365 - since) // 2)


def test_slots_tell_atoms_gaps_and_missing_apart():
    values = np.repeat([0.0, 1.0, np.nan], [50, 30, 20])[:, None]
    state = s.start(values)
    where, own = s.slots(state, 0, [0.0, 0.5, 1.0, 2.0])
    assert own.tolist() == [True, False, True, False]
    assert (np.diff(where) > 0).all()
    state = s.step(state, np.array([[0.5], [0.0], [np.nan], [np.nan]]))
    before, now, _ = s.window(state, 0, 1)
    assert before[where].tolist() == [50, 0, 30, 0]
    assert now[where].tolist() == [1, 1, 0, 0]
    assert (before[-1], now[-1]) == (20, 2)


CHANGES = {
    "shift of a number": (DRAWS["numbers"], lambda rng, size: rng.normal(0.3, 1, size)),
    "spread of a number": (DRAWS["numbers"], lambda rng, size: rng.normal(0, 1.25, size)),
    "share of a level": (DRAWS["binary"], lambda rng, size: (rng.random(size) < 0.4) + 0.0),
    "a new level": (
        DRAWS["levels"],
        lambda rng, size: np.where(rng.random(size) < 0.1, 0.501, rng.integers(0, 40, size) / 40),
    ),
    "a level that disappears": (
        lambda rng, size: rng.integers(0, 10, size) / 10,
        lambda rng, size: rng.choice([0, 1, 2, 3, 4, 6, 7, 8, 9], size) / 10,
    ),
    "values go missing": (
        DRAWS["numbers"],
        lambda rng, size: np.where(rng.random(size) < 0.1, np.nan, rng.normal(size=size)),
    ),
    "a constant varies": (DRAWS["constant"], lambda rng, size: 1.0 + (rng.random(size) < 0.1)),
    "a column becomes constant": (DRAWS["numbers"], lambda rng, size: np.zeros(size)),
}


@pytest.mark.parametrize(("before", "after"), CHANGES.values(), ids=CHANGES)
def test_changes_of_every_kind_are_found_soon_and_dated(before, after):
    worlds, at = 40, 15
    rng = np.random.default_rng(10)
    state = s.start(before(rng, (500, worlds)))
    limit = s.threshold(365, 1, 0.05)
    found, dated = np.zeros(worlds), np.zeros(worlds)
    for look in range(1, at + 13):
        state = s.step(state, (after if look >= at else before)(rng, (200, worlds)))
        new = (s.evidence(state) >= limit) & (found == 0)
        found[new], dated[new] = look, s.change_points(state)[new]
    assert (found >= at).mean() >= 0.95
    assert np.median(found) <= at + 7
    assert np.median(np.abs(dated - at)) <= 1


def test_what_cannot_be_used_is_refused():
    with pytest.raises(ValueError, match="at least 20 rows, this one has 19"):
        s.start(np.ones((19, 1)))
    state = s.start(np.ones((20, 2)))
    with pytest.raises(ValueError, match=r"2 column\(s\), this one has shape \(5, 3\)"):
        s.step(state, np.ones((5, 3)))
    with pytest.raises(ValueError, match=r"shape \(0, 2\)"):
        s.step(state, np.ones((0, 2)))
