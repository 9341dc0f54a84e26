"""After a stretch of broken inputs, does the model answer as it did before?"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from trustcheck.probe import probe
from trustcheck.stats import intervals
from trustcheck.subject._schema import robust_scale
from trustcheck.types import Better, Estimate, InputError, Measurement, Method, NotMeasurable, Row

if TYPE_CHECKING:
    import pandas as pd

    from trustcheck.subject import Subject

#: Rows sent by default, per given row and in all; broken rows in a row, and how many of a stretch
#: are sent one at a time: a breaker counts calls, and a recovery is seen call by call.
BUDGET, MOST_SENT, WINDOW, SINGLE = 1.0, 2_000, 20, 10


@probe(
    title="Recovery",
    question="After a stretch of broken inputs, does the model answer as it did before?",
    headline="after",
    unit="share of rows answered as before the broken inputs",
    better="high",
    keys=("reliability.resilience",),
    clauses=("8.10", "9.7", "9.10.3"),
    needs=("features", "model"),
    cost="at most 1 row per given row, and 2,000",
    last=True,
    clusters=True,
)
def recovery(
    subject: Subject,
    rng: np.random.Generator,
    *,
    window: int = WINDOW,
    tolerance: float = 1e-6,
) -> Measurement:
    """Send good rows, broken ones, and the good ones again, and compare.

    Fault injection with a resilience curve (Bruneau et al. 2003): how many answers come back, and
    after how many rows. A model without memory is back at once. **A model with memory keeps what
    it is sent here: give a copy of one that is in use.**

    Parameters
    ----------
    subject : Subject
        With a model, its fallback included if it has one.
    window : int
        Broken rows in each stretch at most, at least 1.
    tolerance : float
        Changes up to this size do not count, at least 0: of a probability, or of a predicted
        number in robust scales (IQR / 1.349) of the answers.

    Returns
    -------
    Finding
        Headline ``after``, from 0 to 1: share of good rows answered after a stretch as before
        it. Also ``rows_to_recover`` (good rows until answers are as before for good, the largest
        of the stretches) and ``during`` (share of broken rows that got a usable answer, by a
        fallback or silently). One detail row per sort of stretch.

    Examples
    --------
    >>> import trustcheck as tc
    >>> X = np.linspace(0, 10, 200)[:, None]
    >>> recovery(tc.Subject(lambda X: X[:, 0] > 5, X, X[:, 0] > 5)).value
    1.0
    """
    if window < 1 or not (np.isfinite(tolerance) and tolerance >= 0):
        raise InputError("window must be at least 1, and tolerance a finite number of at least 0")
    sorts = [name for name in BROKEN if name in NO_NUMBERS or _numbers(subject.X)]
    budget = min(subject.allowance(BUDGET), MOST_SENT) // len(sorts)
    window = min(window, budget // 4)
    size = min((budget - window) // 2, subject.n // len(sorts))
    if min(window, size) < 1:
        raise NotMeasurable("too few rows, or too small a budget, to break and to compare any")
    chosen = subject.sample(size * len(sorts), rng)
    good = subject.X.iloc[chosen].reset_index(drop=True)
    tables = np.split(np.arange(len(good)), len(sorts))
    # Everything is asked before anything is broken, in calls of the same sizes as later.
    before = [_stream(subject, good.iloc[at])[0] for at in tables]
    if np.isnan(before).any():
        raise NotMeasurable(
            "the model gives no usable answer to good rows sent a few at a time, so there is nothing"
            " to come back to"
        )
    unit = robust_scale(np.concatenate(before)[:, 0]) if subject.task == "regression" else 1.0
    stretches = []
    for name, at, first in zip(sorts, tables, before, strict=True):
        frame = good.iloc[at]
        replies, kinds = _stream(subject, BROKEN[name](frame.iloc[np.arange(window) % size]))
        gap = np.abs(_stream(subject, frame)[0] - first).max(axis=1) / unit
        answered = int((~np.isnan(replies[:, 0])).sum())
        stretches.append(_Stretch(name, window, answered, kinds, gap <= tolerance))
    same = np.concatenate([stretch.same for stretch in stretches]).astype(float)
    clusters = None if subject.clusters is None else subject.clusters[chosen]
    share = intervals.bounded_mean(same, clusters=clusters)
    slowest = max(stretch.rows_to_recover for stretch in stretches)
    fallback = sum(stretch.answered for stretch in stretches) / (window * len(stretches))
    influence = np.zeros(subject.n)
    influence[chosen] = (same - same.mean()) * subject.n / len(same)
    return Measurement(
        {
            "after": Estimate(
                *share, n=len(same), unit="share of rows answered as before the broken inputs",
                range=(0.0, 1.0),
            ),
            "rows_to_recover": Estimate(
                slowest, slowest, slowest, n=len(same), unit="good rows until answers are as before",
                method=Method.EXACT, range=(0.0, None), better=Better.LOW,
            ),
            "during": Estimate(
                fallback, fallback, fallback, n=window * len(stretches),
                unit="share of broken rows with a usable answer", method=Method.EXACT,
                range=(0.0, 1.0), better=Better.HIGH,
            ),
        },
        rows=tuple(stretch.row() for stretch in stretches),
        statistics={} if subject.has_clusters else {"successes": float(same.sum()), "n": len(same)},
        formula=None if subject.has_clusters else "intervals.wilson",
        notes=tuple(_notes(stretches)),
        picture="bars",
        influence=influence,
    )  # fmt: skip


@dataclass(frozen=True)
class _Stretch:
    """One stretch of broken inputs, and what came after."""

    name: str
    sent: int
    answered: int
    kinds: tuple[str, ...]  # types of the exceptions it met
    same: np.ndarray  # per good row sent after it, in order

    @property
    def rows_to_recover(self) -> int:
        """Position of the last good row answered otherwise, counted from 1; 0 if there is none."""
        wrong = np.flatnonzero(~self.same)
        return int(wrong[-1]) + 1 if wrong.size else 0

    def row(self) -> Row:
        share, low, high = intervals.wilson(int(self.same.sum()), len(self.same))
        return {
            "broken": self.name,
            "sent": self.sent,
            "answered": self.answered,
            "exception": ", ".join(self.kinds),
            "good_rows_after": len(self.same),
            "share_as_before": float(share),
            "low": float(low),
            "high": float(high),
            "rows_to_recover": self.rows_to_recover,
        }


def _stream(subject: Subject, frame: pd.DataFrame) -> tuple[np.ndarray, tuple[str, ...]]:
    """Ask about a few rows one by one, then the rest; nan, and what was raised, for no answer."""
    few = min(SINGLE, len(frame))
    parts = [frame.iloc[[at]] for at in range(few)]
    parts += [frame.iloc[few:]] if len(frame) > few else []
    answers, kinds = [], set()
    for part in parts:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                answers.append(subject.output(part, purpose="asking"))
            except Exception as fault:  # noqa: BLE001 - what the model raises is the result
                answers.append(np.full((len(part), max(len(subject.classes), 1)), np.nan))
                kinds.add(type(fault).__name__)
    return np.concatenate(answers), tuple(sorted(kinds))


def _numbers(frame: pd.DataFrame) -> list[Any]:
    return [name for name in frame.columns if frame[name].dtype.kind in "iuf"]


def _filled(value: Any) -> Callable[[pd.DataFrame], pd.DataFrame]:
    """Every number of the rows replaced by one value."""
    return lambda frame: frame.assign(**dict.fromkeys(map(str, _numbers(frame)), value))


#: Sorts of broken rows, and those that can be made without numbers.
BROKEN: dict[str, Callable[[pd.DataFrame], pd.DataFrame]] = {
    "nothing known": lambda frame: frame.astype(object).mask(np.ones(frame.shape, dtype=bool)),
    "infinite numbers": _filled(np.inf),
    "huge numbers": _filled(1e9),
    "text for numbers": _filled("?"),
    "a column missing": lambda frame: frame.iloc[:, 1:],
}
NO_NUMBERS = ("nothing known", "a column missing")


def _notes(stretches: list[_Stretch]) -> Iterator[str]:
    hurt = [stretch.name for stretch in stretches if not stretch.same.all()]
    if hurt:
        yield f"Answers differ after: {', '.join(hurt)}."
        yield "A model that answers at random differs without any broken input: see reliability.metamorphic."
    lost = [stretch.name for stretch in stretches if not stretch.same[-1]]
    if lost:
        yield f"Not back at the last row sent after: {', '.join(lost)}."
    raised = sorted({kind for stretch in stretches for kind in stretch.kinds})
    if raised:
        yield f"Broken rows met {', '.join(raised)}; a caller has to handle that."
