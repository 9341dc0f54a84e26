"""One run of a job: measure, judge, compare, watch, write, remember."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from trustcheck._secrets import known, masked
from trustcheck.jobs._inputs import Inputs, Source, broke, subject_of
from trustcheck.types import InputError, Profile, Report

if TYPE_CHECKING:
    from trustcheck.jobs._schema import Job, Ratchet, Rows
    from trustcheck.monitor import Monitor
    from trustcheck.store import Store
    from trustcheck.subject import Subject

FAILED, UNDECIDED = 1, 3


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a run.

    Parameters
    ----------
    report : Report
    code : int
        0 pass, 1 a measured fail (a requirement, the ratchet or an alarm), 3 undecided.
    said : tuple of str
        What ratchet, monitor and history had to say.
    outputs : tuple of Path
        Files written.
    """

    report: Report
    code: int
    said: tuple[str, ...] = ()
    outputs: tuple[Path, ...] = ()


@dataclass(slots=True)
class _Tally:
    """What is collected on the way; the exit code only ever gets graver."""

    code: int
    said: list[str] = field(default_factory=list)
    facts: dict[str, Any] = field(default_factory=dict)

    def worsen(self, code: int) -> None:
        self.code = FAILED if FAILED in (code, self.code) else max(code, self.code)

    @contextmanager
    def whatever_breaks(self, what: str) -> Iterator[None]:
        """Say it and go on: report and history are kept all the same."""
        try:
            yield
        except Exception as fault:  # noqa: BLE001 - as said
            self.worsen(UNDECIDED)
            why = str(fault) if isinstance(fault, InputError) else broke(fault)
            self.said.append(f"{what}: {masked(why)}")


def inputs_of(job: Job) -> Inputs:
    """Return what a job tests, in the terms that the command line uses too."""
    folder, model, data, context = job._folder, job.model, job.data, job.context  # noqa: SLF001
    return Inputs(
        model=str(model.import_) if model.path is None else folder / model.path,
        data=_source(job, data),
        reference=None if job.reference is None else _source(job, job.reference),
        target=data.target,
        sensitive=data.sensitive,
        features=data.features,
        positive=data.positive,
        task=data.task,
        weight=data.weight,
        cluster=data.cluster,
        time=data.time,
        classes=model.classes,
        name=job.name,
        seed=job.seed,
        allow_pickle=model.allow_pickle,
        trust=model.trust,
        sha256=model.sha256,
        documents=None if context.documents is None else folder / context.documents,
        costs=context.costs,
        decisions=None if context.decisions is None else Source(folder / context.decisions),
        rules=context.rules,
        guard=context.guard,
        folder=folder,
        remedy="write allow_pickle = true into [model]",
    )


def _source(job: Job, rows: Rows) -> Source:
    path = None if rows.path is None else job._folder / rows.path  # noqa: SLF001
    return Source(path, rows.url, rows.query)


def profile_of(job: Job) -> Profile:
    """Return the profile of a job: a shipped name, or a file beside the job."""
    from trustcheck import profiles

    beside: Path = job._folder / job.profile  # noqa: SLF001
    found = profiles.load(beside if beside.suffix == ".toml" else job.profile)
    return replace(found, inconclusive="fail") if job.strict else found


def run(job: Job, *, show_progress: bool | None = None) -> Outcome:
    """Run a job; see :func:`trustcheck.jobs.run`."""
    import trustcheck as tc

    # What cannot work is said before the model is asked anything.
    store = None if job.history is None else store_of(job)
    held = None if job.ratchet is None else _held(job, store)
    subject = subject_of(inputs_of(job))
    monitor = None if job.monitor is None else _monitor(job, store, subject)
    report = tc.evaluate(
        subject,
        probes=job.probes,
        profile=profile_of(job),
        n_jobs=job.workers,
        budget=job.budget,
        show_progress=show_progress,
    )
    _refuse_secrets(report)
    tally = _Tally(report.exit_code())
    key = None if job.history is None else job.history.key
    outputs = _write(job, report, key)
    tally.facts["outputs"] = {kind: str(path) for kind, path in outputs.items()}
    if job.ratchet is not None:
        with tally.whatever_breaks("ratchet"):
            _ratchet(job.ratchet, held, report, tally)
    if monitor is not None:
        with tally.whatever_breaks("monitor"):
            _watch(monitor, subject, key, tally)
    if store is not None:
        kept, new = store.add(report, name=job.name, key=key, code=tally.code, facts=tally.facts)
        if not new:
            tally.said.append(
                f"history: run {kept.number} of {kept.started[:10]} already stands for key"
                f" {kept.key[:16]!r}, so this one is not counted"
            )
    if job.outputs.summary is not None:
        outputs["summary"] = _summarise(job, report, key, tally)
    return Outcome(report, tally.code, tuple(tally.said), tuple(outputs.values()))


