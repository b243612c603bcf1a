"""Money on its way: which transactions of an order may still succeed or fail, and how that is noted for a month.

That a transaction settles may not change its order (docs/contracts/shopify_orders.md §4.6), so that whoever wants to
know has to ask. Who asks, and when, stands in `change_detection.py`.
"""

import json
from collections.abc import Mapping, Sequence
from datetime import date
from typing import TypeAlias

from shopify_xero_pipeline.books.cash_movements import PENDING
from shopify_xero_pipeline.shopify.models import Order, OrderMoney, Transaction, TransactionStatus

PendingByDay: TypeAlias = dict[str, dict[str, list[str]]]
"""By day and by order, the transactions that were pending; digits of their ids."""


def pending_of_order(order: Order | OrderMoney) -> list[str]:
    """Return the digits of the transactions of an order that may still succeed or fail.

    One that another transaction succeeded for, as when staff mark a promised deposit as received, is at rest.
    """
    transactions: Sequence[Transaction | TransactionStatus] = order.transactions
    done = {one.parent_id for one in transactions if one.status == "SUCCESS"}
    return [one.legacy_id for one in transactions if one.status in PENDING and one.id not in done]


def merge_pending(known: PendingByDay, orders: Mapping[date, Sequence[Order]]) -> PendingByDay:
    """Return what is noted of a month, with these days as their orders now are."""
    found = {str(day): {one.legacy_id: pending_of_order(one) for one in some} for day, some in orders.items()}
    kept = {day: {order: some for order, some in by_order.items() if some} for day, by_order in found.items()}
    return {day: some for day, some in sorted({**known, **kept}.items()) if some}


def dump_pending(found: PendingByDay) -> str:
    """Return what is noted as it is kept."""
    return json.dumps(found)


def load_pending(text: str) -> PendingByDay:
    """Return what `text` wrote."""
    found: PendingByDay = json.loads(text)
    return found
