"""Foreign text made safe to show, and numbers made easy to read. No markup of any kind."""

from __future__ import annotations

import math
import re
import unicodedata
from typing import Any

from trustcheck.types import Estimate, Method, Scalar

WIDTH = 80  # cells that a name may take in a table
_LONGEST = 1000  # characters of a text that are ever looked at
# Control characters, lone surrogates, and marks that turn the direction of the text after them.
_UNSHOWABLE = re.compile("[\x00-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufffe\uffff]")
_ENDS = {
    Method.INTERVAL: "95 % interval",
    Method.BOUND: "bounds",
    Method.CERTIFICATE: "certified bounds",
    Method.EXACT: "exact",
}


def clean(text: Any) -> str:
    """Return text on one line, with what cannot be shown replaced."""
    return _UNSHOWABLE.sub("\N{REPLACEMENT CHARACTER}", " ".join(str(text)[:_LONGEST].split()))


def cells(text: str) -> int:
    """Return how many columns of a terminal a text takes."""
    return len(text) if text.isascii() else sum(map(_cell, text))


def _cell(char: str) -> int:
    if unicodedata.combining(char) or unicodedata.category(char) in ("Cf", "Mn", "Me"):
        return 0
    return 2 if unicodedata.east_asian_width(char) in "WF" else 1


def short(text: Any, width: int = WIDTH) -> str:
    """Return text cleaned and cut to a width, with an ellipsis where it was cut.

    Examples
    --------
    >>> short("a very long name", 8)
    'a very…'
    """
    said = clean(text)
    if len(said) <= width * 3 and cells(said) <= width:
        return said
    if said.isascii():
        return said[: width - 1].rstrip() + "…"
    kept: list[str] = []
    room = width - 1
    for char in said[: width * 3]:
        room -= _cell(char)
        if room < 0:
            break
        kept.append(char)
    return "".join(kept).rstrip() + "…"


def number(value: Scalar) -> str:
    """Return a number as people read it: three digits that matter.

    Examples
    --------
    >>> number(0.17652), number(16281), number(-3e-17), number(2.5e-7)
    ('0.177', '16,281', '0', '2.5e-07')
    """
    if value is None:
        return "–"
    if isinstance(value, (bool, str)):
        return short(value)
    if isinstance(value, int):
        return f"{value:,}"
    if not math.isfinite(value):
        return "–"
    if abs(value) < 1e-12:  # what is left of a sum of floats that cancel
        return "0"
    if abs(value) >= 1e9 or abs(value) < 1e-4:
        return f"{value:.3g}"
    if abs(value) >= 999.5:
        return f"{value:,.0f}"
    return f"{value:.3g}"


def interval(estimate: Estimate) -> str:
    """Return the ends of an estimate in words, e.g. ``95 % interval 0.1 to 0.2``."""
    if estimate.method is Method.EXACT or (
        estimate.low == estimate.high and estimate.method is not Method.INTERVAL
    ):
        return "exact"
    return f"{_ENDS[estimate.method]} {ends(estimate)}"


def ends(estimate: Estimate) -> str:
    """Return the ends of an estimate alone, e.g. ``0.1 to 0.2``."""
    return f"{number(estimate.low)} to {number(estimate.high)}"


def metric_name(name: str) -> str:
    """Return a metric's name in words."""
    return short(name.replace("_", " "), 40)


def percent(share: float) -> str:
    """Return a share as a whole per cent that never rounds to all or to nothing.

    Examples
    --------
    >>> percent(0.999), percent(0.5), percent(0.001)
    ('99 %', '50 %', '1 %')
    """
    whole = round(100 * share)
    if 0 < share < 1:
        whole = min(max(whole, 1), 99)
    return f"{whole} %"


def count(n: int, noun: str, plural: str | None = None) -> str:
    """Return a number with its noun, e.g. ``1 row``, ``2 rows``."""
    return f"{n:,} {noun if n == 1 else plural or noun + 's'}"
