"""Opening the state store's SQLite file, and the guard that lets only one loader write at a time.

Connection settings and nothing else: which URL is accepted, how durable a commit is, how a transaction begins, who may
read the file. Every transaction is BEGIN IMMEDIATE, because a deferred one that reads and then writes fails at once
when another process writes in between; journal_mode=DELETE, because WAL has a corruption bug in the SQLite that many
systems still carry.
"""

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError
from sqlalchemy.pool import NullPool

BUSY_TIMEOUT = 10
T = TypeVar("T")


class StoreUrlError(ValueError):
    """The URL does not name a store this version can use."""


class StoreBusyError(Exception):
    """Another load is writing to the same store."""


def store_path(url: str) -> Path:
    """Return the file an SQLite URL names.

    Raises:
        StoreUrlError: the URL is not of the form `sqlite:///path/to/state.db`.
    """
    try:
        parsed = make_url(url)
    except ArgumentError:
        parsed = None
    if parsed is None or parsed.get_backend_name() != "sqlite" or parsed.database in (None, "", ":memory:"):
        raise StoreUrlError("The state store must be an SQLite file: set STATE_URL to sqlite:///path/to/state.db.")
    return Path(str(parsed.database))


def open_engine(path: Path) -> Engine:
    """Return an engine on an SQLite file that only its owner may read, created if it is missing.

    Raises:
        StoreUrlError: the file cannot be made, or is no SQLite file.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch(mode=0o600)
        path.chmod(0o600)
        _look_at_head(path)
    except (OSError, sqlite3.DatabaseError) as problem:
        raise StoreUrlError(f"STATE_URL names {path}, which cannot be used as a state store: {problem}.") from None
    engine = create_engine(f"sqlite:///{path}", poolclass=NullPool, connect_args={"timeout": BUSY_TIMEOUT})
    event.listen(engine, "connect", _durable)
    event.listen(engine, "begin", _begin_immediate)
    return engine


@contextmanager
def only_writer(path: Path) -> Iterator[None]:
    """Hold the right to write for one load; the system frees it when the process dies.

    The lock is an exclusive transaction on a small file beside the store, never on the store itself, so that the store
    can be read and written in short transactions while a load talks to Xero.

    Raises:
        StoreBusyError: another load holds it.
    """
    lock = path.with_name(path.name + ".lock")
    with closing(sqlite3.connect(lock, timeout=0, isolation_level=None)) as connection:
        lock.chmod(0o600)
        try:
            connection.execute("BEGIN EXCLUSIVE")
        except sqlite3.OperationalError:
            raise StoreBusyError(
                f"Another load is writing to {path.name} right now. Let it finish, then start this one again."
            ) from None
        yield


def chunks(values: Iterable[T], size: int = 500) -> Iterator[Sequence[T]]:
    """Yield values in tuples of at most `size`, so that an SQL IN list never outgrows a database's limit."""
    rest = iter(values)
    while chunk := tuple(islice(rest, size)):
        yield chunk


def _look_at_head(path: Path) -> None:
    with closing(sqlite3.connect(path, timeout=BUSY_TIMEOUT)) as connection:
        connection.execute("PRAGMA schema_version").fetchone()


def _durable(connection: Any, _record: Any) -> None:
    """Take transactions out of the driver's hands and make every commit reach the disk."""
    connection.isolation_level = None
    connection.execute("PRAGMA journal_mode=DELETE")
    connection.execute("PRAGMA synchronous=FULL")


def _begin_immediate(connection: Connection) -> None:
    connection.exec_driver_sql("BEGIN IMMEDIATE")
