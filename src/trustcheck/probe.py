"""The decorator that turns a function into a probe.

A probe is a function from a subject and a random stream to a measurement. The decorator attaches
facts (what it asks, what it needs, which attributes of TR 24028 it speaks to) and leaves the
function as it is. Nothing here knows any one probe.
"""

from __future__ import annotations

import importlib
import inspect
import json
import pkgutil
import re
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from trustcheck import runner
from trustcheck.types import Better, Dimension, Finding, Measurement

if TYPE_CHECKING:
    from types import ModuleType

    from trustcheck.subject import Subject

#: The pillars (folders of probes) and the dimension their probes speak to unless they say another.
PILLARS: Mapping[str, Dimension] = {
    "security": Dimension.SECURITY,
    "privacy": Dimension.PRIVACY,
    "safety": Dimension.SAFETY,
    "reliability": Dimension.RELIABILITY,
    "robustness": Dimension.RELIABILITY,
    "drift": Dimension.RELIABILITY,
    "explain": Dimension.TRANSPARENCY,
    "fairness": Dimension.ACCOUNTABILITY,
    "accountability": Dimension.ACCOUNTABILITY,
}
TASKS = ("binary", "multiclass", "regression")
_PLAIN = re.compile(r"[\w.\-]+")


@dataclass(frozen=True)
class Want:
    """One thing a probe asks of the shared pass, e.g. the scores of the given rows."""

    what: str  # "predictions" | "scores"
    table: str = "data"  # "data" | "reference"


@dataclass(frozen=True)
class Probe:
    """A function with the facts trustcheck needs to run it; calling it runs it.

    Made by :func:`probe`; ``probe.fn`` is the undecorated function.
    """

    fn: Callable[..., Measurement]
    id: str
    title: str
    question: str
    dimension: Dimension
    keys: tuple[str, ...]
    clauses: tuple[str, ...]
    headline: str
    unit: str
    better: Better
    needs: tuple[str, ...]
    tasks: tuple[str, ...]
    extra: str | None
    cost: str
    weights: bool
    clusters: bool
    version: int
    wants: Callable[..., Iterable[Want]]
    last: bool = False
    params: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        object.__setattr__(self, "__doc__", self.fn.__doc__)
        object.__setattr__(self, "__name__", self.fn.__name__)
        object.__setattr__(self, "__module__", self.fn.__module__)  # so that examples are found
        object.__setattr__(self, "__wrapped__", self.fn)
        object.__setattr__(self, "__signature__", _public_signature(self.fn, self.params))

    @property
    def pillar(self) -> str:
        """Folder of the probe, the part of its id before the dot."""
        return self.id.partition(".")[0]

    @property
    def defaults(self) -> dict[str, Any]:
        """Every keyword parameter of the function with its default."""
        return _keywords(self.fn)

    @property
    def settings(self) -> dict[str, Any]:
        """Every keyword parameter with the value it will run with."""
        return self.defaults | dict(self.params)

    @property
    def key(self) -> str:
        """The id, plus ``[k=v,...]`` of the parameters that differ from their defaults."""
        changed = {k: v for k, v in self.params.items() if v != self.defaults[k]}
        if not changed:
            return self.id
        return f"{self.id}[{','.join(f'{k}={_spell(changed[k])}' for k in sorted(changed))}]"

    def using(self, **params: Any) -> Probe:
        """Return the same probe with parameters set.

        Raises
        ------
        TypeError
            If a parameter is unknown; the message lists those there are.
        """
        unknown = sorted(set(params) - set(self.defaults))
        if unknown:
            known = ", ".join(self.defaults) or "none"
            raise TypeError(f"{self.id} has no parameter {', '.join(unknown)}; it has: {known}")
        return replace(self, params={**self.params, **{k: _settle(v) for k, v in params.items()}})

    def resolved(self, subject: Subject) -> Probe:
        """Return the probe with ``by`` filled in from the subject's only sensitive column."""
        if "by" not in self.defaults or self.settings["by"] is not None:
            return self
        if len(subject.sensitive) > 1:
            raise ValueError(
                f"{self.id} needs by=: this subject has several sensitive columns,"
                f" {', '.join(subject.sensitive)} (a list means their intersection)"
            )
        return self.using(by=subject.sensitive[0]) if subject.sensitive else self

    def run(self, subject: Subject, *, seed: int | None = None) -> Finding:
        """Measure the subject; raises on misuse and passes on the model's own exceptions."""
        return runner.run(self, subject, seed=seed)

    def __call__(self, subject: Subject, **params: Any) -> Finding:
        """Measure the subject with these parameters and the subject's seed."""
        return runner.run(self.using(**params), subject)

    def __repr__(self) -> str:
        return f"<probe {self.key}: {self.question}>"


