import numpy as np
import pandas as pd
import pytest

import trustcheck as tc
from trustcheck import drift


def subject(X, **more):
    more = {"time": np.arange(len(X))} | more
    return tc.Subject(lambda X: np.zeros(len(X)), X, task="regression", **more)


def market(rng, n=45_312, opens=17_424):
    """Half-hourly prices; a neighbour's market that opens on one day: still until then."""
    late = np.arange(n) >= opens
    return pd.DataFrame(
        {
            "price": rng.lognormal(-3, 0.4, n),
            "demand": rng.beta(3, 4, n),
            "other_price": np.where(late, rng.lognormal(-6, 0.3, n), 0.003467),
            "other_demand": np.where(late, rng.beta(3, 4, n), 0.422915),
            "transfer": np.where(late & (rng.random(n) < 0.8), rng.beta(4, 3, n), 0.414912),
            "day": np.arange(n) // 48 % 7,
        }
    )


def test_columns_that_come_alive_are_found_at_their_row():
    found = drift.change_points(subject(market(np.random.default_rng(0))))
    rows = {row["column"]: row for row in found.rows}
    for name in ("other_price", "other_demand"):
        assert rows[name]["row"] == 17_424
        assert rows[name]["low"] > 0.4
    # The first rows of the open market may still hold the old value.
    assert 17_424 <= rows["transfer"]["row"] <= 17_440
    said = [note for note in found.notes if "varies from there on" in note]
    assert len(said) == 3
    assert said[0].startswith("Column 'other_price' is constant before row 17424")
    assert found.at_most(0.10).status == "fail"
    assert rows["price"]["low"] == rows["demand"]["low"] == 0.0


def test_a_column_that_falls_silent_is_found_whatever_the_order_of_the_table():
    rng = np.random.default_rng(1)
    X = pd.DataFrame(
        {"a": np.r_[rng.normal(size=300), np.full(100, 7.0)], "b": rng.normal(size=400)}
    )
    mixed = rng.permutation(400)
    found = drift.change_points(subject(X.iloc[mixed].reset_index(drop=True), time=mixed))
    assert found.rows[0]["column"] == "a"
    assert found.rows[0]["rows_before"] == 300
    assert mixed[found.rows[0]["row"]] == 300
    assert "is constant from there on" in found.notes[0]


def test_a_change_is_found_in_19_of_20_worlds_and_none_is_claimed_without():
    found, quiet = 0, 0
    for seed in range(20):
        rng = np.random.default_rng(seed)
        at = int(rng.integers(500, 1500))
        late = np.arange(2000) >= at
        X = pd.DataFrame({f"x{j}": rng.normal(size=2000) for j in range(5)})
        X["job"] = rng.choice(["clerk", "nurse", "smith"], 2000)
        quiet += drift.change_points(subject(X)).low == 0.0
        X["x3"] += 0.8 * late
        got = drift.change_points(subject(X))
        top = got.rows[0]
        found += top["column"] == "x3" and abs(top["row"] - at) < 60 and got.low > 0.1
    assert found >= 19
    assert quiet >= 19


def test_levels_texts_and_gaps_change_too():
    rng = np.random.default_rng(2)
    n, late = 1200, np.arange(1200) >= 700
    X = pd.DataFrame(
        {
            "job": np.where(
                late & (rng.random(n) < 0.5), "pilot", rng.choice(["clerk", "nurse"], n)
            ),
            "note": [f"{i} " + "word " * int(rng.integers(1, 6) + 9 * late[i]) for i in range(n)],
            "debt": np.where(late & (rng.random(n) < 0.6), np.nan, rng.normal(size=n)),
        }
    )
    rows = {row["column"]: row for row in drift.change_points(subject(X)).rows}
    assert all(abs(row["row"] - 700) <= 25 for row in rows.values())
    assert all(row["low"] > 0.2 for row in rows.values())
    assert rows["note"]["measure"] == "KS of length"
    assert rows["debt"]["measure"] == "share missing"


def test_without_times_or_rows_it_is_skipped_and_bad_times_are_named():
    X = pd.DataFrame({"a": np.arange(200.0)})
    assert "time=" in drift.change_points(subject(X, time=None)).reason
    assert "100 rows" in drift.change_points(subject(X[:50])).reason
    with pytest.raises(tc.InputError, match="time is missing in 1 row"):
        drift.change_points(subject(X, time=np.r_[np.nan, np.arange(199.0)]))
    with pytest.raises(tc.InputError, match="mixes kinds"):
        drift.change_points(subject(X, time=pd.Series(["a", 1] * 100, dtype=object)))
