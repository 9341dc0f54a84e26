"""Does the way the question is asked change the answer?"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from trustcheck.probe import Want, probe
from trustcheck.stats import intervals
from trustcheck.subject._encode import one_thread
from trustcheck.subject._schema import robust_scale
from trustcheck.types import Estimate, InputError, Measurement, NotMeasurable, Row

if TYPE_CHECKING:
    import pandas as pd

    from trustcheck.subject import Subject

#: Rows sent by default, per given row and in all; and rows sent one at a time.
BUDGET, MOST_SENT, MOST_SINGLE = 1.0, 4_000, 50


class Ask:
    """The model, asked as it is; or a copy of it that was written down and read again."""

    def __init__(self, subject: Subject) -> None:
        self.subject = subject

    def __call__(self, frame: pd.DataFrame) -> np.ndarray:
        return self.subject.output(frame, purpose="asking")

    def copied(self) -> Ask:
        """Return the model's copy: pickled and read back, in memory only."""
        import pickle

        twin = pickle.loads(pickle.dumps(self.subject.native))  # noqa: S301 - our own bytes
        return Ask(self.subject.standing_in(twin))


Relate = Callable[["pd.DataFrame", Ask], "list[np.ndarray]"]


def _wants(subject: Subject) -> Iterable[Want]:
    yield Want("scores" if "scores" in subject.offers() else "predictions")


@probe(
    title="Metamorphic relations",
    question="Does the way the question is asked leave the answer as it is?",
    headline="violations",
    unit="share of checks in which the answer changed",
    better="low",
    keys=("reliability.performance_consistency",),
    clauses=("9.7", "9.10.2"),
    needs=("features", "model"),
    wants=_wants,
    cost="at most 1 row per given row, and 4,000; 50 of them one at a time",
    clusters=True,
    version=2,
)
def metamorphic(
    subject: Subject,
    rng: np.random.Generator,
    *,
    tolerance: float = 1e-6,
    rows: int | None = None,
) -> Measurement:
    """Ask again in ways that must not matter, and count the answers that change.

    Metamorphic testing (Chen, Cheung & Yiu 1998; for learners Xie et al. 2011): another batch, one
    row at a time, twice the same, another order of rows, every row twice, another order of
    columns, another number type, one thread instead of several, and a copy of the model that was
    pickled and read back. Every relation is checked on rows of its own, so that each check
    is a draw of its own.

    Parameters
    ----------
    subject : Subject
        With a model.
    tolerance : float
        Changes up to this size do not count, at least 0: of a probability, or of a predicted
        number in robust scales (IQR / 1.349) of the predictions.
    rows : int, optional
        Rows for each relation, at least 1; what the budget allows unless given.

    Returns
    -------
    Finding
        Headline ``violations``, from 0 to 1: share of the checks in which the answer changed, or
        in which the model raised. One detail row per relation.

    Examples
    --------
    >>> import trustcheck as tc
    >>> from sklearn.linear_model import LogisticRegression
    >>> X = np.linspace(0, 10, 200)[:, None]
    >>> y = X[:, 0] > 5
    >>> metamorphic(tc.Subject(LogisticRegression().fit(X, y), X, y)).value
    0.0
    """
    if not (np.isfinite(tolerance) and tolerance >= 0):
        raise InputError("tolerance must be a finite number of at least 0")
    given, unit = _given(subject)
    relations = [r for r in RELATIONS if r.applies(subject)]
    sizes = _sizes(subject, relations, rows)
    chosen = np.split(subject.sample(sum(sizes), rng), np.cumsum(sizes)[:-1])

    ask = Ask(subject)
    checks = [
        _check(relation, subject.X.iloc[at].reset_index(drop=True), given[at], ask, unit, tolerance)
        for relation, at in zip(relations, chosen, strict=True)
    ]
    used = np.concatenate([at for at, check in zip(chosen, checks, strict=True) if check.counted])
    changed = np.concatenate([check.changed for check in checks if check.counted]).astype(float)
    clusters = None if subject.clusters is None else subject.clusters[used]
    share = intervals.bounded_mean(changed, clusters=clusters)
    influence = np.zeros(subject.n)
    influence[used] = (changed - changed.mean()) * subject.n / len(used)
    return Measurement(
        {
            "violations": Estimate(
                *share, n=len(used), unit="share of checks in which the answer changed",
                range=(0.0, 1.0),
            )
        },
        rows=tuple(check.row() for check in checks),
        statistics={} if subject.has_clusters else {"successes": float(changed.sum()), "n": len(used)},
        formula=None if subject.has_clusters else "intervals.wilson",
        notes=tuple(_notes(subject, checks)),
        picture="bars",
        influence=influence,
    )  # fmt: skip


@dataclass(frozen=True)
class _Relation:
    """Ways to ask about the same rows whose answers must agree."""

    name: str
    cost: int  # rows sent per row checked
    ask: Relate  # answers of equal shape; with one alone, the shared pass's answers are the other
    applies: Callable[[Subject], bool] = field(default=lambda _subject: True)
    most: int = MOST_SENT
    may_refuse: bool = False  # an exception is no violation: the caller is told


