"""The models and tables people have, all through the same door."""

import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from sklearn.calibration import CalibratedClassifierCV
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.model_selection import FixedThresholdClassifier
from sklearn.multioutput import MultiOutputClassifier
from sklearn.svm import SVC

import trustcheck as tc

RNG = np.random.default_rng(0)
X = pd.DataFrame(RNG.normal(size=(400, 3)), columns=list("abc"))
Y = (X["a"] + RNG.normal(0, 0.5, 400) > 0).astype(int)
MODEL = LogisticRegression().fit(X, Y)


def check(subject, model, table):
    assert (subject.predictions == np.asarray(model.predict(table)).ravel()).all()
    report = tc.evaluate(subject, probes=["reliability.performance"])
    assert report.findings["reliability.performance"].value > 0.5


def sklearn_faces():
    lightgbm = pytest.importorskip("lightgbm")
    xgboost = pytest.importorskip("xgboost")
    return {
        "lightgbm": lightgbm.LGBMClassifier(n_estimators=10, verbose=-1),
        "xgboost": xgboost.XGBClassifier(n_estimators=10),
        "calibrated": CalibratedClassifierCV(LogisticRegression(), cv=2),
        "threshold": FixedThresholdClassifier(LogisticRegression(), threshold=0.3),
        "svc": SVC(),
    }


@pytest.mark.filterwarnings("ignore:X does not have valid feature names")
@pytest.mark.parametrize("name", ["lightgbm", "xgboost", "calibrated", "threshold", "svc"])
def test_classifiers_with_a_scikit_learn_face(name):
    model = sklearn_faces()[name].fit(X, Y)
    subject = tc.Subject(model, X, Y)
    check(subject, model, X)
    assert ("scores" in subject.offers()) == (name != "svc")


def test_catboost():
    catboost = pytest.importorskip("catboost")
    model = catboost.CatBoostClassifier(iterations=10, verbose=0, allow_writing_files=False)
    check(tc.Subject(model.fit(X, Y), X, Y), model, X)


def test_a_tuned_threshold_is_respected():
    model = FixedThresholdClassifier(LogisticRegression(), threshold=0.05).fit(X, Y)
    subject = tc.Subject(model, X, Y)
    assert (subject.predictions != np.argmax(subject.scores, axis=1)).any()
    assert (subject.predictions == model.predict(X)).all()


def test_an_onnx_session():
    onnxruntime = pytest.importorskip("onnxruntime")
    skl2onnx = pytest.importorskip("skl2onnx")
    kind = [("X", skl2onnx.common.data_types.FloatTensorType([None, 3]))]
    graph = skl2onnx.convert_sklearn(MODEL, initial_types=kind)
    session = onnxruntime.InferenceSession(graph.SerializeToString())
    subject = tc.Subject(session, X, Y, name="onnx")
    assert (subject.predictions == MODEL.predict(X)).mean() > 0.99
    assert np.allclose(subject.scores, MODEL.predict_proba(X), atol=1e-5)


def test_a_pytorch_module():
    torch = pytest.importorskip("torch")
    module = torch.nn.Linear(3, 2)
    subject = tc.Subject(module, X, Y)
    with torch.no_grad():
        logits = module(torch.tensor(X.to_numpy(dtype=np.float32))).double()
    assert np.allclose(subject.scores, torch.softmax(logits, 1).numpy(), atol=1e-6)
    with pytest.raises(tc.InputError, match="numeric columns only"):
        _ = tc.Subject(module, X.assign(a="text"), Y).scores


def test_a_model_with_several_outputs_is_refused():
    many = MultiOutputClassifier(LogisticRegression()).fit(X, np.column_stack([Y, Y]))
    with pytest.raises(tc.InputError, match="several outputs"):
        tc.Subject(many, X, Y)
    numbers = LinearRegression().fit(X, X[["a", "b"]])
    with pytest.raises(tc.InputError, match="2 numbers a row"):
        _ = tc.Subject(numbers, X, X["a"]).predictions


