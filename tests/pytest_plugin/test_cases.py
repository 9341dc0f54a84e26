"""Counterexamples become files, and files become tests."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import trustcheck as tc
from trustcheck.types import InputError, TrustPrivacyWarning

CASES = "income.trustcase.json"


def table(n=120):
    rng = np.random.default_rng(3)
    kind = pd.Categorical(rng.choice(["a", "b", "c"], n), categories=["a", "b", "c"])
    frame = pd.DataFrame(
        {"income": rng.normal(size=n), "kind": kind, "age": rng.integers(20, 70, n)}
    )
    frame.loc[3, "income"] = np.nan
    frame["since"] = pd.Timestamp("2020-01-01") + pd.to_timedelta(rng.integers(0, 900, n), unit="D")
    return frame, (frame["income"].fillna(0) > 0).astype(int)


def fragile(X):
    return (X["income"].fillna(0) > 0).astype(int).to_numpy()


def mended(X):
    return (X["since"] > pd.Timestamp("2021-01-01")).astype(int).to_numpy()


def subject(model, **more):
    X, y = table()
    return tc.Subject(model, X, y, name="credit", **more)


@pytest.fixture(scope="module")
def finding():
    return tc.robustness.adversarial(subject(fragile))


@pytest.fixture
def frozen(finding, tmp_path):
    with pytest.warns(TrustPrivacyWarning, match=r"\d+ rows of the data were written to income"):
        finding.freeze(subject(fragile), tmp_path / CASES)
    return tmp_path / CASES


def test_a_frozen_case_fails_on_the_model_it_was_found_on_and_passes_once_mended(frozen, finding):
    again = tc.replay(frozen, subject(fragile))
    assert again.value == 1.0
    assert again.n == finding.examples["row"].nunique()
    assert not again.at_most(0)
    after = tc.replay(frozen, subject(mended))
    assert (after.value, after.low, after.high) == (0.0, 0.0, 0.0)
    assert after.at_most(0)
    assert after.key == "robustness.frozen_cases[case=income]"
    assert "income" in after.rows[0]["must"]


def test_the_file_holds_rows_kinds_changes_and_what_the_model_must_do(frozen, finding):
    data = json.loads(frozen.read_text("utf-8"))
    assert data["columns"] == {"income": "numeric", "kind": "categorical", "age": "integer",
                               "since": "datetime"}  # fmt: skip
    first = data["cases"][0]
    at = int(first["name"].removeprefix("row "))
    X, _ = table()
    assert first["row"]["since"] == X["since"][at].isoformat()
    assert first["row"]["income"] == X["income"][at]
    assert first["must"] == "keep"
    assert set(first["change"]) == set(finding.examples.query("row == @at")["column"])


def test_rows_come_back_with_their_types_and_gaps(frozen):
    seen = []

    def spy(X):
        seen.append(X)
        return mended(X)

    data = json.loads(frozen.read_text("utf-8"))
    data["cases"][0]["row"]["income"] = None
    data["cases"][0]["change"].pop("income", None)
    data["cases"][0]["change"]["age"] = 30
    frozen.write_text(json.dumps(data))
    tc.replay(frozen, subject(spy))
    X, _ = table()
    frame = seen[-2]
    assert dict(frame.dtypes) == dict(X.dtypes)
    assert np.isnan(frame["income"].iloc[0])


def test_regression_keeps_within_the_shift_it_was_attacked_with(tmp_path):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(80, 2))

    def model(X):
        return 3 * X[:, 0]

    steep = tc.Subject(model, X, 3 * X[:, 0], task="regression")
    found = tc.robustness.adversarial(steep)
    with pytest.warns(TrustPrivacyWarning):
        found.freeze(steep, tmp_path / CASES)
    assert tc.replay(tmp_path / CASES, steep).value == 1.0
    flat = tc.Subject(lambda X: 0 * X[:, 0], X, 3 * X[:, 0], task="regression")
    assert tc.replay(tmp_path / CASES, flat).value == 0.0


def test_wrongly_answered_rows_must_get_their_class(tmp_path):
    _, y = table()
    wrong = subject(lambda X: 1 - fragile(X))
    found = tc.reliability.performance(wrong)
    found = replace(found, examples=wrong.X.iloc[[2, 7]])
    with pytest.warns(TrustPrivacyWarning):
        found.freeze(wrong, tmp_path / CASES)
    data = json.loads((tmp_path / CASES).read_text("utf-8"))
    assert [c["must"] for c in data["cases"]] == [{"answer": int(y[2])}, {"answer": int(y[7])}]
    assert tc.replay(tmp_path / CASES, wrong).value == 1.0
    assert tc.replay(tmp_path / CASES, subject(fragile)).value == 0.0


def test_what_cannot_be_frozen_is_refused(finding, tmp_path):
    path = tmp_path / CASES
    with pytest.raises(InputError, match="no counterexamples to freeze"):
        replace(finding, examples=None).freeze(subject(fragile), path)
    with pytest.raises(InputError, match="do not fail on this subject"):
        finding.freeze(subject(mended), path)
    X, y = table()
    with pytest.raises(InputError, match="not of this subject"):
        finding.freeze(tc.Subject(fragile, X[::-1], y[::-1]), path)
    with pytest.raises(InputError, match="cannot be frozen"):
        replace(finding, examples=X.assign(rule="x")).freeze(subject(fragile), path)
    assert not path.exists()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda d: d.pop("format"), "no file of cases"),
        (lambda d: d.update(version=9), "has version 9"),
        (lambda d: d.pop("most"), "lacks most"),
        (lambda d: d.update(cases=[]), "holds no case"),
        (lambda d: d["cases"][0].update(must="maybe"), "case 0: must is"),
        (lambda d: d["cases"][0].update(change={}), "nothing is changed"),
        (lambda d: d["cases"][0].update(change={"x": 1}), "no column 'x' is declared"),
        (lambda d: d["cases"][0]["row"].pop("age"), "the model reads column 'age'"),
        (
            lambda d: d["cases"][0]["row"].update(kind="z"),
            "column 'kind' of the frozen cases holds",
        ),
        (
            lambda d: d["cases"][0]["row"].update(age="old"),
            "column 'age' of the frozen cases does not",
        ),
        (lambda d: d.update(task="regression"), "cases are of a regression model"),
    ],
)
def test_a_damaged_file_says_where(frozen, change, said):
    data = json.loads(frozen.read_text("utf-8"))
    change(data)
    frozen.write_text(json.dumps(data))
    with pytest.raises(InputError, match=said):
        tc.replay(frozen, subject(fragile))


@pytest.mark.parametrize(("model", "outcome"), [("fragile", "failed"), ("mended", "passed")])
def test_the_plugin_makes_one_test_per_case(model, outcome, pytester, run, write, frozen):
    write("conftest.py", f"""
        import sys, pytest
        sys.path.insert(0, {str(Path(__file__).parent)!r})
        import test_cases as made
        @pytest.fixture(scope="module")
        def trust_subject():
            return made.subject(made.{model})
    """)  # fmt: skip
    (pytester.path / CASES).write_bytes(frozen.read_bytes())
    result = run("-m", "robustness", process=True)
    result.assert_outcomes(**{outcome: len(json.loads(frozen.read_text("utf-8"))["cases"])})
    said = "\n".join(result.outlines)
    broken = "the model must keep its answer when"
    assert (broken in said) == (model == "fragile")


def test_a_damaged_file_is_a_collection_error(pytester, run, write):
    write(CASES, "{}")
    result = run()
    result.assert_outcomes(errors=1)
    assert "is no file of cases" in "\n".join(result.outlines)
