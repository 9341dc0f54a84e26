import numpy as np
import pytest

import trustcheck as tc
from trustcheck import fairness


def world(seed, shift=0.0, n=1500, k=2, **options):
    rng = np.random.default_rng(seed)
    g = np.repeat(np.arange(k), n)
    score = 1 / (1 + np.exp(-rng.normal(size=g.size) - shift * (g == 1)))
    y = (rng.random(g.size) < score).astype(int)
    return tc.Subject.from_predictions(
        y, (score > 0.5).astype(int), score, sensitive={"g": g.astype(str)}, **options
    )


@pytest.mark.parametrize("rate", ["selection", "tpr", "fpr", "accuracy"])
def test_each_threshold_is_the_gap_of_predictions_made_there(rate):
    subject = world(0, shift=0.5, n=200, k=3, sample_weight=np.random.default_rng(1).random(600))
    finding = fairness.threshold_bands(subject, rate=rate, between=(0.3, 0.7), steps=3)
    probe = {
        "selection": fairness.demographic_parity,
        "tpr": fairness.equal_opportunity,
        "fpr": fairness.predictive_equality,
        "accuracy": fairness.accuracy_parity,
    }[rate]
    expected = []
    for row in finding.rows:
        there = tc.Subject.from_predictions(
            subject.truth,
            (subject.scores[:, 1] >= row["threshold"]).astype(int),
            sensitive={"g": np.array(subject.groups("g").names)[subject.groups("g").codes]},
            sample_weight=subject.weights,
        )
        expected.append(probe(there).value)
        assert row["gap"] == pytest.approx(expected[-1], abs=1e-12)
        assert row["low"] <= finding.low
    assert finding.value == max(row["gap"] for row in finding.rows)
    assert finding.low == max(row["low"] for row in finding.rows)


def test_a_gap_away_from_the_usual_threshold_is_found_and_its_twin_stays_quiet():
    def subject(seed, unfair):
        rng = np.random.default_rng(seed)
        g = rng.choice(["a", "b"], 3000)
        score = rng.random(3000)
        # Alike at 0.5, apart at 0.8.
        score = np.where((g == "b") & unfair & (score > 0.5), 0.5 + (score - 0.5) / 2, score)
        return tc.Subject.from_predictions(
            None, (score > 0.5).astype(int), score, sensitive={"g": g}, task="binary",
            classes=[0, 1],
        )  # fmt: skip

    found = [fairness.threshold_bands(subject(s, True)).at_most(0.1).status for s in range(20)]
    quiet = [fairness.threshold_bands(subject(s, False)).low == 0 for s in range(20)]
    assert found.count("fail") >= 19
    assert sum(quiet) >= 19
    assert fairness.demographic_parity(subject(0, True)).at_most(0.1)


def test_the_picture_is_a_curve():
    finding = fairness.threshold_bands(world(2, shift=0.5))
    assert "polyline" in str(finding.plot())


def test_misuse_and_missing_labels():
    with pytest.raises(tc.InputError, match="one of selection, tpr"):
        fairness.threshold_bands(world(3), rate="ppv")
    with pytest.raises(tc.InputError, match="between="):
        fairness.threshold_bands(world(3), between=(0.9, 0.1))
    unlabelled = tc.Subject.from_predictions(
        None, [0, 1] * 50, [0.2, 0.8] * 50, sensitive={"g": ["a", "b"] * 50}, task="binary",
        classes=[0, 1],
    )  # fmt: skip
    assert fairness.threshold_bands(unlabelled).status == "measured"
    assert "no labels" in fairness.threshold_bands(unlabelled, rate="tpr").reason
