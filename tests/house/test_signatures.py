"""In a notebook, probes look like the functions they are: signatures, hints, help, completion."""

import importlib
import inspect
import pydoc
import re

import pytest

from trustcheck import catalog
from trustcheck.probe import PILLARS

PROBES = catalog.probes()


@pytest.mark.parametrize("probe", PROBES.values(), ids=lambda p: p.id)
def test_a_probe_has_the_signature_of_what_a_caller_may_say(probe):
    signature = inspect.signature(probe)
    first, *others = signature.parameters.values()
    assert (first.name, first.annotation) == ("subject", "Subject")
    assert signature.return_annotation == "Finding"
    for parameter in others:
        assert parameter.kind is inspect.Parameter.KEYWORD_ONLY
        assert parameter.annotation is not inspect.Parameter.empty, parameter.name
        assert parameter.default is not inspect.Parameter.empty, parameter.name
        documented = rf"^([\w, ]+, )?{parameter.name}(, [\w, ]+)? : "
        assert re.search(documented, inspect.cleandoc(probe.__doc__), re.MULTILINE), parameter.name


@pytest.mark.parametrize("probe", PROBES.values(), ids=lambda p: p.id)
def test_help_says_what_a_probe_measures(probe):
    said = pydoc.plain(pydoc.render_doc(probe))
    assert inspect.cleandoc(probe.fn.__doc__).partition("\n")[0] in said
    assert "Returns" in said


def test_settings_show_in_the_signature_of_a_configured_probe():
    configured = PROBES["fairness.demographic_parity"].using(by="sex")
    assert inspect.signature(configured).parameters["by"].default == "sex"


@pytest.mark.parametrize("pillar", PILLARS)
def test_completion_finds_every_probe_of_a_pillar(pillar):
    names = {id_.partition(".")[2] for id_ in PROBES if id_.startswith(f"{pillar}.")}
    assert set(dir(importlib.import_module(f"trustcheck.{pillar}"))) == names


def test_a_notebook_completes_probes_and_their_parameters():
    completer = pytest.importorskip("IPython.core.completer")
    import trustcheck as tc

    shell = completer.IPCompleter(namespace={"tc": tc}, use_jedi=False)
    for typed, wanted in (
        ("tc.fairness.demographic_p", "tc.fairness.demographic_parity"),
        ("tc.fairness.demographic_parity(subject, b", "by="),
    ):
        with completer.provisionalcompleter():
            found = [item.text for item in shell.completions(typed, len(typed))]
        assert any(item.endswith(wanted.rpartition(".")[2]) for item in found), (typed, found)
