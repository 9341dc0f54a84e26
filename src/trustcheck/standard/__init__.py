"""ISO/IEC TR 24028:2020 as data: dimensions, clauses, counterparts elsewhere, document kinds.

Everything is read from ``tr24028.toml`` in this folder, the one place that holds a clause number
or title. Numbers and titles only: no clause text is reproduced.

The standard defines no levels of trustworthiness. Findings are keyed to it; scores are not its.

Examples
--------
>>> from trustcheck import standard
>>> tr = standard.load()
>>> [dimension.id for dimension in tr.dimensions]
['security', 'privacy', 'safety', 'reliability', 'transparency', 'accountability']
>>> tr.defines_levels
False
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Iterable

__all__ = [
    "Attribute",
    "Clause",
    "Crosswalk",
    "Dimension",
    "DocumentKind",
    "Framework",
    "Standard",
    "load",
]


#: What stands in a template where somebody has to write; a document that holds it is not complete.
BLANK = "[to complete]"


@dataclass(frozen=True, slots=True)
class Clause:
    """A clause of the standard: its number and title, and how sure we are of them.

    Parameters
    ----------
    id : str
        Clause number, e.g. ``"8.4"``.
    title : str
        Its title.
    status : str
        ``"C"`` seen in a public preview, ``"P"`` recalled and consistent with a public listing of
        the contents, ``"R"`` recalled only.
    confirmed : bool
        Whether number and title were seen; true for ``"C"`` alone.
    source : str
        Where they come from.
    note : str
        What else there is to say; mostly empty.
    """

    id: str
    title: str
    status: str
    confirmed: bool
    source: str
    note: str = ""

    @property
    def label(self) -> str:
        """Number and title, with a dagger where they are not confirmed.

        Examples
        --------
        >>> load().clause("8.4").label
        '8.4 Bias†'
        >>> load().clause("5.5").label
        '5.5 Hardware-assisted approaches'
        """
        return f"{self.id} {self.title}" + ("" if self.confirmed else "†")


@dataclass(frozen=True, slots=True)
class Attribute:
    """What a dimension is made of: the finest thing a probe or a document speaks to.

    Parameters
    ----------
    dimension : str
        Id of the dimension it belongs to.
    id : str
        Short id, unique within the dimension.
    title : str
        Its name in reports.
    meaning : str
        What it asks for, in plain words.
    """

    dimension: str
    id: str
    title: str
    meaning: str

    @property
    def key(self) -> str:
        """The full key, unique in the standard.

        Examples
        --------
        >>> load().dimension("privacy").attributes[0].key
        'privacy.data_minimisation'
        """
        return f"{self.dimension}.{self.id}"


@dataclass(frozen=True, slots=True)
class Dimension:
    """One of the six groups of attributes that a report has a row for.

    Parameters
    ----------
    id : str
        Short id, e.g. ``"reliability"``.
    title : str
        Its name in reports.
    summary : str
        What it is about, in one plain sentence.
    clauses : tuple of str
        Ids of the clauses it maps to.
    attributes : tuple of Attribute
        Its attributes, in the order of a report.
    """

    id: str
    title: str
    summary: str
    clauses: tuple[str, ...]
    attributes: tuple[Attribute, ...]


@dataclass(frozen=True, slots=True)
class Framework:
    """Another document that the dimensions are compared with.

    Parameters
    ----------
    id : str
        The name it is cited by.
    title : str
        Its full title.
    confirmed : bool
        Whether the references given to it were checked against its text or a transcription.
    source : str
        Where the references come from.
    note : str
        What else there is to say; may be empty.
    applies : tuple of (datetime.date, str)
        From when it applies, and to what, where it is a law with such dates.
    """

    id: str
    title: str
    confirmed: bool
    source: str
    note: str = ""
    applies: tuple[tuple[dt.date, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Crosswalk:
    """What one framework says on one dimension.

    Parameters
    ----------
    framework : str
        Id of the framework.
    dimension : str
        Id of the dimension.
    references : tuple of str
        Clauses, articles or controls; empty where the framework has no counterpart.
    confirmed : bool
        Whether the references were checked.
    source : str
        Where they come from.
    """

    framework: str
    dimension: str
    references: tuple[str, ...]
    confirmed: bool
    source: str


@dataclass(frozen=True, slots=True)
class DocumentKind:
    """A kind of written evidence, and the attributes it can attest.

    Parameters
    ----------
    id : str
        Slug of the kind, e.g. ``"incident_response_protocol"``.
    title : str
        Its name in reports.
    attributes : tuple of str
        Full keys of the attributes it speaks to.
    references : tuple of str
        Where laws and standards ask for it.
    """

    id: str
    title: str
    attributes: tuple[str, ...]
    references: tuple[str, ...]

    @property
    def dimensions(self) -> tuple[str, ...]:
        """Ids of the dimensions it speaks to, in the order of its attributes.

        Examples
        --------
        >>> load().document_kind("human_review_and_override_records").dimensions
        ('accountability', 'transparency')
        """
        return tuple(dict.fromkeys(key.partition(".")[0] for key in self.attributes))


@dataclass(frozen=True, slots=True)
class Standard:
    """The whole outline, with look-ups that name near matches when an id is unknown.

    Parameters
    ----------
    id, edition, title : str
        The document itself.
    defines_levels : bool
        Whether it defines levels of trustworthiness: it does not.
    note : str
        What follows from that for a score.
    dimensions : tuple of Dimension
        Six, in the order of a report.
    clauses : tuple of Clause
        In the order of the document.
    frameworks : tuple of Framework
        The documents compared with.
    crosswalks : tuple of Crosswalk
        One for each framework and dimension.
    document_kinds : tuple of DocumentKind
        Kinds of written evidence.
    """

    id: str
    edition: str
    title: str
    defines_levels: bool
    note: str
    dimensions: tuple[Dimension, ...]
    clauses: tuple[Clause, ...]
    frameworks: tuple[Framework, ...]
    crosswalks: tuple[Crosswalk, ...]
    document_kinds: tuple[DocumentKind, ...]

    @property
    def attributes(self) -> tuple[Attribute, ...]:
        """Every attribute, dimension by dimension."""
        return tuple(item for dimension in self.dimensions for item in dimension.attributes)

    def dimension(self, id: str) -> Dimension:  # noqa: A002 - the field it looks up is called id
        """Return a dimension.

        Parameters
        ----------
        id : str
            Its id.

        Raises
        ------
        KeyError
            If there is none; the message names near matches.

        Examples
        --------
        >>> load().dimension("reliability").title
        'Reliability & Robustness'
        """
        return _find("dimension", self.dimensions, id)

    def attribute(self, key: str) -> Attribute:
        """Return an attribute.

        Parameters
        ----------
        key : str
            Its full key, ``"dimension.attribute"``.

        Raises
        ------
        KeyError
            If there is none; the message names near matches.

        Examples
        --------
        >>> load().attribute("reliability.drift").title
        'Drift'
        >>> load().attribute("drift")
        Traceback (most recent call last):
            ...
        KeyError: "no attribute 'drift'; did you mean 'reliability.drift'?"
        """
        by_key = {item.key: item for item in self.attributes}
        if key in by_key:
            return by_key[key]
        raise _unknown("attribute", key, by_key)

    def clause(self, id: str) -> Clause:  # noqa: A002
        """Return a clause.

        Parameters
        ----------
        id : str
            Its number.

        Raises
        ------
        KeyError
            If there is none; the message names near matches.

        Examples
        --------
        >>> load().clause("3.42").title
        'trustworthiness'
        """
        return _find("clause", self.clauses, id)

    def framework(self, id: str) -> Framework:  # noqa: A002
        """Return a framework.

        Parameters
        ----------
        id : str
            The name it is cited by.

        Raises
        ------
        KeyError
            If there is none; the message names near matches.

        Examples
        --------
        >>> for date, to in load().framework("EU AI Act").applies:
        ...     print(date, to)
        2027-12-02 high-risk systems of Annex III
        2028-08-02 high-risk systems of Annex I
        """
        return _find("framework", self.frameworks, id)

    def document_kind(self, id: str) -> DocumentKind:  # noqa: A002
        """Return a kind of written evidence.

        Parameters
        ----------
        id : str
            Its slug.

        Raises
        ------
        KeyError
            If there is none; the message names near matches.

        Examples
        --------
        >>> load().document_kind("incident_response_protocol").title
        'Incident response protocol'
        """
        return _find("document kind", self.document_kinds, id)

    def crosswalk(self, dimension: str) -> tuple[Crosswalk, ...]:
        """Return what each framework says on a dimension.

        Parameters
        ----------
        dimension : str
            Id of the dimension.

        Raises
        ------
        KeyError
            If there is no such dimension; the message names near matches.

        Examples
        --------
        >>> rows = load().crosswalk("security")
        >>> rows[0].framework, rows[0].references
        ('NIST AI RMF 1.0', ('MEASURE 2.7',))
        """
        known = self.dimension(dimension).id
        return tuple(row for row in self.crosswalks if row.dimension == known)


@cache
def load() -> Standard:
    """Return the outline; read once, then shared.

    Returns
    -------
    Standard
        Frozen, so that sharing it is safe.

    Examples
    --------
    >>> load().id
    'ISO/IEC TR 24028:2020'
    """
    text = files(__name__).joinpath("tr24028.toml").read_text(encoding="utf-8")
    raw = tomllib.loads(text)
    dimensions = tuple(_dimension(item) for item in raw["dimension"])
    return Standard(
        **raw["document"],
        dimensions=dimensions,
        clauses=tuple(
            Clause(id=id_, **raw["status"][item["status"]] | item)
            for id_, item in raw["clause"].items()
        ),
        frameworks=tuple(_framework(item) for item in raw["framework"]),
        crosswalks=tuple(
            Crosswalk(
                framework=item["id"],
                dimension=dimension.id,
                references=tuple(item["references"][dimension.id]),
                confirmed=item["confirmed"],
                source=item["source"],
            )
            for dimension in dimensions
            for item in raw["framework"]
        ),
        document_kinds=tuple(
            DocumentKind(
                id=item["id"],
                title=item["title"],
                attributes=tuple(item["attributes"]),
                references=tuple(item["references"]),
            )
            for item in raw["document_kind"]
        ),
    )


def _dimension(raw: dict[str, Any]) -> Dimension:
    return Dimension(
        id=raw["id"],
        title=raw["title"],
        summary=raw["summary"],
        clauses=tuple(raw["clauses"]),
        attributes=tuple(Attribute(dimension=raw["id"], **item) for item in raw["attribute"]),
    )


def _framework(raw: dict[str, Any]) -> Framework:
    return Framework(
        id=raw["id"],
        title=raw["title"],
        confirmed=raw["confirmed"],
        source=raw["source"],
        note=raw.get("note", ""),
        applies=tuple((item["date"], item["to"]) for item in raw.get("applies", ())),
    )


class _HasId(Protocol):
    @property
    def id(self) -> str: ...


_T = TypeVar("_T", bound=_HasId)


def _find(kind: str, items: tuple[_T, ...], id_: str) -> _T:
    """Return the item with this id, or raise a KeyError that names the near ones."""
    for item in items:
        if item.id == id_:
            return item
    raise _unknown(kind, id_, (item.id for item in items))


def _unknown(kind: str, asked: str, known: Iterable[str]) -> KeyError:
    names = list(known)
    near = [name for name in names if asked and asked.casefold() in name.casefold()]
    near = (near or get_close_matches(asked, names))[:3]
    hint = f"; did you mean {' or '.join(map(repr, near))}?" if near else ""
    return KeyError(f"no {kind} {asked!r}{hint}")
