import numpy as np
import pandas as pd
import pytest
from sklearn.compose import make_column_transformer
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.metrics import balanced_accuracy_score, r2_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OrdinalEncoder
from sklearn.tree import DecisionTreeClassifier

import trustcheck as tc
from trustcheck.explain import surrogate

LIMIT = 0.6


def stepped(X):
    return ((X[:, 0] > 0.3) & (X[:, 1] > -0.5)).astype(int)


def rippled(X):
    return (np.sin(9 * X[:, 0]) * np.sin(9 * X[:, 1]) > 0).astype(int)


def world(model, seed, n=1200, **facts):
    X = np.random.default_rng(seed).normal(size=(n, 4))
    return tc.Subject(model, X, model(X), seed=seed, **facts)


def test_simple_models_pass_and_rippled_ones_fail_in_19_of_20_worlds():
    simple = [surrogate(world(stepped, s)).at_least(LIMIT).status for s in range(20)]
    rippling = [surrogate(world(rippled, s)).at_least(LIMIT).status for s in range(20)]
    assert simple.count("pass") >= 19
    assert rippling.count("fail") >= 19


def test_fidelity_is_that_of_a_tree_grown_by_hand():
    train, test = (np.random.default_rng(s).integers(0, 8, (900, 3)).astype(float) for s in (0, 1))

    def model(X):
        return (X.sum(axis=1) > 10).astype(int)

    tree = DecisionTreeClassifier(
        max_depth=2, min_samples_leaf=9, class_weight="balanced", random_state=0
    ).fit(train, model(train))
    wanted = 2 * balanced_accuracy_score(model(test), tree.predict(test)) - 1
    subject = tc.Subject(model, test, model(test), reference=(train, model(train)))
    finding = surrogate(subject, depth=2)
    assert finding.value == pytest.approx(wanted, abs=1e-12)
    assert finding.n == 900
    assert finding.metrics["agreement"].value == pytest.approx(
        (model(test) == tree.predict(test)).mean(), abs=1e-12
    )


def test_the_interval_covers_the_fidelity_on_many_rows():
    covered = 0
    for seed in range(40):
        rng = np.random.default_rng(seed)
        train, test, many = (rng.normal(size=(n, 2)) for n in (800, 400, 40_000))

        def model(X):
            return (X[:, 0] + X[:, 1] > 0.5).astype(int)

        def ask(rows, train=train, model=model, seed=seed):
            return surrogate(
                tc.Subject(model, rows, reference=train, seed=seed, task="binary", classes=[0, 1]),
                depth=2,
            )

        truth = ask(many).value
        found = ask(test)
        covered += found.low <= truth <= found.high
    assert covered >= 35


def test_rules_hold_every_row_once_and_say_what_the_model_does():
    finding = surrogate(world(stepped, 0, n=3000))
    assert sum(row["n"] for row in finding.rows) == finding.n
    rules = " and ".join(row["rule"] for row in finding.rows if row["answer"] == "1").split(" and ")
    cuts = {rule.split()[0]: float(rule.split()[-1]) for rule in rules}
    # Cuts are quantiles of the rows the tree was grown on: near the model's own, seldom equal.
    assert set(cuts) >= {"x0", "x1"}
    assert cuts["x0"] == pytest.approx(0.3, abs=0.1)
    assert cuts["x1"] == pytest.approx(-0.5, abs=0.1)
    assert all(row["low"] <= row["agreement"] <= row["high"] for row in finding.rows)


def test_the_order_of_rows_and_the_run_change_nothing():
    X = np.random.default_rng(5).normal(size=(800, 4))
    order = np.random.default_rng(6).permutation(800)
    one, other, again = (
        surrogate(tc.Subject(rippled, rows, rippled(rows))) for rows in (X, X[order], X)
    )
    assert one.value == other.value == again.value
    assert one.rows == other.rows


def test_numbers_are_imitated_by_their_variance():
    rng = np.random.default_rng(7)
    train, test = rng.normal(size=(1000, 2)), rng.normal(size=(1000, 2))

    def model(X):
        return np.where(X[:, 0] > 0, 10.0, -10.0) + X[:, 1]

    subject = tc.Subject(model, test, model(test), reference=train, task="regression")
    finding = surrogate(subject)
    assert 0.95 < finding.value < 1
    assert finding.low < finding.value < finding.high
    assert sum(row["n"] for row in finding.rows) == 1000
    guessed = np.full(1000, model(train).mean())
    assert r2_score(model(test), guessed) < 0.01  # what a fidelity of 0 means


def test_a_mixed_table_through_a_pipeline_with_missing_values_and_three_classes():
    rng = np.random.default_rng(8)
    n = 1500
    X = pd.DataFrame(
        {
            "age": np.where(rng.random(n) < 0.1, np.nan, rng.integers(18, 80, n)),
            "job": pd.Categorical(rng.choice(["clerk", "nurse", "smith"], n)),
            "town": rng.choice([f"place {i}" for i in range(200)], n),
        }
    )
    y = np.where(X["job"] == "nurse", "high", np.where(X["age"] > 50, "mid", "low"))
    encode = make_column_transformer(
        (
            OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1),
            ["job", "town"],
        ),
        remainder="passthrough",
    )
    model = make_pipeline(encode, HistGradientBoostingClassifier(random_state=0)).fit(X, y)
    finding = surrogate(tc.Subject(model, X[:900], y[:900], reference=X[900:]))
    assert finding.low > 0.8
    said = " ".join(row["rule"] for row in finding.rows)
    assert "job is nurse" in said
    assert "place" not in said  # levels that few rows share are not printed
    assert {row["answer"] for row in finding.rows} == {"high", "mid", "low"}


def test_what_cannot_be_imitated_is_said():
    X = np.random.default_rng(9).normal(size=(300, 2))
    with pytest.raises(tc.InputError, match="depth must be"):
        surrogate(tc.Subject(stepped, X, stepped(X)), depth=0)
    constant = surrogate(
        tc.Subject(lambda X: np.ones(len(X), dtype=int), X, (X[:, 0] > 0).astype(int))
    )
    assert "one answer to all rows" in constant.reason
    few = surrogate(tc.Subject(stepped, X[:50], stepped(X[:50])))
    assert "give at least 80" in few.reason
