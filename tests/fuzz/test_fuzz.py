"""Subjects at random: no wrong number, no lost finding, no unnamed error.

`make test` runs 300 of them, `make fuzz` at least 5,000 (TRUSTCHECK_FUZZ sets how many).
"""

from __future__ import annotations

import json
import math
import os
from collections import Counter
from itertools import pairwise

import fuzz_reference as slow
import pytest
from fuzz_strategies import RefusedError, make, plans
from hypothesis import HealthCheck, Phase, event, given, settings

import trustcheck as tc
from trustcheck import catalog
from trustcheck.privacy import anonymity

TASKS = ("binary", "multiclass", "regression")
ASKED = int(os.environ.get("TRUSTCHECK_FUZZ", "0"))
#: Probes that cost tens of milliseconds or more: asked of every eighth subject.
DEAR = ("drift.multivariate", "drift.performance_estimate", "robustness", "fairness.proxies", "fairness.flips", "explain", "privacy.membership", "privacy.minimisation", "privacy.pii", "security", "safety.behaviour",
        "safety.fail_safe", "safety.hostile_input", "safety.slices", "reliability.calibration",
        "reliability.conformal", "reliability.metamorphic", "reliability.recovery")  # fmt: skip
EVERY = 8
GAPS = (
    "equal_opportunity",
    "predictive_equality",
    "equalized_odds",
    "predictive_parity",
    "negative_predictive_parity",
    "accuracy_parity",
)

fuzzing = settings(
    max_examples=max(ASKED, 300) // len(TASKS),
    deadline=None,
    derandomize=not ASKED,
    database=None,
    # Looking for the smallest case takes minutes: `make fuzz` does it.
    phases=(Phase.generate, Phase.shrink) if ASKED else (Phase.generate,),
    print_blob=True,
    suppress_health_check=list(HealthCheck),
)


@pytest.mark.parametrize("task", TASKS)
def test_no_wrong_number_no_lost_finding_no_unnamed_error(task):
    tally = Counter()

    @fuzzing
    @given(plans(task))
    def one(plan):
        case = make(plan)
        tally["drawn"] += 1
        subject = built(case)
        if subject is None:
            return
        tally["built"] += 1
        everything = plan.seed % EVERY == 0
        report = tc.evaluate(subject, None if everything else cheap(), show_progress=False)
        tally["full"] += everything
        nothing_lost(report, case, everything=everything)
        every_fault_named(report, case)
        numbers_in_order(report)
        verdict_honest(report)
        if case.sound:
            tally["compared"] += numbers_right(report, subject, case)
        renders(report, html=plan.seed % 16 == 0)

    one()
    # The fuzz must not have run dry: most subjects are built, many numbers are compared.
    assert tally["built"] >= 0.6 * tally["drawn"]
    assert tally["compared"] >= tally["drawn"] / 2
    assert tally["full"] >= tally["drawn"] / EVERY / 4


def built(case):
    """Return the subject, or None where what the user gave was rightly refused by name."""
    if case.sound:
        return case.build()
    try:
        return case.build()
    except tc.InputError as refusal:
        event("refused")
        named = str(refusal)
    assert len(named.split()) > 3
    return None


def cheap():
    return [probe for probe in catalog.probes().values() if not probe.id.startswith(DEAR)]


def nothing_lost(report, case, *, everything):
    groups = len(case.groups) if case.plan.flaw != "no such group" else 0
    by = groups + (groups > 1) or 1
    asked = catalog.probes().values() if everything else cheap()
    expected = Counter({probe.id: by if "by" in probe.defaults else 1 for probe in asked})
    assert Counter(finding.id for finding in report.findings.values()) == expected


