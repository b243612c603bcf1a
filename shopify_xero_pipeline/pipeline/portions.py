"""Portions of a range of days with a bounded number of records in memory.

A step that works through a range portion by portion uses memory for one portion, whatever the range. This module only
reads and groups days; `day_planner.py` and `day_reconciler.py` work on a portion.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Generic, TypeVar

from shopify_xero_pipeline.shopify.models import Node, Order

N = TypeVar("N", bound=Node)

RECORDS_IN_HAND = 1_000
"""Records of a portion; the last day of a portion may exceed it, because a day is never cut."""


@dataclass(frozen=True)
class Portion(Generic[N]):
    """Some consecutive days of a range.

    Attributes:
        others: customers or products by day.
        orders: orders by day.
        is_whole: whether the portion has all days of the range.
    """

    others: dict[date, Sequence[N]] = field(default_factory=dict)
    orders: dict[date, Sequence[Order]] = field(default_factory=dict)
    is_whole: bool = True


@dataclass(frozen=True)
class Portions(Generic[N]):
    """The days of a range in portions, at least one. Each iteration reads each day once from its mapping.

    Attributes:
        others: customers or products by day.
        orders: orders by day; it may have other days.
    """

    others: Mapping[date, Sequence[N]]
    orders: Mapping[date, Sequence[Order]]

    def __iter__(self) -> Iterator[Portion[N]]:
        # Sets of keys, because `in` of a mapping may read the day.
        others_days, orders_days = {*self.others}, {*self.orders}
        days, first = sorted(others_days | orders_days), 0
        while first < len(days) or first == 0:
            others, orders, count, last = dict[date, Sequence[N]](), dict[date, Sequence[Order]](), 0, first
            while last < len(days) and count < RECORDS_IN_HAND:
                day = days[last]
                if day in others_days:
                    others[day] = self.others[day]
                if day in orders_days:
                    orders[day] = self.orders[day]
                count, last = count + len(others.get(day, ())) + len(orders.get(day, ())), last + 1
            yield Portion(others, orders, is_whole=first == 0 and last >= len(days))
            first = max(last, 1)
