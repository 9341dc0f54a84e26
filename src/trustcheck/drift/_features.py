"""Do the columns still hold what they held in the reference?"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from trustcheck.drift import _column, _read
from trustcheck.drift._matters import Matters, matters
from trustcheck.probe import probe
from trustcheck.types import Measurement

if TYPE_CHECKING:
    import numpy as np

    from trustcheck.subject import Subject


@probe(
    title="Drift of the features",
    question="Do the columns still hold what they held in the reference?",
    headline="distance",
    unit=_column.UNIT,
    better="low",
    keys=("reliability.drift",),
    clauses=("8.8.3", "9.10.2"),
    needs=("features", "reference"),
    cost="at most half a row per given row, and 10,000",
    version=2,
)
def features(subject: Subject, rng: np.random.Generator) -> Measurement:
    """Measure the largest distance of any column between the reference and the given rows.

    Numbers and dates: Kolmogorov-Smirnov distance (or the change of the share missing, if
    larger). Levels (categories, booleans, integers with at most 25 distinct values; missing is a
    level): total variation. Free text: Kolmogorov-Smirnov distance of its length. The interval
    carries two rules at once (Berger 1982): its upper end is the largest of the columns' upper
    bounds, its lower end the largest lower bound that holds for all columns at once.

    Parameters
    ----------
    subject : Subject
        With features and a reference.

    Returns
    -------
    Finding
        Headline ``distance``, 0 to 1. One detail row per column, with its interval, p-value,
        population stability index and Wasserstein distance (both with intervals), Jensen-Shannon
        distance, shares missing, and the share of rows with a level the reference does not know.
        Rows are ranked by ``matters``, the distance times the column's importance to the model;
        by distance where there is no model. ``answer_moved``: how far the mean answer moves when
        only this column changes.

    Examples
    --------
    >>> import numpy as np
    >>> import trustcheck as tc
    >>> before = np.arange(600.0)[:, None]
    >>> subject = tc.Subject(lambda X: X[:, 0], before + 120, reference=before, task="regression")
    >>> found = features(subject)
    >>> round(found.value, 3), found.at_most(0.10).status.value
    (0.2, 'fail')
    """
    del rng  # nothing is drawn but in what several probes share
    comparisons = len(subject.features) + sum(_has_gaps(subject, n) for n in subject.features)
    known = matters(subject)
    compared, broken = [], []
    for name in subject.features:  # one column in memory at a time
        sides = subject.reference.column(name), subject.data.column(name)
        found = _column.column(subject, name, *sides, comparisons)
        compared.append(replace(found, row=_ranked(found, known)))
        fault = _read.clash(*sides) or found.broken
        broken += [f"Data quality: column {str(name)!r}: {fault}."] if fault else []
    compared = _column.worst_first(compared)
    tied = [
        str(found.name)
        for found in compared
        if found.row["ks"] is not None and int(found.row["psi_bins"] or 0) < 10
    ]
    bins = f"Tied values leave fewer than ten bins for the index of {', '.join(tied)}."
    return Measurement(
        {"distance": _column.largest(compared, subject.n)},
        rows=tuple(found.row for found in compared),
        notes=(*broken, known.note, *_column.chance_note(compared), *([bins] if tied else [])),
        picture="intervals",
    )


def _has_gaps(subject: Subject, name: str) -> bool:
    """Whether the change of a share missing is one more distance to hold the lower end for."""
    feature = subject.schema[str(name)]
    if not (feature.is_numeric or feature.kind == "text"):
        return False
    sides = subject.reference.column(name), subject.data.column(name)
    return any(bool(side.isna().any()) for side in sides)


def _ranked(found: _column.Compared, known: Matters) -> dict[str, Any]:
    row = dict(found.row)
    weight = known.importance.get(found.name)
    if weight is not None:
        row |= {"importance": weight, "matters": weight * found.distance.value}
    moved = known.moved.get(found.name)
    cells = ("answer_moved", "answer_moved_low", "answer_moved_high")
    return row | dict(zip(cells, moved or (None, None, None), strict=True))
