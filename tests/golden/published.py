"""Predictions of two published models on Adult, with nothing to fit.

See README.md in this folder for where they come from. Tests take them through the fixtures of
conftest.py; a script may run this file by its path.
"""

from pathlib import Path

import pandas as pd

HERE = Path(__file__).parent


def load_tree():
    """Columns y_true, y_pred, sex; 48,842 rows (fairlearn's quickstart)."""
    return pd.read_csv(HERE / "adult_predictions_tree.csv.xz")


def load_logreg():
    """Columns y_true, y_pred, y_prob, sex, race; 13,567 rows (AIF360's demo_new_features)."""
    # Read as text first: NumPy rounds a decimal to the nearest float, pandas not in every release.
    frame = pd.read_csv(HERE / "adult_predictions_logreg.csv.xz", dtype={"y_prob": str})
    return frame.assign(y_prob=frame["y_prob"].astype(float))
