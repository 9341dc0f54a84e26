"""A year of daily looks: how often a monitor cries wolf, and how soon it sees one."""

import json
from functools import lru_cache

import numpy as np
import pytest
import years

from trustcheck.monitor import Monitor
from trustcheck.stats import intervals

BLOCKS = 40 if years.FULL else 2
REFERENCES = (200, 1000, 10_000) if years.FULL else (200, 1000)


@lru_cache(maxsize=1)
def null_years():
    return {
        n: np.concatenate([years.heights(n, 60, 1000 + seed) for seed in range(BLOCKS)])
        for n in REFERENCES
    }


def clearly_above(hit, share=years.ALPHA):
    """Whether so many alarms cannot come from a chance of at most this share."""
    return intervals.clopper_pearson(hit.sum(), hit.size, level=0.998).low > share


@pytest.mark.parametrize("columns", [1, 20, 200])
@pytest.mark.parametrize("reference", REFERENCES)
def test_at_most_one_in_twenty_years_without_change_raises_any_alarm(reference, columns):
    hit = years.alarmed(null_years()[reference], columns)
    assert not clearly_above(hit)
    if hit.size >= 200:
        assert hit.mean() <= years.ALPHA


def test_ranks_among_the_reference_alone_would_not_hold_the_promise():
    hit = years.alarmed(years.heights(200, 60, 0, frozen=True), 1)
    assert clearly_above(hit)
    assert hit.mean() > 0.5


@pytest.mark.parametrize("reference", REFERENCES)
def test_a_tenth_of_a_standard_deviation_is_found_within_ten_days(reference):
    found = years.delays(reference, 61, 0.1, 300 if years.FULL else 60, patience=40)
    assert np.median(found.days) <= 10
    assert np.isfinite(found.days).mean() >= 0.95
    assert np.nanmean(np.abs(found.dated) <= 3) >= 0.8


def test_intervals_of_the_effect_hold_it_at_the_alarm_and_after():
    found = years.delays(1000, 61, 0.1, 300 if years.FULL else 60, patience=40)
    for covered in (found.covered, found.covered_later):
        seen = covered[~np.isnan(covered)]
        assert intervals.clopper_pearson(seen.sum(), seen.size).high >= 0.95


class Memory:
    """A store for one process."""

    def __init__(self):
        self.kept = {}

    def load_state(self, name):
        return self.kept.get(name)

    def update_state(self, name, change):
        self.kept[name] = json.loads(json.dumps(change(self.load_state(name))))
        return self.kept[name]


def test_runs_that_are_doubled_and_restarted_change_nothing():
    days = years.DAYS if years.FULL else 60
    rng = np.random.default_rng(0)
    reference = years.table(rng, 200)[:, :5]
    rows = [years.table(rng, 40)[:, :5] + (day > days - 10) for day in range(days)]
    quiet, doubled = Memory(), Memory()
    monitor = Monitor(quiet, reference=reference)
    for day in range(days):
        look = monitor.update(rows[day], key=day)
        for again in (day, day, rng.integers(day + 1)):  # a new process each time
            said = Monitor(doubled, reference=reference).update(rows[again], key=again)
            assert said == (look if again == day else monitor.history()[again])
    assert quiet.kept == doubled.kept
    assert not look
