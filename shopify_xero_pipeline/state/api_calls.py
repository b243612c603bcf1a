"""The record of calls to Xero: when each began and ended, and what the answers said of Xero's limits.

Only keeping it belongs here; when a call may leave is decided in `xero/rate_limiter.py`. A store belongs to one
organisation, so the limits of an organisation are the limits of a store. `Calls` keeps the record for one process
alone, for clients without a store; `SharedCalls` keeps it in the store.
"""

import platform
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import msgspec
from sqlalchemy import Connection, Engine, Select, delete, insert, select, update

from shopify_xero_pipeline.clock import Clock
from shopify_xero_pipeline.state import row_writes
from shopify_xero_pipeline.state.tables import api_call as table
from shopify_xero_pipeline.state.tables import key_value

MINUTE = timedelta(seconds=60)
LOST_AFTER = timedelta(seconds=60)
"""A call without an end is taken for one under way for so long; then its process has died."""

LATENCY_WINDOW = timedelta(minutes=3)
CALL_RETENTION = timedelta(minutes=10)
STANDING = "xero.limits"
CLOCK_FORGOTTEN_AFTER = timedelta(days=1)
"""A host that has not spoken to Xero for so long, by Xero's time, is no longer among those whose clocks are watched."""


@dataclass
class Call:
    """One call; `id` is given by the store."""

    started_at: datetime
    ended_at: datetime | None = None
    id: int = 0

    def under_way(self, now: datetime) -> bool:
        """Tell whether it may still be on its way."""
        return self.ended_at is None and now < self.started_at + LOST_AFTER

    def matters(self, now: datetime) -> bool:
        """Tell whether it is to be reckoned with. A call of the future is not: the clock has been put back since."""
        return self.counts_until(now) > now and self.started_at <= now + MINUTE

    def counts_until(self, now: datetime) -> datetime:
        """Return until when it counts among the calls of a minute.

        Xero counts a call when it arrives, which may be at any moment between its start and its end.
        """
        return (self.ended_at or min(now, self.started_at + LOST_AFTER)) + MINUTE


class ClockReading(msgspec.Struct, frozen=True):
    """How far a host's clock was ahead of Xero's, in seconds (negative: behind), and when that was by Xero's time."""

    ahead: float
    read_at: datetime


class LimitStatus(msgspec.Struct):
    """What Xero's answers said of its limits and of our clocks, known to all processes.

    Attributes:
        not_before: no call leaves before, because a 429 said so.
        limited_at: when the last 429 came, until a later call is answered otherwise; `limited` counts those in a row.
        minute_left: calls left in Xero's minute, and `minute_from`, when its first answer came.
        day_left: calls left in Xero's day, and `day_seen_at`, when that was said.
        day_most: the most that was left in this day or the one before.
        day_turns_at: when Xero's day turns, said when no call is left.
        retries: what is left of the retry budget, and `failed_at`, when it was last drawn on.
        denied: the status, 401 or 403, with which a call was denied at `denied_at`; 0 if none was.
        denied_to: which credentials were denied, as a short hash.
        denied_until: no write leaves before with these credentials.
        clocks: how far the clock of each host is from Xero's, as its last answer showed, by the host's name.
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
        """By how much the clock of each host is ahead of Xero's."""
        return {host: timedelta(seconds=one.ahead) for host, one in self.clocks.items()}


@dataclass
class RateWindow:
    """The record as one turn sees it: the present time, the calls of the last minutes, and what is known of limits."""

    now: datetime
    calls: list[Call]
    status: LimitStatus
    host: str = ""
    began: list[Call] = field(default_factory=list)
    ended: list[Call] = field(default_factory=list)

    @property
    def under_way(self) -> int:
        """How many calls are in flight."""
        return sum(one.under_way(self.now) for one in self.calls)

    def start(self) -> Call:
        """Enter a call that leaves now."""
        self.began.append(Call(self.now))
        return self.began[-1]

    def end(self, call: Call) -> None:
        """Note that a call is over: answered, broken off, or never sent."""
        call.ended_at = self.now
        self.ended.append(call)

    def read_clock(self, ahead: timedelta) -> None:
        """Keep how far this host's clock is ahead of Xero's; hosts that no longer speak to Xero are forgotten."""
        read_at = self.now - ahead
        watched = {
            host: one for host, one in self.status.clocks.items() if read_at - one.read_at <= CLOCK_FORGOTTEN_AFTER
        }
        reading = ClockReading(round(ahead.total_seconds(), 1), read_at.replace(microsecond=0))
        self.status.clocks = {**watched, self.host: reading}


class InMemoryCalls:
    """The calls of one process, kept in memory."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._host = platform.node()
        self._calls: list[Call] = []
        self._standing = LimitStatus()

    @contextmanager
    def transaction(self) -> Iterator[RateWindow]:
        """Give the record into the caller's hand; what is changed in it is kept. Raise before changing anything."""
        now = self._clock.now()
        self._calls = [one for one in self._calls if one.matters(now)]
        traffic = RateWindow(now, self._calls, self._standing, self._host)
        yield traffic
        self._calls += traffic.began


class SharedCalls(InMemoryCalls):
    """The calls of all processes on one store. Obtained from `StateStore.calls`. A turn is one short transaction."""

    def __init__(self, engine: Engine, clock: Clock) -> None:
        super().__init__(clock)
        self._engine = engine

    @contextmanager
    def transaction(self) -> Iterator[RateWindow]:
        """Give the record into the caller's hand; no other process has a turn meanwhile."""
        with self._engine.begin() as connection:
            now = self._clock.now()
            lately = table.c.started_at > now - LATENCY_WINDOW, table.c.started_at <= now + MINUTE
            calls = _read(connection, select(table).where(*lately))
            known = connection.scalar(select(key_value.c.value).where(key_value.c.key == STANDING))
            calls = [one for one in calls if one.matters(now)]
            traffic = RateWindow(now, calls, read_standing(known), self._host)
            yield traffic
            _write(connection, traffic)
            said = msgspec.json.encode(traffic.status).decode()
            if said != known:
                row_writes.put_value(connection, STANDING, said, now)

    def recent(self) -> list[Call]:
        """Return the calls of the last ten minutes, oldest first."""
        with self._engine.begin() as connection:
            return _read(connection, select(table).where(table.c.started_at > self._clock.now() - CALL_RETENTION))


def _read(connection: Connection, query: Select[Any]) -> list[Call]:
    found = connection.execute(query.order_by(table.c.started_at, table.c.id)).all()
    return [Call(row.started_at, row.ended_at, row.id) for row in found]


def read_standing(known: str | None) -> LimitStatus:
    """Read what is known of the limits; if it cannot be read, Xero's next answer says it again."""
    try:
        return msgspec.json.decode(known or "{}", type=LimitStatus)
    except msgspec.DecodeError:
        return LimitStatus()


def _write(connection: Connection, traffic: RateWindow) -> None:
    for one in traffic.ended:
        same = (table.c.id == one.id, table.c.started_at == one.started_at)  # ids of forgotten calls are given again
        connection.execute(update(table).where(*same).values(ended_at=one.ended_at))
    for one in traffic.began:
        connection.execute(delete(table).where(table.c.started_at <= traffic.now - CALL_RETENTION))
        made = connection.execute(insert(table).values(started_at=one.started_at))
        assert made.inserted_primary_key is not None
        one.id = made.inserted_primary_key[0]
