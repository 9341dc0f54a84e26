"""The pytest plugin: a profile's requirements as tests, failures that explain, a session's report.

Loaded in every pytest run where trustcheck is installed, so it imports nothing that takes time
until a test asks for it. ``-p no:trustcheck`` leaves it out.
"""

from __future__ import annotations

import warnings
from collections.abc import Generator, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from trustcheck import _session

if TYPE_CHECKING:
    from types import ModuleType

    from trustcheck._frozen import Case, Cases
    from trustcheck._gathered import Gathered
    from trustcheck.subject import Subject
    from trustcheck.types import Finding, Profile, Requirement, Verdict

ENDING = ".trustcase.json"
_MARKS = {
    "security": "how it withstands people who try to fool, poison, copy or alter the model",
    "privacy": "what the model and its outputs give away about people",
    "safety": "whether it fails safely and does no harm",
    "reliability": "whether its answers, and what it says of them, hold",
    "transparency": "whether it can be explained",
    "accountability": "fairness, records and oversight",
    "robustness": "noise, faults, missing values, adversarial changes",
    "drift": "whether the data still are what the model was trained on",
    "explain": "explanations, and whether they can be believed",
    "fairness": "whether groups of people fare alike",
}
_NO_SUBJECT = """\
there is no fixture trust_subject: define it in conftest.py, for example

    import pytest, trustcheck as tc

    @pytest.fixture(scope="session")
    def trust_subject():
        return tc.Subject(model, X_test, y_test, sensitive=["sex"], reference=(X_train, y_train))
"""
_SESSION: pytest.StashKey[_Session] = pytest.StashKey()


# Options and markers ----------------------------------------------------------------------------


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add --trust-profile, --trust-report and --trust-strict."""
    group = parser.getgroup("trustcheck", "trustcheck: tests of whether a model can be trusted")
    group.addoption(
        "--trust-profile", metavar="FILE",
        help="requirements that trust_requirement stands for: a TOML file or a shipped name"
        " (ini: trust_profile; default: default)",
    )  # fmt: skip
    group.addoption(
        "--trust-report", metavar="FILE", action="append", default=[],
        help="write a report of all findings of the session; the ending names the form"
        " (.html, .json, .md, .xml); may be repeated",
    )  # fmt: skip
    group.addoption(
        "--trust-strict", action="store_true",
        help="an inconclusive verdict is a failure (ini: trust_strict)",
    )  # fmt: skip
    parser.addini("trust_profile", "requirements that trust_requirement stands for", default="")
    parser.addini("trust_strict", "an inconclusive verdict is a failure", "bool", default=False)


def pytest_configure(config: pytest.Config) -> None:
    """Register markers, and start listening."""
    for name, about in _MARKS.items():
        config.addinivalue_line("markers", f"{name}: trustcheck: {about}")
    session = _Session(config)
    config.stash[_SESSION] = session
    config.pluginmanager.register(session, "trustcheck_session")
    _session.listeners.append(session)


def pytest_unconfigure(config: pytest.Config) -> None:
    """Stop listening."""
    session = config.stash.get(_SESSION, None)
    if session in _session.listeners:
        _session.listeners.remove(session)


# Fixtures ---------------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def trust_subject() -> Subject:
    """Return the model and data under test; your conftest.py defines it."""
    pytest.fail(_NO_SUBJECT, pytrace=False)


@pytest.fixture
def trust_requirement(request: pytest.FixtureRequest, trust_subject: Subject) -> Verdicts:
    """Return the verdicts on one requirement of the profile: ``assert trust_requirement``."""
    return request.config.stash[_SESSION].ask(request.param, trust_subject)


class Verdicts(tuple["Verdict", ...]):
    """The verdicts on one requirement: one per finding it names (per sensitive column, say)."""

    __slots__ = ()

    def __bool__(self) -> bool:
        return bool(len(self)) and all(self)

    def __repr__(self) -> str:
        return "; ".join(str(verdict) for verdict in self if self or not verdict)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Make one test per requirement of the profile."""
    if "trust_requirement" not in metafunc.fixturenames:
        return
    profile = metafunc.config.stash[_SESSION].profile
    metafunc.parametrize(
        "trust_requirement",
        [pytest.param(r, id=r.key, marks=_marks(r)) for r in _in_order(profile)],
        indirect=True,
    )


def _marks(requirement: Requirement) -> list[pytest.MarkDecorator]:
    names = {requirement.key.partition(".")[0], str(requirement.dimension)}
    return [getattr(pytest.mark, name) for name in sorted(names & set(_MARKS))]


