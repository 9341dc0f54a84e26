"""A month of nightly runs, jobs at once, and jobs that are killed: on SQLite and on PostgreSQL."""

import os
import random
import re
import signal
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import trustcheck as tc
from trustcheck.cli import main

NIGHTLY = """\
name = "credit, nightly"
probes = ["reliability.performance", "drift.features"]
seed = 1

[model]
path = "model.skops"

[data]
path = "days/${DAY}.csv"
target = "paid"

[reference]
path = "train.csv"

[outputs]
json = "reports/{key}.json"
html = "reports/{key}.html"

[history]
store = "${HISTORY_URL}"
key = "${DAY}"

[monitor]
path = "held.csv"
"""


def rows(rng, n, drift=0.0):
    frame = pd.DataFrame(rng.normal(size=(n, 3)), columns=list("abc"))
    frame["a"] += drift
    frame["paid"] = np.where(frame["a"] - 0.8 * drift + rng.normal(0, 0.5, n) > 0, "yes", "no")
    return frame


@pytest.fixture
def nightly(folder):
    """A job whose data drifts from day 20 on."""
    (folder / "job.toml").write_text(NIGHTLY, "utf-8")
    rng = np.random.default_rng(5)
    rows(rng, 500).to_csv(folder / "held.csv", index=False)
    (folder / "days").mkdir()
    for day in range(1, 31):
        frame = rows(rng, 250, drift=0.0 if day < 20 else 1.2)
        frame.to_csv(folder / "days" / f"2026-11-{day:02d}.csv", index=False)
    return folder


def run(folder, day, *, html=True):
    os.environ["DAY"] = f"2026-11-{day:02d}"
    if not html:
        text = NIGHTLY.replace('html = "reports/{key}.html"\n', "")
        (folder / "job.toml").write_text(text, "utf-8")
    return main(["run", str(folder / "job.toml"), "--quiet"])


@pytest.fixture
def environment(monkeypatch, store_url):
    monkeypatch.setenv("DAY", "")
    monkeypatch.setenv("HISTORY_URL", store_url)


def test_a_month_with_drift_from_day_20(nightly, environment, store_url, capsys):
    codes = []
    for day in range(1, 31):
        codes.append(run(nightly, day, html=day in (1, 20)))
        (nightly / "job.toml").write_text(NIGHTLY, "utf-8")
        if day in (7, 25):  # cron fires twice
            assert run(nightly, day) == codes[-1]
            assert "so this one is not counted" in capsys.readouterr().out
    assert set(codes[:19]) <= {0, 3}
    assert codes[19:] == [1] * 11

    store = tc.open_store(store_url)
    runs = store.runs("credit, nightly")
    assert [r.key for r in runs] == [f"2026-11-{day:02d}" for day in range(1, 31)]
    assert [r.code for r in runs] == codes
    looks = [r.facts["monitor"] for r in runs]
    assert [look["look"] for look in looks] == list(range(1, 31))
    first = next(i for i, look in enumerate(looks, 1) if not look["ok"])
    assert 20 <= first <= 22
    assert all(look["ok"] for look in looks[: first - 1])
    assert [i for i, look in enumerate(looks, 1) if "a" in look["opened"]] == [first]  # one alarm

    assert main(["history", str(nightly / "job.toml")]) == 0
    table = capsys.readouterr().out
    assert table.count("2026-11-") >= 30
    assert "ALARM: a" in table
    page = nightly / "out" / "history.html"
    assert main(["history", str(nightly / "job.toml"), "--html", str(page)]) == 0
    text = page.read_text("utf-8")
    assert "from inconclusive to fail" in text
    assert "<script" not in text
    assert len(text) < 500_000
    # A link leads to the report, which is there.
    links = re.findall(r'href="(\.\./reports/[^"]+)"', text)
    assert (page.parent / links[-1]).resolve().is_file()
    assert text.count("<svg") > 10

    assert (
        main(["history", str(nightly / "job.toml"), "--reset", "credit, nightly", "--because", "x"])
        == 0
    )
    capsys.readouterr()
    (nightly / "days" / "2026-12-01.csv").write_text(
        (nightly / "days" / "2026-11-01.csv").read_text()
    )
    os.environ["DAY"] = "2026-12-01"
    assert main(["run", str(nightly / "job.toml"), "--quiet"]) in (0, 3)
    assert "no alarm" in capsys.readouterr().out


