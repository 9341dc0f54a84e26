"""What a redacted report still tells, and to whom: an attacker solves for what it leaves out."""

import json
from dataclasses import replace
from itertools import product

import numpy as np
import pytest
from scipy.optimize import linprog

import trustcheck as tc
from trustcheck.report import _disclosure
from trustcheck.types import Findings, Status

SEXES, RACES = ["f", "m"], ["a", "b", "c", "d"]
PROBES = [
    f"fairness.{name}"
    for name in ("demographic_parity", "equal_opportunity", "predictive_equality",
                 "equalized_odds", "predictive_parity", "accuracy_parity", "representation",
                 "treatment_equality")
]  # fmt: skip
# Cells (label, prediction) of n and count, written down again: (among, counted).
WHERE = {
    "demographic_parity": (["00", "01", "10", "11"], ["01", "11"]),
    "equal_opportunity": (["10", "11"], ["11"]),
    "predictive_equality": (["00", "01"], ["01"]),
    "predictive_parity": (["01", "11"], ["11"]),
    "accuracy_parity": (["00", "01", "10", "11"], ["00", "11"]),
    "treatment_equality": (["01", "10"], ["10"]),
    "representation": (["00", "01", "10", "11"], ["10", "11"]),
}
WHERE["1 given 1"], WHERE["1 given other"] = (
    WHERE["equal_opportunity"],
    WHERE["predictive_equality"],
)
CELLS = [(s, r, c) for s, r, c in product(SEXES, RACES, ["00", "01", "10", "11"])]


PROFILE = {"fairness.demographic_parity": {"at_most": 0.1}}
LIMIT = {"reliability.performance": {"at_least": 0.1}}


def people(seed, n=2500, shares=(0.62, 0.3, 0.05, 0.03)):
    rng = np.random.default_rng(seed)
    sex = rng.choice(SEXES, n, p=[0.4, 0.6])
    race = rng.choice(RACES, n, p=shares)
    y = rng.random(n) < 0.4
    predicted = np.where(rng.random(n) < 0.7, y, rng.random(n) < 0.4)
    return sex, race, y.astype(int), predicted.astype(int)


def audited(seed=0, probes=PROBES, **more):
    sex, race, y, predicted = people(seed, **more)
    subject = tc.Subject.from_predictions(
        y, predicted, sensitive={"sex": sex, "race": race}, name="credit"
    )
    return tc.evaluate(subject, probes=probes, profile=PROFILE, show_progress=False)


@pytest.fixture(scope="module")
def original():
    return audited()


def rows_of(report):
    """Yield (what it counts, number or None) as vectors over the finest cells."""
    for finding in report["findings"]:
        for row in finding["rows"]:
            name = row.get("event") or finding["id"].partition(".")[2]
            count = row.get("count")
            if "count" not in row and row["n"] is not None:
                count = None if row["rate"] is None else round(row["rate"] * row["n"])
            for cells, number in zip(WHERE[name], (row["n"], count), strict=True):
                levels = row["group"].split(" & ")
                yield finding["key"], row["group"], np.array(
                    [set(levels) <= {s, r} and c in cells for s, r, c in CELLS], float
                ), number  # fmt: skip


def attack(redacted, original, seed):
    """Return for each number left out: the truth, and the least and the most it can be."""
    truth = {(k, g, tuple(v)): n for k, g, v, n in rows_of(original)}
    known = [(vector, n) for _, _, vector, n in rows_of(redacted) if n is not None]
    *_, y, predicted = people(seed)
    for cell in ("00", "01", "10", "11"):  # the attacker knows the whole table's totals, too
        vector = np.array([c == cell for *_, c in CELLS], float)
        known.append((vector, ((y == int(cell[0])) & (predicted == int(cell[1]))).sum()))
    left, right = np.array([k[0] for k in known]), np.array([k[1] for k in known])
    rank = np.linalg.matrix_rank(left)
    found = []
    for key, group, vector, number in rows_of(redacted):
        if number is not None:
            continue
        told = np.linalg.matrix_rank(np.vstack([left, vector])) == rank
        ends = [
            sign * linprog(sign * vector, A_eq=left, b_eq=right, bounds=(0, None)).fun
            for sign in (1, -1)
        ]
        found.append((truth[key, group, tuple(vector)], told, *ends))
    return found


