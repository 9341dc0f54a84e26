from functools import lru_cache

import fairness_rows
import fairness_worlds as worlds
import numpy as np

from trustcheck.stats import intervals


@lru_cache(maxsize=1)
def told():
    return fairness_rows.follow(fairness_rows.any_worlds(2), 1200 if worlds.FULL else 100)


def test_after_the_rows_asked_for_four_of_five_open_verdicts_are_settled():
    settled = np.array([verdict.resolved for verdict in told()])
    _, high = worlds.within(settled.sum(), len(settled))
    assert high >= 0.8


def test_the_median_of_rows_asked_for_is_at_most_twice_the_oracles():
    both = np.array([(verdict.rows, verdict.oracle) for verdict in told()])
    again = np.random.default_rng(0).integers(0, len(both), (1000, len(both)))
    rows, oracle = np.median(both[again], axis=1).T
    # A part of the worlds may lie above by chance, the whole may not.
    assert np.quantile(rows / oracle, 0.5 if worlds.FULL else 0.025) <= 2


def test_the_oracle_settles_what_it_wants_to():
    # At the level of one test in a thousand: a hundred worlds are few.
    settled = np.array([verdict.oracle_resolved for verdict in told()])
    _, low, high = intervals.clopper_pearson(settled.sum(), len(settled), level=0.999)
    assert low <= 0.8 <= high
