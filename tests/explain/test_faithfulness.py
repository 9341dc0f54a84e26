import functools
import sys

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import make_column_transformer
from sklearn.datasets import make_friedman1, make_low_rank_matrix
from sklearn.ensemble import (
    GradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
)
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sklearn.svm import LinearSVC

import trustcheck as tc
from trustcheck.explain import faithfulness
from trustcheck.explain._attribute import explain as explain_rows
from trustcheck.explain._faithfulness import deletion
from trustcheck.explain._swap import Swap
from trustcheck.stats import attribution
from trustcheck.types import InputError, Status

LIMIT = 0.1


def world(seed, n=600, d=8):
    """Numbers of which some matter, each in its own degree, and two act together."""
    rng = np.random.default_rng(seed)
    X = pd.DataFrame(rng.normal(size=(2 * n, d)), columns=[f"f{j}" for j in range(d)])
    weights = rng.permutation(2.0 ** -np.arange(d)) * rng.choice([-1, 1], d)
    signal = X.to_numpy() @ weights + X["f0"] * X["f1"] + rng.normal(0, 0.3, 2 * n)
    return X, signal


def subject_of(model, number=0, n=600, labels=None, **facts):
    X, signal = world(number, n)
    y = labels(signal) if labels else (signal > 0).astype(int)
    model.fit(X[n:], y[n:])
    return tc.Subject(
        model, X[:n].reset_index(drop=True), np.asarray(y[:n]), reference=(X[n:], y[n:]), **facts
    )


def mixed(n=400, seed=0):
    rng = np.random.default_rng(seed)
    X = pd.DataFrame(
        {
            "income": np.where(rng.random(n) < 0.1, np.nan, rng.lognormal(10, 0.5, n)),
            "age": rng.integers(18, 80, n),
            "job": rng.choice(["clerk", "nurse", "smith"], n),
            "town": pd.Categorical(rng.choice(["a", "b"], n)),
        }
    )
    y = np.where((X["job"] == "nurse") * 20 + X["age"] > 50, "yes", "no")
    return X, y


def mixed_model(last):
    return make_pipeline(
        make_column_transformer(
            (make_pipeline(SimpleImputer(), StandardScaler()), ["income", "age"]),
            (OneHotEncoder(handle_unknown="ignore"), ["job", "town"]),
        ),
        last,
    )


MODELS = {
    "linear": LogisticRegression,
    "boosting": lambda: GradientBoostingClassifier(n_estimators=30),
    "labels alone": LinearSVC,
}


@pytest.mark.parametrize("model", MODELS)
def test_a_true_explanation_is_clearly_better_than_random_in_at_least_19_of_20_seeds(model):
    findings = [faithfulness(subject_of(MODELS[model](), seed, seed=seed)) for seed in range(20)]
    assert sum(f.low > LIMIT for f in findings) >= 19
    assert sum(bool(f.at_least(LIMIT, strict=True)) for f in findings) >= 19


@functools.cache
def explained(seed):
    rng = np.random.default_rng(seed)
    subject = subject_of(GradientBoostingClassifier(n_estimators=30, random_state=0), seed)
    rows = subject.sample(43, rng)
    found = explain_rows(Swap.draw(subject, rows, rng), rng, budget=0)
    return Swap.draw(subject, rows, rng), found.values  # noqa: PD011 - an array


def gain_of_fake(seed, fake):
    """The gain of an explanation passed off as the model's."""
    rng = np.random.default_rng(seed)
    swap, values = explained(seed)
    return attribution.deletion_gain(*deletion(swap, fake(values, rng), rng, donors=4, steps=10))


FAKES = {
    "random": lambda values, rng: rng.normal(size=values.shape),
    "features shuffled": lambda values, rng: rng.permuted(values, axis=1),
    "nothing": lambda values, rng: np.zeros_like(values),
}


@pytest.mark.parametrize("fake", FAKES)
def test_a_fake_explanation_never_passes_in_at_least_19_of_20_seeds(fake):
    gains = [gain_of_fake(seed, FAKES[fake]) for seed in range(40)]
    assert sum(gain.low > LIMIT for gain in gains) <= 2
    # Of right 95 % intervals one in 40 lies above 0; four or more of 40 do in 2 % of worlds.
    assert sum(gain.low > 0 for gain in gains) <= 3


def test_an_explanation_with_the_wrong_sign_is_worse_than_random():
    assert all(gain_of_fake(seed, lambda values, _: -values).high < -0.3 for seed in range(20))


def test_an_explanation_half_of_which_is_shuffled_lies_between():
    def half(values, rng):
        return np.where(rng.random((len(values), 1)) < 0.5, rng.permuted(values, axis=1), values)

    true = np.mean([gain_of_fake(seed, lambda values, _: values).value for seed in range(10)])
    mean = np.mean([gain_of_fake(seed, half).value for seed in range(10)])
    assert 0.3 * true < mean < 0.7 * true


