import numpy as np
import pandas as pd
import pytest
from sklearn.compose import make_column_selector, make_column_transformer
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sklearn.tree import DecisionTreeClassifier

import trustcheck as tc
from trustcheck import datasets
from trustcheck.robustness import adversarial
from trustcheck.search._check import violations
from trustcheck.types import Assurance, InputError, Status

LIMIT = 0.5
UNBOUNDED = {"low": None, "high": None}
BINARY = {"task": "binary", "classes": [0, 1]}


def normal_world(n=600, seed=0, gap=1.0):
    rng = np.random.default_rng(seed)
    y = rng.integers(0, 2, n)
    X = rng.normal(size=(n, 4)) * [1, 3, 10, 0.1]
    X[:, :2] += gap * y[:, None] * [1, 3]
    return pd.DataFrame(X, columns=list("abcd")), y


def adult(model, n=300):
    data = datasets.load_adult()
    X_train, X_test, y_train, y_test = data.train_test()
    encode = make_column_transformer(
        (make_pipeline(SimpleImputer(), StandardScaler()), make_column_selector(dtype_include=np.number)),
        (OneHotEncoder(handle_unknown="ignore", sparse_output=False),
         make_column_selector(dtype_exclude=np.number)),
    )  # fmt: skip
    X_train, y_train = X_train[:2000].reset_index(drop=True), y_train[:2000].to_numpy()
    X_test, y_test = X_test[:n].reset_index(drop=True), y_test[:n].to_numpy()
    model = make_pipeline(encode, model).fit(X_train, y_train)
    return tc.Subject(
        model, X_test, y_test, reference=(X_train, y_train), schema={"age": {"immutable": True}}
    )


@pytest.mark.parametrize("output", ["auto", "labels"])
@pytest.mark.parametrize("norm", ["l2", "linf"])
def test_distances_of_a_linear_model_are_the_closed_form(norm, output):
    X, y = normal_world()
    model = make_pipeline(StandardScaler(), LogisticRegression()).fit(X, y)
    subject = tc.Subject(model, X, y, schema=dict.fromkeys(X.columns, UNBOUNDED))
    found = adversarial(subject, norm=norm, output=output, rows=60)
    scales = np.array([subject.schema[name].scale for name in X])
    slope = scales * model[-1].coef_[0] / model[0].scale_
    length = np.linalg.norm(slope) if norm == "l2" else np.abs(slope).sum()
    exact = np.abs(model.decision_function(X)) / length
    shown = found.examples.groupby("row")["size"].first()
    assert (subject.predictions == y)[shown.index].all()
    # The flips shown may be up to a quarter larger, in exchange for fewer changed cells.
    assert (shown >= 0.999 * exact[shown.index]).all()
    looked = found.metrics["median_distance"]
    assert looked.n == len(shown) == 60
    assert looked.value == pytest.approx(np.median(exact[shown.index]), rel=0.04)


def test_distances_of_a_small_tree_are_those_of_its_leaves():
    X, y = normal_world(400)
    model = DecisionTreeClassifier(max_leaf_nodes=8, random_state=0).fit(X, y)
    subject = tc.Subject(model, X, y)
    found = adversarial(subject, rows=40, queries=250)
    exact = nearest_leaf(model.tree_, X, subject)
    rows = found.examples["row"].unique()
    best = np.median(exact[rows])
    assert found.metrics["median_distance"].value >= best * 0.999
    assert found.metrics["median_distance"].value == pytest.approx(best, rel=0.03)


def nearest_leaf(tree, X, subject):
    """Distance of each row to the nearest leaf with another answer, over all leaves."""
    d = X.shape[1]
    scales = np.array([subject.schema[name].scale for name in X])
    values, nearest = X.to_numpy(), np.full(len(X), np.inf)
    boxes = [(0, np.full(d, -np.inf), np.full(d, np.inf))]
    while boxes:
        node, low, high = boxes.pop()
        if tree.children_left[node] < 0:
            label = tree.value[node][0].argmax()
            move = np.maximum(np.maximum(low - values, values - high), 0) / scales
            far = np.linalg.norm(move, axis=1)
            nearest = np.where(subject.predictions == label, nearest, np.minimum(nearest, far))
            continue
        j, cut = tree.feature[node], tree.threshold[node]
        left, right = high.copy(), low.copy()
        left[j], right[j] = min(high[j], cut), max(low[j], cut)
        boxes += [(tree.children_left[node], low, left), (tree.children_right[node], right, high)]
    return nearest


def brittle(X):
    """Right by a wide margin on a, but for thin stripes of b."""
    stripe = (X["b"] / 0.3) % 1 < 0.1
    return np.where(stripe, X["a"] < 3, X["a"] > 3).astype(int)


@pytest.mark.parametrize(("model", "seen"), [(brittle, True), (None, False)])
def test_a_brittle_model_is_found_and_its_twin_with_a_margin_stays_quiet(model, seen):
    agreed = 0
    for seed in range(20):
        X, y = normal_world(600, seed, gap=6.0)
        subject = tc.Subject(
            model or (lambda X: (X["a"] > 3).astype(int)), X, y, seed=seed, **BINARY
        )
        found = adversarial(subject, queries=100)
        agreed += found.high < LIMIT if seen else found.low > LIMIT
    assert agreed >= 19


