"""The time shared by all processes of a system: the machine's time plus the seconds in a small file.

The write protocol measures leases and the quiet time of a batch by this clock only, so a test writes the file instead
of waiting an hour.
"""

import os
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

MOVED = "SHARED_CLOCK"
START = datetime(2026, 10, 6, 12, tzinfo=UTC)  # an hour after midnight in the shop, without a sale


class SharedClock:
    """The replacement of `SystemClock`, in processes whose environment names the file."""

    def __init__(self) -> None:
        self._file = Path(os.environ[MOVED])

    def now(self) -> datetime:
        return datetime.now(UTC) + timedelta(seconds=self._moved())

    def elapsed(self) -> float:
        return time.monotonic() + self._moved()

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)

    def _moved(self) -> float:
        return float(self._file.read_text())


def move(file: Path, seconds: float) -> None:
    """Move the shared clock on by seconds; it starts at `START`."""
    before = float(file.read_text()) if file.exists() else (START - datetime.now(UTC)).total_seconds()
    draft = file.with_suffix(".new")
    draft.write_text(str(before + seconds))
    draft.replace(file)
