"""Dagster on the clock that a house shares, in whichever of its processes imports this: days, ticks and events.

Without it the UI would show the days of a shop that trades in October up to the day on which the test runs.
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
    """Return the time of the house in seconds since 1970."""
    return _now().timestamp()


class _InTime(log_manager.DagsterLogManager):
    """What writes a run's events; a record of the standard library bears the machine's time."""

    def makeRecord(self, *args: Any, **named: Any) -> logging.LogRecord:  # noqa: N802
        record = super().makeRecord(*args, **named)
        record.created = timestamp()
        return record


_time._mockable_get_current_datetime = _now
_time._mockable_get_current_timestamp = timestamp
log_manager.DagsterLogManager = _InTime  # type: ignore[misc]
