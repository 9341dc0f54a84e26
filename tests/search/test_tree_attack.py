import lightgbm
import numpy as np
import pandas as pd
import pytest
import xgboost
from sklearn.compose import make_column_transformer
from sklearn.ensemble import (
    GradientBoostingClassifier,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
)
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder, StandardScaler
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from trustcheck.search import _tree_attack, _tree_bound, _tree_milp
from trustcheck.search._attack import DONORS, Search, attack
from trustcheck.search._leaves import near
from trustcheck.search._space import Space
from trustcheck.search._starts import starts
from trustcheck.subject import Schema

MODELS = {
    "tree": lambda: DecisionTreeClassifier(max_depth=4, random_state=0),
    "forest": lambda: RandomForestClassifier(8, max_depth=3, random_state=0),
    "gradient boosting": lambda: GradientBoostingClassifier(n_estimators=8, random_state=0),
    "histogram": lambda: HistGradientBoostingClassifier(
        max_iter=8, max_leaf_nodes=6, random_state=0
    ),
    "xgboost": lambda: xgboost.XGBClassifier(n_jobs=1, n_estimators=8, max_depth=3),
    "lightgbm": lambda: lightgbm.LGBMClassifier(n_jobs=1, n_estimators=8, num_leaves=6, verbose=-1),
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


def mixed_table(n=500):
    rng = np.random.default_rng(1)
    frame, _ = table(n)
    frame["b"] = frame["b"].mask(rng.random(n) < 0.15).astype(np.float32)
    frame["job"] = rng.choice(["clerk", "cook", "nurse", "spy"], n, p=[0.4, 0.4, 0.19, 0.01])
    frame["owner"] = rng.random(n) < 0.5
    score = frame["a"] + frame["b"].fillna(0) / 10 + (frame["job"] == "cook") + frame["owner"]
    return frame, np.asarray(score + rng.normal(size=n) * 0.3)


def pipeline(final, *, onehot):
    levels = (
        OneHotEncoder(handle_unknown="ignore", min_frequency=0.05)
        if onehot
        else OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1)
    )
    return make_pipeline(
        make_column_transformer(
            (make_pipeline(SimpleImputer(), StandardScaler()), ["a", "b", "whole"]),
            (levels, ["job"]),
            ("passthrough", ["owner"]),
        ),
        final,
    )


def by_asking(model, grid, row, changes):
    """Size of the smallest combination of cells that changes the model's own answer."""
    free = grid.free(row)
    prices = [
        grid.prices(row, j) if free[j] else (np.zeros(1), grid.space.own[row, j : j + 1])
        for j in range(len(grid.low))
    ]
    meshes = np.meshgrid(*(np.arange(len(cost)) for cost, _ in prices), indexing="ij")
    cells = np.stack([mesh.ravel() for mesh in meshes], axis=1)
    cost = np.stack([prices[j][0][cells[:, j]] for j in range(cells.shape[1])], axis=1)
    value = np.stack([prices[j][1][cells[:, j]] for j in range(cells.shape[1])], axis=1)
    cost, value = cost[np.isfinite(cost).all(axis=1)], value[np.isfinite(cost).all(axis=1)]
    answers = model.predict(grid.space.decode(np.full(len(value), row), value))
    return grid.space.size(cost)[changes(answers)].min(initial=np.inf)


@pytest.mark.parametrize("norm", ["linf", "l2"])
@pytest.mark.parametrize("onehot", [True, False])
@pytest.mark.parametrize("name", ["forest", "histogram", "xgboost"])
def test_mixed_columns_behind_a_pipeline(name, onehot, norm):
    frame, score = mixed_table()
    y = (score > np.median(score)).astype(int)
    model = pipeline(MODELS[name](), onehot=onehot).fit(frame, y)
    rows = frame[:8].reset_index(drop=True)
    rows.loc[0, "b"] = np.nan
    rows.loc[1, "job"] = "new"
    schema = Schema.infer(frame).edit(owner={"immutable": True}, whole={"high": 9.0})
    space = Space.of(rows, schema, norm=norm, category=0.7)
    grid = _tree_attack.read(model, space, frame)
    found = _tree_attack.attack(grid)
    base = model.predict(rows)
    for row in range(len(rows)):
        size = by_asking(model, grid, row, lambda answers, own=base[row]: answers != own)
        assert found.upper[row] == pytest.approx(size, rel=1e-9)
        assert found.lower[row] == pytest.approx(size, rel=2e-5)
    changed = space.decode(np.arange(len(rows)), found.points)
    hit = np.isfinite(found.upper)
    assert (model.predict(changed)[hit] != base[hit]).all()
    assert (changed["owner"] == rows["owner"]).all()
    assert changed["b"].dtype == np.float32


