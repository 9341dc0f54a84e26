"""A user's project in a folder of its own, run through pytester."""

import importlib.metadata
import textwrap

import pandas as pd
import pytest

import trustcheck as tc
from trustcheck import _gathered, catalog  # noqa: F401 - see warm

CONFTEST = '''
import numpy as np, pandas as pd, pytest, trustcheck as tc

class Model:
    """Favours m; counts how often it is asked about the given rows."""
    asked = 0
    def predict(self, X):
        Model.asked += 1
        return ((X["income"] + 0.6 * (X["sex"] == "m")) > 0.3).astype(int).to_numpy()

@pytest.fixture(scope="session")
def trust_subject():
    rng = np.random.default_rng(0)
    X = pd.DataFrame({"income": rng.normal(size=600), "sex": rng.choice(["f", "m"], 600)})
    y = (X["income"] + rng.normal(size=600) / 2 > 0).astype(int)
    return tc.Subject(Model(), X, y, sensitive=["sex"], name="biased credit")
'''
PROFILE = """
name = "credit"
[requirements."fairness.demographic_parity"]
at_most = 0.1
provenance = "our policy 7"
[requirements."reliability.performance"]
at_least = 0.2
[requirements."fairness.accuracy_parity"]
at_most = 0.05
[requirements."privacy.membership"]
at_most = 0.6
required = false
"""
TESTS = """
from trustcheck import fairness

def test_credit(trust_requirement):
    assert trust_requirement

def test_odds(trust_subject):
    assert fairness.equalized_odds(trust_subject).at_most(0.1)
"""


@pytest.fixture(scope="session", autouse=True)
def warm():
    """Load what the inner runs use: pytester drops what an inner run was the first to import."""
    catalog.probes()
    frame = pd.DataFrame({"income": [0.0, 1.0] * 20, "sex": ["f", "m", "m", "f"] * 10})
    subject = tc.Subject(
        lambda X: (X["income"] > 0).astype(int), frame, [0, 1] * 20, sensitive=["sex"]
    )
    for probe in ("fairness.equalized_odds", "reliability.performance"):
        str(tc.evaluate(subject, probes=probe, show_progress=False))


@pytest.fixture
def project(pytester):
    pytester.makeconftest(CONFTEST)
    pytester.makepyfile(test_trust=TESTS)
    pytester.path.joinpath("credit.toml").write_text(PROFILE)
    return pytester


@pytest.fixture
def run(pytester):
    """Run pytest as a user does who has installed trustcheck."""
    installed = importlib.metadata.entry_points(group="pytest11", name="trustcheck")
    loaded = () if installed else ("-p", "trustcheck.pytest_plugin")

    def run(*arguments, process=False):
        go = pytester.runpytest_subprocess if process else pytester.runpytest_inprocess
        return go(
            *loaded,
            "-p",
            "no:cacheprovider",
            "-p",
            "no:hypothesispytest",
            "-W",
            "default",
            *arguments,
        )

    return run


@pytest.fixture
def write(pytester):
    def write(name, text):
        path = pytester.path / name
        path.write_text(textwrap.dedent(text))
        return path

    return write
