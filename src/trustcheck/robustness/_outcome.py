"""What an attack found, after the model has confirmed it and the schema allowed it."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from trustcheck.robustness._ladder import Climb, alarms
from trustcheck.robustness._white import SAME, White
from trustcheck.search._check import violations
from trustcheck.stats import degradation, intervals
from trustcheck.types import Better, Estimate, Method

if TYPE_CHECKING:
    import pandas as pd

    from trustcheck.robustness._flip import Flip
    from trustcheck.robustness._rows import Rows
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
    lower : ndarray, shape (m,)
        Sizes within which no flip exists: proven; 0 where nothing is.
    examples : DataFrame
        One line per changed cell.
    refused, rejected : int
        Changed rows on which the model raised, and flips that did not hold.
    """

    distance: np.ndarray
    blind: np.ndarray
    cells: np.ndarray
    used: np.ndarray
    lower: np.ndarray
    examples: pd.DataFrame
    refused: int
    rejected: int

    @property
    def nearest(self) -> np.ndarray:
        """Size of the nearest flip of either, shape (m,)."""
        return np.minimum(self.distance, self.blind)


def confirm(
    search: Search, small: np.ndarray, control: Search, flip: Flip, lower: np.ndarray
) -> Found:
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
    distance = np.where(blind_wins, search.distance, reached)
    nearest = np.minimum(distance, np.where(blind_wins, reached, control.distance))
    # A flip nearer than a proof allows shows that the model was misread: then nothing is proven.
    misread = bool((nearest < lower * (1 - 1e-6)).any())
    return Found(
        distance,
        np.where(blind_wins, reached, control.distance),
        cells,
        used,
        np.zeros(m) if misread else np.minimum(lower, nearest),
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
    changed = space.changed(rows, points[rows])
    size = space.distance(rows, points[rows])
    lines = []
    for i, j in zip(*np.nonzero(changed), strict=True):
        name = space.names[j]
        for column in space.groups[name].columns if name in space.groups else (name,):
            old, new = before[column].iloc[i], after[column].iloc[i]
            if old != new:
                lines.append((int(positions[rows[i]]), column, old, new, float(size[i])))
    return pd.DataFrame(lines, columns=["row", "column", "from", "to", "size"])


def rebuild(examples: pd.DataFrame, frame: pd.DataFrame) -> pd.DataFrame:
    """Return whole changed rows from a finding's examples.

    Parameters
    ----------
    examples : DataFrame
        With columns row (position in ``frame``), column and to.
    frame : DataFrame
        The rows the subject was given (``subject.X``).

    Returns
    -------
    DataFrame
        One line per row changed, in the order of the examples, under the same dtypes; the index
        holds the positions.

    Examples
    --------
    >>> import pandas as pd
    >>> examples = pd.DataFrame({"row": [1], "column": ["a"], "from": [2], "to": [5]})
    >>> rebuild(examples, pd.DataFrame({"a": [1, 2], "b": [7, 8]})).to_dict("index")
    {1: {'a': 5, 'b': 8}}
    """
    import pandas as pd

    at = examples["row"].drop_duplicates().to_numpy(dtype=int)
    whole: pd.DataFrame = frame.iloc[at].reset_index(drop=True)
    for name, lines in examples.groupby("column", sort=False):
        column = whole[name].copy()
        places = pd.Index(at).get_indexer(lines["row"])
        dtype: Any = column.dtype
        column.iloc[places] = pd.array(lines["to"].tolist(), dtype=dtype)
        whole[name] = column
    return whole.set_axis(at)


def other_metrics(
    found: Found, rows: Rows, features: int, climbed: Climb, white: White | str | None
) -> dict[str, Estimate]:
    """Metrics on the rows attacked: what was exact, what broke them, distance, cells, queries."""
    metrics, m = {}, len(found.used)
    own: dict[str, Any] = {
        name: None if given is None else given[rows.hit]
        for name, given in (("weights", rows.weights), ("clusters", rows.clusters))
    }

    def share(what: np.ndarray, unit: str, better: Better) -> Estimate:
        ends = intervals.bounded_mean(what.astype(float), **own)
        return Estimate(*ends, n=m, unit=unit, range=(0.0, 1.0), better=better)

    if not isinstance(white, str) and white is not None:
        known = np.isinf(found.lower) | (found.nearest <= found.lower * (1 + SAME))
        metrics["exact"] = share(
            known, "share of rows attacked whose smallest change is known exactly", Better.HIGH
        )
    for name, hits in climbed.broken.items():
        label = "broken_by_" + re.sub(r"\W+", "_", name)
        metrics[label] = share(
            hits & (found.cells > 0),
            f"share of rows attacked that {name} was the first to flip",
            Better.LOW,
        )
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
    subject: Subject,
    found: Found,
    rows: Rows,
    space: Space,
    epsilon: float,
    flip: Flip,
    climbed: Climb,
    white: White | str | None,
) -> Iterable[str]:
    """Say what a reader has to know."""
    if isinstance(white, White):
        yield (
            f"The model was read as {white.what}: the share that really stays lies between the"
            " verified share and the headline."
        )
    else:
        yield (
            "An attack shows what can be flipped, not what cannot: a better one may flip more rows,"
            " so this is an upper bound."
        )
        if white is not None:
            yield f"The model could not be read, so nothing is proven: {white}."
    yield f"{len(found.used)} rows were attacked, of {len(rows.looked)} looked at and {subject.n} given."
    for name, tried in climbed.tried.items():
        if 0 < tried.sum() < len(tried) and name != "white box":
            yield f"{name}: {int(tried.sum())} of the rows that were left were attacked."
    if climbed.interrupted:
        yield "Somebody stopped the attack half-way: what had been found by then counts."
    if not (isinstance(white, White) and white.lower.all()):
        seen = "scores" if subject.task != "regression" else "numbers"
        yield f"The attacker saw {f'the {seen} of its answers' if flip.graded else 'labels alone'}."
    if space.categorical.any() and space.category > epsilon:
        yield (
            f"A change of category has size {space.category:g}, so within {epsilon:g} only numbers"
            " change."
        )
    still = [str(name) for name in subject.features if str(name) not in space.columns]
    if still:
        yield f"Free text, dates, constant or immutable, so left alone: {', '.join(still)}."
    if space.relations:
        broken = int((~space.valid(np.arange(len(space.own)), space.own)).sum())
        shown = "; ".join(map(str, space.relations[:8])) + (
            "; ..." if len(space.relations) > 8 else ""
        )
        yield f"Relations that changed rows keep: {shown}."
        if broken:
            yield f"{broken} of the rows attacked break one of them as they are."
    if not np.isfinite(found.nearest).all():
        count = int(np.isinf(found.nearest).sum())
        yield f"No flip of any size was found for {count} of the rows attacked."
    asked = [tried for name, tried in climbed.tried.items() if name != "white box"]
    searched = np.logical_or.reduce([np.zeros(len(found.used), dtype=bool), *asked])
    beaten = int((searched & (found.blind <= epsilon) & (found.distance > epsilon)).sum())
    if beaten:
        yield (
            f"Alarm: of the rows that the search did not flip, random changes flipped {beaten} within"
            " epsilon (they count as flipped). The model's answers may mislead a search, so do not"
            " rely on the share that stays."
        )
    yield from alarms(climbed, found.lower > epsilon)
    if isinstance(white, White) and white.lower.any() and not found.lower.any():
        yield (
            "Alarm: a flip was found where reading the model had proven that there is none. It was"
            " misread, so nothing is taken as proven."
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
