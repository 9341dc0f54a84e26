"""Do the columns still hold what they held in the reference?"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from trustcheck.drift import _column
from trustcheck.probe import probe
from trustcheck.subject._schema import as_numbers
from trustcheck.types import Measurement

if TYPE_CHECKING:
    import pandas as pd

    from trustcheck.subject import Subject

#: Integers with no more distinct values than this are compared as levels.
FEW = 25


@probe(
    title="Drift of the features",
    question="Do the columns still hold what they held in the reference?",
    headline="distance",
    unit=_column.UNIT,
    better="low",
    keys=("reliability.drift",),
    clauses=("8.8.3", "9.10.2"),
    needs=("features", "reference"),
    cost="none: the model is not asked",
)
def features(subject: Subject, rng: np.random.Generator) -> Measurement:
    """Measure the largest distance of any column between the reference and the given rows.

    Numbers: Kolmogorov-Smirnov distance (or the change of the share missing, if larger). Levels
    (categories, booleans, integers with at most 25 distinct values; missing is a level): total
    variation. Free text: the change of the share missing. The interval carries two rules at once
    (Berger 1982): its upper end is the largest of the columns' upper bounds, its lower end the
    largest lower bound that holds for all columns at once.

    Parameters
    ----------
    subject : Subject
        With features and a reference.

    Returns
    -------
    Finding
        Headline ``distance``, 0 to 1. One detail row per column, worst first, with its interval,
        p-value, population stability index, Jensen-Shannon and Wasserstein distance, shares
        missing, and the share of rows with a level the reference does not know.

    Examples
    --------
    >>> import numpy as np
    >>> import trustcheck as tc
    >>> before = np.arange(600.0)[:, None]
    >>> subject = tc.Subject(lambda X: X[:, 0], before + 120, reference=before, task="regression")
    >>> found = features(subject)
    >>> round(found.value, 3), found.at_most(0.10).status.value
    (0.2, 'fail')
    """
    del rng  # nothing is drawn
    before, now = subject.reference.X, subject.X
    numeric = {name for name in subject.features if _as_numbers(subject, name, before, now)}
    gaps = sum(bool(before[name].isna().any() or now[name].isna().any()) for name in numeric)
    comparisons = len(subject.features) + gaps
    compared, broken = [], []
    for name in subject.features:
        if name in numeric:
            found = _column.numbers(
                str(name), _numbers(before[name]), _numbers(now[name]), comparisons
            )
        else:
            found = _levels(subject, name, before[name], now[name], comparisons)
        compared.append(found)
        fault = _clash(before[name], now[name]) or found.broken
        broken += [f"Data quality: column {str(name)!r}: {fault}."] if fault else []
    text = [str(name) for name in subject.features if subject.schema[str(name)].kind == "text"]
    only = f"Free text, of which only the share missing is compared: {', '.join(text)}."
    compared = _column.worst_first(compared)
    return Measurement(
        {"distance": _column.largest(compared, subject.n)},
        rows=tuple(found.row for found in compared),
        notes=(*broken, *_column.chance_note(compared), *([only] if text else [])),
        picture="intervals",
    )


def _family(column: pd.Series) -> str | None:
    """What a column holds, in a word; None where every value is missing."""
    import pandas as pd

    if column.isna().all():
        return None
    if isinstance(column.dtype, pd.CategoricalDtype):
        return "categories"
    if column.dtype.kind in "mM" or str(column.dtype).startswith("datetime64"):
        return "dates"
    if pd.api.types.is_bool_dtype(column):
        return "yes or no"
    return "numbers" if pd.api.types.is_numeric_dtype(column) else "text"


def _clash(before: pd.Series, now: pd.Series) -> str | None:
    """Say that a column changed its kind, so that its values mean something else."""
    kinds = [_family(column) for column in (before, now)]
    related = ({"numbers", "yes or no"}, {"categories", "text"}, {"categories", "numbers"})
    if None in kinds or len(set(kinds)) == 1 or set(kinds) in related:
        return None
    return f"it held {kinds[0]} and now holds {kinds[1]}"


def _as_numbers(subject: Subject, name: str, before: pd.DataFrame, now: pd.DataFrame) -> bool:
    """Whether a column is compared as numbers."""
    feature = subject.schema[str(name)]
    held = {_family(side[name]) for side in (before, now)} - {None}
    if not feature.is_numeric or held - {"dates" if feature.kind == "datetime" else "numbers"}:
        return False
    if feature.kind != "integer" or not held:
        return True
    distinct = np.unique(np.concatenate([_numbers(side[name]) for side in (before, now)]))
    return int((~np.isnan(distinct)).sum()) > FEW


def _numbers(column: pd.Series) -> np.ndarray:
    if column.isna().all():
        return np.full(len(column), np.nan)
    if _family(column) == "dates":
        column = column.dt.as_unit("ns")  # two tables may count in different units
    return as_numbers(column)


def _levels(
    subject: Subject, name: str, before: pd.Series, now: pd.Series, comparisons: int
) -> _column.Compared:
    import pandas as pd

    if subject.schema[str(name)].kind == "text":
        before, now = (column.where(column.isna(), "present") for column in (before, now))
    if before.dtype != now.dtype:
        before, now = before.astype(object), now.astype(object)
    codes, names = pd.factorize(pd.concat([before, now], ignore_index=True))
    missing = bool((codes < 0).any())
    k = len(names) + missing
    counts = [np.bincount(c % k, minlength=k) for c in (codes[: len(before)], codes[len(before) :])]
    # Ordered by count and spelling, so that the order of rows changes nothing.
    total = counts[0] + counts[1]
    order = sorted(range(len(names)), key=lambda level: (-total[level], str(names[level])))
    placed = [*order, len(names)] if missing else order

    def printed(place: int) -> str:
        if missing and place == k - 1:
            return "missing"
        return subject.printable_level(name, names[placed[place]])

    return _column.levels(
        str(name), counts[0][placed], counts[1][placed], comparisons, printed=printed, missing=missing
    )  # fmt: skip
