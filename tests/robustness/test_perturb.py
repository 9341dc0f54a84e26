import numpy as np
import pandas as pd
import pytest
from scipy.stats import norm

from trustcheck.robustness._perturb import changeable, find_spikes, perturb, redraw_share
from trustcheck.subject import Schema


def zoo(n=500, seed=0):
    rng = np.random.default_rng(seed)
    whole = rng.integers(0, 90, n)
    day = pd.Timestamp("2024-03-01") + pd.to_timedelta(rng.integers(0, 400, n), unit="D")
    frame = pd.DataFrame(
        {
            "double": rng.normal(size=n),
            "single": rng.normal(size=n).astype("float32"),
            "byte": whole.astype("int8"),
            "whole": whole,
            "gappy": whole.astype(float),
            "nullable": pd.array(whole, dtype="Int64"),
            "masked": pd.array(rng.normal(size=n), dtype="Float64"),
            "flag": rng.random(n) < 0.3,
            "maybe": pd.array(rng.random(n) < 0.3, dtype="boolean"),
            "word": rng.choice(["a", "b", "c"], n),
            "thing": rng.choice(["a", "b", "c"], n).astype(object),
            "grade": pd.Categorical(
                rng.choice(["low", "high"], n), ["low", "high", "never"], ordered=True
            ),
            "day": day,
            "moment": day + pd.to_timedelta(rng.random(n), unit="D"),
            "abroad": pd.Series(day).dt.tz_localize("Europe/Paris"),
            "wait": pd.to_timedelta(rng.random(n), unit="D"),
            "note": [f"free text {i}" for i in range(n)],
            "constant": 3.0,
        }
    )
    for name in ("double", "single", "gappy", "nullable", "masked", "maybe", "word", "thing",
                 "grade", "day", "moment", "abroad", "wait"):  # fmt: skip
        frame.loc[rng.random(n) < 0.1, name] = None
    return frame


def numbers(column):
    return column.to_numpy(dtype=float, na_value=np.nan)


def test_every_kind_of_column_keeps_its_dtype_its_gaps_and_its_range():
    frame = zoo()
    before = frame.copy()
    schema = Schema.infer(frame)
    noisy = perturb(frame, schema, 0.5, seed=1)
    pd.testing.assert_frame_equal(frame, before)
    assert list(noisy.columns) == list(frame.columns)
    for name in frame.columns:
        assert noisy[name].dtype == frame[name].dtype, name
        assert noisy[name].isna().equals(frame[name].isna()), name
        changed = (noisy[name] != frame[name]) & frame[name].notna()
        assert changed.any() == changeable(schema[name]), name
        if schema[name].is_numeric:
            known, rounding = noisy[name].dropna(), 0
            if schema[name].kind == "datetime":  # nanoseconds do not fit a float
                rounding = pd.Timedelta("1us")
            assert known.min() >= frame[name].min() - rounding, name
            assert known.max() <= frame[name].max() + rounding, name
    for name in ("whole", "gappy", "nullable"):
        moved = numbers(noisy[name])
        assert np.nanmax(np.abs(moved - np.round(moved))) == 0
    assert (noisy["day"].dropna() == noisy["day"].dropna().dt.normalize()).all()
    assert "never" not in set(noisy["grade"].dropna())


def test_immutable_and_textual_features_stay_as_they_are():
    frame = zoo()
    schema = Schema.infer(frame).edit(whole={"immutable": True}, word={"immutable": True})
    noisy = perturb(frame, schema, 2.0, seed=0)
    for name in ("whole", "word", "note", "constant"):
        pd.testing.assert_series_equal(noisy[name], frame[name])


def test_a_value_outside_the_reference_range_is_no_error_and_may_stay():
    schema = Schema.infer(pd.DataFrame({"x": np.linspace(0, 1, 50)}))
    noisy = perturb(pd.DataFrame({"x": np.full(200, 7.0)}), schema, 0.1, seed=0)["x"]
    assert noisy.max() == 7.0
    assert noisy.min() < 7.0


def test_a_column_too_narrow_for_the_reference_is_filled_up_to_its_own_end():
    schema = Schema.infer(pd.DataFrame({"x": np.arange(0, 5000, 10)}))
    noisy = perturb(pd.DataFrame({"x": np.full(100, 120, "int8")}), schema, 1.0, seed=0)["x"]
    assert noisy.dtype == "int8"
    assert noisy.max() == 127


def test_one_seed_gives_one_path_along_which_changes_grow():
    frame = zoo()
    schema = Schema.infer(frame)
    weak, strong = (perturb(frame, schema, e, seed=5) for e in (0.1, 0.3))
    for name in ("double", "masked"):
        start = numbers(frame[name])
        near, far = np.abs(numbers(weak[name]) - start), np.abs(numbers(strong[name]) - start)
        assert np.nanmin(far - near) >= -1e-12
    redrawn, more = weak["word"] != frame["word"], strong["word"] != frame["word"]
    known = frame["word"].notna()
    assert not (redrawn & ~more & known).any()
    assert (more & ~redrawn & known).any()
    again = perturb(frame, schema, 0.1, seed=5)
    pd.testing.assert_frame_equal(again, weak)
    assert not perturb(frame, schema, 0.1, seed=6)["double"].equals(weak["double"])


