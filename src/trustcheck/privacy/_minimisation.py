"""Does the model need every column it reads?"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np

from trustcheck.probe import Want, probe
from trustcheck.stats import intervals, removal
from trustcheck.types import Estimate, InputError, Measurement, NotMeasurable, Row

if TYPE_CHECKING:
    import pandas as pd

    from trustcheck.subject import Subject

#: Rows sent by default, per given row and in all; fewest rows that say anything; cells a call.
BUDGET, MOST_SENT, FEWEST, CELLS = 2.0, 40_000, 30, 10_000_000


def _wants(subject: Subject, **_settings: object) -> Iterable[Want]:
    yield Want("scores" if "scores" in subject.offers() else "predictions")


@probe(
    title="Data minimisation",
    question="Does the model need every column it reads?",
    headline="unneeded",
    unit="share of features the model could do without",
    better="low",
    keys=("privacy.data_minimisation",),
    clauses=("8.3", "9.6"),
    needs=("features", "labels", "model", "predictions"),
    wants=_wants,
    cost="at most 2 rows per given row, and 40,000",
    weights=True,
    clusters=True,
)
def minimisation(
    subject: Subject,
    rng: np.random.Generator,
    *,
    delta: float = 0.01,
    rows: int | None = None,
) -> Measurement:
    """Replace each feature by another row's value and measure what that costs, without refitting.

    A black-box audit of data minimisation (Biega et al. 2020; Rastegarpanah et al. 2021): one
    feature at a time is taken from a random row of the reference (permutation importance; Breiman
    2001) and the loss of each row is compared with its loss before. The cost is a share of what
    the trivial answer loses, so that 0.01 is one hundredth of R^2, or of the Brier skill score.

    Parameters
    ----------
    subject : Subject
        With labels and a model.
    delta : float
        The most that doing without a feature may cost, above 0, as a share of the loss of an
        answer that ignores the inputs.
    rows : int, optional
        Rows each feature is tried on; what the budget allows unless given.

    Returns
    -------
    Finding
        Headline ``unneeded``, 0 to 1: its lower end counts the features that certainly cost at
        most ``delta``, its upper end those that possibly do (95 % for all features together).
        Further metric ``together``: what it costs to drop all the certain ones at once. One
        detail row per feature.

    Examples
    --------
    >>> import trustcheck as tc
    >>> from sklearn.linear_model import LinearRegression
    >>> X = np.random.default_rng(0).normal(size=(300, 4))
    >>> y = X[:, 0] + X[:, 1]
    >>> finding = minimisation(tc.Subject(LinearRegression().fit(X, y), X, y))
    >>> finding.value, finding.low
    (0.5, 0.5)
    """
    if not (np.isfinite(delta) and delta > 0):
        raise InputError("delta must be a finite number above 0")
    d = len(subject.features)
    chosen = subject.sample(_size(subject, d, rows), rng)
    weights = None if subject.weights is None else subject.weights[chosen]
    clusters = None if subject.clusters is None else subject.clusters[chosen]
    if weights is not None and not weights.any():
        raise NotMeasurable("every row drawn has weight 0; raise rows= to draw more")
    trivial = _trivial(subject)
    before = _loss(subject, _answers(subject)[chosen], chosen) / trivial
    pairs = _Pairs(subject, chosen, rng)
    added = np.column_stack(
        [_loss(subject, answer, chosen) / trivial - before for answer in pairs.without_each()]
    )
    cost = removal.costs(added, weights=weights, clusters=clusters)
    share = removal.share_unneeded(*cost, delta=delta)
    unit = "loss added, as a share of the loss of an answer that ignores the inputs"
    metrics = {
        "unneeded": Estimate(
            *share, n=len(chosen), unit="share of features the model could do without",
            range=(0.0, 1.0),
        )
    }  # fmt: skip
    tried = f"Each feature was tried on {len(chosen)} rows; doing without it may cost {delta:g}."
    refit = (
        "Nothing was refitted: a model fitted without a feature can often make up for it, so more"
        " features than these may be unneeded."
    )
    notes = [tried, refit]
    spare = cost.high <= delta
    if spare.sum() > 1:
        both = _loss(subject, pairs.without(spare), chosen) / trivial - before
        once = removal.costs(both[:, None], weights=weights, clusters=clusters)
        value, low, high = (float(end[0]) for end in once)
        metrics["together"] = Estimate(value, low, high, n=len(chosen), unit=unit)
        notes.append(f"together: what it costs to drop these {spare.sum()} features at once.")
    if intervals.mean(before, weights=weights, clusters=clusters).low > 1:
        notes.append("The model does worse than an answer that ignores the inputs.")
    return Measurement(
        metrics,
        rows=tuple(_row(subject, j, cost, delta, len(chosen)) for j in range(d)),
        statistics={
            "value": cost.value.tolist(),
            "low": cost.low.tolist(),
            "high": cost.high.tolist(),
            "delta": delta,
        },
        formula="removal.share_unneeded",
        notes=tuple(notes),
        picture="intervals",
    )


def _size(subject: Subject, d: int, rows: int | None) -> int:
    """Rows to try each feature on; one more copy of them tries the spare ones together."""
    if subject.n < 2:
        raise NotMeasurable("one row gives nothing to compare; give more rows")
    if rows is not None:
        if rows < 2:
            raise InputError("rows must be at least 2")
        return min(rows, subject.n)
    size = min(subject.n, min(subject.allowance(BUDGET), MOST_SENT) // (d + 1))
    if size < FEWEST:
        raise NotMeasurable(
            f"{d} features and {subject.n} given rows leave {size} rows to try each feature on, and"
            f" {FEWEST} are needed; give more rows, or ask for them with rows="
        )
    return size


def _row(subject: Subject, j: int, cost: intervals.Interval, delta: float, n: int) -> Row:
    low, high = float(cost.low[j]), float(cost.high[j])
    return {
        "feature": str(subject.features[j]),
        "cost": float(cost.value[j]),
        "low": low,
        "high": high,
        "n": n,
        "needed": "no" if high <= delta else "yes" if low > delta else "open",
    }


def _answers(subject: Subject) -> np.ndarray:
    """Return the model's answers to the given rows in the form of ``subject.output``."""
    if subject.task == "regression":
        return subject.predictions[:, None]
    if "scores" in subject.offers():
        return subject.scores
    return np.eye(len(subject.classes))[subject.predictions]


