"""Forms of a report: JSON, a page, Markdown, terminal text, notebook cards, pictures, a frame.

A renderer sees only a report: it judges nothing and asks no model. Whatever it shows of other
people's text (names of columns, groups, classes, models) it shows as text.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from os import PathLike
    from pathlib import Path

    import pandas as pd

    from trustcheck.report._figures import Picture
    from trustcheck.types import Finding, Report, Verdict

__all__ = [
    "explain",
    "finding_card",
    "finding_line",
    "finding_to_dict",
    "from_dict",
    "init_documents",
    "load",
    "picture",
    "report_card",
    "report_frame",
    "report_text",
    "save",
    "schema",
    "to_dict",
]


def to_dict(report: Report) -> dict[str, Any]:
    """Return the report as plain data under the published schema.

    Everything that may differ between two equal runs stands under the key ``run``. Examples,
    influences and exceptions are never part of it.

    Parameters
    ----------
    report : Report
        What to write down.

    Returns
    -------
    dict
        Of plain lists, numbers and texts; :func:`from_dict` reads it back.

    Examples
    --------
    >>> import trustcheck as tc
    >>> subject = tc.Subject.from_predictions([0, 1] * 50, [0, 1] * 50, name="demo")
    >>> report = tc.evaluate(subject, probes=["reliability.performance"])
    >>> data = to_dict(report)
    >>> data["schema_version"], data["subject"]["name"]
    ('1.0', 'demo')
    >>> from_dict(data) == report
    True
    """
    from trustcheck.report import _json

    return _json.to_dict(report)


def finding_to_dict(finding: Finding) -> dict[str, Any]:
    """Return one finding as plain data, as it stands in a saved report.

    Parameters
    ----------
    finding : Finding
        What to write down.

    Returns
    -------
    dict

    Examples
    --------
    >>> import trustcheck as tc
    >>> from trustcheck import reliability
    >>> subject = tc.Subject.from_predictions([0, 1] * 50, [0, 1] * 50)
    >>> finding_to_dict(reliability.performance(subject))["status"]
    'measured'
    """
    from trustcheck.report import _json

    return _json.finding_to_dict(finding)


def from_dict(data: Any) -> Report:
    """Build a report from plain data.

    Parameters
    ----------
    data : dict
        What :func:`to_dict` returns, or the content of a saved report.

    Returns
    -------
    Report
        Equal to the one that was written down.

    Raises
    ------
    InputError
        If it is no report, has another major schema version, or does not fit the schema; the
        message says where.

    Examples
    --------
    >>> from_dict({"a": 1})
    Traceback (most recent call last):
        ...
    trustcheck.types.InputError: this is no saved trustcheck report: it lacks "format": ...
    """
    from trustcheck.report import _read

    return _read.from_dict(data)


def schema() -> dict[str, Any]:
    """Return the JSON Schema (draft 2020-12) of a saved report.

    Returns
    -------
    dict

    Examples
    --------
    >>> schema()["$schema"]
    'https://json-schema.org/draft/2020-12/schema'
    """
    from trustcheck.report import _json

    return _json.schema()


def save(
    report: Report,
    path: str | PathLike[str],
    *,
    format: str | None = None,  # noqa: A002 - the word users expect
) -> None:
    """Write a report to a file, whole or not at all.

    Parameters
    ----------
    report : Report
        What to write.
    path : path
        Where to; its ending (``.html``, ``.json``, ``.md``, ``.xml`` for JUnit) picks the form.
    format : {"html", "json", "markdown", "model-card", "junit"}, optional
        The form, whatever the ending.

    Raises
    ------
    InputError
        If the form is unknown, or the file cannot be written there.

    Examples
    --------
    >>> import tempfile, pathlib, trustcheck as tc
    >>> subject = tc.Subject.from_predictions([0, 1] * 50, [0, 1] * 50)
    >>> report = tc.evaluate(subject, probes=["reliability.performance"])
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = pathlib.Path(folder) / "report.json"
    ...     save(report, path)
    ...     load(path) == report
    True
    """
    from trustcheck.report import _files

    _files.save(report, path, form=format)


def load(path: str | PathLike[str]) -> Report:
    """Read a report saved as JSON.

    Parameters
    ----------
    path : path
        The file.

    Returns
    -------
    Report
        Equal to the saved one; saving it again gives the same bytes.

    Raises
    ------
    InputError
        If the file cannot be read, is cut short, or is no report this version reads.

    Examples
    --------
    >>> load("no such file.json")
    Traceback (most recent call last):
        ...
    trustcheck.types.InputError: cannot read 'no such file.json': No such file or directory
    """
    from trustcheck.report import _files

    return _files.load(path)


def report_frame(report: Report) -> pd.DataFrame:
    """Return one row per finding: number, interval, limit and verdict.

    Parameters
    ----------
    report : Report
        What to tabulate.

    Returns
    -------
    DataFrame
        Columns key, dimension, status, value, low, high, limit, verdict. The number is the one
        the requirement is about; the headline where there is no requirement. Where several
        requirements look at one finding, the worst verdict is shown.

    Examples
    --------
    >>> import trustcheck as tc
    >>> subject = tc.Subject.from_predictions([0, 1] * 50, [0, 1] * 50)
    >>> report = tc.evaluate(subject, probes=["reliability.performance"])
    >>> list(report_frame(report).columns)
    ['key', 'dimension', 'status', 'value', 'low', 'high', 'limit', 'verdict']
    """
    from trustcheck.report import _frame

    return _frame.report_frame(report)


def report_text(report: Report, *, width: int | None = None, color: bool | None = False) -> str:
    """Return the report as a terminal shows it.

    Parameters
    ----------
    report : Report
        What to show.
    width : int, optional
        Columns; those of the terminal (at most 110), and 80 where there is none.
    color : bool or None
        Whether to colour it; ``None`` colours it where standard output is a terminal. Colour is
        never the only sign.

    Returns
    -------
    str

    Examples
    --------
    >>> import trustcheck as tc
    >>> subject = tc.Subject.from_predictions([0, 1] * 50, [0, 1] * 50, name="demo")
    >>> report = tc.evaluate(subject, probes=["reliability.performance"])
    >>> report_text(report).splitlines()[-2]
    "Scores are trustcheck's own scheme; ISO/IEC TR 24028 defines no levels."
    """
    from trustcheck.report import _terminal

    return _terminal.report_text(report, width=width, color=color)


def report_card(report: Report) -> str:
    """Return the report as a fragment of HTML for a notebook.

    Its style neither leaks into the page nor inherits from it, and it has no script.

    Parameters
    ----------
    report : Report
        What to show.

    Returns
    -------
    str

    Examples
    --------
    >>> import trustcheck as tc
    >>> subject = tc.Subject.from_predictions([0, 1] * 50, [0, 1] * 50, name="demo")
    >>> report = tc.evaluate(subject, probes=["reliability.performance"])
    >>> "<script" in report_card(report)
    False
    """
    from trustcheck.report import _html

    return _html.report_card(report)


def finding_card(finding: Finding) -> str:
    """Return a finding as a fragment of HTML for a notebook.

    Parameters
    ----------
    finding : Finding
        What to show.

    Returns
    -------
    str

    Examples
    --------
    >>> import trustcheck as tc
    >>> from trustcheck import reliability
    >>> subject = tc.Subject.from_predictions([0, 1] * 50, [0, 1] * 50)
    >>> "reliability.performance" in finding_card(reliability.performance(subject))
    True
    """
    from trustcheck.report import _html

    return _html.finding_card(finding)


def finding_line(finding: Finding) -> str:
    """Return a finding on one line: the number with its interval, or why there is none.

    Parameters
    ----------
    finding : Finding
        What to show.

    Returns
    -------
    str

    Examples
    --------
    >>> import trustcheck as tc
    >>> from trustcheck import reliability
    >>> subject = tc.Subject.from_predictions([0, 1] * 50, [0, 1] * 50)
    >>> finding_line(reliability.performance(subject)).partition(":")[0]
    'reliability.performance'
    """
    from trustcheck.report import _view

    return _view.finding_line(finding)


def explain(verdict: Verdict, finding: Finding | None = None) -> str:
    """Return a verdict in full, as plain text: number, limit, groups, and what would settle it.

    Parameters
    ----------
    verdict : Verdict
        What to explain.
    finding : Finding, optional
        What it is about.

    Returns
    -------
    str
        Of several lines, as a failed test shows it.

    Examples
    --------
    >>> import trustcheck as tc
    >>> from trustcheck import reliability
    >>> subject = tc.Subject.from_predictions([0, 1] * 50, [0, 1] * 50)
    >>> finding = reliability.performance(subject)
    >>> print(explain(finding.at_least(0.5), finding).splitlines()[0])
    ✓ PASS: Performance   reliability.performance
    """
    from trustcheck.report import _explain

    return _explain.explain(verdict, finding)


def picture(finding: Finding) -> Picture | None:
    """Return the finding's picture, or None where it has none.

    Parameters
    ----------
    finding : Finding
        What to draw: at most 20 of its detail rows.

    Returns
    -------
    Picture or None
        ``.svg`` is a tree of the library svg.py that may be changed; notebooks show it;
        ``.save(path)`` writes it.

    Examples
    --------
    >>> import trustcheck as tc
    >>> from trustcheck import fairness
    >>> subject = tc.Subject.from_predictions(
    ...     [0, 1] * 50, [0, 1] * 50, sensitive={"sex": ["f", "f", "m", "m"] * 25}
    ... )
    >>> picture(fairness.demographic_parity(subject)).caption
    '2 rows, rate with 95 % intervals.'
    """
    from trustcheck.report import _figures

    return _figures.picture(finding)


def init_documents(folder: str | PathLike[str], report: Report | None = None) -> list[Path]:
    """Write a template of each kind of document, and a register that lists them.

    Parameters
    ----------
    folder : path
        Made if it is not there. Files that exist are never overwritten.
    report : Report, optional
        Whose findings are filled in.

    Returns
    -------
    list of Path
        The register first, then one Markdown file per kind.

    Raises
    ------
    InputError
        If a file of that name exists; nothing is written then.

    Examples
    --------
    >>> import tempfile
    >>> paths = init_documents(tempfile.mkdtemp())
    >>> paths[0].name, len(paths)
    ('documents.toml', 9)
    """
    from trustcheck.report import _documents

    return _documents.init_documents(folder, report)
