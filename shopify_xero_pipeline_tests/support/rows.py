"""Hand-made rows of reports."""

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

from shopify_xero_pipeline.reconciliation.comparison import OrderRow
from shopify_xero_pipeline.reconciliation.orphans import OrphanCause, OrphanedOrder, OrphanedRecord
from shopify_xero_pipeline.state.records import SyncError

TEN = Decimal("10.00")
DAY = date(2026, 9, 21)
INSTANT = datetime(2026, 9, 21, tzinfo=UTC)


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
