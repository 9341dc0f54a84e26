import numpy as np
import pytest

from trustcheck.stats.intervals import ratio_of_means
from trustcheck.stats.paired import share_ratio, share_removed


def test_the_interval_is_that_of_another_implementation():
    # R, statpsych 1.x: ci.ratio.prop.ps(.05, 12, 4, 26, 6)
    assert share_ratio(6, 26, 4) == pytest.approx((3.2, 1.766544, 5.796628), abs=1e-6)


def test_with_many_rows_it_is_the_delta_method():
    both, first, second = 9_000, 3_000, 15_000
    rows = np.repeat([[1, 1], [1, 0], [0, 1], [0, 0]], [both, first, second, 73_000], axis=0)
    assert share_ratio(both, first, second) == pytest.approx(
        ratio_of_means(rows[:, 0], rows[:, 1]), abs=1e-4
    )


def test_it_has_width_where_no_row_shows_the_first_outcome():
    value, low, high = share_ratio(0, 0, 50)
    assert (value, low) == (0, 0)
    assert 0.03 < high < 0.10  # the rule of three gives 0.06


def test_swapping_the_outcomes_gives_the_reciprocal():
    one, other = share_ratio(7, 3, 12), share_ratio(7, 12, 3)
    assert (1 / other.value, 1 / other.high, 1 / other.low) == pytest.approx(tuple(one))


def test_removed_is_one_minus_the_ratio():
    ratio, removed = share_ratio(5, 2, 35), share_removed(5, 2, 35)
    assert tuple(removed) == pytest.approx((1 - ratio.value, 1 - ratio.high, 1 - ratio.low))
    assert share_removed(40, 0, 0).value == 0
    assert share_removed(0, 0, 40).value == 1


@pytest.mark.parametrize(("rate", "ratio"), [(0.1, 0.1), (0.1, 1.0), (0.03, 0.3)])
def test_it_covers_the_truth_in_95_of_100_samples(rate, ratio):
    rng = np.random.default_rng(0)
    first = rate * ratio
    both = 0.5 * first
    cells = [both, first - both, rate - both, 1 - first - rate + both]
    draws = rng.multinomial(300, cells, size=2_000)[:, :3]
    ends = [share_ratio(*cells) for cells in draws.tolist() if cells[0] + cells[2]]
    covered = np.mean([low <= ratio <= high for _, low, high in ends])
    assert 0.935 <= covered <= 0.985


@pytest.mark.parametrize("cells", [(0, 3, 0), (-1, 3, 4)])
def test_what_has_no_answer_is_refused(cells):
    with pytest.raises(ValueError, match=r"undefined|negative"):
        share_ratio(*cells)
