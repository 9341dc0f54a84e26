"""Whole subjects at random: a plan that Hypothesis draws and shrinks, and the case built from it.

Cells are drawn by numpy from the plan's seed, so that a plan is small, prints well and builds fast.
Models are rules on the content of a row, so that every answer is known beforehand.
"""

from __future__ import annotations

import math
import zlib
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from hypothesis import strategies as st

import trustcheck as tc

NAMES = ("age", "größe", "年齢", "a b", " ", "", "<script>alert(1)</script>", "x0", "by=sex", "a[b]", '"q"', "a & b",
         "🙂", "x\ny", "group", "predictions", "{{ x }}", "%s", "a,b", "zip code")  # fmt: skip
KINDS = ("float", "wide", "inf", "int", "big", "Int64", "bool", "boolean", "str", "object", "mixed", "category", "ordered",
         "datetime", "zoned", "text", "constant", "empty", "empty object")  # fmt: skip
NUMBERS = ("float", "wide", "int", "bool", "constant", "empty", "inf")
GROUPS = (
    "two",
    "two",
    "three",
    "missing",
    "lone",
    "one",
    "numbers",
    "booleans",
    "category",
    "continuous",
    "everyone",
)
FLAWS = (
    "y missing",
    "y short",
    "weights negative",
    "weights zero",
    "no such group",
    "reference lacks",
    "two names",
)


@dataclass(frozen=True)
class Plan:
    """What Hypothesis draws."""

    task: str
    seed: int
    n: int
    columns: tuple[tuple[str, str, float], ...]
    form: str
    index: str
    rule: str
    door: str
    labels: str
    classes: int
    said: bool
    y: str
    truth: str
    reference: str
    groups: tuple[tuple[str, str], ...]
    held: str
    weights: str
    clusters: str
    costs: bool
    fault: str
    flaw: str


def plans(task: str) -> st.SearchStrategy[Plan]:
    """Return plans of one task; what most users have comes first and is drawn most."""
    names = st.lists(st.sampled_from(NAMES), min_size=1, max_size=5, unique=True)
    style = st.sampled_from(GROUPS)
    groups = st.one_of(
        st.tuples(st.tuples(st.just("sex"), style)),
        st.tuples(st.tuples(st.just("race <b>"), style), st.tuples(st.just("größe & co"), style)),
        st.just(()),
    )
    column = st.tuples(st.sampled_from(KINDS), st.sampled_from((0.0, 0.0, 0.1, 0.5, 0.95)))
    columns = names.flatmap(
        lambda drawn: st.tuples(*(column.map(lambda c, n=n: (n, *c)) for n in drawn))
    )
    return st.builds(
        Plan,
        task=st.just(task),
        seed=st.integers(0, 2**32 - 1),
        n=st.one_of(st.integers(20, 80), st.integers(1, 80)),
        columns=columns,
        form=st.sampled_from(("pandas", "pandas", "pandas", "integers", "numpy", "objects", "polars", "pyarrow")),
        index=st.sampled_from(("range", "range", "shuffled", "words", "twice")),
        rule=st.sampled_from(("hash", "smooth", "coarse", "constant")),
        door=st.sampled_from(("both", "proba", "predict", "call", "call proba", "alone", "alone proba")),
        labels=st.sampled_from(("str", "int", "ones", "bool", "float")),
        classes=st.integers(3, 5) if task == "multiclass" else st.just(2),
        said=st.sampled_from((True,) * 9 + (False,)),
        y=st.sampled_from(("series", "list", "array", "category", "none")),
        truth=st.sampled_from(("good", "good", "random", "rare", "one", "wrong")),
        reference=st.sampled_from(("labelled", "labelled", "rows", "none", "extra", "same", "single", "shifted")),
        groups=groups,
        held=st.sampled_from(("outside", "inside", "apart", "dict")),
        weights=st.sampled_from(("none", "none", "random", "zeros", "wide")),
        clusters=st.sampled_from(("none", "none", "none", "pairs", "single", "words")),
        costs=st.booleans(),
        fault=st.sampled_from(("none",) * 12 + ("raises", "nan", "shape", "sums", "changes", "stranger")),
        flaw=st.sampled_from(("none",) * 30 + FLAWS),
    )  # fmt: skip


