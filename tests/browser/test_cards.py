"""Notebook cards inside a page that is not ours, as a notebook is."""

import pytest

OPEN = "document.querySelectorAll('details').forEach(item => item.open = true)"
HOST = """<!doctype html><html lang="en"><head><meta charset="utf-8"><title>A notebook</title>
<meta name="color-scheme" content="light dark">
<style>body{font:14px Helvetica;background:Canvas;color:CanvasText}
td{color:red;border:9px solid;font-size:60px}p{display:none}svg{filter:invert(1)}li{float:right}</style>
</head><body><main><h1>Notebook</h1><h2>Cell</h2><table><tr><td id="theirs">x</td></tr></table>
%s</main></body></html>"""


@pytest.fixture(scope="module")
def notebook(real_report, tmp_path_factory):
    shown = [real_report, *real_report.findings.values()]
    path = tmp_path_factory.mktemp("cards") / "notebook.html"
    cards = [item._repr_html_() for item in shown]
    pictures = [
        p._repr_html_() for f in real_report.findings.values() if (p := f.plot()) is not None
    ]
    assert pictures
    path.write_text(HOST % "\n".join([*cards, *pictures]), "utf-8")
    return path


@pytest.mark.parametrize(("width", "theme"), [(380, "dark"), (1400, "light")])
def test_cards_are_quiet_legible_and_fit(width, theme, notebook, visit, serious):
    page, heard = visit(notebook, width, theme)
    page.evaluate(OPEN)
    overflow = "[...document.querySelectorAll('.tc-card')].filter(c => c.scrollWidth > c.clientWidth + 1).length"
    assert page.evaluate(overflow) == 0
    assert serious(page) == []
    assert not heard


def test_neither_page_nor_card_styles_the_other(notebook, visit):
    page, _ = visit(notebook)
    style = "e => [getComputedStyle(e).fontSize, getComputedStyle(e).borderTopWidth]"
    assert page.locator("#theirs").evaluate(style) == ["60px", "9px"]
    assert page.locator(".tc-card td").first.evaluate(style) == ["14px", "0px"]
    assert page.locator(".tc-card p").first.is_visible()
