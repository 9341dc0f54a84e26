import numpy as np
import pandas as pd
import pytest
from sklearn.compose import make_column_transformer
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.impute import SimpleImputer
from sklearn.inspection import permutation_importance
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

import trustcheck as tc
from trustcheck import privacy

LIMIT = 0.50


def world(seed, used, d=8, n=1500, **more):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(2 * n, d))
    signal = X[:, :used].sum(axis=1) / used**0.5
    y = (signal + rng.normal(0, 0.3, 2 * n) > 0).astype(int)
    model = LogisticRegression(C=100).fit(X[:n], y[:n])
    return tc.Subject(model, X[n:], y[n:], reference=(X[:n], y[:n]), **more)


def costs(finding):
    return np.array([row["cost"] for row in finding.rows])


def test_the_cost_in_a_linear_world_is_the_closed_form():
    rng = np.random.default_rng(0)
    slopes = np.array([1.0, 0.5, 0.1, 0.0])
    X = rng.normal(size=(8000, 4))
    y = X @ slopes + rng.normal(size=8000)
    model = LinearRegression().fit(X, y)
    finding = privacy.minimisation(tc.Subject(model, X, y), rows=8000)
    # E (x - x')^2 = 2 for two independent draws; var y = 1 + sum of squared slopes.
    expected = 2 * slopes**2 / (1 + (slopes**2).sum())
    assert costs(finding) == pytest.approx(expected, abs=0.03)
    assert finding.value == 0.5  # 2 * 0.1^2 / 2.26 = 0.009 is below delta
    assert [row["needed"] for row in finding.rows] == ["yes", "yes", "open", "no"]


def test_the_cost_agrees_with_scikit_learn_s_permutation_importance():
    subject = world(1, used=3, d=5)
    X, y = subject.X.to_numpy(), subject.truth
    finding = privacy.minimisation(subject, rows=1500)
    theirs = permutation_importance(
        subject.native, X, y, scoring="neg_brier_score", n_repeats=20, random_state=0
    )
    share = y.mean()
    assert costs(finding) == pytest.approx(
        theirs.importances_mean / (share * (1 - share)), abs=0.06
    )


def test_a_model_that_reads_mostly_noise_fails_and_one_that_needs_its_columns_passes():
    found = [
        privacy.minimisation(world(s, used=2, n=4500)).at_most(LIMIT).status for s in range(20)
    ]
    quiet = [privacy.minimisation(world(s, used=7)).at_most(LIMIT).status for s in range(20)]
    assert found.count("fail") >= 19
    assert quiet.count("pass") >= 19


def test_columns_that_stand_in_for_each_other_are_missed_together():
    rng = np.random.default_rng(3)
    x = rng.normal(size=(3000, 1))
    # The model answers from the first copy unless the copies differ, then from the vote.
    X = np.hstack([x, x, x, rng.normal(size=(3000, 2))])
    subject = tc.Subject(
        lambda Z: (np.median(Z[:, :3], axis=1) > 0).astype(int), X, (x[:, 0] > 0).astype(int)
    )
    finding = privacy.minimisation(subject)
    assert finding.value == finding.low == 1.0  # each copy alone is spare ...
    assert finding.metrics["together"].low > 0.3  # ... but not all of them


def test_default_cost_and_one_pass():
    finding = privacy.minimisation(world(4, used=2))
    assert finding.rows_sent["perturbed"] <= 2 * 1500
    assert finding.n == 333


def test_mixed_table_through_a_pipeline_with_missing_values():
    rng = np.random.default_rng(5)
    n = 1200
    X = pd.DataFrame(
        {
            "age": rng.integers(18, 80, n),
            "job": pd.Categorical(rng.choice(["a", "b", "c"], n)),
            "debt": np.where(rng.random(n) < 0.2, np.nan, rng.normal(size=n)),
            "town": rng.choice(["x", "y"], n),
        }
    )
    y = np.where((X["job"] == "a") | (X["age"] > 60), "yes", "no")
    columns = make_column_transformer(
        (OneHotEncoder(handle_unknown="ignore"), ["job", "town"]),
        (SimpleImputer(), ["debt"]),
        remainder="passthrough",
        sparse_threshold=0,
    )
    model = make_pipeline(columns, HistGradientBoostingClassifier(random_state=0)).fit(X, y)
    reference = X.assign(job=X["job"].cat.add_categories("d"))
    finding = privacy.minimisation(tc.Subject(model, X, y, reference=reference))
    needed = {row["feature"]: row["needed"] for row in finding.rows}
    assert needed == {"age": "yes", "job": "yes", "debt": "no", "town": "no"}


def test_labels_alone_are_judged_by_right_and_wrong():
    rng = np.random.default_rng(6)
    X = rng.normal(size=(2000, 3))
    y = (X[:, 0] > 0).astype(int)
    finding = privacy.minimisation(tc.Subject(lambda Z: (Z[:, 0] > 0).astype(int), X, y))
    # Half of the swapped signs are wrong, which is as bad as the majority answer.
    assert costs(finding) == pytest.approx([1.0, 0.0, 0.0], abs=0.1)
    assert finding.value == finding.low == 2 / 3


def test_order_seed_weights_and_clusters():
    subject = world(7, used=3, n=400)
    X, y = subject.X.to_numpy(), subject.truth
    order = np.random.default_rng(1).permutation(400)
    one = privacy.minimisation(tc.Subject(subject.native, X, y))
    two = privacy.minimisation(tc.Subject(subject.native, X[order], y[order]))
    assert costs(one) == pytest.approx(costs(two), abs=1e-12)
    weighted = tc.Subject(subject.native, X, y, sample_weight=np.r_[np.ones(200), np.zeros(200)],
                          cluster=np.arange(400) // 2)  # fmt: skip
    assert privacy.minimisation(weighted).status == "measured"


def test_what_cannot_be_measured_is_said():
    X = np.random.default_rng(8).normal(size=(60, 40))
    y = (X[:, 0] > 0).astype(int)
    model = LogisticRegression().fit(X, y)
    finding = privacy.minimisation(tc.Subject(model, X, y))
    assert finding.status == "skipped"
    assert "rows=" in finding.reason
    assert privacy.minimisation(tc.Subject(model, X, y), rows=60).status == "measured"
    one_class = tc.Subject(model, X, np.zeros(60, dtype=int), classes=[0, 1])
    assert "same true value" in privacy.minimisation(one_class, rows=60).reason
    with pytest.raises(tc.InputError, match="delta"):
        privacy.minimisation(tc.Subject(model, X, y), delta=0)
