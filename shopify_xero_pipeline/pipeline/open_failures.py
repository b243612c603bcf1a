"""Open records of all days, which are not in Xero yet; read from local files without a call.

An open record is a failed record that is neither resolved nor dismissed, or a write that is planned or whose outcome is
unknown. Both are selected by state, so that the cost depends on what is open and not on the history. Pages that show
them are in `defs/`; days whose books disagree are `StoredReconciliations.disagreements`.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import date, datetime

from pydantic import BaseModel, ConfigDict

from shopify_xero_pipeline.state.records import NOT_YET_WRITTEN, Operation, OperationState, SyncError
from shopify_xero_pipeline.state.store import StateStore

PLANNED_REASON = "planned and not sent yet"
IN_DOUBT_REASON = "sent without a known outcome; it is read back before anything is sent again"


class OpenRecord(BaseModel):
    """A record that is not in Xero as planned.

    Attributes:
        day: the day of its change-set, in the shop's time zone.
        kind: a value of `xero.models.Kind`.
        name: its number, code or key in Xero; without one, its Shopify id.
        order_id: digits of the order's Shopify id; None for a Contact or Item.
        order_name: such as #1001; empty if unknown.
        reason: a text for people, from Xero or the loader.
        is_failed: whether Xero rejected it or did not respond; otherwise its write is planned or its outcome unknown.
        attempts: number of attempts to write it.
        next_attempt_at: time of the next automatic attempt, UTC; None: with the next load of its day.
        correlation_id: the id by which Xero's support identifies the request; empty before the first one.
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
    """Return the open records of some kinds, by day, failed ones first.

    Args:
        store: the state store.
        kinds: values of `xero.models.Kind`.
    """
    errors = store.failed_records(kinds=kinds)
    failed = {(error.kind, error.shopify_id) for error in errors}
    names = _order_names(store, errors)
    records = [_open_record(error, names.get((error.kind, error.shopify_id), ""), error.reason) for error in errors]
    for operation in store.journal.in_state(*NOT_YET_WRITTEN):
        if operation.kind in kinds and (operation.kind, operation.shopify_id) not in failed:
            state = PLANNED_REASON if operation.state is OperationState.PLANNED else IN_DOUBT_REASON
            reason = f"{state}: {operation.reason}" if operation.reason else state
            records.append(_open_record(operation, operation.order_name or "", reason))
    return sorted(records, key=lambda record: (record.day, not record.is_failed))


def days_with_most(days: Iterable[date] | Mapping[date, int]) -> list[tuple[date, int]]:
    """Return each day with its count, the highest count first, then the oldest day.

    Args:
        days: days to count, or their counts.
    """
    return sorted(Counter(days).items(), key=lambda item: (-item[1], item[0]))


def _order_names(store: StateStore, errors: Sequence[SyncError]) -> dict[tuple[str, str], str]:
    """Return the order name of each failed record, from its last write."""
    names: dict[tuple[str, str], str] = {}
    for kind in {error.kind for error in errors}:
        latest = store.journal.latest(kind, [error.shopify_id for error in errors if error.kind == kind])
        names |= {(kind, shopify_id): operation.order_name or "" for shopify_id, operation in latest.items()}
    return names


def _open_record(source: SyncError | Operation, order_name: str, reason: str) -> OpenRecord:
    return OpenRecord(
        day=source.partition,
        kind=source.kind,
        name=source.natural_key or source.shopify_id,
        order_id=source.order_id,
        order_name=order_name,
        reason=reason,
        is_failed=isinstance(source, SyncError),
        attempts=source.attempts,
        next_attempt_at=source.next_attempt_at if isinstance(source, SyncError) else None,
        correlation_id=source.correlation_id or "",
    )
