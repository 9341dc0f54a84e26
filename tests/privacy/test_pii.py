import json

import numpy as np
import pandas as pd
import pytest
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

import trustcheck as tc
from trustcheck import privacy
from trustcheck.privacy import _detectors as detect

FIRST = ("Anna", "Ben", "Chloé", "Dmitri", "Eve", "José", "Li", "Noor", "Olga", "Tomás", "Zoë")
LAST = ("Abbott", "Baker", "O'Neil", "Fischer", "García", "Jansen", "Kim", "Lopez-Diaz", "Rossi")
WORDS = ("late", "paid", "twice", "asks", "for", "a", "new", "loan", "and", "will", "call", "back")
LENGTH = {"DE": 22, "GB": 22, "FR": 27, "NL": 18, "ES": 24}


def digits(rng, k):
    return "".join(map(str, rng.integers(0, 10, k)))


def card(rng, gap=""):
    stem = "4" + digits(rng, 14)
    number = next(stem + str(d) for d in range(10) if detect.luhn(stem + str(d)))
    return gap.join(number[i : i + 4] for i in range(0, 16, 4))


def iban(rng):
    country = rng.choice(list(LENGTH))
    body = digits(rng, LENGTH[country] - 4)
    check = 98 - int(body + "".join(str(int(c, 36)) for c in country) + "00") % 97
    return f"{country}{check:02d}{body}"


def rare(rng, n, plain, special, share=0.01):
    return [special(rng) if u < share else plain(rng) for u in rng.random(n)]


def words(rng):
    return " ".join(rng.choice(WORDS, 7))


