"""A job file read: TOML, variables of the environment, and mistakes named by line and remedy."""

from __future__ import annotations

import difflib
import os
import re
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

from trustcheck import catalog
from trustcheck._secrets import SECRET_NAME, masked, remember, remember_url
from trustcheck.types import InputError

if TYPE_CHECKING:
    from pydantic import BaseModel, ValidationError

    from trustcheck.jobs._schema import Job

Place = tuple[str | int, ...]
_VARIABLE = re.compile(r"\$(?:\$|\{(?P<name>[A-Za-z_][A-Za-z0-9_]*)(?::-(?P<else>[^}]*))?\})")
# What stands here never reaches a report or a store, so it may hold a secret.
SECRET_PLACES: set[Place] = {
    ("history", "store"),
    *((table, key) for table in ("data", "reference", "monitor") for key in ("url", "query")),
}


def load(path: str | os.PathLike[str]) -> Job:
    """Read and check a job file; see :func:`trustcheck.jobs.load`."""
    source = Path(path)
    try:
        text = source.read_text("utf-8-sig")
    except (OSError, UnicodeDecodeError) as fault:
        why = getattr(fault, "strerror", None) or "it is not text in UTF-8"
        raise InputError(f"cannot read the job {str(source)!r}: {why}") from None
    try:
        content = tomllib.loads(text)
    except tomllib.TOMLDecodeError as fault:
        found = re.search(r"\(at line (\d+), column \d+\)", str(fault))
        line = found[1] if found else str(text.count("\n") + 1)
        why = str(fault).partition(" (at")[0]
        raise InputError(f"{source.name}:{line}: not valid TOML: {why}") from None
    where = _Where(source.name, text)
    return _checked(_expanded(content, where), where, source)


def _checked(content: Mapping[str, Any], where: _Where, source: Path) -> Job:
    try:
        import pydantic

        from trustcheck.jobs._schema import Job
    except ImportError:
        raise InputError("a job file needs pydantic: pip install 'trustcheck[jobs]'") from None
    try:
        job = Job.model_validate({"name": source.stem, **content})
    except pydantic.ValidationError as fault:
        said = dict.fromkeys(_mistakes(fault, where, Job))
        raise InputError(masked("\n".join(said))) from None
    named: dict[Place, str] = {("probes", i): name for i, name in enumerate(job.probes or ())}
    if job.ratchet is not None:
        named |= {("ratchet", "limits", key): key.partition("[")[0] for key in job.ratchet.limits}
    for place, name in named.items():
        try:
            catalog.find(name)
        except ValueError as fault:
            raise InputError(where.said(place, str(fault))) from None
    job._folder = source.resolve().parent  # noqa: SLF001 - pydantic's private attribute is ours
    return job


# Variables of the environment --------------------------------------------------------------------


def _expanded(content: Mapping[str, Any], where: _Where) -> dict[str, Any]:
    """Fill in ``${NAME}`` and ``${NAME:-else}``; refuse absent ones, and secrets where they could be seen."""
    mistakes: list[str] = []

    def fill(value: Any, place: Place) -> Any:
        if isinstance(value, Mapping):
            return {key: fill(item, (*place, key)) for key, item in value.items()}
        if isinstance(value, list):
            return [fill(item, (*place, i)) for i, item in enumerate(value)]
        if not isinstance(value, str):
            return value
        hidden = place in SECRET_PLACES

        def variable(found: re.Match[str]) -> str:
            name = found["name"]
            if name is None:
                return "$"
            got = os.environ.get(name) or found["else"]
            if not hidden and SECRET_NAME.search(name):
                mistakes.append(
                    where.said(
                        place,
                        f"{name} looks like a secret; secrets may stand in url, query and store"
                        " only, because all else is printed or stored",
                    )
                )
            elif got is None:
                mistakes.append(
                    where.said(place, f"the environment has no {name}; set it before the run")
                )
            elif name in os.environ:
                used[got] = name
            return got or ""

        used: dict[str, str] = {}
        filled = _VARIABLE.sub(variable, value)
        if hidden:
            remember_url(filled)
            for got, name in used.items():
                # A whole URL holds a password, which is remembered; a path holds none.
                if "://" not in got and (place[-1] == "query" or "://" in filled):
                    remember(got, name)
        return filled

    found: dict[str, Any] = fill(content, ())
    if mistakes:
        raise InputError("\n".join(mistakes))
    return found


# Mistakes ----------------------------------------------------------------------------------------


