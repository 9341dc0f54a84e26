import lightgbm
import numpy as np
import pandas as pd
import pytest
import xgboost
from sklearn.ensemble import (
    GradientBoostingClassifier,
    HistGradientBoostingClassifier,
    RandomForestClassifier,
)
from sklearn.tree import DecisionTreeClassifier

from trustcheck.search import _tree_attack
from trustcheck.search._space import Space
from trustcheck.subject import Schema

MODELS = {
    "tree": lambda: DecisionTreeClassifier(max_depth=4, random_state=0),
    "forest": lambda: RandomForestClassifier(8, max_depth=3, random_state=0),
    "gradient boosting": lambda: GradientBoostingClassifier(n_estimators=8, random_state=0),
    "histogram": lambda: HistGradientBoostingClassifier(
        max_iter=8, max_leaf_nodes=6, random_state=0
    ),
    "xgboost": lambda: xgboost.XGBClassifier(n_estimators=8, max_depth=3),
    "lightgbm": lambda: lightgbm.LGBMClassifier(n_estimators=8, num_leaves=6, verbose=-1),
}


def table(n=400):
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(
        {
            "a": rng.normal(size=n),
            "b": rng.normal(size=n) * 10,
            "whole": rng.integers(0, 12, n),
        }
    )
    y = frame["a"] + frame["b"] / 10 + (frame["whole"] > 5) + rng.normal(size=n) * 0.3 > 0.7
    return frame, y.astype(int)


def grid_of(model, frame, rows, norm="linf"):
    space = Space.of(rows, Schema.infer(frame), norm=norm, category=1.0)
    grid = _tree_attack.read(model, space, frame)
    assert not isinstance(grid, str), grid
    return grid


def every_cell(grid, row):
    """Sizes and answers of all combinations of cells around a row, one after the other."""
    prices = [grid.prices(row, j) for j in range(len(grid.low))]
    meshes = np.meshgrid(*(np.arange(len(cost)) for cost, _ in prices), indexing="ij")
    cells = np.stack([mesh.ravel() for mesh in meshes], axis=1)
    cost = np.stack([prices[j][0][cells[:, j]] for j in range(cells.shape[1])], axis=1)
    value = np.stack([prices[j][1][cells[:, j]] for j in range(cells.shape[1])], axis=1)
    possible = np.isfinite(cost).all(axis=1)
    return cost[possible], value[possible]


@pytest.mark.parametrize("norm", ["linf", "l2"])
@pytest.mark.parametrize("name", MODELS)
def test_the_nearest_flip_is_that_of_asking_the_model_about_every_cell(name, norm):
    frame, y = table()
    model = MODELS[name]().fit(frame, y)
    rows = frame[:6].reset_index(drop=True)
    grid = grid_of(model, frame, rows, norm)
    found = _tree_attack.attack(grid)
    base = model.predict(rows)
    for row in range(len(rows)):
        cost, value = every_cell(grid, row)
        answers = model.predict(grid.space.decode(np.full(len(value), row), value))
        size = grid.space.size(cost)[answers != base[row]].min()
        assert found.upper[row] == pytest.approx(size, rel=1e-12)
        assert found.lower[row] == pytest.approx(size, rel=1e-8)
    assert found.exact.all()
    flipped = grid.space.decode(np.arange(len(rows)), found.points)
    assert (model.predict(flipped) != base).all()
    sizes = grid.space.distance(np.arange(len(rows)), found.points)
    np.testing.assert_allclose(sizes, found.upper, rtol=1e-12)
    if norm == "linf":
        for radius in (0.1, 0.3, 0.8):
            assert (_tree_attack.certify(grid, radius) == (found.lower > radius)).all()
