"""Days: the one daily partitions definition, and the tags that make a run cover a range of days.

A partition is a shop-local calendar day; the day in progress exists. No asset and no schedule is defined here.
"""

from collections.abc import Sequence
from datetime import date

import dagster as dg

from shopify_xero_pipeline.books.policy import BooksPolicy

RANGE_START, RANGE_END = "dagster/asset_partition_range_start", "dagster/asset_partition_range_end"


def daily_partitions(policy: BooksPolicy) -> dg.DailyPartitionsDefinition:
    """Return the days from the start date to the one in progress, in the shop's zone."""
    return dg.DailyPartitionsDefinition(
        start_date=policy.start_date.isoformat(), timezone=policy.time_zone, end_offset=1
    )


def run_days(context: dg.AssetExecutionContext) -> list[date]:
    """Return the days of a run, one or a range."""
    return [date.fromisoformat(key) for key in context.partition_keys]


def range_tags(first: date, last: date) -> dict[str, str]:
    """Return the tags that make a run of a job cover a range of days."""
    return {RANGE_START: first.isoformat(), RANGE_END: last.isoformat()}


def partition_keys(days: Sequence[date]) -> list[str]:
    """Return the partition keys of days."""
    return [day.isoformat() for day in days]
