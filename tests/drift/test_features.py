import json

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import trustcheck as tc
from trustcheck import datasets, drift

LIMIT = 0.10


def subject(before, now, **more):
    return tc.Subject(lambda X: np.zeros(len(X)), now, reference=before, task="regression", **more)


def table(rng, n, shift=0.0, share=0.3):
    return pd.DataFrame(
        {
            "income": np.exp(rng.normal(shift, 1, n)),
            "age": rng.integers(18, 80, n),
            "debt": np.where(rng.random(n) < 0.1, np.nan, rng.normal(size=n)),
            "job": pd.Categorical(
                np.where(rng.random(n) < share, "clerk", rng.choice(["nurse", "smith"], n))
            ),
            "city": rng.choice([f"city {i}" for i in range(40)], n),
            "children": rng.poisson(1, n),
            "member": rng.random(n) < 0.5,
        }
    )


@pytest.fixture(scope="module")
def bank():
    data = datasets.load_bank_marketing()
    years = [data.frame[data.frame.year == year].reset_index(drop=True) for year in (2008, 2009)]
    names = [n for n in data.X.columns if n not in ("row", "year")] + ["duration"]
    names = list(dict.fromkeys(names))
    return drift.features(subject(*(rows[names] for rows in years)))


# Computed with pandas, numpy and scipy alone, calls of 2008 against those of 2009.
BANK = {
    "age": {"value": 0.09240372303752586, "psi": 0.0992251893426448},
    "campaign": {"value": 0.09368002889129656, "psi": 0.05042825775850227},
    "euribor3m": {"value": 1.0, "psi": 12.954508079440718},
    "job": {"value": 0.07418579073508651, "psi": 0.10352680591278508, "js": 0.13156939827429706},
    "contact": {"value": 0.4129263928559703, "psi": 0.9877242274947078, "js": 0.4025118545339473},
    "poutcome": {"value": 0.2948209067927378, "psi": 0.8853640125699811, "js": 0.3562992117800841},
}


def test_bank_marketing_columns_equal_the_reference_values(bank):
    rows = {row["column"]: row for row in bank.rows}
    for column, facts in BANK.items():
        for name, value in facts.items():
            assert rows[column][name] == pytest.approx(value, abs=1e-9), (column, name)


def test_bank_marketing_fails_and_the_interest_rate_comes_first(bank):
    assert bank.at_most(LIMIT).status == "fail"
    assert bank.value == 1.0
    assert bank.rows[0]["column"] == "euribor3m"
    failing = [row["column"] for row in bank.rows if row["low"] > LIMIT]
    assert {"euribor3m", "contact", "poutcome"} <= set(failing)
    assert "loan" not in failing


def test_adult_train_against_test_does_not_fail():
    X_train, X_test, _, _ = datasets.load_adult().train_test()
    found = drift.features(subject(X_train, X_test))
    assert found.at_most(LIMIT).status in ("pass", "inconclusive")
    rows = {row["column"]: row for row in found.rows}
    assert rows["age"]["value"] == pytest.approx(0.008194210323058115, abs=1e-9)
    assert rows["age"]["psi"] == pytest.approx(0.0005770746410670211, abs=1e-9)
    assert rows["hours_per_week"]["psi"] == pytest.approx(0.00043900553150178845, abs=1e-9)
    assert rows["sex"]["p"] == pytest.approx(0.6310134325906054, abs=1e-9)
    assert sum(found.rows_sent.values()) <= 16281 / 2


def test_a_shift_is_found_and_its_column_named_in_19_of_20_worlds():
    found = 0
    for seed in range(20):
        rng = np.random.default_rng(seed)
        got = drift.features(subject(table(rng, 800), table(rng, 800, shift=0.8)))
        found += got.at_most(LIMIT).status == "fail" and got.rows[0]["column"] == "income"
    assert found >= 19


