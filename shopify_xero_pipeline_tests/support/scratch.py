"""The folder for files of tests: in memory if there is room, since a commit to a disk takes ten times as long."""

import os
import shutil
from functools import cache
from pathlib import Path

MEMORY, MIN_FREE_BYTES = Path("/dev/shm"), 2 * 2**30


@cache
def in_memory() -> Path | None:
    """Return a folder in memory; None without one or with less than 2 GiB free."""
    usable = MEMORY.is_dir() and os.access(MEMORY, os.W_OK) and shutil.disk_usage(MEMORY).free > MIN_FREE_BYTES
    return MEMORY if usable else None
