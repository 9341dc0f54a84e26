"""The documentation site: `make docs` writes it to docs/_build/html."""

import importlib.metadata
import inspect
import textwrap

from numpydoc.docscrape_sphinx import SphinxDocString

project = "trustcheck"
author = copyright = "The trustcheck developers"  # noqa: A001 - the name Sphinx reads
release = version = importlib.metadata.version("trustcheck")

extensions = [
    "myst_parser",
    "numpydoc",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
]
source_suffix = {".md": "markdown", ".rst": "restructuredtext"}
exclude_patterns = ["_build", "README.md"]
html_theme = "furo"
html_title = "trustcheck"
html_show_sourcelink = False
html_theme_options = {"source_repository": "", "top_of_page_buttons": []}

myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3
suppress_warnings = [
    "myst.xref_missing",
    "myst.header",
]  # links out of docs/ are for readers of the source

autosummary_generate = True
autodoc_typehints = "none"  # the docstrings say shapes and units, which types do not
autodoc_member_order = "bysource"
numpydoc_show_class_members = False
numpydoc_validation_checks: set[str] = set()


def add_signature(_app: object, page: str, source: list[str]) -> None:
    """End the page of a probe with its parameters, as its docstring has them."""
    from trustcheck import catalog

    where, _, name = page.removeprefix("probes/").rpartition("/")
    probe = catalog.probes().get(f"{where}.{name}")
    if not page.startswith("probes/") or probe is None:
        return
    text = textwrap.indent(str(SphinxDocString(inspect.cleandoc(probe.fn.__doc__ or ""))), "   ")
    call = f"trustcheck.{probe.id}{inspect.signature(probe)}".replace(" -> 'Finding'", "")
    source[0] += f"\n\n## Signature\n\n```{{eval-rst}}\n.. py:function:: {call}\n\n{text}\n```\n"


def setup(app: object) -> None:
    """Register what this site does beside Sphinx."""
    app.connect("source-read", add_signature)
