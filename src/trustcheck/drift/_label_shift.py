"""How frequent are the classes now, if only the answers are known?"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np

from trustcheck.drift._memory import by_heart
from trustcheck.probe import Want, probe
from trustcheck.stats.label_shift import black_box_shift
from trustcheck.types import Estimate, Measurement, NotMeasurable

if TYPE_CHECKING:
    from trustcheck.subject import Subject

#: Above this condition number errors are magnified beyond use.
ILL = 100.0
UNIT = "estimated change of the shares of the classes, 0 = alike, 1 = disjoint"


def _wants(subject: Subject, **_params: object) -> Iterable[Want]:
    for table in ("data", "reference"):
        yield Want("predictions", table)


@probe(
    title="Label shift",
    question="How frequent are the classes now, judged by the model's answers alone?",
    headline="distance",
    unit=UNIT,
    better="low",
    keys=("reliability.drift",),
    clauses=("8.8.3", "9.10.2"),
    needs=("model", "features", "reference", "reference_labels"),
    tasks=("binary", "multiclass"),
    wants=_wants,
    cost="none beyond the shared pass over data and reference",
)
def label_shift(
    subject: Subject, rng: np.random.Generator, *, held_out: bool = False
) -> Measurement:
    """Estimate how the shares of the classes changed, without labels of the given rows.

    Black box shift estimation (Lipton, Wang & Smola 2018): the confusion matrix of the reference
    says how often each class is predicted for rows of each class; the shares are solved for under
    which the model would predict as it does now. Right if only the shares changed, not what rows
    of a class look like; so it never passes by itself.

    Parameters
    ----------
    subject : Subject
        A classifier with a labelled reference.
    held_out : bool
        Whether the reference was kept from training. On training rows the confusion matrix flatters
        the model; where it plainly does, nothing is estimated.

    Returns
    -------
    Finding
        Headline ``distance``, 0 to 1: total variation between the classes of the reference and
        those estimated. One detail row per class: its estimated share with interval, that in the
        reference, the weight its rows would need, and the observed share where labels are known.

    Examples
    --------
    >>> import numpy as np
    >>> import trustcheck as tc
    >>> X = np.arange(400.0)[:, None] % 10
    >>> model = lambda rows: (rows[:, 0] > 4).astype(int)
    >>> high = X[(X[:, 0] > 4) | (X[:, 0] < 1)]
    >>> subject = tc.Subject(model, high, reference=(X, model(X)), task="binary")
    >>> round(label_shift(subject).value, 2)
    0.33
    """
    del rng  # nothing is drawn
    now, before = subject.data, subject.reference_sample
    if not held_out and by_heart(subject, before, now):
        raise NotMeasurable(
            "the model fits the reference so much better than the given rows that its confusions"
            " there are no measure; give rows kept from training as the reference, and"
            " held_out=True"
        )
    names = [str(label) for label in subject.classes]
    k = len(names)
    confusion = np.bincount(before.predictions * k + before.truth, minlength=k * k).reshape(k, k)
    absent = [name for name, rows in zip(names, confusion.sum(axis=0), strict=True) if not rows]
    if absent:
        raise NotMeasurable(f"the reference has no row of class {', '.join(map(repr, absent))}")
    try:
        found = black_box_shift(confusion, np.bincount(now.predictions, minlength=k))
    except ValueError as fault:
        raise NotMeasurable(f"{fault}: another model, or labels, are needed") from None
    assumed = (
        "it holds only if rows of a class look as they did in the reference, which labels alone"
        " can tell (drift.labels)"
    )
    condition = f"Condition number of the confusion matrix: {found.condition:.3g}"
    ill = "; above 100 small errors become large ones." if found.condition > ILL else "."
    notes = [
        condition + ill,
        "Estimated from predictions: nothing here is seen of rows that changed within a class.",
    ]
    if not held_out:
        notes.append(
            "If the model was trained on the reference, its confusions there are too few; with rows"
            " kept from training, say held_out=True."
        )
    outside = (found.shares.value < 0) | (found.shares.value > 1)
    if outside.any():
        notes.append(
            "A share outside 0 to 1 was estimated: chance, or a change that is no label shift."
        )
    base = confusion.sum(axis=0) / confusion.sum()
    seen = np.bincount(now.truth, minlength=k) / now.n if now.has_truth else None
    rows = tuple(
        {
            "class": names[j],
            "reference": float(base[j]),
            "share": float(np.clip(found.shares.value[j], 0, 1)),
            "low": float(np.clip(found.shares.low[j], 0, 1)),
            "high": float(np.clip(found.shares.high[j], 0, 1)),
            "weight": max(float(found.weights.value[j]), 0.0),
            "weight_low": max(float(found.weights.low[j]), 0.0),
            "weight_high": max(float(found.weights.high[j]), 0.0),
            "observed": None if seen is None else float(seen[j]),
        }
        for j in range(k)
    )
    return Measurement(
        {"distance": Estimate(*found.distance, n=subject.n, unit=UNIT, range=(0.0, 1.0))},
        rows=rows,
        notes=tuple(notes),
        picture="intervals",
        incomplete=assumed + ".",
    )
