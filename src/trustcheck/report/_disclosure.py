"""Which groups must have no numbers, so that nobody learns about the people of a small one.

Primary suppression, secondary suppression and the audit of what is left, after Hundepool et al.
(2012), *Statistical Disclosure Control*, chapter 4. Pure: tables in, names of groups out.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, pairwise, product

import numpy as np

JOINT = " & "  # between the levels of a group formed by several columns
MOST_CELLS = 1000  # tables over more groups than this are withheld whole, not audited
MOST_PIECES = 12
Counts = Mapping[Hashable, np.ndarray]
Group = tuple[tuple[str, ...], str]


@dataclass(frozen=True, slots=True)
class Table:
    """Counts of all groups formed by some columns.

    Parameters
    ----------
    by : tuple of str
        The columns.
    groups : tuple of str
        Names of the groups, levels joined by " & ".
    counts : mapping of a statistic to an array, shape (groups,)
        Statistics of one name add up alike in every table that has them. NaN stands for a count
        that is not shown.
    """

    by: tuple[str, ...]
    groups: tuple[str, ...]
    counts: Counts


def implied(
    shown: Mapping[frozenset[Hashable], np.ndarray],
) -> dict[frozenset[Hashable], np.ndarray]:
    """Return the counts that shown ones give away: their overlaps, and what one leaves of another.

    Parameters
    ----------
    shown : mapping of a set of cells to an array
        The rows in those cells, for each group.

    Returns
    -------
    dict
        The same for every overlap or remainder of two shown sets that some sum of shown counts
        determines.

    Examples
    --------
    >>> found = implied({frozenset("abcd"): np.array([9.0]), frozenset("ab"): np.array([5.0])})
    >>> found[frozenset("cd")]
    array([4.])
    """
    sets = list(shown)
    pairs = list(product(sets, repeat=2))
    wanted = list(dict.fromkeys([*sets, *(a & b for a, b in pairs), *(a - b for a, b in pairs)]))
    wanted = [cells for cells in wanted if cells]
    cells = list(dict.fromkeys(cell for one in sets for cell in one))
    known = np.array([[cell in one for cell in cells] for one in sets], dtype=float).T
    asked = np.array([[cell in one for cell in cells] for one in wanted], dtype=float).T
    weights = np.linalg.lstsq(known, asked, rcond=None)[0]
    told = np.abs(known @ weights - asked).max(axis=0) < 1e-9
    values = np.array([shown[one] for one in sets])
    found = {one: w @ values for one, w, ok in zip(wanted, weights.T, told, strict=True) if ok}
    return {one: np.round(value, 6) for one, value in found.items()}


def suppressed(tables: Sequence[Table], least: int) -> set[Group]:
    """Return the groups that must have no numbers.

    First every group with a count below ``least``: 0 too, because "none of them" is a fact about
    each of them. Then, smallest first, as many more as it takes until whoever knows all totals and
    adds and subtracts what is shown can tell no hidden count to within less than ``least``. A
    group is shown with all its numbers or with none, so one set of names serves every table.

    Parameters
    ----------
    tables : sequence of Table
        One for each way to form groups, all of the same rows.
    least : int
        The smallest count that may be shown.

    Returns
    -------
    set of (by, group)

    Examples
    --------
    >>> table = Table(("sex",), ("f", "m", "x"), {"n": np.array([90.0, 40.0, 3.0])})
    >>> sorted(group for _, group in suppressed([table], 10))
    ['m', 'x']
    """
    hidden = {
        (table.by, group)
        for table in tables
        for count in table.counts.values()
        for group, value in zip(table.groups, count, strict=True)
        if not value >= least  # NaN, too
    }
    everything = {(table.by, group) for table in tables for group in table.groups}
    if not hidden:
        return hidden
    members = _members(tables)
    if members is None:
        return everything
    size = {
        (table.by, group): float(n)
        for table in tables
        for group, n in zip(table.groups, np.max(list(table.counts.values()), axis=0), strict=True)
    }
    safe: set[tuple[Hashable, Group]] = set()
    while everything - hidden:
        found = _open(tables, members, hidden, least, safe)
        if found is None:
            return hidden
        group, pinned_by = found
        shown = everything - hidden
        near = {other for other in shown if other[0] == group[0]}
        hidden.add(min(pinned_by & shown or near or shown, key=lambda one: (size[one], one)))
    return hidden


def _open(
    tables: Sequence[Table],
    members: Mapping[Group, np.ndarray],
    hidden: set[Group],
    least: int,
    safe: set[tuple[Hashable, Group]],
) -> tuple[Group, set[Group]] | None:
    """Return a hidden group with a count that can be told, and the shown groups that tell it.

    What was safe stays safe, as hiding more only widens what a reader has to leave open.
    """
    for statistic in dict.fromkeys(name for table in tables for name in table.counts):
        have = [table for table in tables if statistic in table.counts]
        groups = [
            ((table.by, group), float(value))
            for table in have
            for group, value in zip(table.groups, table.counts[statistic], strict=True)
        ]
        known = [(one, value) for one, value in groups if one not in hidden]
        total = float(np.nansum(have[0].counts[statistic]))
        wholes = np.array([*(members[one] for one, _ in known), np.ones(_cells(members))])
        sums = np.array([*(value for _, value in known), total])
        for one, _ in groups:
            if one not in hidden or (statistic, one) in safe:
                continue
            width, tell = _width(members[one], wholes, sums)
            if width < least - 1e-6:
                return one, {known[i][0] for i in tell if i < len(known)}
            safe.add((statistic, one))
    return None


def _width(wanted: np.ndarray, wholes: np.ndarray, sums: np.ndarray) -> tuple[float, list[int]]:
    """Return how far apart the least and the most a count can be are, and which sums say so."""
    from scipy.optimize import linprog

    ends, prices = [], np.zeros(len(sums))
    for sign in (1.0, -1.0):
        got = linprog(sign * wanted, A_eq=wholes, b_eq=sums, bounds=(0, None), method="highs")
        if not got.success:  # counts that contradict each other: no audit, so hide more
            return 0.0, []
        ends.append(sign * float(got.fun or 0.0))
        prices += np.abs(got.eqlin.marginals)
    return ends[1] - ends[0], [int(i) for i in np.flatnonzero(prices > 1e-9)]


def _cells(members: Mapping[Group, np.ndarray]) -> int:
    return len(next(iter(members.values())))


def _members(tables: Sequence[Table]) -> dict[Group, np.ndarray] | None:
    """Return for each group which cells of the finest table it holds; None where unclear."""
    known = {table.by[0]: set(table.groups) for table in tables if len(table.by) == 1}
    levels: dict[Group, dict[str, str]] = {}
    for table in tables:
        for group in table.groups:
            parts = _split(group, table.by, known)
            if parts is None:
                return None
            levels[table.by, group] = dict(zip(table.by, parts, strict=True))
    columns = list(dict.fromkeys(column for table in tables for column in table.by))
    finest = [table for table in tables if set(table.by) == set(columns)]
    if finest:  # it names every group there is
        cells = [levels[finest[0].by, group] for group in finest[0].groups]
    else:
        own = [dict.fromkeys(at[c] for at in levels.values() if c in at) for c in columns]
        if np.prod([float(len(names)) for names in own]) > MOST_CELLS:
            return None
        cells = [dict(zip(columns, names, strict=True)) for names in product(*own)]
    if len(cells) > MOST_CELLS:
        return None
    return {
        group: np.array([float(at.items() <= cell.items()) for cell in cells])
        for group, at in levels.items()
    }


def _split(
    group: str, by: tuple[str, ...], known: Mapping[str, Iterable[str]]
) -> tuple[str, ...] | None:
    """Return the levels of a joint group, one a column; None where the name can be read twice."""
    pieces = group.split(JOINT)
    if len(by) == 1:
        return (group,)
    if len(pieces) > MOST_PIECES:
        return None
    readings = [
        tuple(JOINT.join(pieces[a:b]) for a, b in pairwise((0, *cuts, len(pieces))))
        for cuts in combinations(range(1, len(pieces)), len(by) - 1)
    ]
    fits = [
        reading
        for reading in readings
        if all(level in known.get(c, (level,)) for c, level in zip(by, reading, strict=True))
    ]
    return fits[0] if len(fits) == 1 else None
