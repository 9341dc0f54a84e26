from functools import lru_cache

import fairness_rows
import fairness_worlds as worlds
import numpy as np


@lru_cache(maxsize=1)
def told():
    return fairness_rows.follow(fairness_rows.any_worlds(2), 1200 if worlds.FULL else 100)


def test_after_the_rows_asked_for_four_of_five_open_verdicts_are_settled():
    settled = np.array([verdict.resolved for verdict in told()])
    _, high = worlds.within(settled.sum(), len(settled))
    assert high >= 0.8


def test_the_median_of_rows_asked_for_is_at_most_twice_the_oracles():
    rows, oracle = (np.array([getattr(t, a) for t in told()]) for a in ("rows", "oracle"))
    assert np.median(rows) <= 2 * np.median(oracle)


def test_the_oracle_settles_what_it_wants_to():
    settled = np.array([verdict.oracle_resolved for verdict in told()])
    low, high = worlds.within(settled.sum(), len(settled))
    assert low <= 0.8 <= high or abs(settled.mean() - 0.8) < 0.02
