"""Does a metric of the user's own choice come out alike for every group?"""

from __future__ import annotations

import difflib
import functools
import inspect
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from trustcheck.fairness._gap import FACTS, By
from trustcheck.fairness._numbers import compared, largest_difference
from trustcheck.probe import probe
from trustcheck.stats import replicates
from trustcheck.stats.intervals import Interval
from trustcheck.types import InputError, Measurement, NotMeasurable

if TYPE_CHECKING:
    from trustcheck.subject import Subject

Metric = Callable[..., float]
_ROWS = 2_000  # rows that stand for a draw of cells, for metrics that take no weights


@probe(
    title="A metric of your own",
    question="Does the metric of your choice come out alike for every group?",
    unit="difference of the metric",
    needs=("groups", "predictions", "labels"),
    extra="fairness",
    **(FACTS | {"clusters": False}),
)
def user_metric(
    subject: Subject,
    rng: np.random.Generator,
    *,
    by: By = None,
    metric: str | Metric | None = None,
    draws: int = 500,
) -> Measurement:
    """Measure the largest gap between groups in any metric of labels and predictions.

    Each group's value is that of fairlearn's ``MetricFrame`` (Bird et al. 2020). For classes the
    interval comes from draws of the cells (label, prediction) with Jeffreys' prior, for numbers
    from the rows' Bayesian bootstrap (Rubin 1981); differences by MOVER (Zou & Donner 2008), the
    lower end over all pairs together, the upper pair by pair. The gap itself is never resampled:
    that would never contain 0.

    Parameters
    ----------
    subject : Subject
        With sensitive columns and labels.
    by : str or list of str
        Sensitive column; a list means the intersection. The only one unless given.
    metric : str or callable
        A name of ``sklearn.metrics`` (``"f1_score"``), or ``f(y_true, y_pred)``, better with
        ``sample_weight=``, that returns one number and depends on shares of rows, not on how
        many there are. By name, the subject's positive class is used, averages over classes are
        "macro", and what has no denominator is unknown rather than 0.
    draws : int
        How many replicates, at least 100.

    Returns
    -------
    Finding
        Headline ``gap``, at least 0, in units of the metric; one detail row per group.

    Raises
    ------
    InputError
        If the metric is unknown, returns no single number, counts rows, or takes no weights
        where the subject has them.

    Examples
    --------
    >>> import trustcheck as tc
    >>> subject = tc.Subject.from_predictions(
    ...     [1, 1, 0, 0] * 50, [1, 0, 0, 0] * 50, sensitive={"sex": ["f", "m", "f", "m"] * 50}
    ... )
    >>> user_metric(subject, metric="accuracy_score").value
    0.5
    """
    import sklearn

    if metric is None:
        raise NotMeasurable(
            "no metric was named; name one of sklearn.metrics or give a function,"
            " e.g. fairness.user_metric.using(metric='f1_score')"
        )
    if draws < 100:
        raise InputError("draws must be at least 100")
    groups = compared(subject, by)
    name, ask, said = _resolve(metric, subject)
    takes_weights = "sample_weight" in _parameters(ask)
    if subject.weights is not None and not takes_weights:
        raise InputError(
            f"the metric {name!r} takes no sample_weight, but this subject's rows carry weights"
        )
    labels = np.array(subject.classes)
    truth, predicted = subject.truth, subject.predictions
    if subject.task != "regression":
        truth, predicted = labels[truth], labels[predicted]
    found = _by_group(ask, truth, predicted, groups.codes, subject.weights)
    # One seed for all groups, so that their names and order decide nothing.
    seed = int(rng.integers(2**63))
    spread = _rows if subject.task == "regression" else _cells
    with sklearn.config_context(assume_finite=True, skip_parameter_validation=True):
        ends = [
            spread(ask, value, subject, groups.codes == g, takes_weights, draws, seed)
            for g, value in enumerate(found)
        ]
    measured = largest_difference(
        subject,
        groups,
        lambda rows, _, level: ends[int(groups.codes[rows[0]])](level),
        name,
        unit=f"difference of {name}",
        ends=(0.0, None),
    )
    return Measurement(
        measured.metrics,
        rows=measured.rows,
        notes=(f"Metric: {said}.", *measured.notes),
        picture="intervals",
        incomplete=measured.incomplete,
    )


def _resolve(metric: str | Metric, subject: Subject) -> tuple[str, Metric, str]:
    """Return the metric's name, the function, and both with its settings in words."""
    if callable(metric):
        bare = metric.func if isinstance(metric, functools.partial) else metric
        name = str(getattr(bare, "__name__", type(bare).__name__))
        return name, _called(metric, name), f"{name}, given by the user"
    import sklearn.metrics

    found = getattr(sklearn.metrics, metric, None)
    if not inspect.isfunction(found) or not {"y_true", "y_pred"} <= set(_parameters(found)):
        near = difflib.get_close_matches(metric, sklearn.metrics.__all__, 1)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        if near == [metric]:  # there, but of other arguments
            hint = "; metrics of scores are fairness.auc_parity and fairness.mean_score"
        raise InputError(f"{metric!r} is no metric f(y_true, y_pred) of sklearn.metrics{hint}")
    takes, settings = _parameters(found), dict[str, Any]()
    if "pos_label" in takes and subject.task == "binary":
        settings["pos_label"] = subject.positive
    if "average" in takes and subject.task == "multiclass":
        settings["average"] = "macro"
    if "zero_division" in takes:
        settings["zero_division"] = np.nan
    told = [f"{key}={value!r}" for key, value in settings.items() if key != "zero_division"]
    said = " with ".join([f"sklearn.metrics.{metric}", *([", ".join(told)] if told else [])])
    return metric, _called(functools.partial(found, **settings), metric), said


