"""Watermark file outside the database, with the last batch sent, so that an old copy of the database is detected.

This module only reads and writes the file: one line, replaced atomically and flushed to the disk before a request
leaves. `send_watermark.py` compares it with the journal. Each host writes its own file and reads all files.
"""

import glob
import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from shopify_xero_pipeline.state.canonical import digest
from shopify_xero_pipeline.state.database import LockTimeoutError
from shopify_xero_pipeline.state.database_errors import StoreBusyError, StoreUnwritableError

SUFFIX = ".witness"
XERO = "xero:"
"""Prefix of an instant by Xero's clock. Older versions wrote an instant by our clock without it, which is ignored."""


@dataclass(frozen=True)
class WatermarkClaim:
    """The content of a watermark file.

    Attributes:
        epoch: the random name of the journal, assigned when it was created; empty if the file is unreadable.
        batch: the id of the batch marked SENT last, 0 if there is none; not the greatest id, because requests in flight
            overtake each other.
        sent_at: the time of its mark, by our clock; None if there is none.
        quiet_at: the end of the quiet time of all batches marked SENT, by Xero's clock; None if unknown.
        text: the line.
    """

    epoch: str
    batch: int
    sent_at: datetime | None
    quiet_at: datetime | None
    text: str

    @classmethod
    def of(cls, epoch: str, batch: int, sent_at: datetime | None, quiet_at: datetime | None) -> "WatermarkClaim":
        """Return a claim with its line.

        Args:
            epoch: the name of the journal.
            batch: the id of the last batch marked SENT.
            sent_at: the time of its mark, by our clock.
            quiet_at: the end of the quiet time, by Xero's clock.
        """
        content = f"{epoch} {batch} {_text(sent_at)} {XERO}{_text(quiet_at)}"
        return cls(epoch, batch, sent_at, quiet_at, f"{content} {digest(content)}")

    @classmethod
    def parse(cls, line: str) -> "WatermarkClaim":
        """Return the claim of a line. A line with a wrong checksum gives a claim without an epoch."""
        content, _, checksum = line.rpartition(" ")
        with suppress(ValueError):
            epoch, batch, sent_at, quiet_at = content.split(" ")
            if digest(content) == checksum:
                instant = _parse_instant(quiet_at.removeprefix(XERO)) if quiet_at.startswith(XERO) else None
                return cls(epoch, int(batch), _parse_instant(sent_at), instant, line)
        return cls("", 0, None, None, f"unreadable {digest(line)}")

    def after(self, earlier: "WatermarkClaim") -> "WatermarkClaim":
        """Return this claim with the end of the quiet time of an earlier one of the same journal, if that is later."""
        if earlier.epoch != self.epoch or not earlier.batch:
            return self
        quiet_at = max(earlier.quiet_at, self.quiet_at) if earlier.quiet_at and self.quiet_at else None
        return WatermarkClaim.of(self.epoch, self.batch, self.sent_at, quiet_at)


class WatermarkFile:
    """The watermark file of this host, beside the files of other hosts.

    Args:
        folder: the folder of the files; None for a journal without watermark files.
        name: the common part of the file names of a journal.
        host: the part of the file name for this host; empty for a journal of one host.
        lock: returns a lock that excludes other processes that write the same file.
    """

    def __init__(
        self, folder: Path | None, name: str, host: str, lock: Callable[[], AbstractContextManager[None]]
    ) -> None:
        self._folder, self._pattern = folder, f"{glob.escape(name)}*{SUFFIX}"
        self._path = folder / f"{name}{'.' if host else ''}{host}{SUFFIX}" if folder is not None else None
        self._lock = lock

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Hold the lock that excludes other processes that write the file.

        Raises:
            StoreBusyError: another process does not release the lock.
            StoreUnwritableError: the lock cannot be written.
        """
        with ExitStack() as stack:
            try:
                stack.enter_context(self._lock())
            except LockTimeoutError:
                raise StoreBusyError(str(self._path)) from None
            yield

    def own(self) -> WatermarkClaim | None:
        """Return the claim in this host's file, or None if there is no file."""
        return _read_file(self._path) if self._path is not None else None

    def claims(self) -> list[WatermarkClaim]:
        """Return the claims in the files of all hosts, by file name."""
        paths = sorted(self._folder.glob(self._pattern)) if self._folder is not None else []
        return [claim for path in paths if (claim := _read_file(path)) is not None]

    def write(self, claim: WatermarkClaim) -> None:
        """Replace this host's file atomically; it is on the disk when this method returns.

        Raises:
            StoreUnwritableError: the file cannot be written.
        """
        if self._path is None:
            return
        folder, new = self._path.parent, self._path.with_name(f"{self._path.name}.new")
        try:
            folder.mkdir(parents=True, exist_ok=True)
            handle = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            try:
                os.write(handle, claim.text.encode())
                os.fsync(handle)  # before the rename, or a power cut could leave an empty file
            finally:
                os.close(handle)
            new.replace(self._path)
            _flush_folder(folder)
        except OSError as problem:
            raise StoreUnwritableError(str(self._path), problem.strerror or type(problem).__name__) from None


def _read_file(path: Path) -> WatermarkClaim | None:
    try:
        return WatermarkClaim.parse(path.read_bytes().decode("ascii", errors="replace"))
    except FileNotFoundError:
        return None
    except OSError as problem:
        return WatermarkClaim("", 0, None, None, f"unreadable {problem.strerror}")


def _flush_folder(folder: Path) -> None:
    """Make a rename durable. Systems that cannot open folders do not need it."""
    with suppress(PermissionError, IsADirectoryError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def _text(instant: datetime | None) -> str:
    return "-" if instant is None else instant.astimezone(UTC).isoformat()


def _parse_instant(text: str) -> datetime | None:
    return None if text == "-" else datetime.fromisoformat(text)
