from functools import lru_cache

import fairness_worlds as worlds
import numpy as np
import pytest

from trustcheck.stats import intervals

WORLDS = 4000 if worlds.FULL else 1000


@lru_cache(maxsize=1)
def outcomes():
    """Per cell: groups, true gap, then passes and fails at the limits, at the gap and at 0."""
    rows = []
    for cell in worlds.grid():
        found = worlds.simulate(cell, WORLDS)
        # The draws are exact, the true gap is a rounded float.
        at_gap = found.passes(cell.gap - 1e-9), found.fails(cell.gap + 1e-9)
        limits = [(found.passes(limit), found.fails(limit)) for limit in worlds.LIMITS]
        rows.append((len(cell.sizes), cell.gap, *np.ravel(limits), *at_gap, found.fails(0.0)))
    return np.array(rows)


def at_most(shares, ceiling):
    """Whether no share's Clopper-Pearson interval lies above; one in 20 grids would seem to."""
    level = 1 - 0.05 / len(shares)
    low = intervals.clopper_pearson(np.rint(shares * WORLDS), WORLDS, level=level).low
    return (low <= ceiling).all()


@pytest.mark.parametrize("column", range(len(worlds.LIMITS)))
def test_at_most_5_of_100_worlds_pass_or_fail_wrongly(column):
    found, limit = outcomes(), worlds.LIMITS[column]
    unfair = found[:, 1] > limit
    assert found[unfair, 2 + 2 * column].mean() <= 0.05
    assert found[~unfair, 3 + 2 * column].mean() <= 0.05


def test_even_with_the_limit_at_the_true_gap_at_most_5_of_100_worlds_are_judged_wrongly():
    found = outcomes()
    assert found[found[:, 1] > 0, 8].mean() <= 0.05
    assert found[:, 9].mean() <= 0.05


def test_equal_groups_fail_any_usual_limit_in_at_most_5_of_100_worlds_of_every_cell():
    equal = outcomes()[outcomes()[:, 1] == 0]
    assert at_most(np.ravel(equal[:, 3:8:2]), 0.05)


def test_equal_groups_fail_a_limit_of_zero_in_about_5_of_100_worlds():
    equal = outcomes()[outcomes()[:, 1] == 0]
    assert equal[:, 10].mean() <= 0.05
    assert at_most(equal[:, 10], 0.085)


@lru_cache(maxsize=2)
def strong(*, passing):
    """Where the rule's own power is 0.8: correct verdicts, and the share that is in reach.

    In reach of any rule that looks at pairs, rises with hits as it should, and passes at most 5 of
    100 gaps at the limit: it cannot pass a pair whose like, or better, that many would show.
    """
    rows = []
    for groups in (2, 3, 5, 10, 20) if worlds.FULL else (2, 5, 20):
        for base in (0.02, 0.05, 0.1, 0.2, 0.3, 0.5) if worlds.FULL else (0.02, 0.1, 0.3):
            for gap in (0.0, 0.02, 0.05, 0.1, 0.2, 0.3, 0.4) if worlds.FULL else (0.0, 0.05, 0.2):
                for limit in worlds.LIMITS:
                    if base + gap > 0.5 or (gap < limit) != passing or gap == limit:
                        continue
                    for rates in worlds.rate_shapes(groups, base, gap).values():
                        n = worlds.rows_for_power(rates, limit, passing=passing, draws=1000)
                        if n is not None:
                            cell = worlds.Cell((n,) * groups, tuple(map(float, rates)), "power")
                            found = worlds.simulate(cell, 1000)
                            call = found.passes if passing else found.fails
                            reach = worlds.in_reach(cell, limit, 1000) if passing else 1.0
                            rows.append((call(limit), reach, n * min(rates), groups))
    return np.array(rows)


def test_where_the_rule_has_power_08_it_fails_75_of_100_unfair_worlds():
    assert strong(passing=False)[:, 0].mean() >= 0.75


def test_where_the_rule_has_power_08_and_any_rule_can_it_passes_75_of_100_fair_worlds():
    passed, reach, _, _ = strong(passing=True).T
    assert passed[reach >= 0.75].mean() >= 0.75
    assert (reach < 0.75).mean() <= 0.2
    assert (passed[reach < 0.75] < 0.75).all()
