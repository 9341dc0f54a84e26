"""A good model on all of Adult, with all inputs: it passes, or the report says what stops it."""

import pytest

import trustcheck as tc
from trustcheck import datasets
from trustcheck.cli._demo import boosted_pipeline
from trustcheck.types import VerdictStatus


@pytest.fixture(scope="module")
def report():
    X_train, X_test, y_train, y_test = datasets.load_adult().train_test()
    model = boosted_pipeline(X_train).fit(X_train, y_train)
    subject = tc.Subject(
        model, X_test, y_test, sensitive=["sex", "race"], reference=(X_train, y_train), name="Adult"
    )
    return tc.evaluate(subject)


def test_every_dimension_is_measured(report):
    assert all(score.coverage > 0.5 for score in report.dimension_scores)
    assert not [f.key for f in report.findings.values() if f.status == "error"]


def test_the_report_says_precisely_what_stops_it(report):
    failed = [v for v in report.verdicts if v.status is VerdictStatus.FAIL]
    heavy = [v for v in failed if v.requirement.severity != "minor"]
    assert report.verdict == "fail"
    # Groups are selected unequally: nothing else stands in its way.
    assert {v.key.partition("[")[0] for v in heavy} == {"fairness.demographic_parity"}
    for verdict in heavy:
        assert verdict.message in report.reasons
        assert f"{verdict.estimate.value:.3g}" in verdict.message
        assert verdict.requirement.limit_text in verdict.message
    assert any("'Male' and 'Female'" in v.message for v in heavy)


def test_everything_else_that_decides_passes(report):
    passed = {v.key for v in report.verdicts if v.status is VerdictStatus.PASS}
    assert {
        "reliability.performance",
        "robustness.noise",
        "privacy.membership",
        "safety.slices",
        "security.extraction",
        "explain.faithfulness",
    } <= passed


def test_a_default_run_sends_at_most_40_rows_per_row(report):
    assert sum(report.run["rows_sent"].values()) <= 40 * report.subject["rows"]