class RefusedError(RuntimeError):
    """What a faulty model raises."""


@dataclass(frozen=True)
class Rule:
    """Answers that depend on the content of the row alone; ``u`` is its number in [0, 1)."""

    style: str
    labels: tuple[Any, ...]  # empty for regression

    def u(self, table: Any) -> list[float]:
        return [self._u([_number(cell) for cell in row]) for row in _rows(table)]

    def _u(self, cells: list[float | None]) -> float:
        if self.style == "constant":
            return 0.3
        if self.style == "smooth":
            z = sum(math.tanh((c or 0.0) / 3) * (1 - 0.4 * j) for j, c in enumerate(cells))
            return 1 / (1 + math.exp(-2 * z))
        u = zlib.crc32(repr(cells).encode()) / 2**32
        return math.floor(u * 5) / 5 if self.style == "coarse" else u

    def chances(self, table: Any) -> list[list[float]]:
        out = []
        for u in self.u(table):
            parts = [0.05 + (u * (7.3 * k + 1) + 0.37 * k) % 1 for k in range(len(self.labels))]
            out.append([part / sum(parts) for part in parts])
        return out

    def numbers(self, table: Any) -> list[float]:
        return [10 * u - 3 for u in self.u(table)]

    def likeliest(self, table: Any) -> list[Any]:
        return [self.labels[row.index(max(row))] for row in self.chances(table)]

    def chosen(self, table: Any) -> list[Any]:
        """Labels of a model with a threshold of its own: not always the likeliest ones."""
        return [self.labels[int((1 - u) * 0.999 * len(self.labels))] for u in self.u(table)]


def _rows(table: Any) -> list[Any]:
    if isinstance(table, np.ndarray):
        return table.tolist()
    if hasattr(table, "to_pylist"):
        return [list(row.values()) for row in table.to_pylist()]
    if hasattr(table, "rows"):
        return table.rows()
    return list(zip(*(table[name].tolist() for name in table.columns), strict=True))


def _number(cell: Any) -> float | None:
    if cell is None or cell is pd.NA or cell is pd.NaT:
        return None
    if isinstance(cell, (bool, int, float, np.number, np.bool_)):
        value = float(cell)
        return None if math.isnan(value) else value
    if isinstance(cell, str):
        return float(zlib.crc32(cell.encode()) % 1000) / 100 - 5
    if hasattr(cell, "year"):
        stamp = pd.Timestamp(cell)
        return stamp.timestamp() / 1e9
    return float(zlib.crc32(str(cell).encode()) % 1000)


class Predicts:
    """An object with ``predict``; ``classes_`` and ``predict_proba`` are added where planned."""

    def __init__(self, rule: Rule, plan: Plan):
        self._rule, self._fault, self._calls = rule, plan.fault, 0
        self._column = (
            plan.form != "pandas" and plan.seed % 2
        )  # one-column answers, as some libraries give
        if rule.labels and plan.said:
            self.classes_ = np.array(rule.labels)
        if not rule.labels:
            self._estimator_type = "regressor"

    def predict(self, table: Any) -> np.ndarray:
        if not self._rule.labels:
            answers = np.array(self._rule.numbers(table))
        else:
            answers = np.array(self._rule.chosen(table))
        answers = self._spoil(answers, table)
        return answers[:, None] if self._column else answers

    def _spoil(self, answers: np.ndarray, table: Any) -> np.ndarray:
        self._calls += 1
        odd = np.array([int(u * 1000) % 3 == 0 for u in Rule("hash", ()).u(table)])
        numbers = answers.dtype.kind == "f" and (answers.ndim == 2 or not self._rule.labels)
        match self._fault:
            case "raises" if odd.any():
                raise RefusedError("cannot take the value of customer Smith")
            case "nan" if numbers:
                answers[odd] = np.nan
            case "shape":
                answers = answers[:-1] if self._calls % 2 else answers[:, None, None]
            case "sums" if numbers:
                answers[odd] *= 1.5
            case "changes":
                answers = np.roll(answers, self._calls, axis=0)
            case "stranger" if answers.ndim == 1:
                answers = np.where(odd, "stranger", answers.astype(object))
        return answers


