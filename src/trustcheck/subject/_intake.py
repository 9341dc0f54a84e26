"""What the user hands over, checked and put into one form; every refusal names its remedy."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from trustcheck.subject import _labels, _table
from trustcheck.subject._relations import check
from trustcheck.subject._schema import Schema
from trustcheck.types import InputError

if TYPE_CHECKING:
    import pandas as pd

    from trustcheck.subject._model import Model
    from trustcheck.subject._side import Table


def split_reference(reference: Any) -> tuple[Any, Any]:
    """Return (table, labels) of what was passed as reference=."""
    if reference is None:
        return None, None
    if isinstance(reference, tuple):
        if len(reference) != 2:
            raise InputError("reference must be a table or a pair (table, labels)")
        return reference
    return reference, None


def reference(pair: tuple[Any, Any]) -> tuple[pd.DataFrame | None, pd.Series | None]:
    """Return the reference table and its labels, either of which may be absent."""
    table, labels = pair
    if table is None:
        return None, None
    frame, _ = _table.to_frame(table, what="the reference")
    if labels is None:
        return frame, None
    return frame, _table.to_vector(labels, len(frame), what="the reference's y", index=frame.index)


def require_columns(frame: pd.DataFrame, features: list[str]) -> None:
    """Raise InputError naming the columns the reference lacks."""
    absent = [name for name in features if name not in frame.columns]
    if absent:
        named = ", ".join(map(repr, absent))
        raise InputError(f"the reference has no column {named}, which the model reads")


def feature_names(
    features: Iterable[str] | None, model: Model | None, frame: pd.DataFrame, groups: pd.DataFrame
) -> list[str]:
    """Return the columns the model reads, in its order."""
    named = features if features is not None else (model.features if model is not None else None)
    if named is None:
        return list(frame.columns)
    names = [str(name) for name in named]
    absent = [name for name in names if name not in frame.columns]
    if absent:
        held = (
            " (it is a sensitive column kept outside X)"
            if set(absent) & set(groups.columns)
            else ""
        )
        if len(absent) == len(names) == frame.shape[1]:
            held = f"; it has {', '.join(map(repr, frame.columns))}: give it the model's own names"
        raise InputError(
            f"X has no column {', '.join(map(repr, absent))}, which the model reads{held}"
        )
    return names


def sensitive_frame(sensitive: Any, frame: pd.DataFrame, index: Any) -> pd.DataFrame:
    """Return the sensitive columns as a frame, from X or from outside it."""
    import pandas as pd

    if sensitive is None:
        return pd.DataFrame(index=range(len(frame)))
    if isinstance(sensitive, str):
        sensitive = [sensitive]
    if isinstance(sensitive, (list, tuple)) and all(isinstance(name, str) for name in sensitive):
        absent = [name for name in sensitive if name not in frame.columns]
        if absent:
            raise InputError(
                f"sensitive names {', '.join(map(repr, absent))}, but X has no such column;"
                " pass a frame to keep sensitive columns outside X"
            )
        return frame[list(sensitive)].reset_index(drop=True).infer_objects()
    if isinstance(sensitive, Mapping):
        columns = {
            str(c): _table.to_vector(np.asarray(sensitive[c]), len(frame), what="sensitive")
            for c in sensitive
        }
        return pd.DataFrame(columns).infer_objects()  # numbers held as objects are numbers
    if isinstance(sensitive, pd.Series):
        sensitive = sensitive.to_frame(sensitive.name if sensitive.name is not None else "group")
    outside, _ = _table.to_frame(sensitive, what="sensitive")
    columns = {
        str(name): _table.to_vector(
            outside[name], len(frame), what=f"sensitive column {name!r}", index=index
        )
        for name in outside.columns
    }
    return pd.DataFrame(columns).infer_objects()


def weights(sample_weight: Any, n: int, index: Any) -> np.ndarray:
    """Return weights as floats of at least 0, not all 0."""
    values = _labels.numbers(
        _table.to_vector(sample_weight, n, what="sample_weight", index=index), what="sample_weight"
    )
    if (values < 0).any():
        raise InputError(
            f"sample_weight is negative in {int((values < 0).sum())} row(s), the first at position"
            f" {int(np.argmax(values < 0))}; weights are at least 0"
        )
    if not values.any():
        raise InputError("every sample_weight is 0; no row would count")
    return values


def clusters(given: Any, frame: pd.DataFrame, index: Any) -> Any:
    """Return which rows belong together; every row has to say."""
    belongs = column_or_vector(given, frame, "cluster", index)
    if belongs is not None and (missing := belongs.isna().to_numpy()).any():
        raise InputError(
            f"cluster is missing in {int(missing.sum())} row(s), the first at position"
            f" {int(np.argmax(missing))}; give a row that belongs to no other a number of its own"
        )
    return belongs


def column_or_vector(given: Any, frame: pd.DataFrame, what: str, index: Any) -> Any:
    """Return a column of X by name, or a vector matched by position."""
    if given is None:
        return None
    if isinstance(given, str):
        if given not in frame.columns:
            raise InputError(f"{what} names column {given!r}, but X has no such column")
        return frame[given].reset_index(drop=True)
    return _table.to_vector(given, len(frame), what=what, index=index)


def schema(given: Any, source: Table) -> Schema:
    """Return the user's schema, or the inferred one with the user's changes."""
    if isinstance(given, Schema):
        absent = [name for name in source.features if name not in given]
        if absent:
            raise InputError(
                f"schema has no feature {', '.join(map(repr, absent))}, which the model reads"
            )
        return given
    assert source.frame is not None
    changes = dict(given or {})
    # Fields of a feature are a mapping; so a column of that name is no trouble.
    relations = changes.get("relations")
    if relations is not None and not isinstance(relations, Mapping):
        del changes["relations"]
    kinds = {name: fields["kind"] for name, fields in changes.items() if "kind" in fields}
    found = Schema.infer(source.frame[source.features], kinds).edit(**changes)
    if relations is None or isinstance(relations, Mapping):
        return found
    return found.relate(*check(relations, found), only=True)


def pooled(truth: pd.Series | None, predicted: pd.Series | None) -> pd.Series | None:
    """Return the labels and predictions known, as one series."""
    import pandas as pd

    known = [series for series in (truth, predicted) if series is not None]
    if not known:
        return None
    return known[0] if len(known) == 1 else pd.concat(known, ignore_index=True)
