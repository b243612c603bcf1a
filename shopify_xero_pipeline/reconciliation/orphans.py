"""Orphaned orders, whose records are in Xero although no order of the books wants them.

A record belongs to us if it is in the mapping or its reference contains `shopify:<order>/…`; a document whose number
only begins like ours belongs to a person. The list has documents and payments only, because only these hold money:
Contacts and Items stay, and an Allocation is removed with its documents. This module is pure. The queries to Shopify
are in `pipeline/record_ownership.py`.
"""

import shlex
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum

from shopify_xero_pipeline.changes.fields import parse_payload
from shopify_xero_pipeline.reconciliation.movements import AccountNames, FrozenModel, StatementSection
from shopify_xero_pipeline.reconciliation.rollup import group_by
from shopify_xero_pipeline.reconciliation.xero_movements import (
    DOCUMENT_SIGN,
    Posting,
    mirrored_postings,
    posted_postings,
)
from shopify_xero_pipeline.state.records import KeptRecord, MappedRecord, MirrorRecord, OrphanNote
from shopify_xero_pipeline.xero import references
from shopify_xero_pipeline.xero.elements import REMOVED_STATUSES
from shopify_xero_pipeline.xero.models import Kind

LISTED = (Kind.INVOICE, Kind.CREDIT_NOTE, Kind.PAYMENT)
NO_NAMES = AccountNames()
LIVE = "in Xero"
MirrorRows = Mapping[tuple[str, str], MirrorRecord]


class OrphanCause(StrEnum):
    """The reason why the books want none of an order's records."""

    DELETED = "deleted"
    HIDDEN = "hidden"
    NOT_YET = "not yet"
    UNWANTED = "unwanted"
    BEFORE_START = "before start"


REASON_OF_CAUSE = {
    OrphanCause.DELETED: ("deleted in Shopify: Shopify returned no order for its id on {noted_at:%Y-%m-%d %H:%M} UTC"),
    OrphanCause.HIDDEN: (
        "not returned by Shopify: the app lacks the access scope read_all_orders, so it may be deleted or just old"
    ),
    OrphanCause.NOT_YET: "Shopify dates the order {detail}, a day that has not come yet",
    OrphanCause.UNWANTED: "posted, but Shopify's order is not to be posted now: {detail}",
    OrphanCause.BEFORE_START: "placed before the start date {detail} of these books",
}
REMOVE_FROM_XERO = "remove its payments and void its documents in Xero, then sync the day"
REMEDY_OF_CAUSE = {
    OrphanCause.HIDDEN: "grant the app read_all_orders, then sync the day",
    OrphanCause.NOT_YET: "correct the order's date in Shopify, then sync the day",
}


class OrphanedRecord(FrozenModel):
    """A document or payment. Credit notes and refunds count negative.

    Attributes:
        name: the document's number, or `payment of` or `refund of` and the number.
        dated: the record's date, in the shop's time zone.
        amount: the amount that Xero shows now, in `currency`.
        state: `in Xero`, `voided` or `deleted`.
        kept_because: a person's reason to leave the record in Xero; empty without a decision.
        decided_at: the instant of the decision, UTC.
    """

    kind: Kind
    xero_id: str
    name: str
    dated: date
    currency: str
    amount: Decimal
    state: str
    kept_because: str = ""
    decided_at: datetime | None = None

    @property
    def is_live(self) -> bool:
        """Whether the record is still in Xero."""
        return self.state == LIVE

    @property
    def is_open(self) -> bool:
        """Whether the record needs a person's decision."""
        return self.is_live and not self.kept_because


class OrphanedOrder(FrozenModel):
    """An order with records in Xero, now or before, that is not in the books.

    Attributes:
        day: the day that lists the order, in the shop's time zone.
        cause: the cause.
        reason: the cause as a sentence.
        noted_at: the instant of the note, UTC; None if the settings are the cause.
        remedy: the next step.
        records: its documents and payments.
    """

    order_id: str
    order_name: str
    day: date
    cause: OrphanCause
    reason: str
    noted_at: datetime | None
    remedy: str
    records: tuple[OrphanedRecord, ...]

    @property
    def is_open(self) -> bool:
        """Whether the order needs a person's decision."""
        return any(record.is_open for record in self.records)

    @property
    def decision(self) -> str:
        """The state of the order: to be decided, left in Xero with a reason, or removed from Xero."""
        if self.is_open:
            return "to be decided"
        live = [record for record in self.records if record.is_live]
        if not live:
            return "done: nothing of it is live in Xero any more"
        since = min(f"{record.decided_at:%Y-%m-%d %H:%M}" for record in live)
        return f"left in Xero since {since} UTC: {'; '.join(dict.fromkeys(record.kept_because for record in live))}"

    @property
    def name(self) -> str:
        """The number of its first document, or the order's name or id."""
        documents = [record.name for record in self.records if record.kind in DOCUMENT_SIGN]
        return documents[0] if documents else self.order_name or self.order_id

    def live(self, *kinds: Kind) -> list[tuple[str, Decimal]]:
        """Return currency and amount of each live record of some kinds."""
        return [(record.currency, record.amount) for record in self.records if record.is_live and record.kind in kinds]

    def falls_into(self, first: date, after: date) -> bool:
        """Return whether the order's day or a record's date is in [first, after)."""
        return any(first <= day < after for day in (self.day, *(record.dated for record in self.records)))


