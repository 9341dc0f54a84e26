# ruff: noqa: PD011 - the values of attributions are an array
import itertools
import math
import sys

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import make_column_selector, make_column_transformer
from sklearn.datasets import load_breast_cancer
from sklearn.decomposition import PCA
from sklearn.ensemble import (
    ExtraTreesRegressor,
    GradientBoostingClassifier,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
)
from sklearn.impute import KNNImputer, SimpleImputer
from sklearn.linear_model import LinearRegression, LogisticRegression, PoissonRegressor
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import (
    FunctionTransformer,
    KBinsDiscretizer,
    OneHotEncoder,
    OrdinalEncoder,
    StandardScaler,
)
from sklearn.svm import LinearSVC

import trustcheck as tc
from trustcheck.explain._attribute import additivity_error
from trustcheck.explain._attribute import explain as explain_rows
from trustcheck.explain._encoded import encode
from trustcheck.explain._swap import Swap
from trustcheck.search._pipeline import unwrap
from trustcheck.types import InputError, NotMeasurable

TEXT, NUMBER = make_column_selector(dtype_exclude=np.number), make_column_selector(dtype_include=np.number)  # fmt: skip


def frame(n, seed=0, missing=0.1):
    rng = np.random.default_rng(seed)
    X = pd.DataFrame(
        {
            "age": rng.integers(18, 80, n),
            "job": rng.choice(["clerk", "nurse", "smith"], n),
            "debt": np.where(rng.random(n) < missing, np.nan, rng.normal(size=n)),
            "town": rng.choice(["a", "b"], n),
        }
    )
    signal = (X["age"] - 45) / 20 + (X["job"] == "nurse") * (X["town"] == "a") + X["debt"].fillna(1)
    return X, signal + rng.normal(0, 0.3, n)


def one_hot():
    return make_column_transformer(
        (make_pipeline(SimpleImputer(), StandardScaler()), NUMBER),
        (OneHotEncoder(handle_unknown="ignore"), TEXT),
    )


def ordinal():
    return make_column_transformer(
        (OrdinalEncoder(), TEXT), remainder="passthrough", verbose_feature_names_out=False
    )


def subject_of(model, n=400, task="binary", donors=None, **facts):
    X, signal = frame(n)
    y = {
        "binary": (signal > 0.5).astype(int),
        "multiclass": np.digitize(signal, [0, 1]),
        "regression": signal,
    }[task]
    model.fit(X, y)
    reference = frame(donors, seed=1)[0] if donors else X
    return tc.Subject(model, X, y, reference=reference, task=task, **facts)


def explain(subject, r=20, seed=0, method="auto", budget=10**6):
    rows = subject.sample(r, np.random.default_rng(99))
    rng = np.random.default_rng(seed)
    found = explain_rows(Swap.draw(subject, rows, rng), rng, method=method, budget=budget)
    # The same stream draws the same donors.
    return found, Swap.draw(subject, rows, np.random.default_rng(seed))


def exact(swap):
    """Shapley values by their definition, each coalition asked with every donor."""
    d, m = swap.d, len(swap.donors)
    r = len(swap.rows)
    row, donor = np.repeat(np.arange(r), m), np.tile(np.arange(m), r)
    worth = {
        kept: swap.ask(row, donor, np.tile([j not in kept for j in range(d)], (r * m, 1)))
        .reshape(r, m)
        .mean(axis=1)
        for size in range(d + 1)
        for kept in itertools.combinations(range(d), size)
    }
    phi = np.zeros((r, d))
    for j in range(d):
        for kept, without in worth.items():
            if j not in kept:
                weight = math.factorial(len(kept)) * math.factorial(d - len(kept) - 1)
                gained = worth[tuple(sorted((*kept, j)))] - without
                phi[:, j] += weight / math.factorial(d) * gained
    return phi, worth[()]


def test_a_linear_model_gets_weight_times_distance_from_the_mean_donor():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(300, 5)) * [1, 2, 3, 4, 5]
    model = LinearRegression().fit(X, X @ [1.0, -2, 0, 0.5, 3] + 7)
    found, swap = explain(tc.Subject(model, X, task="regression"))
    want = model.coef_ * (X[swap.rows] - X[swap.donors].mean(axis=0))
    assert found.method == "linear"
    np.testing.assert_allclose(found.values, want, atol=1e-9)
    np.testing.assert_allclose(found.base, model.predict(X[swap.donors]).mean(), atol=1e-9)


