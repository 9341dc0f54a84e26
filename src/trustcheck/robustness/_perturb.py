"""Small random changes to rows of mixed types, on each feature's own scale."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import special

from trustcheck.subject._schema import as_numbers

if TYPE_CHECKING:
    import pandas as pd

    from trustcheck.subject import Feature, Schema

_PER_SECOND = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}


def perturb(frame: pd.DataFrame, schema: Schema, epsilon: float, *, seed: int) -> pd.DataFrame:
    """Return a copy of the rows with noise of size ``epsilon`` on every feature that may change.

    One seed gives the same random numbers at every ``epsilon`` (common random numbers): the
    copies of a row lie on one path, along which changes grow.

    Parameters
    ----------
    frame : DataFrame
        Rows in sampled order.
    schema : Schema
        Kinds, ranges, scales and levels.
    epsilon : float
        At least 0, in robust scales of each numeric feature.
    seed : int
        At least 0.

    Returns
    -------
    DataFrame
        Same columns, index and dtypes. Numbers (and dates): x + epsilon * scale * z, kept inside
        the range seen or up to the row's own value; whole numbers are rounded at random, so that
        small noise is not lost. Categories and booleans: redrawn from their shares with
        probability :func:`redraw_share`. Missing values stay missing; see :func:`changeable`.
    """
    rng = np.random.default_rng(seed)
    copy = frame.copy(deep=False)
    for name in frame.columns:
        feature, column = schema[str(name)], frame[name]
        if changeable(feature):
            normal, uniform = rng.standard_normal(len(frame)), rng.random(len(frame))
            copy[name] = (
                _shift(column, feature, epsilon * normal, uniform)
                if feature.is_numeric
                else _redraw(column, feature, uniform < redraw_share(epsilon), special.ndtr(normal))
            )
    return copy


def changeable(feature: Feature) -> bool:
    """Whether noise can change a feature: not free text, not immutable, not constant."""
    if feature.immutable or feature.kind == "text":
        return False
    if feature.is_numeric:
        return feature.low is None or feature.low != feature.high
    return len(feature.levels) > 1


def redraw_share(epsilon: float) -> float:
    """Return the probability with which a category is redrawn: arctan(epsilon) / pi.

    It is the chance that noise of ``epsilon`` standard deviations carries a normal variable to
    the other side of its median, so that a two-level category fares like a number cut in two.
    """
    return float(np.arctan(epsilon) / np.pi)


def _shift(
    column: pd.Series, feature: Feature, noise: np.ndarray, uniform: np.ndarray
) -> pd.Series:
    values = as_numbers(column)
    known = np.flatnonzero(np.isfinite(values))
    own = values[known]
    low = np.minimum(own, -np.inf if feature.low is None else feature.low)
    high = np.maximum(own, np.inf if feature.high is None else feature.high)
    moved = np.clip(own + feature.scale * noise[known], low, high)
    grid = _grid(column, feature, own)
    if grid:
        steps = np.floor((moved - own) / grid + uniform[known])
        steps = np.clip(steps, np.ceil((low - own) / grid), np.floor((high - own) / grid))
        moved = own + grid * steps
    changed = moved != own
    return _put(column, known[changed], own[changed], moved[changed])


def _grid(column: pd.Series, feature: Feature, own: np.ndarray) -> float:
    """Step of the values: 1 for whole numbers, a day for dates without a time, else 0."""
    if feature.kind == "datetime":
        day = 86_400 * _ticks_per_second(column)
        return day if own.size and not np.any(own % day) else 0.0
    return 1.0 if feature.kind == "integer" or _is_whole(column) else 0.0


def _is_whole(column: pd.Series) -> bool:
    import pandas as pd

    return pd.api.types.is_integer_dtype(column.dtype)


def _put(column: pd.Series, rows: np.ndarray, own: np.ndarray, moved: np.ndarray) -> pd.Series:
    """Return the column with new numbers in some rows; its dtype stays."""
    changed = column.copy()
    if not rows.size:
        return changed
    if hasattr(column, "dt") and column.dtype.kind in "mM":
        unit = column.dt.unit
        ticks = (moved - own) * (_PER_SECOND[unit] / _ticks_per_second(column))
        changed.iloc[rows] += np.rint(ticks).astype("int64").astype(f"timedelta64[{unit}]")
        return changed
    dtype: Any = getattr(column.dtype, "numpy_dtype", column.dtype)
    if dtype.kind in "iu":  # the reference may have held larger numbers than this column can
        moved = np.clip(moved, np.iinfo(dtype).min, np.iinfo(dtype).max)
    changed.iloc[rows] = moved.astype(dtype)
    return changed


def _ticks_per_second(column: pd.Series) -> float:
    """How far `as_numbers` moves when a date moves by one second: its unit differs by dtype."""
    import pandas as pd

    one = column.dropna().iloc[:1]
    if not len(one):
        return 1.0
    start, end = as_numbers(pd.concat([one, one + pd.Timedelta(seconds=1)]))
    return float(end - start)


def _redraw(
    column: pd.Series, feature: Feature, drawn: np.ndarray, uniform: np.ndarray
) -> pd.Series:
    import pandas as pd

    levels, shares = list(feature.levels), np.array(feature.shares)
    if isinstance(column.dtype, pd.CategoricalDtype):
        held = [level in column.cat.categories for level in levels]
        levels = [level for level, here in zip(levels, held, strict=True) if here]
        shares = shares[held]
    rows = np.flatnonzero(drawn & column.notna().to_numpy())
    changed = column.copy()
    if rows.size and levels:
        edges = np.cumsum(shares)[:-1] / shares.sum()
        picks = np.searchsorted(edges, uniform[rows], side="right")
        changed.iloc[rows] = pd.array([levels[pick] for pick in picks], dtype=column.dtype)
    return changed
