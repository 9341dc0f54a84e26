"""How each original column enters the matrix that the last estimator of a pipeline sees."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from trustcheck.subject._schema import as_numbers

if TYPE_CHECKING:
    import pandas as pd

#: Increasing functions that a FunctionTransformer may apply, besides the identity.
_INCREASING = ("log1p", "expm1", "sqrt", "cbrt", "exp", "arcsinh")
_PAIRS = {
    "subtract": np.subtract,
    "divide": np.divide,
    "multiply": np.multiply,
    "add": np.add,
    "maximum": np.maximum,
    "minimum": np.minimum,
}


class Op(NamedTuple):
    """One step on a number: a ufunc by name, and its second operand if it takes one."""

    name: str
    operand: float | None = None


@dataclass(frozen=True)
class Source:
    """Where one encoded column comes from.

    Parameters
    ----------
    columns : tuple of int
        Positions of the original columns it depends on.
    kind : {"number", "levels", "unread"}
        A chain of monotone steps on one number; a function of one column's levels; or nothing
        that was understood, which is harmless where those columns do not change.
    chain : tuple of Op
        The steps, for numbers; missing values are not covered by them.
    """

    columns: tuple[int, ...]
    kind: str = "number"
    chain: tuple[Op, ...] = ()

    def then(self, *ops: Op) -> Source:
        """Return the source with further steps, which change nothing about levels."""
        return replace(self, chain=self.chain + ops) if self.kind == "number" else self

    def as_levels(self) -> Source:
        """Return the same column, read level by level."""
        return self.unread() if self.kind == "unread" else replace(self, kind="levels", chain=())

    def unread(self) -> Source:
        """Return the same column, not understood."""
        return replace(self, kind="unread", chain=())

    def apply(self, values: np.ndarray, precision: str = "double") -> np.ndarray:
        """Return numbers as they enter the encoded column; monotone in them.

        Parameters
        ----------
        values : ndarray
        precision : {"double", "single", "mixed"}
            Mixed: single numbers, but double constants.

        Examples
        --------
        >>> Source((0,), "number", (Op("subtract", 1.0), Op("divide", 2.0))).apply(np.array([5.0]))
        array([2.])
        """
        held = np.float64 if precision == "double" else np.float32
        constant = np.float32 if precision == "single" else np.float64
        with np.errstate(all="ignore"):
            numbers = np.asarray(values, dtype=held)
            for name, operand in self.chain:
                if operand is None:
                    numbers = getattr(np, name)(numbers)
                else:
                    numbers = _PAIRS[name](numbers, constant(operand)).astype(held)
        return numbers.astype(float)


@dataclass(frozen=True)
class Steps:
    """A pipeline taken apart: what comes before the last estimator, column by column.

    Parameters
    ----------
    before : tuple
        The fitted transformers.
    final : object
        The estimator that decides.
    sources : tuple of Source
        One per encoded column.
    send : callable
        Brings rows into the form, and under the names, that the model was given.
    precision : {"double", "single", "mixed"}
        In which the steps on numbers are computed.
    """

    before: tuple[Any, ...]
    final: Any
    sources: tuple[Source, ...]
    send: Callable[[pd.DataFrame], Any]
    precision: str = "double"

    def native(self, frame: pd.DataFrame) -> Any:
        """Return rows as the last estimator is given them."""
        values = self.send(frame)
        for step in self.before:
            values = step.transform(values)
        return values

    def encode(self, frame: pd.DataFrame) -> np.ndarray:
        """Return rows as the matrix the last estimator sees, shape (n, e)."""
        return as_matrix(self.native(frame))


def read(
    model: Any, frame: pd.DataFrame, send: Callable[[pd.DataFrame], Any] | None = None
) -> Steps | str:
    """Take a fitted estimator or pipeline apart, or say in plain words why it cannot be read.

    Read are pipelines, column transformers and feature unions, nested as they may be, of scalers
    (standard, min-max, max-abs, robust), simple imputers, ordinal, one-hot and target encoders,
    selectors, and function transformers of the identity or a few increasing functions. What is
    read is then computed anew for the given rows and must equal the pipeline's own output to the
    last bit; anything else is "unread", and its columns have to stay as they are.

    Parameters
    ----------
    model : object
        A fitted scikit-learn style estimator, pipeline, or search over one.
    frame : DataFrame, shape (n, d)
        Rows to check on, with the columns the model reads, in their order.
    send : callable, optional
        Brings a frame into the form the model is given (``subject.own``).

    Returns
    -------
    Steps or str
        The reason, if it cannot be read.

    Examples
    --------
    >>> import pandas as pd
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.preprocessing import StandardScaler
    >>> from sklearn.tree import DecisionTreeClassifier
    >>> frame = pd.DataFrame({"a": [1.0, 2.0, 3.0], "b": [0.0, 1.0, 5.0]})
    >>> model = make_pipeline(StandardScaler(), DecisionTreeClassifier()).fit(frame, [0, 1, 1])
    >>> [(source.columns, source.chain[0]) for source in read(model, frame).sources]
    [((0,), Op(name='subtract', operand=2.0)), ((1,), Op(name='subtract', operand=2.0))]
    """
    before, final = unwrap(model)
    sources = [Source((j,)) for j in range(frame.shape[1])]
    try:
        for step in before:
            sources = _through(step, sources)
    except _UnreadableError as fault:
        return str(fault)
    steps = Steps(tuple(before), final, tuple(sources), send or (lambda rows: rows))
    return _verified(steps, frame)


def unwrap(model: Any) -> tuple[list[Any], Any]:
    """Return the transformers that come first, and the estimator that decides."""
    before: list[Any] = []
    while True:
        if isinstance(getattr(model, "steps", None), list):
            before += [step for _, step in model.steps[:-1] if step not in (None, "passthrough")]
            model = model.steps[-1][1]
        elif hasattr(model, "best_estimator_"):
            model = model.best_estimator_
        else:
            return before, model


def as_matrix(values: Any) -> np.ndarray:
    """Return a table of numbers as a float matrix; sparse and nullable ones too.

    Raises
    ------
    TypeError, ValueError
        If some of it is no number.
    """
    if hasattr(values, "toarray"):
        values = values.toarray()
    if hasattr(values, "columns") and hasattr(values, "iloc"):
        columns = [as_numbers(values.iloc[:, j]) for j in range(values.shape[1])]
        return np.column_stack(columns) if columns else np.zeros((len(values), 0))
    return np.asarray(values, dtype=float)


class _UnreadableError(Exception):
    """A step that no reader knows, and whose output cannot even be counted."""


def _through(step: Any, sources: list[Source]) -> list[Source]:
    """Return the sources of a step's output columns."""
    name = type(step).__name__
    if isinstance(step, str) and step == "passthrough":
        return sources
    if not type(step).__module__.startswith("sklearn."):
        return _unknown(step, sources)
    if name == "Pipeline":
        for _, inner in step.steps:
            if inner is not None and inner != "passthrough":
                sources = _through(inner, sources)
        return sources
    if name == "ColumnTransformer":
        return _column_transformer(step, sources)
    if name == "FeatureUnion":
        parts = [(inner, sources) for _, inner in step.transformer_list]
        return [out for inner, given in parts if inner != "drop" for out in _through(inner, given)]
    reader = _READERS.get(name)
    return reader(step, sources) if reader else _unknown(step, sources)


