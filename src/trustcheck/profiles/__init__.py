"""Profiles: named sets of requirements, shipped as TOML, read from files, or written as dicts."""

from __future__ import annotations

import hashlib
import json
import tomllib
from collections.abc import Mapping
from dataclasses import fields
from importlib import resources
from pathlib import Path
from typing import Any

from trustcheck import catalog
from trustcheck.probe import PILLARS
from trustcheck.types import (
    Assurance,
    Dimension,
    InputError,
    Profile,
    Requirement,
    Severity,
)

_FIELDS = {field.name for field in fields(Requirement)} - {"key"}
_NAMES = {"class": "severity"}  # the word in files and dicts, and the field it fills
_KINDS = {"severity": Severity, "assurance": Assurance, "dimension": Dimension}


def shipped() -> list[str]:
    """Names of the profiles that come with the package.

    Examples
    --------
    >>> shipped()
    ['default']
    """
    folder = resources.files(__name__)
    return sorted(f.name[: -len(".toml")] for f in folder.iterdir() if f.name.endswith(".toml"))


def load(source: Any = "default") -> Profile:
    """Return a profile from a shipped name, a path to TOML, a mapping, or a profile.

    Parameters
    ----------
    source : str, path, mapping or Profile
        A mapping goes from finding keys to ``{"at_most": ..., ...}``; only a limit is needed.

    Raises
    ------
    InputError
        If a file, a key or a value cannot be read; the message names it.

    Examples
    --------
    >>> load({"fairness.demographic_parity": {"at_most": 0.1}}).requirements[0].limit_text
    'at most 0.1'
    """
    if isinstance(source, Profile):
        return source
    if isinstance(source, Mapping):
        return _build({"name": "inline", "requirements": source}, where="the profile given")
    text, where = _read(source)
    try:
        content = tomllib.loads(text)
    except tomllib.TOMLDecodeError as fault:
        raise InputError(f"{where} is not valid TOML: {fault}") from fault
    return _build(content, where=where)


def _read(source: Any) -> tuple[str, str]:
    if isinstance(source, str) and source in shipped():
        return resources.files(__name__).joinpath(f"{source}.toml").read_text(
            "utf-8"
        ), f"profile {source!r}"
    path = Path(source)
    if not path.is_file():
        raise InputError(
            f"no profile {str(source)!r}: it is neither a file nor a shipped name ({', '.join(shipped())})"
        )
    return path.read_text("utf-8"), f"profile file {path.name}"


def _build(content: Mapping[str, Any], *, where: str) -> Profile:
    unknown = set(content) - {"name", "version", "description", "inconclusive", "requirements"}
    if unknown:
        raise InputError(f"{where} has unknown keys {', '.join(sorted(unknown))}")
    inconclusive = content.get("inconclusive", "warn")
    if inconclusive not in ("warn", "fail"):
        raise InputError(f"{where}: inconclusive must be 'warn' or 'fail', not {inconclusive!r}")
    requirements = tuple(
        _requirement(key, value, where) for key, value in content.get("requirements", {}).items()
    )
    canonical = json.dumps(content, sort_keys=True, default=str).encode()
    return Profile(
        name=str(content.get("name", "unnamed")),
        version=str(content.get("version", "1")),
        description=str(content.get("description", "")),
        inconclusive=inconclusive,
        requirements=requirements,
        sha256=hashlib.sha256(canonical).hexdigest(),
    )


def _requirement(key: str, value: Any, where: str) -> Requirement:
    if not isinstance(value, Mapping):
        raise InputError(
            f"{where}: requirement {key!r} must be a table with a limit, e.g. at_most = 0.1"
        )
    given: dict[str, Any] = {_NAMES.get(str(k), str(k)): item for k, item in value.items()}
    unknown = sorted(set(given) - _FIELDS)
    if unknown:
        raise InputError(f"{where}: requirement {key!r} has unknown keys {', '.join(unknown)}")
    for name, kind in _KINDS.items():
        if given.get(name) is not None:
            try:
                given[name] = kind(given[name])
            except ValueError as fault:
                choices = ", ".join(kind)
                raise InputError(
                    f"{where}: requirement {key!r}: {name} must be one of {choices}, not {given[name]!r}"
                ) from fault
    for name in ("at_most", "at_least", "target", "worst", "weight"):
        item = given.get(name)
        if item is not None and (isinstance(item, bool) or not isinstance(item, (int, float))):
            raise InputError(f"{where}: requirement {key!r}: {name} must be a number, not {item!r}")
    bare = key.partition("[")[0]
    known = catalog.probes().get(bare)
    pillar = bare.partition(".")[0]
    given.setdefault("family", bare)
    if known is not None:
        given.setdefault("dimension", known.dimension)
        given.setdefault("title", known.title)
    elif pillar in PILLARS:
        given.setdefault("dimension", PILLARS[pillar])
        given.setdefault("title", bare)
    elif given.get("dimension") is None:
        raise InputError(
            f"{where}: {key!r} names no pillar of trustcheck ({', '.join(PILLARS)});"
            " for a probe of another package say its dimension"
        )
    try:
        return Requirement(key=key, **given)
    except (TypeError, ValueError) as fault:
        raise InputError(f"{where}: {fault}") from fault
