"""The command line, as a stranger and a scheduled job use it."""

import json
import os
import subprocess
import sys

import joblib
import numpy as np
import pandas as pd
import pytest
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

import trustcheck as tc
from trustcheck.cli import main
from trustcheck.subject import scan_pickle


@pytest.fixture
def job(tmp_path):
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(rng.normal(size=(800, 3)), columns=list("abc"))
    frame["sex"] = rng.choice(["f", "m"], 800)
    frame["paid"] = np.where(frame["a"] + rng.normal(0, 0.5, 800) > 0, "yes", "no")
    train, test = frame[:400], frame[400:]
    model = LogisticRegression().fit(train[list("abc")], train["paid"])
    train.to_csv(tmp_path / "train.csv", index=False)
    test.to_csv(tmp_path / "test.csv", index=False)
    joblib.dump(model, tmp_path / "model.joblib")
    return tmp_path, model


def arguments(folder, *more, model="model.joblib"):
    return [
        "run", str(folder / model), str(folder / "test.csv"), "--target", "paid",
        "--sensitive", "sex", "--reference", str(folder / "train.csv"),
        "--out", str(folder / "out" / "r.json"), "--quiet", *more,
    ]  # fmt: skip


def test_run_audits_the_users_own_model(job, capsys):
    folder, _ = job
    assert main(arguments(folder, "--allow-pickle", "--probes", "reliability.performance")) == 0
    said = capsys.readouterr()
    assert "runs its maker's code" in said.err
    assert "r.json" in said.out
    report = tc.Report.load(folder / "out" / "r.json")
    assert report.verdict == "pass"
    assert report.subject["features"][0]["name"] == "a"


def test_a_pickle_is_refused_with_the_remedy(job, capsys):
    folder, _ = job
    assert main(arguments(folder)) == 2
    assert "pass --allow-pickle" in capsys.readouterr().err
    assert not (folder / "out").exists()


class Evil:
    def __reduce__(self):
        return os.system, ("touch pwned",)


def test_a_pickle_that_runs_commands_is_refused_even_when_allowed(job, capsys, monkeypatch):
    folder, model = job
    monkeypatch.chdir(folder)
    for compress in (0, 3, ("xz", 3)):
        joblib.dump([model, Evil()], folder / "evil.joblib", compress=compress)
        assert main(arguments(folder, "--allow-pickle", model="evil.joblib")) == 2
        assert "posix.system" in capsys.readouterr().err
    assert not (folder / "pwned").exists()


def test_ordinary_models_scan_clean(tmp_path):
    rng = np.random.default_rng(0)
    X = pd.DataFrame({"a": rng.normal(size=60), "b": rng.choice(["x", "y"], 60)})
    y = rng.integers(0, 2, 60)
    for model in (
        RandomForestClassifier(3).fit(X[["a"]], y),
        make_pipeline(OneHotEncoder(), LogisticRegression()).fit(X[["b"]], y),
    ):
        joblib.dump(model, tmp_path / "m.joblib")
        scan = scan_pickle(tmp_path / "m.joblib")
        assert scan.dangerous == ()
        assert scan.unknown == ()
        assert len(scan.names) > 3


def test_what_is_no_pickle_is_refused(tmp_path):
    (tmp_path / "m.pkl").write_bytes(b"not a pickle at all")
    with pytest.raises(tc.InputError, match="cannot be followed"):
        scan_pickle(tmp_path / "m.pkl")


def test_skops_loads_without_permission(job):
    skops_io = pytest.importorskip("skops.io")
    folder, model = job
    skops_io.dump(model, folder / "model.skops")
    assert main(arguments(folder, "--probes", "reliability", model="model.skops")) in (0, 3)


