import numpy as np
import pandas as pd
import pytest
from sklearn.compose import make_column_transformer
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OrdinalEncoder

import trustcheck as tc
from trustcheck import safety

LIMIT = 0.25


def table(seed=0, n=600):
    rng = np.random.default_rng(seed)
    X = pd.DataFrame(
        {
            "age": rng.integers(18, 80, n),
            "pay": rng.lognormal(8, 0.5, n),
            "debt": np.where(rng.random(n) < 0.1, np.nan, rng.normal(5, 2, n)),
            "job": pd.Categorical(rng.choice(["x", "y", "z"], n)),
            "since": pd.Timestamp("2020-01-01") + pd.to_timedelta(rng.integers(0, 999, n), "D"),
            "member": rng.random(n) < 0.5,
        }
    )
    return X, (X["age"] / 10 + np.log(X["pay"]) + rng.normal(size=n) > 13).astype(int)


def careful(X):
    """Probabilities that fall back to a guess beyond the ranges of `X`."""
    low, high = X[["age", "pay"]].min(), X[["age", "pay"]].max()

    def model(frame):
        p = 1 / (1 + np.exp(-(frame["age"].fillna(50) / 10 + np.log(frame["pay"].clip(1)) - 13)))
        odd = [~frame[name].between(low[name], high[name]) for name in ("age", "pay")]
        p = np.where(np.any(odd, axis=0), 0.5, p)
        return np.column_stack([1 - p, p])

    return model


def overconfident(frame):
    p = 1 / (1 + np.exp(-(frame["age"].fillna(99) / 10 - 5)))
    return np.column_stack([1 - p, p])


def test_a_model_surer_the_further_away_is_found_in_19_of_20_worlds():
    found = 0
    for seed in range(20):
        X, y = table(seed)
        finding = safety.fail_safe(tc.Subject(overconfident, X, y, seed=seed))
        found += finding.at_most(LIMIT).status == "fail"
    assert found >= 19


def test_a_model_that_falls_back_to_a_guess_is_quiet_in_19_of_20_worlds():
    for seed in range(20):
        X, y = table(seed)
        finding = safety.fail_safe(tc.Subject(careful(X), X, y, seed=seed))
        assert finding.at_most(LIMIT).status == "pass"
        assert finding.metrics["auroc"].value > 0.9


def test_the_share_is_that_counted_by_hand_on_the_rows_that_were_sent():
    X, y = table()
    sent = []

    def model(frame):
        sent.append(frame)
        return overconfident(frame)

    finding = safety.fail_safe(tc.Subject(model, X, y))
    given, *made = sent
    assert len(made) == 4
    threshold = np.median(overconfident(given).max(axis=1))
    by_hand = [(overconfident(frame).max(axis=1) >= threshold).mean() for frame in made]
    assert [row["value"] for row in finding.rows] == pytest.approx(by_hand)
    assert finding.value == pytest.approx(np.mean(by_hand[:3]))
    assert finding.metrics["shuffled"].value == pytest.approx(by_hand[3])
    beyond, missing, same, _ = made
    outside = (beyond["age"] < X["age"].min()) | (beyond["age"] > X["age"].max())
    assert outside.all()
    assert beyond["age"].dtype == np.int64
    assert (missing.notna().sum(axis=1) <= 1).all()
    assert (same["age"] == same["age"].astype(float)).all()
    assert finding.rows_sent["perturbed"] <= 2 * len(X)


def test_shuffled_columns_of_independent_columns_look_like_the_given_rows():
    X, y = table(n=3000)
    finding = safety.fail_safe(tc.Subject(overconfident, X, y))
    assert finding.metrics["shuffled"].low < 0.5 < finding.metrics["shuffled"].high


def test_a_guard_stops_nonsense_and_is_itself_checked():
    X, y = table()

    def guard(frame):
        inside = frame["age"].between(18, 80) & frame["pay"].between(X["pay"].min(), X["pay"].max())
        return inside & frame["job"].notna()

    subject = tc.Subject(overconfident, X, y, context=tc.Context(guard=guard))
    finding = safety.fail_safe(subject)
    assert finding.value == 0
    assert all(row["stopped_by_guard"] == row["n"] for row in finding.rows if row["counted"])
    assert finding.metrics["guard_accepts"].value == 1
    blind = tc.Context(guard=lambda frame: [False] * len(frame))
    assert safety.fail_safe(tc.Subject(overconfident, X, y, context=blind)).incomplete


def test_a_model_that_refuses_missing_values_is_recorded_and_not_sure():
    X, y = table()
    X = X[["age", "pay"]].astype(float)
    model = LogisticRegression(max_iter=5000).fit(X / [10, 1000], y)

    def strict(frame):
        if frame.isna().any(axis=None):
            raise ValueError("missing")
        return model.predict_proba(frame / [10, 1000])

    (row,) = [
        row
        for row in safety.fail_safe(tc.Subject(strict, X, y)).rows
        if row["sort"] == "all but one value missing"
    ]
    assert (row["value"], row["refused_by_model"], row["exception"]) == (0, row["n"], "ValueError")


def test_a_pipeline_on_mixed_columns_gives_the_same_whatever_the_order_of_rows():
    X, y = table()
    X = X.drop(columns="since")
    columns = make_column_transformer(
        (OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1), ["job"]),
        remainder="passthrough",
    )
    model = make_pipeline(columns, HistGradientBoostingClassifier(max_iter=10)).fit(X, y)
    order = np.random.default_rng(1).permutation(len(X))
    one = safety.fail_safe(tc.Subject(model, X, y))
    other = safety.fail_safe(tc.Subject(model, X.iloc[order], y.iloc[order]))
    assert one.rows == other.rows
    assert 0 <= one.value <= 1


def test_numbers_and_labels_alone_are_honest_skips():
    X, y = table()
    assert (
        safety.fail_safe(tc.Subject(lambda f: f["pay"], X, task="regression")).status == "skipped"
    )
    labels = tc.Subject(lambda f: (f["age"] > 50).astype(int), X, y)
    assert "probabilities" in safety.fail_safe(labels).reason
