"""All that is known here of one order: its records in Xero, what was sent for them when, and what stands in the way.

The way back from a number someone reads in Xero to order, day, run and request. It reads our own files alone; how it is
printed is in `cli/output.py`.
"""

from collections.abc import Iterator, Sequence
from datetime import date, datetime

from pydantic import BaseModel, ConfigDict

from shopify_xero_pipeline.changes.compare import REMOVED_STATUSES
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
from shopify_xero_pipeline.xero.models import Kind

WORDS = {
    OperationState.PLANNED: "planned, not sent yet",
    OperationState.IN_BATCH: "under way",
    OperationState.NEEDS_CHECK: "to be looked up in Xero",
    OperationState.NEEDS_REVIEW: "to be looked at by a person",
    OperationState.CONFIRMED: "taken back",
    OperationState.REJECTED: "refused",
    OperationState.WITHDRAWN: "no longer wanted",
}
IN_XERO = "in Xero"
TAKEN_OUT = ("voided", "deleted")
WITHOUT_ORDER = "without an order"
UNCLEAR = "sent, unclear until it is read back"
SETTLED = {IN_XERO, WORDS[OperationState.CONFIRMED], WORDS[OperationState.WITHDRAWN], *TAKEN_OUT}
WRONG = {WORDS[OperationState.NEEDS_REVIEW], WORDS[OperationState.REJECTED]}


