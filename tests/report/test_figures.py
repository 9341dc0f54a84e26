import xml.etree.ElementTree as ET
from dataclasses import replace

import numpy as np
import pytest

import trustcheck as tc
from trustcheck import report as room
from trustcheck.report import _bars, _figures
from trustcheck.types import (
    Dimension,
    Estimate,
    InputError,
    Requirement,
    Score,
    VerdictStatus,
)

SVG = "{http://www.w3.org/2000/svg}"


def parsed(picture):
    return ET.fromstring(picture._repr_svg_())


def test_a_picture_names_itself_and_shows_each_row(make_finding):
    picture = room.picture(make_finding())
    root = parsed(picture)
    assert root.get("role") == "img"
    assert root.get("aria-label") == "Demographic parity: rate"
    assert root.find(f"{SVG}title").text == "Demographic parity: rate"
    assert "f 0.3; m 0.5" in root.find(f"{SVG}desc").text
    assert len(root.findall(f"{SVG}circle")) == 2
    assert picture.caption == "2 rows, rate with 95 % intervals."


@pytest.mark.parametrize("kind", ["intervals", "bars", "curve"])
def test_hostile_labels_make_valid_xml_and_no_new_element(kind, make_finding, hostile_names):
    rows = tuple(
        {"name": name, "x": i, "share": 0.1, "low": 0.0, "high": 0.2}
        for i, name in enumerate(hostile_names)
    )
    made = make_finding(rows=rows, picture=kind, title=hostile_names[0])
    root = parsed(room.picture(made))
    drawn = {element.tag.removeprefix(SVG) for element in root.iter()}
    assert drawn <= {
        "svg", "title", "desc", "line", "path", "rect", "circle", "text", "tspan", "polygon",
        "polyline",
    }  # fmt: skip
    assert not [a for element in root.iter() for a in element.attrib if a.startswith("on")]
    assert len(room.picture(made)._repr_svg_()) < 60_000


def test_at_most_twenty_rows_are_drawn_and_the_rest_is_stated(make_finding):
    rows = tuple({"group": f"g{i}", "rate": i / 50, "low": 0.0, "high": 1.0} for i in range(30))
    picture = room.picture(make_finding(rows=rows))
    assert len(parsed(picture).findall(f"{SVG}circle")) == 20
    assert "The first 20 of 30 are drawn." in picture.caption


def test_a_long_label_is_cut_and_told_when_pointed_at(make_finding):
    long = "a rather long name of a group " * 4
    rows = ({"group": long, "rate": 0.2, "low": 0.1, "high": 0.3},)
    titles = [t.text for t in parsed(room.picture(make_finding(rows=rows))).iter(f"{SVG}title")]
    assert long.strip() in titles


def test_the_limit_is_drawn_only_on_its_own_scale(make_finding):
    gap = Requirement("fairness.demographic_parity", at_most=0.1)
    assert "limit" not in _figures.picture(make_finding(), gap).caption
    recall = make_finding(
        headline="recall",
        metrics={"recall": Estimate(0.7, 0.6, 0.8, 10)},
        rows=({"class": "a", "recall": 0.7, "low": 0.6, "high": 0.8},),
    )
    asked = Requirement("x", at_least=0.5)
    assert "dashed line is the limit" in _figures.picture(recall, asked).caption


def test_a_curve_has_a_line_and_a_band(make_finding):
    rows = tuple(
        {"severity": s, "accuracy": 1 - s / 5, "low": 0.9 - s / 5, "high": 1.0} for s in range(4)
    )
    picture = room.picture(make_finding(rows=rows, picture="curve"))
    root = parsed(picture)
    assert len(root.findall(f"{SVG}polyline")) == len(root.findall(f"{SVG}polygon")) == 1
    assert picture.caption == "Accuracy against severity. The band is the 95 % interval."


@pytest.mark.parametrize(
    ("kind", "rows"),
    [
        (None, ({"group": "a", "rate": 1.0},)),
        ("intervals", ()),
        ("intervals", ({"group": "a", "rate": None},)),
        ("intervals", ({"group": "a"},)),
        ("curve", ({"rate": 1.0, "low": 0.5, "high": 1.0},)),
    ],
)
def test_no_picture_where_there_is_nothing_to_draw(kind, rows, make_finding):
    assert room.picture(make_finding(rows=rows, picture=kind)) is None
    assert make_finding(rows=rows, picture=kind).plot() is None


