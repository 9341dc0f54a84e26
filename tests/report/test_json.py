import json
import math
from dataclasses import replace

import jsonschema
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from trustcheck import report as room
from trustcheck.types import (
    Assurance,
    Better,
    Dimension,
    Estimate,
    Finding,
    Findings,
    InputError,
    Method,
    Profile,
    Report,
    Requirement,
    Scope,
    Score,
    Severity,
    Status,
    Verdict,
    VerdictStatus,
)

VALIDATOR = jsonschema.Draft202012Validator(room.schema())
finite = st.floats(allow_nan=False, allow_infinity=False)
text = st.text(st.characters(), max_size=8)
scalars = st.one_of(text, st.integers(), finite, st.booleans(), st.none())
plain = st.recursive(
    scalars, lambda x: st.lists(x, max_size=2) | st.dictionaries(text, x, max_size=2), max_leaves=4
)
tables = st.dictionaries(text, plain, max_size=2)


@st.composite
def estimates(draw):
    low, value, high = sorted(draw(st.lists(finite, min_size=3, max_size=3)))
    ends = st.none() | finite
    return Estimate(
        value,
        low,
        high,
        draw(st.integers(0, 10**9)),
        draw(text),
        draw(st.sampled_from(Method)),
        (draw(ends), draw(ends)),
        draw(st.none() | st.sampled_from(Better)),
    )


@st.composite
def requirements(draw):
    least, most = sorted(draw(st.lists(finite, min_size=2, max_size=2)))
    maybe = st.none() | finite
    return Requirement(
        draw(text),
        at_most=most,
        at_least=draw(st.sampled_from([None, least])),
        metric=draw(st.none() | text),
        target=draw(maybe),
        worst=draw(maybe),
        severity=draw(st.sampled_from(Severity)),
        weight=draw(st.floats(0.01, 10)),
        required=draw(st.booleans()),
        assurance=draw(st.none() | st.sampled_from(Assurance)),
        provenance=draw(text),
        dimension=draw(st.none() | st.sampled_from(Dimension)),
    )


@st.composite
def findings(draw, key):
    measured = draw(st.booleans())
    return Finding(
        id=key,
        key=key,
        title=draw(text),
        question=draw(text),
        dimension=draw(st.sampled_from(Dimension)),
        keys=tuple(draw(st.lists(text, max_size=2))),
        clauses=tuple(draw(st.lists(text, max_size=2))),
        version=draw(st.integers(1, 9)),
        params=draw(tables),
        seed=draw(st.integers(0, 2**64)),
        status=Status.MEASURED
        if measured
        else draw(st.sampled_from([Status.SKIPPED, Status.ERROR])),
        headline="gap",
        better=draw(st.sampled_from(Better)),
        metrics={"gap": draw(estimates()), draw(text): draw(estimates())} if measured else {},
        rows=tuple(draw(st.lists(st.dictionaries(text, scalars, max_size=3), max_size=3))),
        statistics=draw(tables),
        formula=draw(st.none() | text),
        notes=tuple(draw(st.lists(text, max_size=2))),
        assurance=draw(st.sampled_from(Assurance)),
        picture=draw(st.sampled_from([None, "intervals", "curve", "bars"])),
        reason=draw(st.none() | text),
        error=draw(st.none() | st.dictionaries(text, text, max_size=2)),
        rows_sent=draw(st.dictionaries(text, st.integers(0), max_size=2)),
        seconds=draw(st.floats(0, 1e6)),
    )


