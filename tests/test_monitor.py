import datetime as dt
import json
import os
import random
import signal
import time

import numpy as np
import pandas as pd
import pytest

import trustcheck as tc
from trustcheck.monitor import Monitor


class Memory:
    """The two methods a store has, in memory; what is kept has been through JSON."""

    def __init__(self):
        self.kept = {}

    def load_state(self, name):
        return json.loads(self.kept[name]) if name in self.kept else None

    def update_state(self, name, change):
        self.kept[name] = json.dumps(change(self.load_state(name)), sort_keys=True)
        return self.load_state(name)


def table(seed, n=300, shift=0.0, share=0.3):
    rng = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "income": rng.normal(shift, 1, n),
            "age": rng.integers(18, 80, n),
            "debt": np.where(rng.random(n) < 0.1, np.nan, rng.normal(size=n)),
            "job": np.where(rng.random(n) < share, "clerk", rng.choice(["nurse", "smith"], n)),
            "member": rng.random(n) < 0.5,
        }
    )


class Model:
    """Scores by one column; another offset is another model."""

    classes_ = np.array([0, 1])

    def __init__(self, offset=0.0):
        self.offset = offset
        self.asked = 0

    def predict_proba(self, X):
        self.asked += len(X)
        p = 1 / (1 + np.exp(-(X["income"].to_numpy() + self.offset)))
        return np.c_[1 - p, p]


def labels(X, seed, flip=0.0):
    rng = np.random.default_rng(seed)
    y = rng.random(len(X)) < 1 / (1 + np.exp(-X["income"]))
    return np.where(rng.random(len(X)) < flip, ~y, y).astype(int)


def subject(seed=0, n=1000, model=None, **more):
    X = table(seed, n)
    return tc.Subject(model or Model(), X, labels(X, seed), **more)


def days(monitor, count, begin=0, **change):
    return [monitor.update(table(100 + i, **change), key=i) for i in range(begin, begin + count)]


# What it sees ----------------------------------------------------------------------------------


def test_quiet_rows_raise_nothing_and_a_shift_is_found_named_and_dated():
    monitor = Monitor(Memory(), reference=table(0, 2000))
    quiet = days(monitor, 20)
    assert all(quiet)
    assert [look.number for look in quiet] == list(range(1, 21))
    assert "no alarm" in str(quiet[-1])
    assert "nearest to an alarm" in str(quiet[-1])
    found = days(monitor, 6, begin=20, shift=0.5)
    first = next(look for look in found if not look)
    assert first.opened == ("income",)
    (alarm,) = first.alarms
    assert (alarm.stream, alarm.kind, alarm.since) == ("income", "feature", "20")
    assert int(alarm.raised) <= 23
    last = found[-1].alarms[0]
    assert (last.raised, last.since) == (alarm.raised, "20")
    assert found[-1].opened == ()
    assert last.effect.n == 300 * last.looks
    truth = 2 * 0.598706 - 1  # 2 Phi(0.25) - 1
    assert last.effect.low <= truth <= last.effect.high
    assert last.effect.low > 0
    assert last.at_most(0.5).status == "pass"
    assert last.at_most(0.01).status == "fail"
    assert "more rows above the reference's" in last.where


def test_levels_are_compared_by_total_variation_and_named_where_that_is_allowed():
    monitor = Monitor(Memory(), reference=table(0, 2000))
    days(monitor, 5)
    look = days(monitor, 4, begin=5, share=0.6)[-1]
    (alarm,) = look.alarms
    assert (alarm.stream, alarm.measure) == ("job", "total variation")
    assert alarm.effect.low <= 0.3 <= alarm.effect.high
    assert alarm.where.startswith("clerk: +")
    rows = table(9)
    rows.loc[:60, "job"] = "astronaut"
    new = monitor.update(rows, key="new level").alarms
    assert {alarm.stream for alarm in new} == {"job"}


