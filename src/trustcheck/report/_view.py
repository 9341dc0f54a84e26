"""What every form of a report says, in plain words: shared by page, card, text and Markdown."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from trustcheck import standard
from trustcheck.report._text import clean, count, interval, metric_name, number, short
from trustcheck.types import (
    Assurance,
    Estimate,
    Finding,
    Method,
    Report,
    Scope,
    Score,
    Severity,
    Status,
    Verdict,
    VerdictStatus,
)

PASS, FAIL = VerdictStatus.PASS, VerdictStatus.FAIL
OPEN, UNMEASURED = VerdictStatus.INCONCLUSIVE, VerdictStatus.NOT_MEASURED
EXEMPT = VerdictStatus.NOT_APPLICABLE
WORDS = {
    PASS: "Pass",
    FAIL: "Fail",
    OPEN: "Inconclusive",
    UNMEASURED: "Not measured",
    EXEMPT: "Not applicable",
}
SYMBOLS = {PASS: "✓", FAIL: "✗", OPEN: "?", UNMEASURED: "○", EXEMPT: "·"}
ASSURANCE = {
    Assurance.DECLARED: "declared: stated by people, not measured",
    Assurance.SEARCHED: "searched: the worst found, not the worst there is",
    Assurance.STATISTICAL: "statistical: a sample, with its uncertainty",
    Assurance.PROVEN: "proven: holds for every input considered",
}
OWN_SCHEME = "Scores are trustcheck's own scheme; ISO/IEC TR 24028 defines no levels."
_WORST_FIRST = (FAIL, UNMEASURED, OPEN, PASS, EXEMPT)


class Name(str):
    """Foreign text inside a sentence of ours; a page isolates it from the text around it."""

    __slots__ = ()


Sentence = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Entry:
    """A finding, the verdicts on it (worst first), or requirements that nothing measured."""

    number: int
    finding: Finding | None
    verdicts: tuple[Verdict, ...]

    @property
    def verdict(self) -> Verdict | None:
        """The worst verdict, or none where no requirement was stated.

        Test it with ``is None``: the truth of a verdict is whether it is a pass.
        """
        return self.verdicts[0] if self.verdicts else None

    @property
    def title(self) -> str:
        """What was asked, by name."""
        if self.finding is not None:
            return self.finding.title or self.finding.id
        requirement = self.verdicts[0].requirement
        return requirement.title or requirement.key

    @property
    def detail(self) -> str:
        """Parameters that tell it from its siblings, e.g. ``by=sex``."""
        key = self.finding.key if self.finding is not None else self.verdicts[0].key
        return key.partition("[")[2].removesuffix("]")

    @property
    def label(self) -> Sentence:
        """Title and parameters as the parts of a sentence."""
        title = Name(short(self.title, 60))
        return (title, " (", Name(short(self.detail, 60)), ")") if self.detail else (title,)


def entries(report: Report) -> list[Entry]:
    """Return every finding, and every requirement without one, with the verdicts on it."""
    by_key: dict[str, list[Verdict]] = {}
    for verdict in report.verdicts:
        by_key.setdefault(verdict.key, []).append(verdict)
    keys = list(dict.fromkeys([*report.findings, *by_key]))
    pillars = list(dict.fromkeys(key.partition(".")[0] for key in keys))
    keys.sort(key=lambda key: pillars.index(key.partition(".")[0]))  # what ran last is not alone
    found = []
    for i, key in enumerate(keys, 1):
        ranked = sorted(by_key.get(key, ()), key=lambda v: _WORST_FIRST.index(v.status))
        found.append(Entry(i, dict(report.findings).get(key), tuple(ranked)))
    return found


def dimension_of(entry: Entry) -> str:
    """Return the id of the dimension an entry belongs to."""
    if entry.finding is not None:
        return str(entry.finding.dimension)
    return str(entry.verdicts[0].dimension)


def score_title(score: Score) -> str:
    """Return a dimension's name in reports."""
    return standard.load().dimension(str(score.dimension)).title


