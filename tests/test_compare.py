"""What became better or worse: two reports, and two models on the same rows."""

import dataclasses

import numpy as np
import pandas as pd
import pytest

import trustcheck as tc
from trustcheck._compare import clearly_worse
from trustcheck.cli import main
from trustcheck.stats import mcnemar
from trustcheck.types import Findings

PROBES = ["reliability.performance", "fairness.demographic_parity"]


def rows(n=600, seed=0):
    rng = np.random.default_rng(seed)
    X = pd.DataFrame({"a": rng.normal(size=n), "b": rng.normal(size=n)})
    X["sex"] = rng.choice(["f", "m"], n)
    return X, (X["a"] + rng.normal(0, 0.5, n) > 0).astype(int)


def model(noise=0.0, unfair=0.0):
    """Answers by the sign of a, with noise from b, and fewer yes for f."""

    def answer(X):
        shift = unfair * (X["sex"] == "f")
        return (X["a"] + noise * X["b"] - shift > 0).astype(int).to_numpy()

    return answer


def subject(answer, n=600, seed=0, name="m", **more):
    X, y = rows(n, seed)
    return tc.Subject(answer, X, y, sensitive=["sex"], classes=[0, 1], name=name, **more)


def report(*args, profile="default", **more):
    return tc.evaluate(subject(*args, **more), probes=PROBES, profile=profile)


def changes(found):
    return {(d.key.partition("[")[0], d.metric): d.change for d in found.differences}


def test_a_worse_challenger_is_told_row_by_row():
    found = tc.compare(
        subject(model(), name="old"), subject(model(noise=1.5), name="new"), probes=PROBES
    )
    assert found.paired
    assert changes(found)["reliability.performance", "skill"] == "worse"
    assert changes(found)["fairness.demographic_parity", "gap"] == "can't tell"
    found = tc.compare(subject(model(unfair=1)), subject(model()), probes=PROBES)
    assert changes(found)["fairness.demographic_parity", "gap"] == "better"
    (line,) = found.of("better")[:1]
    assert line.value < line.high < 0
    assert line.first_verdict == "fail"


def test_a_model_against_itself_is_not_told_apart():
    found = tc.compare(subject(model()), subject(model()), probes=PROBES)
    assert set(changes(found).values()) == {"can't tell"}
    assert all(d.value == 0 and d.low < 0 < d.high for d in found.differences)
    assert clearly_worse(found) == ()


def test_small_changes_are_seen_only_in_pairs():
    # 3 % of answers become wrong: far inside either model's own interval.
    X, y = rows()
    right = (X["a"] > 0).astype(int).to_numpy()
    spoiled = np.where((np.arange(600) % 33 == 0) & (right == y), 1 - right, right)
    one, two = (
        tc.Subject(lambda X, p=p: p[X.index], X, y, classes=[0, 1]) for p in (right, spoiled)
    )
    paired = tc.compare(one, two, probes="reliability.performance")
    apart = tc.compare(paired.first, paired.second)
    assert changes(paired)["reliability.performance", "skill"] == "worse"
    assert changes(apart)["reliability.performance", "skill"] == "can't tell"
    assert apart.differences[0].method == "same rows"


def test_accuracy_is_compared_as_mcnemar_does():
    profile = {"reliability.performance": {"at_least": 0.6, "metric": "accuracy"}}
    one, two = subject(model()), subject(model(noise=0.5))
    found = tc.compare(one, two, profile, probes="reliability.performance")
    line = next(d for d in found.differences if d.metric == "accuracy")
    a, b = (s.predictions == s.truth for s in (one, two))
    assert (line.value, line.low, line.high) == mcnemar.difference(sum(b & ~a), sum(a & ~b), 600)
    weighted = [subject(m, sample_weight=np.ones(600)) for m in (model(), model(noise=0.5))]
    line = tc.compare(*weighted, profile, probes="reliability.performance").differences[0]
    assert line.method == "same rows"


def test_reports_on_other_rows_are_independent():
    found = tc.compare(report(model()), report(model(noise=1.5), seed=1, n=900))
    line = next(d for d in found.differences if d.metric == "skill")
    a, b = (e for e in (line.first, line.second))
    below = np.hypot(b.value - b.low, a.high - a.value)
    assert line.low == pytest.approx(b.value - a.value - below)
    assert (line.method, line.change) == ("independent", "worse")
    assert found.of("worse") == (line,)


