"""Jobs as they are run: what they read, what they write, what they say, how they end."""

import os
import shutil
import sqlite3
import zlib
from xml.etree import ElementTree as ET

import joblib
import pytest

import trustcheck as tc
from trustcheck.cli import main

from .conftest import JOB


def write(folder, *changes, name="job.toml"):
    text = JOB
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    (folder / name).write_text(text, "utf-8")
    return folder / name


def ran(job, capsys):
    """Exit code, and all that was printed."""
    code = main(["run", str(job), "--quiet"])
    said = capsys.readouterr()
    return code, said.out + said.err


def test_the_command_line_and_a_job_measure_the_same(folder, capsys):
    code = ran(folder / "job.toml", capsys)[0]
    (saved,) = (folder / "reports").glob("*.json")
    by_job = tc.Report.load(saved)
    again = main([
        "run", str(folder / "model.skops"), str(folder / "test.csv"), "--target", "paid",
        "--sensitive", "sex", "--reference", str(folder / "train.csv"), "--name", "credit", "--quiet",
        "--probes", "reliability.performance", "fairness.demographic_parity",
        "--out", str(folder / "cli.json"),
    ])  # fmt: skip
    assert (code, tc.Report.load(folder / "cli.json")) == (again, by_job)
    store = tc.open_store(folder / "history.db")
    assert store.report(1) == by_job
    assert store.runs()[0].code == code


def test_every_output_is_written(folder, capsys):
    outputs = "\n".join(f'{kind} = "out/{{key}}.{kind}"' for kind in ("html", "json", "junit", "markdown", "model-card", "summary"))  # fmt: skip
    job = write(
        folder,
        ('json = "reports/{date}.json"', outputs),
        ('"history.db"', '"history.db"\nkey = "a/b"'),
    )
    ran(job, capsys)
    ran(job, capsys)
    made = {path.name for path in (folder / "out").iterdir()}
    assert made == {
        f"a-b.{kind}" for kind in ("html", "json", "junit", "markdown", "model-card", "summary")
    }
    assert (folder / "out" / "a-b.summary").read_text("utf-8").count("### ") == 2  # appended
    suite = ET.parse(folder / "out" / "a-b.junit").getroot()[0]
    assert (suite.get("tests"), suite.get("failures")) == ("2", "0")


def test_strict_counts_what_is_open_as_a_failure_everywhere(folder, capsys):
    profile = folder / "limits.toml"
    profile.write_text('[requirements."fairness.demographic_parity"]\nat_most = 0.05\n', "utf-8")
    open_verdict = ('name = "credit"', 'name = "credit"\nprofile = "limits.toml"\nstrict = true')
    junit = ('json = "reports/{date}.json"', 'junit = "r.xml"')
    assert ran(write(folder, open_verdict, junit), capsys)[0] == 3
    case = ET.parse(folder / "r.xml").getroot()[0][0]
    assert case.find("failure").get("type") == "inconclusive"
    loose = (open_verdict[0], open_verdict[1].replace("true", "false"))
    assert ran(write(folder, loose, junit), capsys)[0] == 0
    assert ET.parse(folder / "r.xml").getroot()[0][0].find("skipped") is not None


def test_models_by_import_and_by_onnx(folder, capsys, fitted):
    (folder / "zoo_of_test_run.py").write_text(
        "from skops.io import load\nfrom pathlib import Path\n"
        "def make():\n    return load(Path(__file__).with_name('model.skops'))\nmodel = make()\n"
        "def breaks():\n    raise RuntimeError('token=pl4nted-token')\n"
    )
    for name in ("make", "model"):
        job = write(folder, ('path = "model.skops"', f'import = "zoo_of_test_run:{name}"'))
        assert ran(job, capsys)[0] in (0, 3)
    by_import = [run.content_sha256 for run in tc.open_store(folder / "history.db").runs()]
    assert len(by_import) == 1  # the second run of the same model is the same run
    for name, said in (
        ("breaks", "RuntimeError at zoo_of_test_run.py:7 (token=***"),
        ("nothing", "has no 'nothing'"),
        ("Path", "(PosixPath) has no predict"),
    ):
        job = write(folder, ('path = "model.skops"', f'import = "zoo_of_test_run:{name}"'))
        code, told = ran(job, capsys)
        assert (code, said in told) == (2, True), told
    job = write(folder, ('path = "model.skops"', 'import = "no_such_zoo:make"'))
    assert "there is no module 'no_such_zoo'" in ran(job, capsys)[1]

    to_onnx = pytest.importorskip("skl2onnx").to_onnx
    model, train, _ = fitted
    onnx = to_onnx(
        model, train[list("abc")].to_numpy("float32")[:1], options={"zipmap": False}
    ).SerializeToString()
    (folder / "model.onnx").write_bytes(onnx)
    job = write(
        folder, ("model.skops", "model.onnx"),
        ('path = "model.onnx"', 'path = "model.onnx"\nclasses = ["no", "yes"]'),
        ('target = "paid"', 'target = "paid"\nfeatures = ["a", "b", "c"]'),
        ("history.db", "onnx.db"),
    )  # fmt: skip
    assert ran(job, capsys)[0] in (0, 3)
    onnx_run, skops_run = (
        tc.open_store(folder / name).report(1).findings["reliability.performance"].value
        for name in ("onnx.db", "history.db")
    )
    assert onnx_run == pytest.approx(skops_run)


