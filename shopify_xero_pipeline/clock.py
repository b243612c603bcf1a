"""The clock every room is given, so that time can be injected.

Only the protocol and the real clock belong here; tests and the sandbox bring their own. No other module of the product
reads the time of day or sleeps.
"""

import time
from datetime import UTC, datetime, timedelta
from typing import Protocol


class Clock(Protocol):
    """What the product may ask of time."""

    def now(self) -> datetime:
        """Return the present instant, timezone-aware, in UTC."""
        ...

    def elapsed(self) -> float:
        """Return seconds since some moment of this process's life; they never go back, and go on in suspension."""
        ...

    def sleep(self, seconds: float) -> None:
        """Wait; an injected clock may simply move on."""
        ...


class SystemClock:
    """The machine's own clock."""

    def now(self) -> datetime:
        """Return the machine's time in UTC."""
        return datetime.now(UTC)

    def elapsed(self) -> float:
        """Return the seconds since the machine started, those of its sleep included where it counts them."""
        return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))

    def sleep(self, seconds: float) -> None:
        """Wait for real."""
        time.sleep(seconds)


class ManualClock:
    """A clock that stands still until someone moves it; sleeping moves it. For tests, the sandbox and the demo."""

    def __init__(self, start: datetime) -> None:
        self._now = start.astimezone(UTC)
        self._elapsed = 0.0

    def now(self) -> datetime:
        """Return the instant the clock was last moved to, in UTC."""
        return self._now

    def elapsed(self) -> float:
        """Return by how many seconds the clock was moved in all."""
        return self._elapsed

    def sleep(self, seconds: float) -> None:
        """Move on by so many seconds without waiting."""
        self._now += timedelta(seconds=seconds)
        self._elapsed += seconds

    def move_to(self, instant: datetime) -> None:
        """Move forward to an instant; moving back is refused, as a real clock of this protocol never does.

        Raises:
            ValueError: the instant lies before the present one.
        """
        if instant < self._now:
            raise ValueError(f"a clock does not go back: {self._now} to {instant}")
        self._elapsed += (instant - self._now).total_seconds()
        self._now = instant.astimezone(UTC)
