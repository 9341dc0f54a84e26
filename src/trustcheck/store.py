"""Run history, and what a monitor remembers: SQLite by default, PostgreSQL by URL.

Every change is one transaction, durable before the call returns: a job that is killed leaves the
store as it was before or after the change, never between. Passwords are neither stored nor shown.
"""

from __future__ import annotations

import hashlib
import json
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from os import PathLike
from typing import TYPE_CHECKING, Any

from trustcheck import report as forms
from trustcheck._database import LOCK, MIGRATIONS, engine_of, tables, use_wal
from trustcheck._secrets import masked
from trustcheck.types import InputError, Report, Status

if TYPE_CHECKING:
    import sqlalchemy as sa

State = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Run:
    """One line of the history.

    Parameters
    ----------
    number : int
        Counts the runs of a store, oldest first.
    name, key : str
        The job, and what this run stands for: no job has two runs with one key.
    started : str
        ISO date and time, UTC.
    verdict : str
        Of the report.
    code : int
        Exit code of the job.
    profile_sha256, data_sha256, model_sha256, content_sha256 : str or None
        Fingerprints of the profile, the rows, the model file, and the report less what may
        differ between equal runs.
    accepted : bool
        Whether a ratchet compares later runs with this one.
    facts : mapping
        Plain data: where the reports are, what ratchet and monitor said.
    """

    number: int
    id: str
    name: str
    key: str
    started: str
    verdict: str
    code: int
    scope: str
    profile: str
    profile_sha256: str
    data_sha256: str | None
    model_sha256: str | None
    content_sha256: str
    accepted: bool
    facts: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Number:
    """A dimension's score or a finding's number in one run."""

    run: int
    kind: str  # "score" or "finding"
    key: str
    metric: str
    value: float | None
    low: float | None
    high: float | None
    status: str


def open_store(url: str | PathLike[str] | Store, *, create: bool = True) -> Store:
    """Open a history, making or migrating its tables where needed.

    Parameters
    ----------
    url : str, path or Store
        A path or ``sqlite:///`` URL for SQLite; ``postgresql://user:password@host/name`` for
        PostgreSQL. A store is returned as it is.
    create : bool
        Make a SQLite file that does not exist; else it is an error.

    Returns
    -------
    Store

    Raises
    ------
    InputError
        If the libraries for it are not installed, it cannot be reached, or it was written by a
        newer trustcheck.

    Examples
    --------
    >>> import tempfile, pathlib
    >>> folder = tempfile.mkdtemp()
    >>> store = open_store(pathlib.Path(folder) / "history.db")
    >>> store.update_state("monitor", lambda old: {"looks": 1 if old is None else old["looks"] + 1})
    {'looks': 1}
    >>> store.runs()
    []
    """
    return url if isinstance(url, Store) else Store(url, create=create)


