"""The clock every room is given, so that time can be injected, and the time of the servers that rooms speak to.

Only the protocol, the clocks and how a server's time is learned belong here; what is compared with which clock is
decided in `docs/architecture.md`. No other module of the product reads the time of day or sleeps.
"""

import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
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


def is_recent(at: datetime | None, now: datetime, max_age: timedelta) -> bool:
    """Tell whether something happened less than so long ago; both instants are by our clock.

    What lies in the future happened before our clock was put back, and how long ago is not known: it is not recent.
    """
    return at is not None and timedelta() <= now - at < max_age


def is_due(at: datetime | None, now: datetime, longest: timedelta) -> bool:
    """Tell whether an instant that was to come has come; both instants are by our clock.

    One further ahead than the longest pause was set before our clock was put back: it counts as come.
    """
    return at is None or not now < at <= now + longest


CLOCK_OFFSET_WARNING = timedelta(seconds=60)
"""A clock that differs from a server's by more than this is worth telling: answers take up to half of it."""


def describe_offset(ahead: timedelta) -> str:
    """Return how far our clock is from a server's, in words, such as "2 days 3 h ahead of"."""
    seconds = round(abs(ahead.total_seconds()))
    days, hours, minutes = seconds // 86_400, seconds % 86_400 // 3_600, seconds % 3_600 // 60
    parts = [f"{days} days" if days else "", f"{hours} h" if hours else "", f"{minutes} min" if minutes else ""]
    length = " ".join([part for part in parts if part][:2]) or f"{seconds} s"
    return f"{length} {'ahead of' if ahead > timedelta() else 'behind'}"


TICK = timedelta(seconds=1)
"""The resolution of an answer's `Date` (RFC 9110 §5.6.7): the server's time lies less than this behind it."""

STEP = timedelta(seconds=5)
"""Since an answer the time of day and the elapsed seconds may drift apart by so much; more is a clock that was set."""


@dataclass(frozen=True)
class _Reading:
    """One stated time: the server's `at`, and our own clock and elapsed seconds when it was asked and answered."""

    at: datetime
    asked: float
    answered: float
    our_time: datetime


class ServerClock:
    """A server's own time, as its answers state it; in between it runs on by the elapsed seconds of this process.

    What a server stamped is compared with this time alone, never with ours, which may be wrong by days. Once our clock
    was set, or this machine slept uncounted, the last reading is worth nothing: the time is unknown until the next
    answer.

    Args:
        clock: counts the seconds between answers.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._last: _Reading | None = None

    def record_response(self, date_header: str | None, asked: float) -> None:
        """Take the time of an answer; one without a readable `Date` says nothing.

        Args:
            date_header: the answer's `Date`.
            asked: `Clock.elapsed` when the request was about to leave.
        """
        try:
            at = parsedate_to_datetime(date_header or "")
        except ValueError:
            return
        at = at if at.tzinfo else at.replace(tzinfo=UTC)
        self._last = _Reading(at.astimezone(UTC), asked, self._clock.elapsed(), self._clock.now())

    @property
    def earliest(self) -> datetime | None:
        """The earliest that the server's time can be now; None if it is not known."""
        last = self._last
        if last is None or not self._runs_on(last):
            return None
        return last.at + timedelta(seconds=self._clock.elapsed() - last.answered)

    @property
    def latest(self) -> datetime | None:
        """The latest that the server's time can be now; None if it is not known."""
        last = self._last
        if last is None or not self._runs_on(last):
            return None
        return last.at + TICK + timedelta(seconds=self._clock.elapsed() - last.asked)

    @property
    def ahead(self) -> timedelta | None:
        """By how much our clock was ahead of the server's at the last answer, negative behind; None without one."""
        return self._last.our_time - self._last.at if self._last is not None else None

    def _runs_on(self, last: _Reading) -> bool:
        elapsed = timedelta(seconds=self._clock.elapsed() - last.answered)
        return abs(self._clock.now() - last.our_time - elapsed) <= STEP
