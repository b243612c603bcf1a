"""Accelerated time, the same for every process of a round, and a transport whose timeouts are scaled likewise.

The protocol waits ten minutes before it reads back, too long for a campaign of real processes. So the product's
constants are unchanged, and its clock runs faster than the machine's. httpx's own timeouts, in real seconds, are
divided by the same factor.
"""

import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import httpx

START = datetime(2026, 9, 22, tzinfo=UTC)


def machine_seconds() -> float:
    """Return the seconds since the machine's start, the same for all its processes."""
    return time.clock_gettime(time.CLOCK_MONOTONIC)


@dataclass(frozen=True)
class ScaledClock:
    """A clock that runs `scale` times as fast as the machine's. Processes with the same values agree.

    Attributes:
        scale: seconds of this clock in one real second.
        epoch: the machine's second at the clock's start.
    """

    scale: float
    epoch: float = field(default_factory=machine_seconds)

    def now(self) -> datetime:
        """Return the scaled instant, in UTC."""
        return START + timedelta(seconds=self.elapsed())

    def elapsed(self) -> float:
        """Return scaled seconds since the epoch."""
        return (machine_seconds() - self.epoch) * self.scale

    def sleep(self, seconds: float) -> None:
        """Wait for scaled seconds."""
        time.sleep(max(0.0, seconds) / self.scale)


class ScaledTransport(httpx.HTTPTransport):
    """A transport with timeouts in scaled seconds, which reports each write to a watcher before and after it travels.

    Connections stay open for as long as a process may be stopped.
    """

    def __init__(self, scale: float, watch: Callable[[str, str], None] = lambda _moment, _path: None) -> None:
        super().__init__(retries=0, limits=httpx.Limits(keepalive_expiry=3_600))
        self._scale = scale
        self._watch = watch

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request; a write is `sending` before its guard runs, and `answered` with or without a response."""
        waits = request.extensions.get("timeout", {})
        request.extensions["timeout"] = {name: real and real / self._scale for name, real in waits.items()}
        path = request.url.path
        is_write = request.method != "GET" and "/api.xro/" in path
        if is_write:
            self._watch("sending", path)
        try:
            return super().handle_request(request)
        except httpx.TimeoutException:
            self._watch("timed out", path)
            raise
        finally:
            if is_write:
                self._watch("answered", path)


def end_with_parent() -> None:
    """Let this process end with the campaign's process, also after a crash."""

    def wait() -> None:
        parent = multiprocessing.parent_process()
        if parent is not None:
            parent.join()
            kill_myself()

    threading.Thread(target=wait, daemon=True).start()


def stop_myself() -> None:
    """Stop this process until it receives SIGCONT."""
    os.kill(os.getpid(), signal.SIGSTOP)


def kill_myself() -> None:
    """Kill this process with SIGKILL."""
    os.kill(os.getpid(), signal.SIGKILL)
