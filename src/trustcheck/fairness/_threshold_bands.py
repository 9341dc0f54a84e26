"""Would groups fare alike if the decision threshold were put elsewhere?"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from trustcheck.fairness._gap import FACTS, RATES, By
from trustcheck.fairness._numbers import compared
from trustcheck.probe import probe
from trustcheck.stats import counts, gaps
from trustcheck.types import Estimate, InputError, Measurement, NotMeasurable, Row

if TYPE_CHECKING:
    from trustcheck.subject import Subject


@probe(
    title="Threshold bands",
    question="How far apart would groups be, wherever the decision threshold were put?",
    unit="largest difference of rates over all thresholds asked",
    needs=("groups", "scores"),
    tasks=("binary",),
    **(FACTS | {"wants": ("scores",)}),
)
def threshold_bands(
    subject: Subject,
    rng: np.random.Generator,
    *,
    by: By = None,
    rate: str = "selection",
    between: tuple[float, float] = (0.05, 0.95),
    steps: int = 19,
) -> Measurement:
    """Measure the gap between groups as a function of the decision threshold.

    A gap at one threshold may vanish, or grow, at another. Rows whose score of the positive class
    is at least the threshold count as predicted positive. Interval as for ``demographic_parity``,
    the lower end over all pairs and thresholds together (Bonferroni over thresholds).

    Parameters
    ----------
    subject : Subject
        A binary task with sensitive columns and scores.
    by : str or list of str
        Sensitive column; a list means the intersection. The only one unless given.
    rate : {"selection", "tpr", "fpr", "accuracy"}
        Which rate; all but the first need labels.
    between : (float, float)
        First and last threshold, inside [0, 1].
    steps : int
        How many thresholds, evenly spaced, 2 to 200.

    Returns
    -------
    Finding
        Headline ``gap``, 0 to 1, at the threshold where it is largest; one detail row per
        threshold, with a band that holds at all thresholds together.

    Raises
    ------
    InputError
        If ``rate``, ``between`` or ``steps`` is none of these.

    Examples
    --------
    >>> import trustcheck as tc
    >>> subject = tc.Subject.from_predictions(
    ...     [0, 1] * 100,
    ...     [0, 1] * 100,
    ...     y_proba=[0.3, 0.7] * 100,
    ...     sensitive={"sex": ["f", "m"] * 100},
    ... )
    >>> threshold_bands(subject).value
    1.0
    """
    if rate not in RATES:
        raise InputError(f"rate={rate!r} is unknown; it is one of {', '.join(RATES)}")
    first, last = between
    if not (0 <= first < last <= 1 and 2 <= steps <= 200):
        raise InputError("between= must rise inside [0, 1], and steps= be 2 to 200")
    if rate != "selection" and "labels" not in subject.offers():
        raise NotMeasurable(f"{RATES[rate]} need labels: {subject.why_missing('labels')}")
    groups = compared(subject, by)
    at = np.linspace(first, last, steps)
    place = np.searchsorted(at, subject.scores[:, subject.positive_code], side="right")
    labelled = rate != "selection"
    positive = (subject.truth == subject.positive_code).astype(int) if labelled else 0 * place
    table = counts.count(
        groups.codes,
        positive,
        place,
        (len(groups.names), 2 if labelled else 1, steps + 1),
        weight=subject.weights,
        cluster=subject.clusters,
    )
    shares = [table.share(*_cells(rate, j, steps)) for j in range(steps)]
    successes, sizes = (np.column_stack(part) for part in zip(*shares, strict=True))
    # The denominators are the same at every threshold.
    empty = [name for name, size in zip(groups.names, sizes[:, 0], strict=True) if size == 0]
    if (sizes[:, 0] > 0).sum() < 2:
        raise NotMeasurable(f"fewer than two groups have rows for their {RATES[rate]}")
    gap = gaps.largest_gap(successes, sizes)
    joint = 1 - 0.05 / steps
    rows: list[Row] = []
    for j, threshold in enumerate(at):
        here = gaps.largest_gap(successes[:, j], sizes[:, j], level=joint)
        rows.append(
            {
                "threshold": float(f"{threshold:.6g}"),
                "gap": here.value,
                "low": here.low,
                "high": here.high,
            }
        )
    top, bottom = (groups.names[g] for g in gap.pair)
    return Measurement(
        {
            "gap": Estimate(
                gap.value,
                gap.low,
                gap.high,
                subject.n,
                f"largest difference of {RATES[rate]} over {steps} thresholds",
                range=(0.0, 1.0),
            )
        },
        rows=tuple(rows),
        statistics={"successes": successes.tolist(), "n": sizes.tolist()},
        formula="gaps.largest_gap",
        notes=(
            f"Furthest apart: {top!r} above {bottom!r}, at a threshold of {at[gap.event]:.3g}.",
            "The band of the detail rows holds at all thresholds together.",
        ),
        picture="curve",
        incomplete=f"group {', '.join(map(repr, empty))} has no rows to count: its rate is unknown."
        if empty
        else None,
    )


def _cells(rate: str, j: int, steps: int) -> tuple[np.ndarray, np.ndarray]:
    """Return which cells (label, place of the score) count at a threshold, among which."""
    above = (np.arange(steps + 1) > j)[None, :]
    if rate == "selection":
        return above, np.ones_like(above)
    label = np.array([[False], [True]])
    if rate == "accuracy":
        return above == label, np.ones((2, steps + 1), dtype=bool)
    among = np.broadcast_to(label == (rate == "tpr"), (2, steps + 1))
    return above & among, among
