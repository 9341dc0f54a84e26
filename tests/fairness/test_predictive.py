import numpy as np
import pytest

import trustcheck as tc
from trustcheck import fairness

PROBES = {
    "predictive_parity": lambda y, p: (p == 1, y == 1),
    "negative_predictive_parity": lambda y, p: (p == 0, y == 0),
    "treatment_equality": lambda y, p: (y != p, y > p),
}


@pytest.mark.parametrize("name", PROBES)
def test_the_gap_is_the_hand_count(name):
    rng = np.random.default_rng(3)
    y, p, g = rng.integers(0, 2, 500), rng.integers(0, 2, 500), rng.choice(list("abc"), 500)
    w = rng.exponential(size=500)
    among, hit = PROBES[name](y, p)
    rates = [np.average(hit[among & (g == k)], weights=w[among & (g == k)]) for k in "abc"]
    subject = tc.Subject.from_predictions(y, p, sensitive={"g": g}, sample_weight=w)
    assert getattr(fairness, name)(subject).value == pytest.approx(
        max(rates) - min(rates), abs=1e-12
    )


def subject(seed, worse, n):
    """Predictions hold for group a; for group b they, or the kind of its errors, are worse."""
    rng = np.random.default_rng(seed)
    p, g = rng.integers(0, 2, n), rng.choice(["a", "b"], n)
    b = g == "b"
    wrong = np.where(p == 1, 0.2 + 0.3 * b * (worse == "ppv"), 0.2 + 0.3 * b * (worse == "npv"))
    return tc.Subject.from_predictions(
        np.where(rng.random(n) < wrong, 1 - p, p), p, sensitive={"g": g}
    )


@pytest.mark.parametrize(
    ("name", "worse"),
    [
        ("predictive_parity", "ppv"),
        ("negative_predictive_parity", "npv"),
        ("treatment_equality", "npv"),
    ],
)
def test_a_planted_gap_fails_and_its_clean_twin_passes(name, worse):
    ask = getattr(fairness, name)
    failed = [ask(subject(s, worse, 12_000)).at_most(0.1).status == "fail" for s in range(20)]
    passed = [ask(subject(s, "none", 12_000)).at_most(0.12).status == "pass" for s in range(20)]
    assert sum(failed) >= 19
    assert sum(passed) >= 19


def test_a_group_always_predicted_positive_has_no_negative_predictive_value():
    y, p = [1, 0] * 60, [1, 0] * 40 + [1, 1] * 20
    finding = fairness.negative_predictive_parity(
        tc.Subject.from_predictions(
            y, p, sensitive={"g": ["a", "b", "c"] * 0 + ["a", "a", "b", "b"] * 20 + ["c"] * 40}
        )
    )
    assert finding.rows[2]["rate"] is None
    assert "group 'c' has no rows not predicted 1" in finding.incomplete
