"""When did the columns change?"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from trustcheck.drift import _column, _read
from trustcheck.drift._time import in_time
from trustcheck.probe import probe
from trustcheck.stats import change_points as found_in
from trustcheck.types import Measurement, NotMeasurable

if TYPE_CHECKING:
    import pandas as pd

    from trustcheck.subject import Subject
    from trustcheck.subject._schema import Feature

#: Fewest rows, fewest on either side of a change, and the share of rows that is.
FEWEST, FEWEST_ASIDE, ASIDE = 100, 20, 0.05


@probe(
    title="Change points",
    question="When, within the given rows, did the columns change?",
    headline="distance",
    unit=_column.UNIT,
    better="low",
    keys=("reliability.drift",),
    clauses=("8.8.3", "9.10.2"),
    needs=("features",),
    cost="none: the model is not asked",
)
def change_points(subject: Subject, rng: np.random.Generator) -> Measurement:
    """Find the row at which each column changed most, and measure how much.

    One split per column, in order of ``time=``: the one at which the rows before and after are
    furthest apart (Carlstein 1988), a twentieth of the rows aside at either end. It is found on every second row and measured on the others,
    so that looking for the worst split does not make it look worse. No reference is needed.

    Parameters
    ----------
    subject : Subject
        With features, ``time=`` and at least 100 rows.

    Returns
    -------
    Finding
        Headline ``distance``, 0 to 1: the largest change of any column. One detail row per
        column, worst first: ``row``, the position of the first row after the change, the rows
        before it in order of time, and the cells of ``drift.features``.

    Examples
    --------
    >>> import numpy as np
    >>> import trustcheck as tc
    >>> x = np.r_[np.full(300, 5.0), np.random.default_rng(0).normal(size=200)]
    >>> subject = tc.Subject(lambda X: X[:, 0], x[:, None], time=np.arange(500), task="regression")
    >>> found = change_points(subject)
    >>> found.rows[0]["row"], found.notes[0]
    (300, "Column 'x0' is constant before row 300 and varies from there on.")
    """
    del rng  # every second row, whatever the seed
    if subject.time is None:
        raise NotMeasurable("it is not known when each row was observed (time=)")
    if subject.n < FEWEST:
        raise NotMeasurable(f"a change point needs {FEWEST} rows")
    order = in_time(subject)
    comparisons = len(subject.features) + sum(
        bool(subject.data.column(name).isna().any()) for name in subject.features
    )
    compared, notes = [], []
    for name in subject.features:
        found, note = _changed(subject, name, order, comparisons)
        compared.append(found)
        notes += [note] if note else []
    compared = sorted(compared, key=lambda c: (-c.distance.value, c.name))
    notes.append(
        "One change per column, the largest. Found on every second row, measured on the others;"
        " a position is that in the given table, of the first row after the change."
    )
    return Measurement(
        {"distance": _column.largest(compared, subject.n // 2)},
        rows=tuple(found.row for found in compared),
        notes=tuple(notes),
        picture="intervals",
    )


def _changed(
    subject: Subject, name: str, order: np.ndarray, comparisons: int
) -> tuple[_column.Compared, str | None]:
    """Return how much a column changed, and a note if it came alive or fell silent."""
    column = subject.data.column(name).iloc[order].reset_index(drop=True)
    codes, ordered, moved = _codes(column, subject.schema[str(name)])
    aside = max(FEWEST_ASIDE, int(ASIDE * len(codes)))
    split = found_in.change_point(codes[::2], ordered=ordered, fewest=aside // 2).row
    row = found_in.change_point(codes, ordered=ordered, fewest=aside).row
    alive = _alive(moved, len(codes))
    note = None
    if alive is not None:
        row, said = alive
        note = f"Column {str(name)!r} {said.format(order[row])}."
    others = column.iloc[1::2]
    found = _column.column(subject, name, others.iloc[:split], others.iloc[split:], comparisons)
    cells: dict[str, Any] = dict(found.row)
    head = {key: cells.pop(key) for key in ("column", "measure", "value", "low", "high")}
    place = {"row": int(order[row]), "rows_before": int(row)}
    for unknown in ("matters", "importance"):
        cells.pop(unknown)
    return _column.Compared(found.name, found.distance, {**head, **place, **cells}), note


def _codes(column: pd.Series, feature: Feature) -> tuple[np.ndarray, bool, np.ndarray]:
    """Return small codes of a column's values, whether neighbours are near, and where they change."""
    import pandas as pd

    numbers = _read.as_floats(column, feature)
    if numbers is not None:
        gone = np.isnan(numbers)
        same = (numbers[1:] == numbers[:-1]) | (gone[1:] & gone[:-1])
        return found_in.bins_of(numbers), True, np.flatnonzero(~same)
    codes = pd.factorize(column, use_na_sentinel=False)[0]
    counts = np.bincount(codes)
    # The rarest levels are one: many rows are needed to see them change.
    place = np.empty(len(counts), dtype=np.int64)
    place[np.argsort(-counts, kind="stable")] = np.minimum(np.arange(len(counts)), 31)
    return place[codes], False, np.flatnonzero(codes[1:] != codes[:-1])


def _alive(moved: np.ndarray, n: int) -> tuple[int, str] | None:
    """Return the row from which on a constant column varies, or a varying one is constant."""
    if moved.size < 2:
        return None
    first, last = int(moved[0]) + 1, int(moved[-1]) + 1
    # A value left and come back to is two changes: were they as frequent before, so long a run
    # without one would have a probability below exp(-10).
    if first >= FEWEST_ASIDE and moved.size * first > 20 * (n - first):
        return first, "is constant before row {} and varies from there on"
    if n - last >= FEWEST_ASIDE and moved.size * (n - last) > 20 * last:
        return last, "varies before row {} and is constant from there on"
    return None
