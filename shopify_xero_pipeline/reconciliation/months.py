"""A month's statements by the dates of documents and payments, comparable with Xero's own reports.

The statements come from the days as last compared and from the mirror, without a call to Shopify or Xero. A document
belongs to the month of its own date, whenever its order was placed. If a locked period moved that date, all three
columns use the moved date. This module only selects the movements. The layout is in `statements.py`, the gift-card
liability in `gift_cards.py`.
"""

from collections.abc import Iterable, Iterator, Sequence
from datetime import date, timedelta

from shopify_xero_pipeline.reconciliation.day_summaries import DaySummary, DayTotals
from shopify_xero_pipeline.reconciliation.gift_cards import LiabilityAccount, RollForward, roll_forward
from shopify_xero_pipeline.reconciliation.movements import (
    AccountNames,
    FrozenModel,
    Movement,
    StatementSection,
    UnbalancedOrder,
)
from shopify_xero_pipeline.reconciliation.orphans import OrphanedOrder
from shopify_xero_pipeline.reconciliation.rollup import group_by
from shopify_xero_pipeline.reconciliation.statements import (
    CLOSING,
    OPENING,
    Statement,
    build_statements,
    section_amounts,
)
from shopify_xero_pipeline.reconciliation.unposted_orders import ListedOrder, listed_order
from shopify_xero_pipeline.reconciliation.verdict import (
    Agreement,
    OrderCount,
    Standing,
    count_of,
    orders_of,
    undecided_orders,
    verdict_sentence,
    worst_standing,
)


class Month(FrozenModel):
    """A month's statements, its gift cards, and the orders that are not in them.

    Attributes:
        month: the month, such as `2026-09`.
        compared: the number of compared days. An order of an earlier month is in the statements if it has documents in
            this month.
        not_compared: days without figures.
        statements: one statement per currency.
        gift_cards: one roll-forward per currency.
        not_posted: orders of the month that are not posted.
        not_equal: orders with differences in the month.
        left: orders that a person left different in Xero.
        unexplained: differences of the statements without the orders in `left`, as sentences.
        orphans: orphaned orders whose day or a record's date is in the month. Their records are in Xero's own reports
            and not in the statements.
    """

    month: str
    compared: int
    not_compared: tuple[date, ...]
    statements: tuple[Statement, ...]
    gift_cards: tuple[RollForward, ...]
    not_posted: tuple[ListedOrder, ...]
    not_equal: tuple[ListedOrder, ...]
    left: tuple[ListedOrder, ...] = ()
    unexplained: tuple[str, ...] = ()
    orphans: tuple[OrphanedOrder, ...] = ()

    @property
    def is_empty(self) -> bool:
        """Whether no day of the month was compared and no record belongs to it."""
        return not (self.compared or self.statements or self.orphans)

    @property
    def standing(self) -> Standing:
        """The verdict on the month."""
        if self._wrong:
            return Standing.DISAGREE
        unfinished = bool(self.not_compared) or self.is_empty
        return worst_standing([self._orders.standing, *([Standing.UNFINISHED] if unfinished else [])])

    @property
    def agrees(self) -> bool:
        """Whether the month has no differences. Orders may be blocked or waiting, and days not compared."""
        return not self._wrong

    @property
    def sentence(self) -> str:
        """The verdict as a sentence with every figure that is wrong or missing."""
        if self.is_empty:
            return f"nothing is known of {self.month}: none of its days has been compared yet"
        missing = [*self._orders.missing("it"), *self._orders.decided]
        if days := len(self.not_compared):
            missing.append(f"{count_of(days, 'day')} {'is' if days == 1 else 'are'} not compared yet")
        return verdict_sentence(self.month, self._wrong, missing, plural=False)

    @property
    def _wrong(self) -> list[str]:
        """The differences of the orders; without any, the unexplained differences; then those of gift cards."""
        order_differences = self._orders.differences
        card_differences = [
            f"gift cards differ by {cards.difference:,.2f} {cards.currency}"
            for cards in self.gift_cards
            if not cards.agrees
        ]
        return [*order_differences, *(() if order_differences else self.unexplained), *card_differences]

    @property
    def _orders(self) -> Agreement:
        """The agreement of the month's orders."""
        by_outcome = group_by((order.outcome, order) for order in self.not_posted)
        return Agreement(
            outcomes={name: _order_count(orders) for name, orders in by_outcome.items()},
            unequal=orders_of((order.order_name, order.currency, order.difference) for order in self.not_equal),
            left=_order_count(self.left),
            undecided=undecided_orders(self.orphans),
        )


def next_month(month: date) -> date:
    """Return the first day of the month after a day."""
    return (month.replace(day=1) + timedelta(days=32)).replace(day=1)  # no month has more than 31 days