def test_noise_on_numbers_is_normal_on_the_robust_scale():
    n = 20_000
    frame = pd.DataFrame({"x": np.random.default_rng(0).normal(5, 3, n)})
    schema = Schema.infer(frame).edit(x={"low": None, "high": None})
    z = (perturb(frame, schema, 0.2, seed=3)["x"] - frame["x"]) / (0.2 * schema["x"].scale)
    assert abs(z.mean()) < 4 / np.sqrt(n)
    assert abs(z.std() - 1) < 4 / np.sqrt(2 * n)
    assert abs((np.abs(z) < 1).mean() - (2 * norm.cdf(1) - 1)) < 0.015


def test_whole_numbers_are_rounded_at_random_so_that_small_noise_survives():
    n = 40_000
    frame = pd.DataFrame({"x": np.random.default_rng(0).integers(100, 200, n)})
    schema = Schema.infer(frame).edit(x={"low": None, "high": None, "scale": 2.0})
    step = (perturb(frame, schema, 0.1, seed=3)["x"] - frame["x"]).to_numpy()
    # E|sd * z| = sd * sqrt(2 / pi): each whole step is taken with the size of the noise.
    assert abs(np.mean(step != 0) - 0.2 * np.sqrt(2 / np.pi)) < 0.01
    assert abs(step.mean()) < 0.01


def test_the_redraw_share_is_that_of_a_normal_variable_crossing_its_median():
    rng = np.random.default_rng(0)
    x, z = rng.normal(size=(2, 400_000))
    for epsilon in (0.1, 0.5, 2.0):
        crossed = np.mean((x > 0) != (x + epsilon * z > 0))
        assert abs(crossed - redraw_share(epsilon)) < 0.003


def test_redrawn_categories_follow_the_reference_shares():
    reference = pd.DataFrame({"c": ["a"] * 70 + ["b"] * 20 + ["c"] * 10})
    frame = pd.DataFrame({"c": ["a"] * 30_000})
    noisy = perturb(frame, Schema.infer(reference), 1.0, seed=0)["c"]
    assert noisy.value_counts(normalize=True)["b"] == pytest.approx(0.25 * 0.2, abs=0.006)
    assert noisy.value_counts(normalize=True)["c"] == pytest.approx(0.25 * 0.1, abs=0.005)


def test_a_number_most_rows_share_is_left_as_rarely_as_a_category():
    rng = np.random.default_rng(0)
    gain = np.where(rng.random(20_000) < 0.9, 0, rng.integers(1000, 9000, 20_000))
    frame = pd.DataFrame({"gain": gain, "age": rng.integers(20, 60, 20_000)})
    schema = Schema.infer(frame)
    spikes = find_spikes(frame, schema)
    assert spikes == {"gain": 0.0}
    noisy = perturb(frame, schema, 0.1, seed=0, spikes=spikes)["gain"]
    left = (noisy[gain == 0] != 0).mean()
    assert left == pytest.approx(redraw_share(0.1) * 0.1, abs=0.0015)
    assert set(noisy[(gain == 0) & (noisy != 0)]) <= set(gain)
    assert (noisy[gain > 0] != gain[gain > 0]).mean() > 0.95


def groups(n=1000, seed=0):
    rng = np.random.default_rng(seed)
    colour = rng.choice(3, n, p=[0.6, 0.3, 0.1])
    return pd.DataFrame(
        {
            "grade": pd.Categorical.from_codes(rng.integers(4, size=n), list("dcba"), ordered=True),
            **{f"colour_{k}": (colour == k).astype(float) for k in range(3)},
        }
    )


def test_a_one_hot_group_moves_as_one_variable_and_an_ordered_category_by_one_step():
    frame = groups()
    schema = Schema.infer(frame)
    assert schema.one_hot
    changed = perturb(frame, schema, 2.0, seed=0)
    assert (changed.filter(like="colour").sum(axis=1) == 1).all()
    moved = (changed.filter(like="colour") != frame.filter(like="colour")).any(axis=1).mean()
    # Redrawn with probability q; a third of 0.6 0.3 0.1 comes back as it was ... 1 - sum of squares.
    assert moved == pytest.approx(redraw_share(2.0) * (1 - 0.46), abs=0.04)
    step = changed["grade"].cat.codes - frame["grade"].cat.codes
    assert set(step) == {-1, 0, 1}
    assert (changed["grade"].cat.categories == frame["grade"].cat.categories).all()


def test_an_immutable_column_keeps_its_whole_group():
    frame = groups()
    schema = Schema.infer(frame).edit(colour_1={"immutable": True})
    changed = perturb(frame, schema, 5.0, seed=0)
    pd.testing.assert_frame_equal(changed.filter(like="colour"), frame.filter(like="colour"))
