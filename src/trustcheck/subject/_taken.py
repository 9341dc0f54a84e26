"""All that a user hands over about the data, taken in once: tables, classes, groups, weights."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from trustcheck.subject import _intake, _labels, _table
from trustcheck.subject._schema import Schema
from trustcheck.subject._side import Table

if TYPE_CHECKING:
    import pandas as pd

    from trustcheck.subject._model import Model


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """The given table and the reference, and what is known of them; all checked."""

    data: Table
    reference: Table | None
    coding: _labels.Coding
    features: list[str]
    groups: pd.DataFrame
    weights: np.ndarray | None
    clusters: np.ndarray | None
    time: Any
    schema: Schema


def take(
    model: Model | None,
    frame: pd.DataFrame,
    y: Any,
    *,
    sensitive: Any,
    reference: Any,
    classes: Iterable[Any] | None,
    positive: Any,
    task: str | None,
    features: Iterable[str] | None = None,
    sample_weight: Any = None,
    cluster: Any = None,
    time: Any = None,
    schema: Any = None,
    predicted: Any = None,
    index: Any = None,
) -> Taken:
    """Check everything and bring it into one form; every refusal names its remedy.

    Parameters
    ----------
    predicted : Series, optional
        Predictions made elsewhere, whose classes count too.
    index : Index, optional
        What the rows are matched by, where it is not the frame's own.
    """
    import pandas as pd

    n = len(frame)
    index = frame.index if index is None else index
    labels = None if y is None else _table.to_vector(y, n, what="y", index=index)
    groups = _intake.sensitive_frame(sensitive, frame, index)
    ref_frame, ref_labels = _intake.reference(_intake.split_reference(reference))
    coding = _labels.find_coding(
        model,
        _intake.pooled(labels, predicted),
        ref_labels,
        task=task,
        classes=classes,
        positive=positive,
    )
    read = _intake.feature_names(features, model, frame, groups)
    weights = None if sample_weight is None else _intake.weights(sample_weight, n, index)
    belongs = _intake.clusters(cluster, frame, index)
    extras: dict[str, Any] = {f"group {name}": groups[name] for name in groups.columns}
    extras |= {"weight": weights} if weights is not None else {}
    extras |= {"cluster": belongs} if belongs is not None else {}
    rows = frame.reset_index(drop=True) if frame.shape[1] else None
    data = Table("data", rows, read, coding.encode(labels, what="y"), n, extras)
    beside = None
    if ref_frame is not None:
        _intake.require_columns(ref_frame, read)
        truth = coding.encode(ref_labels, what="the reference's y")
        beside = Table("reference", ref_frame.reset_index(drop=True), read, truth, len(ref_frame))
    source = beside or data
    return Taken(
        data=data,
        reference=beside,
        coding=coding,
        features=read,
        groups=groups,
        weights=weights,
        clusters=None if belongs is None else pd.factorize(belongs)[0],
        time=_intake.column_or_vector(time, frame, "time", index),
        schema=Schema([]) if source.frame is None else _intake.schema(schema, source),
    )
