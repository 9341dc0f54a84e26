"""Tree ensembles of any library as one set of arrays, checked against the library's own answers."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from trustcheck.search._pipeline import Steps

#: Largest difference of a margin from the library's, relative to the largest leaves, for
#: libraries that add in float32 and in float64.
_TOLERANCE = {np.float32: 2e-5, np.float64: 1e-9}
#: Rows that what was read is checked on.
_ROWS = 2000


class Nodes(NamedTuple):
    """Nodes of one tree or several, flat; a leaf is its own child and tests nothing.

    Attributes
    ----------
    feature : int ndarray, shape (nodes,)
        Encoded column tested; -1 for leaves.
    threshold : ndarray, shape (nodes,)
    left, right : int ndarray, shape (nodes,)
        Children.
    missing_left : bool ndarray, shape (nodes,)
        Where missing values go.
    value : ndarray, shape (nodes, outputs)
        What a leaf adds to the outputs.
    """

    feature: np.ndarray
    threshold: np.ndarray
    left: np.ndarray
    right: np.ndarray
    missing_left: np.ndarray
    value: np.ndarray


@dataclass(frozen=True, eq=False)
class Ensemble:
    """Trees whose leaves add up to one output, or one per class.

    Parameters
    ----------
    nodes : Nodes
        Of all trees.
    roots : int ndarray, shape (trees,)
    base : ndarray, shape (outputs,)
        What is added to the sum of the leaves.
    width : numpy float type
        Values are rounded to it before they are compared.
    strict : bool
        Whether ``x < threshold`` goes left; else ``x <= threshold``.
    missing_is_zero : bool
        Whether a missing value is taken for 0.
    zero : float
        Values of this size, and smaller ones, are taken for 0.
    classes : int
        Number of classes; 0 for a number. Two classes and one output: the second where it is
        above 0. Otherwise the class of the largest output.
    link : {"identity", "log"}
        From the output of a regression back to what it predicts: itself, or its exponential.
    exact : bool
        Whether sums of shares are free of rounding, so that the first class wins a tie.
    tolerance : float
        Outputs (and their differences) closer to a boundary than this are not decided here.
    """

    nodes: Nodes
    roots: np.ndarray
    base: np.ndarray
    width: type[np.floating[Any]]
    strict: bool = False
    missing_is_zero: bool = False
    zero: float = 0.0
    classes: int = 0
    link: str = "identity"
    exact: bool = False
    tolerance: float = 1e-9

    @property
    def leaves(self) -> int:
        """Number of leaves."""
        return int((self.nodes.feature < 0).sum())

    def goes_left(self, values: np.ndarray, nodes: np.ndarray) -> np.ndarray:
        """Whether values of the tested encoded columns go left, entry by entry."""
        with np.errstate(over="ignore"):
            held = np.asarray(values).astype(self.width)
        if self.missing_is_zero:
            held = np.where(np.isnan(held), self.width(0), held)
        if self.zero:
            held = np.where(np.abs(held) <= self.zero, self.width(0), held)
        threshold = self.nodes.threshold[nodes]
        below = held < threshold if self.strict else held <= threshold
        return np.asarray(np.where(np.isnan(held), self.nodes.missing_left[nodes], below))

    def leaves_of(self, matrix: np.ndarray) -> np.ndarray:
        """Return the leaf each row reaches in each tree, shape (n, trees)."""
        at = np.tile(self.roots, (len(matrix), 1))
        rows = np.arange(len(matrix))[:, None]
        while True:
            feature = self.nodes.feature[at]
            if (feature < 0).all():
                return at
            left = self.goes_left(matrix[rows, np.maximum(feature, 0)], at)
            at = np.where(left, self.nodes.left[at], self.nodes.right[at])

    def raw(self, matrix: np.ndarray) -> np.ndarray:
        """Return the outputs for encoded rows, shape (n, outputs)."""
        step = max(1, 4_000_000 // len(self.roots))
        parts = [
            self.nodes.value[self.leaves_of(matrix[start : start + step])].sum(axis=1)
            for start in range(0, len(matrix), step)
        ]
        return self.base + np.concatenate(parts) if parts else np.zeros((0, len(self.base)))

    def codes(self, matrix: np.ndarray) -> np.ndarray:
        """Return the predicted class of encoded rows by its position, shape (n,)."""
        return self.decide(self.raw(matrix))

    def decide(self, raw: np.ndarray) -> np.ndarray:
        """Return the class that outputs stand for, shape (n,)."""
        if self.classes == 1:
            return np.zeros(len(raw), dtype=np.int64)
        if raw.shape[1] == 1:
            return (raw[:, 0] > 0).astype(np.int64)
        return np.asarray(raw.argmax(axis=1))


def read(steps: Steps, native: Any, matrix: np.ndarray) -> Ensemble | str:
    """Read the trees of a fitted estimator, or say in plain words why they cannot be read.

    Read are scikit-learn's decision trees, forests, gradient boosting and histogram gradient
    boosting, XGBoost and LightGBM, for classes and for numbers. Whatever was read is run on the
    given rows: margins must equal the library's own to rounding, and every label must be the
    same, else it is declined.

    Parameters
    ----------
    steps : Steps
        Their ``final`` is the fitted estimator.
    native : table
        Rows as the estimator is given them.
    matrix : ndarray, shape (n, e)
        The same as numbers, n at least 1.

    Returns
    -------
    Ensemble or str
        The reason, if they cannot be read.

    Examples
    --------
    >>> import pandas as pd
    >>> from sklearn.tree import DecisionTreeClassifier
    >>> from trustcheck.search import _pipeline
    >>> frame = pd.DataFrame({"a": [1.0, 2.0, 3.0]})
    >>> steps = _pipeline.read(DecisionTreeClassifier().fit(frame, [0, 1, 1]), frame)
    >>> trees = read(steps, frame, steps.encode(frame))
    >>> trees.leaves, trees.codes(np.array([[1.4], [1.6]])).tolist()
    (2, [0, 1])
    """
    from trustcheck.search import _tree_readers

    final = steps.final
    try:
        found = _tree_readers.read(final)
    except (KeyError, AttributeError, ValueError, TypeError, IndexError) as fault:
        return f"its trees are not stored as expected ({type(fault).__name__})"
    if isinstance(found, str):
        return found
    native, matrix = native[:_ROWS], matrix[:_ROWS]
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # names of columns are no matter here
            raw = np.asarray(_tree_readers.quiet_raw(final, native), dtype=float)
            answers = np.asarray(final.predict(native))
    except Exception as fault:  # noqa: BLE001 - other people's code
        return f"its margins cannot be asked for ({type(fault).__name__})"
    return _verified(found, raw.reshape(len(matrix), -1), answers, final, matrix)


def _verified(
    found: Ensemble, raw: np.ndarray, answers: np.ndarray, final: Any, matrix: np.ndarray
) -> Ensemble | str:
    """Find the constants that are added to the leaves; check margins and answers."""
    if raw.shape[1] != found.nodes.value.shape[1]:
        return "its outputs are not the sums of its trees"
    ours = found.raw(matrix)
    base = np.median(raw - ours, axis=0)
    size = float(np.abs(found.nodes.value).max(initial=0.0)) * np.sqrt(len(found.roots))
    size = max(size, float(np.abs(raw).max(initial=0.0)))
    slack = _TOLERANCE[np.float32 if found.width is np.float32 and found.strict else np.float64]
    found = replace(found, base=found.base + base, tolerance=slack * max(size, 1e-12))
    if not (np.abs(found.raw(matrix) - raw) <= found.tolerance).all():
        return "its outputs are not the sums of its trees"
    if found.classes:
        places = np.searchsorted(final.classes_, answers)
        sure = margin_gap(found.raw(matrix)) > 2 * found.tolerance
        if not (found.codes(matrix) == places)[sure].all():
            return "its labels are not those of the largest output"
    else:
        mean = found.raw(matrix)[:, 0]
        mean = np.exp(mean) if found.link == "log" else mean
        close = (
            np.abs(mean - answers)
            <= 1e-5 * np.maximum(np.abs(answers), found.tolerance) + size * 1e-5
        )
        if not close.all():
            return "its predictions are not those of its trees"
    return found


def margin_gap(raw: np.ndarray) -> np.ndarray:
    """Return how clearly outputs decide: the lead of the largest, or the distance from 0."""
    if raw.shape[1] == 1:
        return np.asarray(np.abs(raw[:, 0]))
    top = np.partition(raw, -2, axis=1)
    return np.asarray(top[:, -1] - top[:, -2])
