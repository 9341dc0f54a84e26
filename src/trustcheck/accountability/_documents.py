"""Is the written evidence there, owned, dated and current?"""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import numpy as np

from trustcheck import standard
from trustcheck.accountability._register import Document, read
from trustcheck.probe import probe
from trustcheck.types import Assurance, Estimate, InputError, Measurement, Method, Row

if TYPE_CHECKING:
    from trustcheck.subject import Subject


@probe(
    title="Documents",
    question="Is the written evidence there, owned, dated and current?",
    headline="complete",
    unit="share of the kinds of document that are complete",
    better="high",
    keys=("accountability.legal_norms",),
    clauses=("7.1", "9.11.1"),
    needs=("documents",),
    cost="none",
    weights=True,
    clusters=True,
)
def documents(
    subject: Subject,
    rng: np.random.Generator,
    *,
    kinds: tuple[str, ...] | None = None,
    valid_days: int = 365,
    today: str | None = None,
) -> Measurement:
    """Check a register of documents against the kinds that laws and standards ask for.

    Whether a document is there, not whether it is true: this is declared evidence. Files are
    hashed; their contents are neither read for meaning nor printed.

    Parameters
    ----------
    subject : Subject
        With ``context=tc.Context(documents=register)``: a TOML file, a mapping by kind or a list
        of entries. Fields of an entry: ``kind``, ``owner``, ``date`` (of its last approval),
        ``path`` and, optionally, ``valid_days``.
    kinds : tuple of str, optional
        Kinds that have to be there; all eight unless given.
    valid_days : int
        Days a document holds after its date unless it says otherwise, above 0.
    today : str, optional
        The day to judge by, ``"2026-05-31"``; the day of the run unless given.

    Returns
    -------
    Finding
        Headline ``complete``, 0 to 1: share of the kinds with a document that is owned, dated,
        current and whose file exists. One detail row per kind. Assurance ``declared``.

    Raises
    ------
    InputError
        If the register, a kind or the day cannot be read; the message says what to change.

    Examples
    --------
    >>> import trustcheck as tc
    >>> register = {"incident_response_protocol": {"owner": "B. Lee", "date": "2026-01-10"}}
    >>> subject = tc.Subject(
    ...     lambda X: X[:, 0],
    ...     [[0.0], [1.0]],
    ...     task="regression",
    ...     context=tc.Context(documents=register),
    ... )
    >>> finding = documents(subject, today="2026-05-31")
    >>> finding.value, finding.rows[5]["lacks"]
    (0.0, 'no file is named')
    """
    del rng  # nothing is drawn
    day = _day(today)
    if valid_days < 1:
        raise InputError("valid_days must be at least 1")
    asked = _kinds(kinds)
    register = read(subject.context.documents, valid_days)
    rows = [
        _row(kind, [entry for entry in register if entry.kind == kind.id], day) for kind in asked
    ]
    done = sum(row["complete"] is True for row in rows) / len(rows)
    note = (
        f"As of {day.isoformat()}. A document that exists may still be wrong: this is what the"
        " register declares, and no measured score of another attribute rises with it."
    )
    unit = "share of the kinds of document that are complete"
    estimate = Estimate(
        done, done, done, n=len(rows), unit=unit, method=Method.EXACT, range=(0.0, 1.0)
    )
    return Measurement(
        {"complete": estimate}, rows=tuple(rows), notes=(note,), assurance=Assurance.DECLARED
    )


def _day(today: str | None) -> dt.date:
    if today is None:
        return dt.datetime.now().astimezone().date()
    try:
        return dt.date.fromisoformat(today)
    except (TypeError, ValueError) as fault:
        raise InputError("today must be written 2026-05-31") from fault


def _kinds(kinds: tuple[str, ...] | str | None) -> tuple[standard.DocumentKind, ...]:
    outline = standard.load()
    if kinds is None:
        return outline.document_kinds
    try:
        found = [outline.document_kind(k) for k in ([kinds] if isinstance(kinds, str) else kinds)]
    except KeyError as fault:
        raise InputError(f"kinds: {fault.args[0]}") from fault
    if not found:
        raise InputError("kinds names no kind; leave it out for all of them")
    return tuple(found)


def _row(kind: standard.DocumentKind, entries: list[Document], day: dt.date) -> Row:
    """Return the state of a kind: that of its most complete document, then of its newest."""
    if not entries:
        return _state(kind, None, day)
    oldest = dt.date.min
    return _state(
        kind, min(entries, key=lambda e: (len(e.lacks(day)), oldest - (e.date or oldest))), day
    )


def _state(kind: standard.DocumentKind, entry: Document | None, day: dt.date) -> Row:
    lacks = ["no document of this kind is listed"] if entry is None else entry.lacks(day)
    digest = None if entry is None else entry.digest()
    return {
        "kind": kind.id,
        "title": kind.title,
        "complete": not lacks,
        "listed": entry is not None,
        "owner_named": entry is not None and bool(entry.owner),
        "date": entry.date.isoformat() if entry is not None and entry.date else None,
        "current": entry is not None and entry.fresh(day),
        "sha256": digest[:12] if digest else None,
        "lacks": "; ".join(lacks) or None,
        "attests": None if lacks else ", ".join(kind.attributes),
    }
