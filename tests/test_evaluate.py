"""The loop: one shared pass, seeded probes, captured crashes, counted rows."""

import json
import warnings

import joblib
import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import trustcheck as tc
from trustcheck.probe import probe as make_probe
from trustcheck.types import Estimate, Measurement, Scope


def parts(n=600, seed=0):
    rng = np.random.default_rng(seed)
    X = pd.DataFrame(rng.normal(size=(2 * n, 4)), columns=list("abcd"))
    y = (X["a"] + X["b"] + rng.normal(0, 0.7, 2 * n) > 0).astype(int)
    model = make_pipeline(StandardScaler(), LogisticRegression()).fit(X[:n], y[:n])
    groups = pd.DataFrame(
        {"sex": rng.choice(["f", "m"], n), "race": rng.choice(["x", "y", "z"], n)}
    )
    return model, X[n:].reset_index(drop=True), y[n:].reset_index(drop=True), groups, (X[:n], y[:n])


def subject(**options):
    model, X, y, groups, reference = parts()
    return tc.Subject(model, X, y, **{"sensitive": groups, "reference": reference} | options)


class Counting:
    """A classifier that counts the rows it is sent, by method."""

    def __init__(self, model):
        self.model, self.classes_ = model, model.classes_
        self.seen = {"predict": 0, "predict_proba": 0}
        self.feature_names_in_ = np.array(list("abcd"))

    def predict(self, X):
        self.seen["predict"] += len(X)
        return self.model.predict(X)

    def predict_proba(self, X):
        self.seen["predict_proba"] += len(X)
        return self.model.predict_proba(X)


def volatile_free(report):
    data = report.to_dict()
    data.pop("run")
    return json.dumps(data, sort_keys=True)


def test_each_given_row_is_sent_at_most_once_per_output_method():
    model, X, y, groups, reference = parts()
    counting = Counting(model)
    report = tc.evaluate(tc.Subject(counting, X, y, sensitive=groups, reference=reference))
    sent = report.run["rows_sent"]
    assert sent["given"] <= 2 * len(X)
    assert sent["reference"] <= 2 * len(reference[0])
    for finding in report.findings.values():
        assert "given" not in finding.rows_sent
        assert "reference" not in finding.rows_sent
    # The report's own counts are those the model saw.
    assert sum(sent.values()) == sum(counting.seen.values())


def test_labels_follow_scores_where_proven_and_are_not_asked_for():
    one = subject()
    assert (one.predictions == np.argmax(one.scores, axis=1)).all()
    _ = one.predictions, one.scores
    assert one.rows_sent() == {"given": one.n}


def test_one_worker_or_two_alone_or_together_the_same_to_the_last_bit():
    alone = tc.evaluate(subject())
    again = tc.evaluate(subject(), n_jobs=2)
    assert volatile_free(alone) == volatile_free(again)
    for key, finding in alone.findings.items():
        single = tc.evaluate(subject(), probes=[finding.id]).findings[key]
        assert single == finding


def test_another_joblib_backend_gives_the_same_report():
    with joblib.parallel_config(backend="loky", n_jobs=2):
        other = tc.evaluate(subject(), n_jobs=2)
    assert volatile_free(other) == volatile_free(tc.evaluate(subject()))


def test_rows_reordered_give_the_same_numbers():
    model, X, y, groups, reference = parts()
    order = np.random.default_rng(1).permutation(len(X))
    turn = [t.iloc[order].reset_index(drop=True) for t in (X, y, groups)]
    one = tc.evaluate(subject())
    two = tc.evaluate(tc.Subject(model, turn[0], turn[1], sensitive=turn[2], reference=reference))
    assert one.subject["data_sha256"] == two.subject["data_sha256"]
    for key, finding in one.findings.items():
        for name, estimate in finding.metrics.items():
            twin = two.findings[key].metrics[name]
            assert (estimate.value, estimate.low, estimate.high) == pytest.approx(
                (twin.value, twin.low, twin.high), abs=1e-12
            )
    for a, b in zip(one.dimension_scores, two.dimension_scores, strict=True):
        assert a.low == pytest.approx(b.low, abs=1e-6)


def test_another_seed_changes_drawn_numbers_only():
    one, two = tc.evaluate(subject(), seed=1), tc.evaluate(subject(), seed=2)
    assert (
        one.findings["reliability.performance"].value
        == two.findings["reliability.performance"].value
    )
    assert one.findings["robustness.noise"].value != two.findings["robustness.noise"].value


def test_groups_are_asked_alone_and_once_for_the_intersection():
    report = tc.evaluate(subject(), probes=["fairness.demographic_parity"])
    assert list(report.findings) == [
        "fairness.demographic_parity[by=sex]",
        "fairness.demographic_parity[by=race]",
        "fairness.demographic_parity[by=sex+race]",
    ]
    with pytest.raises(KeyError, match="names 3 findings"):
        report.findings["fairness.demographic_parity"]


@make_probe(
    title="Crash", question="Does a crash stay alone?", headline="x", unit="", better="low",
    keys=("reliability.degradation",), pillar="reliability",
)  # fmt: skip
def crash(subject, rng):
    raise RuntimeError("secret cell value 4711")


