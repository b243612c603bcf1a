"""Pending transactions of orders, stored for each month.

A settled transaction need not change its order (docs/contracts/shopify_orders.md §4.6), so its order must be polled.
This module only selects and stores pending transactions; `change_detection.py` polls.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from typing import TypeAlias

from shopify_xero_pipeline.books.cash_movements import PENDING
from shopify_xero_pipeline.shopify.models import Order, OrderMoney, Transaction, TransactionStatus
from shopify_xero_pipeline.state.store import StateStore

PENDING_KEY = "pending"

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


def pending_by_order(store: StateStore, days: Iterable[date]) -> dict[str, list[str]]:
    """Return the pending transactions of each order at its day's last reconciliation; digits of their ids.

    Args:
        store: the state store.
        days: the days of the books.
    """
    months = {f"{day:%Y-%m}" for day in days}
    texts = (text for month, text in store.get_values(PENDING_KEY).items() if month in months)
    return {
        order_id: transaction_ids
        for text in texts
        for by_order in _parse_month(text).values()
        for order_id, transaction_ids in by_order.items()
    }


def store_pending(store: StateStore, orders: Mapping[date, Sequence[Order]]) -> None:
    """Store the pending transactions of days, one text per month, in place of those of the days before.

    The text is read and written without a lock, because Dagster's pool admits one run at a time.

    Args:
        store: the state store.
        orders: all orders of the days, by day.
    """
    for month in sorted({f"{day:%Y-%m}" for day in orders}):
        known = _load_month(store, month)
        pending = dict(known)
        for day in (day for day in orders if f"{day:%Y-%m}" == month):
            by_order = {order.legacy_id: pending_of_order(order) for order in orders[day]}
            pending[str(day)] = {order_id: pending_ids for order_id, pending_ids in by_order.items() if pending_ids}
        pending = {day: by_order for day, by_order in sorted(pending.items()) if by_order}
        if pending != known:
            store.put_value(f"{PENDING_KEY}.{month}", json.dumps(pending))


def _load_month(store: StateStore, month: str) -> PendingByDay:
    known = store.get_value(f"{PENDING_KEY}.{month}")
    return _parse_month(known[0]) if known is not None else {}


def _parse_month(text: str) -> PendingByDay:
    pending: PendingByDay = json.loads(text)
    return pending
