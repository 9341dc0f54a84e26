"""docs/jobs.md and the recipes do what they say: their files are written, their commands run."""

import os
import re
import runpy
import shlex
import subprocess
import sys
import types
from pathlib import Path

import pytest

import trustcheck as tc
from trustcheck import jobs
from trustcheck.cli import main

DOCS = Path(__file__).parents[2] / "docs"


def blocks(page):
    """Language and content of each fenced block of a page, in order."""
    text = (DOCS / page).read_text("utf-8")
    return re.findall(r"^```(\w+)\n(.*?)^```", text, re.DOTALL | re.MULTILINE)


def block(page, language):
    return next(content for kind, content in blocks(page) if kind == language)


@pytest.fixture(scope="module")
def followed(tmp_path_factory):
    """The folder of somebody who followed docs/jobs.md to the letter, and what was printed."""
    home = tmp_path_factory.mktemp("tutorial")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(home)
        patch.setenv("WAREHOUSE_URL", "postgresql://ann:secret@host/db")
        patch.delenv("GITHUB_STEP_SUMMARY", raising=False)
        codes = {}
        for kind, content in blocks("jobs.md"):
            name = content.partition("\n")[0].removeprefix("# ")
            if kind == "toml":
                Path(name).write_text(content, "utf-8")
                if name == "warehouse.toml":
                    patch.setenv("HISTORY_URL", "postgresql://ann:secret@host/db")
                    assert jobs.load(name).model.import_ == "scoring.models:make_model"
                    patch.delenv("HISTORY_URL")
            elif kind == "python":
                Path(name).write_text(content, "utf-8")
                runpy.run_path(name)
            elif kind == "console":
                for line in content.splitlines():
                    words = shlex.split(line)
                    if words[0] == "export":
                        patch.setenv(*words[1].split("="))
                    elif words[0] == "trustcheck":
                        codes[line] = main(words[1:])
        yield home, codes


def test_the_tutorial_runs_as_it_is_written(followed):
    home, codes = followed
    assert len(codes) == 7
    assert set(codes.values()) <= {0, 3}, codes
    made = {path.name for path in (home / "reports").iterdir()}
    assert made == {f"2026-11-01.{end}" for end in ("html", "json", "xml")} | {"summary.md"}
    (run,) = tc.open_store(home / "history.db").runs()  # the second run has the same key
    assert (run.name, run.key, run.accepted) == ("marketing", "2026-11-01", True)
    assert "<svg" in (home / "history.html").read_text("utf-8")


def test_every_key_of_a_job_is_in_the_tutorial():
    text = (DOCS / "jobs.md").read_text("utf-8").partition("## Every key")[2]
    schema = jobs.schema()
    tables = {name: part["properties"] for name, part in schema["$defs"].items()}
    for keys in (schema["properties"], *tables.values()):
        for key in keys:
            assert f"`{key}`" in text or f"[{key}]" in text, key


# What runs a job: a stand-in notes how it was called; then the job is run as it was told ---------


@pytest.fixture
def called(tmp_path, followed):
    """Run a script in which `trustcheck` notes its arguments and ends with a code."""
    home, _ = followed
    stand_in = tmp_path / "bin" / "trustcheck"
    stand_in.parent.mkdir()
    stand_in.write_text('#!/bin/sh\necho "$DAY|$*" >> called\nexit ${CODE:-0}\n')
    stand_in.chmod(0o755)

    def call(script, code=0, shell=("bash", "-eo", "pipefail", "-c")):
        path = f"{stand_in.parent}:{os.environ['PATH']}"
        done = subprocess.run(
            [*shell, script], cwd=tmp_path, capture_output=True, text=True, check=False,
            env={**os.environ, "PATH": path, "CODE": str(code)},
        )  # fmt: skip
        day, _, words = (tmp_path / "called").read_text().splitlines()[-1].partition("|")
        return done.returncode, done.stdout, day, shlex.split(words)

    def run(words):
        with pytest.MonkeyPatch.context() as patch:
            patch.chdir(home)
            patch.setenv("DAY", "2026-11-01")
            return main(words)

    return call, run


