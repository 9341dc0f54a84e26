"""The tutorial's project runs, and prints what the tutorial says it prints."""

import re
from pathlib import Path

PAGE = Path(__file__).parents[2] / "docs" / "tutorials" / "testing.md"
BLOCK = re.compile(r"`([\w.]+)`:\n\n```\w+\n(.*?)```", re.DOTALL)
SHOWN = re.compile(r"```text\n(.*?)```", re.DOTALL)


def shape(line):
    """A line without its numbers, which differ between versions of other libraries."""
    said = " ".join(line.partition(" About ")[0].split())  # the advice has tests of its own
    return re.sub(r"[\d.,]+", "#", said)


def test_the_tutorial_is_a_project_that_runs(pytester, run):
    page = PAGE.read_text("utf-8")
    files = dict(BLOCK.findall(page))
    assert sorted(files) == ["conftest.py", "credit.toml", "test_trust.py"]
    for name, text in files.items():
        (pytester.path / name).write_text(text)
    result = run("--trust-profile", "credit.toml", "--trust-report", "report.html")
    result.assert_outcomes(passed=3, failed=1, warnings=1)
    assert (pytester.path / "report.html").stat().st_size > 10_000
    printed = {shape(line) for line in result.outlines}
    shown = [shape(line) for block in SHOWN.findall(page) for line in block.splitlines()]
    assert len(shown) == 9
    for line in shown:
        assert any(line in said for said in printed), line
