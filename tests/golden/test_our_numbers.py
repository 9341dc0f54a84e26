"""trustcheck's probes give the published figures on the published predictions."""

import pytest

import trustcheck as tc
from trustcheck import datasets, fairness, reliability


def subject(frame, **options):
    return tc.Subject.from_predictions(
        frame["y_true"], frame["y_pred"], sensitive=frame[["sex"]], **options
    )


def rates(finding):
    return {row["group"]: row["rate"] for row in finding.rows}


def test_adult_group_rates():  # [C] label rates, read as if they were predictions
    y = datasets.load_adult().frame
    labels = tc.Subject.from_predictions(
        None, y["income_over_50k"], sensitive=y[["sex"]], task="binary", classes=[0, 1]
    )
    found = rates(fairness.demographic_parity(labels))
    assert {name: f"{rate:.5f}" for name, rate in found.items()} == {
        "Female": "0.10925",
        "Male": "0.30377",
    }


def test_fairlearn_quickstart(tree_predictions):  # [P] and [C]
    tree = subject(tree_predictions)
    parity = fairness.demographic_parity(tree)
    assert f"{rates(parity)['Female']:.6g}" == "0.0635499"
    assert f"{rates(parity)['Male']:.6g}" == "0.213599"
    assert parity.value == pytest.approx(0.15004887369937472, abs=1e-15)
    assert parity.metrics["ratio"].value == pytest.approx(0.2975199704209084, abs=1e-15)
    accuracy = reliability.performance(tree).metrics["accuracy"]
    assert accuracy.value == pytest.approx(0.8443552680070431, abs=1e-12)


def test_aif360_demo(logreg_predictions):  # [P] and [C]
    logistic = subject(logreg_predictions, y_proba=logreg_predictions["y_prob"])
    parity, found = fairness.demographic_parity(logistic), reliability.performance(logistic)
    assert parity.metrics["ratio"].value == pytest.approx(0.26889803976599136, abs=1e-15)
    assert parity.value == pytest.approx(0.18735982623227046, abs=1e-15)
    assert found.metrics["accuracy"].value == pytest.approx(0.8455074813886637, abs=1e-12)
    assert found.metrics["auc"].value == pytest.approx(0.9020344920764813, abs=1e-12)
    assert found.metrics["brier"].value == pytest.approx(0.10609126449267645, abs=1e-12)
