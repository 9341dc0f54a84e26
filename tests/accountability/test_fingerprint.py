import hashlib

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import make_column_transformer
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

import trustcheck as tc
from trustcheck import accountability


def data(seed=0, n=400):
    rng = np.random.default_rng(seed)
    X = pd.DataFrame({"a": rng.normal(size=n), "job": rng.choice(["x", "y"], n)})
    return X, np.where(X["a"] + (X["job"] == "x") > 0.5, "yes", "no")


def fit(X, y, C=1.0):
    columns = make_column_transformer((OneHotEncoder(), ["job"]), remainder="passthrough")
    return make_pipeline(columns, LogisticRegression(C=C)).fit(X, y)


def hashes(finding):
    return {row["item"]: row["sha256"] for row in finding.rows}


def subject(X, y, model, order=None, **more):
    if order is not None:
        X, y = X.iloc[order].reset_index(drop=True), y[order]
    return tc.Subject(model, X, y, **more)


def test_the_model_file_has_the_hash_any_other_tool_gives(tmp_path):
    X, y = data()
    file = tmp_path / "model.bin"
    file.write_bytes(b"weights" * 1000)
    context = tc.Context(artefact=file)
    finding = accountability.fingerprint(
        subject(X, y, fit(X, y), reference=(X, y), context=context)
    )
    assert hashes(finding)["model file"] == hashlib.sha256(b"weights" * 1000).hexdigest()
    assert finding.value == finding.low == finding.high == 1.0


def test_every_change_shows_and_nothing_else_does_in_20_worlds():
    for seed in range(20):
        X, y = data(seed)
        model, rng = fit(X, y), np.random.default_rng(seed)
        base = hashes(accountability.fingerprint(subject(X, y, model)))
        order = rng.permutation(len(X))
        assert hashes(accountability.fingerprint(subject(X, y, model, order))) == base
        again = hashes(accountability.fingerprint(subject(X, y, fit(X, y))))
        assert again == base  # another object, the same behaviour
        cell = X.copy()
        cell.loc[int(rng.integers(len(X))), "a"] += 1e-9
        assert changed(base, subject(cell, y, model)) >= {"given data"}
        label = y.copy()
        label[0] = "yes" if y[0] == "no" else "no"
        assert "given data" in changed(base, subject(X, label, model))
        assert changed(base, subject(X, y, fit(X, y, C=0.9))) == {"model behaviour"}
        assert "schema" in changed(base, subject(X, y, model, sensitive=["job"]))


def changed(base, other):
    new = hashes(accountability.fingerprint(other))
    return {item for item in base if base[item] != new[item]}


def test_a_folder_is_hashed_by_the_names_and_bytes_of_its_files(tmp_path):
    X, y = data()
    (tmp_path / "part").mkdir()
    (tmp_path / "part" / "weights.bin").write_bytes(b"1")
    context = tc.Context(artefact=str(tmp_path))
    made = subject(X, y, fit(X, y), context=context)
    before = hashes(accountability.fingerprint(made))["model file"]
    assert hashes(accountability.fingerprint(made))["model file"] == before
    (tmp_path / "part" / "weights.bin").rename(tmp_path / "weights.bin")
    assert hashes(accountability.fingerprint(made))["model file"] != before


def test_what_was_not_given_counts_against_it_and_says_how_to_give_it():
    X, y = data()
    finding = accountability.fingerprint(subject(X, y, fit(X, y)))
    assert finding.value == pytest.approx(4 / 6)
    missing = {row["item"]: row["missing"] for row in finding.rows if row["missing"]}
    assert "reference=" in missing["reference data"]
    assert "artefact=" in missing["model file"]
    alone = accountability.fingerprint(tc.Subject.from_predictions([0, 1], [0, 1]))
    assert alone.value == 0.5


def test_an_artefact_that_is_none_is_refused(tmp_path):
    X, y = data()
    for artefact, said in ((tmp_path / "gone.joblib", "no file 'gone.joblib'"), (42, "is a int")):
        made = subject(X, y, fit(X, y), context=tc.Context(artefact=artefact))
        with pytest.raises(tc.InputError, match=said):
            accountability.fingerprint(made)


def test_the_seed_changes_nothing_and_regression_counts_six_digits():
    rng = np.random.default_rng(1)
    X = rng.normal(size=(300, 2))
    y = X @ [1.0, 2.0]
    model = LinearRegression().fit(X, y)
    one = accountability.fingerprint(tc.Subject(model, X, y, seed=1))
    two = accountability.fingerprint(tc.Subject(model, X, y, seed=2))
    assert hashes(one) == hashes(two)
    model.coef_ = model.coef_ * (1 + 1e-3)
    assert "model behaviour" in changed(hashes(one), tc.Subject(model, X, y))