def test_sampling_a_linear_model_with_all_donors_is_exact_and_agrees_with_shap():
    shap = pytest.importorskip("shap")
    rng = np.random.default_rng(0)
    X, donors = rng.normal(size=(200, 5)), rng.normal(size=(20, 5))
    model = LinearRegression().fit(X, X @ [1.0, -2, 0, 0.5, 3])
    subject = tc.Subject(model, X, reference=donors, task="regression")
    found, swap = explain(subject, method="sampling")
    np.testing.assert_allclose(
        found.values, model.coef_ * (X[swap.rows] - donors.mean(axis=0)), atol=1e-9
    )
    theirs = shap.LinearExplainer(model, donors).shap_values(X[swap.rows])
    np.testing.assert_allclose(found.values, theirs, atol=1e-9)


@pytest.mark.parametrize(
    ("model", "task"),
    [
        (make_pipeline(ordinal(), RandomForestClassifier(10, max_depth=4)), "binary"),
        (make_pipeline(ordinal(), RandomForestClassifier(10, max_depth=4)), "multiclass"),
        (make_pipeline(ordinal(), ExtraTreesRegressor(10, max_depth=4)), "regression"),
        (make_pipeline(ordinal(), HistGradientBoostingRegressor(max_iter=20)), "regression"),
    ],
    ids=["two classes", "three classes", "forest", "boosting"],
)
def test_trees_get_their_exact_shapley_values_on_strings_and_missing_values(model, task):
    pytest.importorskip("shap")
    found, swap = explain(subject_of(model, task=task, donors=25), r=8)
    values, base = exact(swap)
    assert found.method == "tree"
    np.testing.assert_allclose(found.values, values, atol=1e-6)
    np.testing.assert_allclose(found.base, base, atol=1e-6)


def test_boosted_classes_get_log_odds_rescaled_to_the_probability_donor_by_donor():
    pytest.importorskip("shap")
    model = make_pipeline(ordinal(), HistGradientBoostingClassifier(max_iter=20))
    found, swap = explain(subject_of(model, donors=25), r=20)
    values, base = exact(swap)
    assert found.output == "probability of the predicted class"
    np.testing.assert_allclose(found.base, base, atol=1e-6)
    np.testing.assert_allclose(found.values.sum(axis=1), values.sum(axis=1), atol=1e-6)
    assert np.corrcoef(found.values.ravel(), values.ravel())[0, 1] > 0.99


def test_sampling_converges_to_exact_enumeration():
    subject = subject_of(
        make_pipeline(one_hot(), RandomForestClassifier(10, max_depth=6, random_state=0)), donors=9
    )
    runs = [explain(subject, r=6, seed=0, method="sampling")]
    values, _ = exact(runs[0][1])
    rows = subject.sample(6, np.random.default_rng(99))
    draws = np.array(
        [
            explain_rows(Swap.draw(subject, rows, rng), rng, method="sampling", budget=10**5).values
            for rng in map(np.random.default_rng, range(60))
        ]
    )
    error = draws.std(axis=0) / np.sqrt(len(draws))
    assert (np.abs(draws.mean(axis=0) - values) <= 4.5 * error + 1e-9).all()
    assert np.abs(draws - values).mean() < 0.03


def test_folding_equals_the_sum_by_hand_over_one_hot_and_scaled_columns():
    model = make_pipeline(one_hot(), LogisticRegression())
    subject = subject_of(model, positive=1)
    found, swap = explain(subject, r=30)
    Z = np.asarray(model[0].transform(subject.X.iloc[swap.rows]))
    B = np.asarray(model[0].transform(subject.reference.X.iloc[swap.donors]))
    by_hand = (Z - B.mean(axis=0)) * model[-1].coef_[0]  # age, debt | 3 jobs, 2 towns
    folded = np.column_stack(
        [by_hand[:, 0], by_hand[:, 2:5].sum(axis=1), by_hand[:, 1], by_hand[:, 5:].sum(axis=1)]
    )
    sign = np.where(swap.code == 1, 1, -1)[:, None]
    assert subject.features == ["age", "job", "debt", "town"]
    np.testing.assert_allclose(found.values, sign * folded, atol=1e-9)
    assert additivity_error(found, swap.value) < 1e-9


def test_trees_behind_one_hot_equal_shap_on_the_encoded_matrix_summed():
    shap = pytest.importorskip("shap")
    plain = make_column_transformer((SimpleImputer(), NUMBER), (OneHotEncoder(), TEXT))
    model = make_pipeline(plain, GradientBoostingClassifier(n_estimators=20))
    subject = subject_of(model)
    found, swap = explain(subject, r=30)
    Z, B = (
        np.asarray(model[0].transform(side.X.iloc[rows]))
        for side, rows in ((subject.data, swap.rows), (subject.reference, swap.donors))
    )
    explainer = shap.TreeExplainer(
        model[-1], B, feature_perturbation="interventional", model_output="probability"
    )
    phi = explainer.shap_values(Z, check_additivity=False)
    folded = np.column_stack(
        [phi[:, 0], phi[:, 2:5].sum(axis=1), phi[:, 1], phi[:, 5:].sum(axis=1)]
    )
    sign = np.where(swap.code == 1, 1, -1)[:, None]
    np.testing.assert_allclose(found.values, sign * folded, atol=1e-6)


