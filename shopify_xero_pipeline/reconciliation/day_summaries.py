"""Summaries of compared days, which are stored beside a day so that lists and months need not read all its orders.

A `DaySummary` has the figures of a day, and whole rows only of orders that are listed. `DayTotals` has the day's
movements by month and its changes of the gift-card liability. Both are small, however many orders the day has. This
module only builds them; the comparison is in `comparison.py`, the verdict in `verdict.py`.
"""

from collections.abc import Iterable, Iterator, Mapping
from datetime import date
from decimal import Decimal

from shopify_xero_pipeline.books.tax_usage import TaxUsage
from shopify_xero_pipeline.reconciliation.card_changes import CardChange, card_changes
from shopify_xero_pipeline.reconciliation.comparison import DayReconciliation, OrderRow
from shopify_xero_pipeline.reconciliation.movements import FrozenModel, Movement, UnbalancedOrder
from shopify_xero_pipeline.reconciliation.orphans import OrphanedOrder
from shopify_xero_pipeline.reconciliation.rollup import by_currency, group_by
from shopify_xero_pipeline.reconciliation.verdict import Agreement, agreement_of_orders


class DaySummary(FrozenModel):
    """The figures of a compared day.

    Attributes:
        day: the orders' day, in the shop's time zone.
        agreement: the figures of the orders, without orphans.
        orders: the number of orders.
        documents: the number of posted documents.
        payments: the number of posted payments.
        xero_sales: the sales of the posted orders in Xero, by currency.
        differences: the sum of the orders' differences by currency.
        rows: the orders that are not posted, differ, were left different or have warnings.
        orphans: orphaned orders of the day; they are not stored.
    """

    day: date
    agreement: Agreement = Agreement()
    orders: int = 0
    documents: int = 0
    payments: int = 0
    xero_sales: Mapping[str, Decimal] = {}
    differences: Mapping[str, Decimal] = {}
    rows: tuple[OrderRow, ...] = ()
    orphans: tuple[OrphanedOrder, ...] = ()

    @property
    def undecided(self) -> list[OrphanedOrder]:
        """Orphaned orders that need a person's decision."""
        return [order for order in self.orphans if order.is_open]


class DayTotals(FrozenModel):
    """The movements and taxes of a compared day.

    Attributes:
        day: the orders' day, in the shop's time zone.
        movements: the movements of the day, summed by the month of their posting date; `posted` is its first day.
        left: the part of `movements` that belongs to orders which a person left different in Xero.
        broken: the unbalanced orders.
        taxes: the taxes on the rows of all orders.
        card_changes: the changes of the gift-card liability in Xero.
    """

    day: date
    movements: tuple[Movement, ...] = ()
    left: tuple[Movement, ...] = ()
    broken: tuple[UnbalancedOrder, ...] = ()
    taxes: tuple[TaxUsage, ...] = ()
    card_changes: tuple[CardChange, ...] = ()


def summarize_day(day: DayReconciliation) -> DaySummary:
    """Return the summary of a day, with its orphans."""
    posted = [row for row in day.rows if row.outcome == "posted"]
    return DaySummary(
        day=day.day,
        agreement=agreement_of_orders([day]),
        orders=len(day.rows),
        documents=sum(row.documents for row in day.rows),
        payments=sum(row.payments for row in day.rows),
        xero_sales=by_currency((row.currency, row.xero_sales) for row in posted),
        differences=day.differences,
        rows=tuple(row for row in day.rows if row.outcome != "posted" or row.problems or row.left or row.warnings),
        orphans=day.orphans,
    )


def total_day(day: DayReconciliation, gift_cards: str) -> DayTotals:
    """Return the movements of a day by month, its taxes and its changes of the gift-card liability.

    Args:
        day: the reconciliation.
        gift_cards: the code of the liability account.
    """
    return DayTotals(
        day=day.day,
        movements=tuple(_sum_by_month(day.movements)),
        left=tuple(_sum_by_month(day.left)),
        broken=day.broken,
        taxes=day.taxes,
        card_changes=tuple(card_changes(day.movements, gift_cards)),
    )


def _sum_by_month(movements: Iterable[Movement]) -> Iterator[Movement]:
    for (month, *_), group in group_by((_month_key(movement), movement) for movement in movements).items():
        columns = zip(*(movement.amounts for movement in group), strict=True)
        shopify, mapping, xero = (sum(column, Decimal(0)) for column in columns)
        yield group[0].model_copy(update={"posted": month, "shopify": shopify, "mapping": mapping, "xero": xero})


def _month_key(movement: Movement) -> tuple[date, str, str, str, str]:
    return movement.posted.replace(day=1), movement.currency, movement.side, movement.key, movement.category
