import numpy as np
import pytest
from scipy import special
from sklearn.isotonic import IsotonicRegression
from statsmodels.api import GLM, add_constant, families

from trustcheck.stats.calibration import corp, cox, isotonic
from trustcheck.stats.reliability_curve import curve, debiased_error, smooth_error


def world(kind, n, seed):
    rng = np.random.default_rng(seed)
    z = rng.normal(-0.5, 1.5, n)
    z = np.clip(np.round(z), -3, 3) if kind == "steps" else z
    p, truth = {
        "calibrated": (special.expit(z), special.expit(z)),
        "mild": (special.expit(1.25 * z), special.expit(z)),
        "extreme": (special.expit(2 * z), special.expit(z)),
        "steps": (special.expit(z + 0.5), special.expit(z)),
        "uninformative": (special.expit(z), np.full(n, 0.3)),
    }[kind]
    return p, (rng.random(n) < truth).astype(float), truth


def test_isotonic_recalibration_equals_scikit_learn_with_ties_and_weights():
    rng = np.random.default_rng(0)
    p, y, w = rng.random(300).round(2), rng.integers(0, 2, 300), rng.exponential(size=300)
    for weights in (None, w):
        theirs = IsotonicRegression().fit(p, y, sample_weight=weights).predict(p)
        assert isotonic(p, y, weights) == pytest.approx(theirs, abs=1e-12)


def test_the_parts_add_up_to_the_brier_score():
    p, y, _ = world("extreme", 3000, 0)
    got = corp(p, y, np.random.default_rng(0))
    total = got.miscalibration.value - got.discrimination.value + got.uncertainty.value
    assert total == pytest.approx(np.mean((p - y) ** 2), abs=1e-12)


@pytest.mark.parametrize("kind", ["calibrated", "mild", "extreme", "steps", "uninformative"])
def test_the_interval_covers_the_true_miscalibration(kind):
    p, _, truth = world(kind, 400_000, 99)
    true = np.mean((p - truth) ** 2)
    covered = []
    for seed in range(120):
        p, y, _ = world(kind, 600, seed)
        got = corp(p, y, np.random.default_rng(seed)).miscalibration
        covered.append(got.low <= true <= got.high)
    assert np.mean(covered) >= 0.92


def test_the_p_value_of_calibrated_scores_is_uniform():
    p_values = []
    for seed in range(60):
        p, y, _ = world("calibrated", 300, seed)
        p_values.append(corp(p, y, np.random.default_rng(seed)).p)
    assert 0.35 < np.mean(p_values) < 0.65
    assert np.mean(np.less(p_values, 0.1)) < 0.25


def test_weights_count_as_copies_of_a_row_in_the_numbers():
    p, y, _ = world("mild", 400, 1)
    w = np.random.default_rng(1).integers(1, 4, 400)
    repeated = np.repeat(p, w), np.repeat(y, w)
    assert isotonic(p, y, w).repeat(w) == pytest.approx(isotonic(*repeated), abs=1e-12)
    one, other = cox(p, y, weights=w), cox(*repeated)
    assert [line.value for line in one] == pytest.approx([line.value for line in other])


def test_equal_weights_change_nothing():
    p, y, _ = world("mild", 400, 2)
    one, other = (
        corp(p, y, np.random.default_rng(0), weights=w) for w in (None, np.full(400, 3.0))
    )
    for mine, theirs in zip(one[:4], other[:4], strict=True):
        assert mine == pytest.approx(theirs, abs=1e-12)


def test_coxs_line_equals_statsmodels_with_robust_errors():
    p, y, _ = world("extreme", 2000, 3)
    fit = GLM(y, add_constant(special.logit(p)), family=families.Binomial()).fit(cov_type="HC0")
    (low, high), (low_0, high_0) = fit.conf_int()[1], fit.conf_int()[0]
    slope, intercept = cox(p, y)
    assert tuple(slope) == pytest.approx((fit.params[1], low, high), rel=1e-6)
    assert tuple(intercept) == pytest.approx((fit.params[0], low_0, high_0), rel=1e-6, abs=1e-9)


@pytest.mark.parametrize(
    ("p", "y"),
    [
        (np.linspace(0.1, 0.9, 50), np.repeat([0, 1], 25)),
        (np.full(50, 0.3), np.tile([0, 1], 25)),
        (np.linspace(0.1, 0.9, 50), np.ones(50)),
    ],
)
def test_coxs_line_has_no_end_where_nothing_bounds_it(p, y):
    assert cox(p, y) is None


def test_the_debiased_error_is_unbiased_for_calibrated_scores_and_finds_the_true_one():
    def squared(kind, seed):
        bins = curve(*world(kind, 1000, seed)[:2])
        plain = bins.share @ (bins.rate - bins.score) ** 2
        noise = bins.share @ (bins.rate * (1 - bins.rate) / (bins.size - 1))
        assert debiased_error(bins).value == pytest.approx(max(plain - noise, 0) ** 0.5)
        return plain - noise

    calibrated = [squared("calibrated", seed) for seed in range(100)]
    assert abs(np.mean(calibrated)) < 3 * np.std(calibrated) / 10
    p, _, truth = world("extreme", 400_000, 99)
    assert np.mean([squared("extreme", seed) for seed in range(20)]) ** 0.5 == pytest.approx(
        np.mean((p - truth) ** 2) ** 0.5, abs=0.015
    )


def test_impossible_arguments_are_refused():
    rng = np.random.default_rng(0)
    with pytest.raises(ValueError, match="between 0 and 1"):
        corp([0.2, 1.2], [0, 1], rng)
    for weights in ([1.0], [1.0, 0.0]):
        with pytest.raises(ValueError, match="one length"):
            corp([0.2, 0.8], [0, 1], rng, weights=weights)


@pytest.mark.parametrize(("power", "published"), [(1, 0.019304), (3, 0.258173)])
def test_the_smooth_error_is_that_of_relplot(power, published):
    # relplot 1.0.3 (Blasiok & Nakkiran), smECE(f=p, y=y), its own grid: alike to a hundredth.
    rng = np.random.default_rng(1)
    p = rng.random(5000)
    y = (rng.random(5000) < p**power).astype(float)
    assert smooth_error(p, y).value == pytest.approx(published, rel=0.02)


@pytest.mark.parametrize("stretch", [1.0, 3.0])
def test_the_interval_of_the_smooth_error_covers(stretch):
    def draw(rng, n):
        z = rng.normal(0, 1.5, n)
        return special.expit(stretch * z), (rng.random(n) < special.expit(z)).astype(float)

    rng = np.random.default_rng(2)
    target = smooth_error(*draw(rng, 300_000)).value
    got = [smooth_error(*draw(rng, 500)) for _ in range(60)]
    assert sum(g.low <= target <= g.high for g in got) >= 56
