"""JUnit XML and the short summary: what a pipeline shows."""

from xml.etree import ElementTree as ET

import pytest

import trustcheck as tc
from trustcheck.report._summary import summary

HOSTILE = "<a&'\"]]>\x00\x1b\ud800" + "x" * 5000


def report(profile, wrong=20, probes=("reliability.performance", "fairness"), **more):
    y = [0, 1] * 100
    answers = [1 - label for label in y[:wrong]] + y[wrong:]
    subject = tc.Subject.from_predictions(
        y, answers, sensitive={"sex": ["f", "f", "m", "m"] * 50}, **more
    )
    return tc.evaluate(subject, probes=None if probes is None else list(probes), profile=profile)


def cases(made, tmp_path):
    made.save(tmp_path / "r.xml", format="junit")
    suite = ET.parse(tmp_path / "r.xml").getroot().find("testsuite")
    found = suite.findall("testcase")
    kinds = {"failures": "failure", "errors": "error", "skipped": "skipped"}
    for count, kind in kinds.items():
        assert int(suite.get(count)) == len(suite.findall(f"testcase/{kind}"))
    assert int(suite.get("tests")) == len(found)
    return {case.get("name").split()[0]: case for case in found}


PROFILE = {
    "reliability.performance": {"at_least": 0.2},
    "fairness.accuracy_parity": {"at_most": 0.01},
    "fairness.demographic_parity": {"at_most": 0.0001, "required": True},
    "fairness.auc_parity": {"at_most": 0.1},
    "fairness.mean_score": {"at_most": 0.1, "required": False},
    "fairness.flips": {"at_most": 0.1, "not_applicable": "no model to ask"},
}


def test_one_case_per_requirement_and_what_became_of_it(tmp_path):
    made = report(PROFILE)
    found = cases(made, tmp_path)
    assert len(found) == len(made.verdicts)
    status = {v.key: v for v in made.verdicts}
    inside = {name: [child.tag for child in case] for name, case in found.items()}
    assert inside["reliability.performance"] == ["system-out"]
    assert inside["fairness.auc_parity[by=sex]"] == ["error"]
    assert inside["fairness.mean_score[by=sex]"] == ["skipped"]
    assert inside["fairness.flips[by=sex]"] == ["skipped"]
    for name, verdict in status.items():
        if verdict.status == "inconclusive":
            assert inside[name] == (["skipped"] if verdict else ["failure"]), name
    assert found["reliability.performance"].get("classname") == "reliability"
    assert float(found["reliability.performance"].get("time")) >= 0


def test_a_fail_is_a_failure_with_its_message(tmp_path):
    made = report({"reliability.performance": {"at_least": 0.99}})
    failure = cases(made, tmp_path)["reliability.performance"].find("failure")
    assert failure.get("message") == made.verdicts[0].message


def test_an_unasked_dimension_is_an_error_of_a_full_report(tmp_path):
    made = report({"reliability.performance": {"at_least": 0.2}}, probes=None)
    found = cases(made, tmp_path)
    assert found["any"].find("error") is not None
    assert made.exit_code() == 3


def test_hostile_text_is_still_xml_and_markdown(tmp_path):
    made = report(PROFILE, name=HOSTILE)
    cases(made, tmp_path)
    suite = ET.parse(tmp_path / "r.xml").getroot().find("testsuite")
    assert suite.get("name").startswith("trustcheck: <a&'\"]]>")
    text = summary(made, remarks=["monitor: <b>"])
    assert "<a" not in text.replace("\\<a", "")
    assert len(text) < 8000


@pytest.mark.parametrize(("wrong", "word"), [(0, "Pass"), (110, "Fail")])
def test_the_summary_begins_with_the_verdict(wrong, word):
    made = report({"reliability.performance": {"at_least": 0.2}}, wrong=wrong, name="credit")
    text = summary(made, remarks=["ratchet: nothing is clearly worse than in run 1"])
    assert text.splitlines()[0].endswith(f"{word}: credit")
    assert "- ratchet: nothing is clearly worse" in text
    assert ("skill" in text) == (word == "Fail")
