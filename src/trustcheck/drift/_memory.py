"""Does the model know the reference by heart, so that its answers there are no measure?"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from trustcheck.subject import Subject
    from trustcheck.subject._side import Side

#: Below this share of its loss on the given rows, the loss on the reference looks learnt by heart.
BY_HEART = 0.75


def by_heart(subject: Subject, before: Side, now: Side) -> bool:
    """Whether the loss on the reference is out of all proportion to that on the given rows."""
    if not (before.has_truth and now.has_truth):
        return False
    return _loss(subject, before) < BY_HEART * _loss(subject, now)


def _loss(subject: Subject, side: Side) -> float:
    if subject.task == "regression":
        return float(np.mean((side.predictions - side.truth) ** 2))
    if "scores" in subject.offers():
        return float(np.mean((side.scores - np.eye(len(subject.classes))[side.truth]) ** 2))
    return float(np.mean(side.predictions != side.truth))
