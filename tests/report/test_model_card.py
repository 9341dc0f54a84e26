import re

import pytest
import yaml
from markdown_it import MarkdownIt

from trustcheck.report import _model_card
from trustcheck.types import Assurance, Status

FRONT = re.compile(r"\A---\n(.*?)\n---\n\n(.*)\Z", re.DOTALL)


def parts(report):
    front, body = FRONT.match(_model_card.model_card(report)).groups()
    return yaml.safe_load(front), body


def test_metadata_follows_hugging_face(mixed_report):
    meta, _ = parts(mixed_report)
    assert meta["pipeline_tag"] == "tabular-classification"
    assert meta["tags"] == ["tabular-classification", "trustcheck"]
    (entry,) = meta["model-index"]
    (result,) = entry["results"]
    assert entry["name"] == "credit v3"
    assert set(result) == {"task", "dataset", "metrics"}
    assert result["dataset"]["type"] == "ab" * 32
    measured = [f for f in mixed_report.findings.values() if f.status is Status.MEASURED]
    assert [m["type"] for m in result["metrics"]] == [f.key for f in measured]
    first = result["metrics"][0]
    assert (first["value"], first["args"]) == (0.2, {"low": 0.1, "high": 0.3, "n": 500})
    assert meta["trustcheck"]["verdict"] == "fail"


def test_every_field_says_where_it_comes_from(mixed_report):
    meta, body = parts(mixed_report)
    fields = re.findall(r"^\*\*(.+?)\*\* \((.+?)\):", body, re.MULTILINE)
    assert {origin.strip("*") for _, origin in fields} == {"measured", "declared", "missing"}
    for origin in ("measured", "declared", "missing"):
        assert meta["trustcheck"][origin] == [n for n, o in fields if o.strip("*") == origin]
    assert "License" in meta["trustcheck"]["missing"]
    assert "Results" in meta["trustcheck"]["measured"]
    assert f"Of its {len(fields)} fields" in body
    assert body.count("[to complete]") == sum(
        "missing" in o for n, o in fields if n != "Asked, but not measured"
    )


def test_sections_stand_in_the_order_of_the_template(mixed_report):
    _, body = parts(mixed_report)
    assert re.findall(r"^## (.+)$", body, re.MULTILINE) == [
        "Model Details", "Uses", "Bias, Risks, and Limitations",
        "How to Get Started with the Model", "Training Details", "Evaluation",
        "Environmental Impact", "Technical Specifications", "Documents", "Model Card Contact",
    ]  # fmt: skip


def test_what_was_not_met_and_what_would_settle_the_rest_is_said(mixed_report):
    _, body = parts(mixed_report)
    assert "- Demographic parity (by=sex): gap 0.2, asked: at most 0.1" in body
    assert "About 320 more rows of group 'f' would settle it." in body
    assert "needs a reference" in body


def test_documents_and_training_data_are_declared_and_files_measured(make_report, make_finding):
    papers = make_finding(
        "accountability.documents",
        assurance=Assurance.DECLARED,
        rows=({"title": "Design", "complete": True, "date": "2026-01-10"},
              {"title": "Consent", "complete": False, "date": None}),
    )  # fmt: skip
    files = make_finding(
        "accountability.fingerprint", rows=({"item": "model file", "sha256": "e" * 64},)
    )
    report = make_report([papers, files], [])
    report.subject.update(reference_rows=700, reference_sha256="f" * 64)
    meta, body = parts(report)
    assert {"Register", "Training data"} <= set(meta["trustcheck"]["declared"])
    assert "Model file" in meta["trustcheck"]["measured"]
    assert "- Design, 2026-01-10" in body
    assert "Consent" not in body
    assert "e" * 64 in body


def test_hostile_names_break_neither_metadata_nor_markdown(hostile_report):
    meta, body = parts(hostile_report)
    assert meta["trustcheck"]["verdict"] == "fail"
    page = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"]).render(body)
    ours = {"h1", "h2", "p", "strong", "em", "code", "ul", "li", "br", "blockquote",
            "table", "thead", "tbody", "tr", "th", "td"}  # fmt: skip
    assert set(re.findall(r"<([a-z0-9]+)", page)) <= ours
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    assert len(meta["model-index"][0]["results"][0]["metrics"]) > 10


@pytest.mark.parametrize("value", [0.0, 1e-7, -2.5e-12, 123456789.0, 1e30, 0.1, -3.0])
def test_numbers_are_numbers_in_yaml(value):
    read = yaml.safe_load(_model_card._plain(value))
    assert isinstance(read, (int, float))
    assert read == pytest.approx(value, rel=1e-5)


def test_saved_by_its_format(make_report, tmp_path):
    make_report().save(tmp_path / "card.md", format="model-card")
    assert (tmp_path / "card.md").read_text().startswith("---\npipeline_tag:")
