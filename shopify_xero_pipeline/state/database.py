"""Engine and process locks of the state store, for SQLite and Postgres.

Every difference between the two databases is in this module: the URL, the durability of a commit, the start of a
transaction, the holder of a lock.

On both, a transaction is alone in the store from its first statement to its end, because most transactions read and
then write. SQLite uses BEGIN IMMEDIATE: a deferred transaction fails at once if another process writes in between.
Postgres uses an advisory lock: row locks do not protect the absence of a row, on which many transactions depend. The
transaction takes the lock first and runs at READ COMMITTED, so that each statement sees everything committed before the
lock was acquired; a stricter level would read a snapshot from before the wait.
"""

import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, closing, contextmanager
from dataclasses import dataclass
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Any, TypeAlias

from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url, text
from sqlalchemy.exc import ArgumentError, DBAPIError, OperationalError, SQLAlchemyError
from sqlalchemy.pool import NullPool

from shopify_xero_pipeline.state.database_errors import (
    NoDatabaseError,
    StoreBusyError,
    StoreDamagedError,
    StoreUnreachableError,
    StoreUnwritableError,
    StoreUrlError,
    translate_error,
)
from shopify_xero_pipeline.state.file_mark import FileMark

BUSY_TIMEOUT = 10
"""Seconds to wait for the lock of another process, or for a connection."""

SESSION = {
    "synchronous_commit": "on",
    "lock_timeout": f"{BUSY_TIMEOUT}s",
    # A process that hangs in a transaction, or a lost host, must not lock out the others for long.
    "idle_in_transaction_session_timeout": "60s",
    "tcp_keepalives_idle": "30",
    "tcp_keepalives_interval": "10",
    "tcp_keepalives_count": "3",
    # A session that holds an advisory lock is idle during a call to Xero and must not lose the lock.
    "idle_session_timeout": "0",
}
OpenedDatabase: TypeAlias = tuple[Engine, Callable[[str, int], AbstractContextManager[None]], FileMark | None]


class LockTimeoutError(Exception):
    """Another process did not release a lock in time."""


@dataclass(frozen=True)
class Database:
    """An open database.

    Attributes:
        name: its URL for messages, without password and options.
        engine: begins transactions that are alone in the store and durable once committed.
        lock: holds the lock of a purpose, for one process at a time. Entering waits at most that many whole seconds (of
            real time) for another holder and then raises `LockTimeoutError`; it raises `StoreUnwritableError` if the
            lock cannot be written. The lock is released when its process dies, and never blocks transactions.
        mark: the mark of an SQLite file, which each transaction writes; None for a server.
    """

    name: str
    engine: Engine
    lock: Callable[[str, int], AbstractContextManager[None]]
    mark: FileMark | None = None

    @property
    def is_file(self) -> bool:
        """Whether the database is a file on this machine and not on a server."""
        return self.engine.dialect.name == "sqlite"


def open_database(url: str) -> Database:
    """Open the database of a URL. A missing SQLite file is created, readable by its owner only.

    Raises:
        StoreUrlError: the URL is invalid, or its database cannot be used. The message never contains the password.
        StoreUnreachableError: the server does not respond.
        StoreUnwritableError: the disk or the permissions do not allow use of the file.
        StoreBusyError: another process locks the file.
    """
    parsed = _parse_url(url)
    name = parsed.set(query={}).render_as_string()
    try:
        engine, lock, mark = OPENERS[parsed.drivername](parsed)
    except (OSError, ValueError, sqlite3.DatabaseError, SQLAlchemyError) as problem:
        cause = problem.orig if isinstance(problem, DBAPIError) else problem
        translation = translate_error(cause, name)
        if isinstance(translation, StoreBusyError | StoreUnreachableError | StoreUnwritableError):
            raise translation from None
        error = NoDatabaseError if isinstance(translation, StoreDamagedError) else StoreUrlError
        detail = " ".join(str(cause).split())
        raise error(f"STATE_URL names {name}, which cannot be used as a state store: {detail}.") from None
    return Database(name, engine, lock, mark)


def _parse_url(url: str) -> URL:
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):
        parsed = URL.create("unknown")
    if parsed.drivername not in OPENERS or parsed.database in (None, "", ":memory:"):
        raise StoreUrlError(
            "The state store must be an SQLite file or a Postgres database: set STATE_URL to "
            "sqlite:///path/to/state.db or postgresql://user:password@host/database."
        )
    if parsed.drivername != "sqlite" and "@" in f"{parsed.host}{parsed.database}":
        raise StoreUrlError("The password in STATE_URL contains an @: write it as %40.")
    return parsed


# -- SQLite ------------------------------------------------------------------------------------------------------------


def _open_sqlite(url: URL) -> OpenedDatabase:
    path = Path(str(url.database))
    if path.is_dir():
        raise ValueError("it is a folder")
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.exists():  # a new time would not fit the file's mark
        path.touch(mode=0o600)
    path.chmod(0o600)
    with closing(sqlite3.connect(path, timeout=BUSY_TIMEOUT)) as connection:
        connection.execute("PRAGMA schema_version").fetchone()
    engine = create_engine(
        f"sqlite:///{path}", poolclass=NullPool, hide_parameters=True, connect_args={"timeout": BUSY_TIMEOUT}
    )
    turn = _Turn()
    event.listen(engine, "connect", _make_durable)
    event.listen(engine, "begin", lambda connection: turn.begin(connection.info))
    event.listen(engine, "begin", _begin_immediate)
    mark = FileMark(path)
    event.listen(engine, "begin", lambda _connection: mark.check())
    event.listen(engine, "checkin", lambda _connection, _record: mark.write())
    event.listen(engine, "checkin", lambda _connection, record: turn.end(record.info))
    return engine, partial(_hold_file, path), mark


