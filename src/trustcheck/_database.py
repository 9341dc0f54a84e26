"""The database behind a store: how it is reached, its tables, and how older ones become them."""

from __future__ import annotations

import time
from collections.abc import Callable
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

from trustcheck._secrets import remember, remember_url
from trustcheck.types import InputError

if TYPE_CHECKING:
    import sqlalchemy as sa

WAIT = 60  # seconds a writer waits for another one
LOCK = 0x7473_6368  # PostgreSQL: the advisory lock that writers of runs and tables hold


def engine_of(url: str | PathLike[str], *, create: bool) -> sa.Engine:
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
    for name in ("password", "sslpassword"):
        for value in made.normalized_query.get(name, ()):
            remember(value)
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


def use_wal(engine: sa.Engine) -> None:
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


def tables() -> dict[str, sa.Table]:
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
        sa.Column("report", sa.LargeBinary(), nullable=False),  # JSON, zlib
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
    made = tables()
    for name in ("runs", "numbers", "states"):
        made[name].create(db, checkfirst=True)


#: The i-th brings schema i to schema i + 1. Never change one that was released; append.
MIGRATIONS: list[Callable[[Any], None]] = [_first]
