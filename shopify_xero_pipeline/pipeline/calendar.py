"""Calendar days of the shop: lists of days, and the ranges of neighbouring days that share a run.

Only arithmetic on days belongs here; partitions of Dagster stand in `defs/partitions.py`.
"""

from collections.abc import Iterable
from datetime import date, timedelta

MAX_DAYS_PER_RUN = 31
MAX_GAP_DAYS = 3


def as_ranges(days: Iterable[date], max_days: int = MAX_DAYS_PER_RUN) -> list[tuple[date, date]]:
    """Group days into ranges of at most `longest`; gaps of up to three days are bridged, as a run costs more."""
    ranges: list[tuple[date, date]] = []
    for day in sorted(set(days)):
        if ranges:
            first, last = ranges[-1]
            if day - last <= timedelta(days=MAX_GAP_DAYS + 1) and day - first < timedelta(days=max_days):
                ranges[-1] = (first, day)
                continue
        ranges.append((day, day))
    return ranges


def days_between(first: date, last: date) -> list[date]:
    """Return every day from the first to the last, both included."""
    return [first + timedelta(days=n) for n in range((last - first).days + 1)]
