"""The records that are not in Xero now, on whatever day they belong to. Read from our own files alone.

Two lists are joined: failed records that are neither resolved nor dismissed, and writes that are planned or in doubt.
Both are asked by their state, so that the cost follows what is open and not what was ever written. How a page shows
them belongs to `defs/`; days whose books do not agree are `Bookkeeper.disagreements`.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import date, datetime

from pydantic import BaseModel, ConfigDict

from shopify_xero_pipeline.state.records import Operation, OperationState, SyncError
from shopify_xero_pipeline.state.store import NOT_YET_WRITTEN, StateStore

PLANNED_REASON = "planned and not sent yet"
IN_DOUBT_REASON = "not known yet whether Xero has it; it is read back before anything is sent again"


class OpenRecord(BaseModel):
    """A record that is not in Xero as it should be.

    Attributes:
        day: shop-local, of the change-set it belongs to.
        kind: as in `xero.models.Kind`.
        name: number, code or key in Xero; the Shopify id where it has none.
        order_id: digits of the order's Shopify id; None for a Contact or Item.
        order_name: such as #1001; empty if it is not known.
        reason: in plain words, as Xero or the loader gave it.
        is_failed: Xero refused it or could not answer; otherwise its write is planned or in doubt.
        next_try: when it is tried again by itself, UTC; None: with the next load of its day.
    """

    model_config = ConfigDict(frozen=True)

    day: date
    kind: str
    name: str
    order_id: str | None
    order_name: str
    reason: str
    is_failed: bool
    attempts: int
    next_attempt_at: datetime | None
    correlation_id: str


def open_records(store: StateStore, kinds: Collection[str]) -> list[OpenRecord]:
    """Return the records of some kinds that are not in Xero now, by day, failed ones first."""
    errors = store.failed_records(kinds=kinds)
    failed = {(one.kind, one.shopify_id) for one in errors}
    waiting = [one for one in store.journal.in_state(*NOT_YET_WRITTEN) if one.kind in kinds]
    names = _order_names(store, errors)
    found = [_of_error(one, names.get((one.kind, one.shopify_id), "")) for one in errors]
    found += [_of_operation(one) for one in waiting if (one.kind, one.shopify_id) not in failed]
    return sorted(found, key=lambda one: (one.day, not one.is_failed))


def days_with_most(days: Iterable[date] | Mapping[date, int]) -> list[tuple[date, int]]:
    """Return each day with how often it occurs, or is said to, the most frequent first, then the oldest."""
    return sorted(Counter(days).items(), key=lambda counted: (-counted[1], counted[0]))


def _order_names(store: StateStore, errors: Sequence[SyncError]) -> dict[tuple[str, str], str]:
    """Return the name of the order of each failed record, as its last write had it."""
    found: dict[tuple[str, str], str] = {}
    for kind in {one.kind for one in errors}:
        latest = store.journal.latest(kind, [one.shopify_id for one in errors if one.kind == kind])
        found |= {(kind, shopify_id): one.order_name or "" for shopify_id, one in latest.items()}
    return found


def _of_error(error: SyncError, order_name: str) -> OpenRecord:
    return OpenRecord(
        day=error.partition,
        kind=error.kind,
        name=error.natural_key or error.shopify_id,
        order_id=error.order_id,
        order_name=order_name,
        reason=error.reason,
        is_failed=True,
        attempts=error.attempts,
        next_attempt_at=error.next_attempt_at,
        correlation_id=error.correlation_id or "",
    )


def _of_operation(one: Operation) -> OpenRecord:
    state = PLANNED_REASON if one.state is OperationState.PLANNED else IN_DOUBT_REASON
    return OpenRecord(
        day=one.partition,
        kind=one.kind,
        name=one.natural_key or one.shopify_id,
        order_id=one.order_id,
        order_name=one.order_name or "",
        reason=f"{state}: {one.reason}" if one.reason else state,
        is_failed=False,
        attempts=one.attempts,
        next_attempt_at=None,
        correlation_id=one.correlation_id or "",
    )
