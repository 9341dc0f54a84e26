import importlib.metadata
import json
import sys

import pytest

import trustcheck as tc
from trustcheck import catalog
from trustcheck.types import Status

SOURCE = """
from trustcheck.probe import probe
from trustcheck.types import Estimate, Measurement, Method


@probe(
    title="Rows", question="How many rows are there?", headline="rows", unit="rows", better="high",
    keys=("reliability.performance_consistency",), clauses=("9.7",), pillar="reliability",
    needs=(), cost="none",
)
def row_count(subject, rng):
    n = subject.n
    return Measurement(
        {"rows": Estimate(n, n, n, n=n, unit="rows", method=Method.EXACT, range=(0.0, None))}
    )


not_a_probe = 42
"""


def install(folder, name, points):
    """Lay a package with entry points into a folder, as an installer would."""
    (folder / f"{name}.py").write_text(SOURCE)
    info = folder / f"{name}-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    lines = "\n".join(f"{key} = {value}" for key, value in points.items())
    (info / "entry_points.txt").write_text(f"[{catalog.ENTRY_POINTS}]\n{lines}\n")


@pytest.fixture
def packages(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(tmp_path))
    catalog.probes.cache_clear()
    yield tmp_path
    catalog.probes.cache_clear()
    for name in ("their_probes", "broken_probes"):
        sys.modules.pop(name, None)


def test_another_packages_probe_runs_and_is_judged_like_ours(packages):
    install(packages, "their_probes", {"row_count": "their_probes:row_count"})
    subject = tc.Subject.from_predictions([0, 1, 1], [0, 1, 1])
    report = tc.evaluate(
        subject,
        probes=["reliability.row_count"],
        profile={"reliability.row_count": {"at_least": 2}},
    )
    assert report.findings["reliability.row_count"].value == 3
    assert report.verdict == "pass"
    assert json.dumps(report.to_dict())


def test_a_broken_package_is_named_and_the_others_are_kept(packages):
    install(
        packages,
        "broken_probes",
        {"gone": "broken_probes:gone", "number": "broken_probes:not_a_probe"},
    )
    with pytest.warns(RuntimeWarning) as caught:
        known = catalog.probes()
    said = sorted(str(w.message) for w in caught)
    assert "gone of broken_probes (broken_probes:gone) cannot be loaded (AttributeError)" in said[0]
    assert "number of broken_probes" in said[1]
    assert "fairness.demographic_parity" in known


def test_two_probes_with_one_id_are_refused(packages):
    install(packages, "their_probes", {"a": "their_probes:row_count"})
    install(packages, "broken_probes", {"b": "broken_probes:row_count"})
    with pytest.raises(ValueError, match=r"two probes claim the id reliability\.row_count"):
        catalog.probes()


def test_our_own_probes_need_no_entry_point():
    own = importlib.metadata.entry_points(group=catalog.ENTRY_POINTS)
    assert not [point for point in own if point.value.startswith("trustcheck.")]
    assert "robustness.noise" in catalog.probes()


def test_a_plan_says_what_would_be_skipped_and_why_without_asking_the_model():
    asked = []

    def model(X):
        asked.append(len(X))
        return X[:, 0]

    subject = tc.Subject(model, [[0.0], [1.0]], task="regression")
    reasons = {probe.key: reason for probe, reason in tc.plan(subject)}
    assert set(reasons) == set(catalog.probes())
    assert "no labels were given" in reasons["reliability.performance"]
    assert "tc.Context(costs=" in reasons["safety.harm"]
    assert reasons["privacy.pii"] is None
    assert not asked
    report = tc.evaluate(subject)
    skipped = {f.key: f.reason for f in report.findings.values() if f.status == Status.SKIPPED}
    for key, reason in reasons.items():
        if reason is not None:
            assert skipped[key] == reason
