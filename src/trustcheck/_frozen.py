"""Counterexamples kept as files, and re-run for ever.

A file of cases is JSON that people can read and edit: the columns with their kinds, and per case a
row of the data, the cells that were changed in it, and what the model must do: ``"keep"`` its answer
whatever was changed, or give an ``{"answer": ...}``. The rows are real: writing them is asked for by
name (``finding.freeze``) and warns.
"""

from __future__ import annotations

import json
import math
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from trustcheck import catalog
from trustcheck.report import _files
from trustcheck.subject import Subject
from trustcheck.subject._schema import robust_scale
from trustcheck.types import (
    Better,
    Dimension,
    Estimate,
    Finding,
    InputError,
    Method,
    Status,
    TrustPrivacyWarning,
)

if TYPE_CHECKING:
    from os import PathLike

    import pandas as pd

ENDING = ".trustcase.json"
FORMAT, VERSION = "trustcheck cases", 1
KEEP = "keep"
_CHOSEN = (
    "These rows were chosen because the model once failed on them: a share of them says nothing"
    " about others."
)
_KEYS = {"format", "version", "finding", "title", "subject", "task", "columns", "most", "cases"}


@dataclass(frozen=True, slots=True)
class Case:
    """One row, what is changed in it, and what the model must do.

    Parameters
    ----------
    name : str
        E.g. ``row 17``.
    row : mapping
        The values of the row by column.
    change : mapping
        The cells changed, by column; empty where the row itself is the case.
    must : {"keep"} or mapping
        ``"keep"``: the same answer to the row and to the changed row. ``{"answer": label}``: this
        answer.
    """

    name: str
    row: Mapping[str, Any]
    change: Mapping[str, Any] = field(default_factory=dict)
    must: Any = KEEP


@dataclass(frozen=True, slots=True)
class Cases:
    """The content of a file of cases."""

    finding: str
    title: str
    subject: str
    task: str
    columns: Mapping[str, str]
    most: float | None
    cases: tuple[Case, ...]


# Freezing -------------------------------------------------------------------------------------


def freeze(finding: Finding, subject: Subject, path: str | PathLike[str]) -> None:
    """Write a finding's counterexamples; see :meth:`trustcheck.Finding.freeze`."""
    examples = finding.examples
    if examples is None or len(examples) == 0:
        raise InputError(
            f"{finding.key} has no counterexamples to freeze: it found none, or it was loaded from a"
            " file (examples are never saved)"
        )
    if "features" not in subject.offers() or "model" not in subject.offers():
        raise InputError("cases can be frozen only of a subject with a model and its table (X)")
    if {"row", "column", "from", "to"} <= set(examples.columns):
        cases, most = _changed(examples, subject), _most(finding, subject)
    else:
        cases, most = _answered_wrongly(finding, examples, subject), None
    kinds = {str(f.name): f.kind for f in subject.schema.values()}
    made = Cases(finding.id, finding.title, subject.name, subject.task, kinds, most, cases)
    if held := sum(_answers(made, subject)):
        raise InputError(
            f"{held} of the {len(cases)} counterexamples of {finding.key} do not fail on this"
            " subject: freeze them with the subject they were found on"
        )
    target = Path(path)
    _files.write(target, _dumps(made))
    warnings.warn(
        f"{len(cases)} rows of the data were written to {target.name}, with all their values: keep"
        " the file where the data may be kept",
        TrustPrivacyWarning,
        stacklevel=3,
    )


def _changed(examples: pd.DataFrame, subject: Subject) -> tuple[Case, ...]:
    """Cases of rows whose answer did not stand a change of some of their cells."""
    X = subject.X
    found = []
    for position, lines in examples.groupby("row", sort=True):
        at = int(str(position))
        row = X.iloc[at] if 0 <= at < len(X) else None
        change = dict(zip(lines["column"], lines["to"], strict=True))
        before = dict(zip(lines["column"], lines["from"], strict=True))
        if row is None or any(not _same(row.get(name), old) for name, old in before.items()):
            raise InputError(
                f"the counterexamples are not of this subject: its row {at} is another one"
            )
        found.append(Case(f"row {at}", _plain(row), {str(k): _cell(v) for k, v in change.items()}))
    return tuple(found)


def _answered_wrongly(
    finding: Finding, examples: pd.DataFrame, subject: Subject
) -> tuple[Case, ...]:
    """Cases of rows of the data that got a wrong answer."""
    X = subject.X
    at = X.index.get_indexer(examples.index) if X.index.is_unique else np.full(len(examples), -1)
    same = (
        list(examples.columns) == list(X.columns)
        and bool((at >= 0).all())
        and examples.equals(X.iloc[at])
    )
    if not same or subject.task == "regression" or "labels" not in subject.offers():
        raise InputError(
            f"the examples of {finding.key} cannot be frozen: they are neither changed cells of rows"
            " of this subject nor rows of it with a known class"
        )
    right = [subject.classes[code] for code in subject.truth[at]]
    return tuple(
        Case(f"row {position}", _plain(X.iloc[position]), must={"answer": _cell(label)})
        for position, label in zip(at.tolist(), right, strict=True)
    )


