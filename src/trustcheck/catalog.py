"""Finds probes: ours by folder, other people's by entry point."""

from __future__ import annotations

import difflib
import functools
import importlib
import importlib.metadata
import warnings

from trustcheck.probe import PILLARS, Probe, probes_in
from trustcheck.types import InputError

ENTRY_POINTS = "trustcheck.probes"


@functools.cache
def probes() -> dict[str, Probe]:
    """Return every probe by id, pillars in the order of the dimensions, then other packages'.

    Raises
    ------
    ValueError
        If two probes claim one id.

    Warns
    -----
    RuntimeWarning
        If another package's probe cannot be loaded; the others are kept.

    Examples
    --------
    >>> "fairness.demographic_parity" in probes()
    True
    """
    found: dict[str, Probe] = {}
    for pillar in PILLARS:
        package = importlib.import_module(f"trustcheck.{pillar}")
        for probe in probes_in(package).values():
            found[probe.id] = probe
    for point in importlib.metadata.entry_points(group=ENTRY_POINTS):
        try:
            probe = point.load()
        except Exception as fault:  # noqa: BLE001 - another package's fault must not end ours
            _complain(point, f"cannot be loaded ({type(fault).__name__})")
            continue
        if not isinstance(probe, Probe):
            _complain(point, "is no probe; decorate it with trustcheck.probe.probe")
            continue
        if probe.id in found:
            raise ValueError(f"two probes claim the id {probe.id}; one comes from {point.value}")
        found[probe.id] = probe
    return found


def _complain(point: importlib.metadata.EntryPoint, what: str) -> None:
    package = point.dist.name if point.dist is not None else "a package"
    warnings.warn(
        f"the probe {point.name} of {package} ({point.value}) {what}; it is left out",
        RuntimeWarning,
        stacklevel=3,
    )


def find(name: str) -> list[Probe]:
    """Return the probes a name stands for: one id, or all of a pillar.

    Raises
    ------
    InputError
        If nothing has that name; the message offers the nearest ones.
    """
    known = probes()
    if name in known:
        return [known[name]]
    pillar = [probe for probe in known.values() if probe.pillar == name]
    if pillar or name in PILLARS:
        return pillar
    near = difflib.get_close_matches(name, [*known, *PILLARS], n=3, cutoff=0.4)
    hint = f"; did you mean {', '.join(near)}?" if near else ""
    raise InputError(f"there is no probe or pillar {name!r}{hint}")