def build_orphaned_orders(
    notes: Iterable[OrphanNote],
    mapped: Iterable[MappedRecord],
    mirror: MirrorRows,
    unmapped: Iterable[MirrorRecord],
    decisions: Mapping[str, KeptRecord],
) -> list[OrphanedOrder]:
    """Return the noted orders that have records, sorted by day and name.

    Args:
        notes: the noted orders with their causes.
        mapped: rows of the mapping of these orders.
        mirror: rows of the mirror for the mapped rows, by kind and Xero id.
        unmapped: rows of the mirror that are not in the mapping; a row belongs to the order in its reference.
        decisions: people's decisions, by Xero id.
    """
    posted = group_by((row.order_id, row) for row in mapped if row.kind in LISTED)
    referenced = group_by(rows_by_order(unmapped))
    orders: list[OrphanedOrder] = []
    for note in notes:
        ours, others = posted[note.order_id], referenced[note.order_id]
        records = [_mapped_record(row, mirror.get((row.kind, row.xero_id)), decisions) for row in ours]
        records += [_record(row, mirrored_postings(row, NO_NAMES)[-1], row.status, decisions) for row in others]
        if records:
            orders.append(_orphaned_order(note, _order_name(ours, others), records))
    return sorted(orders, key=lambda order: (order.day, order.name))


def rows_by_order(rows: Iterable[MirrorRecord]) -> Iterable[tuple[str, MirrorRecord]]:
    """Yield documents and payments that have an order in their reference, each with the digits of the order's id.

    Args:
        rows: rows of the mirror, of any kinds.
    """
    for row in rows:
        reference = references.parse(row.reference)
        if reference is not None and row.kind in LISTED:
            yield reference.order_id, row


def record_date(row: MirrorRecord) -> date:
    """Return the calendar date of a document or payment in Xero."""
    return mirrored_postings(row, NO_NAMES)[-1].posted


def _orphaned_order(note: OrphanNote, name: str, records: Sequence[OrphanedRecord]) -> OrphanedOrder:
    cause = OrphanCause(note.cause)
    records_in_order = sorted(records, key=lambda record: (LISTED.index(record.kind), record.dated, record.name))
    order = OrphanedOrder(
        order_id=note.order_id,
        order_name=name,
        day=note.partition,
        cause=cause,
        reason=REASON_OF_CAUSE[cause].format(noted_at=note.noted_at, detail=note.detail),
        noted_at=None if cause is OrphanCause.BEFORE_START else note.noted_at,
        remedy="",
        records=tuple(records_in_order),
    )
    return order.model_copy(update={"remedy": _remedy(order)})


def _remedy(order: OrphanedOrder) -> str:
    if not order.is_open:
        return ""
    keep = f"shopify-xero dismiss --key {shlex.quote(order.name)} --because TEXT"
    if order.cause is OrphanCause.BEFORE_START:
        return f"keep all of them: shopify-xero dismiss --before-start --because TEXT; or this one: {keep}"
    return f"{REMEDY_OF_CAUSE.get(order.cause, REMOVE_FROM_XERO)}; or keep them: {keep}"


def _mapped_record(
    row: MappedRecord, mirror_row: MirrorRecord | None, decisions: Mapping[str, KeptRecord]
) -> OrphanedRecord:
    """Return a mapped record with Xero's amounts. A record that Xero does not show has its posted amounts."""
    posted = posted_postings(row, NO_NAMES)[-1]
    if mirror_row is None or mirror_row.status in REMOVED_STATUSES:
        return _record(row, posted, "" if mirror_row is None else mirror_row.status, decisions)
    figures = mirrored_postings(mirror_row, NO_NAMES)[-1]
    figures = replace(figures, currency=figures.currency or posted.currency)
    return _record(row, figures, mirror_row.status, decisions)


def _record(
    row: MappedRecord | MirrorRecord, figures: Posting, status: str, decisions: Mapping[str, KeptRecord]
) -> OrphanedRecord:
    decision, kind = decisions.get(row.xero_id), Kind(row.kind)
    numbers, is_refund = references.documents_of(kind, row.natural_key), figures.side is StatementSection.REFUNDS
    return OrphanedRecord(
        kind=kind,
        xero_id=row.xero_id,
        name=f"{'refund' if is_refund else 'payment'} of {numbers[0]}" if numbers else row.natural_key,
        dated=figures.posted,
        currency=figures.currency,
        amount=-figures.amount if is_refund else figures.amount,
        state=status.lower() if status in REMOVED_STATUSES else LIVE,
        kept_because=decision.because if decision is not None else "",
        decided_at=decision.decided_at if decision is not None else None,
    )


def _order_name(mapped: Sequence[MappedRecord], unmapped: Sequence[MirrorRecord]) -> str:
    names = [str(parse_payload(row.payload).get("order_name") or "") for row in mapped]
    names += [references.order_name(row.reference) for row in unmapped if references.is_own(row.reference)]
    return next(filter(None, names), "")
