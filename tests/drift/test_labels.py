import numpy as np
import pytest
from scipy import stats

import trustcheck as tc
from trustcheck import drift


def subject(before, now, **more):
    X = np.zeros((len(now), 1))
    return tc.Subject(
        lambda X: np.zeros(len(X), int),
        X,
        now,
        reference=(np.zeros((len(before), 1)), before),
        **more,
    )


def draw(rng, n, share):
    return np.where(rng.random(n) < share, "yes", "no")


def test_values_equal_the_closed_form_and_scipy():
    before, now = ["a"] * 50 + ["b"] * 30 + ["c"] * 20, ["a"] * 20 + ["b"] * 30 + ["c"] * 50
    found = drift.labels(
        tc.Subject(
            lambda X: np.full(len(X), "a"), np.zeros((100, 1)), now,
            reference=(np.zeros((100, 1)), before),
        )
    )  # fmt: skip
    assert found.value == pytest.approx(0.3, abs=1e-12)
    table = [[50, 30, 20], [20, 30, 50]]
    assert found.rows[0]["p"] == pytest.approx(stats.chi2_contingency(table).pvalue, abs=1e-12)
    rng = np.random.default_rng(0)
    one, other = rng.normal(size=300), rng.normal(0.5, 1, 200)
    found = drift.labels(subject(one, other, task="regression"))
    assert found.value == pytest.approx(stats.ks_2samp(one, other).statistic, abs=1e-12)


def test_a_shift_is_found_in_19_of_20_worlds_and_its_clean_twin_passes():
    worlds = [np.random.default_rng(seed) for seed in range(20)]
    y = [(draw(rng, 2000, 0.2), draw(rng, 2000, 0.45), draw(rng, 2000, 0.2)) for rng in worlds]
    coded = [[(part == "yes").astype(int) for part in world] for world in y]
    moved = [drift.labels(subject(b, s)).at_most(0.10).status for b, s, _ in coded]
    still = [drift.labels(subject(b, c)).at_most(0.10).status for b, _, c in coded]
    assert moved.count("fail") >= 19
    assert still.count("pass") >= 19


def test_without_labels_on_both_sides_it_is_skipped():
    X = np.zeros((20, 1))
    found = drift.labels(tc.Subject(lambda X: np.zeros(len(X), int), X, [0, 1] * 10, reference=X))
    assert found.status == "skipped"
    assert "reference" in found.reason
