"""The nouns of trustcheck: frozen records and small enums.

They hold data only. Where a noun has a method that needs another room (a frame, a file, a
picture, a verdict), the method is a one-line door that imports that room when it is called.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Literal, Self

if TYPE_CHECKING:
    from os import PathLike

    import numpy as np
    import pandas as pd

    from trustcheck.subject import Subject

SCHEMA_VERSION = "1.0"


class TrustError(Exception):
    """A requirement failed, or something required could not be measured."""


class InputError(ValueError):
    """The model or the data given cannot be used as they are.

    Its messages name columns, positions and kinds of values, never a row's own values, so they
    may be shown and saved.
    """


class TrustInconclusiveWarning(UserWarning):
    """The data cannot decide whether a requirement holds."""


class TrustPrivacyWarning(UserWarning):
    """Rows of the data are written to disk."""


class NotMeasurable(Exception):  # noqa: N818 - the skip is a fact about the data, not a fault
    """Raised inside a probe when the subject does not allow the question to be answered.

    The runner turns it into a finding with status ``skipped`` and this message as its reason.
    """


class Dimension(StrEnum):
    """The six groups of TR 24028 attributes a report is keyed to."""

    SECURITY = "security"
    PRIVACY = "privacy"
    SAFETY = "safety"
    RELIABILITY = "reliability"
    TRANSPARENCY = "transparency"
    ACCOUNTABILITY = "accountability"


class Status(StrEnum):
    """What became of a probe."""

    MEASURED = "measured"
    SKIPPED = "skipped"
    ERROR = "error"


class VerdictStatus(StrEnum):
    """What a requirement says about a measurement."""

    PASS = "pass"  # noqa: S105 - a verdict, not a password
    FAIL = "fail"
    INCONCLUSIVE = "inconclusive"
    NOT_MEASURED = "not_measured"
    NOT_APPLICABLE = "not_applicable"


class Scope(StrEnum):
    """Whether every probe was asked, or a list of them."""

    FULL = "full"
    PARTIAL = "partial"


class Severity(StrEnum):
    """How much a requirement matters; a failed critical one caps its dimension at 39."""

    CRITICAL = "critical"
    MAJOR = "major"
    MINOR = "minor"


class Better(StrEnum):
    """Which end of a metric is the good one."""

    LOW = "low"
    HIGH = "high"


class Method(StrEnum):
    """How an estimate's ends are to be read."""

    INTERVAL = "interval"
    BOUND = "bound"
    CERTIFICATE = "certificate"
    EXACT = "exact"


class Assurance(StrEnum):
    """What kind of evidence a finding rests on, weakest first."""

    DECLARED = "declared"
    SEARCHED = "searched"
    STATISTICAL = "statistical"
    PROVEN = "proven"

    @property
    def rank(self) -> int:
        """Position from the weakest (0) to the strongest (3)."""
        return list(Assurance).index(self)


@dataclass(frozen=True, slots=True)
class Estimate:
    """A number with its two-sided 95 % interval.

    Parameters
    ----------
    value, low, high : float
        Finite, and ``low <= value <= high``.
    n : int
        Rows (or pairs, or queries) the number rests on.
    unit : str
        What one unit of ``value`` is, in plain words.
    method : Method
        How the ends are to be read.
    range : tuple of (float or None, float or None)
        Ends the metric can take; ``None`` where unbounded.
    better : Better or None
        Which end is good; the probe's own where ``None``.

    Raises
    ------
    ValueError
        If the three numbers are not finite or not in order.

    Examples
    --------
    >>> Estimate(0.1, 0.05, 0.16, n=200, unit="difference of shares").high
    0.16
    """

    value: float
    low: float
    high: float
    n: int
    unit: str = ""
    method: Method = Method.INTERVAL
    range: tuple[float | None, float | None] = (None, None)
    better: Better | None = None

    def __post_init__(self) -> None:
        for name in ("value", "low", "high"):
            number = float(getattr(self, name))
            if not math.isfinite(number):
                raise ValueError(f"an estimate needs finite numbers, but its {name} is {number}")
            object.__setattr__(self, name, number + 0.0)  # + 0.0 turns -0.0 into 0.0
        object.__setattr__(self, "n", int(self.n))
        # Rounding in closed forms may put an end a few ulps on the wrong side of the value.
        slack = 1e-9 * max(1.0, abs(self.value))
        if self.low > self.value + slack or self.high < self.value - slack:
            raise ValueError(
                f"an estimate needs low <= value <= high, got {self.low}, {self.value}, {self.high}"
            )
        object.__setattr__(self, "low", min(self.low, self.value))
        object.__setattr__(self, "high", max(self.high, self.value))


Scalar = str | int | float | bool | None
Row = Mapping[str, Scalar]