class Scores(Predicts):
    """``predict`` and ``predict_proba``, which need not agree."""

    def predict_proba(self, table: Any) -> np.ndarray:
        return self._spoil(np.array(self._rule.chances(table)), table)


class OnlyScores:
    """``predict_proba`` alone."""

    def __init__(self, rule: Rule, plan: Plan):
        self._model = Scores(rule, plan)
        self.classes_ = np.array(rule.labels)

    def predict_proba(self, table: Any) -> np.ndarray:
        return self._model.predict_proba(table)


@dataclass
class Case:
    """A subject to build, and all that is known of it, as plain lists."""

    plan: Plan
    build: Any
    sound: bool
    classes: list[Any]
    predictions: list[Any]
    chances: list[list[float]] | None
    truth: list[Any] | None
    weights: list[float] | None
    clusters: list[Any] | None
    groups: dict[str, list[Any]]
    features: pd.DataFrame | None
    reference: pd.DataFrame | None
    reference_predictions: list[Any] | None
    reference_chances: list[list[float]] | None
    reference_truth: list[Any] | None
    costs: dict[tuple[Any, Any], float] | None
    known: dict[str, Any] = field(default_factory=dict)

    @property
    def refused_groups(self) -> set[str]:
        """Sensitive columns that are measurements: more than 20 distinct numbers."""
        return {
            name
            for name, values in self.groups.items()
            if dict(self.plan.groups)[name] == "continuous" and len(set(values)) > 20
        }


def make(plan: Plan) -> Case:
    """Build the case of a plan."""
    rng = np.random.default_rng(plan.seed)
    labels = _labels(plan)
    rule = Rule(plan.rule, tuple(labels))
    alone = plan.door.startswith("alone")
    columns = _fitting(plan)
    frame = pd.DataFrame({name: _cells(kind, share, plan.n, rng) for name, kind, share in columns})
    groups = {name: _group(style, plan.n, rng) for name, style in plan.groups}
    inside = plan.held == "inside" and plan.form in ("pandas", "polars", "pyarrow") and not alone
    features = list(frame.columns)
    if inside:
        frame = frame.assign(**{name: pd.Series(values) for name, values in groups.items()})
        if plan.seed % 3:
            features = list(frame.columns)
    reference, reference_y = _reference(plan, columns, groups if inside else {}, frame, rule, rng)
    if plan.form == "integers":  # columns named 0, 1, ...
        frame.columns = pd.RangeIndex(frame.shape[1])
        features = list(frame.columns)
        if reference is not None:
            reference.columns = range(reference.shape[1])

    def answers(table: Any) -> tuple[list[Any] | None, list[list[float]] | None]:
        if table is None:
            return None, None
        table = table[features]
        if not labels:
            return rule.numbers(table), None
        if plan.door in ("proba", "call proba", "alone proba"):
            return rule.likeliest(table), rule.chances(table)
        return rule.chosen(table), rule.chances(table) if plan.door == "both" else None

    predictions, chances = answers(frame)
    assert predictions is not None
    reference_predictions, reference_chances = answers(reference)
    truth = None if plan.y == "none" else _truth(plan, labels, predictions, rng)
    weights = _weights(plan, rng)
    clusters = _clusters(plan, rng)
    costs = None
    if plan.costs and labels and plan.said and not alone:
        costs = {
            (t, p): float(abs(i - j) * (1 + i))
            for i, t in enumerate(labels)
            for j, p in enumerate(labels)
            if i != j
        }
    index = _index(plan, rng)
    extra = {"features": features} if inside and features != list(frame.columns) else {}
    given: dict[str, Any] = {
        "sensitive": _sensitive(plan, groups, inside=inside, index=index),
        "reference": None
        if reference is None
        else (_form(plan, reference), _vector("series" if plan.seed % 2 else "list", reference_y))
        if reference_y is not None
        else _form(plan, reference),
        "sample_weight": weights,
        "cluster": clusters,
        "seed": plan.seed % 100,
    }
    if plan.said or plan.task == "regression":
        given["task"] = plan.task
    sensed = plan.door in ("both", "proba") or (plan.door == "predict" and plan.said)
    if labels and plan.said and not sensed:
        given["classes"] = list(labels)
    y = _vector(plan.y, truth, index if plan.form in ("pandas", "integers") else None)
    sound = plan.fault == "none" and plan.flaw == "none" and (plan.said or not labels)
    y = _flawed(plan, y, given, reference, features)

    def build() -> tc.Subject:
        table = _form(plan, frame, index)
        if alone:
            pandas = plan.form in ("pandas", "integers")
            guess: Any = predictions
            if isinstance(y, pd.Series) and pandas:
                guess = pd.Series(predictions, index=index)
            return tc.Subject.from_predictions(
                y,
                guess if isinstance(guess, pd.Series) else np.array(guess),
                None if chances is None else _stated(plan, chances),
                X=table,
                **given,
            )
        context = tc.Context(costs=costs) if costs is not None else None
        return tc.Subject(_model(plan, rule), table, y, **given, **extra, context=context)

    if alone:
        reference_predictions = reference_chances = None
    return Case(
        plan, build, sound, list(labels), predictions, chances, truth,
        None if weights is None else weights.tolist(), clusters, groups, frame[features],
        None if reference is None else reference[features], reference_predictions, reference_chances,
        reference_y, costs,
    )  # fmt: skip


