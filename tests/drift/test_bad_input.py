"""What people hand over by mistake: a clear error, or a right answer."""

import datetime as dt
import math

import numpy as np
import pandas as pd
import pytest

import trustcheck as tc
from trustcheck import drift

PROBES = [
    drift.features,
    drift.predictions,
    drift.labels,
    drift.multivariate,
    drift.label_shift,
    drift.performance_estimate,
    drift.change_points,
]


def subject(before, now, **more):
    return tc.Subject(lambda X: np.zeros(len(X)), now, reference=before, task="regression", **more)


def frame(n=300, seed=0, **more):
    rng = np.random.default_rng(seed)
    return pd.DataFrame({"a": rng.normal(size=n), "b": rng.choice(["x", "y"], n), **more})


def test_columns_missing_on_one_side_are_named():
    with pytest.raises(tc.InputError, match=r"reference has no column 'b'.*which the model reads"):
        subject(frame()[["a"]], frame())

    class Model:
        feature_names_in_ = np.array(["a", "b"])

        def predict(self, X):
            return np.zeros(len(X))

    with pytest.raises(tc.InputError, match=r"X has no column 'a'"):
        tc.Subject(Model(), frame()[["b"]], reference=frame(), task="regression")
    more = frame().assign(c=1)  # a column the reference has beside is no matter
    assert drift.features(subject(more, frame(seed=1))).status == "measured"


def test_duplicate_column_names_are_named():
    twice = pd.concat([frame(), frame()[["a"]]], axis=1)
    with pytest.raises(tc.InputError, match=r"the reference has more than one column named a"):
        subject(twice, frame())


@pytest.mark.parametrize(
    ("before", "now", "said"),
    [
        ([1.0, 2.0, 3.5] * 50, ["1", "2", "3.5"] * 50, "held numbers and now holds text"),
        (["1", "2"] * 75, [1, 2] * 75, "held text and now holds numbers"),
        (pd.date_range("2024", periods=150), np.arange(150.0), "held dates and now holds numbers"),
        ([True, False] * 75, ["yes", "no"] * 75, "held yes or no and now holds text"),
    ],
)
def test_a_column_that_changed_its_kind_is_named_and_wholly_different(before, now, said):
    found = drift.features(subject(pd.DataFrame({"c": before}), pd.DataFrame({"c": now})))
    assert found.notes[0].startswith("Data quality: column 'c'")
    assert said in found.notes[0]
    assert found.value == pytest.approx(1.0)


def test_kinds_that_mean_the_same_are_compared():
    for before, now in (
        (pd.Series([1, 2, 3] * 50), pd.Series([1.0, 2.0, 3.0] * 50)),
        (pd.Series(["x", "y"] * 75), pd.Series(["x", "y"] * 75, dtype="category")),
        (pd.Series([1, 2, None] * 50, dtype="Int64"), pd.Series([1.0, 2.0, np.nan] * 50)),
        (pd.Series(range(150)), pd.Series(range(150), dtype="float32")),
    ):
        found = drift.features(subject(before.to_frame("c"), now.to_frame("c")))
        assert found.value == 0.0
        assert not any("Data quality" in note for note in found.notes)


def test_columns_without_any_value():
    empty = frame(c=np.full(300, np.nan))
    full = frame(c=np.arange(300.0), seed=1)
    none = frame(c=pd.Series([None] * 300, dtype=object))
    assert drift.features(subject(empty, empty)).low == 0.0
    gone = drift.features(subject(full, empty))
    assert gone.value == 1.0
    assert "'c': every value is missing now" in gone.notes[0]
    came = drift.features(subject(empty, full))
    assert came.value == 1.0
    assert "'c': every value of the reference is missing" in came.notes[0]
    assert drift.features(subject(none, full)).value == 1.0
    for probe in (drift.multivariate, drift.change_points):
        for now in (empty, none):
            got = probe(subject(full, now, time=np.arange(300)))
            assert got.status == "measured"


def test_a_single_category_and_a_constant():
    one = frame(c=["only"] * 300, d=np.ones(300))
    assert drift.features(subject(one, one)).value == 0.0
    two = frame(c=["only", "other"] * 150, d=np.arange(300.0))
    notes = " ".join(drift.features(subject(one, two)).notes)
    assert "'c': it was constant in the reference and varies now" in notes
    assert "'d': it was constant in the reference and varies now" in notes


@pytest.mark.parametrize("n", [1, 2, 10])
def test_very_few_rows_claim_nothing(n):
    before, now = frame(n), frame(n, seed=1)
    found = drift.features(subject(before, now))
    assert found.low == 0.0
    assert found.high > 0.3
    for probe in PROBES:
        got = probe(subject(before, now, time=np.arange(n)))
        assert got.status in ("measured", "skipped")
        assert got.status == "measured" or got.reason


def test_time_zones_are_one_time():
    utc = pd.date_range("2024-03-01", periods=300, freq="h", tz="UTC")
    berlin = utc.tz_convert("Europe/Berlin")
    naive = utc.tz_localize(None)
    same = drift.features(subject(pd.DataFrame({"t": utc}), pd.DataFrame({"t": berlin})))
    assert same.value == 0.0
    assert not any("Data quality" in note for note in same.notes)
    mixed = pd.DataFrame({"t": pd.Series([*utc[:150], *berlin[150:]], dtype=object)})
    assert drift.features(subject(pd.DataFrame({"t": utc}), mixed)).value == 0.0
    assert drift.features(subject(mixed, pd.DataFrame({"t": utc}))).value == 0.0
    without = drift.features(subject(pd.DataFrame({"t": utc}), pd.DataFrame({"t": naive})))
    assert without.value == 0.0
    assert "read as UTC" in without.notes[0]
    days = pd.DataFrame(
        {"t": pd.Series([dt.date(2024, 3, 1 + i % 13) for i in range(300)], dtype=object)}
    )
    assert drift.features(subject(days, days)).value == 0.0
    timed = drift.change_points(subject(frame(), frame(), time=mixed["t"]))
    assert timed.status == "measured"


def test_infinite_values_are_counted_and_have_no_area():
    before, now = frame(), frame(seed=1)
    now.loc[:99, "a"] = np.inf
    row = {r["column"]: r for r in drift.features(subject(before, now)).rows}["a"]
    assert row["value"] == pytest.approx(
        max(abs((before.a <= t).mean() - (now.a <= t).mean()) for t in before.a), abs=1e-12
    )
    assert row["wasserstein"] is None
    assert math.isfinite(row["psi"])
    for probe in (drift.multivariate, drift.change_points):
        assert probe(subject(before, now, time=np.arange(300))).status == "measured"


def test_levels_of_any_kind_and_their_values_stay_out_of_messages():
    odd = [("t", 1), ("t", 2), frozenset({1})]
    before = pd.DataFrame({"c": pd.Series([odd[i % 2] for i in range(300)], dtype=object)})
    now = pd.DataFrame({"c": pd.Series([odd[i % 3] for i in range(300)], dtype=object)})
    found = drift.features(subject(before, now))
    assert found.value == pytest.approx(1 / 3)
    secret = frame(c=["secret-4711"] + ["x"] * 299)
    said = str(drift.features(subject(frame(c=["x"] * 300), secret)).to_dict())
    assert "4711" not in said
