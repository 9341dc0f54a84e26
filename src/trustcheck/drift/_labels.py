"""Are the labels still as frequent as they were in the reference?"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from trustcheck.drift import _column
from trustcheck.drift._read import Levels
from trustcheck.probe import probe
from trustcheck.types import Measurement

if TYPE_CHECKING:
    from trustcheck.subject import Subject


@probe(
    title="Drift of the labels",
    question="Are the true labels still as frequent as they were in the reference?",
    headline="distance",
    unit=_column.UNIT,
    better="low",
    keys=("reliability.drift",),
    clauses=("8.8.3", "9.10.2"),
    needs=("labels", "reference", "reference_labels"),
    cost="none: the model is not asked",
)
def labels(subject: Subject, rng: np.random.Generator) -> Measurement:
    """Measure the distance of the true labels between the reference and the given rows.

    Total variation of the classes; Kolmogorov-Smirnov distance of the numbers, for regression.
    Interval as for ``drift.features``. Where the given rows have no labels yet,
    ``drift.label_shift`` estimates theirs.

    Parameters
    ----------
    subject : Subject
        With labels on both sides.

    Returns
    -------
    Finding
        Headline ``distance``, 0 to 1. One detail row, with the cells of ``drift.features``.

    Examples
    --------
    >>> import numpy as np
    >>> import trustcheck as tc
    >>> X = np.zeros((200, 1))
    >>> before, now = [0, 1] * 100, [0, 1, 1, 1] * 50
    >>> subject = tc.Subject(lambda X: np.zeros(len(X), int), X, now, reference=(X, before))
    >>> labels(subject).value
    0.25
    """
    del rng  # nothing is drawn
    before, now = subject.reference.truth, subject.truth
    if subject.task == "regression":
        found = _column.values("label", before, now, 1)
    else:
        names = [str(label) for label in subject.classes]
        counts = [np.bincount(side, minlength=len(names)) for side in (before, now)]
        table = Levels(names, counts[0], counts[1], missing=False)
        found = _column.levels("label", table, 1, printed=names.__getitem__)
    broken = [f"Data quality: the label: {found.broken}."] if found.broken else []
    return Measurement(
        {"distance": _column.largest([found], subject.n)},
        rows=(found.row,),
        notes=(*broken, *_column.chance_note([found])),
        picture="intervals",
    )