@make_probe(
    title="Mine", question="Can anyone add a probe?", headline="x", unit="share", better="low",
    keys=("reliability.degradation",), pillar="reliability",
)  # fmt: skip
def mine(subject, rng, *, size: int = 3):
    return Measurement({"x": Estimate(rng.random(), 0.0, 1.0, n=size)})


def test_a_crash_is_recorded_and_the_other_findings_are_kept():
    report = tc.evaluate(
        subject(),
        probes=[crash, "reliability.performance"],
        profile={"reliability.crash": {"at_most": 1}, "reliability.performance": {"at_least": 0.1}},
    )
    finding = report.findings["reliability.crash"]
    assert finding.status == "error"
    assert finding.error["type"] == "RuntimeError"
    assert "test_evaluate.py" in finding.error["where"]
    assert isinstance(finding.exception, RuntimeError)
    assert "4711" not in json.dumps(report.to_dict())
    assert report.findings["reliability.performance"].status == "measured"
    assert report.verdict == "inconclusive"
    assert report.exit_code() == 3
    with pytest.raises(tc.TrustError, match="reliability.crash crashed"):
        report.raise_for_status()


def test_called_directly_a_probe_passes_on_the_exception():
    with pytest.raises(RuntimeError, match="secret"):
        crash(subject())


def test_a_configured_probe_has_its_parameters_in_its_key_and_its_own_stream():
    small, large = mine.using(size=2), mine.using(size=4)
    assert (mine.key, small.key) == ("reliability.mine", "reliability.mine[size=2]")
    assert mine.using(size=3).key == "reliability.mine"
    report = tc.evaluate(subject(), probes=[small, large])
    assert report.findings["reliability.mine[size=2]"].n == 2
    assert report.findings["reliability.mine[size=2]"].value == small.run(subject()).value
    assert small.run(subject()).value != large.run(subject()).value
    assert small.run(subject(), seed=7).value != small.run(subject()).value


def test_a_list_of_probes_makes_the_scope_partial():
    report = tc.evaluate(subject(), probes="reliability.performance")
    assert report.scope is Scope.PARTIAL
    assert report.verdict == "pass"
    full = tc.evaluate(subject())
    assert full.scope is Scope.FULL


def test_an_asked_requirement_that_nothing_measured_is_not_a_pass():
    model, X, y, _, _ = parts()
    report = tc.evaluate(tc.Subject(model, X, y), probes=["fairness"])
    assert report.verdict == "inconclusive"
    assert "no sensitive columns" in report.reasons[0]
    assert report.exit_code() == 3


def test_a_probe_nobody_has_is_refused():
    with pytest.raises(ValueError, match=r"did you mean robustness.noise"):
        tc.evaluate(subject(), probes=["robustness.nose"])


def test_judging_again_asks_nothing():
    model, X, y, groups, reference = parts()
    counting = Counting(model)
    report = tc.evaluate(
        tc.Subject(counting, X, y, sensitive=groups, reference=reference),
        probes=["reliability.performance"],
    )
    before = dict(counting.seen)
    strict = report.judge({"reliability.performance": {"at_least": 0.999}})
    assert strict.verdict == "fail"
    assert strict.exit_code() == 1
    assert report.verdict == "pass"
    assert counting.seen == before


def test_a_failing_model_is_asked_once_and_named():
    calls = []

    def broken(X):
        calls.append(len(X))
        raise OSError("the endpoint is down")

    _, X, y, groups, _ = parts()
    report = tc.evaluate(tc.Subject(broken, X, y, sensitive=groups, task="binary"))
    assert len(calls) == 1
    assert report.verdict == "inconclusive"
    assert {f.status for f in report.findings.values()} <= {"error", "skipped"}


def test_a_constant_model_and_a_coin_do_not_pass():
    _, X, y, groups, reference = parts()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        constant = tc.Subject(
            lambda X: np.ones(len(X), dtype=int), X, y, sensitive=groups, reference=reference
        )
        assert tc.evaluate(constant).verdict != "pass"

        def coin(X):
            bits = pd.util.hash_pandas_object(X, index=False).to_numpy() % 2
            return bits.astype(int)

        tossed = tc.Subject(coin, X, y, sensitive=groups, reference=reference)
        assert tc.evaluate(tossed).verdict != "pass"


def test_progress_can_be_shown_and_silenced(capsys):
    tc.evaluate(subject(), probes=["reliability.performance"], show_progress=False)
    assert capsys.readouterr() == ("", "")


def test_the_report_says_what_it_cost_and_where_it_ran():
    report = tc.evaluate(subject(), probes=["reliability.performance"])
    assert {"seconds", "rows_sent", "calls", "host", "id", "started"} <= set(report.run)
    assert report.environment["numpy"] == np.__version__
    assert list(report.scores.index) == [
        "security", "privacy", "safety", "reliability", "transparency", "accountability",
    ]  # fmt: skip
    assert list(report.scores.columns) == [
        "score", "low", "high", "verdict", "coverage", "assurance",
    ]  # fmt: skip
