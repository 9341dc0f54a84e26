"""Can people be told apart by what others may know of them?"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from trustcheck.privacy._detectors import tokens
from trustcheck.privacy._tables import tables
from trustcheck.probe import probe
from trustcheck.stats import anonymity as stats
from trustcheck.types import (
    Assurance,
    Better,
    Estimate,
    InputError,
    Measurement,
    Method,
    NotMeasurable,
    Row,
)

if TYPE_CHECKING:
    import pandas as pd

    from trustcheck.subject import Subject
    from trustcheck.subject._side import Side

#: Words in the names of columns that neighbours, employers or the press can know.
KNOWN = frozenset(
    {"age", "birth", "birthday", "birthdate", "dob", "born", "sex", "gender", "race", "ethnicity",
     "nationality", "zip", "zipcode", "postcode", "postal", "plz", "city", "town", "county"}
)  # fmt: skip
#: Columns in a combination chosen by default; levels beyond which a column is no category.
MOST, LEVELS = 6, 100


@probe(
    title="Anonymity",
    question="Can people be told apart by what others may know of them?",
    headline="share_below_k",
    unit="share of rows that fewer than k people share",
    better="low",
    keys=("privacy.anonymisation",),
    clauses=("8.3", "9.6"),
    needs=("features",),
    cost="none",
    clusters=True,
)
def anonymity(
    subject: Subject,
    rng: np.random.Generator,
    *,
    columns: str | Sequence[str] | None = None,
    k: int = 5,
) -> Measurement:
    """Count how many rows share their combination of quasi-identifiers (Sweeney 2002).

    Exact for the table: a table given away is a census of itself, so there is no interval. The
    table is the reference (the training data), or the given data where there is none.

    Parameters
    ----------
    subject : Subject
        With a table.
    columns : str or list of str, optional
        Quasi-identifiers: what somebody may know of a person, columns of the table or sensitive
        ones. Unless given: the sensitive columns and those called like an age, sex, date of
        birth, origin or place; where these are fewer than two, categories and whole numbers up to
        six columns in all.
    k : int
        The least number of people who must share a combination, at least 2.

    Returns
    -------
    Finding
        Headline ``share_below_k``, 0 to 1; further metrics ``k`` (smallest class),
        ``unique_rows`` and, for labelled classes, ``l_diversity`` (fewest different labels in a
        class). A missing value is a value of its own. One detail row per column: what remains
        when it is left out.

    Raises
    ------
    InputError
        If a column is unknown or ``k`` is below 2.

    Examples
    --------
    >>> import pandas as pd
    >>> import trustcheck as tc
    >>> X = pd.DataFrame({"age": [30] * 8 + [31, 32], "sex": ["f", "m"] * 5})
    >>> anonymity(tc.Subject.from_predictions([0, 1] * 5, [0, 1] * 5, X=X), k=2).value
    0.2
    """
    del rng  # nothing is drawn
    if k < 2:
        raise InputError("k must be at least 2: a class of one is what it is about")
    held = tables(subject)
    where = "reference" if "reference" in held else "given data"
    side, frame = held[where]
    names, how = _choose(subject, frame, columns, where)
    people = subject.clusters if where == "given data" else None
    codes = np.column_stack([_codes(frame[name]) for name in names])
    group = stats.classes(codes)
    sizes = _sizes(group, people)
    size, rows = _histogram(sizes, group)
    share = stats.share_below(size, rows, k)
    n = side.n
    metrics = {
        "share_below_k": _exact(
            share.value, n, "share of rows that fewer than k people share", 1.0
        ),
        "k": _exact(sizes.min(), n, "people in the smallest class", None, Better.HIGH, 1.0),
        "unique_rows": _exact((sizes == 1).sum(), n, "classes that hold one person", None),
    }
    diversity = _diversity(subject, side, group)
    if diversity is not None:
        unit = "fewest different labels in a class"
        metrics["l_diversity"] = _exact(diversity, n, unit, None, Better.HIGH, 1.0)
    notes = [
        f"In the {where}, by {', '.join(names)} ({how}): {len(sizes)} combinations, k = {k}.",
        "k-anonymity is a minimum, not a guarantee: those who know more tell more people apart.",
    ]
    if subject.has_clusters and people is None:
        notes.append("Which reference rows belong to one person is not known: each counts as one.")
    if where == "given data":
        notes.append("The given rows are a part of the data; the table to judge is the whole one.")
    return Measurement(
        metrics,
        rows=tuple(_without(codes, names, people, k)) if len(names) > 1 else (),
        statistics={"size": size.tolist(), "rows": rows.tolist(), "k": k},
        formula="anonymity.share_below",
        notes=tuple(notes),
        assurance=Assurance.PROVEN,
        picture="bars" if len(names) > 1 else None,
    )


def _exact(
    value: float,
    n: int,
    unit: str,
    top: float | None,
    better: Better = Better.LOW,
    bottom: float = 0.0,
) -> Estimate:
    return Estimate(
        value, value, value, n=n, unit=unit, method=Method.EXACT, range=(bottom, top), better=better
    )


def _choose(
    subject: Subject, frame: pd.DataFrame, columns: str | Sequence[str] | None, where: str
) -> tuple[list[str], str]:
    """Return the quasi-identifiers and how they were chosen."""
    if columns is not None:
        names = list(dict.fromkeys([columns] if isinstance(columns, str) else map(str, columns)))
        unknown = [name for name in names if name not in frame]
        if unknown or not names:
            raise InputError(
                f"columns= must name columns of the {where}, which lacks {', '.join(unknown)};"
                f" it has {', '.join(frame.columns)}"
                if unknown
                else "columns= names no column; leave it out for the default"
            )
        return names, "as asked"
    every = [str(name) for name in frame.columns]
    held = [name for name in subject.sensitive if name in every]
    known = [name for name in every if name not in held and KNOWN & set(tokens(name))]
    if len(held + known) >= 2:
        return (held + known)[:MOST], "sensitive, or named like what others know"
    rest = [name for name in every if name not in held + known and _countable(frame[name])]
    chosen = (held + known + rest)[:MOST]
    if not chosen:
        raise NotMeasurable(
            "no column is a category or a whole number, so nothing is known to tell people apart;"
            " name the quasi-identifiers with columns="
        )
    return chosen, "the first categories and whole numbers"


def _countable(column: pd.Series) -> bool:
    import pandas as pd

    if pd.api.types.is_float_dtype(column):
        values = column.to_numpy(dtype=float, na_value=np.nan)
        values = values[np.isfinite(values)]
        if np.any(values != np.round(values)):
            return False
    return not pd.api.types.is_datetime64_any_dtype(column) and column.nunique() <= LEVELS


def _codes(column: pd.Series) -> np.ndarray:
    import pandas as pd

    values = column.astype(object) if column.dtype == object else column
    try:
        codes = pd.factorize(values, use_na_sentinel=True)[0]
    except TypeError:  # lists and the like
        codes = pd.factorize(values.map(repr))[0]
    return np.asarray(codes, dtype=np.int64) + 1  # missing is 0


def _sizes(group: np.ndarray, people: np.ndarray | None) -> np.ndarray:
    """Return how many people each class holds; a row is a person unless rows belong together."""
    if people is None:
        return np.bincount(group)
    return stats.distinct_within(group, people)


def _histogram(sizes: np.ndarray, group: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return np.unique(sizes[group], return_counts=True)


def _diversity(subject: Subject, side: Side, group: np.ndarray) -> int | None:
    if subject.task == "regression" or not side.has_truth:
        return None
    return int(stats.distinct_within(group, side.truth).min())


def _without(codes: np.ndarray, names: list[str], people: np.ndarray | None, k: int) -> list[Row]:
    """Return what remains when one column is left out: the column to coarsen first."""
    rows: list[Row] = []
    for j, name in enumerate(names):
        group = stats.classes(np.delete(codes, j, axis=1))
        sizes = _sizes(group, people)
        rows.append(
            {
                "column": name,
                "levels": len(np.unique(codes[:, j])),
                "share_below_k_without": stats.share_below(*_histogram(sizes, group), k).value,
                "unique_rows_without": int((sizes == 1).sum()),
            }
        )
    return rows
