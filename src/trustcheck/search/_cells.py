"""An ensemble on the user's own columns: values the trees cannot tell apart are one cell."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from trustcheck.search._space import Space, _numpy_dtype

if TYPE_CHECKING:
    import pandas as pd

    from trustcheck.search._pipeline import Source, Steps
    from trustcheck.search._trees import Ensemble

_FAR = 1e300
#: Most numbers kept for the boxes of all leaves.
_MOST = 200_000_000
#: Most whole numbers that are told apart where each is encoded by itself.
_MOST_NUMBERS = 256
#: Points at the very edges of cells on which the trees are compared with the library.
_EDGES = 256


class Leaves(NamedTuple):
    """Leaves of all trees, those of a tree side by side, as boxes of cells.

    Attributes
    ----------
    node, tree : int ndarray, shape (leaves,)
    low, high : int ndarray, shape (leaves, d)
        First and last cell of each feature, for numbers.
    has : bool ndarray, shape (leaves, all levels)
        Which levels of categorical features.
    """

    node: np.ndarray
    tree: np.ndarray
    low: np.ndarray
    high: np.ndarray
    has: np.ndarray


@dataclass(frozen=True, eq=False)
class Grid:
    """Which cells there are, and which of them every test and every leaf allows.

    Parameters
    ----------
    space : Space
        The rows, m of them, and what may change.
    steps : Steps
    trees : Ensemble
    encoded : ndarray, shape (m, e)
        The rows as the trees see them.
    low, high : tuple of ndarray
        Per feature: least and greatest value of each cell, for numbers; empty for categories.
    levels : tuple of int
        Per feature: number of levels, for categories; 0 for numbers. Levels of the rows that the
        schema does not know come last. Whole numbers that are encoded one by one count as levels.
    numbers : tuple of ndarray
        Per feature: those numbers; empty for others.
    own_level : int ndarray, shape (m, d)
        The rows' own levels; -1 for numbers.
    possible : bool ndarray, shape (all levels,)
        Levels that the encoder takes.
    column : int ndarray, shape (nodes,)
        Feature that a node tests; -1 where it may not change, and for leaves.
    cut, rising : ndarray, shape (nodes,)
        Numbers: cells up to ``cut`` go left where ``rising``, else right.
    left_levels : bool ndarray, shape (level tests, all levels)
        Categories: levels that go left, by ``cut``.
    layers : tuple of int ndarray
        Nodes that test something, by depth.
    leaves : Leaves
    pool : ndarray, shape (p, d)
        Codes of rows to start from.
    pool_raw : ndarray, shape (p, outputs)
        What the trees answer them.
    """

    space: Space
    steps: Steps
    trees: Ensemble
    encoded: np.ndarray
    low: tuple[np.ndarray, ...]
    high: tuple[np.ndarray, ...]
    levels: tuple[int, ...]
    numbers: tuple[np.ndarray, ...]
    own_level: np.ndarray
    possible: np.ndarray
    column: np.ndarray
    cut: np.ndarray
    rising: np.ndarray
    left_levels: np.ndarray
    layers: tuple[np.ndarray, ...]
    leaves: Leaves
    pool: np.ndarray
    pool_raw: np.ndarray

    @property
    def starts(self) -> np.ndarray:
        """Where each feature's levels start among all levels, shape (d + 1,)."""
        return np.concatenate([[0], np.cumsum(self.levels)])

    def prices(self, row: int, j: int | np.integer[Any]) -> tuple[np.ndarray, np.ndarray]:
        """Return what each cell of a feature costs a row, and the cheapest value in it.

        Returns
        -------
        cost : ndarray, shape (cells,)
            Size of the change, 0 for the row's own cell, infinite where the cell holds no value
            that the row may take.
        value : ndarray, shape (cells,)
            Codes of the space.
        """
        space = self.space
        start = self.starts[j]
        if len(self.numbers[j]):
            value = self.numbers[j]
            cost = np.abs(value - space.own[row, j]) / space.scale[j]
            possible = self.possible[start : start + len(value)]
            inside = (value >= space.low[row, j]) & (value <= space.high[row, j])
            return np.where((possible & inside) | (cost == 0), cost, np.inf), value
        if self.levels[j]:
            value = np.arange(self.levels[j], dtype=float)
            cost = np.full(len(value), float(np.broadcast_to(space.category, len(self.low))[j]))
            known = np.arange(len(value)) < len(space.features[j].levels)
            cost[~(known & self.possible[start : start + len(value)])] = np.inf
            own = self.own_level[row, j]
            if own >= 0:
                cost[own], value[own] = 0.0, space.own[row, j]
            return cost, value
        own = space.own[row, j]
        low = np.maximum(self.low[j], space.low[row, j])
        high = np.minimum(self.high[j], space.high[row, j])
        value = np.clip(own, low, high)
        value = np.where(low > high, np.nan, value)
        away = value != own
        if space.whole[j]:
            up = own + np.ceil(np.maximum(value - own, 0.0))
            down = own - np.ceil(np.maximum(own - value, 0.0))
            value = np.where(away, np.where(value > own, up, down), value)
        kind = _numpy_dtype(space.frame[space.features[j].name])
        if kind.kind == "f" and kind.itemsize < 8:
            with np.errstate(over="ignore"):
                stored = value.astype(kind)
            stored = np.where(
                stored.astype(float) < low,
                np.nextafter(stored, kind.type(np.inf)),
                np.where(
                    stored.astype(float) > high, np.nextafter(stored, kind.type(-np.inf)), stored
                ),
            )
            value = np.where(away, stored.astype(float), value)
        valid = (value >= low) & (value <= high)
        with np.errstate(invalid="ignore", over="ignore"):
            cost = np.where(valid, np.abs(value - own) / space.scale[j], np.inf)
        return cost, value

    def own_cells(self, rows: np.ndarray) -> np.ndarray:
        """Return the cells that rows are in, shape (q, d); 0 where nothing is known."""
        return self.cells_of(rows, self.space.own[rows])

    def cells_of(self, rows: np.ndarray, points: np.ndarray) -> np.ndarray:
        """Return the cells that points around rows are in, shape (q, d)."""
        cells = np.zeros(points.shape, dtype=np.int64)
        for j, ends in enumerate(self.high):
            if len(self.numbers[j]):
                cells[:, j] = np.searchsorted(self.numbers[j], points[:, j])
            elif self.levels[j]:
                mine = points[:, j] == self.space.own[rows, j]
                known = np.nan_to_num(points[:, j]).astype(np.int64)
                cells[:, j] = np.where(mine, self.own_level[rows, j], known)
            else:
                cells[:, j] = np.searchsorted(ends, points[:, j])
            cells[:, j] = np.clip(cells[:, j], 0, max(len(ends), self.levels[j]) - 1)
        return cells

    def sums(self, rows: np.ndarray, points: np.ndarray) -> np.ndarray:
        """Return the trees' outputs at points around rows, shape (q, outputs)."""
        leaves = self.walk(rows, self.cells_of(rows, points))
        return self.trees.base + self.trees.nodes.value[leaves].sum(axis=1)

    def walk(self, rows: np.ndarray, cells: np.ndarray) -> np.ndarray:
        """Return the leaf (as a node) of each tree that points given by cells reach, (q, trees)."""
        at = np.tile(self.trees.roots, (len(rows), 1))
        lines = np.arange(len(rows))[:, None]
        moving = self.space.free[rows]
        start = self.starts
        while True:
            feature, j = self.trees.nodes.feature[at], self.column[at]
            if (feature < 0).all():
                return at
            here = np.maximum(j, 0)
            cell = cells[lines, here]
            left = (cell <= self.cut[at]) == self.rising[at]
            if len(self.left_levels):
                is_level = np.array(self.levels)[here] > 0
                test = np.where(is_level, self.cut[at], 0)
                left = np.where(
                    is_level,
                    self.left_levels[test, np.minimum(start[here] + cell, start[-1] - 1)],
                    left,
                )
            fixed = self.trees.goes_left(self.encoded[rows[:, None], np.maximum(feature, 0)], at)
            left = np.where((j >= 0) & moving[lines, here], left, fixed)
            at = np.where(left, self.trees.nodes.left[at], self.trees.nodes.right[at])

    def free(self, row: int) -> np.ndarray:
        """Which features of a row may change and matter to the trees, shape (d,)."""
        return np.asarray(
            self.space.free[row] & np.array([self.tested(j) for j in range(len(self.low))])
        )

    def tested(self, j: int) -> bool:
        """Whether any tree tests a feature."""
        return bool(self.levels[j]) or len(self.low[j]) > 1


