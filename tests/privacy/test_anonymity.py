import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LinearRegression

import trustcheck as tc
from trustcheck import privacy

LIMIT = 0.05


@pytest.fixture(scope="module")
def adult():
    frame = tc.datasets.load_adult("train").frame
    return tc.Subject.from_predictions(frame["income_over_50k"], frame["income_over_50k"], X=frame)


@pytest.mark.parametrize(
    ("columns", "classes", "unique"),
    [
        (["age", "sex", "race"], 546, 65),
        (["age", "education", "occupation", "relationship", "sex", "native_country"], 15_093, 10_154),
    ],
)  # fmt: skip
def test_published_figures_on_adult(adult, columns, classes, unique):
    finding = privacy.anonymity(adult, columns=columns)
    assert finding.metrics["k"].value == 1
    assert finding.metrics["unique_rows"].value == unique
    assert f" {classes} combinations" in finding.notes[0]
    frame = tc.datasets.load_adult("train").frame.astype(object).fillna("?")
    sizes = frame.groupby(columns)["age"].transform("size")
    assert finding.value == finding.low == finding.high == pytest.approx(np.mean(sizes < 5))
    assert finding.metrics["share_below_k"].method == "exact"


def table(rng, n=2000, *, fine):
    age = rng.integers(20, 80, n)
    postcode = rng.integers(0, 50 if fine else 3, n)
    return pd.DataFrame(
        {
            "sex": rng.choice(["f", "m"], n),
            "age": age if fine else age // 20 * 20,
            "postcode": np.where(rng.random(n) < 0.2, None, postcode.astype(str)),
            "income": rng.normal(size=n),
        }
    )


def wrap(X, **more):
    y = (X["income"] > 0).to_numpy().astype(int)
    return tc.Subject.from_predictions(y, y, X=X, **more)


def test_a_table_that_singles_people_out_fails_and_a_coarsened_one_passes_in_every_world():
    for seed in range(20):
        rng = np.random.default_rng(seed)
        fine, coarse = (privacy.anonymity(wrap(table(rng, fine=f))) for f in (True, False))
        assert fine.at_most(LIMIT).status == "fail"
        assert coarse.at_most(LIMIT).status == "pass"
        assert [row["column"] for row in coarse.rows] == ["sex", "age", "postcode"]


def test_the_column_to_coarsen_first_is_the_finest():
    finding = privacy.anonymity(wrap(table(np.random.default_rng(0), fine=True)))
    left = {row["column"]: row["share_below_k_without"] for row in finding.rows}
    assert left["age"] <= left["postcode"] < left["sex"] <= finding.value


def test_the_reference_is_the_table_and_order_and_dtype_change_nothing():
    rng = np.random.default_rng(3)
    X = table(rng, fine=True)
    given = X[:100].reset_index(drop=True)
    one = privacy.anonymity(wrap(given, reference=X, sensitive=["sex"]))
    shuffled = X.iloc[rng.permutation(len(X))].astype({"sex": "category"})
    two = privacy.anonymity(wrap(given, reference=shuffled, sensitive=["sex"]))
    assert one.n == 2000
    assert one.value == two.value
    assert "l_diversity" not in one.metrics  # no labels of the reference were given
    labelled = privacy.anonymity(wrap(given, reference=(X, X["income"] > 0)))
    assert labelled.metrics["l_diversity"].value == 1


def test_rows_of_one_person_count_once():
    X = pd.DataFrame({"sex": ["f"] * 6 + ["m"] * 6, "age": [30] * 12, "income": 1.0})
    X.loc[0, "income"] = -1.0
    person = [1, 1, 1, 1, 1, 1, *range(2, 8)]
    finding = privacy.anonymity(wrap(X, cluster=person), k=2)
    assert finding.value == 0.5  # six rows of one woman
    assert finding.metrics["unique_rows"].value == 1
    assert privacy.anonymity(wrap(X), k=2).value == 0.0


def test_regression_has_no_diversity_and_the_default_takes_categories():
    rng = np.random.default_rng(5)
    X = pd.DataFrame({"a": rng.integers(0, 3, 200), "b": rng.normal(size=200), "c": rng.integers(0, 2, 200)})  # fmt: skip
    y = X["b"] + rng.normal(size=200)
    finding = privacy.anonymity(tc.Subject(LinearRegression().fit(X, y), X, y))
    assert [row["column"] for row in finding.rows] == ["a", "c"]
    assert "l_diversity" not in finding.metrics
    assert finding.rows_sent == {}


def test_bad_input_is_refused_and_nothing_to_count_is_skipped():
    X = pd.DataFrame({"income": [0.5, -1.5, 2.5]})
    with pytest.raises(tc.InputError, match="lacks zip; it has income"):
        privacy.anonymity(wrap(X), columns=["zip"])
    with pytest.raises(tc.InputError, match="at least 2"):
        privacy.anonymity(wrap(X), k=1)
    finding = privacy.anonymity(wrap(X))
    assert finding.status == "skipped"
    assert "columns=" in finding.reason
    assert privacy.anonymity(wrap(X), columns="income").value == 1.0
