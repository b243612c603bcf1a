"""Arithmetic on the shop's calendar days.

This module only maps orders to days, and builds lists of days and the ranges that share a run. Dagster's partitions are
in `defs/partitions.py`.
"""

from collections.abc import Iterable
from datetime import date, datetime, time, timedelta

from shopify_xero_pipeline.books.policy import BooksPolicy

MAX_GAP_DAYS = 3
"""Longest gap that a range bridges, because one more run costs more than these days."""


def as_ranges(days: Iterable[date]) -> list[tuple[date, date]]:
    """Group days into ranges, and bridge gaps of up to `MAX_GAP_DAYS` days.

    Args:
        days: in any order, duplicates allowed.

    Returns:
        The first and the last day of each range, both included, in ascending order.
    """
    ranges: list[tuple[date, date]] = []
    for day in sorted(set(days)):
        if ranges:
            first, last = ranges[-1]
            if day - last <= timedelta(days=MAX_GAP_DAYS + 1):
                ranges[-1] = (first, day)
                continue
        ranges.append((day, day))
    return ranges


def days_between(first: date, last: date) -> list[date]:
    """Return every day from the first to the last, both included."""
    return [first + timedelta(days=n) for n in range((last - first).days + 1)]


def first_instant(policy: BooksPolicy) -> datetime:
    """Return the beginning of the start date in the shop's time zone."""
    return datetime.combine(policy.start_date, time(), policy.zone)


def day_of_order(processed_at: datetime, policy: BooksPolicy) -> date:
    """Return the day of an order in the shop's time zone; earlier orders belong to the start date."""
    return max(processed_at.astimezone(policy.zone).date(), policy.start_date)
