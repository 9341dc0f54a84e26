import itertools

import numpy as np
import pandas as pd
import pytest

import trustcheck as tc
from trustcheck import fairness


def world(seed, lift=0.0, n=6000, **options):
    """Every single column is fair; the cell (f, x) gains what (f, y) and (m, x) lose."""
    rng = np.random.default_rng(seed)
    sex, race = rng.choice(["f", "m"], n), rng.choice(["x", "y"], n)
    sign = np.where((sex == "f") == (race == "x"), 1, -1)
    p = (rng.random(n) < 0.4 + lift * sign).astype(int)
    y = rng.integers(0, 2, n)
    return tc.Subject.from_predictions(y, p, sensitive={"sex": sex, "race": race}, **options)


@pytest.mark.parametrize("rate", ["selection", "tpr", "fpr", "accuracy"])
def test_every_cell_is_the_hand_count(rate):
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({c: rng.choice(list("pqr"), 900) for c in ("a", "b", "c")})
    y, p, w = rng.integers(0, 2, 900), rng.integers(0, 2, 900), rng.exponential(size=900)
    subject = tc.Subject.from_predictions(y, p, sensitive=frame, sample_weight=w)
    finding = fairness.intersections(subject, depth=3, rate=rate)
    among = {"tpr": y == 1, "fpr": y == 0}.get(rate, np.ones(900, dtype=bool))
    hit = p == y if rate == "accuracy" else p == 1
    gaps, seen = [], {(row["columns"], row["group"]): row for row in finding.rows}
    for size in (1, 2, 3):
        for by in itertools.combinations("abc", size):
            for levels in itertools.product("pqr", repeat=size):
                inside = (frame[list(by)] == list(levels)).all(axis=1).to_numpy()
                row = seen.pop((" & ".join(by), " & ".join(levels)))
                own, other = among & inside, among & ~inside
                assert (row["n"], row["count"]) == (own.sum(), (own & hit).sum())
                rates = [np.average(hit[side], weights=w[side]) for side in (own, other)]
                assert (row["rate"], row["others"]) == pytest.approx(rates, abs=1e-12)
                gaps.append(abs(rates[0] - rates[1]))
    assert not seen
    assert finding.value == pytest.approx(max(gaps), abs=1e-12)


def test_what_columns_hide_is_found_and_a_fair_twin_stays_quiet():
    found = [fairness.intersections(world(s, 0.12)).at_most(0.1).status for s in range(20)]
    assert found.count("fail") >= 19
    quiet = [fairness.intersections(world(s)).low == 0 for s in range(20)]
    assert sum(quiet) >= 19
    unfair = world(0, 0.12)
    assert fairness.demographic_parity(unfair, by="sex").at_most(0.1)
    assert fairness.intersections(unfair, depth=1).at_most(0.1)


def test_a_combination_nobody_has_leaves_it_open_unless_left_out_by_choice():
    sex, race = ["f", "m"] * 300 + ["f"] * 5, ["x"] * 600 + ["y"] * 5
    p = [0, 0, 1, 1] * 150 + [1, 0, 1, 0, 1]
    subject = tc.Subject.from_predictions(
        None, p, sensitive={"sex": sex, "race": race}, task="binary", classes=[0, 1]
    )
    open_ended = fairness.intersections(subject)
    assert "'m & y' has no rows: its rate is unknown" in open_ended.incomplete
    chosen = fairness.intersections(subject, min_size=10)
    assert chosen.incomplete is None
    assert "fewer than 10 rows" in chosen.notes[1]
    for name in ("'y'", "'f & y'", "'m & y'"):
        assert name in chosen.notes[1]


def test_a_cell_without_positives_has_no_true_positive_rate():
    subject = tc.Subject.from_predictions(
        [1, 0, 1, 0] * 50 + [0] * 40, [1, 0, 0, 0] * 50 + [0] * 40,
        sensitive={"sex": ["f", "f", "m", "m"] * 50 + ["f"] * 40, "race": ["x"] * 200 + ["y"] * 40},
    )  # fmt: skip
    finding = fairness.intersections(subject, rate="tpr")
    assert "'f & y'" in finding.incomplete
    row = next(row for row in finding.rows if row["group"] == "f & y")
    assert (row["n"], row["rate"]) == (0, None)


def test_clusters_widen_the_interval():
    rng = np.random.default_rng(1)
    p, sex, race = rng.integers(0, 2, 300), rng.choice(["f", "m"], 300), rng.choice(["x", "y"], 300)
    alone = fairness.intersections(
        tc.Subject.from_predictions(
            None, p, sensitive={"sex": sex, "race": race}, task="binary", classes=[0, 1]
        )
    )
    copied = fairness.intersections(
        tc.Subject.from_predictions(
            None, np.repeat(p, 8), sensitive={"sex": np.repeat(sex, 8), "race": np.repeat(race, 8)},
            task="binary", classes=[0, 1], cluster=np.repeat(np.arange(300), 8),
        )
    )  # fmt: skip
    assert (copied.low, copied.high) == pytest.approx((alone.low, alone.high), abs=1e-9)


def test_one_column_is_no_intersection_and_misuse_is_told():
    one = tc.Subject.from_predictions([0, 1], [0, 1], sensitive={"sex": ["f", "m"]})
    assert "two sensitive columns" in fairness.intersections(one).reason
    with pytest.raises(tc.InputError, match="depth must be"):
        fairness.intersections(world(2, n=50), depth=0)
    with pytest.raises(tc.InputError, match="'age' is not a sensitive column"):
        fairness.intersections(world(2, n=50), columns=["sex", "age"])
    with pytest.raises(tc.InputError, match="rate='ppv' is unknown"):
        fairness.intersections(world(2, n=50), rate="ppv")


def test_a_redacted_report_shows_no_small_cell():
    rng = np.random.default_rng(3)
    sex, race = ["f", "m"] * 200 + ["f"] * 3, ["x", "x", "y", "y"] * 100 + ["z"] * 3
    subject = tc.Subject.from_predictions(
        None, rng.integers(0, 2, 403), sensitive={"sex": sex, "race": race}, task="binary",
        classes=[0, 1],
    )  # fmt: skip
    report = tc.evaluate(subject, probes=["fairness.intersections"]).redacted()
    finding = report.findings["fairness.intersections"]
    assert all(row["n"] is None for row in finding.rows)