@pytest.mark.parametrize("name", MODELS)
def test_of_three_classes_the_nearest_other_one_counts(name):
    frame, y = table()
    y = y + (frame["b"] > 8)
    model = MODELS[name]().fit(frame, y)
    rows = frame[:5].reset_index(drop=True)
    grid = grid_of(model, frame, rows, "l2")
    found, base = _tree_attack.attack(grid), model.predict(rows)
    for row in range(len(rows)):
        size = by_asking(model, grid, row, lambda answers, own=base[row]: answers != own)
        assert found.upper[row] == pytest.approx(size, rel=1e-9)
    assert found.exact.all()


@pytest.mark.parametrize(
    "model",
    [
        DecisionTreeRegressor(max_depth=5, random_state=0),
        HistGradientBoostingRegressor(max_iter=8, max_leaf_nodes=6),
        HistGradientBoostingRegressor(max_iter=8, max_leaf_nodes=6, loss="poisson"),
        xgboost.XGBRegressor(n_estimators=8, max_depth=3),
    ],
    ids=["tree", "histogram", "logarithm", "xgboost"],
)
def test_a_number_moves_by_more_than_the_shift_either_way(model):
    shift = 1.5
    frame, _ = table()
    target = np.abs(frame["a"] + frame["b"] / 4 + frame["whole"] / 4)
    model.fit(frame, target)
    rows = frame[:5].reset_index(drop=True)
    grid = grid_of(model, frame, rows)
    found, base = _tree_attack.attack(grid, shift=shift), model.predict(rows)
    for row in range(len(rows)):
        size = by_asking(model, grid, row, lambda a, own=base[row]: np.abs(a - own) > shift)
        assert found.upper[row] == pytest.approx(size, rel=1e-9)
        assert found.lower[row] == pytest.approx(size, rel=1e-6)
    with pytest.raises(ValueError, match="shift="):
        _tree_attack.attack(grid)


@pytest.mark.parametrize("name", MODELS)
def test_no_certificate_is_broken_by_attacks_that_know_nothing_of_trees(name):
    frame, y = table(600)
    model = MODELS[name]().fit(frame, y)
    rows = frame[:30].reset_index(drop=True)
    schema = Schema.infer(frame)
    space = Space.of(rows, schema, norm="linf", category=1.0)
    grid = _tree_attack.read(model, space, frame)
    found, base = _tree_attack.attack(grid, work=20_000, nodes=0), model.predict(rows)
    assert (found.lower <= found.upper).all()

    def ask(changed, at):
        return np.where(model.predict(changed) != base[at], -1.0, 1.0)

    other = model.predict(frame) != base[:, None]
    donors = starts(space, space.encode(frame), other, 1.0 - other, DONORS)
    search = Search(space, ask, 80)
    attack(search, donors, np.random.default_rng(0))
    assert np.isfinite(search.distance).mean() > 0.9
    assert (search.distance >= found.lower).all()
    rng, every = np.random.default_rng(0), np.arange(len(rows))
    for radius in (0.1, 0.4):
        proven = _tree_attack.certify(grid, radius)
        assert proven.any()
        for _ in range(40):
            noise = rng.uniform(-radius, radius, space.own.shape) * space.scale
            corner = np.sign(noise) * radius * space.scale
            noise = np.where(rng.random(noise.shape) < 0.5, noise, corner)
            changed = space.decode(every, space.snap(every, space.own + noise))
            assert (model.predict(changed) == base)[proven].all()


