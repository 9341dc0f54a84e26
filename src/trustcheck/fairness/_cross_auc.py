"""Does the score favour one group's members over another's when they are ranked together?"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from trustcheck.fairness._gap import FACTS, By, said, unnamed
from trustcheck.fairness._numbers import compared, largest
from trustcheck.probe import probe
from trustcheck.stats import intervals, ranks, strata
from trustcheck.types import Estimate, Measurement, NotMeasurable, Row

if TYPE_CHECKING:
    from trustcheck.subject import Subject

_MOST_GROUPS = 40


@probe(
    title="Cross-group ranking",
    question="When groups are ranked together, are one group's deserving put behind another's"
    " undeserving more often than the other way round?",
    unit="difference of two cross-group AUCs",
    needs=("groups", "scores", "labels"),
    tasks=("binary",),
    **(FACTS | {"wants": ("scores",), "weights": False, "clusters": False}),
)
def cross_auc(subject: Subject, rng: np.random.Generator, *, by: By = None) -> Measurement:
    """Measure the largest disparity of cross-group AUCs (xAUC) between any two groups.

    The xAUC of a over b is the chance that a positive of a is scored above a negative of b; the
    disparity is that of a over b less that of b over a (Kallus & Zhou 2019). Each group may be
    ranked well within itself and still lose to the other. The two AUCs rest on different rows, so
    their difference has its interval by MOVER (Zou & Donner 2008) from DeLong's, the lower end
    over all pairs together (Sidak 1967), the upper pair by pair (Berger 1982).

    Parameters
    ----------
    subject : Subject
        A binary task with sensitive columns, scores and labels.
    by : str or list of str
        Sensitive column; a list means the intersection. The only one unless given.

    Returns
    -------
    Finding
        Headline ``gap``, 0 to 1; one detail row per pair of groups, widest first: the group
        favoured, the other, both cross-group AUCs, and their difference.

    Examples
    --------
    >>> import trustcheck as tc
    >>> subject = tc.Subject.from_predictions(
    ...     [0, 1] * 100,
    ...     [0, 1] * 100,
    ...     y_proba=[0.1, 0.4, 0.6, 0.9] * 50,
    ...     sensitive={"sex": ["f", "f", "m", "m"] * 50},
    ... )
    >>> cross_auc(subject).value
    1.0
    """
    groups = compared(subject, by)
    if len(groups.names) > _MOST_GROUPS:
        raise NotMeasurable(
            f"{len(groups.names)} groups make too many pairs to rank against one another; put them"
            f" into at most {_MOST_GROUPS}"
        )
    code = subject.positive_code
    score, positive = np.asarray(subject.scores)[:, code], subject.truth == code
    sides = [
        (score[(groups.codes == g) & positive], score[(groups.codes == g) & ~positive])
        for g in range(len(groups.names))
    ]
    whole = [g for g, side in enumerate(sides) if all(map(len, side))]
    lost = [repr(name) for g, name in enumerate(groups.names) if g not in whole]
    pairs = [(a, b) for a in whole for b in whole if b < a]
    if not pairs:
        raise NotMeasurable("fewer than two groups have rows of both labels; a ranking needs two")
    joint = strata.together(len(pairs))
    found: list[tuple[float, float, float]] = []
    rows: list[Row] = []
    for a, b in pairs:
        crossed = ((sides[a][0], sides[b][1]), (sides[b][0], sides[a][1]))
        own, held = ([ranks.auc_interval(*c, level=v) for c in crossed] for v in (0.95, joint))
        near, wide = intervals.mover_difference(*own), intervals.mover_difference(*held)
        first, second = (float(auc.value) for auc in own)
        value = abs(float(near.value))
        low = max(float(wide.low), -float(wide.high), 0.0)
        high = max(float(near.high), -float(near.low))
        found.append((value, min(low, value), high))
        up, down = (a, b) if first >= second else (b, a)
        ends = sorted((abs(float(near.low)), abs(float(near.high))))
        crosses = float(near.low) <= 0 <= float(near.high)
        rows.append(
            {
                "group": groups.names[up],
                "below": groups.names[down],
                "n": int(sum(len(part) for g in (a, b) for part in sides[g])),
                "xauc": max(first, second),
                "reverse": min(first, second),
                "difference": value,
                "low": 0.0 if crosses else ends[0],
                "high": ends[1],
            }
        )
    gap = largest(*np.array(found).T)
    order = np.argsort([-value for value, _, _ in found], kind="stable")
    top = rows[int(order[0])]
    return Measurement(
        {
            "gap": Estimate(
                gap.value,
                gap.low,
                gap.high,
                subject.n,
                "difference of two cross-group AUCs",
                range=(0.0, 1.0),
            )
        },
        rows=tuple(rows[int(o)] for o in order),
        notes=(f"Favoured most: {top['group']!r} over {top['below']!r}.", *unnamed(groups)),
        picture="intervals",
        incomplete=f"group {said(lost)} lacks rows of one label: its ranking is unknown."
        if lost
        else None,
    )
