"""Does the data hold columns that say who a person is?"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from trustcheck.privacy import _detectors as detect
from trustcheck.privacy._tables import tables
from trustcheck.probe import probe
from trustcheck.stats import intervals
from trustcheck.types import Assurance, Estimate, Measurement, Method, Row

if TYPE_CHECKING:
    import pandas as pd

    from trustcheck.subject import Subject

#: Cells of a column looked at; whether values repeat is asked of the whole column.
CELLS = 5_000
#: Fewest values on which "no value occurs twice" says anything, and how unique they must be.
FEWEST, NEAR_UNIQUE = 50, 0.99
#: One in ten random digit strings has a right check digit: cards have clearly more.
CHANCE = 0.3


class Suspicion(NamedTuple):
    """Why a column looks like an identifier: cells that match, cells asked, and the reason."""

    kind: str
    hits: int
    n: int
    reason: str


@probe(
    title="Personal identifiers",
    question="Does the data hold columns that say who a person is?",
    headline="columns",
    unit="columns that look like direct identifiers",
    better="low",
    keys=("privacy.anonymisation", "privacy.data_minimisation"),
    clauses=("8.3", "9.6"),
    needs=("features",),
    cost="none",
    weights=True,
    clusters=True,
)
def pii(subject: Subject, rng: np.random.Generator) -> Measurement:
    """Scan every column of the given data and the reference for direct identifiers.

    Patterns with check digits (Luhn 1960; ISO 13616), words in column names, and values that
    never repeat although chance would make them: the usual parts of such scanners. No cell is
    kept, printed or saved.

    Parameters
    ----------
    subject : Subject
        With a table. Columns the model does not read are scanned too.

    Returns
    -------
    Finding
        Headline ``columns``, at least 0; further metric ``inputs``, those of them that the model
        reads. One detail row per suspicious column.

    Examples
    --------
    >>> import pandas as pd
    >>> import trustcheck as tc
    >>> X = pd.DataFrame({"age": [31, 42], "contact": ["ann@example.org", "bob@example.org"]})
    >>> finding = pii(tc.Subject.from_predictions([0, 1], [0, 1], X=X))
    >>> finding.value, finding.rows[0]["column"], finding.rows[0]["kind"]
    (1.0, 'contact', 'e-mail')
    """
    held = tables(subject)
    size = CELLS // len(held)
    picks = {name: side.sample(size, rng) for name, (side, _) in held.items()}
    columns = list(dict.fromkeys(c for _, frame in held.values() for c in frame.columns))
    inputs = {str(name) for name in subject.features}
    rows: list[Row] = []
    for column in columns:
        where = {name: frame[column] for name, (_, frame) in held.items() if column in frame}
        found = _suspect(column, list(where.values()), [picks[name] for name in where])
        if found is not None:
            share = intervals.wilson(found.hits, found.n)
            rows.append(
                {
                    "column": column,
                    "kind": found.kind,
                    "share": share.value,
                    "low": share.low,
                    "high": share.high,
                    "n": found.n,
                    "reason": found.reason,
                    "where": " and ".join(where),
                    "model_input": column in inputs,
                }
            )
    count, read = len(rows), sum(bool(row["model_input"]) for row in rows)
    scanned = len(columns)
    note = (
        f"{scanned} columns scanned, up to {size} cells of each in the {' and in the '.join(held)}."
        " A scan finds what it knows: no finding is no proof of anonymity (see privacy.anonymity)."
    )
    return Measurement(
        {
            "columns": _exact(count, scanned, "columns that look like direct identifiers"),
            "inputs": _exact(read, scanned, "such columns that the model reads"),
        },
        rows=tuple(rows),
        notes=(note,),
        assurance=Assurance.SEARCHED,
    )


def _exact(value: int, n: int, unit: str) -> Estimate:
    return Estimate(value, value, value, n=n, unit=unit, method=Method.EXACT, range=(0.0, None))


def _suspect(name: str, columns: list[pd.Series], picks: list[np.ndarray]) -> Suspicion | None:
    """Return the first reason to take a column for an identifier."""
    import pandas as pd

    if any(_is_measured(column) for column in columns):
        return None
    cells = pd.concat(
        [column.iloc[at].astype(object) for column, at in zip(columns, picks, strict=True)],
        ignore_index=True,
    ).dropna()
    texts = Counter(_spell(cell) for cell in cells)
    if not texts:
        return None
    numeric = all(pd.api.types.is_numeric_dtype(column) for column in columns)
    return (
        (None if numeric else _by_pattern(texts))
        or _by_card(texts)
        or _by_name(name, texts, numeric=numeric)
        or max(
            (found for column in columns if (found := _by_uniqueness(name, column))),
            key=lambda found: found.n,
            default=None,
        )
    )


def _is_measured(column: pd.Series) -> bool:
    """Whether a column holds dates, yes or no, or numbers with a fraction: no identifier does."""
    import pandas as pd

    kind = pd.api.types
    if kind.is_bool_dtype(column) or kind.is_datetime64_any_dtype(column):
        return True
    if kind.is_timedelta64_dtype(column) or kind.is_complex_dtype(column):
        return True
    if not kind.is_float_dtype(column):
        return False
    values = column.to_numpy(dtype=float, na_value=np.nan)
    values = values[np.isfinite(values)]
    return bool(np.any(values != np.round(values)))


def _spell(cell: object) -> str:
    whole = isinstance(cell, (float, np.floating)) and float(cell).is_integer()
    return str(int(cell)) if whole else str(cell).strip()  # type: ignore[call-overload]


def _by_pattern(texts: Counter[str]) -> Suspicion | None:
    for kind, matches, least in detect.PATTERNS:
        hits = _hits(texts, matches)
        if hits and hits >= least * texts.total():
            return Suspicion(kind, hits, texts.total(), f"cells match the pattern of a {kind}")
    return None


def _by_card(texts: Counter[str]) -> Suspicion | None:
    shaped, hits = _hits(texts, detect.card_shaped), _hits(texts, detect.has_card)
    if hits < 3 or intervals.wilson(hits, shaped).low < CHANCE:
        return None
    reason = "numbers of a card's length have its check digit more often than chance"
    return Suspicion("payment card number", hits, texts.total(), reason)


def _by_name(name: str, texts: Counter[str], *, numeric: bool) -> Suspicion | None:
    several, half = len(texts) >= min(5, texts.total()), texts.total() / 2
    if several and not numeric and detect.names_a_person(name):
        hits = _hits(texts, detect.is_words)
        if hits >= half:
            reason = "the column is called like a person's name"
            return Suspicion("person name", hits, texts.total(), reason)
    if several and detect.names_a_phone(name):
        hits = _hits(texts, detect.is_dialled)
        if hits >= half:
            reason = "the column is called like a telephone number"
            return Suspicion("phone number", hits, texts.total(), reason)
    return None


def _hits(texts: Counter[str], matches: Callable[[str], bool]) -> int:
    return sum(count for text, count in texts.items() if matches(text))


def _by_uniqueness(name: str, column: pd.Series) -> Suspicion | None:
    import pandas as pd

    values = column.dropna()
    n = len(values)
    if n < FEWEST:
        return None
    once = int((~values.duplicated(keep=False)).sum())
    if detect.names_a_person_code(name) and values.nunique() >= max(FEWEST, n / 10):
        reason = "the column is called like a number given to a person or an account"
        return Suspicion("personal code", once, n, reason)
    if once < NEAR_UNIQUE * n:
        return None
    if pd.api.types.is_numeric_dtype(values):
        numbers = values.to_numpy()
    else:
        texts = values.astype(str)
        if not all(map(detect.whole, texts)):
            codes = sum(map(detect.is_code, texts)) >= 0.9 * n or all(map(str.isdigit, texts))
            reason = "nearly every row has a code of its own"
            return Suspicion("unique identifier", once, n, reason) if codes else None
        numbers = texts.astype("int64").to_numpy()
    if detect.names_a_code(name) or detect.never_twice(numbers) or detect.handed_out(numbers):
        reason = "nearly every row has a whole number of its own, as if given out"
        return Suspicion("unique identifier", once, n, reason)
    return None