def test_one_feature_that_does_everything_gives_a_gain_of_one():
    X = np.random.default_rng(0).normal(size=(400, 6))
    model = LinearRegression().fit(X, X[:, 2])
    model.coef_ = np.array([0, 0, 3.0, 0, 0, 0])
    finding = faithfulness(tc.Subject(model, X, reference=np.zeros((20, 6)), task="regression"))
    assert (finding.value, finding.low, finding.high) == pytest.approx((1.0, 1.0, 1.0))
    assert finding.rows[0] == pytest.approx({"feature": "x2", "share": 1, "low": 1, "high": 1})


def test_the_gain_of_a_linear_model_is_that_of_a_plain_loop():
    rng = np.random.default_rng(3)
    X, donors = rng.normal(size=(60, 4)), rng.normal(size=(30, 4))
    w = np.array([2.0, -1, 0.5, 0.1])
    subject = tc.Subject(lambda T: T @ w, X, reference=donors, task="regression")
    rows = subject.sample(20, rng)
    swap = Swap.draw(subject, rows, rng)
    values = w * (X[rows] - donors.mean(axis=0))
    explained, random, best = deletion(swap, values, np.random.default_rng(5), donors=3, steps=10)
    again = np.random.default_rng(5)
    shuffled = again.permuted(np.tile(np.arange(4), (20, 1)), axis=1)
    again.random((20, 4))
    chosen = swap.pair(3, again)

    def curve(i, order):
        falls = []
        for k in range(1, 5):
            copies = np.repeat(X[rows[i]][None], 3, axis=0)
            copies[:, order[:k]] = donors[swap.donors[chosen[i]]][:, order[:k]]
            falls.append(X[rows[i]] @ w - (copies @ w).mean())
        return falls

    for i in range(20):
        by_loop = [curve(i, o) for o in (np.argsort(-values[i]), shuffled[i], shuffled[i][::-1])]
        inner = [np.mean(c[:-1]) for c in by_loop]
        assert explained[i] == pytest.approx(inner[0], abs=1e-12)
        assert random[i] == pytest.approx((inner[1] + inner[2]) / 2, abs=1e-12)
        assert best[i] == pytest.approx(max(0, *np.ravel(by_loop)), abs=1e-12)
        # In an additive model a random order and its reverse halve the whole fall.
        assert random[i] == pytest.approx(by_loop[0][-1] / 2, abs=1e-12)


@pytest.mark.parametrize("method", ["auto", "sampling", "occlusion"])
def test_mixed_columns_with_missing_values_through_a_pipeline(method):
    X, y = mixed()
    model = mixed_model(LogisticRegression()).fit(X, y)
    finding = faithfulness(tc.Subject(model, X, y), method=method)
    assert finding.low > LIMIT
    assert {row["feature"] for row in finding.rows[:2]} == {"age", "job"}
    assert sum(row["share"] for row in finding.rows) == pytest.approx(1)
    assert ("additivity_error" in finding.metrics) == (method != "occlusion")
    if method != "occlusion":
        assert finding.metrics["additivity_error"].value < 1e-9
    assert "other given rows" in " ".join(finding.notes)


def test_several_classes_and_regression_are_measured():
    three = faithfulness(
        subject_of(
            RandomForestClassifier(20, max_depth=5, random_state=0),
            labels=lambda s: np.digitize(s, [-0.5, 0.5]),
        )
    )
    X, y = make_friedman1(600, n_features=9, random_state=0)
    number = faithfulness(tc.Subject(HistGradientBoostingRegressor(max_iter=40).fit(X, y), X, y))
    assert three.low > LIMIT
    assert number.low > LIMIT
    assert {row["feature"] for row in number.rows[:5]} == {f"x{j}" for j in range(5)}


def test_the_order_of_rows_changes_nothing_and_a_seed_repeats():
    X, y = mixed()
    model = mixed_model(MLPClassifier((8,), max_iter=20, solver="lbfgs", random_state=0))
    model.fit(X, y)
    one = faithfulness(tc.Subject(model, X, y, reference=X))
    assert one == faithfulness(tc.Subject(model, X, y, reference=X))
    order = np.random.default_rng(0).permutation(len(X))
    other = faithfulness(
        tc.Subject(
            model, X.iloc[order].reset_index(drop=True), y[order], reference=X.iloc[order[::-1]]
        )
    )
    for name, estimate in one.metrics.items():
        assert estimate.value == pytest.approx(other.metrics[name].value, abs=1e-12)
    assert one.low == pytest.approx(other.low, abs=1e-12)
    # Copies of a row may change places.
    np.testing.assert_allclose(np.sort(one.influence), np.sort(other.influence), atol=1e-12)


