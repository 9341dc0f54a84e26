"""Model files: their hash, and what a pickle would import, found without running any of it."""

from __future__ import annotations

import bz2
import gzip
import hashlib
import io
import json
import lzma
import math
import pickle
import re
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np

from trustcheck.types import InputError

# What a pickle has to name to run a command, read a file or load code.
_DANGEROUS_MODULES = frozenset(
    [
        "os",
        "posix",
        "nt",
        "posixpath",
        "subprocess",
        "sys",
        "shutil",
        "socket",
        "ctypes",
        "importlib",
        "imp",
        "runpy",
        "pty",
        "platform",
        "webbrowser",
        "code",
        "codeop",
        "marshal",
        "types",
        "asyncio",
        "multiprocessing",
        "threading",
        "signal",
        "tempfile",
        "pathlib",
        "io",
        "http",
        "urllib",
        "ftplib",
        "requests",
        "pip",
        "pickle",
        "_pickle",
        "dill",
        "cloudpickle",
    ]
)
_DANGEROUS_BUILTINS = frozenset(
    [
        "eval",
        "exec",
        "compile",
        "open",
        "__import__",
        "getattr",
        "setattr",
        "delattr",
        "globals",
        "locals",
        "vars",
        "input",
        "breakpoint",
        "memoryview",
    ]
)
_KNOWN_PACKAGES = frozenset(
    [
        "sklearn",
        "numpy",
        "scipy",
        "pandas",
        "joblib",
        "xgboost",
        "lightgbm",
        "catboost",
        "builtins",
        "__builtin__",
        "collections",
        "copyreg",
        "copy_reg",
        "_codecs",
        "functools",
        "operator",
        "datetime",
        "decimal",
        "re",
        "pyarrow",
    ]
)
_DANGEROUS_NAMES = frozenset(
    {"numpy.load", "numpy.fromfile", "numpy.memmap", "joblib.load", "pandas.read_pickle"}
    | {f"operator.{name}" for name in ("attrgetter", "methodcaller", "itemgetter")}
)


@dataclass(frozen=True, slots=True)
class PickleScan:
    """What a pickle names.

    Parameters
    ----------
    names : tuple of str
        Every class or function it would import, sorted.
    dangerous : tuple of str
        Those that can run commands, read files or load code.
    unknown : tuple of str
        Those of packages that models are not usually made of.
    """

    names: tuple[str, ...]
    dangerous: tuple[str, ...]
    unknown: tuple[str, ...]


def sha256(path: str | Path) -> str:
    """Return the SHA-256 of a file, as hex."""
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def locate(artefact: object) -> tuple[Path, str | None]:
    """Return the path of a context's artefact, and the SHA-256 it is pinned to, if any.

    Parameters
    ----------
    artefact : path or mapping
        A file or folder, or ``{"path": ..., "sha256": ...}``.

    Raises
    ------
    InputError
        If it is neither, or there is no such file.
    """
    place, pin = artefact, None
    if isinstance(artefact, Mapping):
        if not {"path"} <= set(artefact) <= {"path", "sha256"}:
            raise InputError("context.artefact holds path and, optionally, sha256; nothing else")
        place, pin = artefact["path"], artefact.get("sha256")
    if not isinstance(place, (str, PathLike)):
        raise InputError(
            f"context.artefact must be a path, but it is a {type(place).__name__};"
            " save the model and name the file"
        )
    if pin is not None and not re.fullmatch(r"[0-9a-fA-F]{64}", str(pin)):
        raise InputError("context.artefact: sha256 must be 64 hexadecimal digits")
    path = Path(place)
    if not path.exists():
        raise InputError(f"context.artefact: there is no file {path.name!r} at that path")
    return path, None if pin is None else str(pin).lower()


def files_of(path: Path) -> list[Path]:
    """Return a file, or all files of a folder in the order of their names."""
    if not path.is_dir():
        return [path]
    return sorted(found for found in path.rglob("*") if found.is_file())


