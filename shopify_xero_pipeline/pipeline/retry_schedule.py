"""What is left to do and may succeed by itself: which days, and when they are tried next. From our own files alone.

Why a day has work left is read from the state store; how often a try was asked for in vain is kept by the caller, as
text. Doing the work belongs to the loader, asking Dagster for it to `defs/sensors.py`.
"""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from pydantic import AwareDatetime, BaseModel, ConfigDict, RootModel, ValidationError

from shopify_xero_pipeline.clock import is_due
from shopify_xero_pipeline.loading import batch_requests
from shopify_xero_pipeline.loading.batch_sender import MAX_QUIET_SECONDS
from shopify_xero_pipeline.loading.parent_ids import ParentIds
from shopify_xero_pipeline.pipeline.sync import SyncService
from shopify_xero_pipeline.state.failed_records import FIRST_PAUSE, LONGEST_PAUSE, next_attempt_at
from shopify_xero_pipeline.state.records import LONGEST_LEASE, Batch, BatchState, SyncError
from shopify_xero_pipeline.state.store import StateStore
from shopify_xero_pipeline.xero.models import Kind

FAILED_RUN = "its last run failed"
PLANNED = "writes are planned and not sent"
SIGN_IN = "renewing the sign-in to Xero was begun and not finished"
SIGN_IN_DURATION = timedelta(minutes=2)
UNCERTAIN = timedelta(seconds=5)
"""Answers state whole seconds: a run that begins at the very moment may find that it is not yet time."""

WHILE_BUDGET_IS_LOW = timedelta(hours=1)


@dataclass(frozen=True)
class RetryReason:
    """Why a day has work left, and from when on it may be done; None if only a pause can tell."""

    reason: str
    due_at: datetime | None = None


class RetryAttempt(BaseModel):
    """A day that has work left for this reason, how often a run was asked for because of it, and when the next is."""

    model_config = ConfigDict(frozen=True)

    why: str
    tries: int
    next: AwareDatetime


class RetryState(RootModel[dict[date, RetryAttempt]]):
    """What was asked for in vain so far, by day."""

    @classmethod
    def read(cls, text: str | None) -> "RetryState":
        """Read what was kept; what is lost or cannot be read begins anew, after the first pause."""
        try:
            return cls.model_validate_json(text or "{}")
        except ValidationError:
            return cls({})


def retry_reasons(sync_service: SyncService, failed: Iterable[date] = ()) -> dict[date, RetryReason]:
    """Return the days with work left that may succeed by itself, each with its first reason to come.

    Args:
        sync_service: its days and its store.
        failed: days whose last run failed.
    """
    store, now = sync_service.connections.store, sync_service.connections.clock.now()
    found: dict[date, list[RetryReason]] = defaultdict(list)
    under_way: Counter[date] = Counter()
    for one in store.journal.unsettled():
        days = Counter(operation.partition for operation in store.journal.operations_of(one.id))
        under_way += days
        for day in days:
            found[day].append(_of_batch(one, now))
    for error in store.failed_records():
        if error.retryable:
            found[error.partition].append(_of_error(error))
    for day in store.unfinished_days():
        if day not in found or _is_more_left(store, day, under_way[day]):
            found[day].append(RetryReason(PLANNED))
    for day, why in sync_service.record_ownership.days_to_reconcile().items():
        found[day].append(RetryReason(why, now))
    for day in failed:
        found[day].append(RetryReason(FAILED_RUN))
    if (begun := sync_service.connections.unfinished_token_refresh()) is not None:
        found[sync_service.connections.today()].append(
            RetryReason(f"{SIGN_IN} ({begun:%Y-%m-%d %H:%M:%S} UTC)", begun + SIGN_IN_DURATION)
        )
    return {day: _first(found[day], now) for day in sync_service.days() if day in found}


def select_due_days(
    found: Mapping[date, RetryReason],
    tries: RetryState,
    now: datetime,
    *,
    busy: Collection[date] = (),
    budget_is_low: bool = False,
) -> tuple[list[date], RetryState]:
    """Return the days to be tried now, and what to keep.

    A day is tried when its reason is due, then after 5, 20, 80 minutes and so on up to a day while the reason stays.

    Args:
        found: why days have work left.
        tries: what was kept last.
        now: the present instant.
        busy: days that runs are going to do, or are doing.
        budget_is_low: Xero's day may turn at any time, so that no pause is longer than an hour.
    """
    days, kept = [], {}
    for day, reason in found.items():
        one = tries.root.get(day)
        if one is None or one.why != reason.reason:
            one = RetryAttempt(why=reason.reason, tries=0, next=reason.due_at or now + FIRST_PAUSE)
        if day not in busy and is_due(one.next, now, LONGEST_PAUSE):
            again = next_attempt_at(now, one.tries + 1, retryable=True)
            again = min(again, now + WHILE_BUDGET_IS_LOW) if budget_is_low else again
            one = RetryAttempt(why=one.why, tries=one.tries + 1, next=again)
            days.append(day)
        kept[day] = one
    return days, RetryState(kept)


def _of_batch(batch: Batch, now: datetime) -> RetryReason:
    """A request is taken up when its owner's lease is over, or once it may be read back."""
    quiet_at = batch.not_before + UNCERTAIN if batch.not_before is not None else None
    ends = ((batch.lease_until, LONGEST_LEASE), (quiet_at, MAX_QUIET_SECONDS))
    due = max((at for at, longest in ends if at is not None and not is_due(at, now, longest)), default=now)
    what = "is to be read back" if batch.state is BatchState.AMBIGUOUS else "was left under way"
    return RetryReason(f"request {batch.id} {what}", due)


def _of_error(error: SyncError) -> RetryReason:
    due = error.next_attempt_at or error.last_failed_at + FIRST_PAUSE
    what = f"{error.kind.replace('_', ' ')} {error.shopify_id}"
    return RetryReason(f"{what} failed and is due at {due:%Y-%m-%d %H:%M} UTC", due)


def _is_more_left(store: StateStore, day: date, under_way: int) -> bool:
    """Tell whether a day has writes left besides those under way and those that wait for another record."""
    left = _postponed(store, day) - under_way
    return left > 0 and left > _awaiting(store, day)


def _awaiting(store: StateStore, day: date) -> int:
    """Return how many planned writes of a day wait for a Contact, an Item or a document that is not in Xero yet."""
    records = [batch_requests.parse_operation(one).record for one in store.journal.planned_of(list(Kind), [day])]
    ids = ParentIds(store, records)
    return sum(1 for one in records if ids.missing(one))


def _postponed(store: StateStore, day: date) -> int:
    """Return how many writes the last load of a day left open, those under way among them."""
    history = store.history(days=[day])
    return sum(row.postponed for row in history if row.run_id == history[-1].run_id)


def _first(some: Iterable[RetryReason], now: datetime) -> RetryReason:
    return min(some, key=lambda one: one.due_at or now + FIRST_PAUSE)
