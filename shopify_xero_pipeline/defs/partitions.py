"""Days: the one daily partitions definition, and how lists of days become ranges for a run.

A partition is a shop-local calendar day; the day in progress exists. No asset and no schedule is defined here.
"""

from collections.abc import Iterable, Sequence
from datetime import date, timedelta

import dagster as dg

from shopify_xero_pipeline.books.policy import BooksPolicy

LONGEST = 31
BRIDGED = 3
RANGE_START, RANGE_END = "dagster/asset_partition_range_start", "dagster/asset_partition_range_end"


def daily_partitions(policy: BooksPolicy) -> dg.DailyPartitionsDefinition:
    """Return the days from the start date to the one in progress, in the shop's zone."""
    return dg.DailyPartitionsDefinition(
        start_date=policy.start_date.isoformat(), timezone=policy.time_zone, end_offset=1
    )


def days_of(context: dg.AssetExecutionContext) -> list[date]:
    """Return the days of a run, one or a range."""
    return [date.fromisoformat(key) for key in context.partition_keys]


def as_ranges(days: Iterable[date], longest: int = LONGEST) -> list[tuple[date, date]]:
    """Group days into ranges of at most `longest`; gaps of up to three days are bridged, as a run costs more."""
    ranges: list[tuple[date, date]] = []
    for day in sorted(set(days)):
        if ranges:
            first, last = ranges[-1]
            if day - last <= timedelta(days=BRIDGED + 1) and day - first < timedelta(days=longest):
                ranges[-1] = (first, day)
                continue
        ranges.append((day, day))
    return ranges


def days_between(first: date, last: date) -> list[date]:
    """Return every day from the first to the last, both included."""
    return [first + timedelta(days=n) for n in range((last - first).days + 1)]


def range_tags(first: date, last: date) -> dict[str, str]:
    """Return the tags that make a run of a job cover a range of days."""
    return {RANGE_START: first.isoformat(), RANGE_END: last.isoformat()}


def keys(days: Sequence[date]) -> list[str]:
    """Return the partition keys of days."""
    return [day.isoformat() for day in days]