def test_what_cannot_be_compared_says_why():
    one = report(model())
    other = report(model(), profile={"reliability.performance": {"at_least": 0.9}})
    found = tc.compare(one, other)
    assert "different profiles" in found.reason
    assert found.differences == ()
    assert "Not comparable" in str(found)
    assert tc.compare(one, other.judge("default")).reason is None

    changed = [dataclasses.replace(f, version=f.version + 1) for f in one.findings.values()]
    newer = dataclasses.replace(one, findings=Findings(tuple(changed)))
    found = tc.compare(one, newer)
    assert {d.change for d in found.differences} == {"not comparable"}
    assert "the probe changed: versions 1 and 2" in str(found)
    fewer = dataclasses.replace(one, findings=Findings(tuple(changed[:0])))
    assert {d.method for d in tc.compare(one, fewer).differences} == {"not measured in the second"}
    task = dataclasses.replace(one, subject={**one.subject, "task": "regression"})
    assert tc.compare(one, task).reason == "their task differ"


def test_misuse_is_said():
    one = report(model())
    with pytest.raises(tc.InputError, match="two reports or two subjects"):
        tc.compare(one, subject(model()))
    with pytest.raises(tc.InputError, match="judge both anew"):
        tc.compare(one, one, {"reliability.performance": {"at_least": 0.9}})
    with pytest.raises(tc.InputError, match="600 and 500 rows"):
        tc.compare(subject(model()), subject(model(), n=500))
    with pytest.raises(tc.InputError, match="different rows"):
        tc.compare(subject(model()), subject(model(), seed=1))


def test_regressions_and_clusters_are_paired_too():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(400, 2))
    y = X[:, 0] + rng.normal(0, 0.3, 400)
    people = np.repeat(np.arange(100), 4)
    make = lambda f: tc.Subject(f, X, y, task="regression", cluster=people)  # noqa: E731
    found = tc.compare(
        make(lambda X: X[:, 0]),
        make(lambda X: X[:, 0] + 0.5 * X[:, 1]),
        probes="reliability.performance",
    )
    line = next(d for d in found.differences if d.metric == "skill")
    assert (line.method, line.change) == ("paired", "worse")


def test_the_ratchet_blames_only_what_is_clearly_worse_than_allowed():
    found = tc.compare(report(model()), report(model(noise=1.5), seed=1))
    (worse,) = clearly_worse(found)
    assert worse.key == "reliability.performance"
    lost = worse.worse_by()
    assert 0 < lost < abs(worse.value)
    assert clearly_worse(found, by=1.0) == ()
    assert clearly_worse(found, limits={"reliability.performance": lost}) == ()
    assert clearly_worse(found, by=1.0, limits={"reliability.performance": 0.0}) == (worse,)
    with pytest.raises(tc.InputError, match="'reliability.nothing' names no requirement"):
        clearly_worse(found, limits={"reliability.nothing": 1})


def test_the_ratchet_is_quiet_where_nothing_changed():
    first = report(model())
    blamed = [bool(clearly_worse(tc.compare(first, report(model(), seed=s)))) for s in range(1, 21)]
    assert sum(blamed) <= 1


def test_it_is_a_frame_a_card_and_a_text_and_hostile_names_stay_text():
    name = '<script>alert(1)</script>"'
    found = tc.compare(report(model(), name=name), report(model(noise=1.5), seed=1))
    frame = found.to_frame()
    assert list(frame["change"]) == [str(d.change) for d in found.differences]
    assert "<script>" not in found._repr_html_()
    assert "▼ worse, independent" in str(found)
    assert found.to_dict()["differences"][0]["key"] == frame["key"][0]
    with pytest.raises(dataclasses.FrozenInstanceError):
        found.paired = True


def test_the_command_line_compares_saved_reports(tmp_path, capsys):
    for name, made in (("a", report(model())), ("b", report(model(noise=1.5), seed=1)),
                       ("c", report(model(), profile={"reliability.performance": {"at_least": 0.1}}))):  # fmt: skip
        made.save(tmp_path / f"{name}.json")
    a, b, c = (str(tmp_path / f"{name}.json") for name in "abc")
    assert main(["compare", a, b, "--out", str(tmp_path / "d.json")]) == 1
    assert "▼ worse" in capsys.readouterr().out
    assert main(["compare", b, a]) == 0
    assert main(["compare", a, c]) == 3
    assert main(["compare", a, str(tmp_path / "d.json")]) == 2