class Evil:
    def __reduce__(self):
        return os.system, ("touch pwned",)


def test_pickles_are_refused_with_the_remedy(folder, capsys, fitted):
    joblib.dump(fitted[0], folder / "model.joblib")
    joblib.dump([fitted[0], Evil()], folder / "evil.joblib")
    swap = lambda name, more="": ('model.skops"', f'{name}"{more}')  # noqa: E731
    code, said = ran(write(folder, swap("model.joblib")), capsys)
    assert code == 2
    assert "write allow_pickle = true into [model]" in said
    code, said = ran(write(folder, swap("evil.joblib", "\nallow_pickle = true")), capsys)
    assert code == 2
    assert "posix.system" in said
    assert not (folder / "history.db").exists() or not tc.open_store(folder / "history.db").runs()
    code, said = ran(write(folder, swap("model.joblib", "\nallow_pickle = true")), capsys)
    assert code in (0, 3)
    assert "warning: loading the pickle" in said
    wrong = f'\nallow_pickle = true\nsha256 = "{"0" * 64}"'
    code, said = ran(write(folder, swap("model.joblib", wrong)), capsys)
    assert (code, "SHA-256 is not the one" in said) == (2, True)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('target = "paid"', 'target = "payd"', "no column 'payd': did you mean 'paid'?"),
        ('["sex"]', '["tribe"]', "test.csv has no column 'tribe': it has a, b, c, sex, paid"),
        ("test.csv", "tset.csv", "no file"),
        ("train.csv", "model.skops", "neither .parquet nor .csv"),
        ('target = "paid"', 'target = "paid"\npositive = "maybe"', "positive 'maybe' is no label"),
        ('name = "credit"', 'name = "credit"\nprofile = "limits.toml"', "no profile"),
    ],
)
def test_what_cannot_be_run_is_exit_code_2_and_a_sentence(folder, capsys, old, new, said):
    code, told = ran(write(folder, (old, new)), capsys)
    assert (code, said in told) == (2, True), told
    assert not (folder / "reports").exists()


def test_options_beside_a_job_file_are_refused(folder, capsys):
    assert main(["run", str(folder / "job.toml"), "x.csv", "--seed", "3"]) == 2
    assert "DATA, --seed: with a job file" in capsys.readouterr().err


def test_plan_says_what_would_run_and_writes_nothing(folder, capsys):
    assert main(["plan", str(folder / "job.toml")]) == 0
    said = capsys.readouterr().out
    assert "2 of 2 would run." in said
    assert "Would write json: reports/{date}.json" in said
    assert {path.name for path in folder.iterdir()} == {
        "job.toml",
        "model.skops",
        "test.csv",
        "train.csv",
    }


def test_two_jobs_on_the_same_rows_are_compared_in_pairs(folder, capsys, fitted):
    from skops import io as skops_io

    worse = type(fitted[0])().fit(
        fitted[1][["b", "c", "a"]].set_axis(list("abc"), axis=1), fitted[1]["paid"]
    )
    skops_io.dump(worse, folder / "worse.skops")
    champion = str(folder / "job.toml")
    challenger = str(write(folder, ("model.skops", "worse.skops"), name="worse.toml"))
    assert main(["compare", champion, challenger]) == 1
    assert "▼ worse, paired" in capsys.readouterr().out
    assert main(["compare", challenger, champion]) == 0
    assert main(["compare", champion, champion]) == 0
    assert "worse" not in capsys.readouterr().out.split("credit")[-1]
    assert main(["compare", champion, "report.json"]) == 2