def _mistakes(fault: ValidationError, where: _Where, job: type[BaseModel]) -> Iterator[str]:
    """Yield one line for each mistake; a value is never quoted, it may be a secret."""
    for mistake in fault.errors(include_input=False, include_url=False):
        place = tuple(part for part in mistake["loc"] if not _is_branch(part))
        table, key = place[:-1], str(place[-1]) if place else ""
        name = f"[{'.'.join(map(str, table))}]" if table else "a job"
        kind, said = mistake["type"], mistake["msg"]
        if kind == "extra_forbidden":
            keys = _keys(job, table)
            close = difflib.get_close_matches(key, keys, n=1, cutoff=0.6)
            elsewhere = [
                f"into [{t[0]}]" if t else "above the first table"
                for t, k in _all_keys(job)
                if k == key and t != table
            ]
            hint = (
                f"did you mean {close[0]!r}?" if close
                else f"it belongs {elsewhere[0]}" if elsewhere
                else f"it has {', '.join(keys)}"
            )  # fmt: skip
            yield where.said(place, f"{name} has no key {key!r}: {hint}")
        elif kind == "missing":
            what = _describe(job, place)
            yield where.said(table, f"{name} lacks {key!r}{what}")
        elif kind == "value_error":
            yield where.said(place, said.removeprefix("Value error, "), named=bool(place))
        else:
            yield where.said(place, f"{_plain(said)}{_describe(job, place)}", named=True)


def _plain(said: str) -> str:
    """Return pydantic's sentence in the words of TOML."""
    said = said.replace("Input should be", "must be").replace("String should", "must")
    said = said.replace("a valid ", "a ").replace("valid dictionary", "table")
    return said.replace("a string", "a text in quotes").replace("a boolean", "true or false")


def _is_branch(part: str | int) -> bool:
    """Whether pydantic means a branch of a union, not a key."""
    return isinstance(part, str) and (part in ("str", "int", "float", "bool") or "[" in part)


def _part(job: type[BaseModel], table: Place) -> type[BaseModel] | None:
    """Return the model of a table of the file, or None where it has none of its own."""
    here: type[BaseModel] | None = job
    for name in table:
        fields = {} if here is None else here.model_fields
        info = next((i for key, i in fields.items() if (i.alias or key) == name), None)
        kinds = [] if info is None else [info.annotation, *get_args(info.annotation)]
        here = next((kind for kind in kinds if hasattr(kind, "model_fields")), None)
    return here


def _keys(job: type[BaseModel], table: Place) -> list[str]:
    part = _part(job, table)
    return [] if part is None else [i.alias or key for key, i in part.model_fields.items()]


def _all_keys(job: type[BaseModel]) -> Iterator[tuple[tuple[str, ...], str]]:
    for key in _keys(job, ()):
        yield (), key
        if _part(job, (key,)) is not job:
            yield from (((key,), inner) for inner in _keys(job, (key,)))


def _describe(job: type[BaseModel], place: Place) -> str:
    part = _part(job, place[:-1])
    if part is not None:
        for key, info in part.model_fields.items():
            if (info.alias or key) == place[-1] and info.description:
                return f" ({info.description.rstrip('.')})"
    return ""


class _Where:
    """Line numbers of the keys of a TOML text, by where they stand."""

    def __init__(self, name: str, text: str) -> None:
        self.name = name
        self.lines: dict[Place, int] = dict(_lines(text))

    def said(self, place: Place, what: str, *, named: bool = False) -> str:
        """Return ``file:line: what``, with the nearest line that is known."""
        known = next(
            (self.lines[place[:i]] for i in range(len(place), 0, -1) if place[:i] in self.lines), 1
        )
        key = f"{'.'.join(map(str, place))}: " if named else ""
        return f"{self.name}:{known}: {key}{what}"


_WORD = r"""(?:[A-Za-z0-9_-]+|"[^"\n]*"|'[^'\n]*')"""
_DOTTED = rf"{_WORD}(?:\s*\.\s*{_WORD})*"
_HEADER = re.compile(rf"^\s*(\[\[?)\s*({_DOTTED})\s*\]\]?\s*(?:#.*)?$")
_KEY = re.compile(rf"^\s*({_DOTTED})\s*=\s*(.*)$")


def _lines(text: str) -> Iterator[tuple[Place, int]]:
    """Yield each key's place and line. Good for messages: the parser itself is tomllib's."""
    table: Place = ()
    counts: dict[Place, int] = {}
    until = ""  # the quotes that end a text of several lines
    for number, line in enumerate(text.splitlines(), 1):
        if until:
            until = "" if until in line else until
            continue
        header, key = _HEADER.match(line), _KEY.match(line)
        if header is not None:
            table = _split(header[2])
            if header[1] == "[[":
                counts[table] = counts.get(table, -1) + 1
                table = (*table, counts[table])
            yield table, number
        elif key is not None:
            yield (*table, *_split(key[1])), number
            for quotes in ('"""', "'''"):
                if key[2].startswith(quotes) and quotes not in key[2][3:]:
                    until = quotes


def _split(dotted: str) -> Place:
    return tuple(word.strip("\"'") for word in re.findall(_WORD, dotted))
