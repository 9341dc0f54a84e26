import numpy as np
import pandas as pd
import pytest
from scipy import optimize
from sklearn.compose import make_column_transformer
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.linear_model import (
    LinearRegression,
    LogisticRegression,
    RidgeClassifier,
    SGDClassifier,
)
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, MinMaxScaler, OneHotEncoder, StandardScaler
from sklearn.svm import LinearSVC

from trustcheck.search import _linear
from trustcheck.search._pipeline import read
from trustcheck.search._space import Space
from trustcheck.subject import Schema

MODELS = [LogisticRegression(), RidgeClassifier(), LinearSVC(), SGDClassifier(random_state=0),
          LinearDiscriminantAnalysis()]  # fmt: skip


def numbers(n=300, seed=0, classes=2):
    rng = np.random.default_rng(seed)
    X = pd.DataFrame(rng.normal(size=(n, 4)) * [1, 3, 10, 0.1], columns=list("abcd"))
    score = X.to_numpy() @ [1.0, 0.5, -0.1, 3.0] + rng.normal(0, 0.5, n)
    return X, np.digitize(score, np.quantile(score, np.arange(1, classes) / classes))


def mixed(n=400, seed=0):
    rng = np.random.default_rng(seed)
    X = pd.DataFrame(
        {
            "pay": rng.lognormal(3, 0.6, n),
            "age": rng.integers(18, 70, n),
            "kids": rng.integers(0, 5, n).astype(float),
            "owner": rng.random(n) < 0.4,
            "job": rng.choice(["clerk", "nurse", "smith"], n),
            "town": rng.choice(["x", "y", "z", "w"], n),
            "sex": rng.choice(["f", "m"], n),
        }
    )
    score = (X["pay"] / 20 + X["age"] / 30 - X["kids"] + 1.5 * X["owner"] + (X["job"] == "smith")
             + 2 * (X["town"] == "w") + rng.normal(0, 0.5, n))  # fmt: skip
    encode = make_column_transformer(
        (StandardScaler(), ["pay", "age"]), (MinMaxScaler(), ["kids"]), ("passthrough", ["owner"]),
        (OneHotEncoder(drop="first"), ["job"]), (OneHotEncoder(sparse_output=False), ["town", "sex"]),
    )  # fmt: skip
    return X, (score > score.median()).astype(int), encode


def solved(model, X, schema, norm, rows=20, category=1.0):
    part = X[:rows].reset_index(drop=True)
    space = Space.of(part, schema, norm=norm, category=category)
    answers = np.searchsorted(model.classes_, model.predict(part))
    linear = _linear.read(space, read(model, part), answers, tuple(model.classes_), None)
    assert not isinstance(linear, str), linear
    lower, points = _linear.solve(space, linear)
    return space, linear, lower, space.snap(np.arange(rows), points)


@pytest.mark.parametrize("norm", ["l2", "linf"])
@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize("final", MODELS, ids=lambda m: type(m).__name__)
def test_without_limits_distances_are_the_closed_form(final, classes, norm):
    X, y = numbers(classes=classes)
    model = make_pipeline(StandardScaler(), final).fit(X, y)
    schema = Schema.infer(X).edit(**{name: {"low": None, "high": None} for name in X})
    space, _, lower, points = solved(model, X, schema, norm)
    slope = np.atleast_2d(model[-1].coef_) / model[0].scale_ * space.scale
    scores = model.decision_function(X[:20])
    if classes == 2:
        scores, slope = np.column_stack([-scores, scores]) / 2, np.vstack([-slope, slope]) / 2
    own = scores.argmax(axis=1)
    dual = {"l2": 2, "linf": 1}[norm]
    exact = np.full(20, np.inf)
    for k in range(classes):
        length = np.linalg.norm(slope[own] - slope[k], ord=dual, axis=1)
        lead = scores[np.arange(20), own] - scores[:, k]
        exact = np.where(own == k, exact, np.minimum(exact, lead / np.where(length, length, 1)))
    assert lower == pytest.approx(exact, rel=1e-6)
    beyond = space.own + (points - space.own) * (1 + 1e-6)
    assert (model.predict(space.decode(np.arange(20), beyond)) != model.classes_[own]).all()


def program(space, linear, row, k, norm):
    """Solve the same problem by integer programming (L-infinity) or by trying every corner (L2)."""
    j = np.flatnonzero(~space.categorical)
    c = np.flatnonzero(space.categorical)
    down, up = (space.own - space.low)[row, j], (space.high - space.own)[row, j]
    slope = linear.slopes[row, k, j] / space.scale[j]
    if norm == "linf":
        # Variables: size t; moves of numbers; whether a category changes.
        n, g = len(j), len(c)
        cost = np.r_[1.0, np.zeros(n + g)]
        scale = np.diag(space.scale[j])
        rows = [np.r_[0.0, slope, -linear.drops[row, k, c]],
                *np.column_stack([-space.scale[j], np.eye(n), np.zeros((n, g))]),
                *np.column_stack([-space.scale[j], -np.eye(n), np.zeros((n, g))]),
                *np.column_stack([-np.ones(g), np.zeros((g, n)), space.category * np.eye(g)])]  # fmt: skip
        most = np.r_[-linear.margins[row, k], np.zeros(2 * n + g)]
        assert scale.shape == (n, n)
        found = optimize.milp(
            cost,
            constraints=optimize.LinearConstraint(np.array(rows), ub=most),
            integrality=np.r_[0, space.whole[j], np.ones(g)],
            bounds=optimize.Bounds(np.r_[0, -down, np.zeros(g)], np.r_[np.inf, up, np.ones(g)]),
        )
        return found.fun if found.success else np.inf
    best = np.inf
    for chosen in range(2 ** len(c)):
        on = np.array([chosen >> i & 1 for i in range(len(c))], dtype=bool)
        rest = linear.margins[row, k] - linear.drops[row, k, c][on].sum()
        found = optimize.minimize(
            lambda u: (u**2).sum(), np.zeros(len(j)), jac=lambda u: 2 * u, method="SLSQP",
            bounds=list(zip(-down / space.scale[j], up / space.scale[j], strict=True)),
            constraints={"type": "ineq", "jac": lambda u: -linear.slopes[row, k, j],
                         "fun": lambda u, rest=rest: -(linear.slopes[row, k, j] @ u) - rest},
            options={"ftol": 1e-12, "maxiter": 500},
        )  # fmt: skip
        if found.success:
            best = min(best, np.sqrt(found.fun + on.sum() * space.category**2))
    return best


