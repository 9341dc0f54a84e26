import numpy as np
import pandas as pd
import pytest

import trustcheck as tc
from trustcheck import fairness

LIMIT = 0.10


def world(rng, gap, n=3000, weights=None, groups=2):
    """Departments admit at different rates, and groups apply to them in different shares."""
    group = rng.integers(0, groups, n)
    dept = (rng.random(n) < np.where(group == 1, 0.8, 0.2)).astype(int)
    rate = np.array([0.2, 0.7])[dept] + gap * (group == 1)
    names = np.array(["a", "b", "c"])
    return tc.Subject.from_predictions(
        None,
        (rng.random(n) < rate).astype(int),
        sensitive={"g": names[group], "dept": np.array(["law", "arts"])[dept]},
        task="binary",
        classes=[0, 1],
        sample_weight=weights,
    )


def ask(subject, **params):
    return fairness.conditional_parity(subject, by="g", given="dept", **params)


def test_a_planted_gap_within_strata_fails_in_19_of_20_worlds():
    verdicts = [ask(world(np.random.default_rng(s), 0.25)).at_most(LIMIT) for s in range(20)]
    assert sum(v.status == "fail" for v in verdicts) >= 19


def test_a_gap_that_the_factor_explains_passes_though_the_marginal_gap_is_wide():
    findings = [ask(world(np.random.default_rng(s), 0.0)) for s in range(20)]
    assert sum(f.at_most(LIMIT).status == "pass" for f in findings) >= 19
    assert all(f.metrics["marginal"].low > LIMIT for f in findings)
    assert sum("Simpson" in " ".join(f.notes) for f in findings) <= 1


def test_simpsons_reversal_is_named():
    finding = ask(world(np.random.default_rng(0), -0.15))
    assert any(note.startswith("Simpson alarm: ") for note in finding.notes)


def test_gaps_that_cancel_over_strata_are_named():
    group, dept = np.repeat(["a", "b"], 800), np.tile(["x", "y"], 800)
    predicted = (
        np.arange(1600) // 2 % 10 < np.where((group == "a") == (dept == "x"), 7, 3)
    ).astype(int)
    subject = tc.Subject.from_predictions(
        None, predicted, sensitive={"g": group, "dept": dept}, task="binary", classes=[0, 1]
    )
    finding = ask(subject)
    assert finding.value < 0.01
    assert any("hides both" in note for note in finding.notes)


def test_weights_of_two_count_as_much_as_rows_twice_but_are_no_more_rows():
    plain = world(np.random.default_rng(3), 0.1)
    weighted = world(np.random.default_rng(3), 0.1, weights=np.full(3000, 2.0))
    one, two = ask(plain), ask(weighted)
    assert (one.value, one.low, one.high) == pytest.approx((two.value, two.low, two.high))


def test_nothing_given_is_skipped_with_a_remedy_and_misuse_is_named():
    subject = world(np.random.default_rng(0), 0.0, n=100)
    skipped = fairness.conditional_parity(subject, by="g")
    assert skipped.status == "skipped"
    assert "using(given=" in skipped.reason
    with pytest.raises(tc.InputError, match="no column of this subject; it has g, dept"):
        fairness.conditional_parity(subject, by="g", given="age")
    with pytest.raises(tc.InputError, match="very group"):
        fairness.conditional_parity(subject, by="g", given=["g", "dept"])


def test_a_group_alone_in_its_strata_leaves_the_verdict_open():
    apart = tc.Subject.from_predictions(
        None,
        [0, 1] * 400,
        sensitive={
            "g": ["a", "a", "b", "b", "a", "a", "c", "c"] * 100,
            "dept": ["x", "x", "x", "x", "x", "x", "y", "y"] * 100,
        },
        task="binary",
        classes=[0, 1],
    )
    finding = ask(apart)
    assert "'c' shares no stratum" in finding.incomplete
    with pytest.warns(tc.TrustInconclusiveWarning):
        assert finding.at_most(0.9).status == "inconclusive"


@pytest.mark.parametrize("task", ["binary", "multiclass", "regression"])
def test_mixed_columns_with_missing_values_band_and_ignore_row_order(task):
    rng = np.random.default_rng(5)
    n = 600
    X = pd.DataFrame(
        {
            "age": np.where(rng.random(n) < 0.1, np.nan, rng.normal(40, 9, n)),
            "job": pd.Categorical(rng.choice(["clerk", "smith", None], n)),
        }
    )
    sex = pd.DataFrame({"sex": rng.choice(["f", "m", "x"], n, p=[0.5, 0.4, 0.1])})
    answers = {
        "binary": rng.integers(0, 2, n),
        "multiclass": rng.choice(["p", "q", "r"], n),
        "regression": rng.normal(size=n),
    }[task]

    def measure(order):
        subject = tc.Subject.from_predictions(
            answers[order],
            answers[order],
            X=X.iloc[order].reset_index(drop=True),
            sensitive=sex.iloc[order].reset_index(drop=True),
            task=task,
        )
        return fairness.conditional_parity(subject, given=["age", "job"])

    one, two = measure(np.arange(n)), measure(rng.permutation(n))
    assert (one.value, one.low, one.high) == pytest.approx(
        (two.value, two.low, two.high), abs=1e-12
    )
    assert one.rows == two.rows
    assert {"age (missing) & job clerk", "age up to"} & {r["given"] for r in one.rows}
    assert sum(r["n"] for r in one.rows) % n == 0
