"""Small random changes to rows of mixed types, on each feature's own scale."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import special

from trustcheck.subject._schema import as_numbers, grouped

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pandas as pd

    from trustcheck.subject import Feature, Schema

_PER_SECOND = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}


def perturb(
    frame: pd.DataFrame,
    schema: Schema,
    epsilon: float,
    *,
    seed: int,
    spikes: Mapping[str, float] = MappingProxyType({}),
) -> pd.DataFrame:
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
    spikes : mapping of str to float
        What :func:`find_spikes` found in the reference.

    Returns
    -------
    DataFrame
        Same columns, index and dtypes. Numbers (and dates): x + epsilon * scale * z, kept inside
        the range seen or up to the row's own value; whole numbers are rounded at random, so that
        small noise is not lost. Categories, booleans and one-hot groups: redrawn from their shares
        with probability :func:`redraw_share`; an ordered category goes one step up or down
        instead. Numbers on a spike: exchanged for another row's with
        the same probability. Missing values stay missing; see :func:`changeable`.
    """
    rng = np.random.default_rng(seed)
    copy = frame.copy(deep=False)
    held = {name for group in schema.one_hot for name in group}
    for name in frame.columns:
        feature, column = schema[str(name)], frame[name]
        if not changeable(feature) or str(name) in held:
            continue
        normal, uniform = rng.standard_normal(len(frame)), rng.random(len(frame))
        if feature.is_numeric:
            spike = spikes.get(str(name))
            copy[name] = _shift(column, feature, epsilon, normal, uniform, spike)
        else:
            copy[name] = _redraw(column, feature, epsilon, normal, uniform)
    for group in grouped(schema, frame).values():
        normal, uniform = rng.standard_normal(len(frame)), rng.random(len(frame))
        rows = np.flatnonzero((uniform < redraw_share(epsilon)) & np.isfinite(group.codes(frame)))
        picks = _picks(np.array(group.feature.shares), normal[rows])
        for place, name in enumerate(group.columns):
            own = as_numbers(frame[name])[rows]
            copy[name] = put(frame[name], rows, own, (picks == place).astype(float))
    return copy


def find_spikes(frame: pd.DataFrame, schema: Schema) -> dict[str, float]:
    """Return the number that more than half of a feature's values share, where there is one.

    No capital gain, no children, no earlier loan: such a number says "none", as a category does,
    and a robust scale (IQR and MAD are then 0) says nothing about errors of measurement.
    """
    spikes = {}
    for name in map(str, frame.columns):
        if schema[name].is_numeric and changeable(schema[name]):
            values = as_numbers(frame[name])
            values = values[np.isfinite(values)]
            middle = float(np.median(values)) if values.size else np.nan
            if values.size and np.mean(values == middle) > 0.5:
                spikes[name] = middle
    return spikes


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
    column: pd.Series,
    feature: Feature,
    epsilon: float,
    normal: np.ndarray,
    uniform: np.ndarray,
    spike: float | None,
) -> pd.Series:
    values = as_numbers(column)
    known = np.flatnonzero(np.isfinite(values))
    own, normal, uniform = values[known], normal[known], uniform[known]
    low = np.minimum(own, -np.inf if feature.low is None else feature.low)
    high = np.maximum(own, np.inf if feature.high is None else feature.high)
    moved = np.clip(own + epsilon * feature.scale * normal, low, high)
    grid = _grid(column, feature, own)
    if grid:
        steps = np.floor((moved - own) / grid + uniform)
        steps = np.clip(steps, np.ceil((low - own) / grid), np.floor((high - own) / grid))
        moved = own + grid * steps
    if spike is not None:
        donors = own[(special.ndtr(normal) * len(own)).astype(int).clip(max=len(own) - 1)]
        moved = np.where(
            own != spike, moved, np.where(uniform < redraw_share(epsilon), donors, own)
        )
    changed = moved != own
    return put(column, known[changed], own[changed], moved[changed])


def _grid(column: pd.Series, feature: Feature, own: np.ndarray) -> float:
    """Step of the values: 1 for whole numbers, a day for dates without a time, else 0."""
    if feature.kind == "datetime":
        day = 86_400 * _ticks_per_second(column)
        return day if own.size and not np.any(own % day) else 0.0
    return 1.0 if feature.kind == "integer" or is_whole(column) else 0.0


def is_whole(column: pd.Series) -> bool:
    """Whether the dtype holds whole numbers only."""
    import pandas as pd

    return pd.api.types.is_integer_dtype(column.dtype)


def put(column: pd.Series, rows: np.ndarray, own: np.ndarray, moved: np.ndarray) -> pd.Series:
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
        # The largest whole number itself may have no float, and the next one does not fit.
        most = np.float64(np.iinfo(dtype).max)
        most = np.nextafter(most, 0) if int(most) > np.iinfo(dtype).max else most
        moved = np.clip(moved, np.iinfo(dtype).min, most)
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
    column: pd.Series, feature: Feature, epsilon: float, normal: np.ndarray, uniform: np.ndarray
) -> pd.Series:
    import pandas as pd

    levels, shares = list(feature.levels), np.array(feature.shares)
    if isinstance(column.dtype, pd.CategoricalDtype):
        held = [level in column.cat.categories for level in levels]
        levels = [level for level, here in zip(levels, held, strict=True) if here]
        shares = shares[held]
    rows = np.flatnonzero((uniform < redraw_share(epsilon)) & column.notna().to_numpy())
    changed = column.copy()
    dtype: Any = column.dtype
    if isinstance(dtype, pd.CategoricalDtype) and dtype.ordered:
        had = {level for level, share in zip(levels, shares, strict=True) if share > 0}
        steps = [level for level in dtype.categories if level in had]
        place = pd.Index(steps).get_indexer(column.astype(object).iloc[rows])
        rows, place = rows[place >= 0], place[place >= 0]  # a level nobody had stays
        moved = np.clip(place + np.where(normal[rows] > 0, 1, -1), 0, len(steps) - 1)
        changed.iloc[rows] = pd.array([steps[at] for at in moved], dtype=dtype)
    elif rows.size and shares.sum() > 0:  # categories nobody has are no donors
        picks = _picks(shares, normal[rows])
        changed.iloc[rows] = pd.array([levels[pick] for pick in picks], dtype=dtype)
    return changed


def _picks(shares: np.ndarray, normal: np.ndarray) -> np.ndarray:
    """Draw levels by their shares, the same ones for the same random numbers."""
    edges = np.cumsum(shares)[:-1] / shares.sum()
    return np.searchsorted(edges, special.ndtr(normal), side="right")
