"""The folder of one bulk read: its request, its rows and their index.

The files exist until the read has ended. After a crash the next read of the same query continues with them. They hold
personal data: only their owner can read them, and the files of an old read are deleted.
"""

import fcntl
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from pathlib import Path

from shopify_xero_pipeline.clock import Clock, is_recent

RESUMABLE = timedelta(hours=12)
"""Age up to which a read is continued; older orders would be out of date."""

_LOCK, _REQUEST = "lock", "request.json"


@dataclass(frozen=True)
class BulkRequest:
    """What is known of a read before its end.

    Attributes:
        marker: the text that identifies its operation; it is stored before the operation is started.
        begun_at: the time of the request by this machine's clock, in ISO 8601.
        read_at: Shopify's time at the request, in ISO 8601; None if unknown.
        counted: Shopify's count of the orders at the request.
        operation_id: the operation; None until its start is known.
    """

    marker: str
    begun_at: str
    read_at: str | None
    counted: int
    operation_id: str | None = None


class BulkFolder:
    """The files of a read.

    Args:
        path: the folder; it is created.
    """

    def __init__(self, path: Path) -> None:
        path.mkdir(exist_ok=True, mode=0o700)
        self._path = path
        self.rows = path / "rows.jsonl"
        self.index = path / "index.db"

    def request(self) -> BulkRequest | None:
        """Return the stored request; None if there is none, or if its file is damaged."""
        return _read_request(self._path)

    def store(self, request: BulkRequest) -> None:
        """Store a request so that it survives a crash; a request of another operation removes the rows."""
        known = self.request()
        if known is None or known.marker != request.marker:
            self.clear_rows()
        draft = self._path / f"{_REQUEST}.new"
        draft.touch(mode=0o600)
        with draft.open("w", encoding="utf-8") as file:
            json.dump(asdict(request), file)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(self._path / _REQUEST)

    def clear_rows(self) -> None:
        """Empty the file of rows, which only its owner can read."""
        self.rows.touch(mode=0o600)
        self.rows.chmod(0o600)
        self.rows.write_bytes(b"")

    def remove(self) -> None:
        """Delete the folder."""
        shutil.rmtree(self._path, ignore_errors=True)


@contextmanager
def open_folder(base: Path, key: str) -> Iterator[BulkFolder]:
    """Open the folder of a query; a second read at the same time gets a new folder, which no later read continues.

    The folder stays; its user removes it.

    Args:
        base: the folder of all reads; it is created, for its owner only.
        key: the name of the query.
    """
    base.mkdir(parents=True, exist_ok=True, mode=0o700)
    with (base / _LOCK).open("w") as lock:
        if _try_lock(lock.fileno()):
            yield BulkFolder(base / key)
            return
        other = BulkFolder(Path(tempfile.mkdtemp(dir=base)))
        try:
            yield other
        finally:
            other.remove()


def delete_old(base: Path, clock: Clock) -> None:
    """Delete the folders of reads that are too old to be continued.

    Args:
        base: the folder of all reads; it may be missing.
        clock: its time decides.
    """
    for path in base.iterdir() if base.is_dir() else ():
        if path.is_dir():
            request = _read_request(path)
            begun_at = datetime.fromisoformat(request.begun_at) if request is not None else None
            if not is_recent(begun_at, clock.now(), RESUMABLE):
                shutil.rmtree(path, ignore_errors=True)


def _try_lock(handle: int) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def _read_request(path: Path) -> BulkRequest | None:
    try:
        request = BulkRequest(**json.loads((path / _REQUEST).read_text(encoding="utf-8")))
        datetime.fromisoformat(request.begun_at)
    except (OSError, ValueError, TypeError):
        return None
    return request
