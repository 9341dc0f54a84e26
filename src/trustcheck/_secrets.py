"""Keeps passwords out of whatever is printed or stored."""

from __future__ import annotations

import os
import re
from pathlib import Path
from urllib.parse import quote, quote_plus, unquote

MARK = "***"
# A variable of the environment with such a name holds a secret, whoever reads it.
SECRET_NAME = re.compile(
    r"(?i)^(?!(old)?pwd$).*(secret|token|passw|pwd|credential|private|api_?key|access_?key|(^|_)(pass|key|dsn|auth)(_|$)"
    r"|(database|db|store|postgres\w*)_ur[li]$)"
)
_IN_URL = re.compile(r"(?P<scheme>\b[a-z][a-z0-9+.-]{1,30}://)(?P<login>[^\s/?#'\"]*@)")
_IN_TEXT = re.compile(
    r"(?i)(?P<name>\b(?:password|passwd|pwd|secret|token|api_?key|sslpassword|passfile)\s*[=:]\s*)"
    r"(?P<value>'[^']*'|\"[^\"]*\"|[^\s&;,'\"]+)"
)
_SHORTEST = 4  # shorter values would turn ordinary text into marks
_known: dict[str, str] = {}  # and where each came from


def remember(value: str, source: str = "a URL") -> None:
    """Treat a text as a secret from now on."""
    if len(value) >= _SHORTEST:
        _known[value] = source


def remember_url(url: str) -> None:
    """Treat the password of a URL as a secret from now on, even where it is not escaped."""
    found = re.match(r"[a-z][a-z0-9+.-]*://[^:@/]*:(.*)@", url, re.IGNORECASE)
    if found is not None:
        remember(found[1])
        for part in re.split("[@/]", found[1]):
            remember(part)


def known() -> dict[str, str]:
    """Return every secret, in every spelling a URL may give it, longest first, and its source.

    Those of the environment are known by the names of their variables.
    """
    secrets = _known | {
        value: name
        for name, value in os.environ.items()
        if SECRET_NAME.search(name) and len(value) >= _SHORTEST and not Path(value).exists()
    }
    spellings = (str, quote, unquote, quote_plus, lambda value: quote(value, safe=""))
    spelt = {spell(value): source for value, source in secrets.items() for spell in spellings}
    return dict(sorted(spelt.items(), key=lambda item: -len(item[0])))


def masked(text: str) -> str:
    """Return a text without passwords: those of URLs, those named as such, and known ones.

    Examples
    --------
    >>> masked("cannot reach postgresql://ann:s3cret@host/db?password=s3cret")
    'cannot reach postgresql://ann:***@host/db?password=***'
    """
    for secret in known():
        text = text.replace(secret, MARK)
    text = _IN_URL.sub(_login_masked, text)
    return _IN_TEXT.sub(lambda found: f"{found['name']}{MARK}", text)


def _login_masked(found: re.Match[str]) -> str:
    user, colon, _ = found["login"].partition(":")
    return f"{found['scheme']}{user + colon if colon else ''}{MARK}@"
