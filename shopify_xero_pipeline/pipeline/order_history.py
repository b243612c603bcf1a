"""History of one order, with its records in Xero, their writes and open problems.

It leads from a document's number in Xero to the order, day, run and request. It reads local files without a call;
`cli/output.py` prints it.
"""

from collections.abc import Iterator, Sequence
from datetime import date, datetime

from pydantic import BaseModel, ConfigDict

from shopify_xero_pipeline.changes.fields import payload_amount
from shopify_xero_pipeline.changes.models import Change
from shopify_xero_pipeline.pipeline.day_issues import held_lines
from shopify_xero_pipeline.pipeline.record_links import order_page, xero_page
from shopify_xero_pipeline.pipeline.sync import SyncService
from shopify_xero_pipeline.reconciliation.comparison import OrderRow
from shopify_xero_pipeline.reconciliation.orphans import OrphanedOrder
from shopify_xero_pipeline.reconciliation.verdict import Standing
from shopify_xero_pipeline.state.records import Batch, BatchState, MappedRecord, Operation, OperationState, SyncError
from shopify_xero_pipeline.state.store import StateStore
from shopify_xero_pipeline.xero.elements import REMOVED_STATUSES
from shopify_xero_pipeline.xero.models import Kind

STATE_LABELS = {
    OperationState.PLANNED: "planned, not sent yet",
    OperationState.IN_BATCH: "under way",
    OperationState.NEEDS_CHECK: "to be looked up in Xero",
    OperationState.NEEDS_REVIEW: "to be looked at by a person",
    OperationState.CONFIRMED: "taken back",
    OperationState.REJECTED: "refused",
    OperationState.WITHDRAWN: "no longer wanted",
}
IN_XERO = "in Xero"
REMOVED_LABELS = ("voided", "deleted")
WITHOUT_ORDER = "without an order"
UNCLEAR = "sent, unclear until it is read back"
SETTLED_LABELS = {
    IN_XERO,
    STATE_LABELS[OperationState.CONFIRMED],
    STATE_LABELS[OperationState.WITHDRAWN],
    *REMOVED_LABELS,
}
FAILURE_LABELS = {STATE_LABELS[OperationState.NEEDS_REVIEW], STATE_LABELS[OperationState.REJECTED]}


class WriteAttempt(BaseModel):
    """One write of a record. Times are UTC.

    Attributes:
        state: its outcome, such as `created`, or its present state.
        request: method and path, such as `PUT /Invoices`; empty if it was never in a batch.
        correlation_id: the id by which Xero's support identifies the request.
    """

    model_config = ConfigDict(frozen=True)

    verb: str
    state: str
    run_id: str
    planned_at: datetime
    request: str
    sent_at: datetime | None
    http_status: int | None
    attempts: int
    correlation_id: str
    reason: str


class RecordHistory(BaseModel):
    """A document, Payment or Allocation with its present state.

    Attributes:
        amount: the posted or planned amount, in the order's currency; empty once its payload is purged.
        day: the day of its change-set, in the shop's time zone.
        reason: why it is not in Xero; empty if it is.
        next_try: time of the next automatic attempt of a failed record, UTC.
        steps: its writes, oldest first.
    """

    model_config = ConfigDict(frozen=True)

    kind: str
    name: str
    amount: str
    state: str
    xero_id: str
    page: str
    day: date
    reason: str
    next_try: datetime | None
    steps: tuple[WriteAttempt, ...]


class OrderHistory(BaseModel):
    """An order with its records.

    Attributes:
        outcome: its outcome in the last reconciliation of its day, such as `posted` or `blocked`; empty before the
            first one; `without an order` if no order of the books wants its records.
        problems: what disagrees, as sentences.
        held: lines of its last plans that write nothing although the books want a record, such as conflicts.
    """

    model_config = ConfigDict(frozen=True)

    order_id: str
    order_name: str
    page: str
    day: date | None
    outcome: str
    reason: str
    problems: tuple[str, ...]
    records: tuple[RecordHistory, ...]
    held: tuple[Change, ...] = ()

    @property
    def standing(self) -> Standing:
        """Verdict on the order."""
        states = {record.state for record in self.records}
        if self.problems or self.outcome in ("failed", "conflict") or states & FAILURE_LABELS:
            return Standing.DISAGREE
        if self.outcome == "blocked":
            return Standing.INCOMPLETE
        return Standing.UNFINISHED if states - SETTLED_LABELS or self.outcome in ("", "postponed") else Standing.AGREE


def order_histories(sync_service: SyncService, name: str, days: Sequence[date]) -> list[OrderHistory]:
    """Return the histories of the orders with a name; empty if no order has it.

    Args:
        sync_service: the sync service of the shop.
        name: an order's name or Shopify id, or the number of an Invoice or Credit Note.
        days: the days whose reconciliations are searched.
    """
    rows = {row.order_id: (day.day, row) for day in sync_service.reconciliations.of_days(days) for row in day.rows}
    orphans = {orphan.order_id: orphan for orphan in sync_service.record_ownership.orphans()}
    matches = {order_id for order_id, (_, row) in rows.items() if name in (order_id, row.order_name)}
    matches |= {order_id for order_id, orphan in orphans.items() if name in (order_id, orphan.order_name)}
    histories = []
    for order_id in sorted(matches | sync_service.connections.store.order_ids(name)):
        history = _build_history(sync_service, order_id, *rows.get(order_id, (None, None)))
        histories.append(_add_orphan(history, orphans[order_id]) if order_id in orphans else history)
    return histories


