"""Findings and a profile in, verdicts and scores out. Pure: nothing is measured or drawn here.

The scores are trustcheck's own scheme (TR 24028 defines no levels): utility is 60 where a limit
is exactly met, 100 at the target and 0 at the worst value; a dimension is the weighted geometric
mean of its requirements; what was not measured counts as 0 in the assured score.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from trustcheck import _session, scoring, standard
from trustcheck.stats import fragility, gaps, settle
from trustcheck.types import (
    Assurance,
    Dimension,
    Estimate,
    Finding,
    Findings,
    Fragility,
    Method,
    Profile,
    Report,
    Requirement,
    Score,
    Severity,
    Status,
    TrustError,
    TrustInconclusiveWarning,
    Verdict,
    VerdictStatus,
)

if TYPE_CHECKING:
    import pandas as pd

LINE = 60.0  # utility where a limit is exactly met
CAPS = {Severity.CRITICAL: 39.0, Severity.MAJOR: 59.0}
REPLICATES = 2000
_Z = 1.959963984540054
_HOPELESS = 1e9  # nobody has as many rows: the value is on the limit but for rounding
_PASS, _FAIL = VerdictStatus.PASS, VerdictStatus.FAIL
_OPEN, _UNMEASURED = VerdictStatus.INCONCLUSIVE, VerdictStatus.NOT_MEASURED
_EXEMPT = VerdictStatus.NOT_APPLICABLE
# Formulas on groups, whose open verdicts can name the group that blocks.
_BY_GROUP: Mapping[str, Callable[..., Any]] = {"gaps.largest_gap": gaps.groups_needed}


# One requirement, one finding ----------------------------------------------------------------


def ask(
    finding: Finding,
    *,
    at_most: float | None = None,
    at_least: float | None = None,
    metric: str | None = None,
    strict: bool = False,
) -> Verdict:
    """Judge one finding against limits given in code; warns where the data cannot decide."""
    requirement = Requirement(
        finding.key, at_most, at_least, metric, dimension=finding.dimension, title=finding.title
    )
    verdict = decide(requirement, finding, strict=strict or _session.strict())
    _session.judged(finding, verdict)
    if verdict.status is _OPEN:
        warnings.warn(str(verdict), TrustInconclusiveWarning, stacklevel=3)
    return verdict


def decide(requirement: Requirement, finding: Finding | None, *, strict: bool = False) -> Verdict:
    """Return the verdict of one requirement: the printed 95 % interval decides.

    Pass iff the interval lies inside the limit, fail iff it lies outside, else inconclusive.
    """
    dimension = finding.dimension if finding else requirement.dimension or Dimension.ACCOUNTABILITY
    metric = requirement.metric or (finding.headline if finding else "")
    key = finding.key if finding else requirement.key

    def verdict(status: VerdictStatus, why: str, **more: Any) -> Verdict:
        return Verdict(
            key, requirement, status, f"{status}: {why}", metric, dimension, strict=strict, **more
        )

    if requirement.not_applicable:
        return verdict(_EXEMPT, f"{key}: {requirement.not_applicable}")
    if finding is None:
        return verdict(_UNMEASURED, f"nothing measured {key}")
    if finding.status is not Status.MEASURED:
        what = "was skipped" if finding.status is Status.SKIPPED else "crashed"
        return verdict(_UNMEASURED, f"{key} {what}: {finding.reason}")
    if metric not in finding.metrics:
        return verdict(
            _UNMEASURED, f"{key} has no metric {metric!r}; it has {', '.join(finding.metrics)}"
        )
    estimate = finding.metrics[metric]
    status = _place(requirement, estimate.low, estimate.high)
    meets = _place(requirement, estimate.value, estimate.value) is _PASS
    said = _said(finding, metric, estimate, requirement)
    more: dict[str, Any] = {"estimate": estimate, "point_meets": meets}
    if status is _PASS and finding.incomplete:
        return verdict(_OPEN, f"{said} But {finding.incomplete}", **more)
    if status is _PASS and _too_weak(finding.assurance, requirement):
        need = requirement.assurance
        return verdict(
            _OPEN, f"{said} But the evidence is {finding.assurance}; {need} is asked for.", **more
        )
    if status is _OPEN:
        rows, group, advice = _settling(finding, metric, estimate, requirement)
        return verdict(_OPEN, f"{said} {advice}", rows_needed=rows, group=group, **more)
    return verdict(status, said, fragility=_fragility(finding, metric, requirement), **more)


def _place(requirement: Requirement, low: float, high: float) -> VerdictStatus:
    at_most, at_least = requirement.at_most, requirement.at_least
    if (at_most is not None and low > at_most) or (at_least is not None and high < at_least):
        return _FAIL
    inside = (at_most is None or high <= at_most) and (at_least is None or low >= at_least)
    return _PASS if inside else _OPEN


def _too_weak(assurance: Assurance, requirement: Requirement) -> bool:
    return requirement.assurance is not None and assurance.rank < requirement.assurance.rank


def _said(finding: Finding, metric: str, estimate: Estimate, requirement: Requirement) -> str:
    name = metric.replace("_", " ")
    where = f" [{finding.key}]"
    if metric == finding.headline and finding.formula in _BY_GROUP:
        top, bottom = gaps.largest_gap(**finding.statistics).pair
        where = (
            f" between {_group_name(finding, top)!r} and {_group_name(finding, bottom)!r}{where}"
        )
    ends = f"95 % interval {estimate.low:.3g} to {estimate.high:.3g}"
    ends = "exact" if estimate.method is Method.EXACT else ends
    return f"{name} {estimate.value:.3g} ({ends}, n = {estimate.n}); asked: {requirement.limit_text}{where}."


def _settling(
    finding: Finding, metric: str, estimate: Estimate, requirement: Requirement
) -> tuple[int | None, str | None, str]:
    """Return rows needed, the group that needs them, and the advice in words."""
    limit = _contested(requirement, estimate)
    exact = "More rows would not help: the value is on the limit."
    if estimate.method is not Method.INTERVAL:
        return None, None, "The bounds leave it open; a stronger search or proof could settle it."
    by_group = _BY_GROUP.get(finding.formula or "")
    if by_group is not None and metric == finding.headline:
        return _growing(finding, by_group(**finding.statistics, limit=limit), limit)
    rows = settle.rows_needed(estimate.value, estimate.low, estimate.high, estimate.n, limit)
    if rows is None or rows > _HOPELESS:
        return None, None, exact
    return rows, None, f"About {rows:,} more rows would settle it."


def _growing(
    finding: Finding, need: gaps.Needed | None, limit: float
) -> tuple[int | None, str | None, str]:
    """Return rows needed by groups, the first of these groups, and the same in words."""
    hits, sizes = (np.asarray(finding.statistics[key], dtype=float) for key in ("successes", "n"))
    hits, sizes = (a.reshape(len(a), -1) for a in np.broadcast_arrays(hits, sizes))
    found = gaps.largest_gap(hits, sizes)
    (high, low), e = found.pair, found.event
    least = gaps.detectable_gap(
        (sizes[high, e], sizes[low, e]),
        hits[low, e] / sizes[low, e],
        limit=max(limit, 0.0),
        groups=int((sizes[:, e] > 0).sum()),
    )
    present = (
        f"The present rows would show a gap of these two to exceed {limit:.3g} from {least:.3g} on."
        if math.isfinite(least)
        else f"The present rows are too few to show that any gap of these two exceeds {limit:.3g}."
    )
    if need is None or not need.more:
        return None, None, f"No number of rows is likely to settle it. {present}"
    start = need.event * len(sizes)
    rows = [
        math.ceil(more * _worth(finding, start + g, sizes[g, need.event])) for g, more in need.more
    ]
    names = [repr(_group_name(finding, g)) for g, _ in need.more]
    event = finding.rows[start].get("event") if start < len(finding.rows) else None
    told = [f"{rows[0]:,} more rows of group {names[0]}" + (f" among {event!r}" if event else "")]
    shown = 3 if len(rows) > 4 else 4
    told += [f"{m:,} of {name}" for m, name in zip(rows[1:shown], names[1:shown], strict=True)]
    if rest := rows[shown:]:
        told.append(f"{sum(rest):,} of {len(rest)} other groups")
    chance = "with a chance of 80 %, unless the true gap is within 20 % of the limit"
    listed = " and ".join(filter(None, (", ".join(told[:-1]), told[-1])))
    said = f"About {listed} would settle it {chance}. {present}"
    return sum(rows), _group_name(finding, need.more[0][0]), said


def _worth(finding: Finding, index: int, size: float) -> float:
    """Return a group's rows per effective row: more than 1 under weights or clusters."""
    rows = finding.rows[index].get("n") if index < len(finding.rows) else None
    return max(float(rows) / size, 1.0) if isinstance(rows, int) and size > 0 else 1.0


