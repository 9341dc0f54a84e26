import sys

import numpy as np
import pandas as pd
import pytest
from fairlearn.postprocessing import ThresholdOptimizer
from sklearn.compose import make_column_transformer
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

import trustcheck as tc
from trustcheck import _mitigation

PROBES = ["fairness.demographic_parity", "fairness.equalized_odds", "reliability.performance"]


def table(seed, n=3000):
    rng = np.random.default_rng(seed)
    sex = rng.choice(["f", "m"], n)
    X = pd.DataFrame({"skill": rng.normal(size=n), "job": rng.choice(list("abc"), n), "sex": sex})
    y = np.where(X["skill"] + (sex == "m") + rng.normal(size=n) > 0.5, "yes", "no")
    return X, y


def fitted(X, y):
    columns = make_column_transformer((OneHotEncoder(), ["job", "sex"]), remainder="passthrough")
    return make_pipeline(columns, LogisticRegression()).fit(X, y)


@pytest.fixture(scope="module")
def parts():
    (X, y), (old_X, old_y) = table(0), table(1)
    return fitted(old_X, old_y), X, y, old_X, old_y


@pytest.fixture(scope="module")
def subject(parts):
    model, X, y, old_X, old_y = parts
    return tc.Subject(model, X, y, sensitive=["sex"], reference=(old_X, old_y), name="credit")


def change(report):
    return report.findings["fairness.mitigation"]


def test_thresholds_are_fairlearns_fitted_on_the_reference(parts, subject):
    model, X, _, old_X, old_y = parts
    cut = _mitigation.thresholds(
        tc.Subject(model, old_X, old_y, sensitive=["sex"]), ("sex",),
        constraint="equalized_odds", objective="accuracy_score", seed=0,
    )  # fmt: skip
    optimum = ThresholdOptimizer(
        estimator=model, constraints="equalized_odds", prefit=True, predict_method="predict_proba"
    ).fit(old_X, (old_y == "yes").astype(int), sensitive_features=old_X["sex"])
    expected = optimum._pmf_predict(X, sensitive_features=X["sex"])[:, 1]
    assert cut.chances(X) == pytest.approx(expected, abs=1e-12)
    # The draw is a fair one: over rows, as many positive answers as their chances promise.
    said = cut.predict(X) == "yes"
    assert said.mean() == pytest.approx(expected.mean(), abs=0.02)
    assert set(np.unique(cut.predict(X))) == {"no", "yes"}


def test_equal_rows_are_answered_alike_whatever_their_order(parts):
    model, X, _, old_X, old_y = parts
    base = tc.Subject(model, old_X, old_y, sensitive=["sex"])
    settings = {"constraint": "equalized_odds", "objective": "accuracy_score"}
    cut = _mitigation.thresholds(base, ("sex",), seed=0, **settings)
    order = np.random.default_rng(2).permutation(len(X))
    assert (cut.predict(X.iloc[order]) == cut.predict(X)[order]).all()
    other = _mitigation.thresholds(base, ("sex",), seed=1, **settings)
    assert (other.predict(X) != cut.predict(X)).any()


def test_the_gain_is_found_and_the_cost_beside_it(subject):
    report = tc.what_if(subject, "threshold", by="sex", probes=PROBES)
    found = change(report)
    gap = found.metrics["fairness.demographic_parity[by=sex]"]
    assert report.subject["name"] == "credit, thresholds by sex"
    assert gap.high < -0.1
    assert found.high < 0  # accuracy is what it costs
    assert not found.at_least(-0.001)
    frame = found.to_frame().set_index("what")
    assert frame.loc["fairness.demographic_parity[by=sex]", "says"] == "gain"
    assert frame.loc["accuracy", "says"] == "cost"
    assert report.findings["fairness.demographic_parity"].at_most(0.1)
    assert "3,000 reference rows" in found.notes[0]
    before = tc.evaluate(subject, probes=PROBES)
    for key, finding in before.findings.items():
        assert frame.loc[key, "before"] == finding.value
        assert frame.loc[key, "after"] == report.findings[key].value
    again = tc.what_if(subject, "threshold", by="sex", probes=PROBES, before=before)
    assert again == report


