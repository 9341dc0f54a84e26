"""Laws every probe obeys, run over the whole catalog and every task."""

import importlib
import math

import joblib
import numpy as np
import pytest

import trustcheck as tc
from trustcheck import catalog

PROBES = list(catalog.probes().values())


def same(one, other, tolerance=0.0):
    assert one.key == other.key
    assert one.status == other.status, (one.reason, other.reason)
    assert list(one.metrics) == list(other.metrics)
    for name, estimate in one.metrics.items():
        twin = other.metrics[name]
        for end in ("value", "low", "high"):
            a, b = getattr(estimate, end), getattr(twin, end)
            assert a == b if not tolerance else a == pytest.approx(b, abs=tolerance, rel=tolerance)


def applies(probe, subject):
    finding = probe.run(subject)
    if finding.status == "skipped":
        assert finding.reason
        pytest.skip(finding.reason)
    return finding


@pytest.mark.parametrize("probe", PROBES, ids=lambda p: p.id)
def test_a_measured_headline_is_three_finite_floats(probe, subject):
    finding = applies(probe, subject)
    assert list(finding.metrics)[0] == probe.headline  # noqa: RUF015
    for estimate in finding.metrics.values():
        assert all(math.isfinite(end) for end in (estimate.value, estimate.low, estimate.high))
        assert estimate.low <= estimate.value <= estimate.high
        for end, inside in zip(estimate.range, (1, -1), strict=True):
            if end is not None:
                assert inside * (estimate.value - end) >= -1e-9
        assert estimate.n > 0
    assert finding.unit


@pytest.mark.parametrize("probe", PROBES, ids=lambda p: p.id)
def test_same_seed_same_finding(probe, parts, make):
    finding = applies(probe, make(parts))
    again = probe.run(make(parts))
    same(finding, again)
    assert finding.rows == again.rows
    assert finding == again


@pytest.mark.parametrize("probe", PROBES, ids=lambda p: p.id)
def test_the_order_of_rows_changes_nothing(probe, parts, make):
    finding = applies(probe, make(parts))
    order = np.random.default_rng(9).permutation(len(parts["X"]))
    same(finding, probe.run(make(parts, order=order)), tolerance=1e-12)


@pytest.mark.parametrize("probe", PROBES, ids=lambda p: p.id)
def test_renaming_groups_changes_no_number(probe, parts, make):
    finding = applies(probe, make(parts))
    renamed = probe.run(make(parts, rename={"f": "zebra", "m": "ant"}))
    if probe.pillar != "fairness":
        pytest.skip("groups play no part")
    same(finding, renamed, tolerance=1e-12)


@pytest.mark.parametrize("probe", PROBES, ids=lambda p: p.id)
def test_the_subject_is_left_as_it_was(probe, parts, make):
    before = joblib.hash((parts["X"], parts["y"], parts["sensitive"], parts["reference"]))
    applies(probe, make(parts))
    assert joblib.hash((parts["X"], parts["y"], parts["sensitive"], parts["reference"])) == before


@pytest.mark.parametrize("probe", PROBES, ids=lambda p: p.id)
def test_a_headline_with_a_formula_can_be_recomputed_from_its_statistics(probe, subject):
    finding = applies(probe, subject)
    if finding.formula is None:
        pytest.skip("no closed form")
    module, name = finding.formula.split(".")
    got = getattr(importlib.import_module(f"trustcheck.stats.{module}"), name)(**finding.statistics)
    assert (got.value, got.low, got.high) == pytest.approx(
        (finding.value, finding.low, finding.high), abs=1e-9
    )


@pytest.mark.parametrize("probe", PROBES, ids=lambda p: p.id)
def test_no_probe_asks_the_given_rows_again(probe, parts, make):
    subject = make(parts)
    finding = applies(probe, subject)
    n = subject.n
    assert finding.rows_sent.get("given", 0) <= 2 * n  # at most once per output method
    assert finding.rows_sent.get("reference", 0) <= 2 * subject.reference.n
    again = probe.run(subject)
    assert again.rows_sent.get("given", 0) == 0
    assert again.rows_sent.get("reference", 0) == 0


@pytest.mark.parametrize("probe", PROBES, ids=lambda p: p.id)
def test_predictions_alone_are_measured_or_skipped_with_a_reason(probe):
    rng = np.random.default_rng(0)
    y, p = rng.integers(0, 2, (2, 300))
    subject = tc.Subject.from_predictions(y, p, sensitive={"sex": rng.choice(["f", "m"], 300)})
    finding = probe.run(subject)
    assert finding.status in ("measured", "skipped")
    assert finding.status == "measured" or finding.reason


@pytest.mark.parametrize("probe", PROBES, ids=lambda p: p.id)
def test_detail_rows_are_plain_scalars(probe, subject):
    finding = applies(probe, subject)
    for row in finding.rows:
        for name, value in row.items():
            assert isinstance(name, str)
            assert value is None or type(value) in (str, int, float, bool), (name, type(value))


@pytest.mark.parametrize("probe", PROBES, ids=lambda p: p.id)
def test_an_influence_has_one_number_per_given_row_and_mean_zero(probe, subject):
    finding = applies(probe, subject)
    if finding.influence is None:
        pytest.skip("no influence given")
    assert finding.influence.shape == (subject.n,)
    assert np.isfinite(finding.influence).all()
    assert abs(finding.influence.mean()) <= 1e-6 * max(1.0, np.abs(finding.influence).max())
