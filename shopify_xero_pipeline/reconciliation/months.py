"""A month as an accountant compares it with Xero's own reports: by the days that documents and payments bear.

Built from the days as they were last compared and from the mirror; nobody is called. A document belongs to the month
of its own date, whenever its order was placed; where a locked period moved that date, it is the moved one in all three
columns. Only what the statement is built from is decided here; its arrangement stands in `statements.py`, the
gift-card liability in `gift_cards.py`.
"""

from collections.abc import Collection, Iterable, Sequence
from datetime import date, timedelta
from decimal import Decimal

from pydantic import BaseModel, ConfigDict

from shopify_xero_pipeline.reconciliation.comparison import DayReconciliation
from shopify_xero_pipeline.reconciliation.gift_cards import LiabilityAccount, RollForward, roll_forward
from shopify_xero_pipeline.reconciliation.movements import AccountNames, Movement, StatementSection, UnbalancedOrder
from shopify_xero_pipeline.reconciliation.orphans import OrphanedOrder
from shopify_xero_pipeline.reconciliation.statements import (
    CLOSING,
    OPENING,
    Columns,
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

SIGNS = {StatementSection.DOCUMENTS: 1, StatementSection.PAYMENTS: -1, StatementSection.REFUNDS: 1}


class Month(BaseModel):
    """A month's statements, gift cards, and the orders that are not in them. `not_compared` are days without figures.

    `compared` counts days on which orders were placed; an order of an earlier month whose later documents fall into
    this one is in its statements all the same. `left` are orders that a person left different in Xero; `unexplained`
    says by how much statements differ without them. `orphans` have their day or a record's date in the month; their
    records are in Xero's own reports and not in the statements.
    """

    model_config = ConfigDict(frozen=True)

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
        """Whether nothing is known of the month."""
        return not (self.compared or self.statements or self.orphans)

    @property
    def standing(self) -> Standing:
        """The verdict on the month in one word."""
        if self._wrong:
            return Standing.DISAGREE
        unfinished = bool(self.not_compared) or self.is_empty
        return worst_standing([self._orders.standing, *([Standing.UNFINISHED] if unfinished else [])])

    @property
    def agrees(self) -> bool:
        """Whether nothing speaks against the month; orders may be blocked or waiting, and days not compared."""
        return not self._wrong

    @property
    def says(self) -> str:
        """The verdict as a sentence, in which every figure stands that is not as it should be."""
        if self.is_empty:
            return f"nothing is known of {self.month}: none of its days has been compared yet"
        missing = [*self._orders.missing("it"), *self._orders.decided]
        if days := len(self.not_compared):
            missing.append(f"{count_of(days, 'day')} {'is' if days == 1 else 'are'} not compared yet")
        return verdict_sentence(self.month, self._wrong, missing, plural=False)

    @property
    def _wrong(self) -> list[str]:
        """What speaks against the month: orders first, and figures that differ without an order that explains it."""
        own = self._orders.differences
        cards = [
            f"gift cards differ by {one.difference:,.2f} {one.currency}" for one in self.gift_cards if not one.agrees
        ]
        return [*own, *(() if own else self.unexplained), *cards]

    @property
    def _orders(self) -> Agreement:
        """What the orders of the month come to."""
        names = {one.outcome for one in self.not_posted}
        return Agreement(
            outcomes={name: _worth(one for one in self.not_posted if one.outcome == name) for name in names},
            unequal=orders_of((one.order_name, one.currency, one.difference) for one in self.not_equal),
            left=_worth(self.left),
            undecided=undecided_orders(self.orphans),
        )


def next_month(month: date) -> date:
    """Return the first day of the month after the one a day lies in."""
    return (month.replace(day=1) + timedelta(days=32)).replace(day=1)


def build_month(
    first: date,
    days: Sequence[DayReconciliation],
    kept: tuple[date, date],
    account: LiabilityAccount,
    chart: AccountNames,
    orphans: Sequence[OrphanedOrder] = (),
) -> Month:
    """Return a month.

    Args:
        first: its first day.
        days: every day compared so far, before and after the month as well.
        kept: the first and the last day whose orders these books keep: the start date and today.
        account: the gift-card liability and what Xero shows on it.
        chart: names of accounts.
        orphans: of all days.
    """
    after = next_month(first)
    within = {day.day for day in days if first <= day.day < after}
    begin, end = max(first, kept[0]), min(after - timedelta(days=1), kept[1])
    expected = (begin + timedelta(days=n) for n in range((end - begin).days + 1))
    moved = [one for day in days for one in day.movements]
    left = [one for day in days for one in day.left]
    broken = [one for day in days for one in day.broken if first <= one.posted < after]
    found = _statements(moved, first, after, broken, chart)
    rest = _statements([*moved, *map(_negated, left)], first, after, broken, chart) if left else found
    return Month(
        month=f"{first:%Y-%m}",
        compared=len(within),
        not_compared=tuple(day for day in expected if day not in within),
        statements=tuple(found),
        gift_cards=tuple(one for one in roll_forward(first, after, days, account, chart, kept[0]) if one.has_activity),
        not_posted=tuple(_not_posted(day for day in days if day.day in within)),
        not_equal=tuple(_not_equal(days, within, {one.order_id for one in broken})),
        left=tuple(listed_order(day.day, row) for day in days if day.day in within for row in day.rows if row.left),
        unexplained=tuple(
            f"the statement in {one.currency} differs by {one.largest_difference:,.2f}"
            for one in rest
            if not one.agrees
        ),
        orphans=tuple(one for one in orphans if one.falls_into(first, after)),
    )


def _worth(orders: Iterable[ListedOrder]) -> OrderCount:
    return orders_of((one.order_name, one.currency, one.sales) for one in orders)


def _statements(
    moved: Sequence[Movement], first: date, after: date, broken: Sequence[UnbalancedOrder], chart: AccountNames
) -> list[Statement]:
    own = [one for one in moved if first <= one.posted < after and one.side is not StatementSection.OUTSTANDING]
    return build_statements([*own, *_owed(moved, first, after)] if own else [], broken, chart)


def _negated(one: Movement) -> Movement:
    return one.model_copy(update={"shopify": -one.shopify, "mapping": -one.mapping, "xero": -one.xero})


def _owed(moved: Sequence[Movement], first: date, after: date) -> list[Movement]:
    """Return what customers owed before and after the month, by currency.

    After the last month in which anything moved it is what the orders say is outstanding, in Xero their AmountDue;
    after an earlier one it can only be what moved until then.
    """
    is_last = all(one.posted < after for one in moved if one.side in SIGNS)
    found = []
    for currency in sorted({one.currency for one in moved}):
        own = [one for one in moved if one.currency == currency]
        before, until = (_change([one for one in own if one.posted < day]) for day in (first, after))
        still = section_amounts(one for one in own if one.side is StatementSection.OUTSTANDING)
        found += [
            _balance(first, currency, OPENING, before),
            _balance(first, currency, CLOSING, still if is_last else until),
        ]
    return found


def _change(moved: Iterable[Movement]) -> Columns:
    """Return by how much movements change what customers owe: documents less payments, plus refunds."""
    found = [(SIGNS[one.side], one.amounts) for one in moved if one.side in SIGNS]
    first, second, third = (sum((sign * each[place] for sign, each in found), Decimal(0)) for place in range(3))
    return first, second, third


def _balance(day: date, currency: str, key: str, columns: Columns) -> Movement:
    shopify, mapping, xero = columns
    return Movement(
        posted=day, currency=currency, side=StatementSection.OUTSTANDING, key=key, category=key,
        shopify=shopify, mapping=mapping, xero=xero,
    )  # fmt: skip


def _not_posted(days: Iterable[DayReconciliation]) -> list[ListedOrder]:
    return [listed_order(day.day, row) for day in days for row in day.rows if row.outcome != "posted"]


def _not_equal(days: Iterable[DayReconciliation], own: Collection[date], broken: Collection[str]) -> list[ListedOrder]:
    """Return orders of the month whose columns differ, and those of other months that differ in this one."""
    return [
        listed_order(day.day, row)
        for day in days
        for row in day.rows
        if row.problems and (day.day in own or row.order_id in broken)
    ]
