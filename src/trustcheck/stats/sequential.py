"""Looking at the same columns again and again, with one budget of false alarms for all looks.

Each value is ranked among everything seen before it: the reference, earlier looks, earlier rows of
the same look. As long as rows are exchangeable these ranks are independent and uniform on [0, 1),
whatever the distribution and however small the reference (Vovk, Nouretdinov and Gammerman 2003).
Bets on the ranks then give an e-value ``e_t`` per look, a non-negative number whose mean is at
most 1, and the Shiryaev-Roberts detector ``M_t = (M_{t-1} + 1) e_t`` adds up the evidence of every
possible change point (Shin, Ramdas and Rinaldo 2024).

Why the budget holds: ``M_t - t`` is a supermartingale, so ``M_t + (T - t)`` is a non-negative one
that starts at ``T``, and the probability that it ever reaches ``A`` is at most ``T / A`` (Ville
1939). An average of detectors is one again. With ``m`` columns and ``A = T m / alpha`` all false
alarms within ``T`` looks, over all columns together, have probability at most ``alpha``, however
the columns depend on each other; up to look ``t`` it is at most ``alpha t / T``.

Nothing but counts is kept. Values are told apart by cuts at the percentiles of the reference, and
a few more in its tails, at least ten of its rows apart. Ties, with each other and with cuts, are broken at random, as if
every value carried a second, continuous coordinate. So there are ``n + 1`` gaps between the ``n``
rows of the reference, a new row falls into each of them with the same probability, and a bin
between two cuts holds a known number of gaps: ranks are exactly uniform after binning as well
(Polya's urn, with the gaps as first balls). Cuts at quantiles that were used as if they were fixed
in advance would not be: their bins hold too little of a small reference's noise.
"""

from __future__ import annotations

import base64
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

from trustcheck.stats import _bets

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

VERSION = 1
#: Even bins per column, and rows of the reference each bin holds at least.
BINS, APART = 100, 10
#: Fewest rows of a reference: two bins.
FEWEST = 2 * APART
#: Rows ranked at once.
_BLOCK = 32


@dataclass(frozen=True)
class State:
    """What is kept between looks at m columns: counts and evidence, no row.

    Attributes
    ----------
    cuts, ties
        Quantiles of the reference and their random tie-breakers, shape (m, bins - 1).
    mass
        Balls per bin of Polya's urn: gaps of the reference, then rows, shape (m, bins).
    reference
        Reference rows per slot, shape (m, slots): below the first cut, on it, between it and the
        next, ...; the last slot counts missing values.
    spans, recent
        First and last look of each of the last periods, shape (periods, 2), and their rows per
        slot, shape (periods, m, slots). Older periods are longer, so that they stay few.
    evidence
        Logarithm of the detector of each bet, rounded down, shape (m, bets).
    gain, since
        Largest log-likelihood ratio of each bet over its starting looks, and that look (from 1).
    looks, rows
        Looks taken and rows seen.
    seed
        Of every random draw.
    """

    cuts: Floats
    ties: NDArray[np.float32]
    mass: Ints
    reference: Ints
    spans: Ints
    recent: Ints
    evidence: NDArray[np.float32]
    gain: NDArray[np.float32]
    since: Ints
    looks: int
    rows: int
    seed: tuple[int, ...]


def threshold(horizon: int, families: int, alpha: float) -> float:
    """Logarithm of what a column's detector must reach to raise an alarm.

    Parameters
    ----------
    horizon
        Looks the budget has to last for, at least 1.
    families
        Columns with a detector of their own, at least 1.
    alpha
        Largest probability of any false alarm, inside (0, 1).

    Examples
    --------
    >>> round(np.exp(threshold(365, 20, 0.05)))
    146000
    """
    return float(np.log(horizon) + np.log(families) - np.log(alpha))


