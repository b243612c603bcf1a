"""An order during its history: charges, sales ledger, money and refunds.

Source: docs/contracts/shopify_orders.md §4.

This module contains the parts of an order and the operations that keep its sums exact; `beginnings.py`, `changes.py`
and `payments.py` choose the operations. All amounts are whole minor units of the shop's currency.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from shopify_xero_pipeline_tests.campaigns.model.amounts import converted, half_up

WITH_LINE = frozenset({"PRODUCT", "TIP", "GIFT_CARD"})
MONEY_IN = frozenset({"SALE", "CAPTURE"})
PROMISES = frozenset({"AUTHORIZATION", "EMV_AUTHORIZATION"})
UNDER_WAY = ("PENDING", "AWAITING_RESPONSE")
MONEY_OUT = frozenset({"REFUND", "CHANGE"})


@dataclass(frozen=True)
class Tax:
    """A tax by name; `points` are hundredths of a per cent: 1500 is 15 %."""

    title: str
    points: int
    channel: bool = False


@dataclass(frozen=True)
class Share:
    """An amount after discounts, and its taxes. `net` contains them if the order's prices do."""

    net: int
    taxes: tuple[int, ...]


@dataclass
class Charge:
    """A line, a shipping charge, a duty or a fee, with its remaining part.

    `net`, `taxes` and `discounts` cover everything ever charged, as in Shopify's lines; `remaining` is the rest.
    """

    number: int
    kind: str
    title: str
    unit: int
    quantity: int
    names: tuple[Tax, ...]
    discounts: list[int]
    net: int
    taxes: tuple[int, ...]
    remaining: Share
    left_quantity: int
    has_product: bool = True
    removed: bool = False


@dataclass(frozen=True)
class Row:
    """A sale: one row of an agreement. `total` includes tax in both modes (docs/contracts/shopify_orders.md §4.9)."""

    number: int
    kind: str
    action: str
    quantity: int | None
    total: int
    names: tuple[Tax, ...]
    taxes: tuple[int, ...]
    charge: Charge | None = None
    discount: int = 0
    stated_tax: int | None = None


@dataclass(frozen=True)
class Entry:
    """An agreement."""

    number: int
    reason: str
    at: datetime
    rows: tuple[Row, ...]
    refund: int | None = None

    @property
    def net(self) -> int:
        """The amount that it adds to the order."""
        return sum(row.total for row in self.rows)


@dataclass
class Money:
    """A transaction. `rounding` is the cash moved beyond `amount`.

    `amount` is what it settles at the order's rate, `presentment` the same in the customer's currency, exact to the
    last unit. `drift` is the additional money in the shop's currency due to a changed rate; `before` is the amount at
    its parent's rate, if Shopify has it.
    """

    number: int
    kind: str
    status: str
    gateway: str | None
    amount: int
    created: datetime
    processed: datetime | None
    rounding: int = 0
    parent: int | None = None
    settled_late: bool = False
    presentment: int = 0
    drift: int = 0
    before: int | None = None

    @property
    def moved(self) -> int:
        """The amount that moved, in the shop's currency."""
        return self.amount + self.drift

    @property
    def signed(self) -> int:
        """The amount that it adds to the net payment if it succeeds."""
        return self.amount if self.kind in MONEY_IN else -self.amount if self.kind in MONEY_OUT else 0


@dataclass(frozen=True)
class Back:
    """A refund: returned lines and shipping, discrepancies, and the numbers of its transactions."""

    number: int
    at: datetime
    lines: tuple[Row, ...]
    shipping: tuple[Row, ...]
    adjustments: tuple[tuple[int, int, int, str], ...]
    transactions: tuple[int, ...]
    restock: str


