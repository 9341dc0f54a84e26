"""Do groups still fare differently when like is compared with like?"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from trustcheck.fairness._gap import By, Event, favoured
from trustcheck.probe import probe
from trustcheck.stats import counts, intervals, strata
from trustcheck.types import Estimate, InputError, Measurement, NotMeasurable, Row

if TYPE_CHECKING:
    from trustcheck.subject import Subject

#: Numbers with more distinct values than this are put into bands.
MOST_LEVELS = 10


@probe(
    title="Conditional parity",
    question="Do groups get the favourable prediction equally often among people alike in what"
    " may legitimately matter?",
    headline="gap",
    unit="difference of selection rates within strata",
    better="low",
    keys=("accountability.bias_detection", "accountability.fairness_auditing"),
    clauses=("8.4", "9.5"),
    needs=("groups", "predictions"),
    wants=("predictions",),
    cost="none beyond the shared pass",
    weights=True,
)
def conditional_parity(
    subject: Subject,
    rng: np.random.Generator,
    *,
    by: By = None,
    given: str | Sequence[str] | None = None,
    bands: int = 5,
) -> Measurement:
    """Measure the largest gap in selection rate from the largest group, within strata.

    Conditional demographic disparity (Wachter, Mittelstadt & Russell 2021) as the Mantel-Haenszel
    common risk difference (Mantel & Haenszel 1959; variance of Sato 1989): groups are compared
    within strata of people alike in the columns of ``given``, and the differences averaged. Which
    factors are legitimate is a matter of law and ethics, so nothing is assumed: without ``given``
    the finding is skipped.

    Parameters
    ----------
    subject : Subject
        With sensitive columns.
    by : str or list of str
        Sensitive column; a list means the intersection. The only one unless given.
    given : str or list of str
        Columns the model reads, or other sensitive columns; a list means their intersection.
        Numbers with more than 10 values are put into bands.
    bands : int
        How many bands, of equal shares of the reference; at least 2.

    Returns
    -------
    Finding
        Headline ``gap``, 0 to 1, and ``marginal``, the same without strata. One detail row per
        stratum and group (and class, or threshold).

    Raises
    ------
    InputError
        If a column of ``given`` is unknown, or is one of ``by``.

    Examples
    --------
    >>> import trustcheck as tc
    >>> subject = tc.Subject.from_predictions(
    ...     None,
    ...     [1] * 90 + [0] * 110,
    ...     sensitive={"sex": ["f"] * 30 + ["m"] * 170, "dept": ["a"] * 90 + ["b"] * 110},
    ...     task="binary",
    ...     classes=[0, 1],
    ... )
    >>> conditional_parity(subject, by="sex", given="dept").value
    0.0
    """
    groups = subject.groups(by or ())
    if given is None:
        raise NotMeasurable(
            "no legitimate factors were named; say which columns may justify a difference,"
            " e.g. fairness.conditional_parity.using(given=['job'])"
        )
    if len(groups.names) < 2:
        raise NotMeasurable(
            f"all rows belong to one group of {' and '.join(groups.by)}; a gap needs two"
        )
    columns = (given,) if isinstance(given, str) else tuple(given)
    code, names = _strata(subject, groups.by, columns, bands)
    predicted, events = favourable(subject, subject.predictions)
    shape = (len(names), len(groups.names))
    hits, sizes, rows_in = cells(subject, code, groups.codes, predicted, events, shape)
    marginal = cells(subject, 0 * code, groups.codes, predicted, events, (1, shape[1]))
    # The largest group; of equal ones the better treated, so that names decide nothing.
    rates = marginal[0][0, :, 0] / marginal[1][0, :, 0]
    reference = int(np.lexsort((rates, np.bincount(groups.codes, subject.weights)))[-1])
    try:
        found = strata.largest_common_difference(hits, sizes, reference)
    except ValueError:
        raise NotMeasurable(
            f"no stratum of {' and '.join(columns)} holds two groups; name fewer or coarser columns"
        ) from None
    plain = strata.largest_common_difference(*marginal[:2], reference)
    unit = "difference of selection rates"
    metrics = {
        name: Estimate(got.value, got.low, got.high, subject.n, f"{unit}{where}", range=(0.0, 1.0))
        for name, got, where in (
            ("gap", found, " within strata"),
            ("marginal", plain, ", no strata"),
        )
    }
    shared = (sizes[:, :, 0] > 0) & (sizes[:, [reference], 0] > 0)
    alone = [name for g, name in enumerate(groups.names) if not shared[:, g].any()]
    event = "" if len(events) == 1 else f" ({events[found.event].name})"
    lost = 1 - (np.delete(shared, reference, 1).any(axis=1) @ rows_in.sum(axis=1)) / subject.n
    notes = [
        f"Reference group: {groups.names[reference]!r}, the largest.",
        f"Furthest from it within strata: {groups.names[found.group]!r}{event}.",
        *([f"{lost:.1%} of the rows lie in strata without a comparison."] if lost > 0 else []),
        *_alarms(groups.names, events, reference, (hits, sizes), marginal[:2]),
    ]
    return Measurement(
        metrics,
        rows=_rows(names, groups.names, events, hits, sizes, rows_in),
        statistics={"successes": hits.tolist(), "n": sizes.tolist(), "reference": reference},
        formula="strata.largest_common_difference",
        notes=tuple(notes),
        picture="intervals",
        incomplete=(
            f"group {', '.join(map(repr, alone))} shares no stratum with the reference group:"
            " its gap is unknown."
        )
        if alone
        else None,
    )


def _strata(
    subject: Subject, by: tuple[str, ...], columns: tuple[str, ...], bands: int
) -> tuple[np.ndarray, tuple[str, ...]]:
    """Return each row's stratum and the strata's printable names."""
    if bands < 2:
        raise InputError("bands must be at least 2")
    if not columns:
        raise InputError("given= names no column")
    code = np.zeros(subject.n, dtype=np.int64)
    levels: list[tuple[str, ...]] = []
    for column in columns:
        if column in by:
            raise InputError(f"given={column!r} is the very group compared; leave it out of given=")
        if column in subject.sensitive:
            own, names = subject.groups(column).codes, subject.groups(column).names
        elif column in subject.features:
            own, names = _levels(subject, column, bands)
        else:
            known = ", ".join(dict.fromkeys([*subject.features, *subject.sensitive]))
            raise InputError(f"given={column!r} is no column of this subject; it has {known}")
        code = code * len(names) + own
        levels.append(tuple(f"{column} {name}" for name in names))
    present, code = np.unique(code, return_inverse=True)
    digits = np.unravel_index(present, [len(names) for names in levels])
    places = zip(*digits, strict=True)
    return code, tuple(
        " & ".join(names[int(d)] for names, d in zip(levels, place, strict=True))
        for place in places
    )


def _levels(subject: Subject, column: str, bands: int) -> tuple[np.ndarray, tuple[str, ...]]:
    """Return the codes and names of a feature's levels, or of bands of its numbers."""
    import pandas as pd

    values = subject.X[column]
    if not subject.schema[column].is_numeric or values.nunique() <= MOST_LEVELS:
        code, found = pd.factorize(values, sort=False)
        names = [subject.printable_level(column, level) for level in found]
        order = np.argsort([f"{name}\0{level!r}" for name, level in zip(names, found, strict=True)])
        names = [names[o] for o in order]
        code = np.append(np.argsort(order), len(order))[code]  # -1, missing, takes the last place
    else:
        from trustcheck.subject._schema import as_numbers

        source = subject.reference.X if "reference" in subject.offers() else subject.X
        known = as_numbers(source[column])
        cuts = np.quantile(known[np.isfinite(known)], np.arange(1, bands) / bands)
        edges = np.unique([float(f"{cut:.3g}") for cut in cuts])
        numbers = as_numbers(values)
        code = np.where(np.isnan(numbers), len(edges) + 1, np.searchsorted(edges, numbers))
        ends = [f"{edge:g}" for edge in edges]
        names = [f"up to {ends[0]}", *map("{} to {}".format, ends, ends[1:]), f"above {ends[-1]}"]
    return code, (*names, "(missing)")