def _called(function: Metric, name: str) -> Metric:
    """Return the function under a name, without which fairlearn warns."""
    named = functools.partial(function)
    vars(named)["__name__"] = name
    return named


def _parameters(function: Metric) -> tuple[str, ...]:
    try:
        return tuple(inspect.signature(function).parameters)
    except (TypeError, ValueError):
        return ()


def _by_group(
    ask: Metric,
    truth: np.ndarray,
    predicted: np.ndarray,
    codes: np.ndarray,
    weights: np.ndarray | None,
) -> np.ndarray:
    """Return the metric of each group, through fairlearn."""
    from fairlearn.metrics import MetricFrame

    frame = MetricFrame(
        metrics=ask,
        y_true=truth,
        y_pred=predicted,
        sensitive_features=codes,
        sample_params=None if weights is None else {"sample_weight": weights},
    )
    try:
        return frame.by_group.to_numpy(dtype=float)
    except (TypeError, ValueError) as fault:
        raise InputError("the metric must return one number") from fault


def _nothing(level: float) -> Interval:
    return Interval(np.nan, np.nan, np.nan)


def _cells(
    ask: Metric,
    value: float,
    subject: Subject,
    inside: np.ndarray,
    takes_weights: bool,
    draws: int,
    seed: int,
) -> Callable[[float], Interval]:
    """Return one group's intervals from draws of its cells (label, prediction)."""
    if not np.isfinite(value):
        return _nothing
    truth, predicted = subject.truth[inside], subject.predictions[inside]
    weights = np.ones(len(truth)) if subject.weights is None else subject.weights[inside]
    k, labels = len(subject.classes), np.array(subject.classes)
    key = truth * k + predicted
    # Classes that the group does not know have no cells, and no prior either.
    seen = np.unique(truth)
    answers = np.arange(k) if k == 2 else np.unique([*truth, *predicted])
    cells = (seen[:, None] * k + answers).ravel()
    weight, squared = (np.bincount(key, w, k * k)[cells] for w in (weights, weights**2))
    of_truth, of_answer = labels[cells // k], labels[cells % k]
    drawn = replicates.cell_draws(weight, squared, draws, np.random.default_rng(seed))

    def weighted(w: np.ndarray) -> float:
        if takes_weights:
            return float(ask(of_truth, of_answer, sample_weight=w))
        times = np.round(w / w.sum() * max(_ROWS, len(truth))).astype(int)
        return float(ask(np.repeat(of_truth, times), np.repeat(of_answer, times)))

    whole = weighted(weight)
    if abs(whole - value) > (1e-6 if takes_weights else 0.02) * max(1.0, abs(value)):
        raise InputError(
            "the metric counts rows: it must depend on the shares of labels and predictions"
            " alone (divide by the number of rows)"
        )
    got = np.array([weighted(w) for w in drawn])
    got = got[np.isfinite(got)]
    return replicates.skewed(value, got) if len(got) > draws / 2 else _nothing


def _rows(
    ask: Metric,
    value: float,
    subject: Subject,
    inside: np.ndarray,
    takes_weights: bool,
    draws: int,
    seed: int,
) -> Callable[[float], Interval]:
    """Return one group's intervals from its resampled rows, for a metric of numbers."""
    truth, predicted = subject.truth[inside], subject.predictions[inside]
    weights = np.ones(len(truth)) if subject.weights is None else subject.weights[inside]
    n = int((weights > 0).sum())
    if n < 2 or not np.isfinite(value):
        return _nothing
    order = np.lexsort(
        (weights, predicted, truth)
    )  # so that the order of the table decides nothing
    truth, predicted, weights = truth[order], predicted[order], weights[order]
    twice = ask(np.tile(truth, 2), np.tile(predicted, 2)) if subject.weights is None else value
    if abs(float(twice) - value) > 1e-6 * max(1.0, abs(value)):
        raise InputError("the metric counts rows: divide by their number")
    rng, got = np.random.default_rng(seed), np.empty(draws)
    for i in range(draws):
        if takes_weights:
            got[i] = ask(truth, predicted, sample_weight=weights * rng.exponential(size=len(truth)))
        else:
            drawn = rng.integers(len(truth), size=len(truth))
            got[i] = ask(truth[drawn], predicted[drawn])
    got = got[np.isfinite(got)]
    if len(got) <= draws / 2:
        return _nothing
    # The variance of a mean over draws falls short of Student's by this.
    short = (n + 1) / (n - 1) if takes_weights else n / (n - 1)
    return replicates.student(value, float(got.std(ddof=1)) * short**0.5, n)
