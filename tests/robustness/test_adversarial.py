from dataclasses import replace

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
from trustcheck.robustness import adversarial, certified
from trustcheck.robustness._adversarial import READ
from trustcheck.robustness._ladder import Climb, alarms
from trustcheck.robustness._outcome import rebuild
from trustcheck.search._check import violations
from trustcheck.subject import Schema, col
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
    found = adversarial(subject, norm=norm, output=output, rows=60, queries=150, epsilon=0.5)
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
    found = adversarial(subject, rows=40, queries=250, norm="l2", attack="scores")
    exact = nearest_leaf(model.tree_, X, subject)
    rows = found.examples["row"].unique()
    best = np.median(exact[rows])
    assert found.metrics["median_distance"].value >= best * 0.999
    assert found.metrics["median_distance"].value == pytest.approx(best, rel=0.05)


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
    assert found.metrics["queries"].value <= 60
    sent = found.metrics["queries"].value * found.metrics["queries"].n
    assert found.rows_sent["perturbed"] == pytest.approx(sent)
    assert sent <= 5 * subject.n


def test_budget_and_queries_cap_what_is_sent_exactly():
    X, y = normal_world()
    model = LogisticRegression().fit(X, y)
    sent = []
    for queries in (45, 77, 200):
        subject = tc.Subject(model.predict_proba, X, y, seed=queries)
        found = adversarial(subject, queries=queries)
        metric = found.metrics["queries"]
        assert metric.value <= queries
        assert found.rows_sent["perturbed"] == round(metric.value * metric.n) <= 5 * 600
        assert metric.n == 5 * 600 // queries
        sent.append(metric.value)
    assert sent[0] < sent[1] < sent[2]
    little = tc.Subject(model.predict_proba, X, y).with_budget(300)
    assert "budget is 50" in adversarial(little).reason
    few = adversarial(tc.Subject(model.predict_proba, X[:300], y[:300]))
    assert few.metrics["queries"].n == 25  # fewer queries a row where rows are few


def test_reading_a_model_costs_few_queries_and_pays_for_many_rows():
    X, y = normal_world(1000)
    subject = tc.Subject(LogisticRegression().fit(X, y), X, y)
    found = adversarial(subject)
    assert found.metrics["queries"].n == 5 * 1000 // 2 // READ
    assert found.rows_sent["perturbed"] <= 5 * 1000
    assert found.metrics["exact"].value == 1


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
@pytest.mark.parametrize("attack", ["auto", "scores"])
def test_a_regression_is_flipped_by_moving_its_number(scale, attack):
    X, _ = normal_world()
    weights = np.array([1.0, 0.5, 0.1, 0.0])
    model = LinearRegression().fit(X, scale * (X @ weights))
    subject = tc.Subject(model, X, schema=dict.fromkeys(X.columns, UNBOUNDED))
    found = adversarial(subject, epsilon=1.0, norm="l2", attack=attack)
    sizes = np.array([subject.schema[name].scale for name in X]) * weights
    quarters = np.quantile(subject.predictions, [0.25, 0.75])
    exact = np.diff(quarters)[0] / 1.349 / scale / np.linalg.norm(sizes)
    assert found.metrics["median_distance"].value == pytest.approx(exact, rel=0.03)


def test_a_regression_that_only_falls_is_pushed_down():
    X, _ = normal_world()
    fall = lambda X: -(np.maximum(X["a"].to_numpy() - 0.2, 0) ** 2)  # noqa: E731
    found = adversarial(tc.Subject(fall, X, task="regression"), rows=30, queries=150, epsilon=0.5)
    assert found.value < 0.9
    assert {"broken_by_numbers"} <= set(found.metrics)


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
    monkeypatch.setattr(_adversarial, "look_around", lambda *_, **__: None)
    model = LogisticRegression().fit(X, y)
    found = adversarial(tc.Subject(model.predict_proba, X, y), epsilon=2.0)
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
    small = adversarial(tc.Subject(model.predict, X[:10], y[:10], **BINARY))
    assert "budget is 50" in small.reason


