"""Importing is quiet, harmless, and never hides a public name."""

import json
import random
import subprocess
import sys

import pytest

HEAVY = ("pandas", "sklearn", "shap", "art", "torch", "matplotlib", "numba", "sqlalchemy",
         "scipy.stats", "fairlearn", "rich", "jinja2", "svg", "joblib")  # fmt: skip


def fresh(code):
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_import_loads_no_heavy_library():
    loaded = json.loads(
        fresh("import json, sys, trustcheck; print(json.dumps(sorted(sys.modules)))")
    )
    assert not [name for name in HEAVY if name in loaded]


def test_import_prints_nothing():
    assert fresh("import trustcheck") == ""


def test_looking_at_a_pillar_loads_no_heavy_library():
    code = (
        "import json, sys; from trustcheck import fairness, robustness, explain, privacy, security;"
        "[dir(p) for p in (fairness, robustness, explain, privacy, security)];"
        "print(json.dumps(sorted(sys.modules)))"
    )
    loaded = json.loads(fresh(code))
    assert not [name for name in ("pandas", "sklearn", "shap", "art", "numba") if name in loaded]


@pytest.mark.parametrize("seed", range(3))
def test_no_module_hides_a_public_name_whatever_the_order_of_imports(seed):
    order = random.Random(seed).random()
    code = f"""
import importlib, pkgutil, random, trustcheck
from trustcheck.probe import Probe
names = [m.name for m in pkgutil.walk_packages(trustcheck.__path__, "trustcheck.") if "__main__" not in m.name]
random.Random({order}).shuffle(names)
for name in names:
    importlib.import_module(name)
assert callable(trustcheck.evaluate) and isinstance(trustcheck.Subject, type)
for name in trustcheck.__all__:
    assert getattr(trustcheck, name) is not None, name
for id_, probe in __import__("trustcheck.catalog").catalog.probes().items():
    pillar, function = id_.split(".")
    found = getattr(getattr(trustcheck, pillar), function)
    assert isinstance(found, Probe) and found.id == id_, id_
"""
    fresh(code)


def test_public_names_are_listed_and_complete():
    code = "import trustcheck as tc; assert sorted(tc.__all__) == tc.__all__; assert set(tc.__all__) <= set(dir(tc))"
    fresh(code)


def test_an_unknown_name_is_an_attribute_error():
    import trustcheck

    with pytest.raises(AttributeError, match="no attribute 'evalute'"):
        trustcheck.evalute  # noqa: B018
