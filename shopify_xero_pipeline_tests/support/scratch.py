"""Where tests put their files: in memory, if there is room, as a commit to a disk costs ten times the transaction."""

import os
import shutil
from functools import cache
from pathlib import Path

MEMORY, ENOUGH = Path("/dev/shm"), 2 * 2**30


@cache
def in_memory() -> Path | None:
    """Return a folder that is held in memory; None where there is none, or little room."""
    usable = MEMORY.is_dir() and os.access(MEMORY, os.W_OK) and shutil.disk_usage(MEMORY).free > ENOUGH
    return MEMORY if usable else None
