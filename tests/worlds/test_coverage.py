from functools import lru_cache

import fairness_worlds as worlds
import numpy as np

from trustcheck.stats import gaps, intervals

WORLDS = 4000 if worlds.FULL else 1000


@lru_cache(maxsize=1)
def outcomes():
    """Per cell: groups, coverage of the largest gap, of its pairs on average, of its worst pair."""
    rows = []
    for cell in worlds.grid():
        found = worlds.simulate(cell, WORLDS)
        rows.append((len(cell.sizes), found.covered, found.pairs.mean(), found.pairs.min()))
    return np.array(rows)


def at_least(shares, floor):
    """Whether no share's Clopper-Pearson interval lies below the floor."""
    _, high = worlds.within(np.rint(shares * WORLDS), WORLDS)
    return (high >= floor).all()


def test_bounds_of_many_worlds_are_those_of_the_library():
    for cell in list(worlds.grid(full=False))[::17]:
        x, n = cell.draw(5), np.array(cell.sizes, float)
        found = [gaps.largest_gap(row, n) for row in x]
        low, high = worlds.ends(x, n)
        np.testing.assert_allclose(low, [f.low for f in found], rtol=0, atol=1e-12)
        np.testing.assert_allclose(high, [f.high for f in found], rtol=0, atol=1e-12)
        above = worlds.uppers(x, n, intervals.z_value())[:, 0, 1]
        both = (intervals.mid_p(x[:, g], n[g]) for g in (0, 1))
        pair = intervals.mover_difference(*both)
        np.testing.assert_allclose(above, pair.high, rtol=0, atol=1e-12)


def test_intervals_of_the_largest_gap_cover_it_in_95_of_100_worlds():
    assert outcomes()[:, 1].mean() >= 0.95


def test_intervals_of_pairs_cover_them_in_95_of_100_worlds():
    assert outcomes()[:, 2].mean() >= 0.95


def test_no_cell_covers_its_largest_gap_in_clearly_less_than_915_of_1000_worlds():
    assert at_least(outcomes()[:, 1], 0.915)


def test_no_cell_covers_its_pairs_in_clearly_less_than_915_of_1000_worlds():
    assert at_least(outcomes()[:, 2], 0.915)


def test_no_single_pair_is_covered_in_clearly_less_than_915_of_1000_worlds():
    assert at_least(outcomes()[:, 3], 0.915)
