"""What personal data looks like: patterns, check digits, column names, uniqueness.

Pure functions of cells and names; they answer yes or no and never hand a cell on.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Sequence
from itertools import pairwise

import numpy as np

_EMAIL = re.compile(r"[\w.+%'-]+@[\w-]+(?:\.[\w-]+)*\.[^\W\d_]{2,}")
_IBAN = re.compile(r"(?<![A-Za-z0-9])([A-Z]{2})\d{2}(?: ?[A-Z0-9]){11,30}")
_SSN = re.compile(r"(?<![\d-])(?!000|666|9)\d{3}-(?!00)\d{2}-(?!0000)\d{4}(?![\d-])")
_CARD = re.compile(
    r"(?<![\d-])(?:\d{13,19}|\d{4}([ -])\d{4}\1\d{4}\1\d{1,7}|\d{4}([ -])\d{6}\2\d{5})(?![\d-])"
)
_ISSUER = re.compile(r"[3-6]|2[2-7]")
_IPV4 = re.compile(r"(?<![\d.])\d{1,3}(?:\.\d{1,3}){3}(?![\d.])")
_PHONE_ABROAD = re.compile(r"(?<![\w+])\+\d[\d ()./-]{7,18}\d(?!\w)")
_PHONE_HOME = re.compile(
    r"\(\d{2,5}\)[ -]?\d{2,4}(?:[ -]?\d{2,4}){0,2}|\d{2,4}(?:[ -]\d{2,4}){2,4}"
    r"|0\d{1,4}[ /-]\d{4,8}|\d{3}\.\d{3}\.\d{4}|0\d{9,10}"
)
_DATE = re.compile(r"\d{4}[-/.]\d{1,2}[-/.]\d{1,2}([ T].*)?|\d{1,2}[-/.]\d{1,2}[-/.]\d{2,4}( .*)?")
_WORDS = re.compile(r"[^\W\d_]+\.?(?:[ ,'’-]+[^\W\d_]+\.?){0,5}")
_NUMBER = re.compile(r"[+-]?(?:\d+[.,]\d*|[.,]\d+|\d+)(?:[eE][+-]?\d+)?%?")
_TOKEN = re.compile(r"[\w./:@#+=&?%~-]+")
_WHOLE = re.compile(r"-?(?:0|[1-9]\d{0,17})")
_TOKENS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[^\W\d_A-Z]+|\d+")

#: Length of an IBAN by country (the SWIFT registry).
_IBAN_LENGTH = {
    country: int(length)
    for length, countries in {
        "15": "NO", "16": "BE", "18": "DK FI FO GL NL", "19": "MK SI", "20": "AT BA EE KZ LT LU XK",
        "21": "CH HR LI LV", "22": "BG BH CR DE GB GE IE ME RS VA", "23": "AE GI IL IQ TL",
        "24": "AD CZ ES MD PK RO SA SE SK TN VG", "25": "PT ST", "26": "IS TR",
        "27": "FR GR IT MC MR SM", "28": "AL AZ BY CY DO GT HU LB PL SV", "29": "BR EG PS QA UA",
        "30": "JO KW MU", "31": "MT SC", "32": "LC",
    }.items()
    for country in countries.split()
}  # fmt: skip


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_PAPERS = _words("account card insurance national policy social tax")
_PERSON = _PAPERS | _words(
    "applicant borrower citizen client contact customer driver employee guest holder member"
    " passport patient person staff student user"
)
_CODE = _words("id ids uuid guid key no nr num number code identifier index ref ssn")
_NAME_OF = (_PERSON - _PAPERS) | _words(
    "first last full family given middle sur christian maiden fore birth"
)
_NAMES = _words(
    "surname lastname firstname fullname forename familyname givenname maidenname username"
    " vorname nachname prenom apellido cognome"
)
_PHONES = _words("phone telephone tel mobile cellphone fax handy telefon")


def luhn(digits: str) -> bool:
    """Whether the last digit is the check digit of those before it (Luhn 1960).

    Examples
    --------
    >>> luhn("79927398713"), luhn("79927398714")
    (True, False)
    """
    values = [int(d) for d in reversed(digits)]
    doubled = [2 * d - 9 * (d > 4) for d in values[1::2]]
    return (sum(values[::2]) + sum(doubled)) % 10 == 0


def iban(text: str) -> bool:
    """Whether an International Bank Account Number opens the text (ISO 13616, mod 97).

    Examples
    --------
    >>> iban("GB82 WEST 1234 5698 7654 32"), iban("GB82 WEST 1234 5698 7654 33")
    (True, False)
    """
    compact = text.replace(" ", "")
    length = _IBAN_LENGTH.get(compact[:2], 0)
    code = compact[:length]
    if length == 0 or len(code) < length or not code.isalnum():
        return False
    return int("".join(str(int(c, 36)) for c in code[4:] + code[:4])) % 97 == 1


def has_email(text: str) -> bool:
    """Whether an e-mail address stands in the text."""
    return "@" in text and _EMAIL.search(text) is not None


def has_iban(text: str) -> bool:
    """Whether an IBAN with the right check digits stands in the text."""
    return any(iban(found.group()) for found in _IBAN.finditer(text))


def has_ssn(text: str) -> bool:
    """Whether a US social security number stands in the text: its pattern and known gaps."""
    return _SSN.search(text) is not None


def card_shaped(text: str) -> bool:
    """Whether 13 to 19 digits, grouped as on a card, stand in the text."""
    return _card(text) is not None


def has_card(text: str) -> bool:
    """Whether such digits also have an issuer's first digits and the right check digit."""
    digits = _card(text)
    return digits is not None and _ISSUER.match(digits) is not None and luhn(digits)


