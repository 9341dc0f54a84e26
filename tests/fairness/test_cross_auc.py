import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

import trustcheck as tc
from trustcheck import fairness


def world(seed, shift=0.0, n=1500, k=2):
    """Every group is ranked alike within itself; the second is scored higher as a whole."""
    rng = np.random.default_rng(seed)
    g = rng.integers(0, k, n)
    y = rng.integers(0, 2, n)
    score = 1 / (1 + np.exp(-(1.2 * y + shift * (g == 1) + rng.normal(size=n) - 0.6)))
    return tc.Subject.from_predictions(
        y, (score > 0.5).astype(int), score, sensitive={"g": g.astype(str)}
    )


def test_it_is_the_auc_of_one_groups_positives_among_anothers_negatives():
    subject = world(0, shift=0.5, n=400, k=3)
    g = subject.groups("g").codes
    y, s = subject.truth, subject.scores[:, 1]

    def cross(a, b):
        rows = ((g == a) & (y == 1)) | ((g == b) & (y == 0))
        return roc_auc_score(y[rows], s[rows])

    gaps = {(a, b): abs(cross(a, b) - cross(b, a)) for a in range(3) for b in range(a)}
    finding = fairness.cross_auc(subject)
    assert finding.value == pytest.approx(max(gaps.values()), abs=1e-12)
    assert [row["difference"] for row in finding.rows] == pytest.approx(
        sorted(gaps.values(), reverse=True), abs=1e-12
    )
    assert finding.rows[0]["group"] == "1"


def test_a_planted_disparity_is_found_where_groups_are_ranked_well_each():
    found = [fairness.cross_auc(world(s, shift=0.8)) for s in range(20)]
    assert sum(f.at_most(0.1).status == "fail" for f in found) >= 19
    assert fairness.auc_parity(world(0, shift=0.8)).low == 0


def test_alike_groups_stay_quiet_and_pass():
    found = [fairness.cross_auc(world(s, n=4000, k=3)) for s in range(20)]
    assert sum(f.low == 0 for f in found) >= 19
    assert sum(f.at_most(0.15).status == "pass" for f in found) >= 19


def test_a_group_of_one_label_is_named_and_too_many_groups_are_refused():
    y, s = [0, 1] * 60 + [0] * 20, np.linspace(0.1, 0.9, 140)
    finding = fairness.cross_auc(
        tc.Subject.from_predictions(y, y, s, sensitive={"g": list("aabb") * 30 + ["c"] * 20})
    )
    assert "'c' lacks rows of one label" in finding.incomplete
    assert "too many pairs" in fairness.cross_auc(world(1, n=900, k=60)).reason
