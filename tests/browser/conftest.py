"""One browser for the session, and pages to look at. No page may ask the network for anything."""

import importlib.util
import os
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import trustcheck as tc
from trustcheck.report._history import page

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
ARGUMENTS = [
    "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run",
    "--disable-component-update", "--disable-sync",
]  # fmt: skip


def _handmade(name):
    """The hand-made reports that the renderers' own tests use."""
    path = Path(__file__).parents[1] / "report" / f"{name}.py"
    spec = importlib.util.spec_from_file_location(f"handmade_{name}", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _lacking(what):
    """Skip, unless tests in a browser are required."""
    if os.environ.get("CI") == "true" or "browser" in os.environ.get("TRUSTCHECK_REQUIRE", ""):
        pytest.fail(what)
    pytest.skip(what)


@pytest.fixture(scope="session")
def browser():
    program = os.environ.get("TRUSTCHECK_CHROMIUM") or next(
        filter(None, map(shutil.which, NAMES)), None
    )
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        program = None
    if program is None:
        _lacking(
            "no browser: these tests need Chromium (Debian: apt install chromium; or its path in"
            " TRUSTCHECK_CHROMIUM) and the test group's playwright"
        )
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture
def visit(browser):
    """Open a file as a reader does; return the page and what it complained of or asked for."""
    contexts = []

    def visit(path, width=1400, theme="light", **more):
        context = browser.new_context(
            viewport={"width": width, "height": 900}, color_scheme=theme, offline=True, **more
        )
        contexts.append(context)
        page, heard = context.new_page(), []
        url = path.as_uri()
        page.on("console", lambda said: heard.append(f"console: {said.text}"))
        page.on("pageerror", lambda fault: heard.append(f"error: {fault}"))
        page.on(
            "dialog", lambda dialog: (heard.append(f"dialog: {dialog.message}"), dialog.dismiss())
        )
        page.on("request", lambda asked: asked.url == url or heard.append(f"asked for {asked.url}"))
        page.goto(url)
        return page, heard

    yield visit
    for context in contexts:
        context.close()


@pytest.fixture(scope="session")
def serious():
    """What axe finds on a page that keeps people out."""
    try:
        from axe_playwright_python.sync_playwright import Axe
    except ImportError:
        _lacking("no axe: it comes with the test group's axe-playwright-python")
    axe = Axe()

    def serious(page):
        found = axe.run(page).response["violations"]
        return [
            f"{item['id']}: {item['nodes'][0]['failureSummary']} {item['nodes'][0]['html'][:200]}"
            for item in found
            if item["impact"] in ("serious", "critical")
        ]

    return serious


@pytest.fixture(scope="session")
def real_report():
    """What a small run really gives: verdicts of every kind, pictures of every kind."""
    rng = np.random.default_rng(1)
    n = 400
    X = pd.DataFrame(
        {
            "income": rng.normal(size=n),
            "age": rng.integers(18, 80, n),
            "sex": rng.choice(["f", "m"], n),
        }
    )
    y = (X["income"] + rng.normal(size=n) / 2 > 0).astype(int)

    def model(X):
        return ((X["income"] + 0.6 * (X["sex"] == "m")) > 0.3).astype(int).to_numpy()

    subject = tc.Subject(model, X, y, sensitive=["sex"], reference=(X, y), name="credit v3")
    probes = ["fairness", "robustness.noise", "robustness.missing", "reliability.performance",
              "privacy.pii", "security.artefact", "accountability.fingerprint"]  # fmt: skip
    return tc.evaluate(subject, probes=probes, show_progress=False)


@pytest.fixture(scope="session")
def pages(tmp_path_factory, real_report):
    """Files by name: a real report, one of hostile names, the largest, a job's history."""
    made, folder = _handmade("conftest"), tmp_path_factory.mktemp("pages")
    reports = {
        "real": real_report,
        "hostile": made.hostile(),
        "largest": made.hostile(features=100, groups=20, copies=8),
    }
    for name, report in reports.items():
        report.save(folder / f"{name}.html")
    past = _handmade("test_history")
    runs = [past.run(i, "fail" if 10 < i < 14 else "pass") for i in range(1, 31)]
    history = folder / "history.html"
    numbers = past.numbers_of(real_report, runs)
    history.write_text(page(past.HOSTILE, runs, numbers, real_report, folder), "utf-8")
    return {**{name: folder / f"{name}.html" for name in reports}, "history": history}
