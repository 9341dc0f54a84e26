"""When one column of a row is broken, does the model keep its decision, or break silently?"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from trustcheck.probe import probe
from trustcheck.robustness._kinds import FAULTS, Fault, differs, faults_of
from trustcheck.robustness._replies import Reply, ask, rows_each
from trustcheck.robustness._ruler import ruler_for
from trustcheck.stats import intervals
from trustcheck.stats.worst import worst_share
from trustcheck.subject._table import replaced
from trustcheck.types import Better, Estimate, InputError, Measurement, NotMeasurable, Row

if TYPE_CHECKING:
    import pandas as pd

    from trustcheck.subject import Subject

#: Rows sent by default, per given row and in all; rows searched for each row with a fault.
BUDGET, MOST_SENT, SEARCHED = 2.0, 40_000, 20
#: Rounding in a larger batch, in interquartile ranges of a regression's predictions.
SAME = 1e-6


@probe(
    title="Data faults",
    question="When one column of a row is broken, does the model keep its decision?",
    headline="kept",
    unit="share of decisions that stay the same",
    better="high",
    keys=("reliability.resilience", "reliability.degradation"),
    clauses=("8.10", "9.7", "9.10.3"),
    needs=("features", "model"),
    wants=("predictions",),
    cost="at most 2 rows per given row, and 40,000",
    weights=True,
    clusters=True,
    version=2,
)
def faults(
    subject: Subject,
    rng: np.random.Generator,
    *,
    kinds: tuple[str, ...] = FAULTS,
    tolerance: float = 0.1,
    rows: int | None = None,
) -> Measurement:
    """Break one column at a time as real data breaks, and see whether the answer stays.

    Error injection on tables (Schelter et al. 2021): wrong units and signs, numbers beyond the
    range or rounded to a digit, categories never seen or mistyped, stale values, two columns of
    one kind swapped. A row the model refuses by raising is safe, but no decision: it leaves the
    denominator and is counted apart.

    Parameters
    ----------
    subject : Subject
        With a model.
    kinds : tuple of str
        Faults made: of "times 10", "times 100", "times 1000", "a tenth", "sign flipped", "one digit",
        "beyond range", "unseen", "typo", "stale" (the row before's value), "stuck" (one value for
        all rows), "swapped" (with the next column of the same kind). One-hot groups are broken as
        one column.
    tolerance : float
        Regression: a change up to this share of the predictions' interquartile range keeps the
        decision, from 0 to 1.
    rows : int, optional
        Rows for each column and fault, as the budget allows unless given.

    Returns
    -------
    Finding
        Headline ``kept``, from 0 to 1: mean over columns and faults of the share of answered rows
        whose decision stays. Also ``worst_column`` (its smallest value over columns),
        ``silent_change`` (share of all broken rows answered otherwise, with no sign of it),
        ``refused`` (share at which the model raises) and ``duplicates`` (share of rows answered as
        before when each is sent twice). Detail rows per column and fault, the worst
        column first.

    Examples
    --------
    >>> import trustcheck as tc
    >>> X = np.random.default_rng(0).normal(size=(400, 2))
    >>> clipped = lambda X: (np.clip(X[:, 0], -9, 9) > -9).astype(int)
    >>> found = faults(tc.Subject(clipped, X, task="binary", classes=[0, 1]))
    >>> found.rows[0]["column"], round(found.metrics["worst_column"].value, 1)
    ('x0', 0.9)
    """
    plan, left = _plan(subject, rng, _checked(kinds, tolerance, rows))
    budget = min(subject.allowance(BUDGET), MOST_SENT)
    each = min(rows or rows_each(budget, len(plan) + 2), subject.n)
    order = subject.sample(subject.n, rng)[rng.permutation(subject.n)]
    cells = _ask(subject, plan, order, each, tolerance)
    if not cells:
        raise NotMeasurable("no fault changes any value of the rows given; give more rows")
    asked, answered = _pool(subject, cells, refused=True), _pool(subject, cells)
    if not answered.weights.any():
        raise NotMeasurable("the model raises on every broken row: no decision can change silently")
    kept = answered.share(answered.kept)
    metrics = {
        "kept": _estimate(kept, answered, "share of decisions that stay the same"),
        "worst_column": _worst(subject, cells),
        "silent_change": _estimate(
            asked.share(~asked.kept & ~asked.refused), asked,
            "share of broken rows answered otherwise", Better.LOW,
        ),
        "refused": _estimate(
            asked.share(asked.refused), asked, "share of broken rows the model raises at"
        ),
    }  # fmt: skip
    twice = _twice(subject, order[:each])
    if twice.weights.any():
        metrics["duplicates"] = _estimate(
            twice.share(twice.kept), twice, "share of rows sent twice that are answered as before"
        )
    influence = answered.weights / answered.weights.sum() * (answered.kept - kept.value)
    return Measurement(
        metrics,
        rows=tuple(_rows(subject, cells)),
        notes=tuple(_notes(cells, left, each)),
        picture="intervals",
        influence=subject.n * np.bincount(answered.rows, influence, minlength=subject.n),
    )


@dataclass(frozen=True)
class _Cell:
    """One column with one fault: the rows asked, and what became of their decisions."""

    column: str
    fault: str
    rows: np.ndarray
    reply: Reply
    kept: np.ndarray


@dataclass(frozen=True)
class _Pool:
    """Rows of several cells, of which each counts alike."""

    rows: np.ndarray
    kept: np.ndarray
    refused: np.ndarray
    weights: np.ndarray
    clusters: np.ndarray  # rows broken in several ways are one draw

    def share(self, values: np.ndarray) -> intervals.Interval:
        return intervals.bounded_mean(
            values.astype(float), weights=self.weights, clusters=self.clusters
        )


def _checked(kinds: Iterable[str], tolerance: float, rows: int | None) -> tuple[str, ...]:
    wanted = (kinds,) if isinstance(kinds, str) else tuple(kinds)
    unknown = [fault for fault in wanted if fault not in FAULTS]
    if unknown or not wanted:
        raise InputError(f"kinds must be some of {', '.join(FAULTS)}")
    if not 0 <= tolerance <= 1:
        raise InputError("tolerance must be a share from 0 to 1")
    if rows is not None and rows < 1:
        raise InputError("rows must be at least 1")
    return wanted


def _plan(
    subject: Subject, rng: np.random.Generator, wanted: tuple[str, ...]
) -> tuple[list[tuple[Any, str, Fault]], list[str]]:
    """Faults of each column, as many columns as the budget allows; and the columns without."""
    found = [
        (name, text, fault)
        for name, sort, text, fault in faults_of(subject.X, subject.schema)
        if sort in wanted
    ]
    if not found:
        raise NotMeasurable(
            "no column can have such a fault: each is free text or constant; correct its kind with"
            " schema="
        )
    names = list(dict.fromkeys(name for name, _, _ in found))
    names = [names[at] for at in rng.permutation(len(names))]
    counts = [sum(name == other for other, _, _ in found) for name in names]
    budget = min(subject.allowance(BUDGET), MOST_SENT)
    fit = int(np.searchsorted(np.cumsum(counts), budget // 6, side="right"))
    if fit == 0:
        raise NotMeasurable("the budget allows too few rows to be sent; raise budget=")
    kept = set(names[:fit])
    return [one for one in found if one[0] in kept], [str(n) for n in subject.X if n not in kept]


def _ask(
    subject: Subject,
    plan: list[tuple[Any, str, Fault]],
    order: np.ndarray,
    each: int,
    tolerance: float,
) -> list[_Cell]:
    """Break rows and ask: cells take their rows in turn, so that all are used alike."""
    made: list[tuple[Any, str, np.ndarray, pd.DataFrame]] = []
    for turn, (name, text, fault) in enumerate(plan):
        pool = np.roll(order, -turn * each)[: SEARCHED * each + 1]
        before = subject.X.iloc[pool].reset_index(drop=True)
        broken = fault(before)
        hit = np.flatnonzero(differs(before, broken))[:each]
        if len(hit):
            frame = replaced(before, broken).iloc[hit]
            made.append((name, text, pool[hit], frame))
    replies = ask(subject, [frame for *_, frame in made])
    cells = []
    for (name, text, rows, _), reply in zip(made, replies, strict=True):
        ruler = ruler_for(subject, rows[: len(reply.answers)], any_weight=True)
        kept = ruler.distance(reply.answers) <= (0 if ruler.spread is None else tolerance)
        cells.append(_Cell(str(name), text, rows[: len(kept)], reply, kept))
    return cells


def _twice(subject: Subject, rows: np.ndarray) -> _Pool:
    """Send every row twice in one call: a model that looks at rows one by one does not mind."""
    frame = subject.X.iloc[np.repeat(rows, 2)].reset_index(drop=True)
    reply = ask(subject, [frame])[0]
    rows = rows[: len(reply.answers) // 2]
    answers = reply.answers[: 2 * len(rows)]
    ruler = ruler_for(subject, np.repeat(rows, 2), any_weight=True)
    kept = np.all(ruler.distance(answers).reshape(-1, 2) <= SAME, axis=1)
    return _pool(subject, [_Cell("", "duplicated", rows, Reply(answers[::2]), kept)])


def _pool(subject: Subject, cells: list[_Cell], *, refused: bool = False) -> _Pool:
    """Gather the answered rows of cells, or with ``refused`` all."""
    parts = []
    for cell in cells:
        lost = np.isnan(cell.reply.answers)
        weights = np.ones(len(lost)) if subject.weights is None else subject.weights[cell.rows]
        use = (weights > 0) & (refused | ~lost)
        if use.any():
            share = weights[use] / weights[use].sum()
            parts.append((cell.rows[use], cell.kept[use], lost[use], share))
    if not parts:
        return _Pool(*(np.empty(0, dtype=t) for t in (int, bool, bool, float, int)))
    rows, kept, lost, weights = map(np.concatenate, zip(*parts, strict=True))
    clusters = rows if subject.clusters is None else subject.clusters[rows]
    return _Pool(rows, kept, lost, weights, clusters)


def _estimate(
    share: intervals.Interval, pool: _Pool, unit: str, better: Better | None = None
) -> Estimate:
    return Estimate(*share, n=len(pool.rows), unit=unit, range=(0.0, 1.0), better=better)


def _columns(cells: list[_Cell]) -> Iterator[tuple[str, list[_Cell]]]:
    for name in dict.fromkeys(cell.column for cell in cells):
        yield name, [cell for cell in cells if cell.column == name]


def _worst(subject: Subject, cells: list[_Cell]) -> Estimate:
    """Return the column whose faults change most, with an interval that honours the choosing."""
    pools = [_pool(subject, own) for _, own in _columns(cells)]
    pools = [pool for pool in pools if pool.weights.any()]
    sizes = np.array([
        intervals.effective_size(pool.kept, weights=pool.weights, clusters=pool.clusters)
        for pool in pools
    ])  # fmt: skip
    changed = np.array([np.average(~pool.kept, weights=pool.weights) for pool in pools])
    worst = worst_share(changed * sizes, sizes)
    return Estimate(
        1 - worst.value, 1 - worst.high, 1 - worst.low, n=len(pools[int(np.argmax(changed))].rows),
        unit="share of decisions that stay the same, worst column", range=(0.0, 1.0),
    )  # fmt: skip


def _rows(subject: Subject, cells: list[_Cell]) -> Iterator[Row]:
    """Each column with all its faults, the worst first, then each fault, the worst first."""
    blocks = [
        (
            _row(subject, name, "all", own),
            [_row(subject, name, cell.fault, [cell]) for cell in own],
        )
        for name, own in _columns(cells)
    ]
    for whole, parts in sorted(blocks, key=lambda block: _rank(block[0])):
        yield whole
        yield from sorted(parts, key=_rank)


def _rank(row: Row) -> float:
    value = row["value"]
    return 2.0 if value is None else round(float(value), 9)  # ties must not turn on rounding


def _row(subject: Subject, column: str, fault: str, cells: list[_Cell]) -> Row:
    pool = _pool(subject, cells)
    ends = pool.share(pool.kept) if len(pool.rows) else (None, None, None)
    value, low, high = (None if end is None else float(end) for end in ends)
    kinds = [cell.reply.kind for cell in cells if cell.reply.kind]
    return {
        "column": column,
        "fault": fault,
        "value": value,
        "low": low,
        "high": high,
        "n": len(pool.rows),
        "refused": sum(int(np.isnan(cell.reply.answers).sum()) for cell in cells),
        "exception": kinds[0] if kinds else "",
    }


def _notes(cells: list[_Cell], left: list[str], each: int) -> Iterator[str]:
    yield f"Up to {each} rows for each of {len(cells)} combinations of a column and a fault, all of which count alike."
    raising = [f"{cell.column} ({cell.fault})" for cell in cells if cell.reply.kind]
    if raising:
        shown = ", ".join(raising[:10]) + (", ..." if len(raising) > 10 else "")
        yield f"The model raises at {shown}: a clear refusal, counted apart and not in the headline."
    if left:
        yield f"Left alone (free text, constant, or beyond the budget): {', '.join(left)}."