@st.composite
def reports(draw):
    keys = draw(st.lists(text, max_size=2, unique=True))
    found = [draw(findings(key)) for key in keys]
    judged = [
        Verdict(
            finding.key,
            draw(requirements()),
            draw(st.sampled_from(VerdictStatus)),
            draw(text),
            finding.headline,
            finding.dimension,
            finding.metrics.get("gap"),
            draw(st.none() | st.integers(0)),
            draw(st.none() | text),
            draw(st.booleans()),
            draw(st.booleans()),
        )
        for finding in found
    ]
    score = Score(
        draw(st.sampled_from(Dimension)), draw(st.none() | finite), 0.0, 100.0,
        draw(st.sampled_from(VerdictStatus)), draw(st.floats(0, 1)), None, draw(text),
    )  # fmt: skip
    return Report(
        subject=draw(tables),
        findings=Findings(tuple(found)),
        verdicts=tuple(judged),
        dimension_scores=(score,),
        verdict=draw(st.sampled_from(VerdictStatus)),
        reasons=tuple(draw(st.lists(text, max_size=2))),
        profile=Profile(draw(text), tuple(v.requirement for v in judged)),
        scope=draw(st.sampled_from(Scope)),
        coverage=draw(st.dictionaries(text, text, max_size=2)),
        correlations=draw(st.dictionaries(text, st.floats(-1, 1), max_size=2)),
        environment=draw(st.dictionaries(text, text, max_size=2)),
        seed=draw(st.integers(0)),
        run=draw(st.dictionaries(text.filter(lambda s: s != "findings"), plain, max_size=2)),
    )


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(report=reports())
def test_any_report_comes_back_equal_and_byte_for_byte(report, tmp_path_factory):
    path = tmp_path_factory.getbasetemp() / "any.json"
    room.save(report, path)
    once = path.read_bytes()
    data = json.loads(once)
    VALIDATOR.validate(data)
    back = room.load(path)
    assert back == report
    assert back.run == report.run
    assert list(back.findings) == list(report.findings)
    for key, finding in report.findings.items():
        assert list(back.findings[key].metrics) == list(finding.metrics)
        assert back.findings[key].rows_sent == finding.rows_sent
        assert back.findings[key].seconds == finding.seconds
    room.save(back, path)
    assert path.read_bytes() == once


def test_every_status_fits_the_schema(mixed_report, hostile_report, make_report):
    jsonschema.Draft202012Validator.check_schema(room.schema())
    for report in (mixed_report, hostile_report, make_report(findings=(), verdicts=())):
        VALIDATOR.validate(room.to_dict(report))
        assert room.from_dict(room.to_dict(report)) == report


def test_run_is_the_only_key_in_which_equal_runs_differ(make_report, make_finding):
    one = make_report()
    again = replace(
        one,
        findings=Findings((make_finding(rows_sent={"copies": 9}, seconds=8.0),)),
        run={"id": "other", "host": "elsewhere", "seconds": 9.0},
    )
    first, second = room.to_dict(one), room.to_dict(again)
    assert {key for key in first if first[key] != second[key]} == {"run"}
    sent = {"rows_sent": {"given": 500}, "seconds": 0.25}
    assert first["run"]["findings"] == {"fairness.demographic_parity[by=sex]": sent}


def test_memory_only_fields_are_never_saved(make_report, make_finding, tmp_path):
    held = make_finding(
        examples="secret row", influence=np.ones(3), exception=ValueError("secret cell")
    )
    room.save(make_report(findings=[held]), tmp_path / "r.json")
    assert "secret" not in (tmp_path / "r.json").read_text()
    back = room.load(tmp_path / "r.json").findings[held.key]
    assert back.examples is back.influence is back.exception is None


def test_what_json_cannot_hold_becomes_null_and_numpy_becomes_plain(make_report, make_finding):
    odd = make_finding(
        rows=({"group": "f", "rate": math.nan, "low": -math.inf, "n": np.int64(3)},),
        statistics={"n": np.array([1, 2]), "x": (1, 2)},
    )
    data = room.to_dict(make_report(findings=[odd]))
    (row,) = data["findings"][0]["rows"]
    assert row == {"group": "f", "rate": None, "low": None, "n": 3}
    assert data["findings"][0]["statistics"] == {"n": [1, 2], "x": [1, 2]}
    json.dumps(data, allow_nan=False)


