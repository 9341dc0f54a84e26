"""The laws of judging and scoring, over generated findings and profiles."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trustcheck import judge
from trustcheck.types import (
    Assurance,
    Better,
    Dimension,
    Estimate,
    Finding,
    Findings,
    Profile,
    Requirement,
    Severity,
    Status,
    VerdictStatus,
)

PROBES = ("fairness.a", "fairness.b", "fairness.c", "fairness.d")
unit = st.floats(0, 1, allow_nan=False)


@st.composite
def estimates(draw):
    low, value, high = sorted((draw(unit), draw(unit), draw(unit)))
    return Estimate(value, low, high, n=draw(st.integers(1, 10_000)), range=(0.0, 1.0))


def finding(id_, estimate, status=Status.MEASURED):
    return Finding(
        id=id_, key=id_, title=id_, question="?", dimension=Dimension.ACCOUNTABILITY,
        keys=("accountability.bias_detection",), clauses=(), version=1, params={}, seed=0,
        status=status, headline="gap", better=Better.LOW,
        metrics={"gap": estimate} if status is Status.MEASURED else {},
        reason=None if status is Status.MEASURED else "no groups",
        assurance=Assurance.STATISTICAL,
    )  # fmt: skip


@st.composite
def requirements(draw, id_):
    target, limit, worst = sorted(
        draw(st.lists(st.integers(1, 98), min_size=3, max_size=3, unique=True))
    )
    return Requirement(
        key=id_, at_most=limit / 100, target=target / 100, worst=worst / 100,
        severity=draw(st.sampled_from(list(Severity))), weight=draw(st.floats(0.1, 10)),
        dimension=Dimension.ACCOUNTABILITY, family=id_,
    )  # fmt: skip


@st.composite
def worlds(draw, least=1):
    ids = PROBES[: draw(st.integers(least, len(PROBES)))]
    found = tuple(finding(id_, draw(estimates())) for id_ in ids)
    return found, tuple(draw(requirements(id_)) for id_ in ids)


def score_of(found, wanted):
    judged = judge.judge(Findings(found), Profile("p", wanted), asked=[r.key for r in wanted])
    return judged["dimension_scores"][list(Dimension).index(Dimension.ACCOUNTABILITY)], judged


@settings(max_examples=150, deadline=None)
@given(worlds())
def test_the_three_ends_are_in_order(world):
    line, _ = score_of(*world)
    assert 0 <= line.low <= line.score <= line.high <= 100


@settings(max_examples=100, deadline=None)
@given(worlds(), estimates(), st.data())
def test_adding_a_requirement_no_better_than_the_score_never_raises_it(world, extra, data):
    found, wanted = world
    before, _ = score_of(found, wanted)
    requirement = data.draw(requirements("fairness.extra"))
    alone, _ = score_of((finding("fairness.extra", extra),), (requirement,))
    if alone.score <= before.score:
        after, _ = score_of((*found, finding("fairness.extra", extra)), (*wanted, requirement))
        assert after.score <= before.score + 1e-9


@settings(max_examples=100, deadline=None)
@given(worlds(least=2), st.data())
def test_skipping_a_probe_never_raises_the_assured_score_and_never_passes(world, data):
    found, wanted = world
    before, _ = score_of(found, wanted)
    gone = data.draw(st.integers(0, len(found) - 1))
    skipped = tuple(
        replace(f, status=Status.SKIPPED, metrics={}, reason="no groups") if i == gone else f
        for i, f in enumerate(found)
    )
    after, judged = score_of(skipped, wanted)
    assert after.low <= before.low + 1e-9
    if wanted[gone].severity is not Severity.MINOR:
        assert judged["verdict"] is not VerdictStatus.PASS
    statuses = {v.key: v.status for v in judged["verdicts"]}
    assert statuses[found[gone].key] is VerdictStatus.NOT_MEASURED


@settings(max_examples=100, deadline=None)
@given(worlds(), st.data())
def test_leaving_a_finding_out_altogether_is_no_better_than_skipping_it(world, data):
    found, wanted = world
    gone = data.draw(st.integers(0, len(found) - 1))
    before, _ = score_of(found, wanted)
    after, judged = score_of(tuple(f for i, f in enumerate(found) if i != gone), wanted)
    assert after.low <= before.low + 1e-9
    assert judged["verdicts"][gone].status is VerdictStatus.NOT_MEASURED


@settings(max_examples=100, deadline=None)
@given(worlds(), st.data())
def test_a_requirement_on_two_equal_findings_weighs_as_one(world, data):
    found, wanted = world
    i = data.draw(st.integers(0, len(found) - 1))
    before, _ = score_of(found, wanted)
    twin = replace(found[i], key=f"{found[i].id}[by=twin]")
    after, _ = score_of((*found, twin), wanted)
    assert after.score == pytest.approx(before.score, abs=1e-9)
    assert after.verdict is before.verdict


@settings(max_examples=150, deadline=None)
@given(worlds(), st.data())
def test_the_score_is_monotone_in_every_metric(world, data):
    found, wanted = world
    i = data.draw(st.integers(0, len(found) - 1))
    old = found[i].metrics["gap"]
    better = [data.draw(st.floats(0, end)) for end in (old.low, old.value, old.high)]
    low, value, high = sorted(better)
    improved = replace(found[i], metrics={"gap": replace(old, low=low, value=value, high=high)})
    before, _ = score_of(found, wanted)
    after, _ = score_of((*found[:i], improved, *found[i + 1 :]), wanted)
    assert after.score >= before.score - 1e-9
    assert after.high >= before.high - 1e-9


@settings(max_examples=100, deadline=None)
@given(worlds())
def test_the_order_of_findings_and_requirements_changes_nothing(world):
    found, wanted = world
    one, _ = score_of(found, wanted)
    two, _ = score_of(found[::-1], wanted[::-1])
    assert (one.score, one.low, one.high) == pytest.approx((two.score, two.low, two.high), abs=1e-9)
    assert one.verdict is two.verdict


@settings(max_examples=100, deadline=None)
@given(estimates(), st.floats(0.01, 0.99))
def test_the_printed_interval_decides(estimate, limit):
    verdict = judge.decide(
        Requirement("fairness.a", at_most=limit, dimension=Dimension.ACCOUNTABILITY),
        finding("fairness.a", estimate),
    )
    expected = (
        "pass" if estimate.high <= limit else "fail" if estimate.low > limit else "inconclusive"
    )
    assert verdict.status == expected
    assert bool(verdict) == (
        expected == "pass" or (expected == "inconclusive" and estimate.value <= limit)
    )


@settings(max_examples=50, deadline=None)
@given(estimates(), st.floats(0.05, 0.95))
def test_utility_is_60_exactly_at_the_limit(estimate, limit):
    from trustcheck.scoring import utility

    at_most = Requirement("fairness.a", at_most=limit)
    at_least = Requirement("fairness.a", at_least=limit)
    import numpy as np

    grid = np.linspace(0, 1, 201)
    for requirement, sign in ((at_most, -1), (at_least, 1)):
        assert utility(requirement, estimate, np.array([limit]))[0] == pytest.approx(60.0)
        assert (sign * np.diff(utility(requirement, estimate, grid)) >= -1e-9).all()


def test_a_critical_fail_caps_at_39_and_a_major_one_at_59():
    good, bad = (
        Estimate(0.0, 0.0, 0.0, 10, range=(0, 1)),
        Estimate(0.11, 0.105, 0.12, 10, range=(0, 1)),
    )
    found = (*(finding(id_, good) for id_ in PROBES[:3]), finding(PROBES[3], bad))
    for severity, cap in ((Severity.CRITICAL, 39), (Severity.MAJOR, 59)):
        wanted = tuple(
            Requirement(f.id, at_most=0.1, severity=severity, dimension=f.dimension) for f in found
        )
        line, _ = score_of(found, wanted)
        assert (line.low <= cap, line.score, line.high) == (True, cap, cap)


def test_nothing_measured_is_never_a_pass_and_less_than_half_has_no_score():
    found = tuple(
        finding(
            id_, Estimate(0, 0, 0, 1, range=(0, 1)), Status.MEASURED if i == 0 else Status.SKIPPED
        )
        for i, id_ in enumerate(PROBES[:3])
    )
    wanted = tuple(Requirement(f.id, at_most=0.1, dimension=f.dimension) for f in found)
    line, judged = score_of(found, wanted)
    assert line.score is None
    assert line.low == 0.0
    assert judged["verdict"] is VerdictStatus.INCONCLUSIVE
    empty = judge.judge(Findings(()), Profile("p", ()))
    assert empty["verdict"] is not VerdictStatus.PASS


@settings(max_examples=100, deadline=None)
@given(worlds(), requirements("fairness.declared"), unit)
def test_declared_evidence_never_raises_a_score_nor_passes_a_dimension_alone(world, extra, value):
    found, wanted = world
    before, _ = score_of(found, wanted)
    word = replace(
        finding("fairness.declared", Estimate(value, value, value, 8, range=(0.0, 1.0))),
        assurance=Assurance.DECLARED,
    )
    after, _ = score_of((*found, word), (*wanted, extra))
    assert after.low <= before.low
    assert after.high <= before.high
    if before.score is not None:
        assert after.score <= before.score
    alone, judged = score_of((word,), (extra,))
    assert alone.score is None
    assert judged["verdict"] is not VerdictStatus.PASS


def test_correlated_findings_share_ranks():
    wide = Estimate(0.1, 0.0, 0.2, 100, range=(0, 1))
    found = (finding(PROBES[0], wide), finding(PROBES[1], wide))
    wanted = tuple(
        Requirement(
            f.id, at_most=0.1, target=0.0, worst=0.2, dimension=f.dimension, severity=Severity.MINOR
        )
        for f in found
    )
    spread = {}
    for rho in (0.0, 0.99):
        pair = {f"{PROBES[0]} | {PROBES[1]}": rho}
        judged = judge.judge(Findings(found), Profile("p", wanted), asked=PROBES, correlations=pair)
        line = judged["dimension_scores"][-1]
        spread[rho] = line.high - line.low
    assert spread[0.99] > 1.15 * spread[0.0]