@dataclass(frozen=True, slots=True)
class Measurement:
    """What a probe returns: numbers and their evidence, no opinion.

    Parameters
    ----------
    metrics : mapping of str to Estimate
        The headline first.
    rows : tuple of mappings
        Detail rows (one per group, level, feature ...), of plain scalars.
    statistics : mapping
        Sufficient statistics of the headline: the arguments of ``formula``, as plain lists.
    formula : str or None
        The function in ``trustcheck.stats`` that turns ``statistics`` into the headline,
        e.g. ``"gaps.largest_gap"``.
    notes : tuple of str
        What a reader has to know to read the numbers: exclusions, choices made, caveats.
    assurance : Assurance
        What kind of evidence this is.
    picture : {"intervals", "curve", "bars", None}
        Which picture of the detail rows helps.
    examples : object
        Rows worth seeing (a frame); kept in memory only, never saved.
    incomplete : str or None
        What stops this number from carrying a pass (a group that has no denominator, say).
    influence : array or None
        Influence of each row on the headline, shape (n_rows,): lets ``evaluate`` store how
        findings on the same rows move together. In memory only.
    """

    metrics: Mapping[str, Estimate]
    rows: tuple[Row, ...] = ()
    statistics: Mapping[str, Any] = field(default_factory=dict)
    formula: str | None = None
    notes: tuple[str, ...] = ()
    assurance: Assurance = Assurance.STATISTICAL
    picture: Literal["intervals", "curve", "bars"] | None = None
    examples: Any = None
    incomplete: str | None = None
    influence: np.ndarray | None = None

    def __post_init__(self) -> None:
        if not self.metrics:
            raise ValueError("a measurement needs at least one metric: its headline")


@dataclass(frozen=True, slots=True)
class Finding:
    """A probe's measurement of one subject, or the reason why there is none."""

    id: str
    key: str
    title: str
    question: str
    dimension: Dimension
    keys: tuple[str, ...]
    clauses: tuple[str, ...]
    version: int
    params: Mapping[str, Any]
    seed: int
    status: Status
    headline: str
    better: Better
    metrics: Mapping[str, Estimate] = field(default_factory=dict)
    rows: tuple[Row, ...] = ()
    statistics: Mapping[str, Any] = field(default_factory=dict)
    formula: str | None = None
    notes: tuple[str, ...] = ()
    assurance: Assurance = Assurance.STATISTICAL
    picture: str | None = None
    incomplete: str | None = None
    reason: str | None = None
    error: Mapping[str, str] | None = None
    # What may differ between two equal runs, or must not be saved.
    rows_sent: Mapping[str, int] = field(default_factory=dict, compare=False)
    seconds: float = field(default=0.0, compare=False)
    examples: Any = field(default=None, compare=False, repr=False)
    influence: np.ndarray | None = field(default=None, compare=False, repr=False)
    exception: BaseException | None = field(default=None, compare=False, repr=False)

    def estimate(self, metric: str | None = None) -> Estimate:
        """Return the named metric, or the headline.

        Raises
        ------
        TrustError
            If nothing was measured.
        KeyError
            If there is no such metric; the message lists those there are.
        """
        if self.status is not Status.MEASURED:
            raise TrustError(f"{self.key} has no number: {self.status}, {self.reason}")
        name = metric or self.headline
        if name not in self.metrics:
            raise KeyError(f"{self.key} has no metric {name!r}; it has {', '.join(self.metrics)}")
        return self.metrics[name]

    @property
    def value(self) -> float:
        """Point estimate of the headline."""
        return self.estimate().value

    @property
    def low(self) -> float:
        """Lower end of the headline's 95 % interval."""
        return self.estimate().low

    @property
    def high(self) -> float:
        """Upper end of the headline's 95 % interval."""
        return self.estimate().high

    @property
    def n(self) -> int:
        """Rows the headline rests on."""
        return self.estimate().n

    @property
    def unit(self) -> str:
        """Unit of the headline."""
        return self.estimate().unit

    def at_most(self, limit: float, *, metric: str | None = None, strict: bool = False) -> Verdict:
        """Judge the headline (or ``metric``) against an upper limit."""
        return _judge().ask(self, at_most=limit, metric=metric, strict=strict)

    def at_least(self, limit: float, *, metric: str | None = None, strict: bool = False) -> Verdict:
        """Judge the headline (or ``metric``) against a lower limit."""
        return _judge().ask(self, at_least=limit, metric=metric, strict=strict)

    def between(
        self, low: float, high: float, *, metric: str | None = None, strict: bool = False
    ) -> Verdict:
        """Judge the headline (or ``metric``) against a lower and an upper limit."""
        return _judge().ask(self, at_least=low, at_most=high, metric=metric, strict=strict)

    def to_frame(self) -> pd.DataFrame:
        """Return the detail rows as a pandas frame."""
        return _frame(list(self.rows))

    def to_dict(self) -> dict[str, Any]:
        """Return the finding as plain data, as it stands in a saved report."""
        return _report().finding_to_dict(self)

    def plot(self) -> Any:
        """Return the finding's picture (SVG, shown by notebooks); None where there is none."""
        return _report().picture(self)

    def freeze(self, subject: Subject, path: str | PathLike[str]) -> None:
        """Write its counterexamples to disk, rows and all, as cases to re-run for ever.

        Parameters
        ----------
        subject : Subject
            The one that was measured.
        path : path
            A name that ends in ``.trustcase.json`` is collected by the pytest plugin.

        Raises
        ------
        InputError
            If there are no counterexamples, or the subject is another one.
        """
        _frozen().freeze(self, subject, path)

    def _repr_html_(self) -> str:
        return _report().finding_card(self)

    def __repr__(self) -> str:
        return f"<finding {self}>"

    def __str__(self) -> str:
        """One line: the number with its interval, or why there is none."""
        return _report().finding_line(self)


