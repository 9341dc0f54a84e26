"""Progress of a run: shown in terminals and notebooks, silenced by TRUSTCHECK_PROGRESS=0."""

from __future__ import annotations

import html
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

Step = Callable[[str], None]
FIRST = "asking the model"
_PAUSE = 0.1  # seconds between two pictures of a notebook's bar


@contextmanager
def progress(total: int, *, show: bool | None = None) -> Iterator[Step]:
    """Yield a function to call with the name of each finished step."""
    if not (_wanted() if show is None else show):
        yield lambda _name: None
        return
    bar: Callable[[int], AbstractContextManager[Step]] = (
        _in_notebook if _notebook() else _in_terminal
    )
    with bar(total) as step:
        yield step


@contextmanager
def _in_terminal(total: int) -> Iterator[Step]:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    bar = Progress(
        TextColumn("trustcheck"),
        BarColumn(bar_width=24),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.description}", markup=False),
        console=Console(stderr=True),
        transient=True,
    )
    with bar:
        task = bar.add_task(FIRST, total=total)
        yield lambda name: bar.update(task, advance=1, description=name)


@contextmanager
def _in_notebook(total: int) -> Iterator[Step]:
    """Show a bar in one output of the cell, which is empty in the end; no widgets are needed."""
    from IPython.display import display

    done, drawn = 0, time.monotonic()
    handle: Any = display(_bar(0, total, FIRST), raw=True, display_id=True)

    def step(name: str) -> None:
        nonlocal done, drawn
        done += 1
        if time.monotonic() - drawn > _PAUSE:
            drawn = time.monotonic()
            handle.update(_bar(done, total, name), raw=True)

    try:
        yield step
    finally:
        handle.update({"text/plain": "", "text/html": ""}, raw=True)


def _bar(done: int, total: int, name: str) -> dict[str, str]:
    said = f"trustcheck {done} of {total}: {name}"
    bar = f'<progress value="{done}" max="{total}" aria-label="trustcheck"></progress>'
    return {"text/plain": said, "text/html": f"{bar} {html.escape(said)}"}


def _notebook() -> bool:
    shell = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    return type(shell).__name__ == "ZMQInteractiveShell"


def _wanted() -> bool:
    if os.environ.get("TRUSTCHECK_PROGRESS") == "0":
        return False
    return _notebook() or bool(getattr(sys.stderr, "isatty", lambda: False)())