def _column_transformer(step: Any, sources: list[Source]) -> list[Source]:
    found: list[Source] = []
    for name, inner, columns in step.transformers_:
        chosen = step._transformer_to_input_indices.get(name, [])  # noqa: SLF001
        given = [sources[int(j)] for j in chosen]
        if given and not (isinstance(inner, str) and inner == "drop"):
            found += _through(inner, given)
        elif not given and not isinstance(inner, str) and not _is_empty(columns):
            raise _UnreadableError("its ColumnTransformer does not say which columns it reads")
    return found


def _is_empty(columns: Any) -> bool:
    return not isinstance(columns, str | slice) and hasattr(columns, "__len__") and not len(columns)


def _unknown(step: Any, sources: list[Source]) -> list[Source]:
    """Count the outputs of a step that may mix all of its inputs."""
    try:
        count = len(step.get_feature_names_out())
    except Exception as fault:
        raise _UnreadableError(f"its step {type(step).__name__} cannot be read") from fault
    mixed = tuple(sorted({column for source in sources for column in source.columns}))
    return [Source(mixed, "unread")] * count


def _scaled(sources: list[Source], *parts: tuple[str, Any]) -> list[Source]:
    """Chain per-column constants, leaving out those that are not used."""
    used = [
        (name, np.asarray(numbers, dtype=float)) for name, numbers in parts if numbers is not None
    ]
    return [
        source.then(*(Op(name, float(numbers[j])) for name, numbers in used))
        for j, source in enumerate(sources)
    ]


def _standard(step: Any, sources: list[Source]) -> list[Source]:
    mean = step.mean_ if step.with_mean else None
    return _scaled(sources, ("subtract", mean), ("divide", step.scale_))


