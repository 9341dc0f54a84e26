import numpy as np
import pytest
from scipy import stats

from trustcheck.stats.removal import costs, share_unneeded


def test_with_many_rows_the_interval_is_bonferroni_s_student_interval():
    rng = np.random.default_rng(0)
    table = rng.normal([0.0, 0.1, 0.3], 0.5, (20_000, 3))
    got = costs(table)
    half = (
        stats.t.ppf(1 - 0.025 / 3, len(table) - 1) * table.std(axis=0, ddof=1) / len(table) ** 0.5
    )
    assert got.value == pytest.approx(table.mean(axis=0))
    assert got.high - got.value == pytest.approx(half, rel=0.01)
    assert got.value - got.low == pytest.approx(half, rel=0.01)


def test_all_features_are_covered_together():
    rng = np.random.default_rng(1)
    true = np.array([0.0, 0.02, 0.1, 0.5])
    kept = 0
    for _ in range(1000):
        # Skew, as paired losses are: most rows hardly change, a few change much.
        table = true * rng.exponential(1, (100, 4)) + 0.05 * rng.normal(size=(100, 4)) * (true > 0)
        got = costs(table)
        kept += bool(((got.low <= true) & (true <= got.high)).all())
    assert kept >= 920


def test_weights_and_clusters_count_as_copies_and_as_one():
    rng = np.random.default_rng(2)
    table = rng.normal(size=(60, 2))
    doubled = costs(np.repeat(table, 2, axis=0), clusters=np.repeat(np.arange(60), 2))
    plain = costs(table)
    assert doubled.value == pytest.approx(plain.value)
    assert doubled.high == pytest.approx(plain.high, abs=0.03)
    weighted = costs(table, weights=np.r_[np.ones(30), np.zeros(30)])
    assert weighted.value == pytest.approx(table[:30].mean(axis=0))


def test_an_extreme_seen_once_widens_the_interval_and_no_movement_has_none():
    table = np.zeros((50, 2))
    table[0, 1] = 1.0
    got = costs(table)
    assert (got.value[0], got.low[0], got.high[0]) == (0.0, 0.0, 0.0)
    assert got.high[1] > 0.07


def test_the_share_counts_certain_seeming_and_possible_features():
    got = share_unneeded([0.0, 0.0, 0.02], [0.0, -0.1, 0.005], [0.005, 0.1, 0.1], delta=0.01)
    assert got == (2 / 3, 1 / 3, 1.0)
