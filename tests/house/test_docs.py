"""The documentation site: every public name is in it, every page is reached, code is in fences."""

import re
from pathlib import Path

import pytest

import trustcheck
from trustcheck.probe import PILLARS

DOCS = Path(__file__).parents[2] / "docs"
PAGES = sorted(path for path in DOCS.rglob("*.md") if not {"_build", "generated"} & set(path.parts))


@pytest.mark.parametrize("name", sorted(set(trustcheck.__all__) - set(PILLARS)))
def test_a_public_name_is_in_the_reference(name):
    text = (DOCS / "reference" / "index.md").read_text("utf-8")
    assert re.search(rf"^   {name}$", text, re.MULTILINE), f"add {name} to docs/reference/index.md"


@pytest.mark.parametrize("pillar", sorted(PILLARS))
def test_the_pages_of_a_pillar_are_listed(pillar):
    assert f"\n{pillar}/*\n" in (DOCS / "probes" / "index.md").read_text("utf-8")


@pytest.mark.parametrize("page", PAGES, ids=lambda p: str(p.relative_to(DOCS)))
def test_a_page_is_reached_from_a_table_of_contents(page):
    if page == DOCS / "index.md":
        return
    own = page.relative_to(DOCS).with_suffix("")
    listed = set()
    for index in DOCS.rglob("*.md"):
        for block in re.findall(r"```\{toctree\}\n(.*?)```", index.read_text("utf-8"), re.DOTALL):
            for line in block.splitlines():
                if line.strip() and not line.startswith(":"):
                    found = (index.parent / line.strip()).relative_to(DOCS)
                    listed.add(str(found))
    assert any(own.match(entry) or str(own) == entry for entry in listed), f"list {own} somewhere"


@pytest.mark.parametrize("page", PAGES, ids=lambda p: str(p.relative_to(DOCS)))
def test_code_stands_in_a_fence(page):
    outside = re.sub(r"^```.*?^```", "", page.read_text("utf-8"), flags=re.DOTALL | re.MULTILINE)
    assert not re.search(r"^>>> ", outside, re.MULTILINE), "put ```python before and ``` after it"
