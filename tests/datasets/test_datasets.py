"""The shipped tables are the published ones, to the last printed digit.

[P] a published figure; [C] computed for this project with pandas, NumPy and SciPy only.
"""

import dataclasses
import subprocess
import sys
import zipfile
from importlib.resources import files
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from trustcheck import datasets

LOADERS = [datasets.load_german_credit, datasets.load_adult, datasets.load_bank_marketing]


@pytest.fixture(scope="module")
def adult():
    return datasets.load_adult()


@pytest.fixture(scope="module")
def german():
    return datasets.load_german_credit()


@pytest.fixture(scope="module")
def bank():
    return datasets.load_bank_marketing()


def missing(frame):
    counts = frame.isna().sum()
    return counts[counts > 0].to_dict()


def rate_gap(frame, privileged, target):
    """Unprivileged minus privileged rate, and their ratio."""
    high, low = frame.loc[privileged, target].mean(), frame.loc[~privileged, target].mean()
    return low - high, low / high


# ------------------------------------------------------------------------------------------ adult


def test_adult_rows_and_base_rates(adult):  # [P]
    assert adult.frame.shape == (48_842, 16)
    assert adult.frame["split"].value_counts().to_dict() == {"train": 32_561, "test": 16_281}
    assert list(adult.frame["split"]) == ["train"] * 32_561 + ["test"] * 16_281
    assert adult.y.sum() == 11_687
    assert round(adult.y.mean(), 4) == 0.2393
    assert round(datasets.load_adult("train").y.mean(), 4) == 0.2408
    complete = adult.frame.dropna()
    assert len(complete) == 45_222
    assert complete["split"].value_counts().to_dict() == {"train": 30_162, "test": 15_060}
    assert complete["income_over_50k"].sum() == 11_208
    assert round(complete["income_over_50k"].mean(), 4) == 0.2478


def test_adult_missing_and_repeated_rows(adult):  # [P]
    assert missing(adult.frame) == {"workclass": 2799, "occupation": 2809, "native_country": 857}
    assert adult.frame.drop(columns="split").duplicated().sum() == 52
    assert datasets.load_adult("train").frame.duplicated().sum() == 24
    assert datasets.load_adult("test").frame.duplicated().sum() == 5


def test_adult_rates_by_sex(adult):  # [C]
    rates = adult.frame.groupby("sex")["income_over_50k"].mean().round(5).to_dict()
    assert rates == {"Female": 0.10925, "Male": 0.30377}
    rates = adult.frame.dropna().groupby("sex")["income_over_50k"].mean().round(5).to_dict()
    assert rates == {"Female": 0.11358, "Male": 0.31248}


@pytest.mark.parametrize(
    ("by", "classes", "unique"),
    [
        (["age", "sex", "race"], 546, 65),
        (
            ["age", "education", "occupation", "relationship", "sex", "native_country"],
            15_093,
            10_154,
        ),
    ],
)
def test_adult_quasi_identifiers(by, classes, unique):  # [C]
    train = datasets.load_adult("train").frame
    sizes = train[by].fillna("?").value_counts()
    assert (len(sizes), (sizes == 1).sum(), sizes.min()) == (classes, unique, 1)


@pytest.mark.parametrize(
    ("column", "p_value"), [("age", 0.4573203269241335), ("hours_per_week", 0.9730467134410624)]
)
def test_adult_parts_do_not_drift_in_a_number(adult, column, p_value):  # [C]
    parts = [part[column] for _, part in adult.frame.groupby("split", sort=False)]
    assert stats.ks_2samp(*parts, method="asymp").pvalue == pytest.approx(p_value, rel=1e-9)


@pytest.mark.parametrize(
    ("column", "p_value"),
    [
        ("sex", 0.6310134325906054),
        ("race", 0.7032020162559203),
        ("income_over_50k", 0.2630605489732063),
    ],
)
def test_adult_parts_do_not_drift_in_a_level(adult, column, p_value):  # [C]
    table = pd.crosstab(adult.frame["split"], adult.frame[column])
    assert stats.chi2_contingency(table, correction=False)[1] == pytest.approx(p_value, rel=1e-9)


def test_adult_parts_keep_the_rows_of_the_whole(adult):
    parts = [datasets.load_adult("train").frame, datasets.load_adult("test").frame]
    pd.testing.assert_frame_equal(pd.concat(parts), adult.frame)
    with pytest.raises(ValueError, match="'train', 'test' or None, not 'valid'"):
        datasets.load_adult("valid")