def _labels(plan: Plan) -> list[Any]:
    k = plan.classes
    if plan.task == "regression":
        return []
    if plan.labels == "bool" and k == 2:
        return [False, True]
    if plan.labels == "str":
        return ["no", "yes"] if k == 2 else [f"<{i}> café" for i in range(k)]
    if plan.labels == "float":
        return [i / 2 for i in range(k)]
    return [i + (plan.labels == "ones") for i in range(k)]


def _fitting(plan: Plan) -> list[tuple[str, str, float]]:
    """Return the columns with kinds that the form of the table can hold."""
    if plan.form == "numpy":
        return [
            (f"x{j}", kind if kind in NUMBERS else "float", share)
            for j, (_, kind, share) in enumerate(plan.columns)
        ]
    columns = list(plan.columns)
    if plan.form == "objects":
        return [
            (f"x{j}", kind if kind != "zoned" else "str", s)
            for j, (_, kind, s) in enumerate(columns)
        ]
    if plan.form in ("polars", "pyarrow"):
        # Arrow tables have no column without a name.
        return [
            (name or "nameless", "str" if kind in ("mixed", "empty object", "ordered") else kind, s)
            for name, kind, s in columns
        ]
    return columns


def _cells(kind: str, share: float, n: int, rng: np.random.Generator) -> pd.Series:
    """Return a column of a kind, with about a share of its cells missing."""
    gone = rng.random(n) < share
    whole = rng.integers(0, 9, n)
    words = np.array(["a", "b", "<i>", "é", "new\nline"])[whole % 5]
    start = np.datetime64("2020-01-01T00:00:00", "ns")
    days = start + whole.astype("timedelta64[D]").astype("timedelta64[ns]")
    match kind:
        case "float":
            column = pd.Series(np.round(rng.normal(size=n), 2))
        case "wide":
            column = pd.Series(10.0 ** rng.uniform(-12, 12, n) * rng.choice([-1, 1], n))
        case "inf":
            column = pd.Series(np.where(rng.random(n) < 0.1, np.inf, rng.normal(size=n)))
        case "int":
            return pd.Series(whole)
        case "big":
            return pd.Series(rng.integers(-(2**62), 2**62, n))
        case "Int64":
            return pd.Series(whole, dtype="Int64").mask(gone)
        case "bool":
            return pd.Series(whole > 4)
        case "boolean":
            return pd.Series(whole > 4, dtype="boolean").mask(gone)
        case "str":
            return pd.Series(words, dtype="str").mask(gone)
        case "object":
            return pd.Series(np.where(gone, None, words.astype(object)), dtype=object)
        case "mixed":
            cells = [[1, "1", 2.5, True, None][i % 5] for i in whole]
            return pd.Series(cells, dtype=object)
        case "category" | "ordered":
            levels = ["a", "b", "<i>", "é", "new\nline", "never"]
            raw = pd.Categorical(
                np.where(gone, None, words.astype(object)), levels, ordered=kind == "ordered"
            )
            return pd.Series(raw)
        case "datetime":
            return pd.Series(days).mask(gone)
        case "zoned":
            return pd.Series(days).dt.tz_localize("UTC").mask(gone)
        case "text":
            return pd.Series(
                [f"note {i} of person {rng.integers(10**6)}" for i in range(n)], dtype="str"
            ).mask(gone)
        case "constant":
            return pd.Series(np.full(n, 3.0))
        case "empty":
            return pd.Series(np.full(n, np.nan))
        case _:
            return pd.Series([None] * n, dtype=object)
    return column.mask(gone)


