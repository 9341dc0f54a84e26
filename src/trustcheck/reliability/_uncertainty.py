"""Do the intervals that a regression model states hold the truth as often as they promise?"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import special

from trustcheck.probe import probe
from trustcheck.stats import intervals, pit
from trustcheck.types import Better, Estimate, InputError, Measurement, NotMeasurable, Row

if TYPE_CHECKING:
    from trustcheck.subject import Subject

#: Coverages checked where the model states a whole distribution.
LEVELS = (0.5, 0.8, 0.9, 0.95)
UNIT = "largest difference of promised and observed coverage"


@probe(
    title="Stated uncertainty",
    question="Do the intervals the model states hold the truth as often as they promise?",
    headline="coverage_gap",
    unit=UNIT,
    better="low",
    keys=("reliability.performance_consistency",),
    clauses=("8.5", "9.10.5"),
    needs=("labels", "features"),
    tasks=("regression",),
    cost="each given row once more, asked with return_std=True; none with lower= and upper=",
    weights=True,
    clusters=True,
)
def uncertainty(
    subject: Subject,
    rng: np.random.Generator,
    *,
    lower: str | None = None,
    upper: str | None = None,
    level: float = 0.9,
) -> Measurement:
    """Measure how far the coverage of stated intervals is from what they promise.

    Where the model's ``predict`` takes ``return_std=True`` (Gaussian processes, Bayesian ridge),
    its normal statements are checked at 50, 80, 90 and 95 %, and as a whole by the probability
    integral transform (Dawid 1984; Gneiting, Balabdaoui & Raftery 2007). Otherwise name two
    columns of the table that hold the ends of its intervals.

    Parameters
    ----------
    subject : Subject
        A regression with labels.
    lower, upper : str, optional
        Columns of X (read by the model or not) with the ends of an interval per row.
    level : float
        Coverage that these promise, inside (0, 1).

    Returns
    -------
    Finding
        Headline ``coverage_gap``, 0 to 1. Of whole statements also ``pit_distance`` (from the
        uniform distribution, 0 to 1) and ``crps`` (in units of the label). One detail row per
        level.

    Examples
    --------
    >>> import trustcheck as tc
    >>> from sklearn.linear_model import BayesianRidge
    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(size=(2000, 2))
    >>> y = X[:, 0] + rng.normal(size=2000)
    >>> model = BayesianRidge().fit(X[:1000], y[:1000])
    >>> uncertainty(tc.Subject(model, X[1000:], y[1000:])).at_most(0.1).status.value
    'pass'
    """
    if (lower is None) != (upper is None):
        raise InputError("name both ends of the intervals: lower= and upper=")
    if not 0 < level < 1:
        raise InputError("level must lie between 0 and 1")
    if lower is None or upper is None:
        centre, spread = subject.shared(
            "stated_spread", lambda seen, _rng: seen.predict_spread(seen.X)
        )
        return _distribution(subject, centre, spread)
    low, high = (_end(subject, name) for name in (lower, upper))
    if (low > high).any():
        raise InputError(
            f"column {lower!r} exceeds {upper!r} in {int((low > high).sum())} row(s), the first at"
            f" position {int(np.argmax(low > high))}; swap the two or mend them"
        )
    return _measure(subject, {level: (low <= subject.truth) & (subject.truth <= high)}, {}, ())


def _distribution(subject: Subject, centre: np.ndarray, spread: np.ndarray) -> Measurement:
    if (spread <= 0).any():
        raise NotMeasurable(
            f"the model states a standard deviation of 0 in {int((spread <= 0).sum())} row(s)"
        )
    off = np.abs(subject.truth - centre) / spread
    inside = {level: off <= special.ndtri(0.5 + level / 2) for level in LEVELS}
    n, more, notes = subject.n, {}, []
    if not (subject.has_weights or subject.has_clusters):
        found = pit.uniform_distance(pit.normal_pit(subject.truth, centre, spread))
        more["pit_distance"] = Estimate(
            *found, n=n, unit="distance of stated chances from even ones", range=(0.0, 1.0)
        )
        score = pit.normal_crps(subject.truth, centre, spread)
        if np.isfinite(score.high):
            more["crps"] = Estimate(
                *score,
                n=n,
                unit="continuous ranked probability score, in units of the label",
                range=(0.0, None),
                better=Better.LOW,
            )
    wide = float(np.mean(inside[0.5]))
    if wide < 0.4 or wide > 0.6:
        notes.append(
            "The stated spread is too "
            + ("small: the model is surer than it should be." if wide < 0.5 else "large.")
        )
    return _measure(subject, inside, more, tuple(notes))


def _measure(
    subject: Subject,
    inside: dict[float, np.ndarray],
    more: dict[str, Estimate],
    notes: tuple[str, ...],
) -> Measurement:
    rows: dict[str, Any] = {"weights": subject.weights, "clusters": subject.clusters}
    n = np.array([intervals.effective_size(held, **rows) for held in inside.values()])
    share = np.array([np.average(held, weights=subject.weights) for held in inside.values()])
    promised = list(inside)
    statistics = {"hits": (share * n).tolist(), "n": n.tolist(), "promised": promised}
    gap, seen = pit.coverage_gap(**statistics)
    worst = inside[promised[int(np.abs(share - promised).argmax())]]
    metrics = {"coverage_gap": Estimate(*gap, n=subject.n, unit=UNIT, range=(0.0, 1.0)), **more}
    return Measurement(
        metrics,
        rows=tuple(_rows(promised, seen, len(worst))),
        notes=notes,
        picture="intervals",
        influence=worst - np.average(worst, weights=subject.weights)
        if subject.weights is None
        else None,
    )


def _rows(promised: list[float], seen: intervals.Interval, n: int) -> list[Row]:
    return [
        {
            "promised": level,
            "n": n,
            "coverage": float(np.atleast_1d(seen.value)[at]),
            "low": float(np.atleast_1d(seen.low)[at]),
            "high": float(np.atleast_1d(seen.high)[at]),
        }
        for at, level in enumerate(promised)
    ]


def _end(subject: Subject, name: str) -> np.ndarray:
    column = subject.data.own_column(name)
    if column is None:
        raise InputError(f"X has no column {name!r} with the ends of intervals")
    try:
        values = column.to_numpy(dtype=float)
    except (TypeError, ValueError) as fault:
        raise InputError(
            f"column {name!r} holds what is no number; intervals need numbers"
        ) from fault
    wrong = ~np.isfinite(values)
    if wrong.any():
        raise InputError(
            f"column {name!r} is missing or infinite in {int(wrong.sum())} row(s), the first at"
            f" position {int(np.argmax(wrong))}; fill it or leave those rows out"
        )
    return values