def build(space: Space, steps: Steps, trees: Ensemble, pool: pd.DataFrame) -> Grid | str:
    """Return the cells of an ensemble around some rows, or why they cannot be drawn.

    Where a test turns is found by bisection over the floating point numbers themselves, through
    the pipeline's own steps and in the width in which the library compares; then rows at the very
    edges are sent through the real pipeline and the real trees, and must get the same margins.
    """
    names = [str(name) for name in space.frame.columns]
    place = {names.index(column): j for column, j in space.owners.items()}
    used = np.unique(trees.nodes.feature[trees.nodes.feature >= 0])
    owner = np.full(len(steps.sources), -1)
    by_level = np.zeros(len(space.features), dtype=bool)
    for e in used:
        source = steps.sources[e]
        moving = [column for column in source.columns if column in place]
        if not moving:
            continue
        j = place[moving[0]]
        if source.kind == "unread" or len(source.columns) > 1:
            return f"column {names[moving[0]]!r} passes a step that cannot be read"
        owner[e] = j
        by_level[j] |= source.kind == "levels" and not space.categorical[j]
    encoded = steps.encode(space.frame)
    d = len(space.features)
    node_owner = np.where(trees.nodes.feature >= 0, owner[trees.nodes.feature], -1)
    cut = np.zeros(len(node_owner), dtype=np.int64)
    rising = np.ones(len(node_owner), dtype=bool)
    low, high, levels, numbers = [], [], [], []
    own_level = np.full(space.own.shape, -1)
    tables: list[np.ndarray] = []
    for j in range(d):
        nodes = np.flatnonzero(node_owner == j)
        numbers.append(_whole_numbers(space, j) if by_level[j] else np.zeros(0))
        if by_level[j] and not len(numbers[j]):
            return f"column {space.features[j].name!r} holds numbers that are encoded one by one"
        if (space.categorical[j] or by_level[j]) and len(nodes):
            table, own_level[:, j], sound = _table(space, steps, encoded, j, owner, numbers[j])
            if not sound:
                return f"column {space.features[j].name!r} is encoded differently from row to row"
            tables.append(table)
            levels.append(len(table))
            low.append(np.zeros(0))
            high.append(np.zeros(0))
            continue
        levels.append(0)
        ends = (
            max(float(space.low[:, j].min(initial=_FAR)), -_FAR),
            min(float(space.high[:, j].max(initial=-_FAR)), _FAR),
        )
        if (
            space.categorical[j]
            or not len(nodes)
            or not np.isfinite(ends).all()
            or ends[0] >= ends[1]
        ):
            low.append(np.array([-np.inf]))
            high.append(np.array([np.inf]))
            node_owner[nodes] = -1
            continue
        found = _switches(trees, steps.sources, steps.precision, nodes, *ends)
        if found is None:
            return f"column {space.features[j].name!r} leaves the range of one of its steps"
        at, turns, rising[nodes] = found
        points = np.unique(at[turns])
        # A test that turns nowhere in the range is one that every cell passes, or none.
        cut[nodes] = np.where(turns, np.searchsorted(points, at), len(points))
        low.append(np.concatenate([[-np.inf], np.nextafter(points, np.inf)]))
        high.append(np.concatenate([points, [np.inf]]))
    starts = np.concatenate([[0], np.cumsum(levels)]).astype(np.int64)
    left_levels, possible = _level_tests(trees, node_owner, cut, levels, starts, tables, owner)
    level_owner = np.repeat(np.arange(d), levels)
    layers = _layers(trees)
    if trees.leaves * (8 * d + starts[-1]) > _MOST:
        return f"its {trees.leaves} leaves over {d} columns are too many"
    leaves = _leaves(trees, node_owner, cut, rising, left_levels, low, level_owner)
    grid = Grid(
        space, steps, trees, encoded, tuple(low), tuple(high), tuple(levels), tuple(numbers),
        own_level, possible, node_owner, cut, rising, left_levels, layers, leaves, space.encode(pool),
        trees.raw(steps.encode(pool)),
    )  # fmt: skip
    return _verified(grid)


