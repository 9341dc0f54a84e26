"""Hand-made reports: no model, no probe, so that a renderer is tested alone."""

from dataclasses import replace

import pytest

from trustcheck import standard
from trustcheck.types import (
    Assurance,
    Better,
    Dimension,
    Estimate,
    Finding,
    Findings,
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

HOSTILE = (
    "<script>alert(1)</script>",
    '" onmouseover="alert(1)" x=\'',
    "x" * 10_000,
    "مرحبا بالعالم",
    "\u202eevil txt.exe",
    "🧨👩‍👩‍👧‍👦 emoji",
    "line\nbreak\r\n| pipe | `tick` ``two``",
    "[bold red]rich[/] [link=http://evil.example]x[/link]",
    "**md** [a](http://evil.example) ![i](http://evil.example/i.png) $x$ ~~s~~",
    "{{ 7 * 7 }}{% for x in y %}",
    "\x1b[31mred\x1b[0m\x00\udc80",
    "]]>--><style>*{display:none}</style>",
    "https://evil.example/a www.evil.example",
)


def estimate(value=0.2, low=0.1, high=0.3, n=500, **more):
    return Estimate(value, low, high, n, **{"unit": "share", "range": (0.0, 1.0)} | more)


def finding(key="fairness.demographic_parity[by=sex]", **more):
    facts = {
        "id": key.partition("[")[0],
        "key": key,
        "title": "Demographic parity",
        "question": "Do groups get the favourable prediction equally often?",
        "dimension": Dimension.ACCOUNTABILITY,
        "keys": ("accountability.bias_detection",),
        "clauses": ("8.4", "9.5"),
        "version": 1,
        "params": {"by": "sex"},
        "seed": 3,
        "status": Status.MEASURED,
        "headline": "gap",
        "better": Better.LOW,
        "metrics": {"gap": estimate(), "ratio": estimate(0.7, 0.6, 0.9, better=Better.HIGH)},
        "rows": (
            {"group": "f", "n": 200, "rate": 0.3, "low": 0.25, "high": 0.35},
            {"group": "m", "n": 300, "rate": 0.5, "low": 0.45, "high": 0.55},
        ),
        "statistics": {"successes": [60, 150], "n": [200, 300]},
        "formula": "gaps.largest_gap",
        "notes": ("Furthest apart: 'm' above 'f'.",),
        "picture": "intervals",
        "rows_sent": {"given": 500},
        "seconds": 0.25,
    }
    return Finding(**facts | more)


def unmeasured(key, status=Status.SKIPPED, reason="needs labels", **more):
    facts = {"metrics": {}, "rows": (), "statistics": {}, "formula": None, "notes": ()}
    return finding(key, status=status, reason=reason, picture=None, **facts | more)


def verdict(of, status=VerdictStatus.FAIL, requirement=None, **more):
    asked = requirement or Requirement(
        of.id, at_most=0.1, target=0.02, worst=0.3, provenance="stated by the user"
    )
    got = of.metrics.get(of.headline)
    facts = {"estimate": got, "message": f"{status}: gap 0.2; asked: at most 0.1 [{of.key}]."}
    return Verdict(
        key=of.key,
        requirement=asked,
        status=status,
        metric=of.headline,
        dimension=of.dimension,
        **facts | more,
    )


def scores(**verdicts):
    found = []
    for dimension in Dimension:
        status = verdicts.get(str(dimension))
        if status is None:
            reason = "no requirement was asked of it"
            found.append(
                Score(dimension, None, 0.0, 100.0, VerdictStatus.NOT_MEASURED, 0.0, None, reason)
            )
        else:
            statistical = Assurance.STATISTICAL
            found.append(
                Score(dimension, 33.5, 12.0, 58.25, status, 1.0, statistical, "failed: a thing")
            )
    return tuple(found)


def report(findings=None, verdicts=None, **more):
    found = (finding(),) if findings is None else tuple(findings)
    judged = (verdict(found[0]),) if verdicts is None else tuple(verdicts)
    facts = {
        "subject": {
            "name": "credit v3",
            "model": "Forest",
            "task": "binary",
            "rows": 500,
            "features": [{"name": "age", "kind": "number", "immutable": False}],
            "classes": ["0", "1"],
            "data_sha256": "ab" * 32,
            "reference_sha256": None,
        },
        "findings": Findings(found),
        "verdicts": judged,
        "dimension_scores": scores(accountability=VerdictStatus.FAIL),
        "verdict": VerdictStatus.FAIL,
        "reasons": tuple(v.message for v in judged),
        "profile": Profile("mine", tuple(v.requirement for v in judged), sha256="cd" * 32),
        "scope": Scope.FULL,
        "coverage": {
            a.key: "measured" if a.key == "accountability.bias_detection" else "not covered"
            for a in standard.load().attributes
        },
        "correlations": {"a | b": 0.5},
        "environment": {"python": "3.12.1", "numpy": "2.1.0"},
        "seed": 7,
        "run": {"id": "f00", "seconds": 1.5, "rows_sent": {"given": 500}, "host": "somewhere"},
    }
    return Report(**facts | more)


def mixed():
    """A report with every status there is."""
    open_ = finding("fairness.equal_opportunity[by=sex]", title="Equal opportunity")
    passed = finding("reliability.performance", title="Performance", picture="bars")
    curve = finding(
        "robustness.noise",
        title="Noise",
        dimension=Dimension.RELIABILITY,
        picture="curve",
        rows=tuple(
            {"severity": s / 10, "value": 1 - s / 20, "low": 0.9 - s / 20, "high": 1.0}
            for s in range(5)
        ),
    )
    skipped = unmeasured("privacy.membership", reason="needs a reference", title="Membership")
    crashed = unmeasured(
        "safety.slices",
        Status.ERROR,
        "ZeroDivisionError raised at model.py:3 in predict",
        error={"type": "ZeroDivisionError", "where": "model.py:3 in predict"},
        title="Slices",
    )
    proven = finding(
        "security.robust_proof",
        title="Proof",
        dimension=Dimension.SECURITY,
        metrics={"gap": estimate(method=Method.CERTIFICATE)},
        assurance=Assurance.PROVEN,
        incomplete="group 'x' has no rows.",
    )
    failed = finding()
    minor = Requirement("robustness.noise", at_least=0.5, at_most=0.9, severity=Severity.MINOR)
    verdicts = [
        verdict(failed),
        verdict(
            open_,
            VerdictStatus.INCONCLUSIVE,
            rows_needed=320,
            group="f",
            message=f"inconclusive: gap [{open_.key}]. About 320 more rows of group 'f' would settle it.",
        ),
        verdict(passed, VerdictStatus.PASS),
        verdict(curve, VerdictStatus.PASS, minor),
        verdict(
            skipped,
            VerdictStatus.NOT_MEASURED,
            message="not_measured: privacy.membership was skipped: needs a reference",
        ),
        verdict(crashed, VerdictStatus.NOT_MEASURED, message="not_measured: safety.slices crashed"),
        Verdict(
            "drift.features",
            Requirement("drift.features", not_applicable="one batch only", title="Drift"),
            VerdictStatus.NOT_APPLICABLE,
            "not_applicable: drift.features: one batch only",
            "",
            Dimension.RELIABILITY,
        ),
        Verdict(
            "explain.faithfulness",
            Requirement("explain.faithfulness", at_least=0.1),
            VerdictStatus.NOT_MEASURED,
            "not_measured: nothing measured explain.faithfulness",
            "",
            Dimension.TRANSPARENCY,
        ),
    ]
    every = [failed, open_, passed, curve, skipped, crashed, proven]
    made = report(every, verdicts)
    return replace(
        made,
        dimension_scores=scores(
            accountability=VerdictStatus.FAIL,
            reliability=VerdictStatus.PASS,
            privacy=VerdictStatus.INCONCLUSIVE,
        ),
        reasons=(*made.reasons, "not_measured: no requirement was asked of security"),
    )


def hostile(features=13, groups=13, copies=1):
    """A report in which every foreign text tries to be more than text."""
    names = [
        HOSTILE[i % len(HOSTILE)] + (str(i) if i >= len(HOSTILE) else "") for i in range(groups)
    ]
    rows = tuple({"group": name, "n": 9, "rate": 0.3, "low": 0.1, "high": 0.5} for name in names)
    found, judged = [], []
    for i in range(copies * len(HOSTILE)):
        name = HOSTILE[i % len(HOSTILE)]
        made = finding(
            f"fairness.parity[by={name}{i}]",
            title=name,
            question=name,
            rows=rows if i % 2 else tuple({**row, name: name} for row in rows),
            notes=(name, name),
            clauses=("8.4", name),
            keys=("accountability.bias_detection", name),
            metrics={"gap": estimate(unit=name), name: estimate(unit=name)},
            picture=("intervals", "bars", "curve")[i % 3],
            dimension=list(Dimension)[i % 6],
        )
        asked = Requirement(made.id, at_most=0.1, provenance=name, title=name)
        said = f"inconclusive: gap [{made.key}]. About 9 more rows of group {name!r} would do."
        found.append(made)
        judged.append(verdict(made, VerdictStatus.INCONCLUSIVE, asked, message=said, group=name))
    for i, name in enumerate(HOSTILE):
        made = unmeasured(
            f"privacy.{name}{i}", Status.ERROR, name, error={"type": name, "where": name}
        )
        found.append(made)
        message = f"not_measured: {made.key} crashed: {name}"
        judged.append(verdict(made, VerdictStatus.NOT_MEASURED, message=message))
    return report(
        found,
        judged,
        subject={
            "name": HOSTILE[0] + HOSTILE[3] + HOSTILE[2],
            "model": HOSTILE[0],
            "task": HOSTILE[1],
            "rows": 9,
            "features": [{"name": HOSTILE[i % len(HOSTILE)]} for i in range(features)],
            "data_sha256": HOSTILE[0],
        },
        profile=Profile(HOSTILE[0], (), description=HOSTILE[8], sha256=HOSTILE[6]),
        environment={name[:50]: name for name in HOSTILE},
        scope=Scope.PARTIAL,
        run={"started": HOSTILE[0], "rows_sent": {HOSTILE[0]: 3}},
    )


@pytest.fixture(scope="session")
def make_finding():
    return finding


@pytest.fixture(scope="session")
def make_report():
    return report


@pytest.fixture(scope="session")
def make_verdict():
    return verdict


@pytest.fixture(scope="session")
def make_hostile():
    return hostile


@pytest.fixture(scope="session")
def mixed_report():
    return mixed()


@pytest.fixture(scope="session")
def hostile_report():
    return hostile()


@pytest.fixture(scope="session")
def hostile_names():
    return HOSTILE
