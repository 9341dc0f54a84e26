"""Two versions of one column, read as numbers or as levels, and what kind of column it is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from trustcheck.subject._schema import Feature, as_numbers

if TYPE_CHECKING:
    import pandas as pd

#: Integers with no more distinct values than this are compared as levels.
FEW = 25
_RELATED = ({"numbers", "yes or no"}, {"categories", "text"}, {"categories", "numbers"})


class Numbers(NamedTuple):
    """Values present in either version, ascending, and how many rows each version has."""

    before: np.ndarray
    now: np.ndarray
    rows: tuple[int, int]


class Levels(NamedTuple):
    """Rows of either version per level, most frequent first; missing values come last."""

    names: list[Any]
    before: np.ndarray
    now: np.ndarray
    missing: bool


def read(before: pd.Series, now: pd.Series, feature: Feature) -> tuple[str, Numbers | Levels]:
    """Return what a column is compared as, and its content.

    "numbers", "levels" or "length"; "kinds" where it holds other things than it did, so that all
    its values changed.

    Parameters
    ----------
    before, now : Series
        The column in the reference and in the given rows.
    feature : Feature
        What the schema says of it.
    """
    before, now = _plain(before), _plain(now)
    kinds = _changed(before, now)
    if kinds:
        return "kinds", _kinds(before, now, kinds)
    if feature.kind == "text":
        return "length", ordered(_lengths(before), _lengths(now))
    held = {family(side) for side in (before, now)} - {None}
    kind = "dates" if feature.kind == "datetime" else "numbers"
    if held == {"dates"} or (feature.is_numeric and not held - {kind}):
        found = ordered(_numbers(before), _numbers(now))
        if feature.kind != "integer" or not held:
            return "numbers", found
        names = _few(found)
        return ("numbers", found) if names is None else ("levels", _counted(found, names))
    return "levels", _levels(before, now)


def as_floats(column: pd.Series, feature: Feature) -> np.ndarray | None:
    """Return a column of numbers, dates or texts (their length) as floats; None for levels."""
    column = _plain(column)
    if feature.kind == "text":
        return _lengths(column)
    held = family(column)
    if held == "dates" or (feature.is_numeric and held in ("numbers", None)):
        return _numbers(column)
    return None


def ordered(before: np.ndarray, now: np.ndarray) -> Numbers:
    """Return both versions sorted, without their missing values (nan)."""
    sides = [np.sort(values) for values in (before, now)]  # nan comes last
    present = [side[: np.searchsorted(side, np.nan)] for side in sides]
    return Numbers(present[0], present[1], (len(before), len(now)))


def family(column: pd.Series) -> str | None:
    """Say what a column holds, in a word; None where every value is missing."""
    import pandas as pd

    if _empty(column):
        return None
    if isinstance(column.dtype, pd.CategoricalDtype):
        return "categories"
    if column.dtype.kind in "mM" or str(column.dtype).startswith("datetime64"):
        return "dates"
    if pd.api.types.is_bool_dtype(column):
        return "yes or no"
    return "numbers" if pd.api.types.is_numeric_dtype(column) else "text"


def clash(before: pd.Series, now: pd.Series) -> str | None:
    """Say that a column changed its kind, so that its values mean something else."""
    before, now = _plain(before), _plain(now)
    kinds = _changed(before, now)
    if kinds:
        return f"it held {kinds[0]} and now holds {kinds[1]}"
    zones = {
        getattr(column.dtype, "tz", None) is not None
        for column in (before, now)
        if family(column) == "dates"
    }
    if len(zones) > 1:
        return (
            "one table's times name their time zone and the other's do not; these were read as UTC"
        )
    return None


def _changed(before: pd.Series, now: pd.Series) -> tuple[str, str] | None:
    """Return what a column held and what it holds, where values cannot be compared."""
    one, other = family(before), family(now)
    if one is None or other is None or one == other or {one, other} in _RELATED:
        return None
    return one, other


def _kinds(before: pd.Series, now: pd.Series, kinds: tuple[str, str]) -> Levels:
    present = [int(column.notna().sum()) for column in (before, now)]
    gaps = [len(column) - there for column, there in zip((before, now), present, strict=True)]
    return _placed(list(kinds), np.array([present[0], 0]), np.array([0, present[1]]), gaps)


def _empty(column: pd.Series) -> bool:
    return bool(column.iloc[:1].isna().all() and column.isna().all())  # mostly the first will do


def _plain(column: pd.Series) -> pd.Series:
    """Return dates kept as objects (as pandas keeps those of several time zones) as dates."""
    import pandas as pd

    if column.dtype != object or not len(column):
        return column
    if pd.api.types.infer_dtype(column, skipna=True) not in ("datetime", "datetime64", "date"):
        return column
    return pd.Series(pd.to_datetime(column, utc=True))


def _numbers(column: pd.Series) -> np.ndarray:
    if column.dtype == np.float64:
        return column.to_numpy()
    if _empty(column):
        return np.full(len(column), np.nan)
    return as_numbers(column)


def _lengths(column: pd.Series) -> np.ndarray:
    """Return the characters in each text, missing as nan."""
    import pandas as pd

    codes, texts = pd.factorize(column)
    sizes = np.array([len(str(text)) for text in texts] + [np.nan], dtype=float)
    return sizes[codes]


def _few(found: Numbers) -> np.ndarray | None:
    """Return the distinct values if there are few of them."""
    distinct: list[np.ndarray] = []
    for side in found[:2]:
        steps = np.flatnonzero(side[1:] != side[:-1])
        if len(steps) >= FEW:
            return None
        distinct.append(side[np.r_[steps, len(side) - 1]] if len(side) else side)
    both = np.union1d(*distinct)
    return both if 0 < len(both) <= FEW else None


def _counted(found: Numbers, names: np.ndarray) -> Levels:
    counts = [
        np.diff(np.searchsorted(side, names, "right"), prepend=0)
        for side in (found.before, found.now)
    ]
    gaps = [rows - len(side) for rows, side in zip(found.rows, found[:2], strict=True)]
    plain = [int(name) if np.isfinite(name) else float(name) for name in names]
    return _placed(plain, counts[0], counts[1], gaps)


def _levels(before: pd.Series, now: pd.Series) -> Levels:
    import pandas as pd

    if before.dtype != now.dtype:
        before, now = before.astype(object), now.astype(object)
    codes, names = pd.factorize(pd.concat([before, now], ignore_index=True))
    k = len(names) + 1
    sides = [np.bincount(c % k, minlength=k) for c in np.split(codes, [len(before)])]
    return _placed(
        list(names), sides[0][:-1], sides[1][:-1], [int(sides[0][-1]), int(sides[1][-1])]
    )


def _placed(names: list[Any], before: np.ndarray, now: np.ndarray, gaps: list[int]) -> Levels:
    """Order levels by count and spelling, so that the order of rows changes nothing."""
    total = before + now
    order = sorted(range(len(names)), key=lambda level: (-total[level], str(names[level])))
    before, now = before[order], now[order]
    missing = any(gaps)
    if missing:
        before, now = np.append(before, gaps[0]), np.append(now, gaps[1])
    return Levels([names[level] for level in order], before, now, missing)
