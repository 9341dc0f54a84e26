"""Every probe has a page, a test, and facts that hold."""

import inspect
from pathlib import Path

import pytest

from trustcheck import catalog, standard
from trustcheck.probe import PILLARS, TASKS

REPO = Path(__file__).parents[2]
PROBES = catalog.probes()


@pytest.mark.parametrize("probe", PROBES.values(), ids=lambda p: p.id)
def test_a_probe_has_a_page(probe):
    page = REPO / "docs" / "probes" / probe.pillar / f"{probe.id.partition('.')[2]}.md"
    text = page.read_text("utf-8")
    for heading in ("What it asks", "The number", "Formula", "Assumptions", "When it misleads",
                    "How to call it", "References"):  # fmt: skip
        assert f"## {heading}" in text, f"{page.name} lacks {heading!r}"


@pytest.mark.parametrize("probe", PROBES.values(), ids=lambda p: p.id)
def test_a_probe_has_a_test(probe):
    topic = Path(inspect.getsourcefile(probe.fn)).stem
    assert (REPO / "tests" / probe.pillar / f"test{topic}.py").is_file()


@pytest.mark.parametrize("probe", PROBES.values(), ids=lambda p: p.id)
def test_a_probe_names_attributes_and_clauses_that_exist(probe):
    known = standard.load()
    assert probe.keys
    for key in probe.keys:
        known.attribute(key)
    for clause in probe.clauses:
        known.clause(clause)
    assert any(key.startswith(f"{probe.dimension}.") for key in probe.keys)
    assert set(probe.tasks) <= set(TASKS)


@pytest.mark.parametrize("probe", PROBES.values(), ids=lambda p: p.id)
def test_a_probe_asks_a_question_in_plain_words(probe):
    assert probe.question.endswith("?")
    assert probe.fn.__doc__
    assert "subject" in inspect.signature(probe).parameters
    assert "rng" not in inspect.signature(probe).parameters


def test_every_dimension_is_measured_by_some_probe():
    assert {probe.dimension for probe in PROBES.values()} == set(PILLARS.values())


def test_a_name_nobody_has_is_refused_with_the_nearest():
    with pytest.raises(ValueError, match=r"did you mean fairness.demographic_parity"):
        catalog.find("fairness.demografic_parity")
