"""Run history, and what a monitor remembers: SQLite by default, PostgreSQL by URL.

Every change is one transaction, durable before the call returns: a job that is killed leaves the
store as it was before or after the change, never between. Passwords are neither stored nor shown.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

from trustcheck import report as forms
from trustcheck._secrets import masked, remember_url
from trustcheck.types import InputError, Report, Status

if TYPE_CHECKING:
    import sqlalchemy as sa

WAIT = 60  # seconds a writer waits for another one
_LOCK = 0x7473_6368  # PostgreSQL: the advisory lock that migrations hold
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
        self._engine = _engine(url, create=create)
        self._sqlite = self._engine.dialect.name == "sqlite"
        self._tables = _tables()
        self.url: str = masked(self._engine.url.render_as_string(hide_password=True))
        with self._told():
            if self._sqlite:
                _use_wal(self._engine)
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
            "report": json.dumps(data, sort_keys=True),
        }
        with self._writing() as db:
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
            text = db.scalar(sa.select(runs.c.report).where(runs.c.number == number))
        if text is None:
            raise InputError(f"there is no run {number} in {self.url}")
        return forms.from_dict(json.loads(text))

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
            if not self._sqlite:
                db.execute(sa.select(sa.func.pg_advisory_xact_lock(_LOCK)))
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


def _engine(url: str | PathLike[str], *, create: bool) -> sa.Engine:
    try:
        import sqlalchemy as sa
    except ImportError as fault:
        raise InputError("a store needs SQLAlchemy: pip install 'trustcheck[jobs]'") from fault
    text = str(url)
    remember_url(text)
    if "://" not in text:
        text = f"sqlite:///{Path(text)}"
    try:
        made = sa.engine.make_url(text)
    except (sa.exc.ArgumentError, ValueError):
        raise InputError(
            "the store's URL cannot be read; write a path, or"
            " postgresql://user:password@host:port/name with %-escapes for special characters"
        ) from None
    kind = made.get_backend_name()
    if kind == "sqlite":
        return _sqlite_engine(made, create=create)
    if kind not in ("postgresql", "postgres"):
        raise InputError(f"no store of kind {kind!r}: give a path (SQLite) or a postgresql:// URL")
    try:
        import psycopg  # noqa: F401
    except ImportError:
        raise InputError(
            "a PostgreSQL store needs psycopg: pip install 'trustcheck[postgres]'"
        ) from None
    return sa.create_engine(
        made.set(drivername="postgresql+psycopg"),
        poolclass=sa.NullPool,
        hide_parameters=True,
        connect_args={
            "connect_timeout": 10,
            **({} if "application_name" in made.query else {"application_name": "trustcheck"}),
        },
    )


def _sqlite_engine(url: sa.URL, *, create: bool) -> sa.Engine:
    import sqlalchemy as sa

    if not url.database or url.database == ":memory:":
        raise InputError("a store in memory is lost when the job ends: give a path")
    path = Path(url.database)
    if path.is_dir():
        raise InputError(f"the store {path} is a folder; give the path of a file in it")
    if not create and not path.is_file():
        raise InputError(f"there is no store {path}")
    path.parent.mkdir(parents=True, exist_ok=True)
    engine = sa.create_engine(
        url, poolclass=sa.NullPool, hide_parameters=True, connect_args={"timeout": WAIT}
    )

    @sa.event.listens_for(engine, "connect")
    def _connect(connection: Any, record: Any) -> None:
        del record
        connection.isolation_level = None  # we say BEGIN ourselves
        connection.execute(f"PRAGMA busy_timeout = {WAIT * 1000}")
        connection.execute("PRAGMA synchronous = FULL")  # durable, not only consistent
        connection.execute("PRAGMA foreign_keys = ON")

    @sa.event.listens_for(engine, "begin")
    def _begin(db: sa.Connection) -> None:
        # A writer takes its lock before it reads, so that no two decide on the same old state.
        writes = db.get_execution_options().get("writes")
        db.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

    return engine


def _use_wal(engine: sa.Engine) -> None:
    """Let readers and a writer work at once; where the file system cannot, locks still hold."""
    import sqlalchemy as sa

    deadline = time.monotonic() + WAIT
    connection = engine.raw_connection()
    try:
        while True:
            try:
                connection.cursor().execute("PRAGMA journal_mode = WAL")
            except engine.dialect.loaded_dbapi.OperationalError as fault:
                # Two jobs that make the file at once: SQLite does not wait here by itself.
                if "locked" not in str(fault) or time.monotonic() > deadline:
                    raise sa.exc.OperationalError("PRAGMA journal_mode", None, fault) from None
                time.sleep(0.05)
            else:
                return
    finally:
        connection.close()


# Tables, and how older ones become them ----------------------------------------------------------


def _tables() -> dict[str, sa.Table]:
    import sqlalchemy as sa

    meta = sa.MetaData()
    text, whole = sa.Text(), sa.Integer()
    version = sa.Table("trustcheck_version", meta, sa.Column("version", whole, nullable=False))
    runs = sa.Table(
        "trustcheck_runs", meta,
        sa.Column("number", whole, primary_key=True, autoincrement=True),
        *(sa.Column(name, text, nullable=False) for name in ("id", "name", "key", "started", "verdict")),
        sa.Column("code", whole, nullable=False),
        *(sa.Column(name, text, nullable=False) for name in ("scope", "profile", "profile_sha256")),
        sa.Column("data_sha256", text),
        sa.Column("model_sha256", text),
        sa.Column("content_sha256", text, nullable=False),
        sa.Column("accepted", sa.Boolean(), nullable=False),
        sa.Column("facts", text, nullable=False),
        sa.Column("report", text, nullable=False),
        sa.UniqueConstraint("name", "key", name="trustcheck_one_run_per_key"),
    )  # fmt: skip
    numbers = sa.Table(
        "trustcheck_numbers", meta,
        sa.Column("run", whole, sa.ForeignKey("trustcheck_runs.number"), primary_key=True),
        sa.Column("position", whole, primary_key=True, autoincrement=False),
        *(sa.Column(name, text, nullable=False) for name in ("kind", "key", "metric")),
        *(sa.Column(name, sa.Double()) for name in ("value", "low", "high")),
        sa.Column("status", text, nullable=False),
    )  # fmt: skip
    states = sa.Table(
        "trustcheck_states", meta,
        sa.Column("name", text, primary_key=True),
        sa.Column("state", text),
    )  # fmt: skip
    return {"version": version, "runs": runs, "numbers": numbers, "states": states}


def _first(db: sa.Connection) -> None:
    tables = _tables()
    for name in ("runs", "numbers", "states"):
        tables[name].create(db, checkfirst=True)


#: The i-th brings schema i to schema i + 1. Never change one that was released; append.
MIGRATIONS: list[Callable[[Any], None]] = [_first]


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
