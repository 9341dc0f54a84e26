import numpy as np
import pytest

from trustcheck.stats.change_points import bins_of, change_point


def worth(codes, row):
    """What the split at a row is worth, written out."""
    x, n = np.asarray(codes), len(codes)
    k = x.max() + 1
    gap = np.bincount(x[:row], minlength=k) / row - np.bincount(x[row:], minlength=k) / (n - row)
    return np.abs(np.cumsum(gap)).max() * np.sqrt(row * (n - row))


def test_the_split_is_worth_nearly_that_of_trying_every_row():
    rng = np.random.default_rng(0)
    for _ in range(20):
        at = int(rng.integers(80, 220))
        codes = bins_of(np.r_[rng.normal(size=at), rng.normal(1.5, 1, 300 - at)])
        best = max(worth(codes, row) for row in range(20, 281))
        assert worth(codes, change_point(codes).row) >= 0.95 * best


@pytest.mark.parametrize("ordered", [True, False])
def test_a_change_is_found_where_it_is(ordered):
    rng = np.random.default_rng(1)
    off = []
    for _ in range(40):
        at = int(rng.integers(2_000, 18_000))
        x = np.r_[rng.normal(size=at), rng.normal(0.5, 1, 20_000 - at)]
        off.append(abs(change_point(bins_of(x), ordered=ordered).row - at))
    assert np.median(off) <= 40


def test_levels_without_order_and_too_few_rows():
    codes = np.r_[np.tile([0, 1, 2, 3], 50), np.tile([0, 2], 100)]
    assert abs(change_point(codes, ordered=False).row - 200) <= 2
    assert change_point(codes, ordered=False).size == pytest.approx(0.5, abs=0.02)
    with pytest.raises(ValueError, match="40 rows"):
        change_point([0, 1] * 10)
    assert bins_of([np.nan, np.nan]).tolist() == [0, 0]