def test_missing_values_are_named_as_such():
    monitor = Monitor(Memory(), reference=table(0, 2000))
    days(monitor, 3)
    rows = [table(50 + i) for i in range(3)]
    for batch in rows:
        batch.loc[:150, "age"] = np.nan
    look = [monitor.update(batch, key=f"gap {i}") for i, batch in enumerate(rows)][-1]
    assert [alarm.stream for alarm in look.alarms] == ["age"]
    assert look.alarms[0].where == "missing: 0.0% before, 50.3% now"


def test_scores_and_losses_of_a_subject_are_watched():
    monitor = Monitor(Memory(), reference=subject(n=2000))
    for i in range(8):
        X = table(100 + i)
        look = monitor.update((X, labels(X, i)), key=i)
        assert look
    assert look.streams == 7
    for i in range(8, 14):
        X = table(100 + i)
        look = monitor.update((X, labels(X, i, flip=0.35)), key=i)
    (alarm,) = look.alarms
    assert (alarm.stream, alarm.kind, alarm.since) == ("loss", "loss", "8")
    assert alarm.where.startswith("losses are larger")
    shifted = table(1, shift=1.0)
    look = monitor.update(tc.Subject(Model(), shifted, labels(shifted, 1)), key="subject")
    assert {"income", "score", "loss"} <= {alarm.stream for alarm in look.alarms}


def test_loss_and_score_equal_their_definition():
    from trustcheck import _watched

    s = subject()
    rows = _watched.read(s, like=s, cluster=None, what="x")
    streams = _watched.streams(rows, None)
    read = dict(zip([t.name for t in streams], _watched.matrix(rows, streams).T, strict=True))
    p = Model().predict_proba(s.X)[:, 1]
    np.testing.assert_allclose(read["score"], p)
    np.testing.assert_allclose(read["loss"], np.abs(s.truth - p))
    regression = tc.Subject(lambda X: X["income"], s.X, s.X["income"] + 2, task="regression")
    rows = _watched.read(regression, like=None, cluster=None, what="x")
    streams = _watched.streams(rows, None)
    np.testing.assert_allclose(_watched.matrix(rows, streams)[:, -1], 2)


def test_predictions_made_elsewhere_can_be_watched():
    def logged(seed, flip=0.0):
        rng = np.random.default_rng(seed)
        y = rng.choice(["a", "b", "c"], 500)
        guess = np.where(rng.random(500) < 0.2 + flip, rng.choice(["a", "b", "c"], 500), y)
        return tc.Subject.from_predictions(y, guess)

    monitor = Monitor(Memory(), reference=logged(0))
    assert all(monitor.update(logged(1 + i), key=i) for i in range(5))
    looks = [monitor.update(logged(20 + i, flip=0.4), key=20 + i) for i in range(4)]
    assert [alarm.stream for alarm in looks[-1].alarms] == ["loss"]


# Runs --------------------------------------------------------------------------------------------


def test_a_key_counts_once_and_is_answered_as_it_was():
    store, twice = Memory(), Memory()
    for i in range(12):
        shift = 0.6 * (i >= 6)
        once = Monitor(store, reference=table(0, 800)).update(table(i, shift=shift), key=i)
        for _ in range(2):  # each time a new process would
            again = Monitor(twice, reference=table(0, 800)).update(table(i, shift=shift), key=i)
            assert again == once
    assert store.kept == twice.kept
    early = Monitor(twice, reference=table(0, 800)).update(table(2), key=2)
    assert early.number == 3
    assert early
    assert not once
    assert [look.key for look in Monitor(twice).history()] == [str(i) for i in range(12)]


def test_other_rows_under_a_known_key_are_not_counted_and_that_is_said():
    store = Memory()
    monitor = Monitor(store, reference=table(0))
    first = monitor.update(table(1), key="mon")
    kept = dict(store.kept)
    again = monitor.update(table(2), key="mon")
    assert again.notes == (
        "this key was counted before, with other rows: those given now were not counted",
    )
    assert again.number == first.number == 1
    assert store.kept == kept


