"""Does the model react to the features its explanation names, sooner than to any others?"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np

from trustcheck.explain._attribute import Attributions, additivity_error, attributions
from trustcheck.explain._swap import Swap
from trustcheck.probe import Want, probe
from trustcheck.stats import attribution, intervals
from trustcheck.types import Better, Estimate, Measurement, Method, NotMeasurable

if TYPE_CHECKING:
    from trustcheck.subject import Subject

#: Rows sent per given row, and the most ever sent.
BUDGET, MOST_SENT = 8, 60_000
MOST_DONORS = 10


def curves(swap, found, rng, *, steps, donors):
    r, d = len(swap.rows), swap.d
    ties = rng.random((r, d))
    order = rng.permuted(np.tile(np.arange(d), (r, 1)), axis=1)
    walks = np.stack([attribution.falling_places(found.values, ties), attribution.places(order), attribution.places(order[:, ::-1])], axis=1)  # r,3,d
    at = attribution.cuts(d, steps)
    inner = walks[:, :, None, :] < at[:, None]  # r,3,S,d
    masks = np.concatenate([inner.reshape(r, -1, d), np.ones((r, 1, d), dtype=bool)], axis=1)
    points = masks.shape[1]
    donor = swap.pair(donors, rng)  # r, M
    row = np.repeat(np.arange(r), donors * points)
    swapped = np.repeat(masks[:, None], donors, axis=1).reshape(-1, d)
    answer = swap.ask(row, np.repeat(donor.ravel(), points), swapped).reshape(r, donors, points)
    fall = swap.value[:, None] - answer.mean(axis=1)
    return fall[:, :-1].reshape(r, 3, -1), fall
