"""What a monitor watches: columns, the model's answers and its losses, read into plain numbers."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from trustcheck.subject import Schema, Subject, hash_of, locate
from trustcheck.subject._groups import PRINTABLE_LEVELS, printable_level
from trustcheck.subject._intake import column_or_vector
from trustcheck.subject._schema import as_numbers
from trustcheck.subject._table import mix, row_keys, to_frame, to_vector
from trustcheck.types import InputError

if TYPE_CHECKING:
    import pandas as pd

#: Rows whose answers tell models apart, and digits their numbers keep.
FROZEN, DIGITS = 256, 6


class Stream(NamedTuple):
    """One column of numbers that is watched.

    ``kind`` is "feature", "prediction", "loss" or "label"; ``holds`` says how it is read:
    "numbers", "dates", "levels", or "text", of which only whether it is there counts.
    """

    kind: str
    name: str
    holds: str

    @property
    def labelled(self) -> bool:
        """Whether it needs labels, which may come later."""
        return self.kind in ("loss", "label")


@dataclass(frozen=True)
class Rows:
    """A table, the model's answers and the labels, as far as they were given.

    ``read`` holds what was made of them.
    """

    frame: pd.DataFrame | None
    subject: Subject | None
    labels: pd.Series | None
    clusters: Any
    read: dict[Stream, np.ndarray] = field(default_factory=dict, compare=False)

    @property
    def n(self) -> int:
        """Number of rows."""
        return len(self.frame) if self.subject is None and self.frame is not None else self._asked.n

    @property
    def labelled(self) -> bool:
        """Whether labels are there."""
        return self.labels is not None or (
            self.subject is not None and "labels" in self.subject.offers()
        )

    @property
    def _asked(self) -> Subject:
        assert self.subject is not None
        return self.subject


def read(given: Any, *, like: Subject | None, cluster: str | None, what: str) -> Rows:
    """Take in a frame, a pair (X, y), or a Subject; frames are put to the model of ``like``.

    Raises
    ------
    InputError
        If it is none of these, or labels do not match the rows.
    """
    if isinstance(given, Subject):
        frame = given.X if "features" in given.offers() else None
        if cluster is not None and given.clusters is None:
            raise InputError(f"cluster= was asked for, but {what} has none: Subject(cluster=...)")
        return Rows(frame, given.view(), None, None if cluster is None else given.clusters)
    if isinstance(given, tuple) and len(given) != 2:
        raise InputError(f"{what} must be a table, a pair (X, y) or a Subject")
    table, y = given if isinstance(given, tuple) else (given, None)
    frame, _ = to_frame(table, what=what)
    clusters = column_or_vector(cluster, frame, "cluster", frame.index)
    if like is None or like.native is None:
        labels = (
            None if y is None else to_vector(y, len(frame), what=f"{what}'s y", index=frame.index)
        )
        return Rows(frame, None, labels, clusters)
    subject = Subject(
        like.native, table, y, features=like.features, schema=like.schema, seed=like.seed,
        task="regression" if like.task == "regression" else "classification",
        classes=None if hasattr(like.native, "classes_") else like.classes or None,
        positive=like.positive, name=like.name,
    )  # fmt: skip
    return Rows(subject.X, subject, None, clusters)


def streams(rows: Rows, skip: str | None) -> tuple[Stream, ...]:
    """List what can be watched in rows like these; the column of clusters is none of it."""
    found: list[Stream] = []
    if rows.frame is not None:
        frame = rows.frame if rows.subject is not None else rows.frame.drop(columns=skip or [])
        schema = Schema.infer(frame) if rows.subject is None else rows.subject.schema
        found += [Stream("feature", str(name), _values(schema[str(name)].kind)) for name in frame]
    subject = rows.subject
    if subject is None:
        if rows.labels is not None:
            kind = Schema.infer(rows.labels.to_frame("label"))["label"].kind
            found.append(Stream("label", "label", _values(kind)))
        return tuple(found)
    if subject.task == "regression":
        found.append(Stream("prediction", "prediction", "numbers"))
    else:
        scored = "scores" in subject.offers()
        if scored:
            found.append(Stream("prediction", "score", "numbers"))
        if not scored or subject.task == "multiclass":
            found.append(Stream("prediction", "prediction", "levels"))
    if rows.labelled:
        found.append(Stream("loss", "loss", "numbers"))
    return tuple(found)


def matrix(rows: Rows, watched: Sequence[Stream]) -> np.ndarray:
    """Return one column of floats per stream, missing as nan, shape (n, streams)."""
    for stream in watched:
        if stream not in rows.read:
            rows.read[stream] = _column(rows, stream)
    columns = [rows.read[stream] for stream in watched]
    return np.stack(columns, axis=1) if columns else np.empty((rows.n, 0))


def digests(rows: Rows, watched: Sequence[Stream], *, labels: bool = False) -> np.ndarray:
    """Return a 64-bit key per row from what the table holds (else from the answers), shape (n,)."""
    wanted = ("feature", "label") if labels else ("feature",)
    held = [stream for stream in watched if stream.kind in wanted]
    keys = np.zeros(rows.n, dtype=np.uint64)
    columns = matrix(rows, held or [s for s in watched if not s.labelled]).T
    if labels and rows.subject is not None and rows.labelled:
        columns = np.vstack([columns, np.asarray(rows.subject.truth, dtype=float)])
    for j, column in enumerate(columns):
        bits = np.where(np.isnan(column), np.nan, column + 0.0).view(np.uint64)
        keys = mix(keys ^ mix(bits + np.uint64(j)))
    return keys


def fingerprint(rows: Rows, watched: Sequence[Stream], *, labels: bool) -> str:
    """Return a short fingerprint of rows in any order, with their labels or without."""
    keys = digests(rows, watched, labels=labels)
    return f"{len(keys)}-{int(np.bitwise_xor.reduce(mix(keys))):016x}-{int(keys.sum()):016x}"


def model_hash(rows: Rows) -> str | None:
    """Return the hash of the model's file where the context names one, else of its answers.

    The file is hashed byte by byte; the answers are those to 256 rows of the reference, to six
    digits.
    """
    subject = rows.subject
    if subject is None or subject.native is None or rows.frame is None:
        return None
    if subject.context.artefact is not None:
        return hash_of(locate(subject.context.artefact)[0])
    frozen = np.argsort(row_keys(rows.frame, []), kind="stable")[:FROZEN]
    answers = subject.output(rows.frame.iloc[frozen], purpose="reference")
    spelt = ",".join(f"{value + 0.0:.{DIGITS}g}" for value in answers.ravel().tolist())
    return hashlib.sha256(f"{subject.classes}{spelt}".encode()).hexdigest()


def one_each(keys: np.ndarray, clusters: Any, rng: np.random.Generator) -> np.ndarray:
    """Return positions of one row per cluster, chosen at random, whatever the order of rows."""
    import pandas as pd

    belongs = pd.util.hash_array(np.asarray(clusters).astype(str).astype(object))
    order = np.argsort(mix(keys ^ mix(belongs)), kind="stable")[rng.permutation(len(keys))]
    _, first = np.unique(belongs[order], return_index=True)
    return order[first]


def level_names(rows: Rows, stream: Stream) -> dict[str, float]:
    """Return the numbers of those levels of a stream that may be printed, by their names."""
    if stream.kind == "feature" and rows.frame is not None:
        column = rows.frame[stream.name]
        sensitive = rows.subject is not None and stream.name in rows.subject.sensitive
        levels = list(column.dropna().unique())
        if len(levels) > PRINTABLE_LEVELS:
            return {}
        named = {printable_level(column, v, sensitive=sensitive): v for v in levels}
    elif rows.subject is not None:
        named = {str(label): label for label in rows.subject.classes}
    else:
        named = {}
    return {name: _level_number(level) for name, level in named.items() if name == str(level)}


def _values(kind: str) -> str:
    kinds = {"numeric": "numbers", "integer": "numbers", "datetime": "dates", "text": "text"}
    return kinds.get(kind, "levels")


def _column(rows: Rows, stream: Stream) -> np.ndarray:
    if stream.kind == "feature":
        if rows.frame is None or stream.name not in rows.frame.columns:
            raise InputError(f"the batch has no column {stream.name!r}, which the monitor watches")
        return _numbers(rows.frame[stream.name], stream)
    if stream.kind == "label":
        if rows.labels is None:
            raise InputError("the monitor watches labels: give the batch as a pair (X, y)")
        return _numbers(rows.labels, stream)
    subject = rows.subject
    if subject is None:
        raise InputError(
            f"the monitor watches the model's {stream.name}: give the reference, or the batch,"
            " as a Subject"
        )
    if stream.name == "loss":
        return _losses(subject)
    if stream.name == "score":
        scores = subject.scores
        return scores[:, subject.positive_code] if subject.task == "binary" else scores.max(axis=1)
    if subject.task == "regression":
        return np.asarray(subject.predictions, dtype=float)
    numbers = np.array([_level_number(label) for label in subject.classes])
    return numbers[subject.predictions]


def _losses(subject: Subject) -> np.ndarray:
    """Absolute error, or the probability not given to the true class, or whether it is wrong.

    Ranks are the same for any loss that increases with it, the logarithmic one for example.
    """
    if subject.task == "regression":
        return np.abs(subject.truth - subject.predictions)
    if "scores" in subject.offers():
        return 1.0 - subject.scores[np.arange(subject.n), subject.truth]
    return (subject.truth != subject.predictions).astype(float)


def _numbers(column: pd.Series, stream: Stream) -> np.ndarray:
    import pandas as pd

    if stream.holds == "text":
        return np.where(column.isna(), np.nan, 0.0)
    if stream.holds == "levels":
        codes, levels = pd.factorize(column, use_na_sentinel=True)
        places = np.array([*(_level_number(level) for level in levels), np.nan])
        return places[codes]  # missing has code -1, the last place
    if column.isna().all():
        return np.full(len(column), np.nan)
    dated = column.dtype.kind in "mM" or str(column.dtype).startswith("datetime64")
    try:
        numbers = as_numbers(column) if dated == (stream.holds == "dates") else None
    except (TypeError, ValueError):
        numbers = None
    if numbers is None:
        raise InputError(
            f"column {stream.name!r} held {stream.holds} in the reference and holds"
            f" {'dates' if dated else column.dtype} now: convert it, or open a new epoch with a"
            " reference of the new kind"
        )
    return numbers


def _level_number(level: Any) -> float:
    """Return a number in [0, 1) that stands for a level: a hash of its spelling.

    An order that came from the reference, such as "most frequent first", would look different
    in later rows by chance alone. One that is fixed does not, and new levels have their place.
    """
    if isinstance(level, (bool, np.bool_)) or (
        isinstance(level, (int, float, np.number)) and float(level).is_integer()
    ):
        level = int(level)  # 1, 1.0 and True are one level
    raw = hashlib.blake2b(str(level).encode(), digest_size=6).digest()
    return int.from_bytes(raw, "big") / 2**48