def test_the_order_of_rows_changes_nothing():
    kept = []
    for order in (slice(None), slice(None, None, -1)):
        store = Memory()
        monitor = Monitor(store, reference=table(0)[order].reset_index(drop=True))
        monitor.update(table(1)[order].reset_index(drop=True), key=1)
        kept.append(store.kept)
    assert kept[0] == kept[1]


def test_dates_and_their_spelling_are_one_key_missing_days_are_fine_late_ones_are_noted():
    monitor = Monitor(Memory(), reference=table(0))
    first = monitor.update(table(1), key=dt.date(2026, 3, 1))
    assert monitor.update(table(1), key="2026-03-01") == first
    assert monitor.update(table(1), key=pd.Timestamp("2026-03-01")) == first
    third = monitor.update(table(3), key="2026-03-03")
    assert (third.number, third.notes) == (2, ())
    late = monitor.update(table(2), key="2026-03-02")
    assert late.number == 3
    assert late.notes == (
        "this key is older than others already counted: it counts as the latest look",
    )
    with pytest.raises(tc.InputError, match="must not be empty"):
        monitor.update(table(4), key=" ")


def test_labels_may_come_later_and_only_the_losses_are_counted_then():
    store, together = Memory(), Memory()
    reference = subject()
    X = table(7)
    y = labels(X, 7)
    monitor = Monitor(store, reference=reference)
    before = monitor.update(X, key="mon")
    other = monitor.update(table(8), key="tue")
    assert (before.number, other.number) == (1, 2)
    assert before.alpha_spent == pytest.approx(0.05 * 6 / 7 / 365)
    after = monitor.update((X, y), key="mon")
    assert after.alpha_spent == pytest.approx(0.05 * (6 / 7 * 2 + 1 / 7) / 365)
    assert monitor.update((X, y), key="mon") == after
    assert monitor.update(X, key="mon") == before
    Monitor(together, reference=reference).update((X, y), key="mon")
    parts = [json.loads(kept.kept["monitor"])["parts"]["labels"] for kept in (store, together)]
    assert parts[0] == parts[1]


def test_the_model_is_not_asked_while_the_store_is_locked():
    model = Model()
    asked = []

    class Locked(Memory):
        def update_state(self, name, change):
            before = model.asked
            kept = super().update_state(name, change)
            asked.append(model.asked - before)
            return kept

    monitor = Monitor(Locked(), reference=subject(model=model))
    for i in range(3):
        monitor.update(table(i), key=i)
    assert asked == [0, 0, 0]


# Epochs ------------------------------------------------------------------------------------------


def test_what_opens_an_epoch_and_what_does_not():
    store = Memory()
    reference = subject()

    def look(key, **changed):
        return Monitor(store, **{"reference": reference, "horizon": 3} | changed).update(
            table(abs(hash(key)) % 99), key=key
        )

    assert look("a").epoch == 1
    assert look("b", reference=subject()).epoch == 1  # an equal one
    other = look("c", alpha=0.01)
    assert (other.epoch, other.number, other.alpha) == (2, 1, 0.01)
    assert "epoch 2 begins with this look (another alpha or horizon)" in other.notes
    assert "in the whole epoch 1%" in str(other)
    assert look("d").epoch == 3
    assert look("e", reference=subject(model=Model(0.5))).epoch == 4
    assert look("f", reference=subject(seed=5)).epoch == 5
    assert look("a", reference=subject(seed=6)).epoch == 1  # known keys open nothing
    assert [look(str(i), reference=subject(seed=5)).epoch for i in range(4)] == [5, 5, 6, 6]
    Monitor(store).reset("rows of May were loaded twice")
    assert look("g", reference=subject(seed=5)).epoch == 7
    told = Monitor(store).epochs()
    assert [epoch["number"] for epoch in told] == list(range(1, 8))
    assert [epoch["reason"] for epoch in told] == [
        "the monitor began", "another alpha or horizon", "another alpha or horizon",
        "another model", "another reference", "the horizon was reached",
        "reset: rows of May were loaded twice",
    ]  # fmt: skip