@pytest.mark.parametrize(
    "wrong",
    [{"epsilon": 0.0}, {"norm": "l1"}, {"queries": 10}, {"rows": 0}, {"output": "logits"},
     {"sizes": (-1.0,)}, {"category": 0.0}],
)  # fmt: skip
def test_bad_parameters_are_refused(wrong):
    X, y = normal_world()
    with pytest.raises(InputError):
        adversarial(tc.Subject(LogisticRegression().fit(X, y), X, y), **wrong)


def related(n=600, seed=0):
    rng = np.random.default_rng(seed)
    total, colour = rng.integers(1, 30, n), rng.integers(3, size=n)
    X = pd.DataFrame(
        {
            "total": total,
            "open": rng.binomial(total, 0.5),
            "pay": rng.lognormal(2, 0.5, n),
            "bonus": 0.0,
            "job": rng.choice(["clerk", "nurse", "smith"], n),
            **{f"c_{k}": (colour == k).astype(int) for k in range(3)},
        }
    )
    X["bonus"] = X["pay"] * rng.uniform(0, 0.5, n)
    score = X["open"] / 5 + X["pay"] / 4 - X["c_1"] + (X["job"] == "smith") + rng.normal(0, 0.3, n)
    encode = make_column_transformer((OneHotEncoder(), ["job"]), remainder=StandardScaler())
    return X, (score > score.median()).astype(int), encode


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize(
    "final", [LogisticRegression(), HistGradientBoostingClassifier(max_iter=15)]
)
def test_every_reported_row_satisfies_every_constraint_of_a_random_schema(final, seed):
    X, y, encode = related(seed=seed)
    rng = np.random.default_rng(seed)
    model = make_pipeline(encode, final).fit(X, y)
    schema = Schema.infer(X).relate(
        col("bonus") * rng.choice([2, 2.5]) <= col("pay"),
        (col("job") == "clerk").implies(col("pay") <= float(X["pay"].max())),
        *((col("total") - col("open") >= 1).implies(col("pay") >= 1.0) for _ in range(seed % 2)),
    )
    for name in rng.choice(["total", "open", "pay", "bonus"], 2, replace=False):
        schema = schema.edit(**{name: [{"immutable": True}, {"direction": "up"}][rng.integers(2)]})
    assert "open <= total" in map(str, schema.relations)
    assert schema.one_hot
    subject = tc.Subject(model, X, y, schema=schema, seed=seed)
    norm = ["linf", "l2"][seed % 2]
    found = adversarial(subject, epsilon=1.0, norm=norm, category=0.6, rows=12, queries=60)
    changed = rebuild(found.examples, subject.X)
    assert len(changed) >= 3
    original = subject.X.iloc[changed.index].reset_index(drop=True)
    assert not any(violations(changed.reset_index(drop=True), original, schema))
    assert (model.predict(changed) != subject.predictions[changed.index]).all()
    assert any("open <= total" in note for note in found.notes)


def test_relations_that_contradict_each_other_are_named():
    X, y, encode = related()
    model = make_pipeline(encode, LogisticRegression()).fit(X, y)
    against = [col("open") <= col("total"), col("pay") < 0]
    found = adversarial(tc.Subject(model, X, y, schema={"relations": against}))
    assert "pay < 0" in found.reason
    none = adversarial(tc.Subject(model, X, y, schema={"relations": []}))
    assert not any("Relations" in note for note in none.notes)


def test_a_linear_model_gives_an_interval_that_closes():
    X, y = normal_world(900)
    subject = tc.Subject(make_pipeline(StandardScaler(), LogisticRegression()).fit(X, y), X, y)
    found, proof = adversarial(subject), certified(subject)
    assert found.metrics["exact"].value == 1
    assert found.value == found.metrics["verified"].value
    assert proof.assurance is Assurance.PROVEN
    assert proof.rows_sent.get("perturbed", 0) == 0
    assert proof.n == 900
    assert abs(proof.value - found.value) < 0.1
    for row in found.to_frame().itertuples():
        assert row.verified <= row.value
    assert not any(note.startswith("Alarm") for note in found.notes)