def _contested(requirement: Requirement, estimate: Estimate) -> float:
    """Return the limit the interval straddles (the nearer one where it straddles both)."""
    limits = [
        limit
        for limit in (requirement.at_least, requirement.at_most)
        if limit is not None and estimate.low <= limit <= estimate.high
    ]
    return min(limits, key=lambda limit: abs(limit - estimate.value))


def _fragility(finding: Finding, metric: str, requirement: Requirement) -> Fragility | None:
    """Return how few rows carry a verdict on a gap; None where there are no rows to count."""
    limit = requirement.at_most
    if finding.formula not in _BY_GROUP or metric != finding.headline:
        return None
    if limit is None or requirement.at_least is not None:
        return None
    rows = sum(int(row.get("n") or 0) for row in finding.rows)
    found = fragility.largest_gap(**finding.statistics, limit=limit, rows=rows)
    if found is None:
        return None
    changes = {"removing": found.removal, "relabelling": found.relabelling}
    known = {doing: change for doing, change in changes.items() if change is not None}
    exact = all(change.exact for change in known.values())
    said = []
    for doing, change in known.items():
        touched = enumerate(map(sum, zip(change.hits, change.misses, strict=True)))
        where = [
            f"{n} {'row' if n == 1 else 'rows'} of group {_group_name(finding, g)!r}"
            for g, n in touched
            if n
        ]
        few = " and ".join(where) if exact else f"fewer than {change.rows} rows"
        said.append(f"{doing} {few}")
    ends = {change.becomes for change in known.values()}
    becomes = ends.pop() if exact and len(ends) == 1 else None
    end = f"turn this {found.verdict} into {becomes}" if becomes else f"end this {found.verdict}"
    would = ("," if len(said) > 1 else "") + (" would" if exact else " cannot")
    sentence = f"Fragility: {', or '.join(said)}{would} {end}."
    removals, relabels = (None if c is None else c.rows for c in changes.values())
    return Fragility(removals, relabels, exact, sentence) if known else None


