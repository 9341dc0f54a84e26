"""Faults real data has, for each kind of column: what a broken value looks like."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from trustcheck.robustness._perturb import changeable, is_whole, put
from trustcheck.subject._schema import as_numbers

if TYPE_CHECKING:
    import pandas as pd

    from trustcheck.subject import Feature, Schema

#: Rows in random order -> the columns that are broken.
Fault = Callable[["pd.DataFrame"], "dict[Any, pd.Series]"]


def _one_digit(own: np.ndarray) -> np.ndarray:
    """Rounded to one significant digit, as people do."""
    size = 10.0 ** np.floor(np.log10(np.where(own == 0, 1.0, np.abs(own))))
    return np.asarray(np.round(own / size) * size)


#: How far beyond the range seen a number is put, in interquartile ranges.
BEYOND = 3.0
NUMBERS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "times 10": lambda own: own * 10,
    "times 100": lambda own: own * 100,
    "times 1000": lambda own: own * 1000,
    "a tenth": lambda own: own / 10,
    "sign flipped": lambda own: -own,
    "one digit": _one_digit,
}
FAULTS = (*NUMBERS, "beyond range", "unseen", "typo", "stale", "stuck", "swapped")


def faults_of(frame: pd.DataFrame, schema: Schema) -> Iterator[tuple[Any, str, str, Fault]]:
    """Name each fault a table can have: column, sort of fault, its description, and how to make it.

    Faults strike immutable features too; free text and columns that never vary are left alone.
    """
    held = {name for group in schema.one_hot for name in group}
    for group in schema.one_hot:
        columns = [name for name in frame.columns if str(name) in group]
        what = f"one of {', '.join(group)}"
        yield what, "unseen", "unseen", partial(_none_of, columns=columns)
        yield what, "stale", "stale", partial(_stale, names=columns)
    names = [
        name
        for name in frame.columns
        if str(name) not in held and changeable(replace(schema[str(name)], immutable=False))
    ]
    for name in names:
        feature = schema[str(name)]
        if feature.kind in ("numeric", "integer"):
            for sort, change in NUMBERS.items():
                yield name, sort, sort, partial(_number, name=name, change=change)
        if feature.is_numeric and feature.low is not None:
            change = partial(_beyond, feature=feature)
            yield name, "beyond range", "beyond range", partial(_number, name=name, change=change)
        if feature.kind == "categorical":
            new = partial(_unseen, levels=feature.levels)
            yield name, "unseen", "unseen", partial(_relabel, name=name, change=new)
            if all(isinstance(level, str) and level for level in feature.levels):
                change = partial(_typo, levels=feature.levels)
                yield name, "typo", "typo", partial(_relabel, name=name, change=change)
        yield name, "stale", "stale", partial(_stale, names=[name])
        yield name, "stuck", "stuck", partial(_stuck, name=name)
    for one, two in pairwise(names):
        same = schema[str(one)].kind == schema[str(two)].kind
        if same and frame[one].dtype == frame[two].dtype:
            yield one, "swapped", f"swapped with {two}", partial(_swap, one=one, two=two)


def differs(before: pd.DataFrame, broken: dict[Any, pd.Series]) -> np.ndarray:
    """Return the rows in which a value that was there has become another, shape (n,)."""
    changed = np.zeros(len(before), dtype=bool)
    for name, column in broken.items():
        known = (before[name].notna() & column.notna()).to_numpy()
        old, new = (part.astype(object).to_numpy()[known] for part in (before[name], column))
        changed[known] |= np.asarray(old != new, dtype=bool)
    return changed


def _number(
    rows: pd.DataFrame, *, name: Any, change: Callable[[np.ndarray], np.ndarray]
) -> dict[Any, pd.Series]:
    column = rows[name]
    values = as_numbers(column)
    known = np.flatnonzero(np.isfinite(values))
    own = values[known]
    moved = change(own)
    if is_whole(column):
        moved = np.rint(moved)
    return {name: put(column, known, own, moved)}


def _beyond(own: np.ndarray, *, feature: Feature) -> np.ndarray:
    """Above and below the range, by turns."""
    assert feature.low is not None
    assert feature.high is not None
    out = BEYOND * 1.349 * feature.scale
    if feature.kind == "integer":
        out = np.ceil(out)
    far = np.where(np.arange(len(own)) % 2, feature.low - out, feature.high + out)
    # Dates: nanoseconds since 1970 end in 1677 and 2262.
    return np.clip(far, -9e18, 9e18) if feature.kind == "datetime" else far


def _unseen(_: Any, *, levels: tuple[Any, ...]) -> Any:
    """Return a level that is none; a number where levels are numbers."""
    if all(isinstance(level, (int, float, np.number)) for level in levels):
        return max(levels) + 1
    return "?unseen?"


def _typo(level: Any, *, levels: tuple[Any, ...]) -> Any:
    """Two neighbouring letters change places, or the last one is typed again."""
    if not isinstance(level, str) or not level:
        return level
    for at in range(len(level) - 1):
        if level[at] != level[at + 1]:
            wrong = level[:at] + level[at + 1] + level[at] + level[at + 2 :]
            if wrong not in levels:
                return wrong
    wrong = level + level[-1]
    while wrong in levels:
        wrong += level[-1]
    return wrong


def _relabel(
    rows: pd.DataFrame, *, name: Any, change: Callable[[Any], Any]
) -> dict[Any, pd.Series]:
    import pandas as pd

    column = rows[name]
    made = column.astype(object).map(change, na_action="ignore")
    dtype: Any = column.dtype
    if isinstance(dtype, pd.CategoricalDtype):
        held = list(dtype.categories)
        new = sorted({level for level in made.dropna() if level not in held}, key=str)
        dtype = pd.CategoricalDtype([*held, *new], ordered=dtype.ordered)
    return {name: made.astype(dtype)}


def _stale(rows: pd.DataFrame, *, names: Sequence[Any]) -> dict[Any, pd.Series]:
    """Each row shows the value of the row before it, as a feed that lags does."""
    known = np.flatnonzero(rows[list(names)].notna().all(axis=1).to_numpy())
    made = {}
    for name in names:
        made[name] = rows[name].copy()
        made[name].iloc[known] = rows[name].iloc[np.roll(known, 1)].array
    return made


def _stuck(rows: pd.DataFrame, *, name: Any) -> dict[Any, pd.Series]:
    """Every row shows one row's value, as a sensor that is stuck does."""
    column = rows[name]
    known = np.flatnonzero(column.notna().to_numpy())
    made = column.copy()
    if known.size:
        made.iloc[known] = column.iloc[np.repeat(known[:1], len(known))].array
    return {name: made}


def _none_of(rows: pd.DataFrame, *, columns: Sequence[Any]) -> dict[Any, pd.Series]:
    """No column of a one-hot group is set: what encoders make of a category they do not know."""
    made = {}
    for name in columns:
        made[name] = rows[name].copy()
        made[name].iloc[:] = np.zeros(len(rows)).astype(rows[name].dtype)
    return made


def _swap(rows: pd.DataFrame, *, one: Any, two: Any) -> dict[Any, pd.Series]:
    return {one: rows[two], two: rows[one]}
