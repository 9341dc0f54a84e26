"""An example project run through pytester: what a person who uses the plugin sees."""

import json
import re
import tomllib
from dataclasses import replace
from pathlib import Path

import pytest

from trustcheck import catalog, runner
from trustcheck.types import Report

REPO = Path(__file__).parents[2]
CREDIT = ("--trust-profile", "credit.toml")


def lines(result):
    return "\n".join(result.outlines)


def test_a_requirement_is_a_test_of_its_own(project, run):
    result = run(*CREDIT, "--collect-only", "-q", "-k", "credit")
    assert [line for line in result.outlines if "::" in line] == [
        "test_trust.py::test_credit[fairness.demographic_parity]",
        "test_trust.py::test_credit[reliability.performance]",
        "test_trust.py::test_credit[fairness.accuracy_parity]",
        "test_trust.py::test_credit[privacy.membership]",
    ]


def test_pass_fail_inconclusive_and_skip_are_told_apart(project, run):
    result = run(*CREDIT, "-rs", "-k", "credit")
    result.assert_outcomes(passed=2, failed=1, skipped=1, warnings=1)
    said = lines(result)
    assert "inconclusive: gap 0.0" in said
    assert "more rows of group" in said
    assert "privacy.membership was skipped: no reference data was given (reference=)" in said


def test_a_failure_shows_groups_interval_limit_and_what_would_settle_it(project, run):
    said = lines(run(*CREDIT, "-k", "credit and demographic or odds"))
    number = r"[\d.]+"
    for wanted in (
        rf"fail: gap {number} \(95 % interval {number} to {number}, n = 600\); asked: at most 0.1",
        r"between 'm' and 'f' \[fairness",
        r"✗ FAIL: Demographic parity   fairness.demographic_parity\[by=sex\]",
        r"  Do groups get the favourable prediction equally often\?",
        rf"  measured  gap {number} \(95 % interval {number} to {number}\), 600 rows",
        r"  asked     at most 0.1  \(our policy 7\)",
        r"  so        The limit is broken: the whole interval of gap lies outside it.",
        r"    group    n  count  rate    low   high",
        rf"    f      297    110  0.37  {number}  {number}",
        r"  Fragility: removing \d+ rows",
        r"✗ FAIL: Equalized odds   fairness.equalized_odds\[by=sex\]",
    ):
        assert re.search(wanted, said), wanted


def test_an_inconclusive_verdict_fails_only_when_asked_to_be_strict(project, run, write):
    write("test_trust.py", """
        from trustcheck import fairness
        def test_credit(trust_requirement):
            assert trust_requirement
        def test_accuracy(trust_subject):
            assert fairness.accuracy_parity(trust_subject).at_most(0.05)
    """)  # fmt: skip
    select = ("-k", "accuracy", *CREDIT)
    run(*select).assert_outcomes(passed=2, warnings=2)
    strict = run(*select, "--trust-strict")
    strict.assert_outcomes(failed=2, warnings=1)
    assert "settle    About" in lines(strict)
    assert "strict    inconclusive counts as a failure here" in lines(strict)
    write("pytest.ini", "[pytest]\ntrust_strict = true\ntrust_profile = credit.toml\n")
    run("-k", "accuracy").assert_outcomes(failed=2, warnings=1)


def test_a_strict_profile_is_strict_here_too(project, run, write):
    strict = 'inconclusive = "fail"\n' + project.path.joinpath("credit.toml").read_text()
    write("credit.toml", strict)
    run("-k", "credit and accuracy", *CREDIT).assert_outcomes(failed=1)


def test_a_missing_extra_fails_what_is_required_and_names_the_remedy(
    project, run, write, monkeypatch
):
    needy = replace(catalog.probes()["reliability.performance"], extra="explain")
    monkeypatch.setitem(catalog.probes(), "reliability.performance", needy)
    monkeypatch.setitem(runner.EXTRAS, "explain", "no_such_library")
    for required, outcome in (("true", "failed"), ("false", "skipped")):
        write("credit.toml", f"""
            [requirements."reliability.performance"]
            at_least = 0.2
            required = {required}
        """)  # fmt: skip
        result = run("-rs", "-k", "credit", *CREDIT)
        result.assert_outcomes(**{outcome: 1})
        assert "pip install 'trustcheck[explain]'" in lines(result)


def test_a_requirement_that_names_nothing_fails_and_says_what_there_is(project, run, write):
    write("credit.toml", """
        [requirements."fairness.demografic_parity"]
        at_most = 0.1
        [requirements."fairness.demographic_parity[by=race]"]
        at_most = 0.1
    """)  # fmt: skip
    result = run("-k", "credit", *CREDIT)
    result.assert_outcomes(failed=2)
    assert "did you mean fairness.demographic_parity" in lines(result)
    assert "this subject gives fairness.demographic_parity[by=sex]" in lines(result)


def test_a_probe_that_crashes_fails_its_own_test_alone(project, run, write):
    conftest = project.path.joinpath("conftest.py")
    conftest.write_text(conftest.read_text().replace("Model.asked += 1", "1 / 0"))
    result = run("-k", "credit", *CREDIT)
    result.assert_outcomes(failed=3, skipped=1)
    assert "crashed: ZeroDivisionError raised at conftest.py" in lines(result)


def test_markers_select_by_pillar_and_dimension(project, run):
    run(*CREDIT, "-m", "fairness").assert_outcomes(passed=1, failed=1, deselected=3, warnings=1)
    run(*CREDIT, "-m", "reliability", "--strict-markers").assert_outcomes(passed=1, deselected=4)
    run(*CREDIT, "-m", "accountability").assert_outcomes(
        passed=1, failed=1, deselected=3, warnings=1
    )


