"""The list of orders that are not posted in full, each with outcome, reason and remedy, and the warnings about orders.

This module only selects the orders and their texts. The verdict is in `verdict.py`.
"""

from collections.abc import Iterable
from datetime import date
from decimal import Decimal

from shopify_xero_pipeline.changes.models import Action, Change, ChangeSet
from shopify_xero_pipeline.reconciliation import next_steps
from shopify_xero_pipeline.reconciliation.comparison import DayReconciliation, OrderRow
from shopify_xero_pipeline.reconciliation.day_summaries import DaySummary
from shopify_xero_pipeline.reconciliation.movements import FrozenModel

POSTED_ACTIONS = frozenset({Action.CREATE, Action.UPDATE, Action.ADOPT, Action.DELETE, Action.UNCHANGED})


class ListedOrder(FrozenModel):
    """An order that is not posted in full, or whose columns differ.

    Attributes:
        remedy: the next step, which may be that nothing has to be done.
        sales: Shopify's sales, in `currency`.
        mapped_sales: posted sales; 0 before a comparison.
        xero_sales: sales in Xero; 0 before a comparison.
    """

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


def listed_orders(days: Iterable[DayReconciliation | DaySummary]) -> list[ListedOrder]:
    """Return the orders of compared days that are not posted in full, or whose columns differ.

    Args:
        days: compared days, or their summaries.
    """
    return [
        listed_order(day.day, row)
        for day in days
        for row in day.rows
        if row.outcome != "posted" or row.problems or row.left
    ]


def listed_order(day: date, row: OrderRow) -> ListedOrder:
    """Return an order with its reason and its remedy."""
    reason, remedy = next_steps.order_next_step(row.outcome, row.reason, row.problems, row.order_name)
    if row.left:
        reason, remedy = "; ".join(filter(None, (reason, row.left))), remedy or next_steps.NO_ACTION
    return ListedOrder(**row.model_dump(exclude={"reason"}), day=day, reason=reason, remedy=remedy)


class OrderWarning(FrozenModel):
    """A warning about an order in the books."""

    day: date
    order_id: str
    order_name: str
    warning: str


def order_warnings(days: Iterable[DayReconciliation | DaySummary]) -> list[OrderWarning]:
    """Return the warnings about the orders of compared days. Warnings do not affect the verdict.

    Args:
        days: compared days, or their summaries.
    """
    return [
        OrderWarning(day=day.day, order_id=row.order_id, order_name=row.order_name, warning=warning)
        for day in days
        for row in day.rows
        for warning in row.warnings
    ]


def unposted_in_plans(plans: Iterable[ChangeSet]) -> list[ListedOrder]:
    """Return the orders in plans that would not be posted in full, once for each reason.

    Args:
        plans: plans of any kinds and days.
    """
    lines = [
        (plan.day, line)
        for plan in plans
        for line in plan.changes
        if line.order_id and line.action not in POSTED_ACTIONS
    ]
    orders = [_order_of_line(day, line) for day, line in lines]
    return list(
        {(order.day, order.order_id, order.outcome, order.reason): order for order in reversed(orders)}.values()
    )[::-1]


def _order_of_line(day: date, line: Change) -> ListedOrder:
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
