import numpy as np
import pytest
from scipy import stats

from trustcheck.stats.mcnemar import difference


@pytest.mark.parametrize("shares", [(0.3, 0.1), (0.05, 0.05), (0.6, 0.4), (0.1, 0.0), (0.45, 0.45)])
def test_the_interval_covers_the_true_difference(shares):
    p, q = shares
    n = 40
    i, j = np.meshgrid(np.arange(n + 1), np.arange(n + 1), indexing="ij")
    weight = np.zeros((n + 1, n + 1))
    inside = i + j <= n
    cells = np.column_stack([i[inside], j[inside], n - i[inside] - j[inside]])
    weight[inside] = stats.multinomial(n, [p, q, 1 - p - q]).pmf(cells)
    covered = [
        weight[a, b]
        for a, b, _ in cells
        if (got := difference(a, b, n)).low <= p - q + 1e-12 and got.high >= p - q - 1e-12
    ]
    assert sum(covered) >= 0.94


def test_swapping_the_two_turns_the_sign():
    one, two = difference(12, 5, 60), difference(5, 12, 60)
    assert (one.value, one.low, one.high) == pytest.approx((-two.value, -two.high, -two.low))
    assert difference(7, 7, 7 + 7).value == 0.0


def test_impossible_counts_are_refused():
    for counts in ((-1, 0, 5), (3, 3, 5), (0, 0, 0)):
        with pytest.raises(ValueError, match="counts"):
            difference(*counts)