def _add_orphan(history: OrderHistory, orphan: OrphanedOrder) -> OrderHistory:
    """Return the history of an orphaned order, with the cause and the decision or remedy."""
    decided = ": ".join(filter(None, (orphan.decision, orphan.remedy)))
    removed = {record.xero_id: record.state for record in orphan.records if not record.is_live}
    records = [
        record.model_copy(update={"state": removed.get(record.xero_id, record.state)}) for record in history.records
    ]
    return history.model_copy(
        update={
            "order_name": history.order_name or orphan.order_name,
            "day": orphan.day,
            "outcome": WITHOUT_ORDER,
            "reason": orphan.reason if orphan.is_open else f"{orphan.reason}; {decided}",
            "problems": (decided,) if orphan.is_open else (),
            "records": tuple(records),
        }
    )


def _build_history(sync_service: SyncService, order_id: str, day: date | None, row: OrderRow | None) -> OrderHistory:
    store = sync_service.connections.store
    operations = store.journal.of_order(order_id)
    records = tuple(_records(store, order_id, operations))
    names = [operation.order_name for operation in operations if operation.order_name]
    held = [line for lines in held_lines(store).values() for line in lines if line.order_id == order_id]
    return OrderHistory(
        order_id=order_id,
        order_name=row.order_name if row else names[-1] if names else "",
        page=order_page(sync_service.connections.shop_domain, order_id),
        day=day or (records[0].day if records else None),
        outcome=row.outcome if row else "",
        reason=row.reason if row else "",
        problems=row.problems if row else (),
        records=records,
        held=tuple(held),
    )


def _records(store: StateStore, order_id: str, operations: Sequence[Operation]) -> Iterator[RecordHistory]:
    mapped = {(row.kind, row.shopify_id): row for row in store.mapped_of_orders([order_id])}
    failed = {(error.kind, error.shopify_id): error for error in store.failed_records()}
    writes: dict[tuple[str, str], list[Operation]] = {}
    for operation in operations:
        writes.setdefault((operation.kind, operation.shopify_id), []).append(operation)
    for key in {**writes, **mapped}:
        yield _build_record(store, mapped.get(key), writes.get(key, []), failed.get(key))


def _build_record(
    store: StateStore,
    mapped: MappedRecord | None,
    writes: Sequence[Operation],
    failed: SyncError | None,
) -> RecordHistory:
    batches = [None if write.batch_id is None else store.journal.batch(write.batch_id) for write in writes]
    latest, batch = (writes[-1], batches[-1]) if writes else (None, None)
    known = mapped or latest
    assert known is not None  # the caller passes keys of mapped records or writes
    xero_id = mapped.xero_id if mapped else ""
    amount = payload_amount(known.payload or "{}")
    return RecordHistory(
        kind=known.kind,
        name=known.natural_key,
        amount="" if amount is None else str(amount),
        state=_state(store, mapped, latest, batch),
        xero_id=xero_id,
        page=xero_page(Kind(known.kind), xero_id),
        day=known.partition,
        reason=failed.reason if failed else "" if latest is None or mapped else latest.reason,
        next_try=failed.next_attempt_at if failed else None,
        steps=tuple(_build_attempt(*pair) for pair in zip(writes, batches, strict=True)),
    )


def _state(store: StateStore, mapped: MappedRecord | None, latest: Operation | None, batch: Batch | None) -> str:
    if mapped is not None:
        mirrored = store.mirror_by_xero_id(mapped.kind, [mapped.xero_id]).get(mapped.xero_id)
        if mirrored is not None and mirrored.status in REMOVED_STATUSES:
            return mirrored.status.lower()
    if latest is None or (mapped and latest.state in (OperationState.CONFIRMED, OperationState.WITHDRAWN)):
        return IN_XERO
    return _describe_state(latest, batch)


def _describe_state(write: Operation, batch: Batch | None) -> str:
    is_unclear = write.state is OperationState.IN_BATCH and batch is not None and batch.state is BatchState.AMBIGUOUS
    return UNCLEAR if is_unclear else STATE_LABELS[write.state]


def _build_attempt(write: Operation, batch: Batch | None) -> WriteAttempt:
    return WriteAttempt(
        verb=write.verb,
        state=write.outcome or "" if write.state is OperationState.CONFIRMED else _describe_state(write, batch),
        run_id=write.run_id,
        planned_at=write.created_at,
        request=f"{batch.method} {batch.path.split('?')[0]}" if batch else "",
        sent_at=batch.first_sent_at if batch else None,
        http_status=batch.http_status if batch else None,
        attempts=write.attempts,
        correlation_id=write.correlation_id or "",
        reason=write.reason,
    )
