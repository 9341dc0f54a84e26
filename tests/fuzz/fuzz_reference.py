"""Slow and obvious: what the pages of the probes say, in plain loops. Nothing of trustcheck here.

Every function returns the headline, or None where the question has no answer.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Hashable, Sequence
from itertools import combinations
from typing import Any

import numpy as np

Rows = Sequence[Any]


def share(
    rows: Sequence[int], weights: Sequence[float], hit: Callable[[int], bool]
) -> float | None:
    """Return the weighted share of rows that are hit; None if no row weighs anything."""
    total = math.fsum(weights[i] for i in rows)
    return math.fsum(weights[i] for i in rows if hit(i)) / total if total > 0 else None


def largest_gap(
    groups: Rows,
    weights: Sequence[float],
    events: Sequence[tuple[Callable[[int], bool], Callable[[int], bool]]],
) -> float | None:
    """Return the largest difference of shares between two groups, over events (hit, counted)."""
    found = []
    for hit, counted in events:
        rates = []
        for group in set(groups):
            rows = [i for i in range(len(groups)) if groups[i] == group and counted(i)]
            rate = share(rows, weights, hit)
            if rate is not None:
                rates.append(rate)
        found += [abs(one - other) for one, other in combinations(rates, 2)]
    return max(found) if found else None


def favourable(classes: Rows) -> Rows:
    """Return the classes that may be the favourable one: the larger of two, else each."""
    return [max(classes)] if len(classes) == 2 else classes


def anywhere(_: int) -> bool:
    return True


def demographic_parity(
    groups: Rows, predictions: Rows, classes: Rows, weights: Sequence[float]
) -> float | None:
    if not classes:
        return _above_deciles(groups, predictions, weights)
    events = [(lambda i, c=c: predictions[i] == c, anywhere) for c in favourable(classes)]
    return largest_gap(groups, weights, events)


def _above_deciles(groups: Rows, predictions: Rows, weights: Sequence[float]) -> float | None:
    edges = set(np.quantile(predictions, np.linspace(0.1, 0.9, 9)).tolist())
    events = [(lambda i, e=e: predictions[i] > e, anywhere) for e in edges if max(predictions) > e]
    return largest_gap(groups, weights, events)


def equal_opportunity(
    groups: Rows, truth: Rows, predictions: Rows, classes: Rows, weights: Sequence[float]
) -> float | None:
    return largest_gap(groups, weights, _recalls(truth, predictions, classes))


def predictive_equality(
    groups: Rows, truth: Rows, predictions: Rows, classes: Rows, weights: Sequence[float]
) -> float | None:
    return largest_gap(groups, weights, _false_alarms(truth, predictions, classes))


def equalized_odds(
    groups: Rows, truth: Rows, predictions: Rows, classes: Rows, weights: Sequence[float]
) -> float | None:
    events = _recalls(truth, predictions, classes) + _false_alarms(truth, predictions, classes)
    return largest_gap(groups, weights, events)


def predictive_parity(
    groups: Rows, truth: Rows, predictions: Rows, classes: Rows, weights: Sequence[float]
) -> float | None:
    events = [
        (lambda i, c=c: truth[i] == c, lambda i, c=c: predictions[i] == c)
        for c in favourable(classes)
    ]
    return largest_gap(groups, weights, events)


def negative_predictive_parity(
    groups: Rows, truth: Rows, predictions: Rows, classes: Rows, weights: Sequence[float]
) -> float | None:
    events = [
        (lambda i, c=c: truth[i] != c, lambda i, c=c: predictions[i] != c)
        for c in favourable(classes)
    ]
    return largest_gap(groups, weights, events)


def accuracy_parity(
    groups: Rows, truth: Rows, predictions: Rows, classes: Rows, weights: Sequence[float]
) -> float | None:
    return largest_gap(groups, weights, [(lambda i: truth[i] == predictions[i], anywhere)])


def _recalls(truth: Rows, predictions: Rows, classes: Rows) -> list[Any]:
    return [
        (lambda i, c=c: predictions[i] == c, lambda i, c=c: truth[i] == c)
        for c in favourable(classes)
    ]


def _false_alarms(truth: Rows, predictions: Rows, classes: Rows) -> list[Any]:
    return [
        (lambda i, c=c: predictions[i] == c, lambda i, c=c: truth[i] != c)
        for c in favourable(classes)
    ]


def mean(values: Sequence[float], weights: Sequence[float]) -> float:
    return math.fsum(v * w for v, w in zip(values, weights, strict=True)) / math.fsum(weights)


def balanced_skill(truth: Rows, predictions: Rows, weights: Sequence[float]) -> float | None:
    """Return the mean recall of the classes that occur, rescaled so that chance is 0."""
    recalls = []
    for label in set(truth):
        rows = [i for i in range(len(truth)) if truth[i] == label]
        recall = share(rows, weights, lambda i: predictions[i] == truth[i])
        if recall is not None:
            recalls.append(recall)
    k = len(recalls)
    if k < 2:
        return None
    return (sum(recalls) / k - 1 / k) / (1 - 1 / k)


def accuracy(truth: Rows, predictions: Rows, weights: Sequence[float]) -> float:
    return mean([float(t == p) for t, p in zip(truth, predictions, strict=True)], weights)


def brier(truth: Rows, chances: Rows, classes: Rows, weights: Sequence[float]) -> float:
    losses = [
        math.fsum((p - (label == c)) ** 2 for p, c in zip(row, classes, strict=True)) / 2
        for row, label in zip(chances, truth, strict=True)
    ]
    return mean(losses, weights)


def auc(truth: Rows, chances: Rows, classes: Rows) -> float:
    """Return the share of pairs in the right order, ties counting half."""
    at = classes.index(max(classes))
    above = [row[at] for row, label in zip(chances, truth, strict=True) if label == classes[at]]
    below = [row[at] for row, label in zip(chances, truth, strict=True) if label != classes[at]]
    return won(above, below)


def won(above: Sequence[float], below: Sequence[float]) -> float:
    """Return the share of pairs in which the first is larger, ties counting half."""
    pairs = [1.0 if a > b else 0.5 if a == b else 0.0 for a in above for b in below]
    return sum(pairs) / len(pairs)


def cross_auc(groups: Rows, truth: Rows, chances: Rows, classes: Rows) -> float | None:
    """Return the largest difference between one group's AUC over another, and the reverse."""
    at = classes.index(max(classes))
    sides = []
    for group in set(groups):
        rows = [i for i in range(len(groups)) if groups[i] == group]
        up = [chances[i][at] for i in rows if truth[i] == classes[at]]
        down = [chances[i][at] for i in rows if truth[i] != classes[at]]
        if up and down:
            sides.append((up, down))
    found = [abs(won(a[0], b[1]) - won(b[0], a[1])) for a, b in combinations(sides, 2)]
    return max(found) if found else None


