"""The last reconciliation of each day in the state store, and the time up to which it has Shopify's changes.

This module only stores and reads; `day_reconciler.py` reconciles.
"""

from collections.abc import Iterable, Sequence
from datetime import date, datetime

from shopify_xero_pipeline.pipeline import day_issues
from shopify_xero_pipeline.reconciliation.comparison import DayReconciliation, without_moved_orders
from shopify_xero_pipeline.state.store import StateStore

RECONCILIATION_KEY = "reconciliation"
READ_UP_TO_KEY, RECONCILED_UP_TO_KEY = "orders_read_up_to", "reconciled_up_to"


def record_read(store: StateStore, days: Iterable[date], read_at: datetime | None) -> None:
    """Store the time of the read of days' orders.

    Args:
        store: the state store.
        days: the days whose orders were read.
        read_at: Shopify's time of the read; without one, the days count as never read.
    """
    text = read_at.isoformat() if read_at is not None else ""
    store.put_values({f"{READ_UP_TO_KEY}.{day}": text for day in days})


def store_reconciliations(store: StateStore, days: Sequence[DayReconciliation]) -> None:
    """Store each day's reconciliation, its disagreement and the time of its read in one transaction.

    Args:
        store: the state store.
        days: the reconciliations.
    """
    read_up_to = _values_of_days(store, READ_UP_TO_KEY, [day.day for day in days])
    for day in days:
        text, _ = read_up_to.get(day.day, ("", None))
        up_to = {f"{RECONCILED_UP_TO_KEY}.{day.day}": text} if text else {}
        store.put_values(
            {f"{RECONCILIATION_KEY}.{day.day}": day.model_dump_json(), **day_issues.issue_entry(day), **up_to}
        )


def drop_reconciliations(store: StateStore, days: Iterable[date]) -> None:
    """Delete the reconciliations of days, because they are no longer valid.

    Args:
        store: the state store.
        days: days of the books.
    """
    keys = [key for day in days for key in (f"{RECONCILIATION_KEY}.{day}", day_issues.issue_key(day))]
    store.put_values(dict.fromkeys(keys))


def load_reconciliations(store: StateStore, days: Iterable[date]) -> list[DayReconciliation]:
    """Return the last reconciliation of each day, without the orders that moved to another day.

    Args:
        store: the state store.
        days: days of the books; those without a reconciliation are omitted.
    """
    values = _values_of_days(store, RECONCILIATION_KEY, days).values()
    return without_moved_orders([(DayReconciliation.model_validate_json(text), at) for text, at in values])


def last_reconciled_at(store: StateStore, days: Iterable[date]) -> dict[date, datetime]:
    """Return the time of each day's last reconciliation, by the local clock in UTC.

    Args:
        store: the state store.
        days: days of the books; those without a reconciliation are omitted.
    """
    return {day: stored_at for day, (_, stored_at) in _values_of_days(store, RECONCILIATION_KEY, days).items()}


def reconciled_up_to(store: StateStore, days: Iterable[date]) -> dict[date, datetime]:
    """Return the time up to which the last reconciliation of each day has Shopify's changes, by Shopify's clock.

    Args:
        store: the state store.
        days: days of the books; those without a reconciliation or without a time from Shopify are omitted.
    """
    values = _values_of_days(store, RECONCILED_UP_TO_KEY, days)
    return {day: datetime.fromisoformat(text) for day, (text, _) in values.items()}


def _values_of_days(store: StateStore, key: str, days: Iterable[date]) -> dict[date, tuple[str, datetime]]:
    """Return the stored text of each day with the time when it was stored, in the order of the days."""
    names = {day: f"{key}.{day}" for day in days}
    stored = store.get_present(names.values())
    return {day: stored[name] for day, name in names.items() if name in stored}
