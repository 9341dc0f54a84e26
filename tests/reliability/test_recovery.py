import numpy as np
import pandas as pd
import pytest
from sklearn.compose import make_column_transformer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

import trustcheck as tc
from trustcheck import reliability
from trustcheck.reliability._recovery import BROKEN, SINGLE
from trustcheck.stats.intervals import wilson

LIMIT = 0.98


def table(seed=0, n=1000):
    rng = np.random.default_rng(seed)
    X = pd.DataFrame({"a": rng.normal(size=n), "b": rng.integers(0, 9, n)})
    return X, (X["a"] + X["b"] / 4 > 1).astype(int)


class Model:
    """A stateless rule with, on request, a memory that broken inputs spoil."""

    def __init__(self, memory=None, lasts=None):
        self.memory, self.lasts, self.left = memory, lasts, 0

    def __call__(self, X):
        if self.memory == "locks" and self.left:
            raise RuntimeError("no longer in service")
        spoilt = "a" not in X or X["a"].dtype.kind != "f" or not np.isfinite(X["a"]).all()
        if spoilt:
            self.left = 10**9 if self.lasts is None else self.lasts
            raise ValueError("unusable")
        answer = (X["a"] + X["b"] / 4 > 1).astype(int).to_numpy()
        if self.memory == "flips":
            wrong = np.arange(len(X)) < self.left
            self.left = max(self.left - len(X), 0)
            answer = np.where(wrong, 1 - answer, answer)
        return answer


@pytest.mark.parametrize("memory", ["locks", "flips"])
def test_a_model_spoilt_by_broken_inputs_is_found_in_19_of_20_worlds(memory):
    for seed in range(20):
        X, y = table(seed)
        finding = reliability.recovery(tc.Subject(Model(memory), X, y, seed=seed))
        assert finding.at_least(LIMIT).status == "fail"
        assert any(note.startswith("Answers differ after") for note in finding.notes)


def test_a_model_without_memory_is_back_at_once_in_20_of_20_worlds():
    for seed in range(20):
        X, y = table(seed)
        finding = reliability.recovery(tc.Subject(Model(), X, y, seed=seed))
        assert finding.value == 1
        assert finding.metrics["rows_to_recover"].value == 0
        assert finding.at_least(LIMIT).status == "pass"
        assert finding.rows_sent["asking"] <= len(X)


@pytest.mark.parametrize("lasts", [1, 4, 7])
def test_the_rows_to_recover_are_those_planted(lasts):
    X, y = table()
    finding = reliability.recovery(tc.Subject(Model("flips", lasts), X, y))
    assert finding.metrics["rows_to_recover"].value == lasts < SINGLE
    raised = [row for row in finding.rows if row["exception"]]
    assert len(raised) == len(BROKEN) - 1  # huge numbers are answered
    assert finding.metrics["during"].value == 1 / len(BROKEN)
    after = finding.n - lasts * len(raised)
    expected = wilson(after, finding.n)
    assert (finding.value, finding.low, finding.high) == pytest.approx(tuple(expected))


def test_a_mixed_pipeline_and_a_regression_recover():
    X, y = table()
    X["job"] = np.where(X["b"] > 4, "x", "y")
    X.loc[::9, "a"] = np.nan
    columns = make_column_transformer(
        (OneHotEncoder(handle_unknown="ignore"), ["job"]),
        remainder=make_pipeline(SimpleImputer(), StandardScaler()),
    )
    for last, target in ((LogisticRegression(), y), (LinearRegression(), 1e5 * y)):
        model = make_pipeline(columns, last).fit(X, target)
        finding = reliability.recovery(tc.Subject(model, X, target))
        assert finding.value == 1
    array = X[["b"]].to_numpy()
    assert reliability.recovery(tc.Subject(lambda X: X[:, 0] > 4, array, y)).value == 1


def test_a_model_that_cannot_take_single_rows_is_an_honest_skip():
    X, y = table()

    def batches(frame):
        if len(frame) < 2:
            raise ValueError("too short")
        return (frame["a"] > 0).astype(int).to_numpy()

    finding = reliability.recovery(tc.Subject(batches, X, y))
    assert finding.status == "skipped"
    assert "nothing to come back to" in finding.reason
    assert reliability.recovery(tc.Subject(Model(), X[:9], y[:9])).status == "skipped"
    with pytest.raises(tc.InputError):
        reliability.recovery(tc.Subject(Model(), X, y), window=0)


def test_a_breaker_that_opens_after_five_failed_calls_in_a_row_is_found():
    failed = 0

    def guarded(frame):
        nonlocal failed
        if failed >= 5:
            raise RuntimeError("open")
        if "a" not in frame:
            failed += 1
            raise KeyError("a")
        failed = 0
        return (frame["b"] > 4).astype(int).to_numpy()

    X, y = table()
    finding = reliability.recovery(tc.Subject(guarded, X, y))
    assert finding.at_least(LIMIT).status == "fail"
    assert [row["broken"] for row in finding.rows if row["rows_to_recover"]] == ["a column missing"]
