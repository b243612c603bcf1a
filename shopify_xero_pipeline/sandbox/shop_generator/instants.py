"""Instants of the generated shop: local days and clock times of its zone as UTC, and the API's way of writing them.

No time of day is read here; every instant comes from a calendar day or from another instant.
"""

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

_CYCLE_ANCHOR = date(2026, 9, 21)
CYCLE = 14
"""Days after which the shop's schedule repeats, so that any fortnight sees every kind of order."""


def local(day: date, hour: int, minute: int, zone: ZoneInfo) -> datetime:
    """A clock time of a local day, in UTC; a time the clocks skip is taken an hour later, still on that day."""
    return datetime.combine(day, time(hour, minute), tzinfo=zone).astimezone(UTC)


def midnight(day: date, zone: ZoneInfo) -> datetime:
    """The first instant of a local day, in UTC."""
    return local(day, 0, 0, zone)


def slot_of(day: date) -> int:
    """The day's place in the fortnightly schedule, 0 to 13; 21 September 2026 is 0."""
    return (day - _CYCLE_ANCHOR).days % CYCLE


def cycle_start(day: date) -> date:
    """The first day of the fortnightly cycle a day lies in."""
    return day - timedelta(days=slot_of(day))


def stamp(at: datetime) -> str:
    """An instant as the API writes it: `2026-09-21T03:04:05Z`."""
    return f"{at.isoformat()[:19]}Z"


def stamp_or_none(at: datetime | None) -> str | None:
    """An instant as the API writes it, or nothing."""
    return None if at is None else stamp(at)
