import pytest

from trustcheck.types import InputError, Report, VerdictStatus


@pytest.mark.parametrize(
    ("name", "start"),
    [("r.html", "<!doctype html>"), ("r.json", "{"), ("r.md", "# Trust"), ("R.HTML", "<!doctype")],
)
def test_the_ending_picks_the_form(name, start, make_report, tmp_path):
    make_report().save(tmp_path / name)
    assert (tmp_path / name).read_text().startswith(start)


def test_format_overrules_the_ending(make_report, tmp_path):
    make_report().save(tmp_path / "r.txt", format="markdown")
    assert (tmp_path / "r.txt").read_text().startswith("# Trust report")


def test_unknown_formats_list_the_choices(make_report, tmp_path):
    with pytest.raises(InputError, match="html, json, markdown"):
        make_report().save(tmp_path / "r.html", format="pdf")
    with pytest.raises(InputError, match=r"\.html.*html, json, markdown"):
        make_report().save(tmp_path / "report.docx")


def test_places_that_cannot_be_written_are_named(make_report, tmp_path):
    with pytest.raises(InputError, match="there is no folder"):
        make_report().save(tmp_path / "nowhere" / "r.json")
    (tmp_path / "folder.json").mkdir()
    with pytest.raises(InputError, match="is a folder"):
        make_report().save(tmp_path / "folder.json")


def test_a_failed_write_leaves_the_old_file_and_nothing_else(make_report, tmp_path, monkeypatch):
    path = tmp_path / "r.json"
    make_report().save(path)
    before = path.read_bytes()

    def full(_descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(InputError, match="No space left"):
        make_report().save(path)
    assert path.read_bytes() == before
    assert [item.name for item in tmp_path.iterdir()] == ["r.json"]


def test_load_through_the_noun(make_report, tmp_path):
    report = make_report()
    report.save(str(tmp_path / "r.json"))
    assert Report.load(str(tmp_path / "r.json")) == report
    with pytest.raises(InputError, match="cannot read"):
        Report.load(tmp_path / "none.json")
    with pytest.raises(InputError, match="cannot read"):
        Report.load("a\0b.json")


def test_frame_has_one_row_per_finding(mixed_report):
    frame = mixed_report.to_frame()
    assert list(frame.columns) == [
        "key", "dimension", "status", "value", "low", "high", "limit", "verdict",
    ]  # fmt: skip
    assert list(frame["key"]) == list(mixed_report.findings)
    by_key = frame.set_index("key")
    assert by_key.loc["fairness.demographic_parity[by=sex]", "verdict"] == "fail"
    assert by_key.loc["fairness.demographic_parity[by=sex]", "limit"] == "at most 0.1"
    assert by_key["value"].isna()["privacy.membership"]
    assert (
        by_key.loc["security.robust_proof", "verdict"] is None
        or by_key["verdict"].isna()["security.robust_proof"]
    )


def test_frame_of_an_empty_report_has_its_columns(make_report):
    assert make_report(findings=(), verdicts=()).to_frame().shape == (0, 8)


def test_finding_line(mixed_report):
    lines = [str(finding) for finding in mixed_report.findings.values()]
    assert lines[0] == (
        "fairness.demographic_parity[by=sex]: gap 0.2 (95 % interval 0.1 to 0.3, n = 500)"
    )
    assert lines[4] == "privacy.membership: skipped, needs a reference"
    assert lines[5].startswith("safety.slices: error, ZeroDivisionError")
    assert all("\n" not in line for line in lines)


def test_frame_shows_the_judged_metric(make_report, make_finding, make_verdict):
    from trustcheck.types import Requirement

    made = make_finding()
    judged = make_verdict(
        made, VerdictStatus.PASS, Requirement(made.id, at_least=0.5, metric="ratio")
    )
    from dataclasses import replace

    judged = replace(judged, metric="ratio", estimate=made.metrics["ratio"])
    (row,) = make_report([made], [judged]).to_frame().to_dict("records")
    assert (row["value"], row["limit"]) == (0.7, "ratio at least 0.5")
