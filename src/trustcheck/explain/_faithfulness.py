"""Does the model react to the features its explanation names, sooner than to any others?"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from trustcheck.explain._attribute import additivity_error
from trustcheck.explain._explained import FACTS, Explained, explained, shares
from trustcheck.explain._swap import Swap
from trustcheck.probe import probe
from trustcheck.stats import attribution
from trustcheck.types import Better, Estimate, InputError, Measurement, Method, NotMeasurable

if TYPE_CHECKING:
    from trustcheck.subject import Subject

#: Rows sent per given row beside the explanations, and the most ever sent.
BUDGET, MOST_SENT = 2.0, 30_000
_UNIT = "share of the possible head start over random orders"


@probe(
    title="Faithful explanations",
    question="Does the output change soonest when the features its explanation names are replaced?",
    headline="deletion_gain",
    unit=_UNIT,
    cost="at most 2 rows per given row (30,000), beside the explanations all probes share: 4",
    **FACTS,
)
def faithfulness(
    subject: Subject,
    rng: np.random.Generator,
    *,
    method: str = "auto",
    rows: int = 200,
    donors: int = 2,
    steps: int = 10,
) -> Measurement:
    """Replace features in explained order and in random order, and compare how the output falls.

    Deletion curves (Petsiuk, Das & Saenko 2018) with values of donor rows in place of zeros and
    random orders of the same row, with the same donors, as the control. Attributions are signed
    and the fall is signed: a feature that speaks against the output goes last, and an
    explanation with the wrong sign is worse than random.

    Parameters
    ----------
    subject : Subject
        With a model and features; a reference, if given, provides the donors.
    method : {"auto", "tree", "linear", "sampling", "occlusion"}
        How to explain; ``auto`` reads trees and linear models, and asks any other model.
    rows : int
        Most rows to explain, at least 2.
    donors : int
        Rows whose values replace those of each row explained, at least 1; the output is their
        mean.
    steps : int
        Most steps from no feature replaced to all, at least 2; with more features than steps,
        groups of them are replaced.

    Returns
    -------
    Finding
        Headline ``deletion_gain``: 0 for random attributions, 1 if the first step does it all.
        ``additivity_error`` where the method is additive. One detail row per feature: its share
        of the mean absolute attribution.

    Examples
    --------
    >>> import numpy as np, trustcheck as tc
    >>> from sklearn.linear_model import LinearRegression
    >>> X = np.random.default_rng(0).normal(size=(300, 4))
    >>> model = LinearRegression().fit(X, X @ [3.0, 1.0, 0.0, 0.0])
    >>> finding = faithfulness(tc.Subject(model, X, task="regression"))
    >>> finding.low > 0.5, finding.rows[0]["feature"]
    (True, 'x0')
    """
    for name, number, least in (("rows", rows, 2), ("donors", donors, 1), ("steps", steps, 2)):
        if number < least:
            raise InputError(f"{name} must be at least {least}, not {number}")
    if len(subject.features) < 2:
        raise NotMeasurable("the model reads one feature, so there is nothing to rank")
    total = min(subject.allowance(BUDGET), MOST_SENT)
    per_row = donors * (3 * len(attribution.cuts(len(subject.features), steps)) + 1)
    if total < 2 * per_row:
        raise NotMeasurable(
            f"two rows take {2 * per_row} rows sent to the model, but the budget is {total};"
            " give more rows, or lower donors= or steps="
        )
    about = explained(subject, method=method, rows=rows).head(total // per_row)
    # Donors of its own: an explanation must hold for others than those it was made with.
    swap = Swap.draw(subject, about.swap.rows, rng)
    areas = deletion(swap, about.values, rng, donors=donors, steps=steps)
    return _measure(about, swap, areas, donors=donors)


def deletion(
    swap: Swap, values: np.ndarray, rng: np.random.Generator, *, donors: int, steps: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return each row's mean fall in explained and in random order, and its largest fall.

    Parameters
    ----------
    swap : Swap
    values : array, shape (r, d)
        Attributions, whoever made them.
    rng : numpy Generator
    donors, steps : int

    Raises
    ------
    NotMeasurable
        If the output does not change.
    """
    r, d = values.shape
    shuffled = rng.permuted(np.tile(np.arange(d), (r, 1)), axis=1)
    first = attribution.falling_places(values, rng.random((r, d)))
    # A random order and its reverse: in an additive model their mean is free of noise.
    orders = np.stack([first, *map(attribution.places, (shuffled, shuffled[:, ::-1]))], axis=1)
    inner = orders[:, :, None, :] < attribution.cuts(d, steps)[:, None]
    points = np.concatenate([inner.reshape(r, -1, d), np.ones((r, 1, d), dtype=bool)], axis=1)
    count = points.shape[1]
    donor = swap.pair(min(donors, swap.most_donors), rng)
    times = donor.shape[1]
    answer = swap.ask(
        np.repeat(np.arange(r), times * count),
        np.repeat(donor.ravel(), count),
        np.repeat(points[:, None], times, axis=1).reshape(-1, d),
    )
    fall = swap.value[:, None] - answer.reshape(r, times, count).mean(axis=1)
    if np.abs(fall).max() <= 1e-12 * max(1.0, float(np.abs(swap.value).max())):
        raise NotMeasurable(
            "the model's output did not change on any copy with replaced features, so there is"
            " nothing to explain"
        )
    curves = fall[:, :-1].reshape(r, 3, -1).mean(axis=2)
    return curves[:, 0], curves[:, 1:].mean(axis=1), np.maximum(fall.max(axis=1), 0.0)


def _measure(
    about: Explained,
    swap: Swap,
    areas: tuple[np.ndarray, np.ndarray, np.ndarray],
    *,
    donors: int,
) -> Measurement:
    n, subject, options = len(swap.rows), swap.subject, about.options
    first, random, best = areas
    top, bottom = first - random, best - random
    if options["weights"] @ bottom <= 0:
        raise NotMeasurable("every order of the features changes the model's output alike")
    gain = attribution.deletion_gain(first, random, best, **options)
    if not np.isfinite(gain.low):
        raise NotMeasurable(
            "all rows explained count as one (their cluster, or their weights), which leaves no"
            " way to tell how sure the number is; give more rows"
        )
    metrics = {"deletion_gain": Estimate(*gain, n=n, unit=_UNIT, range=(None, 1.0))}
    error = additivity_error(about.found, swap.value)
    if error is not None:
        metrics["additivity_error"] = Estimate(
            error, error, error,
            n=n,
            unit="largest distance of base + attributions from the model's output",
            method=Method.EXACT,
            range=(0.0, None),
            better=Better.LOW,
        )  # fmt: skip
    influence = np.zeros(subject.n)
    influence[swap.rows] = top - gain.value * bottom
    return Measurement(
        metrics,
        rows=shares(about),
        statistics={
            "explained": first.tolist(),
            "random": random.tolist(),
            "best": best.tolist(),
            **{name: option.tolist() for name, option in options.items()},
        },
        formula="attribution.deletion_gain",
        notes=_notes(about, swap, donors),
        picture="bars",
        influence=influence,
    )


def _notes(about: Explained, swap: Swap, donors: int) -> tuple[str, ...]:
    source = "other given rows (there is no reference)" if swap.own else "rows of the reference"
    notes = [
        about.note,
        *about.found.notes,
        f"Replaced values come from {min(donors, swap.most_donors)} {source} each.",
        "Each replaced value is real, but the mixed rows need not be.",
    ]
    if not np.abs(about.values).any():
        notes.append("The explanation gives every feature 0.")
    return tuple(notes)
