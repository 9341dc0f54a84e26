"""One setting silences every bar; without it, terminals and notebooks show one and clean up."""

import contextlib
import io

import pytest

from trustcheck import _progress

CODE = """
import trustcheck as tc
subject = tc.Subject.from_predictions([0, 1] * 50, [0, 1] * 50)
tc.evaluate(subject, probes=["reliability.performance"]);
"""


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture(autouse=True)
def unset(monkeypatch):
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("TRUSTCHECK_PROGRESS", raising=False)


def shown(stream, **more):
    with contextlib.redirect_stderr(stream), _progress.progress(2, **more) as step:
        step("one [bold]")
        step("two")
    return stream.getvalue()


def test_a_terminal_shows_a_bar_with_names_as_they_are():
    said = shown(Terminal())
    assert "trustcheck" in said
    assert "2/2" in said


def test_one_setting_silences_it_and_an_argument_overrules_both(monkeypatch):
    assert shown(Terminal(), show=False) == ""
    monkeypatch.setenv("TRUSTCHECK_PROGRESS", "0")
    assert shown(Terminal()) == ""
    assert shown(Terminal(), show=True)


def test_what_is_no_terminal_shows_nothing():
    assert shown(io.StringIO()) == ""


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning")
def test_a_notebook_shows_one_bar_without_widgets_and_keeps_nothing():
    nbclient, nbformat = pytest.importorskip("nbclient"), pytest.importorskip("nbformat")
    cells = [CODE, "import os\nos.environ['TRUSTCHECK_PROGRESS'] = '0'\n" + CODE]
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(c) for c in cells])
    nbclient.NotebookClient(notebook, timeout=120, kernel_name="python3").execute()
    shown, silent = (cell.outputs for cell in notebook.cells)
    assert [(o.output_type, o.data["text/html"]) for o in shown] == [("display_data", "")]
    assert silent == []


def test_a_notebooks_bar_escapes_names():
    said = _progress._bar(1, 3, "x[by=<b>]")
    assert said["text/plain"] == "trustcheck 1 of 3: x[by=<b>]"
    assert "&lt;b&gt;" in said["text/html"]
    assert '<progress value="1" max="3"' in said["text/html"]
