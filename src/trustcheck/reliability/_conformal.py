"""Do sets of answers that promise to hold the truth keep the promise for everyone?"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from trustcheck.probe import Want, probe
from trustcheck.stats import conformal as sets
from trustcheck.stats import intervals
from trustcheck.types import Better, Estimate, InputError, Measurement, Method, NotMeasurable, Row

if TYPE_CHECKING:
    from trustcheck.subject import Subject
    from trustcheck.subject._side import Side

#: Fewest rows for a threshold, and for its test.
FEWEST = 50
UNIT = "coverage promised less coverage found, in the worst group"
By = str | list[str] | None
Band = tuple[np.ndarray, np.ndarray]


def _wants(subject: Subject, *, calibrate: str, **_: Any) -> Iterable[Want]:
    what = "predictions" if subject.task == "regression" else "scores"
    yield Want(what)
    if calibrate == "reference":
        yield Want(what, "reference")


@probe(
    title="Conformal coverage",
    question="Do sets that promise to hold the true answer keep the promise in every group?",
    headline="shortfall",
    unit=UNIT,
    better="low",
    keys=("reliability.performance_consistency",),
    clauses=("8.5", "9.10.5"),
    needs=("labels", "predictions"),
    wants=_wants,
    cost="none beyond the shared pass",
)
def conformal(
    subject: Subject,
    rng: np.random.Generator,
    *,
    by: By = None,
    level: float = 0.9,
    calibrate: Literal["given", "reference"] = "given",
) -> Measurement:
    """Measure how far split-conformal sets fall short of their promise in the worst group.

    The threshold of every row comes from all other rows, or from the reference; nothing is
    refitted, so no rows are lost to a split (Vovk, Gammerman & Shafer 2005; Angelopoulos & Bates
    2023). Classification: randomised adaptive sets (Romano, Sesia & Candes 2020), which cover
    every kind of row equally if the probabilities are true. Regression: the prediction plus or
    minus one half-width for all.

    Parameters
    ----------
    subject : Subject
        With labels, and probabilities unless it is a regression.
    by : str or list of str
        Sensitive column; a list means the intersection. The only one unless given. Without any,
        quarters of the rows: by the largest probability, or by the predicted number.
    level : float
        Coverage promised, from 0.5 to 0.98.
    calibrate : {"given", "reference"}
        Where the threshold comes from. With "reference" (labelled rows the model was not trained
        on, from an earlier time, say) a change between both shows, for all rows too.

    Returns
    -------
    Finding
        Headline ``shortfall``, from level - 1 to level; also ``set_size`` (mean number of classes
        in a set) or ``width`` (in units of the label). One detail row per group, with the exact
        band in which chance alone leaves its coverage.

    Examples
    --------
    >>> import trustcheck as tc
    >>> y = np.random.default_rng(0).normal(size=2000)
    >>> group = np.repeat(["a", "b"], 1000)
    >>> subject = tc.Subject.from_predictions(y, np.zeros(2000), sensitive={"group": group})
    >>> round(conformal(subject).value, 1)
    0.0
    """
    if not 0.5 <= level <= 0.98:
        raise InputError("level must lie between 0.5 and 0.98")
    if calibrate not in ("given", "reference"):
        raise InputError('calibrate must be "given" or "reference"')
    rows, scores, options = _scores(subject, subject.data, rng)
    strata, setting = _strata(subject, by, rows), scores
    if calibrate == "reference":
        strata = {"all rows": np.ones(len(rows), dtype=bool), **strata}
        setting = _scores(subject, subject.reference_sample, rng)[1]
    if min(len(setting), len(rows)) < FEWEST:
        raise NotMeasurable(f"there are too few rows for a threshold; give at least {FEWEST}")
    if len(strata) < 2:
        raise NotMeasurable(
            "all rows form one group, in which the promise holds by construction; name sensitive"
            " columns, or give labelled rows of another time as the reference"
        )
    size = n = np.array([member.sum() for member in strata.values()])
    cut = sets.threshold(setting, level, others=calibrate == "given")
    chance = 0.95 ** (1 / len(n))
    if calibrate == "reference":
        size = sets.effective_rows(n, len(setting))
        band = sets.new_band(n, len(setting), level, chance=chance)
    else:
        band = sets.shared_band(n, len(rows), int((scores <= cut).sum()), chance=chance)
    missed = scores > cut
    rate = np.array([missed[member].mean() for member in strata.values()])
    statistics = {"missed": (rate * size).tolist(), "n": size.tolist(), "promised": level}
    got = sets.shortfall(**statistics)
    worst = list(strata)[int(rate.argmax())]
    influence = np.zeros(subject.n)
    influence[rows] = strata[worst] * (missed - rate.max()) / strata[worst].mean()
    return Measurement(
        {
            "shortfall": Estimate(
                got.value, got.low, got.high, len(rows), UNIT, range=(level - 1, level)
            ),
            **_size(None if options is None else options <= cut, cut, len(rows)),
        },
        rows=tuple(_rows(strata, n, band, intervals.wilson((1 - rate) * size, size))),
        statistics=statistics,
        formula="conformal.shortfall",
        notes=tuple(_notes(worst, strata, 1 - rate, band)),
        picture="intervals",
        influence=influence,
    )


def _scores(
    subject: Subject, side: Side, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
    """Return rows in sampled order, how ill the true answer fits, and the same of every class."""
    rows = side.sample(side.n, rng)
    truth = side.truth[rows]
    if subject.task == "regression":
        return rows, np.abs(truth - side.predictions[rows]), None
    options = sets.adaptive_scores(side.scores[rows], rng.random(len(rows)))
    return rows, options[np.arange(len(rows)), truth], options


def _strata(subject: Subject, by: By, rows: np.ndarray) -> dict[str, np.ndarray]:
    """Return which of the rows belong to each group."""
    if by is not None:
        groups = subject.groups(by)
        return {name: groups.codes[rows] == code for code, name in enumerate(groups.names)}
    number, what = subject.predictions[rows], "prediction"
    if subject.task != "regression":
        number, what = subject.scores[rows].max(axis=1), "largest probability"
    edges = np.unique(np.quantile(number, [0.25, 0.5, 0.75]))
    quarter = np.searchsorted(edges, number)
    ends = ["lowest", *(f"{edge:.3g}" for edge in edges), "highest"]
    found = {f"{what} {a} to {b}": quarter == i for i, (a, b) in enumerate(pairwise(ends))}
    return {name: member for name, member in found.items() if member.any()}


def _size(chosen: np.ndarray | None, cut: float, n: int) -> dict[str, Estimate]:
    """How much the sets leave open: classes in a set, or the width of an interval."""
    if chosen is None:
        unit = "width of the interval, in units of the label"
        return {
            "width": Estimate(
                2 * cut, 2 * cut, 2 * cut, n, unit, Method.EXACT, (0.0, None), Better.LOW
            )
        }
    k = chosen.shape[1]
    value, low, high = (k * end for end in intervals.bounded_mean(chosen.mean(axis=1)))
    unit = "classes in a set, on average"
    return {"set_size": Estimate(value, low, high, n, unit, range=(0.0, k), better=Better.LOW)}


def _rows(
    names: Iterable[str], n: np.ndarray, band: Band, covered: intervals.Interval
) -> Iterator[Row]:
    for at, name in enumerate(names):
        yield {
            "group": name,
            "n": int(n[at]),
            "expected_from": float(band[0][at]),
            "expected_to": float(band[1][at]),
            "coverage": float(covered.value[at]),
            "low": float(covered.low[at]),
            "high": float(covered.high[at]),
        }


def _notes(worst: str, names: Iterable[str], coverage: np.ndarray, band: Band) -> Iterator[str]:
    yield f"Covered least: {worst!r}."
    below = [name for name, c, low in zip(names, coverage, band[0], strict=True) if c < low]
    if below:
        yield f"Covered less than chance explains: {', '.join(below)}."
