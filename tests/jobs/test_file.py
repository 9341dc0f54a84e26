"""The job file: every key is checked, and every mistake is named by line and remedy."""

import json
import tomllib

import jsonschema
import pytest

import trustcheck as tc
from trustcheck import _secrets, jobs
from trustcheck.cli import main

from .conftest import JOB


def refused(folder, old, new):
    """What is said of the job with one change."""
    assert old in JOB
    (folder / "job.toml").write_text(JOB.replace(old, new, 1), "utf-8")
    with pytest.raises(tc.InputError) as caught:
        jobs.load(folder / "job.toml")
    assert caught.value.__cause__ is None
    return str(caught.value)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("target =", "targt =", "job.toml:9: [data] has no key 'targt': did you mean 'target'?"),
        ("[history]", "[histroy]", "job.toml:18: a job has no key 'histroy': did you mean 'history'?"),
        ('name = "credit"', "name = 3", "job.toml:1: name: must be a text in quotes"),
        ('path = "model.skops"', "", "job.toml:4: model: give either path or import"),
        ('path = "model.skops"', 'path = "m"\nimport = "a:b"', "give either path or import"),
        ('path = "model.skops"', 'import = "a.b"', "job.toml:5: model.import: must match pattern"),
        ('path = "model.skops"', 'path = "m"\nallow_pickle = 1', "job.toml:6: model.allow_pickle: must be true or false"),
        ('path = "test.csv"', 'url = "sqlite:///x.db"', "job.toml:7: data: url and query belong together"),
        ('store = "history.db"', "", "job.toml:18: [history] lacks 'store' (A path (SQLite), or a postgresql:// URL)"),
        ('json = "r', 'seed = 3\njson = "r', "job.toml:16: [outputs] has no key 'seed': it belongs above the first table"),
        ("[reference]", "[context]", "job.toml:13: [context] has no key 'path': it belongs into [model]"),
        ("[model]", "[model", "job.toml:4: not valid TOML"),
        ('"fairness.demographic_parity"', '"fairness.parity"', "job.toml:2: there is no probe or pillar 'fairness.parity'; did you mean"),
        ('"history.db"', '"${NO_SUCH_PLACE}"', "job.toml:19: the environment has no NO_SUCH_PLACE"),
        ('"history.db"', '"h.db"\nkey = 2026-11-05', "job.toml:20: history.key: must be a text in quotes"),
        ("[history]", '[ratchet]\nlimits = { "fairness.x" = 0.1 }\n[history]', "job.toml:19: there is no probe or pillar 'fairness.x'"),
        ("[history]", "[monitor]\nalpha = 1.5\n[history]", "job.toml:19: monitor.alpha: must be less than 1"),
        ('"reports/{date}.json"', '"""reports\ntargt = 3\n"""\nx = 1', "job.toml:19: [outputs] has no key 'x'"),
    ],
)  # fmt: skip
def test_a_mistake_is_named_by_line_and_remedy(folder, old, new, said):
    assert said in refused(folder, old, new)


def test_all_mistakes_are_named_at_once(folder):
    said = refused(folder, "target =", "targt = 3\nsensitiv =").splitlines()
    assert [line.partition(": ")[0] for line in said] == ["job.toml:9", "job.toml:10"]


def test_what_belongs_together(folder):
    both = refused(folder, '[history]\nstore = "history.db"\n', '[monitor]\npath = "h.csv"\n')
    assert "[monitor] needs [history]" in both
    both = refused(folder, '[history]\nstore = "history.db"\n', "[ratchet]\nworse_by = 0.1\n")
    assert "[ratchet] needs [history]" in both


def test_variables_are_filled_in_but_no_secret_where_it_could_be_seen(folder, monkeypatch):
    monkeypatch.setenv("DAY", "2026-11-05")
    monkeypatch.setenv("CREDIT_TOKEN", "pl4nted-token")
    text = JOB.replace('"credit"', '"credit ${DAY} $${DAY} ${ABSENT:-else}"')
    (folder / "job.toml").write_text(text.replace("history.db", "${CREDIT_TOKEN}.db"), "utf-8")
    job = jobs.load(folder / "job.toml")
    assert job.name == "credit 2026-11-05 ${DAY} else"
    assert job.history.store == "pl4nted-token.db"
    for place in ("credit", "test.csv", "sex", "reports"):
        said = refused(folder, place, f"{place}${{CREDIT_TOKEN}}")
        assert "CREDIT_TOKEN looks like a secret" in said
        assert "pl4nted" not in said


def test_paths_of_a_store_are_no_secrets_but_parts_of_a_url_are(folder, monkeypatch):
    monkeypatch.setattr(_secrets, "_known", {})
    monkeypatch.setenv("HISTORY", str(folder / "elsewhere.db"))
    monkeypatch.setenv("WORD", "pl4nted-word")
    (folder / "job.toml").write_text(JOB.replace("history.db", "${HISTORY}"), "utf-8")
    jobs.load(folder / "job.toml")
    assert _secrets.masked("elsewhere.db") == "elsewhere.db"
    url = "postgresql://ann:${WORD}@host/${DB:-loans}"
    (folder / "job.toml").write_text(JOB.replace("history.db", url), "utf-8")
    jobs.load(folder / "job.toml")
    assert _secrets.masked("pl4nted-word of loans") == "*** of loans"


def test_a_value_is_never_quoted_in_a_mistake(folder, monkeypatch):
    monkeypatch.setenv("CREDIT_URL", "postgresql://ann:pl4nted@host/db")
    text = 'url = "${CREDIT_URL}"\nquery = 3\ntask = "pl4nted task"'
    assert "pl4nted" not in refused(folder, 'path = "test.csv"', text)


def test_the_schema_for_editors_accepts_what_we_accept(capsys):
    assert main(["schema", "job"]) == 0
    schema = json.loads(capsys.readouterr().out)
    assert schema == jobs.schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    check = jsonschema.Draft202012Validator(schema)
    check.validate(tomllib.loads(JOB))
    for wrong in (
        "targt = 'x'\n" + JOB,
        JOB.replace('"test.csv"', "3"),
        JOB.replace("[model]", "[m]"),
    ):
        assert not check.is_valid(tomllib.loads(wrong))


def test_without_pydantic_one_line_names_the_extra(folder, monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, "pydantic", None)
    with pytest.raises(tc.InputError, match=r"pip install 'trustcheck\[jobs\]'"):
        jobs.load(folder / "job.toml")
