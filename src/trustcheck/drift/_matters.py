"""How much each column matters to the model, and how its change moves the model's answers."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from trustcheck.stats import intervals, strata
from trustcheck.subject._schema import robust_scale
from trustcheck.subject._table import mix, row_keys

if TYPE_CHECKING:
    import pandas as pd

    from trustcheck.subject import Subject
    from trustcheck.subject._side import Side

#: Rows sent, per given row and in all; fewest rows a column is tried on.
BUDGET, MOST_SENT, FEWEST = 0.5, 10_000, 10


class Matters(NamedTuple):
    """What is known of each feature by name; `note` says why nothing is, or how it was found.

    Attributes
    ----------
    importance
        Mean change of the answer (share of probability, or robust scales of the predicted
        numbers) when the column is taken from another row of the reference.
    moved
        Change of the mean answer when the column is taken from a given row instead, with its
        interval (for all columns at once): the part of the model's drift that this column makes.
    """

    importance: dict[str, float]
    moved: dict[str, intervals.Interval]
    note: str


def matters(subject: Subject) -> Matters:
    """Return each feature's importance to the model, and how its change moves the answers."""
    if "model" not in subject.offers():
        return Matters({}, {}, "There is no model to ask, so columns are ranked by distance alone.")
    return subject.shared("drift: what matters to the model", _asked)


def _asked(subject: Subject, rng: np.random.Generator) -> Matters:
    names = [str(name) for name in subject.features]
    sent = min(subject.allowance(BUDGET), MOST_SENT) // (2 * len(names) + 1)
    size = min(sent, subject.n, subject.reference.n)
    if size < FEWEST:
        return Matters({}, {}, "The budget is too small to ask what matters to the model.")
    base = _rows(subject.reference, names, _some(subject, subject.reference, size, rng))
    given = _rows(subject.data, names, _some(subject, subject.data, size, rng))
    shifted = base.iloc[np.roll(np.arange(size), 1)].reset_index(drop=True)
    try:
        plain = subject.output(base)
        # Numbers are counted in robust scales of the answers themselves.
        unit = robust_scale(plain) if plain.shape[1] == 1 else 1.0
        others = _swapped(subject, base, shifted)
    except Exception as fault:  # noqa: BLE001 - the distances stand without it
        said = f"The model could not be asked ({type(fault).__name__}): ranked by distance alone."
        return Matters({}, {}, said)
    change = np.abs(others - plain).sum(axis=2) / (unit if plain.shape[1] == 1 else 2)
    found = dict(zip(names, change.mean(axis=1).tolist(), strict=True))
    note = f"Importance to the model was measured on {size} rows of the reference."
    try:
        now = _swapped(subject, base, given)
    except Exception:  # noqa: BLE001 - new values may be more than the model can read
        return Matters(found, {}, f"{note} It could not read the new values one column at a time.")
    if subject.task == "multiclass":
        return Matters(found, {}, note)
    code = 0 if plain.shape[1] == 1 else subject.positive_code
    level = strata.together(len(names))
    moved = [intervals.mean(rows[:, code], level=level) for rows in (now - others) / unit]
    return Matters(found, dict(zip(names, moved, strict=True)), note)


def _some(subject: Subject, side: Side, size: int, rng: np.random.Generator) -> np.ndarray:
    """Return a sample of rows that their content decides, without a look at every cell.

    A few columns tell most rows apart; only rows that come into question are looked at in full.
    """
    salt = np.uint64(rng.integers(0, 2**63, dtype=np.uint64))
    names = sorted(map(str, subject.features), key=lambda n: not subject.schema[n].is_numeric)
    keys = np.full(side.n, salt, dtype=np.uint64)
    for name in names:
        keys = mix(keys ^ row_keys(side.column(name).to_frame(), []))
        near = np.flatnonzero(keys <= np.partition(keys, size - 1)[size - 1])
        if len(near) <= 2 * size:
            break
    whole = mix(row_keys(_rows(side, names, near), []) ^ salt)
    return near[np.lexsort((whole, keys[near]))[:size]]


def _rows(side: Side, names: list[str], rows: np.ndarray) -> pd.DataFrame:
    import pandas as pd

    columns = {name: side.column(name).iloc[rows].reset_index(drop=True) for name in names}
    return pd.DataFrame(columns)


def _swapped(subject: Subject, base: pd.DataFrame, donors: pd.DataFrame) -> np.ndarray:
    """Return the answers with each column in turn from the donors, shape (d, rows, outputs)."""
    import pandas as pd

    size, d = len(base), base.shape[1]
    rows = np.tile(np.arange(size), d)
    columns = {}
    for j, name in enumerate(base.columns):
        own = rows.copy()
        own[j * size : (j + 1) * size] += size  # the copy in which this column is the donors'
        both = pd.concat([base[name], donors[name]], ignore_index=True)
        columns[name] = both.iloc[own].reset_index(drop=True)
    return subject.output(pd.DataFrame(columns)).reshape(d, size, -1)