def personal(rng, n):
    """Columns that hold direct identifiers, by the kind that has to be found."""

    def each(make):
        return [make(rng) for _ in range(n)]

    return {
        "mail": ("e-mail", each(lambda r: f"{r.choice(FIRST)}.{digits(r, 3)}@mail.example.org")),
        "note1": ("e-mail", rare(rng, n, words, lambda r: f"write to a{digits(r, 2)}@example.com!")),
        "bank": ("IBAN", each(iban)),
        "note2": ("IBAN", rare(rng, n, words, lambda r: f"pay to {iban(r)} PLEASE")),
        "c1": ("payment card number", each(card)),
        "c2": ("payment card number", each(lambda r: card(r, " "))),
        "c3": ("payment card number", [int(card(rng)) for _ in range(n)]),
        "s": ("US social security number", each(
            lambda r: f"{r.integers(1, 665):03d}-{r.integers(1, 99):02d}-{r.integers(1, 9999):04d}")),
        "host": ("IP address", each(lambda r: ".".join(map(str, r.integers(1, 255, 4))))),
        "host6": ("IP address", each(lambda r: f"2001:db8::{r.integers(1, 2**16):x}")),
        "call": ("phone number", each(lambda r: f"+49 30 {digits(r, 4)} {digits(r, 4)}")),
        "call2": ("phone number", each(lambda r: f"({digits(r, 3)}) {digits(r, 3)}-{digits(r, 4)}")),
        "mobile": ("phone number", [int("1" + digits(rng, 9)) for _ in range(n)]),
        "last_name": ("person name", list(rng.choice(LAST, n))),
        "CustomerName": ("person name", each(lambda r: f"{r.choice(FIRST)} {r.choice(LAST)}")),
        "u": ("unique identifier", each(lambda r: f"{r.integers(2**60):015x}z")),
        "row": ("unique identifier", list(rng.permutation(n) + 5000)),
        "file_no": ("unique identifier", list(rng.choice(10**9, n, replace=False))),
        "ref8": ("unique identifier", list(rng.integers(10**8, 10**9, n))),
        "client_id": ("personal code", list(rng.choice(np.arange(n // 2) * 997, n))),
    }  # fmt: skip


def harmless(rng, n):
    """Columns that look a little like identifiers and are none."""
    day = pd.Timestamp("2020-01-01") + pd.to_timedelta(rng.integers(0, 10**8, n), unit="s")
    return {
        "age": rng.integers(18, 90, n),
        "income": rng.lognormal(10, 0.5, n).round(2),
        "savings": rng.lognormal(12, 1.5, n).round().astype(int),
        "price": (rng.normal(300_000, 60_000, n)).round(),
        "opened": day.strftime("%Y-%m-%d"),
        "stamp": day.strftime("%Y-%m-%d %H:%M:%S"),
        "iso": day.strftime("%Y-%m-%dT%H:%M:%S"),
        "epoch": (day - pd.Timestamp(0)) // pd.Timedelta(seconds=1),
        "when": day,
        "postcode": rng.integers(10_000, 20_000, n).astype(str),
        "code": rng.choice(["A11", "A12", "A13"], n),
        "product_name": rng.choice(["loan", "card", "savings book", "mortgage"], n),
        "nickel_price": rng.normal(5, 1, n),
        "version": [".".join(map(str, rng.integers(0, 12, 4))) for _ in range(n)],
        "place": [f"{a:.4f},{b:.4f}" for a, b in rng.normal(50, 3, (n, 2))],
        "band": rng.choice(["10000-19999", "20000-29999", "30000-49999"], n),
        "comment": [words(rng) for _ in range(n)],
        "digits16": rng.choice([int("8" + digits(rng, 15)) for _ in range(40)], n),
        "decimals": [f"{v:.5f}" for v in rng.normal(size=n)],
        "has_phone": rng.random(n) < 0.5,
        "number_of_calls": rng.poisson(3, n),
        "social_class": rng.choice(["a", "b", "c"], n),
        "clock": day.strftime("%H:%M:%S"),
        "ratio": [f"{v}%" for v in rng.integers(0, 100, n)],
    }


def wrap(columns, **more):
    X = pd.DataFrame(columns)
    y = np.zeros(len(X), dtype=int)
    return tc.Subject.from_predictions(y, y, X=X, classes=[0, 1], **more)


def test_check_digits_agree_with_published_numbers():
    # Test numbers that card schemes publish; IBANs from the examples of the SWIFT registry.
    for number in ("4111 1111 1111 1111", "5555555555554444", "3782 822463 10005", "6011111111111117"):  # fmt: skip
        assert detect.has_card(f"card {number}, thanks")
        assert not detect.has_card(number[:-1] + str((int(number[-1]) + 1) % 10))
    for number in ("GB29 NWBK 6016 1331 9268 19", "DE89370400440532013000", "NO9386011117947",
                   "FR1420041010050500013M02606", "MT84MALT011000012345MTLCAST001S"):  # fmt: skip
        assert detect.has_iban(f"to {number} PLEASE")
        assert not detect.has_iban(number[:2] + f"{(int(number[2:4]) + 1) % 97:02d}" + number[4:])


@pytest.mark.parametrize("seed", range(5))
def test_precision_and_recall_on_a_labelled_table(seed):
    rng = np.random.default_rng(seed)
    planted, clean = personal(rng, 1000), harmless(rng, 1000)
    finding = privacy.pii(wrap({k: v for k, (_, v) in planted.items()} | clean))
    found = {row["column"]: row["kind"] for row in finding.rows}
    assert not set(found) & set(clean)  # precision 1
    assert found == {name: kind for name, (kind, _) in planted.items()}  # recall 1
    assert finding.value == finding.low == finding.high == len(planted)
    assert finding.metrics["columns"].method == "exact"


def test_one_planted_column_is_found_and_its_clean_twin_is_quiet_in_19_of_20_worlds():
    found, quiet = 0, 0
    for seed in range(20):
        rng = np.random.default_rng(100 + seed)
        planted, clean = personal(rng, 150), harmless(rng, 150)
        name = list(planted)[seed % len(planted)]
        if name in ("note1", "note2"):
            planted[name] = (None, planted["mail"][1])
        found += privacy.pii(wrap(clean | {name: planted[name][1]})).at_most(0).status == "fail"
        quiet += privacy.pii(wrap(clean)).at_most(0).status == "pass"
    assert found >= 19
    assert quiet >= 19


def test_no_cell_reaches_the_finding():
    rng = np.random.default_rng(7)
    columns = {name: values for name, (_, values) in personal(rng, 200).items()}
    finding = privacy.pii(wrap(columns))
    said = json.dumps([dict(row) for row in finding.rows]) + repr(finding.notes) + repr(finding)
    for values in columns.values():
        assert not [v for v in map(str, values) if len(v) > 4 and v in said]
    assert finding.examples is None


def test_real_people_s_data_without_identifiers_is_quiet():
    data = tc.datasets.load_adult("train")
    assert privacy.pii(wrap(data.frame)).rows == ()


def test_columns_outside_the_features_and_of_the_reference_are_scanned():
    rng = np.random.default_rng(0)
    X = pd.DataFrame({"a": rng.normal(size=200), "mail": [f"p{i}@example.org" for i in range(200)]})
    y = (X["a"] > 0).astype(int)
    model = LogisticRegression().fit(X[["a"]], y)
    reference = X[["a"]].assign(surname=rng.choice(LAST, 200))
    subject = tc.Subject(
        model, X, y, reference=(reference, y), sensitive={"full_name": list(rng.choice(LAST, 200))}
    )
    finding = privacy.pii(subject)
    assert {row["column"]: row["where"] for row in finding.rows} == {
        "mail": "given data", "full_name": "given data", "surname": "reference",
    }  # fmt: skip
    assert finding.metrics["inputs"].value == 0
    assert finding.rows_sent == {}


def test_the_order_of_rows_changes_nothing_even_where_cells_are_sampled():
    rng = np.random.default_rng(1)
    n = 12_000
    X = pd.DataFrame({"note": rare(rng, n, words, lambda r: f"a{digits(r, 3)}@example.com", 0.02),
                      "row": np.arange(n), "age": rng.integers(0, 99, n)})  # fmt: skip
    order = rng.permutation(n)
    one, two = privacy.pii(wrap(X)), privacy.pii(wrap(X.iloc[order].reset_index(drop=True)))
    assert one.value == two.value == 2
    assert one.rows[0]["n"] == 5000
    assert one.rows[0]["low"] < 0.02 < one.rows[0]["high"]


def test_mixed_tables_with_missing_values_through_a_pipeline_and_regression():
    rng = np.random.default_rng(2)
    X = pd.DataFrame(
        {
            "job": pd.Categorical(rng.choice(["a", "b"], 300)),
            "debt": np.where(rng.random(300) < 0.2, np.nan, rng.normal(size=300)),
            "tel": pd.array(np.where(rng.random(300) < 0.3, None, "030/1234567"), dtype="str"),
        }
    )
    X.loc[:40, "tel"] = [f"030/{i:07d}" for i in range(41)]
    y = rng.normal(size=300)
    model = make_pipeline(
        OneHotEncoder(handle_unknown="ignore", sparse_output=False), HistGradientBoostingRegressor()
    )
    finding = privacy.pii(tc.Subject(model.fit(X, y), X, y))
    assert [row["column"] for row in finding.rows] == ["tel"]
    assert finding.metrics["inputs"].value == 1


def test_predictions_alone_are_skipped_with_a_reason():
    finding = privacy.pii(tc.Subject.from_predictions([0, 1], [0, 1]))
    assert finding.status == "skipped"
    assert "no feature table" in finding.reason
