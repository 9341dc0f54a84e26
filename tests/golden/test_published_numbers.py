"""Published figures, and figures computed from the same files by hand, against two libraries.

[P] published by others; [C] computed for this project with NumPy and SciPy only. README.md in this
folder says where the files and the published figures come from.
"""

import pandas as pd
import pytest
from sklearn import metrics

from trustcheck import datasets

fairlearn = pytest.importorskip("fairlearn.metrics")

# Counts are exact, so a share may differ by the rounding of a division and no more.
EXACT = 1e-15


def by_group(metric, frame, group="sex"):
    return fairlearn.MetricFrame(
        metrics=metric,
        y_true=frame["y_true"],
        y_pred=frame["y_pred"],
        sensitive_features=frame[group],
    )


def gap(metric, frame, group="sex", **kwargs):
    return metric(frame["y_true"], frame["y_pred"], sensitive_features=frame[group], **kwargs)


def counts(frame, group="sex"):
    """TP, FP, FN and TN of each group."""
    return {
        level: tuple(
            int(((part["y_true"] == truth) & (part["y_pred"] == answer)).sum())
            for truth, answer in ((1, 1), (0, 1), (1, 0), (0, 0))
        )
        for level, part in frame.groupby(group)
    }


# ------------------------------------------------------------------------------------------- tree


def test_tree_file_is_the_shipped_adult_data(tree_predictions):
    """Rows stand in the order of OpenML: the test part first."""
    frame = datasets.load_adult().frame
    frame = pd.concat([frame[frame["split"] == part] for part in ("test", "train")])
    assert tree_predictions["y_true"].tolist() == frame["income_over_50k"].tolist()
    assert tree_predictions["sex"].tolist() == frame["sex"].tolist()


def test_tree_accuracy(tree_predictions):  # [P]
    accuracy = by_group(metrics.accuracy_score, tree_predictions)
    assert accuracy.overall == 0.8443552680070431
    assert accuracy.by_group.round(6).to_dict() == {"Female": 0.925148, "Male": 0.804288}


def test_tree_selection_rate(tree_predictions):  # [P]
    rate = by_group(fairlearn.selection_rate, tree_predictions)
    assert rate.overall == 0.16385487899758405
    assert f"{rate.by_group['Female']:.6g}" == "0.0635499"
    assert f"{rate.by_group['Male']:.6g}" == "0.213599"


def test_tree_counts(tree_predictions):  # [C]
    assert counts(tree_predictions) == {
        "Female": (793, 236, 976, 14187),
        "Male": (5251, 1723, 4667, 21009),
    }


@pytest.mark.parametrize(
    ("metric", "expected"),
    [
        (fairlearn.demographic_parity_difference, 0.15004887369937472),
        (fairlearn.demographic_parity_ratio, 0.2975199704209084),
        (fairlearn.equal_opportunity_difference, 0.0811655575720911),
        (fairlearn.equalized_odds_difference, 0.0811655575720911),
    ],
)
def test_tree_gaps(tree_predictions, metric, expected):  # [C]
    assert gap(metric, tree_predictions) == pytest.approx(expected, abs=EXACT)


def test_tree_false_positive_gap(tree_predictions):  # [C]
    gap_ = by_group(fairlearn.false_positive_rate, tree_predictions).difference()
    assert gap_ == pytest.approx(0.05943348044856063, abs=EXACT)


# ---------------------------------------------------------------------------- logistic regression


def test_logreg_accuracy(logreg_predictions):  # [P]
    truth, answer = logreg_predictions["y_true"], logreg_predictions["y_pred"]
    assert metrics.accuracy_score(truth, answer) == 0.8455074813886637


def test_logreg_disparate_impact(logreg_predictions):  # [P]
    rates = by_group(fairlearn.selection_rate, logreg_predictions).by_group
    impact = rates["Female"] / rates["Male"]
    assert impact == pytest.approx(0.26889803976599136, abs=EXACT)
    ratio = gap(fairlearn.demographic_parity_ratio, logreg_predictions)
    assert ratio == pytest.approx(impact, abs=EXACT)


def test_logreg_labels_follow_from_its_scores(logreg_predictions):
    assert logreg_predictions["y_prob"].between(0, 1).all()
    assert (logreg_predictions["y_pred"] == (logreg_predictions["y_prob"] > 0.5)).all()


def test_logreg_counts_by_sex(logreg_predictions):  # [C]
    assert counts(logreg_predictions) == {
        "Female": (238, 65, 273, 3821),
        "Male": (1731, 619, 1139, 5681),
    }


def test_logreg_counts_by_race(logreg_predictions):  # [C]
    assert counts(logreg_predictions, "race") == {
        "Amer-Indian-Eskimo": (11, 7, 4, 115),
        "Asian-Pac-Islander": (70, 34, 55, 270),
        "Black": (67, 18, 80, 1065),
        "Other": (6, 4, 8, 89),
        "White": (1815, 621, 1265, 7963),
    }


@pytest.mark.parametrize(
    ("metric", "expected"),
    [
        (fairlearn.demographic_parity_difference, 0.18735982623227046),
        (fairlearn.equal_opportunity_difference, 0.13738246384420794),
        (fairlearn.equalized_odds_difference, 0.13738246384420794),
    ],
)
def test_logreg_gaps(logreg_predictions, metric, expected):  # [C]
    assert gap(metric, logreg_predictions) == pytest.approx(expected, abs=EXACT)


def test_logreg_false_positive_gap(logreg_predictions):  # [C]
    gap_ = by_group(fairlearn.false_positive_rate, logreg_predictions).difference()
    assert gap_ == pytest.approx(0.0815272569827382, abs=EXACT)


@pytest.mark.parametrize(
    ("metric", "expected"),
    [
        (metrics.roc_auc_score, 0.9020344920764813),
        (metrics.brier_score_loss, 0.10609126449267645),
        (metrics.log_loss, 0.331337591579279),
    ],
)
def test_logreg_scores(logreg_predictions, metric, expected):  # [C]
    got = metric(logreg_predictions["y_true"], logreg_predictions["y_prob"])
    assert got == pytest.approx(expected, abs=1e-13)
