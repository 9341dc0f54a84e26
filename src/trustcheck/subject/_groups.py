"""Groups of people as codes with printable names, and which levels may be printed at all."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from trustcheck.types import InputError

if TYPE_CHECKING:
    import pandas as pd

MISSING = "(missing)"
#: A numeric sensitive column with more levels than this is a measurement, not a grouping.
MOST_NUMERIC_LEVELS = 20
#: A level of another column is printable if so few levels exist and so many rows share it.
PRINTABLE_LEVELS = 50
PRINTABLE_ROWS = 10


@dataclass(frozen=True, slots=True)
class Groups:
    """Group membership of each row.

    Parameters
    ----------
    by : tuple of str
        The columns whose intersection this is.
    codes : int array, shape (n,)
        Position in ``names``.
    names : tuple of str
        Printable names; levels of several columns joined by " & ".
    """

    by: tuple[str, ...]
    codes: np.ndarray
    names: tuple[str, ...]


def group(frame: pd.DataFrame, by: tuple[str, ...]) -> Groups:
    """Return the groups formed by the columns of ``by``; missing values are a group of their own.

    Raises
    ------
    InputError
        If a column is unknown, or is a continuous measurement.
    """
    import pandas as pd

    for name in by:
        if name not in frame.columns:
            raise InputError(
                f"{name!r} is not a sensitive column of this subject;"
                f" it has {', '.join(map(str, frame.columns)) or 'none'}. Pass sensitive=[...]"
            )
        column = frame[name]
        if pd.api.types.is_numeric_dtype(column) and column.nunique() > MOST_NUMERIC_LEVELS:
            raise InputError(
                f"sensitive column {name!r} is continuous ({column.nunique()} distinct numbers);"
                f" put it into bands first, e.g. pd.cut(X[{name!r}], [0, 25, 45, 65, 120])"
            )
    code, levels = _codes(frame[by[0]]) if by else (np.zeros(len(frame), dtype=np.intp), [])
    parts = [levels] if by else []
    for name in by[1:]:
        own, levels = _codes(frame[name])
        code = code * len(levels) + own
        parts.append(levels)
    present, codes = _compact(code, math.prod(map(len, parts)))
    return Groups(by, codes, tuple(_join(int(value), parts) for value in present))


def _compact(code: np.ndarray, size: int) -> tuple[np.ndarray, np.ndarray]:
    """Return which codes below ``size`` occur, and each row's place among them."""
    if size > max(len(code), 1):  # counting them would take longer than sorting the rows
        present, places = np.unique(code, return_inverse=True)
        return present, places
    present = np.flatnonzero(np.bincount(code, minlength=size))
    if len(present) == size:
        return present, code
    place = np.zeros(size, dtype=np.intp)
    place[present] = np.arange(len(present))
    return present, place[code]


def printable_level(column: pd.Series, level: object, *, sensitive: bool = False) -> str:
    """Return the name under which a level may stand in a report or message.

    A level of a declared sensitive column is printed; so is a level of a column with at most 50
    levels that at least 10 rows share; any other becomes "level #k", k being its place when
    levels are ordered by how often they occur.
    """
    if sensitive:
        return str(level)
    counts = dict(column.value_counts())
    if level not in counts:
        return "an unseen level"
    if len(counts) <= PRINTABLE_LEVELS and counts[level] >= PRINTABLE_ROWS:
        return str(level)
    order = sorted(counts, key=lambda value: (-counts[value], str(value)))
    return f"level #{order.index(level) + 1}"


def _codes(column: pd.Series) -> tuple[np.ndarray, list[str]]:
    """Return codes in the sorted order of the printed levels, missing last."""
    import pandas as pd

    if isinstance(column.dtype, pd.CategoricalDtype):
        raw, values = column.cat.codes.to_numpy(), column.cat.categories
    else:
        raw, values = pd.factorize(column, use_na_sentinel=True)
    names = [str(value) for value in values]
    unique = sorted(set(names))
    missing = len(raw) > 0 and raw.min() < 0
    lookup = np.array([unique.index(name) for name in names] + [len(unique)], dtype=np.intp)
    codes = lookup[raw]  # -1, the mark of a missing value, takes the last place
    return codes, ([*unique, MISSING] if missing else unique)


def _join(code: int, levels: list[list[str]]) -> str:
    parts = []
    for names in reversed(levels):
        code, own = divmod(code, len(names))
        parts.append(names[own])
    return " & ".join(reversed(parts))