def test_values_on_a_threshold_do_not_spoil_additivity():
    pytest.importorskip("shap")
    X, y = load_breast_cancer(return_X_y=True)
    model = HistGradientBoostingClassifier().fit(X[:300], y[:300])
    before = model.predict_proba(X)
    found, swap = explain(tc.Subject(model, X[300:], y[300:], reference=X[:300]), r=150)
    assert found.method == "tree"
    assert (model.predict_proba(X) == before).all()
    assert additivity_error(found, swap.value) < 1e-6


def test_several_classes_of_a_linear_model_are_rebuilt_from_log_odds():
    subject = subject_of(make_pipeline(one_hot(), LogisticRegression()), task="multiclass")
    found, swap = explain(subject)
    assert found.output == "log-odds of the predicted class"
    assert additivity_error(found, swap.value) < 1e-9
    log = np.log(subject.scores[swap.rows])
    own = log[np.arange(20), swap.code]
    against = (log.sum(axis=1) - own) / 2
    np.testing.assert_allclose(found.base + found.values.sum(axis=1), own - against, atol=1e-9)


def test_several_classes_of_boosted_trees_are_rebuilt_from_log_odds():
    pytest.importorskip("shap")
    model = make_pipeline(ordinal(), HistGradientBoostingClassifier(max_iter=10))
    found, swap = explain(subject_of(model, task="multiclass"))
    assert (found.method, found.output) == ("tree", "log-odds of the predicted class")
    assert additivity_error(found, swap.value) < 1e-6


def product(X):
    return np.column_stack([X, X[:, 0] * X[:, 1]])


@pytest.mark.parametrize(
    "mixer",
    [
        make_pipeline(one_hot(), PCA(3)),
        make_pipeline(ordinal(), KNNImputer(n_neighbors=2)),
        make_pipeline(one_hot(), FunctionTransformer(product)),
    ],
    ids=["principal components", "imputed from other columns", "interactions"],
)
def test_encoders_that_mix_columns_are_never_folded(mixer):
    model = make_pipeline(mixer, RandomForestClassifier(5, max_depth=3))
    found, _ = explain(subject_of(model), r=50)
    assert found.method == "sampling"
    assert "original columns" in found.notes[0]


@pytest.mark.parametrize("hidden", ["row order", "noise"])
def test_encoders_that_are_no_function_of_the_row_are_never_folded(hidden):
    def odd(X):
        extra = (
            np.argsort(np.argsort(X[:, 0]))
            if hidden == "row order"
            else np.random.default_rng().normal(size=len(X))
        )
        return np.column_stack([X, extra])

    model = make_pipeline(one_hot(), FunctionTransformer(odd), LinearRegression())
    found, _ = explain(subject_of(model, task="regression"))
    assert found.method == "sampling"


@pytest.mark.parametrize(
    "encoder",
    [
        one_hot(),
        make_column_transformer(
            (SimpleImputer(add_indicator=True), ["debt"]),
            (KBinsDiscretizer(4), ["age"]),
            (OneHotEncoder(drop="first", sparse_output=True), TEXT),
        ),
        make_pipeline(one_hot(), FunctionTransformer(np.tanh)),
    ],
    ids=["one-hot", "bins and indicators", "own function"],
)
def test_every_encoder_that_works_column_by_column_is_traced(encoder):
    subject = subject_of(make_pipeline(encoder, LogisticRegression()))
    swap = explain(subject, r=60)[1]
    steps, last = unwrap(subject.native)
    rows, donors, owner = encode(swap, steps, np.random.default_rng(0))
    assert set(owner[owner >= 0]) == {0, 1, 2, 3}
    assert rows.shape[1] == donors.shape[1] == len(owner) == last.coef_.shape[1]
    assert explain(subject)[0].method == "linear"


def test_a_search_is_read_through_to_its_best_model():
    search = GridSearchCV(make_pipeline(one_hot(), LogisticRegression()), {}, cv=2)
    assert explain(subject_of(search))[0].method == "linear"


def test_a_linear_form_behind_a_curve_is_not_read_as_linear():
    X, signal = frame(300)
    model = make_pipeline(one_hot(), PoissonRegressor()).fit(X, np.exp(signal))
    found, swap = explain(tc.Subject(model, X, task="regression"))
    assert found.method == "sampling"
    assert "do not add up" in found.notes[0]
    assert additivity_error(found, swap.value) < 1e-9
    by_name, _ = explain(tc.Subject(model, X, task="regression"), method="linear")
    assert additivity_error(by_name, swap.value) > 0.1  # done as asked, and measured


