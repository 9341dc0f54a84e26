import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trustcheck.search._check import violations
from trustcheck.search._space import Space
from trustcheck.subject import Schema, col
from trustcheck.subject._relations import values_of


def mixed(n=60, seed=0):
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame(
        {
            "income": rng.lognormal(10, 0.5, n),
            "age": rng.integers(18, 80, n),
            "half": rng.normal(size=n).astype("float32"),
            "count": pd.array(rng.integers(0, 5, n), dtype="Int64"),
            "job": rng.choice(["clerk", "nurse", "smith"], n),
            "town": pd.Categorical(rng.choice(["x", "y"], n), categories=["x", "y", "z"]),
            "member": rng.random(n) < 0.3,
            "born": pd.Timestamp("1990-01-01") + pd.to_timedelta(rng.integers(0, 9999, n), "D"),
            "id": [f"person {i}" for i in range(n)],
            "sex": rng.choice(["f", "m"], n),
        }
    )
    frame.loc[rng.random(n) < 0.2, ["income", "job"]] = None
    frame.loc[rng.random(n) < 0.2, "count"] = pd.NA
    return frame, Schema.infer(frame).edit(sex={"immutable": True})


def space_of(frame, schema, norm="l2", category=1.0):
    return Space.of(frame, schema, norm=norm, category=category)


def test_text_dates_and_immutable_features_are_no_part_of_the_space():
    frame, schema = mixed()
    names = space_of(frame, schema).names
    assert names == ("income", "age", "half", "count", "job", "town", "member")


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    norm=st.sampled_from(["l2", "linf"]),
    radius=st.floats(0.01, 4),
    category=st.floats(0.2, 2),
)
def test_whatever_is_pulled_in_is_valid_and_within_the_radius(seed, norm, radius, category):
    frame, schema = mixed(40)
    rng = np.random.default_rng(seed)
    space = space_of(frame[:20], schema, norm, category)
    rows = rng.integers(20, size=50)
    points = space.own[rows] + rng.standard_cauchy((50, len(space.names))) * space.scale
    levels = [max(len(f.levels), 1) for f in space.features]
    points = np.where(space.categorical, rng.integers(levels, size=points.shape), points)
    pulled = space.pull(rows, points, np.full(50, radius))
    assert (space.distance(rows, pulled) <= radius * (1 + 1e-6)).all()
    changed = space.decode(rows, pulled)
    original = frame.iloc[rows].reset_index(drop=True)
    assert not any(violations(changed, original, schema))
    back = space.encode(changed)
    same = (back == pulled) | np.isnan(pulled)
    assert same.all()


def test_distances_count_scales_and_categories():
    frame, schema = mixed()
    frame = frame.dropna().reset_index(drop=True)
    for norm, expected in (("l2", np.sqrt(2**2 + 0.7**2)), ("linf", 2.0)):
        space = space_of(frame, schema, norm, 0.7)
        point = space.own[[0]].copy()
        point[0, 0] += 2 * schema["income"].scale
        point[0, 4] = (point[0, 4] + 1) % 3
        assert space.distance(np.array([0]), point) == pytest.approx(expected)


def test_a_level_that_was_never_seen_may_be_left_but_not_taken_up():
    frame = pd.DataFrame({"job": ["a", "b"] * 20})
    schema = Schema.infer(frame)
    space = space_of(pd.DataFrame({"job": ["new", "a"]}), schema)
    assert space.decode(np.array([0, 0]), np.array([[-1.0], [1.0]]))["job"].tolist() == ["new", "b"]
    assert np.isnan(space.encode(pd.DataFrame({"job": ["new"]}))).all()


def test_an_unchanged_point_is_the_row_itself():
    frame, schema = mixed()
    space = space_of(frame, schema)
    rows = np.arange(len(frame))
    pd.testing.assert_frame_equal(space.decode(rows, space.own), frame)


def test_infinite_cells_are_left_alone_like_missing_ones():
    frame = pd.DataFrame({"age": [20.0, np.inf, 40.0, np.nan], "pay": [1.0, 2.0, 3.0, 4.0]})
    space = Space.of(frame, Schema.infer(frame), norm="l2", category=1.0)
    rows = np.arange(4)
    points = space.snap(rows, np.full((4, 2), 2.5))
    assert space.decode(rows, points)["age"].tolist()[1] == np.inf
    assert np.isfinite(space.distance(rows, points)).all()


def related(n=400, seed=0):
    rng = np.random.default_rng(seed)
    total, colour = rng.integers(1, 30, n), rng.integers(3, size=n)
    frame = pd.DataFrame(
        {
            "total": total,
            "open": rng.binomial(total, 0.5),
            "closed": 0,
            "rate": rng.normal(size=n),
            "age": rng.integers(18, 80, n),
            "status": np.where(rng.random(n) < 0.3, "new", "old"),
            **{f"c_{k}": (colour == k).astype(int) for k in range(3)},
        }
    )
    frame["closed"] = frame["total"] - frame["open"]
    frame.loc[frame["status"] == "new", "rate"] = rng.uniform(
        0, 1, (frame["status"] == "new").sum()
    )
    schema = Schema.infer(frame).edit(age={"direction": "up"})
    return frame, schema.relate(
        col("closed") == col("total") - col("open"),
        (col("status") == "new").implies((col("rate") >= 0) & (col("rate") <= 1)),
        (col("c_1") == 0) | (col("age") < 75) | (col("total") > 3),
    )


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 10**6), norm=st.sampled_from(["l2", "linf"]), radius=st.floats(0.01, 4))
def test_points_pulled_in_keep_relations_groups_and_directions(seed, norm, radius):
    frame, schema = related(seed=seed % 7)
    rng = np.random.default_rng(seed)
    space = space_of(frame[:20], schema, norm, 0.5)
    assert "c" in space.names
    assert {"c_0", "c_1", "c_2"} < set(space.columns)
    rows = np.repeat(np.arange(20), 4)
    points = space.own[rows] + rng.standard_cauchy((80, len(space.names))) * space.scale
    levels = [max(len(f.levels), 1) for f in space.features]
    points = np.where(space.categorical, rng.integers(levels, size=points.shape), points)
    pulled = space.pull(rows, points, np.full(80, radius))
    changed, original = space.decode(rows, pulled), frame.iloc[rows].reset_index(drop=True)
    own_fault = np.array([bool(rules) for rules in violations(original, original, schema)])
    assert not any(
        rules
        for rules, old in zip(violations(changed, original, schema), own_fault, strict=True)
        if not old
    )
    assert space.changed(rows, pulled).any()


def test_what_relations_read_is_what_the_decoded_rows_hold():
    frame, schema = related()
    frame["half"] = frame["rate"].astype("float32")
    schema = Schema(list(Schema.infer(frame).values()), schema.relations, schema.one_hot)
    schema = schema.relate(col("half") <= 9)
    space = space_of(frame[:20], schema)
    rng = np.random.default_rng(0)
    rows = np.repeat(np.arange(20), 5)
    points = space.own[rows] + rng.standard_normal((100, len(space.names))) * space.scale
    levels = [max(len(f.levels), 1) for f in space.features]
    points = np.where(space.categorical, rng.integers(levels, size=points.shape), points)
    points = np.where(space.whole, np.rint(points), points)
    values = space.values(rows, points)
    expected = values_of(space.decode(rows, points), frozenset(values))
    assert {"total", "status", "c_1", "half"} <= set(values)
    for name, column in values.items():
        assert (column == expected[name]).all(), name
