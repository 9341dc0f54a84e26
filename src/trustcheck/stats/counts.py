"""One count table (group x label x prediction), and rates as formulas on it.

Every count-based metric is a share of two sets of cells: those that count and those among which
they are counted. Weights and rows that belong together enter through the effective sample size
of each share, so that the closed-form intervals for proportions apply (Korn & Graubard 1998).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, slots=True)
class CountTable:
    """Rows counted by group, label and prediction.

    Parameters
    ----------
    rows, weight, squared : ndarray, shape (groups, labels, predictions)
        Number of rows, sum of weights and sum of squared weights in each cell.
    clusters : tuple of arrays or None
        ``(cluster, cell, weight)`` of the non-empty (cluster, cell) pairs, cells raveled.
    """

    rows: np.ndarray
    weight: np.ndarray
    squared: np.ndarray
    clusters: tuple[np.ndarray, np.ndarray, np.ndarray] | None = None

    def share(
        self, numerator: np.ndarray, denominator: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return each group's share, as (effective successes, effective size).

        Parameters
        ----------
        numerator, denominator : bool arrays, shape (labels, predictions)
            Cells that count, and cells among which they are counted.

        Returns
        -------
        successes, size : float arrays, shape (groups,)
            ``successes / size`` is the share; ``size`` is the number of rows for equal weights
            and 0 for a group without any row in the denominator.

        Examples
        --------
        >>> table = count(
        ...     np.array([0, 0, 1, 1]), np.array([0, 1, 1, 1]), np.array([0, 1, 0, 1]), (2, 2, 2)
        ... )
        >>> predicted = np.array([[False, True], [False, True]])
        >>> table.share(predicted, np.ones((2, 2), bool))
        (array([1., 1.]), array([2., 2.]))
        """
        hit = numerator & denominator
        size = self.weight[:, denominator].sum(axis=1)
        got = self.weight[:, hit].sum(axis=1)
        with np.errstate(invalid="ignore", divide="ignore"):
            share = np.where(size > 0, got / size, 0.0)
            kish = np.where(size > 0, size**2 / self.squared[:, denominator].sum(axis=1), 0.0)
        if self.clusters is None:
            hit_2 = self.squared[:, hit].sum(axis=1)
            miss_2 = self.squared[:, denominator & ~numerator].sum(axis=1)
            variance = (1 - share) ** 2 * hit_2 + share**2 * miss_2
        else:
            variance, kish = self._clustered(hit, denominator, share)
        rows = self.rows[:, denominator].sum(axis=1)
        spread = share * (1 - share) * size**2
        with np.errstate(invalid="ignore", divide="ignore"):
            # Residuals of one cluster, or of clusters in balance, add up to 0 but for rounding.
            n = np.where(variance * rows > 1e-12 * spread, spread / variance, kish)
        if self.clusters is not None:
            n = np.minimum(n, rows)
        elif np.array_equal(self.weight, self.rows):
            n = rows.astype(float)  # exact, not up to rounding
        return share * n, n

    def replicates(
        self, draws: int, rng: np.random.Generator, *, smooth: bool = False
    ) -> np.ndarray:
        """Return what resampled data would hold in each cell.

        Parameters
        ----------
        draws : int
            How many replicates.
        rng : numpy.random.Generator
            Source of randomness.
        smooth : bool
            Draw the shares of cells from their posterior under Jeffreys' prior in place of
            resampling: empty cells are then no longer sure to stay empty.

        Returns
        -------
        float array, shape (draws, groups, labels, predictions)
            Sums of weights. Resampled rows without weights are exactly one multinomial draw of
            the cells; weights enter by the mean and variance of their resampled sums, and rows
            that belong together are resampled together.

        References
        ----------
        Efron (1979), Bootstrap methods: another look at the jackknife; Rubin (1981), The Bayesian
        bootstrap; Field and Welsh (2007), Bootstrapping clustered data.

        Examples
        --------
        >>> table = count(
        ...     np.array([0, 0, 1, 1]), np.array([0, 1, 1, 1]), np.array([0, 1, 0, 1]), (2, 2, 2)
        ... )
        >>> drawn = table.replicates(3, np.random.default_rng(0))
        >>> drawn.shape, drawn.sum(axis=(1, 2, 3))
        ((3, 2, 2, 2), array([4., 4., 4.]))
        """
        weight, squared = self.weight.ravel(), self.squared.ravel()
        if self.clusters is not None:
            drawn = _resampled(self.clusters, weight.size, draws, rng, smooth)
        elif smooth:
            parameter = weight**2 / np.where(squared > 0, squared, 1.0) + 0.5
            usual = squared.sum() / weight.sum() if weight.any() else 1.0
            scale = np.where(weight > 0, squared / np.where(weight > 0, weight, 1.0), usual)
            drawn = rng.gamma(parameter, size=(draws, weight.size)) * scale
        elif np.array_equal(self.weight, self.rows):
            total = int(self.rows.sum())
            drawn = rng.multinomial(total, weight / max(total, 1), size=draws).astype(float)
        else:
            some = weight > 0
            drawn = np.zeros((draws, weight.size))
            scale = squared[some] / weight[some]
            drawn[:, some] = rng.gamma(weight[some] / scale, size=(draws, some.sum())) * scale
        return drawn.reshape(draws, *self.weight.shape)

    def _clustered(
        self, hit: np.ndarray, denominator: np.ndarray, share: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return the cluster-robust sum of squares and the effective number of clusters."""
        assert self.clusters is not None
        cluster, cell, weight = self.clusters
        group, inner = np.divmod(cell, hit.size)
        inside = denominator.ravel()[inner]
        cluster, group, inner, weight = (a[inside] for a in (cluster, group, inner, weight))
        groups = len(share)
        pair, index = np.unique(cluster * groups + group, return_inverse=True)
        residual = np.bincount(index, weight * (hit.ravel()[inner] - share[group]), len(pair))
        total = np.bincount(index, weight, len(pair))
        owner = pair % groups
        sums = np.bincount(owner, total, groups)
        with np.errstate(invalid="ignore", divide="ignore"):
            kish = np.where(sums > 0, sums**2 / np.bincount(owner, total**2, groups), 0.0)
        return np.bincount(owner, residual**2, groups), kish


def shares(cells: np.ndarray, numerator: np.ndarray, denominator: np.ndarray) -> np.ndarray:
    """Return the share of some cells among others, in replicates or elsewhere.

    Parameters
    ----------
    cells : float array, shape (..., labels, predictions)
        Rows or weights.
    numerator, denominator : bool arrays, shape (labels, predictions)
        Cells that count, and cells among which they are counted.

    Returns
    -------
    float array, shape (...)
        Inside [0, 1]; nan where nothing is in the denominator.

    Examples
    --------
    >>> predicted = np.array([[False, True], [False, True]])
    >>> shares(np.array([[[3.0, 1.0], [0.0, 4.0]]]), predicted, np.ones((2, 2), bool))
    array([0.625])
    """
    flat = cells.reshape(*cells.shape[:-2], -1)
    masks = np.stack([numerator & denominator, denominator]).reshape(2, -1).T.astype(float)
    got = flat @ masks
    with np.errstate(invalid="ignore"):
        return np.asarray(got[..., 0] / np.where(got[..., 1] > 0, got[..., 1], np.nan))


def _resampled(
    clusters: tuple[np.ndarray, np.ndarray, np.ndarray],
    cells: int,
    draws: int,
    rng: np.random.Generator,
    smooth: bool,
) -> np.ndarray:
    """Return sums of the cells, shape (draws, cells), of clusters drawn with replacement."""
    from scipy import sparse  # slow to load

    names, place = np.unique(clusters[0], return_inverse=True)
    many = len(names)
    held = sparse.csr_array((clusters[2], (place, clusters[1])), shape=(many, cells))
    drawn = np.empty((draws, cells))
    step = max(1, 2_000_000 // max(many, 1))
    for start in range(0, draws, step):
        size = min(step, draws - start)
        if smooth:
            times = rng.exponential(size=(size, many))
        else:
            times = rng.multinomial(many, np.full(many, 1 / many), size=size).astype(float)
        drawn[start : start + size] = (held.T @ times.T).T
    return drawn


def count(
    group: np.ndarray,
    label: np.ndarray,
    prediction: np.ndarray,
    shape: tuple[int, int, int],
    *,
    weight: np.ndarray | None = None,
    cluster: np.ndarray | None = None,
) -> CountTable:
    """Count rows into a table of the given shape; codes are integers from 0.

    Parameters
    ----------
    group, label, prediction : int arrays, shape (n,)
        Codes.
    weight : float array, shape (n,), optional
        At least 0.
    cluster : int array, shape (n,), optional
        Code of the unit a row belongs to.
    """
    key = (group.astype(np.int64) * shape[1] + label) * shape[2] + prediction
    cells = int(np.prod(shape))
    rows = np.bincount(key, minlength=cells)
    total = rows.astype(float) if weight is None else np.bincount(key, weight, cells)
    squared = total if weight is None else np.bincount(key, weight**2, cells)
    pairs = None
    if cluster is not None:
        pair, index = np.unique(cluster.astype(np.int64) * cells + key, return_inverse=True)
        sums = np.bincount(index, weight, len(pair)) if weight is not None else np.bincount(index)
        pairs = (pair // cells, pair % cells, sums.astype(float))
    return CountTable(rows.reshape(shape), total.reshape(shape), squared.reshape(shape), pairs)