def test_the_file_is_sorted_and_says_whose_scheme_it_is(make_report, tmp_path):
    room.save(make_report(), tmp_path / "r.json")
    data = json.loads((tmp_path / "r.json").read_text())
    assert list(data) == sorted(data)
    assert "defines no levels" in data["statement"]
    assert data["profile"]["requirements"][0]["provenance"] == "stated by the user"


def test_columns_keep_their_order(make_report, tmp_path):
    room.save(make_report(), tmp_path / "r.json")
    (finding,) = room.load(tmp_path / "r.json").findings.values()
    assert list(finding.rows[0]) == ["group", "n", "rate", "low", "high"]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "not valid JSON at line 1"),
        (b"{}", "no saved trustcheck report"),
        (b"[1, 2]", "no saved trustcheck report"),
        (b"\xff\xfe\x00", "not text in UTF-8"),
        (b'{"a": NaN}', "NaN"),
        (b'{"a": 1e999}', "beyond all floats"),
        (b"[" * 100_000, "nested too deeply"),
        (b"9" * 5000, "cannot be read"),
    ],
)
def test_a_file_that_is_no_report_is_refused_in_plain_words(content, said, tmp_path):
    path = tmp_path / "odd.json"
    path.write_bytes(content)
    with pytest.raises(InputError, match=said) as caught:
        room.load(path)
    assert "odd.json" in str(caught.value)


def test_a_truncated_report_is_refused(make_report, tmp_path):
    path = tmp_path / "r.json"
    room.save(make_report(), path)
    whole = path.read_bytes()
    for share in (0.2, 0.5, 0.99):
        path.write_bytes(whole[: int(len(whole) * share)])
        with pytest.raises(InputError, match="cut short"):
            room.load(path)


def test_another_major_version_is_refused_and_a_minor_one_read(make_report):
    data = room.to_dict(make_report())
    with pytest.raises(InputError, match=r"schema version 2.0; this trustcheck reads version 1.x"):
        room.from_dict(data | {"schema_version": "2.0"})
    newer = room.from_dict(data | {"schema_version": "1.7", "a later key": 1})
    assert newer.schema_version == "1.0"


@pytest.mark.parametrize(
    ("path", "value", "said"),
    [
        (("verdict",), "maybe", "verdict must be one of pass, fail"),
        (("seed",), "7", "seed must be a whole number"),
        (("seed",), True, "seed must be a whole number"),
        (("profile",), None, "profile must be an object"),
        (("profile", "requirements", 0, "at_most"), "0.1", r"requirements\[0\].at_most"),
        (("findings", 0, "metrics"), [], "no number"),
        (("findings", 0, "metrics", 0, "low"), 99.0, "low <= value <= high"),
        (("findings", 0, "metrics", 0, "range"), [0.0], "two ends"),
        (("findings", 0, "rows", 0, "n"), [1], "text, a number"),
        (("findings", 0, "columns"), [], "unlisted columns"),
        (("findings", 0, "notes"), "note", "notes must be a list"),
        (("findings", 0), 3, r"findings\[0\] must be an object"),
        (("scores", 0, "low"), None, "finite number, not nothing"),
        (("correlations", "a | b"), 10**400, "finite number"),
        (("run", "findings"), {"fairness.demographic_parity[by=sex]": 3}, "run.findings"),
    ],
)
def test_what_does_not_fit_is_named_with_its_place(path, value, said, make_report):
    data = json.loads(json.dumps(room.to_dict(make_report())))
    at = data
    for step in path[:-1]:
        at = at[step]
    at[path[-1]] = value
    with pytest.raises(InputError, match=said):
        room.from_dict(data)


def test_a_missing_key_and_a_double_finding_are_named(make_report):
    data = room.to_dict(make_report())
    with pytest.raises(InputError, match="coverage is missing"):
        room.from_dict({k: v for k, v in data.items() if k != "coverage"})
    with pytest.raises(InputError, match="share a key"):
        room.from_dict(data | {"findings": data["findings"] * 2})