def test_a_reset_ends_alarms_and_begins_with_the_reference_again():
    store, fresh = Memory(), Memory()
    monitor = Monitor(store, reference=table(0, 800))
    assert not monitor.update(table(1, shift=2.0), key=1)
    monitor.reset("mended")
    look = monitor.update(table(2), key=2)
    assert look
    assert look.number == 1
    Monitor(fresh, reference=table(0, 800)).update(table(2), key=2)
    mass = [
        json.loads(kept.kept["monitor"])["parts"]["rows"]["reference"] for kept in (store, fresh)
    ]
    assert mass[0] == mass[1]


def test_monitors_of_two_names_share_nothing():
    store = Memory()
    a, b = (Monitor(store, reference=table(0), name=name) for name in "ab")
    assert a.update(table(1), key=1).number == 1
    assert b.update(table(1), key=1).number == 1
    assert a.update(table(2), key=2).number == 2


def test_the_reference_may_be_left_out_once_begun():
    store = Memory()
    Monitor(store, reference=table(0)).update(table(1), key=1)
    assert Monitor(store).update(table(2), key=2).number == 2
    with pytest.raises(tc.InputError, match="'other' has not begun: give it a reference"):
        Monitor(store, name="other").update(table(2), key=2)


def test_one_row_of_each_cluster_is_counted():
    def people(seed, copies):
        rows = table(seed, 200)
        rows["person"] = np.arange(200)
        return pd.concat([rows] * copies, ignore_index=True)

    monitor = Monitor(Memory(), reference=people(0, 1), cluster="person")
    looks = [monitor.update(people(1 + i, 20), key=i) for i in range(10)]
    assert all(looks)
    assert {look.rows for look in looks} == {200}
    assert looks[0].streams == 5
    naive = Monitor(Memory(), reference=people(0, 1).drop(columns="person"))
    crying = [naive.update(people(1 + i, 20).drop(columns="person"), key=i) for i in range(10)]
    assert not crying[-1]  # 20 copies of each person look like evidence


# What is kept, and what it says ------------------------------------------------------------------


def test_what_is_kept_is_small_and_holds_no_level_and_no_row():
    store = Memory()
    monitor = Monitor(store, reference=table(0, 5000))
    for i in range(60):
        monitor.update(table(i, 500), key=i)
    kept = store.kept["monitor"]
    assert not any(word in kept for word in ("clerk", "nurse", "smith"))
    assert len(kept) < 120_000


def test_a_look_as_plain_data_and_as_a_frame():
    monitor = Monitor(Memory(), reference=table(0, 800))
    look = monitor.update(table(1, shift=2.0), key=1)
    plain = json.loads(json.dumps(look.to_dict()))
    assert plain["ok"] is False
    assert plain["alarms"][0]["effect"]["value"] == look.alarms[0].effect.value
    frame = look.to_frame()
    assert frame["stream"].tolist() == ["income"]
    assert frame["low"].item() <= frame["value"].item() <= frame["high"].item()
    assert len(monitor.update(table(2), key=2).to_frame()) == 1
    finding = look.alarms[0].finding
    assert finding.value == look.alarms[0].effect.value
    assert json.dumps(finding.to_dict())
    assert "ALARM: income" in str(look)


BAD = {
    "alpha": (lambda: Monitor(Memory(), reference=table(0), alpha=1.5), "between 0 and 1"),
    "horizon": (lambda: Monitor(Memory(), reference=table(0), horizon=0), "whole number above 0"),
    "few": (lambda: Monitor(Memory(), reference=table(0, 19)), "has 19 rows; .* at least 20"),
    "column": (
        lambda: Monitor(Memory(), reference=table(0)).update(table(1).drop(columns="age"), key=1),
        "the batch has no column 'age', which the monitor watches",
    ),
    "kind": (
        lambda: Monitor(Memory(), reference=table(0)).update(table(1).assign(income="x"), key=1),
        "column 'income' held numbers in the reference",
    ),
    "date": (
        lambda: Monitor(Memory(), reference=table(0)).update(
            table(1).assign(income=pd.Timestamp("2026-01-01")), key=1
        ),
        "column 'income' held numbers in the reference and holds dates now",
    ),
    "rows": (lambda: Monitor(Memory(), reference=table(0)).update(table(1)[:0], key=1), "no rows"),
    "cluster": (
        lambda: Monitor(Memory(), reference=table(0), cluster="person"),
        "cluster names column 'person'",
    ),
    "triple": (
        lambda: Monitor(Memory(), reference=(1, 2, 3)),
        r"must be a table, a pair \(X, y\) or a Subject",
    ),
    "reset": (lambda: Monitor(Memory()).reset("x"), "has not begun"),
}


