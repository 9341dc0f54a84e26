"""Utility and scores: trustcheck's own scheme, since TR 24028 defines no levels.

Utility is 60 where a limit is exactly met, 100 at the target and 0 at the worst value. A
dimension's score is the weighted geometric mean of its requirements; what was not measured counts
as 0 in the assured score. Pure: estimates in, numbers out.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from trustcheck.types import (
    Assurance,
    Dimension,
    Estimate,
    Findings,
    Method,
    Requirement,
    Score,
    Severity,
    Verdict,
    VerdictStatus,
)

LINE = 60.0  # utility where a limit is exactly met
CAPS = {Severity.CRITICAL: 39.0, Severity.MAJOR: 59.0}
REPLICATES = 2000
_Z = 1.959963984540054
_PASS, _FAIL = VerdictStatus.PASS, VerdictStatus.FAIL
_OPEN, _UNMEASURED = VerdictStatus.INCONCLUSIVE, VerdictStatus.NOT_MEASURED
_EXEMPT = VerdictStatus.NOT_APPLICABLE


def normals(keys: Sequence[str], correlations: Mapping[str, float]) -> dict[str, np.ndarray]:
    """Return standard normal replicates for each finding, correlated as stored in the report.

    Each finding's own stream comes from its key alone, so that adding or dropping another
    finding leaves it as it is.
    """
    names = sorted(set(keys))
    if not names:
        return {}
    own = np.array([_stream(name).standard_normal(REPLICATES) for name in names])
    matrix = np.eye(len(names))
    place = {name: i for i, name in enumerate(names)}
    for pair, rho in correlations.items():
        one, _, other = pair.partition(" | ")
        if one in place and other in place:
            matrix[place[one], place[other]] = matrix[place[other], place[one]] = rho
    if np.array_equal(matrix, np.eye(len(names))):
        return dict(zip(names, own, strict=True))
    values, vectors = np.linalg.eigh(matrix)
    root = (vectors * np.sqrt(np.maximum(values, 0.0))) @ vectors.T
    root /= np.sqrt((root**2).sum(axis=1, keepdims=True))  # unit variance after clipping
    return dict(zip(names, root @ own, strict=True))


def _stream(name: str) -> np.random.Generator:
    digest = hashlib.sha256(name.encode()).digest()
    return np.random.default_rng(np.frombuffer(digest, dtype=np.uint32).tolist())


def utility(requirement: Requirement, estimate: Estimate, values: np.ndarray) -> np.ndarray:
    """Return 0 to 100 for each value: 60 at the limit, 100 at the target, 0 at the worst.

    Parameters
    ----------
    values : ndarray
        Values the metric might have.

    Examples
    --------
    >>> limit = Requirement("fairness.demographic_parity", at_most=0.1, target=0.02, worst=0.3)
    >>> utility(limit, Estimate(0.1, 0.1, 0.1, 1), np.array([0.02, 0.1, 0.2, 0.3]))
    array([100.,  60.,  30.,   0.])
    """
    sides = []
    low_end, high_end = estimate.range
    if requirement.at_most is not None:
        sides.append(_one_side(requirement, requirement.at_most, low_end, high_end, values, 1.0))
    if requirement.at_least is not None:
        sides.append(_one_side(requirement, requirement.at_least, high_end, low_end, values, -1.0))
    return np.minimum.reduce(sides)


def _one_side(
    requirement: Requirement,
    limit: float,
    best: float | None,
    end: float | None,
    values: np.ndarray,
    sign: float,
) -> np.ndarray:
    # Mirrored by sign, so that low is good below.
    level = sign * limit
    span = abs(limit - best) if best is not None and best != limit else abs(limit) or 1.0
    two_sided = requirement.at_most is not None and requirement.at_least is not None
    target, worst = level - 0.8 * span, level + 2.0 * span
    if end is not None:
        worst = min(worst, sign * end)
    if requirement.target is not None and not two_sided:
        target = sign * requirement.target
    if requirement.worst is not None and not two_sided:
        worst = sign * requirement.worst
    x = sign * values
    with np.errstate(divide="ignore", invalid="ignore"):
        good = LINE + (100.0 - LINE) * np.clip((level - x) / (level - target), 0.0, 1.0)
        poor = LINE * np.clip((worst - x) / (worst - level), 0.0, 1.0)
    if target >= level:  # no room above the line: meeting the limit is all there is
        good = np.full_like(x, 100.0)
    if worst <= level:
        poor = np.zeros_like(x)
    return np.where(x <= level, good, poor)


def score(
    dimension: Dimension,
    verdicts: Sequence[Verdict],
    findings: Findings,
    draws_of: Mapping[str, np.ndarray],
) -> Score:
    """Return a dimension's line: point, assured score, upper end, verdict and coverage."""
    counted = [v for v in verdicts if v.status is not _EXEMPT]
    if not counted:
        reason = "no requirement was asked of it" if not verdicts else "not applicable, as stated"
        status = _UNMEASURED if not verdicts else _EXEMPT
        return Score(dimension, None, 0.0, 100.0, status, 0.0, None, reason)
    # What people declare can fail a dimension, but raises no measured score.
    weighed = [v for v in counted if not _declared(v, findings)]
    if not weighed:
        status, _ = _dimension_verdict(counted, weighed, 0.0)
        reason = "nothing of it was measured: there is declared evidence only"
        high = _cap(counted, (_FAIL,))
        return Score(dimension, None, 0.0, high, status, 0.0, Assurance.DECLARED, reason)
    weights = np.array([v.requirement.weight for v in weighed])
    measured = np.array([v.estimate is not None for v in weighed])
    share = float(weights[measured].sum() / weights.sum())
    draws = np.zeros((len(weighed), REPLICATES))
    points = np.zeros(len(weighed))
    for i, verdict in enumerate(weighed):
        if verdict.estimate is not None:
            points[i], draws[i] = _drawn(verdict, draws_of[verdict.key])
    low_series, high_series = draws.copy(), draws.copy()
    high_series[~measured] = 100.0
    low = float(np.quantile(_geometric(low_series, weights), 0.025))
    high = float(np.quantile(_geometric(high_series, weights), 0.975))
    point = None
    if share >= 0.5:
        point = float(_geometric(points[measured][:, None], weights[measured])[0])
    everywhere = _cap(counted, (_FAIL,))
    low = min(low, everywhere, _cap(counted, (_FAIL, _UNMEASURED)), _cap_open(counted))
    high = min(high, everywhere)
    status, reason = _dimension_verdict(counted, weighed, share)
    if point is None:
        low = 0.0
    else:
        point = min(point, everywhere)
        low, high = min(low, point), max(high, point)
    weakest = [findings[v.key].assurance for v in counted if v.estimate is not None]
    assurance = min(weakest, key=lambda a: a.rank) if weakest else None
    return Score(dimension, point, low, high, status, share, assurance, reason)