def every_fault_named(report, case):
    for finding in report.findings.values():
        assert finding.status in ("measured", "skipped", "error")
        if finding.status == "measured":
            continue
        assert finding.reason
        assert finding.reason.strip()
        assert "Smith" not in finding.reason
        if finding.status == "skipped":
            continue
        refused = isinstance(finding.exception, tc.InputError)
        models = isinstance(finding.exception, RefusedError)
        if case.sound:  # only measurements taken for groups may be refused
            of = list(case.refused_groups)
            refused = refused and (
                any(name in finding.key for name in of)
                or (finding.id == "fairness.intersections" and bool(of))  # of every group at once
            )
            models = False
        if not (refused or models):
            raise AssertionError(f"{finding.key}: {finding.reason}") from finding.exception


def numbers_in_order(report):
    for finding in report.findings.values():
        for name, estimate in finding.metrics.items():
            where = f"{finding.key} {name}: {estimate}"
            ends = [estimate.low, estimate.value, estimate.high]
            assert all(map(math.isfinite, ends)), where
            bottom, top = estimate.range
            if bottom is not None:
                ends.insert(0, bottom)
            if top is not None:
                ends.append(top)
            slack = 1e-9 * max(1.0, abs(estimate.value))
            assert all(one <= other + slack for one, other in pairwise(ends)), where
            assert estimate.n > 0, where
        if finding.status == "measured":
            assert next(iter(finding.metrics)) == finding.headline


def verdict_honest(report):
    lacking = [
        v.key for v in report.verdicts if v.requirement.required and v.status == "not_measured"
    ]
    broken = [f.key for f in report.findings.values() if f.status == "error"]
    if lacking or any(v.key in broken and v.requirement.required for v in report.verdicts):
        assert report.verdict != "pass"
    assert len(report.dimension_scores) == 6
    for score in report.dimension_scores:
        assert 0 <= score.low <= score.high <= 100
        if score.score is not None:
            assert score.low <= score.score <= score.high


def renders(report, *, html):
    saved = report.to_dict()
    assert json.loads(json.dumps(saved, allow_nan=False)) == saved
    if html:
        assert str(report)
        page = report._repr_html_()
        assert "<script>alert" not in page
        for finding in report.findings.values():
            finding._repr_html_()


def numbers_right(report, subject, case):
    """Compare every headline that has a simple closed form; return how many were compared."""
    weights = case.weights or [1.0] * case.plan.n
    truth, classes = case.truth, case.classes
    compared = 0

    def same(key, want, metric=None):
        nonlocal compared
        finding = report.findings[key]
        if want is None:
            assert finding.status == "skipped", f"{key} is {finding.status}, but has no answer"
            return
        assert finding.status == "measured", f"{key} has an answer ({want}), but: {finding.reason}"
        got = finding.estimate(metric).value
        assert got == pytest.approx(want, rel=1e-9, abs=1e-9), (key, metric)
        compared += 1

    for by, groups in by_columns(case):
        suffix = f"[by={spelled(by)}]"
        want = slow.demographic_parity(groups, case.predictions, classes, weights)
        same(f"fairness.demographic_parity{suffix}", want)
        if truth is None or not classes:
            continue
        for name in GAPS:
            want = getattr(slow, name)(groups, truth, case.predictions, classes, weights)
            same(f"fairness.{name}{suffix}", want)
        if len(classes) == 2 and case.chances is not None and case.clusters is None:
            want = slow.cross_auc(groups, truth, case.chances, classes)
            same(f"fairness.cross_auc{suffix}", want)
    if classes and truth is not None and case.chances is not None and case.clusters is None:
        want = slow.failure_auc(truth, case.predictions, case.chances)
        same("reliability.selective", want)
    if truth is not None:
        key = "reliability.performance"
        if classes:
            skill = slow.balanced_skill(truth, case.predictions, weights)
            same(key, skill)
            if skill is not None:
                same(key, slow.accuracy(truth, case.predictions, weights), "accuracy")
                if case.chances is not None:
                    same(key, slow.brier(truth, case.chances, classes, weights), "brier")
                    if len(classes) == 2 and case.weights is None and case.clusters is None:
                        same(key, slow.auc(truth, case.chances, classes), "auc")
        else:
            skill = slow.squared_skill(truth, case.predictions, weights, case.reference_truth)
            if report.findings[key].status != "skipped" or several(case):
                same(key, skill)
                if skill is not None:
                    same(key, slow.mae(truth, case.predictions, weights), "mae")
        if case.costs is not None:
            want = slow.relative_cost(
                truth, case.predictions, weights, classes, case.costs, case.reference_truth
            )
            if report.findings["safety.harm"].status != "skipped" or several(case):
                same("safety.harm", want)
    if case.reference is not None and case.clusters is None:
        compared += drift_right(report, case)
    return compared + anonymity_right(subject, case)


