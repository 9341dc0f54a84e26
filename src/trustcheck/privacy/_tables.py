"""The tables a subject holds, with every column: those the model reads and all others."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trustcheck.types import NotMeasurable

if TYPE_CHECKING:
    import pandas as pd

    from trustcheck.subject import Subject
    from trustcheck.subject._side import Side


def tables(subject: Subject) -> dict[str, tuple[Side, pd.DataFrame]]:
    """Return the given data, and the reference where there is one, with all their columns.

    Sensitive columns kept outside the table count as columns of it; labels do not.
    """
    sides = {"given data": subject.data}
    if "reference" in subject.offers():
        sides["reference"] = subject.reference
    return {name: (side, _every_column(side)) for name, side in sides.items()}


def _every_column(side: Side) -> pd.DataFrame:
    import pandas as pd

    table = side._table  # noqa: SLF001 - a side shows the model's columns only
    if table.frame is None:
        raise NotMeasurable("no feature table was given (X)")
    columns = {str(name): table.frame[name] for name in table.frame.columns}
    for key, values in table.extras.items():
        kind, _, name = key.partition(" ")
        if kind == "group" and name not in columns:
            columns[name] = pd.Series(values).reset_index(drop=True)
    return pd.DataFrame(columns)
