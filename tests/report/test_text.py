import re

import pytest
from rich.cells import cell_len

from trustcheck import report as room
from trustcheck.report import _markdown, _text
from trustcheck.types import Scope

# Markdown --------------------------------------------------------------------------------------


def test_markdown_says_it_all(mixed_report):
    said = _markdown.markdown(mixed_report)
    assert said.index("Required, but not measured") < said.index("## Verdict: ✗ Fail")
    assert "| Accountability & Ethics | 34 | 12 | 58 | ✗ Fail | 100 % | statistical |" in said
    assert "`fairness.demographic_parity[by=sex]`" in said
    assert "About 320 more rows of group 'f' would settle it." in said
    assert "Membership: Skipped: needs a reference" in said
    assert "defines no levels" in said


def test_markdown_tables_keep_their_shape(mixed_report, hostile_report):
    for report in (mixed_report, hostile_report):
        text = _markdown.markdown(report)
        tables = re.findall(r"(?:^\|.*\|$\n?)+", text, re.MULTILINE)
        assert len(tables) == 2
        for table in tables:
            lines = table.strip().split("\n")
            bars = {len(re.findall(r"(?<!\\)\|", line)) for line in lines}
            assert len(bars) == 1, bars


def test_hostile_names_are_text_in_markdown(hostile_report):
    text = _markdown.markdown(hostile_report)
    outside = re.sub(r"(?<!\\)(`+)(?!`).*?(?<!`)\1(?!`)", "", text)
    assert not re.search(r"(?<!\\)<(?!br>)", outside)
    assert not re.search(r"(?<!\\)\]\(", outside)
    assert not re.search(r"(?i)(https?:|www\.)", outside)
    assert "x" * 500 not in text
    assert "\x1b" not in text
    assert "\u202e" not in text


def test_code_survives_backticks():
    assert _markdown.code("a`b") == "`` a`b ``"
    assert _markdown.code("a|b") == r"`a\|b`"


# Terminal --------------------------------------------------------------------------------------


@pytest.mark.parametrize("width", [60, 80, 110])
def test_no_line_is_wider_than_the_terminal(width, mixed_report, hostile_report):
    for report in (mixed_report, hostile_report):
        lines = room.report_text(report, width=width).splitlines()
        assert max(map(cell_len, lines)) <= width


def test_terminal_text_is_plain_and_says_it_all(mixed_report):
    said = str(mixed_report)
    assert "\x1b" not in said
    assert said.startswith("Trust report: credit v3")
    assert "Required, but not measured:" in said
    assert "✗ FAIL" in said
    assert "? inconclusive" in said
    assert "✓ pass" in said
    assert said.index("Required") < said.index("✗ FAIL")
    assert said.endswith("Scores are trustcheck's own scheme; ISO/IEC TR 24028 defines no levels.")
    assert all(line == line.rstrip() for line in said.splitlines())


def test_partial_comes_first(make_report):
    assert str(make_report(scope=Scope.PARTIAL)).startswith("PARTIAL")


def test_colour_is_asked_for_and_changes_no_word(mixed_report):
    coloured = room.report_text(mixed_report, color=True)
    assert "\x1b[" in coloured
    plain = re.sub(r"\x1b\[[0-9;]*m", "", coloured)
    assert plain.split() == room.report_text(mixed_report).split()


def test_hostile_names_are_text_in_the_terminal(hostile_report):
    said = room.report_text(hostile_report, width=110)
    assert "\x1b" not in said
    assert "\x00" not in said
    assert "[bold red]rich" in said
    said.encode("utf-8")
    for finding in hostile_report.findings.values():
        assert "\n" not in room.finding_line(finding)
        assert len(room.finding_line(finding)) < 1000


# Words and numbers -----------------------------------------------------------------------------


def test_short_counts_cells_not_characters():
    assert _text.short("日本語日本語", 7) == "日本語…"
    assert _text.cells(_text.short("👩‍👩‍👧‍👦" * 50, 80)) <= 80
    assert len(_text.short("a" + "\u0301" * 5000, 80)) < 300


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (None, "–"), (float("nan"), "–"), (True, "True"), (1234567, "1,234,567"), (0.0, "0"),
        (1e-9, "1e-09"), (12345.6, "12,346"), (0.12345, "0.123"), (999.9, "1,000"), (1e12, "1e+12"),
    ],
)  # fmt: skip
def test_numbers_are_easy_to_read(value, said):
    assert _text.number(value) == said


def test_the_first_screen_says_the_first_thing_that_would_settle_it(
    make_report, make_finding, make_verdict
):
    from trustcheck.report import _view
    from trustcheck.types import VerdictStatus

    made = make_finding()
    said = f"inconclusive: gap [{made.key}]. About 93 more rows would settle it. And so on."
    judged = make_verdict(made, VerdictStatus.INCONCLUSIVE, message=said)
    (answer,) = _view.answers(make_report([made], [judged]))[VerdictStatus.INCONCLUSIVE]
    assert answer.said == "About 93 more rows would settle it."