def start(reference: ArrayLike, *, seed: tuple[int, ...] = (0,)) -> State:
    """Return the state before the first look.

    Parameters
    ----------
    reference
        Rows the later ones are expected to be like, shape (n, m), n at least 20; missing as nan.
    seed
        Integers, at least 0, of the random draws.

    Raises
    ------
    ValueError
        If there are fewer than 20 rows.

    Examples
    --------
    >>> state = start(np.arange(300.0)[:, None])
    >>> state.mass.shape, int(state.mass.sum())
    ((1, 30), 301)
    """
    values, missing = _clean(reference)
    n, m = values.shape
    if n < FEWEST:
        raise ValueError(f"a reference needs at least {FEWEST} rows, this one has {n}")
    ranks = _cut_ranks(n)
    ordered = np.sort(values, axis=0)
    ties = np.random.default_rng([*seed, 0]).random(values.shape, dtype=np.float32)
    chosen = np.lexsort((ties, ordered), axis=0)[ranks - 1]
    cuts = np.take_along_axis(ordered, chosen, 0).T.copy()
    left, right = _place(cuts, values)
    slots = 2 * cuts.shape[1] + 2
    empty = np.zeros((0, m, slots), dtype=np.int64)
    return _afresh(
        State(
            cuts, np.take_along_axis(ties, chosen, 0).T.copy(), np.zeros((m, 0), dtype=np.int64),
            _slot_counts(left + right, missing, slots), np.zeros((0, 2), dtype=np.int64), empty,
            np.zeros((m, 0), dtype=np.float32), np.zeros((m, 0), dtype=np.float32),
            np.zeros((m, 0), dtype=np.int64), 0, 0, tuple(seed),
        )
    )  # fmt: skip


def restart(state: State, *, seed: tuple[int, ...]) -> State:
    """Return the state before the first look again, with the same reference."""
    return _afresh(replace(state, seed=tuple(seed)))


def step(state: State, batch: ArrayLike) -> State:
    """Take one look.

    Parameters
    ----------
    state
        From `start` or an earlier `step`; left as it is.
    batch
        New rows in any order, shape (k, m), k at least 1; missing as nan.

    Returns
    -------
    State
        A function of the state and the batch: equal ones give equal states.

    Raises
    ------
    ValueError
        If the batch has no rows, or another number of columns.

    References
    ----------
    Vovk, Nouretdinov and Gammerman (2003), Testing exchangeability on-line; Shin, Ramdas and
    Rinaldo (2024), E-detectors: a nonparametric framework for sequential change detection; Ville
    (1939), Étude critique de la notion de collectif.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> state = start(rng.normal(size=(500, 1)))
    >>> for day in range(40):
    ...     state = step(state, rng.normal(0.2 * (day >= 30), size=(500, 1)))
    >>> bool(evidence(state)[0] > threshold(365, 1, 0.05)), int(change_points(state)[0])
    (True, 31)
    """
    values, missing = _clean(batch)
    m = state.cuts.shape[0]
    if values.shape[1] != m or not len(values):
        raise ValueError(f"a look needs rows of {m} column(s), this one has shape {values.shape}")
    look = state.looks + 1
    rng = np.random.default_rng([*state.seed, look])
    left, right = _place(state.cuts, values)
    # Rows are put into an order that depends on what they hold and on chance alone.
    order = np.argsort(_row_keys(left + right), kind="stable")[rng.permutation(len(values))]
    left, right, missing = left[order], right[order], missing[order]
    counts = _slot_counts(left + right, missing, state.reference.shape[1])
    bins = _break_ties(state, left, right, rng.random(left.shape))
    ranks, mass = _ranks(state.mass, bins, rng.random(bins.shape))
    won = _bets.won(ranks)
    spans, recent = _remember(state, look, counts)
    return State(
        state.cuts, state.ties, mass, state.reference, spans, recent,
        evidence=_rounded_down(np.logaddexp(state.evidence.astype(float), 0.0) + won),
        gain=(np.maximum(state.gain, 0.0) + won).astype(np.float32),
        since=np.where(state.gain > 0, state.since, look),
        looks=look, rows=state.rows + len(values), seed=state.seed,
    )  # fmt: skip


def evidence(state: State) -> Floats:
    """Logarithm of each column's detector, averaged over its bets, shape (m,)."""
    return special.logsumexp(state.evidence + _bets.log_weights(), axis=1)


def change_points(state: State) -> Ints:
    """Look at which the best bet of each column began to win (its cumulative sum), shape (m,).

    References
    ----------
    Page (1954), Continuous inspection schemes.
    """
    return np.take_along_axis(state.since, state.gain.argmax(axis=1)[:, None], 1)[:, 0]