def worst_first(entry: Entry) -> int:
    """Return where an entry stands in its chapter: failed first, what nobody asked about last."""
    if entry.verdict is not None:
        return _WORST_FIRST.index(entry.verdict.status)
    return len(_WORST_FIRST) + idle(entry)


def idle(entry: Entry) -> bool:
    """Whether nothing was measured and nobody asked for it."""
    finding = entry.finding
    return entry.verdict is None and finding is not None and finding.status is Status.SKIPPED


def named(report: Report, text: str) -> str:
    """Return text with the keys of findings in it replaced by their titles."""
    for entry in sorted(
        entries(report), key=lambda e: -len(e.verdicts[0].key if e.verdicts else "")
    ):
        if entry.verdict is not None:
            text = text.replace(entry.verdict.key, "".join(entry.label))
    return text


def judged(entry: Entry) -> tuple[str, Estimate] | None:
    """Return the metric that the requirement is about (else the headline) and its estimate."""
    if entry.finding is None or entry.finding.status is not Status.MEASURED:
        return None
    name = entry.finding.headline
    if entry.verdict is not None and entry.verdict.metric in entry.finding.metrics:
        name = entry.verdict.metric
    return name, entry.finding.metrics[name]


def limit_text(verdict: Verdict | None) -> str:
    """Return the limit in words, empty where there is none."""
    if verdict is None:
        return ""
    parts = []
    if verdict.requirement.at_least is not None:
        parts.append(f"at least {number(verdict.requirement.at_least)}")
    if verdict.requirement.at_most is not None:
        parts.append(f"at most {number(verdict.requirement.at_most)}")
    return " and ".join(parts)


def measured_text(estimate: Estimate) -> str:
    """Return number and interval, e.g. ``0.1 (95 % interval 0.05 to 0.2)``."""
    return f"{number(estimate.value)} ({interval(estimate)})"


def tail(verdict: Verdict) -> str:
    """Return what a verdict's message adds to number and limit: the advice, or the caveat."""
    said = verdict.message.partition(f"[{verdict.key}].")[2]
    return short(said, 400)


def settles(verdict: Verdict) -> str:
    """Return what would settle an open verdict; empty where nothing is open."""
    if verdict.status is not OPEN:
        return ""
    said = tail(verdict)
    if not said and verdict.rows_needed is not None:
        whose = f" of group '{short(verdict.group)}'" if verdict.group else ""
        said = f"About {count(verdict.rows_needed, 'more row')}{whose} would settle it."
    return said


def fragility(verdict: Verdict) -> str:
    """Return how few rows carry the verdict; empty where that was not counted."""
    return "" if verdict.fragility is None else short(verdict.fragility.said, 400)


def why(verdict: Verdict) -> str:
    """Return why a requirement was not measured, or does not apply."""
    said = verdict.message.partition(": ")[2] or verdict.message
    if said == f"nothing measured {verdict.key}":
        return "no probe of this name was run"
    return short(said.removeprefix(f"{verdict.key} ").removeprefix(f"{verdict.key}: "), 300)


def no_number(entry: Entry) -> str:
    """Return why an entry has no number; empty where it has one."""
    finding = entry.finding
    if finding is None:
        return "No probe of this name ran, so there is no number."
    if finding.status is Status.SKIPPED:
        return f"Skipped: {clean(finding.reason or 'no reason given')}"
    if finding.status is Status.ERROR:
        where = clean((finding.error or {}).get("where", ""))
        said = clean(finding.reason or "no reason given")
        return f"Crashed: {said}" + ("" if not where or where in said else f" ({where})")
    return ""


def plain_words(verdict: Verdict) -> str:
    """Return what the verdict means, in one sentence."""
    name, estimate = metric_name(verdict.metric), verdict.estimate
    if verdict.status is UNMEASURED:
        return "Required, but not measured: it counts as 0 in the assured score." if (
            verdict.requirement.required
        ) else "Asked, but not measured."  # fmt: skip
    if verdict.status is EXEMPT:
        return "Does not apply, as stated in the profile."
    ends = "the whole interval"
    if estimate is not None and estimate.method is not Method.INTERVAL:
        ends = (
            "the exact value" if estimate.method is Method.EXACT else "everything inside the bounds"
        )
    if verdict.status is PASS:
        return f"The limit holds: {ends} of {name} lies inside it."
    if verdict.status is FAIL:
        return f"The limit is broken: {ends} of {name} lies outside it."
    if estimate is not None and _inside(verdict, estimate):
        return "The number lies inside the limit, but the evidence cannot carry a pass."
    side = "inside" if verdict.point_meets else "outside"
    return f"Undecided: the interval reaches across the limit; the point estimate lies {side} it."


