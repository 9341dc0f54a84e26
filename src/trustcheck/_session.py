"""What a test session wants of the library: to hear of findings and verdicts, and to be strict.

Nobody listens and nothing is strict unless a session says so, as the pytest plugin does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from trustcheck.subject import Subject
    from trustcheck.types import Finding, Verdict


class Listener(Protocol):
    """Told of every finding made, and every verdict asked for in code, in this process."""

    #: Whether an inconclusive verdict asked for in code is a failure.
    strict: bool

    def measured(self, finding: Finding, subject: Subject) -> None:
        """Take note of a finding."""

    def judged(self, finding: Finding, verdict: Verdict) -> None:
        """Take note of a verdict."""


listeners: list[Listener] = []


def strict() -> bool:
    """Whether somebody asks for strictness."""
    return any(listener.strict for listener in listeners)


def measured(finding: Finding, subject: Subject) -> None:
    """Tell of a finding."""
    for listener in tuple(listeners):
        listener.measured(finding, subject)


def judged(finding: Finding, verdict: Verdict) -> None:
    """Tell of a verdict."""
    for listener in tuple(listeners):
        listener.judged(finding, verdict)
