"""Hand-made rows of the state store and of reports, each valid as it is; a test gives the fields that matter to it."""

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

from shopify_xero_pipeline.reconciliation.comparison import OrderRow
from shopify_xero_pipeline.reconciliation.orphans import OrphanCause, OrphanedOrder, OrphanedRecord
from shopify_xero_pipeline.state.canonical import canonical_json, checksum
from shopify_xero_pipeline.state.records import MappedRecord, MirrorRecord, SyncError
from shopify_xero_pipeline.xero.models import AnyRecord

TEN = Decimal("10.00")
DAY = date(2026, 9, 21)
INSTANT = datetime(2026, 9, 21, tzinfo=UTC)


def mapped_row(**fields: Any) -> MappedRecord:
    """Return a row of the mapping."""
    plain = {
        "kind": "contact",
        "shopify_id": "1",
        "xero_id": "x-1",
        "natural_key": "shopify:1",
        "checksum": "c",
        "payload": "{}",
        "partition": DAY,
        "run_id": "run",
        "posted_at": INSTANT,
    }
    return MappedRecord.model_validate(plain | fields)


def mapped(record: AnyRecord, xero_id: str = "x-1") -> MappedRecord:
    """Return the mapping of a record that is in Xero as we want it."""
    return mapped_row(
        kind=record.kind,
        shopify_id=record.shopify_id,
        xero_id=xero_id,
        natural_key=record.natural_key,
        checksum=checksum(record.content()),
        payload=canonical_json(record.content()),
        order_id=getattr(record, "order_id", None),
    )


def mirror_row(**fields: Any) -> MirrorRecord:
    """Return a row of the mirror."""
    plain = {
        "kind": "contact",
        "xero_id": "x-1",
        "natural_key": "",
        "reference": "",
        "status": "AUTHORISED",
        "updated_at": INSTANT,
        "payload": "{}",
    }
    return MirrorRecord.model_validate(plain | fields)


def shown(
    kind: str, xero_id: str = "x-1", key: str = "", status: str = "AUTHORISED", reference: str = "", **element: Any
) -> MirrorRecord:
    """Return what Xero shows of a record, with the given part of its element."""
    payload = canonical_json(element)
    return mirror_row(kind=kind, xero_id=xero_id, natural_key=key, status=status, reference=reference, payload=payload)


def shown_record(record: AnyRecord, xero_id: str = "x-1", status: str = "AUTHORISED") -> MirrorRecord:
    """Return what Xero shows of a record that is there as we want it."""
    amounts = {
        name: getattr(record, field)
        for field, name in (("total", "Total"), ("amount", "Amount"))
        if hasattr(record, field)
    }
    reference = getattr(record, "reference", "")
    return shown(record.kind, xero_id, record.natural_key, status, reference, **amounts)


def order_row(**changes: Any) -> OrderRow:
    """Return an order of 10.00 NZD that Xero has without a difference."""
    columns = ("sales", "mapped_sales", "xero_sales", "money", "mapped_money", "xero_money")
    plain = {
        **dict.fromkeys(columns, TEN),
        "order_id": "5001",
        "order_name": "#1001",
        "outcome": "posted",
        "reason": "",
        "currency": "NZD",
        "documents": 1,
        "payments": 1,
        "lost": 0,
        "extra": 0,
        "problems": (),
    }
    return OrderRow.model_validate(plain | changes)


def orphaned_order(**changes: Any) -> OrphanedOrder:
    """Return an order of 46.00 NZD that was deleted in Shopify, whose invoice in Xero needs a decision."""
    plain = {
        "kind": "invoice",
        "xero_id": "x-1",
        "name": "SH-2071",
        "dated": DAY,
        "currency": "NZD",
        "amount": Decimal("46.00"),
        "state": "in Xero",
    }
    return OrphanedOrder(
        order_id="5002",
        order_name="#2071",
        day=DAY,
        cause=OrphanCause.DELETED,
        reason="deleted in Shopify",
        noted_at=INSTANT,
        remedy="void it, or keep it",
        records=(OrphanedRecord.model_validate(plain | changes),),
    )


def sync_error(**changes: Any) -> SyncError:
    """Return a credit note that Xero refused for good."""
    plain = {
        "kind": "credit_note",
        "shopify_id": "5001/77",
        "natural_key": "SH-1001-R77",
        "order_id": "5001",
        "partition": DAY,
        "run_id": "run",
        "reason": "Xero refused it: Account 601 is archived.",
        "retryable": False,
        "attempts": 2,
        "payload": "{}",
        "correlation_id": "corr-1",
        "first_failed_at": INSTANT,
        "last_failed_at": INSTANT,
    }
    return SyncError.model_validate(plain | changes)