def _inside(verdict: Verdict, estimate: Estimate) -> bool:
    most, least = verdict.requirement.at_most, verdict.requirement.at_least
    return (most is None or estimate.high <= most) and (least is None or estimate.low >= least)


# The first screen -----------------------------------------------------------------------------


def scope_sentence(report: Report) -> str:
    """Return what the verdict covers, where that is not everything."""
    if report.scope is Scope.FULL:
        return ""
    asked = len({finding.id for finding in report.findings.values()})
    return (
        f"Only {count(asked, 'chosen probe was', 'chosen probes were')} run."
        " The verdict covers the requirements on these, and nothing else."
    )


def headline(report: Report) -> str:
    """Return the overall verdict in a short sentence."""
    failed = sum(v.status is FAIL for v in report.verdicts)
    if report.verdict is FAIL:
        what = count(failed, "requirement is", "requirements are")
        return f"{what} not met."
    if report.verdict is PASS:
        return "Every requirement that decides is met."
    if report.verdict is OPEN:
        return "The evidence does not decide it."
    return "Nothing was judged."


def unmeasured(report: Report) -> list[tuple[Sentence, str]]:
    """Return what was required but not measured, with the reason: it stands above the verdict."""
    found = [
        (entry.label, why(entry.verdict))
        for entry in entries(report)
        if entry.verdict is not None
        and entry.verdict.status is UNMEASURED
        and entry.verdict.requirement.required
    ]
    empty = f"{UNMEASURED}: no requirement was asked of "
    named = {str(score.dimension): score_title(score) for score in report.dimension_scores}
    for reason in report.reasons:
        if reason.startswith(empty):
            dimension = reason.removeprefix(empty)
            found.append(
                ((named.get(dimension, short(dimension)),), "no requirement was asked of it")
            )
    return found


def summary(report: Report) -> list[Sentence]:
    """Return the report in one paragraph: what failed, what is unknown, what would settle it."""
    listed = entries(report)
    at = {status: [e for e in listed if _status(e) is status] for status in WORDS}
    total = sum(map(len, at.values()))
    said: list[Sentence] = [(_tally(total, {s: len(found) for s, found in at.items()}),)]
    if at[FAIL]:
        said.append(("Not met: ", *_names(at[FAIL]), "."))
    if at[OPEN]:
        said.append(("Undecided: ", *_names(at[OPEN]), "."))
    if at[UNMEASURED]:
        said.append(("Unknown, because nothing measured it: ", *_names(at[UNMEASURED]), "."))
    advice = [(e, settles(e.verdicts[0])) for e in at[OPEN] if settles(e.verdicts[0])]
    if advice:
        entry, first = min(advice, key=lambda item: _rows_needed(item[0]))
        said.append(("Nearest to a decision, ", *entry.label, ": ", Name(_lower(first))))
        if len(advice) > 1:
            more = count(len(advice) - 1, "other open verdict says", "other open verdicts say")
            said.append(
                (f"The {more} below what would settle {'it' if len(advice) == 2 else 'them'}.",)
            )
    elif at[UNMEASURED]:
        said.append(("Supplying what the unmeasured probes need would settle the rest.",))
    return said


@dataclass(frozen=True, slots=True)
class Answer:
    """A line of the first screen: which entry, and what is to be said of it."""

    number: int
    label: Sentence
    said: str


