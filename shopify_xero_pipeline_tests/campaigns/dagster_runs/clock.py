"""The time that all processes of a house share: the machine's, moved on by as many seconds as a small file says.

Nothing is ever waited for that the write protocol only measures by its clock (a lease, the quiet time of a batch): the
test writes the file, and an hour is over for everybody.
"""

import os
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

MOVED = "SHARED_CLOCK"
START = datetime(2026, 10, 6, 12, tzinfo=UTC)  # an hour after midnight in the shop: nobody buys anything


class SharedClock:
    """What `SystemClock` is to the product, in processes that are told by the environment where the file is."""

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
    """Move everybody's clock on; it starts at `START`."""
    before = float(file.read_text()) if file.exists() else (START - datetime.now(UTC)).total_seconds()
    draft = file.with_suffix(".new")
    draft.write_text(str(before + seconds))
    draft.replace(file)
