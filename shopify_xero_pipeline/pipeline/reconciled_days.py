"""The last reconciliation of each day in the state store, and the time up to which it has Shopify's changes.

A reconciliation is stored with its summary and its totals, in one transaction. Lists of days read the summaries, months
read the totals too; neither grows with the orders of a day.

This module only stores and reads; `day_reconciler.py` reconciles.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime

from shopify_xero_pipeline.pipeline import day_issues
from shopify_xero_pipeline.reconciliation.comparison import DayReconciliation, without_moved_orders
from shopify_xero_pipeline.reconciliation.day_summaries import DaySummary, DayTotals, summarize_day, total_day
from shopify_xero_pipeline.state.queries import chunks
from shopify_xero_pipeline.state.store import StateStore

RECONCILIATION_KEY = "reconciliation"
SUMMARY_KEY, TOTALS_KEY = "day_summary", "day_totals"
SUMMARIES_STORED_KEY = "day_summaries.stored"
"""The key of the mark that each stored reconciliation has its summary and totals, which an earlier version lacks.

The mark names the account of gift cards, because totals have the changes of this account.
"""

DAYS_PER_TRANSACTION = 20
"""Days that one transaction summarizes, so that the store is not locked for long."""

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


def store_reconciliations(store: StateStore, days: Sequence[DayReconciliation], gift_cards: str) -> None:
    """Store each day's reconciliation with its summaries and the time of its read in one transaction.

    Args:
        store: the state store.
        days: the reconciliations.
        gift_cards: the code of the account of gift cards.
    """
    read_up_to = _values_of_days(store, READ_UP_TO_KEY, [day.day for day in days])
    for day in days:
        text, _ = read_up_to.get(day.day, ("", None))
        up_to = {f"{RECONCILED_UP_TO_KEY}.{day.day}": text} if text else {}
        store.put_values({**reconciliation_entries(day, gift_cards), **up_to})


def reconciliation_entries(day: DayReconciliation, gift_cards: str) -> dict[str, str | None]:
    """Return the store entries of a day: its reconciliation, summary, totals, and disagreement or None.

    Args:
        day: the reconciliation.
        gift_cards: the code of the account of gift cards.
    """
    return {f"{RECONCILIATION_KEY}.{day.day}": day.model_dump_json(), **_summary_entries(day, gift_cards)}


def drop_reconciliations(store: StateStore, days: Iterable[date]) -> None:
    """Delete the reconciliations of days, because they are no longer valid.

    Args:
        store: the state store.
        days: days of the books.
    """
    names = (RECONCILIATION_KEY, SUMMARY_KEY, TOTALS_KEY)
    keys = [key for day in days for key in (*(f"{name}.{day}" for name in names), day_issues.issue_key(day))]
    store.put_values(dict.fromkeys(keys))


def load_reconciliations(store: StateStore, days: Iterable[date]) -> list[DayReconciliation]:
    """Return the last reconciliation of each day, without the orders that moved to another day.

    Args:
        store: the state store.
        days: days of the books; those without a reconciliation are omitted.
    """
    values = _values_of_days(store, RECONCILIATION_KEY, days).values()
    return without_moved_orders([(DayReconciliation.model_validate_json(text), at) for text, at in values])


def load_summaries(store: StateStore, days: Iterable[date], gift_cards: str) -> list[DaySummary]:
    """Return the summary of each day, without the orders that moved to another day.

    Args:
        store: the state store.
        days: days of the books; those without a reconciliation are omitted.
        gift_cards: the code of the account of gift cards.
    """
    summarize_stored_days(store, gift_cards)
    values = _values_of_days(store, SUMMARY_KEY, days)
    summaries = {day: DaySummary.model_validate_json(text) for day, (text, _) in values.items()}
    for reconciliation in load_reconciliations(store, _days_of_moved_orders(store, summaries)):
        summaries[reconciliation.day] = summarize_day(reconciliation)
    return [*summaries.values()]


def load_totals(store: StateStore, days: Iterable[date], gift_cards: str) -> list[DayTotals]:
    """Return the totals of each day.

    Args:
        store: the state store.
        days: days of the books; those without a reconciliation are omitted.
        gift_cards: the code of the account of gift cards.
    """
    summarize_stored_days(store, gift_cards)
    return [DayTotals.model_validate_json(text) for text, _ in _values_of_days(store, TOTALS_KEY, days).values()]


def summarize_stored_days(store: StateStore, gift_cards: str) -> None:
    """Store the summaries of all stored reconciliations, once for an earlier version or another account of gift cards.

    Args:
        store: the state store.
        gift_cards: the code of the account of gift cards.
    """
    mark = f"with gift cards on {gift_cards}"
    if (store.get_value(SUMMARIES_STORED_KEY) or ("",))[0] == mark:
        return
    names = store.names_of_values(RECONCILIATION_KEY)
    for chunk in chunks(names, DAYS_PER_TRANSACTION):
        store.derive_values(chunk, lambda text: _derived_entries(text, gift_cards))
    store.put_value(SUMMARIES_STORED_KEY, mark)


def last_reconciled_at(store: StateStore, days: Iterable[date]) -> dict[date, datetime]:
    """Return the time of each day's last reconciliation, by the local clock in UTC.

    Args:
        store: the state store.
        days: days of the books; those without a reconciliation are omitted.
    """
    wanted = [*days]
    values = _values_of_days(store, SUMMARY_KEY, wanted)  # of the same time as the reconciliation, and smaller
    values |= _values_of_days(store, RECONCILIATION_KEY, [day for day in wanted if day not in values])
    return {day: values[day][1] for day in wanted if day in values}


def reconciled_up_to(store: StateStore, days: Iterable[date]) -> dict[date, datetime]:
    """Return the time up to which the last reconciliation of each day has Shopify's changes, by Shopify's clock.

    Args:
        store: the state store.
        days: days of the books; those without a reconciliation or without a time from Shopify are omitted.
    """
    values = _values_of_days(store, RECONCILED_UP_TO_KEY, days)
    return {day: datetime.fromisoformat(text) for day, (text, _) in values.items()}


def _summary_entries(day: DayReconciliation, gift_cards: str) -> dict[str, str | None]:
    return {
        f"{SUMMARY_KEY}.{day.day}": summarize_day(day).model_dump_json(exclude={"orphans"}, exclude_defaults=True),
        f"{TOTALS_KEY}.{day.day}": total_day(day, gift_cards).model_dump_json(exclude_defaults=True),
        **day_issues.issue_entry(day),
    }


def _derived_entries(text: str, gift_cards: str) -> dict[str, str | None]:
    """Return the entries beside a reconciliation, from its text."""
    return _summary_entries(DayReconciliation.model_validate_json(text), gift_cards)


def _days_of_moved_orders(store: StateStore, summaries: Mapping[date, DaySummary]) -> list[date]:
    """Return the days that share an order with another day, of which at least one has not posted it."""
    days_by_order: dict[str, set[date]] = defaultdict(set)
    for day, summary in summaries.items():
        for row in summary.rows:
            if row.outcome != "posted":
                days_by_order[row.order_id].add(day)
    for order_id, mapped_days in store.days_of_orders(days_by_order).items():
        days_by_order[order_id] |= mapped_days & summaries.keys()
    return sorted({day for days in days_by_order.values() if len(days) > 1 for day in days})


def _values_of_days(store: StateStore, key: str, days: Iterable[date]) -> dict[date, tuple[str, datetime]]:
    """Return the stored text of each day with the time when it was stored, in the order of the days."""
    names = {day: f"{key}.{day}" for day in days}
    stored = store.get_present(names.values())
    return {day: stored[name] for day, name in names.items() if name in stored}
