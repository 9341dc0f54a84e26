"""Do people look at the model's answers, overrule it, and do better for it?"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from trustcheck.accountability._decisions import Log, read
from trustcheck.probe import probe
from trustcheck.stats import intervals, mcnemar
from trustcheck.types import Better, Estimate, InputError, Measurement, NotMeasurable, Row

if TYPE_CHECKING:
    from trustcheck.subject import Subject

#: Fewest cases of a reviewer or an answer that get a row of their own, and most such rows.
FEWEST, MOST = 10, 30


@probe(
    title="Human oversight",
    question="Do people look at the model's answers, overrule it, and do better for it?",
    headline="reviewed",
    unit="share of cases due for review that a person really decided",
    better="high",
    keys=("accountability.human_oversight",),
    clauses=("9.4.2",),
    needs=("decisions",),
    cost="none",
    weights=True,
    clusters=True,
)
def oversight(subject: Subject, rng: np.random.Generator, *, fastest: float = 5.0) -> Measurement:
    """Read a log of people's decisions on the model's answers.

    Shares have Wilson intervals; the benefit of overruling compares person and model on the same
    cases (McNemar 1947). Reliance on a wrong answer is automation bias (Parasuraman and Manzey
    2010).

    Parameters
    ----------
    subject : Subject
        With ``context=tc.Context(decisions=log)``: a frame, a list of dicts or a dict of lists,
        one row per case. Columns ``model`` (its answer) and ``human`` (the final decision, missing
        where nobody decided); optional ``truth``, ``seconds`` taken, ``reviewer``, ``flagged``
        (due for review; all cases are, unless given) and ``reviewed`` (1 where it was).
    fastest : float
        Seconds, at least 0: whoever agrees with the model faster than this did not review.

    Returns
    -------
    Finding
        Headline ``reviewed``, 0 to 1; ``override_rate``; where the log allows ``override_benefit``
        (-1 to 1: share of overruled cases in which only the person was right, less that in which
        only the model was), ``automation_bias`` (share of the model's errors that people
        accepted) and ``rubber_stamped`` (share of agreements given too fast). One detail row per
        answer of the model and per reviewer, numbered.

    Raises
    ------
    InputError
        If the log cannot be read; the message says what to change.

    Examples
    --------
    >>> import trustcheck as tc
    >>> log = {"model": [1, 1, 0, 0] * 25, "human": [1, 0, 0, None] * 25}
    >>> subject = tc.Subject(
    ...     lambda X: X[:, 0], [[0.0], [1.0]], task="regression", context=tc.Context(decisions=log)
    ... )
    >>> finding = oversight(subject)
    >>> finding.value, round(finding.metrics["override_rate"].value, 2)
    (0.75, 0.33)
    """
    del rng  # nothing is drawn
    if not (np.isfinite(fastest) and fastest >= 0):
        raise InputError("fastest must be a number of seconds, at least 0")
    log = read(subject.context.decisions)
    stamped = log.accepted & (log.seconds < fastest)  # an unknown time (nan) is not below
    real = log.decided & log.reviewed & ~stamped
    due = int(log.flagged.sum())
    if due == 0:
        raise NotMeasurable(
            "no case of the log was flagged for review; leave out the column if all were due"
        )
    hits = int((real & log.flagged).sum())
    metrics = {
        "reviewed": _share(hits, due, "share of cases due for review that a person really decided"),
        **_further(log, fastest, stamped),
    }
    notes = [f"{len(log.model)} cases, {due} due for review, {int(log.decided.sum())} decided."]
    if not log.timed.any():
        notes.append("The log holds no times (seconds), so agreeing at a glance counts as review.")
    if not log.known.any():
        notes.append("The log holds no outcomes (truth): whether overruling helped is not known.")
    notes.append("A rate of overruling is neither good nor bad by itself; its benefit is.")
    return Measurement(
        metrics,
        rows=tuple(_rows(subject, log, stamped)),
        statistics={"successes": hits, "n": due},
        formula="intervals.wilson",
        notes=tuple(notes),
        picture="intervals",
    )


def _share(hits: int, n: int, unit: str, better: Better | None = None) -> Estimate:
    return Estimate(*intervals.wilson(hits, n), n=n, unit=unit, range=(0.0, 1.0), better=better)


def _further(log: Log, fastest: float, stamped: np.ndarray) -> dict[str, Estimate]:
    found: dict[str, Estimate] = {}
    if log.decided.any():
        overruled, decided = int(log.overruled.sum()), int(log.decided.sum())
        found["override_rate"] = _share(
            overruled, decided, "share of decided cases in which the model was overruled"
        )
    settled = log.overruled & log.known
    if settled.any():
        n = int(settled.sum())
        counts = [int((settled & side).sum()) for side in (log.human_better, log.model_better)]
        found["override_benefit"] = Estimate(
            *mcnemar.difference(counts[0], counts[1], n), n=n, range=(-1.0, 1.0), better=Better.HIGH,
            unit="share of overruled cases the person got right, less those the model got right",
        )  # fmt: skip
    if log.model_wrong is not None and (errors := log.decided & log.known & log.model_wrong).any():
        found["automation_bias"] = _share(
            int((errors & log.accepted).sum()),
            int(errors.sum()),
            "share of the model's errors that people accepted",
            Better.LOW,
        )
    if (timed := log.accepted & log.timed).any():
        unit = f"share of agreements given in under {fastest:g} seconds"
        found["rubber_stamped"] = _share(int(stamped.sum()), int(timed.sum()), unit, Better.LOW)
    return found


def _rows(subject: Subject, log: Log, stamped: np.ndarray) -> list[Row]:
    """One row per class the model answered, and per reviewer; people are numbered, not named."""
    groups: list[tuple[str, np.ndarray]] = []
    if subject.task != "regression":
        spelt = log.model.astype(str)
        groups = [(f"model said {c}", spelt == str(c)) for c in subject.classes]
    if log.reviewer is not None:
        cases = [log.reviewer == code for code in range(log.reviewer.max() + 1)]
        # By numbers alone, so that neither names nor the order of the log decide.
        cases.sort(key=lambda at: (-at.sum(), -(at & log.overruled).sum(), -(at & stamped).sum()))
        groups += [(f"reviewer #{place}", at) for place, at in enumerate(cases, start=1)]
    rows: list[Row] = []
    for name, inside in groups:
        n = int((inside & log.decided).sum())
        if n < FEWEST or len(rows) == MOST:
            continue
        overruled = int((inside & log.overruled).sum())
        rate = intervals.wilson(overruled, n)
        timed = int((inside & log.accepted & log.timed).sum())
        rows.append(
            {
                "group": name,
                "n": n,
                "overruled": overruled,
                "rate": rate.value,
                "low": rate.low,
                "high": rate.high,
                "rubber_stamped": int((inside & stamped).sum()) / timed if timed else None,
            }
        )
    return rows