def _most(finding: Finding, subject: Subject) -> float | None:
    """By how much a regression's number may move and still count as kept."""
    if subject.task != "regression":
        return None
    if "shift" not in finding.params:
        raise InputError(f"{finding.key} does not say how far a number may move (shift=)")
    return float(finding.params["shift"]) * robust_scale(subject.predictions)


def _plain(row: pd.Series) -> dict[str, Any]:
    return {str(name): _cell(value) for name, value in row.items()}


def _cell(value: Any) -> Any:
    """Return a cell as JSON holds it; missing values are null, dates are ISO 8601."""
    import pandas as pd

    if value is None or value is pd.NA or value is pd.NaT:
        return None
    if isinstance(value, (pd.Timestamp, np.datetime64)):
        return pd.Timestamp(value).isoformat()
    plain = value.item() if isinstance(value, np.generic) else value
    if isinstance(plain, float) and not math.isfinite(plain):
        return None if math.isnan(plain) else ("Infinity" if plain > 0 else "-Infinity")
    return plain if isinstance(plain, (str, int, float, bool)) else str(plain)


def _same(one: Any, other: Any) -> bool:
    return bool(_cell(one) == _cell(other))


def _dumps(made: Cases) -> bytes:
    data = {
        "format": FORMAT,
        "version": VERSION,
        "finding": made.finding,
        "title": made.title,
        "subject": made.subject,
        "task": made.task,
        "columns": dict(made.columns),
        "most": made.most,
        "cases": [
            {"name": c.name, "row": dict(c.row), "change": dict(c.change), "must": c.must}
            for c in made.cases
        ],
    }
    return (json.dumps(data, ensure_ascii=False, indent=1, allow_nan=False) + "\n").encode("utf-8")


# Reading --------------------------------------------------------------------------------------


def read(path: str | PathLike[str]) -> Cases:
    """Read a file of cases.

    Raises
    ------
    InputError
        If it cannot be read or is no such file; the message says where.
    """
    name = Path(path).name
    try:
        data = json.loads(Path(path).read_text("utf-8"))
    except OSError as fault:
        raise InputError(f"cannot read {name!r}: {fault.strerror}") from fault
    except ValueError as fault:
        raise InputError(f"{name!r} is no JSON: {fault}") from fault
    if not isinstance(data, dict) or data.get("format") != FORMAT:
        raise InputError(f'{name!r} is no file of cases: it lacks "format": "{FORMAT}"')
    if data.get("version") != VERSION:
        raise InputError(
            f"{name!r} has version {data.get('version')!r}; this trustcheck reads {VERSION}"
        )
    if absent := sorted(_KEYS - set(data)):
        raise InputError(f"{name!r} lacks {', '.join(absent)}")
    cases = tuple(_case(item, i, data, name) for i, item in enumerate(data["cases"]))
    if not cases:
        raise InputError(f"{name!r} holds no case")
    most = data["most"]
    return Cases(
        str(data["finding"]), str(data["title"]), str(data["subject"]), str(data["task"]),
        dict(data["columns"]), None if most is None else float(most), cases,
    )  # fmt: skip


def _case(item: Any, place: int, data: Mapping[str, Any], name: str) -> Case:
    where = f"{name!r}, case {place}"
    if not isinstance(item, dict) or not isinstance(item.get("row"), dict):
        raise InputError(f"{where}: a case needs a row")
    change, must = item.get("change") or {}, item.get("must", KEEP)
    answer = isinstance(must, dict) and set(must) == {"answer"}
    if must != KEEP and not answer:
        raise InputError(f'{where}: must is "keep" or {{"answer": ...}}, not {must!r}')
    if must == KEEP and not change:
        raise InputError(f"{where}: nothing is changed, so there is no answer to keep")
    if unknown := sorted(set(change) - set(data["columns"])):
        raise InputError(f"{where}: no column {', '.join(map(repr, unknown))} is declared")
    return Case(str(item.get("name") or f"case {place}"), item["row"], change, must)


# Re-running -----------------------------------------------------------------------------------