class _Turn:
    """The turn of one thread of this process, from the start of its transaction to the end of its connection.

    SQLite's own wait for a lock polls in steps of up to 100 ms, and a mark is written after its commit.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()

    def begin(self, info: dict[str, Any]) -> None:
        """Wait for the other threads; after `BUSY_TIMEOUT` SQLite itself waits, and then refuses the transaction."""
        if not info.get("has_turn"):
            info["has_turn"] = self._lock.acquire(timeout=BUSY_TIMEOUT)

    def end(self, info: dict[str, Any]) -> None:
        """Let the next thread begin."""
        if info.pop("has_turn", False):
            self._lock.release()


def _make_durable(connection: Any, _record: Any) -> None:
    """Disable the driver's own transactions and flush every commit to the disk.

    journal_mode=DELETE, because WAL has a corruption bug in the SQLite of many current systems.
    """
    connection.isolation_level = None
    connection.execute("PRAGMA journal_mode=DELETE")
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute("PRAGMA secure_delete=ON")  # overwrites deleted content in the file


def _begin_immediate(connection: Connection) -> None:
    connection.exec_driver_sql("BEGIN IMMEDIATE")


@contextmanager
def _hold_file(path: Path, purpose: str, wait: int) -> Iterator[None]:
    """Hold an exclusive transaction on a small file beside the store, never on the store itself."""
    lock = path.with_name(f"{path.name}.{purpose}.lock")
    with ExitStack() as stack:
        try:
            connection = stack.enter_context(closing(sqlite3.connect(lock, timeout=wait, isolation_level=None)))
            lock.chmod(0o600)
            connection.execute("BEGIN EXCLUSIVE")
        except (sqlite3.Error, OSError) as problem:
            if isinstance(translate_error(problem, str(lock)), StoreBusyError):
                raise LockTimeoutError(purpose) from None
            raise StoreUnwritableError(str(lock), str(problem)) from None
        yield


# -- Postgres ----------------------------------------------------------------------------------------------------------


def _open_postgres(url: URL) -> OpenedDatabase:
    sessions = _create_postgres_engine(url, isolation_level="AUTOCOMMIT", poolclass=NullPool)
    columns = "current_schema(), current_setting('server_encoding'), has_schema_privilege(current_schema(), 'CREATE')"
    with sessions.connect() as connection:
        schema, encoding, may_create = connection.execute(text(f"SELECT {columns}")).one()
    if encoding != "UTF8":
        raise ValueError(f"its encoding is {encoding}, and customers' names need UTF8")
    if not may_create:
        raise ValueError(f"its user may not create tables in the schema {schema or 'it looks in'}")
    # Transactions reuse pooled connections: opening one costs five times as much as a transaction.
    engine = _create_postgres_engine(url, isolation_level="READ COMMITTED", pool_pre_ping=True)
    key = _lock_key("transaction", schema)
    event.listen(engine, "begin", lambda connection: _call(connection, "pg_advisory_xact_lock", key))
    return engine, partial(_hold_session, sessions, schema), None


def _create_postgres_engine(url: URL, **options: Any) -> Engine:
    query = dict(url.query)
    settings = " ".join(f"-c {name}={value}" for name, value in SESSION.items())
    query["options"] = f"{query.get('options', '')} {settings}".strip()
    # A standby would accept the connection and refuse the first write.
    defaults = {"connect_timeout": str(BUSY_TIMEOUT), "target_session_attrs": "read-write"}
    url = url.set(drivername="postgresql+psycopg", query={**defaults, **query})
    return create_engine(url, hide_parameters=True, **options)


def _lock_key(purpose: str, schema: str) -> int:
    """Return the number of an advisory lock. Postgres separates the locks of different databases."""
    return int.from_bytes(sha256(f"shopify-xero {purpose} {schema}".encode()).digest()[:8], signed=True)


def _call(connection: Connection, function: str, key: int) -> Any:
    return connection.exec_driver_sql(f"SELECT {function}(%s)", (key,)).scalar()


@contextmanager
def _hold_session(sessions: Engine, schema: str, purpose: str, wait: int) -> Iterator[None]:
    """Hold an advisory lock in its own session, outside any transaction. The server releases it if the process dies."""
    key = _lock_key(purpose, schema)
    with sessions.connect() as connection:
        if not _acquire(connection, key, wait):
            raise LockTimeoutError(purpose)
        try:
            yield
        finally:
            # Explicit, because the server processes the end of a session only after the next holder has begun.
            _call(connection, "pg_advisory_unlock", key)


def _acquire(connection: Connection, key: int, wait: int) -> bool:
    if wait == 0:
        return bool(_call(connection, "pg_try_advisory_lock", key))
    connection.exec_driver_sql(f"SET lock_timeout = '{wait}s'")
    from psycopg.errors import LockNotAvailable

    try:
        _call(connection, "pg_advisory_lock", key)
    except OperationalError as problem:
        if isinstance(problem.orig, LockNotAvailable):
            return False
        raise
    return True


OPENERS: dict[str, Callable[[URL], OpenedDatabase]] = {
    "sqlite": _open_sqlite,
    "postgresql": _open_postgres,
    "postgresql+psycopg": _open_postgres,
}
