"""The outline of TR 24028: complete, consistent, and honest about what was not seen."""

import dataclasses
import datetime as dt

import pytest

from trustcheck import standard

ATTRIBUTES = {
    "security": ["cybersecurity", "access_control", "data_integrity"],
    "privacy": ["data_minimisation", "user_consent", "anonymisation"],
    "safety": ["physical_harm", "psychological_harm"],
    "reliability": ["performance_consistency", "degradation", "drift", "resilience"],
    "transparency": ["clarity", "audit_trails", "traceability"],
    "accountability": ["legal_norms", "bias_detection", "fairness_auditing", "human_oversight"],
}
TITLES = [
    "Security",
    "Privacy",
    "Safety",
    "Reliability & Robustness",
    "Transparency & Explainability",
    "Accountability & Ethics",
]
FRAMEWORKS = [
    "NIST AI RMF 1.0",
    "EU AI Act",
    "ISO/IEC 42001:2023",
    "ISO/IEC TR 24027:2021",
    "ISO/IEC TR 24029-1:2021 and ISO/IEC 24029-2:2023",
]
DOCUMENT_KINDS = [
    "risk_and_threat_model",
    "design_documentation",
    "bias_evaluation_and_fairness_audit_log",
    "validation_and_explainability_records",
    "consent_and_data_processing",
    "incident_response_protocol",
    "human_review_and_override_records",
    "access_control",
]
SOURCES = {
    "C": "public preview of the contents",
    "P": "recalled, consistent with page numbers of a public contents listing",
    "R": "recalled; not confirmed",
}


@pytest.fixture
def tr():
    return standard.load()


def texts(record):
    return [getattr(record, f.name) for f in dataclasses.fields(record)]


def test_the_document_defines_no_levels(tr):
    assert tr.id == "ISO/IEC TR 24028:2020"
    assert tr.defines_levels is False
    assert "trustcheck's own scheme" in tr.note
    assert tr.note.count(".") == 1


def test_six_dimensions_in_order_with_their_titles(tr):
    assert [d.id for d in tr.dimensions] == list(ATTRIBUTES)
    assert [d.title for d in tr.dimensions] == TITLES


def test_every_attribute_of_the_list_and_no_other(tr):
    assert {d.id: [a.id for a in d.attributes] for d in tr.dimensions} == ATTRIBUTES
    keys = [f"{dimension}.{id_}" for dimension, ids in ATTRIBUTES.items() for id_ in ids]
    assert [a.key for a in tr.attributes] == keys
    assert [tr.attribute(key).key for key in keys] == keys


def test_dimensions_and_attributes_explain_themselves_in_one_sentence(tr):
    for sentence in [d.summary for d in tr.dimensions] + [a.meaning for a in tr.attributes]:
        assert sentence.endswith(".")
        assert sentence.count(". ") == 0
        assert len(sentence) <= 130


def test_every_clause_referred_to_exists(tr):
    for dimension in tr.dimensions:
        assert dimension.clauses
        assert len(set(dimension.clauses)) == len(dimension.clauses)
        for id_ in dimension.clauses:
            assert tr.clause(id_).id == id_


def test_clause_ids_are_unique_and_in_document_order(tr):
    ids = [clause.id for clause in tr.clauses]
    assert len(set(ids)) == len(ids)
    numbered = [tuple(map(int, id_.split("."))) for id_ in ids if id_ != "Annex A"]
    assert numbered == sorted(numbered)
    assert ids[-1] == "Annex A"


def test_every_subclause_has_its_clause(tr):
    ids = {clause.id for clause in tr.clauses}
    assert {id_.rpartition(".")[0] for id_ in ids if "." in id_} <= ids


def test_the_outline_has_as_many_entries_as_the_contents_page(tr):
    """The first contents page is known to have 46 entries from clause 4 to 9.3.1."""
    ids = [clause.id for clause in tr.clauses]
    assert len(ids[ids.index("4") : ids.index("9.3.1") + 1]) == 46


def test_only_what_was_seen_is_confirmed(tr):
    for clause in tr.clauses:
        assert clause.confirmed is (clause.status == "C")
        assert clause.source == SOURCES[clause.status]
    seen = {clause.id for clause in tr.clauses if clause.confirmed}
    assert {"1", "3.42", "4", "5.4", "6.3"} <= seen
    assert not seen & {"6.4", "7", "8.4", "9.7", "10", "Annex A"}


