import numpy as np
import pandas as pd
import pytest
from scipy import special, stats
from sklearn.compose import make_column_transformer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

import trustcheck as tc
from trustcheck.reliability import conformal

LIMIT = 0.10


def world(seed, task, spoilt=False, n=1000):
    """Every fifth row is of group b, for which a spoilt model does not hold."""
    rng = np.random.default_rng(seed)
    group = np.where(rng.random(n) < 0.2, "b", "a")
    odd = spoilt & (group == "b")
    z = rng.normal(0, 2, n)
    if task == "regression":
        y, f = z + rng.normal(size=n) * np.where(odd, 2.5, 1), z
        return tc.Subject.from_predictions(y, f, sensitive={"g": group}, seed=seed)
    p = special.softmax(np.column_stack([z, -z, rng.normal(size=n)]), axis=1)
    p = p if task == "multiclass" else p[:, :2] / p[:, :2].sum(axis=1, keepdims=True)
    truth = np.where(odd[:, None], 1 / p.shape[1], p)
    y = (rng.random(n)[:, None] > truth.cumsum(axis=1)[:, :-1]).sum(axis=1)
    return tc.Subject.from_predictions(y, p.argmax(axis=1), p, sensitive={"g": group}, seed=seed)


@pytest.mark.parametrize("task", ["binary", "multiclass", "regression"])
def test_a_group_that_is_let_down_is_found_and_an_equal_one_is_not_in_19_of_20_worlds(task):
    bad = [conformal(world(seed, task, spoilt=True, n=2000)) for seed in range(20)]
    assert sum(finding.at_most(LIMIT).status == "fail" for finding in bad) >= 19
    assert all(finding.notes[1].endswith(": b.") for finding in bad)
    good = [conformal(world(seed, task)) for seed in range(20)]
    assert sum(finding.high <= LIMIT for finding in good) >= 19
    assert sum(len(finding.notes) > 1 for finding in good) <= 3


def test_without_groups_quarters_of_the_rows_are_compared():
    rng = np.random.default_rng(0)
    f = rng.uniform(0, 4, 2000)
    subject = tc.Subject.from_predictions(f + f * rng.normal(size=2000), f)
    finding = conformal(subject)
    assert finding.low > LIMIT
    assert len(finding.rows) == 4
    assert "highest" in finding.notes[0]
    assert finding.plot() is not None
    found = conformal(world(1, "multiclass"))
    assert 1 <= found.metrics["set_size"].value <= 3


def test_coverage_of_all_rows_is_the_promise_and_the_width_is_the_quantile():
    subject = world(2, "regression", n=500)
    finding = conformal(subject, level=0.8)
    assert sum(row["n"] * row["coverage"] for row in finding.rows) == pytest.approx(400)
    error = np.sort(np.abs(subject.truth - subject.predictions))
    assert finding.metrics["width"].value == pytest.approx(2 * error[399])


def shifted(seed, shift, n=1000):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(2 * n, 1))
    y = X[:, 0] + rng.normal(size=2 * n) * np.repeat([1, shift], n)
    return tc.Subject(lambda X: X[:, 0], X[n:], y[n:], reference=(X[:n], y[:n]), seed=seed)


def test_a_change_since_the_reference_is_found_and_none_is_not_in_19_of_20_worlds():
    bad = [conformal(shifted(seed, 3.0), calibrate="reference") for seed in range(20)]
    assert sum(finding.low > LIMIT for finding in bad) >= 19
    assert all("all rows" in finding.notes[1] for finding in bad)
    good = [conformal(shifted(seed, 1.0), calibrate="reference") for seed in range(20)]
    assert sum(finding.high <= LIMIT for finding in good) >= 19
    assert sum(len(finding.notes) > 1 for finding in good) <= 3


def test_the_band_of_all_rows_is_the_beta_binomial_law():
    first = conformal(shifted(0, 1.0), calibrate="reference").rows[0]
    assert first["group"] == "all rows"
    law = stats.betabinom(1000, 901, 100)
    tail = (1 - 0.95 ** (1 / 5)) / 2
    assert first["expected_from"] == pytest.approx(law.ppf(tail) / 1000)
    assert first["expected_to"] == pytest.approx(law.ppf(1 - tail) / 1000)


@pytest.mark.parametrize("last", [LogisticRegression(), LinearRegression()])
def test_a_mixed_pipeline_is_measured_whatever_the_order_of_rows(last):
    rng = np.random.default_rng(3)
    X = pd.DataFrame(
        {"a": rng.normal(size=800), "job": pd.Categorical(rng.choice(["x", "y"], 800))}
    )
    signal = X["a"] + rng.logistic(size=800)
    y = signal if isinstance(last, LinearRegression) else np.where(signal > 0, "yes", "no")
    y = pd.Series(y)
    X.loc[::11, "a"] = np.nan
    columns = make_column_transformer((SimpleImputer(), ["a"]), (OneHotEncoder(), ["job"]))
    model = make_pipeline(columns, last).fit(X, y)
    finding = conformal(tc.Subject(model, X, y, sensitive=["job"]))
    order = rng.permutation(800)
    again = conformal(
        tc.Subject(
            model,
            X.iloc[order].reset_index(drop=True),
            y.iloc[order].reset_index(drop=True),
            sensitive=["job"],
        )
    )
    assert (finding.value, finding.low, finding.high) == (again.value, again.low, again.high)
    assert {row["group"] for row in finding.rows} == {"x", "y"}


def test_what_cannot_be_measured_is_an_honest_skip_and_bad_parameters_are_refused():
    assert conformal(world(0, "binary", n=40)).status == "skipped"
    assert conformal(tc.Subject.from_predictions([0, 1] * 50, [0, 1] * 50)).status == "skipped"
    assert conformal(world(0, "regression"), calibrate="reference").status == "skipped"
    alone = tc.Subject.from_predictions(np.arange(99.0), np.zeros(99))
    assert "by construction" in conformal(alone).reason
    for bad in ({"level": 0.99}, {"calibrate": "half"}, {"by": "no such column"}):
        with pytest.raises(tc.InputError):
            conformal(world(0, "regression"), **bad)
