import numpy as np
import pandas as pd
import pytest
from sklearn.compose import make_column_transformer
from sklearn.dummy import DummyClassifier
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.model_selection import FixedThresholdClassifier
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

import trustcheck as tc
from trustcheck.security import extraction
from trustcheck.types import InputError

LIMIT = 0.85


def world(seed, n=1200, noise=1.0):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(2 * n, 4))
    signal = X[:, 0] - X[:, 1] + noise * rng.normal(size=2 * n)
    return X[:n], signal[:n], X[n:], signal[n:]


def subject(model, seed=0, cut=0.0, **facts):
    """A classifier trained on its own rows, or a fixed rule, with as many fresh rows."""
    X, signal, new_X, new_signal = world(seed, **facts)
    y, new_y = (np.digitize(s, np.atleast_1d(cut)) for s in (signal, new_signal))
    model = model.fit(X, y) if hasattr(model, "fit") else model
    return tc.Subject(model, new_X, new_y, seed=seed, task="classification")


def coin(X):
    """An answer that has nothing to do with the row, but is always the same for it."""
    bits = np.ascontiguousarray(X).view(np.uint64)
    return (bits.sum(axis=1) * np.uint64(0x9E3779B97F4A7C15) >> np.uint64(63)).astype(int)


def odd(X):
    """A clear rule that has nothing to do with the labels."""
    return (X[:, 2] > 0.3).astype(int)


def parity(X):
    return (X[:, 2] * X[:, 3] > 0).astype(int)


def test_the_headline_follows_from_its_own_fidelity_and_baseline():
    finding = extraction(subject(HistGradientBoostingClassifier(random_state=0)))
    last = finding.rows[-1]
    excess = (last["fidelity"] - last["baseline"]) / (1 - last["baseline"])
    assert finding.value == pytest.approx(excess, abs=1e-12)
    assert finding.metrics["fidelity"].value == last["fidelity"]
    assert [row["queries"] for row in finding.rows] == [100, 300, 600]
    assert finding.assurance == "searched"
    assert finding.influence.mean() == pytest.approx(0, abs=1e-12)


def test_a_logistic_model_that_shows_its_scores_is_copied_almost_wholly():
    for cut in (0.0, [-1.0, 1.0]):
        finding = extraction(subject(LogisticRegression(), cut=cut), queries=300)
        assert finding.value > 0.9
        assert finding.metrics["fidelity"].low > 0.98


def test_labels_alone_give_away_less_than_scores():
    made = subject(LogisticRegression())
    labels, scores = (extraction(made, output=o, queries=300) for o in ("labels", "scores"))
    assert labels.value < scores.value


def test_a_linear_regression_is_copied_wholly():
    X, y, new_X, new_y = world(0)
    finding = extraction(tc.Subject(LinearRegression().fit(X, y), new_X, new_y), queries=100)
    assert finding.low > 0.99
    assert finding.rows[0]["copy"] == "linear"


def test_a_rule_unlike_the_labels_is_found_out_in_19_of_20_worlds():
    failed = [extraction(subject(odd, s), queries=100).low > LIMIT for s in range(20)]
    assert sum(failed) >= 19


def test_parity_is_found_out_too():
    finding = extraction(subject(parity, n=4000), queries=1000)
    assert finding.low > LIMIT
    assert finding.rows[-1]["copy"] == "boosted trees"


def test_a_coin_cannot_be_copied_in_19_of_20_worlds():
    found = [extraction(subject(coin, s), queries=100) for s in range(20)]
    assert sum(finding.high <= LIMIT for finding in found) >= 19
    assert sum(finding.low <= 0 <= finding.high for finding in found) >= 17


def test_a_model_that_answers_with_the_labels_gives_away_only_them():
    _, _, new_X, new_signal = world(0, noise=2.0)
    y = (new_signal > 0).astype(int)
    memory = KNeighborsClassifier(1).fit(new_X, y)
    assert extraction(tc.Subject(memory, new_X, y), queries=100).value == pytest.approx(0, abs=0.1)
    alone = tc.Subject.from_predictions(y, y, X=new_X)
    assert extraction(alone, queries=100).value == pytest.approx(0, abs=0.1)