def test_a_mitigation_that_changes_nothing_neither_gains_nor_costs(parts, subject):
    report = tc.what_if(subject, lambda base: parts[0], probes=PROBES)
    assert all(row["says"] == "open" for row in change(report).rows)
    for estimate in change(report).metrics.values():
        assert estimate.value == 0
        assert estimate.low <= 0 <= estimate.high
    assert change(report).high < 0.002  # paired: rows that agree leave little doubt


def test_reweighing_makes_group_and_label_independent(parts):
    model, _, _, old_X, old_y = parts
    base = tc.Subject(model, old_X, old_y, sensitive=["sex"])
    weights = _mitigation.reweighing(base, ("sex",))
    f, yes = old_X["sex"].to_numpy() == "f", old_y == "yes"
    by_hand = np.mean(f) * np.mean(yes) / np.mean(f & yes)
    assert weights[f & yes] == pytest.approx(by_hand, abs=1e-12)
    assert np.average(yes[f], weights=weights[f]) == pytest.approx(yes.mean(), abs=1e-12)
    assert weights.sum() == pytest.approx(len(f), abs=1e-8)


def test_reweighing_fits_the_users_pipeline_again_and_keeps_its_scores(parts, subject):
    model, X, _, old_X, old_y = parts
    report = tc.what_if(subject, "reweigh", probes=[*PROBES, "fairness.auc_parity"])
    assert change(report).metrics["fairness.demographic_parity[by=sex]"].high < 0
    assert report.findings["fairness.auc_parity"].status == "measured"
    assert model.predict(X).tolist() == fitted(old_X, old_y).predict(X).tolist()  # untouched
    neighbours = KNeighborsClassifier().fit(X[["skill"]], subject.truth)
    near = tc.Subject(neighbours, X, subject.truth, sensitive=["sex"], features=["skill"])
    with pytest.raises(tc.InputError, match="takes no sample_weight"):
        tc.what_if(near, "reweigh")
    bare = tc.Subject(model.predict, X, parts[2], sensitive=["sex"])
    with pytest.raises(tc.InputError, match="cannot be fitted again"):
        tc.what_if(bare, "reweigh")


