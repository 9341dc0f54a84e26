"""Attacks of the Adversarial Robustness Toolbox by name, on the encoded matrix, with our count."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

import numpy as np

from trustcheck.search._attack import FLIPPED

if TYPE_CHECKING:
    from trustcheck.search._attack import Search
    from trustcheck.search._space import Space

#: What can be asked for, and whether it follows the gradients of a PyTorch module.
NAMES = {
    "HopSkipJump": False,
    "BoundaryAttack": False,
    "ZooAttack": False,
    "ProjectedGradientDescent": True,
}
#: Gradient attack: steps, and parts of the radius at which it is tried.
GRADIENT_STEPS, RADII = 20, (1.0, 0.6, 0.3)


class Encoding:
    """Points as one float matrix: numbers in robust scales, categories as one-hot blocks.

    A change of category is as long in this matrix (L2) as the space says.

    Parameters
    ----------
    space : Space
    """

    def __init__(self, space: Space) -> None:
        self.space = space
        counts = [
            max(len(f.levels), 1) if c else 1
            for f, c in zip(space.features, space.categorical, strict=True)
        ]
        self.ends = np.cumsum(counts)
        self.starts = self.ends - counts
        self.height = space.category / np.sqrt(2)

    def encode(self, points: np.ndarray) -> np.ndarray:
        """Return points, shape (q, d), as a matrix, shape (q, e); missing cells as 0."""
        matrix = np.zeros((len(points), int(self.ends[-1])))
        for j, (start, end) in enumerate(zip(self.starts, self.ends, strict=True)):
            column = points[:, j]
            if self.space.categorical[j]:
                block = column[:, None] == np.arange(end - start)
                matrix[:, start:end] = self.height * block
            else:
                matrix[:, start] = np.nan_to_num(column) / self.space.scale[j]
        return matrix

    def decode(self, rows: np.ndarray, matrix: np.ndarray) -> np.ndarray:
        """Return the nearest valid points, shape (q, d)."""
        own = self.space.own[rows]
        points = own.copy()
        for j, (start, end) in enumerate(zip(self.starts, self.ends, strict=True)):
            if self.space.categorical[j]:
                level = matrix[:, start:end].argmax(axis=1)
                points[:, j] = np.where(own[:, j] < 0, own[:, j], level)
            else:
                moved = matrix[:, start] * self.space.scale[j]
                # What comes back as it went is the row's own number, not a neighbour of it.
                same = np.isclose(moved, own[:, j], rtol=1e-9, atol=0)
                points[:, j] = np.where(same, own[:, j], moved)
        return self.space.snap(rows, points)

    def box(self, row: int) -> tuple[np.ndarray, np.ndarray]:
        """Return the ends of the matrix around a row."""
        space, e = self.space, int(self.ends[-1])
        low, high = np.zeros(e), np.full(e, self.height)
        for j in np.flatnonzero(~space.categorical):
            free, own = space.free[row, j], np.nan_to_num(space.own[row, j])
            span = 50 * space.scale[j]
            ends = (max(space.low[row, j], own - span), min(space.high[row, j], own + span))
            low[self.starts[j]], high[self.starts[j]] = np.array(
                ends if free else (own, own)
            ) / space.scale[j] + [-1e-9, 1e-9]
        return low, high


class _SpentError(Exception):
    """No query is left for this row."""


def run(
    search: Search,
    rows: np.ndarray,
    name: str,
    donors: np.ndarray,
    rng: np.random.Generator,
    *,
    graded: bool,
) -> None:
    """Run one of ART's query attacks on rows, one by one, until their queries are used.

    Parameters
    ----------
    search : Search
        Filled in place: every valid point asked about counts, as in our own attack.
    rows : int ndarray
    name : str
        One of ``NAMES``.
    donors : ndarray, shape (m, k, d)
        Where decision-based attacks start.
    rng : numpy Generator
    graded : bool
        Whether the margins say more than their sign.
    """
    from art.attacks import evasion
    from art.estimators.classification import BlackBoxClassifier

    encoding = Encoding(search.space)
    for row in rows:
        predict = _asked(search, encoding, int(row), graded=graded)
        own = encoding.encode(search.space.own[[row]]).astype(np.float64)
        with _quiet(rng), suppress(_SpentError):
            model = BlackBoxClassifier(
                predict, own.shape[1:], 2, clip_values=encoding.box(int(row))
            )
            start = _start(search, encoding, int(row), donors[row])
            if name == "HopSkipJump":
                norm = 2 if search.space.norm == "l2" else np.inf
                attack: Any = evasion.HopSkipJump(model, norm=norm, verbose=False)
                attack.generate(own, x_adv_init=start)
            elif name == "BoundaryAttack":
                evasion.BoundaryAttack(model, targeted=False, verbose=False).generate(
                    own, x_adv_init=start
                )
            else:
                # Its other settings are for pictures.
                evasion.ZooAttack(
                    model, use_resize=False, use_importance=False, verbose=False,
                    nb_parallel=min(own.shape[1], 128),
                ).generate(own)  # fmt: skip


def _asked(
    search: Search, encoding: Encoding, row: int, *, graded: bool
) -> Callable[[np.ndarray], np.ndarray]:
    def predict(matrix: np.ndarray) -> np.ndarray:
        if search.left[row] <= 0:
            raise _SpentError
        at = np.full(len(matrix), row)
        points = encoding.decode(at, np.asarray(matrix, dtype=float))
        margins = search.margins(at, points)
        kept = np.where(margins < FLIPPED, 0.0, 1.0)
        if graded:
            kept = 1 / (1 + np.exp(-np.clip(margins, -30, 30)))
        return np.column_stack([kept, 1 - kept])

    return predict


def _start(search: Search, encoding: Encoding, row: int, donors: np.ndarray) -> np.ndarray | None:
    """Return the nearest donor that flips the row; ART looks for one at random if there is none."""
    if search.distance[row] < np.inf:
        return encoding.encode(search.best[[row]])
    for donor in donors:
        if search.left[row] > 0 and search.margins(np.array([row]), donor[None])[0] < FLIPPED:
            return encoding.encode(donor[None])
    return None


@contextmanager
def _quiet(rng: np.random.Generator) -> Iterator[None]:
    """ART draws from numpy's global stream, and warns of what does not matter here."""
    before = np.random.get_state()  # noqa: NPY002
    np.random.seed(int(rng.integers(2**32)))  # noqa: NPY002
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        np.random.set_state(before)  # noqa: NPY002


