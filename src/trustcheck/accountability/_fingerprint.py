"""Can a result be traced to the very data, model and software that made it?"""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import platform
from collections.abc import Iterable
from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from trustcheck.probe import Want, probe
from trustcheck.subject import hash_of, locate
from trustcheck.types import Assurance, Estimate, Measurement, Method, Row

if TYPE_CHECKING:
    from trustcheck.subject import Subject

#: Rows whose answers are the model's behavioural fingerprint, and digits its numbers keep.
FROZEN, DIGITS = 256, 6
#: Packages whose versions answers depend on, where they are installed.
_PACKAGES = (
    "catboost", "joblib", "lightgbm", "numpy", "onnxruntime", "pandas", "scikit-learn", "scipy",
    "tensorflow", "torch", "trustcheck", "xgboost",
)  # fmt: skip


class Item(NamedTuple):
    """One thing a result is made of: its hash, what the hash covers, how to give it."""

    name: str
    sha256: str | None
    covers: str
    remedy: str = ""


def _wants(subject: Subject) -> Iterable[Want]:
    yield Want("predictions")
    if "scores" in subject.offers():
        yield Want("scores")


@probe(
    title="Fingerprints",
    question="Can a result be traced to the very data, model and software that made it?",
    headline="traceable",
    unit="share of what makes a result that has a fingerprint",
    better="high",
    keys=("transparency.traceability",),
    clauses=("9.2", "9.3"),
    dimension="transparency",
    needs=("predictions",),
    wants=_wants,
    cost="none beyond the shared pass",
    weights=True,
    clusters=True,
)
def fingerprint(subject: Subject, rng: np.random.Generator) -> Measurement:
    """Hash what a result is made of, so that a later change of any of it shows.

    Data by content, whatever the order of rows; the schema; the model's file, byte by byte; the
    model's behaviour on frozen rows, because two files of one model can differ; the versions of
    the software.

    Parameters
    ----------
    subject : Subject
        ``context=tc.Context(artefact="model.joblib")`` names the file (or folder) the model is
        deployed from.

    Returns
    -------
    Finding
        Headline ``traceable``, 0 to 1: the share of the six items that have a fingerprint. One
        detail row per item with its SHA-256, or what is missing.

    Raises
    ------
    InputError
        If the artefact is no path, or there is no such file.

    Examples
    --------
    >>> import trustcheck as tc
    >>> finding = fingerprint(tc.Subject.from_predictions([0, 1], [0, 1]))
    >>> [row["item"] for row in finding.rows if row["sha256"] is None]
    ['reference data', 'schema', 'model file']
    """
    del rng  # the frozen rows must be the same whatever the seed
    items = _items(subject)
    share = sum(item.sha256 is not None for item in items) / len(items)
    estimate = Estimate(
        share, share, share, n=len(items), method=Method.EXACT, range=(0.0, 1.0),
        unit="share of what makes a result that has a fingerprint",
    )  # fmt: skip
    rows: tuple[Row, ...] = tuple(
        {
            "item": item.name,
            "sha256": item.sha256,
            "covers": item.covers if item.sha256 else None,
            "missing": None if item.sha256 else item.remedy,
        }
        for item in items
    )
    note = (
        "Compare these with those of another run: equal hashes mean equal content. The hash of a"
        " table shows accidents and honest edits; it is no defence against a forger."
    )
    return Measurement(
        {"traceable": estimate}, rows=rows, notes=(note,), assurance=Assurance.PROVEN
    )


def _items(subject: Subject) -> list[Item]:
    card, artefact = subject.card(), subject.context.artefact
    features = len(card["features"])
    home = "" if subject.native is None else type(subject.native).__module__.partition(".")[0]
    return [
        Item("given data", card["data_sha256"], f"{subject.n} rows with labels, in any order"),
        Item(
            "reference data",
            card["reference_sha256"],
            f"{card['reference_rows']} rows with labels, in any order",
            "no training data was given (reference=)",
        ),
        Item(
            "schema",
            _of_schema(subject, card) if features else None,
            f"names and kinds of {features} features, and the classes",
            "no feature table was given (X)",
        ),
        Item(
            "model file",
            None if artefact is None else hash_of(locate(artefact)[0]),
            "every byte of the artefact",
            "no file was named (context=tc.Context(artefact=...))",
        ),
        Item(
            "model behaviour",
            _of_answers(subject),
            f"answers to {min(FROZEN, subject.n)} frozen rows, to {DIGITS} digits",
        ),
        Item("software", _of_software(home), "versions of Python and of the packages in use"),
    ]


def _digest(content: object) -> str:
    spelt = json.dumps(content, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(spelt.encode()).hexdigest()


def _of_schema(subject: Subject, card: dict[str, Any]) -> str:
    facts = ("features", "task", "classes", "positive", "sensitive")
    return _digest(
        {name: card[name] for name in facts} | {"order": list(map(str, subject.features))}
    )


def _of_answers(subject: Subject) -> str:
    """Return the hash of the answers to the rows whose content keys are smallest."""
    frozen = np.argsort(subject.data.row_keys, kind="stable")[:FROZEN]
    answered = subject.predictions[frozen]
    if subject.task == "regression":
        return _digest(_spelt(answered))
    answers: list[Any] = [[str(subject.classes[code]) for code in answered]]
    if "scores" in subject.offers():
        answers += [_spelt(row) for row in subject.scores[frozen]]
    return _digest(answers)


def _spelt(numbers: np.ndarray) -> list[str]:
    spelt = (f"{value:.{DIGITS}g}" for value in numbers.tolist())
    return ["0" if text == "-0" else text for text in spelt]


@cache
def _of_software(home: str) -> str:
    """Return the hash of the versions installed; ``home`` is the package the model comes from."""
    own = importlib.metadata.packages_distributions().get(home, ())
    versions = {"python": platform.python_version()}
    for name in sorted({*_PACKAGES, *own}):
        try:
            versions[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return _digest(versions)
