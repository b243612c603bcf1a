"""The clock, which is passed to every room so that time can be injected, and the clocks of servers.

This module has the protocol, its implementations and the derivation of a server's time. `docs/write-protocol.md`
decides which times are compared. No other module of the product reads the time of day or sleeps.
"""

import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime, parsedate_to_datetime
from typing import Protocol


class Clock(Protocol):
    """A source of time."""

    def now(self) -> datetime:
        """Return the present instant, timezone-aware, in UTC."""
        ...

    def elapsed(self) -> float:
        """Return monotonic seconds since an arbitrary start; they include suspension of the machine if it counts it."""
        ...

    def sleep(self, seconds: float) -> None:
        """Wait; an injected clock may only advance."""
        ...


class SystemClock:
    """The clock of the machine."""

    def now(self) -> datetime:
        """Return the machine's time in UTC."""
        return datetime.now(UTC)

    def elapsed(self) -> float:
        """Return the seconds since the machine booted, including suspension where the system counts it."""
        return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))

    def sleep(self, seconds: float) -> None:
        """Wait in real time."""
        time.sleep(seconds)


class ManualClock:
    """A clock that only `sleep` and `move_to` advance; for tests, the sandbox and the demo."""

    def __init__(self, start: datetime) -> None:
        self._now = start.astimezone(UTC)
        self._elapsed = 0.0

    def now(self) -> datetime:
        """Return the present instant of this clock, in UTC."""
        return self._now

    def elapsed(self) -> float:
        """Return the total of seconds by which the clock has advanced."""
        return self._elapsed

    def sleep(self, seconds: float) -> None:
        """Advance by a number of seconds without waiting."""
        self._now += timedelta(seconds=seconds)
        self._elapsed += seconds

    def move_to(self, instant: datetime) -> None:
        """Advance to an instant.

        Raises:
            ValueError: the instant is before the present one; a clock never goes back.
        """
        if instant < self._now:
            raise ValueError(f"a clock does not go back: {self._now} to {instant}")
        self._elapsed += (instant - self._now).total_seconds()
        self._now = instant.astimezone(UTC)


def is_recent(at: datetime | None, now: datetime, max_age: timedelta) -> bool:
    """Return whether an event is more recent than a maximum age; False for an instant in the future.

    An event in the future happened before the clock was set back, so that its age is unknown.

    Args:
        at: the instant of the event by the clock of this machine; None if there was none.
        now: the present instant by the same clock.
        max_age: the age from which the event is no longer recent.
    """
    return at is not None and timedelta() <= now - at < max_age


def is_due(at: datetime | None, now: datetime, longest: timedelta) -> bool:
    """Return whether a planned instant has arrived; True for one that is too far in the future.

    An instant further ahead than the longest pause was set before the clock was set back.

    Args:
        at: the planned instant by the clock of this machine; None for now.
        now: the present instant by the same clock.
        longest: the longest pause that is ever planned.
    """
    return at is None or not now < at <= now + longest


CLOCK_OFFSET_WARNING = timedelta(seconds=60)
"""A larger offset from a server's clock raises a warning; a response alone may take up to half of this."""


def describe_offset(ahead: timedelta) -> str:
    """Return the offset of this machine's clock from a server's in words, such as "2 days 3 h ahead of"."""
    seconds = round(abs(ahead.total_seconds()))
    days, hours, minutes = seconds // 86_400, seconds % 86_400 // 3_600, seconds % 3_600 // 60
    parts = [f"{days} days" if days else "", f"{hours} h" if hours else "", f"{minutes} min" if minutes else ""]
    length = " ".join([part for part in parts if part][:2]) or f"{seconds} s"
    return f"{length} {'ahead of' if ahead > timedelta() else 'behind'}"


DATE_RESOLUTION = timedelta(seconds=1)
"""The resolution of the header `Date` (RFC 9110 §5.6.7): the server's time is later by less than this."""

MAX_DRIFT = timedelta(seconds=5)
"""Between the time of day and the elapsed seconds since a response; a larger difference means a clock that was set."""


def parse_http_date(text: str) -> datetime | None:
    """Return the instant of an HTTP date, in UTC, or None if the text is not exactly one date.

    Two headers `Date`, as a proxy may send them, arrive as one text and give no time: one of them is wrong.
    Source: RFC 9110 §5.6.7, which requires servers to send this form.
    """
    try:
        at = parsedate_to_datetime(text).replace(tzinfo=UTC)
    except ValueError:
        return None
    return at if format_datetime(at, usegmt=True) == text else None


@dataclass(frozen=True)
class _Reading:
    """A server's time `at`; `sent` and `received` are `Clock.elapsed`, `local_time` is this machine's time."""

    at: datetime
    sent: float
    received: float
    local_time: datetime


class ServerClock:
    """The time of a server, from its responses and the elapsed seconds of this process since the last one.

    Timestamps of a server are compared only with this time, because this machine's clock may be wrong by days. If the
    clock was set, or the machine was suspended without counting it, the time is unknown until the next response.

    Args:
        clock: measures the seconds between responses.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._last: _Reading | None = None

    def record_response(self, date_header: str | None, sent: float) -> None:
        """Record the time of a response; a response without a valid `Date` is ignored.

        Args:
            date_header: the response's header `Date`.
            sent: `Clock.elapsed` just before the request was sent.
        """
        at = parse_http_date(date_header or "")
        if at is not None:
            self._last = _Reading(at, sent, self._clock.elapsed(), self._clock.now())

    @property
    def earliest(self) -> datetime | None:
        """The earliest possible present time of the server, in UTC; None if unknown."""
        last = self._last
        if last is None or not self._is_valid(last):
            return None
        return last.at + timedelta(seconds=self._clock.elapsed() - last.received)

    @property
    def latest(self) -> datetime | None:
        """The latest possible present time of the server, in UTC; None if unknown."""
        last = self._last
        if last is None or not self._is_valid(last):
            return None
        return last.at + DATE_RESOLUTION + timedelta(seconds=self._clock.elapsed() - last.sent)

    @property
    def ahead(self) -> timedelta | None:
        """The offset of this machine's clock at the last response, positive if ahead; None without a response."""
        return self._last.local_time - self._last.at if self._last is not None else None

    def _is_valid(self, last: _Reading) -> bool:
        """Return whether the clock was not set since a reading."""
        elapsed = timedelta(seconds=self._clock.elapsed() - last.received)
        return abs(self._clock.now() - last.local_time - elapsed) <= MAX_DRIFT
