"""Messages of the failed steps of a run, each once, with its kind of failure.

This module only reads Dagster's events; the room that raised an error decides its message.
"""

import re
from dataclasses import dataclass, replace
from pathlib import Path

import dagster as dg

from shopify_xero_pipeline.defs.resources import SETTING_LABEL, TRANSIENT_LABEL
from shopify_xero_pipeline.pipeline import storage_errors
from shopify_xero_pipeline.pipeline.connections import TryLaterError

INTERRUPTION_ERRORS = ("DagsterExecutionInterruptedError", "KeyboardInterrupt")
INTERRUPTED_MESSAGE = "interrupted; the next run of these days settles the unfinished writes"
NO_STEP_MESSAGE = "the run failed before its first step; see it in the Dagster UI"
_REQUEST_ID = re.compile(r" \([^()]*\b(?:request|correlation id:) [^()]*\)$")


@dataclass(frozen=True)
class StepFailure:
    """The failure of a step or of a run, for people.

    Attributes:
        message: the reason and the remedy.
        is_transient: a later run may succeed without a change.
        needs_setting: a setting, a permission or a disk blocks the step.
    """

    message: str
    is_transient: bool = False
    needs_setting: bool = False


def step_failures(result: dg.ExecuteInProcessResult, home: Path) -> list[StepFailure]:
    """Return the failures of a run with the names of their steps; messages that only differ in request ids are merged.

    Args:
        result: result of a run that failed.
        home: DAGSTER_HOME, whose storage may be the cause.
    """
    failures: dict[str, StepFailure] = {}
    steps: dict[str, list[str]] = {}
    for event in result.all_events:
        if event.is_step_failure:
            failure = _parse_failure(event, home)
            key = _REQUEST_ID.sub("", failure.message)
            failures.setdefault(key, failure)
            steps.setdefault(key, []).append((event.step_key or "").replace("__", "/"))
    merged = [
        replace(failure, message=f"{', '.join(sorted(steps[key]))}: {failure.message}")
        for key, failure in failures.items()
    ]
    return merged or [StepFailure(NO_STEP_MESSAGE)]


def _parse_failure(event: dg.DagsterEvent, home: Path) -> StepFailure:
    data = event.step_failure_data
    if (failure := data.user_failure_data) and failure.description:
        return StepFailure(
            failure.description,
            is_transient=TRANSIENT_LABEL in failure.metadata,
            needs_setting=SETTING_LABEL in failure.metadata,
        )
    error, stack = data.error, list[str]()
    if error is None:
        return StepFailure("failed")
    if error.cls_name in INTERRUPTION_ERRORS:
        return StepFailure(INTERRUPTED_MESSAGE)
    while error.cause is not None:
        stack += error.stack
        error = error.cause
    storage_error = storage_errors.from_step(error.message, [*stack, *error.stack], home)
    if storage_error is None:
        return StepFailure(error.message.strip())
    is_transient = isinstance(storage_error, TryLaterError)
    return StepFailure(str(storage_error), is_transient, needs_setting=not is_transient)