# ----------------------------------------------------------------------------------------- german


def test_german_rows_and_base_rates(german):  # [P]
    assert german.frame.shape == (1000, 22)
    assert german.y.value_counts().to_dict() == {1: 700, 0: 300}
    assert missing(german.frame) == {}
    assert german.frame["sex"].value_counts().to_dict() == {"male": 690, "female": 310}
    assert (german.frame["age"] <= 25).sum() == 190
    assert (german.frame["foreign_worker"] == "no").sum() == 37


def test_german_first_step_of_the_aif360_tutorial(german):  # [P] -0.169905
    order = np.random.RandomState(0).permutation(1000)  # the draw of np.random.seed(0)
    train = german.frame.iloc[order[:700]]
    difference, _ = rate_gap(train, train["age"] >= 25, "good_credit")
    assert round(difference, 6) == -0.169905
    assert difference == pytest.approx(-0.1699054740619017, abs=1e-15)


@pytest.mark.parametrize(
    ("privileged", "difference", "ratio"),
    [
        (lambda f: f["age"] > 25, -0.14944769330734242, 0.7948260481712757),
        (lambda f: f["age"] >= 25, -0.12854990969960323, 0.8212484098784929),
        (lambda f: f["sex"] == "male", -0.07480130902290782, 0.8965673282047968),
        (lambda f: f["foreign_worker"] == "no", -0.1992646852459936, 0.7765820195726738),
    ],
    ids=["over 25", "25 and over", "male", "not a foreign worker"],
)
def test_german_label_rate_gaps(german, privileged, difference, ratio):  # [C]
    got = rate_gap(german.frame, privileged(german.frame), "good_credit")
    assert got == pytest.approx((difference, ratio), abs=1e-15)


def test_german_rates_either_side_of_25(german):  # [C]
    rates = german.y.groupby(german.frame["age"] > 25).mean().round(6).to_dict()
    assert rates == {False: 0.578947, True: 0.728395}


# ------------------------------------------------------------------------------------------- bank


def test_bank_rows_and_base_rates(bank):  # [P]
    assert bank.frame.shape == (41_188, 23)
    assert bank.y.sum() == 4_640
    assert round(bank.y.mean(), 4) == 0.1127
    assert bank.frame.drop(columns=["row", "year"]).duplicated().sum() == 12
    assert missing(bank.frame) == {}


def test_bank_drifts_from_year_to_year(bank):  # [C]
    years = bank.frame.groupby("year")
    assert years.size().to_dict() == {2008: 27_690, 2009: 11_440, 2010: 2_058}
    assert years["subscribed"].mean().round(4).to_dict() == {
        2008: 0.0484,
        2009: 0.1948,
        2010: 0.5214,
    }
    means = years["euribor3m"].mean()
    assert means.round(3).to_dict() == {2008: 4.817, 2009: 1.232, 2010: 0.813}
    assert means[2008] == pytest.approx(4.817131997110871, abs=1e-12)
    assert means[2009] == pytest.approx(1.2319949300699302, abs=1e-12)


def test_bank_columns_drift_by_known_distances(bank):  # [C]
    old, new = (bank.frame[bank.frame["year"] == year] for year in (2008, 2009))
    assert stats.ks_2samp(old["euribor3m"], new["euribor3m"], method="asymp").statistic == 1
    assert stats.ks_2samp(old["age"], new["age"], method="asymp").statistic == pytest.approx(
        0.09240372303752586, abs=1e-12
    )


def test_bank_rows_are_in_time_order(bank):
    assert bank.frame["row"].tolist() == list(range(41_188))
    assert bank.frame["year"].is_monotonic_increasing


# ------------------------------------------------------------------------------------ all of them


@pytest.mark.parametrize("load", LOADERS)
def test_a_load_is_a_copy_of_its_own(load):
    first = load()
    before = first.frame.copy()
    first.frame.iloc[:, 0] = first.frame.iloc[0, 0]
    first.frame["extra"] = 1
    pd.testing.assert_frame_equal(load().frame, before)


@pytest.mark.parametrize("load", LOADERS)
def test_features_and_target_are_copies(load):
    data = load()
    before = data.frame.copy()
    X, y = data.X, data.y
    X.iloc[:, 0] = X.iloc[0, 0]
    y.iloc[:] = 7
    for part in data.train_test():
        part.iloc[0] = part.iloc[1]
    pd.testing.assert_frame_equal(data.frame, before)


