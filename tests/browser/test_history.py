"""The page of a job's history in a real browser."""

import pytest

import trustcheck as tc

WAYS = [(380, "light"), (380, "dark"), (1400, "light"), (1400, "dark")]
OVERFLOW = "document.documentElement.scrollWidth - document.documentElement.clientWidth"


@pytest.fixture(scope="module")
def history(tmp_path_factory):
    """A month of a job with a hostile name, which gets worse on day 20."""
    from trustcheck.cli import main

    home = tmp_path_factory.mktemp("history")
    name = "<img src=x onerror=alert(1)>\"'" + "x" * 300 + "\u202e\N{PILE OF POO}"
    store = tc.open_store(home / "h.db")

    def report(wrong):
        y = [0, 1] * 100
        answers = [1 - label for label in y[:wrong]] + y[wrong:]
        subject = tc.Subject.from_predictions(y, answers, sensitive={"sex": list("ffmm") * 50})
        return tc.evaluate(
            subject, probes=["reliability.performance", "fairness"], show_progress=False
        )

    made = [report(20), report(35), report(90)]
    for day in range(1, 31):
        report = made[2 if day >= 20 else day % 2]
        facts = {
            "outputs": {"html": str(home / "reports" / f"{day}.html")},
            "monitor": {"ok": day < 20, "opened": ["loss"] if day == 20 else []},
        }
        store.add(report, name=name, key=f"2026-11-{day:02d}", facts=facts)
    assert main(["history", str(home / "h.db"), "--html", str(home / "history.html")]) == 0
    return home / "history.html"


def test_it_is_quiet_and_fits_its_window(history, visit):
    for width, theme in WAYS:
        page, heard = visit(history, width, theme)
        assert page.evaluate(OVERFLOW) <= 0, (width, theme)
        assert page.locator("h1").inner_text().startswith("<img src=x")
        assert page.locator("#verdict").bounding_box()["width"] > 200
        assert page.locator("img").count() == 0
        assert not heard
        page.context.close()


@pytest.mark.parametrize(("width", "theme"), [(380, "dark"), (1400, "light")])
def test_axe_finds_nothing_serious(width, theme, history, visit, serious):
    page, _ = visit(history, width, theme, bypass_csp=True)
    assert serious(page) == []
    page.context.close()
