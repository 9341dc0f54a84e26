"""Does the model keep the rules declared for it?"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from trustcheck.probe import Want, probe
from trustcheck.safety import _rules
from trustcheck.stats import intervals, worst
from trustcheck.subject._schema import as_numbers
from trustcheck.subject._table import replaced
from trustcheck.types import Estimate, InputError, Measurement, NotMeasurable, Row

if TYPE_CHECKING:
    import pandas as pd

    from trustcheck.subject import Feature, Subject

#: Rows sent by default, per given row and in all; counterexamples kept for each rule.
BUDGET, MOST_SENT, EXAMPLES = 1.0, 20_000, 5


def _wants(subject: Subject) -> Iterable[Want]:
    yield Want("predictions")
    if "scores" in subject.offers():
        yield Want("scores")


@probe(
    title="Declared behaviour",
    question="Does the model keep the rules declared for it?",
    headline="violations",
    unit="share of checks that break the rule broken most",
    better="low",
    keys=("safety.physical_harm", "reliability.performance_consistency"),
    clauses=("7.2", "9.9"),
    needs=("features", "model", "rules"),
    wants=_wants,
    cost="at most 1 row per given row, and 20,000, shared by the rules",
)
def behaviour(
    subject: Subject,
    rng: np.random.Generator,
    *,
    tolerance: float = 1e-9,
    rows: int | None = None,
) -> Measurement:
    """Check declared rules on given rows, and on rows changed so that the rule speaks about them.

    Behavioural testing (Ribeiro et al. 2020) on tables: monotone rules compare a row with itself at
    another value of one column; implications are checked on rows made to meet their condition.

    Parameters
    ----------
    subject : Subject
        With a model, and ``context=tc.Context(rules=[...])``: dicts such as
        ``{"monotone": "income", "direction": "up"}``, ``{"bound": [0, None]}``,
        ``{"if": {"age": "< 18"}, "then": {"predict": "reject"}}``. See the page for all of them.
    tolerance : float
        By how much a score may break a rule without it counting, at least 0.
    rows : int, optional
        Rows for each rule, at least 1; what the budget allows unless given.

    Returns
    -------
    Finding
        Headline ``violations``, from 0 to 1: the largest share of broken checks of any rule. One
        detail row per rule; counterexamples in ``examples``.

    Examples
    --------
    >>> import trustcheck as tc
    >>> X = np.linspace(0, 10, 200)[:, None]
    >>> rules = tc.Context(rules=[{"monotone": "x0", "direction": "up"}])
    >>> behaviour(tc.Subject(lambda X: 2 * X[:, 0], X, task="regression", context=rules)).value
    0.0
    """
    if not (np.isfinite(tolerance) and tolerance >= 0):
        raise InputError("tolerance must be a finite number of at least 0")
    rules = _rules.read(subject, subject.context.rules)
    chosen = subject.sample(_size(subject, sum(rule.asks for rule in rules), rows), rng)
    frame = subject.X.iloc[chosen].reset_index(drop=True)
    made = [_made(rule, frame, subject, rng) if rule.asks else frame for rule in rules]
    answers = _ask(subject, rules, made)
    checks = [
        _check(rule, table, answer, frame, subject, chosen)
        for rule, table, answer in zip(rules, made, answers, strict=True)
    ]
    if not all(check.checked.any() for check in checks):
        empty = next(check.rule.name for check in checks if not check.checked.any())
        raise NotMeasurable(
            f"no row could be made for the rule '{empty}': its column is missing or constant"
        )
    broken = [int((check.by[check.checked] > tolerance).sum()) for check in checks]
    sizes = [int(check.checked.sum()) for check in checks]
    return Measurement(
        {
            "violations": Estimate(
                *worst.worst_share(broken, sizes), n=min(sizes),
                unit="share of checks that break the rule broken most", range=(0.0, 1.0),
            )
        },
        rows=tuple(map(_row, checks, broken, sizes)),
        statistics={"successes": broken, "n": sizes},
        formula="worst.worst_share",
        notes=tuple(_notes(checks, broken)),
        picture="intervals",
        examples=_examples(checks, tolerance),
    )  # fmt: skip


@dataclass(frozen=True)
class _Check:
    """How far each row breaks one rule, in units of the score; 0 where it keeps it."""

    rule: _rules.Rule
    table: pd.DataFrame
    by: np.ndarray
    checked: np.ndarray
    changed: int  # rows that had to be changed for the rule to speak about them


def _size(subject: Subject, asking: int, rows: int | None) -> int:
    if rows is not None and rows < 1:
        raise InputError("rows must be at least 1")
    budget = min(subject.allowance(BUDGET), MOST_SENT)
    size = min(rows or budget // max(asking, 1), subject.n)
    if size < 1:
        raise NotMeasurable("the budget allows fewer rows than there are rules; raise budget=")
    return size


def _made(
    rule: _rules.Rule, frame: pd.DataFrame, subject: Subject, rng: np.random.Generator
) -> pd.DataFrame:
    """Rows the rule speaks about."""
    changed = {
        c.column: c.bring_about(frame[c.column], subject.schema[str(c.column)], rng)
        for c in rule.conditions
    }
    if rule.kind == "monotone":
        changed = {rule.column: _moved(frame[rule.column], subject.schema[str(rule.column)], rng)}
    return replaced(frame, changed)


def _moved(column: pd.Series, feature: Feature, rng: np.random.Generator) -> pd.Series:
    """Other numbers: half a step away, on the column's own scale, half anywhere in its range."""
    values = as_numbers(column)
    step, anywhere, local = (
        rng.standard_normal(len(values)),
        rng.random(len(values)),
        rng.random(len(values)),
    )
    low, high = feature.low or 0.0, feature.high or 0.0
    moved = np.where(local < 0.5, values + step * feature.scale, low + anywhere * (high - low))
    if low < high:
        moved = np.clip(moved, low, high)
    if feature.kind == "integer":
        moved = np.rint(moved)
    known = np.flatnonzero(np.isfinite(values))
    dtype: Any = getattr(column.dtype, "numpy_dtype", column.dtype)
    changed = column.copy()
    changed.iloc[known] = moved[known].astype(dtype)
    return changed