CHOICES = [PROBES, PROBES[:2], [PROBES[0], PROBES[5]], PROBES[4:],
           [p for name in PROBES[:3] for p in (f"{name}[by=sex]", f"{name}[by=race]")]]  # fmt: skip


@pytest.mark.parametrize("choice", range(5))
@pytest.mark.parametrize("seed", range(4))
def test_an_attacker_with_all_published_numbers_recovers_no_hidden_one(seed, choice):
    before = audited(seed, [name.partition("[")[0] for name in CHOICES[choice]])
    if "[" in CHOICES[choice][0]:  # the joint groups were never asked for
        kept = (f for key, f in before.findings.items() if key in CHOICES[choice])
        before = replace(before, findings=Findings(tuple(kept)), verdicts=())
    after = before.redacted()
    for truth, told, low, high in attack(after.to_dict(), before.to_dict(), seed):
        assert not told
        assert low - 1e-6 <= truth <= high + 1e-6
        assert high - low >= 10 - 1e-6
    assert choice or any(row["n"] is None for f in after.findings.values() for row in f.rows)


def test_the_attacker_wins_where_only_small_cells_are_left_out(original):
    data = original.to_dict()
    naive = json.loads(json.dumps(data))
    for finding in naive["findings"]:
        for row in finding["rows"]:
            n, count = (
                row["n"],
                row.get("count", 0 if row["rate"] is None else row["n"] * row["rate"]),
            )
            if min(n, count, n - count) < 10:
                row.update(dict.fromkeys(set(row) - {"group", "event"}))
    assert any(told for _, told, _, _ in attack(naive, data, seed=0))


def test_no_shown_row_has_or_gives_away_a_small_count(original):
    for finding in original.redacted().findings.values():
        for row in finding.rows:
            if row["n"] is not None:
                count = row.get("count", row["n"] * row["rate"])
                assert min(row["n"], count, row["n"] - count) >= 10
            else:
                assert not {k: v for k, v in row.items() if v is not None}.keys() - {
                    "group",
                    "event",
                }


def test_a_group_is_hidden_in_all_findings_or_in_none(original):
    hidden, shown = set(), set()
    for finding in original.redacted().findings.values():
        for row in finding.rows:
            (shown if row["n"] is not None else hidden).add(
                (str(finding.params["by"]), row["group"])
            )
    assert hidden
    assert shown
    assert not hidden & shown


def test_what_two_shares_leave_of_each_other_counts_as_shown():
    sex = ["f"] * 200 + ["m"] * 200
    # Of the women 60 are selected, 57 of them rightly: 3 are false alarms, shown in no row.
    y = [1] * 100 + [0] * 100 + [1] * 100 + [0] * 100
    said = [1] * 57 + [0] * 43 + [1] * 3 + [0] * 97 + [1] * 60 + [0] * 40 + [1] * 50 + [0] * 50
    subject = tc.Subject.from_predictions(y, said, sensitive={"sex": sex})
    alone = tc.evaluate(subject, probes=PROBES[:1], profile=LIMIT, show_progress=False)
    assert alone.redacted().findings["fairness.demographic_parity"].rows[0]["n"] == 200
    both = tc.evaluate(subject, probes=PROBES[:2], profile=LIMIT, show_progress=False)
    assert both.redacted().findings["fairness.demographic_parity"].rows[0]["n"] is None


def test_numbers_that_rest_on_hidden_groups_go_and_verdicts_stay(original):
    redacted = original.redacted()
    for old, new in zip(original.verdicts, redacted.verdicts, strict=True):
        assert old.status == new.status
        assert new.fragility is None
        if any(row["n"] is None for row in redacted.findings[new.key].rows):
            assert new.estimate is None
            assert redacted.findings[new.key].status is Status.SKIPPED
            assert not redacted.findings[new.key].metrics
            assert f"{old.estimate.value:.3g}" not in new.message
            assert "'a'" not in new.message
            assert new.message in redacted.reasons or old.message not in original.reasons
    assert redacted.verdict == original.verdict
    said = json.dumps(redacted.to_dict())
    assert "Furthest apart: 'f & " not in said
    assert "Furthest apart: 'm & " not in said


