"""Schedule of automatic retries, with the days that have unfinished work and their next attempts.

The reasons come from the state store, without a call. The caller stores the attempts of each day as text. This module
only decides when a day is due: the loader does the work, `defs/sensors.py` requests the runs.
"""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from pydantic import AwareDatetime, BaseModel, ConfigDict, RootModel, ValidationError

from shopify_xero_pipeline.clock import is_due
from shopify_xero_pipeline.loading import batch_requests
from shopify_xero_pipeline.loading.batch_sender import MAX_QUIET_TIME
from shopify_xero_pipeline.loading.parent_ids import ParentIds
from shopify_xero_pipeline.pipeline.sync import SyncService
from shopify_xero_pipeline.state.failed_records import FIRST_PAUSE, LONGEST_PAUSE, next_attempt_at
from shopify_xero_pipeline.state.records import LONGEST_LEASE, Batch, BatchState, SyncError
from shopify_xero_pipeline.state.store import StateStore
from shopify_xero_pipeline.xero.models import Kind, kind_label

FAILED_RUN_REASON = "its last run failed"
PLANNED_REASON = "writes are planned and not sent"
TOKEN_REFRESH_REASON = "a token refresh for Xero started and did not finish"  # noqa: S105 - a text, not a token
TOKEN_REFRESH_DURATION = timedelta(minutes=2)
"""Time after which an unfinished token refresh counts as failed."""

TIME_TOLERANCE = timedelta(seconds=5)
"""Added to the end of a quiet time, because Xero's responses state their time in whole seconds."""

MAX_PAUSE_AT_LOW_QUOTA = timedelta(hours=1)
"""Longest pause while Xero's daily quota is low, because it may reset at any time."""


@dataclass(frozen=True)
class RetryReason:
    """Reason for the unfinished work of a day.

    Attributes:
        reason: a text for people.
        due_at: the earliest time of an attempt, UTC; None if it follows the back-off.
    """

    reason: str
    due_at: datetime | None = None


class RetryAttempt(BaseModel):
    """The attempts of a day for one reason.

    Attributes:
        why: the reason.
        tries: number of runs requested for it.
        next: time of the next attempt, UTC.
    """

    model_config = ConfigDict(frozen=True)

    why: str
    tries: int
    next: AwareDatetime


class RetryState(RootModel[dict[date, RetryAttempt]]):
    """The attempts so far, by day."""

    @classmethod
    def read(cls, text: str | None) -> "RetryState":
        """Return the state of a stored text; a lost or unreadable state starts again with the first pause."""
        try:
            return cls.model_validate_json(text or "{}")
        except ValidationError:
            return cls({})


def retry_reasons(sync_service: SyncService, failed: Iterable[date] = ()) -> dict[date, RetryReason]:
    """Return the days with unfinished work that a retry may complete, each with the reason that is due first.

    Args:
        sync_service: gives the days of the books and the state store.
        failed: days whose last run failed.
    """
    connections, store = sync_service.connections, sync_service.connections.store
    now = connections.clock.now()
    reasons: dict[date, list[RetryReason]] = defaultdict(list)
    in_batches: Counter[date] = Counter()
    for batch in store.journal.unsettled():
        counts = Counter(operation.partition for operation in store.journal.operations_of(batch.id))
        in_batches += counts
        for day in counts:
            reasons[day].append(_of_batch(batch, now))
    for error in store.failed_records():
        if error.retryable:
            reasons[error.partition].append(_of_error(error))
    for day in store.unfinished_days():
        if day not in reasons or _has_other_work(store, day, in_batches[day]):
            reasons[day].append(RetryReason(PLANNED_REASON))
    for day, reason in sync_service.record_ownership.days_to_reconcile().items():
        reasons[day].append(RetryReason(reason, now))
    for day in failed:
        reasons[day].append(RetryReason(FAILED_RUN_REASON))
    if (started_at := connections.unfinished_token_refresh()) is not None:
        reason = f"{TOKEN_REFRESH_REASON} ({started_at:%Y-%m-%d %H:%M:%S} UTC)"
        reasons[connections.today()].append(RetryReason(reason, started_at + TOKEN_REFRESH_DURATION))
    return {
        day: min(reasons[day], key=lambda reason: reason.due_at or now + FIRST_PAUSE)
        for day in connections.days()
        if day in reasons
    }


def select_due_days(
    reasons: Mapping[date, RetryReason],
    state: RetryState,
    now: datetime,
    *,
    busy: Collection[date] = (),
    budget_is_low: bool = False,
) -> tuple[list[date], RetryState]:
    """Return the days to retry now, and the new state to store.

    A day is retried when its reason is due. While the reason stays, the day is retried with exponential back-off, after
    5, 20, 80 minutes and so on, up to a day.

    Args:
        reasons: the reason of each day with unfinished work.
        state: the stored state.
        now: the present time, UTC.
        busy: days of waiting and active runs.
        budget_is_low: whether Xero's daily quota is low; it may reset at any time, so that no pause exceeds an hour.
    """
    days, attempts = [], {}
    for day, reason in reasons.items():
        attempt = state.root.get(day)
        if attempt is None or attempt.why != reason.reason:
            attempt = RetryAttempt(why=reason.reason, tries=0, next=reason.due_at or now + FIRST_PAUSE)
        if day not in busy and is_due(attempt.next, now, LONGEST_PAUSE):
            next_at = next_attempt_at(now, attempt.tries + 1, retryable=True)
            next_at = min(next_at, now + MAX_PAUSE_AT_LOW_QUOTA) if budget_is_low else next_at
            attempt = RetryAttempt(why=attempt.why, tries=attempt.tries + 1, next=next_at)
            days.append(day)
        attempts[day] = attempt
    return days, RetryState(attempts)


def _of_batch(batch: Batch, now: datetime) -> RetryReason:
    """Return the reason of an open batch, due when its owner's lease expires or its quiet time ends."""
    quiet_at = batch.not_before + TIME_TOLERANCE if batch.not_before is not None else None
    ends = ((batch.lease_until, LONGEST_LEASE), (quiet_at, MAX_QUIET_TIME))
    due = max((at for at, longest in ends if at is not None and not is_due(at, now, longest)), default=now)
    state = "is to be read back" if batch.state is BatchState.AMBIGUOUS else "is still under way"
    return RetryReason(f"request {batch.id} {state}", due)


def _of_error(error: SyncError) -> RetryReason:
    due = error.next_attempt_at or error.last_failed_at + FIRST_PAUSE
    record = f"{kind_label(error.kind)} {error.shopify_id}"
    return RetryReason(f"{record} failed and is due at {due:%Y-%m-%d %H:%M} UTC", due)


def _has_other_work(store: StateStore, day: date, in_batches: int) -> bool:
    """Return whether a day has open writes that are neither in a batch nor waiting for another record."""
    history = store.history(days=[day])
    postponed = sum(row.postponed for row in history if row.run_id == history[-1].run_id)  # of the last load
    open_writes = postponed - in_batches
    if open_writes <= 0:
        return False
    operations = store.journal.planned_of(list(Kind), [day])
    records = [batch_requests.parse_operation(operation).record for operation in operations]
    ids = ParentIds(store, records)
    return open_writes > sum(1 for record in records if ids.missing(record))
