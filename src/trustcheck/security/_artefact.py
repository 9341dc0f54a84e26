"""Is the model's file the one that was approved, and would loading it run foreign code?"""

from __future__ import annotations

import json
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from trustcheck.probe import probe
from trustcheck.subject import (
    PickleScan,
    files_of,
    hash_of,
    locate,
    scan_names,
    scan_pickle,
    sha256,
)
from trustcheck.types import Assurance, Estimate, InputError, Measurement, Method, Row

if TYPE_CHECKING:
    from trustcheck.subject import Subject

UNIT = "faults of the file: pins that do not hold, calls no model needs, parts nobody can follow"
#: How the files of formats begin that hold numbers and no code.
_NO_CODE = {
    b"CBM1": "CatBoost",
    b"tree\n": "LightGBM text",
    b"{L": "XGBoost UBJSON",
    b"PAR1": "Parquet",
    b"\x93NUMPY": "NumPy array",
}
_TEXT = {".json", ".yaml", ".yml", ".md", ".txt", ".csv", ".toml", ".xml", ".pmml"}
_TEXT_NAMES = {"MLmodel", "README", "LICENSE"}
_BY_NAME = {".onnx": "ONNX", ".safetensors": "safetensors"}
_PICKLES = (".pkl", ".pickle", ".joblib", ".sav", ".model")
#: How pickles begin, bare or compressed as joblib does it.
_PICKLE_STARTS = (b"\x80", b"\x1f\x8b", b"BZh", b"\xfd7zXZ", b"\x5d\x00", b"\x78")
_MOST_NAMED = 5


@dataclass(frozen=True, slots=True)
class Inspected:
    """One file: its format, what its loading would name, and what is wrong or unknown."""

    format: str
    scan: PickleScan | None = None
    faults: tuple[str, ...] = ()
    unknown: str | None = None


@probe(
    title="Model file",
    question="Is the model's file the one that was approved, and would loading it run foreign code?",
    headline="faults",
    unit=UNIT,
    better="low",
    keys=("security.data_integrity", "security.cybersecurity"),
    clauses=("8.2.2", "5.5"),
    needs=("artefact",),
    cost="none",
    weights=True,
    clusters=True,
)
def artefact(subject: Subject, rng: np.random.Generator) -> Measurement:
    """Compare the model's file with its pin, and follow it without loading it.

    Pickles (bare, joblib, inside PyTorch archives) are walked opcode by opcode and what they
    would import is listed; nothing of them is executed. The names are sorted as Trail of Bits'
    fickling (2021) and Hugging Face's picklescan sort them: those that can run commands, read
    files or load code are faults.

    Parameters
    ----------
    subject : Subject
        With ``context=tc.Context(artefact=path)``, a file or folder, or
        ``artefact={"path": path, "sha256": "..."}`` to pin it to what was approved.

    Returns
    -------
    Finding
        Headline ``faults``, at least 0; further metric ``unfamiliar``, classes and functions of
        packages that models are not usually made of. One detail row per file.

    Raises
    ------
    InputError
        If there is no such file, or the pin is no SHA-256.

    Examples
    --------
    >>> import os, pickle, tempfile
    >>> import trustcheck as tc
    >>> class Trojan:
    ...     def __reduce__(self):
    ...         return os.getpid, ()
    >>> file = tempfile.NamedTemporaryFile(suffix=".pkl")
    >>> pickle.dump(Trojan(), file)
    >>> file.flush()
    >>> subject = tc.Subject(
    ...     lambda X: X[:, 0],
    ...     [[0.0], [1.0]],
    ...     task="regression",
    ...     context=tc.Context(artefact=file.name),
    ... )
    >>> finding = artefact(subject)
    >>> finding.value, "getpid" in finding.rows[0]["faults"]
    (1.0, True)
    """
    del rng  # nothing is drawn
    path, pin = locate(subject.context.artefact)
    files = files_of(path)
    if not files:
        raise InputError(f"context.artefact: the folder {path.name!r} is empty")
    found = [(file, inspect(file)) for file in files]
    digest = hash_of(path)
    moved = pin is not None and digest != pin
    faults = sum(len(seen.faults) for _, seen in found) + moved
    unfamiliar = sorted({name for _, seen in found if seen.scan for name in seen.scan.unknown})
    open_ends = [f"{file.name} ({seen.unknown})" for file, seen in found if seen.unknown]
    rows = tuple(_row(file, path, seen) for file, seen in found)
    notes = [_pinned(path, pin, digest)]
    if any(seen.scan is not None for _, seen in found):
        notes.append(
            "A pickle is a program: one that names nothing dangerous can still be made to do harm"
            " by ways the scan does not know. Formats that hold no code (skops, ONNX) are safer."
        )
    return Measurement(
        {
            "faults": _exact(faults, len(files), UNIT),
            "unfamiliar": _exact(
                len(unfamiliar), len(files), "names of packages models are seldom made of"
            ),
        },
        rows=rows,
        notes=tuple(notes),
        assurance=Assurance.SEARCHED,
        incomplete=f"nobody can say what is in {', '.join(open_ends[:3])}" if open_ends else None,
    )