def build_month(
    first: date,
    days: Sequence[DaySummary],
    totals: Sequence[DayTotals],
    books_period: tuple[date, date],
    account: LiabilityAccount,
    account_names: AccountNames,
    orphans: Sequence[OrphanedOrder] = (),
) -> Month:
    """Return a month's statements, gift cards and listed orders.

    Args:
        first: the first day of the month, in the shop's time zone.
        days: the summaries of all compared days, including those before and after the month.
        totals: the totals of these days.
        books_period: the first and the last day of these books: the start date and today.
        account: the gift-card liability account with its rows in the mirror.
        account_names: account names, and the accounts that hold tax.
        orphans: orphaned orders of all days.
    """
    after = next_month(first)
    own_days = {day.day for day in days if first <= day.day < after}
    start, end = max(first, books_period[0]), min(after - timedelta(days=1), books_period[1])
    expected = (start + timedelta(days=offset) for offset in range((end - start).days + 1))
    movements = [movement for day in totals for movement in day.movements]
    decided = [_negated(movement) for day in totals for movement in day.left]
    unbalanced = [order for day in totals for order in day.broken if first <= order.posted < after]
    unbalanced_ids = {order.order_id for order in unbalanced}
    statements = undecided = _statements(movements, first, after, unbalanced, account_names)
    if decided:
        undecided = _statements([*movements, *decided], first, after, unbalanced, account_names)
    gift_cards = roll_forward(first, after, movements, account, account_names, books_period[0])
    rows = [(day.day, row) for day in days for row in day.rows]
    own_rows = [(day, row) for day, row in rows if day in own_days]
    return Month(
        month=f"{first:%Y-%m}",
        compared=len(own_days),
        not_compared=tuple(day for day in expected if day not in own_days),
        statements=tuple(statements),
        gift_cards=tuple(cards for cards in gift_cards if cards.has_activity),
        not_posted=tuple(listed_order(day, row) for day, row in own_rows if row.outcome != "posted"),
        not_equal=tuple(
            listed_order(day, row)
            for day, row in rows
            if row.problems and (day in own_days or row.order_id in unbalanced_ids)
        ),
        left=tuple(listed_order(day, row) for day, row in own_rows if row.left),
        unexplained=tuple(
            f"the statement in {statement.currency} differs by {statement.largest_difference:,.2f}"
            for statement in undecided
            if not statement.agrees
        ),
        orphans=tuple(orphan for orphan in orphans if orphan.falls_into(first, after)),
    )


def _order_count(orders: Iterable[ListedOrder]) -> OrderCount:
    return orders_of((order.order_name, order.currency, order.sales) for order in orders)


def _statements(
    movements: Sequence[Movement],
    first: date,
    after: date,
    unbalanced: Sequence[UnbalancedOrder],
    account_names: AccountNames,
) -> list[Statement]:
    in_month = [movement for movement in movements if first <= movement.posted < after]
    own = [movement for movement in in_month if movement.side is not StatementSection.OUTSTANDING]
    return build_statements([*own, *_receivables(movements, first, after)] if own else [], unbalanced, account_names)


def _negated(movement: Movement) -> Movement:
    return movement.model_copy(
        update={"shopify": -movement.shopify, "mapping": -movement.mapping, "xero": -movement.xero}
    )


def _receivables(movements: Sequence[Movement], first: date, after: date) -> Iterator[Movement]:
    """Yield the opening and closing receivables of the month, by currency: documents less payments plus refunds.

    After the last month with movements, the closing balance is the orders' outstanding amount, in Xero their AmountDue.
    In an earlier month it is the sum of the movements up to the end of the month.
    """
    increases = (StatementSection.DOCUMENTS, StatementSection.REFUNDS)
    changes = [movement for movement in movements if movement.side in increases]
    changes += [_negated(movement) for movement in movements if movement.side is StatementSection.PAYMENTS]
    is_last = all(movement.posted < after for movement in changes)
    for currency in sorted({movement.currency for movement in movements}):
        own = [movement for movement in changes if movement.currency == currency]
        opening, closing = (section_amounts(entry for entry in own if entry.posted < day) for day in (first, after))
        if is_last:
            closing = section_amounts(
                movement
                for movement in movements
                if movement.side is StatementSection.OUTSTANDING and movement.currency == currency
            )
        for key, (shopify, mapping, xero) in ((OPENING, opening), (CLOSING, closing)):
            yield Movement(
                posted=first, currency=currency, side=StatementSection.OUTSTANDING, key=key, category=key,
                shopify=shopify, mapping=mapping, xero=xero,
            )  # fmt: skip
