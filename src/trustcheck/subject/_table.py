"""Tables at the edge: whatever the user has becomes a pandas frame, and goes back as it came."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import TYPE_CHECKING, Any

import numpy as np

from trustcheck.types import InputError

if TYPE_CHECKING:
    import pandas as pd

    Frame = pd.DataFrame


class Form(StrEnum):
    """What the user's table was, and so what the model is sent."""

    PANDAS = "pandas"
    ARRAY = "array"
    SPARSE = "sparse"
    POLARS = "polars"
    PYARROW = "pyarrow"


#: Sparse tables with more cells than this would not fit as columns.
MOST_CELLS = 50_000_000


def to_frame(table: Any, *, what: str = "X") -> tuple[Frame, Form]:
    """Return a pandas frame (not a copy where it is one) and what the user gave.

    Takes pandas, polars and pyarrow tables, and 2-D numpy arrays and scipy sparse matrices, whose
    columns are named x0, x1, ... Names that are not strings are spelt out; see `own_names`.

    Raises
    ------
    InputError
        If the table is empty, has no two dimensions, or has duplicate column names.
    """
    import pandas as pd

    form = Form.PANDAS
    if isinstance(table, pd.DataFrame):
        frame = table
    elif isinstance(table, pd.Series):
        frame = table.to_frame()
    elif hasattr(table, "toarray") and hasattr(table, "nnz"):
        frame, form = _named(_dense(table, what)), Form.SPARSE
    else:
        frame, form = _foreign(table, what)
    if frame.shape[0] == 0:
        raise InputError(f"{what} has no rows; trustcheck needs at least one")
    if own_names(frame):
        frame = frame.set_axis([str(name) for name in frame.columns], axis=1)
    if not frame.columns.is_unique:
        twice = sorted({str(name) for name in frame.columns[frame.columns.duplicated()]})
        raise InputError(f"{what} has more than one column named {', '.join(twice)}; rename them")
    return frame, form


def own_names(table: Any) -> dict[str, Any]:
    """Return the user's own name of each column whose name is no string, by its spelling.

    Examples
    --------
    >>> import pandas as pd
    >>> own_names(pd.DataFrame({"age": [1], 7: [2]}))
    {'7': 7}
    """
    import pandas as pd

    if isinstance(table, pd.Series):
        table = table.to_frame()
    if not isinstance(table, pd.DataFrame):
        return {}
    names: list[Any] = list(table.columns)
    return {str(name): name for name in names if not isinstance(name, str)}


def send(frame: Frame, form: Form, names: Mapping[str, Any] | None = None) -> Any:
    """Return rows in the form, and under the column names, the user's own table had."""
    if form is Form.PANDAS:
        return frame.rename(columns=names) if names else frame
    if form is Form.ARRAY:
        return frame.to_numpy()
    if form is Form.SPARSE:
        from scipy import sparse

        return sparse.csr_matrix(frame.to_numpy(dtype=float))
    import narwhals as nw

    native = nw.from_native(frame).to_arrow()
    if form is Form.PYARROW:
        return native
    import polars as pl

    return pl.from_arrow(native)


def _foreign(table: Any, what: str) -> tuple[Frame, Form]:
    """Read polars and pyarrow through narwhals; anything else must be an array."""
    import narwhals as nw
    import pandas as pd

    wrapped = nw.from_native(table, eager_only=True, pass_through=True)
    if isinstance(wrapped, nw.DataFrame):
        form = Form.PYARROW if wrapped.implementation.is_pyarrow() else Form.POLARS
        if len(set(wrapped.columns)) != len(wrapped.columns):
            twice = sorted({c for c in wrapped.columns if wrapped.columns.count(c) > 1})
            raise InputError(
                f"{what} has more than one column named {', '.join(twice)}; rename them"
            )
        return pd.DataFrame(wrapped.to_pandas()), form
    if type(table).__module__.startswith("polars"):
        raise InputError(f"{what} is a lazy polars frame; collect it first")
    array = np.asarray(table)
    if array.ndim != 2:
        raise InputError(
            f"{what} must be a table (rows and columns), but it has {array.ndim} dimension(s);"
            " give a data frame or a 2-D array"
        )
    return _named(array), Form.ARRAY


def _named(array: np.ndarray) -> Frame:
    import pandas as pd

    return pd.DataFrame(array, columns=[f"x{j}" for j in range(array.shape[1])])


def _dense(table: Any, what: str) -> np.ndarray:
    rows, columns = table.shape
    if rows * columns > MOST_CELLS:
        raise InputError(
            f"{what} is sparse with {rows} x {columns} cells, too many to look at column by column;"
            " sample rows, or keep fewer columns"
        )
    return np.asarray(table.toarray())


