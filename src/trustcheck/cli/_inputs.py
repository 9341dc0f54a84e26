"""The user's model and data: options that name them, and how they are read."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from trustcheck.types import InputError

if TYPE_CHECKING:
    from trustcheck.subject import Subject


def add_subject_options(parser: argparse.ArgumentParser) -> None:
    """Add what says how to read the model and the data."""
    parser.add_argument("--target", help="column of the true labels")
    parser.add_argument("--sensitive", nargs="+", default=[], metavar="COLUMN")
    parser.add_argument("--reference", type=Path, help="the training data, same columns")
    parser.add_argument("--features", nargs="+", metavar="COLUMN", help="columns the model reads")
    parser.add_argument("--positive", help="the positive class")
    parser.add_argument("--weight", metavar="COLUMN", help="column of sample weights")
    parser.add_argument("--cluster", metavar="COLUMN", help="rows with one value belong together")
    parser.add_argument("--task", choices=["binary", "multiclass", "regression"])
    parser.add_argument("--documents", type=Path, metavar="FILE", help="register of documents")
    parser.add_argument("--name", help="shown on the report")
    parser.add_argument("--allow-pickle", action="store_true", help="load joblib and pickle files")
    parser.add_argument(
        "--trust", nargs="+", default=[], metavar="TYPE", help="skops types to trust"
    )


def read_subject(arguments: argparse.Namespace, model: Path, data: Path) -> Subject:
    """Load what the options name and wrap it.

    Raises
    ------
    InputError
        If anything named is absent, refused or of another kind.
    """
    import trustcheck as tc

    frame = read_table(data)
    reference = None
    drop = [name for name in (arguments.target, arguments.weight, arguments.cluster) if name]
    for name in drop:
        if name not in frame.columns:
            raise InputError(f"{data.name} has no column {name!r}")
    if arguments.reference:
        train = read_table(arguments.reference)
        labels = None
        if arguments.target and arguments.target in train.columns:
            labels = train[arguments.target]
        kept = train.drop(columns=[name for name in drop if name in train.columns])
        reference = kept if labels is None else (kept, labels)
    loaded = load_model(model, allow_pickle=arguments.allow_pickle, trusted=arguments.trust)
    return tc.Subject(
        loaded,
        frame.drop(columns=drop),
        frame[arguments.target] if arguments.target else None,
        sensitive=arguments.sensitive or None,
        reference=reference,
        features=arguments.features,
        positive=_label(arguments.positive, frame, arguments.target),
        task=arguments.task,
        sample_weight=frame[arguments.weight] if arguments.weight else None,
        cluster=frame[arguments.cluster] if arguments.cluster else None,
        seed=getattr(arguments, "seed", 0),
        name=arguments.name or model.stem,
        # The file just loaded is the one that is judged.
        context=tc.Context(artefact=model, documents=arguments.documents),
    )


def read_table(path: Path) -> Any:
    """Read a Parquet or CSV file into a frame.

    Raises
    ------
    InputError
        If the file is absent, of another kind, or cannot be read.
    """
    import pandas as pd

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


def load_model(path: Path, *, allow_pickle: bool = False, trusted: list[str] | None = None) -> Any:
    """Load a model file; pickles only when allowed, and never one that names dangerous calls.

    Raises
    ------
    InputError
        If the file is refused; the message names the remedy.
    """
    if not path.is_file():
        raise InputError(f"no file {path}")
    if path.suffix == ".skops":
        return _load_skops(path, trusted or [])
    if path.suffix not in (".joblib", ".pkl", ".pickle"):
        raise InputError(f"{path.name}: a model file ends in .skops, .joblib or .pkl")
    if not allow_pickle:
        raise InputError(
            f"{path.name} is a pickle: loading it can run any code its maker put in. Save the model"
            " with skops, or pass --allow-pickle if you trust its maker"
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
    print(
        f"trustcheck: warning: loading the pickle {path.name} runs its maker's code.{note}",
        file=sys.stderr,
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
            " pass them to --trust if you trust its maker"
        )
    return skops_io.load(path, trusted=trusted)


def _label(text: str | None, frame: Any, target: str | None) -> Any:
    """Return the positive class as the labels spell it (a number for numeric labels)."""
    if text is None or target is None:
        return text
    for label in frame[target].unique():
        if str(label) == text:
            return label.item() if hasattr(label, "item") else label
    raise InputError(f"--positive {text!r} is no label of column {target!r}")
