import numpy as np
import pytest
from sklearn import metrics

from trustcheck.stats import confusion


@pytest.mark.parametrize("k", [2, 3, 6])
def test_values_are_those_of_scikit_learn(k):
    rng = np.random.default_rng(k)
    y = rng.integers(0, k, 400)
    p = np.where(rng.random(400) < 0.6, y, rng.integers(0, k, 400))
    table = metrics.confusion_matrix(y, p)
    assert confusion.matthews(table) == pytest.approx(metrics.matthews_corrcoef(y, p), abs=1e-12)
    assert confusion.kappa(table) == pytest.approx(metrics.cohen_kappa_score(y, p), abs=1e-12)
    f1 = metrics.f1_score(y, p, average="macro")
    assert confusion.macro_f1(table) == pytest.approx(f1, abs=1e-12)


def test_tables_without_spread_are_worth_nothing():
    assert confusion.matthews([[50, 0], [50, 0]]) == 0
    assert confusion.kappa([[50, 0], [0, 0]]) == 0


@pytest.mark.parametrize(
    ("n", "right", "base"), [(30, 0.99, 0.5), (100, 0.8, 0.1), (400, 0.95, 0.3)]
)
def test_intervals_of_tables_cover_in_about_95_of_100_worlds(n, right, base):
    rng = np.random.default_rng(n)
    truth = np.array(
        [(1 - base) * right, (1 - base) * (1 - right), base * (1 - right), base * right]
    )
    for statistic in (confusion.matthews, confusion.kappa, confusion.macro_f1):
        target, covered = float(statistic(truth.reshape(2, 2))), 0
        for _ in range(120):
            cell = rng.choice(4, size=n, p=truth)
            got = confusion.of_table(statistic, cell // 2, cell % 2, 2)
            covered += got.low <= target <= got.high
        assert covered >= 106  # of 120; below this with 95 % coverage: 1 in 500


def test_f1_covers_and_a_perfect_answer_keeps_a_width():
    assert confusion.f1(50, 50).low < 0.97
    assert confusion.of_table(confusion.matthews, [0, 1] * 50, [0, 1] * 50, 2).low < 0.97
    rng, covered = np.random.default_rng(0), 0
    for both in rng.binomial(60, 0.7, 400):  # rows that are or are called positive: 60
        got = confusion.f1(both, 60)
        covered += got.low <= 2 * 0.7 / 1.7 <= got.high
    assert covered >= 368


def test_clusters_widen_the_interval_as_if_rows_were_fewer():
    rng = np.random.default_rng(1)
    y, p = rng.integers(0, 2, (2, 200))
    alone = confusion.of_table(confusion.matthews, y, p, 2)
    tripled = (np.repeat(a, 3) for a in (y, p))
    together = confusion.of_table(
        confusion.matthews, *tripled, 2, clusters=np.repeat(np.arange(200), 3)
    )
    assert together.value == pytest.approx(alone.value)
    assert together.high - together.low == pytest.approx(alone.high - alone.low, rel=0.05)


def test_average_precision_is_scikit_learns_and_needs_a_positive():
    rng = np.random.default_rng(2)
    s = rng.random(300).round(1)
    y = rng.random(300) < s
    expected = metrics.average_precision_score(y, s)
    assert confusion.average_precision(s, y).value == pytest.approx(expected, abs=1e-12)
    with pytest.raises(ValueError, match="positive row"):
        confusion.average_precision([0.1], [False])
