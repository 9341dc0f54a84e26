"""Does the test really test: rows seen in training, and columns that give the answer away."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from trustcheck.probe import probe
from trustcheck.stats import intervals, skill
from trustcheck.subject._table import mix
from trustcheck.types import Estimate, Measurement, NotMeasurable, Row

if TYPE_CHECKING:
    import pandas as pd

    from trustcheck.stats.intervals import Interval
    from trustcheck.subject import Subject

#: Bins a number is cut into to see what it alone says about the label.
BINS = 64
#: A column whose skill is at least this is called a likely copy of the label.
COPY = 0.9


@probe(
    title="Overlap of rows",
    question="Were the rows of the test already among those of the training?",
    headline="excess_overlap",
    unit="share of given rows found in the reference, less what repeats by itself",
    better="low",
    keys=("reliability.performance_consistency",),
    clauses=("8.8.1", "9.10.2"),
    needs=("features", "reference"),
    cost="none: the model is not asked",
)
def overlap(subject: Subject, rng: np.random.Generator) -> Measurement:
    """Measure how many given rows stand in the reference too, beyond what repeats by itself.

    Rows seen in training make a test look better than it is (Kaufman et al. 2012). In coarse
    tables rows repeat without any leak: how often is told by the reference itself, from the share
    of its rows that have a twin among its other rows. Rows are compared on the columns the model
    reads.

    Parameters
    ----------
    subject : Subject
        With features and a reference.

    Returns
    -------
    Finding
        Headline ``excess_overlap``, -1 to 1. Also ``overlap`` (share of given rows found in the
        reference), ``repeats`` (share of reference rows with a twin in the reference), and
        ``not_later`` (share of given rows no later than the last reference row), where ``time``
        names a column of both.

    Examples
    --------
    >>> import trustcheck as tc
    >>> X = np.random.default_rng(0).normal(size=(200, 2))
    >>> subject = tc.Subject(lambda X: X[:, 0], X[:100], reference=X, task="regression")
    >>> overlap(subject).value
    1.0
    """
    before, now = subject.reference.X, subject.X
    keys = _keys(before, now)
    past, present = keys[: len(before)], keys[len(before) :]
    found = np.isin(present, past)
    _, at, times = np.unique(past, return_inverse=True, return_counts=True)
    twin = times[at] > 1
    # Copies of one row are one draw.
    seen = intervals.bounded_mean(
        found.astype(float), clusters=np.unique(present, return_inverse=True)[1]
    )
    usual = intervals.bounded_mean(twin.astype(float), clusters=at)
    excess = intervals.mover_difference(seen, usual)
    metrics = {
        "excess_overlap": Estimate(
            *excess,
            n=subject.n,
            unit="share of given rows found in the reference, less what repeats by itself",
            range=(-1.0, 1.0),
        ),
        "overlap": Estimate(
            *seen, n=subject.n, unit="share of given rows found in the reference", range=(0.0, 1.0)
        ),
        "repeats": Estimate(
            *usual, n=len(past), unit="share of reference rows with a twin there", range=(0.0, 1.0)
        ),
    }
    notes = []
    earlier = _not_later(subject)
    if earlier is not None:
        share = intervals.bounded_mean(earlier.astype(float))
        metrics["not_later"] = Estimate(
            *share, n=len(earlier), unit="share of given rows no later than the last reference row",
            range=(0.0, 1.0),
        )  # fmt: skip
        if share.value > 0:
            notes.append(
                f"{share.value:.1%} of the given rows are no later than the last reference row: the"
                " test looks back, where the model will have to look ahead."
            )
    influence = (found - seen.value).astype(float)
    return Measurement(metrics, notes=tuple(notes), influence=influence)


@probe(
    title="Copies of the label",
    question="Does one column alone give the label away?",
    headline="largest_skill",
    unit="skill of the best single column: 0 = says nothing, 1 = is the label",
    better="low",
    keys=("reliability.performance_consistency",),
    clauses=("8.8.1", "9.10.2"),
    needs=("features", "labels", "reference_labels"),
    cost="none: the model is not asked",
    weights=True,
    clusters=True,
)
def target_copies(subject: Subject, rng: np.random.Generator) -> Measurement:
    """Measure how well the best single column predicts the label of new rows.

    A column that was written down after the outcome, or is the outcome by another name, makes any
    model look good until it is used (Kaufman et al. 2012). For every column the label most typical
    of each level, or of each of 64 bins of a number, is learnt from the reference and tried on the
    given rows (Holte's 1993 one-rule); numbers as labels: the mean of each bin.

    Parameters
    ----------
    subject : Subject
        With features, labels and a labelled reference.

    Returns
    -------
    Finding
        Headline ``largest_skill``, at most 1: balanced accuracy over chance, or R^2, of the best
        column. Its upper end is the largest over the columns, its lower end holds for all columns
        at once. One detail row per column, best first.

    Examples
    --------
    >>> import trustcheck as tc
    >>> rng = np.random.default_rng(0)
    >>> y = rng.integers(0, 2, 400)
    >>> X = np.column_stack([rng.normal(size=400), 3.0 * y])
    >>> data = tc.Subject(
    ...     lambda X: X[:, 1] > 1, X[:200], y[:200] > 0, reference=(X[200:], y[200:] > 0)
    ... )
    >>> target_copies(data).value
    1.0
    """
    names, level = list(subject.features), 1 - 0.05 / len(subject.features)
    own, joint = [], []
    for name in names:
        past, present = _binned(subject.reference.X[name], subject.X[name])
        own.append(_skill(subject, past, present, 0.95))
        joint.append(_skill(subject, past, present, level))
    if any(found is None for found in own):
        raise NotMeasurable(
            "every given row has the same true label, so nothing can give it away; give others too"
        )
    ends, wide = np.array(own, dtype=float), np.array(joint, dtype=float)
    best = int(ends[:, 0].argmax())
    order = sorted(range(len(names)), key=lambda at: (-ends[at, 0], names[at]))
    copies = [names[at] for at in order if ends[at, 0] >= COPY]
    notes = [f"Best single column: {names[best]!r}."] + [
        f"{name!r} alone all but gives the label: is it known before the outcome is?"
        for name in copies
    ]
    return Measurement(
        {
            "largest_skill": Estimate(
                ends[best, 0],
                min(wide[:, 1].max(), ends[best, 0]),
                ends[:, 2].max(),
                n=subject.n,
                unit="skill of the best single column: 0 = says nothing, 1 = is the label",
                range=(None, 1.0),
            )
        },
        rows=tuple(_rows(names, ends, order)),
        notes=tuple(notes),
        picture="intervals",
    )


def _rows(names: list[str], ends: np.ndarray, order: list[int]) -> Iterator[Row]:
    for at in order:
        value, low, high = ends[at].tolist()
        yield {"column": str(names[at]), "skill": value, "low": low, "high": high}


def _keys(before: pd.DataFrame, now: pd.DataFrame) -> np.ndarray:
    """One 64-bit key per row of both tables: equal where all cells are."""
    keys = np.zeros(len(before) + len(now), dtype=np.uint64)
    for position, name in enumerate(before.columns):
        codes = np.concatenate(_codes(before[name], now[name]))
        with np.errstate(over="ignore"):
            keys = mix(keys ^ mix(codes.astype(np.uint64) + np.uint64(position) * np.uint64(2**40)))
    return keys


def _codes(before: pd.Series, now: pd.Series) -> tuple[np.ndarray, np.ndarray]:
    """Cells of a column as codes from 0, missing as one code of its own."""
    import pandas as pd

    if all(pd.api.types.is_numeric_dtype(part) for part in (before, now)):
        cells = np.concatenate([_floats(part) for part in (before, now)])
    else:
        spelt = [part.astype(object).map(repr, na_action="ignore") for part in (before, now)]
        cells = pd.concat(spelt).to_numpy(dtype=object)
    codes = pd.factorize(cells)[0] + 1
    return codes[: len(before)], codes[len(before) :]


def _binned(before: pd.Series, now: pd.Series) -> tuple[np.ndarray, np.ndarray]:
    """Codes of a column's levels, or of its bins by quantiles of the reference."""
    import pandas as pd

    numeric = all(pd.api.types.is_numeric_dtype(part) for part in (before, now))
    if not numeric or pd.concat([before, now]).nunique() <= BINS:
        return _codes(before, now)
    a, b = _floats(before), _floats(now)
    # Edges are values that occur: between infinite ones there is nothing.
    at = np.linspace(0, 1, BINS + 1)[1:-1]
    edges = np.unique(np.nanquantile(a, at, method="inverted_cdf"))
    cut = [np.where(np.isnan(x), 0, np.searchsorted(edges, x, side="right") + 1) for x in (a, b)]
    return cut[0], cut[1]


def _floats(column: pd.Series) -> np.ndarray:
    return column.astype("Float64").to_numpy(dtype=float, na_value=np.nan)


def _skill(
    subject: Subject, past: np.ndarray, present: np.ndarray, level: float
) -> Interval | None:
    """Skill on the given rows of the rule learnt from the reference; None without variety."""
    known = subject.reference.truth
    size = int(max(past.max(), present.max())) + 1
    if subject.task == "regression":
        return _number_skill(subject, past, present, size, level)
    k = len(subject.classes)
    table = np.bincount(past * k + known, minlength=size * k).reshape(size, k)
    each = np.maximum(table.sum(axis=0), 1)
    # The class a level is most typical of; a level never met says what is commonest.
    rule = np.where(table.any(axis=1), (table / each).argmax(axis=1), int(each.argmax()))
    counted = subject.truth if subject.weights is None else subject.truth[subject.weights > 0]
    if len(np.unique(counted)) < 2:
        return None
    return skill.weighted_skill(
        subject.truth, rule[present], k, weights=subject.weights, clusters=subject.clusters,
        level=level,
    )  # fmt: skip


def _number_skill(
    subject: Subject, past: np.ndarray, present: np.ndarray, size: int, level: float
) -> Interval | None:
    known, truth = subject.reference.truth, subject.truth
    mean = float(known.mean())
    rows = np.bincount(past, minlength=size)
    rule = np.divide(np.bincount(past, known, size), rows, out=np.full(size, mean), where=rows > 0)
    if np.ptp(truth) == 0:
        return None
    got = skill.squared_skill(
        truth - rule[present], truth - mean, weights=subject.weights, clusters=subject.clusters,
        level=level,
    )  # fmt: skip
    return got if np.isfinite(got.low) else None


def _not_later(subject: Subject) -> np.ndarray | None:
    """Which given rows are no later than the last reference row; None where that is unknown."""
    given = subject.time
    past = subject.reference.own_column(getattr(given, "name", None))
    if given is None or past is None:
        return None
    try:
        return np.asarray(given <= past.max(), dtype=bool)
    except TypeError:
        return None