def _in_order(profile: Profile) -> list[Requirement]:
    """Requirements in the profile's order; those whose probe may leave traces in the model last."""
    from trustcheck import catalog

    def last(requirement: Requirement) -> bool:
        probe = catalog.probes().get(requirement.key.partition("[")[0])
        return probe is not None and probe.last

    return sorted(profile.requirements, key=last)


# Frozen cases -----------------------------------------------------------------------------------


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> CaseFile | None:
    """Collect what ``finding.freeze`` wrote: one test per case."""
    if file_path.name.endswith(ENDING):
        return CaseFile.from_parent(parent, path=file_path)
    return None


class CaseFile(pytest.Module):
    """A file of frozen cases, in the place of a module of tests."""

    def _getobj(self) -> ModuleType:
        from types import ModuleType

        return ModuleType(self.path.name)

    def collect(self) -> Iterator[pytest.Function]:
        """Yield a test for each case."""
        from trustcheck import _frozen
        from trustcheck.types import InputError

        try:
            cases = _frozen.read(self.path)
        except InputError as fault:
            raise self.CollectError(str(fault)) from fault
        for case in cases.cases:
            test = _test_of(case, cases)
            yield pytest.Function.from_parent(self, name=case.name, callobj=test)


def _test_of(case: Case, cases: Cases) -> Any:
    def test(trust_subject: Subject) -> None:
        from trustcheck import _frozen

        if not _frozen.holds(case, cases, trust_subject):
            pytest.fail(
                f"{case.name}: the model must {_frozen.said(case)}, and it does not"
                f" (frozen from {cases.finding}, when the subject was {cases.subject!r})",
                pytrace=False,
            )

    pillar = cases.finding.partition(".")[0]
    return getattr(pytest.mark, pillar)(test) if pillar in _MARKS else test


# The session ------------------------------------------------------------------------------------


