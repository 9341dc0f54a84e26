"""Do the model's answers give it away: can a copy be trained from them?"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np

from trustcheck.probe import Want, probe
from trustcheck.security._surrogate import Bench, Copy, attack
from trustcheck.stats import intervals, skill
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
FEWEST = 40
MOST_PICKING, MOST_MEASURING = 5_000, 20_000
UNIT = "0 = no better than learning from true labels, 1 = a perfect copy"


def _wants(
    subject: Subject, *, output: str | None = None, queries: int = GRID[-1]
) -> Iterable[Want]:
    del queries
    yield Want("predictions")
    if output != "labels" and "scores" in subject.offers():
        yield Want("scores")


@probe(
    title="Model extraction",
    question="Can someone who only sees the model's answers train a copy of it?",
    headline="excess_fidelity",
    unit=UNIT,
    better="low",
    keys=("security.cybersecurity",),
    clauses=("8.2.4",),
    needs=("features", "labels", "predictions"),
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

    Queries are given rows, not training rows: an attacker has none of those, and a copy trained
    on the model's own training labels would repeat the model without asking it anything.

    Parameters
    ----------
    subject : Subject
        With labels. At most half of the given rows become queries.
    output : {"scores", "labels"}, optional
        What the attacker sees; all that the model offers unless given. Without effect for
        regression.
    queries : int
        Most queries the attacker makes, at least 40.

    Returns
    -------
    Finding
        Headline ``excess_fidelity`` at the most queries, at most 1, and ``fidelity`` there;
        ``queries_to_90pct`` where 90 % excess fidelity is surely reached. One detail row per
        number of queries.

    Raises
    ------
    InputError
        If ``output`` is another word, or ``queries`` below 40.

    Examples
    --------
    >>> import trustcheck as tc
    >>> from sklearn.linear_model import LogisticRegression
    >>> data = np.random.default_rng(0)
    >>> X = data.normal(size=(1500, 4))
    >>> y = (X[:, 0] + data.normal(size=1500) > 0).astype(int)
    >>> subject = tc.Subject(LogisticRegression().fit(X[:500], y[:500]), X[500:], y[500:])
    >>> extraction(subject, queries=100).value > 0.8
    True
    """
    if output not in (None, "scores", "labels"):
        raise InputError(f"output must be 'scores' or 'labels', not {output!r}")
    if queries < FEWEST:
        raise InputError(f"queries must be at least {FEWEST}, not {queries}")
    notes: list[str] = []
    bench, measured = _bench(subject, rng, output, queries, notes)
    most, n = len(bench.queries), len(measured)
    with subject.fitting():
        curve = [attack(bench, size) for size in [*(size for size in GRID if size < most), most]]
    last, gain = curve[-1], curve[-1].gain
    if gain is None:
        raise NotMeasurable(
            "a copy trained on true labels alone already gives the model's answer on every row"
            " measured: its answers have nothing left to give away. More given rows may show a"
            " difference"
        )
    fidelity, baseline = (_fidelity(e, bench) for e in (last.errors, last.twin_errors))
    unit = "share of rows answered as the model does" if last.counted else "R^2 of its answers"
    metrics = {
        "excess_fidelity": Estimate(*gain, n=n, unit=UNIT, range=(None, 1.0)),
        "fidelity": Estimate(*fidelity, n=n, unit=unit, range=(0.0 if last.counted else None, 1.0)),
        **_queries_needed(curve, n),
    }
    summary = (
        f"After {most} queries the best copy ({last.family}) has fidelity {fidelity.value:.3f};"
        f" taught by true labels instead of the model's answers it has {baseline.value:.3f}."
    )
    return Measurement(
        metrics,
        rows=tuple(_row(copy, bench) for copy in curve),
        statistics=last.cells if last.counted else {},
        formula="paired.share_removed" if last.counted else None,
        notes=(summary, *notes),
        assurance=Assurance.SEARCHED,
        picture="curve",
        influence=_influence(last, measured, subject.n),
    )


