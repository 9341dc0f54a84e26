# ruff: noqa: PD011 - the values of attributions are an array
"""The rows explained and what each feature adds on them: done once, shared by the probes."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from trustcheck.explain._attribute import explain
from trustcheck.explain._swap import Attributions, Swap
from trustcheck.probe import Want
from trustcheck.stats import agreement, intervals
from trustcheck.types import Estimate, InputError, NotMeasurable

if TYPE_CHECKING:
    import pandas as pd

    from trustcheck.stats.intervals import Interval
    from trustcheck.subject import Subject

#: Rows sent per given row and the most ever sent, for the explanations all probes share.
BUDGET, MOST_SENT, MOST_ROWS = 4.0, 30_000, 200
#: Where the model is asked: pairs of orders a row and half below which fewer rows are explained,
#: down to so many rows, and rows below which features are occluded instead.
_PAIRS, _FEW_ROWS, _FEWEST = 2, 20, 10
HOW = {
    "tree": "attributions read off its trees (interventional TreeSHAP)",
    "linear": "its weights times the distance from the mean donor",
    "sampling": "sampled Shapley values",
    "occlusion": "occlusion, one feature at a time",
}


@dataclass(frozen=True)
class Recipe:
    """How an explanation was made: rows and donors, random numbers, budget; donors of each row."""

    swap: Swap
    seed: int
    method: str
    budget: int
    donors: np.ndarray | None

    def make(self) -> Attributions:
        """Explain all rows of the swap."""
        rng = np.random.default_rng(self.seed)
        return explain(
            self.swap, rng, method=self.method, budget=self.budget, asked_rows=len(self.swap.rows)
        )

    def of(self, frame: pd.DataFrame, value: np.ndarray) -> np.ndarray:
        """Explain changed copies of the rows with the same donors and random numbers."""
        return replace(self, swap=self.swap.moved(frame, value)).make().values


@dataclass(frozen=True)
class Explained:
    """Explanations of some rows, made twice with different donors.

    Parameters
    ----------
    swap : Swap
        The rows explained, with all donors.
    found : Attributions
        The mean of both.
    halves : pair of arrays, each of shape (r, d)
        The two, apart.
    recipe : Recipe
        How the first of them was made.
    """

    swap: Swap
    found: Attributions
    halves: tuple[np.ndarray, np.ndarray]
    recipe: Recipe

    @property
    def values(self) -> np.ndarray:
        """What each feature adds on each row, shape (r, d)."""
        return self.found.values

    @property
    def options(self) -> dict[str, Any]:
        """Weights and clusters of the rows explained, as functions of `stats` take them."""
        subject, rows = self.swap.subject, self.swap.rows
        weights = np.ones(len(rows)) if subject.weights is None else subject.weights[rows]
        options: dict[str, Any] = {"weights": weights}
        if subject.clusters is not None:
            options["clusters"] = subject.clusters[rows]
        return options

    @property
    def note(self) -> str:
        """What is explained, and how."""
        return (
            f"Explained is the {self.found.output}, by {HOW[self.found.method]}, on the columns"
            f" as given; {len(self.values)} of {self.swap.subject.n} given rows."
        )

    def on(self, subject: Subject) -> Explained:
        """Return the same for this view of the subject, on whose meter further rows count."""
        recipe = replace(self.recipe, swap=replace(self.recipe.swap, subject=subject))
        return replace(self, swap=replace(self.swap, subject=subject), recipe=recipe)

    def by(self, found: Attributions) -> Explained:
        """Return the same rows with other attributions."""
        return replace(self, found=found)

    def head(self, count: int) -> Explained:
        """Return the same for the first ``count`` rows at most."""
        return self.only(np.arange(len(self.values)) < count)

    def only(self, kept: np.ndarray) -> Explained:
        """Return the same for some of the rows."""
        old = self.found
        base, rebuilt = (None if a is None else a[kept] for a in (old.base, old.rebuilt))
        found = replace(old, values=old.values[kept], base=base, rebuilt=rebuilt)
        halves = (self.halves[0][kept], self.halves[1][kept])
        return replace(self, swap=self.swap.only(kept), found=found, halves=halves)


def wants(subject: Subject, **_: Any) -> Iterable[Want]:
    """Ask for the answers an explanation starts from."""
    yield Want("predictions")
    if "scores" in subject.offers():
        yield Want("scores")


#: What all probes of explanations have in common.
FACTS: dict[str, Any] = {
    "better": "high",
    "keys": ("transparency.clarity",),
    "clauses": ("9.3", "8.6"),
    "needs": ("features", "model"),
    "wants": wants,
    "weights": True,
    "clusters": True,
}


def explained(subject: Subject, *, method: str = "auto", rows: int = MOST_ROWS) -> Explained:
    """Explain up to ``rows`` rows (at least 2), or return the explanations another probe made.

    Raises
    ------
    NotMeasurable
        If fewer than two rows can be explained.
    """
    if rows < 2:
        raise InputError(f"rows must be at least 2, not {rows}")
    most = max(rows, MOST_ROWS)
    found = subject.shared(
        f"explain: {most} rows, {method}",
        lambda asked, rng: _explain(asked, rng, method=method, rows=most),
    )
    if len(found.values) < 2:
        raise NotMeasurable(
            "fewer than two rows can be explained within the budget; give more rows or raise"
            " budget="
        )
    return found.on(subject).head(rows)


def _explain(subject: Subject, rng: np.random.Generator, *, method: str, rows: int) -> Explained:
    swap = Swap.draw(subject, subject.sample(rows, rng), rng)
    half = min(subject.allowance(BUDGET), MOST_SENT) // 2
    pair = 2 * swap.d - 1
    # The cost of a row counts the row itself: whoever explains a changed copy has to ask for it.
    cost = 1 + (pair if half >= _FEWEST * (1 + pair) or method == "sampling" else swap.d)
    asked = max(half // (1 + _PAIRS * pair), min(half // cost, _FEW_ROWS), 1)
    # Each half has donors of its own, unless there are too few to share out.
    steps = (slice(0, None, 2), slice(1, None, 2)) if len(swap.donors) >= 4 else (slice(None),) * 2
    seeds, budget = rng.integers(2**31, size=2).tolist(), max(half - asked, 0)
    one, two = (
        explain(
            swap.part(step), np.random.default_rng(seed),
            method=method, budget=budget, asked_rows=asked,
        )
        for step, seed in zip(steps, seeds, strict=True)
    )  # fmt: skip
    if one.method != two.method:  # what can be read with some donors only is not believed
        raise NotMeasurable("its explanation changes in kind with the donors; name a method=")
    values = (one.values + two.values) / 2
    additive = one.base is not None and two.base is not None
    notes = (*one.notes, "All this twice, with other donors, and averaged.")
    found = Attributions(
        values,
        _mean(one.base, two.base),
        _mean(one.rebuilt, two.rebuilt) if additive else None,
        one.method,
        one.output,
        one.rows_sent + two.rows_sent,
        notes if one.rows_sent else one.notes,
    )
    swap = swap.head(len(values))
    recipe = Recipe(swap.part(steps[0]), seeds[0], one.method, budget, one.donors)
    return Explained(swap, found, (one.values, two.values), recipe)


def _mean(one: np.ndarray | None, two: np.ndarray | None) -> np.ndarray | None:
    return None if one is None or two is None else (one + two) / 2


def shares(about: Explained) -> tuple[dict[str, Any], ...]:
    """Return each feature's share of the mean absolute attribution, largest first."""
    size = np.abs(about.values)
    whole = size.sum(axis=1)
    if about.options["weights"] @ whole == 0:
        return ()
    rows = []
    for name, column in zip(about.swap.subject.features, size.T, strict=True):
        got = intervals.ratio_of_means(column, whole, **about.options)
        low, high = np.clip([got.low, got.high], 0.0, 1.0)
        rows.append(
            {"feature": name, "share": float(got.value), "low": float(low), "high": float(high)}
        )
    return tuple(sorted(rows, key=lambda row: (-row["share"], row["feature"])))


def beyond_chance(
    miss: np.ndarray, chance: np.ndarray, about: Explained, unit: str, least: float | None
) -> tuple[Estimate, dict[str, Any]]:
    """Return 1 - mean miss / mean chance miss, and what a probe hands on of it.

    Raises
    ------
    NotMeasurable
        If the rows cannot say how sure the number is.
    """
    options = about.options
    got: Interval = agreement.beyond_chance(miss, chance, least=least, **options)
    if not np.isfinite([got.low, got.high]).all():
        raise NotMeasurable(
            "all rows explained count as one (their cluster, or their weights), which leaves no"
            " way to tell how sure the number is; give more rows"
        )
    influence = np.zeros(about.swap.subject.n)
    terms = options["weights"] * ((1 - got.value) * chance - miss)
    influence[about.swap.rows] = terms
    evidence = {
        "statistics": {
            "miss": miss.tolist(),
            "chance": chance.tolist(),
            "least": least,
            **{name: option.tolist() for name, option in options.items()},
        },
        "formula": "agreement.beyond_chance",
        "influence": influence,
    }
    return Estimate(*got, n=len(miss), unit=unit, range=(least, 1.0)), evidence
