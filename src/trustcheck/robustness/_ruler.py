"""How far answers to disturbed rows lie from the undisturbed ones."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from trustcheck.stats import degradation, intervals
from trustcheck.subject._schema import robust_scale
from trustcheck.types import Estimate, NotMeasurable

if TYPE_CHECKING:
    from trustcheck.subject import Subject


@dataclass(frozen=True)
class Ruler:
    """How far answers lie from the undisturbed ones, and what rows' distances say together."""

    base: np.ndarray
    spread: float | None  # None: classes, which are the same or not
    weights: np.ndarray | None
    clusters: np.ndarray | None

    @property
    def unit(self) -> str:
        """What the headline counts."""
        if self.spread is None:
            return "share of predictions that stay the same"
        return "1 - median change, as a share of the predictions' interquartile range"

    @property
    def worst_unit(self) -> str:
        """What the worst of several draws counts."""
        if self.spread is None:
            return "share of rows whose prediction stays the same in all {draws} draws"
        return "1 - median over rows of the largest change in {draws} draws, same scale"

    @property
    def counts(self) -> bool:
        """Whether any of the rows has a weight above 0."""
        return bool(len(self.base)) and (self.weights is None or bool(self.weights.any()))

    def at(self, rows: np.ndarray) -> Ruler:
        """Return the ruler of some of the rows."""
        return replace(
            self,
            base=self.base[rows],
            weights=None if self.weights is None else self.weights[rows],
            clusters=None if self.clusters is None else self.clusters[rows],
        )

    def distance(self, answers: np.ndarray) -> np.ndarray:
        """Return 0 or 1 for classes, else change / IQR; a lost answer (nan) is at 1."""
        if self.spread is None:
            return (answers != self.base).astype(float)
        away = np.abs(answers - self.base) / self.spread
        return np.asarray(np.where(np.isnan(answers), 1.0, away))

    def interval(self, moved: np.ndarray, draws: int = 1) -> intervals.Interval:
        """Return the share kept (1 - median distance for numbers), rows being the evidence."""
        if self.spread is None:
            return self.share(moved, draws)
        middle = degradation.weighted_median(moved, weights=self.weights, clusters=self.clusters)
        return intervals.Interval(1 - middle.value, 1 - middle.high, 1 - middle.low)

    def share(self, moved: np.ndarray, draws: int = 1) -> intervals.Interval:
        """Return 1 - the mean distance, each counted as at most 1."""
        same = np.clip(1 - moved, 0, 1)  # rounding may leave [0, 1]
        return intervals.bounded_mean(
            same, weights=self.weights, clusters=self.clusters, draws=draws
        )

    def estimate(self, moved: np.ndarray, unit: str, draws: int = 1) -> Estimate:
        """Return the same as an estimate."""
        low = 0.0 if self.spread is None else None
        return Estimate(*self.interval(moved, draws), n=len(moved), unit=unit, range=(low, 1.0))


def ruler_for(subject: Subject, chosen: np.ndarray, *, any_weight: bool = False) -> Ruler:
    """Return the ruler of the chosen rows, which must count unless they may have ``any_weight``."""
    spread = None
    if subject.task == "regression":
        if np.ptp(subject.predictions) == 0:
            raise NotMeasurable(
                "the model predicts one number for every given row, so there is no spread to"
                " compare changes with"
            )
        spread = 1.349 * robust_scale(subject.predictions)  # the IQR, unless that is 0
    ruler = Ruler(subject.predictions, spread, subject.weights, subject.clusters).at(chosen)
    if not (any_weight or ruler.counts):
        raise NotMeasurable("every row drawn has weight 0; raise rows= to draw more")
    return ruler


def evidence(subject: Subject, chosen: np.ndarray, moved: np.ndarray) -> dict[str, Any]:
    """Statistics and influence of a headline that is a mean over rows, distances up to 1."""
    kept = 1 - moved.mean(axis=0)
    weights = np.ones(subject.n) if subject.weights is None else subject.weights
    influence = np.zeros(subject.n)
    influence[chosen] = kept - np.average(kept, weights=weights[chosen])
    influence *= weights.sum() / weights[chosen].sum()
    if subject.has_weights or subject.has_clusters or subject.task == "regression":
        return {"influence": influence}
    unchanged = np.bincount((moved == 0).sum(axis=0), minlength=len(moved) + 1)
    return {
        "statistics": {"unchanged": unchanged.tolist()},
        "formula": "degradation.consistency",
        "influence": influence,
    }