def test_a_remote_endpoint_is_called_in_batches_and_tried_again():
    sizes, failures = [], iter([True, False, True, True, False] + [False] * 99)

    def endpoint(rows):
        if next(failures):
            raise OSError("busy")
        sizes.append(len(rows))
        return MODEL.predict_proba(rows)

    remote = tc.Remote(endpoint, batch_size=150, retries=3, wait=0.0)
    subject = tc.Subject(remote, X, Y)
    assert np.allclose(subject.scores, MODEL.predict_proba(X))
    assert sizes == [150, 150, 100]
    dead = tc.Subject(tc.Remote(lambda rows: 1 / 0, retries=1, wait=0.0), X, Y)
    with pytest.raises(tc.TrustError, match="failed 2 times on the rows from position 0"):
        _ = dead.predictions
    short = tc.Subject(tc.Remote(lambda rows: np.zeros(1), wait=0.0), X, Y)
    with pytest.raises(tc.InputError, match="answered 1 rows for 400"):
        _ = short.predictions


MIXED = pd.DataFrame(
    {
        "n": RNG.normal(size=200),
        "i": RNG.integers(0, 9, 200),
        "s": RNG.choice(["x", "y"], 200),
        "b": RNG.random(200) < 0.5,
        "t": pd.date_range("2020-01-01", periods=200, freq="D"),
    }
)
LABELS = (MIXED["n"] > 0).astype(int)


def taken(kind, seen):
    def rule(table):
        seen.append(type(table).__module__.split(".")[0])
        return (np.asarray(table["n"]) > 0).astype(int)

    return rule


@pytest.mark.parametrize("kind", ["pandas", "polars", "pyarrow"])
def test_a_model_is_sent_the_kind_of_table_the_user_has(kind):
    pytest.importorskip(kind)
    table = MIXED
    if kind == "polars":
        import polars as pl

        table = pl.from_pandas(MIXED)
    if kind == "pyarrow":
        import pyarrow as pa

        table = pa.Table.from_pandas(MIXED)
    seen = []
    subject = tc.Subject(taken(kind, seen), table, LABELS, sensitive=["s"])
    assert (subject.predictions == LABELS).all()
    assert set(seen) == {kind}
    assert [f.kind for f in subject.schema.values()] == [
        "numeric", "integer", "categorical", "boolean", "datetime",
    ]  # fmt: skip
    reference = tc.Subject(taken("pandas", []), MIXED, LABELS, sensitive=["s"])
    assert subject.schema["n"].scale == pytest.approx(reference.schema["n"].scale)
    # Perturbed rows go out in the same form.
    subject.predict(subject.X.iloc[:10])
    assert set(seen) == {kind}


def test_nullable_categorical_and_missing_columns_are_read():
    frame = pd.DataFrame(
        {
            "nullable": pd.array([1, None, 3] * 20, dtype="Int64"),
            "flag": pd.array([True, None, False] * 20, dtype="boolean"),
            "cat": pd.Categorical(["a", "b", None] * 20),
            "empty": [np.nan] * 60,
            "constant": [1.5] * 60,
            "mixed": [1, "two", None] * 20,
        }
    )
    subject = tc.Subject(lambda X: np.zeros(len(X), dtype=int), frame, [0, 1] * 30)
    kinds = {name: feature.kind for name, feature in subject.schema.items()}
    assert kinds["nullable"] == "integer"
    assert kinds["flag"] == "boolean"
    assert kinds["cat"] == "categorical"
    assert kinds["mixed"] == "categorical"
    assert subject.schema["constant"].scale == 1.0
    assert subject.schema["nullable"].missing == pytest.approx(1 / 3)
    assert len(subject.sample(10, np.random.default_rng(0))) == 10


def test_a_sparse_matrix_is_sent_as_one():
    matrix = sparse.csr_matrix(X.to_numpy())
    model = LogisticRegression().fit(matrix, Y)
    subject = tc.Subject(model, matrix, Y)
    assert (subject.predictions == model.predict(matrix)).all()
    huge = sparse.csr_matrix((10_000, 100_000))
    with pytest.raises(tc.InputError, match="too many to look at"):
        tc.Subject(model, huge, np.zeros(10_000))


def test_a_lazy_frame_is_refused():
    pl = pytest.importorskip("polars")
    with pytest.raises(tc.InputError, match="collect it first"):
        tc.Subject(MODEL, pl.from_pandas(X).lazy(), Y)
