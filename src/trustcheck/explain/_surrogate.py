"""How simple is the model's behaviour: does a small tree give the same answers?"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from trustcheck.probe import Want, probe
from trustcheck.stats import intervals, skill
from trustcheck.subject._encode import encode
from trustcheck.types import Better, Estimate, InputError, Measurement, NotMeasurable, Row

if TYPE_CHECKING:
    from trustcheck.subject import Feature, Subject
    from trustcheck.subject._side import Side

#: Cuts of a number and levels of a category the tree may use, rows it is grown on, fewest rows.
CUTS, LEVELS, MOST_ROWS, FEWEST = 31, 20, 20_000, 40
UNIT = "share of the model's answers a small tree gives too, beyond chance"


def _wants(subject: Subject, *, depth: int = 3) -> Iterable[Want]:
    del depth
    yield Want("predictions")
    if "reference" in subject.offers():
        yield Want("predictions", "reference")


@probe(
    title="Simple stand-in",
    question="Does a small decision tree give the answers the model gives?",
    headline="fidelity",
    unit=UNIT,
    better="high",
    keys=("transparency.clarity",),
    clauses=("9.3",),
    needs=("features", "model", "predictions"),
    wants=_wants,
    cost="none beyond the shared pass over data and reference",
)
def surrogate(subject: Subject, rng: np.random.Generator, *, depth: int = 3) -> Measurement:
    """Grow a small tree on the model's answers and see how often it gives them on other rows.

    A global surrogate (Craven & Shavlik 1996). Where it is faithful its rules say what the model
    does; where it is not, no short set of rules does, and explanations have to be made row by row.

    Parameters
    ----------
    subject : Subject
        The tree is grown on the reference, or on one half of the given rows if there is none.
    depth : int
        Questions asked of a row at most, 1 to 6.

    Returns
    -------
    Finding
        Headline ``fidelity``: for classes, the mean over the model's classes of how often the tree
        gives them too, rescaled so that a constant answer has 0; for numbers, the share of their
        variance. Further metric ``agreement`` (classes): the plain share. One detail row per rule,
        the most frequent first.

    Raises
    ------
    InputError
        If ``depth`` is out of range.

    Examples
    --------
    >>> import trustcheck as tc
    >>> X = np.random.default_rng(0).normal(size=(2000, 3))
    >>> def model(X):
    ...     return ((X[:, 0] > 0) & (X[:, 1] > 0)).astype(int)
    >>> finding = surrogate(tc.Subject(model, X, model(X)))
    >>> finding.value > 0.9, len(finding.rows)
    (True, 3)
    """
    if depth not in range(1, 7):
        raise InputError("depth must be a whole number from 1 to 6")
    (learn, known), (tried, held) = _split(subject, rng)
    if min(len(known), len(held)) < FEWEST:
        raise NotMeasurable(f"a tree needs rows to grow on; give at least {2 * FEWEST}")
    codebook = Codebook.of(subject, learn, known)
    tree, answers = _grow(subject, codebook.codes(learn, known), learn.predictions[known], depth)
    table, wanted = codebook.codes(tried, held), tried.predictions[held]
    answered = tree.predict(table)
    rules = dict(_rules(tree.tree_, codebook))
    # A row obeys the first of its nodes that is a rule.
    path = tree.decision_path(table)
    leaf = np.array(
        [
            next(node for node in path.indices[a:b] if node in rules)
            for a, b in pairwise(path.indptr)
        ]
    )
    common: dict[str, Any] = {"n": len(held), "better": Better.HIGH}
    influence = np.zeros(subject.n)
    if subject.task == "regression":
        spread = wanted - answers.mean()
        if not spread.any():
            raise NotMeasurable(
                "the model gives one answer to all rows, so there is nothing to imitate"
            )
        found = skill.squared_skill(wanted - answered, spread)
        unit = "share of the variance of the model's answers"
        metrics = {"fidelity": Estimate(*found, unit=unit, range=(None, 1.0), **common)}
        rows = _leaves(rules, leaf, wanted, (wanted - answered) ** 2, regression=True)
        return Measurement(metrics, rows=tuple(rows), notes=(_grown(subject),))
    hit = answered == wanted
    classes = np.arange(len(subject.classes))
    sizes = np.bincount(wanted, minlength=len(classes))
    hits = np.bincount(wanted[hit], minlength=len(classes))
    k = int((sizes > 0).sum())
    if k < 2:
        raise NotMeasurable(
            "the model gives one answer to all rows, so there is nothing to imitate"
        )
    statistics = {"successes": hits.tolist(), "n": sizes.tolist()}
    found = skill.balanced_skill(**statistics)
    recall = hits / np.maximum(sizes, 1)
    influence[held] = (hit - recall[wanted]) * len(held) / sizes[wanted] / (k - 1)
    influence *= subject.n / len(held)
    metrics = {
        "fidelity": Estimate(*found, unit=UNIT, range=(-1 / (k - 1), 1.0), **common),
        "agreement": Estimate(
            *intervals.wilson(hit.sum(), len(hit)),
            unit="share of rows on which both give one answer", range=(0.0, 1.0), **common,
        ),
    }  # fmt: skip
    return Measurement(
        metrics,
        rows=tuple(_leaves(rules, leaf, answered, hit, names=subject.classes)),
        statistics=statistics,
        formula="skill.balanced_skill",
        notes=(_grown(subject),),
        influence=influence,
    )


@dataclass(frozen=True)
class Codebook:
    """Columns a tree can ask about: numbers by their quantile, levels one by one.

    Cuts are reference quantiles and levels go by their printable names, so that no rule gives away
    a row's own value.
    """

    subject: Subject
    cuts: dict[int, np.ndarray]
    levels: list[tuple[int, int]]
    gappy: np.ndarray

    @classmethod
    def of(cls, subject: Subject, side: Side, rows: np.ndarray) -> Codebook:
        """Choose cuts and levels by the rows the tree is grown on."""
        table = encode(side.X.iloc[rows], subject.schema)
        cuts: dict[int, np.ndarray] = {}
        levels: list[tuple[int, int]] = []
        for j, categorical in enumerate(table.categorical):
            known = table.matrix[~np.isnan(table.matrix[:, j]), j]
            if categorical:
                held = np.unique(known[known < LEVELS]).astype(int)
                levels += [(j, int(code)) for code in held]
            elif len(known):
                inner = np.linspace(0, 1, CUTS + 2)[1:-1]
                cuts[j] = np.unique(np.quantile(known, inner, method="inverted_cdf"))
        if not cuts and not levels:
            raise NotMeasurable("no column holds numbers or levels a rule could be about")
        return cls(subject, cuts, levels, np.isnan(table.matrix).any(axis=0))

    def codes(self, side: Side, rows: np.ndarray) -> np.ndarray:
        """Return rows as the tree sees them, shape (rows, numbers + levels)."""
        matrix = encode(side.X.iloc[rows], self.subject.schema).matrix
        columns = []
        for j, cuts in self.cuts.items():
            place = np.searchsorted(cuts, matrix[:, j]).astype(float)
            columns.append(np.where(np.isnan(matrix[:, j]), np.nan, place))
        columns += [(matrix[:, j] == code).astype(float) for j, code in self.levels]
        return np.column_stack(columns)

    def condition(self, column: int, threshold: float, *, below: bool, missing: bool) -> str:
        """Say in words which side of a question a row is on."""
        features = [f for f in self._features() if f.kind != "text"]
        if column >= len(self.cuts):
            j, code = self.levels[column - len(self.cuts)]
            name = self.subject.printable_level(features[j].name, features[j].levels[code])
            return f"{features[j].name} is {'not ' if below else ''}{name}"
        j, cuts = list(self.cuts.items())[column]
        if np.isinf(threshold):  # the tree parts the rows that have a value from those without
            return f"{features[j].name} is {'missing' if missing else 'known'}"
        said = f"{features[j].name} {'≤' if below else '>'} {cuts[int(threshold)]:.4g}"
        return f"{said} or missing" if missing and self.gappy[j] else said

    def _features(self) -> list[Feature]:
        return [self.subject.schema[str(name)] for name in self.subject.features]


def _split(subject: Subject, rng: np.random.Generator) -> tuple[tuple[Side, np.ndarray], ...]:
    """Return rows to grow on and rows to try on, the second all given."""
    if "reference" in subject.offers():
        learn = subject.reference_sample
        return (learn, learn.sample(MOST_ROWS, rng)), (
            subject.data, subject.sample(subject.n, rng),
        )  # fmt: skip
    order = subject.sample(subject.n, rng)
    half = min(len(order) // 2, MOST_ROWS)
    return (subject.data, order[:half]), (subject.data, order[half:])


def _grow(
    subject: Subject, table: np.ndarray, answers: np.ndarray, depth: int
) -> tuple[Any, np.ndarray]:
    from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

    least = max(5, len(table) // 100)
    with subject.fitting():
        if subject.task == "regression":
            tree: Any = DecisionTreeRegressor(
                max_depth=depth, min_samples_leaf=least, random_state=0
            )
        else:
            tree = DecisionTreeClassifier(
                max_depth=depth, min_samples_leaf=least, class_weight="balanced", random_state=0
            )
        return tree.fit(table, answers), answers


def _rules(tree: Any, codebook: Codebook) -> Iterator[tuple[int, str]]:
    """Yield each rule with its conditions: nodes below which the tree has one answer only."""
    waiting: list[tuple[int, tuple[str, ...]]] = [(0, ())]
    while waiting:
        node, said = waiting.pop()
        left, right = int(tree.children_left[node]), int(tree.children_right[node])
        if len(_answers(tree, node)) == 1:
            yield node, " and ".join(said) or "always"
            continue
        column, threshold = int(tree.feature[node]), float(tree.threshold[node])
        goes_left = bool(tree.missing_go_to_left[node])
        for child, below in ((left, True), (right, False)):
            words = codebook.condition(column, threshold, below=below, missing=below == goes_left)
            waiting.append((child, (*said, words)))


def _answers(tree: Any, node: int) -> set[float]:
    """Return the different answers the tree gives below a node."""
    left, right = int(tree.children_left[node]), int(tree.children_right[node])
    if left >= 0:
        return _answers(tree, left) | _answers(tree, right)
    value = tree.value[node]
    return {float(value.argmax() if value.size > 1 else value.item())}


def _leaves(
    rules: dict[int, str],
    leaf: np.ndarray,
    answered: np.ndarray,
    score: np.ndarray,
    *,
    names: tuple[Any, ...] = (),
    regression: bool = False,
) -> list[Row]:
    """Return a row per rule: how many rows it holds, its answer, how well it imitates."""
    rows: list[Row] = []
    for node, rule in rules.items():
        inside = leaf == node
        n = int(inside.sum())
        if not n:
            continue
        row: dict[str, Any] = {"rule": rule, "n": n, "share": n / len(leaf)}
        if regression:
            row |= {
                "answer": float(f"{answered[inside].mean():.4g}"),
                "off_by": float(f"{np.sqrt(score[inside].mean()):.4g}"),
            }
        else:
            same = intervals.wilson(score[inside].sum(), n)
            answer = str(names[int(answered[inside][0])])
            row |= {"answer": answer, "agreement": same.value, "low": same.low, "high": same.high}
        rows.append(row)
    return sorted(rows, key=lambda row: (-int(row["n"] or 0), str(row["rule"])))


def _grown(subject: Subject) -> str:
    where = "the reference" if "reference" in subject.offers() else "one half of the given rows"
    return (
        f"The tree was grown on the model's answers to {where}. Its rules describe the model only as"
        " far as it is faithful, and say nothing of why."
    )
