"""Do groups get the favourable prediction equally often?"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from trustcheck.probe import probe
from trustcheck.stats import counts, gaps, intervals
from trustcheck.types import Better, Estimate, Measurement, NotMeasurable

if TYPE_CHECKING:
    from trustcheck.subject import Subject


@probe(
    title="Demographic parity",
    question="Do groups get the favourable prediction equally often?",
    headline="gap",
    unit="difference of selection rates",
    better="low",
    keys=("accountability.bias_detection", "accountability.fairness_auditing"),
    clauses=("8.4", "9.5"),
    needs=("groups", "predictions"),
    wants=("predictions",),
    cost="none beyond the shared pass",
    weights=True,
    clusters=True,
)
def demographic_parity(
    subject: Subject, rng: np.random.Generator, *, by: str | list[str] | None = None
) -> Measurement:
    """Measure the largest gap in selection rate between any two groups.

    The interval carries two rules at once: its upper end is the largest pairwise upper bound
    (intersection-union; Berger 1982), its lower end the largest simultaneous lower bound
    (Tukey-Kramer; Agresti et al. 2008), both through Newcombe's closed form (1998). So it can
    contain 0 when groups are equal, which a bootstrap of max - min never does.

    Parameters
    ----------
    subject : Subject
        With sensitive columns.
    by : str or list of str
        Sensitive column; a list means the intersection. The only one unless given.

    Returns
    -------
    Finding
        Headline ``gap``, 0 to 1, and ``ratio``, the smallest ratio of two selection rates. One
        detail row per group (and class, or threshold). With more than two classes the gap is the
        largest over the classes; for regression, over the shares of predictions above each
        decile of all predictions.

    Raises
    ------
    InputError
        If ``by`` is no sensitive column, or is continuous.

    Examples
    --------
    >>> import trustcheck as tc
    >>> subject = tc.Subject.from_predictions(
    ...     None,
    ...     [1] * 50 + [0] * 150,
    ...     sensitive={"sex": ["f", "m"] * 100},
    ...     task="binary",
    ...     classes=[0, 1],
    ... )
    >>> demographic_parity(subject).value
    0.0
    """
    del rng  # nothing is drawn
    assert by is not None  # the runner fills it in
    groups = subject.groups(by)
    if len(groups.names) < 2:
        raise NotMeasurable(
            f"all rows belong to one group of {' and '.join(groups.by)}; a gap needs two"
        )
    table, events = _events(subject, by)
    anywhere = np.ones_like(next(iter(events.values())))
    shares = [table.share(cells, anywhere) for cells in events.values()]
    successes = np.column_stack([share[0] for share in shares])
    sizes = np.column_stack([share[1] for share in shares])
    if len(events) == 1:
        successes, sizes = successes[:, 0], sizes[:, 0]
    gap = gaps.largest_gap(successes, sizes)
    names, event = groups.names, list(events)[gap.event]
    top, bottom = (names[i] for i in gap.pair)
    metrics = {
        "gap": Estimate(
            gap.value,
            gap.low,
            gap.high,
            n=subject.n,
            unit="difference of selection rates",
            range=(0.0, 1.0),
        )
    }
    ratio = gaps.smallest_ratio(successes, sizes)
    notes = [
        f"Furthest apart: {top!r} above {bottom!r}{'' if len(events) == 1 else f' ({event})'}."
    ]
    if np.isfinite([ratio.value, ratio.low, ratio.high]).all():
        metrics["ratio"] = Estimate(
            ratio.value, ratio.low, ratio.high, n=subject.n, unit="smallest ratio of two selection rates",
            range=(0.0, 1.0), better=Better.HIGH,
        )  # fmt: skip
        notes.append(
            "A ratio below 0.8 is the four-fifths rule of thumb of US employment practice, not a law."
        )
    return Measurement(
        metrics,
        rows=_rows(names, events, successes, sizes, table),
        statistics={"successes": successes.tolist(), "n": sizes.tolist()},
        formula="gaps.largest_gap",
        notes=tuple(notes),
        picture="intervals",
        influence=_influence(subject, groups.codes, events[event], gap),
    )


def _events(
    subject: Subject, by: str | list[str]
) -> tuple[counts.CountTable, dict[str, np.ndarray]]:
    """Return the count table and, for each event, its cells: an answer that may be favourable."""
    if subject.task == "regression":
        groups, predictions = subject.groups(by), subject.predictions
        edges = np.unique(np.quantile(predictions, np.linspace(0.1, 0.9, 9)))
        codes = np.searchsorted(edges, predictions, side="left")
        table = counts.count(
            groups.codes, np.zeros(subject.n, dtype=int), codes, (len(groups.names), 1, len(edges) + 1),
            weight=subject.weights, cluster=subject.clusters,
        )  # fmt: skip
        above = {
            f"prediction above {edge:.3g}": np.arange(len(edges) + 1)[None, :] > j
            for j, edge in enumerate(edges)
            if (codes > j).any()
        }
        if not above:
            raise NotMeasurable(
                "the model predicts one number for every row; there is nothing to compare"
            )
        return table, above
    classes = np.arange(len(subject.classes))
    favourable = [subject.positive_code] if subject.task == "binary" else list(classes)
    cells = {str(subject.classes[code]): (classes == code)[None, :] for code in favourable}
    return subject.counts(by, labels=False), cells


def _rows(
    names: tuple[str, ...],
    events: dict[str, np.ndarray],
    successes: np.ndarray,
    sizes: np.ndarray,
    table: counts.CountTable,
) -> tuple[dict[str, str | int | float], ...]:
    hits, n = successes.reshape(len(names), -1), sizes.reshape(len(names), -1)
    got = intervals.wilson(hits, n)
    rows = []
    for e, (event, cells) in enumerate(events.items()):
        for g, name in enumerate(names):
            row: dict[str, str | int | float] = {"group": name}
            if len(events) > 1:
                row["predicted"] = event
            row |= {
                "n": int(table.rows[g].sum()), "selected": int(table.rows[g][cells].sum()),
                "rate": float(got.value[g, e]), "low": float(got.low[g, e]), "high": float(got.high[g, e]),
            }  # fmt: skip
            rows.append(row)
    return tuple(rows)


def _influence(
    subject: Subject, codes: np.ndarray, cells: np.ndarray, gap: gaps.LargestGap
) -> np.ndarray | None:
    """Influence of each row on the difference of the two groups furthest apart."""
    if subject.task == "regression":
        return None
    hit = cells[0][subject.predictions].astype(float)
    weight = np.ones(subject.n) if subject.weights is None else subject.weights
    out = np.zeros(subject.n)
    for group, sign in zip(gap.pair, (1.0, -1.0), strict=True):
        inside = codes == group
        share = weight[inside].sum() / weight.sum()
        if share > 0:
            out[inside] = (
                sign * (hit[inside] - np.average(hit[inside], weights=weight[inside])) / share
            )
    return out