def test_what_cannot_be_read_is_attacked_and_certifies_nothing():
    X, y = normal_world()
    subject = tc.Subject(LogisticRegression().fit(X, y).predict_proba, X, y)
    assert "cannot be read" in certified(subject).reason
    found = adversarial(subject)
    assert "verified" not in found.metrics
    assert "verified" not in found.rows[0]


def test_a_misread_model_proves_nothing_and_raises_an_alarm(monkeypatch):
    from trustcheck.robustness import _white

    X, y = normal_world()
    read = _white.read
    monkeypatch.setattr(
        _white, "read", lambda *given: replace(read(*given), lower=np.full(len(given[2].rows), 9.0))
    )
    found = adversarial(tc.Subject(LogisticRegression().fit(X, y), X, y), epsilon=0.5)
    assert any("misread" in note for note in found.notes)
    assert found.metrics["verified"].value == 0


def test_a_search_misled_by_its_scores_is_called_so():
    X, y = normal_world()
    plain = LogisticRegression().fit(X, y)

    def masked(frame):
        """Scores that rise towards the boundary: a search that trusts them walks away from it."""
        far = np.abs(plain.decision_function(frame))
        sure = 1 - 0.4 * np.exp(-far)
        side = plain.predict(frame) == 1
        sure = np.where(far < 0.5, 1 - 1e-9 * far, sure)
        return np.where(
            side[:, None], np.column_stack([1 - sure, sure]), np.column_stack([sure, 1 - sure])
        )

    subject = tc.Subject(masked, X, y, classes=[0, 1])
    blinded = adversarial(subject, attack="scores", epsilon=0.4, queries=60)
    both = adversarial(subject, epsilon=0.4, queries=60)
    assert both.value <= blinded.value + 0.1
    assert {"broken_by_scores", "broken_by_labels"} <= set(both.metrics)


def test_the_alarm_names_a_weaker_attack_that_wins():
    tried = {"scores": np.ones(20, bool), "labels": np.arange(20) > 5}
    broken = {"scores": np.arange(20) <= 5, "labels": np.arange(20) > 12}
    said = alarms(Climb(tried, broken, interrupted=False), np.zeros(20, bool))
    assert len(said) == 1
    assert "labels flipped 7 of 14" in said[0]
    quiet = {"scores": broken["scores"], "labels": np.arange(20) == 19}
    assert not alarms(Climb(tried, quiet, interrupted=False), np.zeros(20, bool))
    assert alarms(Climb(tried, quiet, interrupted=False), np.arange(20) == 19)


def test_an_interruption_keeps_what_was_found_and_passes_nothing():
    X, y = normal_world()
    plain = LogisticRegression().fit(X, y)
    calls = []

    def impatient(frame):
        calls.append(len(frame))
        if len(calls) == 8:
            raise KeyboardInterrupt
        return plain.predict_proba(frame)

    found = adversarial(tc.Subject(impatient, X, y, classes=[0, 1]))
    assert any("stopped" in note for note in found.notes)
    assert len(found.examples) > 0
    assert found.incomplete
    with pytest.warns(tc.TrustInconclusiveWarning, match="half-way"):
        assert found.at_least(0.0).status == "inconclusive"


