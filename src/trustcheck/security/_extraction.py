"""Do the model's answers give it away: can a copy be trained from them?"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from trustcheck.probe import Want, probe
from trustcheck.security._surrogate import LINEAR, TREES, Predict, fit_surrogate
from trustcheck.stats import intervals, paired, skill
from trustcheck.subject._encode import content_keys, encode
from trustcheck.types import (
    Assurance,
    Better,
    Estimate,
    InputError,
    Measurement,
    NotMeasurable,
    Row,
)

if TYPE_CHECKING:
    from trustcheck.subject import Subject

GRID = (100, 300, 1_000, 3_000, 10_000)
FEWEST = 20
MOST_PICKING, MOST_MEASURING = 5_000, 20_000
UNIT = "0 = no better than learning from true labels, 1 = a perfect copy"


class _Bench(NamedTuple):
    """What the attack works with: encoded rows, and the model's answers to them."""

    queries: np.ndarray
    taught: np.ndarray  # the answers to the queries, as class shares (q, K) or numbers (q,)
    truth: np.ndarray  # their true labels, in the same form
    picking: np.ndarray
    measuring: np.ndarray
    wanted: np.ndarray  # the model's answers to the rows of picking, then of measuring
    categorical: np.ndarray
    positions: np.ndarray  # of the rows of measuring, in the given table
    seed: int


class _Point(NamedTuple):
    """One point of the curve: errors of the copy, and of its twin taught by true labels."""

    queries: int
    family: str
    error: np.ndarray  # wrong or not; for regression the distance to the model's answer
    baseline: np.ndarray
    gain: intervals.Interval | None


def _wants(
    subject: Subject, *, output: str | None = None, queries: int = GRID[-1]
) -> Iterable[Want]:
    del queries
    yield from (Want("predictions"), Want("predictions", "reference"))
    if output != "labels" and "scores" in subject.offers():
        yield Want("scores", "reference")


@probe(
    title="Model extraction",
    question="Can someone who only sees the model's answers train a copy of it?",
    headline="excess_fidelity",
    unit=UNIT,
    better="low",
    keys=("security.cybersecurity",),
    clauses=("8.2.4",),
    needs=("features", "model", "predictions", "reference", "reference_labels"),
    wants=_wants,
    cost="none beyond the shared pass",
)
def extraction(
    subject: Subject,
    rng: np.random.Generator,
    *,
    output: str | None = None,
    queries: int = GRID[-1],
) -> Measurement:
    """Train copies on the model's answers, and see how much the answers helped.

    Fidelity is the share of fresh rows on which a copy gives the model's own answer (Tramer et
    al. 2016; Jagielski et al. 2020). A copy trained on the true labels of the same queries often
    agrees with a good model too, so the headline counts only what the answers add to that:
    ``(fidelity - baseline) / (1 - baseline)``. For regression it is the part of the mean squared
    distance to the model's answers that is removed.

    Parameters
    ----------
    subject : Subject
        With a labelled reference, from which the queries are drawn.
    output : {"scores", "labels"}, optional
        What the attacker sees; all that the model offers unless given. Without effect for
        regression.
    queries : int
        Most queries the attacker makes, at least 20.

    Returns
    -------
    Finding
        Headline ``excess_fidelity`` at the most queries, at most 1, and ``fidelity`` there;
        ``queries_to_90pct`` where 90 % excess fidelity is surely reached. One detail row per
        number of queries.

    Raises
    ------
    InputError
        If ``output`` is another word, or ``queries`` below 20.

    Examples
    --------
    >>> import trustcheck as tc
    >>> from sklearn.linear_model import LogisticRegression
    >>> data = np.random.default_rng(0)
    >>> X = data.normal(size=(1500, 4))
    >>> y = (X[:, 0] + data.normal(size=1500) > 0).astype(int)
    >>> model = LogisticRegression().fit(X[:500], y[:500])
    >>> subject = tc.Subject(model, X[500:], y[500:], reference=(X[:500], y[:500]))
    >>> extraction(subject, queries=100).value > 0.8
    True
    """
    if output not in (None, "scores", "labels"):
        raise InputError(f"output must be 'scores' or 'labels', not {output!r}")
    if queries < FEWEST:
        raise InputError(f"queries must be at least {FEWEST}, not {queries}")
    notes: list[str] = []
    bench = _bench(subject, rng, output, queries, notes)
    most, n = len(bench.queries), len(bench.measuring)
    curve = [_attack(bench, size) for size in [*(size for size in GRID if size < most), most]]
    last = curve[-1]
    if last.gain is None:
        raise NotMeasurable(
            "a copy trained on true labels alone already gives the model's answer on every row"
            " measured: its answers have nothing left to give away. More given rows may show a"
            " difference"
        )
    fidelity, baseline = _fidelity(last.error, bench), _fidelity(last.baseline, bench)
    counted = last.error.dtype == bool
    unit = "share of rows answered as by the model" if counted else "R^2 of the model's answers"
    metrics = {
        "excess_fidelity": Estimate(*last.gain, n=n, unit=UNIT, range=(None, 1.0)),
        "fidelity": Estimate(
            *fidelity, n=n, unit=unit, range=(0.0 if counted else None, 1.0), better=Better.LOW
        ),
    }
    reached = _queries_needed(curve)
    if reached is not None:
        metrics["queries_to_90pct"] = reached
    summary = (
        f"After {most} queries the best copy ({last.family}) has fidelity {fidelity.value:.3f};"
        f" taught by true labels instead of the model's answers it has {baseline.value:.3f}."
    )
    both, copy_only, baseline_only = _cells(last)
    return Measurement(
        metrics,
        rows=tuple(_row(point, bench) for point in curve),
        statistics=(
            {"both": both, "first_only": copy_only, "second_only": baseline_only} if counted else {}
        ),
        formula="paired.share_removed" if counted else None,
        notes=(summary, *notes),
        assurance=Assurance.SEARCHED,
        picture="curve",
        influence=_influence(last, bench, subject.n),
    )


