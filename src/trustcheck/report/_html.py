"""The page and the notebook cards: self-contained, without script, everything foreign escaped."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

import jinja2
from markupsafe import Markup

from trustcheck import standard
from trustcheck.report import _evidence, _view
from trustcheck.report._bars import icon, limit_bar, score_bar, shares, strip, symbol
from trustcheck.report._figures import picture
from trustcheck.report._json import columns
from trustcheck.report._text import (
    clean,
    count,
    ends,
    interval,
    metric_name,
    number,
    percent,
    short,
)
from trustcheck.report._view import Entry, Name, Sentence
from trustcheck.types import Finding, Report, Row, Scalar, Score, Status, Verdict, VerdictStatus

LARGEST = 490_000  # bytes of a page
_COLUMNS = 12
_POINTED = 200  # characters of a cut name that are told when it is pointed at


@dataclass(frozen=True, slots=True)
class Room:
    """How many detail rows, picture rows and notes a page has room for, for each finding.

    Without notes there is no room for a large picture of the limit either.
    """

    rows: int = 50
    drawn: int = 20
    notes: int = 8


# The first that fits is taken.
_ROOMS = (
    Room(50, 12), Room(25, 12), Room(15, 12), Room(8, 8), Room(4, 4), Room(2, 0, 4), Room(0, 0, 2),
    Room(0, 0, 0),
)  # fmt: skip


def page(report: Report) -> str:
    """Return the report as one HTML page below 500 kB."""
    said, reach = "", float(_ROOMS[0].rows)
    for room in _ROOMS:
        if room.rows > reach:
            continue
        said = _render("report.html.j2", **_page_facts(report, room))
        size = len(said.encode())
        if size <= LARGEST:
            break
        reach = 1.5 * room.rows * LARGEST / size  # rooms that could never fit are passed over
    return said


def report_card(report: Report) -> str:
    """Return the report as a fragment; see :func:`trustcheck.report.report_card`."""
    listed = _view.entries(report)
    return _render(
        "report_card.html.j2",
        style=_style("card.css"),
        **_first_screen(report),
        dimensions=[_dimension(report, score) for score in report.dimension_scores],
        entries=[_card(entry, Room(0, 0)) for entry in listed[:50]],
        left_out=max(len(listed) - 50, 0),
    )


def finding_card(finding: Finding) -> str:
    """Return a finding as a fragment; see :func:`trustcheck.report.finding_card`."""
    return _render(
        "finding_card.html.j2",
        style=_style("card.css"),
        card=_card(Entry(1, finding, ()), Room(20, 12)),
        changes=_changes(finding),
    )


#: Changed cells shown in a notebook; they are rows of the user's own and go nowhere else.
_CHANGES = 12


def _changes(finding: Finding) -> dict[str, Any] | None:
    """Return the first counterexamples, cell by cell, before and after."""
    examples = finding.examples
    if list(getattr(examples, "columns", ())) != ["row", "column", "from", "to", "size"]:
        return None
    lines = examples.head(_CHANGES).to_dict("records")
    return {"rows": lines, "total": len(examples)} if lines else None


# What the templates are given ------------------------------------------------------------------


def _page_facts(report: Report, room: Room) -> dict[str, Any]:
    listed = _view.entries(report)
    scores = {str(score.dimension): score for score in report.dimension_scores}
    outline = standard.load()
    chapters = []
    for dimension in outline.dimensions:
        mine = [entry for entry in listed if _view.dimension_of(entry) == dimension.id]
        mine.sort(key=_view.worst_first)
        score = scores.get(dimension.id)
        chapters.append(
            {
                "id": dimension.id,
                "title": dimension.title,
                "summary": dimension.summary,
                "score": None if score is None else _dimension(report, score),
                "cards": [_card(entry, room) for entry in mine if not _view.idle(entry)],
                "idle": [
                    (entry.label, _view.no_number(entry)) for entry in mine if _view.idle(entry)
                ],
            }
        )
    answers, (tally, counts) = _view.answers(report), _view.tally(report)
    return {
        "style": _style("style.css"),
        **_first_screen(report),
        "tally": tally,
        "shares": Markup(shares(counts)),  # noqa: S704 - our own shapes
        "failed": answers[VerdictStatus.FAIL],
        "undecided": answers[VerdictStatus.INCONCLUSIVE],
        "unknown": answers[VerdictStatus.NOT_MEASURED],
        "held": answers[VerdictStatus.PASS],
        "dimensions": [_dimension(report, score) for score in report.dimension_scores],
        "chapters": chapters,
        "evidence": _evidence.evidence(report),
        "marks": [(str(status), word) for status, word in _view.WORDS.items()],
    }


def _first_screen(report: Report) -> dict[str, Any]:
    return {
        "name": report.subject.get("name") or "unnamed model",
        "about": _about(report),
        "scope": _view.scope_sentence(report),
        "verdict": str(report.verdict),
        "word": _view.WORDS[report.verdict],
        "icon": Markup(icon(report.verdict)),  # noqa: S704 - our own shapes
        "headline": _view.headline(report),
        "unmeasured": _view.unmeasured(report),
        "summary": _view.summary(report),
        "own_scheme": _view.OWN_SCHEME,
    }


def _about(report: Report) -> list[Sentence]:
    card = report.subject
    said: list[Sentence] = []
    if card.get("model") and card["model"] != card.get("name"):
        said.append((Name(short(card["model"], 80)),))
    if card.get("task"):
        said.append((Name(short(card["task"], 40)),))
    if isinstance(card.get("rows"), int):
        said.append((count(card["rows"], "row"),))
    if isinstance(card.get("features"), (list, tuple)):
        said.append((count(len(card["features"]), "feature"),))
    said.append(
        ("profile ", Name(short(report.profile.name, 60)), f" v{short(report.profile.version, 20)}")
    )
    return said


def _dimension(report: Report, score: Score) -> dict[str, Any]:
    outline = standard.load().dimension(str(score.dimension))
    asked = bool(score.coverage) or score.verdict is not VerdictStatus.NOT_MEASURED
    return {
        "id": outline.id,
        "title": outline.title,
        "summary": outline.summary,
        "verdict": str(score.verdict),
        "word": _view.WORDS[score.verdict],
        "icon": Markup(icon(score.verdict)),  # noqa: S704
        "bar": Markup(score_bar(score)),  # noqa: S704
        "score": "–" if score.score is None else number(round(score.score)),
        "low": number(round(score.low)),
        "high": number(round(score.high)),
        "coverage": percent(score.coverage) if asked else "none",
        "assurance": str(score.assurance) if score.assurance else "none",
        "reason": _view.named(report, score.reason[:1].upper() + score.reason[1:]),
    }


def _card(entry: Entry, room: Room) -> dict[str, Any]:
    finding, verdict = entry.finding, entry.verdict
    status = None if verdict is None else verdict.status
    shown = status or (
        VerdictStatus.NOT_MEASURED if finding and finding.status is not Status.MEASURED else None
    )
    card: dict[str, Any] = {
        "id": f"finding-{entry.number}",
        "number": entry.number,
        "title": entry.title,
        "detail": entry.detail,
        "key": finding.key if finding else entry.verdicts[0].key,
        "verdict": str(shown) if shown else "unjudged",
        "word": _view.WORDS[shown] if shown else "Not judged",
        "icon": Markup(icon(shown)) if shown else "",  # noqa: S704
        "question": finding.question if finding else "",
        "verdicts": [_asked(v) for v in entry.verdicts],
        "reason": _view.no_number(entry),
        "measured": False,
        "clauses": [_evidence.clause_label(c) for c in finding.clauses] if finding else [],
        "attributes": [_evidence.attribute_title(k) for k in finding.keys] if finding else [],
        "notes": [],
        "unsaid": 0,
        "others": [],
        "table": None,
        "picture": "",
    }
    got = _view.judged(entry)
    if got is None or finding is None:
        return card
    name, estimate = got
    requirement = None if verdict is None else verdict.requirement
    bar = small = ""
    if verdict is not None:
        bar = limit_bar(verdict.requirement, estimate, verdict.status) if room.notes else ""
        small = strip(verdict.requirement, estimate)
    drawn = picture(finding, requirement, most=room.drawn)
    notes = [*finding.notes, *([f"Incomplete: {finding.incomplete}"] if finding.incomplete else [])]
    return card | {
        "measured": True,
        "metric": metric_name(name),
        "value": number(estimate.value),
        "unit": estimate.unit,
        "interval": interval(estimate),
        "n": count(estimate.n, "row"),
        "ends": "exact" if interval(estimate) == "exact" else ends(estimate),
        "bar": _drawn(bar),
        "strip": _drawn(small),
        "assurance": _view.ASSURANCE[finding.assurance],
        "picture": _drawn(drawn.svg) if drawn else "",
        "caption": drawn.caption if drawn else "",
        "notes": notes[: room.notes],
        "unsaid": len(notes) - len(notes[: room.notes]),
        "others": [
            (metric_name(other), number(e.value), interval(e), e.unit)
            for other, e in list(finding.metrics.items())[:_COLUMNS]
            if other != name
        ],
        "table": _table(finding.rows, room.rows),
    }


def _drawn(drawn: Any) -> Markup:
    """Return a picture for a page or a card, which defines every colour; pictures escape names."""
    return Markup(str(drawn).replace(", currentColor)", ")"))  # noqa: S704


def _asked(verdict: Verdict) -> dict[str, Any]:
    requirement = verdict.requirement
    caveat = _view.tail(verdict) if verdict.status is VerdictStatus.INCONCLUSIVE else ""
    return {
        "verdict": str(verdict.status),
        "limit": _view.limit_text(verdict),
        "metric": metric_name(verdict.metric),
        "severity": str(requirement.severity),
        "provenance": requirement.provenance,
        "plain": _view.plain_words(verdict),
        "settles": _view.settles(verdict),
        "caveat": caveat,
        "fragility": _view.fragility(verdict),
        "why": _view.why(verdict)
        if verdict.status in (VerdictStatus.NOT_MEASURED, VerdictStatus.NOT_APPLICABLE)
        else "",
    }


def _table(rows: Sequence[Row], most: int) -> dict[str, Any] | None:
    if not rows:
        return None
    names = columns(rows)
    kept = names[:_COLUMNS]
    shown = rows[:most]
    numeric = [
        all(not isinstance(row.get(n), (str, bool)) for row in shown) and bool(shown) for n in kept
    ]
    return {
        "columns": list(zip((short(n.replace("_", " "), 40) for n in kept), numeric, strict=True)),
        "rows": [[row.get(name) for name in kept] for row in shown],
        "numeric": numeric,
        "total": len(rows),
        "shown": len(shown),
        "hidden_columns": len(names) - len(kept),
    }


# The template engine ---------------------------------------------------------------------------


def _name(text: Any, width: int = 80) -> Markup:
    """Return foreign text, cut and isolated from the direction of the text around it."""
    shown, whole = short(text, width), clean(text)
    if shown == whole or width >= _POINTED:
        return Markup("<bdi>{}</bdi>").format(shown)
    return Markup('<bdi title="{}">{}</bdi>').format(short(whole, _POINTED), shown)


def _sentence(parts: Sentence) -> Markup:
    return Markup("").join(_name(p, 400) if isinstance(p, Name) else p for p in parts)


def _cell(value: Scalar) -> str | Markup:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return _name(value) if isinstance(value, str) else number(value)


def _read(name: str) -> str:
    return resources.files(__package__).joinpath("templates", name).read_text(encoding="utf-8")


@cache
def _style(name: str) -> Markup:
    # A card's rules outweigh those of the page around it, and touch nothing outside the card.
    own = _read(name).strip().replace("$", ".tc-card.tc-card.tc-card")
    return Markup(own)  # noqa: S704 - our own style sheet


@cache
def _engine() -> jinja2.Environment:
    engine = jinja2.Environment(
        autoescape=True,
        loader=jinja2.FunctionLoader(_read),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    shapes = "".join(symbol(status) for status in _view.WORDS)
    # Drawn once, unseen; every badge of a page uses them.
    engine.globals["symbols"] = Markup(  # noqa: S704 - our own shapes
        f'<svg width="0" height="0" style="position:absolute" aria-hidden="true">{shapes}</svg>'
    )
    engine.filters |= {"name": _name, "sentence": _sentence, "cell": _cell}
    return engine


def _render(template: str, **facts: Any) -> str:
    said = _engine().get_template(template).render(**facts)
    return "\n".join(line.strip() for line in said.splitlines() if line.strip()) + "\n"
