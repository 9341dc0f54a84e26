"""What an attack found, after the model has confirmed it and the schema allowed it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from trustcheck.search._check import violations
from trustcheck.stats import degradation, intervals
from trustcheck.types import Better, Estimate, Method

if TYPE_CHECKING:
    import pandas as pd

    from trustcheck.robustness._flip import Flip
    from trustcheck.search._attack import Search
    from trustcheck.search._space import Space
    from trustcheck.subject import Subject

#: Queries per row spent on confirming.
CONFIRM = 2


class Found(NamedTuple):
    """What stood up to the check, one entry per row attacked.

    Attributes
    ----------
    distance, blind : ndarray, shape (m,)
        Size of the nearest flip of the search and of its control; infinite where there is none.
    cells : int ndarray, shape (m,)
        Cells changed in the flip shown; 0 where there is none.
    used : int ndarray, shape (m,)
        Rows sent to the model.
    examples : DataFrame
        One line per changed cell.
    refused, rejected : int
        Changed rows on which the model raised, and flips that did not hold.
    """

    distance: np.ndarray
    blind: np.ndarray
    cells: np.ndarray
    used: np.ndarray
    examples: pd.DataFrame
    refused: int
    rejected: int

    @property
    def nearest(self) -> np.ndarray:
        """Size of the nearest flip of either, shape (m,)."""
        return np.minimum(self.distance, self.blind)


def confirm(search: Search, small: np.ndarray, control: Search, flip: Flip) -> Found:
    """Ask the model's own predict about every flip, and check it against the schema."""
    space, m = search.space, len(search.used)
    every = np.arange(m)
    blind_wins = control.distance < search.distance
    best = np.where(blind_wins[:, None], control.best, search.best)
    small = np.where(blind_wins[:, None], control.best, small)
    hit = np.flatnonzero(np.isfinite(np.minimum(search.distance, control.distance)))
    used = search.used + control.used + np.bincount(hit, minlength=m) * CONFIRM
    good = np.zeros((2, m), dtype=bool)
    if hit.size:
        rows = np.tile(hit, 2)
        changed = space.decode(rows, np.concatenate([best[hit], small[hit]]))
        broken = violations(changed, space.frame.iloc[rows], flip.subject.schema)
        holds = flip.confirm(changed, rows) & np.array([not rules for rules in broken])
        good[:, hit] = holds.reshape(2, -1)
    shown = np.where(good[1][:, None], small, best)
    fine = good[0] | good[1]
    reached = np.where(good[0], np.minimum(search.distance, control.distance), np.inf)
    reached = np.where(~good[0] & good[1], space.distance(every, small), reached)
    cells = np.where(fine, space.changed(every, shown).sum(axis=1), 0)
    return Found(
        np.where(blind_wins, search.distance, reached),
        np.where(blind_wins, reached, control.distance),
        cells,
        used,
        _examples(space, flip.rows, shown, np.flatnonzero(fine)),
        search.unanswered + control.unanswered,
        int(len(hit) - fine.sum()),
    )


def _examples(
    space: Space, positions: np.ndarray, points: np.ndarray, rows: np.ndarray
) -> pd.DataFrame:
    """One line per changed cell: position of the row, column, value before and after, size."""
    import pandas as pd

    before, after = space.frame.iloc[rows], space.decode(rows, points[rows])
    where, columns = np.nonzero(space.changed(rows, points[rows]))
    size = space.distance(rows, points[rows])
    lines = [
        (int(positions[rows[i]]), name, before[name].iloc[i], after[name].iloc[i], float(size[i]))
        for i, name in ((i, space.names[j]) for i, j in zip(where, columns, strict=True))
    ]
    return pd.DataFrame(lines, columns=["row", "column", "from", "to", "size"])


def other_metrics(
    found: Found, hit: np.ndarray, features: int, evidence: dict[str, Any]
) -> dict[str, Estimate]:
    """Metrics on the rows attacked: median distance, cells changed, queries."""
    own: dict[str, Any] = {
        name: None if given is None else given[hit] for name, given in evidence.items()
    }
    metrics, m = {}, len(found.used)
    middle = degradation.weighted_median(found.nearest, **own)
    if np.isfinite(middle.high):
        metrics["median_distance"] = Estimate(
            *middle, n=m, unit="robust scales to the nearest flip found", range=(0.0, None)
        )
    flipped = found.cells > 0
    if flipped.sum() > 1:
        own = {name: None if given is None else given[flipped] for name, given in own.items()}
        cells = intervals.bounded_mean(found.cells[flipped] / features, **own)
        metrics["features_changed"] = Estimate(
            features * float(cells.value),
            features * float(cells.low),
            features * float(cells.high),
            n=int(flipped.sum()),
            unit="features changed in a flip",
            range=(0.0, features),
        )
    mean = float(found.used.mean())
    metrics["queries"] = Estimate(
        mean, mean, mean,
        n=m,
        unit="rows sent to the model per row attacked",
        method=Method.EXACT,
        range=(0.0, None),
        better=Better.LOW,
    )  # fmt: skip
    return metrics


def notes(
    subject: Subject, found: Found, size: int, space: Space, epsilon: float, flip: Flip
) -> Iterable[str]:
    """Say what a reader has to know."""
    yield (
        "An attack shows what can be flipped, not what cannot: a better one may flip more rows, so"
        " this is an upper bound."
    )
    yield f"{len(found.used)} rows were attacked, of {size} looked at and {subject.n} given."
    seen = "scores" if subject.task != "regression" else "numbers"
    yield f"The attacker saw {f'the {seen} of its answers' if flip.graded else 'labels alone'}."
    if space.categorical.any() and space.category > epsilon:
        yield (
            f"A change of category has size {space.category:g}, so within {epsilon:g} only numbers"
            " change."
        )
    still = [str(name) for name in subject.features if str(name) not in space.names]
    if still:
        yield f"Free text, dates, constant or immutable, so left alone: {', '.join(still)}."
    if not np.isfinite(found.nearest).all():
        count = int(np.isinf(found.nearest).sum())
        yield f"No flip of any size was found for {count} of the rows attacked."
    beaten = int(((found.blind <= epsilon) & (found.distance > epsilon)).sum())
    if beaten:
        yield (
            f"Alarm: random changes flipped {beaten} row(s) that the search did not flip within"
            " epsilon (they count as flipped). The model's answers may mislead a search, so do not"
            " rely on the share that stays."
        )
    if found.refused:
        yield (
            f"The model refused {found.refused} of the changed rows (it raised an error); they do"
            " not count as flipped."
        )
    if found.rejected:
        yield (
            f"{found.rejected} flip(s) did not hold when the model was asked again, and do not count."
        )
