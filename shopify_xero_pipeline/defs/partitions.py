"""Daily partitions, and the tags of runs that cover a range of days.

A partition is a calendar day in the shop's time zone. The day in progress is a partition. This module defines no asset
and no schedule.
"""

from datetime import date

import dagster as dg

from shopify_xero_pipeline.books.policy import BooksPolicy

# Private tags of Dagster: a run request has no public field for a range of partitions.
RANGE_START, RANGE_END = "dagster/asset_partition_range_start", "dagster/asset_partition_range_end"


def daily_partitions(policy: BooksPolicy) -> dg.DailyPartitionsDefinition:
    """Return the partitions from the start date to the day in progress, in the shop's time zone."""
    return dg.DailyPartitionsDefinition(
        start_date=policy.start_date.isoformat(), timezone=policy.time_zone, end_offset=1
    )


def range_tags(first: date, last: date) -> dict[str, str]:
    """Return the tags of a run that covers a range of days, both ends included."""
    return {RANGE_START: first.isoformat(), RANGE_END: last.isoformat()}
