"""Scheduled jobs: one TOML file that says what is tested, where reports go, and what is remembered.

``trustcheck run job.toml`` runs it. The schema that editors and we check it by is
:func:`schema`; secrets come from the environment and are never printed or stored.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from os import PathLike

    from trustcheck.jobs._run import Outcome
    from trustcheck.jobs._schema import Job
    from trustcheck.store import Store

__all__ = ["load", "run", "schema", "store_of"]


def load(path: str | PathLike[str]) -> Job:
    """Read a job file and check every key of it.

    Parameters
    ----------
    path : path
        TOML. ``${NAME}`` in a text stands for a variable of the environment; paths start at the
        file's folder.

    Raises
    ------
    InputError
        Naming file, line, key and remedy, one line for each mistake.
    """
    from trustcheck.jobs import _file

    return _file.load(path)


def run(job: Job, *, show_progress: bool | None = None) -> Outcome:
    """Measure, judge, compare with the accepted run, watch, write the outputs, remember.

    Parameters
    ----------
    job : Job
        From :func:`load`.
    show_progress : bool, optional
        As for :func:`trustcheck.evaluate`.

    Returns
    -------
    Outcome
        The report, the exit code, and a line for each thing that was done besides.
    """
    from trustcheck.jobs import _run

    return _run.run(job, show_progress=show_progress)


def schema() -> dict[str, Any]:
    """Return the JSON Schema of a job file, for editors.

    Examples
    --------
    >>> sorted(schema()["properties"])[:4]
    ['budget', 'context', 'data', 'history']
    """
    from trustcheck.jobs import _schema

    return _schema.schema()


def store_of(job: Job, *, create: bool = True) -> Store:
    """Open the history that a job names.

    Raises
    ------
    InputError
        If it names none, or it cannot be opened.
    """
    from trustcheck.jobs import _run

    return _run.store_of(job, create=create)
