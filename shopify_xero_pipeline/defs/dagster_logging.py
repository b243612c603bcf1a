"""Conversion of Dagster's log records of a run to the format of this project's log.

This module only converts records; the log itself is in `observability/logs.py`. Dagster creates the console logger of a
run with `logging.getLoggerClass()`, so `install_run_logger` sets that class for the process. Dagster 1.13 has no other
place for it: `create_log_manager` in `dagster/_core/execution/context_creation_job.py` uses a logger of `Definitions`
only if the run configuration names it, and a run from the UI names none. A handler in `dagster.yaml` writes beside the
console logger, which would go on with unmasked lines in its own format. A test fails as soon as Dagster changes this.

Dagster also forwards the records of this project, which are already in the log, so `RunLogger` drops them.
"""

import logging
from typing import Any, ClassVar

from shopify_xero_pipeline.observability import logs
from shopify_xero_pipeline.settings import Settings

DAGSTER_META = "dagster_meta"
"""The attribute that Dagster adds to the records for the console loggers of a run."""


class RunLogger(logging.Logger):
    """A logger that writes Dagster's records of a run in the project's format, and other records as usual."""

    redacting_filter: ClassVar[logging.Filter]
    handler: ClassVar[logging.Handler]

    def handle(self, record: logging.LogRecord) -> None:
        """Write a record, unless Dagster forwards one of this project."""
        if not hasattr(record, DAGSTER_META):
            super().handle(record)
        elif not hasattr(record, "fields"):
            _add_fields(record)
            self.redacting_filter.filter(record)
            if record.levelno >= self.handler.level:
                self.handler.handle(record)


def install_run_logger(settings: Settings) -> None:
    """Use `RunLogger` for all loggers that this process creates from now on."""
    RunLogger.redacting_filter = logs.RedactingFilter(logs.Redactor(settings.secrets()))
    RunLogger.handler = logs.line_handler(settings)
    logging.setLoggerClass(RunLogger)


def _add_fields(record: logging.LogRecord) -> None:
    """Add event name, run, job, step, message and reason to a record of Dagster."""
    meta: dict[str, Any] = getattr(record, DAGSTER_META)
    event = meta["dagster_event"]
    error = getattr(getattr(event, "event_specific_data", None), "error", None)
    fields = {
        "sync_id": meta["run_id"],
        "job": meta["job_name"],
        "step": meta["step_key"],
        "message": meta["orig_message"],
        "reason": error.to_string() if error is not None else None,
    }
    name = event.event_type_value.lower() if event is not None else "message"
    record.__dict__ |= {"event": name, "fields": {key: value for key, value in fields.items() if value is not None}}
