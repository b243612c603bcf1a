"""What the failed steps of a run say to people: each reason once, and whether it passes by itself.

Only reading them from Dagster's events belongs here; what a reason says is decided by the room that raised it.
"""

import re
from dataclasses import dataclass, replace
from pathlib import Path

import dagster as dg

from shopify_xero_pipeline.defs.resources import SETTING_LABEL, TRANSIENT_LABEL
from shopify_xero_pipeline.pipeline import storage_errors
from shopify_xero_pipeline.pipeline.connections import TryLaterError

INTERRUPTION_ERRORS = ("DagsterExecutionInterruptedError", "KeyboardInterrupt")
INTERRUPTED_MESSAGE = "interrupted; what was under way is settled by the next run of these days"
NO_STEP_MESSAGE = "the run failed before its first step; see it in the Dagster UI"
_REQUEST = re.compile(r" \([^()]*\b(?:request|correlation id:) [^()]*\)$")


@dataclass(frozen=True)
class StepFailure:
    """What a failed step says, whether it passes by itself, and whether a setting or a disk stands in the way."""

    message: str
    is_transient: bool = False
    needs_setting: bool = False


def step_failures(result: dg.ExecuteInProcessResult, home: Path) -> list[StepFailure]:
    """Return what failed steps say; what several say in the same words, each with its own request id, is said once.

    Args:
        result: of a run that failed.
        home: DAGSTER_HOME, whose storage may be the reason.
    """
    said: dict[str, StepFailure] = {}
    steps: dict[str, list[str]] = {}
    for event in result.all_events:
        if event.is_step_failure:
            found = _failure(event, home)
            words = _REQUEST.sub("", found.message)
            said.setdefault(words, found)
            steps.setdefault(words, []).append((event.step_key or "").replace("__", "/"))
    named = [replace(one, message=f"{', '.join(sorted(steps[key]))}: {one.message}") for key, one in said.items()]
    return named or [StepFailure(NO_STEP_MESSAGE)]


def _failure(event: dg.DagsterEvent, home: Path) -> StepFailure:
    failed = event.step_failure_data
    if (own := failed.user_failure_data) and own.description:
        return StepFailure(
            own.description, is_transient=TRANSIENT_LABEL in own.metadata, needs_setting=SETTING_LABEL in own.metadata
        )
    error, stack = failed.error, list[str]()
    if error is None:
        return StepFailure("failed")
    if error.cls_name in INTERRUPTION_ERRORS:
        return StepFailure(INTERRUPTED_MESSAGE)
    while error.cause is not None:
        stack += error.stack
        error = error.cause
    found = storage_errors.from_step(error.message, [*stack, *error.stack], home)
    if found is None:
        return StepFailure(error.message.strip())
    passes = isinstance(found, TryLaterError)
    return StepFailure(str(found), passes, needs_setting=not passes)