def _key(numbers: np.ndarray) -> np.ndarray:
    """Return doubles as integers in the same order, neighbours being one apart."""
    bits = np.asarray(numbers, dtype=np.float64).view(np.int64)
    return np.where(bits >= 0, bits, -(bits & np.int64(0x7FFFFFFFFFFFFFFF)))


def _number(keys: np.ndarray) -> np.ndarray:
    """Return the doubles of such integers."""
    return np.where(keys >= 0, keys, -keys).view(np.float64) * np.where(keys >= 0, 1.0, -1.0)


def _switches(
    trees: Ensemble,
    sources: tuple[Source, ...],
    precision: str,
    nodes: np.ndarray,
    first: float,
    last: float,
) -> tuple[np.ndarray, np.ndarray, np.ndarray] | None:
    """Return the last number before each test turns, whether it does, and whether it starts left."""
    feature, threshold = trees.nodes.feature[nodes], trees.nodes.threshold[nodes]
    _, some, back = np.unique(
        np.stack([feature, threshold]), axis=1, return_index=True, return_inverse=True
    )
    back, asked = back.ravel(), nodes[some]
    groups = [(e, np.flatnonzero(trees.nodes.feature[asked] == e)) for e in np.unique(feature)]

    def left(numbers: np.ndarray) -> np.ndarray:
        values = np.empty(len(numbers))
        for e, at in groups:
            values[at] = sources[e].apply(numbers[at], precision)
        if np.isnan(values).any():
            raise ValueError
        return trees.goes_left(values, asked)

    low, high = (
        np.full(len(asked), _key(np.array(first))),
        np.full(len(asked), _key(np.array(last))),
    )
    try:
        starts_left, ends_left = left(_number(low)), left(_number(high))
        while (low + 1 < high).any():
            middle = (low & high) + ((low ^ high) >> 1)
            same = left(_number(middle)) == starts_left
            low, high = np.where(same, middle, low), np.where(same, high, middle)
    except ValueError:
        return None
    return _number(low)[back], (starts_left != ends_left)[back], starts_left[back]