def window(state: State, column: int, since: int) -> tuple[Ints, Ints, int]:
    """Counts of the reference and of the looks after a change.

    Parameters
    ----------
    state
        After at least one look.
    column
        Its position.
    since
        Look from which on to count.

    Returns
    -------
    before, now : array of int, shape (slots,)
        Ascending in value; the last one counts missing values.
    first : int
        First look that is counted: not before ``since`` unless that lies inside the last period.
    """
    from_then = np.flatnonzero(state.spans[:, 0] >= since)
    first = int(from_then[0]) if from_then.size else len(state.spans) - 1
    now = state.recent[first:, column].sum(axis=0)
    return state.reference[column], now, int(state.spans[first, 0])


def slots(state: State, column: int, values: ArrayLike) -> tuple[Ints, NDArray[np.bool_]]:
    """Slots of values of one column, and whether they have it to themselves (lie on a cut)."""
    cleaned, _ = _clean(np.asarray(values, dtype=float)[:, None])
    left, right = _place(state.cuts[[column]], cleaned)
    return (left + right)[:, 0].astype(np.int64), (left < right)[:, 0]


def pack(state: State) -> dict[str, Any]:
    """Return the state as JSON can hold it: compressed, with a version.

    Examples
    --------
    >>> state = start(np.arange(300.0)[:, None])
    >>> bool((unpack(pack(state)).mass == state.mass).all())
    True
    """
    plain: dict[str, Any] = {"version": VERSION}
    for field in fields(state):
        value = getattr(state, field.name)
        if isinstance(value, np.ndarray):
            if value.dtype == np.int64:
                value = value.astype(np.min_scalar_type(max(int(value.max(initial=0)), 0)))
            little = value.astype(value.dtype.newbyteorder("<"))
            packed = base64.b64encode(zlib.compress(little.tobytes(), 1)).decode("ascii")
            value = [little.dtype.str, list(value.shape), packed]
        plain[field.name] = list(value) if isinstance(value, tuple) else value
    return plain


def unpack(plain: Mapping[str, Any]) -> State:
    """Return the state that was packed.

    Raises
    ------
    ValueError
        If it was packed by another version.
    """
    if plain.get("version") != VERSION:
        raise ValueError(f"the state has version {plain.get('version')!r}, not {VERSION}")
    read: dict[str, Any] = {}
    for field in fields(State):
        value = plain[field.name]
        if field.name == "seed":
            value = tuple(value)
        elif isinstance(value, list):
            kind, shape, packed = value
            raw = np.frombuffer(zlib.decompress(base64.b64decode(packed)), dtype=kind)
            own = np.int64 if raw.dtype.kind in "iu" else raw.dtype.newbyteorder("=")
            value = raw.astype(own).reshape(shape)
        read[field.name] = value
    return State(**read)


