"""Findings gathered one by one, as a test session makes them, and the reports they amount to."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from trustcheck import judge
from trustcheck import report as forms
from trustcheck._evaluate import environment
from trustcheck.types import Finding, Findings, Profile, Report, Requirement, Scope

if TYPE_CHECKING:
    from trustcheck.subject import Subject


@dataclass
class _Part:
    """What was learnt of one subject."""

    card: dict[str, Any]
    findings: dict[str, Finding] = field(default_factory=dict)
    asked: dict[tuple[str, Requirement], None] = field(default_factory=dict)


class Gathered:
    """Findings and the requirements asked of them, by subject.

    Parameters
    ----------
    name : str
        Of the profile that the reports will name.
    strict : bool
        Whether an inconclusive verdict is a failure.
    """

    def __init__(self, name: str, *, strict: bool = False) -> None:
        self._name, self._strict = name, strict
        self._parts: dict[str, _Part] = {}
        self._started = time.time()

    def measured(self, finding: Finding, subject: Subject) -> None:
        """Take a finding; of two with one key and one subject, the later one stays."""
        kept = replace(finding, examples=None, influence=None, exception=None)
        self._part(subject.card()).findings[finding.key] = kept

    def judged(self, requirement: Requirement, finding: Finding) -> None:
        """Take a requirement asked of a finding; one that was not made here is left out."""
        for part in reversed(self._parts.values()):
            if part.findings.get(finding.key) == finding:
                part.asked[finding.key, requirement] = None
                return

    def unmet(self, requirement: Requirement, subject: Subject) -> None:
        """Take a requirement that no finding of the subject answers."""
        self._part(subject.card()).asked[requirement.key, requirement] = None

    def dumps(self) -> list[str]:
        """Return each report as JSON, to be read by :meth:`loads` in another process."""
        return [json.dumps(report.to_dict()) for report in self.reports()]

    def loads(self, texts: Iterable[str]) -> None:
        """Add what another process has gathered."""
        for text in texts:
            report = forms.from_dict(json.loads(text))
            part = self._part(dict(report.subject))
            part.findings.update(report.findings)
            part.asked.update({(v.key, v.requirement): None for v in report.verdicts})

    def reports(self) -> list[Report]:
        """Return one report per subject, of everything measured and asked."""
        return [self._report(part) for part in self._parts.values()]

    def _part(self, card: dict[str, Any]) -> _Part:
        return self._parts.setdefault(json.dumps(card), _Part(card))

    def _report(self, part: _Part) -> Report:
        found = Findings(tuple(part.findings[key] for key in sorted(part.findings)))
        asked = sorted(part.asked, key=lambda pair: (pair[0], pair[1].limit_text))
        requirements = tuple(requirement for _, requirement in asked)
        profile = Profile(
            self._name,
            requirements,
            inconclusive="fail" if self._strict else "warn",
            description="The requirements that the tests of one session asked.",
            sha256=hashlib.sha256(repr(requirements).encode()).hexdigest(),
        )
        sent: Counter[str] = Counter()
        for finding in found.values():
            sent.update(finding.rows_sent)
        started = dt.datetime.fromtimestamp(self._started, dt.UTC)
        return Report(
            subject=part.card,
            findings=found,
            profile=profile,
            scope=Scope.PARTIAL,
            correlations={},
            environment=environment(),
            seed=next((finding.seed for finding in found.values()), 0),
            run={
                "started": started.isoformat(timespec="seconds"),
                "seconds": round(time.time() - self._started, 3),
                "rows_sent": dict(sorted(sent.items())),
            },
            **judge.judge(
                found, profile,
                asked={finding.id for finding in found.values()},
                pairs=[(requirement, part.findings.get(key)) for key, requirement in asked],
            ),
        )  # fmt: skip