def probe(
    *,
    title: str,
    question: str,
    headline: str,
    unit: str,
    better: str,
    keys: Iterable[str],
    clauses: Iterable[str] = (),
    needs: Iterable[str] = (),
    tasks: Iterable[str] = TASKS,
    wants: Iterable[str] | Callable[..., Iterable[Want]] = (),
    dimension: str | None = None,
    pillar: str | None = None,
    extra: str | None = None,
    cost: str = "",
    weights: bool = False,
    clusters: bool = False,
    last: bool = False,
    version: int = 1,
) -> Callable[[Callable[..., Measurement]], Probe]:
    """Attach facts to a function ``(subject, rng, *, parameters) -> Measurement``.

    Parameters
    ----------
    title, question : str
        What the probe is called, and what it asks, in plain words.
    headline, unit, better : str
        Name of the headline metric, what one unit is, and which end is good ("low", "high").
    keys, clauses : iterable of str
        Attributes (``"accountability.bias_detection"``) and clause ids of TR 24028.
    needs : iterable of str
        What the subject must offer: see ``Subject.offers``.
    tasks : iterable of str
        Those of "binary", "multiclass", "regression" for which the question has a meaning.
    wants : iterable of str, or callable
        What the shared pass should ask of the model beforehand: ``"predictions"``, ``"scores"``,
        ``"reference.predictions"``, ``"reference.scores"``; or a function
        ``(subject, **parameters)`` that lists :class:`Want` records.
    dimension : str, optional
        The one dimension whose score it enters; its pillar's unless given.
    pillar : str, optional
        Needed by probes outside this package.
    extra : str, optional
        Optional dependency without which the probe cannot run.
    cost : str
        Rows sent to the model, in words ("none beyond the shared pass").
    weights, clusters : bool
        Whether its interval honours sample weights, and rows that belong together.
    last : bool
        What it sends may stay in a model's memory, so ``evaluate`` asks it after the others.
    version : int
        Raised whenever the same data could give another number.

    Returns
    -------
    callable
        A decorator that returns a :class:`Probe`.
    """
    want_function = wants if callable(wants) else _fixed_wants(tuple(wants))

    def attach(fn: Callable[..., Measurement]) -> Probe:
        home = pillar or _pillar_of(fn)
        return Probe(
            fn=fn,
            id=f"{home}.{fn.__name__}",
            title=title,
            question=question,
            dimension=Dimension(dimension) if dimension else PILLARS[home],
            keys=tuple(keys),
            clauses=tuple(clauses),
            headline=headline,
            unit=unit,
            better=Better(better),
            needs=tuple(needs),
            tasks=tuple(tasks),
            extra=extra,
            cost=cost,
            weights=weights,
            clusters=clusters,
            version=version,
            wants=want_function,
            last=last,
        )

    return attach


def probes_in(package: ModuleType) -> dict[str, Probe]:
    """Return the probes of a folder's own ``_*.py`` files, by name."""
    found: dict[str, Probe] = {}
    for name in sorted(module.name for module in pkgutil.iter_modules(package.__path__)):
        if not name.startswith("_"):
            continue
        module = importlib.import_module(f"{package.__name__}.{name}")
        found |= {
            attribute: value
            for attribute, value in vars(module).items()
            if isinstance(value, Probe) and value.fn.__module__ == module.__name__
        }
    return found


def pillar(package: str) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """Return ``__getattr__`` and ``__dir__`` for a pillar: its probes, looked up on first use."""

    def lookup(name: str) -> Any:
        if not name.startswith("_"):
            found = probes_in(sys.modules[package])
            if name in found:
                return found[name]
        raise AttributeError(f"module {package!r} has no probe {name!r}")

    def names() -> list[str]:
        return sorted(probes_in(sys.modules[package]))

    return lookup, names


def _pillar_of(fn: Callable[..., Any]) -> str:
    parts = fn.__module__.split(".")
    if parts[0] == "trustcheck" and len(parts) > 1 and parts[1] in PILLARS:
        return parts[1]
    raise ValueError(f"say which pillar {fn.__name__} belongs to: pillar={'|'.join(PILLARS)}")


def _fixed_wants(names: tuple[str, ...]) -> Callable[..., Iterable[Want]]:
    wants = tuple(
        Want(name.rpartition(".")[2], "reference" if name.startswith("reference.") else "data")
        for name in names
    )

    def fixed(_subject: Subject, **_params: Any) -> tuple[Want, ...]:
        return wants

    return fixed


def _keywords(fn: Callable[..., Any]) -> dict[str, Any]:
    return {
        name: parameter.default
        for name, parameter in inspect.signature(fn).parameters.items()
        if parameter.kind is inspect.Parameter.KEYWORD_ONLY
    }


def _public_signature(fn: Callable[..., Any], params: Mapping[str, Any]) -> inspect.Signature:
    """Return what a caller sees: the subject and the parameters, no random stream."""
    signature = inspect.signature(fn)
    kept = [
        parameter.replace(default=params.get(name, parameter.default))
        if parameter.kind is inspect.Parameter.KEYWORD_ONLY
        else parameter
        for name, parameter in signature.parameters.items()
        if name != "rng"
    ]
    return signature.replace(parameters=kept, return_annotation="Finding")


def _settle(value: Any) -> Any:
    """Return lists as tuples, and a list of one column name as the name."""
    if not isinstance(value, (list, tuple)):
        return value
    return value[0] if len(value) == 1 and isinstance(value[0], str) else tuple(value)


def _spell(value: Any) -> str:
    if isinstance(value, (list, tuple)):
        return "+".join(_spell(item) for item in value)
    text = runner.spelled(value)
    return text if _PLAIN.fullmatch(text) else json.dumps(text, ensure_ascii=False)
