"""Asks one probe: checks what it needs, seeds it, counts rows, times it, wraps what it returns."""

from __future__ import annotations

import functools
import hashlib
import importlib.util
import time
import traceback
from collections.abc import Mapping
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

import numpy as np

from trustcheck import _session
from trustcheck.types import Finding, InputError, Measurement, NotMeasurable, Status

if TYPE_CHECKING:
    from trustcheck.probe import Probe
    from trustcheck.subject import Subject


def why_not(asked: Probe, subject: Subject) -> str | None:
    """Say in plain words why the subject cannot be asked this, or None if it can."""
    if subject.task not in asked.tasks:
        return f"it has no meaning for {subject.task} models"
    offered = subject.offers()
    missing = [need for need in asked.needs if need not in offered]
    if missing:
        return "; ".join(subject.why_missing(need) for need in missing)
    if asked.extra and not installed(asked.extra):
        return f"it needs an optional library: pip install 'trustcheck[{asked.extra}]'"
    if subject.has_clusters and not asked.clusters:
        return "its interval cannot yet honour rows that belong together (cluster=)"
    return None


#: The library behind each extra, as imported.
EXTRAS: Mapping[str, str] = {
    "attacks": "art",
    "explain": "shap",
    "fairness": "fairlearn",
    "parquet": "pyarrow",
    "skops": "skops",
}


def installed(extra: str) -> bool:
    """Whether the library behind an extra can be imported."""
    name = EXTRAS.get(extra, extra)
    try:
        return importlib.util.find_spec(name) is not None
    except (ImportError, ValueError):
        return False


def stream(seed: int, key: str) -> np.random.Generator:
    """Return the probe's own random stream, a function of the seed and its key only."""
    words = np.frombuffer(hashlib.sha256(key.encode()).digest(), dtype=np.uint32)
    return np.random.default_rng([seed, *words.tolist()])


def run(
    asked: Probe, subject: Subject, *, seed: int | None = None, capture: bool = False
) -> Finding:
    """Run one probe on one subject.

    Parameters
    ----------
    asked : Probe
        With its parameters set.
    subject : Subject
        Untouched but for its caches.
    seed : int, optional
        The subject's own unless given.
    capture : bool
        Turn an exception into a finding with status ``error`` (as ``evaluate`` does).
    """
    seed = subject.seed if seed is None else seed
    view = subject.view(seed)
    started = time.perf_counter()
    facts: dict[str, Any] = {}
    try:
        asked = asked.resolved(subject)
        reason = why_not(asked, subject)
        if reason is None:
            measured = asked.fn(view, stream(seed, asked.key), **asked.settings)
            facts = _measured(asked, measured, subject)
        else:
            facts = {"status": Status.SKIPPED, "reason": reason}
    except NotMeasurable as why:
        facts = {"status": Status.SKIPPED, "reason": str(why)}
    except Exception as fault:
        if not capture:
            raise
        facts = _fault(fault, subject)
    finding = Finding(
        id=asked.id,
        key=asked.key,
        title=asked.title,
        question=asked.question,
        dimension=asked.dimension,
        keys=asked.keys,
        clauses=asked.clauses,
        version=asked.version,
        params=_plain_params(asked.settings),
        seed=seed,
        headline=asked.headline,
        better=asked.better,
        rows_sent=view.rows_sent(),
        seconds=time.perf_counter() - started,
        **facts,
    )
    _session.measured(finding, subject)
    return finding


def _measured(asked: Probe, measured: Measurement, subject: Subject) -> dict[str, Any]:
    if next(iter(measured.metrics)) != asked.headline:
        raise TypeError(f"{asked.id} must return its headline {asked.headline!r} first")
    notes = measured.notes
    if subject.has_weights and not asked.weights:
        notes = (
            *notes,
            "Sample weights are not used here: this looks at rows, not at the people they stand for.",
        )
    return {
        "status": Status.MEASURED,
        "metrics": dict(measured.metrics),
        "rows": tuple(measured.rows),
        "statistics": dict(measured.statistics),
        "formula": measured.formula,
        "notes": notes,
        "assurance": measured.assurance,
        "picture": measured.picture,
        "examples": measured.examples,
        "incomplete": measured.incomplete,
        "influence": measured.influence,
    }


def _fault(fault: Exception, subject: Subject) -> dict[str, Any]:
    """Say what broke and where, without the exception's text, which may quote cell values."""
    frames = traceback.extract_tb(fault.__traceback__)
    last = frames[-1] if frames else None
    where = f"{PurePath(last.filename).name}:{last.lineno} in {last.name}" if last else "?"
    kind = type(fault).__name__
    if isinstance(fault, InputError):
        said = str(fault)
    else:
        said = "; ".join([f"{kind} raised at {where}", *subject.suspects()])
    return {
        "status": Status.ERROR,
        "reason": said,
        "error": {"type": kind, "where": where},
        "exception": fault,
    }


def _plain_params(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return parameters as JSON can hold them."""
    return {name: _plain(value) for name, value in settings.items()}


def _plain(value: Any) -> Any:
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if value is None or isinstance(value, (str, int, float, bool)):
        return value
    return spelled(value)


def spelled(value: Any) -> str:
    """Return a parameter's name in words that are the same in every run."""
    bare = value.func if isinstance(value, functools.partial) else value
    if callable(bare):
        return str(getattr(bare, "__name__", type(bare).__name__))
    return str(value)