@dataclass(frozen=True, slots=True)
class Requirement:
    """A limit on a metric, with what it is worth and where it comes from.

    ``key`` is a finding's id, with or without ``[parameters]``. Utility is 100 at ``target``,
    60 at the limit and 0 at ``worst``.
    """

    key: str
    at_most: float | None = None
    at_least: float | None = None
    metric: str | None = None
    target: float | None = None
    worst: float | None = None
    severity: Severity = Severity.MAJOR
    weight: float = 1.0
    required: bool = True
    family: str | None = None
    assurance: Assurance | None = None
    provenance: str = "stated by the user"
    not_applicable: str | None = None
    dimension: Dimension | None = None
    title: str = ""

    def __post_init__(self) -> None:
        if self.at_most is None and self.at_least is None and not self.not_applicable:
            raise ValueError(f"requirement {self.key!r} needs a limit: at_most, at_least or both")
        for limit in (self.at_most, self.at_least, self.target, self.worst):
            if limit is not None and not math.isfinite(limit):
                raise ValueError(f"requirement {self.key!r} has a limit that is not finite")
        if self.at_most is not None and self.at_least is not None and self.at_least > self.at_most:
            raise ValueError(f"requirement {self.key!r} asks for at least more than its at most")
        if not (math.isfinite(self.weight) and self.weight > 0):
            raise ValueError(f"requirement {self.key!r} needs a weight above 0")

    @property
    def limit_text(self) -> str:
        """The limit in words, e.g. ``at most 0.1``."""
        parts = []
        if self.at_least is not None:
            parts.append(f"at least {self.at_least:g}")
        if self.at_most is not None:
            parts.append(f"at most {self.at_most:g}")
        return " and ".join(parts)


@dataclass(frozen=True, slots=True)
class Profile:
    """A named, versioned set of requirements."""

    name: str
    requirements: tuple[Requirement, ...]
    version: str = "1"
    inconclusive: Literal["warn", "fail"] = "warn"
    description: str = ""
    sha256: str = ""


@dataclass(frozen=True, slots=True)
class Fragility:
    """How few rows carry a verdict: with so many removed, or relabelled, it is another one.

    ``None`` where no number of rows ends it; where ``exact`` is off, no fewer rows end it.
    """

    removals: int | None
    relabels: int | None
    exact: bool
    said: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """What one requirement says about one finding (or about the lack of one).

    ``bool(verdict)``: pass and not_applicable are True; fail and not_measured are False;
    inconclusive is True iff the point estimate meets the limit and ``strict`` is off.
    """

    key: str
    requirement: Requirement
    status: VerdictStatus
    message: str
    metric: str
    dimension: Dimension
    estimate: Estimate | None = None
    rows_needed: int | None = None
    group: str | None = None
    point_meets: bool = False
    strict: bool = False
    fragility: Fragility | None = None

    def __bool__(self) -> bool:
        if self.status is VerdictStatus.INCONCLUSIVE:
            return self.point_meets and not self.strict
        return self.status in (VerdictStatus.PASS, VerdictStatus.NOT_APPLICABLE)

    def __str__(self) -> str:
        """Return the message: status first, then number, limit and what would settle it."""
        return self.message

    __repr__ = __str__  # pytest shows the repr of a failed assertion: make it the explanation


@dataclass(frozen=True, slots=True)
class Score:
    """One dimension's line in the report: trustcheck's own scheme, 60 is the requirement line."""

    dimension: Dimension
    score: float | None
    low: float
    high: float
    verdict: VerdictStatus
    coverage: float
    assurance: Assurance | None
    reason: str