@dataclass
class Order:
    """An order with its history so far. `weird` names its deviations in the words of `facts.py`."""

    number: int
    currency: str
    presentment_currency: str
    grain: int
    included: bool
    scheme: tuple[Tax, ...]
    placed: datetime
    backdated: datetime
    customer: int | None
    returns_negative: bool = True
    test: bool = False
    terms: bool = False
    kept_back: bool = False
    gap: int = 0
    stray: int = 0
    stray_payment: int = 0
    cancelled: datetime | None = None
    charges: list[Charge] = field(default_factory=list)
    entries: list[Entry] = field(default_factory=list)
    money: list[Money] = field(default_factory=list)
    backs: list[Back] = field(default_factory=list)
    weird: set[str] = field(default_factory=set)
    _ids: int = 0

    def next_id(self) -> int:
        """Return the digits of a new global id, unique over all orders of a shop."""
        self._ids += 1
        return self.number * 10_000 + self._ids

    @property
    def current(self) -> int:
        """The current total: the sum of the sales ledger, and the header's gap to its rows."""
        return self.gap + sum(entry.net for entry in self.entries)

    def moved(self, kinds: frozenset[str], statuses: Sequence[str] = ("SUCCESS",)) -> int:
        """Return the sum of the transactions of the kinds and statuses."""
        return sum(entry.amount for entry in self.money if entry.kind in kinds and entry.status in statuses)

    @property
    def held(self) -> int:
        """Money received and not refunded; pending refunds count as refunded."""
        out = self.moved(MONEY_OUT) + self.moved(frozenset({"REFUND"}), UNDER_WAY)
        return self.moved(MONEY_IN) - out

    @property
    def due(self) -> int:
        """The amount that the customer owes, negative if the shop owes; pending payments count as paid."""
        return self.current - self.channel_tax_kept - self.held - self.moved(MONEY_IN, UNDER_WAY)

    @property
    def is_foreign(self) -> bool:
        """Whether the customer pays in another currency than the shop's."""
        return self.presentment_currency != self.currency

    @property
    def shown_due(self) -> int:
        """The same as `due` in the customer's currency."""
        waiting = ("SUCCESS", *UNDER_WAY)
        paid = sum(entry.presentment for entry in self.money if entry.kind in MONEY_IN and entry.status in waiting)
        paid -= sum(entry.presentment for entry in self.money if entry.kind == "REFUND" and entry.status in waiting)
        owed = [row.total for entry in self.entries for row in entry.rows]
        return sum(self.show(amount) for amount in (*owed, self.gap)) - self.shown_tax_kept - paid

    def show(self, amount: int) -> int:
        """Return an amount in the customer's currency, at the order's own rate."""
        return converted(amount, self.currency, self.presentment_currency) if self.is_foreign else amount

    @property
    def channel_tax_kept(self) -> int:
        """The tax that a marketplace withheld from its payment."""
        if not self.kept_back or not self.money:
            return 0
        return self.channel_tax

    @property
    def shown_tax_kept(self) -> int:
        """The same tax in the customer's currency, converted tax by tax."""
        return self.shown_channel_tax if self.kept_back and self.money else 0

    @property
    def shown_channel_tax(self) -> int:
        """The tax that a sales channel remits, in the customer's currency."""
        taxes = [tax for entry in self.entries for row in entry.rows for tax in channel_taxes(row)]
        return sum(self.show(tax) for tax in taxes)

    @property
    def channel_tax(self) -> int:
        """The tax that a sales channel remits."""
        return sum(channel_tax(row) for entry in self.entries for row in entry.rows)

    def taxed(self, net: int, names: Sequence[Tax]) -> Share:
        """Return an amount with its taxes, each rounded half up on the discounted amount (4.10.2)."""
        whole = 10_000 + sum(name.points for name in names) if self.included else 10_000
        return Share(net, tuple(half_up(net * name.points, whole, self.grain) for name in names))

    def total(self, share: Share) -> int:
        """Return an amount with tax, in both tax modes of the order."""
        return share.net + (0 if self.included else sum(share.taxes))


def channel_tax(row: Row) -> int:
    """Return the tax of a row that the sales channel remits."""
    return sum(channel_taxes(row))


def channel_taxes(row: Row) -> list[int]:
    """Return the taxes of a row that the sales channel remits."""
    return [amount for name, amount in zip(row.names, row.taxes, strict=True) if name.channel]