@pytest.mark.parametrize("value", [0.0, 5.0, -3.0, 1e-12, 1e300, float("nan")])
def test_odd_values_draw_without_a_fault(value, make_finding):
    rows = ({"group": "a", "rate": value, "low": value, "high": value}, {"group": "b", "rate": 1.0})
    for kind in ("intervals", "bars"):
        assert "nan" not in parsed_text(room.picture(make_finding(rows=rows, picture=kind)))


def parsed_text(picture):
    return "" if picture is None else ET.tostring(parsed(picture), encoding="unicode")


def test_a_picture_can_be_changed_and_saved(make_finding, tmp_path):
    picture = make_finding().plot()
    picture.svg.elements = picture.svg.elements[:3]
    picture.save(tmp_path / "p.svg")
    assert len(ET.parse(tmp_path / "p.svg").getroot()) == 3
    with pytest.raises(InputError, match="cannot write the picture"):
        picture.save(tmp_path / "none" / "p.svg")
    assert picture._repr_html_().startswith("<div")


def test_icons_differ_in_shape():
    icons = {_bars.icon(status) for status in VerdictStatus}
    assert len(icons) == len(VerdictStatus)


@pytest.mark.parametrize("score", [None, 0.0, 59.9, 100.0])
def test_a_score_bar_says_its_numbers(score):
    made = Score(Dimension.SAFETY, score, 0.0, 100.0, VerdictStatus.FAIL, 1.0, None, "")
    root = ET.fromstring(_bars.score_bar(made))
    assert ("No score" in root.get("aria-label")) == (score is None)


@pytest.mark.parametrize(
    "estimate",
    [
        Estimate(0.2, 0.1, 0.3, 5, range=(0.0, 1.0)),
        Estimate(0.0, 0.0, 0.0, 5, range=(0.0, 1.0)),
        Estimate(-1e9, -1e10, 1e10, 5),
        Estimate(0.1, 0.1, 0.1, 5),
    ],
)
@pytest.mark.parametrize(
    "limits", [{"at_most": 0.1}, {"at_least": 0.1}, {"at_least": 0.0, "at_most": 0.5}]
)
def test_a_limit_bar_stays_inside_its_frame(estimate, limits):
    requirement = Requirement("x", **limits)
    root = ET.fromstring(_bars.limit_bar(requirement, estimate, VerdictStatus.FAIL))
    width = float(root.get("viewBox").split()[2])
    for element in root.iter():
        for name in ("x", "x1", "x2", "cx"):
            assert 0 <= float(element.get(name, 1)) <= width


def test_no_limit_no_bar():
    asked = replace(Requirement("x", at_most=1), at_most=None, not_applicable="so")
    assert _bars.limit_bar(asked, Estimate(1, 0, 2, 3), VerdictStatus.PASS) == ""


def test_of_many_groups_the_lowest_and_the_highest_are_drawn():
    rng = np.random.default_rng(0)
    groups = np.repeat([f"g{k:02}" for k in range(40)], 50)
    chance = np.where(groups == "g35", 0.9, np.where(groups == "g30", 0.05, 0.5))
    subject = tc.Subject.from_predictions(
        None, (rng.random(2000) < chance).astype(int), sensitive={"g": groups}, task="binary",
        classes=[0, 1],
    )  # fmt: skip
    finding = tc.fairness.demographic_parity(subject)
    drawn = finding.plot()
    assert "g35" in str(drawn)
    assert "g30" in str(drawn)
    assert "The 10 lowest and the 10 highest of 40 are drawn." in drawn.caption


def test_a_proven_line_is_drawn_under_the_attacked_one(make_finding):
    rows = tuple(
        {"epsilon": x, "value": 1 - x / 2, "low": 0.9 - x / 2, "high": 1.0, "n": 50,
         "verified": 0.9 - x, "verified_low": 0.8 - x, "verified_high": 1 - x}
        for x in (0.0, 0.25, 0.5)
    )  # fmt: skip
    picture = room.picture(make_finding(rows=rows, picture="curve"))
    assert str(picture).count("<polyline") == 2
    assert str(picture).count("<polygon") == 3  # two bands, and what lies between the lines
    assert "between verified and" in picture.caption


def test_without_ends_the_headlines_own_column_is_drawn(make_finding):
    rows = (
        {"kind": "a", "tried": 6, "silent": 2, "named": 0},
        {"kind": "b", "tried": 6, "silent": 5, "named": 1},
    )
    made = make_finding(
        rows=rows, picture="bars", headline="silent", metrics={"silent": Estimate(0.5, 0.5, 0.5, 2)}
    )
    assert "a 2; b 5" in parsed(room.picture(made)).find(f"{SVG}desc").text
    other = make_finding(rows=rows, picture="bars")
    assert "a 0; b 1" in parsed(room.picture(other)).find(f"{SVG}desc").text