def inspect(file: Path) -> Inspected:
    """Tell a file's format by its first bytes and follow what can run code."""
    with file.open("rb") as opened:
        start = opened.read(16)
    suffix = file.suffix.lower()
    if zipfile.is_zipfile(file):
        return _archive(file)
    for begins, name in _NO_CODE.items():
        if start.startswith(begins):
            return Inspected(name)
    if start.startswith(_PICKLE_STARTS) or suffix in _PICKLES:
        return _pickle(file, "pickle")
    if suffix in _BY_NAME:
        return Inspected(_BY_NAME[suffix])
    if (suffix in _TEXT or file.name in _TEXT_NAMES) and b"\0" not in start:
        return Inspected("text")
    if suffix == ".py":
        return Inspected("Python source", unknown="source code that loading may run")
    return Inspected("unknown", unknown="a format this probe does not know")


def _pickle(pickled: Path | bytes, kind: str) -> Inspected:
    try:
        scan = scan_pickle(pickled)
    except InputError:
        return Inspected(kind, faults=("it cannot be followed to its end",))
    return Inspected(kind, scan, _calls(scan))


def _calls(scan: PickleScan) -> tuple[str, ...]:
    return tuple(f"names {name}" for name in scan.dangerous)


def _archive(file: Path) -> Inspected:
    """Inspect a zip archive: skops, PyTorch, NumPy, or one nobody knows."""
    with zipfile.ZipFile(file) as archive:
        members = archive.namelist()
        if "schema.json" in members:
            try:
                scan = scan_names(_skops_types(json.loads(archive.read("schema.json"))))
            except (ValueError, RecursionError):
                return Inspected("skops", faults=("its schema cannot be read",))
            return Inspected("skops", scan, _calls(scan))
        if members and all(name.endswith(".npy") for name in members):
            return Inspected("NumPy arrays")
        pickles = [name for name in members if name.endswith((".pkl", ".pickle"))]
        if not pickles:
            return Inspected("archive", unknown="an archive of unknown parts")
        seen = [_pickle(archive.read(name), "PyTorch archive") for name in pickles]
    scan = scan_names(name for part in seen if part.scan for name in part.scan.names)
    return Inspected("PyTorch archive", scan, tuple(f for part in seen for f in part.faults))


def _skops_types(node: Any) -> Iterator[str]:
    """Yield the types and functions a skops schema would build."""
    if isinstance(node, dict):
        if isinstance(node.get("__module__"), str) and isinstance(node.get("__class__"), str):
            yield f"{node['__module__']}.{node['__class__']}"
        for value in node.values():
            yield from _skops_types(value)
    elif isinstance(node, list):
        for value in node:
            yield from _skops_types(value)


def _pinned(path: Path, pin: str | None, digest: str) -> str:
    if pin is None:
        return (
            f"The file is pinned to nothing. Once it is approved, name its hash:"
            f' artefact={{"path": "{path.name}", "sha256": "{digest}"}}.'
        )
    if digest == pin:
        return "The file is byte by byte the one it is pinned to."
    return f"The file is not the one it is pinned to: its SHA-256 is {digest}."


def _row(file: Path, path: Path, seen: Inspected) -> Row:
    named = seen.scan.unknown if seen.scan else ()
    return {
        "file": file.relative_to(path).as_posix() if path.is_dir() else file.name,
        "format": seen.format,
        "sha256": sha256(file)[:12],
        "names": None if seen.scan is None else len(seen.scan.names),
        "faults": _listed(seen.faults),
        "unfamiliar": _listed(named),
        "unknown": seen.unknown,
    }


def _listed(names: tuple[str, ...]) -> str | None:
    more = f" and {len(names) - _MOST_NAMED} more" if len(names) > _MOST_NAMED else ""
    return ", ".join(names[:_MOST_NAMED]) + more if names else None


def _exact(value: int, n: int, unit: str) -> Estimate:
    return Estimate(value, value, value, n=n, unit=unit, method=Method.EXACT, range=(0.0, None))
