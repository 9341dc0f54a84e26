"""The page of a job's history: what it says, what it survives, how large it is."""

import dataclasses

import pytest

import trustcheck as tc
from trustcheck.report._history import changes, page, remarks
from trustcheck.report._trend import Point, trend
from trustcheck.store import Number, Run

HOSTILE = '<script>alert("1")</script>&"\'' + "x" * 10_000 + "\u202e\N{PILE OF POO}"


@pytest.fixture(scope="module")
def report():
    y = [0, 1] * 100
    subject = tc.Subject.from_predictions(
        y, y[:180] + [1 - label for label in y[180:]], name=HOSTILE,
        sensitive={HOSTILE: [HOSTILE, "m"] * 100},
    )  # fmt: skip
    return tc.evaluate(subject, probes=["reliability.performance", "fairness"])


def run(number, verdict="pass", key=None, **facts):
    return Run(
        number, "id", HOSTILE, key or f"day {number}", "2026-11-01T02:00:00+00:00", verdict, 0,
        "full", "default", "p", "d", "m", "c", accepted=False, facts=facts,
    )  # fmt: skip


def numbers_of(report, runs):
    scores = [
        Number(r.number, "score", str(s.dimension), "score", s.score, s.low, s.high, str(s.verdict))
        for r in runs
        for s in report.dimension_scores
    ]
    return scores + [
        Number(r.number, "finding", v.key, v.metric, 0.1 * (r.number % 7), 0.0, 0.7, str(v.status))
        for r in runs
        for v in report.verdicts
        if v.estimate is not None
    ]


def made(report, runs, tmp_path):
    return page(HOSTILE, runs, numbers_of(report, runs), report, tmp_path)


def test_hostile_names_are_text_and_there_is_no_script(report, tmp_path):
    runs = [
        run(i, key=HOSTILE, outputs={"html": str(tmp_path / 'a"><script>.html')}) for i in (1, 2)
    ]
    text = made(report, runs, tmp_path)
    assert "<script" not in text
    assert "default-src 'none'" in text
    assert "http" not in text.replace("http-equiv", "")
    assert len(text) < 200_000


def test_verdict_changes_alarms_and_links_are_told(report, tmp_path):
    (tmp_path / "reports").mkdir()
    runs = [
        run(1), run(2, "fail", outputs={"html": str(tmp_path / "reports" / "b c.html")}),
        run(3, "fail", monitor={"ok": False, "opened": ["income"]}),
        run(4, monitor={"ok": False, "opened": []}, ratchet={"worse": ["fairness.x"]}),
        dataclasses.replace(run(5), accepted=True),
    ]  # fmt: skip
    assert [(r.number, before) for r, before in changes(runs)] == [(2, "pass"), (4, "fail")]
    assert remarks(runs[2]) == ["ALARM: income"]
    assert remarks(runs[3]) == ["alarm stands", "clearly worse: fairness.x"]
    assert remarks(runs[3], brief=True) == ["alarm stands", "1 worse"]
    text = page("credit", runs, numbers_of(report, runs), report, tmp_path / "pages")
    assert 'href="../reports/b%20c.html"' in text
    assert "from pass to fail" in text
    assert "from fail to pass" in text
    assert "ALARM" in text
    assert "accepted" in text


def test_what_is_measured_but_not_judged_has_a_trend_too(report, tmp_path):
    narrow = report.judge({"reliability.performance": {"at_least": 0.2}})
    runs = [run(1), run(2)]
    numbers = [
        Number(r.number, "finding", f.key, f.headline, f.value, f.low, f.high, "measured")
        for r in runs
        for f in narrow.findings.values()
        if f.status == "measured"
    ]
    text = page("credit", runs, numbers, narrow, tmp_path)
    measured = sum(f.status == "measured" for f in narrow.findings.values())
    assert measured > 1
    assert text.count("over the runs</title>") == measured  # no run has a score here
    assert text.count("Not judged") == measured - 1
    assert text.index("Performance") < text.index("Not judged")  # what is judged comes first


@pytest.mark.parametrize("times", [20, 150])
def test_a_year_of_a_large_profile_stays_below_500_kb(report, tmp_path, times):
    verdicts = [
        dataclasses.replace(v, key=f"{v.key[:200]} {i}")
        for i in range(times)
        for v in report.verdicts
    ]
    findings = tc.types.Findings(
        tuple(
            dataclasses.replace(report.findings[v.key.rpartition(" ")[0]], key=v.key)
            for v in verdicts
            if v.key.rpartition(" ")[0] in report.findings
        )
    )
    large = dataclasses.replace(report, verdicts=tuple(verdicts), findings=findings)
    assert len(findings) >= 30
    text = made(large, [run(i) for i in range(1, 366)], tmp_path)
    assert 100_000 < len(text.encode()) < 500_000
    assert "runs are drawn" in text
    assert ("findings are in the reports" in text) == (times == 150)


def test_a_trend_breaks_where_nothing_was_measured_and_marks_differ():
    points = [
        Point("a", 0.1, 0.0, 0.2, "pass"), Point("b", 0.2, 0.1, 0.3, "pass"),
        Point("c", None, None, None, "not_measured"),
        Point("d", 0.5, 0.4, 0.6, "fail"), Point("e", 0.3, 0.1, 0.4, "inconclusive"),
    ]  # fmt: skip
    picture = trend(points, title="t", limits=[0.25])
    assert picture.count("<polyline") == 2
    assert picture.count("<circle") == 3  # two discs and a ring; the fail is a cross
    assert "e: 0.3 inconclusive" in picture
    assert trend([Point("a", 0.1, None, None, "pass")], title="t").count("<circle") == 1
    assert "<polyline" not in trend([], title="t")
