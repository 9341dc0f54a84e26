"""The valid values around some rows: what may change, how far, on which scale."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from trustcheck.search._repair import repair
from trustcheck.subject._relations import values_of
from trustcheck.subject._schema import Group, as_numbers, grouped

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pandas as pd

    from trustcheck.subject import Feature, Relation, Schema

NORMS = ("l2", "linf")


@dataclass(frozen=True)
class Space:
    """Rows as codes, the codes they may take, and distances from each row.

    Points are matrices of shape (q, d) over the features that may change, together with the rows
    they belong to, shape (q,). A number stands for itself, a category for its place among the
    levels seen; nan is a missing value (or an infinite one), and stays one.

    Parameters
    ----------
    frame : DataFrame
        The rows, m of them.
    features : tuple of Feature
        Those that may change, d of them.
    norm : {"l2", "linf"}
        How the sizes of several changes add up.
    category : float
        Size of a change of category; a number's is measured in its robust scale.
    own, low, high : ndarray, shape (m, d)
        The rows themselves and their ranges: those of the schema, widened to the row's own value.
    free : bool ndarray, shape (m, d)
        Cells that may change: all but the missing ones.
    categorical, whole : bool ndarray, shape (d,)
        Which features hold categories, and which whole numbers.
    scale : ndarray, shape (d,)
        Robust scales of numbers.
    relations : tuple of Relation
        What valid rows keep, as far as a change could break it.
    groups : mapping of str to Group
        Features that are one-hot groups of columns.
    """

    frame: pd.DataFrame
    features: tuple[Feature, ...]
    groups: Mapping[str, Group]
    norm: str
    category: float
    own: np.ndarray
    low: np.ndarray
    high: np.ndarray
    free: np.ndarray
    categorical: np.ndarray
    whole: np.ndarray
    scale: np.ndarray
    relations: tuple[Relation, ...]

    @classmethod
    def of(cls, frame: pd.DataFrame, schema: Schema, *, norm: str, category: float) -> Space:
        """Return the space around the rows of a frame.

        Examples
        --------
        >>> import pandas as pd
        >>> from trustcheck.subject._schema import Schema
        >>> frame = pd.DataFrame({"age": [20, 30, 40, 50], "job": ["a", "b", "b", "b"]})
        >>> space = Space.of(frame, Schema.infer(frame), norm="l2", category=1.0)
        >>> points = space.snap(np.array([0]), np.array([[32.6, 0.0]]))
        >>> space.decode(np.array([0]), points).to_dict("records")
        [{'age': 32, 'job': 'b'}]
        """
        groups = grouped(schema, frame)
        members = {name for group in groups.values() for name in group.columns}
        features = tuple(
            _held(schema[str(name)], frame[name])
            for name in frame
            if _may_change(schema[str(name)])
            and str(name) not in members
            and not any(str(name) in group for group in schema.one_hot)
        ) + tuple(group.feature for group in groups.values())
        own = _encode(frame, features, groups)
        lows = np.array([-np.inf if f.low is None else f.low for f in features])
        highs = np.array([np.inf if f.high is None else f.high for f in features])
        low, high = np.fmin(lows, own), np.fmax(highs, own)
        for j, feature in enumerate(features):
            if feature.direction == "up":
                low[:, j] = own[:, j]
            elif feature.direction == "down":
                high[:, j] = own[:, j]
        space = cls(
            frame,
            features,
            groups,
            norm,
            category,
            own,
            low,
            high,
            np.isfinite(own),
            np.array([not f.is_numeric for f in features], dtype=bool),
            np.array(
                [f.name not in groups and _is_whole(f, frame[f.name]) for f in features], dtype=bool
            ),
            np.array([f.scale for f in features]),
            (),
        )
        moves = [r for r in schema.relations if not r.columns.isdisjoint(space.columns)]
        return replace(space, relations=tuple(moves))

    @property
    def names(self) -> tuple[str, ...]:
        """The features that may change."""
        return tuple(feature.name for feature in self.features)

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that may change: a one-hot group has several."""
        return tuple(self.owners)

    @property
    def owners(self) -> dict[str, int]:
        """Which feature each of these columns belongs to."""
        return {
            column: j
            for j, name in enumerate(self.names)
            for column in (self.groups[name].columns if name in self.groups else (name,))
        }

    def at(self, rows: np.ndarray) -> Space:
        """Return the space around some of the rows."""
        return replace(
            self,
            frame=self.frame.iloc[rows],
            own=self.own[rows],
            low=self.low[rows],
            high=self.high[rows],
            free=self.free[rows],
        )

    def encode(self, frame: pd.DataFrame) -> np.ndarray:
        """Return other rows as codes; levels that were not seen as missing."""
        codes = _encode(frame, self.features, self.groups)
        return np.where(self.categorical & (codes < 0), np.nan, codes)

    def decode(self, rows: np.ndarray, points: np.ndarray) -> pd.DataFrame:
        """Return points as rows of the user's own frame; only changed cells are written."""
        frame: pd.DataFrame = self.frame.iloc[rows].reset_index(drop=True)
        changed = self.changed(rows, points)
        for j in np.flatnonzero(changed.any(axis=0)):
            at, feature = np.flatnonzero(changed[:, j]), self.features[j]
            if feature.name in self.groups:
                for place, name in enumerate(self.groups[feature.name].columns):
                    numbers = (points[at, j] == place).astype(float)
                    frame[name] = _write_numbers(frame[name], at, numbers)
            else:
                frame[feature.name] = _write(frame[feature.name], feature, at, points[at, j])
        return frame

    @cached_property
    def _given(self) -> dict[str, np.ndarray]:
        """The columns that relations read, of the rows as they are."""
        return values_of(self.frame, frozenset().union(*(r.columns for r in self.relations)))

    def values(self, rows: np.ndarray, points: np.ndarray) -> dict[str, np.ndarray]:
        """Return the columns that relations read, as :func:`values_of` gives them."""
        changed, owners = self.changed(rows, points), self.owners
        found = {}
        for name, given in self._given.items():
            found[name] = given[rows]
            if name not in owners or not changed[:, owners[name]].any():
                continue
            j = owners[name]
            at, feature = np.flatnonzero(changed[:, j]), self.features[j]
            codes = points[at, j]
            if feature.name in self.groups:
                codes = codes == self.groups[feature.name].columns.index(name)
            elif self.categorical[j]:
                codes = np.array([*feature.levels, None], dtype=object)[codes.astype(int)]
            else:
                codes = codes.astype(_numpy_dtype(self.frame[name]))
            found[name][at] = codes.astype(given.dtype)
        return found

    def valid(self, rows: np.ndarray, points: np.ndarray) -> np.ndarray:
        """Whether points keep every relation, shape (q,)."""
        if not self.relations:
            return np.ones(len(rows), dtype=bool)
        values = self.values(rows, points)
        return np.logical_and.reduce([relation.holds(values) for relation in self.relations])

    def changed(self, rows: np.ndarray, points: np.ndarray) -> np.ndarray:
        """Whether each cell differs from the row's own, shape (q, d)."""
        differs: np.ndarray = self.free[rows] & (points != self.own[rows])
        return differs

    def units(self, rows: np.ndarray, points: np.ndarray) -> np.ndarray:
        """Signed size of each change, shape (q, d)."""
        changed = self.changed(rows, points)
        size = np.where(self.categorical, self.category, (points - self.own[rows]) / self.scale)
        return np.where(changed, size, 0.0)

    def distance(self, rows: np.ndarray, points: np.ndarray) -> np.ndarray:
        """Size of all changes together, shape (q,)."""
        return self.size(self.units(rows, points))

    def size(self, units: np.ndarray) -> np.ndarray:
        """Size of changes given one by one, over the last axis."""
        if self.norm == "linf":
            return np.asarray(np.abs(units).max(axis=-1, initial=0.0))
        return np.asarray(np.sqrt((units**2).sum(axis=-1)))

    def snap(self, rows: np.ndarray, points: np.ndarray) -> np.ndarray:
        """Return the nearest valid points, not farther from the row: whole steps, inside ranges."""
        own = self.own[rows]
        points = np.clip(points, self.low[rows], self.high[rows])
        steps = points - own
        # A step that rounding left a hair short of whole is whole.
        whole = own + np.trunc(steps + np.copysign(1e-9, steps))
        points = np.where(self.whole, whole, points)
        points = np.where(self.free[rows], points, own)
        return repair(self, rows, self.as_stored(points, own))

    def pull(self, rows: np.ndarray, points: np.ndarray, radius: np.ndarray) -> np.ndarray:
        """Return valid points within a radius of their rows, shape (q,) of radii.

        Numbers are scaled down (L2) or cut off (L-infinity); categories go back to the row's own
        where their changes alone are too large.
        """
        own, units = self.own[rows], self.units(rows, points)
        radius = radius[:, None]
        moved = self.categorical & (units != 0)
        fixed = self.size(np.where(moved, units, 0.0))[:, None]
        points = np.where(moved & (fixed > radius), own, points)
        if self.norm == "linf":
            with np.errstate(over="ignore"):  # as far as numbers go is far enough
                most = np.minimum(radius, 1e300) * self.scale
            pulled = np.clip(points, own - most, own + most)
        else:
            room = np.sqrt(np.maximum(radius**2 - np.where(fixed > radius, 0.0, fixed) ** 2, 0.0))
            length = self.size(np.where(self.categorical, 0.0, units))[:, None]
            part = np.divide(room, length, out=np.ones_like(length), where=length > room)
            pulled = own + (points - own) * part
        return self.snap(rows, np.where(self.categorical, points, pulled))

    def as_stored(self, points: np.ndarray, own: np.ndarray) -> np.ndarray:
        """Round, towards the row, to the precision in which the frame keeps its numbers."""
        for j, feature in enumerate(self.features):
            if self.categorical[j]:
                continue
            kind = _numpy_dtype(self.frame[feature.name])
            if kind.kind == "f" and kind.itemsize < 8:
                wanted, here = points[:, j], own[:, j]
                stored = wanted.astype(kind)
                beyond = np.abs(stored - here) > np.abs(wanted - here)
                stored[beyond] = np.nextafter(stored[beyond], here[beyond].astype(kind))
                points[:, j] = stored
        return points


