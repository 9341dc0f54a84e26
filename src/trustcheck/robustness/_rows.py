"""The rows a share of robust answers rests on: those looked at, and those of them to attack."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from trustcheck.runner import stream
from trustcheck.search._space import NORMS
from trustcheck.stats import intervals
from trustcheck.types import Estimate, InputError, NotMeasurable

if TYPE_CHECKING:
    from collections.abc import Iterable

    from trustcheck.search._space import Space
    from trustcheck.subject import Subject


@dataclass(frozen=True)
class Rows:
    """Rows in sampled order; a row that is answered wrong costs nothing and is not robust.

    Parameters
    ----------
    looked : int ndarray, shape (k,)
        Positions of the rows looked at.
    hit : bool ndarray, shape (k,)
        Those answered right (all, without labels and for regression).
    n : int
        Rows given.
    weights, clusters : ndarray, shape (k,), or None
    """

    looked: np.ndarray
    hit: np.ndarray
    n: int
    weights: np.ndarray | None
    clusters: np.ndarray | None

    @classmethod
    def of(cls, subject: Subject) -> Rows:
        """Return all rows of a subject that count, in an order that probes of attacks share."""
        order = subject.sample(subject.n, stream(subject.seed, "rows attacked"))
        if subject.weights is not None:
            order = order[subject.weights[order] > 0]
        hit = np.ones(len(order), dtype=bool)
        if subject.data.has_truth and subject.task != "regression":
            hit = subject.predictions[order] == subject.truth[order]
        if not hit.any():
            raise NotMeasurable(
                "the model is right about none of the rows, so there is nothing to flip"
            )
        weights, clusters = (
            None if given is None else given[order] for given in (subject.weights, subject.clusters)
        )
        return cls(order, hit, subject.n, weights, clusters)

    def first(self, most: int) -> Rows:
        """Return the rows before the first right one that can no longer be paid for.

        To stop at the last one that can would count one right row too many.
        """
        keep = np.cumsum(self.hit) <= most
        return replace(
            self,
            looked=self.looked[keep],
            hit=self.hit[keep],
            weights=None if self.weights is None else self.weights[keep],
            clusters=None if self.clusters is None else self.clusters[keep],
        )

    @property
    def right(self) -> np.ndarray:
        """Positions of the rows to attack, shape (m,)."""
        return self.looked[self.hit]

    @property
    def plain(self) -> bool:
        """Whether every row counts alike."""
        return self.weights is None and self.clusters is None

    def kept(self, distance: np.ndarray, size: float) -> np.ndarray:
        """Whether each row looked at is right and not flipped within a size, shape (k,)."""
        return self._spread(distance > size * (1 + 1e-9))

    def proven(self, lower: np.ndarray, size: float) -> np.ndarray:
        """Whether each row looked at is right and proven not to flip within a size."""
        return self._spread((lower > size) if size else np.ones(len(lower), dtype=bool))

    def _spread(self, of_right: np.ndarray) -> np.ndarray:
        stays = np.zeros(len(self.looked))
        stays[self.hit] = of_right
        return stays

    def influence(self, stays: np.ndarray) -> np.ndarray:
        """Influence of each given row on the share, shape (n,)."""
        found = np.zeros(self.n)
        weights = np.ones(len(stays)) if self.weights is None else self.weights
        found[self.looked] = (stays - np.average(stays, weights=weights)) * self.n / len(stays)
        return found

    def check(self, space: Space) -> None:
        """Refuse relations that no row keeps together; name those that contradict the rest."""
        if not space.relations:
            return
        rows = np.arange(len(space.own))
        values = space.values(rows, space.own)
        kept = np.ones(len(rows), dtype=bool)
        for relation in space.relations:
            before, kept = kept, kept & relation.holds(values)
            if not kept.any():
                also = " together with those before it" if before.sum() < len(rows) else ""
                raise NotMeasurable(
                    f"no row attacked keeps the relation {relation}{also}, so no changed row can be"
                    " valid; correct it with schema="
                )


def share_of(rows: Rows, stays: np.ndarray, unit: str) -> Estimate:
    """Return the share of rows that stay, with its interval."""
    ends = intervals.bounded_mean(stays, weights=rows.weights, clusters=rows.clusters)
    return Estimate(*ends, n=len(stays), unit=unit, range=(0.0, 1.0))


def sizes_of(
    epsilon: float, sizes: Iterable[float], norm: str, category: float, shift: float
) -> list[float]:
    """Check the parameters that say what a change is; return the sizes of the detail rows."""
    levels = sorted({float(size) for size in (*np.atleast_1d(np.asarray(sizes)), epsilon)})
    numbers: list[Any] = [*levels, category, shift]
    if not all(np.isfinite(number) and number > 0 for number in numbers):
        raise InputError("epsilon, sizes, category and shift must be finite numbers above 0")
    if norm not in NORMS:
        raise InputError(f"norm must be one of {', '.join(NORMS)}, not {norm!r}")
    return levels
