import numpy as np
import pytest

from trustcheck.stats import change


def outcomes(rng, n, before, keep, after):
    """Rows keep their outcome with a chance, else draw a new one."""
    b = rng.random(n) < before
    a = np.where(rng.random(n) < keep, b, rng.random(n) < after)
    return b, a


def cells(pairs):
    both = [(b & a).sum() for b, a in pairs]
    return both, [(b & ~a).sum() for b, a in pairs], [(~b & a).sum() for b, a in pairs]


def test_two_groups_change_as_a_difference_of_differences():
    """Far from ties, it is the normal interval of the change, at the level of two comparisons."""
    rng = np.random.default_rng(0)
    n = 40_000
    pairs = [outcomes(rng, n, p, 0.8, q) for p, q in ((0.6, 0.5), (0.2, 0.3))]
    got = change.largest_gap_change(*cells(pairs), [n, n])
    moved = [a.astype(float) - b for b, a in pairs]
    value = moved[0].mean() - moved[1].mean()
    half = 2.2414 * ((moved[0].var() + moved[1].var()) / n) ** 0.5
    assert got.value == pytest.approx(value, abs=1e-12)
    assert (got.low, got.high) == pytest.approx((value - half, value + half), abs=1e-4)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ((0.3, 0.3), (0.3, 0.3)),  # nothing to gain
        ((0.2, 0.5), (0.35, 0.35)),  # all of the gap goes, and the pair is undecided after
        ((0.2, 0.5), (0.5, 0.2)),  # the other group is ahead after
        ((0.1, 0.3, 0.2, 0.3), (0.2, 0.2, 0.2, 0.2)),
        ((0.02, 0.05), (0.05, 0.02)),
    ],
)
def test_the_interval_covers_the_change_whichever_pairs_are_largest(before, after):
    rng = np.random.default_rng(1)
    keep, n, runs = 0.2, 150, 300
    later = [keep * b + (1 - keep) * a for b, a in zip(before, after, strict=True)]
    truth = np.ptp(later) - np.ptp(before)
    missed = 0
    for _ in range(runs):
        pairs = [outcomes(rng, n, b, keep, a) for b, a in zip(before, after, strict=True)]
        got = change.largest_gap_change(*cells(pairs), [n] * len(pairs))
        missed += not got.low <= truth <= got.high
    assert missed / runs <= 0.075


def test_events_and_empty_groups():
    one = change.largest_gap_change([300, 480], [100, 20], [50, 0], [1000, 1000])
    two = change.largest_gap_change(
        [[300, 1], [480, 0], [0, 0]], [[100, 0], [20, 0], [0, 0]], [[50, 0], [0, 0], [0, 0]],
        [[1000, 2], [1000, 0], [0, 0]],
    )  # fmt: skip
    assert two == one  # neither a third group without rows nor an event of one group counts
    with pytest.raises(ValueError, match="two groups"):
        change.largest_gap_change([1], [0], [0], [3])