@pytest.mark.parametrize("name", ["forest", "gradient boosting", "lightgbm"])
def test_branch_and_bound_agrees_with_the_integer_program(name):
    rng = np.random.default_rng(3)
    frame = pd.DataFrame(rng.normal(size=(400, 8)), columns=list("abcdefgh"))
    y = (frame.sum(axis=1) + rng.normal(size=400) > 0).astype(int)
    model = MODELS[name]().set_params(n_estimators=15).fit(frame, y)
    grid = grid_of(model, frame, frame[:6].reset_index(drop=True), "l2")
    raw = grid.trees.raw(grid.encoded)
    for row in range(6):
        (aim,) = _tree_attack._aims(grid, raw[row], None, None)
        here = near(grid, row, aim, 1.5, "l2")
        flips = _tree_attack.Asker(grid, row, None).about(here)
        one = _tree_bound.prove(here, 1.5, 10**8, flips)
        other = _tree_milp.solve(here, 10**6, flips)
        assert one.proven
        assert (one.cells is None) == (other.cells is None)
        assert other.lower == pytest.approx(one.radius, rel=3e-5)


def test_little_work_still_gives_ends_that_hold_the_truth():
    frame, y = table()
    model = RandomForestClassifier(30, random_state=0).fit(frame, y)
    rows = frame[:10].reset_index(drop=True)
    grid = grid_of(model, frame, rows, "l2")
    exact, rough = _tree_attack.attack(grid), _tree_attack.attack(grid, work=500, nodes=0)
    assert exact.exact.all()
    assert not rough.exact.all()
    assert (rough.lower <= exact.upper * (1 + 1e-9)).all()
    assert (rough.upper >= exact.upper * (1 - 1e-9)).all()


def test_neither_the_order_of_rows_nor_their_company_matters():
    frame, y = table()
    model = MODELS["histogram"]().fit(frame, y)
    one = _tree_attack.attack(grid_of(model, frame, frame[:6].reset_index(drop=True)))
    turned = _tree_attack.attack(grid_of(model, frame, frame[5:1:-1].reset_index(drop=True)))
    np.testing.assert_array_equal(one.points[2:][::-1], turned.points)
    np.testing.assert_array_equal(one.lower[2:][::-1], turned.lower)


def test_a_constant_model_cannot_be_flipped_and_that_is_proven():
    frame, _ = table()
    model = DecisionTreeClassifier().fit(frame, np.arange(len(frame)) % 2 * 0)
    found = _tree_attack.attack(grid_of(model, frame, frame[:3].reset_index(drop=True)))
    assert np.isinf(found.upper).all()
    assert np.isinf(found.lower).all()


def test_only_columns_that_may_change_have_to_be_readable():
    from sklearn.decomposition import PCA

    frame, y = table()
    model = make_pipeline(
        make_column_transformer((PCA(1), ["a", "b"]), ("passthrough", ["whole"])),
        DecisionTreeClassifier(max_depth=4, random_state=0),
    ).fit(frame, y)
    rows = frame[:20].reset_index(drop=True)
    schema = Schema.infer(frame)
    space = Space.of(rows, schema, norm="linf", category=1.0)
    assert "'a' passes a step" in _tree_attack.read(model, space, frame)
    frozen = schema.edit(a={"immutable": True}, b={"immutable": True})
    grid = _tree_attack.read(model, Space.of(rows, frozen, norm="linf", category=1.0), frame)
    found, base = _tree_attack.attack(grid), model.predict(rows)
    for row in range(20):
        size = by_asking(model, grid, row, lambda answers, own=base[row]: answers != own)
        assert found.upper[row] == pytest.approx(size)


def test_whole_numbers_encoded_one_by_one_and_one_hot_columns_of_the_user():
    frame, score = mixed_table()
    frame = frame[["a", "whole"]].join(pd.get_dummies(frame["job"], prefix="job", dtype=float))
    y = (score + (frame["whole"] % 3 == 1) > 1).astype(int)
    onehot = OneHotEncoder(handle_unknown="ignore")
    model = make_pipeline(
        make_column_transformer((onehot, ["whole"]), remainder=StandardScaler()),
        GradientBoostingClassifier(n_estimators=12, random_state=0),
    ).fit(frame, y)
    rows = frame[:8].reset_index(drop=True)
    schema = Schema.infer(frame)
    assert schema.one_hot
    space = Space.of(rows, schema, norm="l2", category=0.5)
    grid = _tree_attack.read(model, space, frame)
    found, base = _tree_attack.attack(grid), model.predict(rows)
    for row in range(len(rows)):
        size = by_asking(model, grid, row, lambda answers, own=base[row]: answers != own)
        assert found.upper[row] == pytest.approx(size)
    assert found.exact.all()
    changed = space.decode(np.arange(len(rows)), found.points)
    assert (changed.filter(like="job_").sum(axis=1) == 1).all()
