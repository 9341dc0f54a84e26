"""Run history and monitor state, on SQLite and on a real PostgreSQL."""

import os
import random
import signal
import sqlite3
import time

import pytest

import trustcheck as tc
from trustcheck import _secrets, store
from trustcheck._secrets import masked
from trustcheck.store import open_store


@pytest.fixture(scope="module")
def reports():
    """Reports of a model that gets worse, one a day."""
    found = []
    for wrong in (0, 5, 20):
        y = [0, 1] * 100
        answers = [1 - label for label in y[:wrong]] + y[wrong:]
        subject = tc.Subject.from_predictions(y, answers, name="demo")
        found.append(tc.evaluate(subject, probes=["reliability.performance"]))
    return found


def test_what_goes_in_comes_out(store_url, reports):
    history = open_store(store_url)
    for day, report in enumerate(reports):
        run, new = history.add(report, key=f"day {day}", facts={"html": f"{day}.html"})
        assert new
        assert run.verdict == report.verdict
    assert [run.key for run in history.runs("demo")] == ["day 0", "day 1", "day 2"]
    assert history.runs("other") == []
    again = open_store(store_url)
    assert again.runs() == history.runs()
    assert again.report(2) == reports[1]
    skill = [n for n in again.numbers("demo") if n.key == "reliability.performance"]
    truth = [report.findings["reliability.performance"].estimate() for report in reports]
    assert [(n.value, n.low, n.high) for n in skill] == [(e.value, e.low, e.high) for e in truth]
    scores = [n for n in again.numbers("demo") if n.kind == "score"]
    assert len(scores) == 6 * len(reports)
    with pytest.raises(tc.InputError, match="no run 9"):
        again.report(9)


def test_a_run_counts_once(store_url, reports):
    history = open_store(store_url)
    first, new = history.add(reports[0])
    again, second_is_new = history.add(reports[0])
    assert (new, second_is_new, again) == (True, False, first)
    assert history.add(reports[0], name="another job")[1]
    assert history.add(reports[1], key="x")[1]
    assert not history.add(reports[2], key="x")[1]
    assert history.report(history.runs("demo")[1].number) == reports[1]


def test_one_run_of_a_job_is_accepted(store_url, reports):
    history = open_store(store_url)
    for day, report in enumerate(reports):
        history.add(report, key=str(day))
    history.add(reports[0], name="other")
    history.accept(1)
    history.accept(4)
    assert history.accept(2).accepted
    assert [run.accepted for run in history.runs("demo")] == [False, True, False]
    assert [run.accepted for run in history.runs("other")] == [True]
    with pytest.raises(tc.InputError, match="no run 9"):
        history.accept(9)


def test_a_state_is_changed_whole_or_not_at_all(store_url):
    history = open_store(store_url)
    assert history.load_state("m") is None
    assert history.update_state("m", lambda old: {"old": old}) == {"old": None}
    assert history.update_state("m", lambda old: {"looks": [1.5, old["old"]]}) == {
        "looks": [1.5, None]
    }

    def breaks(old):
        old["looks"].append(2)
        raise ZeroDivisionError

    for name in ("m", "new"):
        with pytest.raises((ZeroDivisionError, TypeError)):
            history.update_state(name, breaks)
    assert history.load_state("m") == {"looks": [1.5, None]}
    assert history.load_state("new") is None


WRITER = """
import trustcheck as tc
report = tc.Report.load({path!r})
open({acked!r} + ".ready", "w").close()
store = tc.open_store({url!r})
for i in range({times}):
    store.update_state("count", lambda old: {{"n": 1 if old is None else old["n"] + 1}})
    store.add(report, key=f"{who} {{i}}")
    with open({acked!r}, "a") as file:
        file.write(f"{who} {{i}}\\n")
"""


def _saved(reports, tmp_path):
    reports[0].save(tmp_path / "r.json")
    return {"path": str(tmp_path / "r.json"), "acked": str(tmp_path / "acked")}


def test_two_processes_at_once_lose_nothing(store_url, reports, tmp_path, zygote):
    facts = _saved(reports, tmp_path)  # the store is not there yet: both also race to make it
    children = [
        zygote.start(WRITER.format(**facts, url=store_url, times=50, who=who)) for who in "ab"
    ]
    assert [zygote.wait(child) for child in children] == [0, 0]
    history = open_store(store_url)
    assert history.load_state("count") == {"n": 100}
    assert {run.key for run in history.runs()} == {f"{who} {i}" for who in "ab" for i in range(50)}


def test_a_killed_process_loses_nothing_it_was_told_is_kept(store_url, reports, tmp_path, zygote):
    rng = random.Random(7)
    facts = _saved(reports, tmp_path)
    killed, ready = 0, tmp_path / "acked.ready"
    for turn in range(20):
        child = zygote.start(WRITER.format(**facts, url=store_url, times=500, who=turn))
        while not ready.exists():
            time.sleep(0.002)
        ready.unlink()
        time.sleep(rng.uniform(0.0, 0.5))
        os.kill(child, signal.SIGKILL)
        killed += zygote.wait(child) == -signal.SIGKILL
    assert killed == 20
    history = open_store(store_url)
    acked = (tmp_path / "acked").read_text().split("\n")[:-1]
    kept = [run.key for run in history.runs()]
    assert len(acked) > 5
    assert set(acked) <= set(kept)
    assert len(kept) <= len(acked) + 20  # at most one write a turn was done but not told
    assert len(kept) <= history.load_state("count")["n"] <= len(kept) + 20
    assert len(history.numbers("demo")) == 7 * len(kept)  # no run without its numbers
    assert history.add(reports[1], key="next")[1]
    assert all(history.report(run.number) in reports[:2] for run in history.runs()[-3:])


