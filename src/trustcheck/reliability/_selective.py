"""Does the model know when it is likely to be wrong?"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from trustcheck.probe import probe
from trustcheck.stats import intervals, ranks
from trustcheck.stats import selective as answering
from trustcheck.types import Better, Estimate, InputError, Measurement, Method, NotMeasurable, Row

if TYPE_CHECKING:
    from trustcheck.subject import Subject

#: Coverages shown as detail rows.
SHOWN = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)
UNIT = "chance that a wrong answer is stated with less confidence than a right one"


@probe(
    title="Selective prediction",
    question="Is the model less sure of the answers that are wrong?",
    headline="failure_auc",
    unit=UNIT,
    better="high",
    keys=("reliability.performance_consistency",),
    clauses=("8.5", "9.10.5"),
    needs=("labels", "scores"),
    tasks=("binary", "multiclass"),
    wants=("scores", "predictions"),
    cost="none beyond the shared pass",
)
def selective(
    subject: Subject, rng: np.random.Generator, *, risk: float | None = None
) -> Measurement:
    """Measure how well the model's confidence separates its right answers from its wrong ones.

    A model that may decline, or hand over to a person, is as good as its confidence. The headline
    is the AUC of the largest probability as a detector of right answers (Hendrycks & Gimpel 2017).
    The risk-coverage curve says what answering only the surest rows would bring (El-Yaniv & Wiener
    2010), and how many could be answered with a guaranteed risk (Geifman & El-Yaniv 2017).

    Parameters
    ----------
    subject : Subject
        With labels and probabilities.
    risk : float, optional
        Share of wrong answers to guarantee, inside (0, 1); half the present share unless given.

    Returns
    -------
    Finding
        Headline ``failure_auc``, 0 to 1; 0.5 is a confidence that says nothing. Also ``aurc``
        (area under the risk-coverage curve), ``excess_aurc`` (above the best possible order),
        ``augrc`` (mean share of undetected errors; Traub et al. 2024) and
        ``guaranteed_coverage`` at the risk asked. One detail row per coverage.

    Examples
    --------
    >>> import trustcheck as tc
    >>> p = np.tile([0.95, 0.6], 200)
    >>> y = np.tile([1, 1, 1, 0], 100)
    >>> subject = tc.Subject.from_predictions(y, np.ones(400, int), p)
    >>> round(selective(subject).value, 2)
    0.83
    """
    if risk is not None and not 0 < risk < 1:
        raise InputError("risk must lie between 0 and 1")
    wrong = (subject.predictions != subject.truth).astype(float)
    errors = int(wrong.sum())
    if errors in (0, subject.n):
        raise NotMeasurable(
            f"all {subject.n} answers are {'wrong' if errors else 'right'}, so there is nothing to"
            " tell apart; give more rows"
        )
    confidence = subject.scores.max(axis=1)
    order = np.lexsort((wrong, confidence))  # by content: the order of rows leaves no trace
    confidence, sorted_wrong = confidence[order], wrong[order]
    found = ranks.auc_interval(confidence[sorted_wrong == 0], confidence[sorted_wrong == 1])
    area = answering.aurc(confidence, sorted_wrong)
    best = answering.oracle_aurc(sorted_wrong)
    asked = errors / subject.n / 2 if risk is None else risk
    held = answering.guaranteed(confidence, sorted_wrong, asked)
    n, unit = subject.n, "mean share wrong among the surest rows, over all coverages"
    metrics = {
        "failure_auc": Estimate(*found, n=n, unit=UNIT, range=(0.0, 1.0)),
        "aurc": Estimate(*area, n=n, unit=unit, range=(0.0, None), better=Better.LOW),
        "excess_aurc": Estimate(
            max(area.value - best, 0.0),
            max(area.low - best, 0.0),
            max(area.high - best, 0.0),
            n=n,
            unit=f"{unit}, less that of the best order",
            range=(0.0, None),
            better=Better.LOW,
        ),
        "augrc": _undetected(found, errors, n),
        "guaranteed_coverage": Estimate(
            held.coverage,
            held.coverage,
            held.coverage,
            n=n,
            unit=f"share of rows answered with at most {asked:.3g} wrong, at 95 % confidence",
            method=Method.CERTIFICATE,
            range=(0.0, 1.0),
        ),
    }
    return Measurement(
        metrics,
        rows=tuple(_rows(answering.curve(confidence, sorted_wrong), n)),
        notes=(_said(held, asked),),
        picture="curve",
        influence=_influence(subject, wrong),
    )


def _undetected(auc: intervals.Interval, errors: int, n: int) -> Estimate:
    """AUGRC = (1 - AUC) * accuracy * error + error^2 / 2 (Traub et al. 2024, eq. 6)."""
    rate = intervals.wilson(errors, n)
    ends = [
        (1 - a) * e * (1 - e) + e**2 / 2
        for a, e in zip((auc.value, auc.high, auc.low), rate, strict=True)
    ]
    return Estimate(
        ends[0],
        min(ends),
        max(ends),
        n=n,
        unit="mean share of rows that are wrong and answered, over all coverages",
        range=(0.0, 0.5),
        better=Better.LOW,
    )


def _rows(found: answering.Curve, n: int) -> Iterator[Row]:
    seen = set()
    for share in SHOWN:
        at = min(int(np.searchsorted(found.rows, share * n)), len(found.rows) - 1)
        if at in seen:
            continue
        seen.add(at)
        got = intervals.wilson(float(found.errors[at]), int(found.rows[at]))
        yield {
            "coverage": float(found.rows[at] / n),
            "confidence_at_least": round(float(found.threshold[at]), 3),
            "n": int(found.rows[at]),
            "wrong": int(found.errors[at]),
            "risk": float(got.value),
            "low": float(got.low),
            "high": float(got.high),
        }


def _said(held: answering.Guarantee, asked: float) -> str:
    if held.coverage == 0:
        return (
            f"No share of the rows can be answered with a guarantee of at most {asked:.3g} wrong."
        )
    return (
        f"Answering only where the confidence is at least {held.threshold:.3g} covers"
        f" {held.coverage:.0%} of rows like these, with at most {asked:.3g} wrong (95 % confidence)."
    )


def _influence(subject: Subject, wrong: np.ndarray) -> np.ndarray:
    """Influence of each row on the AUC: how it ranks against the other kind, less the mean."""
    confidence, out = subject.scores.max(axis=1), np.zeros(subject.n)
    for own, sign in ((0, 1), (1, -1)):
        mine, other = wrong == own, np.sort(confidence[wrong != own])
        below = np.searchsorted(other, confidence[mine], side="left")
        upto = np.searchsorted(other, confidence[mine], side="right")
        ahead = (below + upto) / 2 / len(other)
        ahead = ahead if sign > 0 else 1 - ahead
        out[mine] = (ahead - ahead.mean()) * subject.n / mine.sum()
    return out
