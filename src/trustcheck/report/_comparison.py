"""A comparison as terminal text and as a notebook card."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from trustcheck.report import _html
from trustcheck.report._text import cells, metric_name, number, short
from trustcheck.types import Report

_SYMBOLS = {"better": "▲", "worse": "▼", "can't tell": "?", "unchanged": "=", "not comparable": "○"}
_HEAD = ("requirement", "first", "second", "difference", "95 % interval", "")


def text(comparison: Any) -> str:
    """Return the comparison as aligned text."""
    lines = [_title(comparison), _headline(comparison)]
    if comparison.differences:
        rows = [_HEAD, *_rows(comparison)]
        wide = [max(cells(row[i]) for row in rows) for i in range(len(_HEAD))]
        right = (1, 2, 3)
        for row in rows:
            parts = [
                (" " * (w - cells(cell)) + cell) if i in right else (cell + " " * (w - cells(cell)))
                for i, (cell, w) in enumerate(zip(row, wide, strict=True))
            ]
            lines.append("  ".join(parts).rstrip())
    return "\n".join([*lines, *comparison.notes])


def card(comparison: Any) -> str:
    """Return the comparison as a fragment of HTML for a notebook."""
    return _html._render(  # noqa: SLF001 - one engine for every page and card
        "comparison_card.html.j2",
        style=_html._style("card.css"),  # noqa: SLF001
        title=_title(comparison),
        headline=_headline(comparison),
        head=_HEAD,
        rows=list(_rows(comparison)),
        notes=comparison.notes,
    )


def _name(report: Report, other: Report) -> str:
    name = short(report.subject.get("name") or "unnamed", 40)
    if name != short(other.subject.get("name") or "unnamed", 40):
        return name
    return f"{name}, {short(report.run.get('started') or '?', 19)}"


def _title(comparison: Any) -> str:
    first, second = comparison.first, comparison.second
    return f"{_name(first, second)}  →  {_name(second, first)}"


def _headline(comparison: Any) -> str:
    if comparison.reason:
        return f"○ Not comparable: {short(comparison.reason, 400)}."
    counts = dict.fromkeys(_SYMBOLS, 0)
    for found in comparison.differences:
        counts[str(found.change)] += 1
    return (
        ", ".join(f"{_SYMBOLS[c]} {n} {c}" for c, n in counts.items() if n) or "Nothing to compare."
    )


def _rows(comparison: Any) -> Iterator[tuple[str, ...]]:
    order = {"worse": 0, "better": 1, "can't tell": 2, "unchanged": 3, "not comparable": 4}
    for d in sorted(comparison.differences, key=lambda found: order[str(found.change)]):
        name = f"{d.key} {metric_name(d.metric)}"
        ends = [number(e.value) if e is not None else "–" for e in (d.first, d.second)]
        change = f"{_SYMBOLS[str(d.change)]} {d.change}"
        if d.value is None:
            yield short(name, 60), *ends, "–", "–", f"{change}: {short(d.method, 60)}"
            continue
        verdicts = ""
        if d.first_verdict != d.second_verdict and None not in (d.first_verdict, d.second_verdict):
            verdicts = f" ({_word(d.first_verdict)} → {_word(d.second_verdict)})"
        yield (
            short(name, 60), *ends, f"{'+' if d.value > 0 else ''}{number(d.value)}",
            f"{number(d.low)} to {number(d.high)}", f"{change}, {d.method}{verdicts}",
        )  # fmt: skip


def _word(status: Any) -> str:
    return str(status).replace("_", " ")