def _cut_ranks(n: int) -> Ints:
    """Return the ranks, from 1, of the reference rows that are cuts.

    Even ones, and in the tails some more: what was never seen before, missing values too, shares a
    bin with the ten outermost rows. They must not depend on anything but n.
    """
    bins = min(BINS, (n + 1) // APART)
    even = np.arange(1, bins) * (n + 1) // bins
    tail = APART * 2 ** np.arange(34)
    tail = tail[2 * tail <= (n + 1) // bins]
    return np.unique(np.concatenate([tail, even, n + 1 - tail]))


def _afresh(state: State) -> State:
    """No look taken yet: the urn holds the gaps of the reference."""
    m = state.cuts.shape[0]
    n = int(state.reference[0].sum()) if m else FEWEST
    gaps = np.diff(np.concatenate([[0], _cut_ranks(n), [n + 1]]))
    bets = _bets.log_weights().size
    return replace(
        state,
        mass=np.tile(gaps, (m, 1)),
        spans=state.spans[:0],
        recent=state.recent[:0],
        evidence=np.full((m, bets), -np.inf, dtype=np.float32),
        gain=np.zeros((m, bets), dtype=np.float32),
        since=np.zeros((m, bets), dtype=np.int64),
        looks=0,
        rows=0,
    )


def _clean(values: ArrayLike) -> tuple[Floats, NDArray[np.bool_]]:
    """Missing values rank above all others; infinite ones count as the outermost numbers."""
    array = np.asarray(values, dtype=float) + 0.0  # there is one zero
    missing = np.isnan(array)
    most = np.finfo(float).max
    return np.where(missing, np.inf, np.clip(array, -most, most)), missing


def _rounded_down(values: Floats) -> NDArray[np.float32]:
    """Half the space; a detector rounded down still keeps its promise."""
    near = values.astype(np.float32)
    return np.where(near > values, np.nextafter(near, np.float32(-np.inf)), near)


def _place(cuts: Floats, values: Floats) -> tuple[NDArray[np.int16], NDArray[np.int16]]:
    """Cuts below each value, and cuts not above it, shape (k, m)."""
    left = np.empty(values.T.shape, dtype=np.int16)
    right = np.empty_like(left)
    for j, column in enumerate(np.ascontiguousarray(values.T)):
        left[j] = np.searchsorted(cuts[j], column, side="left")
        right[j] = np.searchsorted(cuts[j], column, side="right")
    return left.T, right.T


def _slot_counts(slots: NDArray[np.int16], missing: NDArray[np.bool_], size: int) -> Ints:
    """Rows per slot, shape (m, size). Cuts below plus cuts not above tell slots apart."""
    m = slots.shape[1]
    at = np.where(missing, size - 1, slots) + np.arange(m) * size
    return np.bincount(at.ravel(), minlength=m * size).reshape(m, size)


def _row_keys(slots: NDArray[np.int16]) -> NDArray[np.uint64]:
    odd = np.random.default_rng(slots.shape[1]).integers(2**63, size=slots.shape[1]) * 2 + 1
    return slots.astype(np.uint64) @ odd.astype(np.uint64)


def _break_ties(
    state: State, left: NDArray[np.int16], right: NDArray[np.int16], chance: Floats
) -> NDArray[np.int16]:
    """Bin of each row: cuts below it, those it ties with by chance, shape (k, m)."""
    tied = left < right
    if not tied.any():
        return left
    m, k = state.cuts.shape
    # A cut's place: its column, the first cut of equal value, its tie-breaker; ascending.
    new = np.ones((m, k), dtype=bool)
    new[:, 1:] = state.cuts[:, 1:] != state.cuts[:, :-1]
    first = np.maximum.accumulate(np.where(new, np.arange(k), 0), axis=1)
    columns = np.broadcast_to(np.arange(m), left.shape)[tied]
    places = (first + state.ties + np.arange(m)[:, None] * (k + 1)).ravel()
    asked = left[tied] + chance[tied] + columns * (k + 1)
    bins = left.copy()
    bins[tied] = np.searchsorted(places, asked) - columns * k
    return bins


def _ranks(mass: Ints, bins: NDArray[np.int16], chance: Floats) -> tuple[Floats, Ints]:
    """Rank every row among all before it, at random inside its bin; return the fuller urn too."""
    n, m = bins.shape
    k = mass.shape[1]
    urn = mass.ravel().copy()
    balls = int(mass[0].sum()) if m else 0
    ranks = np.empty((n, m))
    earlier = np.tri(_BLOCK, k=-1, dtype=bool)[:, :, None]
    for begin in range(0, n, _BLOCK):
        here = bins[begin : begin + _BLOCK]
        b = len(here)
        at = here + np.arange(m) * k
        below = (np.cumsum(urn.reshape(m, k), axis=1) - urn.reshape(m, k)).ravel()
        lower, own = below[at], urn[at]
        small = here.astype(np.uint8)  # 99 cuts, and at most 34 in each tail
        lower += ((small[None] < small[:, None]) & earlier[:b, :b]).sum(axis=1, dtype=np.uint8)
        own += ((small[None] == small[:, None]) & earlier[:b, :b]).sum(axis=1, dtype=np.uint8)
        seen = balls + begin + np.arange(b)[:, None]
        ranks[begin : begin + b] = (lower + chance[begin : begin + b] * own) / seen
        urn += np.bincount(at.ravel(), minlength=m * k)
    return np.minimum(ranks, np.nextafter(1.0, 0.0)), urn.reshape(m, k)


def _remember(state: State, look: int, counts: Ints) -> tuple[Ints, Ints]:
    """Append a look; of three periods of one length the older two become one."""
    spans = np.concatenate([state.spans, [[look, look]]])
    recent = np.concatenate([state.recent, counts[None]])
    while True:
        lengths = spans[:, 1] - spans[:, 0] + 1
        thrice = [
            i for i in range(len(spans) - 2) if lengths[i] == lengths[i + 1] == lengths[i + 2]
        ]
        if not thrice:
            return spans, recent
        i = thrice[-1]
        spans = np.concatenate([spans[:i], [[spans[i, 0], spans[i + 1, 1]]], spans[i + 2 :]])
        recent = np.concatenate([recent[:i], [recent[i] + recent[i + 1]], recent[i + 2 :]])