JOB_RUN = """
import os
from trustcheck.cli import main
os.environ["HISTORY_URL"] = {url!r}
for key in {keys!r}:
    os.environ["DAY"] = key
    code = main(["run", {job!r}, "--quiet"])
    if code not in (0, 1, 3):
        raise SystemExit(9)
    open({acked!r}, "a").write(key + "\\n")
"""


@pytest.fixture
def small(nightly):
    """The same job, with less to do: many runs of it are made."""
    text = NIGHTLY.replace(
        '"reliability.performance", "drift.features"', '"reliability.performance"'
    )
    text = text.replace('html = "reports/{key}.html"\n', "")
    text = text.replace('"days/${DAY}.csv"', '"day.csv"').replace(
        'json = "reports/{key}.json"\n', ""
    )
    (nightly / "job.toml").write_text(text, "utf-8")
    (nightly / "days" / "2026-11-01.csv").rename(nightly / "day.csv")
    return {"job": str(nightly / "job.toml"), "acked": str(nightly / "acked")}


@pytest.fixture
def warm(small, zygote, tmp_path):
    """Processes that have run the job before; seconds that two more runs take."""
    facts = {"job": small["job"], "acked": str(tmp_path / "warm")}
    source = JOB_RUN.format(**facts, url=str(tmp_path / "warm.db"), keys=["w1"])
    zygote.warm(source)
    began = time.monotonic()
    child = zygote.start(source.replace("['w1']", "['w2', 'w3']"))
    assert zygote.wait(child) == 0
    return time.monotonic() - began


def test_two_jobs_at_once_lose_nothing(small, store_url, zygote, warm):
    keys = {who: [f"{who}{i:02d}" for i in range(25)] for who in "ab"}
    children = [
        zygote.start(JOB_RUN.format(**small, url=store_url, keys=keys[who])) for who in "ab"
    ]
    assert [zygote.wait(child) for child in children] == [0, 0]
    store = tc.open_store(store_url)
    runs = store.runs()
    assert {r.key for r in runs} == {*keys["a"], *keys["b"]}
    assert sorted(r.facts["monitor"]["look"] for r in runs) == list(range(1, 51))
    assert sum(r.accepted for r in runs) == 1


def test_a_killed_job_loses_nothing_and_the_next_recovers(small, tmp_path, zygote, warm):
    kill(small, str(tmp_path / "history.db"), zygote, warm)


@pytest.mark.slow  # the store itself is killed on PostgreSQL in every run of the tests
def test_a_killed_job_loses_nothing_on_postgresql(small, postgres, zygote, warm):
    kill(small, postgres, zygote, warm)


def kill(small, store_url, zygote, warm):
    rng = random.Random(3)
    for turn in range(20):
        source = JOB_RUN.format(**small, url=store_url, keys=[f"{turn}-{i}" for i in range(50)])
        child = zygote.start(source)
        time.sleep(rng.uniform(0.0, 1.5 * warm))
        os.kill(child, signal.SIGKILL)
        assert zygote.wait(child) == -signal.SIGKILL
    acked = Path(small["acked"]).read_text().split()
    again = zygote.start(JOB_RUN.format(**small, url=store_url, keys=[*acked, "next"]))
    assert zygote.wait(again) == 0
    store = tc.open_store(store_url)
    runs = store.runs()
    assert set(acked) <= {r.key for r in runs}
    assert len(acked) >= 3
    assert runs[-1].key == "next"
    # The monitor saw each key once: those of the history, and at most one a kill that was
    # watched but not yet remembered.
    looks = tc.Monitor(store, name="credit, nightly").history()
    seen = {look.key for look in looks}
    assert len(seen) == len({look.number for look in looks}) == max(look.number for look in looks)
    assert {r.key for r in runs} <= seen
    assert len(seen) <= len(runs) + 20
