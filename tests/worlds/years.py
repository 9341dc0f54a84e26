"""Years of daily looks in worlds where nothing changes, or one thing does, many columns at a time.

The columns of one run are taken as worlds of one column, and in groups as worlds of 20 and of 200.
Run as a script it prints the tables of docs/evidence/monitoring.md.
"""

from __future__ import annotations

import dataclasses
import os
import sys
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from trustcheck._looks import numbers_moved
from trustcheck.stats import intervals, sequential

FULL = os.environ.get("TRUSTCHECK_WORLDS") == "full"
ALPHA, DAYS, COLUMNS = 0.05, 365, 200
Draw = Callable[[np.random.Generator, tuple[int, int]], np.ndarray]


def table(rng: np.random.Generator, rows: int) -> np.ndarray:
    """Numbers, money with ties, a rare yes, levels, gaps; every second 20 columns go together."""
    x = rng.normal(size=(rows, COLUMNS))
    shared = rng.normal(size=(rows, COLUMNS // 40, 1))
    groups = x.reshape(rows, COLUMNS // 40, 40)
    groups[:, :, 20:] = (groups[:, :, 20:] + shared) / 2**0.5
    x[:, 1::5] = np.exp(x[:, 1::5]).round(1)
    x[:, 2::5] = x[:, 2::5] > 1.5
    x[:, 3::5] = np.floor(30 * np.abs(np.sin(7 * x[:, 3::5])))
    x[:, 4::5] = np.where(x[:, 4::5] < -0.8, np.nan, x[:, 4::5])
    return x


def heights(reference: int, rows: int, seed: int, *, frozen: bool = False) -> np.ndarray:
    """Largest log-evidence of each column within a year in which nothing changes.

    With ``frozen`` new rows are ranked among the reference alone: the mistake the guarantee
    does not survive.
    """
    rng = np.random.default_rng([reference, rows, seed])
    state = sequential.start(table(rng, reference), seed=(seed,))
    urn, top = state.mass, np.full(COLUMNS, -np.inf)
    for _ in range(DAYS):
        state = sequential.step(state, table(rng, rows))
        top = np.maximum(top, sequential.evidence(state))
        if frozen:
            state = dataclasses.replace(state, mass=urn)
    return top


def alarmed(top: np.ndarray, columns: int) -> np.ndarray:
    """Whether each world of so many columns raised any alarm."""
    limit = sequential.threshold(DAYS, columns, ALPHA)
    if columns == 1:  # columns that do not go together, so that worlds are independent
        return (top.reshape(-1, 40)[:, :20] >= limit).ravel()
    return (top.reshape(-1, columns) >= limit).any(axis=1)


class Delays(NamedTuple):
    """Per world: days from the change to the alarm (inf: none), error of its date, effects."""

    days: np.ndarray
    dated: np.ndarray
    covered: np.ndarray
    covered_later: np.ndarray


def delays(
    reference: int, day: int, shift: float, worlds: int, *, rows: int = 500, families: int = 1,
    patience: int = 60, seed: int = 0,
) -> Delays:  # fmt: skip
    """Let standard normal columns shift from a day on, and wait for their alarms."""
    from scipy.special import ndtr

    rng = np.random.default_rng([reference, day, round(1000 * shift), seed])
    state = sequential.start(rng.normal(size=(reference, worlds)), seed=(seed,))
    limit = sequential.threshold(DAYS, families, ALPHA)
    days, dated = np.full(worlds, np.inf), np.full(worlds, np.nan)
    covered = np.full((2, worlds), np.nan)
    truth = 2 * ndtr(shift / 2) - 1
    for look in range(1, day + patience):
        state = sequential.step(state, rng.normal(shift * (look >= day), 1, (rows, worlds)))
        new = (sequential.evidence(state) >= limit) & np.isinf(days)
        since = sequential.change_points(state)
        days[new], dated[new] = look - day + 1, since[new] - day
        for k, wait in enumerate((0, 10)):
            for j in np.flatnonzero((days > 0) & (days + day - 1 + wait == look)):
                before, now, _ = sequential.window(state, j, int(dated[j]) + day)
                found, _ = numbers_moved(before, now, len(state.spans) * families, loss=False)
                covered[k, j] = found.low <= truth <= found.high
    return Delays(days, dated, *covered)


def waits(before: Draw, after: Draw, *, worlds: int = 40, day: int = 31) -> np.ndarray:
    """Days from a change of one column to its alarm, per world; inf where there is none in 60."""
    rng = np.random.default_rng(1)
    state = sequential.start(before(rng, (2000, worlds)))
    limit, found = sequential.threshold(DAYS, 1, ALPHA), np.full(worlds, np.inf)
    for look in range(1, day + 60):
        state = sequential.step(state, (after if look >= day else before)(rng, (500, worlds)))
        found[(sequential.evidence(state) >= limit) & np.isinf(found)] = look - day + 1
    return found


def kinds() -> None:
    """Print how long changes take that are not shifts."""

    def equal(k: int) -> Draw:
        return lambda rng, size: rng.integers(0, k, size) / k

    def mixed(share: float, value: float, before: Draw) -> Draw:
        return lambda rng, size: np.where(rng.random(size) < share, value, before(rng, size))

    def without(k: int) -> Draw:
        return lambda rng, size: rng.choice(np.delete(np.arange(k) / k, k // 2), size)

    numbers: Draw = lambda rng, size: rng.normal(size=size)  # noqa: E731
    changes = {f"{q:.0%} missing": (numbers, mixed(q, np.nan, numbers)) for q in (0.01, 0.02)}
    for q in (0.01, 0.02, 0.05):
        changes[f"a new level, {q:.0%}"] = equal(40), mixed(q, 0.501, equal(40))
    changes |= {f"one of {k} levels vanishes": (equal(k), without(k)) for k in (10, 100)}
    print("| change | median days | 90 % |")  # noqa: T201
    for name, (before, after) in changes.items():
        found = waits(before, after)
        late = np.quantile(found, 0.9, method="higher")
        print(f"| {name} | {np.median(found):.1f} | {late:.0f} |", flush=True)  # noqa: T201


def main(blocks: int) -> None:
    """Print what the evidence page quotes."""
    print("| reference | rows a day | columns | years | with an alarm | 95 % interval |")  # noqa: T201
    for reference, rows in ((200, 50), (1000, 50), (10_000, 50), (200, 500)):
        years = blocks if rows == 50 else blocks // 5
        top = np.concatenate([heights(reference, rows, seed) for seed in range(years)])
        for columns in (1, 20, 200):
            hit = alarmed(top, columns)
            low, high = intervals.clopper_pearson(hit.sum(), hit.size)[1:]
            print(  # noqa: T201
                f"| {reference:,} | {rows} | {columns} | {hit.size:,} | {hit.mean():.2%} |"
                f" {low:.2%} to {high:.2%} |", flush=True,
            )  # fmt: skip
    print("| reference | day | shift | columns | median days | 90 % | found in 60 | dated within 3 |"  # noqa: T201
          " covered at the alarm, 10 looks later |")  # fmt: skip
    for families in (1, 20, 200):
        for reference in (200, 1000, 10_000):
            for day in (6, 31, 181):
                for shift in (0.05, 0.1, 0.2):
                    if families > 1 and (reference, shift) != (1000, 0.1):
                        continue
                    d = delays(reference, day, shift, 300, families=families)
                    late = np.quantile(d.days, 0.9, method="higher")
                    near = np.nanmean(np.abs(d.dated) <= 3)
                    print(  # noqa: T201
                        f"| {reference:,} | {day} | {shift} | {families} | {np.median(d.days):.0f}"
                        f" | {late:.0f} | {np.isfinite(d.days).mean():.0%} | {near:.0%}"
                        f" | {np.nanmean(d.covered):.1%}, {np.nanmean(d.covered_later):.1%} |",
                        flush=True,
                    )


if __name__ == "__main__":
    if "kinds" in sys.argv:
        kinds()
    else:
        main(int(sys.argv[1]) if len(sys.argv) > 1 else 20)
