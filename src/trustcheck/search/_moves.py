"""Points worth asking about: random steps, and mixes of steps that lowered the score."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from trustcheck.search._space import Space

#: Points per guided round, beside two for each feature tried.
MIXES, SLOPES = 12, 6
_MULTIPLIERS = np.geomspace(1e-4, 1e4, 49)
_AROUND = np.array([-6, -4, -3, -2, -1, 0, 1, 2, 3, 4, 6, 9])
_OVERSHOOT = np.array([0.97, 1.0, 1.003, 1.03, 1.1, 1.3])


def random_steps(
    space: Space,
    rows: np.ndarray,
    best: np.ndarray,
    donors: np.ndarray,
    reach: np.ndarray,
    rng: np.random.Generator,
) -> np.ndarray:
    """Return points near the best one, shape (q, d): mixtures, resets and random steps.

    Parameters
    ----------
    space : Space
    rows : int ndarray, shape (q,)
    best : ndarray, shape (q, d)
        The nearest point with another answer so far.
    donors : ndarray, shape (q, d)
        A row with another answer, to take cells from.
    reach : ndarray, shape (q,)
        Size of random steps.
    rng : numpy Generator
    """
    q, d = best.shape
    own = space.own[rows]
    kind = rng.integers(6, size=(q, 1))
    size = np.abs(space.units(rows, best))
    # One cell to put back, most often one of the larger changes.
    back = np.argmax(
        np.where(size > 0, np.log(size + 1e-300) + rng.gumbel(size=(q, d)), -np.inf), 1
    )
    reset = np.arange(d) == back[:, None]
    few = rng.random((q, d)) < (1.5 / d)
    some = rng.random((q, d)) < rng.random((q, 1))
    step = space.scale * reach[:, None] * rng.standard_normal((q, d))
    shaken = np.where(space.categorical, best, best + step / np.sqrt(d))
    pushed = np.where(space.categorical, donors, best + step)
    conditions = [kind == k for k in range(5)]
    choices = [
        np.where(
            reset, own + (best - own) * np.where(space.categorical, 0, rng.random((q, 1))), best
        ),
        np.where(reset, own, np.where(few, pushed, best)),
        shaken,
        np.where(few, pushed, best),
        np.where(some, donors, best),
    ]
    return np.select(conditions, choices, best)


def trail_slope(trail: np.ndarray, answers: np.ndarray) -> np.ndarray:
    """Direction in which the last answers fell, by ridge regression, shape (r, d), length 1."""
    kept = answers != 0
    count = np.maximum(kept.sum(axis=1), 1)[:, None]
    mean = (trail * kept[:, :, None]).sum(axis=1, keepdims=True) / count[:, :, None]
    centred = (trail - mean) * kept[:, :, None]
    target = (answers - (answers * kept).sum(axis=1, keepdims=True) / count) * kept
    gram = centred @ centred.transpose(0, 2, 1)
    ridge = 0.1 * np.trace(gram, axis1=1, axis2=2) / count[:, 0] + 1e-12
    gram += ridge[:, None, None] * np.eye(gram.shape[1])
    slope = np.einsum("rkd,rk->rd", centred, np.linalg.solve(gram, target[..., None])[..., 0])
    length = np.linalg.norm(slope, axis=1, keepdims=True)
    return -slope / np.maximum(length, 1e-300)


def lean(
    space: Space,
    rows: np.ndarray,
    best: np.ndarray,
    slope: np.ndarray,
    size: np.ndarray,
    rng: np.random.Generator,
) -> np.ndarray:
    """Return the best points moved along a slope by up to their own size, shape (q, d)."""
    way = np.sign(slope) if space.norm == "linf" else slope
    step = size * rng.uniform(0.0, 1.5, len(rows)) * rng.random(len(rows))
    return np.where(space.categorical, best, best + step[:, None] * way * space.scale)


def trials(
    space: Space,
    rows: np.ndarray,
    center: np.ndarray,
    donors: np.ndarray,
    reach: np.ndarray,
    rng: np.random.Generator,
) -> np.ndarray:
    """Return two other values of each cell to try alone, shape (r, d, 2)."""
    own = space.own[rows]
    changed = space.changed(rows, center)
    step = np.maximum(reach[:, None] * rng.uniform(0.3, 1.0, center.shape) * space.scale, 1e-12)
    step = np.where(space.whole, np.maximum(step, 1.0), step)
    away = np.where(center > own, step, -step)
    first = np.where(changed, own, center - step)
    second = np.where(changed, center + away, center + step)
    levels = np.array([max(len(feature.levels), 1) for feature in space.features])
    level = rng.integers(levels, size=center.shape)
    first = np.where(space.categorical & ~changed, donors, first)
    second = np.where(space.categorical, level, second)
    return np.stack([space.snap(rows, first), space.snap(rows, second)], axis=2)


def combine(
    space: Space,
    rows: np.ndarray,
    center: np.ndarray,
    margin: np.ndarray,
    tried: np.ndarray,
    gains: np.ndarray,
    radius: np.ndarray,
    prior: np.ndarray,
    guess: np.ndarray,
) -> np.ndarray:
    """Return points that should cross for the smallest change if effects add up, (r, k, d).

    Mixes of the values tried (a Lagrangian knapsack: each cell takes the value that is best at a
    price of change), and a step along the slope of the scores.

    Parameters
    ----------
    center, margin : ndarray, shapes (r, d) and (r,)
        A point and its margin.
    tried, gains : ndarray, shape (r, d, 2)
        Values tried one by one, and how each changed the margin.
    radius : ndarray, shape (r,)
        Size of the best point so far.
    prior, guess : ndarray, shape (r, d)
        Slopes of a linear stand-in, all of them and those of cells that were not tried.
    """
    values = np.concatenate([center[:, :, None], tried], axis=2)
    change = np.concatenate([np.zeros((*gains.shape[:2], 1)), gains], axis=2)
    units = np.stack([space.units(rows, values[:, :, k]) for k in range(3)], axis=2)
    slope, base = _slope(space, rows, center, margin, tried, gains)
    # The stand-in speaks for cells that were not tried, on the scale that those tried show.
    square = ((prior - guess) ** 2).sum(axis=1)
    match = np.divide(
        (slope * prior).sum(axis=1), square, out=np.zeros(len(square)), where=square > 0
    )
    slope = slope + np.maximum(match, 0.0)[:, None] * guess
    own = space.own[rows]
    if space.norm == "linf":
        mixes = _corners(space, own, values, change, units, slope, radius)
        length = np.abs(slope).sum(axis=1)
        direction = np.sign(slope)
    else:
        mixes = _knapsack(values, change, units, margin)
        length = (slope**2).sum(axis=1)
        direction = slope
    time = np.divide(base, length, out=np.zeros_like(base), where=length > 0)
    steps = np.maximum(time, 0.0)[:, None] * _OVERSHOOT
    along = own[:, None] - steps[:, :, None] * direction[:, None] * space.scale
    return np.concatenate([mixes, np.where(space.categorical, center[:, None], along)], axis=1)


def _slope(
    space: Space,
    rows: np.ndarray,
    center: np.ndarray,
    margin: np.ndarray,
    tried: np.ndarray,
    gains: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """Margin per robust scale of each number, and the margin where all numbers are put back."""
    run = (tried - center[:, :, None]) / space.scale[:, None]
    run = np.where(space.categorical[:, None] | ~np.isfinite(run), 0.0, run)
    square = (run**2).sum(axis=2)
    slope = np.divide(
        (run * gains).sum(axis=2), square, out=np.zeros_like(square), where=square > 0
    )
    moved = np.where(space.categorical, 0.0, space.units(rows, center))
    return slope, margin - (slope * moved).sum(axis=1)


def _knapsack(
    values: np.ndarray, change: np.ndarray, units: np.ndarray, margin: np.ndarray
) -> np.ndarray:
    """Mixes around the price of change at which the margin should be used up, (r, 12, d)."""
    cost = units**2
    # Prices in the row's own currency: margin per squared size.
    unit = np.abs(margin) + np.abs(change).max(axis=(1, 2)) + 1e-12
    bids = cost[:, None] + _MULTIPLIERS[:, None, None] * (change / unit[:, None, None])[:, None]
    picks = bids.argmin(axis=3)
    total = margin[:, None] + np.take_along_axis(
        np.broadcast_to(change[:, None], bids.shape), picks[..., None], axis=3
    )[..., 0].sum(axis=2)
    crossing = np.where(
        (total <= 0).any(axis=1), (total <= 0).argmax(axis=1), len(_MULTIPLIERS) - 1
    )
    at = np.clip(crossing[:, None] + _AROUND, 0, len(_MULTIPLIERS) - 1)
    chosen = np.take_along_axis(picks, at[:, :, None], axis=1)
    return np.take_along_axis(values[:, None], chosen[..., None], axis=3)[..., 0]


def _corners(
    space: Space,
    own: np.ndarray,
    values: np.ndarray,
    change: np.ndarray,
    units: np.ndarray,
    slope: np.ndarray,
    radius: np.ndarray,
) -> np.ndarray:
    """The most promising corner of smaller and smaller boxes, (r, 12, d)."""
    part = np.linspace(0.4, 0.995, MIXES)
    box = part * np.where(np.isfinite(radius), radius, 4.0)[:, None]
    numbers = own[:, None] - box[:, :, None] * (np.sign(slope) * space.scale)[:, None]
    still = np.clip(
        values[:, None, :, 0],
        own[:, None] - box[:, :, None] * space.scale,
        own[:, None] + box[:, :, None] * space.scale,
    )
    numbers = np.where(slope[:, None] == 0, still, numbers)
    bids = np.where(np.abs(units)[:, None] <= box[:, :, None, None], change[:, None], np.inf)
    level = np.take_along_axis(
        np.broadcast_to(values[:, None], bids.shape), bids.argmin(axis=3)[..., None], axis=3
    )[..., 0]
    level = np.where(np.isfinite(bids.min(axis=3)), level, own[:, None])
    return np.where(space.categorical, level, numbers)
