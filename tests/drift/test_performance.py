import numpy as np
import pandas as pd
import pytest
from scipy.special import expit
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.linear_model import LinearRegression, LogisticRegression

import trustcheck as tc
from trustcheck import datasets, drift

HELD_OUT = drift.performance_estimate.using(held_out=True)


class Fixed:
    """A model whose scores are off: too extreme."""

    classes_ = np.array([0, 1])

    def predict_proba(self, X):
        chance = expit(1.8 * np.asarray(X)[:, 0])
        return np.column_stack([1 - chance, chance])

    def predict(self, X):
        return (np.asarray(X)[:, 0] > 0).astype(int)


def world(seed, shift, n=800, model=None):
    rng = np.random.default_rng(seed)
    before, now = rng.normal(0, 1.5, (n, 2)), rng.normal(0, 1.5, (n, 2))
    now[:, 0] += shift
    labels = [(rng.random(n) < expit(X[:, 0])).astype(int) for X in (before, now)]
    return tc.Subject(model or Fixed(), now, labels[1], reference=(before, labels[0]), seed=seed)


def loss_at(shift):
    x = np.random.default_rng(99).normal(shift, 1.5, 400_000)
    return np.where(x > 0, 1 - expit(x), expit(x)).mean()


def test_the_true_loss_is_inside_without_labels_being_looked_at():
    for shift in (0.0, 1.0):
        truth = loss_at(shift)
        found = [HELD_OUT.run(world(seed, shift)) for seed in range(20)]
        assert sum(f.low <= truth <= f.high for f in found) >= 17
        assert set(found[0].metrics) == {"loss", "auc", "precision", "recall"}
    blind = world(0, 1.0)
    other = tc.Subject(
        Fixed(), blind.X.to_numpy(), task="binary",
        reference=(blind.reference.X.to_numpy(), blind.reference.truth), seed=0,
    )  # fmt: skip
    assert HELD_OUT.run(other).value == pytest.approx(HELD_OUT.run(blind).value, abs=0.003)


def test_a_loss_that_grows_is_found_in_19_of_20_worlds_and_its_clean_twin_is_not():
    """Rows move to where the model is unsure: more answers are wrong."""
    rng = np.random.default_rng(5)
    worse, same = 0, 0
    for _ in range(20):
        before = rng.normal(0, 1.5, (600, 2))
        y = (rng.random(600) < expit(2 * before[:, 0])).astype(int)
        for move in (True, False):
            now = rng.normal(0, 1.5, (600, 2)) * np.array([0.4 if move else 1.0, 1.0])
            found = HELD_OUT.run(tc.Subject(Fixed(), now, reference=(before, y), task="binary"))
            worse += move and found.low > 0.21
            same += not move and found.low <= 0.21
    assert worse >= 19
    assert same >= 19


def test_windows_follow_the_time():
    subject = world(1, 0.0, n=4000)
    X, y = subject.X.to_numpy(), subject.truth
    late = np.arange(4000) >= 2000
    X = X * np.where(late, 0.3, 1.0)[:, None]
    y = (np.random.default_rng(0).random(4000) < expit(X[:, 0])).astype(int)
    reference = (subject.reference.X.to_numpy(), subject.reference.truth)
    mixed = np.random.default_rng(1).permutation(4000)
    timed = tc.Subject(Fixed(), X[mixed], y[mixed], reference=reference, time=mixed)
    found = HELD_OUT.using(windows=8).run(timed)
    rows = found.to_frame()
    assert found.picture == "curve"
    assert rows["window"].tolist() == list(range(1, 9))
    assert rows["low"][4:].min() > rows["high"][:4].max()
    assert ((rows["observed"] - rows["loss"]).abs() < 0.06).all()
    assert found.plot() is not None
    with pytest.raises(tc.InputError, match="at most 80"):
        HELD_OUT.using(windows=500).run(timed)
    assert "time=" in HELD_OUT.using(windows=2).run(world(1, 0.0)).reason


def test_it_never_passes_by_itself():
    found = HELD_OUT.run(world(2, 0.0))
    with pytest.warns(tc.TrustInconclusiveWarning):
        verdict = found.at_most(0.9)
    assert verdict.status == "inconclusive"
    assert "without labels" in verdict.message
    assert found.assurance == "searched"


