"""How many more rows of which groups would settle a largest gap, and what gap the rows can show."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

from trustcheck.stats._pairs import Event, Floats, events, lower, peak, simultaneous_z, upper
from trustcheck.stats._proportions import wilson, z_value

DRAWS = 256  # worlds that could have shown these counts
BASES = 64  # lowest rates tried
GAPS = 20  # gaps tried, from 0 to twice the limit
NODES = 12  # rates tried between the lowest and the highest
FEW = 12  # groups whose ends lie furthest out; those further in decide nothing
DOUBLINGS = 20  # sizes looked at: up to a million times the smallest


@dataclass(frozen=True, slots=True)
class Needed:
    """Rows that would settle an open gap.

    Attributes
    ----------
    more
        Position of each group that should grow and by how many rows, most rows first; empty if
        the gap is settled.
    event
        Column the rows count in: rows are rows of that column's denominator.
    """

    more: tuple[tuple[int, int], ...]
    event: int = 0

    @property
    def rows(self) -> int:
        """Rows of all groups together."""
        return sum(rows for _, rows in self.more)


def groups_needed(
    successes: ArrayLike,
    n: ArrayLike,
    limit: float,
    *,
    level: float = 0.95,
    chance: float = 0.8,
    margin: float = 0.2,
) -> Needed | None:
    """Rows of which groups would bring the largest gap clear of a limit, on either side.

    Parameters
    ----------
    successes, n, level
        As in `largest_gap`.
    limit
        Limit on the gap.
    chance
        Wanted chance, inside (0, 1), that the verdict with the new rows is a pass or a fail.
    margin
        The true gap is supposed to lie at least this share of the limit away from it: nearer
        ones take more rows without bound.

    Returns
    -------
    Needed or None
        The groups that should be raised to one common size: those 2, 4, 8, ... that lie nearest
        to a decision or all, whichever takes fewest rows together. No rows if the gap is settled
        already; None if no number of rows is likely to settle it, as with a limit of 0.

    Raises
    ------
    ValueError
        As in `largest_gap`.

    Notes
    -----
    The chance is taken over worlds that could have shown the counts, by Bayes' rule. Before the
    counts all gaps from 0 to twice the limit are held to be equally likely, save those inside the
    margin; likewise every lowest rate (on the arcsine scale), and whether one group lies above
    the others, one below them, or all are spread between. Where gaps are otherwise in truth, the
    chance is another one. Of several events only the one nearest to a decision is looked at.
    Random numbers are fixed: the same counts give the same rows.

    References
    ----------
    Spiegelhalter, Freedman and Blackburn (1986), Monitoring clinical trials: conditional or
    predictive power?

    Examples
    --------
    >>> from trustcheck.stats.gaps import groups_needed
    >>> need = groups_needed([300, 30], [1000, 90], 0.10)
    >>> need.more[0][0], 200 < need.rows < 2000
    (1, True)
    """
    peaks = []
    z = z_value(level)
    for event in events(successes, n, level):
        gap = np.subtract.outer(event.rates, event.rates)
        below, above = lower(event, event.z), upper(event, z)
        with np.errstate(divide="ignore", invalid="ignore"):
            near = (gap - limit) / (gap - below)  # at least 1 where it fails
        failing = peak(gap, event).at > limit
        peaks.append((failing, peak(near if failing else above, event).at, event, above, below))
    if any(peak(below, event).at > limit for _, _, event, _, below in peaks) or all(
        peak(above, event).at <= limit for _, _, event, above, _ in peaks
    ):
        return Needed(())
    # Events that fail as they stand come first; of those alike, the one nearest to a decision.
    _, _, event, above, _ = max(peaks, key=lambda p: p[:2])
    if limit <= 0:
        return None
    np.fill_diagonal(above, -np.inf)
    order = np.argsort(-np.maximum(above.max(axis=0), above.max(axis=1)), kind="stable")
    future = _Future(event, limit, z, margin)
    plans = [
        plan for chosen in _choices(order) if (plan := future.plan(chosen, chance)) is not None
    ]
    if not plans:
        return None
    rows = min(plans, key=lambda plan: float(plan.sum()))
    grown = [g for g in np.argsort(-rows, kind="stable") if rows[g]]
    return Needed(tuple((int(event.groups[g]), int(rows[g])) for g in grown), event.column)


def detectable_gap(
    n: tuple[float, float],
    rate: float,
    *,
    limit: float = 0.0,
    groups: int = 2,
    level: float = 0.95,
    power: float = 0.8,
) -> float:
    """Smallest true gap between two groups that their rows would show to exceed a limit.

    Parameters
    ----------
    n
        Rows of the group with the higher and of the one with the lower rate, above 0.
    rate
        The lower rate, inside [0, 1].
    limit
        Limit on the gap; with 0, the smallest gap that would be seen at all.
    groups
        How many groups are compared in all.
    level
        Confidence level of the interval of the largest gap, inside (0, 1).
    power
        Wanted chance that the lower end of the interval lies above the limit.

    Returns
    -------
    float
        In the unit of rates; nan if no gap up to ``1 - rate`` would be shown.

    Raises
    ------
    ValueError
        If a size is not positive or `rate` lies outside [0, 1].

    Notes
    -----
    The gap from whose lower end, at the true rates, the limit is as many standard errors away as
    the power asks for.

    References
    ----------
    Fleiss, Levin and Paik (2003), Statistical Methods for Rates and Proportions, chapter 4.

    Examples
    --------
    >>> from trustcheck.stats.gaps import detectable_gap
    >>> print(f"{detectable_gap((500, 500), 0.3):.3f}")
    0.084
    """
    sizes = np.asarray(n, dtype=float)
    if sizes.shape != (2,) or not (sizes > 0).all():
        raise ValueError("a gap needs two groups with rows")
    if not 0 <= rate <= 1:
        raise ValueError(f"rate must be inside [0, 1], got {rate!r}")
    z, wanted = simultaneous_z(groups, level=level), special.ndtri(power)

    def shown(gap: float) -> bool:
        rates = np.array([min(rate + gap, 1.0), rate])
        end = lower(Event(0, np.arange(2), rates, sizes, z), z)[0, 1]
        return bool(end - wanted * np.sqrt((rates * (1 - rates) / sizes).sum()) >= limit)

    few, many = 0.0, 1 - rate
    if not shown(many):
        return float("nan")
    for _ in range(30):
        middle = (few + many) / 2
        few, many = (few, middle) if shown(middle) else (middle, many)
    return many


def _choices(order: NDArray[np.intp]) -> Iterator[NDArray[np.intp]]:
    count = 2
    while count < len(order):
        yield order[:count]
        count *= 2
    yield order


class _Future:
    """What the groups may show with more rows, in worlds that fit what they show now."""

    def __init__(self, event: Event, limit: float, z: float, margin: float) -> None:
        self.event, self.limit, self.z = event, limit, z
        hits = event.rates * event.sizes
        shape = DRAWS, len(hits)
        random = np.random.default_rng(0)
        uniform, normal = random.random(shape), random.standard_normal(shape)
        # Groups are ordered by what they hold, so that their order in the table is no matter.
        place = np.argsort(np.lexsort([hits, event.sizes]))
        self.noise = normal[:, place]
        self.worlds = _worlds(hits, event.sizes, limit, margin, uniform[:, place])

    def plan(self, chosen: NDArray[np.intp], chance: float) -> Floats | None:
        """Rows that raise these groups to the least common size with the wanted chance."""
        sizes = self.event.sizes

        def rows(doublings: float) -> Floats:
            size = sizes[chosen].min() * 2**doublings
            more = np.zeros(len(sizes))
            more[chosen] = np.ceil(np.maximum(size - sizes[chosen], 0))
            return more

        few, many = 0.0, float(DOUBLINGS)
        if self.settled(rows(many)) < chance:
            return None
        for _ in range(10):
            middle = (few + many) / 2
            enough = self.settled(rows(middle)) >= chance
            few, many = (few, middle) if enough else (middle, many)
        more = rows(many)
        if not more.any():
            more[chosen[sizes[chosen].argmin()]] = 1.0
        return more

    def settled(self, more: Floats) -> float:
        """Chance that the interval no longer holds the limit."""
        worlds, sizes = self.worlds, self.event.sizes + more
        now = self.event.rates * self.event.sizes
        new = more * worlds + np.sqrt(more * worlds * (1 - worlds)) * self.noise
        rates = np.clip((now + new) / sizes, 0.0, 1.0)
        # Wilson's ends are near enough to the mid-p ones, and quicker.
        clear = [_largest(rates, sizes, self.z, 1) <= self.limit]
        clear.append(_largest(rates, sizes, self.event.z, -1) > self.limit)
        return float(np.mean(clear[0] | clear[1]))


def _largest(rates: Floats, sizes: Floats, z: float, side: int) -> Floats:
    """Largest upper (side 1) or lower (side -1) bound over pairs, of each row of rates."""
    _, low, high = wilson(rates * sizes, sizes, z=z)
    up, down = (high, low) if side > 0 else (low, high)

    def pick(ends: Floats) -> tuple[Floats, Floats]:
        if rates.shape[1] <= FEW:
            return rates, ends
        at = np.argpartition(-ends if ends is up else ends, FEW, axis=1)[:, :FEW]
        return np.take_along_axis(rates, at, 1), np.take_along_axis(ends, at, 1)

    (p, p_end), (q, q_end) = pick(up), pick(down)
    gap = p[:, :, None] - q[:, None, :]
    reach = np.sqrt(((p_end - p) ** 2)[:, :, None] + ((q_end - q) ** 2)[:, None, :])
    return np.asarray((gap + side * reach).max(axis=(1, 2)))


def _worlds(hits: Floats, sizes: Floats, limit: float, margin: float, uniform: Floats) -> Floats:
    """True rates that could have shown the counts, one world a row, as likely as they are."""
    k = len(hits)
    _, low, high = wilson(hits, sizes, z=4.0)
    start, stop = np.arcsin(np.sqrt([low.min(), high.max()]))
    base = np.sin(np.linspace(start, stop, BASES)) ** 2
    steps = (np.arange(GAPS) + 0.5) / GAPS * 2
    steps = steps[(np.abs(steps - 1) > margin) & (steps * limit < 1)]
    b, g = (a.ravel() for a in np.meshgrid(base, limit * steps, indexing="ij"))
    b = np.minimum(b, 1 - g)

    def likelihood(rates: Floats) -> Floats:
        rates = np.clip(rates, 1e-6, 1 - 1e-6)
        return np.asarray(special.xlogy(hits, rates) + special.xlog1py(sizes - hits, -rates))

    lowest, highest = likelihood(b[:, None]), likelihood((b + g)[:, None])
    one_up = lowest.sum(axis=1, keepdims=True) - lowest + highest - np.log(k)
    one_down = highest.sum(axis=1, keepdims=True) - highest + lowest - np.log(k)
    shapes = [one_up, one_down]
    inner = b[:, None] + g[:, None] * (np.arange(NODES) + 0.5) / NODES
    if k > 2:
        each = likelihood(inner[:, :, None])
        most = each.max(axis=1, keepdims=True)
        each = np.exp(each - most)
        shapes.append((np.log(each.mean(axis=1)) + most[:, 0]).sum(axis=1, keepdims=True))
    weight = np.concatenate(shapes, axis=1)
    share = np.exp(weight - weight.max()).ravel().cumsum()
    drawn = np.searchsorted(share, (np.arange(DRAWS) + 0.5) / DRAWS * share[-1])
    world, shape = np.divmod(drawn, weight.shape[1])
    low, high = (np.repeat(a[world][:, None], k, axis=1) for a in (b, b + g))
    at, spread = np.arange(k), shape == 2 * k
    rates = np.where(shape[:, None] < k, low, high)
    rates = np.where(at == shape[:, None], high, np.where(at == shape[:, None] - k, low, rates))
    if spread.any():
        chances = np.cumsum(each[world[spread]], axis=1)
        node = (chances < uniform[spread][:, None, :] * chances[:, -1:]).sum(axis=1)
        first, last = node.min(axis=1, keepdims=True), node.max(axis=1, keepdims=True)
        # Stretched, so that the gap is the one supposed.
        inside = np.where(last > first, (node - first) / np.maximum(last - first, 1), 0.5)
        rates[spread] = low[spread] + (high - low)[spread] * inside
    return np.clip(rates, 1e-6, 1 - 1e-6)
