"""An order in the making: what was charged, the sales ledger, the money, the refunds.

Source: docs/contracts/shopify_orders.md §4.

Only what an order is made of belongs here, and the few operations that keep its sums exact; which of them happen, and
when, is told in `beginnings.py`, `changes.py` and `payments.py`. All amounts are whole minor units of the shop's
currency.
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
    """An amount after discounts and the taxes on it. `net` contains them if the order's prices do."""

    net: int
    taxes: tuple[int, ...]


@dataclass
class Charge:
    """A line, a shipping charge, a duty or a fee, with what of it has not been taken back yet.

    `net`, `taxes` and `discounts` are of everything ever charged, as Shopify's lines say them; `left` is what remains.
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
    left: Share
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
        """What it adds to the order."""
        return sum(row.total for row in self.rows)


@dataclass
class Money:
    """A transaction. `rounding` is how much more cash moved than `amount`.

    `amount` is what it settles at the order's own rate, `shown` that in the customer's currency, to the last unit what
    was agreed. `drift` is how much more moved in the shop's currency, because the rate did; `before` is what would have
    moved at the rate of its parent, where Shopify states so.
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
    shown: int = 0
    drift: int = 0
    before: int | None = None

    @property
    def moved(self) -> int:
        """What moved in the shop's currency."""
        return self.amount + self.drift

    @property
    def signed(self) -> int:
        """What it adds to the net payment if it succeeds."""
        return self.amount if self.kind in MONEY_IN else -self.amount if self.kind in MONEY_OUT else 0


@dataclass(frozen=True)
class Back:
    """A refund record: lines and shipping taken back, discrepancies, and the numbers of its transactions."""

    number: int
    at: datetime
    lines: tuple[Row, ...]
    shipping: tuple[Row, ...]
    adjustments: tuple[tuple[int, int, int, str], ...]
    transactions: tuple[int, ...]
    restock: str


@dataclass
class Order:
    """An order with its history so far. `weird` names what no shop's ordinary day brings, in words of `facts.py`."""

    number: int
    currency: str
    shown: str
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
        """Return digits for one more global id, unique over all orders of a shop."""
        self._ids += 1
        return self.number * 10_000 + self._ids

    @property
    def current(self) -> int:
        """What the order comes to now: the sum of the sales ledger, and the gap its header has to its rows."""
        return self.gap + sum(entry.net for entry in self.entries)

    def moved(self, kinds: frozenset[str], statuses: Sequence[str] = ("SUCCESS",)) -> int:
        """Return the sum of transactions of some kinds and statuses."""
        return sum(entry.amount for entry in self.money if entry.kind in kinds and entry.status in statuses)

    @property
    def held(self) -> int:
        """Money received and not given back, refunds under way counted as given back."""
        out = self.moved(MONEY_OUT) + self.moved(frozenset({"REFUND"}), UNDER_WAY)
        return self.moved(MONEY_IN) - out

    @property
    def due(self) -> int:
        """What the customer still owes, payments under way counted as paid; negative if the shop owes."""
        return self.current - self.channel_tax_kept - self.held - self.moved(MONEY_IN, UNDER_WAY)

    @property
    def is_foreign(self) -> bool:
        """The customer pays in another currency than the shop's."""
        return self.shown != self.currency

    @property
    def shown_due(self) -> int:
        """What the customer still owes in the customer's currency; counted as `due` is."""
        waiting = ("SUCCESS", *UNDER_WAY)
        paid = sum(entry.shown for entry in self.money if entry.kind in MONEY_IN and entry.status in waiting)
        paid -= sum(entry.shown for entry in self.money if entry.kind == "REFUND" and entry.status in waiting)
        owed = [row.total for entry in self.entries for row in entry.rows]
        return sum(self.show(amount) for amount in (*owed, self.gap)) - self.shown_tax_kept - paid

    def show(self, amount: int) -> int:
        """Return an amount in the customer's currency, at the order's own rate."""
        return converted(amount, self.currency, self.shown) if self.is_foreign else amount

    @property
    def channel_tax_kept(self) -> int:
        """Tax a marketplace has kept back from the payment it made."""
        if not self.kept_back or not self.money:
            return 0
        return self.channel_tax

    @property
    def shown_tax_kept(self) -> int:
        """That tax in the customer's currency, tax by tax."""
        return self.shown_channel_tax if self.kept_back and self.money else 0

    @property
    def shown_channel_tax(self) -> int:
        """Tax a sales channel remits, in the customer's currency."""
        taxes = [tax for entry in self.entries for row in entry.rows for tax in channel_taxes(row)]
        return sum(self.show(tax) for tax in taxes)

    @property
    def channel_tax(self) -> int:
        """Tax a sales channel remits."""
        return sum(channel_tax(row) for entry in self.entries for row in entry.rows)

    def taxed(self, net: int, names: Sequence[Tax]) -> Share:
        """Return an amount with its taxes, each rounded half up on the discounted amount (4.10.2)."""
        whole = 10_000 + sum(name.points for name in names) if self.included else 10_000
        return Share(net, tuple(half_up(net * name.points, whole, self.grain) for name in names))

    def total(self, share: Share) -> int:
        """Return an amount with tax, whatever the order's tax mode."""
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
    """Put one more charge on the order; its row is written by whoever makes the agreement."""
    net = unit * quantity - sum(discounts)
    share = order.taxed(net, names)
    found = Charge(
        number=order.next_id(),
        kind=kind,
        title=title,
        unit=unit,
        quantity=quantity,
        names=names,
        discounts=list(discounts),
        net=net,
        taxes=share.taxes,
        left=share,
        left_quantity=quantity,
    )
    order.charges.append(found)
    return found


