"""Errors of the state store's database, and their translation from the exceptions of the drivers.

This module only translates. `verification.py` detects damage that the database does not notice.
"""

import errno
import os
import sqlite3
from typing import Any

from sqlalchemy import Engine, event

DAMAGED = {
    sqlite3.SQLITE_CORRUPT: "SQLite reports that its file is malformed",
    sqlite3.SQLITE_NOTADB: "its file is no longer a database",
    sqlite3.SQLITE_ERROR: "a part of it is missing",
}
UNWRITABLE = frozenset({sqlite3.SQLITE_FULL, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN})
LOCKED = frozenset({sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED})
PRIMARY = 0xFF
"""Mask of the primary result code in an extended one (https://www.sqlite.org/rescode.html)."""

DISK = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM, errno.EIO, errno.EFBIG})
TRANSIENT = ("starting up", "shutting down", "recovery mode", "too many clients", "connection slots")
"""Parts of Postgres' FATAL messages after which a later connection can succeed; other FATAL messages are permanent."""


class StoreUrlError(ValueError):
    """The URL does not name a store that this version can use."""


class StoreUnreachableError(StoreUrlError):
    """The database server does not respond or refuses connections; the error is transient."""

    def __init__(self, name: str, reason: str) -> None:
        super().__init__(
            f"STATE_URL names {name}, which cannot be used as a state store: {' '.join(reason.split()).rstrip('.?')}. "
            "Start its server or wait for it, or correct STATE_URL; then run again. Nothing is lost."
        )


class NoDatabaseError(StoreUrlError):
    """The file of the URL is not a database."""


class StoreUnwritableError(Exception):
    """The disk refuses data that must be durable before a request is sent."""

    def __init__(self, name: str, reason: str) -> None:
        super().__init__(
            f"The state store cannot be written ({name}: {reason}), and nothing is sent to Xero that is not recorded "
            "in it first. Free some disk space, or correct the disk or its permissions; then run again."
        )


class StoreBusyError(Exception):
    """Another process locks the store for longer than any transaction of this project takes."""

    def __init__(self, name: str) -> None:
        super().__init__(
            f"The state store {name} is locked by another process, and waiting for it timed out. If that process is "
            "suspended, or its host has stopped, resume or end it; then run again. Nothing is lost."
        )


class StoreDamagedError(Exception):
    """The content of the state store cannot be trusted; nothing more is written to Xero from it."""

    def __init__(self, what: str) -> None:
        super().__init__(
            f"The state store is damaged: {what}. Nothing was written to Xero. Run `shopify-xero rebuild`: it "
            "quarantines the damaged store and builds a new one from Shopify and Xero."
        )


class StoreReplacedError(Exception):
    """Another store replaced the store of a running load."""

    def __init__(self) -> None:
        super().__init__(
            "The state store was replaced while it was in use, so the last request is missing from it. Nothing more is "
            "sent. Run again: the next run reads back the records in Xero first."
        )


def translate_error(problem: BaseException | None, name: str) -> Exception | None:
    """Return the error to raise instead of a driver's exception, or None if the exception is clear enough.

    Args:
        problem: the exception of the driver or the operating system.
        name: the store's URL for messages.
    """
    if problem.__class__.__module__.partition(".")[0] == "psycopg":
        return _translate_postgres_error(problem, name)
    if isinstance(problem, OSError) and problem.errno in DISK:
        return StoreUnwritableError(name, os.strerror(problem.errno))
    if not isinstance(problem, sqlite3.Error):
        return None
    code = getattr(problem, "sqlite_errorcode", None)
    if code is None:
        return StoreDamagedError("a text in it cannot be decoded") if "decode" in str(problem) else None
    if code & PRIMARY in LOCKED:
        return StoreBusyError(name)
    if code & PRIMARY in UNWRITABLE:
        return StoreUnwritableError(name, str(problem))
    return StoreDamagedError(DAMAGED[code & PRIMARY]) if code & PRIMARY in DAMAGED else None


def _translate_postgres_error(problem: BaseException | None, name: str) -> Exception | None:
    """Return the error of a failed or lost connection to Postgres, or None if it is permanent."""
    import psycopg  # half the start-up time of a store on SQLite would go into this import

    if isinstance(problem, psycopg.errors.LockNotAvailable):
        return StoreBusyError(name)
    if not isinstance(problem, psycopg.OperationalError | psycopg.InterfaceError):
        return None
    message = str(problem)
    if isinstance(problem, psycopg.errors.DiskFull):
        return StoreUnwritableError(name, "its disk is full")
    refused = "FATAL" in message and not any(words in message for words in TRANSIENT)
    return None if refused or "invalid" in message else StoreUnreachableError(name, message)


def install_error_translation(engine: Engine, name: str) -> None:
    """Make an engine raise the errors of `translate_error` instead of the driver's exceptions."""

    def translate(context: Any) -> None:
        translation = translate_error(context.original_exception, name)
        if translation is not None:
            raise translation from None

    event.listen(engine, "handle_error", translate)
