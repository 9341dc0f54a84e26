"""Scheduled looks at a model in operation, with one budget of false alarms for all of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from trustcheck import _looks, _watched
from trustcheck._looks import Alarm, Look
from trustcheck._watched import Rows, Stream
from trustcheck.stats import sequential
from trustcheck.types import InputError

if TYPE_CHECKING:
    from os import PathLike

    from trustcheck.subject import Subject

VERSION = 1
#: What is looked at together: what every batch holds, and what needs labels.
PARTS = ("rows", "labels")
Plain = dict[str, Any]


class Store(Protocol):
    """Keeps plain data under names; a change is one transaction."""

    def load_state(self, name: str) -> Plain | None:
        """Return what is kept under a name, or None."""

    def update_state(self, name: str, change: Callable[[Plain | None], Plain]) -> Plain:
        """Read, change and write back, with no other process in between."""


class Monitor:
    """Watches columns, the model's answers and, once labels are known, its losses, look by look.

    However often it looks within the horizon, and however many columns it watches, the probability
    that it raises any alarm while nothing changes is at most ``alpha``. What it remembers lives in
    the store: counts and evidence, no rows.

    Parameters
    ----------
    store : path, URL, or store
        A SQLite file, a database URL, or an object with ``load_state(name)`` and
        ``update_state(name, change)``.
    reference : Subject, table or (table, y)
        Rows that later ones are expected to be like, at least 20. With a Subject its given rows
        are meant (held-out ones: losses on training rows are too small), and batches may be
        tables, which are put to its model. May be left out once the monitor has begun.
    alpha : float
        Largest probability of any false alarm within the horizon, inside (0, 1).
    horizon : int
        Looks the budget has to last for; 365 daily ones by default. After the last one a new
        epoch begins by itself.
    name : str
        Monitors with different names share nothing but the store.
    cluster : str, optional
        Column saying which rows belong together (a person, a household): of each, one row per
        look is counted, at random. With Subjects, their ``cluster=`` is used.
    seed : int
        Of ties and of the order of rows inside a look.

    Raises
    ------
    InputError
        If ``alpha`` or ``horizon`` is out of range, or the reference cannot be used.

    Notes
    -----
    Conformal ranks, bets and Shiryaev-Roberts e-detectors: see `trustcheck.stats.sequential`. The
    guarantee supposes rows that are exchangeable while nothing changes.

    References
    ----------
    Shin, Ramdas and Rinaldo (2024), E-detectors: a nonparametric framework for sequential change
    detection. Vovk, Nouretdinov and Gammerman (2003), Testing exchangeability on-line.

    Examples
    --------
    >>> import tempfile
    >>> import numpy as np
    >>> import pandas as pd
    >>> rng = np.random.default_rng(0)
    >>> table = lambda shift=0.0: pd.DataFrame({"income": rng.normal(shift, 1, 500)})
    >>> monitor = Monitor(tempfile.mkdtemp() + "/history.db", reference=table())
    >>> look = monitor.update(table(), key="2026-03-01")
    >>> bool(look), look.number
    (True, 1)
    >>> look = monitor.update(table(shift=1.0), key="2026-03-02")
    >>> bool(look), look.alarms[0].stream, look.alarms[0].since
    (False, 'income', '2026-03-02')
    """

    def __init__(
        self,
        store: str | PathLike[str] | Store,
        *,
        reference: Any = None,
        alpha: float = 0.05,
        horizon: int = 365,
        name: str = "monitor",
        cluster: str | None = None,
        seed: int = 0,
    ) -> None:
        from trustcheck.subject import Subject

        if not 0 < alpha < 1:
            raise InputError(f"alpha must lie between 0 and 1, not {alpha}")
        if int(horizon) != horizon or horizon < 1:
            raise InputError(f"horizon counts looks: a whole number above 0, not {horizon}")
        self.name, self.alpha, self.horizon = str(name), float(alpha), int(horizon)
        self._store = _opened(store)
        self._cluster, self._seed = cluster, int(seed)
        self._model: Subject | None = reference if isinstance(reference, Subject) else None
        self._reference: Rows | None = None
        self._signature: tuple[str, str | None] | None = None
        if reference is not None:
            self._reference = self._read(reference, "the reference")
            if self._reference.n < sequential.FEWEST:
                raise InputError(
                    f"the reference has {self._reference.n} rows; a monitor needs at least"
                    f" {sequential.FEWEST}, and several hundred to see small changes early"
                )
            watched = _watched.streams(self._reference, cluster)
            held = _watched.fingerprint(self._reference, watched, labels=True)
            self._signature = held, _watched.model_hash(self._reference)

    def __repr__(self) -> str:
        return f"<Monitor {self.name}: alpha {self.alpha:g} over {self.horizon} looks>"

    def update(self, batch: Any, *, key: object) -> Look:
        """Take one look at new rows.

        Parameters
        ----------
        batch : Subject, table or (table, y)
            Rows since the last look. Labels may come later: give the same key again with them.
        key : str, date or int
            Names the look, usually the day. A key counts once: given again, nothing changes and
            the result is the one it had. Days may be missing; late ones count when they come.

        Returns
        -------
        Look

        Raises
        ------
        InputError
            If the monitor has not begun and has no reference, the batch lacks a watched column,
            or a column holds another kind of value.
        """
        rows = self._read(batch, "the batch")
        self._ask(rows)
        found: list[Look] = []

        def change(old: Plain | None) -> Plain:
            new = _copied(old)
            found[:] = [self._seen(new, rows, _looks.spelt(key))]
            return new

        self._store.update_state(self.name, change)
        return found[0]

    def reset(self, reason: str) -> None:
        """Close the epoch: alarms end, and the next new key opens another one with its own alpha.

        Parameters
        ----------
        reason : str
            Kept with the epoch, for whoever reads it later.

        Raises
        ------
        InputError
            If the monitor has not begun.
        """

        def change(old: Plain | None) -> Plain:
            if old is None:
                raise InputError(f"monitor {self.name!r} has not begun, there is nothing to reset")
            return _copied(old) | {"reset": str(reason)}

        self._store.update_state(self.name, change)

    def history(self) -> tuple[Look, ...]:
        """Return every look so far, of all epochs, in the order in which they were taken."""
        state = self._store.load_state(self.name) or {"keys": {}}
        looks = [
            (part["order"], _looks.look_from(part["look"]))
            for parts in state["keys"].values()
            for part in parts.values()
        ]
        return tuple(look for _, look in sorted(looks, key=lambda pair: pair[0]))

    def epochs(self) -> tuple[Plain, ...]:
        """Return each epoch: number, alpha, horizon, the key and the reason it was opened with."""
        state = self._store.load_state(self.name) or {"epochs": []}
        told = ("number", "alpha", "horizon", "opened", "reason")
        return tuple({name: epoch[name] for name in told} for epoch in state["epochs"])

    # One look ---------------------------------------------------------------------------------

    def _read(self, given: Any, what: str) -> Rows:
        return _watched.read(given, like=self._model, cluster=self._cluster, what=what)

    def _ask(self, rows: Rows) -> None:
        """Read rows, and ask the model, before the store is locked; answers stay with the rows."""
        known = _copied(self._store.load_state(self.name))
        watched = _streams(known["epochs"][-1]) if known["epochs"] else []
        if self._reference is not None and self._why_new(known, list(PARTS)) is not None:
            watched = list(_watched.streams(self._reference, self._cluster))
            _watched.matrix(self._reference, watched)
        _watched.matrix(rows, [s for s in watched if rows.labelled or not s.labelled])

    def _seen(self, state: Plain, rows: Rows, key: str) -> Look:
        """Count a batch unless it was counted; ``state`` is changed in place."""
        known = state["keys"].setdefault(key, {})
        asked = [part for part in PARTS if part == "rows" or rows.labelled]
        left = [part for part in asked if part not in known]
        if "rows" not in left and not (left and _streams(state["epochs"][-1], "labels")):
            return _again(state, known, asked[-1], rows)
        reason = self._why_new(state, left)
        if reason is not None:
            self._open(state, reason, key)
        epoch = state["epochs"][-1]
        opened: list[str] = []
        counted = 0
        for part in left:
            watched = _streams(epoch, part)
            if not watched:
                continue
            values = self._counted(epoch, part, rows, key)
            counted = max(counted, len(values))
            before = sequential.unpack(state["parts"][part])
            after = sequential.step(before, values)
            state["parts"][part] = sequential.pack(after)
            state["order"][part].append(key)
            level = sequential.evidence(after) - self._threshold(epoch)
            for stream, above in zip(watched, level.tolist(), strict=True):
                state["nearness"][_spell(stream)] = above
                if above >= 0 and _spell(stream) not in state["alarms"]:
                    at = watched.index(stream)
                    began = int(sequential.change_points(after)[at])
                    state["alarms"][_spell(stream)] = {"raised": key, "since": began}
                    opened.append(stream.name)
        look = self._tell(state, key, counted, tuple(opened))
        for part in left:
            state["taken"] += 1
            known[part] = {
                "order": state["taken"],
                "rows": _fingerprint(epoch, part, rows),
                "look": _looks.short(look),
            }
        return look

    def _why_new(self, state: Plain, left: list[str]) -> str | None:
        """Say why this look opens an epoch, or None if the present one goes on."""
        if not state["epochs"]:
            return "the monitor began"
        epoch = state["epochs"][-1]
        if state.get("reset") is not None:
            return f"reset: {state['reset']}"
        if self._signature is not None and self._signature[0] != epoch["reference"]:
            return "another reference"
        if self._signature is not None and self._signature[1] != epoch["model"]:
            return "another model"
        if (self.alpha, self.horizon) != (epoch["alpha"], epoch["horizon"]):
            return "another alpha or horizon"
        if any(len(state["order"][part]) >= epoch["horizon"] for part in left):
            return "the horizon was reached"
        return None

    def _open(self, state: Plain, reason: str, key: str) -> None:
        """Open a numbered epoch: the same reference starts again, or a new one is taken in."""
        former = state["epochs"][-1] if state["epochs"] else None
        number = 1 + len(state["epochs"])
        seeds = {part: (self._seed, number, i) for i, part in enumerate(PARTS)}
        epoch = {
            "number": number, "alpha": self.alpha, "horizon": self.horizon, "opened": key,
            "reason": reason,
        }  # fmt: skip
        same = former is not None and self._signature in (
            None,
            (former["reference"], former["model"]),
        )
        if former is not None and same:
            epoch |= {name: former[name] for name in ("reference", "model", "streams")}
            for part, packed in state["parts"].items():
                again = sequential.restart(sequential.unpack(packed), seed=seeds[part])
                state["parts"][part] = sequential.pack(again)
        else:
            if self._reference is None or self._signature is None:
                raise InputError(f"monitor {self.name!r} has not begun: give it a reference")
            watched = _watched.streams(self._reference, self._cluster)
            epoch |= {"streams": [list(stream) for stream in watched]}
            epoch |= {"reference": self._signature[0], "model": self._signature[1]}
            state["parts"] = {}
            for part in PARTS:
                if not _streams(epoch, part):
                    continue
                values = self._counted(epoch, part, self._reference, "reference")
                if len(values) < sequential.FEWEST:
                    raise InputError(
                        f"the reference has {len(values)} clusters; a monitor needs at least"
                        f" {sequential.FEWEST}"
                    )
                state["parts"][part] = sequential.pack(sequential.start(values, seed=seeds[part]))
        state["epochs"].append(epoch)
        state |= {"alarms": {}, "nearness": {}, "order": {part: [] for part in PARTS}}
        state.pop("reset", None)

    def _counted(self, epoch: Plain, part: str, rows: Rows, key: str) -> np.ndarray:
        """Return the rows that count: all, or one of each cluster."""
        values = _watched.matrix(rows, _streams(epoch, part))
        if rows.clusters is None:
            return values
        from trustcheck.runner import stream

        keys = _watched.digests(rows, _streams(epoch, "rows"))
        return values[_watched.one_each(keys, rows.clusters, stream(self._seed, key))]

    def _threshold(self, epoch: Plain) -> float:
        return sequential.threshold(epoch["horizon"], len(epoch["streams"]), epoch["alpha"])

    # What is said ---------------------------------------------------------------------------------

    def _tell(self, state: Plain, key: str, counted: int, opened: tuple[str, ...]) -> Look:
        epoch = state["epochs"][-1]
        total = len(epoch["streams"])
        spent = sum(len(_streams(epoch, part)) * len(state["order"][part]) for part in PARTS)
        alarms = [
            alarm
            for part in PARTS
            if part in state["parts"]
            for alarm in self._alarms(state, epoch, part)
        ]
        alarms.sort(key=lambda alarm: (-alarm.effect.value, alarm.stream))
        quiet = {name: v for name, v in state["nearness"].items() if name not in state["alarms"]}
        nearest = max(quiet or state["nearness"], key=lambda name: state["nearness"][name])
        return Look(
            key=key, epoch=epoch["number"], horizon=epoch["horizon"], alpha=epoch["alpha"],
            number=max(map(len, state["order"].values())),
            alpha_spent=epoch["alpha"] * spent / (total * epoch["horizon"]),
            streams=total, rows=counted, alarms=tuple(alarms), opened=opened,
            nearest=nearest.partition(":")[2], notes=_notes(state, epoch, key),
            evidence=float(np.exp(min(state["nearness"][nearest], 700.0))),
        )  # fmt: skip

    def _alarms(self, state: Plain, epoch: Plain, part: str) -> list[Alarm]:
        watched = _streams(epoch, part)
        standing = [j for j, stream in enumerate(watched) if _spell(stream) in state["alarms"]]
        if not standing:
            return []
        seen = sequential.unpack(state["parts"][part])
        latest, keys = sequential.change_points(seen), state["order"][part]
        # The periods and streams one could have been led to: the lower end holds for all of them.
        comparisons = len(seen.spans) * len(epoch["streams"])
        found = []
        for j in standing:
            stream = watched[j]
            alarm = state["alarms"][_spell(stream)]
            # It may have changed again: only what it looks like now is compared.
            before, now, first = sequential.window(seen, j, max(int(latest[j]), alarm["since"]))
            if stream.holds in ("numbers", "dates"):
                effect, where = _looks.numbers_moved(
                    before, now, comparisons, loss=stream.kind == "loss"
                )
            else:
                effect, where = _looks.levels_moved(
                    before, now, comparisons, self._names(seen, j, stream)
                )
            found.append(
                Alarm(
                    stream.name, stream.kind, raised=alarm["raised"],
                    since=keys[alarm["since"] - 1], effect=effect, where=where,
                    measure="KS" if stream.holds in ("numbers", "dates") else "total variation",
                    looks=len(keys) - first + 1,
                )
            )  # fmt: skip
        return found

    def _names(self, seen: sequential.State, column: int, stream: Stream) -> dict[int, str]:
        """Return the printable levels by the slot that each of them has to itself."""
        if self._reference is None:
            return {}
        named = _watched.level_names(self._reference, stream)
        slots, own = sequential.slots(seen, column, list(named.values()))
        return {int(s): name for s, name, alone in zip(slots, named, own, strict=True) if alone}


def _notes(state: Plain, epoch: Plain, key: str) -> tuple[str, ...]:
    notes = []
    looks = state["order"]["rows"]
    if epoch["opened"] == key and epoch["number"] > 1:
        notes.append(f"epoch {epoch['number']} begins with this look ({epoch['reason']})")
    later = [other for other in looks if _looks.comes_after(other, key)]
    if later:
        notes.append("this key is older than others already counted: it counts as the latest look")
    return tuple(notes)


def _streams(epoch: Plain, part: str | None = None) -> list[Stream]:
    """Return what an epoch watches, or a part of it."""
    watched = [Stream(*spelt) for spelt in epoch["streams"]]
    return [s for s in watched if part is None or s.labelled == (part == "labels")]


def _spell(stream: Stream) -> str:
    return f"{stream.kind}:{stream.name}"


def _copied(old: Plain | None) -> Plain:
    """Return a state that may be changed without touching the store's own copy."""
    if old is None:
        return {"version": VERSION, "epochs": [], "keys": {}, "taken": 0}
    if old.get("version") != VERSION:
        raise InputError(
            f"the monitor's state has version {old.get('version')!r}; this trustcheck reads"
            f" version {VERSION}"
        )
    new = dict(old)
    for name in ("keys", "order"):
        new[name] = {key: type(value)(value) for key, value in old[name].items()}
    for name in ("epochs", "parts", "alarms", "nearness"):
        new[name] = type(old[name])(old[name])
    return new


def _again(state: Plain, known: Plain, part: str, rows: Rows) -> Look:
    """Return what was said of a key; say so if it comes with other rows this time."""
    part = part if part in known else "rows"
    look = _looks.look_from(known[part]["look"])
    if _fingerprint(state["epochs"][look.epoch - 1], part, rows) == known[part]["rows"]:
        return look
    note = "this key was counted before, with other rows: those given now were not counted"
    return replace(look, notes=(*look.notes, note))


def _fingerprint(epoch: Plain, part: str, rows: Rows) -> str:
    return _watched.fingerprint(rows, _streams(epoch), labels=part == "labels")


def _opened(store: Any) -> Store:
    if hasattr(store, "load_state") and hasattr(store, "update_state"):
        return store
    from trustcheck.store import open_store

    return open_store(store)
