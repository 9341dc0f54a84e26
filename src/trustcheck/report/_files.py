"""Reports written to files, whole or not at all, and read back."""

from __future__ import annotations

import os
import uuid
from collections.abc import Callable, Mapping
from pathlib import Path

from trustcheck.types import InputError, Report

ENDINGS = {
    ".html": "html",
    ".htm": "html",
    ".json": "json",
    ".md": "markdown",
    ".markdown": "markdown",
    ".xml": "junit",
}


def save(report: Report, path: str | os.PathLike[str], *, form: str | None = None) -> None:
    """Write a report; see :func:`trustcheck.report.save`."""
    target = Path(path)
    write(target, _FORMS[_form(target, form)](report))


def load(path: str | os.PathLike[str]) -> Report:
    """Read a report; see :func:`trustcheck.report.load`."""
    from trustcheck.report import _read

    try:
        content = Path(path).read_bytes()
    except (OSError, ValueError) as fault:
        why = getattr(fault, "strerror", None) or str(fault)
        raise InputError(f"cannot read {str(path)!r}: {why}") from fault
    try:
        return _read.loads(content)
    except InputError as fault:
        raise InputError(f"cannot read {Path(path).name!r}: {fault}") from fault


def write(target: Path, content: bytes) -> None:
    """Write a file beside its place and move it there, so that no reader sees half of it."""
    if not target.parent.is_dir():
        raise InputError(f"cannot write {target.name!r}: there is no folder {str(target.parent)!r}")
    if target.is_dir():
        raise InputError(f"cannot write {str(target)!r}: it is a folder")
    home = target.resolve()  # a link stays a link
    beside = home.with_name(f".{uuid.uuid4().hex}.tmp")
    try:
        with beside.open("xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(home)
    except OSError as fault:
        raise InputError(f"cannot write {str(target)!r}: {fault.strerror}") from fault
    finally:
        beside.unlink(missing_ok=True)


def _form(target: Path, form: str | None) -> str:
    if form is not None:
        if form not in _FORMS:
            raise InputError(f"no format {form!r}; there are: {', '.join(_FORMS)}")
        return form
    if target.suffix.lower() not in ENDINGS:
        raise InputError(
            f"the ending of {target.name!r} names no format; use {', '.join(ENDINGS)},"
            f" or say format= one of {', '.join(_FORMS)}"
        )
    return ENDINGS[target.suffix.lower()]


def _html(report: Report) -> bytes:
    from trustcheck.report import _html

    return _html.page(report).encode("utf-8")


def _json(report: Report) -> bytes:
    from trustcheck.report import _json

    return _json.dumps(report)


def _markdown(report: Report) -> bytes:
    from trustcheck.report import _markdown

    return _markdown.markdown(report).encode("utf-8")


def _model_card(report: Report) -> bytes:
    from trustcheck.report import _model_card

    return _model_card.model_card(report).encode("utf-8")


def _junit(report: Report) -> bytes:
    from trustcheck.report import _junit

    return _junit.junit(report)


_FORMS: Mapping[str, Callable[[Report], bytes]] = {
    "html": _html,
    "json": _json,
    "markdown": _markdown,
    "model-card": _model_card,
    "junit": _junit,
}
