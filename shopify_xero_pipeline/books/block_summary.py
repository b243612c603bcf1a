"""Summary of blocked orders by reason.

This module only counts. The accounting rules decide whether an order is blocked.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from shopify_xero_pipeline.books import remedies
from shopify_xero_pipeline.books.records import OrderBooks, Outcome

_DIGITS = re.compile(r"\d+")


@dataclass(frozen=True)
class BlockedOrders:
    """Blocked orders.

    Attributes:
        count: the number of blocked orders.
        of: the number of blocked and postable orders, without waiting and skipped ones.
        reasons: for each kind of reason, its number of orders and its first reason; the most frequent kind first.
    """

    count: int
    of: int
    reasons: tuple[tuple[int, str], ...]

    @property
    def are_most(self) -> bool:
        """Whether more orders are blocked than postable."""
        return 2 * self.count > self.of


def count_blocked_orders(books: Iterable[OrderBooks]) -> BlockedOrders:
    """Return the blocked orders, counted by reason.

    Args:
        books: orders of any outcome.
    """
    orders = [order for order in books if order.outcome in (Outcome.POST, Outcome.BLOCKED)]
    reasons = [order.reason for order in orders if order.outcome is Outcome.BLOCKED]
    examples: dict[str, str] = {}
    counts: dict[str, int] = {}
    for reason in reasons:
        remedy = remedies.remedy_in(reason)
        # The remedy, else the reason without digits, so that reasons with one fix count together.
        kind = _DIGITS.sub("", reason) if remedy is None else remedy.sentence
        examples.setdefault(kind, reason)
        counts[kind] = counts.get(kind, 0) + 1
    ranked = sorted(counts, key=lambda kind: -counts[kind])
    return BlockedOrders(len(reasons), len(orders), tuple((counts[kind], examples[kind]) for kind in ranked))
