"""Does the answer stay the same when values go missing, and can the model take it at all?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import stats

from trustcheck.probe import probe
from trustcheck.robustness._replies import Reply, ask, rows_each
from trustcheck.robustness._ruler import Ruler, evidence, ruler_for
from trustcheck.stats import intervals, mcnemar
from trustcheck.subject._schema import as_numbers
from trustcheck.subject._table import replaced
from trustcheck.types import Better, Estimate, InputError, Measurement, NotMeasurable, Row

if TYPE_CHECKING:
    import pandas as pd

    from trustcheck.subject import Feature, Subject

#: Rows sent by default, per given row and in all; the part of them spent on single columns.
BUDGET, MOST_SENT, ON_COLUMNS = 2.0, 40_000, 0.25
MECHANISMS = ("mcar", "mar", "mnar")


@probe(
    title="Missing values",
    question="Does the answer stay the same when some values go missing?",
    headline="consistency",
    unit="share of predictions that stay the same",
    better="high",
    keys=("reliability.degradation", "reliability.performance_consistency"),
    clauses=("9.7", "9.10.3"),
    needs=("features", "model"),
    wants=("predictions",),
    cost="at most 2 rows per given row, and 40,000",
    weights=True,
    clusters=True,
)
def missing(
    subject: Subject,
    rng: np.random.Generator,
    *,
    rate: float = 0.1,
    rates: tuple[float, ...] = (0.1, 0.3),
    mechanism: str = "mcar",
    rows: int | None = None,
) -> Measurement:
    """Measure how often the prediction changes when cells go missing.

    Error injection on tables (Schelter et al. 2021) under Rubin's (1976) three mechanisms. A
    model that raises gives no prediction: that row's is not kept.

    Parameters
    ----------
    subject : Subject
        With a model.
    rate : float
        Share of cells that go missing for the headline, above 0 and at most 1.
    rates : tuple of float
        Shares for the detail rows; ``rate`` is always one of them.
    mechanism : {"mcar", "mar", "mnar"}
        What the chance of a cell depends on: nothing, the rank of the value in the column before
        it, or the rank of its own value (large numbers and rare categories go first).
    rows : int, optional
        Rows disturbed at each rate, as the budget allows unless given.

    Returns
    -------
    Finding
        Headline ``consistency``. Classification: share of unchanged predictions. Regression:
        1 - mean change in interquartile ranges (IQR) of the predictions, each change counted as at
        most 1, since gaps strike few rows and a median would not see them. With labels also ``accuracy_lost`` (share of
        right predictions before less after) or, for regression, ``error_added`` (mean absolute
        error after less before, as a share of the IQR). One detail row per rate, and one per
        column with that column alone missing.

    Examples
    --------
    >>> import trustcheck as tc
    >>> X = np.linspace(0, 10, 200)[:, None]
    >>> model = lambda X: (np.nan_to_num(X[:, 0], nan=9.0) > 5).astype(int)
    >>> subject = tc.Subject(model, X, task="binary", classes=[0, 1])
    >>> 0.9 < missing(subject).value < 1  # about half of the cells that go missing change sides
    True
    """
    levels = _levels(rate, rates)
    if mechanism not in MECHANISMS:
        raise InputError(f"mechanism must be one of {', '.join(MECHANISMS)}")
    order = subject.sample(subject.n, rng)[rng.permutation(subject.n)]
    whole = subject.X.iloc[order].reset_index(drop=True)
    names = _names(subject, whole, mechanism)
    size, each, shown = _plan(subject, len(levels), len(names), rows)
    tried = [names[at] for at in sorted(rng.permutation(len(names))[:shown])]
    columns = _ask_columns(subject, whole, tried, each)
    chosen, frame = order[:size], whole.head(size)
    uniform = _tied(subject, names, rng.random((size, len(names))))
    hits = {
        level: (uniform < _tied(subject, names, _chances(subject, frame, names, level, mechanism)))
        & frame[names].notna().to_numpy()
        for level in levels
    }
    raising = {name: r.kind for name, (_, r) in columns.items() if r.does == "raises"}
    base = subject.predictions[chosen].astype(float)
    replies = _ask_rates(subject, frame, base, names, hits, raising)
    rulers = {level: ruler_for(subject, chosen[: len(a.answers)]) for level, a in replies.items()}
    ruler, answers = rulers[rate], replies[rate].answers
    moved = np.minimum(ruler.distance(answers), 1.0)
    used = chosen[: len(answers)]
    unit = "share of predictions that stay the same"
    if subject.task == "regression":
        unit = "1 - mean change, in interquartile ranges of the predictions, each at most 1"
    found = ruler.share(moved)
    metrics = {"consistency": Estimate(*found, n=len(used), unit=unit, range=(0.0, 1.0))}
    if subject.data.has_truth:
        metrics |= _harm(subject.truth[used], answers, ruler)
    detail = [_row(f"{level:.0%} of all cells", rulers[level], replies[level]) for level in levels]
    for name, (at, reply) in columns.items():
        alone = Ruler(subject.predictions, ruler.spread, subject.weights, subject.clusters)
        alone = alone.at(order[at[: len(reply.answers)]])
        if alone.counts:
            detail.append(_row(str(name), alone, reply))
    return Measurement(
        metrics,
        rows=tuple(detail),
        notes=tuple(_notes(subject, names, raising, shown, len(used), mechanism)),
        picture="intervals",
        **evidence(subject, used, moved[None]),
    )


def _levels(rate: float, rates: Sequence[float]) -> list[float]:
    found = sorted({float(level) for level in (*np.atleast_1d(rates), rate)})
    if not all(0 < level <= 1 for level in found):
        raise InputError("rate and rates must be shares of cells, above 0 and at most 1")
    return found


def _names(subject: Subject, frame: pd.DataFrame, mechanism: str) -> list[Any]:
    """Columns that can go missing: not free text, and not missing in every row already."""
    names = [
        name
        for name in frame.columns
        if subject.schema[str(name)].kind != "text" and frame[name].notna().any()
    ]
    if not names:
        raise NotMeasurable(
            "no column can go missing: each is free text or holds no value; correct its kind with"
            " schema="
        )
    if mechanism == "mar" and len(names) < 2:
        raise NotMeasurable('mechanism="mar" needs a second column for the chance to depend on')
    return names


def _plan(subject: Subject, levels: int, columns: int, rows: int | None) -> tuple[int, int, int]:
    """Rows at each rate, rows of each column alone, and how many columns that can be done for."""
    if rows is not None and rows < 1:
        raise InputError("rows must be at least 1")
    budget = min(subject.allowance(BUDGET), MOST_SENT)
    on_columns = int(ON_COLUMNS * budget)
    shown = min(columns, on_columns // 6)
    size = rows or rows_each(budget - on_columns, levels)
    if size < 1 or shown < 1:
        raise NotMeasurable("the budget allows too few rows to be sent; raise budget=")
    return min(size, subject.n), max(rows_each(on_columns, shown), 1), shown


def _chances(
    subject: Subject, frame: pd.DataFrame, names: list[Any], rate: float, mechanism: str
) -> np.ndarray:
    """Chance of each cell to go missing, shape (rows, columns); its mean is the rate."""
    if mechanism == "mcar":
        return np.full((len(frame), len(names)), rate)
    ranks = np.column_stack([_ranks(frame[name], subject.schema[str(name)]) for name in names])
    if mechanism == "mar":
        ranks = np.roll(ranks, 1, axis=1)
    return 2 * rate * ranks if rate <= 0.5 else 1 - 2 * (1 - rate) * (1 - ranks)


def _tied(subject: Subject, names: list[Any], cells: np.ndarray) -> np.ndarray:
    """A one-hot group is one variable: all of its columns go, or none."""
    for group in subject.schema.one_hot:
        held = [at for at, name in enumerate(names) if str(name) in group]
        cells[:, held] = cells[:, held[:1]]
    return cells


def _ranks(column: pd.Series, feature: Feature) -> np.ndarray:
    """Ranks inside (0, 1), 1/2 for what is missing; categories from the commonest to the rarest."""
    known = column.notna().to_numpy()
    ranks = np.full(len(column), 0.5)
    if feature.is_numeric:
        values = as_numbers(column)[known]
    else:
        place = {level: at for at, level in enumerate(feature.levels)}
        values = np.array([place.get(level, len(place)) for level in column[known]], dtype=float)
    ranks[known] = (stats.rankdata(values) - 0.5) / max(known.sum(), 1)
    return ranks


def _blank(subject: Subject, column: pd.Series, gone: np.ndarray) -> pd.Series:
    """Return the column with cells missing, as its dtype says it or real data would arrive."""
    if column.dtype == bool and subject.takes_arrays:
        column = column.astype(float)
    if column.dtype == object:  # None stays None where that is how the data says it
        marks = column[column.isna()]
        return column.mask(gone, marks.iloc[0] if len(marks) else np.nan)
    return column.mask(gone)


def _ask_columns(
    subject: Subject, frame: pd.DataFrame, names: list[Any], each: int
) -> dict[Any, tuple[np.ndarray, Reply]]:
    """Return the rows in which a column alone went missing, and the reply; by column."""
    at = {name: np.flatnonzero(frame[name].notna().to_numpy())[:each] for name in names}
    sent = []
    for name in names:
        rows = frame.iloc[at[name]]
        gone = np.ones(len(rows), dtype=bool)
        sent.append(replaced(rows, {name: _blank(subject, rows[name], gone)}))
    return {name: (at[name], reply) for name, reply in zip(names, ask(subject, sent), strict=True)}


def _ask_rates(
    subject: Subject,
    frame: pd.DataFrame,
    base: np.ndarray,
    names: list[Any],
    hits: dict[float, np.ndarray],
    raising: Mapping[Any, str],
) -> dict[float, Reply]:
    """Ask about rows with cells missing; rows without, or with one that raises, need no asking."""
    refused = np.array([name in raising for name in names])
    lost = {r: hit[:, refused].any(axis=1) for r, hit in hits.items()}
    asked = {r: np.flatnonzero(hit.any(axis=1) & ~lost[r]) for r, hit in hits.items()}
    sent = {}
    for rate, hit in hits.items():
        copy = frame.copy(deep=False)
        for j in np.flatnonzero(hit.any(axis=0)):
            copy[names[j]] = _blank(subject, copy[names[j]], hit[:, j])
        if len(asked[rate]):
            sent[rate] = copy.iloc[asked[rate]]
    got = dict(zip(sent, ask(subject, list(sent.values())), strict=True))
    replies = {}
    for rate, at in asked.items():
        reply = got.get(rate, Reply(np.empty(0)))
        kind = reply.kind or (next(iter(raising.values())) if lost[rate].any() else "")
        answers, k = np.where(lost[rate], np.nan, base), len(reply.answers)
        answers[at[:k]] = reply.answers
        replies[rate] = Reply(answers[: at[k] if k < len(at) else len(base)], kind)
    return replies


def _harm(truth: np.ndarray, answers: np.ndarray, ruler: Ruler) -> dict[str, Estimate]:
    """What the labels say: the same rows before and after."""
    if ruler.spread is None:
        before, after = ruler.base == truth, answers == truth
        share = [
            float(np.average(only, weights=ruler.weights))
            for only in (before & ~after, after & ~before)
        ]
        size = intervals.effective_size(
            before != after, weights=ruler.weights, clusters=ruler.clusters
        )
        found = mcnemar.difference(share[0] * size, share[1] * size, size)
        unit, ends = "share of right predictions, before less after", (-1.0, 1.0)
        return {
            "accuracy_lost": Estimate(
                *found, n=len(truth), unit=unit, range=ends, better=Better.LOW
            )
        }
    known = np.flatnonzero(~np.isnan(answers))
    ruler = ruler.at(known)
    added = np.abs(answers[known] - truth[known]) - np.abs(ruler.base - truth[known])
    if len(known) < 2 or not ruler.counts:
        return {}
    mean = intervals.mean(added / ruler.spread, weights=ruler.weights, clusters=ruler.clusters)
    unit = "mean absolute error, after less before, as a share of the predictions' IQR"
    if not np.isfinite(mean).all():
        return {}
    return {"error_added": Estimate(*mean, n=len(known), unit=unit, better=Better.LOW)}


def _row(what: str, ruler: Ruler, reply: Reply) -> Row:
    value, low, high = ruler.share(ruler.distance(reply.answers))
    return {
        "missing": what,
        "value": float(value),
        "low": float(low),
        "high": float(high),
        "n": len(reply.answers),
        "model": reply.does,
        "exception": reply.kind,
    }


def _steps(model: Any) -> list[Any]:
    """Return the steps of a pipeline, those inside its steps too."""
    inner: list[Any] = []
    for field in ("steps", "transformers_", "transformer_list"):
        parts = getattr(model, field, None)
        if isinstance(parts, list):
            inner += [part[1] for part in parts if isinstance(part, tuple) and len(part) > 1]
    return inner + [deeper for step in inner for deeper in _steps(step)]


def _notes(
    subject: Subject,
    names: list[Any],
    raising: Mapping[Any, str],
    shown: int,
    used: int,
    mechanism: str,
) -> list[str]:
    notes = []
    if raising:
        notes.append(
            f"The model raises when {', '.join(map(str, raising))} is missing: such a row has lost"
            " its prediction, which counts as not kept. An imputer in front of it would help."
        )
    fillers = sorted({type(step).__name__ for step in _steps(subject.native)
                      if type(step).__name__.endswith("Imputer")})  # fmt: skip
    if fillers:
        notes.append(
            f"The model's own pipeline fills gaps before it answers ({', '.join(fillers)})."
        )
    elif not raising:
        notes.append(
            "The model answers rows with gaps, and no step before it was seen to fill them."
        )
    left = [str(name) for name in subject.features if name not in names]
    if left:
        notes.append(f"Free text or without any value, so left alone: {', '.join(left)}.")
    if shown < len(names):
        notes.append(f"{shown} of {len(names)} columns, drawn at random, were tried alone.")
    if used < subject.n:
        notes.append(f"{used} of the {subject.n} given rows were drawn at random and disturbed.")
    if mechanism != "mcar":
        notes.append("Large numbers and rare categories make a cell more likely to go missing.")
    return notes
