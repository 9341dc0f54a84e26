import numpy as np
import pytest
from scipy import stats
from scipy.spatial.distance import jensenshannon

from trustcheck.stats import distances


@pytest.mark.parametrize("decimals", [0, 1, 9])
def test_distances_of_numbers_equal_scipy_with_and_without_ties(decimals):
    rng = np.random.default_rng(decimals)
    a, b = np.round(rng.normal(size=700), decimals), np.round(rng.normal(0.2, 1.3, 450), decimals)
    both = distances.steps(a, b)
    expected = stats.ks_2samp(a, b, method="asymp").statistic
    assert distances.kolmogorov_smirnov(both).value == pytest.approx(expected, abs=1e-12)
    assert distances.wasserstein(both) == pytest.approx(stats.wasserstein_distance(a, b), abs=1e-12)
    edges = np.unique(np.quantile(a, np.linspace(0, 1, 11)))
    edges[[0, -1]] = -np.inf, np.inf
    inner = distances.bin_edges(a)
    for values in (a, b):
        got = distances.bin_counts(values, inner)
        assert got.tolist() == np.histogram(values, edges)[0].tolist()


def test_distances_of_levels_equal_scipy():
    rng = np.random.default_rng(3)
    p, q = rng.multinomial(900, [0.2] * 5), rng.multinomial(500, [0.1, 0.3, 0.2, 0.25, 0.15])
    assert distances.jensen_shannon(p, q) == pytest.approx(jensenshannon(p, q, base=2), abs=1e-12)
    assert distances.total_variation(p, q).value == pytest.approx(
        np.abs(p / 900 - q / 500).sum() / 2, abs=1e-12
    )
    test = stats.chi2_contingency(np.array([p, q]), correction=False)
    assert distances.chi_square_p(p, q) == pytest.approx(test.pvalue, abs=1e-12)


def test_the_index_without_drift_has_the_mean_that_is_taken_off():
    rng = np.random.default_rng(4)
    draws = rng.multinomial(2000, [0.1] * 10, size=(600, 2))
    mean = np.mean([distances.psi(a, b) for a, b in draws])
    assert mean == pytest.approx(distances.psi_chance(*draws[0]), rel=0.06)


def test_two_levels_are_two_proportions():
    low = distances.total_variation([500, 500], [440, 560], comparisons=1).low
    sd = np.sqrt(0.25 / 1000 + 0.44 * 0.56 / 1000)
    assert low == pytest.approx(0.06 - stats.norm.ppf(1 - 0.025 / 2) * sd, abs=1e-6)


def moved(rng, size, d):
    """Uniform numbers of which a share d moved up by a half: the distance is d, at one half."""
    x = rng.random(size)
    return np.where((x < 0.5) & (rng.random(size) < 2 * d), x + 0.5, x)


@pytest.mark.parametrize(("n", "m"), [(300, 300), (300, 2000), (1000, 1000)])
@pytest.mark.parametrize("d", [0.0, 0.05, 0.2])
def test_the_interval_of_the_distribution_distance_covers_with_and_without_drift(n, m, d):
    rng = np.random.default_rng(5)
    got = [
        distances.kolmogorov_smirnov(distances.steps(rng.random(n), moved(rng, m, d)))
        for _ in range(300)
    ]
    assert np.mean([low <= d <= high for _, low, high in got]) >= 0.93


@pytest.mark.parametrize("shares", [[0.5, 0.5], [0.9, 0.06, 0.04], [0.1] * 10])
@pytest.mark.parametrize("d", [0.0, 0.03, 0.2])
def test_the_interval_of_total_variation_covers_with_and_without_drift(shares, d):
    rng = np.random.default_rng(6)
    p = np.array(shares)
    half = len(p) // 2
    q = p + d * np.r_[-p[:half] / p[:half].sum(), p[half:] / p[half:].sum()]
    for n, m in ((300, 300), (2000, 500)):
        pairs = zip(rng.multinomial(n, p, 300), rng.multinomial(m, q, 300), strict=True)
        got = [distances.total_variation(a, b) for a, b in pairs]
        assert np.mean([low <= d + 1e-12 and d <= high + 1e-12 for _, low, high in got]) >= 0.93


def test_rare_levels_are_pooled_only_where_rows_cannot_tell_them_apart():
    many = np.ones(300, dtype=int)
    assert not distances.rare(many[:10], many[:10]).any()
    assert 250 < distances.rare(many, many).sum() <= 290
    assert not distances.rare(many[:40] * 10**6, many[:40] * 10**6).any()