def _may_change(feature: Feature) -> bool:
    more = feature.low is None or feature.low != feature.high
    if not feature.is_numeric:
        more = len(feature.levels) > 1
    return more and not feature.immutable and feature.kind not in ("text", "datetime")


def _held(feature: Feature, column: pd.Series) -> Feature:
    """Leave out levels that the column's dtype cannot hold."""
    import pandas as pd

    if feature.is_numeric or not isinstance(column.dtype, pd.CategoricalDtype):
        return feature
    held = set(column.cat.categories)
    return replace(feature, levels=tuple(level for level in feature.levels if level in held))


def _encode(
    frame: pd.DataFrame, features: Sequence[Feature], groups: Mapping[str, Group]
) -> np.ndarray:
    """Codes of the features; a level that was not seen is -1."""
    import pandas as pd

    codes = np.full((len(frame), len(features)), np.nan)
    for j, feature in enumerate(features):
        if feature.name in groups:
            codes[:, j] = groups[feature.name].codes(frame)
            continue
        column = frame[feature.name]
        if feature.is_numeric:
            numbers = as_numbers(column)
            codes[:, j] = np.where(np.isinf(numbers), np.nan, numbers)  # nothing lies near it
        else:
            levels = pd.Index(np.array([*feature.levels, None], dtype=object)[:-1])
            places = levels.get_indexer(column.astype(object).to_numpy())
            codes[:, j] = np.where(column.isna().to_numpy(), np.nan, places)
    return codes


def _write(column: pd.Series, feature: Feature, at: np.ndarray, codes: np.ndarray) -> pd.Series:
    import pandas as pd

    if feature.is_numeric:
        return _write_numbers(column, at, codes)
    written = column.copy()
    dtype: Any = column.dtype
    levels = [feature.levels[int(code)] for code in codes]
    written.iloc[at] = pd.array(levels, dtype=dtype)
    return written


def _write_numbers(column: pd.Series, at: np.ndarray, numbers: np.ndarray) -> pd.Series:
    written = column.copy()
    written.iloc[at] = numbers.astype(_numpy_dtype(column))
    return written


def _numpy_dtype(column: pd.Series) -> np.dtype[Any]:
    """The dtype of the numbers themselves; nullable columns wrap it."""
    dtype: Any = getattr(column.dtype, "numpy_dtype", column.dtype)
    return dtype if isinstance(dtype, np.dtype) else np.dtype(object)


def _is_whole(feature: Feature, column: pd.Series) -> bool:
    return feature.kind == "integer" or _numpy_dtype(column).kind in "iu"
