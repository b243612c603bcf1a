"""What is kept beside a compared day that does not simply agree, short enough to be listed without reading the day.

Only the note is decided here: which orders break a check of their day, and what the day comes to. The verdict stands in
`verdict.py`, the comparison in `comparison.py`.
"""

from collections.abc import Iterable, Mapping
from datetime import date
from decimal import Decimal

from pydantic import BaseModel, ConfigDict

from shopify_xero_pipeline.reconciliation.comparison import DayReconciliation, OrderRow
from shopify_xero_pipeline.reconciliation.orphans import OrphanedOrder
from shopify_xero_pipeline.reconciliation.verdict import Agreement, Standing, agreement_of_orders

MAX_NAMES = 20
WRONG = ("failed", "conflict")


class NamedOrder(BaseModel):
    """An order that breaks a check of its day, and why, in plain words."""

    model_config = ConfigDict(frozen=True)

    order_id: str
    order_name: str
    reason: str


class Disagreement(BaseModel):
    """How a day's books stand that do not simply agree.

    Attributes:
        day: the orders' own day.
        agreement: what the day comes to; `incomplete` and `unfinished` are kept, too.
        orders: how many of its orders break a check.
        difference: as `DayReconciliation.difference`.
        named: the first 20 of those orders.
    """

    model_config = ConfigDict(frozen=True)

    day: date
    agreement: Agreement = Agreement()
    orders: int
    difference: Decimal
    named: tuple[NamedOrder, ...]


def disagreement_of_day(day: DayReconciliation) -> Disagreement | None:
    """Return how a day stands; None if it simply agrees. Orphans are left out: they stand by themselves."""
    found = agreement_of_orders([day])
    if found.standing is Standing.AGREE:
        return None
    broken = [row for row in day.rows if _breaks_a_check(row)]
    named = (
        NamedOrder(order_id=row.order_id, order_name=row.order_name, reason="; ".join(row.problems) or row.reason)
        for row in broken[:MAX_NAMES]
    )
    return Disagreement(day=day.day, agreement=found, orders=len(broken), difference=day.difference, named=tuple(named))


def with_undecided(found: Mapping[date, Disagreement], orphans: Iterable[OrphanedOrder]) -> list[Disagreement]:
    """Return the days of which orders break a check, oldest first, those included that a person has to decide about."""
    days = {day: one for day, one in found.items() if one.orders}
    for one in orphans:
        if one.is_open:
            known = days.get(one.day) or Disagreement(day=one.day, orders=0, difference=Decimal(0), named=())
            named = NamedOrder(order_id=one.order_id, order_name=one.order_name or one.name, reason=one.reason)
            all_named = (*known.named, named)[:MAX_NAMES]
            days[one.day] = known.model_copy(update={"orders": known.orders + 1, "named": all_named})
    return [days[day] for day in sorted(days)]


def _breaks_a_check(row: OrderRow) -> bool:
    return row.is_unaccounted or row.outcome in WRONG or bool(row.problems or row.extra or row.lost)