def store_of(job: Job, *, create: bool = True) -> Store:
    """Open a job's history; see :func:`trustcheck.jobs.store_of`."""
    from trustcheck.store import open_store

    if job.history is None:
        raise InputError(f"job {job.name!r} has no [history]")
    place = job.history.store
    beside = "://" not in place
    return open_store(job._folder / place if beside else place, create=create)  # noqa: SLF001


def _refuse_secrets(report: Report) -> None:
    """Stop before anything is written if a secret would be part of it."""
    from trustcheck.report._json import dumps

    text = dumps(report).decode("utf-8")
    for secret, source in known().items():
        if len(secret) >= 8 and secret in text:
            raise InputError(
                f"the report would hold the value of {source} (in a name, a column or a level), so"
                " nothing was written; rename it, or drop the column"
            )


# The ratchet -------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Held:
    """What later runs are held to."""

    report: Report
    name: str
    remedy: str = ""


def _held(job: Job, store: Store | None) -> _Held | None:
    """Return the accepted run, or the saved report that the job names; None before the first."""
    assert job.ratchet is not None
    if job.ratchet.against != "accepted":
        path = job._folder / job.ratchet.against  # noqa: SLF001
        return _Held(Report.load(path), path.name)
    accepted = [run for run in store.runs(job.name) if run.accepted] if store else []
    if store is None or not accepted:
        return None
    number = accepted[-1].number
    remedy = "; trustcheck history --accept RUN accepts another one"
    return _Held(store.report(number), f"run {number}", remedy)


def _ratchet(asked: Ratchet, held: _Held | None, report: Report, tally: _Tally) -> None:
    """Fail where a requirement became clearly worse than in what is held."""
    from trustcheck._compare import clearly_worse, compare

    if held is None:
        tally.said.append("ratchet: no run is accepted yet; the first that passes will be")
        return
    found = compare(held.report, report)
    worse = clearly_worse(found, by=asked.worse_by, limits=asked.limits)
    tally.facts["ratchet"] = {
        "against": held.name,
        "worse": [d.key for d in worse],
        "reason": found.reason,
    }
    if found.reason is not None:
        tally.worsen(UNDECIDED)
        tally.said.append(f"ratchet: not comparable with {held.name}: {found.reason}{held.remedy}")
    for d in worse:
        tally.worsen(FAILED)
        assert d.value is not None
        tally.said.append(
            f"ratchet: {d.key} {d.metric} is clearly worse than in {held.name}: by"
            f" {abs(d.value):.3g} (95 % interval of the difference {d.low:.3g} to {d.high:.3g})"
        )
    if not worse and found.reason is None:
        tally.said.append(f"ratchet: nothing is clearly worse than in {held.name}")


# The monitor -------------------------------------------------------------------------------------


def _monitor(job: Job, store: Store | None, subject: Subject) -> Monitor:
    from trustcheck.monitor import Monitor

    asked = job.monitor
    assert asked is not None
    assert store is not None
    reference = replace(inputs_of(job), data=_source(job, asked), reference=None)
    return Monitor(
        store,
        reference=subject_of(reference, model=subject),
        alpha=asked.alpha,
        horizon=asked.horizon,
        name=asked.name or job.name,
        seed=job.seed,
    )


def _watch(monitor: Monitor, subject: Subject, key: str | None, tally: _Tally) -> None:
    """Take a look at these rows; fail while an alarm stands."""
    look = monitor.update(subject, key=key or subject.card()["data_sha256"][:16])
    tally.facts["monitor"] = {
        "ok": bool(look),
        "look": look.number,
        "opened": list(look.opened),
        "alarms": [alarm.stream for alarm in look.alarms],
    }
    if not look:
        tally.worsen(FAILED)
    tally.said.append(f"monitor: {look}")


# Outputs -----------------------------------------------------------------------------------------


def _write(job: Job, report: Report, key: str | None) -> dict[str, Path]:
    """Write the outputs that are asked for and return where they are."""
    written = {}
    for kind, place in job.outputs.model_dump(by_alias=True, exclude_none=True).items():
        if kind != "summary":
            written[kind] = _place(job, place, report, key)
            report.save(written[kind], format=kind)
    return written


def _summarise(job: Job, report: Report, key: str | None, tally: _Tally) -> Path:
    from trustcheck.report._summary import summary

    path = _place(job, job.outputs.summary or "", report, key)
    with path.open("a", encoding="utf-8") as file:
        file.write(summary(report, remarks=tally.said))
    return path


def _place(job: Job, place: str, report: Report, key: str | None) -> Path:
    day = str(report.run["started"])[:10]
    safe = "".join(c if c.isalnum() or c in "-_." else "-" for c in key or day)
    path: Path = job._folder / place.replace("{date}", day).replace("{key}", safe)  # noqa: SLF001
    path.parent.mkdir(parents=True, exist_ok=True)
    return path
