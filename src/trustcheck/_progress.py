"""Progress of a run: shown in terminals and notebooks, silenced by TRUSTCHECK_PROGRESS=0."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

Step = Callable[[str], None]


@contextmanager
def progress(total: int, *, show: bool | None = None) -> Iterator[Step]:
    """Yield a function to call with the name of each finished step."""
    if not (_wanted() if show is None else show):
        yield lambda _name: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    bar = Progress(
        TextColumn("trustcheck"),
        BarColumn(bar_width=24),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.description}"),
        console=Console(stderr=True),
        transient=True,
    )
    with bar:
        task = bar.add_task("asking the model", total=total)
        yield lambda name: bar.update(task, advance=1, description=name)


def _wanted() -> bool:
    if os.environ.get("TRUSTCHECK_PROGRESS") == "0":
        return False
    in_notebook = "ipykernel" in sys.modules
    return in_notebook or bool(getattr(sys.stderr, "isatty", lambda: False)())
