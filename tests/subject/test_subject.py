"""What users hand over: accepted as it is, or refused with the remedy."""

import numpy as np
import pandas as pd
import pytest
from sklearn.dummy import DummyClassifier
from sklearn.linear_model import LinearRegression, LogisticRegression

import trustcheck as tc

X = pd.DataFrame({"a": [0.0, 1, 2, 3] * 25, "b": np.arange(100) % 7})
Y = pd.Series([0, 0, 1, 1] * 25)
FITTED = LogisticRegression().fit(X, Y)


def test_an_estimator_a_callable_and_predictions_agree():
    one = tc.Subject(FITTED, X, Y)
    two = tc.Subject(FITTED.predict_proba, X, Y)
    three = tc.Subject(FITTED.predict, X, Y)
    four = tc.Subject.from_predictions(Y, FITTED.predict(X), FITTED.predict_proba(X))
    for other in (two, three, four):
        assert (one.predictions == other.predictions).all()
        assert other.task == "binary"
    assert np.allclose(one.scores, two.scores)
    assert "scores" not in three.offers()
    assert "model" not in four.offers()


def test_two_classes_take_the_larger_as_positive_and_labels_may_be_text():
    names = Y.map({0: "bad", 1: "good"})
    model = LogisticRegression().fit(X, names)
    assert tc.Subject(model, X, names).positive == "good"
    assert tc.Subject(model, X, names, positive="bad").positive_code == 0
    with pytest.raises(tc.InputError, match="'ugly' is not a class"):
        tc.Subject(model, X, names, positive="ugly")


def test_tasks_are_told_apart():
    assert tc.Subject(LinearRegression().fit(X, Y), X, Y).task == "regression"
    assert tc.Subject(lambda X: X["a"] * 1.5, X, X["a"] * 1.5 + 0.1).task == "regression"
    three = LogisticRegression().fit(X, np.arange(100) % 3)
    assert tc.Subject(three, X, np.arange(100) % 3).task == "multiclass"


def test_the_sensitive_columns_may_stand_inside_or_outside():
    inside = tc.Subject(FITTED, X.assign(sex="f"), Y, sensitive=["sex"])
    outside = tc.Subject(FITTED, X, Y, sensitive=pd.DataFrame({"sex": ["f"] * 100}))
    series = tc.Subject(FITTED, X, Y, sensitive=pd.Series(["f"] * 100, name="sex"))
    assert inside.sensitive == outside.sensitive == series.sensitive == ("sex",)
    assert inside.features == ["a", "b"]
    assert list(inside.X.columns) == ["a", "b"]


def test_a_class_the_model_never_saw_gets_probability_zero():
    y = Y.copy()
    y[0] = 2
    subject = tc.Subject(FITTED, X, y)
    assert subject.classes == (0, 1, 2)
    assert subject.scores.shape == (100, 3)
    assert (subject.scores[:, 2] == 0).all()


def test_an_array_is_sent_as_an_array():
    seen = []

    def model(table):
        seen.append(type(table))
        return np.zeros(len(table), dtype=int)

    subject = tc.Subject(model, X.to_numpy(), Y)
    _ = subject.predictions
    assert seen == [np.ndarray]
    assert subject.features == ["x0", "x1"]


def test_the_schema_is_read_from_the_reference_printed_and_edited():
    subject = tc.Subject(FITTED, X, Y, schema={"a": {"immutable": True, "high": 9.0}})
    assert subject.schema["a"].immutable
    assert subject.schema["a"].high == 9.0
    assert "immutable" in repr(subject.schema)
    with pytest.raises(tc.InputError, match="no feature 'z'"):
        tc.Subject(FITTED, X, Y, schema={"z": {}})
    with pytest.raises(tc.InputError, match="has no field wobble"):
        tc.Subject(FITTED, X, Y, schema={"a": {"wobble": 1}})


def test_samples_depend_on_content_not_on_order():
    subject = tc.Subject(FITTED, X.assign(id=np.arange(100.0)), Y, features=["a", "b"])
    order = np.random.default_rng(0).permutation(100)
    other = tc.Subject(
        FITTED, X.assign(id=np.arange(100.0)).iloc[order], Y.iloc[order], features=["a", "b"]
    )
    one = subject.sample(10, np.random.default_rng(5))
    two = other.sample(10, np.random.default_rng(5))
    assert list(one) == list(order[two])
    assert len(set(subject.sample(1000, np.random.default_rng(1)))) == 100


def test_levels_are_printed_only_when_shared():
    names = pd.DataFrame(
        {"job": ["clerk"] * 95 + ["rare secret"] * 5, "who": [f"person {i}" for i in range(100)]}
    )
    subject = tc.Subject(lambda X: np.zeros(len(X), dtype=int), names, Y)
    assert subject.printable_level("job", "clerk") == "clerk"
    assert subject.printable_level("job", "rare secret") == "level #2"
    assert subject.printable_level("who", "person 3").startswith("level #")


