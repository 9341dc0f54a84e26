"""Attacks in order of what they know and cost; each sees only rows that the ones before left."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from trustcheck.search._attack import Search

#: A weaker attack that flips more than this part of the rows a stronger one left, and this many
#: rows, means that the stronger one is misled.
ALARM_SHARE, ALARM_ROWS = 0.1, 3
#: Rows proven to be safe that are attacked all the same.
CHALLENGED = 20


class Step(NamedTuple):
    """One attack.

    Attributes
    ----------
    name : str
        E.g. "white box", "scores", "labels", "art:HopSkipJump".
    run : callable
        Given rows, fills the search.
    most : int
        Rows it is run on at most: the first that are left.
    """

    name: str
    run: Callable[[np.ndarray], None]
    most: int


class Climb(NamedTuple):
    """What became of the attacks.

    Attributes
    ----------
    tried, broken : dict of str to bool ndarray, shape (m,)
        By attack: rows it was run on, and those it was the first to flip within epsilon.
    interrupted : bool
        Whether somebody stopped it half-way.
    """

    tried: dict[str, np.ndarray]
    broken: dict[str, np.ndarray]
    interrupted: bool


def climb(search: Search, steps: list[Step], epsilon: float, lower: np.ndarray) -> Climb:
    """Run the attacks on what is left after each; stop, and keep what was found, on Ctrl-C.

    Left are the rows that nothing has flipped within epsilon. Of those proven safe by ``lower``,
    the first few are attacked all the same: a proof that an attack refutes is none.
    """
    tried: dict[str, np.ndarray] = {}
    broken: dict[str, np.ndarray] = {}
    stopped = False
    for step in steps:
        before = search.distance <= epsilon * (1 + 1e-9)
        safe = lower > epsilon
        rows = np.flatnonzero(~before & (~safe | (np.cumsum(safe) <= CHALLENGED)))[: step.most]
        if not rows.size:
            continue
        tried[step.name] = np.isin(np.arange(len(before)), rows)
        try:
            step.run(rows)
        except KeyboardInterrupt:
            stopped = True
        broken[step.name] = ~before & (search.distance <= epsilon * (1 + 1e-9))
        if stopped:
            break
    return Climb(tried, broken, stopped)


def alarms(climb: Climb, settled: np.ndarray) -> list[str]:
    """Name the attacks that beat a stronger one.

    Parameters
    ----------
    settled : bool ndarray, shape (m,)
        Rows proven to be safe within epsilon.
    """
    found = []
    names = list(climb.tried)
    for turn, name in enumerate(names):
        rows, hits = climb.tried[name], climb.broken[name]
        # Reading a model bit by bit may stop before its end; it is misled only where it was sure.
        after = any(stronger != "white box" for stronger in names[:turn])
        many = hits.sum() >= ALARM_ROWS and hits.sum() > ALARM_SHARE * rows.sum()
        if (turn and (hits & settled).any()) or (after and many):
            found.append(
                f"Alarm: {name} flipped {int(hits.sum())} of {int(rows.sum())} rows that a stronger"
                " attack had left. The model's answers mislead a search, so do not rely on the"
                " share that stays."
            )
    return found
