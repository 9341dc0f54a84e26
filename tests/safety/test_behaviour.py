import numpy as np
import pandas as pd
import pytest
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import trustcheck as tc
from trustcheck import safety
from trustcheck.stats.intervals import wilson

LIMIT = 0.01
UP = {"monotone": "income", "direction": "up"}


def table(seed=0, n=800):
    rng = np.random.default_rng(seed)
    X = pd.DataFrame(
        {
            "income": np.where(rng.random(n) < 0.05, np.nan, rng.lognormal(10, 0.5, n)),
            "age": rng.integers(18, 80, n),
            "job": pd.Categorical(rng.choice(["clerk", "nurse", "smith"], n)),
            "member": rng.random(n) < 0.5,
        }
    )
    y = np.log(X["income"].fillna(2e4)) + X["age"] / 40 + rng.normal(0, 0.5, n) > 11.2
    return X, np.where(y, "grant", "reject")


def subject_of(model, X, y, rules, **kwargs):
    return tc.Subject(model, X, y, context=tc.Context(rules=rules), **kwargs)


def scored(rises):
    """Probability of a grant: a step function of income, up or (in one part) down."""

    def model(frame):
        income = frame["income"].fillna(2e4).to_numpy()
        p = 1 / (1 + np.exp(-(income - 2e4) / 1e4))
        if not rises:
            p = np.where(income > 3e4, p - 0.3, p)
        return np.column_stack([p, 1 - p])

    return model


def test_a_dip_in_a_monotone_score_is_found_in_19_of_20_worlds():
    found = 0
    for seed in range(20):
        X, y = table(seed)
        subject = subject_of(scored(False), X, y, [UP | {"of": "grant"}], seed=seed)
        found += safety.behaviour(subject).at_most(LIMIT).status == "fail"
    assert found >= 19


def test_a_monotone_score_is_quiet_in_19_of_20_worlds():
    for seed in range(20):
        X, y = table(seed)
        finding = safety.behaviour(
            subject_of(scored(True), X, y, [UP | {"of": "grant"}], seed=seed)
        )
        assert finding.value == 0
        assert finding.at_most(LIMIT).status == "pass"


def test_a_boosted_model_with_a_monotone_constraint_keeps_it_and_one_without_does_not():
    X, y = table()
    X = X[["income", "age"]]
    y = (y == "grant").astype(int)
    shares = [
        safety.behaviour(
            subject_of(
                HistGradientBoostingClassifier(max_iter=30, monotonic_cst=flags).fit(X, y),
                X,
                y,
                [UP],
            )
        ).value
        for flags in ([1, 0], [0, 0])
    ]
    assert shares[0] == 0 < shares[1]


def test_the_sign_of_a_linear_model_decides_all_checks():
    X, y = table()
    X = X[["income", "age"]].fillna(2e4)
    model = make_pipeline(StandardScaler(), LogisticRegression()).fit(X, y == "grant")
    rules = [UP, {"monotone": "age", "direction": "down"}]
    finding = safety.behaviour(subject_of(model, X, y == "grant", rules))
    up, down = finding.rows
    assert (up["violated"], down["violated"]) == (0, down["checked"])
    assert finding.value == 1
    assert set(finding.examples["broken rule"]) == {"monotone: age down"}


def test_an_implication_is_checked_on_rows_made_to_meet_it():
    X, y = table()
    rule = {
        "if": {"age": "< 18", "job": ["clerk", "smith"], "member": True},
        "then": {"predict": "reject"},
    }

    def grants_minors(frame):
        assert str(frame["job"].dtype) == "category"
        assert frame["age"].dtype == np.int64
        return np.where((frame["age"] < 18) & (frame["job"] == "smith"), "grant", "reject")

    finding = safety.behaviour(subject_of(grants_minors, X, y, [rule]))
    (row,) = finding.rows
    assert row["rule"] == "if age < 18 and job is clerk or smith and member is True then reject"
    assert row["changed"] == row["checked"] == finding.n  # nobody is below 18
    assert 0.4 < finding.value < 0.6
    assert (finding.low, finding.high) == tuple(wilson(row["violated"], row["checked"]))[1:]
    assert (finding.examples["age"] < 18).all()
    assert finding.examples["member"].all()