def _ask(subject: Subject, rules: list[_rules.Rule], made: list[pd.DataFrame]) -> list[np.ndarray]:
    """Answers to the rows of each rule: codes for "predict", else one score of a class."""
    import pandas as pd

    answers: list[np.ndarray] = [_given(subject, rule) for rule in rules]
    for labels in (True, False):
        asked = [
            at for at, rule in enumerate(rules) if rule.asks and (rule.kind == "predict") == labels
        ]
        if asked:
            table = pd.concat([made[at] for at in asked], ignore_index=True)
            found = subject.predict(table) if labels else subject.output(table)
            for at, part in zip(asked, np.split(found, len(asked)), strict=True):
                answers[at] = part if labels else part[:, rules[at].of]
    return answers


def _given(subject: Subject, rule: _rules.Rule) -> np.ndarray:
    """The same of all given rows, from the shared pass."""
    if subject.task == "regression" or rule.kind == "predict":
        return subject.predictions
    if "scores" in subject.offers():
        return subject.scores[:, rule.of]
    return (subject.predictions == rule.of).astype(float)


def _check(
    rule: _rules.Rule,
    table: pd.DataFrame,
    answer: np.ndarray,
    frame: pd.DataFrame,
    subject: Subject,
    chosen: np.ndarray,
) -> _Check:
    if rule.kind == "monotone":
        moved = as_numbers(table[rule.column]) - as_numbers(frame[rule.column])
        change = (answer - _given(subject, rule)[chosen]) * np.sign(np.nan_to_num(moved))
        by = -change if rule.rises else change
        checked = np.nan_to_num(moved) != 0
        return _Check(rule, table, np.maximum(by, 0.0), checked, int(checked.sum()))
    if rule.kind == "predict":
        by = np.where(answer == rule.label, 0.0, np.inf)
    else:
        by = np.maximum(np.maximum(rule.low - answer, answer - rule.high), 0.0)
    if not rule.asks:
        table = subject.X
    met = [c.met(frame[c.column]) for c in rule.conditions]
    changed = int((~np.all(met, axis=0)).sum()) if met else 0
    return _Check(rule, table, by, np.ones(len(by), dtype=bool), changed)


def _row(check: _Check, broken: int, size: int) -> Row:
    share, low, high = intervals.wilson(broken, size)
    by = check.by[check.checked]
    return {
        "rule": check.rule.name,
        "kind": check.rule.kind,
        "checked": size,
        "changed": check.changed,
        "violated": broken,
        "share": float(share),
        "low": float(low),
        "high": float(high),
        "largest": float(by.max()) if np.isfinite(by).all() else None,
    }


def _notes(checks: list[_Check], broken: list[int]) -> Iterator[str]:
    shares = [count / max(int(c.checked.sum()), 1) for count, c in zip(broken, checks, strict=True)]
    first = int(np.argmax(shares))
    if broken[first]:
        yield f"Broken most: {checks[first].rule.name} ({shares[first]:.1%} of its checks)."
    else:
        yield "No rule was broken; rarer violations than the upper end of the interval may still exist."
    if any(check.changed for check in checks):
        yield "Rows were changed so that the rules speak about them; some may be unlike any real row."


def _examples(checks: list[_Check], tolerance: float) -> Any:
    import pandas as pd

    found = []
    for check in checks:
        rows = np.flatnonzero(check.checked & (check.by > tolerance))
        rows = rows[np.argsort(-check.by[rows], kind="stable")][:EXAMPLES]
        found.append(check.table.iloc[rows].assign(**{"broken rule": check.rule.name}))
    return pd.concat(found, ignore_index=True)
