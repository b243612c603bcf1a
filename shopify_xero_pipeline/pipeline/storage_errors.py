"""What a disk, and the storage that Dagster keeps of its runs, say when they fail: one sentence and a remedy.

Only the translation belongs here. The state store translates its own faults (`state/database_errors.py`); nothing about
the books is kept by Dagster, so that its storage may be moved aside at any time.
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
"""Where Dagster's own code keeps its storage: a fault raised there is not ours."""

MAX_MESSAGE_LENGTH = 240
MIN_FREE_BYTES = 1_000_000
"""Bytes below which a disk counts as full: a run of a day writes about a fifth of that."""

RETRY_HINT = "then run again; nothing is lost"


class StorageFault(Enum):
    """A kind of fault: the words by which it is known, and what to do."""

    FULL = (
        r"database or disk is full|No space left|Disk quota exceeded|File too large",
        f"there is no space left. Free some, {RETRY_HINT}",
    )
    BUSY = (r"database (table )?is locked", f"another process keeps it. Let that one end, {RETRY_HINT}")
    DAMAGED = (
        r"file is not a database|malformed|no such (table|column)|Can't locate revision|could not decode",
        "it is damaged. It holds what the UI shows of past runs and nothing of the books: move its folders `history` "
        f"and `schedules` aside, {RETRY_HINT}",
    )
    READ_ONLY = (
        r"readonly database|unable to open database file|disk I/O error|Permission denied|Read-only file system",
        f"it cannot be written. Free some space, mend the disk or the permissions, or choose another folder, {RETRY_HINT}",
    )
    NO_FOLDER = (
        r"File exists|Not a directory|No such file|Is a directory",
        f"a file stands where a folder should be, or a folder is missing. Choose another place, {RETRY_HINT}",
    )
    UNREACHABLE = (
        r"could not connect|connection (to server )?.*failed|Connection refused|could not translate host name",
        f"its database does not answer. Start it, or correct its address in dagster.yaml, {RETRY_HINT}",
    )

    @property
    def words(self) -> str:
        """How the fault is known."""
        return str(self.value[0])

    @property
    def remedy(self) -> str:
        """What is the matter and what to do."""
        return str(self.value[1])


TRANSIENT_FAULTS = (StorageFault.BUSY, StorageFault.UNREACHABLE)


class DagsterStorageError(PipelineError):
    """What Dagster keeps of its runs cannot be used."""


class DagsterStorageBusyError(TryLaterError):
    """What Dagster keeps of its runs cannot be used now, and can be soon."""


def classify_fault(text: str) -> StorageFault | None:
    """Return which fault the words of an exception mean, or None."""
    return next((one for one in StorageFault if re.search(one.words, text, re.IGNORECASE)), None)


def from_dagster(problem: BaseException, home: Path, *, known_only: bool = False) -> PipelineError | None:
    """Return what to raise in place of an exception that Dagster's storage caused; None if it did not.

    Args:
        problem: as it was caught.
        home: DAGSTER_HOME.
        known_only: leave out what no known fault explains.
    """
    found = next((known for one in _chain(problem) if (known := classify_fault(str(one))) is not None), None)
    if not any(_is_from_storage(one, home) for one in _chain(problem)) or (known_only and found is None):
        return None
    return _problem(found, home, _short(problem))


def from_step(message: str, stack: Iterable[str], home: Path) -> PipelineError | None:
    """Return the problem of Dagster's storage that made a step fail; None if something else did.

    Args:
        message: of the exception.
        stack: where it was raised, as Dagster keeps it: a text for each frame.
        home: DAGSTER_HOME.
    """
    found = classify_fault(message)
    return _problem(found, home, message) if found and any(STORAGE.search(frame) for frame in stack) else None


def _problem(found: StorageFault | None, home: Path, said: str) -> PipelineError:
    if found is StorageFault.READ_ONLY and _is_full(
        home
    ):  # SQLite says so where it was to make a file beside its database
        found = StorageFault.FULL
    remedy = found.remedy if found else f"{said}. Mend it, or move the folder aside, {RETRY_HINT}"
    message = f"What Dagster keeps of its runs (DAGSTER_HOME={home}) cannot be used: {remedy}."
    return DagsterStorageBusyError(message) if found in TRANSIENT_FAULTS else DagsterStorageError(message)


def from_instance_settings(problem: BaseException, home: Path) -> PipelineError:
    """Return the problem of a `dagster.yaml` that Dagster does not accept; what it expects instead fills pages."""
    errors = getattr(problem, "errors", None)
    said = " ".join(str(errors[0].message).partition(" Expected:")[0].split()) if errors else _short(problem)
    return DagsterStorageError(
        f"{home / 'dagster.yaml'} is not accepted by Dagster ({said.rstrip('.')}). Mend it, or delete it and run where "
        "the project's own dagster.yaml lies, which is then copied."
    )


def describe_os_error(problem: OSError, what: str = "") -> str:
    """Return in a sentence which file could not be used, why, and what to do.

    Args:
        problem: the operating system's.
        what: names the file where the exception does not.
    """
    name = what or str(problem.filename2 or problem.filename or "A file, or standard output,")
    found = classify_fault(os.strerror(problem.errno)) if problem.errno else None
    said = os.strerror(problem.errno) if problem.errno else _short(problem)
    if problem.errno in (errno.ENOENT, errno.EISDIR, errno.ENOTDIR, errno.EEXIST):
        return f"{name} cannot be used ({said}). Give another path, or make it what it should be, and run again."
    return f"{name} cannot be used ({said}): {found.remedy if found else f'mend that, {RETRY_HINT}'}."


def _is_full(folder: Path) -> bool:
    try:
        return shutil.disk_usage(folder).free < MIN_FREE_BYTES
    except OSError:
        return False


def _chain(problem: BaseException) -> Iterator[BaseException]:
    """Yield an exception and what it came from."""
    seen: BaseException | None = problem
    while seen is not None:
        yield seen
        seen = seen.__cause__ or seen.__context__


def _is_from_storage(problem: BaseException, home: Path) -> bool:
    """Tell whether Dagster's storage raised an exception, or it is about a file of DAGSTER_HOME."""
    if isinstance(problem, OSError) and str(problem.filename2 or problem.filename or "").startswith(str(home)):
        return True
    frames = traceback.walk_tb(problem.__traceback__)
    return any(STORAGE.search(_file(frame)) for frame, _ in frames)


def _file(frame: object) -> str:
    return str(getattr(getattr(frame, "f_code", None), "co_filename", "")).replace(os.sep, "/")


def _short(problem: BaseException) -> str:
    said = " ".join(str(problem).split())
    return f"{type(problem).__name__}: {said if len(said) <= MAX_MESSAGE_LENGTH else said[:MAX_MESSAGE_LENGTH] + '…'}".rstrip(
        "."
    )