def test_context_weights_and_time_reach_the_subject(folder):
    import pandas as pd

    from trustcheck import jobs
    from trustcheck.jobs._inputs import subject_of
    from trustcheck.jobs._run import inputs_of

    frame = pd.read_csv(folder / "test.csv").assign(w=2.0, who=range(1200), day="2026-11-01")
    frame.to_csv(folder / "test.csv", index=False)
    (folder / "log.csv").write_text("model,human\nyes,no\n")
    (folder / "guard_of_test_run.py").write_text("def guard(X):\n    return X['a'] < 9\n")
    job = write(
        folder,
        ('target = "paid"', 'target = "paid"\nweight = "w"\ncluster = "who"\ntime = "day"'),
        ("[outputs]", ('[context]\ncosts = [[0, 1], [5.0, 0]]\ndecisions = "log.csv"\n'
         'documents = "docs.toml"\nguard = "guard_of_test_run:guard"\n'
         'rules = [{ monotone = "a", direction = "up" }]\n\n[outputs]')),
    )  # fmt: skip
    subject = subject_of(inputs_of(jobs.load(job)))
    assert [f["name"] for f in subject.card()["features"]] == ["a", "b", "c"]
    assert subject.has_weights
    assert subject.has_clusters
    context = subject.context
    assert context.costs == [[0, 1], [5.0, 0]]
    assert list(context.decisions) == ["model", "human"]
    assert context.documents == folder / "docs.toml"
    assert context.rules == [{"monotone": "a", "direction": "up"}]
    assert context.guard.__name__ == "guard"
    assert context.artefact == folder / "model.skops"


# Ratchet and monitor ----------------------------------------------------------------------------


def spoil(folder, share):
    """Make a part of the test labels wrong: the model gets worse."""
    import pandas as pd

    frame = pd.read_csv(folder / "test.csv")
    rows = frame.index[: int(share * len(frame))]
    frame.loc[rows, "paid"] = frame.loc[rows, "paid"].map({"yes": "no", "no": "yes"})
    frame.to_csv(folder / "test.csv", index=False)


def test_the_ratchet_holds_the_accepted_run(folder, capsys):
    job = write(folder, ("[history]", "[ratchet]\nworse_by = 0.05\n\n[history]"),
                ('probes = ["reliability.performance", "fairness.demographic_parity"]', 'probes = ["reliability.performance"]'))  # fmt: skip
    code, said = ran(job, capsys)
    assert (code, "no run is accepted yet" in said) == (0, True)
    spoil(folder, 0.2)
    code, said = ran(job, capsys)
    assert code == 1
    assert "ratchet: reliability.performance skill is clearly worse than in run 1: by 0." in said
    assert main(["history", str(job), "--accept", "2"]) == 0
    assert "Run 2 is the accepted one of 'credit'" in capsys.readouterr().out
    spoil(folder, 0.01)  # close to run 2
    code, said = ran(job, capsys)
    assert (code, "nothing is clearly worse than in run 2" in said) == (0, True)
    (folder / "p.toml").write_text('[requirements."reliability.performance"]\nat_least = 0.1\n')
    text = job.read_text("utf-8")
    job.write_text(text.replace('name = "credit"', 'name = "credit"\nprofile = "p.toml"'), "utf-8")
    code, said = ran(job, capsys)
    assert (code, "not comparable with run 2: they were judged by different profiles" in said) == (
        3,
        True,
    )


def test_the_ratchet_can_hold_a_saved_report(folder, capsys):
    ran(write(folder, ('"reports/{date}.json"', '"base.json"')), capsys)
    spoil(folder, 0.2)
    held = ('[history]\nstore = "history.db"\n', '[ratchet]\nagainst = "base.json"\n')
    code, said = ran(write(folder, held), capsys)
    assert (code, "clearly worse than in base.json" in said) == (1, True)


def test_what_cannot_work_is_said_before_anything_is_measured(folder, capsys):
    (folder / "few.csv").write_text("\n".join((folder / "test.csv").read_text().splitlines()[:10]))
    for table, told in (
        ('[monitor]\npath = "few.csv"', "the reference has 9 rows"),
        ('[monitor]\npath = "none.csv"', "no file"),
        ('[ratchet]\nagainst = "none.json"', "cannot read"),
    ):
        code, said = ran(write(folder, ("[history]", f"{table}\n\n[history]")), capsys)
        assert (code, told in said) == (2, True), said
    assert not (folder / "reports").exists()


def test_a_monitor_that_breaks_loses_neither_report_nor_history(folder, capsys, monkeypatch):
    def breaks(self, batch, *, key):
        raise RuntimeError("password=pl4nted")

    monkeypatch.setattr(tc.Monitor, "update", breaks)
    job = write(folder, ("[history]", '[monitor]\npath = "test.csv"\n\n[history]'))
    code, said = ran(job, capsys)
    assert code == 3
    assert "monitor: RuntimeError at test_run.py" in said
    assert "pl4nted" not in said
    assert len(tc.open_store(folder / "history.db").runs()) == 1
    assert any((folder / "reports").iterdir())


# Secrets ----------------------------------------------------------------------------------------

PLANTED = "pl4nted-in-env/1"


