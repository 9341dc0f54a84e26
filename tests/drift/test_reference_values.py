"""Distances on the shipped data equal those computed with NumPy and SciPy alone."""

import json
from pathlib import Path

import numpy as np
import pytest

import trustcheck as tc
from trustcheck import datasets, drift
from trustcheck.stats import distances

VALUES = json.loads((Path(__file__).parents[1] / "golden" / "drift_values.json").read_text("utf-8"))


@pytest.fixture(scope="module")
def parts():
    """Reference and given frame of each comparison, every column named in the values among them."""
    bank = datasets.load_bank_marketing().frame
    adult = datasets.load_adult()
    X_train, X_test, y_train, y_test = adult.train_test()
    return {
        "bank_marketing": [bank[bank.year == year].reset_index(drop=True) for year in (2008, 2009)],
        "adult": [
            X.assign(income_over_50k=y).reset_index(drop=True)
            for X, y in ((X_train, y_train), (X_test, y_test))
        ],
    }


@pytest.fixture(scope="module")
def rows(parts):
    found = {}
    for name, (before, now) in parts.items():
        columns = [key.split(":")[1] for key in VALUES if key.startswith(name)]
        subject = tc.Subject(
            lambda X: np.zeros(len(X)), now[columns], reference=before[columns], task="regression"
        )
        for row in drift.features(subject).rows:
            found[f"{name}:{row['column']}"] = row
    return found


@pytest.mark.parametrize("key", VALUES)
def test_every_statistic_equals_its_reference_value(key, parts, rows):
    expected = VALUES[key]
    name, column, _ = key.split(":")
    row = rows[f"{name}:{column}"]
    same = {"psi": "psi"}
    if "ks_stat" in expected:
        same |= {"psi_bins": "psi_bins", "ks_stat": "ks", "ks_p_asymp": "p"}
        before, now = (part[column].to_numpy(float) for part in parts[name])
        both = distances.steps(before, now)
        assert distances.wasserstein(both) == pytest.approx(expected["wasserstein1"], abs=1e-9)
        edges = distances.bin_edges(before)
        assert edges.tolist() == pytest.approx(expected["psi_inner_edges"], abs=1e-12)
        assert (len(before), len(now)) == (expected["n_ref"], expected["n_cur"])
    else:
        same |= {"tvd": "value", "js_distance_base2": "js", "p": "p", "levels": "psi_bins"}
    for theirs, ours in same.items():
        # The law of the largest difference is slow: its limit is taken, corrected for the size.
        near = 1e-5 if theirs == "ks_p_asymp" else 1e-9
        assert row[ours] == pytest.approx(expected[theirs], abs=near), (theirs, ours)
