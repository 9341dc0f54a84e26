"""Refit the two published models on the shipped Adult data and write their predictions.

Run ``python tests/golden/make_adult_predictions.py`` to make the two files anew; it stops if a fit
no longer gives the published figures. The tests read the files and never fit: the logistic
regression stops before it has converged, so another release of a solver may move it.
"""

from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split
from sklearn.tree import DecisionTreeClassifier

from trustcheck import datasets

HERE = Path(__file__).parent
TARGET = "income_over_50k"


def people():
    """Adult in the row order of OpenML, which both sources used: test part first."""
    frame = datasets.load_adult().frame
    parts = [frame[frame["split"] == part] for part in ("test", "train")]
    return pd.concat(parts, ignore_index=True).drop(columns="split")


def fairlearn_tree():
    """The decision tree of the fairlearn quickstart, scored on the rows it was fitted to.

    The quickstart left ``fnlwgt`` among the features. The tree never splits on it, so leaving it
    out gives the same predictions.
    """
    frame = people()
    X, y = pd.get_dummies(frame.drop(columns=TARGET)), frame[TARGET]
    model = DecisionTreeClassifier(min_samples_leaf=10, max_depth=4, random_state=0).fit(X, y)
    out = pd.DataFrame({"y_true": y, "y_pred": model.predict(X), "sex": frame["sex"]})
    assert (out["y_true"] == out["y_pred"]).mean() == 0.8443552680070431
    return out


def aif360_logreg():
    """The logistic regression of the AIF360 notebook ``demo_new_features``, on its test rows.

    Complete rows without ``fnlwgt``; one-hot columns first, then the numbers as they are. The
    solver does not converge on numbers of such unequal size: with the columns in another order the
    scores move by as much as 0.23.
    """
    frame = people().dropna().drop(columns="fnlwgt").reset_index(drop=True)
    numbers = frame.drop(columns=TARGET).select_dtypes("number")
    words = frame.drop(columns=[TARGET, *numbers])
    X = np.hstack([pd.get_dummies(words).to_numpy(float), numbers.to_numpy(float)])
    y = frame[TARGET].to_numpy()
    train, test = train_test_split(np.arange(len(y)), train_size=0.7, random_state=1234567)
    model = LogisticRegression(solver="liblinear").fit(X[train], y[train])
    out = pd.DataFrame(
        {
            "y_true": y[test],
            "y_pred": model.predict(X[test]),
            "y_prob": model.predict_proba(X[test])[:, 1],
            "sex": frame["sex"].to_numpy()[test],
            "race": frame["race"].to_numpy()[test],
        }
    )
    assert (out["y_true"] == out["y_pred"]).mean() == 0.8455074813886637
    return out


if __name__ == "__main__":
    fairlearn_tree().to_csv(HERE / "adult_predictions_tree.csv.xz", index=False)
    aif360_logreg().to_csv(HERE / "adult_predictions_logreg.csv.xz", index=False)