def _group_name(finding: Finding, index: int) -> str:
    return str(finding.rows[index].get("group", index)) if index < len(finding.rows) else str(index)


# A whole report -------------------------------------------------------------------------------


def match(
    profile: Profile, findings: Findings, asked: Iterable[str] | None
) -> list[tuple[Requirement, Finding | None]]:
    """Pair requirements with findings.

    A bare key makes one requirement per finding with that id, sharing its weight; a key with
    ``[...]`` overrides it for that finding; a key that matches nothing is left unmeasured.
    ``asked`` (probe ids) narrows the profile to what was asked for.
    """
    wanted = None if asked is None else set(asked)
    exact = {requirement.key for requirement in profile.requirements if "[" in requirement.key}
    pairs: list[tuple[Requirement, Finding | None]] = []
    for requirement in profile.requirements:
        bare = requirement.key.partition("[")[0]
        if wanted is not None and bare not in wanted:
            continue
        if requirement.key in exact:
            pairs.append((requirement, dict(findings).get(requirement.key)))
            continue
        found = [f for f in findings.values() if f.id == bare and f.key not in exact]
        overridden = any(key.partition("[")[0] == bare and key in findings for key in exact)
        if not found:
            if not overridden:
                pairs.append((requirement, None))
            continue
        share = replace(requirement, weight=requirement.weight / len(found))
        pairs += [(share, finding) for finding in found]
    return pairs


def judge(
    findings: Findings,
    profile: Profile,
    *,
    asked: Iterable[str] | None = None,
    correlations: Mapping[str, float] | None = None,
    pairs: Sequence[tuple[Requirement, Finding | None]] | None = None,
) -> dict[str, Any]:
    """Return the judged fields of a report: verdicts, scores, verdict, reasons, coverage.

    ``pairs`` says which requirement was asked of which finding, where code has asked and not the
    keys of a profile.
    """
    strict = profile.inconclusive == "fail"
    pairs = match(profile, findings, asked) if pairs is None else pairs
    verdicts = tuple(decide(requirement, finding, strict=strict) for requirement, finding in pairs)
    normals = scoring.normals([v.key for v in verdicts], correlations or {})
    scores = tuple(
        scoring.score(
            dimension, [v for v in verdicts if v.dimension is dimension], findings, normals
        )
        for dimension in Dimension
    )
    judged = [
        s for s in scores if asked is None or any(v.dimension is s.dimension for v in verdicts)
    ]
    return {
        "verdicts": verdicts,
        "dimension_scores": scores,
        "verdict": _overall(judged),
        "reasons": _reasons(verdicts, judged),
        "coverage": coverage(findings),
    }


