import json

import numpy as np
import pandas as pd
import pytest
from statsmodels.stats.proportion import proportion_confint

import trustcheck as tc
from trustcheck import accountability

LIMIT = 0.90


def ask(log, task="binary", **params):
    X = pd.DataFrame({"a": [0.0, 1.0]})
    y = [0.5, 1.5] if task == "regression" else ["no", "yes"]
    model = (lambda Z: Z["a"]) if task == "regression" else (lambda Z: np.where(Z["a"] > 0, "yes", "no"))  # fmt: skip
    subject = tc.Subject(model, X, y, task=task, context=tc.Context(decisions=log))
    return accountability.oversight(subject, **params)


def world(seed, *, looked, n=2000):
    """A log in which flagged cases are really looked at with chance ``looked``."""
    rng = np.random.default_rng(seed)
    truth = rng.choice(["yes", "no"], n)
    model = np.where(rng.random(n) < 0.8, truth, np.where(truth == "yes", "no", "yes"))
    looks = rng.random(n) < looked
    human = np.where(looks & (rng.random(n) < 0.9), truth, model)
    seconds = np.where(looks, rng.uniform(20, 90, n), rng.uniform(0.5, 3, n))
    return pd.DataFrame(
        {"model": model, "human": human, "truth": truth, "seconds": seconds,
         "flagged": rng.random(n) < 0.5, "reviewer": rng.choice(["Ann Abbott", "Bo Baker"], n)}
    )  # fmt: skip


def test_every_rate_is_the_count_it_says_it_is():
    log = world(0, looked=0.7)
    found = ask(log)
    fast = (log.human == log.model) & (log.seconds < 5)
    due = log[log.flagged]
    hits = int((~fast[log.flagged]).sum())
    low, high = proportion_confint(hits, len(due), method="wilson")
    assert (found.value, found.low, found.high) == pytest.approx((hits / len(due), low, high))
    over = log[log.human != log.model]
    got = {name: estimate.value for name, estimate in found.metrics.items()}
    assert got["override_rate"] == pytest.approx(len(over) / len(log))
    benefit = (over.human == over.truth).mean() - (over.model == over.truth).mean()
    assert got["override_benefit"] == pytest.approx(benefit)
    wrong = log[log.model != log.truth]
    assert got["automation_bias"] == pytest.approx((wrong.human == wrong.model).mean())
    assert got["rubber_stamped"] == pytest.approx(fast.sum() / (log.human == log.model).sum())


def test_waving_cases_through_is_found_and_real_review_stays_quiet():
    found = [ask(world(s, looked=0.6)).at_least(LIMIT).status for s in range(20)]
    quiet = [ask(world(s, looked=0.97)).at_least(LIMIT).status for s in range(20)]
    assert found.count("fail") >= 19
    assert quiet.count("pass") >= 19


def test_overruling_at_random_has_no_benefit():
    rng = np.random.default_rng(1)
    log = world(1, looked=1.0)
    log["human"] = np.where(rng.random(len(log)) < 0.2, np.where(log.model == "yes", "no", "yes"), log.model)  # fmt: skip
    assert ask(log).metrics["override_benefit"].high < 0  # the model is right four times in five
    assert ask(world(1, looked=1.0)).metrics["override_benefit"].low > 0.9


def test_any_order_and_any_spelling_of_the_table_gives_the_same():
    log = world(2, looked=0.8)
    one = ask(log)
    order = np.random.default_rng(0).permutation(len(log))
    for other in (log.iloc[order], log.to_dict("records"), log.to_dict("list"),
                  log.astype({"model": "category", "flagged": int})):  # fmt: skip
        two = ask(other)
        assert two.metrics == one.metrics
        assert two.rows == one.rows


def test_reviewers_are_numbered_never_named():
    log = world(3, looked=0.8)
    log.loc[log.reviewer == "Ann Abbott", "seconds"] = 1.0
    found = ask(log)
    assert "Abbott" not in json.dumps([dict(row) for row in found.rows]) + repr(found)
    names = [row["group"] for row in found.rows]
    assert names == ["model said no", "model said yes", "reviewer #1", "reviewer #2"]
    assert sorted(row["rubber_stamped"] for row in found.rows[2:])[1] == 1.0


def test_cases_nobody_decided_are_not_reviewed_and_amounts_are_compared_by_distance():
    log = {"model": [1.5, 2.0, 3.25, 4.0], "human": [1.5, 2.5, None, 5.0], "truth": [1.0, 2.6, 3.0, 4.1]}  # fmt: skip
    found = ask(log, task="regression")
    assert found.value == 0.75
    assert found.metrics["override_rate"].value == pytest.approx(2 / 3)
    assert found.metrics["override_benefit"].value == 0.0  # nearer once, farther once
    assert "automation_bias" not in found.metrics
    assert found.rows == ()


def test_yes_and_no_with_gaps_and_a_record_of_review():
    log = {"model": [True, False, True, True], "human": [True, None, False, True],
           "reviewed": [1, 0, 1, None]}  # fmt: skip
    found = ask(log)
    assert found.value == 0.5
    assert found.metrics["override_rate"].value == pytest.approx(1 / 3)
    assert "no times" in found.notes[1]


@pytest.mark.parametrize(
    ("log", "said"),
    [
        ({"model": [1], "answer": [1]}, "lacks column 'human'; it has model, answer"),
        ({"model": [1, 0], "human": ["yes", "no"]}, "never agree"),
        ({"model": [1, None], "human": [1, 0]}, "missing at position 1"),
        ({"model": [1], "human": [1], "seconds": [-2]}, "'seconds' must hold numbers"),
        ({"model": [1], "human": [1], "flagged": ["maybe"]}, "position 0 holds a str"),
        ({"model": [1, 0], "human": [1]}, "cannot be read"),
        ({"model": [1, 0], "human": [1, 1], "truth": [1, "zero"]}, "'truth' holds no number"),
        (7, "cannot be read"),
    ],
)
def test_a_log_that_cannot_be_read_says_what_to_change(log, said):
    with pytest.raises(tc.InputError, match=said):
        ask(log)


def test_nothing_due_and_no_log_are_skipped():
    none_due = ask({"model": [1], "human": [1], "flagged": [False]})
    assert none_due.status == "skipped"
    assert ask({"model": [], "human": []}).status == "skipped"
    subject = tc.Subject.from_predictions([0, 1], [0, 1])
    assert "decisions" in accountability.oversight(subject).reason
