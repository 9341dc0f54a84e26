"""What kind of value each feature holds, in which range, on which scale; printable, editable."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import takewhile
from typing import TYPE_CHECKING, Any

import numpy as np

from trustcheck.subject import _relations
from trustcheck.types import InputError

if TYPE_CHECKING:
    import pandas as pd

    from trustcheck.subject._relations import Relation

DIRECTIONS = ("up", "down")
KINDS = ("numeric", "integer", "boolean", "categorical", "datetime", "text")
#: Text columns with more levels than this, most of them rare, are free text.
TEXT_LEVELS = 50


@dataclass(frozen=True, slots=True)
class Feature:
    """One column the model reads.

    Parameters
    ----------
    kind : {"numeric", "integer", "boolean", "categorical", "datetime", "text"}
        What its values are. Text is free text: no probe changes it.
    low, high : float or None
        Smallest and largest value seen (numeric kinds; datetimes as nanoseconds).
    scale : float
        Robust scale: IQR/1.349, else 1.4826 x MAD, else standard deviation, else 1.
    levels : tuple
        Levels seen, most frequent first (categorical and boolean kinds).
    shares : tuple of float
        Their shares among the values that are not missing.
    missing : float
        Share of missing values, 0 to 1.
    immutable : bool
        Probes leave it as it is.
    direction : {"up", "down"} or None
        The only way somebody could change it (an age goes up), for attacks and recourse.
    """

    name: str
    kind: str
    low: float | None = None
    high: float | None = None
    scale: float = 1.0
    levels: tuple[Any, ...] = ()
    shares: tuple[float, ...] = ()
    missing: float = 0.0
    immutable: bool = False
    direction: str | None = None

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise InputError(f"feature {self.name!r}: kind {self.kind!r} is none of {KINDS}")
        if not (np.isfinite(self.scale) and self.scale > 0):
            raise InputError(f"feature {self.name!r}: scale must be above 0")
        if self.low is not None and self.high is not None and self.low > self.high:
            raise InputError(f"feature {self.name!r}: low is above high")
        if self.direction is not None and (
            self.direction not in DIRECTIONS or self.kind not in ("numeric", "integer")
        ):
            raise InputError(
                f"feature {self.name!r}: direction is 'up' or 'down', and only numbers have one"
            )

    @property
    def is_numeric(self) -> bool:
        """Whether noise can be added to it."""
        return self.kind in ("numeric", "integer", "datetime")


class Schema(Mapping[str, Feature]):
    """The features by name; prints as a table; ``edit`` and ``relate`` return a changed copy.

    Parameters
    ----------
    features : list of Feature
    relations : sequence of Relation
        What every valid row keeps, written with ``tc.col``.
    one_hot : sequence of sequence of str
        Groups of 0/1 columns of which every row sets exactly one: one variable together.

    Examples
    --------
    >>> import pandas as pd, trustcheck as tc
    >>> frame = pd.DataFrame({"age": [20, 30, 40, 50], "job": ["a", "a", "b", "a"]})
    >>> schema = Schema.infer(frame).edit(age={"immutable": True})
    >>> schema["age"].kind, schema["age"].immutable, schema["job"].levels
    ('integer', True, ('a', 'b'))
    >>> schema.relate((tc.col("job") == "b").implies(tc.col("age") >= 30)).relations
    (if job == 'b' then 30 <= age,)
    """

    __slots__ = ("_features", "one_hot", "relations")

    def __init__(
        self,
        features: list[Feature],
        relations: Iterable[Relation] = (),
        one_hot: Iterable[Iterable[str]] = (),
    ) -> None:
        self._features = {feature.name: feature for feature in features}
        self.relations = _relations.check(relations, self._features)
        self.one_hot = tuple(map(tuple, one_hot))
        named = [name for group in self.one_hot for name in group]
        unknown = sorted(set(named) - set(self._features))
        if unknown or len(named) > len(set(named)):
            raise InputError(
                f"one_hot names no feature: {', '.join(unknown)}"
                if unknown
                else "a column belongs to at most one group of one_hot"
            )

    @classmethod
    def infer(cls, frame: pd.DataFrame, kinds: Mapping[str, str] | None = None) -> Schema:
        """Read kinds, ranges, scales and levels off a table; ``kinds`` names known kinds.

        Also relations ``a <= b`` and ``a == b`` between numbers, and one-hot groups, where all
        of at least 300 rows keep them and columns that know nothing of one another would not.
        """
        known = kinds or {}
        found = [_infer(str(name), frame[name], known.get(str(name))) for name in frame.columns]
        features = {feature.name: feature for feature in found}
        named = frame.set_axis([str(name) for name in frame.columns], axis=1)
        groups = _relations.one_hot(named, features)
        grouped = {name for group in groups for name in group}
        free = {name: feature for name, feature in features.items() if name not in grouped}
        return cls(found, _relations.infer(named, free), groups)

    def edit(self, **changes: Mapping[str, Any]) -> Schema:
        """Return a copy with features changed, e.g. ``edit(age={"immutable": True})``.

        Raises
        ------
        InputError
            If a feature or a field is unknown.
        """
        features = dict(self._features)
        for name, fields in changes.items():
            if name not in features:
                raise InputError(f"schema has no feature {name!r}; it has {', '.join(features)}")
            unknown = sorted(set(fields) - set(Feature.__slots__) | ({"name"} & set(fields)))
            if unknown:
                raise InputError(f"feature {name!r} has no field {', '.join(unknown)}")
            features[name] = replace(features[name], **fields)
        return Schema(list(features.values()), self.relations, self.one_hot)

    def relate(self, *relations: Relation, only: bool = False) -> Schema:
        """Return a copy with more relations; with ``only``, with these and no others."""
        kept = () if only else self.relations
        return Schema(list(self.values()), (*kept, *relations), self.one_hot)

    def __getitem__(self, name: str) -> Feature:
        return self._features[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._features)

    def __len__(self) -> int:
        return len(self._features)

    def __repr__(self) -> str:
        head = f"{'feature':<24} {'kind':<12} {'range or levels':<36} {'scale':>10}  missing"
        lines = [head, *(_line(feature) for feature in self.values())]
        lines += [f"relation: {relation}" for relation in self.relations]
        lines += [f"one of: {', '.join(group)}" for group in self.one_hot]
        return "\n".join(lines)


@dataclass(frozen=True, slots=True)
class Group:
    """A one-hot group of columns as one categorical feature, whose levels are the columns."""

    feature: Feature
    columns: tuple[str, ...]

    def codes(self, frame: pd.DataFrame) -> np.ndarray:
        """Return the column each row sets, shape (n,); nan where it is not exactly one."""
        table = np.column_stack([as_numbers(frame[name]) for name in self.columns])
        fine = (np.isin(table, (0, 1))).all(axis=1) & (table.sum(axis=1) == 1)
        return np.where(fine, np.argmax(table == 1, axis=1), np.nan)


def grouped(schema: Schema, frame: pd.DataFrame) -> dict[str, Group]:
    """Return the one-hot groups that may change, under a name of their own."""
    found = {}
    for columns in schema.one_hot:
        if any(schema[name].immutable for name in columns):
            continue
        same = takewhile(lambda letters: len(set(letters)) == 1, zip(*columns, strict=False))
        name = "".join(letters[0] for letters in same).rstrip("_=:.- ") or " | ".join(columns)
        name = name if name not in schema else f"{name} (one of {len(columns)})"
        shares = [float(np.nanmean(as_numbers(frame[column]))) for column in columns]
        feature = Feature(name, "categorical", levels=columns, shares=tuple(shares))
        found[name] = Group(feature, columns)
    return found


def robust_scale(values: np.ndarray) -> float:
    """Return IQR/1.349, else 1.4826 x MAD, else the standard deviation, else 1.

    Examples
    --------
    >>> robust_scale(np.array([0.0, 0, 0, 0, 0, 0, 0, 10]))  # IQR and MAD are 0
    3.307189...
    """
    values = values[np.isfinite(values)]
    if values.size == 0:
        return 1.0
    quarter, middle, three_quarters = np.quantile(values, [0.25, 0.5, 0.75])
    candidates: tuple[Callable[[], Any], ...] = (  # looks at all values, made only where needed
        lambda: (three_quarters - quarter) / 1.349,
        lambda: 1.4826 * np.median(np.abs(values - middle)),
        lambda: np.std(values),
    )
    found = (float(candidate()) for candidate in candidates)
    return next((c for c in found if np.isfinite(c) and c > 0), 1.0)


def as_numbers(column: pd.Series) -> np.ndarray:
    """Return a numeric, boolean or datetime column as floats, missing as nan, shape (n,)."""
    if column.dtype.kind in "mM" or str(column.dtype).startswith("datetime64"):
        # One unit for all: pandas keeps seconds, milliseconds ... as they were read.
        if getattr(column.dtype, "tz", None) is not None:
            column = column.dt.tz_convert("UTC").dt.tz_localize(None)
        unit: Any = "timedelta64[ns]" if column.dtype.kind == "m" else "datetime64[ns]"
        stamps = column.astype(unit).astype("int64").to_numpy(dtype=float)
        stamps[column.isna().to_numpy()] = np.nan
        return stamps
    numbers: np.ndarray = column.to_numpy(dtype=float, na_value=np.nan)
    return numbers


def _infer(name: str, column: pd.Series, known: str | None = None) -> Feature:
    missing = float(column.isna().mean())
    kind = known or _kind(name, column)
    if kind in ("numeric", "integer", "datetime"):
        values = as_numbers(column)
        values = values[np.isfinite(values)]
        if values.size == 0:
            return Feature(name, kind, missing=missing)
        return Feature(
            name,
            kind,
            float(values.min()),
            float(values.max()),
            robust_scale(values),
            missing=missing,
        )
    counts = column.dropna().value_counts()
    # Equal counts are ordered by spelling, so that the order of rows changes nothing.
    pairs = sorted(
        zip(counts.index, counts, strict=True), key=lambda pair: (-pair[1], str(pair[0]))
    )
    total = max(int(counts.sum()), 1)
    if known is None and kind == "categorical" and len(pairs) > max(TEXT_LEVELS, 0.5 * total):
        return Feature(name, "text", missing=missing)
    return Feature(
        name,
        kind,
        levels=tuple(level for level, _ in pairs),
        shares=tuple(float(count) / total for _, count in pairs),
        missing=missing,
    )


def _kind(name: str, column: pd.Series) -> str:
    import pandas as pd

    dtype = column.dtype
    if isinstance(dtype, pd.CategoricalDtype):
        return "categorical"
    if pd.api.types.is_bool_dtype(dtype):
        return "boolean"
    if pd.api.types.is_datetime64_any_dtype(dtype) or pd.api.types.is_timedelta64_dtype(dtype):
        return "datetime"
    if pd.api.types.is_integer_dtype(dtype):
        return "integer"
    if pd.api.types.is_complex_dtype(dtype):
        raise InputError(f"column {name!r} holds complex numbers; split it into two real columns")
    if pd.api.types.is_numeric_dtype(dtype):
        values = as_numbers(column)
        values = values[np.isfinite(values)]
        # Integers with gaps arrive as floats; a step of 1 must stay a step of 1.
        return "integer" if values.size and np.all(values == np.round(values)) else "numeric"
    return "categorical"


def _line(feature: Feature) -> str:
    if feature.is_numeric and feature.low is not None:
        span, scale = f"{feature.low:g} to {feature.high:g}", f"{feature.scale:.4g}"
    else:
        shown = ", ".join(str(level) for level in feature.levels[:4])
        more = f" … ({len(feature.levels)} levels)" if len(feature.levels) > 4 else ""
        span, scale = shown + more, ""
    fixed = "  immutable" if feature.immutable else ""
    fixed += f"  only {feature.direction}" if feature.direction else ""
    return f"{feature.name:<24} {feature.kind:<12} {span:<36} {scale:>10}  {feature.missing:.1%}{fixed}"