def test_without_drift_nothing_fails_in_19_of_20_worlds():
    rng = np.random.default_rng(7)
    got = [drift.features(subject(table(rng, 500), table(rng, 400))) for _ in range(20)]
    assert sum(f.low <= LIMIT for f in got) >= 19
    assert sum(f.low == 0 for f in got) >= 18  # nothing is claimed to have moved at all


def test_without_drift_enough_rows_pass():
    rng = np.random.default_rng(8)
    got = [drift.features(subject(table(rng, 6000), table(rng, 6000))) for _ in range(10)]
    assert sum(f.at_most(LIMIT).status == "pass" for f in got) == 10


def test_data_quality_breaks_are_said_first():
    rng = np.random.default_rng(9)
    before, now = table(rng, 500), table(rng, 500)
    now["age"], now["debt"], now["income"] = 40, np.nan, now["income"].astype(str)
    now["job"] = "pilot"
    got = drift.features(subject(before, now))
    notes = " ".join(got.notes[:4])
    assert "'income': it held numbers and now holds text" in notes
    assert "'age': it is constant now" in notes
    assert "'debt': every value is missing now" in notes
    assert "'job': none of its levels occurs in the reference" in notes
    rows = {row["column"]: row for row in got.rows}
    assert rows["debt"]["value"] == pytest.approx(before["debt"].notna().mean())
    assert rows["job"]["new_levels"] == 1.0
    assert rows["job"]["value"] == pytest.approx(1.0)
    assert "pilot" not in json.dumps(got.rows)


def test_a_column_that_only_loses_values_is_found():
    rng = np.random.default_rng(10)
    before, now = table(rng, 2000), table(rng, 2000)
    now.loc[rng.random(2000) < 0.4, "debt"] = np.nan
    got = drift.features(subject(before, now))
    assert got.rows[0]["column"] == "debt"
    assert got.rows[0]["measure"] == "share missing"
    assert got.at_most(LIMIT).status == "fail"


def test_integers_with_few_values_are_levels_and_with_many_are_numbers():
    rng = np.random.default_rng(11)
    before, now = table(rng, 300), table(rng, 300)
    rows = {row["column"]: row for row in drift.features(subject(before, now)).rows}
    assert rows["children"]["measure"] == "total variation"
    assert rows["age"]["measure"] == "KS"
    expected = stats.ks_2samp(before["age"], now["age"]).statistic
    assert rows["age"]["value"] == pytest.approx(expected, abs=1e-12)


def test_dates_in_other_units_are_the_same_dates():
    days = pd.date_range("2020-01-01", periods=400)
    before = pd.DataFrame({"day": days.astype("datetime64[s]")})
    now = pd.DataFrame({"day": days.astype("datetime64[ns]")})
    assert drift.features(subject(before, now)).value == 0.0


def test_the_order_of_rows_changes_nothing():
    rng = np.random.default_rng(12)
    before, now = table(rng, 300), table(rng, 300)
    one = drift.features(subject(before, now))
    other = drift.features(subject(before.sample(frac=1), now.sample(frac=1, random_state=1)))
    for a, b in zip(one.rows, other.rows, strict=True):
        assert a["column"] == b["column"]
        assert a["value"] == pytest.approx(b["value"], abs=1e-12)
        assert a["where"] == b["where"]


def test_without_a_reference_it_is_skipped():
    data = table(np.random.default_rng(13), 50)
    found = drift.features(tc.Subject(lambda X: np.zeros(len(X)), data, task="regression"))
    assert found.status == "skipped"
    assert "reference" in found.reason