def charge(
    order: Order,
    kind: str,
    title: str,
    unit: int,
    quantity: int = 1,
    names: tuple[Tax, ...] = (),
    discounts: Sequence[int] = (),
) -> Charge:
    """Add a charge to the order and return it; the caller writes its row.

    Args:
        order: the order.
        kind: the ledger's type, such as PRODUCT.
        title: the title of the charge.
        unit: the unit price.
        quantity: the units.
        names: the taxes.
        discounts: the discounts on the whole quantity.
    """
    net = unit * quantity - sum(discounts)
    share = order.taxed(net, names)
    item = Charge(
        number=order.next_id(),
        kind=kind,
        title=title,
        unit=unit,
        quantity=quantity,
        names=names,
        discounts=list(discounts),
        net=net,
        taxes=share.taxes,
        remaining=share,
        left_quantity=quantity,
    )
    order.charges.append(item)
    return item


def sold(order: Order, item: Charge, share: Share, quantity: int, discount: int = 0) -> Row:
    """Return the row of a sale.

    Args:
        order: the order.
        item: the charge.
        share: its amount and taxes.
        quantity: the units.
        discount: the discount of the row.
    """
    units = quantity if item.kind in WITH_LINE else None
    return Row(
        number=order.next_id(),
        kind=item.kind,
        action="ORDER",
        quantity=units,
        total=order.total(share),
        names=item.names,
        taxes=share.taxes,
        charge=item,
        discount=discount,
    )


def taken_back(order: Order, item: Charge, parts: int, of: int, action: str = "RETURN") -> Row:
    """Take a fraction of the remaining part of a charge back; the last part includes the remainders.

    Args:
        order: the order.
        item: the charge.
        parts: the number of parts to take back.
        of: the number of equal parts that remain.
        action: the action of the row.
    """
    share = Share(
        half_up(item.remaining.net * parts, of, order.grain) if parts < of else item.remaining.net,
        tuple(half_up(tax * parts, of, order.grain) if parts < of else tax for tax in item.remaining.taxes),
    )
    item.remaining = Share(
        item.remaining.net - share.net, tuple(a - b for a, b in zip(item.remaining.taxes, share.taxes, strict=True))
    )
    units = None
    if item.kind in WITH_LINE and action == "RETURN":
        units = parts
        item.left_quantity -= parts
    return Row(
        number=order.next_id(),
        kind=item.kind,
        action=action,
        quantity=None if units is None else -units if order.returns_negative else units,
        total=-order.total(share),
        names=item.names,
        taxes=tuple(-tax for tax in share.taxes),
        charge=item,
    )


def repriced(order: Order, item: Charge, net: int) -> Row:
    """Raise the price of the remaining part of a line by an amount, as an edit does."""
    share = order.taxed(net, item.names)
    item.net += share.net
    item.taxes = _sum(item.taxes, share.taxes)
    item.remaining = Share(item.remaining.net + share.net, _sum(item.remaining.taxes, share.taxes))
    return replace(sold(order, item, share, 1), action="UPDATE", quantity=None)


def untaxed(order: Order, item: Charge) -> Row:
    """Remove the taxes of the remaining part of a line, as for an exempt customer; the price falls by them."""
    taxes = tuple(-tax for tax in item.remaining.taxes)
    item.remaining = Share(item.remaining.net + (sum(taxes) if order.included else 0), tuple(0 for _ in taxes))
    return Row(order.next_id(), item.kind, "UPDATE", None, sum(taxes), item.names, taxes, item)


def more_of(order: Order, item: Charge, quantity: int) -> Row:
    """Add units to a line at its full unit price, as an edit does."""
    share = order.taxed(item.unit * quantity, item.names)
    item.quantity += quantity
    item.left_quantity += quantity
    item.net += share.net
    item.taxes = _sum(item.taxes, share.taxes)
    item.remaining = Share(item.remaining.net + share.net, _sum(item.remaining.taxes, share.taxes))
    return sold(order, item, share, quantity)


def _sum(first: tuple[int, ...], second: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(a + b for a, b in zip(first, second, strict=True))