def gradients(
    search: Search, rows: np.ndarray, module: Any, epsilon: float, rng: np.random.Generator
) -> int:
    """Follow a PyTorch module's gradients (ART's projected gradient descent) within a radius.

    Returns the number of gradients taken per row; they count as queries.

    Parameters
    ----------
    module : torch.nn.Module
        Over all columns of the frame, in order; logits, or probabilities.
    epsilon : float
        The radius.
    """
    import torch
    from art.attacks.evasion import ProjectedGradientDescent
    from art.estimators.classification import PyTorchClassifier

    space = search.space
    frame = space.frame.iloc[rows]
    names = [str(name) for name in frame.columns]
    if set(space.columns) - set(space.names) or space.categorical.any():
        return 0
    place = [names.index(name) for name in space.names]
    scale = np.ones(len(names))
    scale[place] = space.scale
    scaler = torch.tensor(scale, dtype=torch.float32)

    class Scaled(torch.nn.Module):  # type: ignore[misc]
        def forward(self, x: Any) -> Any:
            out = module(x * scaler)
            share = bool((out >= 0).all()) and bool(((out.sum(1) - 1).abs() < 1e-4).all())
            return torch.log(out + 1e-12) if share else out

    own = frame.to_numpy(dtype=np.float32) / scale.astype(np.float32)
    training, taken = module.training, 0
    module.eval()
    with _quiet(rng):
        torch.manual_seed(int(rng.integers(2**31)))
        with torch.no_grad():
            classes = int(Scaled()(torch.from_numpy(own[:1])).shape[1])
        model = PyTorchClassifier(Scaled(), torch.nn.CrossEntropyLoss(), own.shape[1:], classes,
                                  device_type="cpu")  # fmt: skip
        mask = np.isin(np.arange(len(names)), place).astype(np.float32)
        for part in RADII:
            radius = part * epsilon
            attack = ProjectedGradientDescent(
                model, norm=np.inf if space.norm == "linf" else 2, eps=radius, verbose=False,
                eps_step=radius / 6, max_iter=GRADIENT_STEPS, num_random_init=0,
            )  # fmt: skip
            if (search.left[rows] <= GRADIENT_STEPS + 1).any():
                break
            found = attack.generate(own, mask=np.tile(mask, (len(own), 1)))
            search.used[rows] += GRADIENT_STEPS
            taken += GRADIENT_STEPS
            points = found[:, place].astype(float) * space.scale
            points = np.where(np.abs(found - own)[:, place] > 0, points, space.own[rows])
            search.margins(rows, space.pull(rows, points, np.full(len(rows), radius)))
    module.train(training)
    return taken
