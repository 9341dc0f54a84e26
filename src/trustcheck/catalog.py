"""Finds probes: ours by folder, other people's by entry point."""

from __future__ import annotations

import difflib
import functools
import importlib
import importlib.metadata

from trustcheck.probe import PILLARS, Probe, probes_in

ENTRY_POINTS = "trustcheck.probes"


@functools.cache
def probes() -> dict[str, Probe]:
    """Return every probe by id, pillars in the order of the dimensions, then other packages'.

    Raises
    ------
    ValueError
        If two probes claim one id.

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
        probe = point.load()
        if not isinstance(probe, Probe):
            raise TypeError(f"entry point {point.name} ({point.value}) is not a trustcheck probe")
        if probe.id in found:
            raise ValueError(f"two probes claim the id {probe.id}; one comes from {point.value}")
        found[probe.id] = probe
    return found


def find(name: str) -> list[Probe]:
    """Return the probes a name stands for: one id, or all of a pillar.

    Raises
    ------
    ValueError
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
    raise ValueError(f"there is no probe or pillar {name!r}{hint}")