def _group(style: str, n: int, rng: np.random.Generator) -> list[Any]:
    match style:
        case "two":
            return rng.choice(["f", "m"], n).tolist()
        case "three":
            return rng.choice(["<a>", "b & c", "é"], n, p=[0.6, 0.3, 0.1]).tolist()
        case "missing":
            return [["f", "m", None][i] for i in rng.integers(0, 3, n)]
        case "lone":
            return ["lone"] + ["rest"] * (n - 1)
        case "one":
            return ["all"] * n
        case "numbers":
            return rng.integers(0, 4, n).tolist()
        case "booleans":
            return (rng.random(n) < 0.3).tolist()
        case "category":
            return rng.choice(["u", "v", "w"], n).tolist()
        case "continuous":
            return np.round(rng.normal(size=n), 3).tolist()
        case _:
            return [f"g{i}" for i in range(n)]


def _reference(
    plan: Plan, columns: Any, groups: Any, frame: pd.DataFrame, rule: Rule, rng: np.random.Generator
) -> tuple[pd.DataFrame | None, list[Any] | None]:
    if plan.reference == "none":
        return None, None
    if plan.reference == "same":
        made = frame.copy()
    else:
        m = 1 if plan.reference == "single" else int(rng.integers(2, 90))
        made = pd.DataFrame({name: _cells(kind, share, m, rng) for name, kind, share in columns})
        styles = dict(plan.groups)
        for name in groups:
            made[name] = pd.Series(_group(styles[name], m, rng))
    if plan.reference == "shifted":
        for name in made:
            if made[name].dtype == np.float64:
                made[name] = made[name] * 2 + 1
    if plan.reference == "extra" and plan.form not in ("numpy", "objects", "integers"):
        made["extra <b>"] = np.arange(len(made))
    if plan.reference in ("rows", "extra"):
        return made, None
    if not rule.labels:
        return made, np.round(rng.normal(size=len(made)), 3).tolist()
    return made, [rule.labels[i] for i in rng.integers(0, len(rule.labels), len(made))]


def _truth(
    plan: Plan, labels: list[Any], predictions: list[Any], rng: np.random.Generator
) -> list[Any]:
    n = plan.n
    if not labels:
        noise = np.round(rng.normal(size=n), 3)
        match plan.truth:
            case "one":
                return [1.5] * n
            case "random" | "rare":
                return noise.tolist()
            case "wrong":
                return (1e6 * noise).tolist()
        return (np.array(predictions) + 0.2 * noise).tolist()
    drawn = [labels[i] for i in rng.integers(0, len(labels), n)]
    match plan.truth:
        case "one":
            return [labels[0]] * n
        case "random":
            return drawn
        case "rare":
            return [labels[-1]] + [labels[0]] * (n - 1)
        case "wrong":
            return [labels[(labels.index(p) + 1) % len(labels)] for p in predictions]
    return [
        p if keep else d for p, d, keep in zip(predictions, drawn, rng.random(n) < 0.8, strict=True)
    ]


