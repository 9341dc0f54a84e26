import numpy as np
import pandas as pd
import pytest
from sklearn.compose import make_column_transformer
from sklearn.decomposition import PCA
from sklearn.ensemble import RandomForestClassifier
from sklearn.impute import SimpleImputer
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import FeatureUnion, make_pipeline
from sklearn.preprocessing import (
    FunctionTransformer,
    MaxAbsScaler,
    MinMaxScaler,
    OneHotEncoder,
    OrdinalEncoder,
    RobustScaler,
    StandardScaler,
)
from sklearn.tree import DecisionTreeClassifier

from trustcheck.search import _pipeline
from trustcheck.search._pipeline import Op, Source, read

SCALERS = [StandardScaler(), RobustScaler(), MinMaxScaler(clip=True), MaxAbsScaler()]


def table(n=300):
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(
        {
            "amount": rng.lognormal(3, 2, n),
            "age": rng.integers(18, 80, n),
            "job": rng.choice(["a", "b", "c", "rare"], n, p=[0.5, 0.3, 0.18, 0.02]),
            "town": rng.choice(["x", "y"], n),
        }
    )
    return frame, (frame["amount"] > 20).astype(int)


def mixed(*numbers):
    return make_column_transformer(
        (make_pipeline(*numbers), ["amount", "age"]),
        (OneHotEncoder(drop="first", min_frequency=0.05, handle_unknown="ignore"), ["job"]),
        (OrdinalEncoder(), ["town"]),
    )


@pytest.mark.parametrize("scaler", SCALERS, ids=lambda scaler: type(scaler).__name__)
@pytest.mark.parametrize("kind", ["float64", "float32"])
def test_scalers_are_computed_anew_to_the_last_bit(scaler, kind):
    frame, y = table()
    frame = frame[["amount", "age"]].astype(kind)
    model = make_pipeline(scaler, DecisionTreeClassifier()).fit(frame, y)
    steps = read(model, frame)
    encoded = steps.encode(frame)
    for e, source in enumerate(steps.sources):
        values = source.apply(frame.iloc[:, e].to_numpy(float), steps.precision)
        assert (values == encoded[:, e]).all()


def test_every_encoded_column_is_traced_through_nested_steps():
    frame, y = table()
    frame.loc[:9, "amount"] = np.nan
    numbers = (SimpleImputer(add_indicator=True), FunctionTransformer(np.cbrt), StandardScaler())
    before = make_pipeline(mixed(*numbers), MinMaxScaler())
    model = GridSearchCV(
        make_pipeline(before, DecisionTreeClassifier()),
        {"decisiontreeclassifier__max_depth": [2]},
        cv=2,
    ).fit(frame, y)
    steps = read(model, frame)
    assert [source.columns for source in steps.sources] == [
        *[(0,), (1,), (0,)],  # the third says whether the amount is missing
        *[(2,)] * (len(steps.sources) - 4),
        (3,),
    ]
    assert [source.kind for source in steps.sources[:3]] == ["number"] * 3
    assert {source.kind for source in steps.sources[3:]} == {"levels"}
    assert len(steps.sources) == steps.encode(frame).shape[1]
    assert isinstance(steps.final, DecisionTreeClassifier)


def test_what_mixes_columns_is_left_unread_and_the_rest_is_read():
    frame, y = table()
    frame = frame[["amount", "age"]]
    union = FeatureUnion([("pca", PCA(1)), ("same", FunctionTransformer())])
    model = make_pipeline(union, DecisionTreeClassifier()).fit(frame, y)
    kinds = [(source.kind, source.columns) for source in read(model, frame).sources]
    assert kinds == [("unread", (0, 1)), ("number", (0,)), ("number", (1,))]


def test_a_number_that_stands_for_missing_is_no_number():
    frame, y = table()
    frame = frame[["age"]].where(frame["age"] > 25, -1)
    model = make_pipeline(SimpleImputer(missing_values=-1), DecisionTreeClassifier()).fit(frame, y)
    assert [source.kind for source in read(model, frame).sources] == ["levels"]


class Doubler(FunctionTransformer):
    def transform(self, X):
        return 2 * X


def test_steps_that_cannot_be_read_are_declined_with_a_reason(monkeypatch):
    frame, y = table()
    frame = frame[["amount", "age"]]
    model = make_pipeline(Doubler(), DecisionTreeClassifier()).fit(frame, y)
    assert "Doubler" in read(model, frame)  # it cannot even name its columns
    monkeypatch.setitem(
        _pipeline._READERS,
        "StandardScaler",
        lambda step, sources: [s.then(Op("add", 1.0)) for s in sources],
    )
    model = make_pipeline(StandardScaler(), DecisionTreeClassifier()).fit(frame, y)
    assert "other numbers" in read(model, frame)
    text, y = table()
    assert "table of numbers" in read(RandomForestClassifier(), text)


def test_a_chain_is_computed_step_by_step():
    source = Source((0,)).then(Op("subtract", 1.0), Op("log1p"), Op("minimum", 0.5))
    np.testing.assert_array_equal(source.apply(np.array([1.0, 100.0])), [0.0, 0.5])
