import numpy as np
import pandas as pd
import pytest

import trustcheck as tc
from trustcheck import InputError, Schema, col
from trustcheck.subject._relations import values_of


def frame(n=400, seed=0):
    rng = np.random.default_rng(seed)
    total = rng.integers(1, 20, n)
    colour = rng.choice(["red", "green", "blue"], n)
    return pd.DataFrame(
        {
            "total": total,
            "open": rng.binomial(total, 0.5),
            "age": rng.integers(18, 80, n),
            "income": rng.lognormal(10, 1, n),
            "x": rng.normal(size=n),
            "y": rng.normal(size=n),
            **{f"colour_{name}": (colour == name).astype(int) for name in ("red", "green", "blue")},
        }
    )


@pytest.mark.parametrize(
    ("relation", "expected", "said"),
    [
        (col("a") <= col("b"), [True, True, False, True], "a <= b"),
        (col("a") > 2 * col("b") - 3, [False, True, True, True], "(2 * b) - 3 < a"),
        (col("a") == col("b"), [False, True, False, True], "a == b"),
        ((col("k") == "u").implies(col("a") < 2), [True, True, False, True], None),
        ((col("a") < 2) | (col("b") < 0), [True, True, True, True], None),
        ((col("k") != "u") & (col("a") / col("b") <= 1), [False, True, False, True], None),
    ],
)
def test_relations_hold_where_plain_python_says_so(relation, expected, said):
    table = pd.DataFrame({"a": [1, 1, 2, None], "b": [2.0, 1, -1, 7], "k": ["u", "v", "u", "u"]})
    found = relation.holds(values_of(table, relation.columns))
    assert found.tolist() == expected  # a row that misses a value is let pass
    assert said is None or str(relation) == said


def test_a_sum_of_decimals_is_equal_up_to_rounding():
    table = pd.DataFrame({"a": [0.1], "b": [0.2], "c": [0.3]})
    relation = col("c") == col("a") + col("b")
    assert 0.1 + 0.2 != 0.3
    assert relation.holds(values_of(table, relation.columns)).all()


def test_what_all_rows_keep_and_chance_does_not_explain_is_inferred():
    found = Schema.infer(frame())
    assert [str(relation) for relation in found.relations] == ["open <= total"]
    assert found.one_hot == (("colour_red", "colour_green", "colour_blue"),)
    assert "relation: open <= total" in repr(found)


@pytest.mark.parametrize("seed", range(10))
def test_a_single_exception_or_too_few_rows_and_nothing_is_inferred(seed):
    table = frame(seed=seed)
    assert Schema.infer(table[:299]).relations == ()
    table.loc[seed, ["open", "total"]] = [9, 8]
    table.loc[seed, "colour_red"] = table.loc[seed, "colour_green"] = 1
    found = Schema.infer(table)
    assert found.relations == found.one_hot == ()


def test_the_order_of_rows_changes_nothing():
    table = frame(2000)
    turned = table.sample(frac=1, random_state=1)
    assert repr(Schema.infer(table)) == repr(Schema.infer(turned))


def test_a_list_replaces_what_was_inferred_and_relate_adds_to_it():
    table = frame()
    model = lambda X: (X["age"] > 40).astype(int)  # noqa: E731
    more = col("age") >= 18
    given = tc.Subject(
        model,
        table,
        task="binary",
        classes=[0, 1],
        schema={"relations": [more], "age": {"immutable": True}},
    )
    assert given.schema.relations == (more,)
    assert given.schema["age"].immutable
    assert (
        len(tc.Subject(model, table, task="binary", classes=[0, 1]).schema.relate(more).relations)
        == 2
    )
    assert (
        tc.Subject(
            model, table, task="binary", classes=[0, 1], schema={"relations": []}
        ).schema.relations
        == ()
    )


def test_what_is_no_relation_is_refused_by_name():
    schema = Schema.infer(frame())
    with pytest.raises(InputError, match="closed"):
        schema.relate(col("open") <= col("closed"))
    with pytest.raises(InputError, match=r"tc\.col"):
        schema.relate("open <= total")
    with pytest.raises(TypeError, match="two relations"):
        bool(0 <= col("a") <= col("b"))
    with pytest.raises(InputError, match="numbers only"):
        (col("a") <= "x").holds({"a": np.array(["y"], dtype=object)})
    with pytest.raises(InputError, match="direction"):
        schema.edit(age={"direction": "sideways"})
