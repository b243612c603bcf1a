"""Time that runs faster, the same for every process of a round, and a transport whose timeouts are scaled like it.

The protocol waits ten minutes before it reads back; a campaign of real processes cannot. So the product's constants
stay as they are and the clock handed to it runs faster than the machine's. What httpx itself times out by, in real
seconds, is divided by the same number.
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
    """Return the seconds since the machine started: one figure for all its processes, stopped ones too."""
    return time.clock_gettime(time.CLOCK_MONOTONIC)


@dataclass(frozen=True)
class ScaledClock:
    """A clock that runs `scale` times as fast as the machine's. Processes that are given the same one agree.

    Attributes:
        scale: seconds of this clock in one real second.
        epoch: the machine's second at which this clock showed its start.
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
        """Wait so many scaled seconds."""
        time.sleep(max(0.0, seconds) / self.scale)


class ScaledTransport(httpx.HTTPTransport):
    """The network with timeouts in scaled seconds. It tells a watcher of each write before and after it travels.

    Connections are kept as long as a stopped process may be stopped, so that it finds its connection alive.
    """

    def __init__(self, scale: float, watch: Callable[[str, str], None] = lambda _moment, _path: None) -> None:
        super().__init__(retries=0, limits=httpx.Limits(keepalive_expiry=3_600))
        self._scale = scale
        self._watch = watch

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Carry a request; a write is `sending` before the guard is asked, and `answered` with or without an answer."""
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
    """Let this process end when the campaign's own does, however that came about."""

    def wait() -> None:
        parent = multiprocessing.parent_process()
        if parent is not None:
            parent.join()
            kill_myself()

    threading.Thread(target=wait, daemon=True).start()


def stop_myself() -> None:
    """Stand still until somebody says SIGCONT."""
    os.kill(os.getpid(), signal.SIGSTOP)


def kill_myself() -> None:
    """Die as by anybody's SIGKILL."""
    os.kill(os.getpid(), signal.SIGKILL)
