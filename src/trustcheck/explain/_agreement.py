"""Do two methods of explanation name the same features?"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from trustcheck.explain._attribute import explain, occlude
from trustcheck.explain._explained import FACTS, HOW, Explained, beyond_chance, explained
from trustcheck.probe import probe
from trustcheck.stats import agreement as alike
from trustcheck.stats import intervals
from trustcheck.types import Estimate, Measurement, NotMeasurable

if TYPE_CHECKING:
    from trustcheck.subject import Subject

#: Rows sent per given row, beside the explanations all probes share, and the most ever sent.
BUDGET, MOST_SENT = 1.0, 15_000
#: Fewest and most donors of a row, and the rows aimed at before more donors are taken.
_DONORS, _ROWS = (2, 10), 20
_UNIT = "share of attribution given to the same feature with the same sign, beyond chance"
_TOP = 3


@probe(
    title="Agreement of explanations",
    question="Do two methods of explanation name the same features?",
    headline="agreement",
    unit=_UNIT,
    cost="at most 1 row per given row (15,000), beside the explanations all probes share: 4",
    **FACTS,
)
def agreement(subject: Subject, rng: np.random.Generator, *, method: str = "auto") -> Measurement:
    """Compare Shapley values with what replacing one feature at a time says.

    The disagreement problem (Krishna et al. 2022). The first method credits a feature with its
    mean part in all orders, the second (occlusion) with what is lost when it alone is replaced.
    They part where features stand in for each other or only work together: there no list of
    single features tells the whole story.

    Parameters
    ----------
    subject : Subject
        With a model and at least two features.
    method : {"auto", "tree", "linear", "sampling"}
        The first method; ``auto`` reads trees and linear models, and asks any other model.

    Returns
    -------
    Finding
        Headline ``agreement``: 1 if both spread their weight alike, 0 if no more alike than with
        the features shuffled. ``top_features``: mean share of the three largest that both name.
        One detail row per feature: its share of the absolute attribution by either method.

    Examples
    --------
    >>> import numpy as np, trustcheck as tc
    >>> from sklearn.linear_model import LinearRegression
    >>> X = np.random.default_rng(0).normal(size=(300, 4))
    >>> model = LinearRegression().fit(X, X @ [3.0, -1.0, 0.5, 0.0])
    >>> agreement(tc.Subject(model, X, task="regression")).value > 0.9
    True
    """
    if len(subject.features) < 2:
        raise NotMeasurable("the model reads one feature, on which all methods agree")
    about, second = _second(explained(subject, method=method), rng)
    one = about.values
    miss, chance = alike.shared_weight(one, second)
    if about.options["weights"] @ chance <= 0:
        raise NotMeasurable("neither method names a feature that changes the model's output")
    headline, evidence = beyond_chance(miss, chance, about, _UNIT, None)
    k = min(_TOP, len(subject.features) - 1)
    common = intervals.bounded_mean(alike.top_shared(one, second, k), **about.options)
    unit = f"share of the {k} largest features of a row that both methods name"
    notes = (
        about.note,
        f"Compared with {HOW['occlusion']}, on {len(one)} of these rows.",
    )
    return Measurement(
        {
            "agreement": headline,
            "top_features": Estimate(*common, n=len(one), unit=unit, range=(0.0, 1.0)),
        },
        rows=_both(about, second),
        notes=notes,
        picture="bars",
        **evidence,
    )


def _second(about: Explained, rng: np.random.Generator) -> tuple[Explained, np.ndarray]:
    """Return the rows both methods explain, and their explanation by occlusion.

    Both use the same donors, so that only the methods differ.
    """
    subject, swap, recipe = about.swap.subject, about.swap, about.recipe
    if recipe.method == "occlusion":
        raise NotMeasurable(
            "the budget allows one method only, replacing one feature at a time; raise budget="
        )
    budget = min(subject.allowance(BUDGET), MOST_SENT)
    if recipe.donors is None:  # read off the model, against any donors
        donors = min(int(np.clip(budget // (_ROWS * swap.d), *_DONORS)), swap.most_donors)
    else:
        donors = recipe.donors.shape[1]
    count = min(len(swap.rows), budget // (donors * swap.d))
    if count < 2:
        raise NotMeasurable(
            f"two rows take {2 * donors * swap.d} rows sent to the model, but the budget is"
            f" {budget}; give more rows or raise budget="
        )
    about = about.head(count)
    if recipe.donors is not None:
        same = occlude(recipe.swap.head(count), recipe.donors[:count])
        return about.by(replace(about.found, values=about.halves[0])), same.values
    few = about.swap.part(slice(0, donors))
    if swap.own:  # a row is no donor of itself
        others = ~np.isin(few.rows, few.donors)
        about, few = about.only(others), few.only(others)
    read = explain(few, rng, method=recipe.method, budget=0)
    return about.by(read), occlude(few, few.pair(donors, rng)).values


def _both(about: Explained, second: np.ndarray) -> tuple[dict[str, Any], ...]:
    weights = about.options["weights"]
    sizes = [weights @ np.abs(values) for values in (about.values, second)]
    first, other = (size / (size.sum() or 1.0) for size in sizes)
    rows = [
        {"feature": name, "share": float(a), "share_by_occlusion": float(b)}
        for name, a, b in zip(about.swap.subject.features, first, other, strict=True)
    ]
    return tuple(sorted(rows, key=lambda row: (-row["share"], row["feature"])))
