"""What do the model's errors cost, against a decision that ignores the inputs?"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from trustcheck.probe import Want, probe
from trustcheck.stats import harm as costs_of
from trustcheck.stats import intervals
from trustcheck.types import Better, Estimate, InputError, Measurement, NotMeasurable, Row

if TYPE_CHECKING:
    from trustcheck.subject import Subject

_SPELLINGS = (
    "give {(true, predicted): cost}, {true: {predicted: cost}}, a DataFrame (rows true, columns"
    " predicted) or a square array in the order of subject.classes"
)


def _wants(subject: Subject) -> Iterable[Want]:
    yield Want("predictions")
    if "scores" in subject.offers():
        yield Want("scores")


@probe(
    title="Harm",
    question="Do the model's errors cost less than a decision that ignores the inputs?",
    headline="relative_cost",
    unit="1 = costs as much as the best decision that ignores the inputs",
    better="low",
    keys=("safety.physical_harm", "safety.psychological_harm"),
    clauses=("7.2", "8.9"),
    needs=("labels", "predictions", "costs"),
    wants=_wants,
    cost="none beyond the shared pass",
    weights=True,
    clusters=True,
)
def harm(subject: Subject, rng: np.random.Generator, *, tail: float = 0.05) -> Measurement:
    """Weigh errors by what they cost.

    Expected cost (Elkan 2001) over that of the best constant decision, and the mean cost of the
    dearest rows (conditional value at risk; Rockafellar & Uryasev 2000).

    Parameters
    ----------
    subject : Subject
        With labels, and ``context=tc.Context(costs=...)``. Classes: a matrix of costs of at
        least 0, as ``{(true, predicted): cost}``, ``{true: {predicted: cost}}``, a DataFrame
        (rows true, columns predicted) or an array in the order of ``subject.classes``; being
        right costs 0 unless given. Numbers: a function ``f(true, predicted)`` of two arrays that
        returns an array of costs.
    tail : float
        Share of dearest rows whose mean cost is ``tail_cost``, inside (0, 1].

    Returns
    -------
    Finding
        Headline ``relative_cost``, at least 0; also ``mean_cost`` and ``tail_cost``, in units of
        the costs, and ``decided_by_cost``: the relative cost if the same probabilities were
        turned into the cheapest decisions. One detail row per kind of error.

    Examples
    --------
    >>> import trustcheck as tc
    >>> subject = tc.Subject(
    ...     lambda X: (X[:, 0] > 0).astype(int), np.array([[-1.0], [1.0]] * 50), [0, 1] * 45 + [1, 0] * 5,
    ...     context=tc.Context(costs={(0, 1): 5, (1, 0): 1}),
    ... )
    >>> round(harm(subject).value, 3)  # 5 errors at 5 and 5 at 1; "always 0" makes 50 at 1
    0.6
    """  # fmt: skip
    del rng  # nothing is drawn
    if not 0 < tail <= 1:
        raise InputError("tail must be inside (0, 1]")
    if subject.task == "regression":
        return _numbers(subject, tail)
    matrix = _matrix(subject.context.costs, subject.classes)
    truth, labels = _labels_for_constant(subject)
    share = np.bincount(truth, labels, len(subject.classes))
    constant = int(np.argmin(share @ matrix))
    cost, baseline = matrix[subject.truth, subject.predictions], matrix[subject.truth, constant]
    most = float(matrix.max())
    found = _measure(subject, cost, baseline, most, tail)
    if "scores" in subject.offers():
        cheapest = np.argmin(subject.scores @ matrix, axis=1)
        found["decided_by_cost"] = _relative(
            subject, matrix[subject.truth, cheapest], baseline, most
        )
    note = (
        f"The decision that ignores the inputs is always {subject.classes[constant]!s}, the"
        f" cheapest for the {_whose(subject)} labels."
    )
    return Measurement(
        found,
        rows=tuple(_rows(subject, matrix, cost)),
        notes=(note,),
        picture="bars",
        influence=_influence(subject, cost, baseline),
    )


def _numbers(subject: Subject, tail: float) -> Measurement:
    given = subject.context.costs
    if not callable(given):
        raise InputError(
            "costs= of a model that predicts numbers must be a function f(true, predicted) of two"
            f" arrays that returns an array of costs; it is of type {type(given).__name__}"
        )
    function: Callable[..., Any] = given
    truth, weights = _labels_for_constant(subject)
    # The best constant is sought among the labels' own quantiles and their mean.
    candidates = np.append(
        np.quantile(truth, np.linspace(0, 1, 101)), np.average(truth, weights=weights)
    )
    means = [
        np.average(_evaluate(function, truth, np.full(len(truth), c)), weights=weights)
        for c in candidates
    ]
    constant = float(candidates[int(np.argmin(means))])
    cost = _evaluate(function, subject.truth, subject.predictions)
    baseline = _evaluate(function, subject.truth, np.full(subject.n, constant))
    note = (
        "The decision that ignores the inputs is one number for all rows, the cheapest among the"
        f" mean and the percentiles of the {_whose(subject)} labels."
    )
    return Measurement(
        _measure(subject, cost, baseline, float(max(cost.max(), baseline.max())), tail),
        notes=(note,),
        influence=_influence(subject, cost, baseline),
    )


def _measure(
    subject: Subject, cost: np.ndarray, baseline: np.ndarray, most: float, tail: float
) -> dict[str, Estimate]:
    if not np.any(baseline * (1.0 if subject.weights is None else subject.weights)):
        raise NotMeasurable(
            "one and the same decision for every row costs nothing on the given labels, so there"
            " is nothing to compare with; give rows of every class, or other costs"
        )
    weights, clusters = subject.weights, subject.clusters
    average = intervals.mean(cost, weights=weights, clusters=clusters)
    if not np.isfinite(average.high):
        raise NotMeasurable("one row, or one cluster, has no spread; give more")
    worst = costs_of.tail_mean(cost, tail=tail, weights=weights, clusters=clusters)
    return {
        "relative_cost": _relative(subject, cost, baseline, most),
        "mean_cost": _amount(average, subject.n, "mean cost per row, in units of the costs"),
        "tail_cost": _amount(worst, subject.n, f"mean cost of the dearest {tail:.0%} of rows"),
    }


def _relative(subject: Subject, cost: np.ndarray, baseline: np.ndarray, most: float) -> Estimate:
    share = costs_of.relative_cost(
        cost, baseline, most=most, weights=subject.weights, clusters=subject.clusters
    )
    unit = "1 = costs as much as the best decision that ignores the inputs"
    return Estimate(*share, n=subject.n, unit=unit, range=(0.0, None), better=Better.LOW)


def _amount(ends: intervals.Interval, n: int, unit: str) -> Estimate:
    value, low, high = ends
    return Estimate(
        value, max(low, 0.0), high, n=n, unit=unit, range=(0.0, None), better=Better.LOW
    )


def _influence(subject: Subject, cost: np.ndarray, baseline: np.ndarray) -> np.ndarray:
    weights = np.ones(subject.n) if subject.weights is None else subject.weights
    ratio = (weights @ cost) / (weights @ baseline)
    scaled: np.ndarray = weights * (cost - ratio * baseline) * subject.n / (weights @ baseline)
    return scaled


def _labels_for_constant(subject: Subject) -> tuple[np.ndarray, np.ndarray]:
    """Labels, and weights, by which the best constant decision is chosen."""
    if "reference_labels" in subject.offers():
        return subject.reference.truth, np.ones(subject.reference.n)
    return subject.truth, np.ones(subject.n) if subject.weights is None else subject.weights


def _whose(subject: Subject) -> str:
    return "reference" if "reference_labels" in subject.offers() else "given"


def _rows(subject: Subject, matrix: np.ndarray, cost: np.ndarray) -> Iterable[Row]:
    weights = np.ones(subject.n) if subject.weights is None else subject.weights
    total = float(weights @ cost)
    for true, predicted in np.ndindex(matrix.shape):
        here = (subject.truth == true) & (subject.predictions == predicted)
        if here.any() and matrix[true, predicted] > 0:
            yield {
                "true": str(subject.classes[true]),
                "predicted": str(subject.classes[predicted]),
                "n": int(here.sum()),
                "cost": float(matrix[true, predicted]),
                "share_of_cost": float(weights[here] @ cost[here]) / total if total else 0.0,
            }


def _evaluate(function: Callable[..., Any], truth: np.ndarray, predicted: np.ndarray) -> np.ndarray:
    try:
        costs = np.asarray(function(truth, predicted), dtype=float)
    except (TypeError, ValueError) as fault:
        raise InputError(
            "costs= failed on two arrays of numbers, or returned no numbers; write it with numpy,"
            " e.g. lambda y, f: np.abs(y - f)"
        ) from fault
    if costs.shape != truth.shape or not np.isfinite(costs).all() or (costs < 0).any():
        raise InputError(
            f"costs= must return one finite cost of at least 0 per row; for {len(truth)} rows it"
            f" returned shape {costs.shape}"
        )
    return costs


def _matrix(costs: Any, classes: tuple[Any, ...]) -> np.ndarray:
    """Costs by code of the true and of the predicted class; InputError saying what is missing."""
    size = len(classes)
    if isinstance(costs, (list, tuple, np.ndarray)):
        matrix = np.asarray(costs, dtype=object)
        if matrix.shape != (size, size):
            raise InputError(f"costs= has shape {matrix.shape} for {size} classes; {_SPELLINGS}")
        cells = {(t, p): matrix[i, j] for i, t in enumerate(classes) for j, p in enumerate(classes)}
    else:
        cells = _cells(costs)
    strange = [str(label) for pair in cells for label in pair if label not in classes]
    if strange:
        raise InputError(
            f"costs= names {', '.join(sorted(set(strange)))}, which is no class; the classes are"
            f" {', '.join(map(str, classes))} (mind their type)"
        )
    missing = [
        f"({t!s}, {p!s})" for t in classes for p in classes if t != p and (t, p) not in cells
    ]
    if missing:
        raise InputError(f"costs= lacks the cost of (true, predicted) {', '.join(missing)}")
    try:
        found = np.array([[float(cells.get((t, p), 0.0)) for p in classes] for t in classes])
    except (TypeError, ValueError) as fault:
        raise InputError("costs= holds a cost that is not a number") from fault
    if not np.isfinite(found).all() or (found < 0).any():
        raise InputError(
            "costs= must be finite and at least 0; add a constant to gains to get costs"
        )
    return found


def _cells(costs: Any) -> dict[tuple[Any, Any], Any]:
    if hasattr(costs, "columns") and hasattr(costs, "index"):
        return {(t, p): costs.loc[t, p] for t in costs.index for p in costs.columns}
    if not isinstance(costs, Mapping):
        raise InputError(f"costs= is of type {type(costs).__name__}; {_SPELLINGS}")
    if all(isinstance(row, Mapping) for row in costs.values()):
        return {(t, p): cost for t, row in costs.items() for p, cost in row.items()}
    if not all(isinstance(pair, tuple) and len(pair) == 2 for pair in costs):
        raise InputError(f"costs= has keys that are no (true, predicted) pairs; {_SPELLINGS}")
    return dict(costs)
