import re
from html.parser import HTMLParser

import pytest

from trustcheck import report as room
from trustcheck.report import _html
from trustcheck.types import Scope, VerdictStatus

VOID = {"meta", "br", "hr", "img", "input", "link"}


class Page(HTMLParser):
    """Parses strictly: every element closed in order; keeps what the tests ask about."""

    def __init__(self, text):
        super().__init__()
        self.open, self.tags, self.attributes, self.headings, self.said = [], [], [], [], []
        self.feed(text)
        self.close()
        assert not self.open, f"never closed: {self.open}"

    def handle_starttag(self, tag, attrs):
        names = [name for name, _ in attrs]
        assert len(names) == len(set(names)), f"an attribute twice on {tag}"
        self.tags.append(tag)
        self.attributes += [(tag, name, value or "") for name, value in attrs]
        if tag not in VOID:
            self.open.append(tag)
        if re.fullmatch("h[1-6]", tag):
            self.headings.append(int(tag[1]))

    def handle_startendtag(self, tag, attrs):
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag):
        assert self.open, f"{tag} closed, but nothing is open"
        assert self.open[-1] == tag, f"{tag} closed inside {self.open[-1]}"
        self.open.pop()

    def handle_data(self, data):
        if "style" not in self.open:
            self.said.append(data)

    @property
    def text(self):
        return " ".join("".join(self.said).split())

    def values(self, attribute):
        return [value for _, name, value in self.attributes if name == attribute]


def safe(page):
    banned = {"script", "iframe", "object", "embed", "link", "form", "img", "base", "foreignobject"}
    assert not banned & set(page.tags)
    assert not [name for _, name, _ in page.attributes if name.startswith("on")]
    for value in [*page.values("href"), *page.values("src"), *page.values("xlink:href")]:
        assert value.startswith("#")
    assert not page.values("style") or not any("url" in v for v in page.values("style"))
    assert page.tags.count("style") == 1


@pytest.fixture(scope="module")
def mixed_page(mixed_report):
    return Page(_html.page(mixed_report))


def test_the_page_is_well_formed_and_carries_nothing_active(mixed_page):
    safe(mixed_page)
    assert ("html", "lang", "en") in mixed_page.attributes


def test_the_style_sheet_asks_for_nothing():
    style = str(_html._style("style.css")) + str(_html._style("card.css"))
    assert "url(" not in style
    assert "@import" not in style
    assert "http" not in style


def test_headings_start_at_one_and_skip_no_level(mixed_page):
    assert mixed_page.headings[0] == 1
    assert mixed_page.headings.count(1) == 1
    steps = zip(mixed_page.headings, mixed_page.headings[1:], strict=False)
    assert all(after - before <= 1 for before, after in steps)


def test_ids_are_unique_and_every_reference_lands(mixed_page):
    ids = mixed_page.values("id")
    assert len(ids) == len(set(ids))
    wanted = {href[1:] for href in mixed_page.values("href")} | set(
        mixed_page.values("aria-labelledby")
    )
    assert wanted <= set(ids)


def test_landmarks_skip_link_captions_and_pictures_are_there(mixed_page):
    assert {"header", "main", "footer", "section", "article"} <= set(mixed_page.tags)
    assert "Skip to the verdict" in mixed_page.text
    assert mixed_page.tags.count("table") == mixed_page.tags.count("caption")
    scoped = [a for a in mixed_page.attributes if a[0] == "th" and a[1] == "scope"]
    assert len(scoped) == mixed_page.tags.count("th")
    images = [a for a in mixed_page.attributes if a[:2] == ("svg", "role")]
    hidden = [a for a in mixed_page.attributes if a[:2] == ("svg", "aria-hidden")]
    labels = [
        value for tag, name, value in mixed_page.attributes if (tag, name) == ("svg", "aria-label")
    ]
    assert len(images) + len(hidden) == mixed_page.tags.count("svg")
    assert len(labels) == len(images)
    assert all(labels)


def test_what_a_manager_needs_is_said_in_words(mixed_page):
    said = mixed_page.text
    assert "Required, but not measured" in said
    assert said.index("Required, but not measured") < said.index("Verdict Fail")
    assert "needs a reference" in said
    assert "About 320 more rows of group 'f' would settle it." in said
    assert "Crashed: ZeroDivisionError raised at model.py:3 in predict" in said
    assert "one batch only" in said
    assert "stated by the user" in said
    assert "8.4 Bias†" in said
    assert "defines no levels" in said
    assert "1 not met" in said
    assert "somewhere" not in said  # the host's name


def test_a_partial_report_says_so_first(make_report):
    page = Page(_html.page(make_report(scope=Scope.PARTIAL)))
    assert page.text.index("Partial.") < page.text.index("credit v3", 40)
    assert "Partial." not in Page(_html.page(make_report())).text


