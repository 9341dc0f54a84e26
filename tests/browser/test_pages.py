"""The pages in a real browser: quiet, legible at any width, and usable by everybody."""

import pytest

OPEN = "document.querySelectorAll('details').forEach(item => item.open = true)"
OVERFLOW = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
WAYS = [(380, "light"), (380, "dark"), (1400, "light"), (1400, "dark")]


@pytest.mark.parametrize("name", ["real", "hostile", "largest"])
def test_a_page_is_quiet_and_fits_its_window(name, pages, visit):
    for width, theme in WAYS:
        page, heard = visit(pages[name], width, theme)
        assert page.evaluate(OVERFLOW) <= 0, (width, theme)
        page.evaluate(OPEN)
        assert page.evaluate(OVERFLOW) <= 0, (width, theme, "opened")
        assert not heard
        page.context.close()


@pytest.mark.parametrize("name", ["real", "hostile"])
def test_axe_finds_nothing_serious(name, pages, visit, serious):
    for width, theme in WAYS[1:3] if name == "real" else WAYS[1:2]:
        page, _ = visit(pages[name], width, theme, bypass_csp=True)  # to let axe in
        page.evaluate(OPEN)
        assert serious(page) == []
        page.context.close()


def test_axe_would_find_what_is_serious(pages, visit, serious, tmp_path):
    text = pages["real"].read_text("utf-8").replace("--tc-muted:#596067", "--tc-muted:#c9cccc")
    broken = tmp_path / "broken.html"
    broken.write_text(text.replace('<html lang="en">', "<html>"), "utf-8")
    page, _ = visit(broken, bypass_csp=True)
    found = " ".join(serious(page))
    assert "color-contrast" in found
    assert "html-has-lang" in found


def test_hostile_names_are_text(pages, visit):
    page, heard = visit(pages["hostile"])
    page.evaluate(OPEN)
    said = page.inner_text("body")
    for name in ("<script>alert(1)</script>", '" onmouseover="alert(1)"', "مرحبا بالعالم", "🧨"):
        assert name in said
    assert "x" * 500 not in said
    assert page.evaluate("document.scripts.length") == 0
    active = "[...document.querySelectorAll('*')].filter(e => [...e.attributes].some(a => a.name.startsWith('on'))).length"
    assert page.evaluate(active) == 0
    page.mouse.move(400, 300)
    assert not heard


def test_a_manager_sees_verdict_and_six_dimensions_without_scrolling(pages, visit):
    page, _ = visit(pages["real"])
    last = page.locator(".dim").nth(5).bounding_box()
    assert last["y"] + last["height"] <= 900
    assert page.locator("#verdict").bounding_box()["y"] < 450


@pytest.mark.parametrize("name", ["real", "history"])
def test_the_verdict_is_one_line_of_large_type(name, pages, visit):
    for width in (380, 1400):
        page, _ = visit(pages[name], width)
        box = page.locator("#verdict .big").bounding_box()
        assert box["height"] < 80
        assert box["y"] < 450


def test_everything_can_be_reached_and_opened_by_keyboard(pages, visit):
    page, _ = visit(pages["real"])
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the verdict"
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "main"
    closed = page.locator("details.finding:not([open])").first
    closed.evaluate("item => item.id = 'probed'")
    page.locator("#probed > summary").focus()
    page.keyboard.press("Enter")
    assert page.locator("#probed").evaluate("item => item.open")
    focusable = "[...document.querySelectorAll('.scroll')].every(e => e.tabIndex === 0)"
    assert page.evaluate(focusable)


def test_a_link_to_a_finding_opens_it(pages, visit):
    page, _ = visit(pages["real"])
    link = page.locator(".answer.inconclusive a, .answer.not_measured a").first
    target = link.get_attribute("href")[1:]
    find = f"document.getElementById('{target}').closest('details.finding').open"
    assert not page.evaluate(find)
    link.click()
    page.wait_for_function(find)
    box = page.locator(f"#{target}").bounding_box()
    assert 0 <= box["y"] < 900


def test_dark_and_light_differ_and_colour_is_not_the_only_sign(pages, visit):
    ground = "getComputedStyle(document.body).backgroundColor"
    light, dark = (
        visit(pages["real"], theme=theme)[0].evaluate(ground) for theme in ("light", "dark")
    )
    assert light != dark
    page, _ = visit(pages["real"])
    for badge in page.locator(".finding > summary .badge").all():
        assert badge.inner_text().strip()


def test_print_shows_what_is_folded_and_makes_a_pdf(pages, visit, tmp_path):
    page, heard = visit(pages["real"])
    folded = page.locator("details.finding:not([open]) .question").first
    assert not folded.is_visible()
    page.emulate_media(media="print")
    assert folded.bounding_box()["height"] > 0
    assert not page.locator("nav.chapters").is_visible()
    page.pdf(path=tmp_path / "report.pdf", format="A4", print_background=True)
    past, _ = visit(pages["history"])
    past.pdf(path=tmp_path / "history.pdf", format="A4", print_background=True)
    assert (tmp_path / "history.pdf").read_bytes().startswith(b"%PDF")
    written = (tmp_path / "report.pdf").read_bytes()
    assert written.startswith(b"%PDF")
    assert written.count(b"/Type /Page\n") + written.count(b"/Type /Page ") >= 3
    assert not heard


@pytest.mark.parametrize("name", ["largest", "history"])
def test_large_pages_stay_small(name, pages):
    assert pages[name].stat().st_size < 500_000


@pytest.mark.parametrize("name", ["real", "history"])
def test_every_mark_that_is_used_is_drawn(name, pages, visit):
    page, _ = visit(pages[name])
    used = set(
        page.evaluate("[...document.querySelectorAll('use')].map(e => e.getAttribute('href'))")
    )
    assert used
    for mark in used:
        assert page.locator(mark).count() == 1
