import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.metrics import balanced_accuracy_score, r2_score
from sklearn.tree import DecisionTreeClassifier

import trustcheck as tc
from trustcheck.reliability import generalisation

LIMIT = 0.10


def world(seed, model, n=3000):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(2 * n, 4))
    y = (X[:, 0] + rng.normal(size=2 * n) > 0).astype(int)
    return tc.Subject(model.fit(X[:n], y[:n]), X[n:], y[n:], reference=(X[:n], y[:n]))


def test_a_tree_that_learnt_by_heart_fails_and_a_line_passes_in_19_of_20_worlds():
    deep = [generalisation(world(s, DecisionTreeClassifier())) for s in range(20)]
    plain = [generalisation(world(s, LogisticRegression())) for s in range(20)]
    assert sum(found.at_most(LIMIT).status == "fail" for found in deep) >= 19
    assert sum(found.at_most(LIMIT).status == "pass" for found in plain) >= 19
    assert "by heart" in deep[0].notes[0]


def test_both_skills_are_scikit_learns():
    subject = world(1, DecisionTreeClassifier(max_depth=4), n=800)
    found = generalisation(subject)
    past = subject.reference
    for name, side in (("reference_skill", past), ("skill", subject.data)):
        expected = balanced_accuracy_score(side.truth, side.predictions, adjusted=True)
        assert found.metrics[name].value == pytest.approx(expected, abs=1e-12)
    gap = found.metrics["reference_skill"].value - found.metrics["skill"].value
    assert found.value == pytest.approx(gap, abs=1e-12)


def test_regression_compares_r_squared_against_one_mean():
    rng = np.random.default_rng(2)
    X = rng.normal(size=(600, 3))
    y = X[:, 0] + rng.normal(size=600)
    subject = tc.Subject(
        Ridge().fit(X[:300], y[:300]), X[300:], y[300:], reference=(X[:300], y[:300])
    )
    found = generalisation(subject)
    past = subject.reference
    assert found.metrics["reference_skill"].value == pytest.approx(
        r2_score(past.truth, past.predictions), abs=1e-12
    )
    assert found.at_most(0.3).status == "pass"


def test_without_labels_of_the_reference_it_is_skipped_with_the_remedy():
    rng = np.random.default_rng(3)
    X, y = rng.normal(size=(100, 2)), np.tile([0, 1], 50)
    found = generalisation(tc.Subject(LogisticRegression().fit(X, y), X, y, reference=X))
    assert found.status == "skipped"
    assert "reference=(X, y)" in found.reason


@pytest.mark.parametrize("where", ["given", "reference", "weights"])
def test_one_true_class_is_an_honest_skip(where):
    rng = np.random.default_rng(4)
    X, y = rng.normal(size=(100, 2)), np.tile([0, 1], 50)
    one = np.ones(100, int)
    model = LogisticRegression().fit(X, y)
    subject = tc.Subject(
        model,
        X,
        one if where == "given" else y,
        reference=(X, one if where == "reference" else y),
        sample_weight=y if where == "weights" else None,
    )
    found = generalisation(subject)
    assert found.status == "skipped"
    assert "other class" in found.reason