def test_queries_to_90_per_cent_are_given_only_if_reached():
    got = extraction(subject(LogisticRegression(), n=4000), queries=300)
    needed = got.metrics["queries_to_90pct"]
    assert 100 <= needed.low <= needed.value <= needed.high <= 300
    assert "queries_to_90pct" not in extraction(subject(coin), queries=300).metrics


def test_answers_by_a_threshold_of_its_own_are_copied_from_the_labels():
    model = FixedThresholdClassifier(LogisticRegression(), threshold=0.2)
    finding = extraction(subject(model), queries=300)
    assert any("threshold" in note for note in finding.notes)
    assert finding.metrics["fidelity"].value > 0.95


def test_rows_that_equal_a_query_are_left_out():
    made = subject(LogisticRegression(), n=400)
    X, y = made.X.to_numpy(), made.truth
    finding = extraction(tc.Subject(made.native, np.vstack([X, X]), np.r_[y, 1 - y]))
    left = int(finding.notes[1].partition(" ")[0])
    assert "equal a query" in finding.notes[1]
    assert 150 < left < 250
    assert finding.n == 400 - left - (400 - left) // 3
    one_row = tc.Subject(made.native, np.repeat(X[:1], 400, axis=0), np.arange(400) % 2)
    assert "differ from them" in extraction(one_row).reason


def test_what_cannot_be_asked_is_skipped_with_its_reason():
    X, signal, new_X, new_signal = world(0, n=200)
    y, new_y = signal > 0, new_signal > 0
    constant = DummyClassifier(strategy="most_frequent").fit(X, y)
    model = LogisticRegression().fit(X, y)
    text = pd.DataFrame({"note": [f"note {i}" for i in range(200)]})
    for made, reason in (
        (tc.Subject(constant, new_X, new_y), "same answer"),
        (tc.Subject(model, new_X), "no labels"),
        (tc.Subject(model, new_X[:70], new_y[:70]), "40 given rows"),
        (tc.Subject.from_predictions(new_y, y), "no feature table"),
        (tc.Subject(lambda f: f["note"].str.len() % 2, text, new_y.astype(int)), "free text"),
        (tc.Subject(lambda f: (f[:, 0] > 9).astype(int), X + 9, (X[:, 0] > 0) * 1), "alone"),
    ):
        finding = extraction(made)
        if reason == "alone":  # the model is the labels' own rule: hardly anything to give away
            assert finding.status == "skipped" or finding.low < LIMIT
            continue
        assert finding.status == "skipped"
        assert reason in finding.reason


def test_misuse_is_refused():
    made = subject(LogisticRegression())
    with pytest.raises(InputError, match="output must be"):
        extraction(made, output="logits")
    with pytest.raises(InputError, match="at least 40"):
        extraction(made, queries=5)
    silent = extraction(subject(odd), output="scores")
    assert "no probabilities" in silent.reason


def mixed(n, rng):
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
    return X, X["age"] + 20 * (X["job"] == "nurse") + rng.normal(0, 9, n)


@pytest.mark.parametrize("task", ["binary", "multiclass", "regression"])
def test_mixed_tables_with_gaps_work_in_any_order_and_no_row_is_asked_twice(task):
    rng = np.random.default_rng(0)
    X, signal = mixed(1100, rng)
    y = {
        "binary": np.where(signal > 50, "yes", "no"),
        "multiclass": np.digitize(signal, [40, 60]),
        "regression": signal.to_numpy(),
    }[task]
    encode = make_column_transformer(
        (OneHotEncoder(handle_unknown="ignore"), ["job"]), ("passthrough", ["age", "member"])
    )
    last = (
        LinearRegression()
        if task == "regression"
        else RandomForestClassifier(20, max_depth=5, random_state=0)
    )
    model = make_pipeline(encode, last).fit(X[:500], y[:500])

    def made(order):
        given = tc.Subject(model, X[500:].iloc[order], y[500:][order], reference=(X[:500], y[:500]))
        return given, extraction(given, queries=100)

    given, finding = made(np.arange(600))
    again = extraction(given, queries=100)
    assert finding == again
    assert set(finding.rows_sent) <= {"given", "given, ties"}
    assert not again.rows_sent
    _, turned = made(rng.permutation(600))
    for name, estimate in finding.metrics.items():
        assert turned.metrics[name].value == pytest.approx(estimate.value, abs=1e-12)
