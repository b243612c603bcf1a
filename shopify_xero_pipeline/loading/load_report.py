"""The report of a load, with a result for each record and the counts of the history. This module does no I/O."""

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
    """The result of a load for one record.

    POSTPONED: the record is still planned, or its outcome is unknown; it has no error. DELETED: an Allocation was
    deleted because other money needs its place. DISMISSED: the record failed and a person dismissed the failure.
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
    """The result for one record of one day.

    `reason` is a text for people on a failed or postponed record; `amount` is in `currency`.
    """

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
    """The results of one portion of a load, its days, and the number of calls to Xero of the whole load."""

    model_config = ConfigDict(frozen=True)

    days: tuple[date, ...] = ()
    results: tuple[LoadResult, ...] = ()
    calls: int = 0

    def count(self, outcome: LoadOutcome, day: date | None = None) -> int:
        """Return the number of records with an outcome, on one day or on all days."""
        return sum(result.outcome is outcome and day in (None, result.day) for result in self.results)

    def history(self, run_id: str, finished_at: datetime, duration_ms: int) -> list[HistoryRow]:
        """Return a history row with the counts for each day and kind.

        Args:
            run_id: the Dagster run or the command.
            finished_at: end of the load, in UTC.
            duration_ms: duration of the whole load in milliseconds.
        """
        counts = Counter((result.day, result.kind, result.outcome) for result in self.results)
        return [
            HistoryRow(
                run_id=run_id,
                partition=day,
                kind=kind,
                calls=self.calls,
                duration_ms=duration_ms,
                finished_at=finished_at,
                **{outcome.value: counts[day, kind, outcome] for outcome in COUNTED_OUTCOMES},
            )
            for day, kind in dict.fromkeys((result.day, result.kind) for result in self.results)
        ]


def unchanged_result(day: date, change: Change, reason: str = "") -> LoadResult:
    """Return the result of a record that needs no write.

    Args:
        day: day of the change-set.
        change: the record's line in it.
        reason: a text for people, or empty.
    """
    return _build_result(day, change, outcome=LoadOutcome.UNCHANGED, reason=reason, xero_id=change.xero_id)


def deferred_result(day: date, change: Change, error: SyncError) -> LoadResult:
    """Return the result of a failed record that this load does not retry.

    Args:
        day: day of the change-set.
        change: the record's line in it.
        error: the failure, which may be dismissed.
    """
    details = error.model_dump(include={"retryable", "correlation_id", "attempts"})
    if error.dismissed_at is not None:
        reason = f"dismissed: {error.dismissal_reason}. It had failed: {error.reason}"
        return _build_result(day, change, outcome=LoadOutcome.DISMISSED, reason=reason, **details)
    next_try = f"retried after {error.next_attempt_at:%d %b %H:%M} UTC" if error.next_attempt_at else "retried later"
    return _build_result(day, change, outcome=LoadOutcome.FAILED, reason=f"{error.reason} ({next_try})", **details)


def written_results(days: Iterable[date], first_day: date, change: Change, operation: Operation) -> list[LoadResult]:
    """Return the results of a written record, one for each day that wants it; only the first counts as written.

    Args:
        days: days that want it.
        first_day: the earliest day of the load that wants it.
        change: the record's line in the change-set.
        operation: the record's newest operation.
    """
    if operation.state is OperationState.CONFIRMED:
        outcome = LoadOutcome(operation.outcome or LoadOutcome.CREATED)
    else:
        outcome = LoadOutcome.FAILED if operation.state in FAILED else LoadOutcome.POSTPONED
    repeated = outcome if outcome in (LoadOutcome.FAILED, LoadOutcome.POSTPONED) else LoadOutcome.UNCHANGED
    details = operation.model_dump(include={"reason", "retryable", "xero_id", "correlation_id", "attempts"})
    return [_build_result(day, change, outcome=outcome if day == first_day else repeated, **details) for day in days]


def _build_result(day: date, change: Change, **details: object) -> LoadResult:
    shared_fields = ("kind", "shopify_id", "natural_key", "order_id", "order_name", "amount", "currency")
    return LoadResult.model_validate({name: getattr(change, name) for name in shared_fields} | {"day": day} | details)