def test_the_model_is_asked_about_the_given_rows_once(project, run, write):
    write("test_trust.py", """
        from conftest import Model
        from trustcheck import fairness
        def test_credit(trust_requirement):
            pass
        def test_more(trust_subject):
            assert fairness.equal_opportunity(trust_subject).at_most(1)
            assert fairness.equalized_odds(trust_subject).at_most(1)
            assert Model.asked == 1
    """)  # fmt: skip
    result = run(*CREDIT)
    result.assert_outcomes(passed=4, skipped=1, warnings=1)


def test_without_a_subject_the_message_says_how_to_define_one(pytester, run, write):
    write("test_trust.py", "def test_it(trust_subject): pass\n")
    result = run()
    result.assert_outcomes(errors=1)
    assert "there is no fixture trust_subject: define it in conftest.py" in lines(result)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--trust-profile", "nowhere.toml"), "no profile 'nowhere.toml'"),
        (("--trust-report", "report.doc"), "the ending of 'report.doc' names no form"),
        (("--trust-report", "nowhere/report.html"), "there is no folder"),
    ],
)
def test_bad_options_are_usage_errors_before_any_test_runs(project, run, arguments, said):
    result = run(*arguments)
    assert result.ret in (pytest.ExitCode.USAGE_ERROR, pytest.ExitCode.INTERRUPTED)
    assert said in lines(result) + "\n".join(result.errlines)


# Reports ----------------------------------------------------------------------------------------


def test_the_report_holds_every_finding_and_what_was_asked_of_it(project, run):
    result = run(
        *CREDIT, "--trust-report", "r.json", "--trust-report=r.html", "--trust-report=r.xml"
    )
    assert "report on biased credit: fail, " in lines(result)
    report = Report.load(project.path / "r.json")
    assert set(report.findings) == {
        "fairness.accuracy_parity[by=sex]",
        "fairness.demographic_parity[by=sex]",
        "fairness.equalized_odds[by=sex]",
        "privacy.membership",
        "reliability.performance",
    }
    asked = {v.key: (str(v.status), v.requirement.limit_text) for v in report.verdicts}
    assert asked["fairness.equalized_odds[by=sex]"] == ("fail", "at most 0.1")
    assert asked["privacy.membership"] == ("not_measured", "at most 0.6")
    assert len(asked) == 5
    assert report.scope == "partial"
    assert "Partial." in (project.path / "r.html").read_text()
    assert "fairness.equalized_odds" in (project.path / "r.xml").read_text()


def test_two_subjects_are_two_reports(project, run, write):
    write("test_trust.py", """
        import trustcheck as tc
        def test_both(trust_subject):
            assert tc.fairness.equalized_odds(trust_subject).at_most(1)
            other = tc.Subject.from_predictions([0, 1] * 50, [0, 1] * 50, name="other")
            assert tc.reliability.performance(other).at_least(0.5)
    """)  # fmt: skip
    run("--trust-report=r.json").assert_outcomes(passed=1)
    names = [Report.load(project.path / n).subject["name"] for n in ("r.json", "r-2.json")]
    assert names == ["biased credit", "other"]


def test_workers_of_xdist_make_one_report_with_the_same_numbers(project, run):
    run(*CREDIT, "--trust-report=one.json")
    result = run(*CREDIT, "--trust-report=two.json", "-n", "2", "-rA", process=True)
    result.assert_outcomes(passed=2, failed=2, skipped=1, warnings=1)
    assert "✗ FAIL: Demographic parity" in lines(result)
    alone, together = (json.loads((project.path / n).read_text()) for n in ("one.json", "two.json"))
    for report in (alone, together):
        del report["run"]
    assert alone == together


def test_a_worker_that_dies_is_named(project, run, write):
    write("test_trust.py", """
        import os
        def test_dies(trust_subject):
            os._exit(3)
    """)  # fmt: skip
    result = run("-n", "1", "--max-worker-restart=0", "--trust-report=r.json", process=True)
    assert result.ret != 0
    assert "worker gw0 sent nothing back: its findings are not in the report" in lines(result)


def test_without_findings_there_is_no_report_and_it_says_so(pytester, run, write):
    write("test_nothing.py", "def test_nothing(): pass\n")
    assert "no finding was made, so no report was written" in lines(run("--trust-report=r.html"))
    assert not (pytester.path / "r.html").exists()


# Projects that do not use it --------------------------------------------------------------------


def test_the_plugin_is_announced():
    project = tomllib.loads((REPO / "pyproject.toml").read_text())["project"]
    assert project["entry-points"]["pytest11"] == {"trustcheck": "trustcheck.pytest_plugin"}


def test_a_project_without_models_sees_nothing_of_it(pytester, run, write):
    write("test_plain.py", """
        import sys
        def test_nothing_heavy_was_loaded():
            loaded = [name for name in sys.modules if name.startswith("trustcheck")]
            assert sorted(loaded) == ["trustcheck", "trustcheck._session", "trustcheck.pytest_plugin"]
            assert not {"numpy", "pandas", "sklearn", "scipy"} & set(sys.modules)
    """)  # fmt: skip
    result = run("-W", "error", "--strict-markers", "--strict-config", process=True)
    result.assert_outcomes(passed=1)
    assert "trustcheck" not in lines(result).partition("collected")[2]
