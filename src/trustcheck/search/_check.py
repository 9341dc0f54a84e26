"""Whether changed rows are valid; written apart from the search, and sharing no code with it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import pandas as pd

    from trustcheck.subject import Schema


def violations(changed: pd.DataFrame, original: pd.DataFrame, schema: Schema) -> list[set[str]]:
    """Name, row by row, the rules that the changed rows break.

    Parameters
    ----------
    changed, original : DataFrame
        Rows matched by position.
    schema : Schema
        Kinds, ranges, levels, and what may not change.

    Returns
    -------
    list of set of str
        Empty sets for valid rows; else "column: rule".

    Raises
    ------
    ValueError
        If the tables do not match in columns, dtypes or length.

    Examples
    --------
    >>> import pandas as pd
    >>> from trustcheck.subject import Schema
    >>> frame = pd.DataFrame({"age": [20, 30, 40]})
    >>> violations(frame + 15, frame, Schema.infer(frame))
    [set(), {'age: outside the range'}, {'age: outside the range'}]
    """
    if list(changed.columns) != list(original.columns) or len(changed) != len(original):
        raise ValueError("the tables do not match in columns or length")
    broken: list[set[str]] = [set() for _ in range(len(changed))]
    for name in original.columns:
        if changed[name].dtype != original[name].dtype:
            raise ValueError(f"column {name!r} changed its dtype")
        pairs = zip(changed[name].tolist(), original[name].tolist(), strict=True)
        for row, (new, old) in enumerate(pairs):
            rule = _broken_rule(new, old, schema[str(name)])
            if rule:
                broken[row].add(f"{name}: {rule}")
    return broken


def _broken_rule(new: object, old: object, feature: object) -> str | None:
    import pandas as pd

    if pd.isna(new) or pd.isna(old):  # type: ignore[call-overload]
        same = pd.isna(new) and pd.isna(old)  # type: ignore[call-overload]
        return None if same else "missing and known values were exchanged"
    if new == old:
        return None
    kind = getattr(feature, "kind", "")
    if getattr(feature, "immutable", False):
        return "immutable"
    if kind in ("text", "datetime"):
        return "free text and dates do not change"
    if kind in ("categorical", "boolean"):
        return None if new in getattr(feature, "levels", ()) else "not a known level"
    if not np.isfinite(float(str(new))):
        return "not a finite number"
    low, high = getattr(feature, "low", None), getattr(feature, "high", None)
    number, was = float(str(new)), float(str(old))
    if (low is not None and number < min(low, was)) or (
        high is not None and number > max(high, was)
    ):
        return "outside the range"
    if kind == "integer" and (number - was) % 1:
        return "not a whole step"
    return None