def by_columns(case):
    """Return each sensitive column, and their intersection, with the group of every row."""
    named = {
        name: ["(missing)" if v is None else str(v) for v in values]
        for name, values in case.groups.items()
    }
    found = [((name,), groups) for name, groups in named.items()]
    if len(named) > 1:
        found.append((tuple(named), list(zip(*named.values(), strict=True))))
    return [(by, groups) for by, groups in found if not case.refused_groups & set(by)]


def spelled(by):
    """Return the names as a key spells them: see `Probe.key`."""
    plain = [name if name.isidentifier() else json.dumps(name, ensure_ascii=False) for name in by]
    return "+".join(plain)


def several(case):
    """Whether more than one row, and one cluster, weighs anything: else there is no spread."""
    weights = case.weights or [1.0] * case.plan.n
    units = case.clusters or range(case.plan.n)
    return len({unit for unit, weight in zip(units, weights, strict=True) if weight}) > 1


def drift_right(report, case):
    """Compare each numeric column's row, and the headline with the largest row."""
    compared = 0
    finding = report.findings["drift.features"]
    assert finding.status == "measured", finding.reason
    assert finding.value == max(row["value"] for row in finding.rows)
    rows = {row["column"]: row for row in finding.rows}
    assert set(rows) == {str(name) for name in case.features.columns}
    for name in case.features.columns:
        before, now = present(case.reference[name]), present(case.features[name])
        if before is None or now is None or rows[str(name)]["measure"] == "total variation":
            continue
        gone = abs(1 - len(before) / len(case.reference) - 1 + len(now) / len(case.features))
        want = max(gone, slow.kolmogorov_smirnov(before, now)) if before and now else gone
        assert rows[str(name)]["value"] == pytest.approx(want, abs=1e-9), name
        compared += 1
    finding = report.findings["drift.predictions"]
    if case.reference_predictions is None or (
        case.truth is not None and case.reference_truth is not None
    ):
        return compared
    if not case.classes:
        want = slow.kolmogorov_smirnov(case.reference_predictions, case.predictions)
    elif case.chances is None:
        want = slow.total_variation(case.reference_predictions, case.predictions)
    else:
        codes = [case.classes.index(c) for c in slow.favourable(case.classes)]
        want = max(
            slow.kolmogorov_smirnov(
                [r[c] for r in case.reference_chances], [r[c] for r in case.chances]
            )
            for c in codes
        )
    assert finding.status == "measured", finding.reason
    assert finding.value == pytest.approx(want, abs=1e-9)
    return compared + 1


def present(column):
    """Return the values of a numeric column that are not missing; None for other columns."""
    if column.dtype.kind not in "fi":
        return None
    return [float(v) for v in column.dropna().tolist()]


def anonymity_right(subject, case):
    """Ask for the sensitive columns by name: the table is the reference, or the given data."""
    if case.features is None or case.reference is not None or not case.groups or case.clusters:
        return 0
    k = 2 + case.plan.seed % 5
    got = anonymity(subject, columns=list(case.groups), k=k)
    rows = list(zip(*case.groups.values(), strict=True))
    assert got.value == pytest.approx(slow.share_below(rows, k), abs=1e-12)
    return 1
