"""The usual metrics of performance, each with its interval, and what a trivial answer reaches."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from trustcheck.stats import confusion, intervals, ranks
from trustcheck.types import Better, Estimate

if TYPE_CHECKING:
    from trustcheck.stats.counts import CountTable
    from trustcheck.subject import Subject

#: Probabilities are kept this far from 0 where their logarithm is taken.
EDGE = 1e-15


def of_labels(
    subject: Subject, table: CountTable, hits: np.ndarray, sizes: np.ndarray
) -> dict[str, Estimate]:
    """Metrics of predicted classes; `hits` of `sizes` (effective) rows of each class are right."""
    k, present = len(subject.classes), sizes > 0
    share: dict[str, Any] = {"range": (0.0, 1.0), "n": subject.n}
    recall = intervals.wilson(hits[present], sizes[present])
    weight = np.full(int(present.sum()), 1 / present.sum())
    metrics = {
        "balanced_accuracy": Estimate(
            *intervals.mover_sum(*recall, weights=weight), unit="mean recall over classes", **share
        )
    }
    if subject.task == "binary":
        metrics |= _of_positive(subject, table, share)
    labels = subject.truth, subject.predictions, k
    rows: dict[str, Any] = {"weights": subject.weights, "clusters": subject.clusters}
    if subject.task == "multiclass":
        mean = confusion.of_table(confusion.macro_f1, *labels, **rows)
        metrics["f1"] = Estimate(*mean, unit="mean over classes of F1", **share)
    for name, statistic in (("matthews", confusion.matthews), ("kappa", confusion.kappa)):
        found = confusion.of_table(statistic, *labels, **rows)
        metrics[name] = Estimate(
            *found, n=subject.n, unit="0 = ignores the inputs, 1 = always right", range=(-1.0, 1.0)
        )
    return metrics


def _of_positive(subject: Subject, table: CountTable, share: dict[str, Any]) -> dict[str, Estimate]:
    true, guessed = np.zeros((2, 2, 2), dtype=bool)
    true[subject.positive_code] = guessed[:, subject.positive_code] = True
    asked = {
        "precision": (true & guessed, guessed, f"share of rows predicted {subject.positive}"),
        "recall": (true & guessed, true, f"share of rows that are {subject.positive}"),
        "specificity": (~true & ~guessed, ~true, f"share of rows that are not {subject.positive}"),
        "f1": (true & guessed, true | guessed, "harmonic mean of precision and recall"),
    }
    metrics = {}
    for name, (right, among, unit) in asked.items():
        (hit,), (size,) = table.share(right, among)
        if size > 0:
            got = confusion.f1(hit, size) if name == "f1" else intervals.wilson(hit, size)
            value, low, high = map(float, got)
            metrics[name] = Estimate(value, low, high, unit=unit, **share)
    return metrics


def of_scores(subject: Subject) -> dict[str, Estimate]:
    """Metrics of probabilities."""
    scores, truth = subject.scores, subject.truth
    rows: dict[str, Any] = {"weights": subject.weights, "clusters": subject.clusters}
    squared = ((scores - np.eye(scores.shape[1])[truth]) ** 2).sum(axis=1)
    metrics = {
        "brier": Estimate(
            *intervals.bounded_mean(squared / 2, **rows),
            n=subject.n,
            unit="mean squared error of the probability, 0 is best",
            range=(0.0, 1.0),
            better=Better.LOW,
        )
    }
    surprise = intervals.mean(
        -np.log(np.maximum(scores[np.arange(subject.n), truth], EDGE)), **rows
    )
    if np.isfinite(surprise.low):
        metrics["log_loss"] = _positive_mean(
            surprise, subject.n, "mean of - log(probability of the true class), 0 is best"
        )
    # Rank statistics have no weighted or clustered interval here: left out rather than wrong.
    if subject.task == "binary" and not (subject.has_weights or subject.has_clusters):
        score, positive = scores[:, subject.positive_code], truth == subject.positive_code
        metrics["auc"] = Estimate(
            *ranks.auc_interval(score[positive], score[~positive]),
            n=subject.n,
            unit="chance that a positive row scores above a negative one",
            range=(0.0, 1.0),
        )
        metrics["average_precision"] = Estimate(
            *confusion.average_precision(score, positive),
            n=subject.n,
            unit="area under the precision-recall curve",
            range=(0.0, 1.0),
        )
    return metrics


def of_errors(subject: Subject) -> dict[str, Estimate]:
    """Metrics of predicted numbers."""
    error = subject.predictions - subject.truth
    rows: dict[str, Any] = {"weights": subject.weights, "clusters": subject.clusters}
    squared = intervals.mean(error**2, **rows)
    root = np.maximum(squared, 0.0) ** 0.5
    signed = intervals.mean(error, **rows)
    metrics = {
        "mae": _positive_mean(
            intervals.mean(np.abs(error), **rows),
            subject.n,
            "mean absolute error, in units of the label",
        ),
        "rmse": _positive_mean(
            intervals.Interval(*root.tolist()),
            subject.n,
            "root of the mean squared error, in units of the label",
        ),
        "bias": Estimate(
            *signed,
            n=subject.n,
            unit="mean of prediction less truth, in units of the label; 0 is ideal",
            better=Better.LOW,
        ),
    }
    if not (subject.has_weights or subject.has_clusters):
        metrics["median_error"] = _positive_mean(
            intervals.median(np.abs(error)),
            subject.n,
            "median absolute error, in units of the label",
        )
    return metrics


def trivial(subject: Subject) -> str:
    """Say what answers reach that ignore the inputs: the commonest class, and the base rates."""
    share = np.bincount(subject.truth, subject.weights, len(subject.classes))
    share = share / share.sum()
    base = share[share > 0]
    said = (
        f"An answer that ignores the inputs reaches: accuracy {share.max():.3g} (always"
        f" {subject.classes[int(share.argmax())]!s}), balanced accuracy {1 / len(base):.3g}"
    )
    if "scores" in subject.offers():
        said += f", Brier score {(1 - base @ base) / 2:.3g}, log loss {-(base @ np.log(base)):.3g}"
    if subject.task == "binary" and "scores" in subject.offers():
        said += f", AUC 0.5, average precision {share[subject.positive_code]:.3g}"
    return said + "."


def _positive_mean(found: intervals.Interval, n: int, unit: str) -> Estimate:
    return Estimate(
        found.value,
        max(float(found.low), 0.0),
        found.high,
        n=n,
        unit=unit,
        range=(0.0, None),
        better=Better.LOW,
    )
