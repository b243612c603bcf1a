"""A summary of a compared day that does not agree, stored beside the day so that a list need not read the day.

This module only builds the summary. The verdict is in `verdict.py`, the comparison in `comparison.py`.
"""

from collections.abc import Iterable, Mapping
from datetime import date
from decimal import Decimal

from shopify_xero_pipeline.reconciliation.comparison import DayReconciliation, OrderRow
from shopify_xero_pipeline.reconciliation.movements import FrozenModel
from shopify_xero_pipeline.reconciliation.orphans import OrphanedOrder
from shopify_xero_pipeline.reconciliation.verdict import Agreement, Standing, agreement_of_orders

MAX_NAMES = 20  # orders in a summary, so that it stays small in the store
WRONG_OUTCOMES = ("failed", "conflict")


class NamedOrder(FrozenModel):
    """An order that breaks a check of its day, with the reason as a sentence."""

    order_id: str
    order_name: str
    reason: str


class Disagreement(FrozenModel):
    """The state of a day's books that do not agree.

    Attributes:
        day: the orders' day, in the shop's time zone.
        agreement: the figures of the day; incomplete and unfinished days have a summary, too.
        orders: the number of orders that break a check.
        differences: the day's differences by currency, as in `DayReconciliation.differences`.
        named: the first 20 of those orders.
    """

    day: date
    agreement: Agreement = Agreement()
    orders: int
    differences: Mapping[str, Decimal] = {}
    named: tuple[NamedOrder, ...]


def disagreement_of_day(day: DayReconciliation) -> Disagreement | None:
    """Return the summary of a day, or None if the day agrees. Orphans are not included."""
    agreement = agreement_of_orders([day])
    if agreement.standing is Standing.AGREE:
        return None
    rows = [row for row in day.rows if _breaks_a_check(row)]
    named = (
        NamedOrder(order_id=row.order_id, order_name=row.order_name, reason="; ".join(row.problems) or row.reason)
        for row in rows[:MAX_NAMES]
    )
    return Disagreement(
        day=day.day, agreement=agreement, orders=len(rows), differences=day.differences, named=tuple(named)
    )


def with_undecided(summaries: Mapping[date, Disagreement], orphans: Iterable[OrphanedOrder]) -> list[Disagreement]:
    """Return the days with orders that break a check or need a person's decision, oldest first.

    Args:
        summaries: summaries of days that do not agree, by day.
        orphans: orphaned orders of all days.
    """
    days = {day: summary for day, summary in summaries.items() if summary.orders}
    for orphan in orphans:
        if orphan.is_open:
            name = orphan.order_name or orphan.name
            order = NamedOrder(order_id=orphan.order_id, order_name=name, reason=orphan.reason)
            summary = days.get(orphan.day) or Disagreement(day=orphan.day, orders=0, named=())
            named = (*summary.named, order)[:MAX_NAMES]
            days[orphan.day] = summary.model_copy(update={"orders": summary.orders + 1, "named": named})
    return [days[day] for day in sorted(days)]


def _breaks_a_check(row: OrderRow) -> bool:
    return row.is_unaccounted or row.outcome in WRONG_OUTCOMES or bool(row.problems or row.extra or row.lost)