# Versions ------------------------------------------------------------------------------------


def _second(db):
    db.exec_driver_sql("ALTER TABLE trustcheck_runs ADD COLUMN colour TEXT")


def test_an_older_store_is_migrated_and_keeps_its_runs(store_url, reports, monkeypatch):
    kept = open_store(store_url).add(reports[0])[0]
    monkeypatch.setattr(store, "MIGRATIONS", [*store.MIGRATIONS, _second])
    later = open_store(store_url)
    assert later.runs() == [kept]
    with later._reading() as db:
        assert db.exec_driver_sql("SELECT colour FROM trustcheck_runs").scalar() is None
    open_store(store_url)  # once only: a second ALTER TABLE would raise


def test_a_broken_migration_changes_nothing(store_url, reports, monkeypatch):
    kept = open_store(store_url).add(reports[0])[0]

    def breaks(db):
        _second(db)
        raise ZeroDivisionError

    with monkeypatch.context() as patch:
        patch.setattr(store, "MIGRATIONS", [*store.MIGRATIONS, breaks])
        with pytest.raises(ZeroDivisionError):
            open_store(store_url)
    history = open_store(store_url)
    assert history.runs() == [kept]
    with pytest.raises(tc.InputError, match="colour"), history._reading() as db:
        db.exec_driver_sql("SELECT colour FROM trustcheck_runs")


def test_a_newer_store_is_refused_with_the_remedy(store_url, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(store, "MIGRATIONS", [*store.MIGRATIONS, _second])
        open_store(store_url)
    with pytest.raises(tc.InputError, match="newer trustcheck.*pip install -U"):
        open_store(store_url)


# What it says ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("mysql://ann:pl4nted-pw@host/db", "no store of kind 'mysql'"),
        ("postgresql://ann:pl4nted-pw@127.0.0.1:1/db", "cannot be used"),
        ("postgresql://ann:pl4nted-pw@host:port/db", "cannot be read"),
        ("postgresql://ann:pl4nted@pw@127.0.0.1:1/db", "cannot be used"),
        ("postgresql://ann@127.0.0.1:1/db?password=pl4nted-pw", "cannot be used"),
        ("sqlite://", "in memory"),
        (".", "is a folder"),
    ],
)
def test_what_cannot_be_opened_is_said_without_the_password(url, message):
    with pytest.raises(tc.InputError, match=message) as caught:
        open_store(url)
    assert "pl4nted" not in str(caught.value)
    assert caught.value.__cause__ is None


def test_a_store_that_is_not_there_is_not_made_for_readers(tmp_path):
    with pytest.raises(tc.InputError, match="there is no store"):
        open_store(tmp_path / "typo.db", create=False)
    assert not (tmp_path / "typo.db").exists()
    (tmp_path / "text.db").write_text("not a database, but long enough to be looked at" * 50)
    with pytest.raises(tc.InputError, match="file is not a database"):
        open_store(tmp_path / "text.db")


def test_passwords_are_neither_shown_nor_stored(postgres, reports, postgres_server):
    history = open_store(postgres)
    history.add(reports[0])
    assert "pl4nted" not in repr(history) + str(vars(history))
    with pytest.raises(tc.InputError) as caught:
        open_store(postgres.replace("ann:pg-", "ann:wrong-pw-"))
    assert "password authentication failed" in str(caught.value)
    assert "pl4nted" not in str(caught.value)
    assert "wrong-pw" not in str(caught.value)


def test_a_missing_library_is_one_line(monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(tc.InputError, match=r"trustcheck\[postgres\]"):
        open_store("postgresql://ann@host/db")
    monkeypatch.setitem(sys.modules, "sqlalchemy", None)
    with pytest.raises(tc.InputError, match=r"trustcheck\[jobs\]"):
        open_store("x.db")


def test_sqlite_waits_for_the_disk(tmp_path):
    history = open_store(tmp_path / "h.db")
    with history._reading() as db:
        assert db.exec_driver_sql("PRAGMA synchronous").scalar() == 2
    with sqlite3.connect(tmp_path / "h.db") as db:
        assert db.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    db.close()


def test_secrets_are_masked_in_every_spelling(monkeypatch):
    monkeypatch.setattr(_secrets, "_known", {})
    monkeypatch.setenv("WAREHOUSE_TOKEN", "t0ken/with+signs")
    monkeypatch.setenv("COLOUR", "blue paint")
    _secrets.remember_url("postgresql://ann:p%2Fw0rd@host/db")
    said = masked(
        "p%2Fw0rd p/w0rd t0ken/with+signs t0ken%2Fwith%2Bsigns blue paint"
        " https://t.example/a?api_key=abc user='x' password='a b' mysql://a:b@c"
    )
    assert said == (
        "*** *** *** *** blue paint"
        " https://t.example/a?api_key=*** user='x' password=*** mysql://a:***@c"
    )
