"""Engines with our settings, the same for SQLite and PostgreSQL, and whether a failure is the database's own."""

import sqlite3
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.pool import ConnectionPoolEntry, NullPool, QueuePool

from store.prepared import OWN_CURSOR, run_bare

BUSY_S = 5.0
TURNS = 10
"""So often somebody else may come first while a new file becomes WAL."""
READERS = 4
POSTGRES_WRITERS = 2
FROZEN_S = {True: 5, False: 60}
"""So long a transaction may stand between two statements, of writers and of readers. The server ends that of a process
that is frozen, or whose machine has left the network: others wait for its locks, such as the one on its lease."""
UTF8: dict[str, Any] = {"client_encoding": "utf8"}
"""Whatever the server's database is in: it translates. Without this its encoding, or PGCLIENTENCODING, would count."""

ALIVE: dict[str, Any] = {
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 20_000,
}
"""A server whose machine or network is gone says nothing: noticed after 20 to 25 s. By itself the operating system
notices after a quarter of an hour, or after two hours where we wait for an answer."""

TOO_MUCH = "54"
"""PostgreSQL's class of what asks too much: a key longer than an index takes, JSON too deep. psycopg counts it among
the failures of the server, but it will never be better: waiting for it would hold up all that comes after it."""


def _use_wal(connection: sqlite3.Connection) -> None:
    """A new file becomes WAL for good. While another process makes the tables SQLite does not wait by itself for that,
    but it does for a turn to be alone, BUSY_S at most."""
    for _ in range(TURNS):
        try:
            connection.execute("PRAGMA journal_mode=WAL")
            return
        except sqlite3.OperationalError as busy:
            if busy.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY:
                raise
        connection.execute("BEGIN EXCLUSIVE")
        connection.execute("ROLLBACK")
    connection.execute("PRAGMA journal_mode=WAL")


def make_engine(url: str, *, writer: bool) -> Engine:
    """An engine with our settings. `sqlite:///file` or `postgresql://…` (psycopg is chosen for it).

    Writers begin with a write lock, so that a read followed by a write cannot deadlock.
    """
    if url.startswith("sqlite"):
        engine = create_engine(
            url,
            poolclass=QueuePool,
            pool_size=1 if writer else READERS,
            max_overflow=0,
            connect_args={"check_same_thread": False, "timeout": BUSY_S, "cached_statements": 256},
        )
        _begin_ourselves(engine, "BEGIN IMMEDIATE" if writer else "BEGIN")

        @event.listens_for(engine, "connect")
        def connected(connection: sqlite3.Connection, _record: Any) -> None:
            _use_wal(connection)
            for pragma in ("synchronous=FULL", "temp_store=MEMORY", "journal_size_limit=67108864"):
                connection.execute(f"PRAGMA {pragma}")

        return engine
    settings = {
        "statement_timeout": "60000",
        "lock_timeout": "10000",
        "idle_in_transaction_session_timeout": f"{FROZEN_S[writer]}s",
    }
    if writer:
        # What writers ask is served by indexes. The first plan of a statement is kept, and while tables are as good as
        # empty it would be to read them whole: a new hub would do so with each lead until the next ANALYZE.
        settings["enable_seqscan"] = "off"
        # A table read whole all the same is reckoned so dear then that the server would compile each such query.
        settings["jit"] = "off"
    options = " ".join(f"-c {name}={value}" for name, value in settings.items())
    from store.libpq import Cursor  # with SQLite psycopg is not loaded

    engine = create_engine(
        postgres_url(url),
        pool_size=POSTGRES_WRITERS + 1 if writer else READERS,
        max_overflow=0,
        pool_pre_ping=True,
        # psycopg prepares nothing itself: it would forget all statements of the connection, ours too, at each rollback
        connect_args=UTF8 | ALIVE | {"connect_timeout": 5, "options": options, "prepare_threshold": None},
    )

    @event.listens_for(engine, "connect")
    def new(connection: Any, record: ConnectionPoolEntry) -> None:
        record.info[OWN_CURSOR] = Cursor(connection)

    return engine


def postgres_url(url: str) -> str:
    """psycopg's own URL scheme; `host1,host2` becomes what SQLAlchemy and libpq agree on."""
    scheme, rest = url.split("://", 1)
    if scheme not in ("postgresql", "postgres", "postgresql+psycopg"):
        raise ValueError(f"unknown database scheme {scheme!r}")
    location, slash, name = rest.partition("/")
    user, at, hosts = location.rpartition("@")
    if "," in hosts and ":" in hosts:
        # SQLAlchemy reads one port only from this place; libpq takes a list of hosts and a list of ports.
        pairs = [_host_and_port(one) for one in hosts.split(",")]
        listed = f"host={','.join(host for host, _ in pairs)}&port={','.join(port for _, port in pairs)}"
        rest = f"{user}{at or '@'}{slash}{name}{'&' if '?' in name else '?'}{listed}"
    return f"postgresql+psycopg://{rest}"


def _host_and_port(written: str) -> tuple[str, str]:
    """("db1", "5433"), ("::1", "5432"): without brackets, with the port that is meant."""
    host, colon, port = written.rpartition(":") if not written.endswith("]") else ("", "", "")
    return (host if colon else written).strip("[]"), port if colon else "5432"


def admin_engine(url: str) -> Engine:
    """An engine that keeps no connection open: for migrations and one-off work."""
    if url.startswith("sqlite"):
        engine = create_engine(url, poolclass=NullPool)
        _begin_ourselves(engine, "BEGIN")
        return engine
    return create_engine(postgres_url(url), poolclass=NullPool, connect_args=UTF8)


def _begin_ourselves(engine: Engine, begin: str) -> None:
    """The driver begins none to read or to make a table: a backup would be no snapshot, a cut-off upgrade half done."""

    @event.listens_for(engine, "connect")
    def connected(connection: sqlite3.Connection, _record: Any) -> None:
        connection.isolation_level = None

    @event.listens_for(engine, "begin")
    def began(connection: Connection) -> None:
        run_bare(connection, begin)


def unavailable(exc: Exception) -> bool:
    """Whether the database itself failed, rather than what was asked of it."""
    if isinstance(exc, OperationalError) and (getattr(exc.orig, "sqlstate", "") or "").startswith(TOO_MUCH):
        return False
    if isinstance(exc, (OperationalError, InterfaceError)):
        return True
    return isinstance(exc, DBAPIError) and exc.connection_invalidated
