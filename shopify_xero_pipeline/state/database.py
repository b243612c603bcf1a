"""Opening the state store's database, and locks for what only one process at a time may do outside a transaction.

What SQLite and Postgres do differently stands here and nowhere else: which URL is accepted, how durable a commit is,
how a transaction begins, who holds a lock.

On both, a transaction is alone in the store from its first statement to its end, because most of them read and then
write. On SQLite that is BEGIN IMMEDIATE; a deferred transaction fails at once when another process writes in between.
On Postgres it is an advisory lock: row locks would not do, as what must stay true in between is often that a row is not
there. The lock comes first and the isolation is READ COMMITTED, so that each statement sees what was committed before
the lock was got; a stricter level would go on looking at a snapshot from before the wait.
"""

import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, closing, contextmanager
from dataclasses import dataclass
from functools import partial
from hashlib import sha256
from itertools import islice
from pathlib import Path
from typing import Any, TypeAlias, TypeVar

from psycopg.errors import LockNotAvailable
from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url, text
from sqlalchemy.exc import ArgumentError, DBAPIError, OperationalError, SQLAlchemyError
from sqlalchemy.pool import NullPool

from shopify_xero_pipeline.state.database_errors import (
    NoDatabaseError,
    StoreBusyError,
    StoreUnreachableError,
    StoreUnwritableError,
    StoreUrlError,
    translate_error,
)
from shopify_xero_pipeline.state.row_checksums import StoreDamagedError

BUSY_TIMEOUT = 10
SESSION = {
    "synchronous_commit": "on",
    "lock_timeout": f"{BUSY_TIMEOUT}s",
    # A process that hangs in a transaction, or a host that vanished, must not keep the others out for long ...
    "idle_in_transaction_session_timeout": "60s",
    "tcp_keepalives_idle": "30",
    "tcp_keepalives_interval": "10",
    "tcp_keepalives_count": "3",
    # ... and a lock that is held while Xero is asked must not be taken from its holder.
    "idle_session_timeout": "0",
}
T = TypeVar("T")
OpenedDatabase: TypeAlias = tuple[Engine, Callable[[str, int], AbstractContextManager[None]]]


class LockTimeoutError(Exception):
    """Another process did not let go of a lock within the time given."""


@dataclass(frozen=True)
class Database:
    """An opened database.

    Attributes:
        name: its URL for messages, without password and options.
        engine: each transaction it begins is alone in the store, and durable once it is committed.
        alone: holds a lock by its purpose, for at most one process at a time; entering waits so many whole seconds (of
            real time) for another holder and then raises `HeldError`. It is freed when its holder's process dies, and
            never stands in the way of transactions.
    """

    name: str
    engine: Engine
    lock: Callable[[str, int], AbstractContextManager[None]]

    @property
    def is_file(self) -> bool:
        """Whether it is a file of this machine, and no server's."""
        return self.engine.dialect.name == "sqlite"


def open_database(url: str) -> Database:
    """Open the database a URL names; an SQLite file is created if it is missing, readable by its owner alone.

    Raises:
        StoreUrlError: the URL is of another form, or what it names cannot be used. Its password is never repeated.
        StoreUnreachableError: its server does not answer now.
        StoreUnwritableError: the disk or the permissions do not let the file be used.
        StoreBusyError: another process keeps the file.
    """
    parsed = _parsed(url)
    name = parsed.set(query={}).render_as_string()
    try:
        engine, alone = OPENERS[parsed.drivername](parsed)
    except (OSError, ValueError, sqlite3.DatabaseError, SQLAlchemyError) as problem:
        cause = problem.orig if isinstance(problem, DBAPIError) else problem
        found = translate_error(cause, name)
        if isinstance(found, StoreBusyError | StoreUnreachableError | StoreUnwritableError):
            raise found from None
        said, wrong = (
            " ".join(str(cause).split()),
            NoDatabaseError if isinstance(found, StoreDamagedError) else StoreUrlError,
        )
        raise wrong(f"STATE_URL names {name}, which cannot be used as a state store: {said}.") from None
    return Database(name, engine, alone)


def chunks(values: Iterable[T], size: int = 500) -> Iterator[Sequence[T]]:
    """Yield values in tuples of at most `size`, so that an SQL IN list never outgrows a database's limit."""
    rest = iter(values)
    while chunk := tuple(islice(rest, size)):
        yield chunk


def _parsed(url: str) -> URL:
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
        raise StoreUrlError("The password in STATE_URL holds an @: write it as %40.")
    return parsed


# -- SQLite ------------------------------------------------------------------------------------------------------------


