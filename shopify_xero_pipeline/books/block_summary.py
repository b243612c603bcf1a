"""What keeps orders out of the books, counted: which reasons, how often, and whether it is most of the orders.

Only counting belongs here; why an order is blocked is decided by the rules.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from shopify_xero_pipeline.books import remedies
from shopify_xero_pipeline.books.records import OrderBooks, Outcome

_DIGITS = re.compile(r"\d+")


@dataclass(frozen=True)
class BlockedOrders:
    """Orders that cannot be posted.

    Attributes:
        count: how many there are.
        of: how many are blocked or to be posted; those that wait or are skipped by rule are left out.
        reasons: the first reason of each kind with how many orders have one of its kind, the most frequent first.
    """

    count: int
    of: int
    reasons: tuple[tuple[int, str], ...]

    @property
    def are_most(self) -> bool:
        """Whether more are blocked than posted."""
        return 2 * self.count > self.of


def count_blocked_orders(books: Iterable[OrderBooks]) -> BlockedOrders:
    """Return which of these orders are blocked, and why."""
    decided = [order for order in books if order.outcome in (Outcome.POST, Outcome.BLOCKED)]
    reasons = [order.reason for order in decided if order.outcome is Outcome.BLOCKED]
    first: dict[str, str] = {}
    counts: dict[str, int] = {}
    for reason in reasons:
        kind = _kind(reason)
        first.setdefault(kind, reason)
        counts[kind] = counts.get(kind, 0) + 1
    ranked = sorted(counts, key=lambda kind: -counts[kind])
    return BlockedOrders(len(reasons), len(decided), tuple((counts[kind], first[kind]) for kind in ranked))


def _kind(reason: str) -> str:
    """Return what is common to reasons that one change mends, or that differ in ids and amounts alone."""
    remedy = remedies.remedy_in(reason)
    return _DIGITS.sub("", reason) if remedy is None else remedy.sentence
