import warnings
from dataclasses import replace

import lightgbm
import numpy as np
import pandas as pd
import pytest
import xgboost
from sklearn.base import clone
from sklearn.ensemble import (
    ExtraTreesClassifier,
    ExtraTreesRegressor,
    GradientBoostingClassifier,
    GradientBoostingRegressor,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.linear_model import LogisticRegression
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from trustcheck.search import _cells, _pipeline, _tree_readers, _trees
from trustcheck.search._space import Space
from trustcheck.subject import Schema

SMALL = {"n_estimators": 7, "random_state": 0}
QUIET = {**SMALL, "verbose": -1, "num_leaves": 7, "n_jobs": 1}
CLASSIFIERS = {
    "tree": DecisionTreeClassifier(max_depth=5, random_state=0),
    "forest": RandomForestClassifier(**SMALL),
    "extra trees": ExtraTreesClassifier(**SMALL, max_depth=6),
    "gradient boosting": GradientBoostingClassifier(**SMALL),
    "histogram": HistGradientBoostingClassifier(max_iter=7, random_state=0),
    "xgboost": xgboost.XGBClassifier(**SMALL, n_jobs=1),
    "xgboost dart": xgboost.XGBClassifier(**SMALL, n_jobs=1, booster="dart", rate_drop=0.5),
    "xgboost forest": xgboost.XGBRFClassifier(**SMALL, n_jobs=1),
    "lightgbm": lightgbm.LGBMClassifier(**QUIET),
    "lightgbm dart": lightgbm.LGBMClassifier(**QUIET, boosting_type="dart"),
    "lightgbm forest": lightgbm.LGBMClassifier(
        **QUIET, boosting_type="rf", bagging_freq=1, bagging_fraction=0.5
    ),
}
REGRESSORS = {
    "tree": DecisionTreeRegressor(max_depth=5, random_state=0),
    "forest": RandomForestRegressor(**SMALL, max_depth=5),
    "extra trees": ExtraTreesRegressor(**SMALL, max_depth=5),
    "gradient boosting": GradientBoostingRegressor(**SMALL, loss="huber"),
    "histogram": HistGradientBoostingRegressor(max_iter=7),
    "histogram, logarithm": HistGradientBoostingRegressor(max_iter=7, loss="poisson"),
    "xgboost": xgboost.XGBRegressor(**SMALL, n_jobs=1),
    "xgboost, logarithm": xgboost.XGBRegressor(**SMALL, n_jobs=1, objective="count:poisson"),
    "lightgbm": lightgbm.LGBMRegressor(**QUIET),
    "lightgbm, logarithm": lightgbm.LGBMRegressor(**QUIET, objective="poisson"),
}
NO_MISSING = {"gradient boosting"}


def table(n=300, missing=False):
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(rng.normal(size=(n, 4)), columns=list("abcd"))
    score = frame["a"] - frame["b"] + frame["c"] ** 2 + rng.normal(size=n) * 0.3
    if missing:
        frame = frame.mask(rng.random(frame.shape) < 0.1)
    return frame, score


def trees_of(model, frame):
    steps = _pipeline.read(model, frame)
    return steps, _trees.read(steps, frame, steps.encode(frame))


def on_the_thresholds(trees, rng, n=400):
    """Rows each of whose values is a threshold, the next float above or below it, or missing."""
    nodes = trees.nodes
    columns = []
    for feature in range(4):
        at = nodes.threshold[nodes.feature == feature]
        at = at.astype(trees.width)
        beside = [at, np.nextafter(at, trees.width(np.inf)), np.nextafter(at, trees.width(-np.inf))]
        beside = [part[np.isfinite(part)] for part in beside]  # splits on missing alone
        columns.append(rng.choice(np.concatenate([*beside, [0.0, 1.0]]).astype(float), n))
    return np.stack(columns, axis=1)


@pytest.mark.parametrize("missing", [False, True])
@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize("name", CLASSIFIERS)
def test_classifiers_answer_as_the_library_does_on_the_very_thresholds(name, classes, missing):
    if missing and name in NO_MISSING:
        missing = False  # the library refuses missing values: asked about what it takes
    frame, score = table(missing=missing)
    y = pd.qcut(score, classes, labels=False).to_numpy()
    if not name.startswith("xgboost"):
        y = np.array(["no", "yes", "later"])[y]
    model = clone(CLASSIFIERS[name]).fit(frame, y)
    _, trees = trees_of(model, frame)
    assert isinstance(trees, _trees.Ensemble), trees
    rows = on_the_thresholds(trees, np.random.default_rng(1))
    if missing:
        rows[::7, 1] = np.nan
    rows = pd.DataFrame(rows, columns=frame.columns)
    raw = np.asarray(_tree_readers.raw(model, rows)).reshape(len(rows), -1)
    ours = trees.raw(rows.to_numpy())
    np.testing.assert_allclose(ours, raw, atol=trees.tolerance)
    sure = _trees.margin_gap(ours) > 2 * trees.tolerance
    labels = model.classes_[trees.decide(ours)]
    assert (labels == model.predict(rows))[sure].all()
    assert sure.mean() > 0.5


@pytest.mark.parametrize("name", REGRESSORS)
def test_regressors_answer_as_the_library_does_on_the_very_thresholds(name):
    frame, score = table()
    model = clone(REGRESSORS[name]).fit(frame, np.abs(score))
    _, trees = trees_of(model, frame)
    assert isinstance(trees, _trees.Ensemble), trees
    rows = on_the_thresholds(trees, np.random.default_rng(1))
    ours = trees.raw(rows)[:, 0]
    ours = np.exp(ours) if trees.link == "log" else ours
    answers = model.predict(pd.DataFrame(rows, columns=frame.columns))
    np.testing.assert_allclose(ours, answers, rtol=1e-5, atol=1e-5)
    assert trees.link == ("log" if "logarithm" in name else "identity")


def test_what_is_no_sum_of_trees_is_declined_with_a_reason():
    frame, score = table()
    y = (score > 0).astype(int)
    for model, words in [
        (LogisticRegression(), "not a tree ensemble"),
        (xgboost.XGBClassifier(n_estimators=3, booster="gblinear"), "gblinear"),
        (lightgbm.LGBMClassifier(**QUIET, linear_tree=True), "linear models"),
        (lightgbm.LGBMClassifier(**QUIET, zero_as_missing=True), "takes 0 for a missing"),
        (GradientBoostingClassifier(**SMALL, init=LogisticRegression()), "not the sums"),
        (HistGradientBoostingClassifier(max_iter=3, categorical_features=[0]), "by itself"),
    ]:
        given = frame.assign(a=frame["a"].round().clip(-2, 2) + 2)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            _, found = trees_of(model.fit(given, y), given)
        assert isinstance(found, str), model
        assert words in found


@pytest.mark.parametrize(
    ("name", "fault"),
    [
        ("xgboost", {"strict": False}),
        ("xgboost", {"width": np.float64}),
        ("forest", {"width": np.float64}),
        ("forest", {"strict": True}),
        ("histogram", {"strict": True}),
        ("histogram", {"width": np.float32}),
        ("lightgbm", {"width": np.float32}),
    ],
)
def test_a_wrong_comparison_is_noticed_at_the_edges(name, fault):
    frame, score = table()
    frame = frame.round(1).astype(np.float32).astype(float) if "strict" in fault else frame
    model = clone(CLASSIFIERS[name]).fit(frame, (score > 0).astype(int))
    steps, trees = trees_of(model, frame)
    space = Space.of(frame[:40], Schema.infer(frame), norm="linf", category=1.0)
    assert isinstance(_cells.build(space, steps, trees, frame), _cells.Grid)
    wrong = _cells.build(space, steps, replace(trees, **fault), frame)
    assert isinstance(wrong, str)
    assert "at the edges" in wrong