def _open_sqlite(url: URL) -> OpenedDatabase:
    path = Path(str(url.database))
    if path.is_dir():
        raise ValueError("it is a folder")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch(mode=0o600)
    path.chmod(0o600)
    with closing(sqlite3.connect(path, timeout=BUSY_TIMEOUT)) as connection:
        connection.execute("PRAGMA schema_version").fetchone()
    engine = create_engine(
        f"sqlite:///{path}", poolclass=NullPool, hide_parameters=True, connect_args={"timeout": BUSY_TIMEOUT}
    )
    event.listen(engine, "connect", _make_durable)
    event.listen(engine, "begin", _begin_immediate)
    return engine, partial(_hold_file, path)


def _make_durable(connection: Any, _record: Any) -> None:
    """Take transactions out of the driver's hands and make every commit reach the disk.

    journal_mode=DELETE, because WAL has a corruption bug in the SQLite that many systems still carry.
    """
    connection.isolation_level = None
    connection.execute("PRAGMA journal_mode=DELETE")
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute("PRAGMA secure_delete=ON")  # what was emptied is not left lying in the file


def _begin_immediate(connection: Connection) -> None:
    connection.exec_driver_sql("BEGIN IMMEDIATE")


@contextmanager
def _hold_file(path: Path, purpose: str, wait: int) -> Iterator[None]:
    """Hold an exclusive transaction on a small file beside the store, never on the store itself."""
    lock = path.with_name(f"{path.name}.{purpose}.lock")
    with closing(sqlite3.connect(lock, timeout=wait, isolation_level=None)) as connection:
        lock.chmod(0o600)
        try:
            connection.execute("BEGIN EXCLUSIVE")
        except sqlite3.OperationalError:
            raise LockTimeoutError(purpose) from None
        yield


# -- Postgres ----------------------------------------------------------------------------------------------------------


def _open_postgres(url: URL) -> OpenedDatabase:
    sessions = _postgres_engine(url, isolation_level="AUTOCOMMIT", poolclass=NullPool)
    wanted = "current_schema(), current_setting('server_encoding'), has_schema_privilege(current_schema(), 'CREATE')"
    with sessions.connect() as connection:
        schema, encoding, may_create = connection.execute(text(f"SELECT {wanted}")).one()
    if encoding != "UTF8":
        raise ValueError(f"its encoding is {encoding}, and customers' names need UTF8")
    if not may_create:
        raise ValueError(f"its user may not create tables in the schema {schema or 'it looks in'}")
    # A connection is kept for the next transaction, as making one costs five times what a transaction does.
    engine = _postgres_engine(url, isolation_level="READ COMMITTED", pool_pre_ping=True)
    key = _lock_key("transaction", schema)
    event.listen(engine, "begin", lambda connection: _call(connection, "pg_advisory_xact_lock", key))
    return engine, partial(_hold_session, sessions, schema)


def _postgres_engine(url: URL, **options: Any) -> Engine:
    given = dict(url.query)
    settings = " ".join(f"-c {name}={value}" for name, value in SESSION.items())
    given["options"] = f"{given.get('options', '')} {settings}".strip()
    # A standby would accept the sign-in and refuse the first write.
    defaults = {"connect_timeout": str(BUSY_TIMEOUT), "target_session_attrs": "read-write"}
    url = url.set(drivername="postgresql+psycopg", query={**defaults, **given})
    return create_engine(url, hide_parameters=True, **options)


def _lock_key(purpose: str, schema: str) -> int:
    """Return the number of an advisory lock; Postgres itself keeps those of different databases apart."""
    return int.from_bytes(sha256(f"shopify-xero {purpose} {schema}".encode()).digest()[:8], signed=True)


def _call(connection: Connection, function: str, key: int) -> Any:
    return connection.exec_driver_sql(f"SELECT {function}(%s)", (key,)).scalar()


@contextmanager
def _hold_session(sessions: Engine, schema: str, purpose: str, wait: int) -> Iterator[None]:
    """Hold an advisory lock in a session of its own, outside any transaction; the server frees it if we die."""
    key = _lock_key(purpose, schema)
    with sessions.connect() as connection:
        if not _taken(connection, key, wait):
            raise LockTimeoutError(purpose)
        try:
            yield
        finally:
            # Said, not left to the end of the session: the server comes to that only after the next holder has begun.
            _call(connection, "pg_advisory_unlock", key)


def _taken(connection: Connection, key: int, wait: int) -> bool:
    if wait == 0:
        return bool(_call(connection, "pg_try_advisory_lock", key))
    connection.exec_driver_sql(f"SET lock_timeout = '{wait}s'")
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
