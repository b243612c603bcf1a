"""Translation of disk errors and of errors of Dagster's storage into one sentence with a remedy.

This module only translates errors; `state/database_errors.py` does the same for the state store. Dagster's storage has
no data of the books, so a person may move it aside at any time.
"""

import errno
import os
import re
import shutil
import traceback
from collections.abc import Iterable, Iterator
from enum import Enum
from pathlib import Path

from shopify_xero_pipeline.pipeline.connections import PipelineError, TryLaterError

STORAGE = re.compile(r"dagster/_core/(storage|instance)|dagster_postgres")
"""Source paths of Dagster's storage code; an error raised there comes from its storage."""

MAX_MESSAGE_LENGTH = 240
"""Characters of a quoted error message; longer ones are cut."""

MIN_FREE_BYTES = 1_000_000
"""Free space below which a disk counts as full; a run of a day writes about a fifth of it."""

RETRY_HINT = "then run again; nothing is lost"


class StorageFault(Enum):
    """A kind of storage fault.

    Attributes:
        pattern: a regular expression that matches its messages.
        remedy: problem and remedy, as the end of a sentence.
    """

    FULL = (
        r"database or disk is full|No space left|Disk quota exceeded|File too large",
        f"there is no space left. Free some, {RETRY_HINT}",
    )
    BUSY = (r"database (table )?is locked", f"it is locked by another process. Let that process end, {RETRY_HINT}")
    DAMAGED = (
        r"file is not a database|malformed|no such (table|column)|Can't locate revision|could not decode",
        "it is damaged. It has the history of runs for the UI and no data of the books: move its folders `history` "
        f"and `schedules` aside, {RETRY_HINT}",
    )
    READ_ONLY = (
        r"readonly database|unable to open database file|disk I/O error|Permission denied|Read-only file system",
        f"it is not writable. Free some space, repair the disk or the permissions, or choose another folder, "
        f"{RETRY_HINT}",
    )
    NO_FOLDER = (
        r"File exists|Not a directory|No such file|Is a directory",
        f"a file stands where a folder should be, or a folder is missing. Choose another place, {RETRY_HINT}",
    )
    UNREACHABLE = (
        r"could not connect|connection (to server )?.*failed|Connection refused|could not translate host name",
        f"its database does not respond. Start it, or correct its address in dagster.yaml, {RETRY_HINT}",
    )

    def __init__(self, pattern: str, remedy: str) -> None:
        self.pattern, self.remedy = pattern, remedy


TRANSIENT_FAULTS = (StorageFault.BUSY, StorageFault.UNREACHABLE)


class DagsterStorageError(PipelineError):
    """Dagster's storage cannot be used."""


class DagsterStorageBusyError(TryLaterError):
    """Dagster's storage is temporarily unavailable."""


def classify_fault(text: str) -> StorageFault | None:
    """Return the fault of an error message; None if it is unknown."""
    return next((fault for fault in StorageFault if re.search(fault.pattern, text, re.IGNORECASE)), None)


def from_dagster(problem: BaseException, home: Path, *, known_only: bool = False) -> PipelineError | None:
    """Return the error to raise in place of an exception of Dagster's storage; None for other exceptions.

    Args:
        problem: the exception.
        home: DAGSTER_HOME.
        known_only: return None for an unknown fault.
    """
    fault = next((known for error in _chain(problem) if (known := classify_fault(str(error))) is not None), None)
    if not any(_is_from_storage(error, home) for error in _chain(problem)) or (known_only and fault is None):
        return None
    return _build_error(fault, home, _describe(problem))


def from_step(message: str, stack: Iterable[str], home: Path) -> PipelineError | None:
    """Return the error of Dagster's storage that made a step fail; None for other causes.

    Args:
        message: the exception's message.
        stack: the exception's stack as Dagster stores it, a text for each frame.
        home: DAGSTER_HOME.
    """
    fault = classify_fault(message)
    return _build_error(fault, home, message) if fault and any(STORAGE.search(frame) for frame in stack) else None


def _build_error(fault: StorageFault | None, home: Path, description: str) -> PipelineError:
    # On a full disk, SQLite reports a read-only database if it cannot create a file beside it.
    if fault is StorageFault.READ_ONLY and _is_full(home):
        fault = StorageFault.FULL
    remedy = fault.remedy if fault else f"{description}. Repair it, or move the folder aside, {RETRY_HINT}"
    message = f"Dagster's storage of runs (DAGSTER_HOME={home}) cannot be used: {remedy}."
    return DagsterStorageBusyError(message) if fault in TRANSIENT_FAULTS else DagsterStorageError(message)


def from_instance_settings(problem: BaseException, home: Path) -> PipelineError:
    """Return the error of an invalid `dagster.yaml`, without Dagster's long list of expected settings."""
    errors = getattr(problem, "errors", None)
    reason = " ".join(str(errors[0].message).partition(" Expected:")[0].split()) if errors else _describe(problem)
    return DagsterStorageError(
        f"{home / 'dagster.yaml'} is not accepted by Dagster ({reason.rstrip('.')}). Correct it, or delete it and run "
        "in the folder of the project's own dagster.yaml, which is then copied."
    )


def describe_os_error(problem: OSError, subject: str = "") -> str:
    """Return a sentence with the file that cannot be used, the reason and the remedy.

    Args:
        problem: the error of the operating system.
        subject: the name of the file if the exception has none.
    """
    name = subject or str(problem.filename2 or problem.filename or "A file, or standard output,")
    fault = classify_fault(os.strerror(problem.errno)) if problem.errno else None
    reason = os.strerror(problem.errno) if problem.errno else _describe(problem)
    if problem.errno in (errno.ENOENT, errno.EISDIR, errno.ENOTDIR, errno.EEXIST):
        return f"{name} cannot be used ({reason}). Give another path, or correct this one, and run again."
    return f"{name} cannot be used ({reason}): {fault.remedy if fault else f'correct that, {RETRY_HINT}'}."


def _is_full(folder: Path) -> bool:
    try:
        return shutil.disk_usage(folder).free < MIN_FREE_BYTES
    except OSError:
        return False


def _chain(problem: BaseException) -> Iterator[BaseException]:
    """Yield an exception and its causes."""
    error: BaseException | None = problem
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def _is_from_storage(problem: BaseException, home: Path) -> bool:
    """Return whether Dagster's storage raised an exception, or it concerns a file of DAGSTER_HOME."""
    if isinstance(problem, OSError) and str(problem.filename2 or problem.filename or "").startswith(str(home)):
        return True
    frames = traceback.walk_tb(problem.__traceback__)
    return any(STORAGE.search(frame.f_code.co_filename.replace(os.sep, "/")) for frame, _ in frames)


def _describe(problem: BaseException) -> str:
    message = " ".join(str(problem).split())
    message = message if len(message) <= MAX_MESSAGE_LENGTH else f"{message[:MAX_MESSAGE_LENGTH]}…"
    return f"{type(problem).__name__}: {message}".rstrip(".")
