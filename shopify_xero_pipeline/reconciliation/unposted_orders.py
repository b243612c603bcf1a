"""Orders that are not simply posted, each with its outcome, the reason and what to do, and warnings about any order.

Only which orders are listed, and in which words, is decided here; the verdict on all of them stands in `verdict.py`.
"""

from collections.abc import Iterable
from datetime import date
from decimal import Decimal

from pydantic import BaseModel, ConfigDict

from shopify_xero_pipeline.changes.models import Action, Change, ChangeSet
from shopify_xero_pipeline.reconciliation import next_steps
from shopify_xero_pipeline.reconciliation.comparison import DayReconciliation, OrderRow

PLAIN = frozenset({Action.CREATE, Action.UPDATE, Action.ADOPT, Action.DELETE, Action.UNCHANGED})


class ListedOrder(BaseModel):
    """An order beside the comparison, because it is not posted in full, or because its columns differ.

    `remedy` says what to do, also where that is nothing. Amounts are in `currency`; before a comparison Xero's are 0.
    """

    model_config = ConfigDict(frozen=True)

    day: date
    order_id: str = ""
    order_name: str
    outcome: str
    reason: str
    remedy: str = ""
    currency: str
    sales: Decimal
    mapped_sales: Decimal = Decimal(0)
    xero_sales: Decimal = Decimal(0)
    difference: Decimal = Decimal(0)


def listed_orders(days: Iterable[DayReconciliation]) -> list[ListedOrder]:
    """Return the orders of compared days that are not simply posted."""
    return [
        listed_order(day.day, row)
        for day in days
        for row in day.rows
        if row.outcome != "posted" or row.problems or row.left
    ]


def listed_order(day: date, row: OrderRow) -> ListedOrder:
    """Return an order with its reason parted from its remedy."""
    reason, remedy = next_steps.order_next_step(row.outcome, row.reason, row.problems, row.order_name)
    if row.left:
        reason, remedy = "; ".join(filter(None, (reason, row.left))), remedy or next_steps.NO_ACTION
    return ListedOrder(
        day=day,
        order_id=row.order_id,
        order_name=row.order_name,
        outcome=row.outcome,
        reason=reason,
        remedy=remedy,
        currency=row.currency,
        sales=row.sales,
        mapped_sales=row.mapped_sales,
        xero_sales=row.xero_sales,
        difference=row.difference,
    )


class OrderWarning(BaseModel):
    """What is worth a look about an order that the books hold."""

    model_config = ConfigDict(frozen=True)

    day: date
    order_id: str
    order_name: str
    warning: str


def order_warnings(days: Iterable[DayReconciliation]) -> list[OrderWarning]:
    """Return the warnings about the orders of compared days; they change no verdict."""
    return [
        OrderWarning(day=day.day, order_id=row.order_id, order_name=row.order_name, warning=warning)
        for day in days
        for row in day.rows
        for warning in row.warnings
    ]


def unposted_in_plans(plans: Iterable[ChangeSet]) -> list[ListedOrder]:
    """Return the orders of plans that would not simply be posted, once for each reason."""
    lines = [(plan.day, line) for plan in plans for line in plan.changes if line.order_id and line.action not in PLAIN]
    found = [_of_line(day, line) for day, line in lines]
    return list({(one.day, one.order_id, one.outcome, one.reason): one for one in reversed(found)}.values())[::-1]


def _of_line(day: date, line: Change) -> ListedOrder:
    reason, remedy = next_steps.conflict_next_step(line)
    return ListedOrder(
        day=day,
        order_id=line.order_id or "",
        order_name=line.order_name or "",
        outcome=line.action.value,
        reason=reason,
        remedy=remedy,
        currency=line.currency or "",
        sales=line.amount or Decimal(0),
    )