def has_ip(text: str) -> bool:
    """Whether an IP address stands in the text; four small numbers are a version, not an address."""
    if ":" in text and _is_address(text.strip()):
        return True
    return any(
        _is_address(found.group()) and max(map(int, found.group().split("."))) > 31
        for found in _IPV4.finditer(text)
    )


def has_phone_abroad(text: str) -> bool:
    """Whether a number with + and country code stands in the text."""
    found = _PHONE_ABROAD.search(text)
    return found is not None and 9 <= _digits(found.group()) <= 15


def is_phone(text: str) -> bool:
    """Whether the whole cell is grouped like a telephone number."""
    return (
        _PHONE_HOME.fullmatch(text) is not None
        and 9 <= _digits(text) <= 12
        and _DATE.fullmatch(text) is None
        and not has_ssn(text)
    )


def is_words(text: str) -> bool:
    """Whether the cell holds one to six words of letters, as a name does."""
    return _WORDS.fullmatch(text) is not None


def is_dialled(text: str) -> bool:
    """Whether the cell holds nothing but 7 to 15 digits and their separators."""
    return 7 <= _digits(text) <= 15 and not any(c.isalpha() for c in text)


#: Patterns of cells, most telling first: kind, test, and the least share of cells that must match.
#: 0 stands for a single one: an address or an account number is never there by chance.
PATTERNS: Sequence[tuple[str, Callable[[str], bool], float]] = (
    ("e-mail", has_email, 0.0),
    ("IBAN", has_iban, 0.0),
    ("US social security number", has_ssn, 0.01),
    ("IP address", has_ip, 0.1),
    ("phone number", has_phone_abroad, 0.01),
    ("phone number", is_phone, 0.5),
)


def tokens(name: str) -> list[str]:
    """Return the words of a column name.

    Examples
    --------
    >>> tokens("customerFirst_Name2")
    ['customer', 'first', 'name', '2']
    """
    return [word.lower() for word in _TOKENS.findall(name)]


def names_a_person(column: str) -> bool:
    """Whether a column name says that it holds people's names.

    Examples
    --------
    >>> [names_a_person(c) for c in ("Surname", "first_name", "name", "product_name", "nickel")]
    [True, True, True, False, False]
    """
    words = tokens(column)
    return (
        words == ["name"]
        or bool(_NAMES & set(words))
        or any(first in _NAME_OF and second == "name" for first, second in pairwise(words))
    )


def names_a_phone(column: str) -> bool:
    """Whether a column name says that it holds telephone numbers."""
    return bool(_PHONES & set(tokens(column)))


def names_a_person_code(column: str) -> bool:
    """Whether a column name says that it numbers people, accounts or papers.

    Examples
    --------
    >>> [names_a_person_code(c) for c in ("CustomerID", "passport_no", "product_id", "id")]
    [True, True, False, False]
    """
    words = set(tokens(column))
    return "ssn" in words or bool(words & _PERSON and words & _CODE)


def names_a_code(column: str) -> bool:
    """Whether a column name says that it holds numbers given out, not measured."""
    return bool(set(tokens(column)) & _CODE)


def never_twice(values: np.ndarray) -> bool:
    """Whether whole numbers repeat far less often than measured ones of this spread would.

    Half of the values lie in the interquartile range, so that n values drawn by chance form at
    least n^2 / (8 IQR) equal pairs on average (the birthday problem).

    Examples
    --------
    >>> never_twice(np.arange(1000)), never_twice(np.arange(1000) * 10_000)
    (True, False)
    """
    quarter, three_quarters = np.quantile(values, [0.25, 0.75])
    expected = len(values) ** 2 / 8 / max(three_quarters - quarter, 1.0)
    repeats = len(values) - len(np.unique(values))
    return bool(expected >= 10 and repeats <= expected / 4)


def handed_out(values: np.ndarray) -> bool:
    """Whether whole numbers have eight or more digits, all as many, their first ones even.

    Measured amounts have first digits as unequal as Benford (1938) found, or lie close together.
    """
    spelt = [str(abs(int(value))) for value in values.tolist()]
    lengths = np.array([len(text) for text in spelt])
    usual = int(np.bincount(lengths).argmax())
    first = np.bincount([int(text[0]) for text in spelt], minlength=10)
    return bool(
        usual >= 8 and np.mean(lengths == usual) >= 0.85 and first.max() <= 0.25 * len(spelt)
    )


def is_code(text: str) -> bool:
    """Whether a cell is one unbroken code with letters in it: no words, no number, no date."""
    text = text.strip()
    return (
        _TOKEN.fullmatch(text) is not None
        and any(c.isalpha() for c in text)
        and _NUMBER.fullmatch(text) is None
        and _DATE.fullmatch(text) is None
    )


def whole(text: str) -> bool:
    """Whether a cell spells a whole number without leading zeros."""
    return _WHOLE.fullmatch(text.strip()) is not None


def _card(text: str) -> str | None:
    found = _CARD.search(text)
    digits = "" if found is None else re.sub(r"\D", "", found.group())
    return digits if 13 <= len(digits) <= 19 else None


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def _digits(text: str) -> int:
    return sum(c.isdigit() for c in text)
