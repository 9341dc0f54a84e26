import datetime as dt
import hashlib
import json

import pytest

import trustcheck as tc
from trustcheck import accountability, standard

KINDS = [kind.id for kind in standard.load().document_kinds]
DAY = "2026-05-31"


def ask(register, **params):
    subject = tc.Subject(
        lambda X: X[:, 0], [[0.0], [1.0]], task="regression",
        context=tc.Context(documents=register),
    )  # fmt: skip
    return accountability.documents(subject, **{"today": DAY, **params})


@pytest.fixture
def full(tmp_path):
    for kind in KINDS:
        (tmp_path / f"{kind}.md").write_text(f"the secret text of {kind}")
    return [
        {"kind": kind, "owner": "Q. Zelda", "date": "2026-01-10", "path": tmp_path / f"{kind}.md"}
        for kind in KINDS
    ]


def lacks(finding):
    return {row["kind"]: row["lacks"] for row in finding.rows}


def test_a_full_register_is_complete_and_declared(full, tmp_path):
    finding = ask(full)
    assert finding.value == finding.low == finding.high == 1.0
    assert finding.n == 8
    assert finding.assurance == "declared"
    digest = hashlib.sha256((tmp_path / f"{KINDS[0]}.md").read_bytes()).hexdigest()
    assert finding.rows[0]["sha256"] == digest[:12]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("owner", " ", "no owner"),
        ("date", None, "no date"),
        ("date", dt.date(2025, 5, 30), "366 days old and holds 365"),
        ("date", "2026-06-01", "in the future"),
        ("path", None, "no file is named"),
        ("path", "gone.md", "no such file"),
    ],
)
def test_each_fault_of_each_kind_is_found_and_no_other(full, kind, field, value, said):
    finding = ask([entry | {field: value} if entry["kind"] == kind else entry for entry in full])
    assert finding.value == 7 / 8
    assert said in lacks(finding)[kind]
    assert sum(text is not None for text in lacks(finding).values()) == 1
    assert finding.at_least(1.0).status == "fail"


def test_toml_mapping_and_list_say_the_same(full, tmp_path):
    blocks = [
        f'[[document]]\nkind = "{e["kind"]}"\nowner = "Q. Zelda"\ndate = 2026-01-10\n'
        f'path = "{e["path"].name}"\n'
        for e in full
    ]
    (tmp_path / "documents.toml").write_text("\n".join(blocks))
    by_kind = {e["kind"]: {k: v for k, v in e.items() if k != "kind"} for e in full}
    rows = ask(full).rows
    for register in (tmp_path / "documents.toml", str(tmp_path / "documents.toml"), by_kind,
                     {"document": full}, full[::-1], tuple(full)):  # fmt: skip
        assert ask(register).rows == rows


def test_the_best_document_of_a_kind_counts_and_an_empty_file_does_not(full, tmp_path):
    (tmp_path / "empty.md").write_text("")
    old = full[0] | {"date": "2020-01-01"}
    assert ask([old, *full]).value == 1.0
    assert ask([full[0] | {"path": tmp_path / "empty.md"}, *full[1:]]).rows[0]["lacks"] == "the file is empty"  # fmt: skip
    assert ask([old | {"valid_days": 5000}, *full[1:]]).value == 1.0


def test_neither_contents_nor_owners_reach_the_finding(full):
    finding = ask(full)
    said = json.dumps([dict(row) for row in finding.rows]) + repr(finding)
    assert "secret text" not in said
    assert "Zelda" not in said


def test_documents_attest_and_never_count_as_measured(full):
    subject = tc.Subject.from_predictions([0, 1] * 50, [0, 1] * 50)
    subject.context = tc.Context(documents=full)
    report = tc.evaluate(subject, probes=["accountability.documents"], profile={"accountability.documents": {"at_least": 1.0}})  # fmt: skip
    assert report.coverage["accountability.legal_norms"] == "attested"
    rows = report.findings["accountability.documents"].rows
    assert rows[-1]["attests"] == "security.access_control"


def test_only_complete_documents_attest_and_only_what_they_speak_to(full):
    subject = tc.Subject.from_predictions([0, 1] * 50, [0, 1] * 50)
    subject.context = tc.Context(documents=full[-1:])
    report = tc.evaluate(
        subject,
        probes=["accountability.documents"],
        profile={"accountability.documents": {"at_least": 1.0}},
    )
    attested = [key for key, said in report.coverage.items() if said == "attested"]
    assert attested == ["security.access_control"]


def test_kinds_can_be_chosen(full):
    assert ask(full[:1], kinds=KINDS[0]).value == 1.0
    assert ask(full[:1], kinds=KINDS[:2]).value == 0.5
    with pytest.raises(tc.InputError, match="did you mean 'access_control'"):
        ask(full, kinds=["acces_control"])


@pytest.mark.parametrize(
    ("register", "said"),
    [
        ([{"kind": "incident_response"}], "did you mean 'incident_response_protocol'"),
        ([{"kind": KINDS[0], "when": "2026"}], "no field when"),
        ([{"kind": KINDS[0], "date": "31 May"}], "must be written 2026-05-31"),
        ([{"kind": KINDS[0], "valid_days": 0}], "valid_days must be"),
        ([{"kind": KINDS[0], "path": 3}], "path must be a path"),
        (["a.md"], "it is a str"),
        ("missing.toml", "cannot be opened"),
        (7, "but it is a int"),
    ],
)
def test_a_register_that_cannot_be_read_says_what_to_change(register, said):
    with pytest.raises(tc.InputError, match=said):
        ask(register)


def test_an_empty_register_is_zero_and_none_is_skipped():
    assert ask([]).value == 0.0
    assert "documents" in accountability.documents(tc.Subject.from_predictions([0], [0], task="regression")).reason  # fmt: skip
    assert ask([], today=None).status == "measured"
