"""What a measured process needs beside a sandbox in another one: its clock, and its own largest memory."""

from datetime import datetime
from pathlib import Path

import httpx

from shopify_xero_pipeline.clock import ManualClock


class RemoteClock(ManualClock):
    """A clock whose waits also advance that of the sandbox.

    Args:
        start: the time of both clocks.
        address: the address of the sandbox.
    """

    def __init__(self, start: datetime, address: str) -> None:
        super().__init__(start)
        self._address = address

    def sleep(self, seconds: float) -> None:
        """Advance both clocks."""
        super().sleep(seconds)
        httpx.post(f"{self._address}/_sandbox/clock", json={"seconds": seconds}).raise_for_status()


def peak_memory() -> float:
    """Return the largest memory of this process in MB; `getrusage` would include that of its parent."""
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) * 1_024 / 1e6
