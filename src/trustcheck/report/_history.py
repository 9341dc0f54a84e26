"""The history of a job as one page: trends, verdict changes, alarms, links. Without script."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

from markupsafe import Markup

from trustcheck import standard
from trustcheck.report import _html, _view
from trustcheck.report._bars import icon
from trustcheck.report._text import clean, count, interval, metric_name, number, short
from trustcheck.report._trend import Point, trend
from trustcheck.types import Finding, Report, Verdict, VerdictStatus

LINE = 60.0  # of the scores: where requirements are exactly met
_WORST_FIRST = [VerdictStatus.FAIL, VerdictStatus.INCONCLUSIVE, VerdictStatus.PASS]
# Runs and findings that are drawn; the first pair that fits is taken.
_STEPS = ((180, 90), (90, 90), (45, 90), (20, 90), (20, 45), (10, 20))


def page(name: str, runs: Sequence[Any], numbers: Sequence[Any], latest: Report, home: Path) -> str:
    """Return the page of a job.

    Parameters
    ----------
    name : str
    runs, numbers
        Of the store, oldest first.
    latest : Report
        Of the last run: titles and limits are taken from it.
    home : path
        Folder the page will stand in: links to reports start there.
    """
    said = ""
    for most, findings in _STEPS:
        facts = _facts(name, runs, numbers, latest, home, most, findings)
        said = _html._render("history.html.j2", **facts)  # noqa: SLF001
        if len(said.encode()) <= _html.LARGEST:
            break
    return said


def label(run: Any) -> str:
    """Return what a run is called: its key where people chose it, else its day."""
    return short(run.key if run.key != run.content_sha256 else run.started[:10], 24)


def changes(runs: Iterable[Any]) -> list[tuple[Any, str]]:
    """Return the runs whose verdict differs from the one before, with what it was before."""
    pairs = itertools.pairwise(runs)
    return [(now, before.verdict) for before, now in pairs if now.verdict != before.verdict]


def remarks(run: Any, *, brief: bool = False) -> list[str]:
    """Return what ratchet and monitor said of a run, in few words."""
    said = []
    watched = run.facts.get("monitor") or {}
    if watched.get("opened"):
        said.append(f"ALARM: {', '.join(short(s, 40) for s in watched['opened'][:5])}")
    elif watched.get("ok") is False:
        said.append("alarm stands")
    ratchet = run.facts.get("ratchet") or {}
    if ratchet.get("worse") and brief:
        said.append(f"{len(ratchet['worse'])} worse")
    elif ratchet.get("worse"):
        said.append(f"clearly worse: {', '.join(short(k, 60) for k in ratchet['worse'][:5])}")
    if ratchet.get("reason"):
        said.append("not comparable with the accepted run")
    if run.accepted:
        said.append("accepted")
    return said


def _facts(
    name: str,
    runs: Sequence[Any],
    numbers: Sequence[Any],
    latest: Report,
    home: Path,
    most: int,
    most_findings: int,
) -> dict[str, Any]:
    drawn = runs[-most:]
    last = drawn[-1]
    since = next((r for r in reversed(list(runs)) if r.verdict != last.verdict), None)
    held = "in every run" if since is None else f"since {label(runs[list(runs).index(since) + 1])}"
    found = _findings(drawn, numbers, latest)
    return {
        "style": _html._style("style.css"),  # noqa: SLF001
        "name": name,
        "about": f"{count(len(runs), 'run')}, {_days(runs[0], last)}",
        "shown": "" if len(drawn) == len(runs) else f"The last {len(drawn)} runs are drawn.",
        "now": _run(last, home),
        "held": held,
        "reasons": [short(reason, 300) for reason in latest.reasons[:6]],
        "changed": [
            _run(run, home) | {"before": _word(before)} for run, before in changes(runs)[-20:]
        ],
        "dimensions": _dimensions(drawn, numbers),
        "findings": [_trend(*parts) for parts in found[:most_findings]],
        "left_out": len(found) - most_findings,
        "runs": [_run(run, home) for run in reversed(drawn)],
        "icons": [(Markup(icon(s)), word) for s, word in _view.WORDS.items()],  # noqa: S704 - ours
    }


def _days(first: Any, last: Any) -> str:
    days = first.started[:10], last.started[:10]
    return days[0] if days[0] == days[1] else f"{days[0]} to {days[1]}"


def _run(run: Any, home: Path) -> dict[str, Any]:
    status = VerdictStatus(run.verdict)
    place = (run.facts.get("outputs") or {}).get("html")
    return {
        "number": run.number,
        "label": label(run),
        "started": clean(run.started)[:16].replace("T", " "),
        "verdict": str(status),
        "word": _view.WORDS[status],
        "icon": Markup(icon(status)),  # noqa: S704 - our own shapes
        "code": run.code,
        "link": _link(place, home) if place else "",
        "remarks": remarks(run),
    }


def _link(place: str, home: Path) -> str:
    try:
        path = os.path.relpath(place, home)
    except ValueError:  # another drive
        return ""
    return quote(Path(path).as_posix())


def _word(status: str) -> str:
    return _view.WORDS[VerdictStatus(status)].lower()


def _dimensions(runs: Sequence[Any], numbers: Sequence[Any]) -> list[dict[str, Any]]:
    by_run = {(n.key, n.run): n for n in numbers if n.kind == "score"}
    made = []
    for dimension in standard.load().dimensions:
        points = [_point(run, by_run.get((dimension.id, run.number))) for run in runs]
        last = by_run.get((dimension.id, runs[-1].number))
        if last is None:
            continue
        status = VerdictStatus(last.status)
        title = f"{dimension.title}: score over the runs"
        made.append(
            {
                "title": dimension.title,
                "verdict": str(status),
                "word": _view.WORDS[status],
                "icon": Markup(icon(status)),  # noqa: S704
                "score": "–" if last.value is None else number(round(last.value)),
                "low": number(round(last.low or 0)),
                "picture": Markup(trend(points, title=title, limits=[LINE], ends=(0.0, 100.0))),  # noqa: S704
                "drawn": any(point.value is not None for point in points),
            }
        )
    return made


def _point(run: Any, found: Any) -> Point:
    if found is None:
        return Point(label(run), None, None, None, "not measured")
    return Point(label(run), found.value, found.low, found.high, found.status)


def _findings(
    runs: Sequence[Any], numbers: Sequence[Any], latest: Report
) -> list[tuple[Finding, str, Verdict | None, list[Point]]]:
    """Return each number that is judged, worst verdict first, then each other headline."""
    by_run = {(n.key, n.metric, n.run): n for n in numbers if n.kind == "finding"}
    asked: dict[tuple[str, str], Verdict | None] = {(v.key, v.metric): v for v in latest.verdicts}
    judged = {key for key, _ in asked}
    known = dict(latest.findings)
    asked |= {(f.key, f.headline): None for f in known.values() if f.key not in judged}
    made = []
    for (key, metric), verdict in asked.items():
        found = [by_run.get((key, metric, run.number)) for run in runs]
        if key in known and any(n is not None and n.value is not None for n in found):
            points = [_point(run, n) for run, n in zip(runs, found, strict=True)]
            made.append((known[key], metric, verdict, points))
    return sorted(made, key=lambda parts: _place(parts[2]))


def _place(verdict: Verdict | None) -> int:
    if verdict is None or verdict.status not in _WORST_FIRST:
        return len(_WORST_FIRST)
    return _WORST_FIRST.index(verdict.status)


def _trend(
    finding: Finding, metric: str, verdict: Verdict | None, points: Sequence[Point]
) -> dict[str, Any]:
    title = f"{short(finding.title, 60)}: {metric_name(metric)} over the runs"
    estimate = finding.metrics.get(metric)
    limits: list[float] = []
    if verdict is not None:
        requirement = verdict.requirement
        limits = [x for x in (requirement.at_least, requirement.at_most) if x is not None]
    status = None if verdict is None else verdict.status
    return {
        "title": finding.title,
        "detail": finding.key.partition("[")[2].removesuffix("]"),
        "metric": metric_name(metric),
        "value": "–" if estimate is None else number(estimate.value),
        "interval": "not measured" if estimate is None else interval(estimate),
        "limit": _view.limit_text(verdict),
        "verdict": str(status or "unjudged"),
        "word": _view.WORDS[status] if status else "Not judged",
        "icon": Markup(icon(status)) if status else "",  # noqa: S704
        "picture": Markup(trend(points, title=title, limits=limits)),  # noqa: S704
    }
