"""Is any group, or any intersection of groups, treated unlike everyone else?"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from trustcheck.fairness._gap import FACTS, RATES, Event, rates, said
from trustcheck.probe import probe
from trustcheck.stats import contrasts, intervals
from trustcheck.stats.counts import CountTable
from trustcheck.subject._groups import MISSING
from trustcheck.types import Estimate, InputError, Measurement, NotMeasurable, Row

if TYPE_CHECKING:
    from trustcheck.subject import Subject

_LISTED = 10_000  # combinations of levels that are looked through for those nobody has


@probe(
    title="Intersections",
    question="Is any group, or any intersection of groups, treated unlike everyone else?",
    unit="difference of a cell's rate from that of all others",
    needs=("groups", "predictions"),
    tasks=("binary", "multiclass"),
    **FACTS,
)
def intersections(
    subject: Subject,
    rng: np.random.Generator,
    *,
    columns: Sequence[str] | None = None,
    depth: int = 2,
    rate: str = "selection",
    min_size: int = 0,
) -> Measurement:
    """Measure how far any cell of the sensitive columns is from everybody outside it.

    A model may be fair to women and to a minority and unfair to the women of the minority
    (Crenshaw 1989; fairness gerrymandering, Kearns et al. 2018). Every level of every column is
    a cell, and every intersection of up to ``depth`` columns; each is compared with all rows
    outside it. Upper end of the interval cell by cell (Newcombe 1998; Berger 1982), lower end
    over all cells together (Sidak 1967).

    Parameters
    ----------
    subject : Subject
        With sensitive columns; at least two in all.
    columns : list of str
        Which of them; all unless given.
    depth : int
        Most columns that form a cell, at least 1.
    rate : {"selection", "tpr", "fpr", "accuracy"}
        Which rate; all but the first need labels.
    min_size : int
        Cells with fewer rows are left out by your decision, and named. With 0, a cell without
        any row (a combination of levels nobody has) leaves a requirement open.

    Returns
    -------
    Finding
        Headline ``gap``, 0 to 1, of the worst cell; one detail row per cell (and class), those
        furthest from the others first: rows, rows counted, rate, the others' rate, and the
        interval of the cell's rate.

    Raises
    ------
    InputError
        If a column is unknown or continuous, or a parameter is out of range.

    Examples
    --------
    >>> import trustcheck as tc
    >>> subject = tc.Subject.from_predictions(
    ...     None,
    ...     [1, 0, 0, 1] * 50,
    ...     sensitive={"sex": ["f", "f", "m", "m"] * 50, "race": ["a", "b", "a", "b"] * 50},
    ...     task="binary",
    ...     classes=[0, 1],
    ... )
    >>> finding = intersections(subject)
    >>> round(finding.value, 3), finding.rows[0]["group"]
    (0.667, 'f & a')
    """
    names = tuple(subject.sensitive) if columns is None else tuple(columns)
    if depth < 1 or min_size < 0:
        raise InputError("depth must be at least 1, and min_size at least 0")
    if len(names) < 2:
        raise NotMeasurable(
            "intersections need two sensitive columns; for one, see fairness.demographic_parity"
        )
    events = rates(subject, rate)
    cells: list[_Cell] = []
    absent: list[str] = []
    for size in range(1, min(depth, len(names)) + 1):
        for by in itertools.combinations(names, size):
            found, nobody = _cells(subject, by, events, labels=rate != "selection")
            cells += found
            absent += nobody
    small = [cell.group for cell in cells if cell.rows < min_size]
    kept = [cell for cell in cells if cell.rows >= min_size]
    sides: dict[str, Any] = {
        name: np.array([getattr(cell, name) for cell in kept]).ravel()
        for name in ("successes", "n", "other_successes", "other_n")
    }
    try:
        gap = contrasts.largest_contrast(**sides)
    except ValueError:
        raise NotMeasurable("no cell can be compared with rows outside it") from None
    at, e = divmod(gap.at, len(events))
    which = f" ({events[e].name})" if len(events) > 1 else ""
    empty = [cell.group for cell in kept if not (cell.n > 0).all()]
    unknown = [*empty, *([] if min_size else absent)]
    among = f"{len(kept)} cells of {' and '.join(names)} to depth {min(depth, len(names))}"
    notes = [f"Furthest from everyone else: {kept[at].group!r}{which}, among {among}."]
    if min_size and (left_out := [*small, *absent]):
        notes.append(
            f"Left out for fewer than {min_size} rows: {said([repr(c) for c in left_out])}."
        )
    return Measurement(
        {
            "gap": Estimate(
                gap.value,
                gap.low,
                gap.high,
                subject.n,
                f"difference of a cell's {RATES[rate][:-1]} from that of all others",
                range=(0.0, 1.0),
            )
        },
        rows=_rows(kept, events),
        statistics={name: values.tolist() for name, values in sides.items()},
        formula="contrasts.largest_contrast",
        notes=tuple(notes),
        picture="intervals",
        incomplete=(
            f"cell {said([repr(c) for c in unknown])} has no {events[0].among.removeprefix('all ')}: its rate is"
            " unknown."
        )
        if unknown
        else None,
    )


class _Cell:
    """One cell against all rows outside it, each of shape (events,)."""

    def __init__(self, group: str, by: str, table: CountTable, g: int, events: list[Event]) -> None:
        self.group, self.by = group, by
        pair = _against_rest(table, g)
        shares = [pair.share(event.numerator, event.denominator) for event in events]
        hits, sizes = np.array([s[0] for s in shares]), np.array([s[1] for s in shares])
        self.successes, self.other_successes = hits[:, 0], hits[:, 1]
        self.n, self.other_n = sizes[:, 0], sizes[:, 1]
        self.rows = int(table.rows[g].sum())
        own = table.rows[g]
        self.counted = [int(own[event.denominator].sum()) for event in events]
        self.count = [int(own[event.numerator & event.denominator].sum()) for event in events]


def _cells(
    subject: Subject, by: tuple[str, ...], events: list[Event], *, labels: bool
) -> tuple[list[_Cell], list[str]]:
    """Return the cells of some columns, and the combinations of levels nobody has."""
    groups = subject.groups(by)
    table = subject.counts(by, labels=labels)
    columns = " & ".join(by)
    found = [_Cell(name, columns, table, g, events) for g, name in enumerate(groups.names)]
    if len(by) == 1:
        return found, []
    levels = [[x for x in subject.groups(column).names if x != MISSING] for column in by]
    many = math.prod(map(len, levels))
    if many > _LISTED:
        return found, [f"{many - len(found)} combinations of {columns}"] * (many > len(found))
    present = set(groups.names)
    every = (" & ".join(names) for names in itertools.product(*levels))
    return found, [name for name in every if name not in present]


def _against_rest(table: CountTable, g: int) -> CountTable:
    """Return a table of two groups: one group, and all others."""

    def split(cells: np.ndarray) -> np.ndarray:
        # Not the whole less the cell: what rounding leaves of a difference is nobody's.
        return np.stack([cells[g], np.delete(cells, g, axis=0).sum(axis=0)])

    clusters = None
    if table.clusters is not None:
        cluster, cell, weight = table.clusters
        group, inner = np.divmod(cell, table.rows[0].size)
        clusters = (cluster, (group != g) * table.rows[0].size + inner, weight)
    return CountTable(split(table.rows), split(table.weight), split(table.squared), clusters)


def _rows(cells: list[_Cell], events: list[Event]) -> tuple[Row, ...]:
    rows: list[tuple[float, Row]] = []
    for cell in cells:
        own = intervals.wilson(cell.successes, cell.n)
        others = cell.other_successes / np.maximum(cell.other_n, 1e-300)
        for e, event in enumerate(events):
            known, compared = cell.n[e] > 0, cell.n[e] > 0 and cell.other_n[e] > 0
            row: dict[str, str | int | float | None] = {"group": cell.group, "columns": cell.by}
            row |= {"event": event.name} if len(events) > 1 else {}
            row |= {"n": cell.counted[e], "count": cell.count[e]}
            row |= {"others": float(others[e]) if compared else None}
            for name, ends in (("rate", own.value), ("low", own.low), ("high", own.high)):
                row[name] = float(ends[e]) if known else None
            gap = abs(float(own.value[e]) - float(others[e])) if compared else -1.0
            rows.append((-gap, row))
    return tuple(row for _, row in sorted(rows, key=lambda pair: pair[0]))