class WriteAttempt(BaseModel):
    """One write of a record. `request` is `PUT /Invoices`, empty if it never was in one; times are UTC.

    Attributes:
        state: what came of it: `created`, or where it stands.
        correlation_id: by which Xero's support finds the request.
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
    """A document, Payment or Allocation: how it stands now, and every write of it, oldest first.

    Attributes:
        amount: as posted or planned, in the order's currency; empty once its payload was emptied.
        next_try: when a failed one is tried again by itself, UTC.
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
    """An order. `outcome` as its day's last comparison says (`posted`, `blocked`, ...), empty before the first one.

    It is `without an order` where records stand in Xero that no order of the books wants.
    `held`: lines of its last plans that write nothing although the books want it, conflicts among them.
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
        """The verdict on it in one word."""
        states = {record.state for record in self.records}
        if self.problems or self.outcome in ("failed", "conflict") or states & WRONG:
            return Standing.DISAGREE
        if self.outcome == "blocked":
            return Standing.INCOMPLETE
        return Standing.UNFINISHED if states - SETTLED or self.outcome in ("", "postponed") else Standing.AGREE


def order_histories(sync_service: SyncService, name: str, days: Sequence[date]) -> list[OrderHistory]:
    """Return what is known of the orders that a name stands for, none if it stands for nothing.

    Args:
        sync_service: of the shop.
        name: an order's name or Shopify id, or the number of an Invoice or Credit Note.
        days: of which comparisons are looked through.
    """
    rows = {row.order_id: (day.day, row) for day in sync_service.stored_reconciliations(days) for row in day.rows}
    orphans = {one.order_id: one for one in sync_service.record_ownership.orphans()}
    named = {key for key, (_, row) in rows.items() if name in (key, row.order_name)}
    named |= {key for key, one in orphans.items() if name in (key, one.order_name)}
    found = [
        _trace(sync_service, order_id, *rows.get(order_id, (None, None)))
        for order_id in sorted(named | sync_service.connections.store.order_ids(name))
    ]
    return [_orphaned(one, orphans[one.order_id]) if one.order_id in orphans else one for one in found]


def _orphaned(found: OrderHistory, orphan: OrphanedOrder) -> OrderHistory:
    """Return an order that the books do not hold, with why and what a person decided or has to decide."""
    told = {"order_name": found.order_name or orphan.order_name, "day": orphan.day, "outcome": WITHOUT_ORDER}
    decided = ": ".join(filter(None, (orphan.decision, orphan.remedy)))
    problems = (decided,) if orphan.is_open else ()
    gone = {record.xero_id: record.state for record in orphan.records if not record.is_live}
    records = [one.model_copy(update={"state": gone.get(one.xero_id, one.state)}) for one in found.records]
    reason = orphan.reason if orphan.is_open else f"{orphan.reason}; {decided}"
    return found.model_copy(update={**told, "reason": reason, "problems": problems, "records": tuple(records)})


def _trace(sync_service: SyncService, order_id: str, day: date | None, row: OrderRow | None) -> OrderHistory:
    operations = sync_service.connections.store.journal.of_order(order_id)
    records = tuple(_records(sync_service.connections.store, order_id, operations))
    known = [one.order_name for one in operations if one.order_name]
    return OrderHistory(
        order_id=order_id,
        order_name=row.order_name if row else known[-1] if known else "",
        page=order_page(sync_service.connections.shop_domain, order_id),
        day=day or (records[0].day if records else None),
        outcome=row.outcome if row else "",
        reason=row.reason if row else "",
        problems=row.problems if row else (),
        records=records,
        held=tuple(
            line
            for lines in held_lines(sync_service.connections.store).values()
            for line in lines
            if line.order_id == order_id
        ),
    )


def _records(store: StateStore, order_id: str, operations: Sequence[Operation]) -> Iterator[RecordHistory]:
    mapped = {(row.kind, row.shopify_id): row for row in store.mapped_of_orders([order_id])}
    failed = {(one.kind, one.shopify_id): one for one in store.failed_records()}
    writes: dict[tuple[str, str], list[Operation]] = {}
    for one in operations:
        writes.setdefault((one.kind, one.shopify_id), []).append(one)
    for key in {**writes, **mapped}:
        yield _record(store, mapped.get(key), writes.get(key, []), failed.get(key))


def _record(
    store: StateStore,
    mapped: MappedRecord | None,
    writes: Sequence[Operation],
    failed: SyncError | None,
) -> RecordHistory:
    batches = [None if one.batch_id is None else store.journal.batch(one.batch_id) for one in writes]
    latest, batch = (writes[-1], batches[-1]) if writes else (None, None)
    known = mapped or latest
    assert known is not None
    xero_id = mapped.xero_id if mapped else ""
    amount = payload_amount(known.payload or "{}")
    return RecordHistory(
        kind=known.kind,
        name=known.natural_key,
        amount="" if amount is None else str(amount),
        state=_gone(store, mapped) or _state(mapped, latest, batch),
        xero_id=xero_id,
        page=xero_page(Kind(known.kind), xero_id),
        day=known.partition,
        reason=failed.reason if failed else "" if latest is None or mapped else latest.reason,
        next_try=failed.next_attempt_at if failed else None,
        steps=tuple(_step(*pair) for pair in zip(writes, batches, strict=True)),
    )


def _gone(store: StateStore, mapped: MappedRecord | None) -> str:
    """Return `voided` or `deleted` where that is what Xero shows of a record of ours, else ''."""
    if mapped is None:
        return ""
    shown = store.mirror_by_xero_id(mapped.kind, [mapped.xero_id]).get(mapped.xero_id)
    return shown.status.lower() if shown is not None and shown.status in REMOVED_STATUSES else ""


def _state(mapped: MappedRecord | None, latest: Operation | None, batch: Batch | None) -> str:
    if latest is None or (mapped and latest.state in (OperationState.CONFIRMED, OperationState.WITHDRAWN)):
        return IN_XERO
    return _words(latest, batch)


def _words(one: Operation, batch: Batch | None) -> str:
    unclear = one.state is OperationState.IN_BATCH and batch is not None and batch.state is BatchState.AMBIGUOUS
    return UNCLEAR if unclear else WORDS[one.state]


def _step(one: Operation, batch: Batch | None) -> WriteAttempt:
    return WriteAttempt(
        verb=one.verb,
        state=one.outcome or "" if one.state is OperationState.CONFIRMED else _words(one, batch),
        run_id=one.run_id,
        planned_at=one.created_at,
        request=f"{batch.method} {batch.path.split('?')[0]}" if batch else "",
        sent_at=batch.first_sent_at if batch else None,
        http_status=batch.http_status if batch else None,
        attempts=one.attempts,
        correlation_id=one.correlation_id or "",
        reason=one.reason,
    )
