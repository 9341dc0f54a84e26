import numpy as np
import pandas as pd
import pytest
from sklearn.compose import make_column_transformer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

import trustcheck as tc
from trustcheck import fairness

LIMIT = 0.05


def table(rng, n=600):
    return pd.DataFrame(
        {
            "sex": pd.Categorical(rng.choice(["f", "m", "x"], n, p=[0.5, 0.4, 0.1])),
            "age": np.where(rng.random(n) < 0.1, np.nan, rng.normal(40, 10, n)),
        }
    )


def fitted(seed, effect, task="binary", order=None, **params):
    rng = np.random.default_rng(seed)
    X = table(rng)
    signal = (X["age"].fillna(40) - 40) / 5 + effect * (X["sex"] == "m") + rng.normal(0, 0.5, 600)
    y = {
        "binary": (signal > 0).astype(int),
        "multiclass": np.digitize(signal, [-1, 1]),
        "regression": signal,
    }[task]
    columns = make_column_transformer((OneHotEncoder(), ["sex"]), (SimpleImputer(), ["age"]))
    last = LinearRegression() if task == "regression" else LogisticRegression(max_iter=1000)
    model = make_pipeline(columns, last).fit(X, y)
    if order is not None:
        X, y = X.iloc[order].reset_index(drop=True), np.asarray(y)[order]
    return tc.Subject(model, X, y, sensitive=["sex"], **params)


def test_two_groups_equal_a_hand_flip_of_every_row():
    X = table(np.random.default_rng(0))
    X = X[X["sex"] != "x"].assign(sex=lambda f: f["sex"].astype(str)).reset_index(drop=True)

    def model(frame):
        return ((frame["sex"] == "m") & (frame["age"] > 40)).astype(int).to_numpy()

    finding = fairness.flips(tc.Subject(model, X, model(X), sensitive=["sex"]))
    other = X.assign(sex=X["sex"].map({"f": "m", "m": "f"}))
    assert finding.value == pytest.approx(np.mean(model(X) != model(other)), abs=1e-12)
    assert finding.n == len(X)


def test_the_shift_is_the_mean_change_of_the_score():
    subject = fitted(1, 0.0)
    finding = fairness.flips(subject)
    assert finding.metrics["shift"].value < 0.1
    steep = fairness.flips(fitted(1, 3.0))
    assert steep.metrics["shift"].value > 0.1


def test_a_model_that_uses_the_attribute_fails_in_19_of_20_worlds():
    found = [fairness.flips(fitted(s, 3.0)).at_most(LIMIT).status == "fail" for s in range(20)]
    assert sum(found) >= 19


def test_a_model_that_reads_but_does_not_use_it_passes_in_19_of_20_worlds():
    def model(frame):
        return (frame["age"] > 40).astype(int).to_numpy()

    quiet = 0
    for seed in range(20):
        X = table(np.random.default_rng(seed))
        finding = fairness.flips(tc.Subject(model, X, model(X), sensitive=["sex"]))
        quiet += finding.at_most(LIMIT).status == "pass"
    assert quiet >= 19


def test_a_model_blind_to_the_column_is_skipped_not_praised():
    X = pd.DataFrame({"age": [20, 60] * 50})
    subject = tc.Subject(
        lambda f: (f["age"] > 40).astype(int), X, [0, 1] * 50, sensitive={"sex": ["f", "m"] * 50}
    )
    finding = fairness.flips(subject)
    assert finding.status == "skipped"
    assert "fairness.proxies" in finding.reason


@pytest.mark.parametrize("task", ["binary", "multiclass", "regression"])
def test_row_order_changes_nothing_and_no_more_rows_are_sent_than_promised(task):
    order = np.random.default_rng(9).permutation(600)
    one, two = (fairness.flips(fitted(2, 1.0, task, order=o)) for o in (None, order))
    assert list(one.metrics) == ["flips", "shift"]
    for name, estimate in one.metrics.items():
        twin = two.metrics[name]
        assert (estimate.value, estimate.low, estimate.high) == pytest.approx(
            (twin.value, twin.low, twin.high), abs=1e-12
        )
    assert one.rows_sent["perturbed"] <= 600
    assert sum(row["n"] for row in one.rows) == one.n


def test_weights_and_clusters_enter_the_interval():
    weight = np.random.default_rng(0).exponential(size=600)
    plain, weighted = (
        fairness.flips(fitted(3, 1.0)),
        fairness.flips(fitted(3, 1.0, sample_weight=weight)),
    )
    assert weighted.high - weighted.low > plain.high - plain.low
    clustered = fairness.flips(fitted(3, 1.0, cluster=np.arange(600) // 2))
    assert clustered.status == "measured"


def test_rows_without_a_group_are_left_out_and_counted():
    X = table(np.random.default_rng(4))
    X.loc[:9, "sex"] = None

    def model(frame):
        return (frame["sex"] == "m").astype(int).to_numpy()

    finding = fairness.flips(tc.Subject(model, X, model(X), sensitive=["sex"]))
    assert finding.n == 590
    assert any(note.startswith("10 rows without") for note in finding.notes)
