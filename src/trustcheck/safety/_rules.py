"""Rules of behaviour as a user writes them: read, checked, and brought about in a table."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from trustcheck.subject._schema import as_numbers
from trustcheck.types import InputError

if TYPE_CHECKING:
    import pandas as pd

    from trustcheck.subject import Feature, Subject

_OPERATORS: dict[str, Callable[[Any, Any], Any]] = {
    "<=": operator.le, ">=": operator.ge, "<": operator.lt, ">": operator.gt,
}  # fmt: skip
_COMPARISON = re.compile(r"\s*(<=|>=|<|>)\s*([-+]?[\d.]+(?:[eE][-+]?\d+)?)\s*")
_KEYS = {"monotone": {"direction", "of"}, "bound": {"of"}, "if": {"then", "of"}}
_HELP = (
    'a rule is {"monotone": column, "direction": "up" or "down"}, {"bound": [low, high]} or'
    ' {"if": {column: condition}, "then": {"predict": label} or {"bound": [low, high]}}'
)


@dataclass(frozen=True)
class Condition:
    """What a column has to hold: one of some values, or a number on one side of a limit."""

    column: Any
    text: str
    values: tuple[Any, ...] = ()
    sign: str = ""
    limit: float = 0.0

    def met(self, column: pd.Series) -> np.ndarray:
        """Whether each row meets it, shape (n,); a missing value never does."""
        if not self.sign:
            return column.isin(list(self.values)).to_numpy(dtype=bool)
        values = as_numbers(column)
        return np.asarray(_OPERATORS[self.sign](values, self.limit) & ~np.isnan(values))

    def bring_about(
        self, column: pd.Series, feature: Feature, rng: np.random.Generator
    ) -> pd.Series:
        """Return the column with other values, of the same dtype, where it was not met."""
        draws = rng.random(len(column))
        rows = np.flatnonzero(~self.met(column))
        changed = column.copy()
        if rows.size:
            made = self._made(feature, draws[rows])
            if column.dtype.kind in "iu" and not all(float(v).is_integer() for v in made):
                raise InputError(
                    f"column {feature.name!r} is whole, but the rule is not: {self.text}"
                )
            dtype: Any = column.dtype
            changed.iloc[rows] = type(column)(made).astype(dtype).to_numpy()
        return changed

    def _made(self, feature: Feature, draws: np.ndarray) -> list[Any]:
        if not self.sign:
            return [self.values[int(draw * len(self.values))] for draw in draws]
        below, strict = self.sign[0] == "<", len(self.sign) == 1
        # From the limit to the end of the range seen, or one robust scale if that lies across it.
        near = self.limit - feature.scale if below else self.limit + feature.scale
        seen = feature.low if below else feature.high
        across = seen is None or not _OPERATORS[self.sign[0]](seen, self.limit)
        end = near if across or seen is None else float(seen)
        if feature.kind != "integer":
            return list(end + (self.limit - end) * draws)
        first, last = sorted((end, self.limit))
        first, last = np.ceil(first), np.floor(last)
        if strict and below and last == self.limit:
            last -= 1
        if strict and not below and first == self.limit:
            first += 1
        first, last = (min(first, last), last) if below else (first, max(first, last))
        return [int(first + np.floor(draw * (last - first + 1))) for draw in draws]


@dataclass(frozen=True)
class Rule:
    """One rule; `of` is the class whose probability monotone and bound rules are about."""

    kind: str  # "monotone" | "bound" | "predict"
    name: str
    of: int = 0
    column: Any = None
    rises: bool = True
    low: float = -np.inf
    high: float = np.inf
    conditions: tuple[Condition, ...] = ()
    label: int = 0

    @property
    def asks(self) -> bool:
        """Whether rows must be made and sent for it."""
        return self.kind == "monotone" or bool(self.conditions)


def read(subject: Subject, given: Any) -> list[Rule]:
    """Return the rules of ``context.rules``.

    Raises
    ------
    InputError
        Naming the rule, what is wrong with it and what a rule looks like.
    """
    rules = [given] if isinstance(given, Mapping) else given
    if not isinstance(rules, Iterable) or isinstance(rules, str):
        raise InputError(f"rules= must be a list of rules; {_HELP}")
    found = []
    for number, rule in enumerate(rules, 1):
        try:
            found.append(_read(subject, rule))
        except InputError as fault:
            raise InputError(f"rule {number}: {fault}") from fault
    if not found:
        raise InputError(f"rules= is empty; {_HELP}")
    return found


def _read(subject: Subject, rule: Any) -> Rule:
    if not isinstance(rule, Mapping):
        raise InputError(f"it is of type {type(rule).__name__}; {_HELP}")
    kinds = [kind for kind in _KEYS if kind in rule]
    if len(kinds) != 1:
        raise InputError(_HELP)
    kind = kinds[0]
    unknown = sorted(str(key) for key in set(rule) - _KEYS[kind] - {kind, "name"})
    if unknown:
        raise InputError(f"unknown key {', '.join(unknown)}; {_HELP}")
    if kind == "monotone":
        column, rises = _column(subject, rule["monotone"]), rule.get("direction")
        if rises not in ("up", "down"):
            raise InputError('direction must be "up" or "down"')
        if subject.schema[str(column)].kind not in ("numeric", "integer"):
            raise InputError(f"column {column!r} holds no numbers, so nothing is monotone in it")
        name = rule.get("name", f"monotone: {column} {rises}")
        return Rule("monotone", str(name), _class(subject, rule), column, rises == "up")
    if kind == "bound":
        low, high = _bound(rule["bound"])
        name = rule.get("name", _says(low, high))
        return Rule("bound", str(name), _class(subject, rule), low=low, high=high)
    return _implication(subject, rule)


def _implication(subject: Subject, rule: Mapping[str, Any]) -> Rule:
    premise, then = rule["if"], rule.get("then")
    if not isinstance(premise, Mapping) or not premise:
        raise InputError('"if" must be {column: condition}')
    if not isinstance(then, Mapping) or set(then) not in ({"predict"}, {"bound"}):
        raise InputError('"then" must be {"predict": label} or {"bound": [low, high]}')
    conditions = tuple(_condition(subject, column, c) for column, c in premise.items())
    when = " and ".join(condition.text for condition in conditions)
    if "bound" in then:
        low, high = _bound(then["bound"])
        name = str(rule.get("name", f"if {when} then {_says(low, high)}"))
        of = _class(subject, rule)
        return Rule("bound", name, of, low=low, high=high, conditions=conditions)
    label = then["predict"]
    if subject.task == "regression" or label not in subject.classes:
        remedy = "use bound" if subject.task == "regression" else (
            f"it must be one of {', '.join(map(str, subject.classes))}"
        )  # fmt: skip
        raise InputError(f"predict names no class of the model; {remedy}")
    name = str(rule.get("name", f"if {when} then {label}"))
    return Rule("predict", name, conditions=conditions, label=subject.classes.index(label))


def _condition(subject: Subject, name: Any, wanted: Any) -> Condition:
    column = _column(subject, name)
    feature = subject.schema[str(column)]
    number = feature.kind in ("numeric", "integer")
    if number and isinstance(wanted, str):
        parts = _COMPARISON.fullmatch(wanted)
        if parts is None:
            raise InputError(
                f'the condition on {column!r} must be a number, a list, or like "< 18"'
            )
        text = f"{column} {parts[1]} {parts[2]}"
        return Condition(column, text, sign=parts[1], limit=float(parts[2]))
    values = tuple(wanted) if isinstance(wanted, (list, tuple, set)) else (wanted,)
    if number and not all(isinstance(value, (int, float, np.number)) for value in values):
        raise InputError(f"column {column!r} holds numbers, the condition on it does not")
    if not number and (
        feature.kind in ("datetime", "text") or not set(values) <= set(feature.levels)
    ):
        raise InputError(
            f"column {column!r} has no such level; conditions are on numbers and known levels"
        )
    if not values:
        raise InputError(f"the condition on {column!r} is empty")
    shown = (str(v) if number else subject.printable_level(str(column), v) for v in values)
    return Condition(column, f"{column} is {' or '.join(shown)}", values)


def _column(subject: Subject, name: Any) -> Any:
    for column in subject.features:
        if str(column) == str(name):
            return column
    raise InputError(
        f"the model reads no column {name!r}; it reads {', '.join(map(str, subject.features))}"
    )


def _class(subject: Subject, rule: Mapping[str, Any]) -> int:
    """Code of the class whose probability is meant; 0, the only output, for numbers."""
    if subject.task == "regression":
        return 0
    label = rule.get("of", subject.positive)
    if label not in subject.classes:
        raise InputError(f'"of" must say whose probability: {", ".join(map(str, subject.classes))}')
    return subject.classes.index(label)


def _bound(ends: Any) -> tuple[float, float]:
    try:
        low, high = ends
        low = -np.inf if low is None else float(low)
        high = np.inf if high is None else float(high)
    except (TypeError, ValueError) as fault:
        raise InputError("bound must be [low, high]; None for no bound on that side") from fault
    if not low <= high:
        raise InputError("bound must be [low, high] with low at most high")
    return low, high


def _says(low: float, high: float) -> str:
    return f"{low:g} <= score <= {high:g}"
