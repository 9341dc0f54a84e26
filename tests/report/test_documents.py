import datetime as dt
import tomllib

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

import trustcheck as tc
from trustcheck import accountability, standard
from trustcheck.cli import main
from trustcheck.report import init_documents

KINDS = [kind.id for kind in standard.load().document_kinds]


@pytest.fixture(scope="module")
def report():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(600, 3))
    y = (X[:, 0] > 0).astype(int)
    subject = tc.Subject(
        LogisticRegression().fit(X, y),
        X,
        y,
        sensitive={"<sex>": np.where(X[:, 1] > 0, "f", "m")},
        name="credit <b>v3</b>",
    )
    return tc.evaluate(subject, probes=["fairness.demographic_parity", "security.extraction"])


def complete(register):
    subject = tc.Subject(
        lambda X: X[:, 0],
        [[0.0]],
        task="regression",
        context=tc.Context(documents=register),
    )
    return accountability.documents(subject)


def test_fresh_templates_are_not_complete_and_become_so_when_filled_in(tmp_path):
    register, *texts = init_documents(tmp_path)
    assert [path.stem for path in texts] == KINDS
    assert complete(register).value == 0
    for path in texts:
        path.write_text(path.read_text().replace(standard.BLANK, "done"))
    finding = complete(register)
    assert finding.value == 0
    assert {row["lacks"] for row in finding.rows} == {"no owner is named; no date is given"}
    today = dt.datetime.now().astimezone().date().isoformat()
    text = register.read_text().replace('owner = ""', 'owner = "B. Lee"')
    register.write_text(text.replace('date = ""', f'date = "{today}"'))
    assert complete(register).value == 1


def test_templates_hold_what_the_report_measured_and_foreign_names_as_text(report, tmp_path):
    _, *texts = init_documents(tmp_path / "new", report)
    said = {path.stem: path.read_text() for path in texts}
    assert "Demographic parity" in said["bias_evaluation_and_fairness_audit_log"]
    assert "Model extraction: " in said["risk_and_threat_model"]
    assert "Model stealing (TR 24028 " in said["risk_and_threat_model"]
    assert "No probe that speaks to this was run" in said["access_control"]
    for text in said.values():
        assert "<b>" not in text
        assert "credit \\<b\\>v3" in text


def test_nothing_is_overwritten(tmp_path):
    (tmp_path / "access_control.md").write_text("mine")
    with pytest.raises(tc.InputError, match=r"already holds access_control\.md"):
        init_documents(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["access_control.md"]


def test_each_kind_has_questions_of_its_own():
    from importlib import resources

    text = resources.files("trustcheck.report").joinpath("templates/documents.toml").read_text()
    assert sorted(tomllib.loads(text)) == sorted(KINDS)


def test_the_command_line_writes_and_checks(report, tmp_path, capsys):
    report.save(tmp_path / "r.json")
    folder = tmp_path / "documents"
    assert main(["documents", "init", str(folder), "--report", str(tmp_path / "r.json")]) == 0
    assert "documents.toml" in capsys.readouterr().out
    assert main(["documents", "check", str(folder / "documents.toml")]) == 1
    assert "no owner is named" in capsys.readouterr().out
