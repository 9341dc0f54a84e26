import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

import trustcheck as tc
from trustcheck.reliability import selective
from trustcheck.stats import selective as answering
from trustcheck.types import InputError


def world(seed, knows=True, n=2000):
    rng = np.random.default_rng(seed)
    p = 0.5 + rng.random(n) / 2
    right = rng.random(n) < (p if knows else 0.75)
    guess = rng.integers(0, 2, n)
    proba = np.where(guess == 1, p, 1 - p)
    return tc.Subject.from_predictions(np.where(right, guess, 1 - guess), guess, proba)


def test_a_model_that_knows_its_doubts_passes_and_one_that_does_not_fails_in_19_of_20_worlds():
    knows = [selective(world(s)).at_least(0.6).status for s in range(20)]
    blind = [selective(world(s, knows=False)).at_least(0.6).status for s in range(20)]
    assert knows.count("pass") >= 19
    assert blind.count("fail") >= 19


def test_the_headline_and_the_area_are_those_of_other_implementations():
    subject = world(1)
    found = selective(subject)
    confidence = subject.scores.max(axis=1)
    wrong = subject.predictions != subject.truth
    assert found.value == pytest.approx(roc_auc_score(~wrong, confidence), abs=1e-12)
    order = np.argsort(-confidence)
    slow = np.mean(np.cumsum(wrong[order]) / np.arange(1, 2001))
    assert found.metrics["aurc"].value == pytest.approx(slow, abs=1e-12)
    # Mean over k of the errors among the k surest, over all rows (Traub et al. 2024).
    slow = np.mean(np.cumsum(wrong[order]) / 2000)
    assert found.metrics["augrc"].value == pytest.approx(slow, abs=1e-3)


def test_the_interval_of_the_area_covers_in_about_95_of_100_worlds():
    rng = np.random.default_rng(2)

    def draw(n):
        confidence = 0.5 + rng.random(n) / 2
        return confidence, (rng.random(n) > confidence).astype(float)

    target = answering.aurc(*draw(1_000_000)).value
    for n in (100, 1000):
        got = [answering.aurc(*draw(n)) for _ in range(200)]
        assert sum(g.low <= target <= g.high for g in got) >= 175


def test_the_guarantee_is_broken_in_at_most_5_of_100_worlds_and_is_not_empty():
    rng, broken, covered = np.random.default_rng(3), 0, []
    for _ in range(300):
        confidence = 0.5 + rng.random(1000) / 2
        wrong = (rng.random(1000) > confidence).astype(float)
        held = answering.guaranteed(confidence, wrong, 0.2)
        covered.append(held.coverage)
        # Above a threshold t the true risk is 1 - (t + 1) / 2.
        broken += held.coverage > 0 and (1 - held.threshold) / 2 > 0.2
    assert broken <= 15
    assert np.mean(covered) > 0.5  # the most that could be: 0.8


def test_ties_are_shared_out_and_nothing_to_tell_apart_is_a_skip():
    tied = answering.aurc(np.ones(10), np.tile([0, 1], 5))
    assert tied.value == pytest.approx(0.5)
    alike = selective(tc.Subject.from_predictions([0, 1] * 20, [0, 1] * 20, [0.1, 0.9] * 20))
    assert alike.status == "skipped"
    assert "nothing to tell apart" in alike.reason
    with pytest.raises(InputError, match="between 0 and 1"):
        selective(world(4), risk=1.5)
