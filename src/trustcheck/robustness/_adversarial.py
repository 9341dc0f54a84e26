"""How small a valid change of the inputs makes the model change its answer?"""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from trustcheck.probe import Want, probe
from trustcheck.robustness import _white
from trustcheck.robustness._flip import Flip
from trustcheck.robustness._ladder import Climb, Step, climb
from trustcheck.robustness._outcome import CONFIRM, Found, confirm, notes, other_metrics
from trustcheck.robustness._rows import Rows, share_of, sizes_of
from trustcheck.runner import installed
from trustcheck.search import _art
from trustcheck.search._attack import DONORS, Search
from trustcheck.search._attack import attack as look_around
from trustcheck.search._fewest import CELLS, DIGITS, blind, fewest, roundest
from trustcheck.search._space import Space
from trustcheck.search._starts import stand_in, starts
from trustcheck.types import Assurance, InputError, Measurement, NotMeasurable, Row

if TYPE_CHECKING:
    from trustcheck.subject import Subject

#: Rows sent by default per given row, and the most ever sent.
BUDGET, MOST_SENT = 5.0, 60_000
#: Queries per row kept for the blind control and for tidying up; rows looked at to start from.
CONTROL, TIDY, POOL = 10, len(CELLS) + len(DIGITS), 4_000
LEAST_QUERIES = CONTROL + CONFIRM + TIDY + 17
#: Rows a search aims to attack; the fewest and most queries it then spends on each.
AIM, FEW, MANY = 100, 60, 150
#: Queries per row that reading the model leaves to be spent, and most rows read, by model.
READ, MOST_READ = CONTROL + CONFIRM + TIDY + len(_white.BEYOND), {"linear": 2_000, "trees": 100}
#: Part of the queries that an attack spends where another follows it.
FIRST = 0.8


def _wants(subject: Subject, **params: Any) -> Iterable[Want]:
    tables = ["data", "reference"] if "reference" in subject.offers() else ["data"]
    answers = ["predictions"]
    if "scores" in subject.offers() and params.get("output") != "labels":
        answers.append("scores")
    return [Want(what, table) for table in tables for what in answers]


@probe(
    title="Adversarial robustness",
    question="How many right answers survive someone who looks for a small change that flips them?",
    headline="robust_accuracy",
    unit="share of rows answered right that no change found within epsilon flips",
    better="high",
    keys=("security.cybersecurity", "reliability.resilience"),
    clauses=("8.2.3", "9.7"),
    dimension="security",
    needs=("features", "model"),
    wants=_wants,
    cost="at most 5 rows per given row, and 60,000; up to 150 per row attacked",
    weights=True,
    clusters=True,
    version=2,
)
def adversarial(
    subject: Subject,
    rng: np.random.Generator,
    *,
    epsilon: float = 0.25,
    norm: str = "linf",
    sizes: tuple[float, ...] = (0.1, 0.25, 0.5, 1.0),
    attack: str | tuple[str, ...] = "auto",
    queries: int | None = None,
    rows: int | None = None,
    output: str = "auto",
    category: float = 1.0,
    shift: float = 1.0,
) -> Measurement:
    """Look for the smallest valid change of each row that makes the model answer otherwise.

    Attacks in order of what they know, each on the rows that those before it left (after Croce &
    Hein 2020): reading the model where that can be done, which also proves how far each row is
    safe; a search guided by scores; one that sees labels alone; others by name. The searches are
    decision-based attacks on mixed columns, in the line of the boundary attack (Brendel, Rauber &
    Bethge 2018) and HopSkipJump (Chen, Jordan & Wainwright 2020): they start at real rows with
    another answer and walk towards the row. What is found is checked against the schema, relations
    included, by code of its own, and asked again with the model's own ``predict``.

    Parameters
    ----------
    subject : Subject
        With a model; a reference, if given, provides scales, ranges and starting points.
    epsilon : float
        Size of the headline, above 0, in robust scales (IQR / 1.349) of each number.
    norm : {"linf", "l2"}
        How sizes add up: the largest single change, or Euclidean.
    sizes : tuple of float
        Sizes of the detail rows, above 0; ``epsilon`` is always one of them.
    attack : str or tuple of str
        "auto": all of "white box", "scores" and "labels" that apply; or some of these. Also ART's,
        by name: "art:HopSkipJump", "art:BoundaryAttack", "art:ZooAttack", and for PyTorch
        "art:ProjectedGradientDescent" (they need the extra ``attacks``).
    queries : int, optional
        Most rows sent to the model per row attacked, at least 40; 60 to 150 unless given, so that
        about 100 rows can be attacked.
    rows : int, optional
        Most rows attacked; as many as the budget allows unless given.
    output : {"auto", "labels"}
        Whether the attacker sees the model and its scores, or labels alone.
    category : float
        Size of one change of category, above 0.
    shift : float
        Regression: how far a prediction has to move, above 0, in robust scales of the
        predictions.

    Returns
    -------
    Finding
        Headline ``robust_accuracy``: share of rows that are right and stay so; without labels,
        and for regression, the share of answers that stay. An upper bound, since a better attack
        may exist. Also, where the model could be read, ``verified`` (the share proven to stay: the
        truth lies between the two) and ``exact`` (share of rows whose smallest change is known);
        ``random_search`` (the same as the headline under as many changes of that size drawn
        blindly), ``broken_by_...`` per attack, ``median_distance``, ``features_changed`` and
        ``queries``. One detail row per size. ``examples`` holds the flips found, cell by cell.

    Examples
    --------
    >>> import numpy as np, trustcheck as tc
    >>> from sklearn.linear_model import LogisticRegression
    >>> X = np.random.default_rng(0).normal(size=(300, 2))
    >>> y = X[:, 0] > 0
    >>> found = adversarial(tc.Subject(LogisticRegression().fit(X, y), X, y))
    >>> found.high < 1, found.value == found.metrics["verified"].value
    (True, True)
    """
    levels = sizes_of(epsilon, sizes, norm, category, shift)
    named = _named(attack, output, subject)
    if (queries is not None and queries < LEAST_QUERIES) or (rows is not None and rows < 1):
        raise InputError(f"queries must be at least {LEAST_QUERIES} and rows at least 1")
    order = Rows.of(subject)
    plan = _Plan(subject, queries, rows)
    pool = subject.reference_sample if "reference" in subject.offers() else subject.data

    def around(count: int) -> tuple[Rows, Flip, Space]:
        chosen = order.first(count)
        space = Space.of(subject.X.iloc[chosen.right], subject.schema, norm=norm, category=category)
        if not space.names:
            raise NotMeasurable(
                "no feature can be changed: each is free text, a date, constant or marked"
                " immutable; correct its kind with schema="
            )
        chosen.check(space)
        return chosen, Flip.of(subject, chosen.right, output, shift, pool), space

    white: _white.White | str | None = None
    kind = _white.final_of(subject) if "white box" in named else None
    if kind:
        chosen, flip, space = around(plan.read(kind))
        white = _white.read(subject, space, flip)
    if not isinstance(white, _white.White):
        chosen, flip, space = around(plan.affordable())
    search = Search(space, flip.ask, plan.queries - CONTROL - CONFIRM)
    steps, lower = [], np.zeros(len(chosen.right))
    if isinstance(white, _white.White):
        known = white
        lower = white.lower
        steps.append(Step("white box", lambda _: _white.send(search, known), len(lower)))
    steps += _searches(subject, named, search, flip, pool, rng, epsilon, plan)
    climbed = climb(search, steps, epsilon, lower)
    limit = np.where(search.distance <= epsilon, epsilon, 1.25 * search.distance)
    worth = white.worth if isinstance(white, _white.White) else None
    small = roundest(search, fewest(search, limit, worth), limit)
    control = Search(space, flip.ask, CONTROL)
    blind(control, epsilon, rng, count=CONTROL)
    found = confirm(search, small, control, flip, lower)
    return _measure(subject, chosen, flip, space, found, climbed, white, levels, epsilon)