class Store:
    """The runs of jobs and the states of monitors in one database; see :func:`open_store`.

    Its methods may be called from many processes at once. A store holds no open connection
    between calls, so it need not be closed.
    """

    def __init__(self, url: str | PathLike[str], *, create: bool = True) -> None:
        self._engine = engine_of(url, create=create)
        self._sqlite = self._engine.dialect.name == "sqlite"
        self._tables = tables()
        self.url: str = masked(self._engine.url.render_as_string(hide_password=True))
        with self._told():
            if self._sqlite:
                use_wal(self._engine)
            self._migrate()

    def __repr__(self) -> str:
        return f"Store({self.url!r})"

    # What a monitor needs -----------------------------------------------------------------------

    def load_state(self, name: str) -> State | None:
        """Return the state kept under a name, or None."""
        import sqlalchemy as sa

        states = self._tables["states"]
        with self._reading() as db:
            text = db.scalar(sa.select(states.c.state).where(states.c.name == _text(name)))
        return None if text is None else _object(text)

    def update_state(self, name: str, change: Callable[[State | None], State]) -> State:
        """Read a state, change it, and write it back, in one transaction.

        Parameters
        ----------
        name : str
            What it is kept under.
        change : callable
            From the old state (None the first time) to the new one, both plain JSON data. No
            other process can read or write this state between the two. If it raises, nothing
            is changed.

        Returns
        -------
        dict
            What was written.
        """
        import sqlalchemy as sa

        states, name = self._tables["states"], _text(name)
        with self._writing() as db:
            # The row is made first, so that two beginners wait for each other too.
            db.execute(self._insert(states, name=name, state=None).on_conflict_do_nothing())
            here = states.c.name == name
            old = db.scalar(sa.select(states.c.state).where(here).with_for_update())
            text = json.dumps(change(None if old is None else _object(old)), sort_keys=True)
            db.execute(sa.update(states).where(here).values(state=text))
        return _object(text)

    # Runs ------------------------------------------------------------------------------------

    def add(
        self,
        report: Report,
        *,
        name: str | None = None,
        key: str | None = None,
        code: int | None = None,
        facts: Mapping[str, Any] | None = None,
    ) -> tuple[Run, bool]:
        """Add a run to the history, unless the job has one with this key.

        A job's first run with exit code 0 is its accepted one, until another is accepted.

        Parameters
        ----------
        report : Report
            Kept whole.
        name : str, optional
            Of the job; the subject's name unless given.
        key : str, optional
            What the run stands for (a day, a batch). By default a fingerprint of the report's
            content, so that the same model judged twice on the same rows counts once.
        code : int, optional
            Exit code of the job; the report's own unless given.
        facts : mapping, optional
            Plain data shown with the run.

        Returns
        -------
        Run, bool
            The run in the history, and whether it is new.
        """
        import sqlalchemy as sa

        runs = self._tables["runs"]
        data = forms.to_dict(report)
        content = _digest({part: data[part] for part in data if part != "run"})
        line: dict[str, Any] = {
            "id": _text(report.run.get("id", "")),
            "name": _text(name or report.subject.get("name") or "unnamed"),
            "key": _text(key or content),
            "started": _text(report.run.get("started", "")),
            "verdict": str(report.verdict),
            "code": report.exit_code() if code is None else code,
            "scope": str(report.scope),
            "profile": _text(report.profile.name),
            "profile_sha256": report.profile.sha256,
            "data_sha256": report.subject.get("data_sha256"),
            "model_sha256": _model_hash(report),
            "content_sha256": content,
            "accepted": False,
            "facts": json.dumps(dict(facts or {}), sort_keys=True),
            "report": zlib.compress(json.dumps(data, sort_keys=True).encode()),
        }
        with self._writing() as db:
            self._one_at_a_time(db)  # or two first runs would both be accepted
            added = db.execute(
                self._insert(runs, **line).on_conflict_do_nothing().returning(runs.c.number)
            ).scalar()
            if added is not None:
                mine = (runs.c.name == line["name"]) & runs.c.accepted
                if line["code"] == 0 and not db.scalar(sa.select(sa.exists().where(mine))):
                    first = sa.update(runs).where(runs.c.number == added)
                    db.execute(first.values(accepted=True))
                rows = [{"run": added, **row} for row in _numbers(report)]
                if rows:
                    db.execute(sa.insert(self._tables["numbers"]), rows)
            same = (runs.c.name == line["name"]) & (runs.c.key == line["key"])
            kept = db.execute(sa.select(*self._columns()).where(same)).one()
        return _run(kept), added is not None

    def runs(self, name: str | None = None) -> list[Run]:
        """Return the runs of a job (of all jobs unless named), oldest first."""
        import sqlalchemy as sa

        runs = self._tables["runs"]
        asked = sa.select(*self._columns()).order_by(runs.c.started, runs.c.number)
        if name is not None:
            asked = asked.where(runs.c.name == _text(name))
        with self._reading() as db:
            return [_run(row) for row in db.execute(asked)]

    def numbers(self, name: str) -> list[Number]:
        """Return the scores and the findings' numbers of a job's runs, oldest first."""
        import sqlalchemy as sa

        runs, numbers = self._tables["runs"], self._tables["numbers"]
        asked = (
            sa.select(numbers)
            .join(runs, runs.c.number == numbers.c.run)
            .where(runs.c.name == _text(name))
            .order_by(runs.c.started, runs.c.number, numbers.c.position)
        )
        with self._reading() as db:
            found = db.execute(asked).mappings().all()
        return [Number(**{part: row[part] for part in Number.__slots__}) for row in found]

    def report(self, number: int) -> Report:
        """Return the report of a run.

        Raises
        ------
        InputError
            If there is no such run.
        """
        import sqlalchemy as sa

        runs = self._tables["runs"]
        with self._reading() as db:
            packed = db.scalar(sa.select(runs.c.report).where(runs.c.number == number))
        if packed is None:
            raise InputError(f"there is no run {number} in {self.url}")
        return forms.from_dict(json.loads(zlib.decompress(packed)))

    def accept(self, number: int) -> Run:
        """Make a run the one that its job's ratchet compares later runs with.

        Raises
        ------
        InputError
            If there is no such run.
        """
        import sqlalchemy as sa

        runs = self._tables["runs"]
        with self._writing() as db:
            self._one_at_a_time(db)
            name = db.scalar(sa.select(runs.c.name).where(runs.c.number == number))
            if name is None:
                raise InputError(f"there is no run {number} in {self.url}")
            here = runs.c.number == number
            db.execute(sa.update(runs).where(runs.c.name == name).values(accepted=here))
            kept = db.execute(sa.select(*self._columns()).where(here)).one()
        return _run(kept)

    # Connections -----------------------------------------------------------------------------

    def _columns(self) -> list[sa.Column[Any]]:
        runs = self._tables["runs"]
        return [runs.c[part] for part in Run.__slots__]

    def _insert(self, table: sa.Table, **values: Any) -> Any:
        from sqlalchemy.dialects import postgresql, sqlite

        return (sqlite if self._sqlite else postgresql).insert(table).values(**values)

    @contextmanager
    def _reading(self) -> Iterator[sa.Connection]:
        with self._told(), self._engine.connect() as db:
            yield db

    @contextmanager
    def _writing(self) -> Iterator[sa.Connection]:
        writer = self._engine.execution_options(writes=True)
        with self._told(), writer.begin() as db:
            yield db

    def _one_at_a_time(self, db: sa.Connection) -> None:
        """Wait for other writers of runs and tables; SQLite has only one at a time anyway."""
        import sqlalchemy as sa

        if not self._sqlite:
            db.execute(sa.select(sa.func.pg_advisory_xact_lock(LOCK)))

    @contextmanager
    def _told(self) -> Iterator[None]:
        """Turn what the database says into one sentence without its secrets."""
        import sqlalchemy as sa

        try:
            yield
        except (sa.exc.SQLAlchemyError, self._engine.dialect.loaded_dbapi.Error) as fault:
            said = str(getattr(fault, "orig", None) or fault).strip().splitlines() or [""]
            why = masked(said[0])
            raise InputError(
                f"the store {self.url} cannot be used ({type(fault).__name__}: {why})"
            ) from None

    def _migrate(self) -> None:
        """Bring the tables to this version; refuse those of a newer one."""
        import sqlalchemy as sa

        version = self._tables["version"]
        with self._reading() as db:  # the common case takes no lock
            there = sa.inspect(db).has_table(version.name)
            if there and db.scalar(sa.select(version.c.version)) == len(MIGRATIONS):
                return
        with self._writing() as db:
            self._one_at_a_time(db)
            version.create(db, checkfirst=True)
            have = db.scalar(sa.select(version.c.version))
            if have is None:
                have = 0
                db.execute(sa.insert(version).values(version=have))
            if have > len(MIGRATIONS):
                raise InputError(
                    f"{self.url} was written by a newer trustcheck (schema {have}; this one knows"
                    f" {len(MIGRATIONS)}): upgrade with pip install -U 'trustcheck[jobs]'"
                )
            for migrate in MIGRATIONS[have:]:
                migrate(db)
            db.execute(sa.update(version).values(version=len(MIGRATIONS)))


