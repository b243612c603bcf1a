"""Dagster on the shared clock, in each process that imports this module: days, ticks and events.

Without it the UI would show the days of a shop that trades in October up to the day of the test run.
"""

import logging
from datetime import datetime
from typing import Any

from dagster import _time
from dagster._core import log_manager

from shopify_xero_pipeline_tests.campaigns.dagster_runs.clock import SharedClock


def _now() -> datetime:
    return SharedClock().now()


def timestamp() -> float:
    """Return the shared time in seconds since 1970."""
    return _now().timestamp()


class _InTime(log_manager.DagsterLogManager):
    """The writer of a run's events, which sets the shared time in records of the standard library."""

    def makeRecord(self, *args: Any, **named: Any) -> logging.LogRecord:  # noqa: N802
        record = super().makeRecord(*args, **named)
        record.created = timestamp()
        return record


_time._mockable_get_current_datetime = _now
_time._mockable_get_current_timestamp = timestamp
log_manager.DagsterLogManager = _InTime  # type: ignore[misc]