@pytest.mark.parametrize(("call", "said"), BAD.values(), ids=BAD)
def test_bad_input_is_refused_with_its_remedy(call, said):
    with pytest.raises(tc.InputError, match=said):
        call()


def test_a_refused_batch_changes_nothing():
    store = Memory()
    monitor = Monitor(store, reference=table(0))
    monitor.update(table(1), key=1)
    kept = dict(store.kept)
    with pytest.raises(tc.InputError):
        monitor.update(table(2).drop(columns="age"), key=2)
    assert store.kept == kept


def test_a_state_of_another_version_is_refused():
    store = Memory()
    store.kept["monitor"] = json.dumps({"version": 99})
    with pytest.raises(tc.InputError, match="version 99"):
        Monitor(store, reference=table(0)).update(table(1), key=1)


def test_bank_marketing_as_the_crisis_comes():
    bank = tc.datasets.load_bank_marketing().frame
    columns = ["age", "job", "marital", "contact", "euribor3m", "poutcome"]
    rows = bank[columns]
    monitor = Monitor(Memory(), reference=rows[:3000])
    looks = [
        monitor.update(rows[i : i + 500].reset_index(drop=True), key=i)
        for i in range(3000, 40_000, 500)
    ]
    first = {name: int(look.key) for look in looks for name in look.opened}
    assert first["euribor3m"] <= first["contact"] < first["poutcome"]
    effects = {alarm.stream: alarm.effect for alarm in looks[-1].alarms}
    assert effects["euribor3m"].low > 0.9
    assert {"contact", "poutcome"} <= set(effects)


# Killed and doubled jobs ------------------------------------------------------------------------

JOB = """
import numpy as np
from trustcheck.monitor import Monitor
rng = np.random.default_rng(0)
reference = rng.normal(size=(500, 3))
for day in range({days}):
    rows = np.random.default_rng(1 + day).normal(0.5 * (day >= 15), size=(100, 3))
    Monitor({url!r}, reference=reference).update(rows, key=day)
    with open({told!r}, "a") as told:
        told.write(f"{{day}}\\n")
"""


def job(zygote, url, told, days=25):
    return zygote.start(JOB.format(url=url, told=str(told), days=days))


def test_jobs_killed_at_any_point_and_run_at_once_leave_what_one_quiet_run_leaves(
    store_url, tmp_path, zygote
):
    plain = str(tmp_path / "plain.db")
    began = time.monotonic()
    assert zygote.wait(job(zygote, plain, tmp_path / "quiet")) == 0
    whole = time.monotonic() - began
    rng, killed = random.Random(3), 0
    for _ in range(5):
        child = job(zygote, store_url, tmp_path / "killed")
        time.sleep(rng.uniform(0.02, 0.25) * whole)  # what one did the next need not do again
        os.kill(child, signal.SIGKILL)
        killed += zygote.wait(child) == -signal.SIGKILL
        told = (tmp_path / "killed").read_text().split() if (tmp_path / "killed").exists() else []
        assert {look.key for look in Monitor(store_url).history()} >= set(told)
    assert killed >= 2
    both = [job(zygote, store_url, tmp_path / "killed") for _ in range(2)]
    assert [zygote.wait(child) for child in both] == [0, 0]
    states = [tc.open_store(url).load_state("monitor") for url in (plain, store_url)]
    assert states[0] == states[1]
    history = Monitor(store_url).history()
    assert len(history) == 25
    assert history == Monitor(plain).history()
    assert not history[-1]