def test_nothing_can_be_recomputed_from_it(original):
    redacted = original.redacted()
    assert all(not f.statistics and f.formula is None for f in redacted.findings.values())
    assert all(f.examples is None and f.influence is None for f in redacted.findings.values())
    assert redacted.subject["redacted"] == {"min_cell": 10, "recomputable": False}
    assert "cannot be recomputed or verified" in redacted.reasons[0]
    assert not redacted.correlations
    assert all(s.score is None or s.score == round(s.score) for s in redacted.dimension_scores)


def test_large_groups_keep_all_their_numbers():
    before = audited(n=4000, shares=(0.4, 0.2, 0.2, 0.2))
    after = before.redacted()
    for key, finding in before.findings.items():
        # What compares a group with all others would tell of hidden ones, so it is never there.
        kept = [{k: v for k, v in row.items() if k != "p_differs"} for row in finding.rows]
        assert list(after.findings[key].rows) == kept
        assert after.findings[key].metrics == finding.metrics
        assert after.findings[key].statistics == {}
    assert [v.message for v in after.verdicts] == [v.message for v in before.verdicts]


def test_it_survives_json_and_says_so_at_the_top_of_every_form(original, tmp_path):
    redacted = original.redacted()
    redacted.save(tmp_path / "r.json")
    assert tc.Report.load(tmp_path / "r.json") == redacted
    assert tc.Report.load(tmp_path / "r.json").redacted() == redacted
    notice = "Redacted (min_cell=10, not recomputable): credit"
    assert notice in "\n".join(str(redacted).splitlines()[:3])
    for name in ("r.html", "r.md"):
        redacted.save(tmp_path / name)
        text = (tmp_path / name).read_text("utf-8").replace("\\_", "_")
        assert notice in text
    assert notice in redacted._repr_html_()
    assert redacted.subject["name"] == notice
    for finding in redacted.findings.values():
        finding.plot()
    assert len(redacted.to_frame()) == len(original.findings)


def test_redacting_twice_is_redacting_once(original):
    once = original.redacted()
    assert once.redacted() == once
    assert once.redacted(5) == once
    with pytest.raises(ValueError, match="redact the original with min_cell=20"):
        once.redacted(20)


@pytest.mark.parametrize("wrong", [1, 0, -3, 2.5, "10", None, True])
def test_min_cell_is_a_whole_number_of_at_least_two(original, wrong):
    with pytest.raises(ValueError, match="min_cell must be a whole number of at least 2"):
        original.redacted(wrong)


def test_a_larger_min_cell_hides_no_less(original):
    def hidden(report):
        return {
            (key, i)
            for key, finding in report.findings.items()
            for i, row in enumerate(finding.rows)
            if row["n"] is None
        }

    small = {(k, i) for k, i in hidden(original.redacted(2))}
    assert small <= hidden(original.redacted(10)) <= hidden(original.redacted(40))


def test_judging_a_redacted_report_again_leaves_what_is_withheld_unmeasured(original):
    again = original.redacted().judge({"fairness.demographic_parity": {"at_most": 0.1}})
    status = {v.key: str(v.status) for v in again.verdicts}
    assert status["fairness.demographic_parity[by=sex+race]"] == "not_measured"
    assert "Redacted" in str(again)


def with_finding(report, made):
    return replace(report, findings=Findings((*report.findings.values(), made)))


