"""Registers of documents, read and checked: kind, owner, date, file and how long it holds."""

from __future__ import annotations

import datetime as dt
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Any

from trustcheck import standard
from trustcheck.subject import sha256
from trustcheck.types import InputError

FIELDS = ("kind", "owner", "date", "path", "valid_days")


@dataclass(frozen=True)
class Document:
    """One entry of a register.

    Parameters
    ----------
    kind : str
        Id of a kind of document in the standard.
    owner : str
        Who answers for it; empty if nobody is named.
    date : datetime.date or None
        Its last approval.
    file : Path or None
        Where it lies.
    valid_days : int
        For how many days after its date it holds.
    """

    kind: str
    owner: str
    date: dt.date | None
    file: Path | None
    valid_days: int

    def digest(self) -> str | None:
        """Return the hash of the file, or None where there is none."""
        return sha256(self.file) if self.file is not None and self.file.is_file() else None

    def fresh(self, today: dt.date) -> bool:
        """Whether it holds on that day."""
        return self.date is not None and 0 <= (today - self.date).days <= self.valid_days

    def lacks(self, today: dt.date) -> list[str]:
        """Say in words what is wrong with it; nothing if it is complete."""
        found = [] if self.owner else ["no owner is named"]
        if self.date is None:
            found.append("no date is given")
        elif self.date > today:
            found.append("its date lies in the future")
        elif not self.fresh(today):
            found.append(f"it is {(today - self.date).days} days old and holds {self.valid_days}")
        if self.file is None:
            found.append("no file is named")
        elif not self.file.is_file():
            found.append("there is no such file")
        elif not self.file.stat().st_size:
            found.append("the file is empty")
        elif blanks := self.file.read_bytes().count(standard.BLANK.encode()):
            found.append(f"{blanks} places of its template are not filled in")
        return found


def read(documents: Any, valid_days: int) -> list[Document]:
    """Return the user's register, or say what to change in it.

    Parameters
    ----------
    documents : path, mapping or list
        A TOML file; entries by kind; or a list of entries. A TOML file and a mapping may also hold
        a list of entries under ``document``. Files are sought beside the TOML file.
    valid_days : int
        For entries that do not say how long they hold.
    """
    folder = Path()
    if isinstance(documents, (str, PathLike)):
        path = Path(documents)
        folder, documents = path.parent, _toml(path)
    return [_entry(at, raw, folder, valid_days) for at, raw in enumerate(_listed(documents))]


def _toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text("utf-8"))
    except OSError as fault:
        raise InputError(f"documents: the register {path.name!r} cannot be opened") from fault
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as fault:
        raise InputError(f"documents: the register {path.name!r} is no valid TOML") from fault


def _listed(documents: Any) -> Iterable[Mapping[str, Any]]:
    entries: list[Any] = []
    if isinstance(documents, Mapping):
        for kind, value in documents.items():
            several = (
                value if isinstance(value, Sequence) and not isinstance(value, str) else [value]
            )
            if kind == "document":
                entries += several
            else:
                entries += [
                    {"kind": kind, **_mapping(entry, f"of kind {kind!r}")} for entry in several
                ]
    elif isinstance(documents, Sequence):
        entries = list(documents)
    else:
        raise InputError(
            f"documents must be a TOML file, a mapping or a list, but it is a {type(documents).__name__}"
        )
    return [_mapping(entry, f"number {at}") for at, entry in enumerate(entries)]


def _mapping(entry: Any, which: str) -> Mapping[str, Any]:
    if not isinstance(entry, Mapping):
        raise InputError(
            f"documents: the entry {which} must give {', '.join(FIELDS)} by name,"
            f" but it is a {type(entry).__name__}"
        )
    return entry


def _entry(at: int, raw: Mapping[str, Any], folder: Path, valid_days: int) -> Document:
    unknown = [str(name) for name in raw if name not in FIELDS]
    if unknown:
        raise InputError(
            f"documents: entry number {at} has no field {', '.join(unknown)};"
            f" the fields are {', '.join(FIELDS)}"
        )
    try:
        kind = standard.load().document_kind(str(raw.get("kind", ""))).id
    except KeyError as fault:
        known = ", ".join(known.id for known in standard.load().document_kinds)
        raise InputError(
            f"documents: entry number {at}: {fault.args[0]}; the kinds are {known}"
        ) from fault
    days = raw.get("valid_days", valid_days)
    if isinstance(days, bool) or not isinstance(days, int) or days < 1:
        raise InputError(f"documents: {kind}: valid_days must be a whole number above 0")
    place = raw.get("path")
    if place is not None and not isinstance(place, (str, PathLike)):
        raise InputError(
            f"documents: {kind}: path must be a path, but it is a {type(place).__name__}"
        )
    owner = str(raw.get("owner") or "").strip()
    file = folder / place if place else None
    return Document(kind, owner, _date(kind, raw.get("date")), file, days)


def _date(kind: str, value: Any) -> dt.date | None:
    if value is None or value == "":
        return None
    if isinstance(value, dt.datetime):
        return value.date()
    if isinstance(value, dt.date):
        return value
    try:
        return dt.date.fromisoformat(value)
    except (TypeError, ValueError) as fault:
        raise InputError(f"documents: {kind}: date must be written 2026-05-31") from fault
