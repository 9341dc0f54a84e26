"""The subject of an audit: a model, its data, and what is known about both."""

from trustcheck.subject._artefact import (
    PickleScan,
    files_of,
    hash_of,
    locate,
    scan_names,
    scan_pickle,
    sha256,
)
from trustcheck.subject._context import Context
from trustcheck.subject._foreign import Remote
from trustcheck.subject._relations import Expression, Relation, col
from trustcheck.subject._schema import Feature, Schema
from trustcheck.subject._subject import Subject

__all__ = [
    "Context",
    "Expression",
    "Feature",
    "PickleScan",
    "Relation",
    "Remote",
    "Schema",
    "Subject",
    "col",
    "files_of",
    "hash_of",
    "locate",
    "scan_names",
    "scan_pickle",
    "sha256",
]