def test_groups_crossed_with_other_columns_are_shown_whole_or_not_at_all(original, make_finding):
    rows = tuple(
        {"given": f"job {job}", "group": sex, "n": 50, "rate": 0.5, "low": 0.3, "high": 0.7}
        for job in "xy" for sex in SEXES
    )  # fmt: skip
    made = make_finding("fairness.conditional_parity[by=sex,given=job]", rows=rows)
    after = with_finding(original, made).redacted().findings[made.key]
    assert all(row["n"] is None and row["rate"] is None for row in after.rows)
    large = audited(n=4000, shares=(0.4, 0.2, 0.2, 0.2))
    assert with_finding(large, made).redacted().findings[made.key].rows == rows


def test_small_rows_of_any_table_lose_their_numbers_and_one_more_with_them(
    make_report, make_finding
):
    rows = tuple({"level": f"#{i}", "n": n, "value": 0.5} for i, n in enumerate((4, 30, 12, 90)))
    made = make_finding("drift.labels", rows=rows, params={})
    after = make_report([made]).redacted().findings[made.key]
    assert [row["n"] for row in after.rows] == [None, 30, None, 90]
    assert [row["value"] for row in after.rows] == [None, 0.5, None, 0.5]
    assert after.status is Status.SKIPPED


def test_overlapping_slices_that_differ_by_a_few_rows_are_not_both_shown(make_report, make_finding):
    rows = tuple(
        {"slice": name, "n": n, "error": 0.5, "low": 0.4, "high": 0.6}
        for name, n in (("a", 200), ("a & b", 195), ("c", 90), ("d", 60))
    )
    made = make_finding("safety.slices", rows=rows, params={})
    after = make_report([made]).redacted().findings[made.key]
    assert after.rows[0]["n"] == 200
    assert after.rows[1]["n"] is None


def test_a_hidden_group_is_not_shown_under_another_name(original, make_finding):
    rows = (
        {"slice": "race = d & age above 30", "n": 80, "error": 0.5},
        {"slice": "race = a & age above 30", "n": 300, "error": 0.5},
        {"slice": "grade = d", "n": 900, "error": 0.5},
    )
    made = make_finding("safety.slices", rows=rows, params={}, notes=("Worst: race d.", "Few."))
    after = with_finding(original, made).redacted().findings[made.key]
    assert after.rows[0]["n"] is None
    assert after.rows[2]["n"] == 900
    row = {"column": "race", "value": 0.1, "where": "d: +0.3%"}
    made = make_finding("drift.features", rows=(row, {**row, "column": "b"}), params={},
                        notes=("Worst: race d.", "Few."))  # fmt: skip
    after = with_finding(original, made).redacted().findings[made.key]
    assert [row["where"] for row in after.rows] == [None, "d: +0.3%"]
    assert after.notes == ("Few.",)


def test_a_score_behind_which_one_withheld_number_hides_is_withheld(original):
    one = replace(
        original,
        verdicts=tuple(
            v for v in original.verdicts if v.key == "fairness.demographic_parity[by=race]"
        ),
    )
    score = one.redacted().dimension_scores[-1]
    assert score.score is None
    assert (score.low, score.high) == (0.0, 100.0)


def test_names_that_can_be_read_in_two_ways_hide_every_group():
    names = ("a & b & c", "b & c", "b & d", "e & c")
    table = _disclosure.Table(("x", "y"), names, {"n": np.array([3.0, 50.0, 60.0, 70.0])})
    assert len(_disclosure.suppressed([table], 10)) == 4
    # Where the levels of a column are known, there is one way to read it.
    known = _disclosure.Table(("x",), ("a & b", "b", "e"), {"n": np.array([3.0, 110.0, 70.0])})
    hidden = _disclosure.suppressed([known, table], 10)
    assert (("x", "y"), "a & b & c") in hidden
    assert 3 < len(hidden) < 7


def test_counts_that_contradict_each_other_are_hidden_rather_than_audited():
    a = _disclosure.Table(("x",), ("p", "q", "r"), {"n": np.array([50.0, 40.0, 4.0])})
    b = _disclosure.Table(
        ("x", "y"), ("p & u", "q & u", "r & u"), {"n": np.array([90.0, 40.0, 4.0])}
    )
    assert len(_disclosure.suppressed([a, b], 10)) >= 5
