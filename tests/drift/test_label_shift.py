import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.tree import DecisionTreeClassifier

import trustcheck as tc
from trustcheck import drift
from trustcheck.stats.label_shift import black_box_shift


def rows(rng, y):
    return y[:, None] * np.array([1.2, 0.0]) + rng.normal(size=(len(y), 2))


def world(seed, share, n=1500, classes=2):
    """A model fitted elsewhere, a labelled reference, and rows with other shares of classes."""
    rng = np.random.default_rng(seed)
    known, before = (rng.integers(0, classes, n) for _ in range(2))
    now = rng.choice(classes, n, p=share)
    model = LogisticRegression().fit(rows(rng, known), known)
    X = rows(rng, before)
    return tc.Subject(model, rows(rng, now), now, reference=(X, before))


def test_weights_equal_the_solution_of_lipton_and_others():
    confusion, predicted = (
        np.array([[70, 20, 5], [20, 60, 15], [10, 20, 80]]),
        np.array([9, 30, 61]),
    )
    found = black_box_shift(confusion, predicted)
    expected = np.linalg.solve(confusion / confusion.sum(), predicted / predicted.sum())
    assert found.weights.value.tolist() == pytest.approx(expected.tolist(), abs=1e-12)
    assert found.shares.value.sum() == pytest.approx(1.0, abs=1e-12)
    assert found.condition == pytest.approx(np.linalg.cond(confusion / confusion.sum(axis=0)))


@pytest.mark.parametrize("share", [[0.5, 0.5], [0.8, 0.2], [0.25, 0.25, 0.5]])
def test_the_intervals_cover(share):
    rng = np.random.default_rng(0)
    k = len(share)
    given = np.full((k, k), 0.25 / (k - 1)) + np.eye(k) * (0.75 - 0.25 / (k - 1))
    base = np.full(k, 1 / k)
    truth = np.abs(np.array(share) - base).sum() / 2
    inside, shares, weights = [], [], []
    for _ in range(300):
        confusion = rng.multinomial(800, (given * base).ravel()).reshape(k, k)
        found = black_box_shift(confusion, rng.multinomial(500, given @ share))
        inside.append(found.distance.low <= truth <= found.distance.high)
        shares.append((found.shares.low <= share) & (share <= found.shares.high))
        ratio = np.array(share) / base
        weights.append((found.weights.low <= ratio) & (ratio <= found.weights.high))
    assert np.mean(inside) >= 0.93
    assert np.mean(shares) >= 0.93
    assert np.mean(weights) >= 0.93


def test_a_shift_is_found_in_19_of_20_worlds_and_its_clean_twin_is_quiet():
    moved = [drift.label_shift(world(s, [0.85, 0.15]), held_out=True) for s in range(20)]
    still = [drift.label_shift(world(s, [0.5, 0.5]), held_out=True) for s in range(20)]
    assert sum(f.at_most(0.10).status == "fail" for f in moved) >= 19
    assert sum(f.low == 0 for f in still) >= 18
    assert sum(f.low <= 0.05 for f in still) == 20
    row = moved[0].rows[0]
    assert row["low"] <= row["observed"] <= row["high"]


def test_it_never_passes_by_itself():
    found = drift.label_shift(world(0, [0.5, 0.5], n=20_000), held_out=True)
    with pytest.warns(tc.TrustInconclusiveWarning):
        verdict = found.at_most(0.10)
    assert found.high < 0.10
    assert verdict.status == "inconclusive"
    assert "labels alone" in verdict.message


def test_what_cannot_be_solved_is_refused():
    X, y = np.zeros((50, 1)), np.array([0, 1] * 25)
    blind = tc.Subject(lambda X: np.zeros(len(X), int), X, y, reference=(X, y))
    assert "cannot tell" in drift.label_shift(blind).reason
    rng = np.random.default_rng(1)
    y = rng.integers(0, 2, 400)
    X = rows(rng, y)
    tree = DecisionTreeClassifier(random_state=0).fit(X[:200], y[:200])
    learnt = tc.Subject(tree, X[200:], y[200:], reference=(X[:200], y[:200]))
    assert "held_out=True" in drift.label_shift(learnt).reason
    one = tc.Subject(tree, X[200:], y[200:], reference=(X[:20], np.zeros(20, int)))
    assert "no row of class '1'" in drift.label_shift(one, held_out=True).reason
