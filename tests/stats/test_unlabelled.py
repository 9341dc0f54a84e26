"""Performance without labels, in worlds whose truth is known."""

import numpy as np
import pytest
from scipy.special import expit
from sklearn.metrics import accuracy_score, precision_score, recall_score, roc_auc_score

from trustcheck.stats import unlabelled


def test_counts_equal_those_of_scikit_learn_where_every_row_is_counted_for_its_chances():
    """A row that is positive with chance 0.3 stands for 3 positive rows of 10."""
    rng = np.random.default_rng(0)
    score = rng.integers(1, 10, 300) / 10
    truth = np.concatenate(
        [np.r_[np.ones(round(10 * s)), np.zeros(10 - round(10 * s))] for s in score]
    )
    known = unlabelled.Bands(np.empty(0), np.zeros(1), *np.full((2, 1), 1e-12), np.ones(1))
    got = unlabelled.expected_performance(known, score, score > 0.45, np.arange(300) % 20)
    copies = np.repeat(score, 10)
    said = copies > 0.45
    assert got.loss.value == pytest.approx(1 - accuracy_score(truth, said), abs=1e-9)
    assert got.auc.value == pytest.approx(roc_auc_score(truth, copies), abs=1e-9)
    assert got.precision.value == pytest.approx(precision_score(truth, said), abs=1e-9)
    assert got.recall.value == pytest.approx(recall_score(truth, said), abs=1e-9)


@pytest.mark.parametrize("shift", [0.0, 1.0])
@pytest.mark.parametrize("slope", [1.0, 1.8])
def test_intervals_hold_the_truth_whatever_the_shift_and_the_calibration(shift, slope):
    rng = np.random.default_rng(1)

    def score(x):
        return expit(slope * x - 0.3 * (slope != 1))

    x = rng.normal(shift, 1.5, 400_000)
    chance, said = expit(x), score(x) > 0.5
    order = np.argsort(x)
    pos, neg = chance[order], 1 - chance[order]
    truth = [
        np.where(said, 1 - chance, chance).mean(),
        pos @ (np.cumsum(neg) - neg / 2) / (pos.sum() * neg.sum()),
        chance[said].mean(),
        chance[said].sum() / chance.sum(),
    ]
    inside = []
    for _ in range(150):
        before, now = rng.normal(0, 1.5, 1500), rng.normal(shift, 1.5, 1500)
        labels = rng.random(1500) < expit(before)
        one, other = unlabelled.straightened(score(before), labels, score(now))
        got = unlabelled.expected_performance(
            unlabelled.bands(one, labels), other, score(now) > 0.5, rng.permutation(1500) % 20
        )
        inside.append([e.low <= t <= e.high for e, t in zip(got, truth, strict=True)])
    assert np.mean(inside, axis=0).min() >= 0.91


@pytest.mark.parametrize("m", [200, 3000])
def test_the_interval_of_a_loss_holds_the_truth(m):
    rng = np.random.default_rng(2)
    # The guess is off by a curve; the loss has noise of its own.
    truth = 2 * (0.25 + 1.0) + 0.1 * 0.5
    inside = []
    for _ in range(400):
        x, z = rng.normal(0, 1, 1000), rng.normal(0.5, 1, m)
        found = unlabelled.bands(2 * x**2, 2 * x**2 + 0.1 * x + rng.normal(size=1000))
        got = unlabelled.expected_loss(found, 2 * z**2, clip=(-np.inf, np.inf))
        inside.append(got.low <= truth <= got.high)
    assert np.mean(inside) >= 0.88  # the sign of x is lost in the guess: a bias of 0.05 remains


def test_guesses_that_are_right_are_said_to_be_so_and_others_not():
    rng = np.random.default_rng(3)
    p = []
    for _ in range(200):
        score = rng.random(1000)
        p.append(unlabelled.bands(score, rng.random(1000) < score).p)
    assert np.mean(np.array(p) < 0.05) <= 0.09
    off = unlabelled.bands(score, rng.random(1000) < score**2)
    assert off.p < 1e-6
    assert off.off > 0.1