def test_a_side_without_rows_is_refused():
    with pytest.raises(ValueError, match="at least one"):
        distances.steps([], [1.0])
    with pytest.raises(ValueError, match="at least one each"):
        distances.total_variation([0, 0], [1, 2])


@pytest.mark.parametrize(("n", "m"), [(100, 100), (300, 2000), (2000, 2000)])
def test_the_interval_of_the_area_covers_with_and_without_drift(n, m):
    rng = np.random.default_rng(7)
    worlds = [
        (lambda k: rng.normal(size=k), lambda k: rng.normal(size=k), 0.0),
        (lambda k: rng.normal(size=k), lambda k: rng.normal(0.3, 1, k), 0.3),
        (lambda k: rng.normal(size=k), lambda k: rng.normal(0, 1.5, k), 0.5 * np.sqrt(2 / np.pi)),
        (lambda k: rng.exponential(size=k), lambda k: rng.exponential(1.3, k), 0.3),
        (lambda k: rng.poisson(2, k), lambda k: rng.poisson(2, k) + 1, 1.0),
    ]
    for before, now, truth in worlds:
        got = [
            distances.wasserstein_interval(distances.steps(before(n), now(m))) for _ in range(100)
        ]
        assert np.mean([low <= truth <= high for _, low, high in got]) >= 0.91


@pytest.mark.parametrize("k", [2, 5, 10])
@pytest.mark.parametrize("tilt", [0.0, 0.3, 0.8])
def test_the_interval_of_the_index_covers_with_and_without_drift(k, tilt):
    rng = np.random.default_rng(8)
    p = np.full(k, 1 / k)
    q = p * np.exp(tilt * np.linspace(-1, 1, k))
    q /= q.sum()
    truth = ((q - p) * np.log(q / p)).sum()
    for n, m in ((100, 100), (300, 2000), (20_000, 20_000)):
        pairs = zip(rng.multinomial(n, p, 200), rng.multinomial(m, q, 200), strict=True)
        got = [distances.psi_interval(a, b) for a, b in pairs]
        assert np.mean([low <= truth + 1e-12 <= high + 2e-12 for _, low, high in got]) >= 0.92
        if tilt == 0.0:
            assert np.mean([low == 0.0 for _, low, _ in got]) >= 0.95


def test_many_small_samples_equal_scipy_however_coarse_the_grid(monkeypatch):
    rng = np.random.default_rng(9)
    for trial in range(300):
        monkeypatch.setattr(distances, "_GRID", int(rng.integers(2, 20)))
        n, m = rng.integers(1, 60, 2)
        a, b = (np.round(rng.normal(size=k), trial % 3) for k in (n, m))
        both = distances.steps(a, b)
        assert abs(both.gap) == pytest.approx(
            stats.ks_2samp(a, b, method="asymp").statistic, abs=1e-12
        )
        f, g = np.mean(a <= both.where), np.mean(b <= both.where)
        assert (f - g, f) == pytest.approx((both.gap, both.at), abs=1e-12)
        assert distances.wasserstein(both) == pytest.approx(
            stats.wasserstein_distance(a, b), abs=1e-12
        )
        shares = np.linspace(0, 1, 11)
        assert (distances.quantile(np.sort(a), shares) == np.quantile(a, shares)).all()


def test_the_p_value_is_that_of_scipy():
    rng = np.random.default_rng(10)
    for n, near in ((20, 4e-3), (400, 2e-4), (20_000, 5e-6)):
        for shift in (0.0, 0.5 / n**0.5, 2 / n**0.5):
            a, b = rng.normal(size=n), rng.normal(shift, 1, n)
            expected = stats.ks_2samp(a, b, method="asymp").pvalue
            assert distances.smirnov_p(distances.steps(a, b)) == pytest.approx(expected, abs=near)


def test_a_column_that_is_nearly_always_zero_has_an_index_too():
    before, now = np.r_[np.zeros(95), np.ones(5)], np.r_[np.zeros(60), np.ones(40)]
    edges = distances.bin_edges(before)
    counts = [distances.bin_counts(values, edges) for values in (before, now)]
    assert [c.tolist() for c in counts] == [[0, 95, 5], [0, 60, 40]]
    assert distances.psi(*counts) == pytest.approx(distances.psi([95, 5], [60, 40]), abs=1e-12)