def failure_auc(truth: Rows, predictions: Rows, chances: Rows) -> float | None:
    """Return the chance that a wrong answer is stated with less confidence than a right one."""
    sure = [max(row) for row in chances]
    right = [s for s, t, p in zip(sure, truth, predictions, strict=True) if t == p]
    wrong = [s for s, t, p in zip(sure, truth, predictions, strict=True) if t != p]
    return won(right, wrong) if right and wrong else None


def squared_skill(
    truth: Rows, predictions: Rows, weights: Sequence[float], reference_truth: Rows | None
) -> float | None:
    if reference_truth is None:
        constant = mean(truth, weights)
    else:
        constant = mean(reference_truth, [1.0] * len(reference_truth))
    trivial = mean([(t - constant) ** 2 for t in truth], weights)
    furthest = max(abs(t - constant) for t, w in zip(truth, weights, strict=True) if w > 0)
    if furthest <= 2**-49 * max(map(abs, truth)):  # rounding of the mean, no spread
        return None
    return (
        1 - mean([(t - p) ** 2 for t, p in zip(truth, predictions, strict=True)], weights) / trivial
    )


def mae(truth: Rows, predictions: Rows, weights: Sequence[float]) -> float:
    return mean([abs(t - p) for t, p in zip(truth, predictions, strict=True)], weights)


def relative_cost(
    truth: Rows,
    predictions: Rows,
    weights: Sequence[float],
    classes: Rows,
    costs: dict[Any, float],
    reference_truth: Rows | None,
) -> float | None:
    """Return the cost of the decisions over that of the best constant one."""
    labels = truth if reference_truth is None else reference_truth
    counted = weights if reference_truth is None else [1.0] * len(labels)
    constant = min(classes, key=lambda c: mean([costs.get((t, c), 0.0) for t in labels], counted))
    trivial = mean([costs.get((t, constant), 0.0) for t in truth], weights)
    if trivial == 0:
        return None
    return (
        mean([costs.get(pair, 0.0) for pair in zip(truth, predictions, strict=True)], weights)
        / trivial
    )


def kolmogorov_smirnov(before: Sequence[float], now: Sequence[float]) -> float:
    """Return the largest difference of the shares at or below any value."""
    return max(
        abs(sum(v <= cut for v in before) / len(before) - sum(v <= cut for v in now) / len(now))
        for cut in {*before, *now}
    )


def total_variation(before: Sequence[Hashable], now: Sequence[Hashable]) -> float:
    one, other = Counter(before), Counter(now)
    return (
        sum(abs(one[level] / len(before) - other[level] / len(now)) for level in {*one, *other}) / 2
    )


def share_below(rows: Sequence[Hashable], k: int) -> float:
    """Return the share of rows whose combination fewer than k rows hold."""
    size = Counter(rows)
    return sum(size[row] < k for row in rows) / len(rows)