def _loss(subject: Subject, answers: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Return the squared error of each row: Brier's, which for labels alone is right or wrong."""
    truth = subject.truth[rows]
    if subject.task == "regression":
        return np.asarray((answers[:, 0] - truth) ** 2)
    return np.asarray(((answers - np.eye(len(subject.classes))[truth]) ** 2).sum(axis=1) / 2)


def _trivial(subject: Subject) -> float:
    """Return the mean loss of the best answer that ignores the inputs."""
    truth, weights = subject.truth, subject.weights
    if subject.task == "regression":
        loss = float(np.average((truth - np.average(truth, weights=weights)) ** 2, weights=weights))
    else:
        share = np.bincount(truth, weights) / (subject.n if weights is None else weights.sum())
        loss = (1 - (share**2).sum()) / 2 if "scores" in subject.offers() else 1 - share.max()
    if loss <= 0:
        raise NotMeasurable("every given row has the same true value, so no feature can be needed")
    return float(loss)


class _Pairs:
    """Each chosen row with another row's values at hand."""

    def __init__(self, subject: Subject, chosen: np.ndarray, rng: np.random.Generator) -> None:
        own = "reference" not in subject.offers()
        source = subject.data if own else subject.reference
        donors = chosen if own else source.sample(len(chosen), rng)
        self.subject, self.m, self.k = subject, len(chosen), len(donors)
        # Rows stand in random order, so a shift gives every row a random other one.
        self.shifts = rng.integers(1 if own else 0, self.k, size=len(subject.features) + 1)
        rows, others = subject.X.iloc[chosen], source.X.iloc[donors]
        self.both = {name: _under(rows[name], others[name]) for name in rows.columns}

    def without_each(self) -> Iterable[np.ndarray]:
        """Yield the answers without each feature in turn, asked in few large calls."""
        d = len(self.both)
        at_once = max(1, CELLS // (self.m * d))
        for start in range(0, d, at_once):
            yield from self._ask(
                np.eye(d, dtype=bool)[start : start + at_once], self.shifts[start:]
            )

    def without(self, features: np.ndarray) -> np.ndarray:
        """Return the answers without several features, taken together from one other row."""
        return self._ask(features[None, :], self.shifts[-1:])[0]

    def _ask(self, swapped: np.ndarray, shifts: np.ndarray) -> list[np.ndarray]:
        import pandas as pd

        own = np.arange(self.m)
        columns = {}
        for j, (name, values) in enumerate(self.both.items()):
            at = [
                self.m + (own + shift) % self.k if swap[j] else own
                for swap, shift in zip(swapped, shifts, strict=False)
            ]
            columns[name] = values.array.take(np.concatenate(at))
        answers = self.subject.output(pd.DataFrame(columns))
        return np.split(answers, len(swapped))


def _under(upper: pd.Series, lower: pd.Series) -> pd.Series:
    """Return both columns under each other; categories stay categories."""
    import pandas as pd

    if isinstance(upper.dtype, pd.CategoricalDtype) and upper.dtype != lower.dtype:
        levels = upper.cat.categories
        more = pd.Index(lower.dropna().unique()).difference(levels, sort=False)
        dtype = pd.CategoricalDtype(levels.append(more)) if len(more) else upper.dtype
        upper, lower = upper.astype(dtype), lower.astype(dtype)
    return pd.concat([upper, lower], ignore_index=True)
