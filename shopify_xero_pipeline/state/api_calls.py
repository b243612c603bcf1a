"""Log of calls to Xero, and the latest state of Xero's rate limits.

This module only stores calls and limits; `xero/rate_limiter.py` decides when a call may leave. A store belongs to one
organisation, so the limits of an organisation are the limits of a store. `InMemoryCalls` serves one process without a
store, `SharedCalls` serves all processes on a store.
"""

import platform
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import msgspec
from sqlalchemy import Connection, Engine, delete, insert, select, update

from shopify_xero_pipeline.clock import Clock
from shopify_xero_pipeline.state import row_writes
from shopify_xero_pipeline.state.tables import api_call as table
from shopify_xero_pipeline.state.tables import key_value

MINUTE = timedelta(seconds=60)
TRANSIT = timedelta(seconds=2)
"""Longest time that a request takes to arrive, after which Xero counts it. A slower one can meet a 429, which costs
only its pause."""

LOST_AFTER = timedelta(seconds=60)
"""Time after which a call without an end no longer counts as in flight: its process has died."""

LATENCY_WINDOW = timedelta(minutes=3)
"""Age of the oldest call in a `RateWindow`: more than `LOST_AFTER` and a minute."""

CALL_RETENTION = timedelta(minutes=10)
"""Age at which a call is deleted."""

LIMITS_KEY = "xero.limits"
CLOCK_FORGOTTEN_AFTER = timedelta(days=1)
"""Time without a call, by Xero's clock, after which a host's clock reading is deleted."""


@dataclass
class Call:
    """A call to Xero. The store assigns `id`. Instants are UTC."""

    started_at: datetime
    ended_at: datetime | None = None
    id: int = 0

    def is_under_way(self, now: datetime) -> bool:
        """Return whether the call may still be in flight."""
        return self.ended_at is None and now < self.started_at + LOST_AFTER

    def is_counted(self, now: datetime) -> bool:
        """Return whether the call counts towards the rate limit.

        A call that starts in the future does not count: the clock was set back after it.
        """
        return self.counts_until(now) > now and self.started_at <= now + MINUTE

    def counts_until(self, now: datetime) -> datetime:
        """Return the instant until which the call counts among the calls of a minute.

        Xero counts a call on arrival, at an unknown moment between its start and its end, but within `TRANSIT`.
        """
        return min(self.ended_at or now, self.started_at + TRANSIT) + MINUTE


class ClockReading(msgspec.Struct, frozen=True):
    """Offset of a host's clock from Xero's clock, in seconds (negative: behind), and Xero's time of the reading."""

    ahead: float
    read_at: datetime


class LimitStatus(msgspec.Struct):
    """Rate limits and clock offsets from Xero's responses, shared by all processes. Instants are UTC.

    Attributes:
        not_before: the instant before which no call leaves, because of a 429.
        limited_at: the time of the last 429, until a later call gets another response; `limited` counts them in a row.
        minute_left: calls left in Xero's minute; its first response came at `minute_from`.
        day_left: calls left in Xero's day, as of `day_seen_at`.
        day_most: the highest `day_left` of this day or the previous one.
        day_turns_at: the start of Xero's next day, known when no call is left.
        retries: tokens left in the retry budget; `failed_at` is the time of the last withdrawal.
        denied: the status, 401 or 403, of a denied call at `denied_at`; 0 if there was none.
        denied_to: a short hash of the denied credentials.
        denied_until: the instant before which no write leaves with these credentials.
        clocks: the clock reading of each host, by host name.
    """

    not_before: datetime | None = None
    limited_at: datetime | None = None
    limited: int = 0
    minute_left: int | None = None
    minute_from: datetime | None = None
    day_left: int | None = None
    day_seen_at: datetime | None = None
    day_most: int = 0
    day_turns_at: datetime | None = None
    retries: int = 0
    failed_at: datetime | None = None
    denied: int = 0
    denied_at: datetime | None = None
    denied_to: str = ""
    denied_until: datetime | None = None
    clocks: dict[str, ClockReading] = {}

    @property
    def clocks_ahead(self) -> dict[str, timedelta]:
        """Offset of each host's clock from Xero's clock, by host name."""
        return {host: timedelta(seconds=reading.ahead) for host, reading in self.clocks.items()}


