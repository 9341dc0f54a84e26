import numpy as np
import pandas as pd
import pytest

from trustcheck.subject import Schema
from trustcheck.subject._encode import content_keys, encode


@pytest.fixture
def frame():
    return pd.DataFrame(
        {
            "whole": [1, 2, 3, 3],
            "number": [1.5, np.nan, np.inf, -0.0],
            "flag": [True, False, True, True],
            "job": ["smith", None, "nurse", "smith"],
            "day": pd.to_datetime(["2020-01-01", None, "2021-01-01", "2021-01-01"]),
            "grade": pd.Categorical([1, 2, 2, None]),
        }
    )


def in_other_clothes(frame):
    return frame.assign(
        whole=frame["whole"].astype(float),
        number=frame["number"].replace(0.0, 0.0).astype(object),
        flag=frame["flag"].astype(object),
        job=frame["job"].astype("category"),
        grade=frame["grade"].astype(object),
    )


def test_every_kind_becomes_a_number_and_levels_are_counted_from_the_most_frequent(frame):
    table = encode(frame, Schema.infer(frame))
    assert table.names == tuple(frame.columns)
    assert table.categorical.tolist() == [False, False, True, True, False, True]
    assert table.matrix[:, 0].tolist() == [1, 2, 3, 3]
    assert np.isnan(table.matrix[1:3, 1]).all()
    assert table.matrix[[0, 2, 3], 3].tolist() == [0, 1, 0]
    assert np.isnan(table.matrix[1, [3, 4]]).all()
    assert np.isnan(table.matrix[3, 5])


def test_a_row_is_encoded_by_itself_and_an_unseen_level_is_missing(frame):
    schema = Schema.infer(frame)
    whole, alone = encode(frame, schema).matrix, encode(frame.iloc[[2]], schema).matrix
    np.testing.assert_array_equal(alone, whole[[2]])
    assert np.isnan(encode(frame.assign(job="baker"), schema).matrix[:, 3]).all()


def test_free_text_is_left_out():
    frame = pd.DataFrame({"note": [f"note {i}" for i in range(200)], "x": range(200)})
    assert encode(frame, Schema.infer(frame)).names == ("x",)


def test_levels_beyond_what_trees_can_tell_apart_share_a_code():
    frame = pd.DataFrame({"zip": [str(i % 400) for i in range(4000)]})
    codes = encode(frame, Schema.infer(frame)).matrix[:, 0]
    assert codes.max() == 254


def test_keys_see_content_and_not_dtype_or_order(frame):
    schema = Schema.infer(frame)
    keys = content_keys(frame, schema)
    assert len(set(keys)) == len(frame)
    np.testing.assert_array_equal(content_keys(in_other_clothes(frame), schema), keys)
    np.testing.assert_array_equal(content_keys(frame.iloc[::-1], schema), keys[::-1])
    assert (content_keys(frame, schema, np.arange(4)) != keys).all()


def test_the_same_encoding_comes_from_other_dtypes(frame):
    schema = Schema.infer(frame)
    np.testing.assert_array_equal(
        encode(frame, schema).matrix, encode(in_other_clothes(frame), schema).matrix
    )