class _Plan:
    """How many rows, and queries for each, the budget pays for."""

    def __init__(self, subject: Subject, queries: int | None, rows: int | None) -> None:
        self.budget = min(subject.allowance(BUDGET), MOST_SENT)
        self.queries = queries or int(np.clip(self.budget // AIM, FEW, MANY))
        self.rows = rows
        self.searched = self.budget // self.queries if rows is None else rows

    def affordable(self) -> int:
        """Rows of a model that can only be asked."""
        self.searched = self.budget // self.queries if self.rows is None else self.rows
        if self.searched < 1:
            raise NotMeasurable(
                f"attacking one row takes up to {self.queries} rows sent to the model, but the"
                f" budget is {self.budget}; give more rows, raise budget=, or lower queries="
            )
        return self.searched

    def read(self, kind: str) -> int:
        """Rows of a model that is read: half of the budget for them, half for searches."""
        if self.rows is not None:
            return self.rows
        count = min(max(self.budget // 2 // READ, 1), MOST_READ[kind])
        self.searched = max((self.budget - count * READ) // self.queries, 0)
        return count


def _named(attack: str | tuple[str, ...], output: str, subject: Subject) -> list[str]:
    """Return the attacks asked for, strongest first."""
    if output not in ("auto", "labels"):
        raise InputError(f"output must be 'auto' or 'labels', not {output!r}")
    given = (attack,) if isinstance(attack, str) else tuple(attack)
    ours = ["white box", "scores", "labels"]
    names = [one for name in given for one in (ours if name == "auto" else [name])]
    for name in names:
        toolbox, _, called = name.partition(":")
        if name not in ours and (toolbox != "art" or called not in _art.NAMES):
            known = ", ".join(["auto", *ours, *(f"art:{one}" for one in _art.NAMES)])
            raise InputError(f"attack must be one of {known}, or some of them; not {name!r}")
        if toolbox == "art" and not installed("attacks"):
            raise NotMeasurable(f"{name} needs the optional library behind trustcheck[attacks]")
        if toolbox == "art" and _art.NAMES[called] and not hasattr(subject.native, "module"):
            raise NotMeasurable(f"{name} follows gradients, and only a PyTorch module has them")
    if output == "labels":
        names = [name for name in names if name not in ("white box", "scores")]
    art = [name for name in names if name not in ours]
    gradients = [name for name in art if _art.NAMES[name[4:]]]
    return [
        *(["white box"] if "white box" in names else []),
        *gradients,
        *(name for name in ours[1:] if name in names),
        *(name for name in art if name not in gradients),
    ]


def _searches(
    subject: Subject,
    named: list[str],
    search: Search,
    flip: Flip,
    pool: Any,
    rng: np.random.Generator,
    epsilon: float,
    plan: _Plan,
) -> list[Step]:
    """Return the attacks that ask the model; each leaves queries for those after it."""
    space = search.space
    names = [name for name in named if name != "white box"]
    if not flip.graded and "labels" in names:
        names = [name for name in names if name != "scores"]
    at = pool.sample(POOL, rng)
    codes = space.encode(pool.X.iloc[at])
    donors = np.repeat(space.own[:, None], DONORS, axis=1)

    def start(rows: np.ndarray, towards: Flip) -> None:
        """Gather where searches of some rows start."""
        other, alike = towards.pool(pool, at)
        some = space.at(rows)
        graded = alike[rows] if len(alike) > 1 else alike
        donors[rows] = starts(some, codes, other[rows], graded, DONORS)
        search.prior[rows] = stand_in(some, codes, graded)

    def run(name: str, turn: int, rows: np.ndarray) -> None:
        left = len(names) - 1 - turn
        free = search.cap - TIDY - (search.used[rows].min(initial=search.cap) if turn else 0)
        spare = TIDY + (int((1 - FIRST) * free) if left else 0)
        towards = flip
        if subject.task == "regression" and name == "labels" and turn:
            towards = flip.turned()
            search.ask, search.known = towards.ask, {}
        start(rows, towards)
        if name.startswith("art:"):
            search.cap -= spare
            try:
                if _art.NAMES[name[4:]]:
                    _art.gradients(search, rows, subject.native.module, epsilon, rng)
                else:
                    _art.run(search, rows, name[4:], donors, rng, graded=flip.graded)
            finally:
                search.cap += spare
        else:
            guide = towards.margin if name == "scores" or subject.task == "regression" else None
            guide = guide if flip.graded else None
            look_around(search, donors, rng, margin=guide, spare=spare, rows=rows)

    return [
        Step(_called(name, flip), partial(run, name, turn), plan.searched)
        for turn, name in enumerate(names)
    ]


def _called(name: str, flip: Flip) -> str:
    if flip.subject.task == "regression" and name in ("scores", "labels"):
        return {"scores": "numbers", "labels": "numbers, the other way"}[name]
    return name


def _measure(
    subject: Subject,
    chosen: Rows,
    flip: Flip,
    space: Space,
    found: Found,
    climbed: Climb,
    white: _white.White | str | None,
    levels: list[float],
    epsilon: float,
) -> Measurement:
    unit = _unit(subject)
    read = isinstance(white, _white.White)
    proven = found.lower
    metrics = {
        "robust_accuracy": share_of(chosen, chosen.kept(found.nearest, epsilon), unit),
    }
    if read:
        metrics["verified"] = share_of(
            chosen,
            chosen.proven(proven, epsilon),
            "the same, but proven for every change",
        )
    metrics |= {
        "random_search": share_of(
            chosen,
            chosen.kept(found.blind, epsilon),
            f"the same for {CONTROL} random changes a row",
        ),
        **other_metrics(found, chosen, len(space.features), climbed, white),
    }
    stays = chosen.kept(found.nearest, epsilon)
    counted: dict[str, Any] = {}
    if chosen.plain:
        survivors = int(stays.sum())
        counted = {
            "statistics": {"unchanged": [len(stays) - survivors, survivors]},
            "formula": "degradation.consistency",
        }
    return Measurement(
        metrics,
        rows=tuple(_row(size, chosen, found, unit, read=read) for size in (0.0, *levels)),
        notes=tuple(notes(subject, found, chosen, space, epsilon, flip, climbed, white)),
        assurance=Assurance.SEARCHED,
        picture="curve",
        examples=found.examples,
        influence=chosen.influence(stays),
        incomplete="somebody stopped the attack half-way" if climbed.interrupted else None,
        **counted,
    )


def _unit(subject: Subject) -> str:
    if subject.task == "regression":
        return "share of predictions that no change found within epsilon moves by more than shift"
    if subject.data.has_truth:
        return "share of rows answered right that no change found within epsilon flips"
    return "share of answers that no change found within epsilon flips"


def _row(size: float, chosen: Rows, found: Found, unit: str, *, read: bool) -> Row:
    share = share_of(chosen, chosen.kept(found.nearest, size), unit)
    row: dict[str, Any] = {
        "epsilon": size,
        "value": share.value,
        "low": share.low,
        "high": share.high,
        "n": share.n,
        "flipped": float(np.mean(found.nearest <= size)),
    }
    if read:
        verified = share_of(chosen, chosen.proven(found.lower, size), unit)
        row |= {
            "verified": verified.value,
            "verified_low": verified.low,
            "verified_high": verified.high,
        }
    return row