def _robust(step: Any, sources: list[Source]) -> list[Source]:
    center = step.center_ if step.with_centering else None
    scale = step.scale_ if step.with_scaling else None
    return _scaled(sources, ("subtract", center), ("divide", scale))


def _min_max(step: Any, sources: list[Source]) -> list[Source]:
    found = _scaled(sources, ("multiply", step.scale_), ("add", step.min_))
    if not step.clip:
        return found
    low, high = step.feature_range
    return [source.then(Op("maximum", float(low)), Op("minimum", float(high))) for source in found]


def _max_abs(step: Any, sources: list[Source]) -> list[Source]:
    found = _scaled(sources, ("divide", step.scale_))
    if not getattr(step, "clip", False):
        return found
    return [source.then(Op("maximum", -1.0), Op("minimum", 1.0)) for source in found]


def _imputer(step: Any, sources: list[Source]) -> list[Source]:
    if not _is_nan(step.missing_values):  # a number that stands for missing breaks monotony
        sources = [source.as_levels() for source in sources]
    kept = [
        source
        for source, filler in zip(sources, step.statistics_, strict=True)
        if step.keep_empty_features or not _is_nan(filler)
    ]
    if step.indicator_ is None:
        return kept
    flags = [sources[int(j)] for j in step.indicator_.features_]
    return kept + [
        Source(flag.columns, "number", (Op("multiply", 0.0),)) if flag.kind == "number" else flag
        for flag in flags
    ]


def _is_nan(value: Any) -> bool:
    import pandas as pd

    return value is pd.NA or (isinstance(value, float | np.floating) and bool(np.isnan(value)))


def _one_hot(step: Any, sources: list[Source]) -> list[Source]:
    counts = step._n_features_outs  # noqa: SLF001 - the public names would have to be parsed
    return [
        source.as_levels()
        for source, count in zip(sources, counts, strict=True)
        for _ in range(int(count))
    ]


def _levels(step: Any, sources: list[Source]) -> list[Source]:
    if len(step.get_feature_names_out()) != len(sources):
        return _unknown(step, sources)
    return [source.as_levels() for source in sources]


def _selector(step: Any, sources: list[Source]) -> list[Source]:
    return [source for source, kept in zip(sources, step.get_support(), strict=True) if kept]


def _function(step: Any, sources: list[Source]) -> list[Source]:
    func = step.func
    if func is None:
        return sources
    name = getattr(func, "__name__", "")
    if name in _INCREASING and func is getattr(np, name) and not step.kw_args:
        return [source.then(Op(name)) for source in sources]
    return _unknown(step, sources)


_READERS: dict[str, Callable[[Any, list[Source]], list[Source]]] = {
    "StandardScaler": _standard,
    "RobustScaler": _robust,
    "MinMaxScaler": _min_max,
    "MaxAbsScaler": _max_abs,
    "SimpleImputer": _imputer,
    "OneHotEncoder": _one_hot,
    "OrdinalEncoder": _levels,
    "TargetEncoder": _levels,
    "FunctionTransformer": _function,
    "VarianceThreshold": _selector,
    "SelectKBest": _selector,
    "SelectPercentile": _selector,
    "SelectFromModel": _selector,
    "RFE": _selector,
    "RFECV": _selector,
}


def _verified(steps: Steps, frame: pd.DataFrame) -> Steps | str:
    """Return the steps if they give the pipeline's own numbers, bit by bit, on the given rows."""
    try:
        wanted = steps.encode(frame)
    except Exception as fault:  # noqa: BLE001 - other people's code on rows it may not like
        return (
            f"its steps cannot be run by themselves on a table of numbers ({type(fault).__name__})"
        )
    if wanted.shape[1] != len(steps.sources):
        return "its encoded columns cannot be traced to the original columns"
    numbers = _numbers(frame, steps.sources)
    for precision in ("double", "single", "mixed"):
        read = replace(steps, precision=precision)
        if all(
            _same(wanted[:, e], source.apply(numbers[source.columns[0]], precision))
            for e, source in enumerate(steps.sources)
            if source.kind == "number" and source.columns[0] in numbers
        ):
            return read
    return "its steps give other numbers than were read from them"


def _numbers(frame: pd.DataFrame, sources: Sequence[Source]) -> dict[int, np.ndarray]:
    wanted = {source.columns[0] for source in sources if source.kind == "number"}
    return {
        j: as_numbers(frame.iloc[:, j]) for j in wanted if frame.iloc[:, j].dtype.kind in "biufM"
    }


def _same(wanted: np.ndarray, given: np.ndarray) -> bool:
    """Whether all numbers agree; what is missing may have been filled."""
    known = np.isfinite(given)
    return bool((wanted[known] == given[known]).all())