# Rows --------------------------------------------------------------------------------------------


def _run(row: Any) -> Run:
    parts = dict(zip(Run.__slots__, row, strict=True))
    return Run(**{**parts, "facts": _object(parts["facts"]), "accepted": bool(parts["accepted"])})


def _numbers(report: Report) -> list[dict[str, Any]]:
    """Return what trends are drawn of: six scores, and each finding's headline and judged metrics."""
    found: list[tuple[str, str, str, float | None, float | None, float | None, str]] = [
        ("score", str(s.dimension), "score", s.score, s.low, s.high, str(s.verdict))
        for s in report.dimension_scores
    ]
    verdicts = {(v.key, v.metric): str(v.status) for v in report.verdicts}
    for finding in report.findings.values():
        if finding.status is not Status.MEASURED:
            status = verdicts.get((finding.key, finding.headline), str(finding.status))
            found.append(("finding", finding.key, finding.headline, None, None, None, status))
            continue
        for metric, e in finding.metrics.items():
            status = verdicts.get((finding.key, metric), "")
            if status or metric == finding.headline:
                found.append(
                    ("finding", finding.key, metric, e.value, e.low, e.high, status or "measured")
                )
    names = ("kind", "key", "metric", "value", "low", "high", "status")
    return [
        {
            "position": i,
            **dict(zip(names, (row[0], _text(row[1]), _text(row[2]), *row[3:]), strict=True)),
        }
        for i, row in enumerate(found)
    ]


def _model_hash(report: Report) -> str | None:
    """Return the hash of the model's file, where the fingerprint probe saw one."""
    for finding in report.findings.values():
        if finding.id == "accountability.fingerprint":
            for row in finding.rows:
                if row.get("item") == "model file" and row.get("sha256"):
                    return str(row["sha256"])
    return None


def _digest(data: Any) -> str:
    return hashlib.sha256(json.dumps(data, sort_keys=True).encode()).hexdigest()


def _object(text: str) -> State:
    found: State = json.loads(text)
    return found


def _text(value: Any) -> str:
    """Return text that every database can hold."""
    return (
        str(value)
        .encode("utf-8", "replace")
        .decode("utf-8")
        .replace("\0", "\N{REPLACEMENT CHARACTER}")
    )