def test_without_a_reference_half_of_the_rows_are_kept_apart(parts):
    model, X, y, *_ = parts
    seen = []

    def fix(base):
        seen.append(base)
        return model

    subject = tc.Subject(model, X, y, sensitive=["sex"], cluster=np.arange(len(X)) // 3)
    report = tc.what_if(subject, fix, probes=["fairness.demographic_parity"])
    (base,) = seen
    assert base.n + report.subject["rows"] == len(X)
    assert (
        "There is no reference data, so it was fitted on a random half" in change(report).notes[0]
    )
    skill = set(base.X["skill"])
    for _, rows in X["skill"].groupby(np.arange(len(X)) // 3):
        assert len(skill & set(rows)) in (0, 3)  # rows that belong together stay together
    whole = tc.evaluate(subject, probes=["fairness.demographic_parity"])
    with pytest.raises(tc.InputError, match="a report of other rows"):
        tc.what_if(subject, fix, probes=["fairness.demographic_parity"], before=whole)


def test_groups_outside_the_table_travel_with_the_row(parts):
    _, X, y, old_X, old_y = parts
    blind = LogisticRegression().fit(old_X[["skill"]], old_y)
    outside = tc.Subject(
        blind, X[["skill"]], y, sensitive={"sex": X["sex"].to_numpy()},
        reference=(old_X[["skill"]], old_y),
    )  # fmt: skip
    report = tc.what_if(outside, probes=[*PROBES, "robustness.noise", "fairness.flips"])
    assert "The reference has no column 'sex'" in change(report).notes[0]
    assert [f["name"] for f in report.subject["features"]] == ["skill", "sex"]
    assert report.findings["robustness.noise"].status == "measured"
    # The mitigated model does read the group, and the probe of flips sees it.
    assert report.findings["fairness.flips"].value > 0


def test_unknown_groups_keep_the_models_own_answer(parts):
    model, X, _, old_X, old_y = parts
    cut = _mitigation.thresholds(
        tc.Subject(model, old_X, old_y, sensitive=["sex"]), ("sex",),
        constraint="demographic_parity", objective="accuracy_score", seed=0,
    )  # fmt: skip

    class Blind:
        def predict(self, frame):
            return np.full(len(frame), 1)

    cut._base = Blind()
    cut._base.positive_code, cut._base.offers = 1, lambda: ()
    strange = X.assign(sex="x")
    assert np.isnan(cut.chances(strange)).all()
    assert (cut.predict(strange) == "yes").all()


def test_names_of_groups_do_not_depend_on_the_type_of_the_column():
    one = pd.DataFrame({"a": [1, 0], "b": ["x", None]})
    other = pd.DataFrame({"a": [1.0, 0.0], "b": pd.Categorical(["x", None])})
    expected = ["1 & x", "0 & (missing)"]
    assert _mitigation.group_names(one, ("a", "b")).tolist() == expected
    assert _mitigation.group_names(other, ("a", "b")).tolist() == expected


def test_weights_and_regression():
    rng = np.random.default_rng(3)
    X = pd.DataFrame({"a": rng.normal(size=600), "sex": rng.choice([0, 1], 600)})
    y = X["a"] + X["sex"] + rng.normal(size=600)
    worse = LinearRegression().fit(X[["a"]], y)
    subject = tc.Subject(
        worse, X, y, sensitive=["sex"], sample_weight=rng.random(600), features=["a"],
        reference=(X, y),
    )  # fmt: skip
    report = tc.what_if(
        subject, lambda base: LinearRegression().fit(base.X.assign(sex=base.groups("sex").codes),
        base.truth), probes=["fairness.residual_parity"],
    )  # fmt: skip
    found = change(report)
    assert found.headline == "absolute_error"
    assert found.high < 0
    assert found.rows[0]["says"] == "gain"


def test_misuse_is_told_with_a_remedy(parts, subject, monkeypatch):
    model, X, y, old_X, old_y = parts
    with pytest.raises(tc.InputError, match="fix='retrain' is unknown"):
        tc.what_if(subject, "retrain")
    with pytest.raises(tc.InputError, match="constraint='parity' is unknown"):
        tc.what_if(subject, constraint="parity")
    with pytest.raises(tc.InputError, match="predictions alone"):
        tc.what_if(tc.Subject.from_predictions([0, 1], [0, 1], sensitive={"g": ["a", "b"]}))
    with pytest.raises(tc.InputError, match="several sensitive columns"):
        tc.what_if(tc.Subject(model, X, y, sensitive=["sex", "job"]))
    with pytest.raises(tc.InputError, match="needs labels"):
        tc.what_if(tc.Subject(model, X, sensitive=["sex"]))
    one_sided = old_y.copy()
    one_sided[old_X["sex"] == "f"] = "no"
    with pytest.raises(tc.InputError, match="know one label only for group 'f'"):
        tc.what_if(tc.Subject(model, X, y, sensitive=["sex"], reference=(old_X, one_sided)))
    monkeypatch.setitem(sys.modules, "fairlearn", None)
    with pytest.raises(tc.InputError, match=r"pip install trustcheck\[fairness\]"):
        tc.what_if(subject)


def test_the_report_can_be_saved_judged_and_redacted(subject, tmp_path):
    report = tc.what_if(subject, "reweigh", probes=PROBES)
    report.save(tmp_path / "r.json")
    report.save(tmp_path / "r.html")
    loaded = tc.Report.load(tmp_path / "r.json")
    assert change(loaded).value == change(report).value
    profile = {"fairness.mitigation": {"at_least": -0.5}}
    assert report.judge(profile).verdicts[0].status == "pass"
    assert change(report.redacted()).status in ("measured", "skipped")
