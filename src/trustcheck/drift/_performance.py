"""How well does the model do on rows whose labels are not known yet?"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from trustcheck.drift import _apart
from trustcheck.drift._time import in_time
from trustcheck.probe import Want, probe
from trustcheck.stats import unlabelled
from trustcheck.stats.intervals import Interval
from trustcheck.subject._encode import encode, with_values
from trustcheck.types import Assurance, Better, Estimate, InputError, Measurement, NotMeasurable

if TYPE_CHECKING:
    import pandas as pd

    from trustcheck.subject import Subject
    from trustcheck.subject._side import Side

#: Above this AUC of telling the tables apart, the reference says nothing about the given rows.
NO_SUPPORT = 0.9
#: Fewest rows of a table, and of a window; rows from which a regressor's loss is learnt; parts of
#: the jackknife.
FEWEST, FEWEST_IN_WINDOW, MOST_LEARNT, PARTS = 100, 50, 10_000, 20
UNIT = {
    True: "expected absolute error, in units of the label",
    False: "expected share of wrong answers",
}


class _Guesses(NamedTuple):
    """Guesses of the chance to be right (or positive), or of the loss, on both sides."""

    before: np.ndarray
    observed: np.ndarray
    now: np.ndarray


def _wants(subject: Subject, **_params: object) -> Iterable[Want]:
    for table in ("data", "reference"):
        yield Want("predictions", table)
        if "scores" in subject.offers():
            yield Want("scores", table)


@probe(
    title="Performance without labels",
    question="How well does the model do on rows whose labels are not known yet?",
    headline="loss",
    unit="expected share of wrong answers, or absolute error in units of the label",
    better="low",
    keys=("reliability.drift",),
    clauses=("8.8.3", "9.10.2"),
    needs=("model", "features", "reference", "reference_labels"),
    wants=_wants,
    cost="none beyond the shared pass over data and reference",
)
def performance_estimate(
    subject: Subject, rng: np.random.Generator, *, held_out: bool = False, windows: int = 0
) -> Measurement:
    """Estimate the model's performance on the given rows without looking at their labels.

    Classification (CBPE, confidence-based performance estimation): a score says how likely the
    answer is right; scores are first set right on the reference. Regression (DLE, direct loss
    estimation): boosted trees learn the size of the error from the columns and the prediction on
    half the reference, and are set right on the other half.

    It sees a change of the rows, not of what they mean (concept drift). Where the given rows look
    like none of the reference (AUC of telling them apart above 0.9) nothing is estimated, and the
    estimate never passes by itself.

    Parameters
    ----------
    subject : Subject
        With a model and a labelled reference of at least 100 rows.
    held_out : bool
        Whether the reference was kept from training, as it should be: on training rows a model
        looks better than it is. Where known labels show that it does, nothing is estimated.
    windows : int
        With ``time=``, the estimate for so many windows of equal size, in order of time; 0 for
        none. Each needs 50 rows.

    Returns
    -------
    Finding
        Headline ``loss``: expected share of wrong answers, or mean absolute error. With scores of
        two classes also ``auc``, ``precision`` and ``recall``. Detail rows: the windows, or else
        the bands of scores (or of expected losses) with what they were off by on the reference.

    Examples
    --------
    >>> import numpy as np
    >>> import trustcheck as tc
    >>> rng = np.random.default_rng(0)
    >>> x = rng.normal(size=(2000, 1))
    >>> chance = lambda X: 1 / (1 + np.exp(-2 * X[:, 0]))
    >>> model = lambda X: np.column_stack([1 - chance(X), chance(X)])
    >>> y = (rng.random(2000) < chance(x)).astype(int)
    >>> subject = tc.Subject(model, x[1000:] + 0.5, reference=(x[:1000], y[:1000]), task="binary")
    >>> found = performance_estimate(subject, held_out=True)
    >>> bool(found.low < 0.204 < found.high)
    True
    """
    if windows < 0 or windows != int(windows):
        raise InputError("windows must be a whole number of at least 0")
    now, before = subject.data, subject.reference_sample
    _refuse(subject, before, now, held_out=held_out)
    apart = _apart.apart(subject)
    if apart.auc.value > NO_SUPPORT:
        raise NotMeasurable(
            "the given rows do not look like those of the reference (they are told apart with an"
            f" AUC of {apart.auc.value:.2f}), so it says nothing about them: labels are needed"
        )
    guesses = _guesses(subject, before, now, rng)
    known = unlabelled.bands(guesses.before, guesses.observed)
    folds = np.empty(subject.n, dtype=np.int64)
    folds[subject.sample(subject.n, rng)] = np.arange(subject.n) % PARTS
    chosen = _positive(subject)
    everything = _estimate(subject, known, guesses.now, chosen, folds)
    unit = UNIT[subject.task == "regression"]
    ends = (0.0, None if subject.task == "regression" else 1.0)
    metrics = {"loss": Estimate(*everything.loss, n=subject.n, unit=unit, range=ends)}
    for name, found in zip(everything._fields[1:], everything[1:], strict=True):
        if found is not None:
            metrics[name] = Estimate(
                *found, n=subject.n, unit=f"expected {name}", range=(0.0, 1.0), better=Better.HIGH
            )
    notes = [*_flags(known, guesses, apart, held_out=held_out), *_beside(subject, everything.loss)]
    rows = _bands(known, guesses)
    if windows:
        rows = tuple(
            _window(k, part, subject, known, guesses, chosen, folds)
            for k, part in enumerate(_parts(subject, int(windows)), 1)
        )
        notes.append(f"Windows of equal size in order of time: {windows}.")
    return Measurement(
        metrics,
        rows=rows,
        notes=tuple(notes),
        assurance=Assurance.SEARCHED,
        picture="curve" if windows else None,
        incomplete="an estimate without labels cannot show a change of what the rows mean.",
    )


def _refuse(subject: Subject, before: Side, now: Side, *, held_out: bool) -> None:
    if min(before.n, now.n) < FEWEST:
        raise NotMeasurable(f"it takes {FEWEST} rows in the reference and as many given rows")
    if held_out or not now.has_truth:
        return
    one, other = (_wrong(subject, side) for side in (before, now))
    error = (one.var() / one.size + other.var() / other.size) ** 0.5
    if other.mean() - one.mean() > 1.96 * error:
        raise NotMeasurable(
            "the model is better on the reference than on the given rows, whose labels are known: it"
            " may have been trained on it, and an estimate from it would flatter; give rows kept"
            " from training as the reference, and held_out=True"
        )


def _wrong(subject: Subject, side: Side) -> np.ndarray:
    """Return the loss of each row: wrong or not, or the absolute error."""
    if subject.task == "regression":
        return np.abs(side.predictions - side.truth)
    return (side.predictions != side.truth).astype(float)


def _guesses(subject: Subject, before: Side, now: Side, rng: np.random.Generator) -> _Guesses:
    if subject.task == "regression":
        return _losses(subject, before, now, rng)
    right = before.predictions == before.truth
    if "scores" not in subject.offers():
        # All that can be known of a row is its answer: how often was that one right?
        return _Guesses(before.predictions.astype(float), right, now.predictions.astype(float))
    if subject.task == "binary":
        code = subject.positive_code
        scores, given, observed = before.scores[:, code], now.scores[:, code], before.truth == code
    else:
        scores, given = (
            np.take_along_axis(side.scores, side.predictions[:, None], axis=1)[:, 0]
            for side in (before, now)
        )
        observed = right
    straight, given = unlabelled.straightened(np.clip(scores, 0, 1), observed, np.clip(given, 0, 1))
    return _Guesses(straight, observed.astype(float), given)


def _losses(subject: Subject, before: Side, now: Side, rng: np.random.Generator) -> _Guesses:
    """Return the size of the error, as learnt from half the reference."""
    from sklearn.ensemble import HistGradientBoostingRegressor

    rows = before.sample(2 * MOST_LEARNT, rng)
    learn, held = rows[: len(rows) // 2], rows[len(rows) // 2 :]
    loss = np.abs(before.predictions - before.truth)
    tables = [_with_answer(subject, side) for side in (before, now)]
    with subject.fitting():
        judge = HistGradientBoostingRegressor(
            max_iter=60,
            max_leaf_nodes=15,
            learning_rate=0.1,
            early_stopping=False,
            random_state=int(rng.integers(2**31)),
        ).fit(with_values(tables[0][learn]), loss[learn])
        return _Guesses(judge.predict(tables[0][held]), loss[held], judge.predict(tables[1]))


def _with_answer(subject: Subject, side: Side) -> np.ndarray:
    import pandas as pd

    columns = {name: side.column(name) for name in subject.features}
    frame: pd.DataFrame = pd.DataFrame(columns)
    return np.column_stack([encode(frame, subject.schema).matrix, side.predictions])


def _positive(subject: Subject) -> np.ndarray | None:
    """Return whether the positive class is predicted; None where only the loss is asked for."""
    if subject.task != "binary" or "scores" not in subject.offers():
        return None
    return subject.predictions == subject.positive_code


def _estimate(
    subject: Subject,
    known: unlabelled.Bands,
    guess: np.ndarray,
    positive: np.ndarray | None,
    folds: np.ndarray,
) -> unlabelled.Expected:
    if positive is not None:
        return unlabelled.expected_performance(known, guess, positive, folds)
    if subject.task == "regression":
        return unlabelled.Expected(unlabelled.expected_loss(known, guess, clip=(0.0, np.inf)))
    # The guess is of being right.
    value, low, high = unlabelled.expected_loss(known, guess, clip=_ends(subject))
    return unlabelled.Expected(Interval(*np.clip([1 - value, 1 - high, 1 - low], 0, 1).tolist()))


def _ends(subject: Subject) -> tuple[float, float]:
    return (0.0, 1.0) if "scores" in subject.offers() else (-np.inf, np.inf)


def _parts(subject: Subject, windows: int) -> list[np.ndarray]:
    if subject.n // windows < FEWEST_IN_WINDOW:
        most = subject.n // FEWEST_IN_WINDOW
        raise InputError(f"windows of at least {FEWEST_IN_WINDOW} rows: at most {most} of them")
    return np.array_split(in_time(subject), windows)


def _window(
    k: int,
    part: np.ndarray,
    subject: Subject,
    known: unlabelled.Bands,
    guesses: _Guesses,
    positive: np.ndarray | None,
    folds: np.ndarray,
) -> dict[str, str | int | float | bool | None]:
    chosen = None if positive is None else positive[part]
    found = _estimate(subject, known, guesses.now[part], chosen, folds[part])
    return {
        "window": k,
        "loss": found.loss.value,
        "low": found.loss.low,
        "high": found.loss.high,
        "n": len(part),
        "auc": None if found.auc is None else found.auc.value,
        "observed": _observed(subject, part),
    }


def _observed(subject: Subject, rows: np.ndarray) -> float | None:
    if not subject.data.has_truth:
        return None
    return float(_wrong(subject, subject.data)[rows].mean())


def _bands(
    known: unlabelled.Bands, guesses: _Guesses
) -> tuple[dict[str, str | int | float | bool | None], ...]:
    shares = known.rows / known.rows.sum()
    at = np.searchsorted(known.edges, guesses.now, side="right")
    now = np.bincount(at, minlength=shares.size) / guesses.now.size
    return tuple(
        {
            "band": k + 1,
            "reference": float(shares[k]),
            "given": float(now[k]),
            "off_by": float(known.offset[k]),
            "low": float(known.offset[k] - 1.96 * known.variance[k] ** 0.5),
            "high": float(known.offset[k] + 1.96 * known.variance[k] ** 0.5),
        }
        for k in range(shares.size)
    )


def _flags(
    known: unlabelled.Bands, guesses: _Guesses, apart: _apart.Apart, *, held_out: bool
) -> list[str]:
    """Say which assumptions hold on what can be seen."""
    right = "hold" if known.p >= 0.05 else "do not hold"
    out = float(
        np.mean((guesses.now < guesses.before.min()) | (guesses.now > guesses.before.max()))
    )
    support = "good" if apart.auc.value < 0.7 and apart.unsupported < 0.05 else "thin"
    calibrated = (
        f"Calibration: guesses {right} on the reference (off by {known.off:.3g} on average,"
        f" p = {known.p:.2g}); what they are off by is taken into account."
    )
    supported = (
        f"Support: {support}. The tables are told apart with an AUC of {apart.auc.value:.2f};"
        f" {apart.unsupported:.1%} of given rows look 20 times likelier than in the reference,"
        f" and {out:.1%} have guesses outside its range."
    )
    concept = "Concept: that rows mean what they meant cannot be seen without labels."
    notes = [calibrated, supported, concept]
    if not held_out:
        notes.append(
            "Memory: if the model was trained on the reference, the estimate flatters it; with rows"
            " kept from training, say held_out=True."
        )
    return notes


def _beside(subject: Subject, loss: Interval) -> list[str]:
    observed = _observed(subject, np.arange(subject.n))
    if observed is None:
        return []
    inside = "inside" if loss.low <= observed <= loss.high else "outside"
    return [f"Labels are known here: they say {observed:.4g}, {inside} the interval."]
