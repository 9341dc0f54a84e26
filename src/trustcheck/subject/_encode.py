"""Tables as numbers, for the estimators that probes fit themselves; rows compared by content."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from trustcheck.subject._schema import Feature, Schema, as_numbers
from trustcheck.subject._table import row_keys

if TYPE_CHECKING:
    import pandas as pd

#: Levels that scikit-learn's boosted trees can tell apart in one column; rarer ones share a code.
MOST_CODES = 255


@contextmanager
def one_thread() -> Iterator[None]:
    """Fit on one thread: small fits gain little from more, and stall where cores are shared."""
    from threadpoolctl import threadpool_limits

    with threadpool_limits(1):
        yield


class Encoded(NamedTuple):
    """A table as floats, missing and unseen values as nan.

    Attributes
    ----------
    matrix : ndarray, shape (n, d)
    names : tuple of str
        The features encoded: all but free text.
    categorical : bool ndarray, shape (d,)
        Columns that hold codes of levels, 0 being the most frequent.
    """

    matrix: np.ndarray
    names: tuple[str, ...]
    categorical: np.ndarray


def encode(frame: pd.DataFrame, schema: Schema) -> Encoded:
    """Return a table as numbers: a function of each row and of the schema, of no other row.

    Examples
    --------
    >>> import pandas as pd
    >>> frame = pd.DataFrame({"age": [20, 30, 40], "job": ["a", "b", "a"]})
    >>> encode(frame, Schema.infer(frame)).matrix.tolist()
    [[20.0, 0.0], [30.0, 1.0], [40.0, 0.0]]
    """
    features = [(column, schema[str(name)]) for name, column in frame.items()]
    kept = [(column, feature) for column, feature in features if feature.kind != "text"]
    matrix = np.full((len(frame), len(kept)), np.nan)
    for j, (column, feature) in enumerate(kept):
        matrix[:, j] = _codes(column, feature) if _has_levels(feature) else _numbers(column)
    matrix[~np.isfinite(matrix)] = np.nan
    categorical = np.array([_has_levels(feature) for _, feature in kept], dtype=bool)
    matrix[np.isinf(matrix)] = np.nan  # estimators take missing values, not infinite ones
    return Encoded(matrix, tuple(feature.name for _, feature in kept), categorical)


def with_values(matrix: np.ndarray) -> np.ndarray:
    """Return the matrix with 0 in columns that hold no value at all, which no tree can be fit on.

    Examples
    --------
    >>> with_values(np.array([[np.nan, 1.0], [np.nan, np.nan]])).tolist()
    [[0.0, 1.0], [0.0, nan]]
    """
    return np.where(np.isnan(matrix).all(axis=0), 0.0, matrix)


def content_keys(frame: pd.DataFrame, schema: Schema, *extras: np.ndarray) -> np.ndarray:
    """Return a 64-bit key per row of what the model reads (and extras), shape (n,).

    Keys of two tables can be compared: 1 and 1.0, or one level under two dtypes, are equal.
    """
    import pandas as pd

    plain = {
        str(name): _numbers(column) + 0.0  # -0.0 is 0.0
        if schema[str(name)].is_numeric
        else _spelling(column)
        for name, column in frame.items()
    }
    return row_keys(pd.DataFrame(plain, index=range(len(frame))), list(extras))


def _has_levels(feature: Feature) -> bool:
    return not feature.is_numeric and bool(feature.levels)


def _codes(column: pd.Series, feature: Feature) -> np.ndarray:
    import pandas as pd

    levels = pd.Index(np.array([*feature.levels, None], dtype=object)[:-1])
    codes = levels.get_indexer(column.astype(object).to_numpy())
    return np.where(codes < 0, np.nan, np.minimum(codes, MOST_CODES - 1))


def _spelling(column: pd.Series) -> np.ndarray:
    """Return a hash of each level's spelling, 0 for a missing one; each level is spelt once."""
    import pandas as pd

    codes, levels = pd.factorize(column.astype(object))
    spelt = np.array([str(level) for level in levels] + [""], dtype=object)
    hashed = pd.util.hash_array(spelt, categorize=False)
    hashed[-1] = 0
    return hashed[codes]


def _numbers(column: pd.Series) -> np.ndarray:
    import pandas as pd

    if column.dtype == object or isinstance(column.dtype, pd.StringDtype | pd.CategoricalDtype):
        column = pd.to_numeric(column.astype(object), errors="coerce")
    return as_numbers(column)