@pytest.mark.parametrize(
    ("condition", "inside"),
    [
        ("< 18", lambda a: a < 18),
        ("<= 18", lambda a: a <= 18),
        ("> 90", lambda a: a > 90),
        (">= 40.5", lambda a: a >= 40.5),
        (33, lambda a: a == 33),
        ([33, 44], lambda a: a.isin([33, 44])),
    ],
)
def test_rows_made_for_a_number_meet_the_condition(condition, inside):
    X, y = table()
    seen = []

    def model(frame):
        seen.append(frame["age"])
        return np.full(len(frame), "grant")

    rule = {"if": {"age": condition}, "then": {"predict": "grant"}}
    assert safety.behaviour(subject_of(model, X, y, [rule])).value == 0
    assert inside(seen[-1]).all()
    assert seen[-1].nunique() > (1 if condition != 33 else 0)


def test_a_bound_is_checked_on_every_given_row_of_a_regression():
    X, _ = table()
    target = np.log(X["income"].fillna(2e4)) - 9.5
    numbers = X[["income", "age"]]
    model = HistGradientBoostingRegressor(max_iter=20).fit(numbers, target)
    rules = [{"bound": [0, None]}, {"if": {"age": "> 60"}, "then": {"bound": [None, 99]}}]
    finding = safety.behaviour(subject_of(model, numbers, target, rules))
    low, high = finding.rows
    expected = (model.predict(numbers) < 0).mean()
    assert low["share"] == pytest.approx(expected)
    assert low["checked"] == len(X)
    assert high["violated"] == 0
    assert finding.rows_sent["perturbed"] <= 2 * len(X)


def test_the_order_of_rows_changes_nothing():
    X, y = table()
    rules = [UP | {"of": "grant"}, {"if": {"age": "< 18"}, "then": {"predict": "reject"}}]
    order = np.random.default_rng(1).permutation(len(X))
    one = safety.behaviour(subject_of(scored(False), X, y, rules))
    other = safety.behaviour(subject_of(scored(False), X.iloc[order], y[order], rules))
    assert one.rows == other.rows


@pytest.mark.parametrize(
    ("rules", "says"),
    [
        ([], "is empty"),
        ("monotone", "list of rules"),
        ([3], "rule 1: it is of type int"),
        (
            [UP, {"monotone": "incom", "direction": "up"}],
            "rule 2: the model reads no column 'incom'",
        ),
        ([{"monotone": "job", "direction": "up"}], "holds no numbers"),
        ([{"monotone": "income"}], "direction must be"),
        ([UP | {"steps": 3}], "unknown key steps"),
        ([{"bound": [1, 0]}], "low at most high"),
        ([{"if": {"age": "under 18"}, "then": {"predict": "reject"}}], "like"),
        ([{"if": {"job": "baker"}, "then": {"predict": "reject"}}], "no such level"),
        ([{"if": {"age": "< 18"}, "then": {"predict": "no"}}], "one of grant, reject"),
        ([{"if": {"age": "< 18"}, "then": "reject"}], "must be"),
    ],
)
def test_a_rule_that_cannot_be_read_is_refused_with_the_remedy(rules, says):
    X, y = table()
    with pytest.raises(tc.InputError, match=says):
        safety.behaviour(subject_of(scored(True), X, y, rules))


def test_three_classes_need_to_say_whose_probability():
    X, _ = table()
    X = X[["age"]]
    y = np.digitize(X["age"], [40, 60])
    model = LogisticRegression(max_iter=5000).fit(X, y)
    rule = {"monotone": "age", "direction": "up"}
    with pytest.raises(tc.InputError, match="whose probability: 0, 1, 2"):
        safety.behaviour(subject_of(model, X, y, [rule]))
    assert safety.behaviour(subject_of(model, X, y, [rule | {"of": 2}])).value == 0


def test_without_rules_it_is_an_honest_skip():
    X, y = table()
    finding = safety.behaviour(tc.Subject(scored(True), X, y))
    assert finding.status == "skipped"
    assert "rules" in finding.reason