@dataclass(frozen=True)
class _Check:
    """What became of one relation."""

    relation: str
    changed: np.ndarray
    largest: float | None
    raised: str = ""
    counted: bool = True

    def row(self) -> Row:
        share, low, high = intervals.wilson(int(self.changed.sum()), len(self.changed))
        return {
            "relation": self.relation,
            "checked": len(self.changed),
            "changed": int(self.changed.sum()),
            "share": float(share),
            "low": float(low),
            "high": float(high),
            "largest_change": self.largest,
            "raised": self.raised,
            "counted": self.counted,
        }


def _check(
    relation: _Relation,
    frame: pd.DataFrame,
    given: np.ndarray,
    ask: Ask,
    unit: float,
    tolerance: float,
) -> _Check:
    try:
        answers = relation.ask(frame, ask)
    except Exception as fault:  # noqa: BLE001 - what the model raises is the result
        refused = np.full(len(frame), not relation.may_refuse)
        return _Check(relation.name, refused, None, type(fault).__name__, not relation.may_refuse)
    first, *others = answers if len(answers) > 1 else [given, *answers]
    gaps = np.max([np.abs(other - first).max(axis=1) for other in others], axis=0) / unit
    # A label that changes moves its score, or its one-hot code, but for ties within the tolerance.
    return _Check(relation.name, gaps > tolerance, float(gaps.max()))


def _single(frame: pd.DataFrame, ask: Ask) -> list[np.ndarray]:
    return [np.concatenate([ask(frame.iloc[[at]]) for at in range(len(frame))])]


def _doubled(frame: pd.DataFrame, ask: Ask) -> list[np.ndarray]:
    import pandas as pd

    return list(np.split(ask(pd.concat([frame, frame], ignore_index=True)), 2))


def _retyped(frame: pd.DataFrame, ask: Ask) -> list[np.ndarray]:
    """Ask with narrow and with wide number types, about numbers that both hold exactly."""
    wide, narrow = frame.copy(deep=False), frame.copy(deep=False)
    for name in frame.columns:
        column = frame[name]
        if column.dtype == np.float64:
            with np.errstate(over="ignore"):
                short = column.astype(np.float32)
            if np.array_equal(np.isfinite(short), np.isfinite(column)):
                wide[name], narrow[name] = short.astype(np.float64), short
        elif column.dtype == np.float32 or (
            column.dtype == np.int64 and column.abs().max() < 2**53
        ):
            wide[name] = column.astype(np.float64)
    return [ask(wide), ask(narrow)]


def _one_thread(frame: pd.DataFrame, ask: Ask) -> list[np.ndarray]:
    with one_thread():
        return [ask(frame)]


def _has_numbers(subject: Subject) -> bool:
    return any(dtype in (np.float64, np.float32, np.int64) for dtype in subject.X.dtypes)


def _has_names(subject: Subject) -> bool:
    return not subject.takes_arrays and len(subject.features) > 1


RELATIONS = (
    _Relation("another batch", 1, lambda frame, ask: [ask(frame)]),
    _Relation("one row at a time", 1, _single, most=MOST_SINGLE),
    _Relation("asked twice", 2, lambda frame, ask: [ask(frame), ask(frame)]),
    _Relation("order of rows", 2, lambda frame, ask: [ask(frame), ask(frame.iloc[::-1])[::-1]]),
    _Relation("every row twice", 2, _doubled),
    _Relation(
        "order of columns", 1, lambda frame, ask: [ask(frame[frame.columns[::-1]])], _has_names,
        may_refuse=True,
    ),
    _Relation("number type", 2, _retyped, _has_numbers),
    _Relation("one thread", 1, _one_thread),
    _Relation(
        "saved and loaded", 1, lambda frame, ask: [ask.copied()(frame)], may_refuse=True
    ),
)  # fmt: skip


def _given(subject: Subject) -> tuple[np.ndarray, float]:
    """Answers of the shared pass, as ``Subject.output`` gives them, and the unit of a change."""
    if subject.task == "regression":
        return subject.predictions[:, None], robust_scale(subject.predictions)
    if "scores" in subject.offers():
        return subject.scores, 1.0
    return np.eye(len(subject.classes))[subject.predictions], 1.0


def _sizes(subject: Subject, relations: list[_Relation], rows: int | None) -> list[int]:
    if rows is not None and rows < 1:
        raise InputError("rows must be at least 1")
    budget = min(subject.allowance(BUDGET), MOST_SENT)
    each = rows or budget // sum(relation.cost for relation in relations)
    each = min(each, subject.n // len(relations))
    if each < 1:
        raise NotMeasurable(
            "too few rows to check every relation on rows of its own; give more rows, or raise"
            " budget="
        )
    return [min(each, relation.most) for relation in relations]


def _notes(subject: Subject, checks: list[_Check]) -> Iterable[str]:
    counted = [check for check in checks if check.counted]
    worst = max(counted, key=lambda check: check.changed.mean())
    if worst.changed.any():
        yield f"Worst relation: {worst.relation} ({worst.changed.mean():.0%} of its checks)."
    if any(check.relation == "asked twice" and check.changed.any() for check in checks):
        yield "The model answers the same batch differently when asked twice; the other relations are moved by that too."
    for check in checks:
        if check.raised:
            how = "counted as changed" if check.counted else "a refusal, so not counted"
            yield f"{check.relation}: the model raised {check.raised}; {how}."
    if not _has_names(subject):
        yield "Order of columns not checked: the model reads them by position."