class _Session:
    """Listens to findings and verdicts, explains failures, writes the report."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._worker = hasattr(config, "workerinput")
        self.strict = bool(config.getoption("trust_strict") or config.getini("trust_strict"))
        self._targets = [
            Path(config.invocation_params.dir, p) for p in config.getoption("trust_report")
        ]
        self._profile: Profile | None = None
        self._gathered: Gathered | None = None
        self._subject: Subject | None = None  # the last one asked, and its findings
        self._known: dict[str, Finding] = {}
        self._verdicts: list[tuple[Verdict, Finding | None]] = []
        self._said: list[str] = []
        if self._targets and not self._worker:
            _check(self._targets)

    # The profile --------------------------------------------------------------------------------

    @property
    def profile(self) -> Profile:
        """The profile asked for, read once."""
        if self._profile is None:
            from trustcheck import profiles
            from trustcheck.types import InputError

            try:
                self._profile = profiles.load(self._profile_name())
            except InputError as fault:
                raise pytest.Collector.CollectError(f"--trust-profile: {fault}") from fault
        return self._profile

    def _profile_name(self) -> str:
        given = self._config.getoption("trust_profile")
        named = str(given or self._config.getini("trust_profile") or "default")
        base = self._config.invocation_params.dir if given else self._config.rootpath
        return str(base / named) if (base / named).is_file() else named

    # Findings and verdicts ----------------------------------------------------------------------

    def measured(self, finding: Finding, subject: Subject) -> None:
        """Take a finding into the session's report."""
        if self._targets:
            self._report.measured(finding, subject)

    def judged(self, finding: Finding, verdict: Verdict) -> None:
        """Remember a verdict of the running test."""
        self._verdicts.append((verdict, finding))
        if self._targets:
            self._report.judged(verdict.requirement, finding)

    def ask(self, requirement: Requirement, subject: Subject) -> Verdicts:
        """Measure what a requirement is about, and judge it."""
        from trustcheck import judge
        from trustcheck.types import Findings, TrustInconclusiveWarning, VerdictStatus

        id_ = requirement.key.partition("[")[0]
        found = Findings(tuple(self._findings(id_, subject)))
        strict = self.strict or self.profile.inconclusive == "fail"
        pairs = [
            (asked, finding)
            for asked, finding in judge.match(self.profile, found, {id_})
            if asked.key == requirement.key
        ]
        verdicts = []
        for asked, finding in pairs:
            verdict = judge.decide(asked, finding, strict=strict)
            if finding is None:
                verdict = replace(verdict, message=f"{verdict.message}; {_hint(id_, found)}")
            verdicts.append(verdict)
            self._verdicts.append((verdict, finding))
            if self._targets and finding is not None:
                self._report.judged(asked, finding)
            elif self._targets:
                self._report.unmet(asked, subject)
            if verdict.status is VerdictStatus.INCONCLUSIVE and verdict:
                warnings.warn(str(verdict), TrustInconclusiveWarning, stacklevel=2)
        idle = [
            v for v in verdicts
            if v.status is VerdictStatus.NOT_APPLICABLE
            or (v.status is VerdictStatus.NOT_MEASURED and not v.requirement.required)
        ]  # fmt: skip
        if len(idle) == len(verdicts):
            pytest.skip(
                "; ".join(map(str, idle)) or f"every finding of {id_} has its own requirement"
            )
        return Verdicts(v for v in verdicts if v not in idle)

    def _findings(self, id_: str, subject: Subject) -> list[Finding]:
        """Measure a probe as ``evaluate`` would, once per subject."""
        from trustcheck import _evaluate, catalog, runner

        probe = catalog.probes().get(id_)
        if subject is not self._subject:
            self._subject, self._known = subject, {}
        found = []
        for planned in [] if probe is None else _evaluate.expand([probe], subject):
            if planned.key not in self._known:
                self._known[planned.key] = runner.run(planned, subject, capture=True)
            found.append(self._known[planned.key])
        return found

    # Explaining ---------------------------------------------------------------------------------

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self) -> Generator[None, Any, Any]:
        """Forget the verdicts of the test before."""
        self._verdicts.clear()
        return (yield)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(self, call: pytest.CallInfo[None]) -> Generator[None, Any, Any]:
        """Add to a failed test the verdicts that did not hold, in full."""
        report = yield
        if call.excinfo is not None and report.failed and self._verdicts:
            from trustcheck.report import explain

            broken = [explain(v, finding) for v, finding in self._verdicts if not v]
            if broken:
                report.sections.append(("trustcheck", "\n\n".join(dict.fromkeys(broken))))
        return report

    # The report ---------------------------------------------------------------------------------

    @property
    def _report(self) -> Gathered:
        if self._gathered is None:
            from trustcheck._gathered import Gathered

            self._gathered = Gathered("asked by tests", strict=self.strict)
        return self._gathered

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        """Take what a worker of pytest-xdist has gathered."""
        sent = getattr(node, "workeroutput", {}).get("trustcheck")
        if sent is not None:
            self._report.loads(sent)
        elif self._targets:
            name = node.gateway.id
            self._said.append(
                f"worker {name} sent nothing back: its findings are not in the report"
            )

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Write the report, or send what was gathered to the process that will."""
        if self._gathered is None:
            if self._targets and not self._worker:
                self._said.append("no finding was made, so no report was written")
        elif self._worker:
            self._config.workeroutput["trustcheck"] = self._gathered.dumps()  # type: ignore[attr-defined]
        else:
            self._write(session)

    def _write(self, session: pytest.Session) -> None:
        from trustcheck.types import InputError

        reports = self._report.reports()
        for i, report in enumerate(reports, 1):
            for target in self._targets:
                place = target if i == 1 else target.with_stem(f"{target.stem}-{i}")
                try:
                    report.save(place)
                except InputError as fault:
                    self._said.append(str(fault))
                    session.exitstatus = session.exitstatus or pytest.ExitCode.INTERNAL_ERROR
                else:
                    name = report.subject.get("name")
                    self._said.append(f"report on {name}: {report.verdict}, {place}")

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Say where the report is."""
        if self._said:
            terminalreporter.section("trustcheck")
            for line in self._said:
                terminalreporter.line(line)


def _hint(id_: str, found: Mapping[str, Finding]) -> str:
    """Say why nothing answers a requirement: a name misspelt, or parameters nobody asked with."""
    from trustcheck import catalog

    try:
        catalog.find(id_)
    except ValueError as fault:
        return str(fault)
    return f"this subject gives {', '.join(found) or 'no such finding'}"


def _check(targets: list[Path]) -> None:
    """Refuse a report that could not be written before an hour of tests has gone by."""
    from trustcheck.report._files import ENDINGS

    for target in targets:
        if target.suffix.lower() not in ENDINGS:
            raise pytest.UsageError(
                f"--trust-report: the ending of {target.name!r} names no form; use {', '.join(ENDINGS)}"
            )
        if not target.parent.is_dir():
            raise pytest.UsageError(f"--trust-report: there is no folder {str(target.parent)!r}")
