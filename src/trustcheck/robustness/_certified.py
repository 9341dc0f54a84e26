"""How many right answers are proven to survive every valid change of some size?"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from trustcheck.probe import probe
from trustcheck.robustness import _white
from trustcheck.robustness._flip import Flip
from trustcheck.robustness._rows import Rows, share_of, sizes_of
from trustcheck.search._space import Space
from trustcheck.stats import degradation
from trustcheck.types import Assurance, Estimate, InputError, Measurement, NotMeasurable, Row

if TYPE_CHECKING:
    from collections.abc import Iterator

    from trustcheck.subject import Subject

#: Most rows a proof is tried for, by model.
MOST_ROWS = {"linear": 5_000, "trees": 100}


@probe(
    title="Certified robustness",
    question="How many right answers are proven to survive every small valid change?",
    headline="certified_accuracy",
    unit="share of rows answered right, proven to stay so within epsilon",
    better="high",
    keys=("security.cybersecurity", "reliability.resilience"),
    clauses=("8.2.3", "9.7"),
    dimension="security",
    needs=("features", "model"),
    wants=("predictions",),
    cost="none beyond the shared pass",
    weights=True,
    clusters=True,
)
def certified(
    subject: Subject,
    rng: np.random.Generator,
    *,
    epsilon: float = 0.25,
    norm: str = "linf",
    sizes: tuple[float, ...] = (0.1, 0.25, 0.5, 1.0),
    rows: int | None = None,
    work: int = _white.WORK,
    category: float = 1.0,
    shift: float = 1.0,
) -> Measurement:
    """Prove, row by row, that no valid change within epsilon gets another answer.

    The model is read, not asked. Linear models (also behind scalers and encoders): the smallest
    change in closed form, with ranges, whole numbers, categories and what may not change. Tree
    ensembles: a lower bound over all boxes of leaves. Where a model cannot be read there is
    nothing to prove, and the finding is skipped with the reason.

    Parameters
    ----------
    subject : Subject
        With a model that can be read.
    epsilon : float
        Size of the headline, above 0, in robust scales (IQR / 1.349) of each number.
    norm : {"linf", "l2"}
        How sizes add up: the largest single change, or Euclidean.
    sizes : tuple of float
        Sizes of the detail rows, above 0; ``epsilon`` is always one of them.
    rows : int, optional
        Most rows a proof is tried for; 5,000 (linear) or 100 (trees) unless given.
    work : int
        Trees: most leaves looked at per row and radius, at least 1,000; more proves more.
    category : float
        Size of one change of category, above 0.
    shift : float
        Regression: how far a prediction has to move, above 0, in robust scales of the
        predictions.

    Returns
    -------
    Finding
        Headline ``certified_accuracy``: share of rows that are right and proven to stay so
        (without labels, and for regression, of answers proven to stay); the interval is sampling
        error alone. Also ``median_bound``: half of the rows are safe up to this size. One detail
        row per size.

    Examples
    --------
    >>> import numpy as np, trustcheck as tc
    >>> from sklearn.linear_model import LogisticRegression
    >>> X = np.random.default_rng(0).normal(size=(300, 2))
    >>> y = X[:, 0] > 0
    >>> found = certified(tc.Subject(LogisticRegression().fit(X, y), X, y))
    >>> 0.5 < found.low < found.high < 1, found.assurance.value
    (True, 'proven')
    """
    levels = sizes_of(epsilon, sizes, norm, category, shift)
    if (rows is not None and rows < 1) or work < 1_000:
        raise InputError("rows must be at least 1 and work at least 1,000")
    kind = _white.final_of(subject)
    if kind is None:
        raise NotMeasurable(
            f"{subject.model_name} cannot be read (linear models and tree ensembles can), so nothing"
            " can be proven about it; robustness.adversarial attacks it instead"
        )
    chosen = Rows.of(subject).first(rows or MOST_ROWS[kind])
    space = Space.of(subject.X.iloc[chosen.right], subject.schema, norm=norm, category=category)
    if not space.names:
        raise NotMeasurable(
            "no feature can be changed: each is free text, a date, constant or marked immutable;"
            " correct its kind with schema="
        )
    flip = Flip.plain(subject, chosen.right, shift)
    white = _white.read(subject, space, flip, work)
    if isinstance(white, str):
        raise NotMeasurable(f"the model could not be read, so nothing can be proven: {white}")
    unit = "share of rows answered right, proven to stay so within epsilon"
    if subject.task == "regression" or not subject.data.has_truth:
        unit = "share of answers proven to stay within epsilon"
    stays = chosen.proven(white.lower, epsilon)
    metrics = {"certified_accuracy": share_of(chosen, stays, unit)}
    own: dict[str, Any] = {
        name: None if given is None else given[chosen.hit]
        for name, given in (("weights", chosen.weights), ("clusters", chosen.clusters))
    }
    middle = degradation.weighted_median(white.lower, **own)
    if np.isfinite(middle.high):
        metrics["median_bound"] = Estimate(
            *middle,
            n=len(white.lower),
            unit="robust scales within which no flip exists",
            range=(0.0, None),
        )
    counted: dict[str, Any] = {}
    if chosen.plain:
        kept = int(stays.sum())
        counted = {
            "statistics": {"unchanged": [len(stays) - kept, kept]},
            "formula": "degradation.consistency",
        }
    return Measurement(
        metrics,
        rows=tuple(_row(size, chosen, white.lower, unit) for size in (0.0, *levels)),
        notes=tuple(_notes(subject, chosen, space, white, epsilon)),
        assurance=Assurance.PROVEN,
        picture="curve",
        influence=chosen.influence(stays),
        **counted,
    )


def _row(size: float, chosen: Rows, lower: np.ndarray, unit: str) -> Row:
    share = share_of(chosen, chosen.proven(lower, size), unit)
    return {
        "epsilon": size,
        "value": share.value,
        "low": share.low,
        "high": share.high,
        "n": share.n,
    }


def _notes(
    subject: Subject, chosen: Rows, space: Space, white: _white.White, epsilon: float
) -> Iterator[str]:
    yield f"The model was read as {white.what}, and each proof holds for every valid change."
    yield (
        f"A proof was tried for {len(chosen.right)} rows, of {len(chosen.looked)} looked at and"
        f" {subject.n} given."
    )
    if space.categorical.any() and space.category > epsilon:
        yield (
            f"A change of category has size {space.category:g}, so within {epsilon:g} only numbers"
            " change."
        )
    still = [str(name) for name in subject.features if str(name) not in space.columns]
    if still:
        yield f"Free text, dates, constant or immutable, so taken as fixed: {', '.join(still)}."
    if not space.free.all():
        yield "Missing and infinite values are taken as fixed."
    if space.relations:
        yield (
            "Relations between columns are not used here: changes that break them are covered too,"
            " so the real share may be higher."
        )
