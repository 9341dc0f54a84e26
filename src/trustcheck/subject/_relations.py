"""Relations between columns that valid rows keep, as ``col("open") <= col("total")``; and finding them."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from trustcheck.types import InputError

if TYPE_CHECKING:
    import pandas as pd

    from trustcheck.subject._schema import Feature

#: Fewest rows a relation is inferred from: were it to fail in 1 % of rows, 300 would show it (95 %).
SUPPORT = 300
#: Smallest share of rows that would break it if the two columns knew nothing of one another.
SURPRISE = 0.05
#: Most numeric columns whose pairs are looked at, and rows that a first look takes.
COLUMNS, FIRST_LOOK = 60, 500
#: Two numbers this near, relative to their size, are equal: sums of decimals are not exact.
NEAR = 1e-9
_ARITHMETIC: Mapping[str, Callable[[Any, Any], Any]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": operator.truediv,
}
_COMPARISONS = ("<=", "<", "==", "!=")


@dataclass(frozen=True, eq=False, slots=True)
class Expression:
    """A column, a constant, or arithmetic on such; compare two to get a :class:`Relation`.

    Parameters
    ----------
    op : {"col", "const", "+", "-", "*", "/"}
    args : tuple
        The column's name, the constant, or two expressions.
    """

    op: str
    args: tuple[Any, ...]

    @property
    def columns(self) -> frozenset[str]:
        """Names of the columns it reads."""
        if self.op in ("col", "const"):
            return frozenset({self.args[0]} if self.op == "col" else ())
        return frozenset().union(*(part.columns for part in self.args))

    def of(self, values: Mapping[str, Any]) -> Any:
        """Return its value, given those of the columns."""
        if self.op == "const":
            return self.args[0]
        if self.op == "col":
            return values[self.args[0]]
        one, two = (part.of(values) for part in self.args)
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            return _ARITHMETIC[self.op](one, two)

    def __add__(self, other: Any) -> Expression:
        return Expression("+", (self, _expression(other)))

    def __radd__(self, other: Any) -> Expression:
        return Expression("+", (_expression(other), self))

    def __sub__(self, other: Any) -> Expression:
        return Expression("-", (self, _expression(other)))

    def __rsub__(self, other: Any) -> Expression:
        return Expression("-", (_expression(other), self))

    def __mul__(self, other: Any) -> Expression:
        return Expression("*", (self, _expression(other)))

    def __rmul__(self, other: Any) -> Expression:
        return Expression("*", (_expression(other), self))

    def __truediv__(self, other: Any) -> Expression:
        return Expression("/", (self, _expression(other)))

    def __rtruediv__(self, other: Any) -> Expression:
        return Expression("/", (_expression(other), self))

    def __le__(self, other: Any) -> Relation:
        return Relation("<=", (self, _expression(other)))

    def __lt__(self, other: Any) -> Relation:
        return Relation("<", (self, _expression(other)))

    def __ge__(self, other: Any) -> Relation:
        return Relation("<=", (_expression(other), self))

    def __gt__(self, other: Any) -> Relation:
        return Relation("<", (_expression(other), self))

    def __eq__(self, other: object) -> Relation:  # type: ignore[override]
        return Relation("==", (self, _expression(other)))

    def __ne__(self, other: object) -> Relation:  # type: ignore[override]
        return Relation("!=", (self, _expression(other)))

    __hash__ = object.__hash__

    def __str__(self) -> str:
        """Write it as it is written in Python, columns by their bare names."""
        if self.op in ("col", "const"):
            return str(self.args[0]) if self.op == "col" else repr(self.args[0])
        one, two = self.args
        return f"({one} {self.op} {two})"


@dataclass(frozen=True, eq=False, slots=True)
class Relation:
    """What every valid row keeps, as ``col("open") <= col("total")``.

    Parameters
    ----------
    op : {"<=", "<", "==", "!=", "and", "or", "implies"}
    args : tuple
        Two expressions, or two relations.
    """

    op: str
    args: tuple[Any, Any]

    @property
    def columns(self) -> frozenset[str]:
        """Names of the columns it reads."""
        one, two = self.args
        found: frozenset[str] = one.columns | two.columns
        return found

    def implies(self, other: Relation) -> Relation:
        """Return "where this holds, so must the other": an if-then."""
        return Relation("implies", (self, _relation(other)))

    def __and__(self, other: Relation) -> Relation:
        return Relation("and", (self, _relation(other)))

    def __or__(self, other: Relation) -> Relation:
        return Relation("or", (self, _relation(other)))

    def __bool__(self) -> bool:
        raise TypeError(
            "a relation holds for rows, not in itself: write a <= b and b <= c as two relations,"
            " and join relations by & and |, or by .implies()"
        )

    def holds(self, values: Mapping[str, np.ndarray]) -> np.ndarray:
        """Return where it holds, shape (n,); a row that misses one of the values is let pass.

        Parameters
        ----------
        values : mapping of str to ndarray, shape (n,)
            Numbers as floats, other columns as objects; see :func:`values_of`.
        """
        unknown = np.logical_or.reduce([_missing(values[name]) for name in sorted(self.columns)])
        return np.asarray(self._true(values) | unknown, dtype=bool)

    def _true(self, values: Mapping[str, np.ndarray]) -> np.ndarray:
        if self.op in _COMPARISONS:
            return _compare(self.op, *(part.of(values) for part in self.args))
        one, two = (part._true(values) for part in self.args)  # noqa: SLF001 - its own kind
        if self.op == "and":
            return np.asarray(one & two)
        return np.asarray((one if self.op == "or" else ~one) | two)

    def __str__(self) -> str:
        """Write it as a person would."""
        one, two = self.args
        if self.op == "implies":
            return f"if {one} then {two}"
        if self.op in _COMPARISONS:
            return f"{_bare(one)} {self.op} {_bare(two)}"
        return f"({one} {self.op} {two})"

    __repr__ = __str__


def col(name: str) -> Expression:
    """Return a column to write relations with.

    Parameters
    ----------
    name : str
        Of a feature.

    Returns
    -------
    Expression
        Compare it (``<= < == != > >=``) with another column, a constant, or arithmetic on both;
        join relations by ``&`` and ``|``; ``a.implies(b)`` is an if-then.

    Examples
    --------
    >>> import trustcheck as tc
    >>> tc.col("open") <= tc.col("total")
    open <= total
    >>> (tc.col("status") == "new").implies(tc.col("open") == 0)
    if status == 'new' then open == 0
    """
    return Expression("col", (str(name),))


def values_of(frame: pd.DataFrame, names: frozenset[str]) -> dict[str, np.ndarray]:
    """Return columns as relations read them: numbers and dates as floats, the rest as objects."""
    import pandas as pd

    from trustcheck.subject._schema import as_numbers

    found = {}
    for name in sorted(names):
        column = frame[name]
        numeric = pd.api.types.is_numeric_dtype(column.dtype)
        dated = column.dtype.kind in "mM" or str(column.dtype).startswith("datetime64")
        found[name] = as_numbers(column) if numeric or dated else column.to_numpy(dtype=object)
    return found


def infer(frame: pd.DataFrame, features: Mapping[str, Feature]) -> tuple[Relation, ...]:
    """Return the relations ``a <= b`` and ``a == b`` that all rows keep, and not by chance.

    Two numeric columns, at least ``SUPPORT`` rows that have both, and at least ``SURPRISE`` of
    the rows would break it if their values were dealt anew: a column of small numbers beside one
    of large numbers says nothing.
    """
    import pandas as pd

    names = [
        name
        for name, feature in features.items()
        if feature.kind in ("numeric", "integer")
        and feature.low != feature.high
        and pd.api.types.is_numeric_dtype(frame[name].dtype)
    ]
    if not 2 <= len(names) <= COLUMNS or len(frame) < SUPPORT:
        return ()
    values = values_of(frame, frozenset(names))
    head = np.linspace(0, len(frame) - 1, min(FIRST_LOOK, len(frame))).astype(int)
    first = np.column_stack([values[name][head] for name in names])
    # Broken anywhere in the first look: most pairs end here.
    broken = np.array([(first > first[:, [j]]).any(axis=0) for j in range(len(names))])
    found: list[Relation] = []
    for j, i in np.argwhere(~broken):
        small, large = names[i], names[j]
        if i == j or (i > j and not broken[i, j]):
            continue
        known = np.isfinite(values[small]) & np.isfinite(values[large])
        one, two = values[small][known], values[large][known]
        if len(one) >= SUPPORT and np.all(one <= two):
            equal = bool(np.all(one == two))
            above = np.searchsorted(np.sort(one), two, side="right") / len(one)
            if equal or 1 - above.mean() >= SURPRISE:
                found.append(col(small) == col(large) if equal else col(small) <= col(large))
    return tuple(found)


def one_hot(frame: pd.DataFrame, features: Mapping[str, Feature]) -> tuple[tuple[str, ...], ...]:
    """Return groups of columns that start alike, hold 0 and 1 only, and of which each row sets one."""
    from trustcheck.subject._schema import as_numbers

    if len(frame) < SUPPORT:
        return ()
    codes = {}
    for name, feature in features.items():
        if feature.missing == 0 and (
            feature.kind == "boolean"
            or (feature.kind == "integer" and (feature.low, feature.high) == (0, 1))
        ):
            codes[name] = as_numbers(frame[name])
    prefixes = sorted(set(_prefixes(codes)), key=lambda prefix: (len(prefix), prefix))
    groups: list[tuple[str, ...]] = []
    for prefix in prefixes:
        members = [n for n in codes if n.startswith(prefix) and not any(n in g for g in groups)]
        if len(members) >= 2 and np.all(sum(codes[n] for n in members) == 1):
            groups.append(tuple(members))
    return tuple(groups)


def check(relations: Any, features: Mapping[str, Feature]) -> tuple[Relation, ...]:
    """Return the relations given, or say what is wrong with them."""
    found = (relations,) if isinstance(relations, Relation) else tuple(relations)
    for relation in found:
        if not isinstance(relation, Relation):
            raise InputError(
                "a relation is written with tc.col, as tc.col('open') <= tc.col('total'), not as a"
                f" {type(relation).__name__}"
            )
        unknown = sorted(relation.columns - set(features))
        if unknown:
            raise InputError(
                f"relation {relation} names no feature of the model: {', '.join(unknown)}"
            )
        if not relation.columns:
            raise InputError(f"relation {relation} names no column")
    return found


def _prefixes(names: Mapping[str, Any]) -> Iterator[str]:
    for name in names:
        for at, letter in enumerate(name):
            if letter in "_=:.- " and at:
                yield name[: at + 1]


def _expression(given: Any) -> Expression:
    if isinstance(given, Expression):
        return given
    if isinstance(given, (str, bool, int, float, np.number, np.bool_)):
        return Expression("const", (given,))
    raise InputError(f"a relation compares columns, numbers and text, not a {type(given).__name__}")


def _relation(given: Any) -> Relation:
    if not isinstance(given, Relation):
        raise InputError(f"only relations can be joined, not a {type(given).__name__}")
    return given


def _bare(part: Expression) -> str:
    said = str(part)
    return said[1:-1] if part.op in _ARITHMETIC else said


def _missing(values: np.ndarray) -> np.ndarray:
    import pandas as pd

    return np.asarray(pd.isna(values))


def _compare(op: str, one: Any, two: Any) -> np.ndarray:
    numbers = all(np.asarray(side).dtype.kind in "biuf" for side in (one, two))
    if op in ("==", "!="):
        if numbers:
            with np.errstate(invalid="ignore"):
                same = np.abs(one - np.asarray(two, dtype=float)) <= _slack(one, two)
        else:
            same = np.asarray(one == two, dtype=bool)
        return np.asarray(same if op == "==" else ~same)
    if not numbers:
        raise InputError("a relation orders numbers only; text and categories are equal or not")
    with np.errstate(invalid="ignore"):
        if op == "<=":
            return np.asarray(one <= two + _slack(one, two))
        return np.asarray(one < two)


def _slack(one: Any, two: Any) -> np.ndarray:
    size = np.maximum(np.abs(np.asarray(one, float)), np.abs(np.asarray(two, float)))
    return np.where(np.isfinite(size), NEAR * size, 0.0)
