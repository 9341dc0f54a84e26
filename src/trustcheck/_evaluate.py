"""The one loop: plan, one shared pass over the data, seeded probes, crash capture, judgement."""

from __future__ import annotations

import datetime as dt
import importlib.metadata
import os
import platform
import time
import uuid
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from trustcheck import catalog, judge, profiles
from trustcheck._progress import progress
from trustcheck.probe import Probe, Want
from trustcheck.runner import run, why_not
from trustcheck.subject import Subject
from trustcheck.types import Finding, Findings, Report, Scope

_PACKAGES = ("trustcheck", "numpy", "scipy", "pandas", "scikit-learn", "shap", "fairlearn")


def evaluate(
    subject: Subject,
    probes: Iterable[str | Probe] | str | Probe | None = None,
    profile: Any = "default",
    *,
    n_jobs: int | None = 1,
    budget: int | None = None,
    seed: int | None = None,
    show_progress: bool | None = None,
) -> Report:
    """Measure a subject with every probe that applies, and judge it.

    Parameters
    ----------
    subject : Subject
        What to test.
    probes : list of str or Probe, optional
        Pillars (``"fairness"``), ids (``"robustness.noise"``) or configured probes; all unless
        given. With a list, the report's scope is partial: its verdict covers only the
        requirements on what was asked.
    profile : str, path, mapping or Profile
        Requirements to judge by.
    n_jobs : int
        Workers, through joblib: ``joblib.parallel_config`` can set another backend. The numbers
        do not depend on it.
    budget : int, optional
        Most rows to send to the model beyond the given data and the reference; 40 times the
        given rows less the shared pass, unless set.
    seed : int, optional
        The subject's own unless given.
    show_progress : bool, optional
        By default progress is shown in terminals and notebooks; ``TRUSTCHECK_PROGRESS=0``
        silences it.

    Returns
    -------
    Report

    Examples
    --------
    >>> subject = Subject.from_predictions(
    ...     [0, 1] * 200, [0, 1] * 200, sensitive={"sex": ["f", "f", "m", "m"] * 100}
    ... )
    >>> report = evaluate(subject, probes=["fairness.demographic_parity"])
    >>> str(report.scope), report.findings["fairness.demographic_parity"].value
    ('partial', 0.0)
    """
    started = time.perf_counter()
    requirements = profiles.load(profile)
    seed = subject.seed if seed is None else int(seed)
    chosen = select(probes)
    planned = expand(chosen, subject)
    shared = subject.view().with_budget(budget)
    with progress(len(planned) + 1, show=show_progress) as step:
        shared_pass(planned, shared)
        step("shared pass")
        findings = _run_all(planned, shared, seed, n_jobs, step)
    correlations = _correlations(findings, shared)
    kept = Findings(tuple(findings))
    asked = None if probes is None else {probe.id for probe in chosen}
    return Report(
        subject=subject.card(),
        findings=kept,
        profile=requirements,
        scope=Scope.FULL if asked is None else Scope.PARTIAL,
        correlations=correlations,
        environment=environment(),
        seed=seed,
        run=_run_facts(findings, shared, time.perf_counter() - started, n_jobs),
        **judge.judge(kept, requirements, asked=asked, correlations=correlations),
    )


def select(probes: Iterable[str | Probe] | str | Probe | None) -> list[Probe]:
    """Return the probes that a user's list stands for, each key once."""
    if probes is None:
        return list(catalog.probes().values())
    if isinstance(probes, (str, Probe)):
        probes = [probes]
    found = [
        p for item in probes for p in ([item] if isinstance(item, Probe) else catalog.find(item))
    ]
    return list({probe.key: probe for probe in found}.values())


def expand(probes: Iterable[Probe], subject: Subject) -> list[Probe]:
    """Ask a probe by groups once per sensitive column, and once for their intersection."""
    planned: list[Probe] = []
    for probe in probes:
        if "by" not in probe.defaults or probe.settings["by"] is not None or not subject.sensitive:
            planned.append(probe)
            continue
        planned += [probe.using(by=column) for column in subject.sensitive]
        if len(subject.sensitive) > 1:
            planned.append(probe.using(by=list(subject.sensitive)))
    return sorted(planned, key=lambda probe: probe.last)


