"""Bets on ranks that are uniform while nothing changes; for `trustcheck.stats.sequential`."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

#: Sizes of the bets on where, and how widely, the ranks lie.
SIZES = (0.02, 0.05, 0.1, 0.2, 0.4, 0.8)
#: Cells of the unit interval, and the shares of all ranks that bets move into one, or of its own
#: ranks out of it: 16 equal ones, 64 for rare levels, and tails for what was never seen before.
CELLS: tuple[tuple[Sequence[float], Sequence[float], Sequence[float], float], ...] = (
    (tuple(i / 16 for i in range(17)), (0.02, 0.1, 0.4), (0.2, 0.8), 0.15),
    (tuple(i / 64 for i in range(65)), (0.02,), (0.8,), 0.15),
    ((0, 1 / 512), (0.01, 0.05), (), 0.025),
    ((0, 1 / 128), (0.01, 0.05), (), 0.025),
    ((127 / 128, 1), (0.01, 0.05), (), 0.025),
    ((511 / 512, 1), (0.01, 0.05), (), 0.025),
)
#: Weights of all bets on a shift, and on the spread; those of cells stand with them.
SHIFT, SPREAD = 0.45, 0.15
#: Rows whose factors are multiplied before a logarithm is taken.
_PRODUCT = 256
#: The finest cells are multiples of a 512th.
_FINE = 512


@cache
def log_weights() -> Floats:
    """Logarithm of the weight of every bet, in the order of `won`; the weights add up to 1."""
    signed = 2 * len(SIZES)
    parts = [(SHIFT, signed), (SPREAD, signed)]
    parts += [(w, (len(e) - 1) * (len(i) + len(o))) for e, i, o, w in CELLS]
    return np.log(np.concatenate([np.full(size, weight / size) for weight, size in parts]))


def won(ranks: Floats) -> Floats:
    """Logarithm of what each bet makes of these ranks, shape (m, bets).

    Every factor has mean 1 where ranks are uniform: ``1 + size * (rank - 1/2)``; the same on
    ``4 ((rank - 1/2)^2 - 1/12)``, which has about the same spread; and for each cell the density
    that moves a share of all ranks into it, or a share of its own ranks out of it.
    """
    n, m = ranks.shape
    shift = ranks - 0.5
    spread = 4 * (shift**2 - 1 / 12)
    signed = [sign * size for size in SIZES for sign in (1, -1)]
    smooth = np.zeros((2 * len(signed), m))
    for begin in range(0, n, _PRODUCT):
        part = slice(begin, begin + _PRODUCT)
        for i, values in enumerate((shift[part], spread[part])):
            for j, size in enumerate(signed, start=i * len(signed)):
                # No factor lies outside [0.46, 1.54]: 256 of them neither vanish nor overflow.
                smooth[j] += np.log(np.multiply.reduce(1 + size * values, axis=0))
    fine = (ranks * _FINE).astype(np.int64) + np.arange(m) * _FINE
    counts = np.bincount(fine.ravel(), minlength=m * _FINE).reshape(m, _FINE)
    upto = np.pad(np.cumsum(counts, axis=1), ((0, 0), (1, 0)))
    cells = [
        _cell_bets(np.diff(upto[:, (np.array(edges) * _FINE).astype(int)], axis=1), n, edges, i, o)
        for edges, i, o, _ in CELLS
    ]
    return np.concatenate([smooth.T, *cells], axis=1)


def _cell_bets(
    inside: Ints, n: int, edges: Sequence[float], into: Sequence[float], out_of: Sequence[float]
) -> Floats:
    """Bets on cells of equal width, given the ranks inside each, shape (m, cells)."""
    width = edges[1] - edges[0]
    more, less = np.array(into), np.array(out_of)
    factor_in = np.log(np.concatenate([1 + more * (1 / width - 1), 1 - less]))
    factor_out = np.log(np.concatenate([1 - more, 1 + less * width / (1 - width)]))
    logs = inside[:, :, None] * factor_in + (n - inside)[:, :, None] * factor_out
    return logs.reshape(len(inside), -1)
