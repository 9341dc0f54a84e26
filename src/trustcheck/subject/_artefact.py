"""Model files: their hash, and what a pickle would import, found without running any of it."""

from __future__ import annotations

import bz2
import gzip
import hashlib
import io
import lzma
import math
import pickle
import re
import zlib
from dataclasses import dataclass
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


def scan_pickle(path: str | Path) -> PickleScan:
    """Walk a pickle or joblib file and list what it would import; nothing of it is executed.

    Every name resolves to an inert stand-in, so that the file's structure can be followed to its
    end while no foreign code is imported or called.

    Raises
    ------
    InputError
        If the file is no readable pickle: then nobody can say what it would do.
    """
    walker = _Walker(io.BytesIO(_decompress(Path(path).read_bytes())))
    try:
        walker.load()
    except Exception as fault:
        raise InputError(
            f"{Path(path).name} cannot be followed as a pickle ({type(fault).__name__}), so what it"
            " would run is unknown; save the model with skops instead"
        ) from fault
    names = sorted(walker.seen)
    return PickleScan(
        tuple(names),
        tuple(name for name in names if _is_dangerous(name)),
        tuple(name for name in names if name.split(".")[0] not in _KNOWN_PACKAGES),
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
