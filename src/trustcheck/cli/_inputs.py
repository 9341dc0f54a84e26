"""Options that name the user's model and data; how they are read is the jobs' own."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from trustcheck.jobs._inputs import Inputs, Source, subject_of

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
    return subject_of(
        Inputs(
            model=model,
            data=Source(data),
            reference=None if arguments.reference is None else Source(arguments.reference),
            target=arguments.target,
            sensitive=arguments.sensitive,
            features=arguments.features,
            positive=arguments.positive,
            task=arguments.task,
            weight=arguments.weight,
            cluster=arguments.cluster,
            seed=getattr(arguments, "seed", 0),
            name=arguments.name or model.stem,
            allow_pickle=arguments.allow_pickle,
            trust=arguments.trust,
            documents=arguments.documents,
        )
    )