def test_no_pasted_text_in_a_clause(tr):
    for clause in tr.clauses:
        assert len(clause.title) <= 80
        for text in texts(clause):
            assert not isinstance(text, str) or len(text) <= 200


def test_the_open_number_of_robustness_is_noted(tr):
    assert "10.7" in tr.clause("9.7").note
    assert not tr.clause("9.7").confirmed


@pytest.mark.parametrize(
    ("id_", "label"),
    [
        ("8.4", "8.4 Bias†"),
        ("3.42", "3.42 trustworthiness"),
        ("Annex A", "Annex A Related work on societal issues†"),
    ],
)
def test_labels_mark_what_is_not_confirmed(tr, id_, label):
    assert tr.clause(id_).label == label


def test_crosswalk_covers_every_dimension_and_framework(tr):
    assert [f.id for f in tr.frameworks] == FRAMEWORKS
    for dimension in ATTRIBUTES:
        assert [row.framework for row in tr.crosswalk(dimension)] == FRAMEWORKS
        assert {row.dimension for row in tr.crosswalk(dimension)} == {dimension}
    assert len(tr.crosswalks) == 6 * 5
    for row in tr.crosswalks:
        assert row.source
        assert isinstance(row.confirmed, bool)
        assert all(isinstance(reference, str) and reference for reference in row.references)


def test_the_general_frameworks_speak_to_every_dimension(tr):
    for row in tr.crosswalks:
        assert row.references or row.framework in FRAMEWORKS[3:]
    bias = [
        row.dimension for row in tr.crosswalks if row.framework == FRAMEWORKS[3] and row.references
    ]
    assert bias == ["accountability"]


def test_the_ai_act_starts_on_two_dates_known_from_a_secondary_source(tr):
    act = tr.framework("EU AI Act")
    assert act.title == "Regulation (EU) 2024/1689 as amended by Regulation (EU) 2026/1744"
    assert [date for date, _ in act.applies] == [dt.date(2027, 12, 2), dt.date(2028, 8, 2)]
    assert [to.rpartition(" ")[2] for _, to in act.applies] == ["III", "I"]
    assert "secondary source" in act.source
    assert not act.confirmed


def test_document_kinds_attest_attributes_that_exist(tr):
    assert [kind.id for kind in tr.document_kinds] == DOCUMENT_KINDS
    for kind in tr.document_kinds:
        assert kind.references
        assert kind.attributes
        assert all(tr.attribute(key).key == key for key in kind.attributes)
        assert set(kind.dimensions) <= set(ATTRIBUTES)


def test_what_no_table_shows_can_be_attested(tr):
    """These attributes rest on documents, so some kind has to speak to each."""
    attested = {key for kind in tr.document_kinds for key in kind.attributes}
    assert {
        "security.access_control",
        "privacy.user_consent",
        "accountability.legal_norms",
        "accountability.human_oversight",
    } <= attested


@pytest.mark.parametrize(
    ("look_up", "unknown", "near"),
    [
        ("dimension", "reliabilty", "reliability"),
        ("attribute", "drift", "reliability.drift"),
        ("attribute", "security.cyber_security", "security.cybersecurity"),
        ("clause", "9.12", "9.1"),
        ("framework", "AI Act", "EU AI Act"),
        ("document_kind", "incident_response", "incident_response_protocol"),
        ("crosswalk", "Safety", "safety"),
    ],
)
def test_an_unknown_id_names_near_matches(tr, look_up, unknown, near):
    with pytest.raises(KeyError) as caught:
        getattr(tr, look_up)(unknown)
    assert repr(unknown) in caught.value.args[0]
    assert repr(near) in caught.value.args[0]


def test_an_id_like_no_other_is_refused_without_a_guess(tr):
    with pytest.raises(KeyError, match=r"no clause 'qqq'\""):
        tr.clause("qqq")
    with pytest.raises(KeyError, match=r"no dimension ''\""):
        tr.dimension("")


def test_load_is_cached_and_frozen_to_the_leaves(tr):
    assert standard.load() is tr
    leaves = [tr, *tr.dimensions, *tr.attributes, *tr.clauses, *tr.frameworks]
    for record in [*leaves, *tr.crosswalks, *tr.document_kinds]:
        with pytest.raises(dataclasses.FrozenInstanceError):
            setattr(record, dataclasses.fields(record)[0].name, "changed")
        assert not hasattr(record, "__dict__")
        hash(record)  # a list or a dict anywhere inside would raise
