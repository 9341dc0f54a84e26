"""Does the decision change when nothing but the sensitive attribute does?"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from trustcheck.fairness._gap import By
from trustcheck.probe import Want, probe
from trustcheck.stats import intervals
from trustcheck.subject._schema import robust_scale
from trustcheck.types import Estimate, Measurement, NotMeasurable, Row

if TYPE_CHECKING:
    from trustcheck.subject import Subject

#: Rows sent per given row by all its runs: one per sensitive column, and their intersection.
BUDGET = 1.0
#: A regression's answer is another one if it moves by more than this share of its spread.
MOVED = 0.1


def _wants(subject: Subject, **_params: Any) -> Iterator[Want]:
    yield Want("predictions")
    if "scores" in subject.offers():
        yield Want("scores")


@probe(
    title="Attribute flips",
    question="Does the decision change when nothing but the sensitive attribute is changed?",
    headline="flips",
    unit="share of decisions that change",
    better="low",
    keys=("accountability.bias_detection", "accountability.fairness_auditing"),
    clauses=("8.4", "9.5"),
    needs=("groups", "features", "model"),
    wants=_wants,
    cost="at most 1 row per given row, shared by the sensitive columns and their intersection",
    weights=True,
    clusters=True,
)
def flips(subject: Subject, rng: np.random.Generator, *, by: By = None) -> Measurement:
    """Measure how many decisions change when only the sensitive attribute is changed.

    Each row gets the sensitive columns of a random row of another group, all else equal. This
    is attribute sensitivity, not counterfactual fairness in the sense of Kusner et al. (2017):
    what would follow from another sex or origin in the world (another job, another income) does
    not follow here. A model that does not read the column is not measured rather than given a
    perfect 0: other columns may stand in for it (see ``fairness.proxies``).

    Parameters
    ----------
    subject : Subject
        With a model that reads the sensitive column.
    by : str or list of str
        Sensitive column; a list changes those of them that the model reads, together. The only
        one unless given.

    Returns
    -------
    Finding
        Headline ``flips``, 0 to 1: decisions that change (for regression: predictions that move
        by more than a tenth of their robust spread). ``shift``: mean total variation distance of
        the probabilities (binary: mean change of the score), or mean move in robust spreads. One
        detail row per pair of groups, from and to.

    Examples
    --------
    >>> import pandas as pd, trustcheck as tc
    >>> X = pd.DataFrame({"sex": ["f", "m"] * 50, "age": [30] * 50 + [60] * 50})
    >>> model = lambda frame: ((frame["sex"] == "m") & (frame["age"] > 40)).astype(int)
    >>> flips(tc.Subject(model, X, model(X), sensitive=["sex"])).value
    0.5
    """
    asked = subject.groups(by or ())
    read = [name for name in asked.by if name in subject.features]
    if not read:
        raise NotMeasurable(
            f"the model reads no column named {' or '.join(asked.by)}, so changing it can change"
            " nothing; whether other columns stand in for it is what fairness.proxies asks"
        )
    known = subject.X[read].notna().all(axis=1).to_numpy()
    both = "scores" in subject.offers()
    asked_for = len(subject.sensitive) + (len(subject.sensitive) > 1)
    size = subject.allowance(BUDGET / asked_for) // (1 + both)
    rows = subject.sample(subject.n, rng)
    rows = rows[known[rows]]
    groups = subject.groups(read)
    codes = groups.codes[rows]
    if size < 1 or len(np.unique(codes)) < 2:
        raise NotMeasurable(
            "the budget allows no row to be sent; raise budget="
            if size < 1
            else f"all rows belong to one group of {' and '.join(read)}; a change needs two"
        )
    # Donors are drawn among the rows of all other groups, so that names decide nothing.
    draws = rng.random(len(rows))[:size]
    donors = np.empty(len(draws), dtype=np.int64)
    for code in np.unique(codes[:size]):
        own = codes[:size] == code
        others = rows[codes != code]
        donors[own] = others[(draws[own] * len(others)).astype(int)]
    rows = rows[:size]
    frame = subject.X.iloc[rows].reset_index(drop=True)
    for name in read:
        frame[name] = subject.X[name].iloc[donors].reset_index(drop=True)
    before, after = subject.predictions[rows], subject.predict(frame)
    moves = (after - before).astype(float)
    shift, unit = None, "mean change of probability (total variation)"
    if subject.task == "regression":
        moves /= robust_scale(subject.predictions)
        changed = np.abs(moves) > MOVED
        shift, unit = np.abs(moves), "mean move, in robust spreads of the predictions"
    else:
        changed = after != before
    if both:
        shift = np.abs(subject.predict_proba(frame) - subject.scores[rows]).sum(axis=1) / 2
    weights, clusters = (
        None if given is None else given[rows] for given in (subject.weights, subject.clusters)
    )
    given: dict[str, Any] = {"weights": weights, "clusters": clusters}
    values = changed.astype(float)
    share = intervals.bounded_mean(values, **given)
    metrics = {
        "flips": Estimate(*share, len(rows), "share of decisions that change", range=(0.0, 1.0))
    }
    if shift is not None:
        if both:
            mean = intervals.bounded_mean(np.minimum(shift, 1.0), **given)
        else:
            mean = intervals.mean(shift, **given)
        low = max(mean.low, 0.0)
        if np.isfinite([low, mean.high]).all():
            ends = (0.0, 1.0 if both else None)
            metrics["shift"] = Estimate(mean.value, low, mean.high, len(rows), unit, range=ends)
    notes = ["Attribute sensitivity: one column changes, what it stands for in life does not."]
    if left := [name for name in asked.by if name not in read]:
        notes.append(f"The model does not read {', '.join(left)}: only {', '.join(read)} changed.")
    if not known.all():
        notes.append(f"{(~known).sum()} rows without a known group were left out.")
    plain = weights is None and clusters is None
    return Measurement(
        metrics,
        rows=_rows(groups.names, codes[:size], groups.codes[donors], changed),
        statistics={"successes": int(changed.sum()), "n": len(rows)} if plain else {},
        formula="intervals.wilson" if plain else None,
        notes=tuple(notes),
        picture="intervals",
        influence=mean_influence(subject, rows, values - share.value),
    )


def _rows(
    names: tuple[str, ...], start: np.ndarray, end: np.ndarray, changed: np.ndarray
) -> tuple[Row, ...]:
    rows: list[Row] = []
    for g, h in np.unique(np.column_stack([start, end]), axis=0):
        there = (start == g) & (end == h)
        count = int(changed[there].sum())
        rate = intervals.wilson(count, int(there.sum()))
        row: dict[str, str | int | float | None] = {"group": f"{names[g]} to {names[h]}"}
        row |= {"n": int(there.sum()), "count": count}
        row |= {"rate": float(rate.value), "low": float(rate.low), "high": float(rate.high)}
        rows.append(row)
    return tuple(rows)


def mean_influence(subject: Subject, rows: np.ndarray, away: np.ndarray) -> np.ndarray:
    """Return each given row's influence on a mean over some rows, ``away`` from it."""
    weight = np.ones(subject.n) if subject.weights is None else subject.weights
    out = np.zeros(subject.n)
    out[rows] = away * weight.sum() / weight[rows].sum()
    return out