def answers(report: Report) -> dict[VerdictStatus, list[Answer]]:
    """Return what failed, what is open and what would settle it, what is unmeasured, what holds.

    What fails is sorted by severity, what is open by the rows it needs.
    """
    found: dict[VerdictStatus, list[Entry]] = {status: [] for status in WORDS}
    for entry in entries(report):
        if entry.verdict is not None:
            found[entry.verdict.status].append(entry)
    severities = list(Severity)
    found[FAIL].sort(key=lambda e: severities.index(e.verdicts[0].requirement.severity))
    found[OPEN].sort(key=_rows_needed)
    found[UNMEASURED].sort(key=lambda e: not e.verdicts[0].requirement.required)
    return {
        status: [Answer(e.number, e.label, _answer(e, e.verdicts[0])) for e in listed]
        for status, listed in found.items()
    }


def _answer(entry: Entry, verdict: Verdict) -> str:
    if verdict.status is OPEN:
        first, more, _ = settles(verdict).removeprefix("But ").partition(". ")
        return first + more.rstrip()
    if verdict.status is UNMEASURED:
        return why(verdict).removeprefix("was ").removeprefix("skipped: ")
    got = judged(entry)
    if verdict.status is FAIL and got is not None:
        return f"{metric_name(got[0])} {number(got[1].value)}, asked: {limit_text(verdict)}"
    return ""


def tally(report: Report) -> tuple[str, dict[VerdictStatus, int]]:
    """Return how many requirements came out how, in a sentence and by status."""
    counts = {status: len(listed) for status, listed in answers(report).items()}
    return _tally(sum(counts.values()), counts), counts


def _rows_needed(entry: Entry) -> float:
    needed = entry.verdicts[0].rows_needed
    return math.inf if needed is None else needed


def _status(entry: Entry) -> VerdictStatus | None:
    return None if entry.verdict is None else entry.verdict.status


def _tally(total: int, counts: dict[VerdictStatus, int]) -> str:
    if not total:
        return "No requirement was judged, so nothing was shown."
    words = {
        PASS: "met",
        FAIL: "not met",
        OPEN: "undecided",
        UNMEASURED: "not measured",
        EXEMPT: "not applicable",
    }
    parts = [f"{counts[status]} {word}" for status, word in words.items() if counts[status]]
    return f"{count(total, 'requirement was', 'requirements were')} judged: {', '.join(parts)}."


def _names(found: Iterable[Entry], most: int = 4) -> Iterator[str]:
    listed = list(found)
    for i, entry in enumerate(listed[:most]):
        if i:
            yield ", "
        yield from entry.label
    if len(listed) > most:
        yield f" and {len(listed) - most} more"


def _lower(text: str) -> str:
    return text[:1].lower() + text[1:]


def paragraph(sentences: Iterable[Sentence]) -> str:
    """Return sentences as one line of text."""
    return " ".join("".join(sentence) for sentence in sentences)


def finding_line(finding: Finding) -> str:
    """Return a finding on one line."""
    key = short(finding.key, 160)
    if finding.status is not Status.MEASURED:
        return f"{key}: {finding.status}, {short(finding.reason or 'no reason given', 300)}"
    estimate = finding.estimate()
    name = metric_name(finding.headline)
    return f"{key}: {name} {measured_text(estimate)[:-1]}, n = {estimate.n:,})"


def subject_name(report: Report, width: int = 80) -> str:
    """Return the subject's name, or a stand-in where it has none."""
    return short(clean(report.subject.get("name") or "") or "unnamed model", width)


def rows_per_row(report: Report) -> str | None:
    """Return how many rows the model was sent for each given row, data and reference included."""
    sent, n = report.run.get("rows_sent"), report.subject.get("rows")
    if not isinstance(sent, Mapping) or not n:
        return None
    return number(round(sum(sent.values()) / n, 1))


def cost(report: Report) -> str:
    """Return what the run cost in one line; empty where it was not recorded."""
    run, ratio = report.run, rows_per_row(report)
    times = [run.get(key) for key in ("seconds", "model_seconds", "library_seconds")]
    if ratio is None or not all(isinstance(time, (int, float)) for time in times):
        return ""
    total, model, library = (f"{time:.1f} s" for time in times)
    return (
        f"Took {total}: model {model} ({ratio} rows sent per given row), shap and fits {library}."
    )
