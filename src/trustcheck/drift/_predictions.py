"""Does the model still answer as it answered the reference?"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np

from trustcheck.drift import _column
from trustcheck.drift._memory import by_heart
from trustcheck.drift._read import Levels
from trustcheck.probe import Want, probe
from trustcheck.types import Measurement, NotMeasurable

if TYPE_CHECKING:
    from trustcheck.subject import Subject
    from trustcheck.subject._side import Side


def _wants(subject: Subject, **_params: object) -> Iterable[Want]:
    for table in ("data", "reference"):
        yield Want("predictions", table)
        if "scores" in subject.offers():
            yield Want("scores", table)


@probe(
    title="Drift of the predictions",
    question="Does the model still answer as it answered the reference?",
    headline="distance",
    unit=_column.UNIT,
    better="low",
    keys=("reliability.drift",),
    clauses=("8.8.3", "9.10.2"),
    needs=("model", "features", "reference"),
    wants=_wants,
    cost="none beyond the shared pass over data and reference",
)
def predictions(
    subject: Subject, rng: np.random.Generator, *, held_out: bool = False
) -> Measurement:
    """Measure the largest distance of any of the model's outputs between reference and given rows.

    Kolmogorov-Smirnov distance of the score of the positive class (of every class, if there are
    more than two), or of the predicted numbers; total variation of the predicted classes where
    there are no scores. Interval as for ``drift.features``. A model's own outputs are the best
    all-round place to look for a shift that matters to it (Rabanser et al. 2019).

    Scores of rows the model was trained on are further out than those of new rows, drift or not.
    Where the labels show that it knows the reference by heart (squared error below three quarters
    of that on the given rows), predicted classes are compared instead, which suffer little.

    Parameters
    ----------
    subject : Subject
        A model with a reference.
    held_out : bool
        Whether the reference was kept from training: scores are then compared in any case.

    Returns
    -------
    Finding
        Headline ``distance``, 0 to 1. One detail row per output, worst first.

    Examples
    --------
    >>> import numpy as np
    >>> import trustcheck as tc
    >>> before = np.arange(600.0)[:, None]
    >>> subject = tc.Subject(lambda X: X[:, 0], before + 120, reference=before, task="regression")
    >>> round(predictions(subject).value, 3)
    0.2
    """
    del rng  # nothing is drawn
    now, before = subject.data, subject.reference_sample
    notes = []
    known = not held_out and by_heart(subject, before, now)
    if known and subject.task == "regression":
        raise NotMeasurable(
            "the model fits the reference so much better than the given rows that its numbers"
            " there are no measure; give rows kept from training as the reference, and"
            " held_out=True"
        )
    if known:
        notes.append(
            "The model fits the reference so much better than the given rows that predicted"
            " classes are compared, not scores; with rows kept from training as the reference,"
            " held_out=True compares scores."
        )
    elif not (held_out or (before.has_truth and now.has_truth)):
        notes.append(
            "If the model was trained on the reference, its scores there are further out than on"
            " new rows, and part of the distance may be that."
        )
    compared = _outputs(subject, before, now, scores="scores" in subject.offers() and not known)
    compared = _column.worst_first(compared)
    constant = [f"Data quality: {c.name}: {c.broken}." for c in compared if c.broken]
    return Measurement(
        {"distance": _column.largest(compared, subject.n)},
        rows=tuple(found.row for found in compared),
        notes=(*constant, *notes, *_column.chance_note(compared)),
        picture="intervals",
    )


def _outputs(subject: Subject, before: Side, now: Side, *, scores: bool) -> list[_column.Compared]:
    if subject.task == "regression":
        return [_column.values("prediction", before.predictions, now.predictions, 1)]
    names = [str(label) for label in subject.classes]
    if not scores:
        k = len(names)
        counts = [np.bincount(side.predictions, minlength=k) for side in (before, now)]
        found = Levels(names, counts[0], counts[1], missing=False)
        return [_column.levels("predicted class", found, 1, printed=names.__getitem__)]
    binary = subject.task == "binary"
    codes = [subject.positive_code] if binary else list(range(len(names)))
    return [
        _column.values(
            f"score of {names[code]}", before.scores[:, code], now.scores[:, code], len(codes)
        )
        for code in codes
    ]
