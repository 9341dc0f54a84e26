import numpy as np
import pandas as pd
import pytest

import trustcheck as tc
from trustcheck import fairness

LIMIT = 0.20


def world(seed, gap=0.0, n=1500, task="binary", order=None, rename=None, **params):
    rng = np.random.default_rng(seed)
    sex = rng.choice(["f", "m"], n, p=[0.3, 0.7])
    mark = sex == "f"
    y = (rng.random(n) < 0.3 + gap * mark).astype(float)
    if task == "regression":
        y = y + rng.normal(0, 0.1, n)
    X = pd.DataFrame(
        {"age": rng.normal(size=n), "debt": np.where(rng.random(n) < 0.2 * mark, np.nan, 1.0)}
    )
    frame = pd.DataFrame({"sex": sex}).replace(rename or {})
    order = np.arange(n) if order is None else order
    X, frame = (t.iloc[order].reset_index(drop=True) for t in (X, frame))
    return tc.Subject.from_predictions(
        y[order], y[order], X=X, sensitive=frame, task=task, **params
    )


def test_rates_and_gaps_equal_those_of_pandas():
    subject = world(0, 0.2)
    finding = fairness.representation(subject)
    groups = pd.Series(subject.groups("sex").codes)
    rates = pd.Series(subject.truth).groupby(groups).mean()
    gone = subject.X["debt"].isna().groupby(groups).mean()
    assert finding.value == pytest.approx(rates.max() - rates.min(), abs=1e-12)
    assert finding.metrics["missing_gap"].value == pytest.approx(gone.max() - gone.min(), abs=1e-12)
    assert "'debt', 'f' more often" in finding.notes[1]
    share = groups.value_counts(normalize=True).min()
    assert finding.metrics["smallest_share"].value == pytest.approx(share, abs=1e-12)


def test_a_planted_label_gap_fails_in_19_of_20_worlds():
    found = [fairness.representation(world(s, 0.35)).at_most(LIMIT).status for s in range(20)]
    assert found.count("fail") >= 19


def test_equal_base_rates_pass_in_19_of_20_worlds():
    found = [fairness.representation(world(s)).at_most(LIMIT).status for s in range(20)]
    assert found.count("pass") >= 19


@pytest.mark.parametrize("task", ["binary", "regression"])
def test_row_order_and_names_of_groups_change_nothing(task):
    one = fairness.representation(world(1, 0.1, task=task))
    order = np.random.default_rng(0).permutation(1500)
    for other in (
        world(1, 0.1, task=task, order=order),
        world(1, 0.1, task=task, rename={"f": "zebra", "m": "ant"}),
    ):
        two = fairness.representation(other)
        for name, estimate in one.metrics.items():
            twin = two.metrics[name]
            assert (estimate.value, estimate.low, estimate.high) == pytest.approx(
                (twin.value, twin.low, twin.high), abs=1e-12
            )


def test_rows_repeated_within_clusters_give_the_interval_of_the_clusters():
    rng = np.random.default_rng(2)
    sex, y, person = rng.choice(["f", "m"], 300), rng.integers(0, 2, 300), np.arange(300)

    def ask(times, **params):
        s, labels = np.repeat(sex, times), np.repeat(y, times)
        return fairness.representation(
            tc.Subject.from_predictions(labels, labels, sensitive={"sex": s}, **params)
        )

    once, naive = ask(1), ask(5)
    twice = ask(5, cluster=np.repeat(person, 5))
    assert twice.high == pytest.approx(once.high, abs=0.002)
    assert naive.high < once.high - 0.02


def test_shares_of_the_reference_are_shown_where_the_model_reads_the_column():
    X = pd.DataFrame({"sex": ["f", "m", "m", "m"] * 50})
    y = [0, 1] * 100
    train = pd.DataFrame({"sex": ["f", "m"] * 50})
    model = lambda frame: np.zeros(len(frame), dtype=int)  # noqa: E731
    subject = tc.Subject(model, X, y, sensitive=["sex"], reference=(train, [0, 1] * 50))
    finding = fairness.representation(subject)
    assert [row["reference_share"] for row in finding.rows] == [0.5, 0.5]
    assert [row["share"] for row in finding.rows] == [0.25, 0.75]
    assert finding.rows_sent == {}
