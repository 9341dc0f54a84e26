import numpy as np
import pytest
import scipy.stats
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.tree import DecisionTreeClassifier

import trustcheck as tc
from trustcheck.reliability import churn
from trustcheck.stats import churn as chance
from trustcheck.types import InputError

LIMIT = 0.10


def world(seed, model, n=1200):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(2 * n, 5))
    y = np.where(X[:, 0] + 0.7 * rng.normal(size=2 * n) > 0, "yes", "no")
    return tc.Subject(model.fit(X[:n], y[:n]), X[n:], y[n:], reference=(X[:n], y[:n]))


def test_a_deep_tree_fails_and_a_line_passes_in_19_of_20_worlds():
    deep = [churn(world(s, DecisionTreeClassifier())) for s in range(20)]
    line = [churn(world(s, LogisticRegression())) for s in range(20)]
    assert sum(found.low > LIMIT for found in deep) >= 19
    assert sum(found.high < LIMIT for found in line) >= 19
    assert deep[0].metrics["arbitrary"].value > deep[0].value


def test_the_users_model_is_neither_asked_nor_changed():
    subject = world(1, DecisionTreeClassifier(max_depth=4))
    before = subject.predictions.copy()
    found = churn(subject)
    assert found.rows_sent == {}
    assert (subject.native.predict(subject.own(subject.X)) == np.array(["no", "yes"])[before]).all()
    assert churn(subject) == found


def test_fewer_rows_than_the_reference_has_bound_the_churn_from_above():
    subject = world(2, DecisionTreeClassifier())
    found = churn(subject, rows=100)
    assert found.low == 0
    assert found.metrics["churn"].method == "bound"
    assert found.at_most(0.9).status == "pass"
    assert "bound from above" in found.notes[1]


def test_numbers_are_compared_in_scales_of_the_predictions():
    rng = np.random.default_rng(3)
    X = rng.normal(size=(1000, 2))
    y = X[:, 0] + 0.1 * rng.normal(size=1000)
    subject = tc.Subject(Ridge().fit(X, y), X, y, reference=(X, y))
    assert 0 < churn(subject).value < 0.02


def test_what_cannot_be_fitted_is_skipped_and_bad_parameters_are_refused():
    X, y = np.zeros((50, 1)), np.tile([0, 1], 25)
    found = churn(tc.Subject(lambda X: np.zeros(len(X), int), X, y, reference=(X, y)))
    assert found.status == "skipped"
    assert "fit" in found.reason
    with pytest.raises(InputError, match="at least 3"):
        churn(world(4, LogisticRegression()), fits=2)


def test_disagreement_and_distance_are_those_of_all_pairs():
    rng = np.random.default_rng(5)
    labels, numbers = rng.integers(0, 3, (6, 40)), rng.normal(size=(6, 40))
    pairs = [(a, b) for a in range(6) for b in range(a)]
    slow = np.mean([labels[a] != labels[b] for a, b in pairs], axis=0)
    assert chance.disagreement(labels) == pytest.approx(slow, abs=1e-12)
    slow = np.mean([np.abs(numbers[a] - numbers[b]) for a, b in pairs], axis=0)
    assert chance.distance(numbers) == pytest.approx(slow, abs=1e-12)


def test_the_interval_covers_the_churn_of_many_fits_in_about_95_of_100_worlds():
    # Row i says "yes" where its score plus the fit's own shift is positive: the truth is an integral.
    rng, covered = np.random.default_rng(6), 0
    score = rng.normal(size=20_000)
    yes = scipy.stats.norm.cdf(score / 0.5)
    target = np.mean(2 * yes * (1 - yes))
    for _ in range(200):
        rows = rng.choice(score, 400)
        got = chance.mean_churn(rows + 0.5 * rng.normal(size=(5, 1)) > 0)
        covered += got.low <= target <= got.high
    assert covered >= 178