def test_cron(called, tmp_path):
    call, run = called
    line, *_ = block("recipes/cron.md", "text").splitlines()
    *when, command = line.split(" ", 5)
    assert len(when) == 5
    (tmp_path / "secrets.env").write_text("export HISTORY_URL=history.db\n")
    command = command.replace("\\%", "%").replace("/srv/marketing", str(tmp_path))
    _, said, day, words = call(command, code=3, shell=("sh", "-c"))
    assert "trustcheck: exit code 3, see trust.log" in said
    assert re.fullmatch(r"\d{4}-\d\d-\d\d", day)
    assert call(command, shell=("sh", "-c"))[:2] == (0, "")
    assert run(words) in (0, 3)


def test_github_actions(called):
    yaml = pytest.importorskip("yaml")
    call, run = called
    flow = yaml.safe_load(block("recipes/github-actions.md", "yaml"))
    assert flow[True]["schedule"][0]["cron"] == "0 3 * * *"  # YAML 1.1 reads `on` as true
    steps = {step.get("name"): step for step in flow["jobs"]["trust"]["steps"]}
    script = steps["Test the model"]["run"]
    found = {code: call(script, code) for code in (0, 1, 2, 3)}
    assert {code: done[0] for code, done in found.items()} == {0: 0, 1: 1, 2: 2, 3: 0}
    assert "::warning::" in found[3][1]
    assert re.fullmatch(r"\d{4}-\d\d-\d\d", found[0][2])
    assert run(found[0][3]) in (0, 3)
    assert steps["Keep the report"]["if"] == "always()"


def test_gitlab_ci(called):
    yaml = pytest.importorskip("yaml")
    call, run = called
    job = yaml.safe_load(block("recipes/gitlab-ci.md", "yaml"))["trust"]
    script = "\n".join(line for line in job["script"] if not line.startswith("pip"))
    assert call(script, 3)[0] == 3
    assert job["allow_failure"]["exit_codes"] == 3
    _, _, _, words = call(script)
    assert run(words) in (0, 3)
    assert job["artifacts"]["reports"]["junit"] == "reports/*.xml"


def test_airflow(called, monkeypatch):
    made = []

    class Dag:
        def __init__(self, **facts):
            made.append(facts)

        __enter__ = __exit__ = lambda self, *_: self

    parts = "airflow airflow.sdk airflow.providers airflow.providers.standard airflow.providers.standard.operators"  # fmt: skip
    for name in (*parts.split(), f"{parts.rsplit(maxsplit=1)[-1]}.bash"):
        module = types.ModuleType(name)
        module.DAG, module.BashOperator = Dag, lambda **facts: made.append(facts)
        monkeypatch.setitem(sys.modules, name, module)
    exec(compile(block("recipes/airflow.md", "python"), "trust.py", "exec"), {})
    dag, task = made
    assert dag["schedule"] == "0 3 * * *"
    assert task["skip_on_exit_code"] == 3
    assert task["env"]["DAY"] == "{{ ds }}"
    call, run = called
    assert run(call(task["bash_command"])[3]) in (0, 3)


def test_mlflow(followed, monkeypatch):
    home, _ = followed
    logged = {"tags": {}, "metrics": {}, "files": []}
    module = types.ModuleType("mlflow")
    module.set_tags = logged["tags"].update
    module.log_metric = lambda name, value: logged["metrics"].update({name: value})
    module.log_artifacts = lambda folder, artifact_path: logged["files"].extend(
        f"{artifact_path}/{path.name}" for path in Path(folder).iterdir()
    )
    monkeypatch.setitem(sys.modules, "mlflow", module)
    space = {}
    exec(compile(block("recipes/mlflow.md", "python"), "log_report.py", "exec"), space)
    report = tc.open_store(home / "history.db").report(1)
    space["log_report"](report)
    assert logged["tags"]["trustcheck.verdict"] == str(report.verdict)
    finding = report.findings["reliability.performance"]
    assert logged["metrics"]["reliability.performance.skill.low"] == finding.low
    assert logged["metrics"]["trust.reliability.score"] == report.scores.loc["reliability", "score"]
    assert all(
        re.fullmatch(r"[/\w.\- :]+", name) for name in logged["metrics"]
    )  # MLflow's own rule
    assert sorted(logged["files"]) == ["trust/trust.html", "trust/trust.json"]