@pytest.mark.parametrize("status", list(VerdictStatus))
def test_every_verdict_has_a_word_and_a_mark(status, make_report):
    said = _html.page(make_report(verdict=status))
    word = {"not_measured": "Not measured", "not_applicable": "Not applicable"}.get(
        status, status.capitalize()
    )
    assert f"<span>{word}</span>" in said or f"</svg>{word}" in said


def test_the_same_report_gives_the_same_bytes(mixed_report, tmp_path):
    first = _html.page(mixed_report)
    room.save(mixed_report, tmp_path / "r.json")
    assert _html.page(room.load(tmp_path / "r.json")) == first


def test_hostile_names_are_text(hostile_report):
    text = _html.page(hostile_report)
    page = Page(text)
    safe(page)
    assert "<script>alert(1)</script>" in page.text
    assert "{{ 7 * 7 }}" in page.text
    assert "x" * 400 not in text
    assert "\u202e" not in text
    assert "\x1b" not in text
    assert "<bdi>مرحبا بالعالم</bdi>" in text
    text.encode("utf-8")


def test_the_largest_report_stays_small(make_hostile):
    report = make_hostile(features=100, groups=100, copies=4)
    assert len(report.findings) > 45
    text = _html.page(report)
    assert len(text.encode()) < 500_000
    safe(Page(text))
    assert "are in the JSON report" in text


def test_a_usual_large_report_shows_all_it_may(make_report, make_finding, make_verdict):
    rows = tuple(
        {"group": f"group {i}", "n": 100 + i, "rate": 0.123456, "low": 0.1, "high": 0.2}
        for i in range(100)
    )
    found = [make_finding(f"fairness.parity[by=column_{i}]", rows=rows) for i in range(45)]
    text = _html.page(make_report(found, [make_verdict(f) for f in found]))
    assert len(text.encode()) < 500_000
    assert "of 100" in text


def test_at_most_fifty_rows_are_shown_and_the_rest_is_stated(make_report, make_finding):
    rows = tuple({"group": f"g{i}", "rate": 0.1, "low": 0.0, "high": 0.2} for i in range(60))
    said = _html.page(make_report([make_finding(rows=rows)]))
    assert "the first 50 of 60" in said
    assert "<bdi>g49</bdi>" in said
    assert "<bdi>g50</bdi>" not in said
    assert "The first 12 of 60 are drawn" in said


def test_an_empty_report_is_a_page(make_report):
    page = Page(_html.page(make_report((), (), verdict=VerdictStatus.INCONCLUSIVE)))
    assert "No requirement was judged" in page.text


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_contrast_is_at_least_four_and_a_half(theme):
    def luminance(colour):
        parts = re.findall(
            "..", colour[1:] if len(colour) == 7 else "".join(c * 2 for c in colour[1:])
        )
        linear = [
            c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4
            for c in (int(part, 16) / 255 for part in parts)
        ]
        return sum(w * c for w, c in zip((0.2126, 0.7152, 0.0722), linear, strict=True))

    style = str(_html._style("style.css"))
    block = re.findall(r":root\{([^}]*)\}", style)[0 if theme == "light" else 1]
    colours = dict(re.findall(r"--([\w-]+):(#\w+)", block))
    for ground in ("tc-paper", "wash"):
        for ink in set(colours) - {"tc-paper", "wash", "rule"}:
            light, dark = sorted((luminance(colours[ground]), luminance(colours[ink])))
            assert (dark + 0.05) / (light + 0.05) >= 4.5, (theme, ground, ink)


# Notebook cards --------------------------------------------------------------------------------


def test_cards_are_closed_fragments_without_script(mixed_report, hostile_report):
    for report in (mixed_report, hostile_report):
        cards = [room.report_card(report), *map(room.finding_card, report.findings.values())]
        for card in cards[:8]:
            page = Page(card)
            safe(page)
            assert page.tags[0] == "div"
            assert not page.values("id")
    assert mixed_report._repr_html_() == room.report_card(mixed_report)


def test_cards_style_only_themselves():
    style = str(_html._style("card.css"))
    rules = re.sub(r"@media[^{]*\{(.*?\})\}", r"\1", style)
    for selectors in re.findall(r"([^{}]+)\{", rules):
        for selector in re.split(r",(?![^(]*\))", selectors):
            assert selector.strip().startswith(".tc-card.tc-card.tc-card"), selector


def test_a_card_says_what_the_report_says(mixed_report):
    said = Page(room.report_card(mixed_report)).text
    assert "credit v3" in said
    assert "Required, but not measured" in said
    assert "Fail" in said
    skipped = Page(room.finding_card(mixed_report.findings["privacy.membership"])).text
    assert "Skipped: needs a reference" in skipped
