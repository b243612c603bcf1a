"""Mark of an SQLite file: its size and time after the last transaction of this project.

A file that does not have them was changed by something else: another program, a restored copy, a crash in a
transaction, a damaged disk. Such a file is verified completely before the next write. Damage that changes neither size
nor time shows when a row is used and in the nightly verification. This module only compares and writes the mark.
"""

import os
from pathlib import Path

SUFFIX = ".mark"


class FileMark:
    """The mark of one file, in a file beside it.

    A process that finds a mark which does not fit leaves it so until a complete verification. Otherwise a command that
    only looks, or a service that was running, would hide the change from the next load.

    Args:
        path: the path of the SQLite file.

    Attributes:
        is_trusted: whether the mark fitted in each transaction since this process opened or verified the file.
    """

    def __init__(self, path: Path) -> None:
        self._path, self._mark = path, path.with_name(f"{path.name}{SUFFIX}")
        self._written = ""
        self.is_trusted = True

    def fits(self) -> bool:
        """Return whether the file is as this project left it."""
        try:
            return self._mark.read_text() == self._state()
        except (OSError, ValueError):
            return False

    def check(self) -> None:
        """Compare the file with its mark at the start of a transaction, which excludes other processes."""
        self.is_trusted = self.is_trusted and self.fits()

    def trust(self) -> None:
        """Write the mark of a file that was verified completely."""
        self.is_trusted, self._written = True, ""
        self.write()

    def write(self) -> None:
        """Write the mark of a trusted file if it changed; a full disk prevents that, and the file is verified again."""
        try:
            state = self._state()
            if self.is_trusted and state != self._written:
                handle = os.open(self._mark, os.O_WRONLY | os.O_CREAT, 0o600)
                try:
                    os.pwrite(handle, state.encode(), 0)
                finally:
                    os.close(handle)
                self._written = state
        except OSError:
            self._written = ""

    def _state(self) -> str:
        """Return size and time in a text of fixed width, so that one write replaces an earlier one completely."""
        status = self._path.stat()
        return f"{status.st_size:020d} {status.st_mtime_ns:020d}\n"
