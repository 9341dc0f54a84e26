"""Linear models: the smallest change that flips each row, exactly, and a proof that none is smaller."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from trustcheck.search._pipeline import Steps
    from trustcheck.search._space import Space

CLASSIFIERS = frozenset(
    [
        "LogisticRegression",
        "LogisticRegressionCV",
        "LinearSVC",
        "RidgeClassifier",
        "RidgeClassifierCV",
        "SGDClassifier",
        "Perceptron",
        "PassiveAggressiveClassifier",
        "LinearDiscriminantAnalysis",
    ]
)
REGRESSORS = frozenset(
    [
        "LinearRegression",
        "Ridge",
        "RidgeCV",
        "Lasso",
        "LassoCV",
        "LassoLars",
        "LassoLarsCV",
        "ElasticNet",
        "ElasticNetCV",
        "SGDRegressor",
        "LinearSVR",
        "HuberRegressor",
        "BayesianRidge",
        "ARDRegression",
        "TheilSenRegressor",
        "Lars",
        "PassiveAggressiveRegressor",
        "QuantileRegressor",
        "OrthogonalMatchingPursuit",
    ]
)
_HOMES = ("sklearn.linear_model.", "sklearn.svm.", "sklearn.discriminant_analysis")
#: Relative rounding error granted to the model's own arithmetic.
SLACK = 1e-9
_HALVINGS = 90


@dataclass(frozen=True)
class Linear:
    """A linear model over the codes of a space: one margin per rival answer, all additive.

    Parameters
    ----------
    margins : ndarray, shape (m, k)
        How far each row's answer is ahead of each rival; inf where there is no such rival.
    slopes : ndarray, shape (m, k, d)
        Change of the margin per robust scale of each number; 0 for categories.
    drops : ndarray, shape (m, k, d)
        How much the best other level of a category lowers the margin, at least 0.
    levels : int ndarray, shape (m, k, d)
        That level.
    """

    margins: np.ndarray
    slopes: np.ndarray
    drops: np.ndarray
    levels: np.ndarray


def read(
    space: Space, steps: Steps, answers: np.ndarray, classes: tuple[Any, ...], most: float | None
) -> Linear | str:
    """Read a linear model over a space, or say in plain words why that cannot be done.

    Parameters
    ----------
    space : Space
        Of m rows.
    steps : Steps
        The model taken apart.
    answers : ndarray, shape (m,)
        The model's own: codes of classes, or numbers.
    classes : tuple
        Labels by code.
    most : float, optional
        Regression: how far an answer has to move.
    """
    final, name = steps.final, type(steps.final).__name__
    known = REGRESSORS if most is not None else CLASSIFIERS
    if name not in known or not type(final).__module__.startswith(_HOMES):
        return f"{name} is no linear model that can be read"
    coefficients = final.coef_.toarray() if hasattr(final.coef_, "toarray") else final.coef_
    coefficients = np.atleast_2d(np.asarray(coefficients, dtype=float))
    intercept = np.broadcast_to(np.asarray(final.intercept_, dtype=float), len(coefficients))
    if coefficients.shape[1] != len(steps.sources):
        return "its coefficients do not match its columns"
    effects = _effects(space, steps, coefficients)
    if isinstance(effects, str):
        return effects
    slopes, tables = effects
    matrix = steps.encode(space.frame)
    if not np.isfinite(matrix).all():
        return "some rows have missing values where it needs numbers"
    scores = matrix @ coefficients.T + intercept
    size = np.abs(matrix) @ np.abs(coefficients.T) + np.abs(intercept)
    m = len(scores)
    if most is not None:
        if len(coefficients) > 1 or not np.allclose(
            scores[:, 0], answers, rtol=1e-6, atol=1e-6 * most
        ):
            return "its coefficients do not give the model's own numbers"
        weights = np.broadcast_to(np.array([[[-1.0]], [[1.0]]]), (m, 2, 1, 1))[:, :, 0]
        margins = np.full((m, 2), most) - SLACK * (most + size)
        return _rivals(space, margins, weights, slopes, tables)
    order = [list(classes).index(label) for label in final.classes_]
    if len(coefficients) == 1:
        scores = np.column_stack([-scores[:, 0], scores[:, 0]]) / 2
        size = np.repeat(size, 2, axis=1) / 2
        slopes, tables = np.stack([-slopes[0], slopes[0]]) / 2, [
            None if table is None else np.stack([-table[0], table[0]]) / 2 for table in tables
        ]  # fmt: skip
    place = np.full(len(classes), -1)
    place[order] = np.arange(len(order))
    own = place[answers]
    lead = np.sort(scores, axis=1)[:, -1] - np.sort(scores, axis=1)[:, -2]
    clear = lead > 1e-7 * (1 + size.max(axis=1))
    if (own < 0).any() or (scores.argmax(axis=1) != own)[clear].any():
        return "its coefficients do not give the model's own answers"
    k = scores.shape[1]
    weights = np.eye(k)[own][:, None, :] - np.eye(k)[None]
    margins = (
        scores[np.arange(m), own][:, None] - scores - SLACK * (size + size.max(axis=1)[:, None])
    )
    margins[np.arange(m), own] = np.inf
    return _rivals(space, margins, weights, slopes, tables)


def _effects(
    space: Space, steps: Steps, coefficients: np.ndarray
) -> tuple[np.ndarray, list[np.ndarray | None]] | str:
    """Return slopes per robust scale, (k, d), and one table of levels, (k, levels), per category."""
    columns = [str(name) for name in space.frame.columns]
    slope: dict[str, np.ndarray] = {}
    for e, source in enumerate(steps.sources):
        name = columns[source.columns[0]] if source.columns else ""
        moved = {columns[c] for c in source.columns} & set(space.columns)
        if not moved or source.kind == "levels" or not coefficients[:, e].any():
            continue
        if source.kind == "unread" or len(source.columns) > 1:
            return (
                f"a step mixes or changes {', '.join(sorted(moved))} in a way that cannot be read"
            )
        factor = 1.0
        for step, operand in source.chain:
            if step not in ("subtract", "add", "divide", "multiply"):
                return f"{name} is changed by {step}, which is not linear"
            factor *= {"divide": 1 / (operand or np.nan), "multiply": operand or 0.0}.get(step, 1.0)
        slope[name] = slope.get(name, 0.0) + factor * coefficients[:, e]
    by_level = {
        columns[source.columns[0]]
        for e, source in enumerate(steps.sources)
        if source.kind == "levels" and coefficients[:, e].any()
    }
    none = np.zeros(len(coefficients))
    slopes = np.zeros((len(coefficients), len(space.features)))
    tables: list[np.ndarray | None] = [None] * len(space.features)
    for j, feature in enumerate(space.features):
        if feature.name in space.groups:
            members = space.groups[feature.name].columns
            if by_level.intersection(members):
                return f"{feature.name} is encoded level by level"
            tables[j] = np.column_stack([slope.get(member, none) for member in members])
        elif space.categorical[j] and feature.name in by_level:
            tables[j] = _table(space, steps, j, coefficients)
        elif space.categorical[j]:
            plain = (bool, int, float, np.bool_, np.number)
            numbers = [float(x) if isinstance(x, plain) else np.nan for x in feature.levels]
            if feature.name in slope and np.isnan(numbers).any():
                return f"{feature.name} holds levels that are read as numbers"
            tables[j] = np.outer(slope.get(feature.name, none), np.nan_to_num(numbers))
        elif feature.name in by_level:
            return f"{feature.name} is a number that is encoded level by level"
        else:
            slopes[:, j] = slope.get(feature.name, none) * space.scale[j]
    return slopes, tables


def _table(space: Space, steps: Steps, j: int, coefficients: np.ndarray) -> np.ndarray:
    """Return what each level of a category adds to the scores, shape (k, levels)."""
    count = len(space.features[j].levels)
    rows = np.zeros(count, dtype=np.int64)
    at = np.flatnonzero(space.free[:, j])
    if not at.size:
        return np.zeros((len(coefficients), count))
    rows[:] = at[0]
    points = space.own[rows].copy()
    points[:, j] = np.arange(count)
    used = [
        e
        for e, source in enumerate(steps.sources)
        if str(space.frame.columns[source.columns[0]]) == space.names[j]
    ]
    matrix = steps.encode(space.decode(rows, points))[:, used]
    return np.asarray(coefficients[:, used] @ np.nan_to_num(matrix).T)


def _rivals(
    space: Space,
    margins: np.ndarray,
    weights: np.ndarray,
    slopes: np.ndarray,
    tables: list[np.ndarray | None],
) -> Linear:
    """Combine scores into margins: weights (m, k, scores)."""
    m, k = margins.shape
    d = len(space.features)
    slope = np.where(space.free[:, None], weights @ slopes, 0.0)
    drops, levels = np.zeros((m, k, d)), np.zeros((m, k, d), dtype=np.int64)
    for j, table in enumerate(tables):
        if table is None:
            continue
        margin = weights @ table
        own = np.nan_to_num(space.own[:, j], nan=-1.0).astype(int)
        # A level that was never seen has no place in the table: what it adds is not known here.
        free = space.free[:, j] & (own >= 0)
        here = np.take_along_axis(margin, np.maximum(own, 0)[:, None, None], axis=2)[..., 0]
        levels[:, :, j] = margin.argmin(axis=2)
        drops[:, :, j] = np.where(free[:, None], np.maximum(here - margin.min(axis=2), 0.0), 0.0)
    return Linear(margins, slope, drops, levels)


def solve(space: Space, linear: Linear) -> tuple[np.ndarray, np.ndarray]:
    """Return proven lower bounds, (m,), and points that should flip, (m, d).

    No valid change smaller than the bound flips the model. Exact, up to rounding, in the largest
    single change (L-infinity), where a number's best move is as far as allowed whatever the
    others do; and in L2 where no whole number moves (Karush-Kuhn-Tucker conditions; categories
    all cost the same, so the best few of each number are taken). Otherwise whole numbers are let
    go in fractions for the bound, and rounded for the point.
    """
    linf = space.norm == "linf"
    rate = np.abs(linear.slopes)
    down = np.where(linear.slopes > 0, space.own[:, None] - space.low[:, None], 0.0)
    up = np.where(linear.slopes < 0, space.high[:, None] - space.own[:, None], 0.0)
    room = np.where(rate > 0, down + up, 0.0) / space.scale
    rate = np.where(room > 0, rate, 0.0)
    sides = _largest(space, linear, rate, room) if linf else _squares(space, linear, rate, room)
    lower, moves, switched = sides
    best = lower.argmin(axis=1)
    rows = np.arange(len(best))
    slope, level = linear.slopes[rows, best], linear.levels[rows, best]
    steps = moves[rows, best] * space.scale
    points = space.own - np.sign(slope) * np.where(np.isfinite(steps), steps, 0.0)
    points = np.where(switched[rows, best], level, points)
    found = lower[rows, best] * (1 - SLACK)
    return found, np.where(np.isfinite(found)[:, None], points, space.own)


def _largest(
    space: Space, linear: Linear, rate: np.ndarray, room: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Halve the side of the box around each row until it just holds a flip."""

    def reach(side: np.ndarray) -> np.ndarray:
        far = np.minimum(side[..., None], room)
        # A side that rounding left a hair short of a whole step holds it.
        steps = np.floor(far * space.scale * (1 + 1e-12) + 1e-9)
        return np.where(space.whole, np.minimum(steps / space.scale, room), far)

    def short(side: np.ndarray) -> np.ndarray:
        gained = (rate * reach(side)).sum(axis=2)
        gained += np.where(side[..., None] >= space.category, linear.drops, 0.0).sum(axis=2)
        return np.asarray(gained < linear.margins)

    near = np.zeros(linear.margins.shape)
    far = np.full(near.shape, max(space.category, 1.0))
    with np.errstate(invalid="ignore", over="ignore"):
        while (growing := short(far) & (far < 1e12)).any():
            near, far = np.where(growing, far, near), np.where(growing, far * 8, far)
        never = short(far)
        for _ in range(_HALVINGS):
            middle = (near + far) / 2
            outside = short(middle)
            near, far = np.where(outside, middle, near), np.where(outside, far, middle)
    switched = (far[..., None] >= space.category) & (linear.drops > 0)
    return np.where(never, np.inf, far), np.where(rate > 0, reach(far), 0.0), switched


