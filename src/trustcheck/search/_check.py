"""Whether changed rows are valid; written apart from the search, and sharing no code with it."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import pandas as pd

    from trustcheck.subject import Expression, Relation, Schema

#: Two numbers this near, relative to their size, are equal.
NEAR = 1e-9


def violations(changed: pd.DataFrame, original: pd.DataFrame, schema: Schema) -> list[set[str]]:
    """Name, row by row, the rules that the changed rows break.

    Parameters
    ----------
    changed, original : DataFrame
        Rows matched by position.
    schema : Schema
        Kinds, ranges, levels, what may not change and in which direction, relations between
        columns, and one-hot groups.

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
    records = changed.to_dict("records")
    for row, record in enumerate(records):
        cells = {str(name): _plain(value) for name, value in record.items()}
        for relation in schema.relations:
            if not _keeps(relation, cells):
                broken[row].add(f"{relation}: broken")
        for group in schema.one_hot:
            before = [original[name].iloc[row] for name in group]
            after = [record[name] for name in group]
            if before != after and sorted(map(float, after)) != [0.0] * (len(group) - 1) + [1.0]:
                broken[row].add(f"{group[0]}: not exactly one of its group")
    return broken


def _plain(value: Any) -> Any:
    """Return a cell as plain Python: None if missing, dates as nanoseconds."""
    import pandas as pd

    if pd.isna(value):
        return None
    if isinstance(value, (pd.Timestamp, pd.Timedelta)):
        return float(value.value)
    return value.item() if isinstance(value, np.generic) else value


def _keeps(relation: Relation, cells: dict[str, Any]) -> bool:
    """Whether one row keeps a relation; one with a missing value is let pass."""
    if any(cells[name] is None for name in relation.columns):
        return True
    return _true(relation, cells)


def _true(relation: Relation, cells: dict[str, Any]) -> bool:
    one, two = relation.args
    if relation.op == "and":
        return _true(one, cells) and _true(two, cells)
    if relation.op == "or":
        return _true(one, cells) or _true(two, cells)
    if relation.op == "implies":
        return not _true(one, cells) or _true(two, cells)
    first, second = _number_or_text(one, cells), _number_or_text(two, cells)
    numbers = all(isinstance(side, (bool, int, float)) for side in (first, second))
    equal = math.isclose(first, second, rel_tol=NEAR) if numbers else first == second
    if relation.op == "<":
        return bool(first < second)
    if relation.op == "<=":
        return bool(equal or first < second)
    return bool(equal) == (relation.op == "==")


def _number_or_text(part: Expression, cells: dict[str, Any]) -> Any:
    if part.op == "const":
        return part.args[0]
    if part.op == "col":
        return cells[part.args[0]]
    one, two = (float(_number_or_text(side, cells)) for side in part.args)
    if part.op == "/":
        return (
            one / two if two else math.nan if one in (0, math.nan) else math.copysign(math.inf, one)
        )
    return {"+": one + two, "-": one - two, "*": one * two}[part.op]


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
    wrong_way = {"up": number < was, "down": number > was}
    if wrong_way.get(getattr(feature, "direction", None) or "", False):
        return f"may only go {getattr(feature, 'direction', '')}"
    return None
