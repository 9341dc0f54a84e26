"""Is input that no honest row looks like refused, or silently answered?"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from trustcheck.probe import Want, probe
from trustcheck.safety import _broken
from trustcheck.stats import intervals
from trustcheck.subject._table import replaced
from trustcheck.types import Better, Estimate, Measurement, Method, NotMeasurable, Row

if TYPE_CHECKING:
    import pandas as pd

    from trustcheck.subject import Feature, Subject

#: Rows sent by default, per given row; and how many columns and rows of each are broken at most.
BUDGET, MOST_COLUMNS, MOST_ROWS = 1.0, 20, 5
#: Below this share of the guarded subject's own valid rows, a guard refuses too much to count.
GUARD_ACCEPTS = 0.5

Make = Callable[["pd.Series", "Feature", np.ndarray], "pd.Series"]


def _wants(subject: Subject) -> Iterable[Want]:
    if "scores" in subject.offers():
        yield Want("scores")


@probe(
    title="Hostile input",
    question="Is input that no honest row looks like refused rather than silently answered?",
    headline="silent",
    unit="share of kinds of hostile input that are silently answered",
    better="low",
    keys=("safety.physical_harm", "reliability.resilience", "security.data_integrity"),
    clauses=("9.4", "9.9", "9.10.3"),
    needs=("features", "model"),
    wants=_wants,
    cost="at most 1 row per given row: up to 5 for each of 20 columns and 7 kinds",
)
def hostile_input(
    subject: Subject, rng: np.random.Generator, *, columns: int = MOST_COLUMNS
) -> Measurement:
    """Break valid rows in eleven ways, one column at a time, and see who notices.

    In the manner of robustness testing of interfaces (Koopman et al. 1997): each kind of hostile
    input is refused by the guard (``context=tc.Context(guard=...)``), raises, is abstained from, is
    answered with clearly less confidence, or is silently answered.

    Parameters
    ----------
    subject : Subject
        With a model; a guard in its context stands before the model.
    columns : int
        Columns broken at most, one at a time, at least 1; drawn at random where there are more.

    Returns
    -------
    Finding
        Headline ``silent``, from 0 to 1: share of the kinds that are silently answered for at
        least one column; exact for the rows tried. Also ``silent_cases`` (share of kind and
        column) and, with a guard, ``guard_accepts`` (share of valid rows it lets through). One
        detail row per kind.

    Examples
    --------
    >>> import trustcheck as tc
    >>> X = np.linspace(0, 10, 200)[:, None]
    >>> def inside(rows):
    ...     return np.array([len(row) == 1 and 0 <= float(row[0]) <= 10 for row in rows])
    >>> guarded = tc.Context(guard=inside)
    >>> subject = tc.Subject(lambda X: X[:, 0] > 5, X, X[:, 0] > 5, context=guarded)
    >>> hostile_input(subject).value
    0.0
    """
    size = min(MOST_ROWS, subject.allowance(BUDGET) // (len(ONE_COLUMN) + 3), subject.n)
    if size < 1:
        raise NotMeasurable(
            "the budget allows too few rows to be sent; give more rows, or raise budget="
        )
    most = max(min(columns, subject.allowance(BUDGET) // (size * (len(ONE_COLUMN) + 3))), 1)
    chosen = subject.sample(size, rng)
    case = _Cases(subject, subject.X.iloc[chosen].reset_index(drop=True), chosen)
    names = list(case.frame.columns)
    if len(names) > most:
        names = [names[at] for at in np.sort(rng.choice(len(names), most, replace=False))]
    signs = np.where(np.arange(size) % 2, -1.0, 1.0)
    found: dict[str, list[_Outcome]] = {}
    for kind, column, frame in _broken_tables(subject, case.frame, names, signs):
        found.setdefault(kind, []).append(case.outcome(frame, column))
    if not subject.takes_arrays and len(case.frame.columns) > 1:
        found["columns in another order"] = [case.reordered()]
    found["no rows"] = [case.empty()]
    silent = {kind: sum(o.name == "silent" for o in cases) for kind, cases in found.items()}
    tried = {kind: len(cases) for kind, cases in found.items()}
    metrics = {
        "silent": _exact(
            sum(count > 0 for count in silent.values()), len(found),
            "share of kinds of hostile input that are silently answered",
        ),
        "silent_cases": _exact(
            sum(silent.values()), sum(tried.values()), "share of kinds and columns silently answered"
        ),
    }  # fmt: skip
    accepts = guard_accepts(subject, rng)
    return Measurement(
        metrics | accepts,
        rows=tuple(_row(kind, cases) for kind, cases in found.items()),
        notes=tuple(_notes(subject, silent, len(names), size)),
        picture="bars",
        incomplete=refuses_too_much(accepts),
    )


def guard_accepts(subject: Subject, rng: np.random.Generator) -> dict[str, Estimate]:
    """Share of valid rows the guard lets through; nothing without a guard."""
    if subject.context.guard is None:
        return {}
    valid = subject.X.iloc[subject.sample(4_000, rng)].reset_index(drop=True)
    passed = _broken.accepted(subject, valid)
    share = intervals.wilson(int(passed.sum()), len(passed))
    unit = "share of the given rows the guard lets through"
    return {
        "guard_accepts": Estimate(
            *share, n=len(passed), unit=unit, range=(0.0, 1.0), better=Better.HIGH
        )
    }


def refuses_too_much(accepts: dict[str, Estimate]) -> str | None:
    """Say so if the guard refuses valid rows too, or its refusals would prove nothing."""
    if accepts and accepts["guard_accepts"].value < GUARD_ACCEPTS:
        share = accepts["guard_accepts"].value
        return (
            f"the guard lets through only {share:.0%} of the given rows, so its refusals say little"
        )
    return None


def _exact(count: int, of: int, unit: str) -> Estimate:
    share = count / of
    return Estimate(share, share, share, n=of, unit=unit, method=Method.EXACT, range=(0.0, 1.0))


@dataclass(frozen=True)
class _Outcome:
    name: str  # guard | raised | abstained | less sure | same answer | silent
    kind: str = ""
    names_it: bool = False


class _Cases:
    """Valid rows, what the model makes of them, and of their broken copies."""

    def __init__(self, subject: Subject, frame: pd.DataFrame, chosen: np.ndarray) -> None:
        self.subject, self.frame = subject, frame
        self.sure: np.ndarray | None = None
        if "scores" in subject.offers():
            self.sure = _broken.confidence(subject.scores[chosen])

    def outcome(self, frame: pd.DataFrame, column: str = "") -> _Outcome:
        passed = _broken.accepted(self.subject, frame)
        if not passed.any():
            return _Outcome("guard")
        reply = _broken.ask(self.subject, frame[passed], purpose="asking")
        if reply.answers is None:
            return _Outcome(reply.outcome, reply.kind, bool(column) and column in reply.message)
        if self.sure is not None:
            # How far above a guess it is, against the same rows unbroken.
            guess = 1 / len(self.subject.classes)
            now = np.mean(_broken.confidence(reply.answers) - guess)
            if now < 0.5 * np.mean(self.sure[passed] - guess):
                return _Outcome("less sure")
        return _Outcome("silent")

    def reordered(self) -> _Outcome:
        """Columns backwards: harmless where the model goes by name."""
        found = self.outcome(backwards := self.frame[self.frame.columns[::-1]])
        if found.name in ("silent", "less sure"):
            first = _broken.ask(self.subject, self.frame, purpose="asking").answers
            again = _broken.ask(self.subject, backwards, purpose="asking").answers
            if first is not None and again is not None and np.allclose(first, again, atol=1e-6):
                return _Outcome("same answer")
        return found

    def empty(self) -> _Outcome:
        """No rows: an empty answer or an exception are both right."""
        subject = self.subject
        nothing = self.frame.iloc[:0]
        native: Any = subject.native
        methods = (getattr(native, name, None) for name in ("predict_proba", "predict"))
        method: Any = next(filter(callable, methods), native)
        try:
            # Subject.predict never calls the model without rows, so it is called directly.
            answer = method(subject.own(nothing))
        except Exception as fault:  # noqa: BLE001 - what the model raises is the result
            return _Outcome("raised", type(fault).__name__)
        return _Outcome("same answer" if answer is not None and len(answer) == 0 else "silent")


def _is_number(feature: Feature) -> bool:
    return feature.kind in ("numeric", "integer") and feature.low is not None


#: Kinds that break one column: which features they mean something for, and the broken column.
ONE_COLUMN: dict[str, tuple[Callable[[Feature], bool], Make]] = {
    "missing value": (lambda f: f.missing == 0, lambda c, _f, _s: _broken.without(c)),
    "infinite number": (_is_number, lambda c, _f, s: _broken.put(c, s * np.inf)),
    "number far out of range": (
        _is_number, lambda c, f, s: _broken.put(c, _broken.beyond(f, 10, s)),
    ),
    "huge number": (
        _is_number, lambda c, f, s: _broken.put(c, s * 1e9 * max(1.0, f.scale)),
    ),
    "text for a number": (_is_number, lambda c, _f, _s: _broken.nonsense(c)),
    "unseen category": (
        lambda f: f.kind == "categorical", lambda c, _f, _s: _broken.nonsense(c),
    ),
}  # fmt: skip


def _broken_tables(
    subject: Subject, frame: pd.DataFrame, names: list[str], signs: np.ndarray
) -> Iterator[tuple[str, str, pd.DataFrame]]:
    for kind, (means_something, make) in ONE_COLUMN.items():
        for name in names:
            feature = subject.schema[str(name)]
            if means_something(feature):
                yield kind, str(name), replaced(frame, {name: make(frame[name], feature, signs)})
    for name in names if len(frame.columns) > 1 else ():
        yield "missing column", str(name), frame.drop(columns=name)
    yield "nothing known", "", frame.apply(_broken.without)
    numbers = [name for name in frame.columns if _is_number(subject.schema[str(name)])]
    spans = [subject.schema[str(name)] for name in numbers]
    outside = any(not (f.low or 0.0) <= 0 <= (f.high or 0.0) for f in spans)
    if outside:  # else a row of zeros may be an honest one
        zeros = {name: _broken.put(frame[name], 0.0) for name in numbers}
        yield "every number 0", "", replaced(frame, zeros)


def _row(kind: str, cases: list[_Outcome]) -> Row:
    names = Counter(case.name for case in cases)
    kinds = Counter(case.kind for case in cases if case.kind)
    worst = "silent" if names["silent"] else names.most_common(1)[0][0]
    return {
        "kind": kind,
        "outcome": worst,
        "handled": worst != "silent",
        "tried": len(cases),
        **{name.replace(" ", "_"): names[name] for name in ("guard", "raised", "abstained")},
        "less_sure": names["less sure"],
        "silent": names["silent"],
        "exception": kinds.most_common(1)[0][0] if kinds else "",
        "names_the_column": sum(case.names_it for case in cases),
    }


def _notes(subject: Subject, silent: dict[str, int], columns: int, rows: int) -> Iterator[str]:
    open_kinds = [kind for kind, count in silent.items() if count]
    if open_kinds:
        yield f"Silently answered: {', '.join(open_kinds)}."
    if subject.context.guard is None:
        yield "No guard was given (context=tc.Context(guard=...)), so the model stands alone."
    if columns < len(subject.features):
        yield f"Broken were {columns} of the {len(subject.features)} columns, drawn at random."
    each = "1 row" if rows == 1 else f"{rows} rows"
    yield f"Each case is {each}; the share is exact for the kinds tried, not an estimate."
