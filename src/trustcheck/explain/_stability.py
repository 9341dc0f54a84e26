"""Do explanations stay the same when the row barely changes?"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from trustcheck.explain._explained import FACTS, beyond_chance, explained
from trustcheck.probe import probe
from trustcheck.stats import agreement
from trustcheck.subject._schema import as_numbers
from trustcheck.types import InputError, Measurement, NotMeasurable

if TYPE_CHECKING:
    import pandas as pd

    from trustcheck.subject import Subject

_UNIT = "intraclass correlation of attributions between a row and a copy with a little noise"
_LIKE = "the same correlation of the model's own output"


@probe(
    title="Stable explanations",
    question="Do explanations stay the same when the row barely changes?",
    headline="stability",
    unit=_UNIT,
    cost="at most 2 rows per given row (15,000), beside the explanations all probes share: 4",
    **FACTS,
)
def stability(
    subject: Subject, rng: np.random.Generator, *, epsilon: float = 0.1, method: str = "auto"
) -> Measurement:
    """Explain each row again after a little noise on its numbers, and compare.

    Local stability of explanations (Alvarez-Melis & Jaakkola 2018; Yeh et al. 2019) as an
    intraclass correlation (Fisher 1925). Both explanations use the same donors and the same
    random orders, so that only the row differs. Copies on which the predicted class changes are
    left out: their explanation should change.

    Parameters
    ----------
    subject : Subject
        With a model and numeric features.
    epsilon : float
        Size of the noise, above 0, in robust scales (IQR / 1.349) of each numeric feature.
    method : {"auto", "tree", "linear", "sampling", "occlusion"}
        How to explain; ``auto`` reads trees and linear models, and asks any other model.

    Returns
    -------
    Finding
        Headline ``stability``: 1 if attributions do not move, 0 if those of a row and its copy
        are as far apart as those of two different rows. ``output_stability``: the same for the
        model's output; where it is low too, it is the model that is unstable. One detail row
        per feature: the share of the squared movement that is its.

    Examples
    --------
    >>> import numpy as np, trustcheck as tc
    >>> from sklearn.linear_model import LinearRegression
    >>> X = np.random.default_rng(0).normal(size=(300, 3))
    >>> model = LinearRegression().fit(X, X @ [3.0, -1.0, 0.0])
    >>> stability(tc.Subject(model, X, task="regression")).low > 0.9
    True
    """
    if not (np.isfinite(epsilon) and epsilon > 0):
        raise InputError("epsilon must be a finite number above 0")
    about = explained(subject, method=method)
    swap = about.recipe.swap
    frame = subject.X.iloc[swap.rows].reset_index(drop=True)
    copies, moved = _nearby(frame, subject, epsilon, rng)
    if not moved:
        raise NotMeasurable("no feature is a number that noise can change")
    output = subject.output(copies)
    value = output[np.arange(len(copies)), swap.code]
    again = about.recipe.of(copies, value)
    kept = np.ones(len(copies), dtype=bool)
    if subject.task != "regression":
        kept = output.argmax(axis=1) == _answers(subject)[swap.rows].argmax(axis=1)
    if kept.sum() < 2:
        raise NotMeasurable("the predicted class changed on nearly all copies; lower epsilon=")
    about, one, two = about.only(kept), about.halves[0][kept], again[kept]
    weights = about.options["weights"]
    if not weights.any():
        raise NotMeasurable(
            "the rows that kept their predicted class weigh nothing; lower epsilon="
        )
    miss, chance = agreement.concordance(one, two, weights)
    if weights @ chance <= 0:
        raise NotMeasurable("every row explained gets the same attributions")
    headline, evidence = beyond_chance(miss, chance, about, _UNIT, -1.0)
    metrics = {"stability": headline}
    own = agreement.concordance(swap.value[kept, None], value[kept, None], weights)
    if weights @ own[1] > 0:
        metrics["output_stability"] = beyond_chance(*own, about, _LIKE, -1.0)[0]
    notes = [
        about.note,
        f"Numbers moved by {epsilon:g} robust scales: {', '.join(moved)}; all else stayed.",
    ]
    if lost := int((~kept).sum()):
        notes.append(
            f"Left out, as their copies got another predicted class: {lost} of {len(kept)} rows."
        )
    drift = np.average((one - two) ** 2, axis=0, weights=weights)
    rows: list[dict[str, Any]] = [
        {"feature": name, "share": float(part)}
        for name, part in zip(subject.features, drift / (drift.sum() or 1.0), strict=True)
    ]
    ranked = sorted(rows, key=lambda row: (-row["share"], row["feature"]))
    return Measurement(metrics, rows=tuple(ranked), notes=tuple(notes), picture="bars", **evidence)


def _answers(subject: Subject) -> np.ndarray:
    """Return the given rows' outputs, as `Subject.output` would."""
    if "scores" in subject.offers():
        return subject.scores
    return np.eye(len(subject.classes))[subject.predictions]


def _nearby(
    frame: pd.DataFrame, subject: Subject, epsilon: float, rng: np.random.Generator
) -> tuple[pd.DataFrame, list[str]]:
    """Return copies with a little noise on every number that may change, and which those are."""
    copies, moved = frame.copy(deep=False), []
    for name in frame.columns:
        feature, column = subject.schema[str(name)], frame[name]
        normal, uniform = rng.standard_normal(len(frame)), rng.random(len(frame))
        if feature.kind not in ("numeric", "integer") or feature.immutable:
            continue
        values = as_numbers(column)
        known = np.flatnonzero(np.isfinite(values))
        own = values[known]
        # A number that most rows share says "none", as a category does: it has no small change.
        if not own.size or np.mean(own == np.median(own)) > 0.5:
            continue
        # Whole numbers are rounded at random, so that small noise is not lost.
        shift = epsilon * feature.scale * normal[known]
        shift = np.floor(shift + uniform[known]) if feature.kind == "integer" else shift
        dtype: Any = getattr(column.dtype, "numpy_dtype", column.dtype)
        changed = column.copy()
        changed.iloc[known] = np.clip(own + shift, own.min(), own.max()).astype(dtype)
        copies[name] = changed
        moved.append(str(name))
    return copies, moved
