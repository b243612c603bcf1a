"""The witness: a small file kept outside the database that says what was sent last, so that an old copy of it is known.

Only the file belongs here: one line, replaced as a whole and forced to the disk before a request may leave. What it
means beside what the journal says is judged in `send_watermark.py`. Every host writes a file of its own and reads them
all.
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
from shopify_xero_pipeline.state.database_errors import StoreUnwritableError

SUFFIX = ".witness"
XERO = "xero:"
"""Stands before an instant by Xero's clock; earlier versions wrote one by ours there, which says nothing."""


@dataclass(frozen=True)
class WatermarkClaim:
    """What a witness says of the journal it belongs to.

    Attributes:
        epoch: which journal, by the random name it got when it was made; empty where a file cannot be read.
        batch: the last batch that was marked SENT, 0 if none was.
        sent_at: when that one was, by our clock; None if none was.
        quiet_at: from when on, by Xero's clock, nothing that was ever marked so is under way; None if not known.
        text: the line itself.
    """

    epoch: str
    batch: int
    sent_at: datetime | None
    quiet_at: datetime | None
    text: str

    @classmethod
    def of(cls, epoch: str, batch: int, sent_at: datetime | None, quiet_at: datetime | None) -> "WatermarkClaim":
        """Return a claim with its line."""
        said = f"{epoch} {batch} {_text(sent_at)} {XERO}{_text(quiet_at)}"
        return cls(epoch, batch, sent_at, quiet_at, f"{said} {digest(said)}")

    @classmethod
    def read(cls, line: str) -> "WatermarkClaim":
        """Read a line; one that is not what was written claims nothing but itself."""
        said, _, seal = line.rpartition(" ")
        with suppress(ValueError):
            epoch, batch, sent_at, quiet_at = said.split(" ")
            if digest(said) == seal:
                known = _instant(quiet_at.removeprefix(XERO)) if quiet_at.startswith(XERO) else None
                return cls(epoch, int(batch), _instant(sent_at), known, line)
        return cls("", 0, None, None, f"unreadable {digest(line)}")

    def after(self, known: "WatermarkClaim") -> "WatermarkClaim":
        """Return this claim beside an earlier one of the same journal; requests may be witnessed out of turn."""
        if known.epoch != self.epoch:
            return self
        last = max(known, self, key=lambda claim: claim.batch)
        quiet_at = max(known.quiet_at, self.quiet_at) if known.quiet_at and self.quiet_at else None
        return WatermarkClaim.of(self.epoch, last.batch, last.sent_at, quiet_at if known.batch else self.quiet_at)


class WatermarkFile:
    """The file of one writer, beside those of others.

    Args:
        folder: where the files lie; None for none at all.
        name: what all files of the journal are called.
        host: tells this one from those of other hosts; empty for a journal of one host.
        alone: lets one process at a time of all those that write the same file go on.
    """

    def __init__(
        self, folder: Path | None, name: str, host: str, alone: Callable[[], AbstractContextManager[None]]
    ) -> None:
        self._folder, self._all = folder, f"{glob.escape(name)}*{SUFFIX}"
        self._path = folder / f"{name}{'.' if host else ''}{host}{SUFFIX}" if folder is not None else None
        self._alone = alone

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Be the only one of all processes that write this file.

        Raises:
            StoreUnwritableError: another process does not let go of it, or its lock cannot be written.
        """
        with ExitStack() as stack:
            try:
                stack.enter_context(self._alone())
            except LockTimeoutError:
                raise StoreUnwritableError(str(self._path), "its lock cannot be got") from None
            yield

    def own(self) -> WatermarkClaim | None:
        """Return what this host's file says, or None if there is none."""
        return _read(self._path) if self._path is not None else None

    def claims(self) -> list[WatermarkClaim]:
        """Return what all files say."""
        found = sorted(self._folder.glob(self._all)) if self._folder is not None else []
        return [claim for path in found if (claim := _read(path)) is not None]

    def write(self, claim: WatermarkClaim) -> None:
        """Replace this host's file; it is on the disk when this returns.

        Raises:
            StoreUnwritableError: it cannot be written.
        """
        if self._path is None:
            return
        folder, new = self._path.parent, self._path.with_name(f"{self._path.name}.new")
        try:
            folder.mkdir(parents=True, exist_ok=True)
            handle = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            try:
                os.write(handle, claim.text.encode())
                os.fsync(handle)
            finally:
                os.close(handle)
            new.replace(self._path)
            _flush_folder(folder)
        except OSError as problem:
            raise StoreUnwritableError(str(self._path), problem.strerror or type(problem).__name__) from None


def _read(path: Path) -> WatermarkClaim | None:
    try:
        return WatermarkClaim.read(path.read_bytes().decode("ascii", errors="replace"))
    except FileNotFoundError:
        return None
    except OSError as problem:
        return WatermarkClaim("", 0, None, None, f"unreadable {problem.strerror}")


def _flush_folder(folder: Path) -> None:
    """Make a rename last; some systems do not open folders, and there it lasts without."""
    with suppress(PermissionError, IsADirectoryError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def _text(instant: datetime | None) -> str:
    return "-" if instant is None else instant.astimezone(UTC).isoformat()


def _instant(text: str) -> datetime | None:
    return None if text == "-" else datetime.fromisoformat(text)
