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
        with np.errstate(invalid="ignore", divide="ignore"):
            n = np.where(variance > 0, share * (1 - share) * size**2 / variance, kish)
        rows = self.rows[:, denominator].sum(axis=1)
        if self.clusters is None and np.array_equal(self.weight, self.rows):
            n = rows.astype(float)  # exact, not up to rounding
        return share * n, n

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
