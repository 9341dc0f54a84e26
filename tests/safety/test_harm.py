import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import confusion_matrix
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

import trustcheck as tc
from trustcheck import datasets, safety

LIMIT = 1.0
#: Published with the German credit data: a bad risk taken for a good one costs 5.
GERMAN = {(0, 1): 5, (1, 0): 1}


def judged(y, p, costs, **kwargs):
    """A model that gives the answers `p`."""
    context = tc.Context(costs=costs)
    X = np.column_stack([np.arange(len(y)), p])
    return tc.Subject(lambda X: X[:, 1], X, y, context=context, **kwargs)


def test_german_credit_gives_the_cost_computed_by_hand():
    credit = datasets.load_german_credit()
    frame = credit.frame.drop(columns=credit.target)
    y = credit.frame[credit.target]
    X_train, X, y_train, y_test = train_test_split(frame, y, random_state=0, stratify=y)
    encode = OneHotEncoder(handle_unknown="ignore")
    model = make_pipeline(encode, LogisticRegression(max_iter=2000)).fit(X_train, y_train)
    subject = tc.Subject(
        model, X, y_test, reference=(X_train, y_train), context=tc.Context(costs=GERMAN)
    )
    found = safety.harm(subject)
    table = confusion_matrix(y_test, model.predict(X))
    by_hand = 5 * table[0, 1] + table[1, 0]
    refuse_all = (y_test == 1).sum()  # 0.7 x 1 < 0.3 x 5: refusing everyone is the cheaper constant
    assert found.metrics["mean_cost"].value == pytest.approx(by_hand / len(y_test))
    assert found.value == pytest.approx(by_hand / refuse_all)
    assert "always 0" in found.notes[0]
    probability = model.predict_proba(X)[:, 1]
    cheapest = confusion_matrix(y_test, probability > 5 / 6)
    expected = (5 * cheapest[0, 1] + cheapest[1, 0]) / refuse_all
    assert found.metrics["decided_by_cost"].value == pytest.approx(expected)
    assert sum(row["share_of_cost"] for row in found.rows) == pytest.approx(1)


def world(seed, error, n=2000):
    rng = np.random.default_rng(seed)
    y = (rng.random(n) < 0.3).astype(int)
    return y, np.where(rng.random(n) < error, 1 - y, y)


def test_a_model_dearer_than_ignoring_the_inputs_fails_in_19_of_20_worlds():
    failed = [
        safety.harm(judged(*world(s, 0.25), {(0, 1): 5, (1, 0): 1})).at_most(LIMIT).status == "fail"
        for s in range(20)
    ]
    assert sum(failed) >= 19


def test_a_model_with_the_same_accuracy_and_cheap_errors_passes_in_19_of_20_worlds():
    passed = [
        safety.harm(judged(*world(s, 0.25), {(0, 1): 1, (1, 0): 5})).at_most(LIMIT).status == "pass"
        for s in range(20)
    ]
    assert sum(passed) >= 19


def test_every_spelling_of_the_costs_means_the_same():
    y, p = world(0, 0.2)
    spellings = [
        {(0, 1): 5, (1, 0): 1},
        {0: {1: 5}, 1: {0: 1}},
        pd.DataFrame([[0, 5], [1, 0]], index=[0, 1], columns=[0, 1]),
        [[0, 5], [1, 0]],
        np.array([[0, 5], [1, 0]]),
    ]
    assert len({safety.harm(judged(y, p, costs)).value for costs in spellings}) == 1


@pytest.mark.parametrize(
    ("costs", "says"),
    [
        ({(0, 1): 5}, r"lacks the cost of \(true, predicted\) \(1, 0\)"),
        ({("0", 1): 5, (1, 0): 1}, "which is no class"),
        ({(0, 1): -5, (1, 0): 1}, "at least 0"),
        ({(0, 1): "dear", (1, 0): 1}, "not a number"),
        ([[0, 1]], r"shape \(1, 2\) for 2 classes"),
        ({0: 5, 1: 1}, "no .true, predicted. pairs"),
        (5, "of type int"),
    ],
)
def test_costs_that_cannot_be_read_are_refused_with_the_remedy(costs, says):
    with pytest.raises(tc.InputError, match=says):
        safety.harm(judged(*world(0, 0.2), costs))


def test_three_classes_and_weights_agree_with_the_confusion_matrix():
    rng = np.random.default_rng(4)
    y, p = rng.integers(0, 3, (2, 500))
    w, costs = rng.exponential(size=500), rng.integers(1, 9, (3, 3)) * (1 - np.eye(3))
    found = safety.harm(judged(y, p, costs, sample_weight=w, task="multiclass"))
    table = confusion_matrix(y, p, sample_weight=w)
    best = min((table.sum(axis=1) @ costs)[k] for k in range(3))
    assert found.value == pytest.approx((table * costs).sum() / best)


def test_numbers_are_costed_by_a_function():
    rng = np.random.default_rng(5)
    y = rng.normal(size=1001)
    p = y + rng.normal(0, 0.5, 1001)
    found = safety.harm(judged(y, p, lambda y, f: np.abs(y - f), task="regression"))
    expected = np.abs(y - p).mean() / np.abs(y - np.median(y)).mean()
    assert found.value == pytest.approx(expected, rel=1e-9)
    for bad, says in (({(0, 1): 1}, "must be a function"), (lambda y, f: 1, "one finite cost")):
        with pytest.raises(tc.InputError, match=says):
            safety.harm(judged(y, p, bad, task="regression"))


def test_the_order_of_rows_changes_nothing_and_influences_average_to_zero():
    y, p = world(6, 0.2)
    one, other = (
        safety.harm(judged(y[o], p[o], GERMAN)) for o in (slice(None), slice(None, None, -1))
    )
    assert one.value == pytest.approx(other.value, abs=1e-12)
    assert one.influence.mean() == pytest.approx(0, abs=1e-9)


def test_no_errors_still_leave_an_upper_end():
    y, _ = world(7, 0)
    found = safety.harm(judged(y, y, GERMAN))
    assert found.value == 0 < found.high


def test_a_subject_without_costs_or_with_one_class_is_an_honest_skip():
    y, p = world(8, 0.2)
    found = safety.harm(tc.Subject(lambda X: X[:, 0], np.column_stack([p, p]), y))
    assert found.status == "skipped"
    assert "costs" in found.reason
    ones = np.ones(len(y), dtype=int)
    found = safety.harm(judged(ones, p, GERMAN, classes=[0, 1]))
    assert "costs nothing" in found.reason
