"""Instants of the generated shop: its local days and clock times in UTC, and their format in the API.

This module reads no clock; each instant is computed from a calendar day or from another instant.
"""

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

_CYCLE_ANCHOR = date(2026, 9, 21)  # a Monday; the first day of a cycle
CYCLE = 14
"""Days after which the shop's schedule repeats, so that any fortnight contains every kind of order."""


def local(day: date, hour: int, minute: int, zone: ZoneInfo) -> datetime:
    """Return a local clock time in UTC; a time skipped by daylight saving is an hour later, on the same day.

    Args:
        day: the day in the zone.
        hour: the hour of the clock.
        minute: the minute of the clock.
        zone: the time zone.
    """
    return datetime.combine(day, time(hour, minute), tzinfo=zone).astimezone(UTC)


def midnight(day: date, zone: ZoneInfo) -> datetime:
    """Return the first instant of a local day, in UTC."""
    return local(day, 0, 0, zone)


def slot_of(day: date) -> int:
    """Return a day's place in the fortnightly schedule, 0 to 13; 21 September 2026 is 0."""
    return (day - _CYCLE_ANCHOR).days % CYCLE


def cycle_start(day: date) -> date:
    """Return the first day of a day's fortnightly cycle."""
    return day - timedelta(days=slot_of(day))


def stamp(at: datetime) -> str:
    """Return an instant in the API's format: `2026-09-21T03:04:05Z`."""
    return f"{at.isoformat()[:19]}Z"


def stamp_or_none(at: datetime | None) -> str | None:
    """Return an instant in the API's format, or None."""
    return None if at is None else stamp(at)