@pytest.mark.parametrize("name", ["HopSkipJump", "BoundaryAttack", "ZooAttack"])
def test_attacks_of_the_toolbox_run_by_name_within_the_budget(name):
    pytest.importorskip("art")
    X, y = normal_world()
    X["job"] = np.random.default_rng(0).choice(["a", "b"], len(X))
    encode = make_column_transformer((OneHotEncoder(), ["job"]), remainder="passthrough")
    model = make_pipeline(encode, LogisticRegression()).fit(X, y)
    subject = tc.Subject(model, X, y)
    np.random.seed(7)  # noqa: NPY002
    before = np.random.random()  # noqa: NPY002
    np.random.seed(7)  # noqa: NPY002
    found = adversarial(subject, attack=f"art:{name}", rows=4, queries=300, epsilon=1.0)
    assert np.random.random() == before  # noqa: NPY002 - numpy's own stream is left as it was
    assert found.metrics["queries"].value <= 300
    assert found.rows_sent["perturbed"] == round(found.metrics["queries"].value * 4)
    assert f"broken_by_art_{name}" in found.metrics
    assert found == adversarial(subject, attack=f"art:{name}", rows=4, queries=300, epsilon=1.0)
    if name != "ZooAttack":
        assert len(found.examples) > 0
        changed = rebuild(found.examples, X)
        assert (model.predict(changed) != subject.predictions[changed.index]).all()


def test_gradients_of_a_torch_module_are_followed():
    torch = pytest.importorskip("torch")
    pytest.importorskip("art")
    X, y = normal_world()
    X = X.astype("float32")
    torch.manual_seed(0)
    net = torch.nn.Sequential(torch.nn.Linear(4, 2))
    plain = LogisticRegression().fit(X, y)
    with torch.no_grad():
        net[0].weight.copy_(torch.tensor(np.vstack([-plain.coef_, plain.coef_]) / 2))
        net[0].bias.copy_(torch.tensor(np.r_[-plain.intercept_, plain.intercept_] / 2))
    subject = tc.Subject(net, X, y, classes=[0, 1])
    found = adversarial(
        subject, attack="art:ProjectedGradientDescent", rows=30, queries=120, epsilon=0.5
    )
    exact = adversarial(tc.Subject(plain, X, y, classes=[0, 1]), rows=30, epsilon=0.5)
    assert found.metrics["broken_by_art_ProjectedGradientDescent"].value > 0
    assert found.value == pytest.approx(exact.value, abs=0.1)


def test_an_attack_that_is_not_installed_or_does_not_fit_is_skipped_in_a_line(monkeypatch):
    from trustcheck.robustness import _adversarial

    X, y = normal_world()
    subject = tc.Subject(LogisticRegression().fit(X, y), X, y)
    assert "PyTorch" in adversarial(subject, attack="art:ProjectedGradientDescent").reason
    monkeypatch.setattr(_adversarial, "installed", lambda _: False)
    assert "trustcheck[attacks]" in adversarial(subject, attack="art:HopSkipJump").reason
    with pytest.raises(InputError, match="HopSkipJump"):
        adversarial(subject, attack="art:Nonsense")


def test_examples_hold_round_numbers_where_the_model_lets_them():
    X, _ = normal_world(400)
    cut = lambda X: (X["b"] > 1.2345678).astype(int)  # noqa: E731
    subject = tc.Subject(cut, X, cut(X), **BINARY)
    found = adversarial(subject, rows=20, queries=100, epsilon=1.0)
    assert set(found.examples.query("column == 'b'")["row"]) == set(found.examples["row"])
    assert (found.examples["column"] == "b").mean() > 0.6
    digits = found.examples["to"].map(
        lambda value: len(f"{value:.9g}".lstrip("-").replace(".", ""))
    )
    assert (digits <= 3).mean() > 0.7


def test_a_notebook_shows_before_and_after_and_a_saved_report_does_not(tmp_path):
    X, y = normal_world(300)
    X["b"] += 1234.5
    subject = tc.Subject(LogisticRegression(max_iter=1000).fit(X, y), X, y)
    report = tc.evaluate(subject, probes=[adversarial])
    found = report.findings["robustness.adversarial"]
    assert "Counterexamples: changed cells" in found._repr_html_()
    assert "verified" in str(found.plot())
    report.save(tmp_path / "r.html")
    report.save(tmp_path / "r.json")
    for name in ("r.html", "r.json"):
        text = (tmp_path / name).read_text("utf-8")
        assert "Counterexamples" not in text
        assert "1234" not in text
