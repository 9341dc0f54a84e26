import numpy as np
import pytest
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score, roc_curve

from trustcheck.stats import intervals, ranks

laws = settings(derandomize=True, deadline=None, max_examples=90, database=None)
scores = st.lists(st.integers(-6, 6).map(float), min_size=1, max_size=30)


def rng():
    return np.random.default_rng(20240518)


def labelled(positive, negative):
    return np.repeat([1, 0], [len(positive), len(negative)]), np.r_[positive, negative]


def brute_delong(positive, negative):
    """DeLong's AUC and variance by comparing every positive with every negative."""
    pos, neg = np.asarray(positive)[:, None], np.asarray(negative)[None, :]
    wins = (pos > neg) + 0.5 * (pos == neg)
    over, under = wins.mean(axis=1), wins.mean(axis=0)
    return wins.mean(), over.var(ddof=1) / len(over), under.var(ddof=1) / len(under)


# AUC


@laws
@given(scores, scores)
def test_auc_equals_sklearn_and_counts_ties_as_halves(positive, negative):
    got = ranks.auc(positive, negative)
    assert got == pytest.approx(roc_auc_score(*labelled(positive, negative)))
    assert got == pytest.approx(1 - ranks.auc(negative, positive))
    assert got == pytest.approx(ranks.auc(np.exp(positive), np.exp(negative)))


def test_an_empty_class_gives_nan():
    for positive, negative in (([], [1.0]), ([1.0], []), ([], [])):
        assert np.isnan(ranks.auc(positive, negative))
        assert np.isnan(ranks.auc_interval(positive, negative)).all()
        assert np.isnan(ranks.tpr_at_fpr(positive, negative, 0.1)).all()


def test_scores_that_are_nan_are_refused_and_infinite_ones_ranked():
    for function in (ranks.auc, ranks.auc_interval, lambda p, n: ranks.tpr_at_fpr(p, n, 0.1)):
        with pytest.raises(ValueError, match="nan"):
            function([1.0, np.nan], [1.0])
    assert ranks.auc([np.inf, 1], [-np.inf, 1]) == 0.875


def test_delong_and_brunner_munzel_agree_with_their_definitions():
    source = rng()
    positive, negative = source.normal(1, 2, 17).round(1), source.normal(0, 1, 40).round(1)
    value, one, other = brute_delong(positive, negative)
    # scipy's test of AUC = 1/2 has statistic (AUC - 1/2) / se and the same degrees of freedom.
    theirs = scipy.stats.brunnermunzel(positive, negative)
    se = np.sqrt(one + other)
    assert abs(theirs.statistic) == pytest.approx((value - 0.5) / se)
    freedom = (one + other) ** 2 / (one**2 / 16 + other**2 / 39)
    assert theirs.pvalue == pytest.approx(2 * scipy.stats.t.sf(abs(theirs.statistic), freedom))
    half = scipy.stats.t.ppf(0.975, freedom) * se / (value * (1 - value))
    low, high = scipy.special.expit(scipy.special.logit(value) + np.array([-half, half]))
    got = ranks.auc_interval(positive, negative)
    assert got.value == pytest.approx(value)
    assert got[1:] == pytest.approx((low, high))  # wider here than Newcombe's: unequal spreads


def test_the_score_interval_ends_where_the_test_rejects():
    for value, m, n in ((0.8, 20, 20), (0.97, 5, 300), (0.5, 3, 4), (1.0, 9, 12)):
        for theta in ranks._newcombe(value, m, n, 1.96):
            if 0 < theta < 1:
                q1, q2 = theta / (2 - theta), 2 * theta**2 / (1 + theta)  # Hanley and McNeil
                spread = q1 - theta**2 + q2 - theta**2
                # Newcombe's method 5 replaces m - 1 and n - 1 by their mean.
                variance = (theta * (1 - theta) + ((m + n) / 2 - 1) * spread) / (m * n)
                assert (value - theta) ** 2 == pytest.approx(1.96**2 * variance, rel=1e-6)
    assert ranks._newcombe(1.0, 1, 1, 1.96) == pytest.approx(intervals.wilson(1, 1, z=1.96)[1:])


@laws
@given(scores, scores)
def test_an_auc_lies_between_its_ends_and_mirrors(positive, negative):
    got, mirror = ranks.auc_interval(positive, negative), ranks.auc_interval(negative, positive)
    assert 0 <= got.low <= got.value <= got.high <= 1
    assert got.high - got.low > 0.05
    assert got.low == pytest.approx(1 - mirror.high, abs=1e-9)