def test_labels_alone_are_explained_by_the_predicted_class():
    subject = subject_of(make_pipeline(one_hot(), LinearSVC()))
    found, swap = explain(subject)
    assert (found.method, set(swap.value)) == ("sampling", {1.0})
    np.testing.assert_allclose(found.base + found.values.sum(axis=1), 1.0, atol=1e-9)


def test_without_shap_trees_are_explained_by_asking(monkeypatch):
    monkeypatch.setitem(sys.modules, "shap", None)
    subject = subject_of(make_pipeline(ordinal(), RandomForestClassifier(5, max_depth=3)))
    found, _ = explain(subject)
    assert found.method == "sampling"
    assert "shap cannot be loaded" in found.notes[0]
    assert explain(subject, budget=100)[0].method == "occlusion"
    with pytest.raises(NotMeasurable, match="shap"):
        explain(subject, method="tree")


def test_large_forests_are_asked_and_not_read():
    pytest.importorskip("shap")
    rng = np.random.default_rng(0)
    X = rng.normal(size=(3000, 4))
    model = RandomForestClassifier(60).fit(X, rng.integers(0, 2, 3000))
    found, _ = explain(tc.Subject(model, X[:300]), r=200)
    assert found.method == "sampling"
    assert "leaves" in found.notes[0]


def test_occlusion_is_the_mean_fall_when_one_feature_is_replaced():
    rng = np.random.default_rng(0)
    X, donors = rng.normal(size=(100, 4)), rng.normal(size=(12, 4))
    model = LinearRegression().fit(X, X @ [1.0, -2, 0, 3])
    subject = tc.Subject(model, X, reference=donors, task="regression")
    found, swap = explain(subject, method="occlusion")
    want = model.coef_ * (X[swap.rows] - donors.mean(axis=0))
    np.testing.assert_allclose(found.values, want, atol=1e-9)
    assert found.base is None
    assert additivity_error(found, swap.value) is None


@pytest.mark.parametrize("budget", [4, 30, 70, 150, 1000, 20_000])
def test_the_budget_holds_and_the_first_rows_are_explained_where_it_is_short(budget):
    subject = subject_of(make_pipeline(one_hot(), LinearSVC()))
    found, _ = explain(subject, budget=budget)
    assert 0 < found.rows_sent <= budget
    assert found.rows_sent == subject.rows_sent()["perturbed"]
    assert len(found.values) == min(20, budget // 4)
    assert found.method == ("sampling" if budget >= 20 * 7 else "occlusion")
    with pytest.raises(NotMeasurable, match="budget"):
        explain(subject, budget=3)


def test_an_unknown_or_impossible_method_is_refused_in_words():
    subject = subject_of(make_pipeline(one_hot(), LogisticRegression()))
    with pytest.raises(InputError, match="method must be one of auto, tree"):
        explain(subject, method="magic")
    with pytest.raises(NotMeasurable, match="is not a tree model"):
        explain(subject, method="tree")


def test_copies_keep_every_type_and_never_use_the_row_as_its_own_donor():
    X, _ = frame(40)
    X["kind"] = X["job"].astype("category")
    X["when"] = pd.Timestamp("2024-01-01") + pd.to_timedelta(X["age"], unit="D")
    X["flag"] = X["age"] > 40
    X["note"] = pd.Series([None] * 40, dtype=object)
    other = X.assign(kind=X["job"].replace("clerk", "baker").astype("category"))
    subject = tc.Subject(lambda T: np.zeros(len(T)), X, task="regression", reference=other)
    rows = subject.sample(30, np.random.default_rng(0))
    swap = Swap.draw(subject, rows, np.random.default_rng(1))
    copies = swap.copies(np.arange(30), np.arange(30), np.zeros((30, swap.d), dtype=bool))
    same = copies.drop(columns="kind").reset_index(drop=True)
    pd.testing.assert_frame_equal(same, X.drop(columns="kind").iloc[rows].reset_index(drop=True))
    assert list(copies["kind"].cat.categories) == ["clerk", "nurse", "smith", "baker"]
    alone = tc.Subject(lambda T: np.zeros(len(T)), X, task="regression")
    own = Swap.draw(alone, rows, np.random.default_rng(1))
    for seed in range(20):
        donor = own.pair(own.most_donors, np.random.default_rng(seed))
        assert (own.donors[donor] != rows[:, None]).all()
        assert all(len(set(row)) == own.most_donors for row in donor)
