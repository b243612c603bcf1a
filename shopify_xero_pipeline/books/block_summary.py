"""Summary of blocked orders by reason.

This module only counts. The accounting rules decide whether an order is blocked.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from shopify_xero_pipeline.books import remedies
from shopify_xero_pipeline.books.records import OrderBooks, Outcome

_DIGITS = re.compile(r"\d+")


@dataclass(frozen=True)
class BlockedOrders:
    """Blocked orders; the sum of two has the orders of both.

    Attributes:
        count: the number of blocked orders.
        of: the number of blocked and postable orders, without waiting and skipped ones.
        by_kind: the number of orders and the first reason, by kind of reason.
    """

    count: int = 0
    of: int = 0
    by_kind: Mapping[str, tuple[int, str]] = field(default_factory=dict)

    @property
    def are_most(self) -> bool:
        """Whether more orders are blocked than postable."""
        return 2 * self.count > self.of

    @property
    def reasons(self) -> tuple[tuple[int, str], ...]:
        """For each kind of reason, its number of orders and its first reason; the most frequent kind first."""
        return tuple(sorted(self.by_kind.values(), key=lambda counted: -counted[0]))

    def __add__(self, other: "BlockedOrders") -> "BlockedOrders":
        by_kind = dict(self.by_kind)
        for kind, (count, reason) in other.by_kind.items():
            earlier, example = by_kind.get(kind, (0, reason))
            by_kind[kind] = (earlier + count, example)
        return BlockedOrders(self.count + other.count, self.of + other.of, by_kind)


def count_blocked_orders(books: Iterable[OrderBooks]) -> BlockedOrders:
    """Return the blocked orders, counted by reason.

    Args:
        books: orders of any outcome.
    """
    count, of, by_kind = 0, 0, dict[str, tuple[int, str]]()
    for order in books:
        of += order.outcome in (Outcome.POST, Outcome.BLOCKED)
        if order.outcome is not Outcome.BLOCKED:
            continue
        remedy = remedies.remedy_in(order.reason)
        # The remedy, else the reason without digits, so that reasons with one fix count together.
        kind = _DIGITS.sub("", order.reason) if remedy is None else remedy.sentence
        earlier, example = by_kind.get(kind, (0, order.reason))
        count, by_kind[kind] = count + 1, (earlier + 1, example)
    return BlockedOrders(count, of, by_kind)