def sold(order: Order, found: Charge, share: Share, quantity: int, discount: int = 0) -> Row:
    """Return the row of something charged."""
    units = quantity if found.kind in WITH_LINE else None
    return Row(
        number=order.next_id(),
        kind=found.kind,
        action="ORDER",
        quantity=units,
        total=order.total(share),
        names=found.names,
        taxes=share.taxes,
        charge=found,
        discount=discount,
    )


def taken_back(order: Order, found: Charge, parts: int, of: int, action: str = "RETURN") -> Row:
    """Take `parts` of `of` equal parts of what is left of a charge back; the last part takes the remainders along."""
    share = Share(
        half_up(found.left.net * parts, of, order.grain) if parts < of else found.left.net,
        tuple(half_up(tax * parts, of, order.grain) if parts < of else tax for tax in found.left.taxes),
    )
    found.left = Share(
        found.left.net - share.net, tuple(a - b for a, b in zip(found.left.taxes, share.taxes, strict=True))
    )
    units = None
    if found.kind in WITH_LINE and action == "RETURN":
        units = parts
        found.left_quantity -= parts
    return Row(
        number=order.next_id(),
        kind=found.kind,
        action=action,
        quantity=None if units is None else -units if order.returns_negative else units,
        total=-order.total(share),
        names=found.names,
        taxes=tuple(-tax for tax in share.taxes),
        charge=found,
    )


def repriced(order: Order, found: Charge, net: int) -> Row:
    """Make what is left of a line dearer by an amount, as an edit does."""
    share = order.taxed(net, found.names)
    found.net += share.net
    found.taxes = _sum(found.taxes, share.taxes)
    found.left = Share(found.left.net + share.net, _sum(found.left.taxes, share.taxes))
    return replace(sold(order, found, share, 1), action="UPDATE", quantity=None)


def untaxed(order: Order, found: Charge) -> Row:
    """Take the taxes off what is left of a line, as for a customer found exempt later: the price falls by them."""
    taxes = tuple(-tax for tax in found.left.taxes)
    found.left = Share(found.left.net + (sum(taxes) if order.included else 0), tuple(0 for _ in taxes))
    return Row(order.next_id(), found.kind, "UPDATE", None, sum(taxes), found.names, taxes, found)


def more_of(order: Order, found: Charge, quantity: int) -> Row:
    """Add units to a line at its full unit price, as an edit does."""
    share = order.taxed(found.unit * quantity, found.names)
    found.quantity += quantity
    found.left_quantity += quantity
    found.net += share.net
    found.taxes = _sum(found.taxes, share.taxes)
    found.left = Share(found.left.net + share.net, _sum(found.left.taxes, share.taxes))
    return sold(order, found, share, quantity)


def _sum(some: tuple[int, ...], more: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(a + b for a, b in zip(some, more, strict=True))
