"""Two reports, or two models on the same rows: what became better, worse, or cannot be told."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any, overload

import numpy as np

from trustcheck.stats import difference, intervals, mcnemar
from trustcheck.stats.intervals import Interval
from trustcheck.subject import Subject
from trustcheck.types import (
    Better,
    Dimension,
    Estimate,
    Finding,
    InputError,
    Method,
    Report,
    Status,
    VerdictStatus,
)

if TYPE_CHECKING:
    import pandas as pd

_SAME = ("task", "positive", "classes")
_LEVEL = 0.95


class Change(StrEnum):
    """What became of a number."""

    BETTER = "better"
    WORSE = "worse"
    UNDECIDED = "can't tell"
    SAME = "unchanged"  # exactly: nothing here is uncertain
    NOT_COMPARABLE = "not comparable"


@dataclass(frozen=True, slots=True)
class Difference:
    """One number in both reports: second less first, with its 95 % interval."""

    key: str
    title: str
    metric: str
    dimension: Dimension
    better: Better
    change: Change
    first: Estimate | None
    second: Estimate | None
    value: float | None
    low: float | None
    high: float | None
    method: str
    first_verdict: VerdictStatus | None
    second_verdict: VerdictStatus | None

    def worse_by(self, level: float = _LEVEL) -> float:
        """Return how much worse the second is at least, in the metric's unit; 0 if it may be not.

        Parameters
        ----------
        level : float
            Of the two-sided interval; beyond 0.95 it is stretched as a normal one.
        """
        if self.value is None or self.low is None or self.high is None:
            return 0.0
        stretch = intervals.z_value(level) / intervals.z_value(_LEVEL)
        if self.better is Better.LOW:
            return max(self.value - stretch * (self.value - self.low), 0.0)
        return max(-(self.value + stretch * (self.high - self.value)), 0.0)


@dataclass(frozen=True, slots=True)
class Comparison:
    """What :func:`trustcheck.compare` found.

    Parameters
    ----------
    first, second : Report
    paired : bool
        Whether both were measured on the same rows, row by row.
    reason : str or None
        Why the two cannot be compared at all.
    differences : tuple of Difference
        One per requirement that both were judged by, and per headline nobody judged.
    notes : tuple of str
        How the intervals were made.
    """

    first: Report
    second: Report
    paired: bool
    reason: str | None
    differences: tuple[Difference, ...]
    notes: tuple[str, ...] = ()

    def of(self, change: Change | str) -> tuple[Difference, ...]:
        """Return the differences of one kind, e.g. ``"worse"``."""
        return tuple(found for found in self.differences if found.change == change)

    def to_frame(self) -> pd.DataFrame:
        """Return one row per difference."""
        import pandas as pd

        columns = ("key", "metric", "better", "change", "first", "second", "value", "low", "high",
                   "method", "first_verdict", "second_verdict")  # fmt: skip
        rows = []
        for found in self.differences:
            row = {name: getattr(found, name) for name in columns}
            for name in ("first", "second"):
                row[name] = None if row[name] is None else row[name].value
            rows.append({k: str(v) if isinstance(v, StrEnum) else v for k, v in row.items()})
        return pd.DataFrame(rows, columns=list(columns))

    def to_dict(self) -> dict[str, Any]:
        """Return the comparison as plain data."""
        rows = self.to_frame().astype(object)
        return {
            "first": self.first.subject.get("name"),
            "second": self.second.subject.get("name"),
            "paired": self.paired,
            "reason": self.reason,
            "notes": list(self.notes),
            "differences": rows.where(rows.notna(), None).to_dict("records"),
        }

    def __str__(self) -> str:
        """Return the comparison as the terminal shows it."""
        from trustcheck.report import _comparison

        return _comparison.text(self)

    __repr__ = __str__

    def _repr_html_(self) -> str:
        from trustcheck.report import _comparison

        return _comparison.card(self)


@overload
def compare(first: Report, second: Report) -> Comparison: ...
@overload
def compare(
    first: Subject,
    second: Subject,
    profile: Any = "default",
    *,
    probes: Any = None,
    n_jobs: int | None = 1,
    budget: int | None = None,
    seed: int | None = None,
    show_progress: bool | None = None,
) -> Comparison: ...
def compare(first: Any, second: Any, profile: Any = "default", **options: Any) -> Comparison:
    """Compare two reports, or two models (champion and challenger) on the same rows.

    Parameters
    ----------
    first, second : Report or Subject
        Two reports made by one profile; or two subjects that hold the same rows in the same order.
    profile, probes, n_jobs, budget, seed, show_progress
        For subjects, as for :func:`trustcheck.evaluate`: both are measured with one seed.

    Returns
    -------
    Comparison
        For each requirement: better, worse, or can't tell, by whether the 95 % interval of the
        difference leaves out 0. Prints as a card; ``.to_frame()`` gives the numbers.

    Raises
    ------
    InputError
        If the subjects do not hold the same rows.

    Notes
    -----
    Reports on different rows are taken as independent and their intervals combined (Newcombe 1998,
    Zou and Donner 2008). Reports on the same rows are compared from end to opposite end, which holds
    whatever their dependence. Two subjects are paired row by row: by McNemar's comparison for
    accuracy (Bonett and Price 2012), by the correlation of the rows' influences for headlines that
    have them (Zou 2007); what has neither is compared from end to opposite end.

    Examples
    --------
    >>> import numpy as np, trustcheck as tc
    >>> X, y = np.arange(400.0)[:, None], np.arange(400) % 2
    >>> champion = tc.Subject(lambda X: (X[:, 0] % 10 < 5).astype(int), X, y, name="champion")
    >>> challenger = tc.Subject(lambda X: (X[:, 0] % 2).astype(int), X, y, name="challenger")
    >>> found = compare(champion, challenger, probes="reliability.performance")
    >>> found.differences[0].change
    <Change.BETTER: 'better'>
    """
    if isinstance(first, Report) and isinstance(second, Report):
        if options or profile != "default":
            raise InputError(
                "reports hold their profile; judge both anew with report.judge(profile)"
            )
        return _reports(first, second, None)
    if not (isinstance(first, Subject) and isinstance(second, Subject)):
        raise InputError("compare takes two reports or two subjects")
    return _subjects(first, second, profile, options)


def _subjects(first: Subject, second: Subject, profile: Any, options: dict[str, Any]) -> Comparison:
    from trustcheck._evaluate import evaluate

    _same_rows(first, second)
    if options.get("seed") is None:
        options["seed"] = first.seed
    champion, challenger = (
        evaluate(subject, profile=profile, **options) for subject in (first, second)
    )
    return _reports(champion, challenger, (first, second))


def _same_rows(first: Subject, second: Subject) -> None:
    if first.n != second.n:
        raise InputError(
            f"the two subjects hold {first.n} and {second.n} rows; a paired comparison needs the"
            " same rows (two reports can be compared on different ones)"
        )
    same_rows = np.array_equal(first.data.row_keys, second.data.row_keys)
    truth, other = first.data.truth, second.data.truth
    labelled = [side is not None for side in (truth, other)]
    same_labels = labelled[0] == labelled[1] and (not labelled[0] or np.array_equal(truth, other))
    if not (same_rows and same_labels):
        raise InputError(
            "the two subjects hold different rows, or one order of the same; give both the same"
            " table (features= names what each model reads)"
        )


# Two reports --------------------------------------------------------------------------------------


def _reports(first: Report, second: Report, subjects: tuple[Subject, Subject] | None) -> Comparison:
    reason = _not_comparable(first, second)
    differences = () if reason else tuple(_differences(first, second, subjects))
    paired = subjects is not None
    return Comparison(
        first, second, paired, reason, differences, tuple(_notes(differences, paired=paired))
    )


def _not_comparable(first: Report, second: Report) -> str | None:
    if first.profile.sha256 != second.profile.sha256:
        names = [f"{r.profile.name} ({r.profile.sha256[:8]})" for r in (first, second)]
        return (
            f"they were judged by different profiles, {names[0]} and {names[1]}; judge both by one:"
            " report.judge(profile), or trustcheck show --profile"
        )
    for fact in _SAME:
        if first.subject.get(fact) != second.subject.get(fact):
            return f"their {fact} differ"
    return None


def _differences(
    first: Report, second: Report, subjects: tuple[Subject, Subject] | None
) -> Iterator[Difference]:
    same_rows = first.subject.get("data_sha256") == second.subject.get("data_sha256")
    headlines = {f.key: f.headline for r in (first, second) for f in r.findings.values()}
    judged = [
        {(v.key, v.metric or headlines.get(v.key, "")): v.status for v in r.verdicts}
        for r in (first, second)
    ]
    wanted = dict.fromkeys([*judged[0], *judged[1]])
    for report in (first, second):
        wanted |= {
            (f.key, f.headline): None
            for f in report.findings.values()
            if f.status is Status.MEASURED and not any(key == f.key for key, _ in wanted)
        }
    for key, metric in wanted:
        one, other = (dict(r.findings).get(key) for r in (first, second))
        some = other or one
        if some is None:
            continue  # asked, but no probe of this name ran in either
        found, method = _difference(one, other, metric, subjects, same_rows=same_rows)
        before, after = (None if f is None else f.metrics.get(metric) for f in (one, other))
        known = after or before
        better = (known.better if known is not None else None) or some.better
        yield Difference(
            key=key,
            title=some.title,
            metric=metric,
            dimension=some.dimension,
            better=better,
            change=_change(found, better),
            first=before,
            second=after,
            value=None if found is None else found.value,
            low=None if found is None else found.low,
            high=None if found is None else found.high,
            method=method,
            first_verdict=judged[0].get((key, metric)),
            second_verdict=judged[1].get((key, metric)),
        )


def _change(found: Interval | None, better: Better) -> Change:
    if found is None:
        return Change.NOT_COMPARABLE
    if found.low == found.high == 0:
        return Change.SAME
    if found.low <= 0 <= found.high:
        return Change.UNDECIDED
    return Change.BETTER if (found.low > 0) == (better is Better.HIGH) else Change.WORSE


def _difference(
    first: Finding | None,
    second: Finding | None,
    metric: str,
    subjects: tuple[Subject, Subject] | None,
    *,
    same_rows: bool,
) -> tuple[Interval | None, str]:
    """Return second less first and how it was made; or None and why there is none."""
    if first is None or metric not in first.metrics:
        return None, "not measured in the first"
    if second is None or metric not in second.metrics:
        return None, "not measured in the second"
    if first.version != second.version:
        return None, f"the probe changed: versions {first.version} and {second.version}"
    if first.params != second.params:
        return None, "the probe had other parameters"
    estimates = first.metrics[metric], second.metrics[metric]
    before, after = (Interval(e.value, e.low, e.high) for e in estimates)
    if any(e.method is not Method.INTERVAL for e in estimates):
        return difference.dependent(before, after), "bounds"
    if subjects is not None:
        found = _paired(first, second, metric, before, after, subjects)
        if found is not None:
            return found, "paired"
    if subjects is not None or same_rows:
        return difference.dependent(before, after), "same rows"
    return _plain(intervals.mover_difference(after, before)), "independent"


def _paired(
    first: Finding,
    second: Finding,
    metric: str,
    before: Interval,
    after: Interval,
    subjects: tuple[Subject, Subject],
) -> Interval | None:
    one, other = subjects
    if first.id == "reliability.performance" and metric == "accuracy":
        if one.has_weights or one.has_clusters:
            return None
        was, now = one.predictions == one.truth, other.predictions == other.truth
        return mcnemar.difference(float((now & ~was).sum()), float((was & ~now).sum()), one.n)
    if metric != first.headline or first.influence is None or second.influence is None:
        return None
    return difference.paired(
        before,
        after,
        first.influence,
        second.influence,
        weights=one.weights,
        clusters=one.clusters,
    )


def _plain(found: Interval) -> Interval:
    return Interval(*(float(end) for end in found))


def _notes(differences: Iterable[Difference], *, paired: bool) -> Iterator[str]:
    methods = {found.method for found in differences if found.value is not None}
    said: Mapping[str, str] = {
        "paired": "Paired: both models answered the same rows, so what they share cancels out.",
        "independent": "Independent: the two reports are taken to rest on different people's rows.",
        "same rows": "Same rows"
        + (", but nothing is known of each row's part" if paired else "")
        + ": the interval goes from end to opposite end, which holds whatever the dependence, and is"
        " wide." + ("" if paired else " Two subjects are compared row by row: tc.compare(a, b)."),
        "bounds": "Bounds: from end to opposite end.",
    }
    yield from (text for method, text in said.items() if method in methods)


# A ratchet ----------------------------------------------------------------------------------------


def clearly_worse(
    comparison: Comparison, *, by: float = 0.0, limits: Mapping[str, float] | None = None
) -> tuple[Difference, ...]:
    """Return the requirements that became worse by more than is allowed, beyond doubt.

    Parameters
    ----------
    comparison : Comparison
    by : float
        How much worse a number may be, in its own unit.
    limits : mapping of str to float
        The same for single findings, by id or by key.

    Returns
    -------
    tuple of Difference
        The intervals are widened for the number of requirements compared (Bonferroni), so that
        where nothing changed all of them together are blamed at most once in 40 looks.

    Raises
    ------
    InputError
        If a limit names no finding that both reports judge.
    """
    limits = limits or {}
    judged = [
        found
        for found in comparison.differences
        if found.second_verdict is not None and found.value is not None
    ]
    keys = {name for found in judged for name in (found.key, found.key.partition("[")[0])}
    for name in limits:
        if name not in keys and comparison.reason is None:
            raise InputError(
                f"the ratchet's limit {name!r} names no requirement that both reports judge"
            )
    level = 1 - (1 - _LEVEL) / max(len(judged), 1)

    def allowed(key: str) -> float:
        return limits.get(key, limits.get(key.partition("[")[0], by))

    return tuple(found for found in judged if found.worse_by(level) > allowed(found.key))