@pytest.mark.parametrize(("norm", "category"), [("linf", 1.0), ("linf", 0.3), ("l2", 0.6)])
def test_limits_whole_numbers_and_categories_agree_with_a_solver(norm, category):
    X, y, encode = mixed()
    model = make_pipeline(encode, LogisticRegression(max_iter=1000)).fit(X, y)
    schema = Schema.infer(X).edit(sex={"immutable": True}, age={"direction": "up"})
    if norm == "l2":  # fractions: the bound is exact for them only
        schema = schema.edit(age={"kind": "numeric"}, kids={"kind": "numeric"})
        X = X.astype({"age": float})
    space, linear, lower, points = solved(model, X, schema, norm, 12, category)
    for row in range(12):
        exact = min(
            program(space, linear, row, k, norm)
            for k in range(2)
            if np.isfinite(linear.margins[row, k])
        )
        assert lower[row] == pytest.approx(exact, rel=2e-4, abs=1e-6)
    rows = np.arange(12)
    assert space.distance(rows, points) == pytest.approx(lower, rel=1e-6)
    assert "sex" not in space.names
    assert (points[:, space.names.index("age")] >= space.own[:, space.names.index("age")]).all()


def test_the_point_flips_and_no_blind_change_within_the_bound_does():
    X, y, encode = mixed(seed=1)
    model = make_pipeline(encode, LogisticRegression(max_iter=1000)).fit(X, y)
    for norm in ("l2", "linf"):
        space, _, lower, points = solved(model, X, Schema.infer(X), norm, 30, 0.4)
        rows, answers = np.arange(30), model.predict(X[:30])
        flips = model.predict(space.decode(rows, points)) != answers
        assert flips.mean() > 0.5  # those on the very boundary need a hair more
        rng = np.random.default_rng(0)
        many = np.repeat(rows, 300)
        wild = space.own[many] + rng.standard_cauchy((9000, len(space.names))) * space.scale
        levels = [max(len(f.levels), 1) for f in space.features]
        wild = np.where(space.categorical, rng.integers(levels, size=wild.shape), wild)
        inside = space.pull(many, wild, 0.9999 * lower[many])
        assert (model.predict(space.decode(many, inside)) == answers[many]).all()


def test_whole_numbers_in_l2_are_bounded_and_the_rounded_point_lies_above():
    X, y, encode = mixed(seed=2)
    model = make_pipeline(encode, LogisticRegression(max_iter=1000)).fit(X, y)
    space, _, lower, points = solved(model, X, Schema.infer(X), "l2", 40)
    reached = space.distance(np.arange(40), points)
    assert (reached >= lower * (1 - 1e-6)).all()
    assert np.median(reached / lower) < 1.05


@pytest.mark.parametrize("scale", [1e-3, 1e4])
def test_a_regression_is_pushed_both_ways(scale):
    X, _ = numbers()
    target = scale * (X["a"] + 0.2 * X["b"])
    model = LinearRegression().fit(X, target)
    space = Space.of(X[:50], Schema.infer(X), norm="linf", category=1.0)
    found = _linear.read(space, read(model, X[:50]), model.predict(X[:50]), (), scale)
    lower, points = _linear.solve(space, found)
    rows = np.arange(50)
    moved = model.predict(space.decode(rows, space.snap(rows, points))) - model.predict(X[:50])
    done = np.isfinite(lower)
    assert np.abs(moved[done]) == pytest.approx(np.full(done.sum(), scale), rel=1e-6)
    assert (moved > 0).any()
    assert (moved < 0).any()


def test_what_is_not_linear_is_refused_with_a_reason():
    X, y = numbers()
    part = X[:5]
    space = Space.of(part, Schema.infer(X), norm="l2", category=1.0)
    curved = make_pipeline(FunctionTransformer(np.arcsinh), LogisticRegression()).fit(X, y)
    found = _linear.read(space, read(curved, part), curved.predict(part), (0, 1), None)
    assert "arcsinh" in found
    turned = LogisticRegression().fit(X, y)
    answers = 1 - turned.predict(part)
    assert "own answers" in _linear.read(space, read(turned, part), answers, (0, 1), None)

    class Mine(LogisticRegression):
        pass

    mine = Mine().fit(X, y)
    assert "no linear model" in _linear.read(
        space, read(mine, part), mine.predict(part), (0, 1), None
    )