def to_vector(values: Any, n: int, *, what: str, index: Any = None) -> Any:
    """Return ``values`` as a pandas Series of length ``n``, matched by position.

    Raises
    ------
    InputError
        If the length differs, or a pandas index differs from that of the table.
    """
    import pandas as pd

    if type(values).__module__.partition(".")[0] in ("polars", "pyarrow"):
        values = values.to_numpy()  # both spell it alike
    if isinstance(values, pd.DataFrame):
        if values.shape[1] != 1:
            raise InputError(f"{what} must be one column, but it has {values.shape[1]}")
        values = values.iloc[:, 0]
    if isinstance(values, pd.Series):
        if index is not None and len(values) == n and not values.index.equals(index):
            raise InputError(
                f"{what} and the table have different indexes, so their rows may not match;"
                " align them, or pass arrays to match by position"
            )
        series = values
    else:
        array = np.asarray(values)
        if array.ndim == 2 and array.shape[1] == 1:
            array = array[:, 0]
        if array.ndim != 1:
            raise InputError(f"{what} must be one column, but it has {array.ndim} dimensions")
        series = pd.Series(array)
    if len(series) != n:
        raise InputError(f"{what} has {len(series)} rows, but the table has {n}; they must match")
    return series.reset_index(drop=True)


def replaced(frame: Frame, columns: Mapping[Any, Any]) -> Frame:
    """Return the frame with some columns replaced; names need not be strings, nothing is copied.

    Examples
    --------
    >>> import pandas as pd
    >>> replaced(pd.DataFrame({0: [1, 2], 1: [3, 4]}), {0: 9}).to_numpy().tolist()
    [[9, 3], [9, 4]]
    """
    changed = frame.copy(deep=False)
    for name, column in columns.items():
        changed[name] = column
    return changed


def suspects(frame: Frame) -> list[str]:
    """Say which columns hold what models often cannot take, and what to do about it.

    Examples
    --------
    >>> import pandas as pd
    >>> suspects(pd.DataFrame({"a": [1.0, float("inf")], "b": [None, None]}))[0]
    "column 'a' holds infinite values in 1 row(s), the first at position 1: replace them"
    """
    import pandas as pd

    found = []
    for name in frame.columns:
        column = frame[name]
        if column.isna().all():
            found.append(f"column {name!r} is missing in every row: drop or fill it")
        elif column.dtype == object:
            kinds = sorted({type(value).__name__ for value in column.dropna()})
            if nested := sorted({"list", "dict", "set", "ndarray"} & set(kinds)):
                found.append(
                    f"column {name!r} holds values of kind {' and '.join(nested)}: spread them"
                    " over columns of plain values"
                )
            elif len(kinds) > 1:
                found.append(f"column {name!r} mixes {' and '.join(kinds)}: convert it to one kind")
        elif pd.api.types.is_float_dtype(column.dtype):
            infinite = np.isinf(column.to_numpy(dtype=float, na_value=np.nan))
            if infinite.any():
                found.append(
                    f"column {name!r} holds infinite values in {int(infinite.sum())} row(s),"
                    f" the first at position {int(np.argmax(infinite))}: replace them"
                )
    return found


def changed_kinds(frame: Frame, reference: Frame) -> list[str]:
    """Say which columns hold another kind of values than in the reference.

    Examples
    --------
    >>> import pandas as pd
    >>> changed_kinds(pd.DataFrame({"a": ["1"]}), pd.DataFrame({"a": [1]}))
    ["column 'a' holds text, but numbers in the reference: convert it to one kind in both"]
    """
    held = {name: (_held(frame[name]), _held(reference[name])) for name in frame.columns}
    return [
        f"column {name!r} holds {now}, but {then} in the reference: convert it to one kind in both"
        for name, (now, then) in held.items()
        if now and then and now != then
    ]


def _held(column: pd.Series) -> str:
    """Return in words what a column holds; nothing where it holds nothing, or what is not clear."""
    import pandas as pd

    dtype = column.dtype
    if pd.api.types.is_bool_dtype(dtype) or pd.api.types.is_numeric_dtype(dtype):
        return "numbers" if column.notna().any() else ""
    if pd.api.types.is_datetime64_any_dtype(dtype):
        return "times" if getattr(dtype, "tz", None) is None else "times in a zone"
    if pd.api.types.is_object_dtype(dtype) or isinstance(dtype, pd.StringDtype):
        return "text" if pd.api.types.infer_dtype(column.dropna()) == "string" else ""
    return ""


def row_keys(frame: Frame, extras: list[Any]) -> np.ndarray:
    """Return a 64-bit key per row, a function of the row's content alone, shape (n,).

    Samples and random draws go by these keys, so that the order of rows changes nothing.
    """
    import pandas as pd

    keys = np.zeros(len(frame), dtype=np.uint64)
    columns = [frame[name] for name in sorted(frame.columns, key=str)]
    for position, column in enumerate([*columns, *extras]):
        series = pd.Series(column)
        if series.dtype == object:
            series = series.map(repr)  # mixed or unhashable values still get a stable key
        hashed = pd.util.hash_pandas_object(series, index=False).to_numpy(dtype=np.uint64)
        keys = mix(keys ^ mix(hashed + np.uint64(position)))
    return keys


def mix(keys: np.ndarray) -> np.ndarray:
    """Scramble 64-bit keys (SplitMix64 finaliser; Steele, Lea & Flood 2014)."""
    with np.errstate(over="ignore"):
        keys = keys + np.uint64(0x9E3779B97F4A7C15)
        keys = (keys ^ (keys >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        keys = (keys ^ (keys >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return keys ^ (keys >> np.uint64(31))
