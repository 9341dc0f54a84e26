"""Is there a part of the data in which the model fails much more often than elsewhere?"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from trustcheck.probe import probe
from trustcheck.safety._conditions import find_conditions
from trustcheck.stats import intervals
from trustcheck.stats import slices as search
from trustcheck.types import Estimate, InputError, Measurement, NotMeasurable, Row

if TYPE_CHECKING:
    from trustcheck.subject import Subject

#: Rows a slice must hold in the discovery half, whatever its share.
FEWEST_ROWS = 10
#: A regression error above this quantile of the discovery half's errors counts as wrong.
LARGE_ERROR = 0.8


@probe(
    title="Weak slices",
    question="Is there a part of the data in which the model fails much more often than elsewhere?",
    headline="excess_error",
    unit="share of rows wrongly predicted, above the rest",
    better="low",
    keys=("safety.physical_harm", "safety.psychological_harm"),
    clauses=("8.5", "9.10.5"),
    needs=("labels", "features"),
    wants=("predictions",),
    cost="none beyond the shared pass",
)
def slices(
    subject: Subject,
    rng: np.random.Generator,
    *,
    depth: int = 2,
    alpha: float = 0.95,
    min_share: float = 0.05,
    top: int = 10,
) -> Measurement:
    """Search one half of the rows for weak slices, and count their errors on the other half.

    SliceLine (Sagadeeva & Boehm 2021): every condition on one feature, and every conjunction of
    up to ``depth`` of them, is scored exactly; a bound leaves out those that cannot matter.

    Parameters
    ----------
    subject : Subject
        With labels and features.
    depth : int
        Conditions in a slice, 1 to 3.
    alpha : float
        Weight of the error against the size of a slice, inside (0, 1).
    min_share : float
        Share of the rows a slice must hold, inside (0, 0.5).
    top : int
        Slices reported, at least 1.

    Returns
    -------
    Finding
        Headline ``excess_error``: the largest confirmed excess of a slice's error over that of
        all other rows, 0 if none is confirmed. For regression, a row counts as wrong if its
        absolute error is above the 80 % quantile of the discovery half. One detail row per slice.

    Examples
    --------
    >>> import pandas as pd
    >>> import trustcheck as tc
    >>> age = np.arange(4000) % 60 + 20
    >>> wrong = (age > 70) & (np.arange(4000) % 3 > 0)
    >>> truth = np.arange(4000) % 2
    >>> subject = tc.Subject.from_predictions(truth, truth ^ wrong, X=pd.DataFrame({"age": age}))
    >>> found = slices(subject)
    >>> found.rows[0]["slice"], bool(found.low > 0.3)
    ('age 68 or more', True)
    """
    _check(depth, alpha, min_share, top)
    if subject.n < 2 * FEWEST_ROWS:
        raise NotMeasurable(
            f"halves of {subject.n} rows cannot hold a slice of {FEWEST_ROWS}; give more rows"
        )
    # Equal rows come side by side in the order drawn; shuffled, they fall into both halves.
    drawn = subject.sample(subject.n, rng)[rng.permutation(subject.n)]
    seen, fresh = drawn[: subject.n // 2], drawn[subject.n // 2 :]
    wrong, unit = _wrong(subject, seen)
    # A slice of just that share must not be missed because this half holds a little less of it.
    slack = 2 * np.sqrt(len(seen) * min_share * (1 - min_share))
    least = max(int(np.ceil(min_share * len(seen) - slack)), FEWEST_ROWS)
    conditions = find_conditions(subject, seen, least)
    if not conditions:
        raise NotMeasurable(
            f"no condition on a feature splits half of the rows into parts of at least {least};"
            " give more rows, or lower min_share="
        )
    member = np.column_stack([condition.holds(seen) for condition in conditions])
    found, evaluated = search.top_slices(
        member,
        [condition.feature for condition in conditions],
        wrong[seen],
        k=5 * top,  # some of them twins
        min_size=least,
        alpha=alpha,
        depth=depth,
    )
    found = search.distinct(found, member, k=top)
    parts = [tuple(conditions[at] for at in one.predicates) for one in found]
    inside = [np.logical_and.reduce([c.holds(fresh) for c in part]) for part in parts]
    counts = [(int(wrong[fresh][one].sum()), int(one.sum())) for one in inside]
    kept = [at for at, (_, size) in enumerate(counts) if 0 < size < len(fresh)]
    if not kept:
        raise NotMeasurable("too few rows to confirm any slice; give more rows")
    statistics: dict[str, Any] = {
        "errors": [counts[at][0] for at in kept],
        "sizes": [counts[at][1] for at in kept],
        "total_errors": int(wrong[fresh].sum()),
        "total": len(fresh),
    }
    got = search.confirm(**statistics)
    order = np.argsort(-got.excess.value, kind="stable")
    texts = [" & ".join(c.text() for c in parts[at]) for at in kept]
    error = statistics["total_errors"] / len(fresh)
    worst = order[got.confirmed[order]][:1]
    return Measurement(
        {
            "excess_error": Estimate(
                got.value, got.low, got.high, n=len(fresh), unit=unit, range=(0.0, 1.0)
            )
        },
        rows=_rows(texts, got, statistics, order),
        statistics=statistics,
        formula="slices.confirm",
        notes=_notes(len(seen), len(fresh), evaluated, len(kept), min_share, alpha, error),
        picture="intervals",
        examples=_examples(subject, fresh, wrong, [inside[kept[at]] for at in worst]),
    )


def _check(depth: int, alpha: float, min_share: float, top: int) -> None:
    if depth not in (1, 2, 3):
        raise InputError("depth must be 1, 2 or 3")
    if not 0 < alpha < 1:
        raise InputError("alpha must be inside (0, 1)")
    if not 0 < min_share < 0.5:
        raise InputError("min_share must be inside (0, 0.5)")
    if top < 1:
        raise InputError("top must be at least 1")


def _wrong(subject: Subject, seen: np.ndarray) -> tuple[np.ndarray, str]:
    """Which rows count as wrong, shape (n,), and the unit of their share."""
    if subject.task != "regression":
        return (
            subject.predictions != subject.truth,
            "share of rows wrongly predicted, above the rest",
        )
    error = np.abs(subject.predictions - subject.truth)
    limit = float(np.quantile(error[seen], LARGE_ERROR))
    unit = f"share of rows whose absolute error is above {limit:.3g} (the largest fifth), above the rest"
    return error > limit, unit


def _rows(
    texts: list[str], got: search.Confirmation, statistics: dict[str, Any], order: np.ndarray
) -> tuple[Row, ...]:
    share = intervals.wilson(statistics["errors"], statistics["sizes"])
    return tuple(
        {
            "slice": texts[at],
            "n": statistics["sizes"][at],
            "error": float(share.value[at]),
            "low": float(share.low[at]),
            "high": float(share.high[at]),
            "excess": float(got.excess.value[at]),
            "excess_low": float(got.excess.low[at]),
            "excess_high": float(got.excess.high[at]),
            "confirmed": bool(got.confirmed[at]),
        }
        for at in order
    )


def _notes(
    seen: int, fresh: int, evaluated: int, k: int, share: float, alpha: float, error: float
) -> tuple[str, ...]:
    ratio, wide = search.needed_ratio(share, alpha=alpha), search.needed_ratio(0.25, alpha=alpha)
    excess = search.detectable_excess(share, error, fresh, k)
    if np.isfinite(excess):
        power = f"an excess of about {excess:.2f} is confirmed four times in five"
    else:
        power = "no excess can be relied on to be confirmed"
    searched = (
        f"Slices were searched on {seen} rows drawn at random ({evaluated} candidates) and their"
        f" errors counted on the other {fresh}. They may overlap; what no condition or conjunction"
        " tried here describes is not found."
    )
    listed = (
        f"Worth listing: a slice with {share:.0%} of the rows from {ratio:.1f} times the average"
        f" error, one with 25% from {wide:.2f} times (alpha={alpha:g})."
    )
    return searched, listed, f"With these rows, in a slice with {share:.0%} of them, {power}."


def _examples(
    subject: Subject, fresh: np.ndarray, wrong: np.ndarray, worst: list[np.ndarray]
) -> Any:
    """Up to ten wrongly predicted rows of the worst confirmed slice."""
    return subject.X.iloc[fresh[worst[0] & wrong[fresh]][:10]] if worst else None
