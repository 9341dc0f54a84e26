import pandas as pd
import pytest

import trustcheck as tc
from trustcheck.search._check import violations
from trustcheck.subject import Schema

FRAME = pd.DataFrame(
    {
        "age": [20, 30, 40],
        "pay": [1.0, 2.5, None],
        "job": ["a", "b", "a"],
        "sex": ["f", "m", "f"],
        "seen": pd.to_datetime(["2020-01-01", "2020-01-02", "2020-01-03"]),
    }
)
SCHEMA = Schema.infer(FRAME).edit(sex={"immutable": True})


@pytest.mark.parametrize(
    ("row", "column", "value", "rule"),
    [
        (0, "age", 25, None),
        (0, "age", 41, "outside the range"),
        (0, "age", 19, "outside the range"),
        (0, "pay", 2.0, None),
        (0, "pay", None, "missing"),
        (2, "pay", 2.0, "missing"),
        (0, "pay", float("inf"), "finite"),
        (0, "job", "b", None),
        (0, "job", "c", "not a known level"),
        (0, "sex", "m", "immutable"),
        (0, "seen", pd.Timestamp("2020-01-02"), "dates do not change"),
    ],
)
def test_each_rule_is_named(row, column, value, rule):
    changed = FRAME.copy()
    changed.loc[row, column] = value
    found = violations(changed, FRAME, SCHEMA)
    assert all(not found[other] for other in range(3) if other != row)
    assert bool(found[row]) == bool(rule)
    assert rule is None or (rule in next(iter(found[row])) and column in next(iter(found[row])))


def test_whole_numbers_move_in_whole_steps_also_where_they_are_stored_as_floats():
    frame = pd.DataFrame({"children": [0.0, 1.0, None, 4.0]})
    changed = frame.copy()
    changed.loc[0, "children"] = 0.5
    assert violations(changed, frame, Schema.infer(frame))[0] == {"children: not a whole step"}


def test_a_row_outside_the_range_may_stay_but_not_go_further():
    frame = pd.DataFrame({"age": [90, 90]})
    schema = Schema.infer(FRAME)
    changed = pd.DataFrame({"age": [85, 91]})
    assert [len(rules) for rules in violations(changed, frame, schema)] == [0, 1]


def test_tables_that_do_not_match_are_refused():
    with pytest.raises(ValueError, match="columns or length"):
        violations(FRAME[:2], FRAME, SCHEMA)
    with pytest.raises(ValueError, match="dtype"):
        violations(FRAME.astype({"age": float}), FRAME, SCHEMA)


def test_relations_groups_and_directions_are_named_when_broken():
    frame = pd.DataFrame(
        {
            "open": [1, 2],
            "total": [3, 4],
            "kind": ["a", "b"],
            "c_x": [1, 0],
            "c_y": [0, 1],
            "age": 9,
        }
    )
    schema = Schema(
        list(Schema.infer(pd.concat([frame, frame * 3])).values()),
        [
            tc.col("open") <= tc.col("total"),
            (tc.col("kind") == "a").implies(tc.col("total") / tc.col("open") >= 2),
        ],
        [("c_x", "c_y")],
    ).edit(age={"low": 0, "direction": "up"})
    changed = frame.assign(open=[2, 5], age=[10, 8], c_x=[1, 1])
    assert violations(changed, frame, schema) == [
        {"if kind == 'a' then 2 <= total / open: broken"},
        {"open <= total: broken", "c_x: not exactly one of its group", "age: may only go up"},
    ]
