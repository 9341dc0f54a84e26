"""Are groups there, labelled and filled in alike, before any model has answered?"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from trustcheck.fairness._conditional import cells, favourable
from trustcheck.fairness._gap import By, Event
from trustcheck.probe import probe
from trustcheck.stats import gaps, intervals, strata
from trustcheck.types import Better, Estimate, Measurement, NotMeasurable, Row

if TYPE_CHECKING:
    from trustcheck.subject import Subject


@probe(
    title="Representation",
    question="Are groups present, labelled and recorded alike in the data itself?",
    headline="label_gap",
    unit="difference of label rates",
    better="low",
    keys=("accountability.bias_detection",),
    clauses=("8.4", "9.5"),
    needs=("groups", "labels"),
    cost="none",
    weights=True,
    clusters=True,
)
def representation(subject: Subject, rng: np.random.Generator, *, by: By = None) -> Measurement:
    """Measure how far the data treats groups apart before any model does.

    The headline is the largest gap of label rates (base rates) between two groups: where base
    rates differ, equal selection and equal error rates cannot both be had (Kleinberg et al.
    2017; Chouldechova 2017). Interval as for ``demographic_parity``. The model is not asked.

    Parameters
    ----------
    subject : Subject
        With sensitive columns and labels.
    by : str or list of str
        Sensitive column; a list means the intersection. The only one unless given.

    Returns
    -------
    Finding
        Headline ``label_gap``, 0 to 1 (largest over classes; for regression over the shares of
        labels above each quartile); ``missing_gap``, the largest gap of missing shares in any
        feature, where there are features; ``smallest_share``, the smallest group's share of the
        data. One detail row per group (and class, or quartile).

    Examples
    --------
    >>> import trustcheck as tc
    >>> subject = tc.Subject.from_predictions(
    ...     [1, 0] * 100, [1, 1] * 100, sensitive={"sex": ["f", "m"] * 100}
    ... )
    >>> representation(subject).value
    1.0
    """
    groups = subject.groups(by or ())
    names, k = groups.names, len(groups.names)
    if k < 2:
        raise NotMeasurable(
            f"all rows belong to one group of {' and '.join(groups.by)}; a gap needs two"
        )
    nowhere = np.zeros(subject.n, dtype=int)
    truth, events = favourable(subject, subject.truth)
    hits, sizes, _ = cells(subject, nowhere, groups.codes, truth, events, (1, k))
    if (sizes[0] > 0).all(axis=1).sum() < 2:
        raise NotMeasurable(
            "fewer than two groups have rows of weight above 0; a gap needs two of them"
        )
    gap = gaps.largest_gap(hits[0], sizes[0])
    which = "" if len(events) == 1 else f" ({events[gap.event].name})"
    top, bottom = (names[i] for i in gap.pair)
    notes = [f"Label rates furthest apart: {top!r} above {bottom!r}{which}."]
    metrics = {
        "label_gap": Estimate(
            gap.value,
            gap.low,
            gap.high,
            n=subject.n,
            unit="difference of label rates",
            range=(0.0, 1.0),
        )
    }
    if "features" in subject.offers() and subject.features:
        metrics["missing_gap"], note = _missing(subject, names, groups.codes)
        notes.append(note)
    # Each group's share of the data: "in the group" is an event of one group of all rows.
    everywhere = np.ones((1, k), dtype=bool)
    inside = [
        Event(name, "all rows", np.arange(k)[None, :] == g, everywhere)
        for g, name in enumerate(names)
    ]
    own, whole, _ = cells(subject, nowhere, nowhere, groups.codes, inside, (1, 1))
    shares = intervals.wilson(own[0, 0], whole[0, 0], level=strata.together(k))
    least = int(np.argmin(shares.value))
    metrics["smallest_share"] = Estimate(
        float(shares.value[least]),
        float(np.min(shares.low)),
        float(shares.high[least]),
        n=subject.n,
        unit="share of the data in its smallest group",
        range=(0.0, 1.0),
        better=Better.HIGH,
    )
    notes.append(f"Smallest group: {names[least]!r}.")
    before = _reference_shares(subject, groups.by)
    rates = intervals.wilson(hits[0], sizes[0])
    rows: list[Row] = []
    for e, event in enumerate(events):
        for g, name in enumerate(names):
            row: dict[str, str | int | float | None] = {"group": name}
            row |= {"event": event.name} if len(events) > 1 else {}
            row |= {"n": int((groups.codes == g).sum())}
            for column, ends in (("rate", rates.value), ("low", rates.low), ("high", rates.high)):
                row |= {column: float(ends[g, e]) if sizes[0][g, e] > 0 else None}
            row |= {"share": float(shares.value[g])}
            rows.append(row if before is None else row | {"reference_share": before.get(name, 0.0)})
    return Measurement(
        metrics,
        rows=tuple(rows),
        statistics={"successes": hits[0].tolist(), "n": sizes[0].tolist()},
        formula="gaps.largest_gap",
        notes=tuple(notes),
        picture="intervals",
    )


def _missing(subject: Subject, names: tuple[str, ...], codes: np.ndarray) -> tuple[Estimate, str]:
    """Return the largest gap of missing shares over features, and where it lies."""
    gone = subject.X.isna().to_numpy().astype(int)
    nowhere, anywhere = np.zeros(subject.n, dtype=int), np.ones((1, 2), dtype=bool)
    event = [Event("missing", "all rows", np.array([[False, True]]), anywhere)]
    # A column without missing values has no gap; where all are so, one stands for them.
    columns = [j for j in range(gone.shape[1]) if gone[:, j].any()] or [0]
    parts = [cells(subject, nowhere, codes, gone[:, j], event, (1, len(names))) for j in columns]
    hits, sizes = (np.concatenate([part[i][0] for part in parts], axis=1) for i in (0, 1))
    gap = gaps.largest_gap(hits, sizes)
    note = "No feature has missing values."
    if gone.any():
        top, bottom = (names[i] for i in gap.pair)
        column = subject.features[columns[gap.event]]
        note = f"Missing most unequally: {column!r}, {top!r} more often than {bottom!r}."
    unit = "largest difference of missing shares"
    return Estimate(gap.value, gap.low, gap.high, subject.n, unit, range=(0.0, 1.0)), note


def _reference_shares(subject: Subject, by: tuple[str, ...]) -> dict[str, float] | None:
    """Return each group's share of the reference, where the model reads the columns."""
    if "reference" not in subject.offers() or not set(by) <= set(subject.features):
        return None
    from trustcheck.subject._groups import group

    found = group(subject.reference.X, by)
    shares = np.bincount(found.codes) / len(found.codes)
    return dict(zip(found.names, shares.tolist(), strict=True))