@pytest.mark.parametrize("n", [1_000, 10_000, 100_000, 1_000_000])
def test_the_verdict_does_not_depend_on_the_number_of_rows(n):
    """A shift that matters fails once n allows, a harmless one never, however many the rows."""
    rng = np.random.default_rng(14)
    before = pd.DataFrame({"x": rng.normal(size=n), "y": rng.normal(size=n)})
    now = rng.normal(size=(n, 2))
    harmless = drift.features(
        subject(before, pd.DataFrame(now + np.array([0.02, 0.0]), columns=["x", "y"]))
    )
    assert harmless.low <= LIMIT
    if n >= 10_000:
        assert harmless.at_most(LIMIT).status == "pass"
    harmful = drift.features(
        subject(before, pd.DataFrame(now + np.array([0.5, 0.0]), columns=["x", "y"]))
    )
    assert harmful.at_most(LIMIT).status == "fail"
    if n == 1_000_000:  # a test alone would have rejected both
        assert harmless.rows[0]["p"] < 1e-9


def test_columns_are_ranked_by_what_matters_to_the_model():
    rng = np.random.default_rng(15)
    before, now = (pd.DataFrame(rng.normal(size=(2000, 3)), columns=list("abc")) for _ in range(2))
    now["a"] += 1.0  # the model does not read it
    now["b"] += 0.3

    def model(X):
        return 2 * X["b"].to_numpy() + 0.1 * X["c"].to_numpy()

    made = tc.Subject(model, now, reference=before, task="regression")
    found = drift.features(made)
    assert [row["column"] for row in found.rows] == ["b", "c", "a"]
    rows = {row["column"]: row for row in found.rows}
    assert rows["a"]["importance"] == rows["a"]["answer_moved"] == 0.0
    assert rows["b"]["matters"] == pytest.approx(rows["b"]["importance"] * rows["b"]["value"])
    # Answers are counted in robust scales of the model's own: 2 * 0.3 over about 2.
    assert rows["b"]["answer_moved_low"] < 0.3 < rows["b"]["answer_moved_high"]
    assert found.value == rows["a"]["value"]  # the headline is of the column that moved most
    alone = drift.features(
        tc.Subject.from_predictions(
            None, np.zeros(2000), X=now, reference=before, task="regression"
        )
    )
    assert [row["column"] for row in alone.rows][:2] == ["a", "b"]
    assert alone.rows[0]["matters"] is None


def test_a_model_that_cannot_be_asked_loses_no_distance():
    def broken(X):
        raise RuntimeError("no")

    X = pd.DataFrame({"a": np.arange(200.0)})
    found = drift.features(tc.Subject(broken, X + 50, reference=X, task="regression"))
    assert found.value == pytest.approx(0.25)
    assert "could not be asked (RuntimeError)" in " ".join(found.notes)


def test_texts_are_compared_by_their_length():
    rng = np.random.default_rng(16)
    texts = [
        [f"{i} " + "word " * int(k) for i, k in enumerate(rng.integers(1, 9, 400))] for _ in "ab"
    ]
    before, now = (pd.DataFrame({"note": side}) for side in texts)
    assert drift.features(subject(before, now)).low == 0.0
    now["note"] += " and much, much more than there ever was"
    row = drift.features(subject(before, now)).rows[0]
    assert row["measure"] == "KS of length"
    assert row["low"] > 0.5


def test_another_unit_a_code_and_another_spelling_are_named_in_19_of_20_worlds():
    said = {"unit": 0, "code": 0, "spell": 0, "nothing": 0}
    for seed in range(20):
        rng = np.random.default_rng(seed)
        before, now = table(rng, 600), table(rng, 600)
        before["age"] = before["age"].astype(float)
        still = drift.features(subject(before, now.astype({"age": float})))
        said["nothing"] += not any("Data quality" in note for note in still.notes)
        now["income"] *= 1000
        now["age"] = np.where(rng.random(600) < 0.15, -999.0, now["age"])
        now["job"] = now["job"].astype(str).replace("clerk", "Clerk ")
        notes = {n.split("'")[1]: n for n in drift.features(subject(before, now)).notes if "'" in n}
        said["unit"] += "another unit" in notes.get("income", "")
        said["code"] += "a code?" in notes.get("age", "")
        said["spell"] += "otherwise" in notes.get("job", "")
    assert min(said.values()) >= 19, said
