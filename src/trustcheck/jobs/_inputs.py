"""The user's model and data, however they were named: read, checked, wrapped into a subject."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from trustcheck._secrets import masked, remember_url
from trustcheck.types import InputError

if TYPE_CHECKING:
    from trustcheck.subject import Subject

PICKLES = (".joblib", ".pkl", ".pickle")


@dataclass(frozen=True, slots=True)
class Source:
    """A table by its file, or by a database and a query."""

    path: Path | None = None
    url: str | None = None
    query: str | None = None

    @property
    def name(self) -> str:
        """What messages call it."""
        return "the result of the query" if self.path is None else self.path.name


@dataclass(frozen=True, slots=True, kw_only=True)
class Inputs:
    """What is tested: a command line and a job file both say it in these terms."""

    model: Path | str  # a file, or package.module:name
    data: Source
    reference: Source | None = None
    target: str | None = None
    sensitive: Sequence[str] = ()
    features: Sequence[str] | None = None
    positive: Any = None
    task: str | None = None
    weight: str | None = None
    cluster: str | None = None
    time: str | None = None
    classes: Sequence[Any] | None = None
    name: str | None = None
    seed: int = 0
    allow_pickle: bool = False
    trust: Sequence[str] = ()
    sha256: str | None = None
    documents: Path | None = None
    costs: Any = None
    decisions: Source | None = None
    rules: Any = None
    guard: str | None = None
    folder: Path | None = None  # where modules are looked for first
    remedy: str = "pass --allow-pickle"  # how a pickle is allowed


def subject_of(inputs: Inputs, *, model: Subject | None = None) -> Subject:
    """Load what is named and wrap it; the model of another subject is not loaded again.

    Raises
    ------
    InputError
        If anything named is absent, refused or of another kind.
    """
    import trustcheck as tc

    frame = read_table(inputs.data)
    drop = [n for n in (inputs.target, inputs.weight, inputs.cluster, inputs.time) if n]
    for name in [*drop, *inputs.sensitive, *(inputs.features or ())]:
        if name not in frame.columns:
            raise InputError(_no_column(inputs.data.name, name, frame))
    reference = None
    if inputs.reference is not None:
        train = read_table(inputs.reference)
        kept = train.drop(columns=[name for name in drop if name in train.columns])
        labelled = inputs.target is not None and inputs.target in train.columns
        reference = (kept, train[inputs.target]) if labelled else kept
    native, artefact = _model(inputs) if model is None else (model.native, None)
    column = {n: frame[n] if n else None for n in (inputs.target, inputs.weight, inputs.cluster)}
    return tc.Subject(
        native,
        frame.drop(columns=drop),
        column[inputs.target],
        sensitive=list(inputs.sensitive) or None,
        reference=reference,
        features=inputs.features,
        classes=inputs.classes,
        positive=_label(inputs.positive, frame, inputs.target),
        task=inputs.task,
        sample_weight=column[inputs.weight],
        cluster=column[inputs.cluster],
        time=frame[inputs.time] if inputs.time else None,
        seed=inputs.seed,
        name=inputs.name,
        context=tc.Context(
            artefact=artefact,
            documents=inputs.documents,
            costs=inputs.costs,
            decisions=None if inputs.decisions is None else read_table(inputs.decisions),
            rules=inputs.rules,
            guard=None if inputs.guard is None else imported(inputs.guard, inputs.folder),
        ),
    )


def _no_column(where: str, name: str, frame: Any) -> str:
    import difflib

    names = [str(column) for column in frame.columns]
    close = difflib.get_close_matches(name, names, n=1)
    more = f", {len(names) - 8} more" if len(names) > 8 else ""
    hint = f"did you mean {close[0]!r}?" if close else f"it has {', '.join(names[:8])}{more}"
    return f"{where} has no column {name!r}: {hint}"


# Tables ------------------------------------------------------------------------------------------


def read_table(source: Source) -> Any:
    """Read a Parquet or CSV file, or the result of a query, into a frame.

    Raises
    ------
    InputError
        If it is absent, of another kind, or cannot be read.
    """
    import pandas as pd

    path = source.path
    if path is None:
        return _query(source)
    if not path.is_file():
        raise InputError(f"no file {path}")
    try:
        if path.suffix in (".parquet", ".pq"):
            return pd.read_parquet(path)
        if ".csv" in path.suffixes:
            return pd.read_csv(path)
    except ImportError as fault:
        raise InputError(
            f"{path.name} needs a Parquet reader: pip install 'trustcheck[parquet]'"
        ) from fault
    except Exception as fault:
        raise InputError(f"{path.name} cannot be read ({type(fault).__name__})") from fault
    raise InputError(f"{path.name} is neither .parquet nor .csv")


def _query(source: Source) -> Any:
    """Ask a database; neither the query nor the password is shown, whatever breaks."""
    import pandas as pd

    try:
        import sqlalchemy as sa
    except ImportError:
        raise InputError(
            "data from a database needs SQLAlchemy: pip install 'trustcheck[jobs]'"
        ) from None
    remember_url(source.url or "")
    try:
        url = sa.engine.make_url(source.url or "")
        if url.get_backend_name() in ("postgresql", "postgres") and "+" not in url.drivername:
            url = url.set(drivername="postgresql+psycopg")
        shown = masked(url.render_as_string(hide_password=True))
        if url.get_backend_name() == "sqlite" and not Path(url.database or "").is_file():
            raise InputError(f"the database {shown} has no such file")
        engine = sa.create_engine(url, poolclass=sa.NullPool, hide_parameters=True)
    except sa.exc.NoSuchModuleError:
        raise InputError("SQLAlchemy knows no database of the kind that url= names") from None
    except sa.exc.ArgumentError:
        raise InputError(
            "url= of the data cannot be read; write dialect://user:password@host/name"
        ) from None
    except ImportError as fault:
        driver = fault.name or "its driver"
        raise InputError(
            f"the database {url.get_backend_name()} needs {driver}: pip install {driver}"
        ) from None
    try:
        with engine.connect() as db:
            return pd.read_sql_query(sa.text(source.query or ""), db)
    except Exception as fault:  # noqa: BLE001 - a driver may raise anything
        # The driver's own first line: what wraps it would quote the query.
        chain = (fault, fault.__cause__, fault.__context__)
        own = next((o for o in (getattr(e, "orig", None) for e in chain) if o is not None), None)
        why = masked(str(own).strip().partition("\n")[0]) if own else ""
        raise InputError(
            f"the query to {shown} failed ({type(own or fault).__name__}: {why or 'no reason given'})"
        ) from None


# Models ------------------------------------------------------------------------------------------


def _model(inputs: Inputs) -> tuple[Any, Any]:
    """Return the model, and the artefact it was loaded from."""
    if isinstance(inputs.model, str):
        made = imported(inputs.model, inputs.folder)
        asked = any(hasattr(made, name) for name in ("predict", "predict_proba"))
        return (made if asked and not isinstance(made, type) else _made(made, inputs.model)), None
    loaded = load_model(
        inputs.model,
        allow_pickle=inputs.allow_pickle,
        trusted=list(inputs.trust),
        sha256=inputs.sha256,
        remedy=inputs.remedy,
    )
    if inputs.sha256 is None:
        return loaded, inputs.model
    return loaded, {"path": inputs.model, "sha256": inputs.sha256}


def _made(make: Any, name: str) -> Any:
    if not callable(make):
        raise InputError(f"{name} is neither a model nor a function that returns one")
    try:
        return make()
    except Exception as fault:  # noqa: BLE001 - it is the user's own code
        raise InputError(f"{name}() failed: {broke(fault)}") from None


def imported(name: str, folder: Path | None = None) -> Any:
    """Import ``package.module:name``, looking into a folder first.

    Raises
    ------
    InputError
        If there is no such module or name, or the module breaks.
    """
    module, _, attribute = name.partition(":")
    place = str(folder) if folder is not None else None
    if place is not None and place not in sys.path:
        sys.path.insert(0, place)
    try:
        found = importlib.import_module(module)
    except ModuleNotFoundError as fault:
        top = module.partition(".")[0]
        where = (
            f", neither in {place} nor among the installed packages" if fault.name == top else ""
        )
        raise InputError(f"{name}: there is no module {fault.name!r}{where}") from None
    except Exception as fault:  # noqa: BLE001 - as above
        raise InputError(f"{name}: importing {module} failed: {broke(fault)}") from None
    if not hasattr(found, attribute):
        raise InputError(f"{name}: module {module} has no {attribute!r}")
    return getattr(found, attribute)


def broke(fault: Exception) -> str:
    """Say what broke and where, without secrets."""
    import traceback
    from pathlib import PurePath

    last = traceback.extract_tb(fault.__traceback__)[-1]
    said = masked(str(fault).strip().partition("\n")[0])
    return f"{type(fault).__name__} at {PurePath(last.filename).name}:{last.lineno} ({said})"


def load_model(
    path: Path,
    *,
    allow_pickle: bool = False,
    trusted: Sequence[str] = (),
    sha256: str | None = None,
    remedy: str = "pass --allow-pickle",
) -> Any:
    """Load a model file; pickles only when allowed, and never one that names dangerous calls.

    Raises
    ------
    InputError
        If the file is refused; the message names the remedy.
    """
    if not path.is_file():
        raise InputError(f"no file {path}")
    if sha256 is not None:
        from trustcheck.subject import hash_of

        if hash_of(path) != sha256.lower():
            raise InputError(
                f"{path.name} is refused: its SHA-256 is not the one that was asked for"
            )
    if path.suffix == ".skops":
        return _load_skops(path, list(trusted))
    if path.suffix == ".onnx":
        return _load_onnx(path)
    if path.suffix not in PICKLES:
        raise InputError(f"{path.name}: a model file ends in .skops, .onnx, .joblib or .pkl")
    if not allow_pickle:
        raise InputError(
            f"{path.name} is a pickle: loading it can run any code its maker put in. Save the model"
            f" with skops, or {remedy} if you trust its maker"
        )
    from trustcheck.subject import scan_pickle

    scan = scan_pickle(path)
    if scan.dangerous:
        raise InputError(
            f"{path.name} is refused: it would call {', '.join(scan.dangerous)}, which no model needs"
        )
    note = (
        f" It names {', '.join(scan.unknown)}, which are not known parts of models."
        if scan.unknown
        else ""
    )
    sys.stderr.write(
        f"trustcheck: warning: loading the pickle {path.name} runs its maker's code.{note}\n"
    )
    import joblib

    return joblib.load(path)


def _load_skops(path: Path, trusted: list[str]) -> Any:
    try:
        from skops import io as skops_io
    except ImportError as fault:
        raise InputError(f"{path.name} needs skops: pip install 'trustcheck[skops]'") from fault
    unknown = [name for name in skops_io.get_untrusted_types(file=path) if name not in trusted]
    if unknown:
        raise InputError(
            f"{path.name} holds types skops does not know as safe: {', '.join(unknown)};"
            " name them as trusted (--trust, or trust = [...] of a job) if you trust its maker"
        )
    return skops_io.load(path, trusted=trusted)


def _load_onnx(path: Path) -> Any:
    try:
        import onnxruntime
    except ImportError as fault:
        raise InputError(f"{path.name} needs onnxruntime: pip install onnxruntime") from fault
    try:
        return onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    except Exception as fault:
        raise InputError(f"{path.name} cannot be read ({type(fault).__name__})") from fault


def _label(given: Any, frame: Any, target: str | None) -> Any:
    """Return the positive class as the labels spell it (a number for numeric labels)."""
    if given is None or target is None:
        return given
    for label in frame[target].unique():
        if label == given or str(label) == str(given):
            return label.item() if hasattr(label, "item") else label
    raise InputError(f"positive {given!r} is no label of column {target!r}")
