"""From encoded columns back to the user's own: who owns each, and what each row's output gets.

A model explained on its encoded columns (one per level, scaled, imputed) is folded back by
adding up what belongs to one original column. Which encoded column belongs to which original one
is not read from names: it is found by swapping one original column at a time, and proved on the
very rows and donors used. Where the proof fails (principal components, interactions, imputation
from other columns) nothing is guessed: the model is treated as a black box.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import special

from trustcheck.explain._swap import Attributions
from trustcheck.types import NotMeasurable

if TYPE_CHECKING:
    from trustcheck.explain._swap import Swap

#: Rows sent through the encoder at a time.
_ENCODED = 4096
#: Fewest pairs of a row and a donor that a column is tried on, where there are so many.
_PAIRS = 64


def encode(
    swap: Swap, steps: list[Any], rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return rows and donors as the last estimator sees them, and who owns each encoded column.

    Returns
    -------
    rows, donors : float arrays, shape (r, m) and (donors, m)
    owner : int array, shape (m,)
        Position of the original column; -1 for columns that never vary here.

    Raises
    ------
    NotMeasurable
        If an encoded column cannot be traced to one original column.
    """
    r, d, m = len(swap.rows), swap.d, len(swap.donors)
    is_donor = np.arange(r + m) >= r
    table = _encoded(
        swap, steps,
        np.where(is_donor, 0, np.arange(r + m)), np.where(is_donor, np.arange(r + m) - r, 0),
        np.repeat(is_donor[:, None], d, axis=1),
    )  # fmt: skip
    rows, donors = table[:r], table[r:]
    if not steps:
        return rows, donors, np.arange(d)
    # Every row and every donor takes part in the search for the owners, column by column; where
    # they are few, all pairs do, or rows may by chance meet only donors that are like them.
    pairs = min(max(r, m, _PAIRS), r * m)
    i, b = _met(pairs, r, m)
    owner = np.full(table.shape[1], -1)
    at_once = max(1, _ENCODED // pairs)
    for start in range(0, d, at_once):
        columns = np.arange(start, min(start + at_once, d))
        only = np.repeat(np.eye(d, dtype=bool)[columns], pairs, axis=0)
        copies = _encoded(swap, steps, np.tile(i, len(columns)), np.tile(b, len(columns)), only)
        for j, copy in zip(columns, copies.reshape(len(columns), pairs, -1), strict=True):
            changed = ~_same(copy, rows[i]).all(axis=0)
            if (owner[changed] >= 0).any():
                raise NotMeasurable("its encoded columns mix several of the original columns")
            owner[changed] = j
    # The proof: what is owned by nobody never varies, and an encoded mix of row and donor is the
    # mix of the encoded row and the encoded donor.
    mixed = rng.random((pairs, d)) < 0.5
    want = np.where(mixed[:, owner] & (owner >= 0), donors[b], rows[i])
    orphan = (owner < 0) & ~_same(table, table[:1]).all(axis=0)
    if orphan.any() or not _same(_encoded(swap, steps, i, b, mixed), want).all():
        raise NotMeasurable("its encoded columns cannot be traced to the original columns")
    return rows, donors, owner


def _met(pairs: int, r: int, m: int) -> tuple[np.ndarray, np.ndarray]:
    """Return who meets whom: all of the longer side in turn, then again one place further on."""
    around, turn = np.arange(pairs) % max(r, m), np.arange(pairs) // max(r, m)
    other = (around + turn) % min(r, m)
    return (around, other) if r >= m else (other, around)


def _encoded(
    swap: Swap, steps: list[Any], row: np.ndarray, donor: np.ndarray, swapped: np.ndarray
) -> np.ndarray:
    frame = swap.copies(row, donor, swapped)
    values = swap.subject.own(frame)
    for step in steps:
        if not hasattr(step, "transform"):
            raise NotMeasurable(f"its step {type(step).__name__} is no transformer")
        try:
            values = step.transform(values)
        except Exception as fault:  # some steps only run inside their pipeline
            raise NotMeasurable(f"its step {type(step).__name__} cannot run by itself") from fault
    try:
        return np.asarray(values.toarray() if hasattr(values, "toarray") else values, dtype=float)
    except (TypeError, ValueError) as fault:
        raise NotMeasurable("its last step reads columns that are not numbers") from fault


def _same(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    equal: np.ndarray = (one == other) | (np.isnan(one) & np.isnan(other))
    return equal


def require_scores(swap: Swap) -> None:
    """Refuse classifiers without probabilities."""
    if swap.subject.task != "regression" and "scores" not in swap.subject.offers():
        raise NotMeasurable("the model gives labels only, which are no sum of parts")


def fold(
    swap: Swap, method: str, phi: np.ndarray, base: np.ndarray, owner: np.ndarray, *, log: bool
) -> Attributions:
    """Add up what belongs to one original column, and pick each row's explained output.

    Parameters
    ----------
    phi : array, shape (r, m, outputs)
    base : array, shape (outputs,)
    owner : int array, shape (m,)
    log : bool
        The outputs are logarithms of odds: the explained one is that of the predicted class less
        the mean of the others, and probabilities are their softmax.
    """
    if phi.shape[1] != len(owner) or phi.shape[2] <= swap.code.max(initial=0):
        raise NotMeasurable("its outputs are not those of the model")
    folded = np.zeros((swap.d, len(phi), phi.shape[2]))
    np.add.at(folded, owner[owner >= 0], phi.transpose(1, 0, 2)[owner >= 0])
    each = np.arange(len(phi))
    if not log:
        values = folded[:, each, swap.code].T
        start = base[swap.code]
        return Attributions(values, start, start + values.sum(axis=1), method, swap.output)
    total = base + folded.sum(axis=0)
    rebuilt = np.exp(total - special.logsumexp(total, axis=1, keepdims=True))[each, swap.code]
    contrast = np.full(total.shape, -1 / (total.shape[1] - 1))
    contrast[each, swap.code] = 1.0
    values = np.einsum("jrk,rk->rj", folded, contrast)
    return Attributions(values, contrast @ base, rebuilt, method, "log-odds of the predicted class")