BAD = {
    "an empty table": (lambda: tc.Subject(FITTED, X[:0], Y[:0]), "no rows"),
    "labels of another length": (lambda: tc.Subject(FITTED, X, Y[:50]), "y has 50 rows, but the table has 100"),
    "a missing column": (lambda: tc.Subject(FITTED, X[["a"]], Y), "no column 'b', which the model reads"),
    "a doubled column": (lambda: tc.Subject(FITTED, pd.concat([X, X], axis=1), Y), "more than one column named a, b"),
    "an unequal index": (lambda: tc.Subject(FITTED, X, Y.set_axis(range(1, 101))), "different indexes"),
    "missing labels": (lambda: tc.Subject(FITTED, X, Y.astype(float).where(Y.index != 7)), "missing in 1 row(s), the first at position 7"),
    "labels of another kind": (lambda: tc.Subject(FITTED, X, Y.astype(str)), "labels are str, classes are int"),
    "one class": (lambda: tc.Subject(lambda X: np.zeros(len(X)), X, Y * 0, task="binary"), "only one class"),
    "an unfitted model": (lambda: tc.Subject(LogisticRegression(), X, Y), "not fitted"),
    "a class instead of a model": (lambda: tc.Subject(LogisticRegression, X, Y), "not a fitted instance"),
    "no model at all": (lambda: tc.Subject(42, X, Y), "no predict or predict_proba"),
    "a negative weight": (lambda: tc.Subject(FITTED, X, Y, sample_weight=np.r_[-1.0, np.ones(99)]), "negative in 1 row(s), the first at position 0"),
    "only zero weights": (lambda: tc.Subject(FITTED, X, Y, sample_weight=np.zeros(100)), "every sample_weight is 0"),
    "an unknown sensitive column": (lambda: tc.Subject(FITTED, X, Y, sensitive=["sex"]), "'sex', but X has no such column"),
    "a reference without a column": (lambda: tc.Subject(FITTED, X, Y, reference=X[["a"]]), "reference has no column 'b'"),
    "a row that belongs to nobody": (lambda: tc.Subject(FITTED, X, Y, cluster=np.where(Y.index == 3, np.nan, 1.0)), "cluster is missing in 1 row(s), the first at position 3"),
    "columns under other names": (lambda: tc.Subject(FITTED, X.to_numpy(), Y), "it has 'x0', 'x1': give it the model's own names"),
    "an unknown task": (lambda: tc.Subject(FITTED, X, Y, task="ranking"), "task must be"),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD)
def test_bad_input_is_refused_with_the_remedy(case):
    make, message = BAD[case]
    with pytest.raises(tc.InputError) as caught:
        make()
    assert message in str(caught.value)


class Odd:
    """A model that misbehaves in one way."""

    classes_ = np.array([0, 1])

    def __init__(self, proba=None, labels=None):
        self.proba, self.labels = proba, labels

    def predict_proba(self, X):
        return self.proba(len(X))

    def predict(self, X):
        return self.labels(len(X))


ANSWERS = {
    "nan": (lambda n: np.full((n, 2), np.nan), "not finite in 100 row(s), the first at position 0"),
    "outside": (lambda n: np.tile([1.5, -0.5], (n, 1)), "outside [0, 1]"),
    "not a sum of one": (lambda n: np.tile([0.5, 0.4], (n, 1)), "not summing to 1"),
    "wrong columns": (lambda n: np.full((n, 3), 1 / 3), "shape 100 x 3, but there are 2 classes"),
    "wrong rows": (lambda n: np.full((n - 1, 2), 0.5), "answered 99 rows for 100 rows"),
}


@pytest.mark.parametrize("case", ANSWERS)
def test_wrong_probabilities_are_named(case):
    proba, message = ANSWERS[case]
    subject = tc.Subject(Odd(proba=proba), X, Y)
    with pytest.raises(tc.InputError) as caught:
        _ = subject.scores
    assert message in str(caught.value)


def test_a_label_that_is_no_class_is_named_by_position():
    subject = tc.Subject(lambda X: np.r_[np.zeros(99), 7].astype(int), X, Y)
    with pytest.raises(
        tc.InputError, match="1 value.s. that are no class, the first at position 99"
    ):
        _ = subject.predictions


def test_regression_predictions_that_are_not_finite_are_named():
    subject = tc.Subject(
        lambda X: np.r_[np.ones(50), np.nan, np.ones(49)], X, X["a"] + 0.5, task="regression"
    )
    with pytest.raises(tc.InputError, match="first at position 50"):
        _ = subject.predictions


def test_rows_are_counted_by_purpose():
    subject = tc.Subject(FITTED, X, Y, reference=X)
    _ = subject.predictions, subject.scores, subject.reference.predictions
    view = subject.view()
    view.predict(X[:10])
    assert view.rows_sent() == {"perturbed": 10}
    assert subject.rows_sent() == {"given": 100, "reference": 100, "perturbed": 10}


def test_near_ties_are_asked_for_labels():
    subject = tc.Subject(DummyClassifier(strategy="prior").fit(X, Y), X, Y)
    assert (subject.predictions == subject._model.native.predict(X)).all()


def test_copies_of_a_row_are_drawn_one_by_one():
    frame = pd.DataFrame({"a": np.repeat([0.0, 1.0], 500)})
    subject = tc.Subject(lambda X: np.zeros(len(X), dtype=int), frame, [0, 1] * 500, features=["a"])
    shares = [
        frame["a"].to_numpy()[subject.sample(100, np.random.default_rng(s))].mean()
        for s in range(200)
    ]
    # Without replacement from 500 and 500: standard deviation 0.047.
    assert np.mean(shares) == pytest.approx(0.5, abs=0.015)
    assert 0.03 < np.std(shares) < 0.065


def test_dates_count_in_one_unit_and_kinds_can_be_corrected():
    frame = pd.DataFrame(
        {
            "s": pd.date_range("2020", periods=100, freq="D").astype("datetime64[s]"),
            "z": pd.date_range("2020", periods=100, freq="D", tz="Asia/Tokyo"),
            "code": np.arange(100) % 3,
        }
    )
    model = lambda X: np.zeros(len(X), dtype=int)  # noqa: E731
    subject = tc.Subject(model, frame, Y, schema={"code": {"kind": "categorical"}})
    day = 86_400e9
    assert subject.schema["s"].high - subject.schema["s"].low == pytest.approx(99 * day)
    assert subject.schema["z"].high - subject.schema["z"].low == pytest.approx(99 * day)
    assert subject.schema["code"].levels == (0, 1, 2)
