"""What a load did, record by record, and the counts that are kept of it. Only shapes and counting belong here."""

from collections import Counter
from collections.abc import Iterable
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum

from pydantic import BaseModel, ConfigDict

from shopify_xero_pipeline.changes.models import Change
from shopify_xero_pipeline.state.records import HistoryRow, Operation, OperationState, SyncError
from shopify_xero_pipeline.xero.models import Kind

FAILED = (OperationState.REJECTED, OperationState.NEEDS_REVIEW)


class LoadOutcome(StrEnum):
    """What became of a record. Postponed: still planned, or its answer is not known yet; nothing is wrong with it.

    Deleted: an Allocation that stood in the way of money was taken back. Dismissed: it failed, and a person decided to
    leave it at that.
    """

    CREATED = "created"
    UPDATED = "updated"
    ADOPTED = "adopted"
    DELETED = "deleted"
    UNCHANGED = "unchanged"
    FAILED = "failed"
    POSTPONED = "postponed"
    DISMISSED = "dismissed"


COUNTED_OUTCOMES = tuple(outcome for outcome in LoadOutcome if outcome is not LoadOutcome.DISMISSED)


class LoadResult(BaseModel):
    """One record of one day. `reason` is plain words for what failed or was postponed; `amount` is in `currency`."""

    model_config = ConfigDict(frozen=True)

    day: date
    kind: Kind
    shopify_id: str
    natural_key: str
    order_id: str | None = None
    order_name: str | None = None
    outcome: LoadOutcome
    reason: str = ""
    retryable: bool = False
    xero_id: str | None = None
    correlation_id: str | None = None
    attempts: int = 0
    amount: Decimal | None = None
    currency: str | None = None


class LoadReport(BaseModel):
    """All results of one load, and the calls to Xero it took."""

    model_config = ConfigDict(frozen=True)

    results: tuple[LoadResult, ...] = ()
    calls: int = 0

    def count(self, outcome: LoadOutcome, day: date | None = None) -> int:
        """Return how many records ended so, on one day or on all."""
        return sum(one.outcome is outcome and day in (None, one.day) for one in self.results)

    def history(self, run_id: str, finished_at: datetime, duration_ms: int) -> list[HistoryRow]:
        """Return the counts for each day and kind."""
        counted = Counter((one.day, one.kind, one.outcome) for one in self.results)
        return [
            HistoryRow(
                run_id=run_id,
                partition=day,
                kind=kind,
                calls=self.calls,
                duration_ms=duration_ms,
                finished_at=finished_at,
                **{outcome.value: counted[day, kind, outcome] for outcome in COUNTED_OUTCOMES},
            )
            for day, kind in dict.fromkeys((one.day, one.kind) for one in self.results)
        ]


def unchanged_result(day: date, change: Change, reason: str = "") -> LoadResult:
    """Return the result of a record that already is as wanted."""
    return _result(day, change, outcome=LoadOutcome.UNCHANGED, reason=reason, xero_id=change.xero_id)


def deferred_result(day: date, change: Change, error: SyncError) -> LoadResult:
    """Return the result of a record that failed before and is not tried now."""
    details = {"retryable": error.retryable, "correlation_id": error.correlation_id, "attempts": error.attempts}
    if error.dismissed_at is not None:
        reason = f"dismissed: {error.dismissal_reason}. It had failed: {error.reason}"
        return _result(day, change, outcome=LoadOutcome.DISMISSED, reason=reason, **details)
    when = (
        f"tried again after {error.next_attempt_at:%d %b %H:%M} UTC" if error.next_attempt_at else "tried again later"
    )
    return _result(day, change, outcome=LoadOutcome.FAILED, reason=f"{error.reason} ({when})", **details)


def operation_outcome(operation: Operation) -> LoadOutcome:
    """Return what an operation's state means for people."""
    if operation.state is OperationState.CONFIRMED:
        return LoadOutcome(operation.outcome or LoadOutcome.CREATED)
    return LoadOutcome.FAILED if operation.state in FAILED else LoadOutcome.POSTPONED


def written_results(days: Iterable[date], change: Change, operation: Operation) -> list[LoadResult]:
    """Return the results of a record that was to be written, for each day that wanted it; it counts as written once."""
    outcome = operation_outcome(operation)
    first, *others = days
    again = outcome if outcome in (LoadOutcome.FAILED, LoadOutcome.POSTPONED) else LoadOutcome.UNCHANGED
    details = {
        "reason": operation.reason,
        "retryable": operation.retryable,
        "xero_id": operation.xero_id,
        "correlation_id": operation.correlation_id,
        "attempts": operation.attempts,
    }
    return [_result(first, change, outcome=outcome, **details)] + [
        _result(day, change, outcome=again, **details) for day in others
    ]


def _result(day: date, change: Change, **details: object) -> LoadResult:
    same = ("kind", "shopify_id", "natural_key", "order_id", "order_name", "amount", "currency")
    return LoadResult.model_validate({name: getattr(change, name) for name in same} | {"day": day} | details)
