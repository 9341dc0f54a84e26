import numpy as np
import pandas as pd
import pytest

import trustcheck as tc
from trustcheck import fairness

LIMIT = 0.80


def table(rng, n=800):
    return pd.DataFrame(
        {
            "age": np.where(rng.random(n) < 0.05, np.nan, rng.normal(40, 10, n)),
            "income": rng.lognormal(10, 0.5, n),
            "job": pd.Categorical(rng.choice(["clerk", "smith", None], n)),
        }
    )


def subject(X, answer, order=None, **params):
    answer = np.asarray(answer)
    if order is not None:
        X, answer = X.iloc[order].reset_index(drop=True), answer[order]
    return tc.Subject.from_predictions(answer, answer, X=X, **params)


def test_one_numeric_column_equals_a_brute_search_over_the_other_half(monkeypatch):
    rng = np.random.default_rng(0)
    X = pd.DataFrame({"x": rng.normal(size=200)})
    answer = rng.integers(0, 2, 200)
    monkeypatch.setattr("trustcheck.fairness._consistency.content_order", lambda *_: np.arange(200))
    x = X["x"].to_numpy()
    expected = [
        1 - abs(answer[i] - answer[100 + np.argsort(abs(x[100:] - x[i]))[:5]].mean())
        for i in range(100)
    ]
    finding = fairness.consistency(subject(X, answer))
    assert finding.value == pytest.approx(np.mean(expected), abs=1e-12)


def test_an_arbitrary_model_fails_in_19_of_20_worlds():
    found = 0
    for seed in range(20):
        rng = np.random.default_rng(seed)
        finding = fairness.consistency(subject(table(rng), rng.integers(0, 2, 800)))
        found += finding.at_least(LIMIT).status == "fail"
        assert abs(finding.value - finding.metrics["chance"].value) < 0.1
    assert found >= 19


def test_a_smooth_model_passes_in_19_of_20_worlds():
    found = 0
    for seed in range(20):
        X = table(np.random.default_rng(seed))
        finding = fairness.consistency(subject(X, (X["income"] > 22026).astype(int)))
        found += finding.at_least(LIMIT).status == "pass"
    assert found >= 19


@pytest.mark.parametrize("task", ["binary", "multiclass", "regression"])
def test_row_order_and_names_of_groups_change_nothing(task):
    rng = np.random.default_rng(1)
    X, order = table(rng), rng.permutation(800)
    sex = rng.choice(["f", "m"], 800)
    score = np.log(X["income"]).to_numpy()
    answer = {
        "binary": score > 10,
        "multiclass": np.digitize(score, [9.8, 10.2]),
        "regression": score,
    }[task]
    one = fairness.consistency(subject(X, answer, task=task, sensitive={"sex": sex}))
    renamed = np.where(sex == "f", "zebra", "ant")
    for other in (
        subject(X, answer, order, task=task, sensitive={"sex": sex[order]}),
        subject(X, answer, task=task, sensitive={"sex": renamed}),
    ):
        two = fairness.consistency(other)
        assert (one.value, one.low, one.high) == pytest.approx(
            (two.value, two.low, two.high), abs=1e-12
        )
    assert one.value > one.metrics["chance"].value


def test_the_sensitive_column_does_not_say_who_is_alike():
    rng = np.random.default_rng(2)
    X = pd.DataFrame({"sex": rng.choice(["f", "m"], 600), "age": rng.normal(size=600)})
    model = lambda frame: (frame["sex"] == "m").astype(int)  # noqa: E731
    finding = fairness.consistency(tc.Subject(model, X, model(X), sensitive=["sex"]))
    assert finding.value < 0.6


def test_too_few_rows_are_skipped_and_misuse_is_named():
    X = pd.DataFrame({"x": [1.0, 2.0, 3.0, 4.0]})
    assert "12 rows" in fairness.consistency(subject(X, [0, 1, 0, 1])).reason
    with pytest.raises(tc.InputError, match="at least 1"):
        fairness.consistency(subject(X, [0, 1, 0, 1]), k=0)