def favourable(subject: Subject, values: np.ndarray) -> tuple[np.ndarray, list[Event]]:
    """Return codes of predictions (or labels), and which codes count as favourable."""
    if subject.task != "regression":
        anywhere = np.ones((1, len(subject.classes)), dtype=bool)
        return values, [
            Event(str(label), "all rows", cells, anywhere) for label, cells in favoured(subject, 1)
        ]
    edges = np.unique(np.quantile(values, [0.25, 0.5, 0.75]))
    code = np.searchsorted(edges, values)
    anywhere = np.ones((1, len(edges) + 1), dtype=bool)
    events = [
        Event(f"above {edge:.3g}", "all rows", np.arange(len(edges) + 1)[None, :] > j, anywhere)
        for j, edge in enumerate(edges)
        if (code > j).any()
    ]
    if not events:
        raise NotMeasurable("every row has one and the same number; nothing to compare")
    return code, events


def cells(
    subject: Subject,
    stratum: np.ndarray,
    group: np.ndarray,
    predicted: np.ndarray,
    events: list[Event],
    shape: tuple[int, int],
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return effective hits and sizes (strata, groups, events), and rows (strata, groups)."""
    table = counts.count(
        stratum * shape[1] + group,
        np.zeros(subject.n, dtype=int),
        predicted,
        (shape[0] * shape[1], *events[0].numerator.shape),
        weight=subject.weights,
        cluster=subject.clusters,
    )
    shares = [table.share(event.numerator, event.denominator) for event in events]
    hits, sizes = (
        np.stack(part, axis=-1).reshape(*shape, -1) for part in zip(*shares, strict=True)
    )
    return hits, sizes, table.rows.sum(axis=(1, 2)).reshape(shape)


def _alarms(
    names: tuple[str, ...],
    events: list[Event],
    reference: int,
    within: tuple[np.ndarray, np.ndarray],
    marginal: tuple[np.ndarray, np.ndarray],
) -> list[str]:
    """Say where strata reverse a marginal gap, or oppose one another, beyond chance."""
    pairs = (len(names) - 1) * len(events)
    level = strata.together(2 * pairs)
    inside, outside = (strata.against(*t, reference, level=level) for t in (within, marginal))
    each = strata.together(pairs * len(within[0]))
    apart = intervals.newcombe(
        *within, *(np.broadcast_to(t[:, [reference]], t.shape) for t in within), level=each
    )
    notes = []
    for g, e in np.ndindex(*np.shape(inside.value)):
        who = f"{names[g]!r} against {names[reference]!r}"
        if len(events) > 1:
            who += f" ({events[e].name})"
        if _sign(inside, g, e) * _sign(outside, g, e) < 0:
            notes.append(
                f"Simpson alarm: {who} differs by {outside.value[g, e]:+.3f} overall but by"
                f" {inside.value[g, e]:+.3f} within strata; both are beyond chance."
            )
        up, down = (apart.low[:, g, e] > 0).sum(), (apart.high[:, g, e] < 0).sum()
        if g != reference and up and down:
            notes.append(
                f"{who} is above in {up} strata and below in {down}, beyond chance: the average"
                " over strata hides both; read the detail rows."
            )
    return notes


def _sign(got: intervals.Interval, *at: int) -> int:
    return int(got.low[at] > 0) - int(got.high[at] < 0)


def _rows(
    names: tuple[str, ...],
    groups: tuple[str, ...],
    events: list[Event],
    hits: np.ndarray,
    sizes: np.ndarray,
    rows_in: np.ndarray,
) -> tuple[Row, ...]:
    got = intervals.wilson(hits, sizes)
    rows = []
    for k, g, e in np.ndindex(*hits.shape):
        if not rows_in[k, g]:
            continue
        row: dict[str, str | int | float | None] = {"given": names[k], "group": groups[g]}
        if len(events) > 1:
            row["event"] = events[e].name
        rate = {end: float(getattr(got, end)[k, g, e]) for end in ("value", "low", "high")}
        row |= {"n": int(rows_in[k, g]), "rate": rate["value"]}
        rows.append(row | {"low": rate["low"], "high": rate["high"]})
    return tuple(rows)