def _squares(
    space: Space, linear: Linear, rate: np.ndarray, room: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Try every number of changed categories; share the rest out among the numbers."""
    order = np.argsort(-linear.drops, axis=2, kind="stable")
    rank = np.argsort(order, axis=2, kind="stable")
    shape = linear.margins.shape
    best = np.full(shape, np.inf)
    moves, switched = (
        np.zeros((*shape, rate.shape[2])),
        np.zeros((*shape, rate.shape[2]), dtype=bool),
    )
    for count in range(int((linear.drops > 0).sum(axis=2).max(initial=0)) + 1):
        chosen = (rank < count) & (linear.drops > 0)
        if count and not (chosen.sum(axis=2) == count).any():
            break
        rest = linear.margins - np.where(chosen, linear.drops, 0.0).sum(axis=2)
        shared = _share_out(rest, rate, room)
        size = np.sqrt((shared**2).sum(axis=2) + chosen.sum(axis=2) * space.category**2)
        size = np.where((chosen.sum(axis=2) == count) & np.isfinite(size), size, np.inf)
        better = size < best
        best = np.where(better, size, best)
        moves = np.where(better[..., None], shared, moves)
        switched = np.where(better[..., None], chosen, switched)
    if space.whole.any():
        moves = _whole(space, linear, rate, room, moves, switched)
    return best, moves, switched


def _share_out(rest: np.ndarray, rate: np.ndarray, room: np.ndarray) -> np.ndarray:
    """Smallest squares that use up a margin: u = min(price x rate, room); inf if none do."""
    need = np.maximum(rest, 0.0)
    most = (np.where(rate > 0, rate, 0.0) * np.where(np.isfinite(room), room, 0.0)).sum(axis=2)
    endless = (np.isinf(room) & (rate > 0)).any(axis=2)
    possible = np.isfinite(need) & (endless | (most >= need))
    low = np.zeros(need.shape)
    square = (rate**2).sum(axis=2)
    high = np.divide(need, square, out=np.zeros_like(need), where=(square > 0) & possible)

    def gained(price: np.ndarray) -> np.ndarray:
        return np.asarray((rate * np.minimum(price[..., None] * rate, room)).sum(axis=2))

    with np.errstate(invalid="ignore", over="ignore"):
        while (growing := possible & (gained(high) < need * (1 - 1e-15)) & (high < 1e300)).any():
            low, high = np.where(growing, high, low), np.where(growing, high * 4 + 1e-300, high)
        for _ in range(_HALVINGS):
            middle = (low + high) / 2
            outside = gained(middle) < need
            low, high = np.where(outside, middle, low), np.where(outside, high, middle)
        shared = np.minimum(high[..., None] * rate, room)
    return np.where(possible[..., None], shared, np.inf)


def _whole(
    space: Space,
    linear: Linear,
    rate: np.ndarray,
    room: np.ndarray,
    moves: np.ndarray,
    switched: np.ndarray,
) -> np.ndarray:
    """Round whole numbers' moves up and down, let the others make up for it, and take the better."""
    rest = linear.margins - np.where(switched, linear.drops, 0.0).sum(axis=2)
    best, size = moves, np.full(rest.shape, np.inf)
    finite = np.where(np.isfinite(moves), moves, 0.0)
    for rounded in (np.floor(finite * space.scale + 1e-9), np.ceil(finite * space.scale - 1e-9)):
        steps = np.where(space.whole, np.minimum(rounded / space.scale, room), 0.0)
        left = rest - (rate * steps).sum(axis=2)
        others = _share_out(left, np.where(space.whole, 0.0, rate), room)
        tried = np.where(space.whole, steps, others)
        length = (tried**2).sum(axis=2)
        better = length < size
        best, size = np.where(better[..., None], tried, best), np.where(better, length, size)
    return best