def plan(
    subject: Subject, probes: Iterable[str | Probe] | str | Probe | None = None
) -> list[tuple[Probe, str | None]]:
    """Return what ``evaluate`` would ask, and why not where it would skip it; nothing is run.

    Parameters
    ----------
    subject, probes
        As for :func:`evaluate`.

    Examples
    --------
    >>> subject = Subject.from_predictions([0, 1], [0, 1])
    >>> (probe, reason) = plan(subject, "fairness.demographic_parity")[0]
    >>> reason
    'no sensitive columns were named (sensitive=)'
    """
    return [(probe, why_not(probe, subject)) for probe in expand(select(probes), subject)]


def shared_pass(planned: Iterable[Probe], subject: Subject) -> None:
    """Ask the model once for everything the planned probes want of the given rows.

    A model that fails here fails again, from memory, in each probe that needs the answer: the
    fault is recorded there and the other findings are kept.
    """
    wants: dict[Want, None] = {}
    for probe in planned:
        try:
            if why_not(probe, subject) is None:
                wants.update(dict.fromkeys(probe.wants(subject, **probe.settings)))
        except Exception:  # noqa: BLE001, S112 - the probe will meet the same fault and record it
            continue
    # Scores first: labels may follow from them without another question.
    for want in sorted(wants, key=lambda w: (w.table, w.what != "scores")):
        side = subject.data if want.table == "data" else subject.reference_sample
        try:
            _ = side.scores if want.what == "scores" else side.predictions
        except Exception:  # noqa: BLE001, S112 - as above
            continue
    _ = subject.data.row_keys  # computed once, before workers copy the subject


def environment() -> dict[str, str]:
    """Return the versions the numbers may depend on."""
    found = {"python": platform.python_version()}
    for name in _PACKAGES:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            found[name] = "not installed"
    return found


def _run_all(
    planned: list[Probe], subject: Subject, seed: int, n_jobs: int | None, step: Any
) -> list[Finding]:
    if n_jobs == 1 or len(planned) < 2:
        findings = []
        for probe in planned:
            findings.append(run(probe, subject, seed=seed, capture=True))
            step(probe.key)
        return findings
    from joblib import Parallel, delayed

    # Threads unless the user's parallel_config says otherwise: the data is not copied.
    jobs = Parallel(n_jobs=n_jobs, prefer="threads", return_as="generator")
    findings = []
    for finding in jobs(delayed(run)(probe, subject, seed=seed, capture=True) for probe in planned):
        findings.append(finding)
        step(finding.key)
    return findings


def _correlations(findings: Iterable[Finding], subject: Subject) -> dict[str, float]:
    """Return how headlines measured on the same given rows move together.

    Each finding's influence per row is the derivative of its headline with respect to the weight
    of the row; headlines are correlated as their influences are (Hampel 1974).
    """
    held = [(f.key, f.influence) for f in findings if f.influence is not None]
    if len(held) < 2:
        return {}
    weights = np.ones(subject.n) if subject.weights is None else subject.weights
    table = np.array([influence for _, influence in held]) * np.sqrt(weights)
    norms = np.sqrt((table**2).sum(axis=1))
    usable = norms > 0
    gram = (table @ table.T) / np.where(usable, norms, 1.0)[:, None] / np.where(usable, norms, 1.0)
    pairs = {}
    for i, (one, _) in enumerate(held):
        for j, (other, _) in enumerate(held[:i]):
            # Rounded, so that the order in which rows are summed leaves no trace.
            rho = round(float(np.clip(gram[i, j], -1.0, 1.0)), 9)
            if rho:
                first, second = sorted((one, other))
                pairs[f"{first} | {second}"] = rho
    return dict(sorted(pairs.items()))


def _run_facts(
    findings: Iterable[Finding], shared: Subject, seconds: float, n_jobs: int | None
) -> Mapping[str, Any]:
    """Return all that may differ between two equal runs."""
    sent: Counter[str] = Counter()
    own = shared.rows_sent()
    for finding in findings:
        sent.update(finding.rows_sent)
    # With worker processes the shared meter saw only its own pass; the larger count is complete.
    total = {purpose: max(own.get(purpose, 0), sent.get(purpose, 0)) for purpose in {*own, *sent}}
    return {
        "id": uuid.uuid4().hex,
        "started": dt.datetime.now(dt.UTC).isoformat(timespec="seconds"),
        "seconds": round(seconds, 3),
        "model_seconds": round(shared.model_seconds, 3),
        "library_seconds": round(shared.library_seconds, 3),
        "rows_sent": dict(sorted(total.items())),
        "calls": dict(sorted(shared.calls_made().items())),
        "latency": shared.latency(),
        "n_jobs": n_jobs,
        "host": platform.node(),
        "platform": platform.platform(),
        "cpus": os.cpu_count(),
    }
