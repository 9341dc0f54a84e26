import warnings

import numpy as np
import pytest
import scipy.stats
import statsmodels.api as sm
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from statsmodels.stats.proportion import confint_proportions_2indep, proportion_confint
from statsmodels.stats.weightstats import DescrStatsW

from trustcheck.stats import _proportions, intervals
from trustcheck.stats.intervals import Interval

laws = settings(derandomize=True, deadline=None, max_examples=90, database=None)
sizes = st.floats(0.5, 1e6)
shares = st.one_of(st.sampled_from([0.0, 1.0]), st.floats(0, 1))
TABLES = [
    (x1, n1, x2, n2)
    for n1, n2 in ((7, 12), (30, 30), (400, 25))
    for x1 in (0, 1, n1 // 2, n1 - 1, n1)
    for x2 in (0, 1, n2 // 3, n2 - 1, n2)
]


def rng():
    return np.random.default_rng(20240518)


def ordered(interval):
    return np.all((interval.low <= interval.value) & (interval.value <= interval.high))


# Proportions


@pytest.mark.parametrize("level", [0.8, 0.95, 0.999])
def test_z_is_the_normal_quantile(level):
    assert intervals.z_value(level) == pytest.approx(scipy.stats.norm.isf((1 - level) / 2))


@pytest.mark.parametrize("level", [0, 1, 95, float("nan")])
def test_an_impossible_level_is_refused(level):
    for call in (intervals.z_value, lambda q: intervals.mean([1, 2], level=q)):
        with pytest.raises(ValueError, match="level"):
            call(level)


@pytest.mark.parametrize("level", [0.9, 0.95, 0.99])
@pytest.mark.parametrize(("ours", "theirs"), [("wilson", "wilson"), ("clopper_pearson", "beta")])
def test_proportion_intervals_equal_statsmodels(ours, theirs, level):
    n = np.repeat([1, 2, 10, 57, 1000], 11)
    x = np.floor(n * np.tile(np.linspace(0, 1, 11), 5))
    got = getattr(intervals, ours)(x, n, level=level)
    low, high = proportion_confint(x, n, alpha=1 - level, method=theirs)
    np.testing.assert_allclose(got.value, x / n)
    np.testing.assert_allclose(got.low, low, atol=1e-12)
    np.testing.assert_allclose(got.high, high, atol=1e-12)


def test_clopper_pearson_equals_scipy_and_the_beta_quantiles_of_effective_counts():
    exact = scipy.stats.binomtest(13, 40).proportion_ci(0.95, method="exact")
    assert intervals.clopper_pearson(13, 40)[1:] == pytest.approx(tuple(exact))
    beta = scipy.stats.beta
    assert intervals.clopper_pearson(2.5, 9.5)[1:] == pytest.approx(
        (beta.ppf(0.025, 2.5, 8.0), beta.ppf(0.975, 3.5, 7.0))
    )


@pytest.mark.parametrize("z", [0.5, 1.96, 3.2, 5.0])
def test_the_ends_of_mid_p_leave_half_of_what_was_observed_in_the_tail(z):
    binom, tail = scipy.stats.binom, scipy.stats.norm.sf(z)
    n = np.repeat([1, 2, 10, 57, 1000, 10**6], 13)
    x = np.floor(
        n * np.tile([0, 1e-5, 0.001, 0.005, 0.02, 0.05, 0.2, 0.5, 0.8, 0.9, 0.97, 0.999, 1], 6)
    )
    got = intervals.mid_p(x, n, z=z)
    some, rest = x > 0, x < n
    above = binom.sf(x, n, got.low) + binom.pmf(x, n, got.low) / 2
    below = binom.cdf(x, n, got.high) - binom.pmf(x, n, got.high) / 2
    many = np.minimum(x, n - x) >= _proportions.MANY  # approximated
    for chance, where in ((above, some), (below, rest)):
        np.testing.assert_allclose(chance[where & ~many], tail, rtol=1e-6)
        found = scipy.stats.norm.isf(chance[where & many])
        np.testing.assert_allclose(found, z, rtol=0, atol=1e-3)
    assert (got.low[~some] == 0).all()
    assert (got.high[~rest] == 1).all()


def test_mid_p_ends_rise_with_every_hit_and_join_where_the_approximation_begins():
    n = 400
    x = np.arange(n + 1)
    got = intervals.mid_p(x, n)
    assert (np.diff(got.low) > 0).all()
    assert (np.diff(got.high) > 0).all()
    start = _proportions.MANY
    two = intervals.mid_p([start * (1 - 1e-9), start * (1 + 1e-9)], n)
    error = np.sqrt(start) / n
    assert abs(np.diff(two.low)[0]) < 1e-3 * error
    assert abs(np.diff(two.high)[0]) < 1e-3 * error


def test_mid_p_of_very_many_rows_is_wilsons():
    for n in (1e11, 1e30):
        assert intervals.mid_p(0.3 * n, n) == pytest.approx(intervals.wilson(0.3 * n, n), rel=1e-15)


def test_scalars_give_floats_and_arrays_keep_their_shape():
    assert all(type(part) is float for part in intervals.wilson(3, 10))
    assert all(type(part) is float for part in intervals.koopman(3, 10, 4, 10))
    assert intervals.newcombe([[3], [4]], 10, [1, 2, 3], 8).low.shape == (2, 3)


def test_ends_are_exact_where_nothing_or_everything_succeeds():
    # The neighbours of 10 are counts that were rate times size, and missed it by rounding.
    got = intervals.wilson([0, 10, np.nextafter(10, 0), np.nextafter(10, 11)], 10)
    assert got.low[0] == 0
    assert set(got.high[1:]) == set(got.value[1:]) == {1}


def test_no_rows_give_nan_for_that_element_only():
    for got in (
        intervals.wilson([0, 3], [0, 10]),
        intervals.clopper_pearson([0, 3], [0, 10]),
        intervals.mid_p([0, 3], [0, 10]),
        intervals.newcombe([0, 3], [0, 10], 1, 5),
        intervals.newcombe(1, 5, [0, 3], [0, 10]),
        intervals.koopman([0, 3], [0, 10], 1, 5),
        intervals.koopman(1, 5, [0, 3], [0, 10]),
    ):
        assert np.isnan([part[0] for part in got]).all()
        assert np.isfinite([part[1] for part in got]).all()


@pytest.mark.parametrize(("x", "n"), [(-1, 10), (11, 10), (1, -1)])
def test_impossible_counts_are_refused(x, n):
    for function in (intervals.wilson, intervals.clopper_pearson, intervals.mid_p):
        with pytest.raises(ValueError, match="must"):
            function(x, n)


@laws
@given(shares, sizes)
def test_proportion_intervals_hold_their_value_and_mirror(p, n):
    for function in (intervals.wilson, intervals.clopper_pearson, intervals.mid_p):
        got, mirror = function(p * n, n), function((1 - p) * n, n)
        assert 0 <= got.low <= got.value <= got.high <= 1
        assert got.low == pytest.approx(1 - mirror.high, abs=1e-9)


@laws
@given(shares, sizes, st.floats(1.01, 100))
def test_more_rows_never_widen_a_proportion_interval(p, n, more):
    slack = 1e-3 * np.sqrt(0.25 / n)  # where the approximation begins
    for function, more_or_less in (
        (intervals.wilson, 1e-12),
        (intervals.clopper_pearson, 1e-12),
        (intervals.mid_p, slack),
    ):
        few, many = function(p * n, n), function(p * n * more, n * more)
        assert few.low <= many.low + more_or_less
        assert many.high <= few.high + more_or_less


@pytest.mark.parametrize("n", [10, 40, 200])
def test_wilson_and_mid_p_cover_near_their_level_and_clopper_pearson_at_least_at_it(n):
    p = np.linspace(0.02, 0.98, 97)
    x = np.arange(n + 1)
    chance = scipy.stats.binom.pmf(x[:, None], n, p)
    floors = (intervals.wilson, 0.83), (intervals.mid_p, 0.91), (intervals.clopper_pearson, 0.95)
    for function, floor in floors:
        got = function(x, n)
        inside = (got.low[:, None] <= p) & (p <= got.high[:, None])
        coverage = (chance * inside).sum(axis=0)
        assert coverage.min() >= floor
        assert coverage.mean() >= 0.945


# Differences and sums


# Newcombe (1998), table II, method 10.
@pytest.mark.parametrize(
    ("table", "low", "high"),
    [
        ((56, 70, 48, 80), 0.0524, 0.3339),
        ((9, 10, 3, 10), 0.1705, 0.8090),
        ((6, 7, 2, 7), 0.0582, 0.8062),
        ((5, 56, 0, 29), -0.0381, 0.1926),
        ((0, 10, 0, 20), -0.1611, 0.2775),
        ((0, 10, 0, 10), -0.2775, 0.2775),
        ((10, 10, 0, 20), 0.6791, 1.0000),
        ((10, 10, 0, 10), 0.6075, 1.0000),
    ],
)
def test_newcombe_gives_the_published_intervals(table, low, high):
    assert intervals.newcombe(*table)[1:] == pytest.approx((low, high), abs=5e-5)


def test_newcombe_equals_statsmodels():
    for table in TABLES:
        theirs = confint_proportions_2indep(*table, method="newcomb", compare="diff", alpha=0.1)
        assert intervals.newcombe(*table, level=0.9)[1:] == pytest.approx(theirs, abs=1e-12)


def test_a_given_z_replaces_the_level():
    z = scipy.stats.norm.isf(0.005)
    for function in (intervals.newcombe, intervals.koopman):
        assert function(3, 20, 8, 30, z=z) == pytest.approx(function(3, 20, 8, 30, level=0.99))


@laws
@given(shares, sizes, shares, sizes)
def test_a_difference_holds_its_value_and_mirrors(p1, n1, p2, n2):
    got = intervals.newcombe(p1 * n1, n1, p2 * n2, n2)
    mirror = intervals.newcombe(p2 * n2, n2, p1 * n1, n1)
    assert -1 <= got.low <= got.value <= got.high <= 1
    assert got == pytest.approx((-mirror.value, -mirror.high, -mirror.low), abs=1e-12)


def test_mover_of_normal_intervals_is_the_normal_interval_of_the_sum():
    values, errors, weights = np.array([1.0, 4.0, 9.0]), np.array([0.3, 0.5, 0.1]), [2, -1, 0.5]
    got = intervals.mover_sum(values, values - 1.96 * errors, values + 1.96 * errors, weights)
    half = 1.96 * np.sqrt((np.array(weights) ** 2 * errors**2).sum())
    assert got == pytest.approx((2.5, 2.5 - half, 2.5 + half))


def test_mover_sum_with_weights_one_and_minus_one_is_the_difference():
    first, second = intervals.wilson([1, 9], 10), intervals.wilson([5, 0], 12)
    stacked = [np.stack(pair, axis=-1) for pair in zip(first, second, strict=True)]
    got = intervals.mover_sum(*stacked, [1, -1])
    np.testing.assert_allclose(got, intervals.mover_difference(first, second))
    np.testing.assert_allclose(got, intervals.newcombe([1, 9], 10, [5, 0], 12))


def test_mover_sum_without_weights_adds():
    assert intervals.mover_sum([1, 2], [0, 2], [1, 5]) == pytest.approx((3, 2, 6))


def test_mover_covers_a_weighted_sum_of_small_proportions():
    p, n, weights = np.array([0.05, 0.3, 0.9]), np.array([40, 25, 60]), np.array([0.5, -1.0, 2.0])
    got = intervals.mover_sum(*intervals.wilson(rng().binomial(n, p, (20_000, 3)), n), weights)
    assert 0.935 <= np.mean((got.low <= p @ weights) & (p @ weights <= got.high)) <= 0.975


# Ratios


def koopman_statistic(ratio, x1, n1, x2, n2):
    """Koopman's statistic by his own formulas: the constrained estimate from a quadratic."""
    a, b, c = ratio * (n1 + n2), -(ratio * (n1 + x2) + x1 + n2), x1 + x2
    t2 = (-b - np.sqrt(b * b - 4 * a * c)) / (2 * a)
    t1 = ratio * t2
    return sum(
        (x - n * t) ** 2 / (n * t * (1 - t)) for x, n, t in ((x1, n1, t1), (x2, n2, t2)) if t < 1
    )


def test_koopman_equals_statsmodels_away_from_the_edges():
    for x1, n1, x2, n2 in TABLES:
        if 0 < x1 < n1 and 0 < x2 < n2:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # theirs divides by 0 on its way
                theirs = confint_proportions_2indep(
                    x1, n1, x2, n2, method="score", compare="ratio", correction=False
                )
            assert intervals.koopman(x1, n1, x2, n2)[1:] == pytest.approx(theirs, rel=1e-5)


def test_koopman_ends_are_where_the_score_test_rejects():
    z2 = scipy.stats.norm.isf(0.025) ** 2
    for table in [*TABLES, (2.5, 9.5, 70.2, 100.1), (1, 1e6, 3, 5e5)]:
        _, low, high = intervals.koopman(*table)
        for end in (low, high):
            if 0 < end < np.inf:
                assert koopman_statistic(end, *table) == pytest.approx(z2, rel=1e-6), table


def test_koopman_with_nothing_above_or_below():
    assert intervals.koopman(0, 10, 5, 10).low == 0
    assert np.isfinite(intervals.koopman(0, 10, 5, 10).high)
    value, low, high = intervals.koopman(5, 10, 0, 10)
    assert (value, high) == (np.inf, np.inf)
    assert low > 0
    value, low, high = intervals.koopman(0, 10, 0, 10)
    assert np.isnan(value)
    assert (low, high) == (0, np.inf)


@laws
@given(shares, sizes, shares, sizes)
def test_a_ratio_holds_its_value_and_inverts(p1, n1, p2, n2):
    assume(p1 * n1 > 1e-6 and p2 * n2 > 1e-6)
    got = intervals.koopman(p1 * n1, n1, p2 * n2, n2)
    mirror = intervals.koopman(p2 * n2, n2, p1 * n1, n1)
    assert 0 <= got.low <= got.value <= got.high
    assert got.low * mirror.high == pytest.approx(1, rel=1e-9)


def test_koopman_covers_near_its_level():
    source = rng()
    for p1, n1, p2, n2 in ((0.2, 30, 0.5, 40), (0.1, 100, 0.1, 20), (0.95, 25, 0.8, 200)):
        x1, x2 = source.binomial(n1, p1, 20_000), source.binomial(n2, p2, 20_000)
        _, low, high = intervals.koopman(x1, n1, x2, n2)
        assert 0.935 <= np.mean((low <= p1 / p2) & (p1 / p2 <= high)) <= 0.97


# Means


def rows(n=60):
    source = rng()
    return source.gamma(2, size=n), source.uniform(0.2, 3, n), source.integers(0, 9, n)


def test_a_plain_mean_has_the_t_interval_of_statsmodels():
    y, _, _ = rows()
    assert intervals.mean(y, level=0.9)[1:] == pytest.approx(DescrStatsW(y).tconfint_mean(0.1))


def test_a_weighted_mean_has_the_robust_interval_of_a_weighted_regression():
    y, w, _ = rows()
    fit = sm.WLS(y, np.ones(len(y)), weights=w).fit(cov_type="HC1", use_t=True)
    assert intervals.mean(y, weights=w)[1:] == pytest.approx(fit.conf_int()[0])


@pytest.mark.parametrize("weighted", [False, True])
def test_a_clustered_mean_has_the_cluster_robust_interval_of_a_regression(weighted):
    y, w, g = rows()
    w = w if weighted else np.ones(len(y))
    fit = sm.WLS(y, np.ones(len(y)), weights=w).fit(
        cov_type="cluster", cov_kwds={"groups": g}, use_t=True
    )
    got = intervals.mean(y, weights=w if weighted else None, clusters=1000 * g - 7)
    assert got[1:] == pytest.approx(fit.conf_int()[0])


@pytest.mark.parametrize("clustered", [False, True])
def test_a_ratio_of_means_has_the_robust_interval_of_a_regression_through_the_origin(clustered):
    y, w, g = rows()
    x = rng().uniform(1, 2, len(y))
    model = sm.WLS(y, x, weights=w / x)
    fit = (
        model.fit(cov_type="cluster", cov_kwds={"groups": g}, use_t=True)
        if clustered
        else model.fit(cov_type="HC1", use_t=True)
    )
    got = intervals.ratio_of_means(y, x, weights=w, clusters=g if clustered else None)
    assert got.value == pytest.approx(fit.params[0])
    assert got[1:] == pytest.approx(fit.conf_int()[0])


def test_a_ratio_of_means_agrees_with_the_bootstrap():
    source = rng()
    x = source.uniform(1, 3, 400)
    y = x * source.uniform(0, 1, 400)
    theirs = scipy.stats.bootstrap(
        (y, x),
        lambda a, b, axis: a.mean(axis) / b.mean(axis),
        paired=True,
        vectorized=True,
        n_resamples=4000,
        rng=source,
    ).confidence_interval
    assert intervals.ratio_of_means(y, x)[1:] == pytest.approx(tuple(theirs), abs=0.004)


def test_means_without_rows_with_one_row_and_with_equal_rows():
    assert np.isnan(intervals.mean([])).all()
    assert np.isnan(intervals.mean([1.0], weights=[0.0])).all()
    assert intervals.mean([3.0]) == (3.0, -np.inf, np.inf)
    assert intervals.mean([3.0, 4.0], clusters=[5, 5]) == (3.5, -np.inf, np.inf)
    assert intervals.mean([0.5, 0.5, 0.5]) == (0.5, 0.5, 0.5)


def test_rows_of_no_weight_do_not_count():
    y, w, g = rows()
    idle = np.arange(len(y)) % 3 == 0
    zeroed = np.where(idle, 0, w)
    for function in (intervals.mean, lambda v, **k: intervals.bounded_mean(v / 50, **k)):
        got = function(y, weights=zeroed, clusters=g)
        assert got == pytest.approx(function(y[~idle], weights=w[~idle], clusters=g[~idle]))


def test_bad_rows_are_refused():
    with pytest.raises(ValueError, match="denominator"):
        intervals.ratio_of_means([1, 2], [1, -1])
    with pytest.raises(ValueError, match="length"):
        intervals.mean([1, 2], weights=[1, 2, 3])
    with pytest.raises(ValueError, match="length"):
        intervals.bounded_mean([1, 0], clusters=[1])
    with pytest.raises(ValueError, match="negative"):
        intervals.mean([1, 2], weights=[1, -1])
    for bad in (1.1, -0.1, np.nan):
        with pytest.raises(ValueError, match="between 0 and 1"):
            intervals.bounded_mean([0.5, bad])


# Bounded means and effective sizes


@laws
@given(st.lists(st.sampled_from([0.0, 1.0]), min_size=1, max_size=60))
def test_a_plain_share_has_exactly_the_wilson_interval(values):
    wilson = intervals.wilson(sum(values), len(values))
    assert intervals.bounded_mean(values) == pytest.approx(wilson)


@laws
@given(
    st.lists(st.tuples(st.floats(0, 1), st.floats(0.01, 100), st.integers(0, 5)), min_size=1),
    st.integers(1, 20),
)
def test_a_bounded_mean_holds_its_value_whatever_the_weights_and_clusters(table, draws):
    v, w, g = map(np.array, zip(*table, strict=True))
    for clusters in (None, g):
        got = intervals.bounded_mean(v, weights=w, clusters=clusters, draws=draws)
        assert 0 <= got.low <= got.value <= got.high <= 1
        assert got.value == pytest.approx(np.average(v, weights=w))
        scaled = intervals.bounded_mean(v, weights=8 * w, clusters=clusters, draws=draws)
        assert scaled == pytest.approx(got, abs=1e-9)
        assert 1 <= intervals.effective_size(v, weights=w, clusters=clusters) <= len(v) + 1e-9


def test_one_cluster_is_one_row_whatever_the_rounding():
    weights = [1.0, 1.5274266422864997, 61.599712486961145]
    assert intervals.effective_size(np.zeros(3), weights=weights, clusters=np.zeros(3, int)) == 1


def test_the_effective_size_under_weights_is_size_over_design_effect():
    source = rng()
    y, w = (source.random(5000) < 0.3).astype(float), source.lognormal(0, 0.7, 5000)
    got = intervals.effective_size(y, weights=w)
    fit = sm.WLS(y, np.ones(5000), weights=w).fit(cov_type="HC1")
    p = fit.params[0]
    assert got == pytest.approx(5000 / (fit.bse[0] ** 2 / (p * (1 - p) / 4999)))
    # Weights that know nothing of the outcome leave Kish's size.
    assert got == pytest.approx(w.sum() ** 2 / (w**2).sum(), rel=0.05)


def test_copies_of_a_row_in_one_cluster_count_about_once():
    y = (rng().random(200) < 0.4).astype(float)
    got = intervals.effective_size(np.repeat(y, 10), clusters=np.repeat(np.arange(200), 10))
    assert got == pytest.approx(200, rel=0.03)
    alone = intervals.effective_size(y, clusters=np.arange(200))
    assert alone == pytest.approx(200)


def test_equal_values_fall_back_on_kish():
    assert intervals.bounded_mean([1, 1, 1, 1], weights=[3, 1, 1, 1]) == pytest.approx(
        intervals.wilson(3, 3)
    )
    by_cluster = intervals.bounded_mean([0] * 6, clusters=[1, 1, 1, 1, 2, 3])
    assert by_cluster == pytest.approx(intervals.wilson(0, 2))
    third = intervals.bounded_mean([0.3] * 7, draws=5)
    assert third == pytest.approx(intervals.wilson(2.1, 7))


def test_the_effective_size_is_capped_by_the_draws():
    values = np.tile([0.49, 0.51], 10)
    for draws in (1, 8):
        got = intervals.bounded_mean(values, draws=draws)
        assert got == pytest.approx(intervals.wilson(10 * draws, 20 * draws))


def test_bounded_means_without_rows():
    assert np.isnan(intervals.bounded_mean([])).all()
    assert intervals.effective_size([]) == 0


@pytest.mark.parametrize(("groups", "p"), [(8, 0.5), (20, 0.1)])
def test_a_clustered_share_is_covered_even_with_few_clusters(groups, p):
    source, each, reps = rng(), 15, 1500
    q = source.beta(p * 4, (1 - p) * 4, (reps, groups, 1))
    y = (source.random((reps, groups, each)) < q).reshape(reps, -1)
    codes = np.repeat(np.arange(groups), each)
    clustered = [intervals.bounded_mean(row, clusters=codes) for row in y]
    naive = [intervals.bounded_mean(row) for row in y[:500]]
    assert np.mean([i.low <= p <= i.high for i in clustered]) >= 0.93
    assert np.mean([i.low <= p <= i.high for i in naive]) < 0.85


# Medians


@pytest.mark.parametrize("level", [0.5, 0.9, 0.95, 0.99])
def test_the_median_interval_is_the_shortest_symmetric_one_that_covers(level):
    for n in [*range(1, 60), 333, 1000, 2001]:
        value, low, high = intervals.median(np.arange(n)[::-1], level=level)
        below = scipy.stats.binom.cdf(np.arange(n // 2 + 1), n, 0.5)
        rank = int(np.count_nonzero(below <= (1 - level) / 2 * (1 + 1e-12)))
        assert value == (n - 1) / 2
        assert (low, high) == (max(rank - 1, 0), n - 1 - max(rank - 1, 0)), n


def test_the_median_of_no_rows_is_nan():
    assert np.isnan(intervals.median([])).all()


def test_means_and_medians_cover_at_their_level():
    source = rng()
    draws = source.exponential(size=(3000, 25))
    medians = [intervals.median(row) for row in draws]
    means = [intervals.mean(row) for row in source.normal(1, 2, (3000, 12))]
    assert np.mean([i.low <= np.log(2) <= i.high for i in medians]) >= 0.94
    assert 0.94 <= np.mean([i.low <= 1 <= i.high for i in means]) <= 0.96


def test_every_interval_is_a_named_tuple_in_order():
    got = intervals.wilson(np.arange(11), 10)
    assert isinstance(got, Interval)
    assert ordered(got)