@pytest.mark.parametrize("n", [60, 100, 300, 1500])
@pytest.mark.parametrize("model", [LogisticRegression(), LinearSVC()])
def test_the_model_is_asked_within_six_rows_a_row_and_no_given_row_twice(n, model):
    subject = subject_of(model, n=n)
    finding = faithfulness(subject)
    assert finding.status is Status.MEASURED
    assert 0 < finding.rows_sent["perturbed"] <= 6 * n
    assert finding.rows_sent.get("given", 0) <= n
    assert "reference" not in finding.rows_sent
    assert "given" not in faithfulness(subject).rows_sent


def test_a_smaller_budget_explains_fewer_rows():
    subject = subject_of(LogisticRegression(), n=1500)
    small = faithfulness(subject.with_budget(10 * subject.n))
    assert small.n < faithfulness(subject).n
    assert small.rows_sent["perturbed"] <= 6 * subject.n / 3


def test_trees_are_read_on_the_rows_explained_only(monkeypatch):
    shap = pytest.importorskip("shap")
    seen, real = [], shap.TreeExplainer.shap_values

    def count(self, X, *args, **facts):
        seen.append(len(X))
        return real(self, X, *args, **facts)

    monkeypatch.setattr(shap.TreeExplainer, "shap_values", count)
    X = np.random.default_rng(0).normal(size=(50_000, 5))
    model = GradientBoostingClassifier(n_estimators=5).fit(X[:500], X[:500, 0] > 0)
    finding = faithfulness(tc.Subject(model, X))
    assert finding.n == sum(seen) / 2 == 200  # twice, with half the donors each
    assert finding.rows_sent["perturbed"] <= 60_000


def test_without_shap_there_is_a_number_and_a_note(monkeypatch):
    monkeypatch.setitem(sys.modules, "shap", None)
    finding = faithfulness(subject_of(GradientBoostingClassifier(n_estimators=30)))
    assert finding.low > LIMIT
    assert any("shap cannot be loaded" in note for note in finding.notes)
    assert any("Sampling" in note for note in finding.notes)


def test_many_features_are_replaced_in_groups():
    X = make_low_rank_matrix(400, 60, effective_rank=10, random_state=0) * 50
    y = (X[:, :5].sum(axis=1) > 0).astype(int)
    model = MLPClassifier((8,), max_iter=30, solver="lbfgs", random_state=0).fit(X, y)
    finding = faithfulness(tc.Subject(model, X, y))
    assert finding.low > LIMIT
    assert finding.rows_sent["perturbed"] <= 6 * 400


def test_weights_and_clusters_are_honoured():
    subject = subject_of(LogisticRegression(), n=300)
    X, y, weights = subject.X, subject.truth, np.r_[np.zeros(150), np.ones(150)]
    model, reference = subject.native, subject.reference.X
    weighted = faithfulness(tc.Subject(model, X, y, reference=reference, sample_weight=weights))
    assert weighted.status is Status.MEASURED
    assert weighted.value != faithfulness(tc.Subject(model, X, y, reference=reference)).value
    homes = np.arange(300) % 3
    clustered = faithfulness(tc.Subject(model, X, y, reference=reference, cluster=homes))
    assert clustered.high - clustered.low > 0
    alone = faithfulness(tc.Subject(model, X, y, reference=reference, cluster=np.zeros(300)))
    assert alone.status is Status.SKIPPED
    assert "count as one" in alone.reason


@pytest.mark.parametrize(
    ("subject", "reason"),
    [
        (tc.Subject(lambda T: np.ones(len(T)), np.eye(99, 5), task="regression"), "did not change"),
        (tc.Subject(lambda T: T[:, 0], np.arange(99.0)[:, None], task="regression"), "one feature"),
        (tc.Subject(lambda T: T[:, 0], np.eye(9), task="regression"), "the budget is 18"),
        (tc.Subject.from_predictions([0, 1] * 50, [0, 1] * 50, X=np.eye(100)), "asked"),
    ],
    ids=["constant", "one feature", "few rows", "predictions alone"],
)
def test_where_there_is_no_answer_the_reason_is_given(subject, reason):
    finding = faithfulness(subject)
    assert finding.status is Status.SKIPPED
    assert reason in finding.reason


def test_senseless_parameters_are_refused():
    subject = subject_of(LogisticRegression(), n=100)
    for name, number in (("rows", 1), ("donors", 0), ("steps", 1)):
        with pytest.raises(InputError, match=f"{name} must be at least"):
            faithfulness(subject, **{name: number})
    with pytest.raises(InputError, match="method must be one of"):
        faithfulness(subject, method="magic")


def test_the_headline_can_be_recomputed_from_its_statistics():
    finding = faithfulness(subject_of(LogisticRegression(), n=300))
    again = attribution.deletion_gain(**finding.statistics)
    assert tuple(again) == pytest.approx((finding.value, finding.low, finding.high))
    assert abs(finding.influence.sum()) < 1e-9
