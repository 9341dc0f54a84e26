"""How small a valid change of the inputs makes the model change its answer?"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from trustcheck.probe import Want, probe
from trustcheck.robustness._flip import Flip
from trustcheck.robustness._outcome import CONFIRM, Found, confirm, notes, other_metrics
from trustcheck.search._attack import DONORS, Search, attack
from trustcheck.search._fewest import CELLS, blind, fewest
from trustcheck.search._space import NORMS, Space
from trustcheck.search._starts import starts
from trustcheck.stats import intervals
from trustcheck.types import Assurance, Estimate, InputError, Measurement, NotMeasurable, Row

if TYPE_CHECKING:
    from trustcheck.subject import Subject

#: Rows sent by default per given row, and the most ever sent.
BUDGET, MOST_SENT = 5.0, 60_000
#: Queries per row kept for the blind control; rows looked at to start from.
CONTROL, POOL = 10, 4_000
LEAST_QUERIES = CONTROL + CONFIRM + len(CELLS) + 20


def _wants(subject: Subject, **params: Any) -> Iterable[Want]:
    tables = ["data", "reference"] if "reference" in subject.offers() else ["data"]
    answers = ["predictions"]
    if "scores" in subject.offers() and params.get("output") != "labels":
        answers.append("scores")
    return [Want(what, table) for table in tables for what in answers]


@probe(
    title="Adversarial robustness",
    question="How many right answers survive someone who looks for a small change that flips them?",
    headline="robust_accuracy",
    unit="share of rows answered right that no change found within epsilon flips",
    better="high",
    keys=("security.cybersecurity", "reliability.resilience"),
    clauses=("8.2.3", "9.7"),
    dimension="security",
    needs=("features", "model"),
    wants=_wants,
    cost="at most 5 rows per given row, and 60,000; 150 per row attacked",
    weights=True,
    clusters=True,
)
def adversarial(
    subject: Subject,
    rng: np.random.Generator,
    *,
    epsilon: float = 0.5,
    norm: str = "l2",
    sizes: tuple[float, ...] = (0.25, 0.5, 1.0),
    queries: int = 150,
    rows: int | None = None,
    output: str = "auto",
    category: float = 1.0,
    shift: float = 1.0,
) -> Measurement:
    """Look for the smallest valid change of each row that makes the model answer otherwise.

    A decision-based attack on mixed columns, in the line of the boundary attack (Brendel, Rauber
    & Bethge 2018) and HopSkipJump (Chen, Jordan & Wainwright 2020): it asks the model and nothing
    else, starts at real rows with another answer, and walks towards the row. Where scores are
    given, single changes are tried and mixed by what they do to the score. What is found is
    checked against the schema and asked again with the model's own ``predict``.

    Parameters
    ----------
    subject : Subject
        With a model; a reference, if given, provides scales, ranges and starting points.
    epsilon : float
        Size of the headline, above 0, in robust scales (IQR / 1.349) of each number.
    norm : {"l2", "linf"}
        How sizes add up: Euclidean, or the largest single change.
    sizes : tuple of float
        Sizes of the detail rows, above 0; ``epsilon`` is always one of them.
    queries : int
        Most rows sent to the model per row attacked, at least 40.
    rows : int, optional
        Most rows attacked; as many as the budget allows unless given.
    output : {"auto", "labels"}
        Whether the attacker sees scores where there are any, or labels alone.
    category : float
        Size of one change of category, above 0.
    shift : float
        Regression: how far a prediction has to move, above 0, in robust scales of the
        predictions.

    Returns
    -------
    Finding
        Headline ``robust_accuracy``: share of rows that are right and stay so; without labels,
        and for regression, the share of answers that stay. An upper bound, since a better attack
        may exist. Also ``random_search`` (the same under as many changes of that size drawn
        blindly), ``median_distance``, ``features_changed`` and ``queries``. ``examples`` holds
        the flips found, cell by cell.

    Examples
    --------
    >>> import numpy as np, trustcheck as tc
    >>> from sklearn.linear_model import LogisticRegression
    >>> X = np.random.default_rng(0).normal(size=(300, 2))
    >>> y = X[:, 0] > 0
    >>> found = adversarial(tc.Subject(LogisticRegression().fit(X, y), X, y))
    >>> found.high < 1, found.assurance.value
    (True, 'searched')
    """
    levels = _levels(
        epsilon, sizes, norm, output, queries=queries, rows=rows, more=(category, shift)
    )
    chosen, attacked = _choose(subject, rng, queries, rows)
    space = Space.of(subject.X.iloc[attacked], subject.schema, norm=norm, category=category)
    if not space.names:
        raise NotMeasurable(
            "no feature can be changed: each is free text, a date, constant or marked immutable;"
            " correct its kind with schema="
        )
    pool = subject.reference_sample if "reference" in subject.offers() else subject.data
    flip = Flip.of(subject, attacked, output, shift, pool)
    at = pool.sample(POOL, rng)
    other, alike = flip.pool(pool, at)
    donors = starts(space, space.encode(pool.X.iloc[at]), other, alike, DONORS)
    search = Search(space, flip.ask, queries - CONTROL - CONFIRM)
    attack(search, donors, rng, margin=flip.margin, spare=len(CELLS))
    limit = np.where(search.distance <= epsilon, epsilon, 1.25 * search.distance)
    small = fewest(search, limit)
    control = Search(space, flip.ask, CONTROL)
    blind(control, epsilon, rng, count=CONTROL)
    found = confirm(search, small, control, flip)
    return _measure(subject, chosen, flip, space, found, levels, epsilon)


def _levels(
    epsilon: float,
    sizes: Sequence[float],
    norm: str,
    output: str,
    *,
    queries: int,
    rows: int | None,
    more: tuple[float, ...],
) -> list[float]:
    """Check the parameters; return the sizes of the detail rows."""
    levels = sorted({float(size) for size in (*np.atleast_1d(sizes), epsilon)})
    if not all(np.isfinite(number) and number > 0 for number in (*levels, *more)):
        raise InputError("epsilon, sizes, category and shift must be finite numbers above 0")
    if norm not in NORMS:
        raise InputError(f"norm must be one of {', '.join(NORMS)}, not {norm!r}")
    if output not in ("auto", "labels"):
        raise InputError(f"output must be 'auto' or 'labels', not {output!r}")
    if queries < LEAST_QUERIES or (rows is not None and rows < 1):
        raise InputError(f"queries must be at least {LEAST_QUERIES} and rows at least 1")
    return levels


def _choose(
    subject: Subject, rng: np.random.Generator, queries: int, rows: int | None
) -> tuple[np.ndarray, np.ndarray]:
    """Return the rows the headline rests on, and those of them that are attacked: the right ones."""
    order = subject.sample(subject.n, rng)
    if subject.weights is not None:
        order = order[subject.weights[order] > 0]
    right = np.ones(len(order), dtype=bool)
    if subject.data.has_truth and subject.task != "regression":
        right = subject.predictions[order] == subject.truth[order]
    budget = min(subject.allowance(BUDGET), MOST_SENT)
    most = budget // queries if rows is None else rows
    if most < 1:
        raise NotMeasurable(
            f"attacking one row takes up to {queries} rows sent to the model, but the budget is"
            f" {budget}; give more rows, raise budget=, or lower queries="
        )
    if not right.any():
        raise NotMeasurable(
            "the model is right about none of the rows, so there is nothing to flip"
        )
    # Up to the first right row that can no longer be paid for: the share right stays unbiased.
    chosen = order[np.cumsum(right) <= most]
    return chosen, chosen[right[: len(chosen)]]


def _measure(
    subject: Subject,
    chosen: np.ndarray,
    flip: Flip,
    space: Space,
    found: Found,
    levels: list[float],
    epsilon: float,
) -> Measurement:
    weights, clusters = (
        None if given is None else given[chosen] for given in (subject.weights, subject.clusters)
    )
    evidence: dict[str, Any] = {"weights": weights, "clusters": clusters}
    hit = np.isin(chosen, flip.rows)

    def kept(distance: np.ndarray, size: float) -> np.ndarray:
        stays = np.zeros(len(chosen))
        stays[hit] = distance > size * (1 + 1e-9)
        return stays

    def share(distance: np.ndarray, size: float, unit: str) -> Estimate:
        ends = intervals.bounded_mean(kept(distance, size), **evidence)
        return Estimate(*ends, n=len(chosen), unit=unit, range=(0.0, 1.0))

    unit = _unit(subject)
    metrics = {
        "robust_accuracy": share(found.nearest, epsilon, unit),
        "random_search": share(
            found.blind, epsilon, f"the same for {CONTROL} random changes a row"
        ),
        **other_metrics(found, hit, len(space.features), evidence),
    }
    stays = kept(found.nearest, epsilon)
    mass = np.ones(len(chosen)) if weights is None else weights
    influence = np.zeros(subject.n)
    influence[chosen] = (stays - np.average(stays, weights=mass)) * subject.n / len(chosen)
    counted: dict[str, Any] = {}
    if weights is None and clusters is None:
        survivors = int(stays.sum())
        counted = {
            "statistics": {"unchanged": [len(chosen) - survivors, survivors]},
            "formula": "degradation.consistency",
        }
    return Measurement(
        metrics,
        rows=tuple(
            _row(size, share(found.nearest, size, unit), float(np.mean(found.nearest <= size)))
            for size in (0.0, *levels)
        ),
        notes=tuple(notes(subject, found, len(chosen), space, epsilon, flip)),
        assurance=Assurance.SEARCHED,
        picture="curve",
        examples=found.examples,
        influence=influence,
        **counted,
    )


def _unit(subject: Subject) -> str:
    if subject.task == "regression":
        return "share of predictions that no change found within epsilon moves by more than shift"
    if subject.data.has_truth:
        return "share of rows answered right that no change found within epsilon flips"
    return "share of answers that no change found within epsilon flips"


def _row(size: float, share: Estimate, flipped: float) -> Row:
    return {
        "epsilon": size,
        "value": share.value,
        "low": share.low,
        "high": share.high,
        "n": share.n,
        "flipped": flipped,
    }