def _declared(verdict: Verdict, findings: Findings) -> bool:
    found = verdict.estimate is not None
    return found and findings[verdict.key].assurance is Assurance.DECLARED


def _drawn(verdict: Verdict, z: np.ndarray) -> tuple[float, np.ndarray]:
    estimate, requirement = verdict.estimate, verdict.requirement
    assert estimate is not None
    ends = np.array([estimate.low, estimate.value, estimate.high])
    low, point, high = utility(requirement, estimate, ends)
    if estimate.method in (Method.BOUND, Method.CERTIFICATE):
        worst = min(low, high)  # a proof is worth what it proves, no more
        return worst, np.full(z.size, worst)
    # Two-piece normal through (low, value, high), kept inside the printed interval: the report
    # claims nothing beyond it, and every replicate is then monotone in all three numbers.
    t = np.clip(z / _Z, -1.0, 1.0)
    half = np.where(t > 0, estimate.high - estimate.value, estimate.value - estimate.low)
    return float(point), utility(requirement, estimate, estimate.value + t * half)


def _geometric(series: np.ndarray, weights: np.ndarray) -> np.ndarray:
    mean: np.ndarray = np.exp(weights @ np.log(np.maximum(series, 1.0)) / weights.sum())
    return mean


def _cap(verdicts: Iterable[Verdict], statuses: Sequence[VerdictStatus]) -> float:
    return min(
        (CAPS.get(v.requirement.severity, 100.0) for v in verdicts if v.status in statuses),
        default=100.0,
    )


def _cap_open(verdicts: Iterable[Verdict]) -> float:
    heavy = any(v.status is _OPEN and v.requirement.severity in CAPS for v in verdicts)
    return CAPS[Severity.MAJOR] if heavy else 100.0


def _dimension_verdict(
    verdicts: Sequence[Verdict], weighed: Sequence[Verdict], share: float
) -> tuple[VerdictStatus, str]:
    heavy = [v for v in verdicts if v.requirement.severity in CAPS]
    failed = [v.key for v in heavy if v.status is _FAIL]
    if failed:
        return _FAIL, f"failed: {', '.join(failed)}"
    if share < 0.5:
        measured = sum(v.estimate is not None for v in weighed)
        return _OPEN, f"not assessed: {measured} of {len(weighed)} requirements measured"
    if not any(v.requirement.severity in CAPS for v in weighed):
        return _OPEN, "only minor requirements were asked of it"
    still_open = [v.key for v in heavy if v.status is not _PASS]
    if still_open:
        return _OPEN, f"open: {', '.join(still_open)}"
    return _PASS, "every critical and major requirement is met"