def _whole_numbers(space: Space, j: int) -> np.ndarray:
    """Return all values of a feature that holds few whole numbers; none if it does not."""
    free = space.free[:, j]
    low, high = space.low[free, j].min(initial=_FAR), space.high[free, j].max(initial=-_FAR)
    whole = space.whole[j] and (space.own[free, j] % 1 == 0).all() and high - low < _MOST_NUMBERS
    return np.arange(np.ceil(low), np.floor(high) + 1) if whole and free.any() else np.zeros(0)


def _table(
    space: Space,
    steps: Steps,
    encoded: np.ndarray,
    j: int,
    owner: np.ndarray,
    numbers: np.ndarray,
) -> tuple[np.ndarray, np.ndarray, bool]:
    """Return the encoded values of each level, the rows' own levels, and whether they agree.

    Levels the encoder refuses are infinite; those that the schema does not know come last.
    """
    feature, own = space.features[j], space.own[:, j]
    mine = np.flatnonzero(owner == j)
    rows = np.flatnonzero(space.free[:, j])
    values = numbers if len(numbers) else np.arange(len(feature.levels))
    known = len(values)
    table = np.full((known, len(mine)), np.inf)
    codes = np.full(len(own), -1)
    if not len(rows):
        return table, codes, True
    points = np.tile(space.own[rows[0]], (known, 1))
    points[:, j] = values
    frame = space.decode(np.full(known, rows[0]), points)
    try:
        table = steps.encode(frame)[:, mine]
    except Exception:  # noqa: BLE001 - an encoder may refuse a level, so they go one by one
        for level in range(known):
            try:
                table[level] = steps.encode(frame.iloc[[level]])[0, mine]
            except Exception:  # noqa: BLE001, S112
                continue
    seen = rows if len(numbers) else rows[own[rows] >= 0]
    codes[seen] = np.searchsorted(values, own[seen])
    sound = _equal(table[codes[seen]], encoded[np.ix_(seen, mine)])
    extra = np.setdiff1d(rows, seen)
    if len(extra):
        columns = [column for column, place in space.owners.items() if place == j]
        names = space.frame[columns].iloc[extra].astype(str).agg("|".join, axis=1).to_numpy()
        _, first, back = np.unique(names, return_index=True, return_inverse=True)
        more = encoded[np.ix_(extra[first], mine)]
        sound = sound and _equal(more[back], encoded[np.ix_(extra, mine)])
        table, codes[extra] = np.concatenate([table, more]), known + back
    return table, codes, sound


def _equal(one: np.ndarray, other: np.ndarray) -> bool:
    return bool(((one == other) | (np.isnan(one) & np.isnan(other))).all())