@dataclass
class RateWindow:
    """The present time, the calls of the last minutes and the limits, within one transaction."""

    now: datetime
    calls: list[Call]
    status: LimitStatus
    host: str = ""
    began: list[Call] = field(default_factory=list)
    ended: list[Call] = field(default_factory=list)

    @property
    def under_way(self) -> int:
        """Number of calls in flight."""
        return sum(call.is_under_way(self.now) for call in self.calls)

    def start(self) -> Call:
        """Add a call that leaves now."""
        self.began.append(Call(self.now))
        return self.began[-1]

    def end(self, call: Call) -> None:
        """Mark a call as ended: answered, aborted or never sent."""
        call.ended_at = self.now
        self.ended.append(call)

    def read_clock(self, ahead: timedelta) -> None:
        """Store the offset of this host's clock from Xero's clock; drop the readings of inactive hosts."""
        read_at = self.now - ahead
        active = {
            host: reading
            for host, reading in self.status.clocks.items()
            if read_at - reading.read_at <= CLOCK_FORGOTTEN_AFTER
        }
        latest = ClockReading(round(ahead.total_seconds(), 1), read_at.replace(microsecond=0))
        self.status.clocks = {**active, self.host: latest}


class InMemoryCalls:
    """Calls and limits of one process, in memory."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._host = platform.node()
        self._calls: list[Call] = []
        self._status = LimitStatus()

    @contextmanager
    def transaction(self) -> Iterator[RateWindow]:
        """Yield the calls and limits, and store the caller's changes. A caller raises before its first change."""
        now = self._clock.now()
        self._calls = [call for call in self._calls if call.is_counted(now)]
        traffic = RateWindow(now, self._calls, self._status, self._host)
        yield traffic
        self._calls += traffic.began


class SharedCalls(InMemoryCalls):
    """Calls and limits of all processes on one store; see `StateStore.calls`."""

    def __init__(self, engine: Engine, clock: Clock) -> None:
        super().__init__(clock)
        self._engine = engine
        self._purge_at = datetime.min.replace(tzinfo=UTC)

    @contextmanager
    def transaction(self) -> Iterator[RateWindow]:
        """Yield the calls and limits in one short transaction, which excludes other processes."""
        with self._engine.begin() as connection:
            now = self._clock.now()
            recent = table.c.started_at > now - LATENCY_WINDOW, table.c.started_at <= now + MINUTE
            rows = connection.execute(select(table).where(*recent).order_by(table.c.started_at, table.c.id)).all()
            calls = [Call(row.started_at, row.ended_at, row.id) for row in rows]
            stored = connection.scalar(select(key_value.c.value).where(key_value.c.key == LIMITS_KEY))
            calls = [call for call in calls if call.is_counted(now)]
            traffic = RateWindow(now, calls, parse_limit_status(stored), self._host)
            yield traffic
            self._write_calls(connection, traffic)
            limits = msgspec.json.encode(traffic.status).decode()
            if limits != stored:
                row_writes.put_value(connection, LIMITS_KEY, limits, now)

    def _write_calls(self, connection: Connection, traffic: RateWindow) -> None:
        for call in traffic.ended:
            same = (table.c.id == call.id, table.c.started_at == call.started_at)  # ids of deleted calls are reused
            connection.execute(update(table).where(*same).values(ended_at=call.ended_at))
        if traffic.began and traffic.now >= self._purge_at:
            connection.execute(delete(table).where(table.c.started_at <= traffic.now - CALL_RETENTION))
            self._purge_at = traffic.now + MINUTE
        for call in traffic.began:
            result = connection.execute(insert(table).values(started_at=call.started_at))
            assert result.inserted_primary_key is not None
            call.id = result.inserted_primary_key[0]


def parse_limit_status(text: str | None) -> LimitStatus:
    """Return the limits from their JSON, or empty limits if it is missing or invalid.

    Empty limits are safe: Xero's next response states the limits again.
    """
    try:
        return msgspec.json.decode(text or "{}", type=LimitStatus)
    except msgspec.DecodeError:
        return LimitStatus()