def hash_of(path: Path) -> str:
    """Return the SHA-256 of a file; of a folder, that of its files' names and hashes."""
    if not path.is_dir():
        return sha256(path)
    listed = [[found.relative_to(path).as_posix(), sha256(found)] for found in files_of(path)]
    spelt = json.dumps(listed, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(spelt.encode()).hexdigest()


def scan_pickle(pickled: str | Path | bytes) -> PickleScan:
    """Walk a pickle or joblib file and list what it would import; nothing of it is executed.

    Every name resolves to an inert stand-in, so that the file's structure can be followed to its
    end while no foreign code is imported or called.

    Parameters
    ----------
    pickled : path or bytes
        The file, or its content.

    Raises
    ------
    InputError
        If it is no readable pickle: then nobody can say what it would do.
    """
    named = "the pickle" if isinstance(pickled, bytes) else Path(pickled).name
    raw = pickled if isinstance(pickled, bytes) else Path(pickled).read_bytes()
    walker = _Walker(io.BytesIO(_decompress(raw)))
    try:
        walker.load()
    except Exception as fault:
        raise InputError(
            f"{named} cannot be followed as a pickle ({type(fault).__name__}), so what it"
            " would run is unknown; save the model with skops instead"
        ) from fault
    return scan_names(walker.seen)


def scan_names(names: Iterable[str]) -> PickleScan:
    """Sort the classes and functions a file names by what they can do."""
    listed = sorted(set(names))
    return PickleScan(
        tuple(listed),
        tuple(name for name in listed if _is_dangerous(name)),
        tuple(name for name in listed if name.split(".")[0] not in _KNOWN_PACKAGES),
    )


def _is_dangerous(name: str) -> bool:
    top, _, rest = name.partition(".")
    if top in ("builtins", "__builtin__"):
        return rest in _DANGEROUS_BUILTINS
    return top in _DANGEROUS_MODULES or name in _DANGEROUS_NAMES


def _decompress(raw: bytes) -> bytes:
    for magic, unpack in (
        (b"\x1f\x8b", gzip.decompress),
        (b"BZh", bz2.decompress),
        (b"\xfd7zXZ", lzma.decompress),
        (b"\x5d\x00", lzma.decompress),
    ):
        if raw.startswith(magic):
            return unpack(raw)
    if raw[:1] == b"\x78" and raw[1:2] in b"\x01\x5e\x9c\xda":
        return zlib.decompress(raw)
    return raw


class _Inert:
    """Stands in for any object of a pickle: takes every step of its building, does nothing."""

    named: ClassVar[str] = ""

    def __new__(cls, *args: Any, **_kwargs: Any) -> Self:
        made = super().__new__(cls)
        made.args = args
        made.state = None
        return made

    args: tuple[Any, ...]
    state: Any

    def __init__(self, *_args: Any, **_kwargs: Any) -> None:
        pass

    def __call__(self, *_args: Any, **_kwargs: Any) -> _Inert:
        return _Inert()

    def __setstate__(self, state: Any) -> None:
        self.state = state

    def __setitem__(self, _key: Any, _value: Any) -> None:
        pass

    def append(self, _item: Any) -> None:
        pass

    def extend(self, _items: Any) -> None:
        pass

    def add(self, _item: Any) -> None:
        pass


# The pure-Python unpickler, because it can be followed step by step.
_Unpickler: Any = pickle._Unpickler  # noqa: SLF001


class _Walker(_Unpickler):  # type: ignore[misc]
    """Follows a pickle, noting names, and stepping over the raw arrays of joblib files."""

    dispatch: ClassVar[dict[int, Any]] = dict(_Unpickler.dispatch)

    def __init__(self, file: io.BytesIO, seen: set[str] | None = None) -> None:
        super().__init__(file)
        self.file = file
        self.seen = set() if seen is None else seen

    def find_class(self, module: str, name: str) -> Any:
        self.seen.add(f"{module}.{name}")
        return type("Inert", (_Inert,), {"named": f"{module}.{name}"})

    def persistent_load(self, _pid: Any) -> Any:
        return _Inert()

    def get_extension(self, code: int) -> None:
        self.seen.add(f"copyreg.extension_{code}")
        self.append(_Inert())

    def load_build(self) -> None:
        super().load_build()
        built = self.stack[-1]
        if getattr(built, "named", "") == "joblib.numpy_pickle.NumpyArrayWrapper":
            self._skip_array(built.state)

    dispatch[pickle.BUILD[0]] = load_build

    def _skip_array(self, state: dict[str, Any]) -> None:
        """Step over the bytes joblib writes after an array's description."""
        spelled = str(state["dtype"].args[0])
        if spelled.startswith("O"):
            _Walker(self.file, self.seen).load()
            return
        if not re.fullmatch(r"[?a-zA-Z]\d*", spelled):
            raise ValueError("an array of unknown type")
        if state.get("numpy_array_alignment_bytes") is not None:
            padding = self.file.read(1)
            self.file.read(padding[0])
        self.file.read(math.prod(state["shape"]) * np.dtype(spelled).itemsize)
