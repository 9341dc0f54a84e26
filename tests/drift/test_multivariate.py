import numpy as np
import pandas as pd
import pytest
from scipy.special import ndtr
from sklearn.metrics import roc_auc_score

import trustcheck as tc
from trustcheck import datasets, drift
from trustcheck.drift import _apart
from trustcheck.stats import mmd, ranks


def subject(before, now, **more):
    return tc.Subject(lambda X: np.zeros(len(X)), now, reference=before, task="regression", **more)


def table(rng, n, together):
    """Two numbers that go together (1) or against each other (-1), each alike on its own."""
    x = rng.normal(size=n)
    return pd.DataFrame(
        {
            "x": x,
            "y": together * x + rng.normal(size=n),
            "job": rng.choice(["clerk", "nurse"], n),
            "debt": np.where(rng.random(n) < 0.2, np.nan, rng.normal(size=n)),
        }
    )


def test_columns_that_no_longer_go_together_are_found_in_19_of_20_worlds_and_named():
    found = 0
    for seed in range(20):
        rng = np.random.default_rng(seed)
        made = subject(table(rng, 300, 1), table(rng, 300, -1), seed=seed)
        got = drift.multivariate(made)
        found += got.low > 0.6 and {row["feature"] for row in got.rows[:2]} == {"x", "y"}
        if seed < 3:
            assert drift.features(made).low == 0.0  # no column shows it alone
    assert found >= 19


def test_without_drift_nothing_is_claimed_in_19_of_20_worlds():
    quiet, flat = 0, 0
    for seed in range(20):
        rng = np.random.default_rng(100 + seed)
        got = drift.multivariate(subject(table(rng, 300, 1), table(rng, 350, 1), seed=seed))
        quiet += got.low <= 0.5
        flat += got.metrics["mmd2"].low <= 0
    assert quiet >= 19
    assert flat >= 19


def test_adult_train_cannot_be_told_from_test():
    X_train, X_test, _, _ = datasets.load_adult().train_test()
    found = drift.multivariate(subject(X_train, X_test))
    assert found.high < 0.56
    assert found.metrics["mmd2"].low <= 0 <= found.metrics["mmd2"].high


def test_bank_years_are_told_apart():
    frame = datasets.load_bank_marketing().frame
    before, now = (frame.loc[frame.year == y, ["euribor3m", "age", "job"]] for y in (2008, 2009))
    found = drift.multivariate(subject(before.reset_index(drop=True), now.reset_index(drop=True)))
    assert found.value == 1.0
    assert found.rows[0]["feature"] == "euribor3m"
    assert found.metrics["mmd2"].low > 0


def test_the_lost_auc_is_the_difference_of_two_of_scikit_learn():
    rng = np.random.default_rng(0)
    y = np.repeat([0, 1], [80, 120])
    one, other = y + rng.normal(size=200), np.round(rng.normal(size=200), 1)
    got = ranks.auc_lost(one, other, y)
    assert got.value == pytest.approx(roc_auc_score(y, one) - roc_auc_score(y, other), abs=1e-12)


def test_its_interval_covers():
    rng = np.random.default_rng(1)
    y = np.repeat([0, 1], 150)
    truth = ndtr(1 / np.sqrt(2)) - ndtr(1 / np.sqrt(6))  # the second score has three variances
    inside = []
    for _ in range(300):
        score = y + rng.normal(size=300)
        _, low, high = ranks.auc_lost(score, score + np.sqrt(2) * rng.normal(size=300), y)
        inside.append(low <= truth <= high)
    assert np.mean(inside) >= 0.92


def test_the_discrepancy_equals_the_sums_written_out():
    rng = np.random.default_rng(2)
    x, y = rng.normal(size=(7, 2)), rng.normal(size=(5, 2))

    def kernel(a, b):
        return np.exp(-((a - b) ** 2).sum() / (2 * 1.3**2))

    within = [
        np.mean([kernel(a, b) for i, a in enumerate(s) for j, b in enumerate(s) if i != j])
        for s in (x, y)
    ]
    across = np.mean([kernel(a, b) for a in x for b in y])
    assert mmd.squared_mmd(x, y, 1.3) == pytest.approx(sum(within) - 2 * across, abs=1e-12)


def test_the_interval_of_the_discrepancy_covers_with_and_without_drift():
    rng = np.random.default_rng(3)
    # Gaussian kernel of width s, normal samples: E k(x, y) in closed form.
    s2 = 1.5**2
    for shift in (0.0, 0.5):
        across = np.sqrt(s2 / (s2 + 2)) * np.exp(-(shift**2) / (2 * (s2 + 2)))
        truth = 2 * np.sqrt(s2 / (s2 + 2)) - 2 * across
        got = [
            mmd.block_mmd(rng.normal(size=(400, 1)), rng.normal(shift, 1, (400, 1)), 1.5, 40)
            for _ in range(400)
        ]
        assert np.mean([low <= truth <= high for _, low, high in got]) >= 0.92


def test_the_order_of_rows_changes_nothing_and_too_few_are_refused():
    rng = np.random.default_rng(4)
    before, now = table(rng, 300, 1), table(rng, 300, -1)
    one = drift.multivariate(subject(before, now))
    other = drift.multivariate(
        subject(before.sample(frac=1, random_state=0), now.sample(frac=1, random_state=1))
    )
    assert (one.value, one.low) == pytest.approx((other.value, other.low), abs=1e-12)
    assert one.metrics["mmd2"].value == pytest.approx(other.metrics["mmd2"].value, abs=1e-12)
    refused = drift.multivariate(subject(before, now[: _apart.FEWEST - 1]))
    assert refused.status == "skipped"
    assert "40 rows" in refused.reason