def test_it_refuses_where_the_reference_says_nothing():
    assert "told apart with an AUC of 1.00" in HELD_OUT.run(world(3, 30.0)).reason
    rng = np.random.default_rng(4)
    X, y = rng.normal(size=(600, 3)), rng.integers(0, 2, 600)
    forest = RandomForestClassifier(20, random_state=0).fit(X[:300], y[:300])
    learnt = tc.Subject(forest, X[300:], y[300:], reference=(X[:300], y[:300]))
    assert "held_out=True" in drift.performance_estimate(learnt).reason
    unlabelled = tc.Subject(forest, X[300:], reference=(X[:300], y[:300]))
    assert "Memory" in " ".join(drift.performance_estimate(unlabelled).notes)
    few = tc.Subject(Fixed(), X[:20], reference=(X, y), task="binary")
    assert "100 rows" in HELD_OUT.run(few).reason


def test_adult_older_people_and_the_years_of_the_bank():
    X_train, X_test, y_train, y_test = datasets.load_adult().train_test()
    numbers = ["age", "education_num", "hours_per_week", "capital_gain", "capital_loss"]
    model = HistGradientBoostingClassifier(random_state=0).fit(
        X_train[numbers][:16_000], y_train[:16_000]
    )
    older = (X_test["age"] > 45).to_numpy()
    subject = tc.Subject(
        model, X_test[numbers][older].reset_index(drop=True), y_test[older].reset_index(drop=True),
        reference=(X_train[numbers][16_000:], y_train[16_000:]),
    )  # fmt: skip
    found = HELD_OUT.run(subject)
    observed = float(np.mean(subject.predictions != subject.truth))
    assert found.low - 0.005 <= observed <= found.high + 0.005
    assert "inside" in found.notes[-1] or abs(observed - found.value) < 0.015
    bank = datasets.load_bank_marketing()
    before, now = bank.frame.year == 2008, bank.frame.year == 2009
    columns = ["euribor3m", "age"]
    model = LogisticRegression().fit(bank.X.loc[before, columns], bank.y[before])
    parts = [
        (bank.X.loc[y, columns].reset_index(drop=True), bank.y[y].reset_index(drop=True))
        for y in (before, now)
    ]
    refused = HELD_OUT.run(tc.Subject(model, *parts[1], reference=parts[0]))
    assert refused.status == "skipped"
    assert "labels are needed" in refused.reason


def test_numbers_more_classes_and_models_without_scores():
    rng = np.random.default_rng(6)

    def rows(n, shift):
        X = rng.normal(shift, 1, (n, 2))
        return X, X[:, 0] + np.exp(X[:, 1] / 2) * rng.normal(size=n)

    known, before, now = rows(500, 0.0), rows(4000, 0.0), rows(2000, 0.8)
    model = LinearRegression().fit(*known)
    found = HELD_OUT.run(tc.Subject(model, *now, reference=before))
    observed = np.abs(model.predict(now[0]) - now[1]).mean()
    assert found.low <= observed <= found.high
    assert found.low > np.abs(model.predict(before[0]) - before[1]).mean()

    y = [
        np.digitize(X[:, 0] + rng.normal(0, 0.5, len(X)), [-0.5, 0.7])
        for X in (known[0], before[0], now[0])
    ]
    classifier = LogisticRegression().fit(known[0], y[0])
    for asked in (classifier, classifier.predict):
        subject = tc.Subject(asked, now[0], y[2], reference=(before[0], y[1]), task="multiclass")
        found = HELD_OUT.run(subject)
        assert set(found.metrics) == {"loss"}
        observed = float(np.mean(classifier.predict(now[0]) != y[2]))
        assert abs(found.value - observed) < 0.06


def test_the_order_of_rows_changes_nothing():
    subject = world(7, 0.5, n=500)
    mixed = np.random.default_rng(0).permutation(500)
    again = tc.Subject(
        Fixed(), subject.X.iloc[mixed].to_numpy(), subject.truth[mixed],
        reference=(subject.reference.X.to_numpy(), subject.reference.truth), seed=7,
    )  # fmt: skip
    one, other = HELD_OUT.run(subject), HELD_OUT.run(again)
    assert one == HELD_OUT.run(subject)
    for name, estimate in one.metrics.items():
        twin = other.metrics[name]
        assert (estimate.value, estimate.low) == pytest.approx((twin.value, twin.low), abs=1e-12)
    assert isinstance(one.to_frame(), pd.DataFrame)
