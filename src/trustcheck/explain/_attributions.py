"""What moves the model's answers, column by column; and is it known well enough to be shown?"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import stats as distributions

from trustcheck.explain._explained import FACTS, Explained, beyond_chance, explained, shares
from trustcheck.probe import probe
from trustcheck.stats import agreement, intervals
from trustcheck.subject._encode import encode
from trustcheck.types import Estimate, Measurement, NotMeasurable

if TYPE_CHECKING:
    from trustcheck.subject import Subject

_UNIT = "share of the attributions' variance between rows that is not due to the random draw"
#: Distance of base + attributions from the output, in units of its spread, that counts as none.
TOLERANCE = 1e-3
#: Rank correlation of value and attribution from which on a feature works in one direction.
_MONOTONE = 0.7


@probe(
    title="Attributions",
    question="What moves the model's answers, and is that known well enough to be shown?",
    headline="repeatability",
    unit=_UNIT,
    cost="at most 4 rows per given row (30,000), shared by all probes of explanations",
    **FACTS,
)
def attributions(
    subject: Subject, rng: np.random.Generator, *, method: str = "auto", rows: int = 200
) -> Measurement:
    """Attribute each row's output to the user's own columns, twice, and compare.

    Interventional Shapley values (Strumbelj & Kononenko 2014; Lundberg et al. 2020), read off
    trees and linear models and sampled for others, are computed against two separate sets of
    donor rows. The headline is the split-half reliability of their mean (Spearman 1910, Brown
    1910): what a second look with other donors and orders would repeat.

    Parameters
    ----------
    subject : Subject
        With a model and features; a reference, if given, provides the donors.
    method : {"auto", "tree", "linear", "sampling", "occlusion"}
        How to explain; ``auto`` reads trees and linear models, and asks any other model.
    rows : int
        Most rows to explain, at least 2.

    Returns
    -------
    Finding
        Headline ``repeatability``: 1 if the draw plays no part, 0 if it is all. ``adds_up``,
        where the method is additive: share of rows on which base + attributions give the model's
        output within 0.001 of its spread. One detail row per feature: share of the mean absolute
        attribution, its mean size, and the direction in which the feature works, if it has one.

    Examples
    --------
    >>> import numpy as np, trustcheck as tc
    >>> from sklearn.linear_model import LinearRegression
    >>> X = np.random.default_rng(0).normal(size=(300, 3))
    >>> model = LinearRegression().fit(X, X @ [3.0, -1.0, 0.0])
    >>> finding = attributions(tc.Subject(model, X, task="regression"))
    >>> finding.low > 0.9, [(row["feature"], row["direction"]) for row in finding.rows[:2]]
    (True, [('x0', 'up'), ('x1', 'down')])
    """
    del rng  # all that is drawn here is shared with the other probes
    about = explained(subject, method=method, rows=rows)
    weights = about.options["weights"]
    if not weights.any():
        raise NotMeasurable("every row explained has weight 0; raise rows= to explain more")
    miss, chance = agreement.repeatability(*about.halves, weights)
    if weights @ chance <= 0:
        raise NotMeasurable(
            "every row explained gets the same attributions, so the model does not tell them apart"
        )
    headline, evidence = beyond_chance(miss, chance, about, _UNIT, None)
    metrics = {"repeatability": headline}
    if about.found.rebuilt is not None:
        metrics["adds_up"] = _adds_up(about, about.found.rebuilt)
    return Measurement(
        metrics,
        rows=_importance(about),
        notes=(about.note, *about.found.notes),
        picture="bars",
        **evidence,
    )


def _adds_up(about: Explained, rebuilt: np.ndarray) -> Estimate:
    value = about.swap.value
    spread = 1.0 if about.swap.subject.task != "regression" else float(np.ptp(value))
    close = np.abs(rebuilt - value) <= TOLERANCE * spread + 1e-9
    share = intervals.bounded_mean(close.astype(float), **about.options)
    unit = "share of rows whose base + attributions give the model's output within 0.001"
    return Estimate(*share, n=len(value), unit=unit, range=(0.0, 1.0))


def _importance(about: Explained) -> tuple[dict[str, Any], ...]:
    """Return the shares, with each feature's mean absolute attribution and direction."""
    subject, values = about.swap.subject, about.values
    size = np.average(np.abs(values), axis=0, weights=about.options["weights"])
    numbers = encode(subject.X.iloc[about.swap.rows], subject.schema)
    column = dict(zip(numbers.names, numbers.matrix.T, strict=True))
    ordered = {n: not c for n, c in zip(numbers.names, numbers.categorical, strict=True)}
    # A classifier's attributions speak for the class predicted on the row: turn them to one class.
    side = np.ones(len(values))
    if subject.task == "binary":
        side = np.where(about.swap.code == subject.positive_code, 1.0, -1.0)
    known = subject.task != "multiclass"
    found = []
    for row in shares(about):
        name = row["feature"]
        j = subject.features.index(name)
        way = _direction(column[name], side * values[:, j]) if known and ordered.get(name) else None
        found.append({**row, "importance": float(size[j]), "direction": way})
    return tuple(found)


def _direction(column: np.ndarray, values: np.ndarray) -> str | None:
    """Return "up" or "down" where the attribution rises or falls with the feature, else None."""
    given = np.isfinite(column)
    if given.sum() < 3 or np.ptp(column[given]) == 0 or np.ptp(values[given]) == 0:
        return None
    rank = float(distributions.spearmanr(column[given], values[given]).statistic)
    return None if abs(rank) < _MONOTONE else "up" if rank > 0 else "down"
