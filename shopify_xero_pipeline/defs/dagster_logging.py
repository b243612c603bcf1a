"""What Dagster itself says of a run, as lines of our log; its own console logger would write another format.

Only the turning of Dagster's records into ours belongs here. A run takes the console logger its configuration names,
and most runs name none; but Dagster makes its own with the class that `logging.getLoggerClass` gives, so one of ours
does for all of them. What we say ourselves Dagster hands on once more; it has been written already, and is left out.
"""

import logging
from typing import Any, ClassVar

from shopify_xero_pipeline.observability import logs
from shopify_xero_pipeline.settings import Settings

DAGSTER_META = "dagster_meta"
"""Dagster marks with this the records it hands to the console loggers of a run."""


class RunLogger(logging.Logger):
    """A logger that writes what Dagster says of a run as our lines, and is like any other for the rest."""

    masking: ClassVar[logging.Filter]
    handler: ClassVar[logging.Handler]

    def handle(self, record: logging.LogRecord) -> None:
        """Write a record of Dagster's; leave out one of ours."""
        if not hasattr(record, DAGSTER_META):
            super().handle(record)
        elif not hasattr(record, "fields"):
            _turn(record)
            self.masking.filter(record)
            if record.levelno >= self.handler.level:
                self.handler.handle(record)


def install_run_logger(settings: Settings) -> None:
    """Let Dagster's own words of a run be lines of our log from now on, in this process."""
    RunLogger.masking = logs.RedactingFilter(logs.Redactor(settings.secrets()))
    RunLogger.handler = logs.line_handler(settings, settings.log_level or "INFO")
    logging.setLoggerClass(RunLogger)


def _turn(record: logging.LogRecord) -> None:
    """Give a record of Dagster's an event, its run and its step."""
    said: dict[str, Any] = getattr(record, DAGSTER_META)
    event = said["dagster_event"]
    failed = getattr(getattr(event, "event_specific_data", None), "error", None)
    fields = {
        "sync_id": said["run_id"],
        "job": said["job_name"],
        "step": said["step_key"],
        "message": said["orig_message"],
        "reason": failed.to_string() if failed is not None else None,
    }
    name = event.event_type_value.lower() if event is not None else "message"
    known = {key: value for key, value in fields.items() if value is not None}
    record.__dict__ |= {"event": name, "fields": known}
