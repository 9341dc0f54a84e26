import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

import trustcheck as tc
from trustcheck import fairness
from trustcheck.fairness import _proxies

LIMIT = 0.80


def world(seed, strength, n=800, groups=("f", "m"), order=None, rename=None, task="binary"):
    rng = np.random.default_rng(seed)
    sex = rng.choice(groups, n)
    mark = (sex == groups[0]).astype(float)
    job = np.where(rng.random(n) < strength / 4 * mark, "nurse", rng.choice(["clerk", "smith"], n))
    X = pd.DataFrame(
        {
            "height": strength * mark + rng.normal(size=n),
            "income": np.where(rng.random(n) < 0.1, np.nan, rng.lognormal(size=n)),
            "job": pd.Categorical(job),
        }
    )
    answer = {"binary": (X["height"] > 0).astype(int), "regression": X["height"] * 2}[task]
    frame = pd.DataFrame({"sex": sex}).replace(rename or {})
    if order is not None:
        X, answer, frame = (t.iloc[order].reset_index(drop=True) for t in (X, answer, frame))
    return tc.Subject.from_predictions(answer, answer, X=X, sensitive=frame, task=task)


def test_auc_of_two_groups_equals_that_of_scikit_learn():
    rng = np.random.default_rng(0)
    guess, member = rng.random((300, 1)).round(1), rng.random((300, 1)) < 0.4
    got, _ = _proxies._largest(guess, member)
    assert got.value == pytest.approx(roc_auc_score(member[:, 0], guess[:, 0]), abs=1e-12)


def test_the_known_auc_of_a_normal_proxy_lies_in_the_interval():
    from scipy.stats import norm

    truth = norm.cdf(2 / np.sqrt(2))
    inside = 0
    for seed in range(20):
        row = next(r for r in fairness.proxies(world(seed, 2.0)).rows if r["feature"] == "height")
        inside += row["low"] <= truth <= row["high"]
    assert inside >= 17  # bands and learning on half the rows cost a little


def test_a_planted_proxy_fails_in_19_of_20_worlds_and_its_column_is_named_first():
    findings = [fairness.proxies(world(seed, 3.0, n=500)) for seed in range(20)]
    assert sum(f.at_most(LIMIT).status == "fail" for f in findings) >= 19
    assert all(f.rows[0]["feature"] in ("height", "job") for f in findings)
    assert all(f.metrics["answer_auc"].value > 0.65 for f in findings)


def test_columns_that_know_nothing_pass_in_19_of_20_worlds():
    findings = [fairness.proxies(world(seed, 0.0, n=500)) for seed in range(20)]
    assert sum(f.at_most(LIMIT).status == "pass" for f in findings) >= 19
    assert sum(f.low <= 0.5 <= f.high for f in findings) >= 17


@pytest.mark.parametrize("task", ["binary", "regression"])
def test_row_order_and_names_of_groups_change_nothing(task):
    one = fairness.proxies(world(3, 1.0, task=task))
    order = np.random.default_rng(0).permutation(800)
    two = fairness.proxies(world(3, 1.0, order=order, task=task))
    three = fairness.proxies(world(3, 1.0, rename={"f": "zebra", "m": "ant"}, task=task))
    for other in (two, three):
        for name, estimate in one.metrics.items():
            twin = other.metrics[name]
            assert (estimate.value, estimate.low, estimate.high) == pytest.approx(
                (twin.value, twin.low, twin.high), abs=1e-12
            )


def test_of_several_groups_the_one_told_best_is_named():
    finding = fairness.proxies(world(4, 3.0, groups=("x", "y", "z")))
    assert "'x'" in finding.notes[0]
    assert finding.value > 0.9


def test_the_sensitive_column_itself_is_left_out():
    rng = np.random.default_rng(5)
    X = pd.DataFrame({"sex": rng.choice(["f", "m"], 300), "age": rng.normal(size=300)})
    model = lambda frame: (frame["age"] > 0).astype(int)  # noqa: E731
    finding = fairness.proxies(tc.Subject(model, X, model(X), sensitive=["sex"]))
    assert [row["feature"] for row in finding.rows] == ["age"]
    assert finding.value < 0.7
    y = (X["sex"] == "m").astype(int)
    alone = tc.Subject(lambda f: (f["sex"] == "m").astype(int), X[["sex"]], y, sensitive=["sex"])
    assert fairness.proxies(alone).status == "skipped"


def test_too_few_rows_are_skipped():
    assert "20 rows" in fairness.proxies(world(0, 1.0, n=30)).reason
