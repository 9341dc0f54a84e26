"""Does the answer stay the same when the inputs are a little off?"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from trustcheck.probe import probe
from trustcheck.robustness._perturb import changeable, find_spikes, perturb, redraw_share
from trustcheck.robustness._ruler import Ruler, evidence, ruler_for
from trustcheck.stats import degradation, intervals
from trustcheck.types import Estimate, InputError, Measurement, NotMeasurable, Row

if TYPE_CHECKING:
    import pandas as pd

    from trustcheck.subject import Subject

#: Rows sent by default, per given row and in all; and the rows beyond which more of them would
#: buy less than more draws of each.
BUDGET, MOST_SENT, MOST_ROWS = 4.0, 60_000, 4_000


@probe(
    title="Noise",
    question="Does the answer stay the same when the inputs are a little off?",
    headline="consistency",
    unit="share of predictions that stay the same",
    better="high",
    keys=("reliability.performance_consistency", "reliability.degradation"),
    clauses=("9.7", "9.10.3"),
    needs=("features", "model"),
    wants=("predictions",),
    cost="at most 4 rows per given row, and 60,000",
    weights=True,
    clusters=True,
)
def noise(
    subject: Subject,
    rng: np.random.Generator,
    *,
    epsilon: float = 0.1,
    severities: tuple[float, ...] = (0.1, 0.2, 0.5),
    draws: int | None = None,
    rows: int | None = None,
) -> Measurement:
    """Measure how often small noise, on each feature's own scale, changes the prediction.

    Corruption curves with common random numbers (after Hendrycks & Dietterich 2019). Every
    chosen row is sent once at each severity, and again at ``epsilon`` as often as the budget
    allows. Draws of one row are not independent evidence: the interval is over rows.

    Parameters
    ----------
    subject : Subject
        With a model.
    epsilon : float
        Noise of the headline, above 0, in robust scales (IQR / 1.349) of each numeric feature.
        Categories are redrawn with probability arctan(epsilon) / pi.
    severities : tuple of float
        Noise at the points of the curve, above 0; ``epsilon`` is always one of them.
    draws : int, optional
        Copies of each row at ``epsilon``; what the budget allows unless given.
    rows : int, optional
        Rows disturbed; up to 4,000 of those given, as the budget allows, unless given.

    Returns
    -------
    Finding
        Headline ``consistency``. Classification: share of unchanged predictions. Regression:
        1 - median change / IQR of the predictions. Also ``worst_case`` (over all draws),
        ``area`` (mean height of the curve from 0 to the largest severity) and, where labels show
        the model to be better than a trivial answer, ``normalised_score`` (share of its skill
        that is kept). One detail row per severity.

    Examples
    --------
    >>> import trustcheck as tc
    >>> from sklearn.linear_model import LogisticRegression
    >>> X = np.linspace(0, 10, 200)[:, None]
    >>> y = X[:, 0] > 5
    >>> found = noise(tc.Subject(LogisticRegression().fit(X, y), X, y))
    >>> 0.9 < found.low < found.value < found.high < 1
    True
    """
    levels = _levels(epsilon, severities)
    size, repeats = _plan(subject, len(levels), draws, rows)
    still = [str(n) for n in subject.features if not changeable(subject.schema[str(n)])]
    if len(still) == len(subject.features):
        raise NotMeasurable(
            "no feature can be disturbed: each is free text, constant or marked immutable;"
            " correct its kind with schema="
        )
    # Equal rows come side by side in the order drawn; a part of them must not be all or nothing.
    chosen = subject.sample(subject.n, rng)[rng.permutation(subject.n)[:size]]
    ruler = ruler_for(subject, chosen)
    spikes = find_spikes(_source(subject), subject.schema)
    seeds = rng.integers(2**31, size=repeats).tolist()
    answers = _ask(subject, chosen, levels, epsilon, seeds, spikes)
    moved = {level: ruler.distance(answers[level]) for level in levels}  # (draws, rows) each
    shape = degradation.curve_weights(levels)
    area = sum(w * moved[level].mean(axis=0) for w, level in zip(shape, levels, strict=True))
    metrics = {
        "consistency": ruler.estimate(moved[epsilon].mean(axis=0), ruler.unit, draws=repeats),
        "worst_case": ruler.estimate(
            moved[epsilon].max(axis=0), ruler.worst_unit.format(draws=repeats)
        ),
        "area": ruler.estimate(
            np.asarray(area), f"{ruler.unit}, mean over noise from 0 to {levels[-1]:g}"
        ),
    }
    notes = _notes(subject, epsilon, spikes, still, size)
    if subject.data.has_truth:
        kept = _kept(subject, chosen, answers[epsilon], ruler)
        if kept is None:
            notes.append("The model is not clearly better than a trivial answer: no skill to keep.")
        else:
            metrics["normalised_score"] = Estimate(
                *kept, n=size, unit="share of the skill that is kept", range=(0.0, 1.0)
            )
    return Measurement(
        metrics,
        rows=tuple(_row(level, moved[level], ruler) for level in levels),
        notes=tuple(notes),
        picture="curve",
        # A median is no mean over rows.
        **({} if subject.task == "regression" else evidence(subject, chosen, moved[epsilon])),
    )


def _source(subject: Subject) -> pd.DataFrame:
    return subject.reference.X if "reference" in subject.offers() else subject.X


def _notes(
    subject: Subject, epsilon: float, spikes: Iterable[str], still: list[str], size: int
) -> list[str]:
    notes = []
    if spikes or not all(subject.schema[str(name)].is_numeric for name in subject.features):
        notes.append(
            f"At noise of {epsilon:g} a category is redrawn with probability {redraw_share(epsilon):.1%}."
        )
    if spikes:
        notes.append(f"The number most rows share counts as a category in {', '.join(spikes)}.")
    if still:
        notes.append(f"Free text, constant or immutable, so left alone: {', '.join(still)}.")
    if size < subject.n:
        notes.append(f"{size} of the {subject.n} given rows were drawn at random and disturbed.")
    return notes


def _levels(epsilon: float, severities: Sequence[float]) -> list[float]:
    found = sorted({float(level) for level in (*np.atleast_1d(severities), epsilon)})
    if not all(np.isfinite(level) and level > 0 for level in found):
        raise InputError("epsilon and severities must be finite numbers above 0")
    return found


def _plan(subject: Subject, levels: int, draws: int | None, rows: int | None) -> tuple[int, int]:
    """Rows to disturb, and copies of each at epsilon; the other severities get one copy."""
    if any(given is not None and given < 1 for given in (draws, rows)):
        raise InputError("draws and rows must be at least 1")
    budget = min(subject.allowance(BUDGET), MOST_SENT)
    if rows is None:
        rows = min(MOST_ROWS, budget // (levels - 1 + (draws or 1)))
        if rows < 1:
            raise NotMeasurable("the budget allows too few rows to be sent; raise budget=")
    rows = min(rows, subject.n)
    return rows, draws or max(budget // rows - (levels - 1), 1)


def _ask(
    subject: Subject,
    chosen: np.ndarray,
    levels: list[float],
    epsilon: float,
    seeds: list[int],
    spikes: dict[str, float],
) -> dict[float, np.ndarray]:
    """Return the answers at each severity, shape (draws, rows): one call, shared random numbers."""
    import pandas as pd

    copies = [(level, seeds[0]) for level in levels] + [(epsilon, seed) for seed in seeds[1:]]
    frame = subject.X.iloc[chosen]
    sent = [
        perturb(frame, subject.schema, level, seed=seed, spikes=spikes) for level, seed in copies
    ]
    answers = subject.predict(pd.concat(sent, ignore_index=True)).reshape(len(copies), -1)
    return {
        level: answers[[at for at, copy in enumerate(copies) if copy[0] == level]]
        for level in levels
    }


def _row(level: float, moved: np.ndarray, ruler: Ruler) -> Row:
    value, low, high = ruler.interval(moved.mean(axis=0), len(moved))
    return {
        "severity": level,
        "value": float(value),
        "low": float(low),
        "high": float(high),
        "n": moved.shape[1],
        "draws": len(moved),
    }


def _kept(
    subject: Subject, chosen: np.ndarray, answers: np.ndarray, ruler: Ruler
) -> intervals.Interval | None:
    """Share of the skill over a trivial answer that is kept; None where there is no skill."""
    truth, base, weights = subject.truth[chosen], ruler.base, ruler.weights
    if subject.task == "regression":
        if "reference_labels" in subject.offers():
            constant = float(np.mean(subject.reference.truth))
        else:
            constant = float(np.average(subject.truth, weights=subject.weights))
        trivial = (truth - constant) ** 2
        clean = trivial - (truth - base) ** 2
        disturbed = trivial - ((truth - answers) ** 2).mean(axis=0)
    else:
        counted = truth if weights is None else truth[weights > 0]
        if len(np.unique(counted)) < 2:
            return None
        clean = degradation.skill_rows(base == truth, truth, weights)
        disturbed = degradation.skill_rows((answers == truth).mean(axis=0), truth, weights)
    return degradation.kept_share(disturbed, clean, weights=weights, clusters=ruler.clusters)
