"""Pending transactions of orders, stored for each month.

A settled transaction need not change its order (docs/contracts/shopify_orders.md §4.6), so its order must be polled.
This module only selects and serialises pending transactions; `change_detection.py` polls.
"""

import json
from collections.abc import Mapping, Sequence
from datetime import date
from typing import TypeAlias

from shopify_xero_pipeline.books.cash_movements import PENDING
from shopify_xero_pipeline.shopify.models import Order, OrderMoney, Transaction, TransactionStatus

PendingByDay: TypeAlias = dict[str, dict[str, list[str]]]
"""Pending transactions by day (ISO date) and order; digits of their ids."""


def pending_of_order(order: Order | OrderMoney) -> list[str]:
    """Return the transactions of an order that may still succeed or fail; digits of their ids.

    A transaction with a successful child is settled, for example when staff mark a promised deposit as received.
    """
    transactions: Sequence[Transaction | TransactionStatus] = order.transactions
    settled = {transaction.parent_id for transaction in transactions if transaction.status == "SUCCESS"}
    return [
        transaction.legacy_id
        for transaction in transactions
        if transaction.status in PENDING and transaction.id not in settled
    ]


def merge_pending(known: PendingByDay, orders: Mapping[date, Sequence[Order]]) -> PendingByDay:
    """Return the pending transactions of a month, with some days replaced by the present state of their orders.

    Args:
        known: the pending transactions of the month.
        orders: all orders of some days of the month, by day.
    """
    by_day = {
        str(day): {order.legacy_id: pending_of_order(order) for order in day_orders}
        for day, day_orders in orders.items()
    }
    present = {
        day: {order_id: pending for order_id, pending in by_order.items() if pending}
        for day, by_order in by_day.items()
    }
    return {day: by_order for day, by_order in sorted({**known, **present}.items()) if by_order}


def dump_pending(pending: PendingByDay) -> str:
    """Return the JSON of pending transactions.

    Args:
        pending: by day and order.
    """
    return json.dumps(pending)


def load_pending(text: str) -> PendingByDay:
    """Return the pending transactions of a JSON text that `dump_pending` wrote."""
    pending: PendingByDay = json.loads(text)
    return pending