def replay(path: str | PathLike[str], subject: Subject) -> Finding:
    """Ask the model about frozen cases again.

    Parameters
    ----------
    path : path
        What ``finding.freeze`` wrote.
    subject : Subject
        With the model of today; it may have been fitted anew.

    Returns
    -------
    Finding
        Headline ``broken``, from 0 to 1: the share of cases in which the model does again what it
        must not. One detail row per case.

    Raises
    ------
    InputError
        If the file cannot be read, or the model reads a column the cases do not have.

    Examples
    --------
    >>> import tempfile, warnings, numpy as np, trustcheck as tc
    >>> X = np.random.default_rng(0).normal(size=(100, 2))
    >>> y = (X[:, 0] > 0).astype(int)
    >>> subject = tc.Subject(lambda X: (X[:, 0] > 0).astype(int), X, y, name="today's model")
    >>> found = tc.robustness.adversarial(subject)
    >>> path = tempfile.mkdtemp() + "/income.trustcase.json"
    >>> with warnings.catch_warnings(action="ignore"):
    ...     found.freeze(subject, path)
    >>> replay(path, subject).value
    1.0
    """
    cases = read(path)
    kept = list(_answers(cases, subject))
    name = Path(path).name.removesuffix(ENDING).removesuffix(".json")
    share = 1 - sum(kept) / len(kept)
    known = catalog.probes().get(cases.finding)
    id_ = f"{cases.finding.partition('.')[0]}.frozen_cases"
    return Finding(
        id=id_,
        key=f"{id_}[case={name}]",
        title=f"Frozen cases: {cases.title}",
        question="Does the model still do what it once did wrongly in these cases?",
        dimension=known.dimension if known else Dimension.RELIABILITY,
        keys=known.keys if known else (),
        clauses=known.clauses if known else (),
        version=VERSION,
        params={"case": name},
        seed=subject.seed,
        status=Status.MEASURED,
        headline="broken",
        better=Better.LOW,
        metrics={
            "broken": Estimate(
                share, share, share,
                n=len(kept), unit="share of frozen cases", method=Method.EXACT, range=(0.0, 1.0),
            )
        },
        rows=tuple(
            {"case": case.name, "must": said(case), "kept": ok}
            for case, ok in zip(cases.cases, kept, strict=True)
        ),
        notes=(_CHOSEN,),
    )  # fmt: skip


def said(case: Case) -> str:
    """Return in words what the model must do, without a value of the row."""
    if case.must == KEEP:
        return f"keep its answer when {', '.join(case.change)} changes"
    return f"answer {case.must['answer']!r}"


def holds(case: Case, cases: Cases, subject: Subject) -> bool:
    """Whether the model does what it must in one case."""
    return next(_answers(replace(cases, cases=(case,)), subject))


def _answers(cases: Cases, subject: Subject) -> Iterator[bool]:
    """Yield for each case whether the model does what it must."""
    if cases.task != subject.task:
        raise InputError(
            f"the cases are of a {cases.task} model, and the subject's is {subject.task}"
        )
    before = _frame([case.row for case in cases.cases], subject)
    after = _frame([{**case.row, **case.change} for case in cases.cases], subject)
    first = subject.predict(before, purpose="frozen cases")
    second = subject.predict(after, purpose="frozen cases")
    for case, old, new in zip(cases.cases, first, second, strict=True):
        if case.must != KEEP:
            yield bool(_cell(subject.classes[int(new)]) == case.must["answer"])
        elif cases.most is not None:
            yield bool(abs(float(new) - float(old)) <= cases.most)
        else:
            yield bool(new == old)


def _frame(rows: Sequence[Mapping[str, Any]], subject: Subject) -> pd.DataFrame:
    """Return rows as the subject's own table holds them: its columns, in its order and types."""
    import pandas as pd

    like = subject.X.iloc[:0]
    columns = {}
    for column, dtype in like.dtypes.items():
        name = str(column)
        if any(name not in row for row in rows):
            raise InputError(
                f"the model reads column {name!r}, which the frozen cases do not have; freeze new ones"
            )
        values = pd.Series([row[name] for row in rows], dtype=object)
        columns[name] = _typed(values, dtype, name)
    return pd.DataFrame(columns, columns=like.columns)


def _typed(values: pd.Series, dtype: Any, name: str) -> pd.Series:
    import pandas as pd

    known = values.notna()
    if isinstance(dtype, pd.CategoricalDtype) and not values[known].isin(dtype.categories).all():
        raise InputError(f"column {name!r} of the frozen cases holds a level the subject's lacks")
    try:
        if pd.api.types.is_datetime64_any_dtype(dtype):
            return pd.to_datetime(values).astype(dtype)
        if pd.api.types.is_float_dtype(dtype):
            return values.where(known, np.nan).map(float).astype(dtype)
        return values.astype(dtype)
    except (ValueError, TypeError) as fault:
        raise InputError(
            f"column {name!r} of the frozen cases does not fit the subject's ({dtype}): its kind has"
            " changed; freeze new ones"
        ) from fault