def rejudge(report: Report, profile: Profile) -> Report:
    """Return the report's findings under another profile; nothing is measured again."""
    asked = None if report.scope == "full" else {finding.id for finding in report.findings.values()}
    fields = judge(report.findings, profile, asked=asked, correlations=report.correlations)
    return replace(report, profile=profile, **fields)


def coverage(findings: Findings) -> dict[str, str]:
    """Return for each TR 24028 attribute: measured, attested (declared evidence), not covered."""
    said: dict[str, str] = {}
    for finding in findings.values():
        if finding.status is not Status.MEASURED:
            continue
        if finding.assurance is Assurance.DECLARED:
            # Only a complete document attests, and only what it speaks to.
            for key in ", ".join(str(row.get("attests") or "") for row in finding.rows).split(", "):
                said.setdefault(key, "attested")
        else:
            said |= dict.fromkeys(finding.keys, "measured")
    return {
        attribute.key: said.get(attribute.key, "not covered")
        for dimension in standard.load().dimensions
        for attribute in dimension.attributes
    }


def _overall(scores: Sequence[Score]) -> VerdictStatus:
    statuses = {score.verdict for score in scores if score.verdict is not _EXEMPT}
    if _FAIL in statuses:
        return _FAIL
    return _PASS if statuses == {_PASS} else _OPEN


def _reasons(verdicts: Sequence[Verdict], scores: Sequence[Score]) -> tuple[str, ...]:
    """Return what stands above the verdict: what could not be measured, then what failed."""
    unmeasured = [v.message for v in verdicts if v.status is _UNMEASURED and v.requirement.required]
    failed = [v.message for v in verdicts if v.status is _FAIL]
    still_open = [v.message for v in verdicts if v.status is _OPEN]
    empty = [
        f"not_measured: no requirement was asked of {score.dimension}"
        for score in scores
        if score.verdict is _UNMEASURED
    ]
    return (*unmeasured, *empty, *failed, *still_open)


# What a job or a test does with it ---------------------------------------------------------------


def exit_code(report: Report, *, strict: bool = False) -> int:
    """Return 0 pass, 1 a measured fail, 3 otherwise (inconclusive, or required but unmeasured)."""
    if report.verdict is _FAIL:
        return 1
    return 3 if _blocking(report, strict=strict) else 0


def raise_for_status(report: Report, *, strict: bool = False) -> None:
    """Raise TrustError naming what failed, could not be measured, or (strict) stayed open."""
    blocking = _blocking(report, strict=strict)
    if report.verdict is _FAIL or blocking:
        failed = [v.message for v in report.verdicts if v.status is _FAIL]
        lines = list(dict.fromkeys([*failed, *blocking])) or [f"the verdict is {report.verdict}"]
        raise TrustError(f"{report.subject.get('name')}: " + "\n  ".join(["", *lines]).strip())


def _blocking(report: Report, *, strict: bool) -> list[str]:
    strict = strict or report.profile.inconclusive == "fail"
    blocking = []
    for verdict in report.verdicts:
        unmeasured = verdict.status is _UNMEASURED and verdict.requirement.required
        still_open = verdict.status is _OPEN and not replace(verdict, strict=strict)
        if unmeasured or still_open:
            blocking.append(verdict.message)
    if not report.verdicts:
        blocking.append("no requirement was judged, so nothing was shown")
    blocking += [
        f"not_measured: no requirement was asked of {score.dimension}"
        for score in report.dimension_scores
        if report.scope == "full" and score.verdict is _UNMEASURED
    ]
    return blocking


def scores_frame(scores: Iterable[Score]) -> pd.DataFrame:
    """Return the scores as a frame, one row per dimension."""
    import pandas as pd

    return pd.DataFrame(
        [
            {
                "score": math.nan if s.score is None else s.score,
                "low": s.low,
                "high": s.high,
                "verdict": str(s.verdict),
                "coverage": s.coverage,
                "assurance": None if s.assurance is None else str(s.assurance),
            }
            for s in scores
        ],
        index=pd.Index([str(s.dimension) for s in scores], name="dimension"),
    )