def test_every_flip_is_valid_confirmed_and_within_the_cap():
    subject = adult(HistGradientBoostingClassifier(max_iter=40, random_state=0))
    found = adversarial(subject, epsilon=1.0)
    assert found.status is Status.MEASURED
    assert found.assurance is Assurance.SEARCHED
    changed = subject.X.copy()
    rows = found.examples["row"].unique()
    assert len(rows) >= 8
    for row, name, new in found.examples[["row", "column", "to"]].itertuples(index=False):
        changed[name] = changed[name].where(changed.index != row, new).astype(changed[name].dtype)
    assert not any(violations(changed, subject.X, subject.schema))
    answers = subject.native.predict(changed)
    assert (answers[rows] != subject.predictions[rows]).all()
    assert "age" not in set(found.examples["column"])
    assert found.metrics["queries"].value <= 150
    sent = found.metrics["queries"].value * found.metrics["queries"].n
    assert found.rows_sent["perturbed"] == pytest.approx(sent)
    assert sent <= 5 * subject.n


def test_budget_and_queries_cap_what_is_sent_exactly():
    X, y = normal_world()
    sent = []
    for queries in (40, 77, 200):
        subject = tc.Subject(LogisticRegression().fit(X, y), X, y, seed=queries)
        found = adversarial(subject, queries=queries)
        metric = found.metrics["queries"]
        assert metric.value <= queries
        assert found.rows_sent["perturbed"] == round(metric.value * metric.n) <= 5 * 600
        assert metric.n == 5 * 600 // queries
        sent.append(metric.value)
    assert sent[0] < sent[1] < sent[2]
    little = tc.Subject(LogisticRegression().fit(X, y), X, y).with_budget(600)
    assert "budget is 100" in adversarial(little).reason


def test_the_order_of_rows_changes_nothing_and_a_second_run_is_equal():
    X, y = normal_world(500)
    model = HistGradientBoostingClassifier(max_iter=20).fit(X, y)
    order = np.random.default_rng(1).permutation(len(X))
    weights = np.random.default_rng(2).random(len(X))
    given = tc.Subject(model, X, y, sample_weight=weights)
    turned = tc.Subject(
        model, X.iloc[order].reset_index(drop=True), y[order], sample_weight=weights[order]
    )
    one, two = adversarial(given), adversarial(turned)
    assert one == adversarial(given)
    for name, estimate in one.metrics.items():
        other = two.metrics[name]
        assert (estimate.value, estimate.low, estimate.high) == pytest.approx(
            (other.value, other.low, other.high), abs=1e-12
        )
    assert one.influence[order] == pytest.approx(two.influence, abs=1e-12)


def test_more_than_two_classes_and_labels_alone_work():
    rng = np.random.default_rng(0)
    y = rng.integers(0, 3, 600)
    X = pd.DataFrame(rng.normal(size=(600, 2)) + 4 * np.eye(3)[y][:, :2], columns=["a", "b"])
    model = LogisticRegression().fit(X, y)
    full = adversarial(tc.Subject(model, X, y))
    blind = adversarial(tc.Subject(model.predict, X, task="multiclass", classes=[0, 1, 2]))
    assert 0.5 < full.value <= 1
    assert "labels alone" in " ".join(blind.notes)
    assert full.metrics["median_distance"].value == pytest.approx(
        blind.metrics["median_distance"].value, rel=0.3
    )


@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e6])
def test_a_regression_is_flipped_by_moving_its_number(scale):
    X, _ = normal_world()
    weights = np.array([1.0, 0.5, 0.1, 0.0])
    model = LinearRegression().fit(X, scale * (X @ weights))
    subject = tc.Subject(model, X, schema=dict.fromkeys(X.columns, UNBOUNDED))
    found = adversarial(subject, epsilon=1.0)
    sizes = np.array([subject.schema[name].scale for name in X]) * weights
    quarters = np.quantile(subject.predictions, [0.25, 0.75])
    exact = np.diff(quarters)[0] / 1.349 / scale / np.linalg.norm(sizes)
    assert found.metrics["median_distance"].value == pytest.approx(exact, rel=0.03)


def test_a_model_that_refuses_changed_rows_is_not_flipped_by_them():
    X, y = normal_world()
    plain = LogisticRegression().fit(X, y)
    known = set(X["a"])

    def strict(frame):
        if len(frame) < len(X) and not set(frame["a"]) <= known:
            raise ValueError("unknown a")
        return plain.predict(frame)

    found = adversarial(tc.Subject(strict, X, y, **BINARY))
    assert found.metrics["queries"].value <= 150
    assert any("refused" in note for note in found.notes)


def test_a_search_that_random_changes_beat_raises_an_alarm(monkeypatch):
    from trustcheck.robustness import _adversarial

    X, y = normal_world()
    monkeypatch.setattr(_adversarial, "attack", lambda *_, **__: None)
    found = adversarial(tc.Subject(LogisticRegression().fit(X, y), X, y), epsilon=2.0)
    assert any(note.startswith("Alarm") for note in found.notes)
    assert found.value == found.metrics["random_search"].value < 1


def test_what_cannot_be_attacked_is_skipped_with_a_reason():
    X, y = normal_world()
    flat = adversarial(tc.Subject(lambda X: np.zeros(len(X), dtype=int), X, y))
    assert "same answer" in flat.reason
    model = LogisticRegression().fit(X, y)
    fixed = adversarial(tc.Subject(model, X, y, schema={n: {"immutable": True} for n in X}))
    assert "immutable" in fixed.reason
    wrong = adversarial(tc.Subject(model, X, 1 - model.predict(X)))
    assert "right about none" in wrong.reason
    small = adversarial(tc.Subject(model, X[:20], y[:20]))
    assert "budget is 100" in small.reason


@pytest.mark.parametrize(
    "wrong",
    [{"epsilon": 0.0}, {"norm": "l1"}, {"queries": 10}, {"rows": 0}, {"output": "logits"},
     {"sizes": (-1.0,)}, {"category": 0.0}],
)  # fmt: skip
def test_bad_parameters_are_refused(wrong):
    X, y = normal_world()
    with pytest.raises(InputError):
        adversarial(tc.Subject(LogisticRegression().fit(X, y), X, y), **wrong)