def everything(folder):
    """Every byte of every file, database rows included."""
    found = {str(path): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    for path in folder.rglob("*.db"):
        with sqlite3.connect(path) as db:
            found[f"{path} rows"] = "\n".join(db.iterdump()).encode()
            packed = db.execute("SELECT report FROM trustcheck_runs").fetchall()
            found[f"{path} reports"] = b"".join(zlib.decompress(report) for (report,) in packed)
        db.close()
    return found


def rows_of(url):
    import psycopg

    with psycopg.connect(url) as db:
        tables = db.execute(
            "SELECT tablename FROM pg_tables WHERE schemaname = 'public'"
        ).fetchall()
        rows = [db.execute(f"SELECT * FROM {name}").fetchall() for (name,) in tables]
        packed = db.execute("SELECT report FROM trustcheck_runs").fetchall()
        return str([rows, *(zlib.decompress(report) for (report,) in packed)])


def test_secrets_appear_in_no_output_file_or_row(folder, capsys, monkeypatch, postgres, fitted):
    from sqlalchemy import create_engine

    password = postgres.partition("ann:")[2].partition("@")[0]
    engine = create_engine(postgres.replace("postgresql", "postgresql+psycopg"))
    fitted[2].to_sql("loans", engine, index=False)
    engine.dispose()
    monkeypatch.setenv("WAREHOUSE_URL", postgres)
    monkeypatch.setenv("QUERY_TOKEN", PLANTED)
    query = f"SELECT * FROM loans WHERE '${{QUERY_TOKEN}}' = '{PLANTED}'"
    outputs = (
        'json = "r.json"\nhtml = "r.html"\njunit = "r.xml"\nmarkdown = "r.md"\nsummary = "s.md"'
    )
    good = [
        ('path = "test.csv"', f'url = "${{WAREHOUSE_URL}}"\nquery = """{query.replace(PLANTED, "${QUERY_TOKEN}")}"""'),
        ('"history.db"', '"${WAREHOUSE_URL}"'),
        ('json = "reports/{date}.json"', outputs),
    ]  # fmt: skip
    job = write(folder, *good)
    code, said = ran(job, capsys)
    assert code in (0, 3), said
    assert main(["history", str(job)]) == 0
    assert main(["history", str(job), "--html", str(folder / "h.html")]) == 0
    said += str(capsys.readouterr())

    wrong_password = postgres.replace("ann:", "ann:wrong-")
    for variable, value in (
        ("WAREHOUSE_URL", wrong_password),
        ("WAREHOUSE_URL", postgres.replace("postgresql", "mysql")),
        ("WAREHOUSE_URL", postgres.replace("postgresql", "nosuch")),
        ("WAREHOUSE_URL", "postgresql://ann:" + password + "@/db?port=nonsense"),
        ("QUERY_TOKEN", PLANTED + "' syntax error"),
    ):
        with monkeypatch.context() as patch:
            patch.setenv(variable, value)
            code, told = ran(job, capsys)
            assert code == 2, told
            said += told
    said += ran(write(folder, ("[history]", "[histroy]"), *good[:1], name="typo.toml"), capsys)[1]
    named = write(folder, ("credit", "credit ${QUERY_TOKEN}"), name="named.toml")
    said += ran(named, capsys)[1]

    secrets = [PLANTED, password, password.replace("%2F", "/"), "wrong-pg"]
    kept = {"printed": said.encode(), "rows": rows_of(postgres).encode(), **everything(folder)}
    for place, content in kept.items():
        for secret in secrets:
            assert secret.encode() not in content, f"{secret} in {place}"
    assert "loans" not in said  # no query either


def test_a_secret_that_would_be_part_of_the_report_stops_the_run(folder, capsys, monkeypatch):
    monkeypatch.setenv("CREDIT_TOKEN", "pl4nted-token")
    (folder / "job.toml").write_text(JOB.replace('"credit"', '"credit pl4nted-token"'), "utf-8")
    code, said = ran(folder / "job.toml", capsys)
    assert (code, "would hold the value of CREDIT_TOKEN" in said) == (2, True)
    assert "pl4nted" not in said
    shutil.rmtree(folder / "reports", ignore_errors=True)
    assert not any(b"pl4nted" in b for p, b in everything(folder).items() if "job.toml" not in p)


def test_history_says_what_is_not_there(folder, capsys):
    assert main(["history", str(folder / "typo.db")]) == 2
    assert "there is no store" in capsys.readouterr().err
    ran(folder / "job.toml", capsys)
    assert main(["history", str(folder / "history.db"), "--job", "debit"]) == 2
    assert "has no run of job 'debit'" in capsys.readouterr().err
    assert main(["history", str(folder / "history.db"), "--accept", "9"]) == 2
    assert main(["history", str(folder / "history.db"), "--reset", "credit"]) == 2
    assert "--reset needs --because" in capsys.readouterr().err
