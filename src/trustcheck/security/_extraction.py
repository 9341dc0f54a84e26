"""Do the model's answers give it away: can a copy be trained from them?"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from trustcheck.probe import Want, probe
from trustcheck.security._surrogate import LINEAR, TREES, fit_surrogate
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
    picking = min(len(given) // 2, MOST_PICKING)
    truth, taught = reference.truth[asked], answers
    if subject.has_labels_of_given and _repeats(answers, truth, wanted, subject.truth[given]):
        pass
    return _Bench(
        encode(asked_rows, schema).matrix, taught, truth, coded.matrix[:picking], coded.matrix[picking:],
        wanted, coded.categorical, given[picking:], int(rng.integers(2**31)),
    )  # fmt: skip
