"""When the model says 70 %, does it happen 7 times in 10?"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from trustcheck.probe import probe
from trustcheck.stats import calibration as calibrations
from trustcheck.stats import intervals
from trustcheck.stats.reliability_curve import curve, debiased_error, smooth_error
from trustcheck.types import Better, Estimate, Measurement, NotMeasurable, Row

if TYPE_CHECKING:
    from trustcheck.stats.intervals import Interval
    from trustcheck.stats.reliability_curve import Bins
    from trustcheck.subject import Subject

#: Fewest rows on which shares can be told at all, rows a bin should hold, and most bins.
FEWEST, PER_BIN, MOST_BINS = 20, 20, 15
UNIT = "distance of the stated from the observed chance (root mean square)"


@probe(
    title="Calibration",
    question="Do the stated probabilities come true as often as they say?",
    headline="calibration_error",
    unit=UNIT,
    better="low",
    keys=("reliability.performance_consistency",),
    clauses=("8.5", "9.10.5"),
    needs=("labels", "scores"),
    tasks=("binary", "multiclass"),
    wants=("scores",),
    cost="none beyond the shared pass",
    weights=True,
    version=2,
)
def calibration(subject: Subject, rng: np.random.Generator) -> Measurement:
    """Measure how far stated probabilities are from what is observed.

    CORP (Dimitriadis, Gneiting & Jordan 2021): the part of the Brier score that isotonic
    recalibration would remove, less what it seems to remove from perfectly calibrated scores,
    which is found by simulation; its root is in units of probability. Binary: the probability of
    the positive class. More classes: that of the likeliest class, against its being right.

    Parameters
    ----------
    subject : Subject
        With labels and probabilities.

    Returns
    -------
    Finding
        Headline ``calibration_error``, from 0 to 1. Also ``ece`` (the same over bins, debiased;
        Kumar, Liang & Ma 2019), ``smooth_ece`` (without bins; Blasiok & Nakkiran 2023), ``brier`` and its parts ``miscalibration``, ``discrimination``
        and ``uncertainty``; ``slope`` and ``intercept`` (Cox 1958; 1 and 0 are ideal) where they
        are finite; ``p_value`` of perfect calibration. One detail row per bin.

    Examples
    --------
    >>> import trustcheck as tc
    >>> stated, came = [0.2] * 100 + [0.9] * 100, [1] * 40 + [0] * 60 + [1] * 70 + [0] * 30
    >>> subject = tc.Subject.from_predictions(came, np.round(stated).astype(int), stated)
    >>> round(calibration(subject).value, 1)
    0.2
    """
    p, y = _stated(subject)
    used = np.ones(len(p), dtype=bool) if subject.weights is None else subject.weights > 0
    weights = None if subject.weights is None else subject.weights[used]
    p, y = p[used], y[used]
    if len(p) < FEWEST:
        raise NotMeasurable(f"shares need rows to be counted over; give at least {FEWEST}")
    parts = calibrations.corp(p, y, rng, weights=weights)
    root = np.sqrt(parts.miscalibration)
    bins = curve(p, y, weights=weights, bins=min(MOST_BINS, len(p) // PER_BIN))
    brier = intervals.bounded_mean((p - y) ** 2, weights=weights)
    metrics: dict[str, Any] = {
        "calibration_error": (root, UNIT, (0.0, 1.0), Better.LOW),
        "ece": (debiased_error(bins), f"{UNIT}, over bins", (0.0, 1.0), Better.LOW),
        "smooth_ece": (
            smooth_error(p, y, weights=weights),
            "smallest average change that calibrates, by smoothing",
            (0.0, None),
            Better.LOW,
        ),
        "brier": (brier, "mean squared error of the probability", (0.0, 1.0), Better.LOW),
        "miscalibration": (
            parts.miscalibration, "Brier score that recalibration removes", (0.0, 1.0), Better.LOW
        ),
        "discrimination": (
            parts.discrimination, "Brier score that the model explains", (0.0, 0.25), Better.HIGH
        ),
        "uncertainty": (
            parts.uncertainty, "Brier score of the base rate", (0.0, 0.25), Better.LOW
        ),
        "p_value": (
            (parts.p,) * 3, "chance that calibrated scores look as bad", (0.0, 1.0), Better.HIGH
        ),
    }  # fmt: skip
    line = calibrations.cox(p, y, weights=weights)
    if line is not None:
        metrics["slope"] = (line[0], "1 is ideal, below it too extreme", (None, None), Better.HIGH)
        metrics["intercept"] = (line[1], "log odds, 0 is ideal", (None, None), Better.LOW)
    influence = np.zeros(subject.n)
    if root[0] > 0:
        influence[used] = parts.gain - np.average(parts.gain, weights=weights)
        influence /= 2 * root[0]
    return Measurement(
        {
            name: Estimate(value, low, high, len(p), unit, range=span, better=better)
            for name, ((value, low, high), unit, span, better) in metrics.items()
        },
        rows=tuple(_rows(bins)),
        notes=tuple(_notes(subject, line)),
        picture="curve",
        influence=influence,
    )


def _stated(subject: Subject) -> tuple[np.ndarray, np.ndarray]:
    """Return each row's stated probability, and whether it came true."""
    if subject.task == "binary":
        p, came = subject.scores[:, subject.positive_code], subject.truth == subject.positive_code
    else:
        p, came = subject.scores.max(axis=1), subject.scores.argmax(axis=1) == subject.truth
    return np.clip(p, 0.0, 1.0), came.astype(float)


def _rows(bins: Bins) -> Iterator[Row]:
    for stated, observed, low, high, n in zip(*bins[:5], strict=True):
        yield {
            "stated": round(float(stated), 3),
            "observed": float(observed),
            "low": float(low),
            "high": float(high),
            "n": int(n),
        }


def _notes(subject: Subject, line: tuple[Interval, Interval] | None) -> Iterator[str]:
    if subject.task == "multiclass":
        yield "What is checked is the probability of the likeliest class, against its being right."
    if line is not None and line[0].high < 1:
        yield "The probabilities are too extreme: certain more often than right."
    if line is not None and line[0].low > 1:
        yield "The probabilities are too timid: the model knows more than it says."
