import numpy as np
import pytest

from trustcheck.stats import counts

PREDICTED = np.array([[False, True], [False, True]])
EVERYWHERE, POSITIVE = np.ones((2, 2), bool), np.array([[False, False], [True, True]])


def rows(n, seed=0):
    rng = np.random.default_rng(seed)
    group = rng.choice(3, n, p=[0.6, 0.3, 0.1])
    label = (rng.random(n) < 0.3).astype(int)
    return group, label, np.where(rng.random(n) < 0.8, label, 1 - label)


def bootstrapped(codes, weight, units, draws, seed):
    """Rows (or whole units) drawn with replacement, counted afresh each time."""
    rng, key = np.random.default_rng(seed), (codes[0] * 2 + codes[1]) * 2 + codes[2]
    names = np.unique(units)
    held = np.zeros((len(names), 12))
    np.add.at(held, (np.searchsorted(names, units), key), weight)
    drawn = rng.integers(0, len(names), (draws, len(names)))
    return np.stack([held[one].sum(axis=0) for one in drawn]).reshape(draws, 3, 2, 2)


@pytest.mark.parametrize("kind", ["plain", "weighted", "clustered"])
def test_replicates_are_distributed_like_a_row_bootstrap(kind):
    n, rng = 900, np.random.default_rng(1)
    codes = rows(n)
    weight = rng.gamma(2.0, size=n) if kind == "weighted" else np.ones(n)
    units = np.arange(n)
    more = {"weight": weight} if kind == "weighted" else {}
    if kind == "clustered":
        units = np.repeat(np.arange(n // 3), 3)
        codes = tuple(np.repeat(code[: n // 3], 3) for code in codes)  # whole clusters alike
        more = {"cluster": units}
    table = counts.count(*codes, (3, 2, 2), **more)
    ours = table.replicates(4000, np.random.default_rng(2))
    theirs = bootstrapped(codes, weight, units, 4000, 3)
    for cells in ((PREDICTED, EVERYWHERE), (PREDICTED, POSITIVE)):
        a, b = (counts.shares(drawn, *cells) for drawn in (ours, theirs))
        for quantile in (0.025, 0.5, 0.975):
            left, right = (np.nanquantile(x, quantile, axis=0) for x in (a, b))
            assert (np.abs(left - right) <= 0.25 * np.nanstd(b, axis=0)).all()
        np.testing.assert_allclose(np.nanstd(a, axis=0), np.nanstd(b, axis=0), rtol=0.1)
        gap = [np.nanmax(x, axis=1) - np.nanmin(x, axis=1) for x in (a, b)]
        assert np.mean(gap[0]) == pytest.approx(np.mean(gap[1]), rel=0.05)


def test_clusters_of_one_mind_widen_replicates_by_the_root_of_their_size():
    codes = tuple(np.repeat(code, 4) for code in rows(500))
    units = np.repeat(np.arange(500), 4)
    apart = counts.count(*codes, (3, 2, 2)).replicates(2000, np.random.default_rng(0))
    together = counts.count(*codes, (3, 2, 2), cluster=units)
    for smooth in (False, True):
        drawn = together.replicates(2000, np.random.default_rng(0), smooth=smooth)
        spread = [counts.shares(x, PREDICTED, EVERYWHERE).std(axis=0) for x in (drawn, apart)]
        np.testing.assert_allclose(spread[0] / spread[1], 2, rtol=0.1)


def test_smooth_replicates_are_jeffreys_posterior_and_leave_no_cell_empty():
    from scipy import stats

    group, label = np.zeros(20, int), np.zeros(20, int)
    table = counts.count(group, label, label, (1, 1, 2))
    assert (table.replicates(50, np.random.default_rng(0))[..., 1] == 0).all()
    drawn = table.replicates(20_000, np.random.default_rng(0), smooth=True)
    share = counts.shares(drawn, np.array([[False, True]]), np.array([[True, True]]))[:, 0]
    for q in (0.025, 0.5, 0.975):
        assert np.quantile(share, q) == pytest.approx(stats.beta.ppf(q, 0.5, 20.5), rel=0.15)


def test_replicates_of_nothing_and_shares_among_nothing():
    none = np.zeros(0, int)
    table = counts.count(none, none, none, (2, 2, 2))
    for smooth in (False, True):
        drawn = table.replicates(3, np.random.default_rng(0), smooth=smooth)
        assert drawn.shape == (3, 2, 2, 2)
    assert np.isnan(counts.shares(table.weight, PREDICTED, EVERYWHERE)).all()
