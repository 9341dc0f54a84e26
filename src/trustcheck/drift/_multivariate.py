"""Do all columns together still look as they did in the reference?"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from trustcheck.drift import _apart
from trustcheck.probe import probe
from trustcheck.stats import mmd
from trustcheck.stats.intervals import Interval
from trustcheck.subject._encode import Encoded
from trustcheck.types import Better, Estimate, Measurement

if TYPE_CHECKING:
    from trustcheck.subject import Subject

#: Blocks of rows that are compared independently, rows of a table in each, and rows that set the
#: width of the kernel.
BLOCKS, MOST_IN_BLOCK, FEWEST_IN_BLOCK, PILOT = 40, 50, 4, 200
UNIT = "chance that a given row looks newer than one of the reference, 0.5 = alike"


@probe(
    title="Drift of all columns together",
    question="Can the given rows be told from the reference, looking at all columns at once?",
    headline="auc",
    unit=UNIT,
    better="low",
    keys=("reliability.drift",),
    clauses=("8.8.3", "9.10.2"),
    needs=("features", "reference"),
    cost="none: the model is not asked",
)
def multivariate(subject: Subject, rng: np.random.Generator) -> Measurement:
    """Measure how well a classifier tells the given rows from the reference.

    Classifier two-sample test (Lopez-Paz & Oquab 2017): boosted trees learn the table a row comes
    from on half of up to 3,000 rows of each; the other half, which they never saw, gives the AUC
    with DeLong's interval. It finds what no column shows alone, such as columns that no longer go
    together. Beside it the maximum mean discrepancy, a distance that learns nothing.

    Parameters
    ----------
    subject : Subject
        With features and a reference.

    Returns
    -------
    Finding
        Headline ``auc``, 0.5 (alike) to 1 (disjoint), below 0.5 by chance only; ``mmd2``, the
        squared maximum mean discrepancy under a Gaussian kernel of median width (Gretton et al.
        2012), averaged over independent blocks. One detail row per feature: the AUC lost where its
        values are exchanged between rows, largest first.

    Examples
    --------
    >>> import numpy as np
    >>> import trustcheck as tc
    >>> rng = np.random.default_rng(0)
    >>> x = rng.normal(size=(400, 1))
    >>> before, now = np.hstack([x, x]), np.hstack([x, -x])  # each column is as it was
    >>> subject = tc.Subject(lambda X: X[:, 0], now, reference=before, task="regression")
    >>> multivariate(subject).at_most(0.7).status.value
    'fail'
    """
    found = _apart.apart(subject)
    order = sorted(range(len(found.names)), key=lambda j: (-found.lost[j].value, found.names[j]))
    metrics = {"auc": Estimate(*found.auc, n=found.held, unit=UNIT, range=(0.0, 1.0))}
    far = _discrepancy(subject, rng)
    if far is not None:
        metrics["mmd2"] = Estimate(
            *far[0], n=far[1], unit="squared maximum mean discrepancy, 0 = alike", better=Better.LOW
        )
    text = [name for name in subject.features if subject.schema[str(name)].kind == "text"]
    notes = [
        f"Learnt on {found.learnt} rows of both tables, measured on {found.held} others.",
        "Of two columns that say the same, neither may seem needed to tell the tables apart.",
    ]
    if text:
        notes.append(f"Free text is left out: {', '.join(map(str, text))}.")
    return Measurement(
        metrics,
        rows=tuple(
            {
                "feature": found.names[j],
                "auc_lost": found.lost[j].value,
                "low": found.lost[j].low,
                "high": found.lost[j].high,
            }
            for j in order
        ),
        notes=tuple(notes),
        picture="intervals",
    )


def _discrepancy(subject: Subject, rng: np.random.Generator) -> tuple[Interval, int] | None:
    """Return the squared discrepancy and the rows it rests on; None with too few."""
    rows = min(subject.n, subject.reference.n - PILOT // 4, BLOCKS * MOST_IN_BLOCK)
    if rows < BLOCKS * FEWEST_IN_BLOCK:
        return None
    pilot = min(PILOT, subject.reference.n - rows)
    before = _apart.drawn(subject, subject.reference, rows + pilot, rng)
    now = _apart.drawn(subject, subject.data, rows, rng)
    first, x = np.split(_space(subject, before), [pilot])
    width = mmd.median_bandwidth(first)
    return mmd.block_mmd(x, _space(subject, now), width, BLOCKS), 2 * rows


def _space(subject: Subject, table: Encoded) -> np.ndarray:
    """Return rows where distances count: numbers in robust scales, levels as 0 and 1."""
    parts = []
    for column, name, levels in zip(table.matrix.T, table.names, table.categorical, strict=True):
        feature = subject.schema[name]
        if levels:
            codes = np.arange(min(len(feature.levels), 20))
            parts.append((column[:, None] == codes) / np.sqrt(2))  # two levels are 1 apart
        else:
            middle = feature.low if feature.low is not None else 0.0
            parts.append(np.nan_to_num((column - middle) / feature.scale)[:, None])
    return np.hstack(parts)
