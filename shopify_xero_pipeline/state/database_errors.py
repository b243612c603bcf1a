"""What a database says when it is damaged, held by another process or cannot be written, told for people.

Only the translation belongs here; finding damage that a database does not notice is `verification.py`'s.
"""

import errno
import os
import sqlite3
from typing import Any

import psycopg
from psycopg.errors import LockNotAvailable
from sqlalchemy import Engine, event

from shopify_xero_pipeline.state.row_checksums import StoreDamagedError

DAMAGED = {
    sqlite3.SQLITE_CORRUPT: "SQLite finds its file malformed",
    sqlite3.SQLITE_NOTADB: "its file is not a database any more",
    sqlite3.SQLITE_ERROR: "something is missing from it",
}
UNWRITABLE = frozenset({sqlite3.SQLITE_FULL, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN})
HELD = frozenset({sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED})
PRIMARY = 0xFF
DISK = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM, errno.EIO, errno.EFBIG})
COMING = ("starting up", "shutting down", "recovery mode", "too many clients", "connection slots")
"""What a Postgres server says at the door when it can be used a little later; anything else it says is for good."""


class StoreUrlError(ValueError):
    """The URL does not name a store this version can use."""


class StoreUnreachableError(StoreUrlError):
    """The database's server does not answer, or takes no connection now; it may do so soon."""

    def __init__(self, name: str, said: str) -> None:
        super().__init__(
            f"STATE_URL names {name}, which cannot be used as a state store: {' '.join(said.split()).rstrip('.?')}. "
            "Start its server or wait for it, or correct STATE_URL; then run again. Nothing is lost."
        )


class NoDatabaseError(StoreUrlError):
    """The file that the URL names is no database."""


class StoreUnwritableError(Exception):
    """The disk does not take what must be on it before anything may be sent."""

    def __init__(self, name: str, said: str) -> None:
        super().__init__(
            f"The state store cannot be written ({name}: {said}), and nothing is sent to Xero that is not written down "
            "first. Free some space or mend the disk or its permissions, then run again."
        )


class StoreBusyError(Exception):
    """Another process kept the store for longer than anything of ours takes."""

    def __init__(self, name: str) -> None:
        super().__init__(
            f"The state store {name} was kept by another process all the time it was waited for. If that one was "
            "suspended, or its host has stopped, let it go on or end it; then run again. Nothing is lost."
        )


class StoreReplacedError(Exception):
    """Another store took the place of the one a load was working with."""

    def __init__(self) -> None:
        super().__init__(
            "The state store was replaced while it was in use: it does not know what was sent last. Nothing more is "
            "sent. Run again: what is in Xero is read back first."
        )


def translate_error(problem: BaseException | None, name: str) -> Exception | None:
    """Return what to raise in place of a driver's exception, or None where it says it well enough."""
    if isinstance(problem, LockNotAvailable):
        return StoreBusyError(name)
    if isinstance(problem, psycopg.OperationalError | psycopg.InterfaceError):
        return _of_server(problem, name)
    if isinstance(problem, OSError) and problem.errno in DISK:
        return StoreUnwritableError(name, os.strerror(problem.errno))
    if not isinstance(problem, sqlite3.Error):
        return None
    code = getattr(problem, "sqlite_errorcode", None)
    if code is None:
        return StoreDamagedError("a text in it cannot be read") if "decode" in str(problem) else None
    if code & PRIMARY in HELD:
        return StoreBusyError(name)
    if code & PRIMARY in UNWRITABLE:
        return StoreUnwritableError(name, str(problem))
    return StoreDamagedError(DAMAGED[code & PRIMARY]) if code & PRIMARY in DAMAGED else None


def _of_server(problem: psycopg.Error, name: str) -> Exception | None:
    """Return the fault of a connection to Postgres that did not come about or broke; None for what it says for good."""
    said = str(problem)
    if isinstance(problem, psycopg.errors.DiskFull):
        return StoreUnwritableError(name, "its disk is full")
    refused = "FATAL" in said and not any(words in said for words in COMING)
    return None if refused or "invalid" in said else StoreUnreachableError(name, said)


def install_error_translation(engine: Engine, name: str) -> None:
    """Have an engine raise `StoreBusyError`, `StoreDamagedError` and `StoreUnwritableError` where they apply."""

    def translate(context: Any) -> None:
        found = translate_error(context.original_exception, name)
        if found is not None:
            raise found from None

    event.listen(engine, "handle_error", translate)