def _weights(plan: Plan, rng: np.random.Generator) -> np.ndarray | None:
    match plan.weights:
        case "none":
            return None
        case "random":
            return rng.uniform(0.1, 3, plan.n)
        case "wide":
            return 10.0 ** rng.uniform(-6, 6, plan.n)
    weights = (rng.random(plan.n) < 0.5).astype(float)
    weights[int(rng.integers(plan.n))] = 2.0
    return weights


def _clusters(plan: Plan, rng: np.random.Generator) -> list[Any] | None:
    match plan.clusters:
        case "none":
            return None
        case "pairs":
            return (np.arange(plan.n) // 2).tolist()
        case "single":
            return [1] * plan.n
    return rng.choice(["a", "b", "c", "d", "e", "f"], plan.n).tolist()


def _index(plan: Plan, rng: np.random.Generator) -> pd.Index:
    match plan.index:
        case "shuffled":
            return pd.Index(rng.permutation(plan.n) + 7)
        case "words":
            return pd.Index([f"row {i}" for i in range(plan.n)])
        case "twice":
            return pd.Index(np.arange(plan.n) // 2)
    return pd.RangeIndex(plan.n)


def _form(plan: Plan, frame: pd.DataFrame, index: pd.Index | None = None) -> Any:
    match plan.form:
        case "numpy":
            return frame.to_numpy(dtype=float)
        case "objects":
            return frame.astype(object).to_numpy()
        case "polars":
            import polars as pl

            return pl.from_pandas(frame)
        case "pyarrow":
            import pyarrow as pa

            return pa.Table.from_pandas(frame, preserve_index=False)
    return frame if index is None else frame.set_axis(index)


def _vector(style: str, values: list[Any] | None, index: pd.Index | None = None) -> Any:
    if values is None or style == "list":
        return values
    if style == "array" or (index is None and style != "category"):
        return np.array(values)
    series = pd.Series(values, index=index)
    return (
        series.astype("category")
        if style == "category" and isinstance(values[0], str)
        else series
        if index is not None
        else np.array(values)
    )


def _sensitive(plan: Plan, groups: dict[str, list[Any]], *, inside: bool, index: pd.Index) -> Any:
    if not groups:
        return None
    if inside:
        return list(groups)
    if plan.held == "dict":
        return groups
    frame = pd.DataFrame(groups)
    for name, style in plan.groups:
        if style == "category":
            frame[name] = frame[name].astype("category")
    if plan.form in ("pandas", "integers"):
        frame = frame.set_axis(index)
    return frame.iloc[:, 0] if plan.held == "apart" and len(groups) == 1 else frame


def _stated(plan: Plan, chances: list[list[float]]) -> np.ndarray:
    """Return probabilities of all classes, or of the positive one."""
    table = np.array(chances)
    return table[:, 1] if plan.classes == 2 and plan.seed % 2 else table


def _model(plan: Plan, rule: Rule) -> Any:
    if not rule.labels:
        model = Predicts(rule, plan)
        return model if plan.door in ("both", "proba", "predict") else model.predict
    match plan.door:
        case "both":
            return Scores(rule, plan)
        case "proba":
            return OnlyScores(rule, plan)
        case "predict":
            return Predicts(rule, plan)
        case "call proba":
            return Scores(rule, plan).predict_proba
    return Predicts(rule, plan).predict


def _flawed(plan: Plan, y: Any, given: dict[str, Any], reference: Any, features: Any) -> Any:
    """Spoil what the user gives; every flaw has a remedy that a message must name."""
    match plan.flaw:
        case "y missing" if y is not None:
            y = list(y)
            y[-1] = None
        case "y short" if y is not None:
            y = y[:-1]
        case "weights negative":
            given["sample_weight"] = np.r_[-1.0, np.ones(plan.n - 1)]
        case "weights zero":
            given["sample_weight"] = np.zeros(plan.n)
        case "no such group":
            given["sensitive"] = ["no such column"]
        case "reference lacks" if reference is not None:
            given["reference"] = pd.DataFrame({"another": [1.0, 2.0]})
        case "two names":
            given["cluster"] = "no such column"
    return y