def _bench(
    subject: Subject, rng: np.random.Generator, output: str | None, queries: int, notes: list[str]
) -> _Bench:
    reference, schema = subject.reference, subject.schema
    asked = reference.sample(queries, rng)
    given = subject.sample(MOST_PICKING + MOST_MEASURING, rng)
    asked_rows, given_rows = reference.X.iloc[asked], subject.X.iloc[given]
    fresh = ~np.isin(content_keys(given_rows, schema), content_keys(asked_rows, schema))
    if not fresh.all():
        notes.append(
            f"{int((~fresh).sum())} given rows equal a query and are left out: a copy is measured"
            " on rows its maker did not ask about."
        )
    given, coded = given[fresh], encode(given_rows[fresh], schema)
    if not coded.names:
        raise NotMeasurable("every feature is free text, on which no copy is trained here")
    if min(len(asked), len(given) // 2) < FEWEST:
        raise NotMeasurable(
            f"it needs {FEWEST} reference rows as queries and {2 * FEWEST} given rows that differ"
            f" from them, but there are {len(asked)} and {len(given)}; give more rows"
        )
    wanted, answers = subject.predictions[given], reference.predictions[asked]
    if (wanted == answers[0]).all() and (answers == answers[0]).all():
        raise NotMeasurable("the model gives every row the same answer; there is nothing to copy")
    _warn_of_memory(subject, asked, given, notes)
    picking, truth = min(len(given) // 2, MOST_PICKING), reference.truth[asked]
    if subject.task == "regression":
        taught = answers
    else:
        one_hot = np.eye(len(subject.classes))
        taught, truth = _shown(subject, asked, one_hot[answers], output, notes), one_hot[truth]
    return _Bench(
        queries=encode(asked_rows, schema).matrix,
        taught=taught,
        truth=truth,
        picking=coded.matrix[:picking],
        measuring=coded.matrix[picking:],
        wanted=wanted,
        categorical=coded.categorical,
        positions=given[picking:],
        seed=int(rng.integers(2**31)),
    )


def _shown(
    subject: Subject, asked: np.ndarray, labels: np.ndarray, output: str | None, notes: list[str]
) -> np.ndarray:
    """Return the class shares an attacker is taught by: probabilities where they are shown."""
    if output == "labels" or (output is None and "scores" not in subject.offers()):
        return labels
    scores = subject.reference.scores[asked]
    # A copy of the probabilities repeats the labels only if those follow from them.
    if (np.argmax(scores, axis=1) == np.argmax(labels, axis=1)).mean() > 0.99:
        return scores
    notes.append(
        "The model's answer is often not its most probable class (it has a threshold of its own),"
        " so the copies were trained on its answers and not on its probabilities."
    )
    return labels


def _warn_of_memory(
    subject: Subject, asked: np.ndarray, given: np.ndarray, notes: list[str]
) -> None:
    """Note where queries are rows the model knows by heart: their answers say little about it."""
    if "labels" not in subject.offers():
        return
    known, new = (
        np.mean((side.predictions[at] - side.truth[at]).astype(float) ** 2)
        if subject.task == "regression"
        else np.mean(side.predictions[at] != side.truth[at])
        for side, at in ((subject.reference, asked), (subject, given))
    )
    if known < new / 2:
        notes.append(
            "The model errs far less on the reference than on the given rows: it repeats labels"
            " it was trained on, so queries it has never seen would give away more than these."
        )


def _attack(bench: _Bench, size: int) -> _Point:
    """Train each family on the first queries, pick the best copy, and measure it on other rows."""
    rows, pick = bench.queries[:size], len(bench.picking)

    def fit(family: str, target: np.ndarray, *, clean: bool) -> Predict:
        return fit_surrogate(
            family, rows, target[:size], categorical=bench.categorical, clean=clean, seed=bench.seed
        )

    copies = {family: fit(family, bench.taught, clean=True) for family in (TREES, LINEAR)}
    misses = {
        family: np.mean(_error(copy(bench.picking), bench.wanted[:pick]).astype(float) ** 2)
        for family, copy in copies.items()
    }
    best = min(misses, key=lambda family: misses[family])
    twin = fit(best, bench.truth, clean=False)
    error, baseline = (
        _error(predict(bench.measuring), bench.wanted[pick:]) for predict in (copies[best], twin)
    )
    point = _Point(size, best, error, baseline, None)
    if not baseline.any():
        return point
    counted = error.dtype == bool
    gain = paired.share_removed(*_cells(point)) if counted else skill.squared_skill(error, baseline)
    return point._replace(gain=gain)


def _error(copied: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    return copied - wanted if wanted.dtype.kind == "f" else copied != wanted


def _cells(point: _Point) -> tuple[int, int, int]:
    """Return rows on which both err, the copy alone, its twin alone."""
    error, baseline = point.error.astype(bool), point.baseline.astype(bool)
    return (
        int((error & baseline).sum()),
        int((error & ~baseline).sum()),
        int((~error & baseline).sum()),
    )


def _fidelity(error: np.ndarray, bench: _Bench) -> intervals.Interval:
    if error.dtype == bool:
        return intervals.wilson(int((~error).sum()), len(error))
    wanted = bench.wanted[-len(error) :]
    return skill.squared_skill(error, wanted - wanted.mean())


def _queries_needed(curve: list[_Point]) -> Estimate | None:
    """Return the fewest queries of the curve that surely reach 90 % excess fidelity, if any do."""
    ends = [
        [point.queries for point in curve if point.gain is not None and point.gain[end] >= 0.9]
        for end in (0, 2, 1)  # value, then high, which is reached first, then low
    ]
    if not ends[2]:
        return None
    value, low, high = (found[0] for found in ends)
    return Estimate(
        value, low, high, n=len(curve[-1].error), unit="queries", range=(1.0, None),
        better=Better.HIGH,
    )  # fmt: skip


def _row(point: _Point, bench: _Bench) -> Row:
    fidelity = _fidelity(point.error, bench)
    gain = point.gain or (None, None, None)
    return {
        "queries": point.queries,
        "copy": point.family,
        "fidelity": float(fidelity.value),
        "fidelity_low": float(fidelity.low),
        "fidelity_high": float(fidelity.high),
        "baseline": float(_fidelity(point.baseline, bench).value),
        "excess": gain[0],
        "low": gain[1],
        "high": gain[2],
    }


def _influence(point: _Point, bench: _Bench, n: int) -> np.ndarray:
    error, baseline = point.error.astype(float) ** 2, point.baseline.astype(float) ** 2
    ratio = error.mean() / baseline.mean()
    out = np.zeros(n)
    out[bench.positions] = -(error - ratio * baseline) / baseline.mean() * n / len(error)
    return out