@pytest.mark.parametrize("load", LOADERS)
def test_features_hold_what_a_model_may_see(load):
    data = load()
    kept = [c for c in data.frame if c not in {data.target, *data.drop}]
    assert list(data.X) == kept
    assert set(data.drop) < set(data.frame)
    assert set(data.sensitive) < set(data.X)
    assert set(data.y) == {0, 1}
    assert data.positive == 1
    for column in data.sensitive:
        sizes = data.frame[column].value_counts()
        assert len(sizes) <= 5
        assert sizes.min() >= 80


def test_leaks_and_bookkeeping_are_no_features():
    assert datasets.load_adult().drop == ("fnlwgt", "split")
    assert datasets.load_bank_marketing().drop == ("row", "year", "duration")
    assert datasets.load_german_credit().drop == ()


@pytest.mark.parametrize("load", LOADERS)
def test_the_parts_of_a_split_are_the_whole(load):
    data = load()
    X_train, X_test, y_train, y_test = data.train_test()
    assert X_train.index.equals(y_train.index)
    assert X_test.index.equals(y_test.index)
    assert not set(X_train.index) & set(X_test.index)
    pd.testing.assert_frame_equal(pd.concat([X_train, X_test]).sort_index(), data.X)
    pd.testing.assert_series_equal(pd.concat([y_train, y_test]).sort_index(), data.y)


def test_adult_keeps_its_published_split(adult):
    X_train, X_test, _, _ = adult.train_test()
    pd.testing.assert_frame_equal(X_train, datasets.load_adult("train").X)
    pd.testing.assert_frame_equal(X_test, datasets.load_adult("test").X)
    with pytest.raises(ValueError, match="adult has a published split: leave test_size out"):
        adult.train_test(0.3)


def test_half_of_a_published_split_is_divided_at_random():
    X_train, X_test, _, _ = datasets.load_adult("train").train_test(0.25)
    assert (len(X_train), len(X_test)) == (24_421, 8_140)
    assert not X_train.index.is_monotonic_increasing


def test_german_is_permuted_by_seed(german):
    X_train, X_test, _, _ = german.train_test(seed=3)
    assert (len(X_train), len(X_test)) == (700, 300)
    order = np.random.default_rng(3).permutation(1000)
    assert X_train.index.tolist() == order[:700].tolist()
    assert german.train_test(seed=3)[1].equals(X_test)
    assert not german.train_test(seed=4)[1].equals(X_test)


def test_bank_is_cut_once_in_time(bank):
    X_train, X_test, _, _ = bank.train_test(0.4, seed=9)
    assert X_train.index.max() < X_test.index.min()
    assert len(X_test) == round(0.4 * 41_188)


@pytest.mark.parametrize("test_size", [0, 1, -0.2, 1.5, 1e-6])
def test_a_split_leaves_no_part_empty(german, test_size):
    with pytest.raises(ValueError, match="leaves no rows"):
        german.train_test(test_size)


@pytest.mark.parametrize("load", LOADERS)
def test_descriptions_name_origin_licence_and_a_warning(load):
    text = load().description
    assert "doi:10.24432/" in text
    assert "CC BY 4.0" in text
    assert "Warning:" in text
    notice = files(datasets).joinpath("NOTICE.md").read_text(encoding="utf-8")
    assert text.partition("doi:10.24432/")[2][:6] in notice


def test_a_dataset_prints_short_and_is_frozen(german):
    assert len(repr(german)) < 150
    assert "Groemping" in german.description
    with pytest.raises(dataclasses.FrozenInstanceError):
        german.target = "age"


def test_importing_the_room_does_not_import_pandas():
    code = "import sys, trustcheck.datasets; print('pandas' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_the_files_are_found_inside_a_zip(tmp_path):
    """As from a wheel on the path that was never unpacked."""
    folder = Path(datasets.__file__).parent
    with zipfile.ZipFile(tmp_path / "lib.zip", "w") as archive:
        archive.writestr("trustcheck/__init__.py", "")
        for name in ("__init__.py", "german_credit.csv.gz", "bank_marketing.csv.xz"):
            archive.write(folder / name, f"trustcheck/datasets/{name}")
    code = (
        f"import sys; sys.path.insert(0, {str(tmp_path / 'lib.zip')!r});"
        "from trustcheck import datasets as d;"
        "print('lib.zip' in d.__file__, len(d.load_german_credit().X), d.load_bank_marketing().y.sum())"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["True", "1000", "4640"]
