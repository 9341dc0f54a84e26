import numpy as np
import pandas as pd
import pytest
from sklearn.compose import make_column_transformer
from sklearn.dummy import DummyClassifier
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder
from sklearn.svm import LinearSVC
from sklearn.tree import DecisionTreeClassifier

import trustcheck as tc
from trustcheck.privacy import membership

LIMIT = 0.55


def world(seed, n=1500, classes=2, task="classification"):
    """Two tables from one population, with labels no model can predict for certain."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(2 * n, 5))
    signal = X[:, 0] - X[:, 1] + rng.normal(size=2 * n)
    y = (
        signal
        if task == "regression"
        else np.digitize(signal, np.linspace(-1, 1, classes + 1)[1:-1])
    )
    return X[:n], y[:n], X[n:], y[n:]


def subject(model, seed, **facts):
    X, y, new_X, new_y = world(seed, **facts)
    return tc.Subject(model.fit(X, y), new_X, new_y, reference=(X, y), seed=seed)


def logit(scores, y):
    p = np.clip(scores[np.arange(len(y)), y], 1e-12, 1 - 1e-12)
    return np.round(np.log(p / (1 - p)), 9)


@pytest.mark.parametrize("classes", [2, 4])
def test_auc_equals_scikit_learn_on_the_logit_of_the_true_class(classes):
    model = RandomForestClassifier(20, min_samples_leaf=3, random_state=0)
    s = subject(model, 0, classes=classes)
    signal = [logit(side.scores, side.truth) for side in (s.reference, s)]
    expected = roc_auc_score(np.repeat([1, 0], [s.reference.n, s.n]), np.concatenate(signal))
    finding = membership(s)
    assert finding.value == pytest.approx(expected, abs=1e-9)
    assert [row["class"] for row in finding.rows] == [str(k) for k in range(classes)]
    assert sum(row["members"] for row in finding.rows) == s.reference.n


def test_regression_uses_the_absolute_error():
    s = subject(KNeighborsRegressor(3), 0, task="regression")
    signal = [-np.abs(side.truth - side.predictions) for side in (s.reference, s)]
    expected = roc_auc_score(np.repeat([1, 0], [s.reference.n, s.n]), np.concatenate(signal))
    finding = membership(s)
    assert finding.value == pytest.approx(expected, abs=1e-12)
    assert finding.low > LIMIT
    assert not finding.rows


def test_without_probabilities_it_is_half_the_gap_in_accuracy():
    s = subject(LinearSVC(), 0, n=300)
    gap = np.mean(s.reference.predictions == s.reference.truth) - np.mean(s.predictions == s.truth)
    assert membership(s).value == pytest.approx(0.5 + gap / 2, abs=1e-12)


@pytest.mark.parametrize(
    "model", [KNeighborsClassifier(1), DecisionTreeClassifier(random_state=0)], ids=["1-nn", "tree"]
)
def test_a_model_that_knows_its_rows_by_heart_fails_in_19_of_20_worlds(model):
    failed = [membership(subject(model, s), exchangeability=False).low > LIMIT for s in range(20)]
    assert sum(failed) >= 19


@pytest.mark.parametrize(
    ("model", "task"),
    [
        (LogisticRegression(), "classification"),
        (HistGradientBoostingClassifier(max_iter=10, max_leaf_nodes=6), "classification"),
        (LinearRegression(), "regression"),
    ],
    ids=["logistic", "few trees", "linear"],
)
def test_a_model_that_learnt_the_rule_passes_in_19_of_20_worlds(model, task):
    passed = [
        membership(subject(model, s, task=task, n=4000), exchangeability=False).high <= LIMIT
        for s in range(20)
    ]
    assert sum(passed) >= 19


def test_a_constant_model_leaks_nothing():
    finding = membership(subject(DummyClassifier(strategy="uniform"), 0))
    assert finding.value == pytest.approx(0.5, abs=0.02)
    assert finding.low < 0.5 < finding.high
    assert finding.metrics["tpr_at_1pct_fpr"].value == pytest.approx(0.01, abs=0.002)


def discrete_world(seed, members, others):
    """Few features of few values, so that most rows have twins; a model with no memory at all."""
    rng = np.random.default_rng(seed)
    X = (rng.random((members + others, 12)) < np.linspace(0.05, 0.3, 12)).astype(int)
    weights = np.linspace(2, -2, 12)
    p = 1 / (1 + np.exp(-(X @ weights) - 0.5))
    y = (rng.random(len(X)) < p).astype(int)
    model = LogisticRegression()
    model.classes_, model.coef_, model.intercept_ = np.array([0, 1]), weights[None], np.array([0.5])
    return tc.Subject(model, X[members:], y[members:], reference=(X[:members], y[:members]))


@pytest.mark.parametrize(("members", "others"), [(16_000, 4_000), (4_000, 16_000)])
def test_common_rows_do_not_look_like_memory_when_tables_differ_in_size(members, others):
    found = [
        membership(discrete_world(s, members, others), exchangeability=False) for s in range(20)
    ]
    assert np.mean([finding.value for finding in found]) == pytest.approx(0.5, abs=0.02)
    assert sum(finding.low <= LIMIT for finding in found) >= 19


def test_twins_of_training_rows_are_left_out_and_counted():
    X, y, new_X, new_y = world(0, n=400)
    model = KNeighborsClassifier(1).fit(X, y)
    clean = membership(tc.Subject(model, new_X, new_y, reference=(X, y)))
    mixed_X, mixed_y = np.vstack([new_X, X[:150]]), np.r_[new_y, y[:150]]
    mixed = membership(tc.Subject(model, mixed_X, mixed_y, reference=(X, y)))
    assert mixed.value == clean.value
    assert mixed.notes[0].startswith("150 given rows that are also in the reference, and 0")
    assert not clean.notes


def test_a_twin_is_known_under_another_dtype_and_beside_other_columns():
    rng = np.random.default_rng(0)
    X = pd.DataFrame({"a": rng.integers(0, 10**6, 300), "b": rng.choice(["x", "y"], 300)})
    y = rng.integers(0, 2, 300)
    model = make_pipeline(
        make_column_transformer((OneHotEncoder(), ["b"]), remainder="passthrough"),
        DecisionTreeClassifier(random_state=0),
    ).fit(X[:200], y[:200])
    given = X[50:].astype({"a": float, "b": "category"}).assign(name="extra")
    finding = membership(tc.Subject(model, given, y[50:], reference=(X[:200], y[:200])))
    assert finding.notes[0].startswith("150 given rows")
    assert finding.n == 200 + 100


def test_without_enough_other_rows_it_is_not_measured():
    X, y, new_X, new_y = world(0, n=100)
    model = LogisticRegression().fit(X, y)
    same = membership(tc.Subject(model, X, y, reference=(X, y)))
    assert same.status == "skipped"
    assert "100 of 100 given rows are also in the reference" in same.reason
    doubled = membership(
        tc.Subject(model, new_X, new_y, reference=(np.vstack([X, X]), np.r_[y, y]))
    )
    assert "before any rows were repeated" in doubled.reason


def test_it_says_what_is_missing():
    X, y, new_X, new_y = world(0, n=100)
    model = LogisticRegression().fit(X, y)
    for made, reason in (
        (tc.Subject(model, new_X, new_y), "reference"),
        (tc.Subject(model, new_X, new_y, reference=X), "labels"),
        (tc.Subject(model, new_X, reference=(X, y)), "labels"),
        (tc.Subject.from_predictions(new_y, new_y, X=new_X, reference=(X, y)), "only predictions"),
    ):
        finding = membership(made)
        assert finding.status == "skipped"
        assert reason in finding.reason


def shifted(seed, shift, n=1200):
    X, y, new_X, new_y = world(seed, n=n)
    new_X = new_X + np.array([0, 0, shift, 0, 0])
    model = LogisticRegression().fit(X, y)
    return tc.Subject(model, new_X, new_y, reference=(X, y), seed=seed)


def test_tables_that_differ_by_themselves_get_a_note_in_19_of_20_worlds():
    noted = [any("differ" in note for note in membership(shifted(s, 0.8)).notes) for s in range(20)]
    assert sum(noted) >= 19


def test_tables_that_are_alike_get_none_in_19_of_20_worlds():
    noted = [bool(membership(shifted(s, 0.0)).notes) for s in range(20)]
    assert sum(noted) <= 1


def test_the_check_can_be_switched_off_and_leaves_the_number():
    on, off = membership(shifted(0, 0.8)), membership(shifted(0, 0.8), exchangeability=False)
    assert on.metrics == off.metrics
    assert not off.notes


def test_the_low_end_of_the_roc_is_given_where_it_means_something():
    few = membership(subject(LogisticRegression(), 0, n=90))
    more = membership(subject(LogisticRegression(), 0, n=400))
    many = membership(subject(LogisticRegression(), 0, n=5000))
    assert list(few.metrics) == ["auc"]
    assert list(more.metrics) == ["auc", "tpr_at_1pct_fpr"]
    assert list(many.metrics) == ["auc", "tpr_at_1pct_fpr", "tpr_at_0.1pct_fpr"]


def test_a_class_with_few_rows_has_no_number_of_its_own():
    X, y, new_X, new_y = world(0, n=200)
    y[:5], new_y[:5] = 2, 2
    model = LogisticRegression().fit(X, y)
    rows = membership(tc.Subject(model, new_X, new_y, reference=(X, y))).rows
    assert rows[2]["auc"] is None
    assert rows[2]["members"] == 5
    assert 0 <= rows[0]["low"] <= rows[0]["auc"] <= rows[0]["high"] <= 1


def test_mixed_tables_with_gaps_work_in_any_order_and_no_row_is_asked_twice():
    rng = np.random.default_rng(0)
    n = 600
    X = pd.DataFrame(
        {
            "income": rng.lognormal(10, 0.5, n),
            "age": rng.integers(18, 80, n),
            "job": rng.choice(["clerk", "nurse", None], n),
            "member": rng.random(n) < 0.3,
            "since": pd.Timestamp("2020-01-01") + pd.to_timedelta(rng.integers(0, 900, n), "D"),
        }
    )
    X.loc[rng.random(n) < 0.1, "income"] = np.nan
    y = np.where(X["age"] + 20 * (X["job"] == "nurse") + rng.normal(0, 9, n) > 50, "yes", "no")
    encode = make_column_transformer(
        (OneHotEncoder(handle_unknown="ignore"), ["job"]),
        ("passthrough", ["income", "age", "member"]),
    )
    model = make_pipeline(encode, HistGradientBoostingClassifier(random_state=0))
    model.fit(X[:300], y[:300])
    made = tc.Subject(model, X[300:], y[300:], reference=(X[:300], y[:300]))
    finding, again = membership(made), membership(made)
    assert finding == again
    assert finding.rows_sent == {"given": 300, "reference": 300}
    assert not again.rows_sent
    order, other = rng.permutation(300), rng.permutation(300)
    turned = membership(
        tc.Subject(
            model, X[300:].iloc[order], y[300:][order], reference=(X[:300].iloc[other], y[:300][other])
        )
    )  # fmt: skip
    for name, estimate in finding.metrics.items():
        assert turned.metrics[name].value == pytest.approx(estimate.value, abs=1e-12)
    assert turned.notes == finding.notes
