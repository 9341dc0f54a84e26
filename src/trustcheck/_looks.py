"""What a monitor says: looks, the alarms that stand, and how large a change is."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from trustcheck.stats import distances
from trustcheck.types import Better, Dimension, Estimate, Finding, InputError, Status, Verdict

if TYPE_CHECKING:
    import pandas as pd

UNIT = "largest difference of shares of rows, 0 = alike, 1 = disjoint"
#: Alarms that are printed one by one.
_SHOWN = 10


@dataclass(frozen=True, slots=True)
class Alarm:
    """A stream that no longer looks like the reference, and by how much.

    Parameters
    ----------
    stream, kind : str
        Name of the column, "score", "prediction", "loss" or "label"; and what kind it is.
    raised : str
        Key of the look that raised the alarm. It stands until the epoch ends.
    since : str
        Key of the look from which on, when it was raised, things seemed to have changed.
    measure : str
        "KS" (numbers; missing counts as the largest) or "total variation" (levels).
    effect : Estimate
        Distance from the reference of the rows since then, or since it last changed again:
        ``n`` rows, 95 % interval.
    looks : int
        How many of the latest looks these rows come from.
    where : str
        What changed most, in words.
    """

    stream: str
    kind: str
    raised: str
    since: str
    measure: str
    effect: Estimate
    looks: int
    where: str

    @property
    def finding(self) -> Finding:
        """The effect as a finding, to be judged against a tolerance."""
        return Finding(
            id="monitor.drift", key=f"monitor.drift[stream={self.stream}]",
            title=f"Drift of {self.stream} since {self.since}",
            question="Are the rows since the estimated change like the reference?",
            dimension=Dimension.RELIABILITY, keys=("reliability.drift",),
            clauses=("8.8.3", "9.10.2"), version=1, params={"stream": self.stream}, seed=0,
            status=Status.MEASURED, headline="distance", better=Better.LOW,
            metrics={"distance": self.effect}, notes=(self.where,) if self.where else (),
        )  # fmt: skip

    def at_most(self, limit: float, *, strict: bool = False) -> Verdict:
        """Judge the effect: an alarm says that there is a change, this whether it matters."""
        return self.finding.at_most(limit, strict=strict)


@dataclass(frozen=True, slots=True)
class Look:
    """What the monitor says after one batch; true while no alarm stands in the epoch.

    Parameters
    ----------
    key : str
        Of the batch.
    epoch, number, horizon : int
        Which budget, which look of it, and how many looks it lasts for.
    alpha, alpha_spent : float
        Largest probability of any false alarm in the epoch, and up to this look.
    streams, rows : int
        Streams watched, and rows of this batch that were counted.
    alarms : tuple of Alarm
        All that stand, largest effect first.
    opened : tuple of str
        Streams whose alarm this very look raised.
    nearest, evidence : str, float
        The stream nearest to an alarm, and its detector as a share of the threshold.
    notes : tuple of str
        What a reader has to know.
    """

    key: str
    epoch: int
    number: int
    horizon: int
    alpha: float
    alpha_spent: float
    streams: int
    rows: int
    alarms: tuple[Alarm, ...]
    opened: tuple[str, ...]
    nearest: str
    evidence: float
    notes: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return not self.alarms

    def __str__(self) -> str:
        names = ", ".join(alarm.stream for alarm in self.alarms)
        head = f"{self.key}: " + (f"ALARM: {names}" if self.alarms else "no alarm")
        spent = (
            f"  look {self.number} of {self.horizon} in epoch {self.epoch}, {self.rows} rows,"
            f" {self.streams} streams; chance of any false alarm so far at most"
            f" {self.alpha_spent:.2%}, in the whole epoch {self.alpha:.0%}"
        )
        closest = f"  nearest to an alarm: {self.nearest}, {self.evidence:.2g} of the threshold"
        shown = [_line(alarm) for alarm in self.alarms[:_SHOWN]] or [closest]
        if len(self.alarms) > _SHOWN:
            shown.append(f"  and {len(self.alarms) - _SHOWN} more: see to_frame()")
        return "\n".join([head, spent, *shown, *(f"  note: {note}" for note in self.notes)])

    def to_dict(self) -> dict[str, Any]:
        """Return it as plain data."""
        return asdict(self) | {"ok": bool(self)}

    def to_frame(self) -> pd.DataFrame:
        """Return one row per standing alarm."""
        import pandas as pd

        names = ("value", "low", "high", "n")
        rows = [
            {k: v for k, v in asdict(alarm).items() if k != "effect"}
            | {name: getattr(alarm.effect, name) for name in names}
            for alarm in self.alarms
        ]
        columns = ["stream", "kind", "raised", "since", "measure", "looks", "where", *names]
        return pd.DataFrame(rows, columns=columns)


def numbers_moved(
    before: np.ndarray, now: np.ndarray, comparisons: int, *, loss: bool
) -> tuple[Estimate, str]:
    """Largest difference of the distribution functions at the cuts; missing ranks last."""
    places = np.arange(before.size)
    both = distances.steps(np.repeat(places, before), np.repeat(places, now), ordered=True)
    found = distances.kolmogorov_smirnov(both, comparisons=comparisons)
    missing = before[-1] / before.sum(), now[-1] / now.sum()
    side = "above" if both.gap > 0 else "up to"
    where = f"more rows {side} the reference's {both.at:.0%} quantile"
    if not 0.005 <= both.at < 0.995:
        where = f"more rows {'above' if side == 'above' else 'below'} nearly all of the reference"
    if abs(missing[1] - missing[0]) > found.value / 2:
        where = f"missing: {missing[0]:.1%} before, {missing[1]:.1%} now"
    elif loss:
        where = f"losses are {'larger' if side == 'above' else 'smaller'}: {where}"
    return _estimate(found, int(now.sum())), where


def levels_moved(
    before: np.ndarray, now: np.ndarray, comparisons: int, names: Mapping[int, str]
) -> tuple[Estimate, str]:
    """Half the sum of absolute differences of shares over levels; rare ones count as one."""
    slots = np.flatnonzero(before + now)
    missing = before.size - 1
    few = distances.rare(before[slots], now[slots])
    kept = slots[~few]
    tables = [c[kept] for c in (before, now)]
    if few.any():
        tables = [
            np.append(t, c[slots[few]].sum()) for t, c in zip(tables, (before, now), strict=True)
        ]
    found = distances.total_variation(*tables, comparisons=comparisons)
    change = tables[1] / now.sum() - tables[0] / before.sum()
    most = int(np.abs(change).argmax())
    who = "rare levels"
    if most < len(kept):
        slot = int(kept[most])
        fallback = "new levels" if before[slot] == 0 else "levels that may not be named"
        who = "missing" if slot == missing else names.get(slot, fallback)
    return _estimate(found, int(now.sum())), f"{who}: {change[most]:+.1%} of rows"


def _estimate(found: Sequence[float], n: int) -> Estimate:
    value, low, high = found
    return Estimate(value, low, high, n=n, unit=UNIT, range=(0.0, 1.0))


def short(look: Look) -> dict[str, Any]:
    """Return a look as it is kept."""
    kept = look.to_dict()
    del kept["ok"]
    for alarm in kept["alarms"]:
        alarm["effect"] = [alarm["effect"][name] for name in ("value", "low", "high", "n")]
    return kept


def look_from(kept: Mapping[str, Any]) -> Look:
    """Return a look that was kept."""
    alarms = tuple(
        Alarm(**{**alarm, "effect": _estimate(alarm["effect"][:3], alarm["effect"][3])})
        for alarm in kept["alarms"]
    )
    lists = {"opened": tuple(kept["opened"]), "notes": tuple(kept["notes"])}
    return Look(**{**kept, **lists, "alarms": alarms})


def _line(alarm: Alarm) -> str:
    effect = alarm.effect
    return (
        f"  {alarm.stream}: changed at {alarm.since}, alarm at {alarm.raised}; {alarm.measure}"
        f" {effect.value:.3f} [{effect.low:.3f}, {effect.high:.3f}] on the {effect.n} rows of the"
        f" last {alarm.looks} look(s); {alarm.where}"
    )


def spelt(key: object) -> str:
    """Return a key as text; a date, a time at midnight and their ISO spelling are one key."""
    if isinstance(key, dt.datetime):
        key = key.date() if key.time() == dt.time() and key.tzinfo is None else key
    text = key.isoformat() if isinstance(key, dt.date) else str(key)
    if not text.strip():
        raise InputError("a key must not be empty: name the day, or number the look")
    return text


def comes_after(other: str, key: str) -> bool:
    """Whether both are dates or whole numbers, and the other is the later one."""
    if other.isdecimal() and key.isdecimal():
        return int(other) > int(key)
    try:
        return dt.datetime.fromisoformat(other) > dt.datetime.fromisoformat(key)
    except (ValueError, TypeError):
        return False
