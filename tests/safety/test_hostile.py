import numpy as np
import pandas as pd
import pytest
from sklearn.compose import make_column_transformer
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

import trustcheck as tc
from trustcheck import safety

LIMIT = 0.25


def table(seed=0, n=600):
    rng = np.random.default_rng(seed)
    X = pd.DataFrame(
        {
            "age": rng.integers(18, 80, n),
            "pay": rng.normal(30, 5, n),
            "debt": np.where(rng.random(n) < 0.1, np.nan, rng.normal(5, 2, n)),
            "job": rng.choice(["x", "y", "z"], n),
            "since": pd.Timestamp("2020-01-01") + pd.to_timedelta(rng.integers(0, 999, n), "D"),
            "member": rng.random(n) < 0.5,
        }
    )
    X["job"] = X["job"].astype("category")
    return X, (X["age"] + X["pay"] + rng.normal(size=n) > 80).astype(int)


def naive(X):
    """Answers whatever it is sent."""
    age = pd.to_numeric(X["age"], errors="coerce") if "age" in X else pd.Series(50.0, X.index)
    return (age.fillna(50) > 50).astype(int).to_numpy()


def strict(X, y):
    """A guard that knows ranges, levels and types, made from valid rows."""
    numbers = X.select_dtypes("number").columns
    low, high = X[numbers].min(), X[numbers].max()

    def guard(frame):
        if list(frame.columns) != list(X.columns):
            raise KeyError("columns")
        inside = pd.Series(True, index=frame.index)
        for name in numbers:
            if frame[name].dtype == object:
                raise TypeError(name)
            inside &= frame[name].between(low[name], high[name]) | (
                frame[name].isna() & X[name].isna().any()
            )
        inside &= frame["job"].isin(X["job"].cat.categories)
        return inside & frame[["since", "member"]].notna().all(axis=1)

    return guard


def outcomes(finding):
    return {row["kind"]: row["outcome"] for row in finding.rows}


def test_each_kind_gets_the_outcome_known_by_hand():
    X, y = table()

    def model(frame):  # raises, abstains, and is silent by design
        if frame["age"].dtype == object:
            raise TypeError("age must be a number")
        return np.where(np.isfinite(frame["age"]), frame["age"] > 50, np.nan)

    subject = tc.Subject(model, X[["age"]], y.astype(float) + 0.5, task="regression")
    found = safety.hostile_input(subject)
    assert outcomes(found) == {
        "missing value": "abstained",
        "infinite number": "abstained",
        "number far out of range": "silent",
        "huge number": "silent",
        "text for a number": "raised",
        "nothing known": "abstained",
        "every number 0": "silent",
        "no rows": "same answer",
    }
    assert found.value == found.low == found.high == 3 / 8
    (text,) = [row for row in found.rows if row["kind"] == "text for a number"]
    assert (text["exception"], text["names_the_column"]) == ("TypeError", 1)


def test_a_model_that_answers_everything_is_found_in_19_of_20_worlds():
    for seed in range(20):
        X, y = table(seed)
        found = safety.hostile_input(tc.Subject(naive, X, y, seed=seed))
        assert found.at_most(LIMIT).status == "fail"
        assert found.value > 0.8


def test_the_same_model_behind_a_guard_is_quiet_in_19_of_20_worlds():
    for seed in range(20):
        X, y = table(seed)
        guarded = tc.Context(guard=strict(X, y))
        found = safety.hostile_input(tc.Subject(naive, X, y, seed=seed, context=guarded))
        assert found.value == 0, outcomes(found)
        assert found.metrics["guard_accepts"].value == 1
        assert found.at_most(LIMIT).status == "pass"


def test_a_pipeline_refuses_types_and_columns_but_not_ranges():
    X, y = table()
    columns = make_column_transformer((OneHotEncoder(), ["job"]), ("passthrough", ["age", "pay"]))
    X = X[["age", "pay", "job"]]
    model = make_pipeline(columns, LogisticRegression(max_iter=5000)).fit(X, y)
    found = outcomes(safety.hostile_input(tc.Subject(model, X, y)))
    assert found["unseen category"] == found["text for a number"] == "raised"
    assert found["missing column"] == found["infinite number"] == "raised"
    assert found["columns in another order"] == "same answer"
    assert found["huge number"] == "silent"


def test_an_answer_near_a_guess_counts_as_less_sure():
    X, y = table()

    def model(frame):
        odd = ~frame["pay"].between(0, 100).to_numpy()
        p = np.where(odd, 0.5, np.where(frame["age"] > 50, 0.95, 0.05))
        return np.column_stack([1 - p, p])

    found = outcomes(safety.hostile_input(tc.Subject(model, X[["age", "pay"]], y)))
    rows = {"age": "silent", "pay": "less sure"}
    for column, outcome in rows.items():
        other = {"age": "pay", "pay": "age"}[column]
        fixed = X.assign(**{other: 30})
        subject = tc.Subject(model, fixed[["age", "pay"]], y, schema={other: {"low": 30.0}})
        case = safety.hostile_input(subject)
        (row,) = [row for row in case.rows if row["kind"] == "huge number"]
        assert row[outcome.replace(" ", "_")] >= 1
    assert found["huge number"] == "silent"  # one column suffices


def test_a_guard_that_refuses_everything_cannot_pass():
    X, y = table()
    context = tc.Context(guard=lambda frame: np.zeros(len(frame), dtype=bool))
    found = safety.hostile_input(tc.Subject(naive, X, y, context=context))
    assert found.value == 0
    assert "lets through only 0%" in found.incomplete
    with pytest.warns(tc.TrustInconclusiveWarning):
        assert found.at_most(LIMIT).status == "inconclusive"


@pytest.mark.parametrize(
    "guard", ["no function", lambda frame: 1, lambda frame: np.ones(len(frame))]
)
def test_a_guard_that_is_none_is_refused_with_the_remedy(guard):
    X, y = table()
    with pytest.raises(tc.InputError, match="True"):
        safety.hostile_input(tc.Subject(naive, X, y, context=tc.Context(guard=guard)))


def test_arrays_and_many_columns_are_sampled_within_the_budget():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(300, 60))
    model = LinearRegression().fit(X, X[:, 0])
    found = safety.hostile_input(tc.Subject(model, X, X[:, 0]))
    assert found.rows_sent["asking"] <= 300
    assert any("of the 60 columns" in note for note in found.notes)
    assert outcomes(found)["missing column"] == "raised"
    again = safety.hostile_input(tc.Subject(model, X[::-1], X[::-1, 0]))
    assert again.rows == found.rows


def test_predictions_alone_are_an_honest_skip():
    found = safety.hostile_input(tc.Subject.from_predictions([0, 1] * 9, [0, 1] * 9))
    assert found.status == "skipped"
