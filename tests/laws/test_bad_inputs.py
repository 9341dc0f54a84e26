"""Whatever is fed to a whole run: no lost finding, no unnamed fault, never a pass for nothing."""

import warnings

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import make_column_transformer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

import trustcheck as tc
from trustcheck import catalog

N = 160


def clean(seed=0):
    rng = np.random.default_rng(seed)
    X = pd.DataFrame(
        {
            "a": rng.normal(size=2 * N),
            "b": rng.integers(0, 9, 2 * N),
            "c": rng.choice(["x", "y", "z"], 2 * N),
        }
    )
    y = pd.Series((X["a"] + (X["c"] == "x") + rng.normal(0, 0.5, 2 * N) > 0.3).astype(int))
    columns = make_column_transformer(
        (SimpleImputer(), ["a", "b"]), (OneHotEncoder(handle_unknown="ignore"), ["c"])
    )
    model = make_pipeline(columns, LogisticRegression()).fit(X[:N], y[:N])
    sex = rng.choice(["f", "m"], N)
    return model, X[N:].reset_index(drop=True), y[N:].reset_index(drop=True), sex, (X[:N], y[:N])


class Flaky:
    """Wraps a model and spoils its answers."""

    classes_ = np.array([0, 1])

    def __init__(self, model, spoil):
        self.model, self.spoil, self.calls = model, spoil, 0

    def predict_proba(self, X):
        self.calls += 1
        return self.spoil(self.model.predict_proba(X), X, self.calls)


def raises_on_some(scores, X, calls):
    if (X["b"] > 8).any() or X["a"].isna().any():
        raise ValueError("cannot handle value 8.5 of customer Smith")
    return scores


def drifting(scores, X, calls):
    return np.clip(scores + 0.01 * calls, 0, 1) / np.clip(scores + 0.01 * calls, 0, 1).sum(
        1, keepdims=True
    )


def with_(X, **columns):
    return X.assign(**columns)


CASES = {
    "a constant column": lambda m, X, y, s, r: tc.Subject(m, with_(X, b=3), y, sensitive={"s": s}, reference=r),
    "an all-missing column": lambda m, X, y, s, r: tc.Subject(m, with_(X, a=np.nan), y, sensitive={"s": s}, reference=r),
    "infinite values": lambda m, X, y, s, r: tc.Subject(m, with_(X, a=np.where(X["a"] > 1, np.inf, X["a"])), y, sensitive={"s": s}, reference=r),
    "unseen categories": lambda m, X, y, s, r: tc.Subject(m, with_(X, c="new"), y, sensitive={"s": s}, reference=r),
    "mixed types in a column": lambda m, X, y, s, r: tc.Subject(m, with_(X, c=pd.Series(["x", 1] * (N // 2), dtype=object)), y, sensitive={"s": s}, reference=r),
    "a group of one row": lambda m, X, y, s, r: tc.Subject(m, X, y, sensitive={"s": ["one"] + ["rest"] * (N - 1)}, reference=r),
    "missing group values": lambda m, X, y, s, r: tc.Subject(m, X, y, sensitive={"s": [None, "a"] * (N // 2)}, reference=r),
    "a continuous sensitive column": lambda m, X, y, s, r: tc.Subject(m, X, y, sensitive={"age": np.arange(N) / 3}, reference=r),
    "a group for every row": lambda m, X, y, s, r: tc.Subject(m, X, y, sensitive={"s": [f"g{i}" for i in range(N)]}, reference=r),
    "zero weights": lambda m, X, y, s, r: tc.Subject(m, X, y, sensitive={"s": s}, reference=r, sample_weight=np.r_[np.zeros(N // 2), np.ones(N // 2)]),
    "no labels": lambda m, X, y, s, r: tc.Subject(m, X, None, sensitive={"s": s}, reference=r[0]),
    "one true class": lambda m, X, y, s, r: tc.Subject(m, X, y * 0, sensitive={"s": s}, reference=r),
    "no reference": lambda m, X, y, s, r: tc.Subject(m, X, y, sensitive={"s": s}),
    "a reference that is the data": lambda m, X, y, s, r: tc.Subject(m, X, y, sensitive={"s": s}, reference=(X, y)),
    "clusters": lambda m, X, y, s, r: tc.Subject(m, X, y, sensitive={"s": s}, reference=r, cluster=np.arange(N) // 4),
    "a model that raises on some rows": lambda m, X, y, s, r: tc.Subject(Flaky(m, raises_on_some), X, y, sensitive={"s": s}, reference=r),
    "a model that returns nan": lambda m, X, y, s, r: tc.Subject(Flaky(m, lambda p, X, k: p * np.nan), X, y, sensitive={"s": s}, reference=r),
    "a model that returns the wrong shape": lambda m, X, y, s, r: tc.Subject(Flaky(m, lambda p, X, k: p[:-1]), X, y, sensitive={"s": s}, reference=r),
    "a model that changes its answer": lambda m, X, y, s, r: tc.Subject(Flaky(m, drifting), X, y, sensitive={"s": s}, reference=r),
    "probabilities that are no probabilities": lambda m, X, y, s, r: tc.Subject(Flaky(m, lambda p, X, k: 2 * p), X, y, sensitive={"s": s}, reference=r),
    "labels only": lambda m, X, y, s, r: tc.Subject(m.predict, X, y, sensitive={"s": s}, reference=r),
    "a constant model": lambda m, X, y, s, r: tc.Subject(lambda X: np.zeros(len(X), dtype=int), X, y, sensitive={"s": s}, reference=r),
    "three rows": lambda m, X, y, s, r: tc.Subject(m, X[:3], [0, 1, 0], sensitive={"s": ["a", "b", "a"]}, reference=r),
    "one row": lambda m, X, y, s, r: tc.Subject(m, X[:1], y[:1], sensitive={"s": ["a"]}, reference=r),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_nothing_is_lost_and_every_fault_has_a_name(case):
    subject = CASES[case](*clean())
    with warnings.catch_warnings():
        # What the user's own model warns about is the user's to see.
        warnings.simplefilter("ignore")
        report = tc.evaluate(subject)
    ids = {finding.id for finding in report.findings.values()}
    assert ids == set(catalog.probes())
    for finding in report.findings.values():
        assert finding.status in ("measured", "skipped", "error")
        if finding.status != "measured":
            assert finding.reason
            assert "Smith" not in finding.reason
        if finding.status == "error":
            # Ours are told as bad input, the model's as what it raised: nothing breaks by accident.
            ours = isinstance(finding.exception, tc.InputError)
            models = finding.error["type"] == "ValueError" and case in (
                "a model that raises on some rows",
                "infinite values",
            )
            assert ours or models, f"{finding.key}: {finding.exception!r}"
    assert report.verdict != "pass"
    assert str(report)


def test_a_fault_of_the_model_names_the_columns_that_may_be_its_cause():
    model, X, y, sex, reference = clean()
    X = X.assign(b=X["b"].where(X.index != 7, np.inf))
    report = tc.evaluate(tc.Subject(model, X, y, sensitive={"s": sex}, reference=reference))
    reason = report.findings["reliability.performance"].reason
    assert "ValueError" in reason
    assert "column 'b' holds infinite values in 1 row(s), the first at position 7" in reason
