"""What each of the user's columns adds to the model's output on a row.

Every additive method here answers one question, so that they can be checked against each other:
the Shapley value of a column in the game whose pay-off is the explained output, averaged over
donor rows, with the columns outside a coalition taken from the donor (the interventional value;
Strumbelj & Kononenko 2014, Lundberg et al. 2020).
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from trustcheck.explain import _whitebox
from trustcheck.explain._swap import Attributions, Swap
from trustcheck.stats import attribution
from trustcheck.types import InputError, NotMeasurable

METHODS = ("auto", "tree", "linear", "sampling", "occlusion")
#: Antithetic pairs of walks, and donors of an occlusion, beyond which little is gained.
_MOST_PAIRS, _MOST_DONORS = 25, 20
#: Largest additivity error, in units of the output's spread, with which a reading is believed.
_BELIEVED = 1e-3


def explain(
    swap: Swap,
    rng: np.random.Generator,
    *,
    method: str = "auto",
    budget: int,
    asked_rows: int | None = None,
) -> Attributions:
    """Explain the model's output on some of the given rows.

    Explained is, for a classifier, the probability of the class predicted on the row (log-odds
    where a linear model, or boosted trees with several classes, are read; 1 or 0 where the model
    gives labels only); for a regression, the prediction.

    Parameters
    ----------
    swap : Swap
        The rows, in the order of `Subject.sample`, and the donors drawn for them.
    rng : numpy Generator
    method : {"auto", "tree", "linear", "sampling", "occlusion"}
        ``auto`` reads trees or a linear model where it can, else samples Shapley values if the
        budget allows two orders of the features a row, else occludes one feature at a time.
    budget : int
        Copies that may be sent to the model. Where it does not suffice for all rows, the first
        of them are explained.
    asked_rows : int, optional
        Explain only the first so many rows where the model has to be asked.

    Returns
    -------
    Attributions

    Raises
    ------
    NotMeasurable
        If the method named is not possible, or the budget does not suffice for one row.
    InputError
        If the method is unknown.
    """
    if method not in METHODS:
        raise InputError(f"method must be one of {', '.join(METHODS)}, not {method!r}")
    if method in ("auto", "tree", "linear"):
        # A stream of its own: what is asked afterwards does not depend on what was read.
        found = _read(swap, rng.spawn(1)[0], method)
        if isinstance(found, Attributions):
            return found
        why: tuple[str, ...] = (f"The model is explained by asking it: {found}.",)
    else:
        why = ()
    pair, wanted = 2 * swap.d - 1, min(len(swap.rows), asked_rows or len(swap.rows))
    if method == "auto":
        method = "sampling" if budget >= pair * wanted else "occlusion"
    cost = pair if method == "sampling" else swap.d
    if budget < cost:
        raise NotMeasurable(
            f"explaining one row takes {cost} rows sent to the model, but the budget leaves"
            f" {budget}; raise budget="
        )
    swap = swap.head(min(wanted, budget // cost))
    times = budget // (cost * len(swap.rows))
    explain = _sampling if method == "sampling" else _occlusion
    got = explain(swap, rng, times)
    return replace(got, notes=(*why, *got.notes))


def additivity_error(found: Attributions, values: np.ndarray) -> float | None:
    """Return the largest distance of base + attributions from the model's output, if additive."""
    if found.rebuilt is None:
        return None
    return float(np.max(np.abs(found.rebuilt - values[: len(found.rebuilt)])))


def _read(swap: Swap, rng: np.random.Generator, method: str) -> Attributions | str:
    """Read the model itself, or say why not; a method asked for by name is done or refused."""
    if method == "linear":
        return _whitebox.linear(swap, rng)
    if method == "tree":
        return _whitebox.tree(swap, rng, patient=True)
    family = _whitebox.family(swap.subject.native)
    if family is None:
        return "it is neither trees nor linear"
    try:
        if family == "tree":
            found = _whitebox.tree(swap, rng, patient=False)
        else:
            found = _whitebox.linear(swap, rng)
    except NotMeasurable as why:
        return str(why)
    spread = 1.0 if swap.subject.task != "regression" else float(np.ptp(swap.value))
    error = additivity_error(found, swap.value)
    if error is None or error <= _BELIEVED * spread + 1e-9:
        return found
    return f"its {family} attributions do not add up to its output (off by up to {error:.2g})"


def _sampling(swap: Swap, rng: np.random.Generator, pairs: int) -> Attributions:
    """Sample Shapley values: walks from the row to a donor and, antithetic, in reverse order."""
    r, d = len(swap.rows), swap.d
    pairs = max(1, min(pairs, _MOST_PAIRS, swap.most_donors))
    order = rng.permuted(np.tile(np.arange(d), (r, pairs, 1)), axis=2)
    place = attribution.places(np.stack([order, order[..., ::-1]], axis=2))  # r, pairs, 2, d
    donor = swap.pair(pairs, rng)
    steps = np.arange(1, d)
    inner = (place[..., None, :] < steps[:, None]).reshape(-1, d)  # the first so many replaced
    ends = np.ones((r * pairs, d), dtype=bool)
    swapped = np.concatenate([inner, ends])
    per_pair = 2 * (d - 1)
    each = np.repeat(np.arange(r), pairs)
    row = np.concatenate([np.repeat(each, per_pair), each])
    donors = np.concatenate([np.repeat(donor.ravel(), per_pair), donor.ravel()])
    answer = swap.ask(row, donors, swapped)
    outputs = np.empty((r, pairs, 2, d + 1))
    outputs[..., 0] = swap.value[:, None, None]
    outputs[..., 1:d] = answer[: len(inner)].reshape(r, pairs, 2, d - 1)
    outputs[..., d] = answer[len(inner) :].reshape(r, pairs, 1)
    values = attribution.walk_contributions(place, outputs).mean(axis=(1, 2))
    base = outputs[..., d].mean(axis=(1, 2))
    note = f"Sampling: {2 * pairs} orders of the features a row, {pairs} donor(s) each."
    return Attributions(
        values,
        base,
        base + values.sum(axis=1),
        "sampling",
        swap.output,
        len(answer),
        (note,),
        donor,
    )


def _occlusion(swap: Swap, rng: np.random.Generator, donors: int) -> Attributions:
    return occlude(swap, swap.pair(max(1, min(donors, _MOST_DONORS, swap.most_donors)), rng))


def occlude(swap: Swap, donor: np.ndarray) -> Attributions:
    """Replace one feature at a time: fall of the output, mean over donors; not additive.

    Parameters
    ----------
    swap : Swap
    donor : int array, shape (r, donors)
        Donors of each row.
    """
    (r, donors), d = donor.shape, swap.d
    row = np.repeat(np.arange(r), donors * d)
    swapped = np.tile(np.eye(d, dtype=bool), (r * donors, 1))
    answer = swap.ask(row, np.repeat(donor.ravel(), d), swapped)
    values = swap.value[:, None] - answer.reshape(r, donors, d).mean(axis=1)
    note = f"Occlusion: one feature replaced at a time, {donors} donor(s) a row."
    return Attributions(values, None, None, "occlusion", swap.output, len(answer), (note,), donor)