def _bench(
    subject: Subject, rng: np.random.Generator, output: str | None, queries: int, notes: list[str]
) -> tuple[Bench, np.ndarray]:
    """Draw queries and fresh rows; return the bench, and the positions of the measuring rows."""
    drawn = subject.sample(queries + MOST_PICKING + MOST_MEASURING, rng)
    asked, given = np.split(drawn, [min(queries, len(drawn) // 2)])
    rows = subject.X.iloc[drawn]
    keys, table = content_keys(rows, subject.schema), encode(rows, subject.schema)
    fresh = ~np.isin(keys[len(asked) :], keys[: len(asked)])
    if not fresh.all():
        notes.append(
            f"{int((~fresh).sum())} rows equal a query and are left out: a copy is measured on rows"
            " its maker did not ask about."
        )
    given = given[fresh]
    if min(len(asked), len(given)) < FEWEST:
        raise NotMeasurable(
            f"it needs {FEWEST} given rows as queries and as many that differ from them, but"
            f" there are {len(asked)} and {len(given)}; give more rows"
        )
    picking = min(len(given) // 3, MOST_PICKING)
    wanted, answers = subject.predictions[given], subject.predictions[asked]
    if (wanted[picking:] == wanted[-1]).all():
        raise NotMeasurable("the model gives every measured row the same answer: nothing to copy")
    if not table.names:
        raise NotMeasurable("every feature is free text, on which no copy is trained here")
    taught, truth = answers, subject.truth[asked]
    if subject.task != "regression":
        one_hot = np.eye(len(subject.classes))
        taught, truth = _shown(subject, asked, one_hot[answers], output, notes), one_hot[truth]
    bench = Bench(
        queries=table.matrix[: len(asked)],
        taught=taught,
        truth=truth,
        fresh=table.matrix[len(asked) :][fresh],
        wanted=wanted,
        picking=picking,
        categorical=table.categorical,
        seed=int(rng.integers(2**31)),
    )
    return bench, given[picking:]


def _shown(
    subject: Subject, asked: np.ndarray, labels: np.ndarray, output: str | None, notes: list[str]
) -> np.ndarray:
    """Return the class shares an attacker is taught by: probabilities where they are shown."""
    if output == "labels" or (output is None and "scores" not in subject.offers()):
        return labels
    scores = subject.scores[asked]
    # A copy of the probabilities repeats the labels only if those follow from them.
    if (np.argmax(scores, axis=1) == np.argmax(labels, axis=1)).mean() > 0.99:
        return scores
    notes.append(
        "The model's answer is often not its most probable class (it has a threshold of its own),"
        " so the copies were trained on its answers and not on its probabilities."
    )
    return labels


def _fidelity(errors: np.ndarray, bench: Bench) -> intervals.Interval:
    if errors.dtype == bool:
        return intervals.wilson(int((~errors).sum()), len(errors))
    wanted = bench.wanted[bench.picking :]
    return skill.squared_skill(errors, wanted - wanted.mean())


def _queries_needed(curve: list[Copy], n: int) -> dict[str, Estimate]:
    """Return the fewest queries on the curve that surely reach 90 % excess fidelity, if any do."""
    gains = [(copy.queries, copy.gain) for copy in curve]
    value, low, high = (
        [queries for queries, gain in gains if gain is not None and gain[end] >= 0.9]
        for end in (0, 2, 1)  # the upper end of the gain is there first
    )
    if not high:
        return {}
    unit, ends = "queries to 90 % excess fidelity", (value[0], low[0], high[0])
    return {
        "queries_to_90pct": Estimate(*ends, n=n, unit=unit, range=(1.0, None), better=Better.HIGH)
    }


def _row(copy: Copy, bench: Bench) -> Row:
    fidelity, gain = _fidelity(copy.errors, bench), copy.gain or (None, None, None)
    return {
        "queries": copy.queries,
        "copy": copy.family,
        "fidelity": float(fidelity.value),
        "fidelity_low": float(fidelity.low),
        "fidelity_high": float(fidelity.high),
        "baseline": float(_fidelity(copy.twin_errors, bench).value),
        "excess": gain[0],
        "low": gain[1],
        "high": gain[2],
    }


def _influence(copy: Copy, measured: np.ndarray, n: int) -> np.ndarray:
    errors, twin = (e.astype(float) ** 2 for e in (copy.errors, copy.twin_errors))
    out = np.zeros(n)
    out[measured] = (errors.mean() / twin.mean() * twin - errors) / twin.mean() * n / len(measured)
    return out