def _level_tests(
    trees: Ensemble,
    node_owner: np.ndarray,
    cut: np.ndarray,
    levels: list[int],
    starts: np.ndarray,
    tables: list[np.ndarray],
    owner: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """Return which levels go left by test (numbered in ``cut``), and which levels are possible."""
    possible = np.ones(starts[-1], dtype=bool)
    lines: list[np.ndarray] = []
    waiting = iter(tables)
    for j, count in enumerate(levels):
        if not count:
            continue
        table, mine = next(waiting), np.flatnonzero(owner == j)
        possible[starts[j] : starts[j] + count] = ~np.isinf(table).all(axis=1)
        nodes = np.flatnonzero(node_owner == j)
        feature, threshold = trees.nodes.feature[nodes], trees.nodes.threshold[nodes]
        where = np.searchsorted(mine, feature)
        _, some, back = np.unique(
            np.stack([feature, threshold]), axis=1, return_index=True, return_inverse=True
        )
        cut[nodes] = sum(map(len, lines)) + back.ravel()
        block = np.zeros((len(some), starts[-1]), dtype=bool)
        for level in range(count):
            block[:, starts[j] + level] = trees.goes_left(table[level, where[some]], nodes[some])
        lines.append(block)
    return np.concatenate(lines) if lines else np.zeros((0, starts[-1]), dtype=bool), possible


def _layers(trees: Ensemble) -> tuple[np.ndarray, ...]:
    layers, layer = [], trees.roots
    while len(layer):
        inner = layer[trees.nodes.feature[layer] >= 0]
        layers.append(inner)
        layer = np.concatenate([trees.nodes.left[inner], trees.nodes.right[inner]])
    return tuple(layers)


def _leaves(
    trees: Ensemble,
    column: np.ndarray,
    cut: np.ndarray,
    rising: np.ndarray,
    left_levels: np.ndarray,
    low: list[np.ndarray],
    level_owner: np.ndarray,
) -> Leaves:
    """Walk all trees down together, narrowing a box of cells at every test."""
    d = len(low)
    cells = np.array([max(len(ends), 1) for ends in low])
    nodes, tree = trees.roots, np.arange(len(trees.roots))
    first = np.zeros((len(nodes), d), dtype=np.int32)
    last = np.tile((cells - 1).astype(np.int32), (len(nodes), 1))
    has = np.ones((len(nodes), len(level_owner)), dtype=bool)
    done: list[Leaves] = []
    numeric = np.array([len(ends) > 0 for ends in low], dtype=bool)
    while len(nodes):
        leaf = trees.nodes.feature[nodes] < 0
        done.append(Leaves(nodes[leaf], tree[leaf], first[leaf], last[leaf], has[leaf]))
        nodes, tree, first, last, has = (part[~leaf] for part in (nodes, tree, first, last, has))
        sides = []
        for left in (True, False):
            lows, highs, mine = first.copy(), last.copy(), has.copy()
            j = column[nodes]
            is_number = (j >= 0) & numeric[np.maximum(j, 0)]
            below = is_number & (rising[nodes] == left)
            above = is_number & ~below
            at = np.flatnonzero(below)
            highs[at, j[at]] = np.minimum(highs[at, j[at]], cut[nodes[at]])
            at = np.flatnonzero(above)
            lows[at, j[at]] = np.maximum(lows[at, j[at]], cut[nodes[at]] + 1)
            at = np.flatnonzero((j >= 0) & ~is_number)
            if len(at):
                allowed = left_levels[cut[nodes[at]]]
                mine[at] &= (allowed == left) | (level_owner != j[at][:, None])
            child = trees.nodes.left if left else trees.nodes.right
            sides.append((child[nodes], tree, lows, highs, mine))
        nodes, tree, first, last, has = (np.concatenate(pair) for pair in zip(*sides, strict=True))
    whole = Leaves(*(np.concatenate(parts) for parts in zip(*done, strict=True)))
    order = np.argsort(whole.tree, kind="stable")
    return Leaves(*(part[order] for part in whole))


def _verified(grid: Grid) -> Grid | str:
    """Return the grid if rows at the edges of cells get the margins that its cells promise."""
    from trustcheck.search import _tree_readers

    space, trees, rng = grid.space, grid.trees, np.random.default_rng(0)
    m, d = space.own.shape
    rows = np.arange(_EDGES) % max(m, 1)
    if not m or not d:
        return grid
    cells, points = grid.own_cells(rows), space.own[rows].copy()
    for q, row in enumerate(rows):
        for j in np.flatnonzero(grid.free(row)):
            cost, value = grid.prices(row, j)
            valid = np.flatnonzero(np.isfinite(cost))
            if len(valid):
                cells[q, j] = valid[rng.integers(len(valid))]
                points[q, j] = value[cells[q, j]]
    frame = space.decode(rows, points)
    try:
        native = grid.steps.native(frame)
        raw = np.asarray(_tree_readers.quiet_raw(grid.steps.final, native), dtype=float)
    except Exception as fault:  # noqa: BLE001 - other people's code
        return f"it refuses rows at the edges of its own tests ({type(fault).__name__})"
    promised = trees.base + trees.nodes.value[grid.walk(rows, cells)].sum(axis=1)
    if not (np.abs(promised - raw.reshape(promised.shape)) <= trees.tolerance).all():
        return "it answers otherwise than its trees at the edges of their tests"
    return grid