@laws
@given(scores, scores)
def test_an_auc_interval_is_never_empty_at_the_edges(positive, negative):
    apart = ranks.auc_interval(np.add(positive, 100), negative)
    few = min(len(positive), len(negative))
    assert apart.value == apart.high == 1
    assert apart.low == pytest.approx(min(intervals.wilson(few, few).low, apart.low))
    tied = ranks.auc_interval(np.zeros(len(positive)), np.zeros(len(negative)))
    wilson = intervals.wilson(few / 2, few)
    assert tied.low <= wilson.low < 0.5 < wilson.high <= tied.high


@pytest.mark.parametrize(
    ("auc", "m", "n", "spread"),
    [(0.5, 20, 20, 1), (0.8, 5, 100, 1), (0.95, 10, 200, 3), (0.99, 100, 100, 3)],
)
def test_an_auc_is_covered_even_with_few_positives(auc, m, n, spread):
    source = rng()
    shift = scipy.stats.norm.ppf(auc) * np.hypot(1, spread)
    found = [
        ranks.auc_interval(pos, neg)
        for pos, neg in zip(
            source.normal(shift, spread, (600, m)), source.normal(0, 1, (600, n)), strict=True
        )
    ]
    assert np.mean([f.low <= auc <= f.high for f in found]) >= 0.94


def test_an_auc_interval_of_many_rows_is_delongs_in_width():
    source = rng()
    positive, negative = source.normal(1, 1, 4000), source.normal(0, 1, 4000)
    _, one, other = brute_delong(positive, negative)
    got = ranks.auc_interval(positive, negative)
    assert got.high - got.low == pytest.approx(2 * 1.96 * np.sqrt(one + other), rel=0.05)


# TPR at a low FPR


@laws
@given(scores, scores, st.floats(0.001, 0.999))
def test_tpr_is_read_off_the_roc_curve_of_sklearn(positive, negative, fpr):
    steps = fpr * len(negative)
    if abs(steps - round(steps)) < 1e-6:
        fpr += 1e-4  # at a step the curve is vertical and its height a choice
    x, y, _ = roc_curve(*labelled(positive, negative), drop_intermediate=False)
    assert ranks.tpr_at_fpr(positive, negative, fpr).value == pytest.approx(np.interp(fpr, x, y))


def test_at_a_step_of_the_curve_the_whole_step_counts():
    negative = np.arange(100.0)
    for k in range(100):
        # k negatives pass; so do all positives above the next one.
        got = ranks.tpr_at_fpr([99.5, 98.5, 70.5, 50.5, 1.5], negative, k / 100)
        assert got.value == np.mean(np.array([99.5, 98.5, 70.5, 50.5, 1.5]) > 99 - k), k


@laws
@given(st.integers(1, 50), st.integers(1, 50), st.floats(0, 1))
def test_a_constant_score_has_as_many_true_as_false_positives(m, n, fpr):
    assert ranks.tpr_at_fpr([0.3] * m, [0.3] * n, fpr).value == pytest.approx(fpr, abs=1e-8)


@laws
@given(scores, scores, st.floats(0, 1), st.floats(0, 1))
def test_tpr_grows_with_fpr_and_lies_between_its_ends(positive, negative, one, other):
    less, more = (ranks.tpr_at_fpr(positive, negative, f) for f in sorted((one, other)))
    assert less.value <= more.value + 1e-9
    for got in (less, more):
        assert 0 <= got.low <= got.value <= got.high <= 1


def test_the_ends_of_the_fpr_range():
    assert ranks.tpr_at_fpr([1, 5, 9], [2, 4], 0).value == pytest.approx(2 / 3)
    assert ranks.tpr_at_fpr([1, 5, 9], [2, 4], 1).value == 1
    for bad in (-0.1, 1.1, np.nan):
        with pytest.raises(ValueError, match="fpr"):
            ranks.tpr_at_fpr([1], [0], bad)


def test_the_tpr_interval_is_clopper_pearsons():
    theirs = scipy.stats.binomtest(3, 40).proportion_ci(0.9, method="exact")
    got = ranks.tpr_at_fpr([9] * 3 + [0] * 37, np.arange(5), 0.0, level=0.9)
    assert got == pytest.approx((3 / 40, *theirs))