def test_exit_codes_tell_fail_from_unmeasured(job):
    folder, _ = job
    strict = folder / "strict.toml"
    strict.write_text('[requirements."reliability.performance"]\nat_least = 0.999\n', "utf-8")
    allowed = ("--allow-pickle", "--probes", "reliability.performance")
    assert main(arguments(folder, *allowed, "--profile", str(strict))) == 1
    missing = folder / "missing.toml"
    missing.write_text('[requirements."reliability.nothing"]\nat_least = 0.1\n', "utf-8")
    assert main(["show", str(folder / "out" / "r.json"), "--profile", str(missing)]) == 3


def test_show_redacts_a_report_and_refuses_a_cell_of_one(job, capsys):
    folder, _ = job
    saved, public = folder / "out" / "r.json", folder / "public.json"
    main(arguments(folder, "--allow-pickle", "--probes", "fairness.demographic_parity"))
    main(["show", str(saved), "--redact", "--out", str(public)])
    report = tc.Report.load(public)
    assert report.subject["redacted"] == {"min_cell": 10, "recomputable": False}
    assert not any(finding.statistics for finding in report.findings.values())
    main(["show", str(saved), "--redact", "300", "--out", str(public)])
    rows = tc.Report.load(public).findings["fairness.demographic_parity"].rows
    assert [row["n"] for row in rows] == [None, None]
    assert main(["show", str(saved), "--redact", "1"]) == 2
    assert "at least 2" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (["--target", "wages"], "no column 'wages'"),
        (["--sensitive", "tribe"], "no column 'tribe'"),
        (["--profile", "nowhere.toml"], "no profile 'nowhere.toml'"),
        (["--positive", "maybe"], "no label of column 'paid'"),
        (["--probes", "fairness.parity"], "there is no probe or pillar 'fairness.parity'"),
    ],
)
def test_bad_input_is_exit_code_2_and_a_sentence(job, capsys, change, message):
    folder, _ = job
    assert main([*arguments(folder, "--allow-pickle"), *change]) == 2
    assert message in capsys.readouterr().err


def test_a_profile_with_mistakes_is_refused_by_name(tmp_path):
    from trustcheck import profiles

    for text, message in (
        ("[requirements.'fairness.x']\nat_mots = 1", "unknown keys at_mots"),
        ("[requirements.'fairness.x']\nat_most = 'a'", "at_most must be a number"),
        ("[requirements.'fairness.x']\nclass = 'dire'\nat_most = 1", "severity must be one of"),
        ("[requirements.'fairness.x']\nweight = 2", "needs a limit"),
        ("[requirements.'luck.x']\nat_most = 1", "names no pillar"),
        ("inconclusive = 'maybe'", "must be 'warn' or 'fail'"),
        ("[[[", "not valid TOML"),
    ):
        path = tmp_path / "p.toml"
        path.write_text(text, "utf-8")
        with pytest.raises(tc.InputError, match=message):
            profiles.load(path)


def test_demo_audits_the_small_data_and_writes_a_page(tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "trustcheck", "demo", "--data", "german"],
        cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "Report:" in done.stdout
    data = json.loads((tmp_path / "reports" / "german.json").read_text("utf-8"))
    assert len(data["findings"]) >= 7
    page = (tmp_path / "reports" / "german.html").read_text("utf-8")
    assert "<script" not in page


def test_probes_are_listed(capsys):
    assert main(["probes"]) == 0
    assert "fairness.demographic_parity" in capsys.readouterr().out
    assert main(["probes", "fairness.parity"]) == 2
    assert "did you mean" in capsys.readouterr().err


def test_probes_say_what_would_be_skipped_for_a_model(job, capsys):
    folder, _ = job
    asked = [
        "probes", "--for", str(folder / "model.joblib"), str(folder / "test.csv"),
        "--target", "paid", "--sensitive", "sex", "--allow-pickle",
    ]  # fmt: skip
    assert main(asked) == 0
    said = capsys.readouterr().out
    assert "fairness.demographic_parity[by=sex]" in said
    assert "no reference data was given (reference=)" in said
    assert "would run." in said
    assert main(["probes", "privacy.pii"]) == 0
    assert "rows sent: none" in capsys.readouterr().out
