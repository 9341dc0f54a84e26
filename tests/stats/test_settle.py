import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from trustcheck.stats import intervals
from trustcheck.stats.settle import rows_needed

laws = settings(derandomize=True, deadline=None, max_examples=100, database=None)


@pytest.mark.parametrize(
    ("value", "limit", "n"), [(0.3, 0.33, 100), (0.3, 0.27, 100), (0.08, 0.1, 400)]
)
def test_the_rows_needed_settle_about_four_in_five_cases(value, limit, n):
    need = rows_needed(*intervals.wilson(value * n, n), n, limit)
    source = np.random.default_rng(20240518)

    def settled(size):
        _, low, high = intervals.wilson(source.binomial(size, value, 20_000), size)
        return np.mean(high <= limit) if value < limit else np.mean(low >= limit)

    assert 0.72 <= settled(n + need) <= 0.88
    assert settled(n + need // 2) < 0.66


def test_the_half_width_facing_the_limit_counts():
    assert rows_needed(0.0, -1, 5, 100, limit=1.0) > rows_needed(0.0, -1, 5, 100, limit=-1.0)
    assert rows_needed(0.0, -1, 5, 100, limit=-1.0) == rows_needed(0.0, -1, 1, 100, limit=1.0)


def test_the_formula_by_hand():
    # Half-width 0.06, distance 0.04: (1.5 * (1 + 0.8416 / 1.96))^2 = 4.5971 times the 400 rows.
    assert rows_needed(0.06, 0.02, 0.12, 400, limit=0.10) == 1439


def test_nothing_settles_a_value_on_the_limit_or_without_rows_or_finite_ends():
    assert rows_needed(0.1, 0.0, 0.2, 50, limit=0.1) is None
    assert rows_needed(0.1, 0.0, 0.2, 0, limit=0.2) is None
    assert rows_needed(0.1, 0.0, np.inf, 50, limit=0.2) is None
    assert rows_needed(np.nan, np.nan, np.nan, 50, limit=0.2) is None
    assert rows_needed(0.1, 0.0, 0.2, 50, limit=np.nextafter(0.1, 1)) > 1e9


@laws
@given(
    st.floats(-10, 10),
    st.floats(0, 10),
    st.floats(0, 10),
    st.floats(-20, 20),
    st.integers(1, 10**6),
)
def test_rows_are_whole_positive_and_grow_with_width(value, below, above, limit, n):
    assume(abs(value - limit) > 1e-6)
    narrow = rows_needed(value, value - below, value + above, n, limit)
    wide = rows_needed(value, value - 2 * below, value + 2 * above, n, limit)
    assert isinstance(narrow, int)
    assert 1 <= narrow <= wide