class Findings(Mapping[str, Finding]):
    """The findings of a report by key; a bare probe id works when it names one finding."""

    __slots__ = ("_by_key",)

    def __init__(self, findings: tuple[Finding, ...]) -> None:
        self._by_key = {finding.key: finding for finding in findings}
        if len(self._by_key) != len(findings):
            raise ValueError("two findings of a report may not share a key")

    def __getitem__(self, key: str) -> Finding:
        if key in self._by_key:
            return self._by_key[key]
        same_id = [finding for finding in self._by_key.values() if finding.id == key]
        if len(same_id) == 1:
            return same_id[0]
        if same_id:
            keys = ", ".join(finding.key for finding in same_id)
            raise KeyError(f"{key} names {len(same_id)} findings: {keys}")
        raise KeyError(f"no finding {key!r}; this report has {', '.join(self._by_key) or 'none'}")

    def __iter__(self) -> Iterator[str]:
        return iter(self._by_key)

    def __len__(self) -> int:
        return len(self._by_key)

    def __repr__(self) -> str:
        return f"Findings({', '.join(self._by_key)})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Findings) and self._by_key == other._by_key

    __hash__ = None  # type: ignore[assignment]  # equality by content, like a dict


@dataclass(frozen=True, slots=True)
class Report:
    """What a profile of requirements says about the measurements of one subject.

    Plain data: it holds no model and no raw rows.
    """

    subject: Mapping[str, Any]
    findings: Findings
    verdicts: tuple[Verdict, ...]
    dimension_scores: tuple[Score, ...]
    verdict: VerdictStatus
    reasons: tuple[str, ...]
    profile: Profile
    scope: Scope
    coverage: Mapping[str, str]
    correlations: Mapping[str, float]
    environment: Mapping[str, str]
    seed: int
    schema_version: str = SCHEMA_VERSION
    run: Mapping[str, Any] = field(default_factory=dict, compare=False)

    @property
    def scores(self) -> pd.DataFrame:
        """Frame with one row per TR 24028 dimension.

        Columns: score, low, high, verdict, coverage, assurance.
        """
        return _judge().scores_frame(self.dimension_scores)

    def judge(self, profile: Any = "default") -> Report:
        """Return the same findings under another profile; nothing is measured again."""
        return _judge().rejudge(self, _profiles().load(profile))

    def redacted(self, min_cell: int = 10) -> Report:
        """Return it for people who must not learn about groups with counts below ``min_cell``."""
        redacted: Report = _redact().redact(self, min_cell)
        return redacted

    def to_frame(self) -> pd.DataFrame:
        """Return one row per finding: number, interval, limit and verdict."""
        return _report().report_frame(self)

    def to_dict(self) -> dict[str, Any]:
        """Return the report as plain data under the published JSON Schema."""
        return _report().to_dict(self)

    def save(self, path: str | PathLike[str], *, format: str | None = None) -> None:  # noqa: A002
        """Write the report; the ending of ``path`` (or ``format``) picks html, json, md or xml.

        ``format="model-card"`` writes a model card in Markdown.
        """
        _report().save(self, path, format=format)

    @classmethod
    def load(cls, path: str | PathLike[str]) -> Self:
        """Read a report saved as JSON."""
        loaded: Self = _report().load(path)
        return loaded

    def raise_for_status(self, *, strict: bool = False) -> None:
        """Raise TrustError naming what failed or could not be measured.

        Parameters
        ----------
        strict : bool
            Count an inconclusive requirement as a failure even where its point estimate meets
            the limit, as does ``inconclusive = "fail"`` in the profile.
        """
        _judge().raise_for_status(self, strict=strict)

    def exit_code(self, *, strict: bool = False) -> int:
        """Return 0 for pass, 1 for a measured fail, 3 for inconclusive or unmeasured."""
        code: int = _judge().exit_code(self, strict=strict)
        return code

    def _repr_html_(self) -> str:
        return _report().report_card(self)

    def __repr__(self) -> str:
        name, judged = self.subject.get("name"), len(self.verdicts)
        return f"<report on {name}: {self.verdict}, {judged} requirements, {len(self.findings)} findings>"

    def __str__(self) -> str:
        """Return the report as the terminal shows it."""
        return _report().report_text(self)


# Doors: the one place where nouns reach the rooms above them.
def _judge() -> Any:
    from trustcheck import judge

    return judge


def _profiles() -> Any:
    from trustcheck import profiles

    return profiles


def _report() -> Any:
    from trustcheck import report

    return report


def _frozen() -> Any:
    from trustcheck import _frozen

    return _frozen


def _redact() -> Any:
    from trustcheck.report import _redact

    return _redact


def _frame(rows: list[Row]) -> pd.DataFrame:
    import pandas as pd

    return pd.DataFrame.from_records(rows)
