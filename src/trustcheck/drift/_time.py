"""The given rows in the order in which they were observed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from trustcheck.subject._table import mix
from trustcheck.types import InputError, NotMeasurable

if TYPE_CHECKING:
    from trustcheck.subject import Subject


def in_time(subject: Subject) -> np.ndarray:
    """Return positions of the given rows in the order of ``time=``.

    Rows of one time are ordered by their content, so that the order of the table changes nothing.

    Raises
    ------
    NotMeasurable
        Without ``time=``.
    InputError
        If a time is missing, or times cannot be put in order.
    """
    import pandas as pd

    if subject.time is None:
        raise NotMeasurable("it is not known when each row was observed (time=)")
    times = pd.Series(subject.time)
    missing = times.isna().to_numpy()
    if missing.any():
        raise InputError(
            f"time is missing in {int(missing.sum())} row(s), the first at position"
            f" {int(np.argmax(missing))}; fill it in or drop those rows"
        )
    if times.dtype == object and pd.api.types.infer_dtype(times) in ("datetime", "date"):
        times = pd.Series(pd.to_datetime(times, utc=True))  # of several time zones
    if times.dtype == object and pd.api.types.infer_dtype(times).startswith("mixed"):
        raise InputError("time mixes kinds of values; convert it to one kind")
    codes = pd.factorize(times, sort=True)[0]
    return np.lexsort((mix(subject.data.row_keys), codes))
