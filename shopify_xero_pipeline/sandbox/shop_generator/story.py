"""The telling of one order: who buys, what goes into the basket, what is paid, and what happens later.

A scenario calls these verbs one after another; moving on in time publishes the order as it stood, so each version shows
what the API would have shown at that instant. Draws from its own random source, so an order depends on nothing but its
seed, day and place in the day. The arithmetic is the ledger's, the node's shape is the renderer's.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from random import Random
from typing import Any
from zoneinfo import ZoneInfo

from shopify_xero_pipeline.sandbox.nodes import Version
from shopify_xero_pipeline.sandbox.shop_generator.catalogue import Catalogue, Product, Ware
from shopify_xero_pipeline.sandbox.shop_generator.charges import Charge, Discount, Tax
from shopify_xero_pipeline.sandbox.shop_generator.header import Header, Terms
from shopify_xero_pipeline.sandbox.shop_generator.ledger import Ledger, Refund, Transaction
from shopify_xero_pipeline.sandbox.shop_generator.money import Amount, Currencies, both, total
from shopify_xero_pipeline.sandbox.shop_generator.people import Company, People, Person, guest_address
from shopify_xero_pipeline.sandbox.shop_generator.render import order_node

GST = Tax("GST", 1500)
EXPORT = Tax("GST", 0)
CARD = "shopify_payments"


@dataclass(frozen=True, slots=True)
class Stall:
    """What every order of a shop shares."""

    catalogue: Catalogue
    people: People
    zone: ZoneInfo
    currency: str


@dataclass(slots=True)
class Story:
    """One order being told.

    Attributes:
        stall: The shop it happens in.
        rng: The order's own random source.
        day: The local day the order is placed on.
        now: The instant the telling has reached.
        header: What the order shows besides charges and money.
        ledger: Charges, sales ledger and money.
        hurried: Whether what follows happens within days; otherwise it may take up to three weeks.
    """

    stall: Stall
    rng: Random
    day: date
    now: datetime
    header: Header
    ledger: Ledger
    hurried: bool = True
    taxes: tuple[Tax, ...] = (GST,)
    versions: list[Version] = field(default_factory=list)

    # Who -------------------------------------------------------------------------------------------------------------

    def buyer(self, person: Person) -> None:
        """The order is this customer's; delivered to and billed at the customer's own address."""
        self.header.person = person.current(self.now)
        self.header.address = self.header.person.state(self.now).address

    def nobody(self, address: bool = True) -> None:
        """The shop keeps no record of the buyer; online there is an address all the same."""
        self.header.person = None
        self.header.address = guest_address(self.ledger.serial, self.now, self.rng) if address else None

    def company(self) -> Company:
        """A company buys, by its buyer, at prices without tax."""
        company = self.rng.choice(self.stall.people.companies)
        self.buyer(company.buyer)
        self.header.company = company
        self.ledger.taxes_included = False
        return company

    def at_the_counter(self) -> None:
        """Sold in person: nothing is delivered."""
        self.header.source, self.header.address = "pos", None

    def as_draft(self) -> None:
        """Made by staff as a draft order."""
        self.header.source = "shopify_draft_order"

    def pay_in(self, currency: str, rate: int) -> None:
        """The customer pays in another currency; `rate` is its price in 1/10,000 of the shop's. Call first."""
        self.ledger.currencies = Currencies(self.stall.currency, currency, rate)

    def rate_moves(self, hundredths: int) -> None:
        """From now on the customer's currency costs so many hundredths of what it cost when the order was placed."""
        self.ledger.rate = self.ledger.currencies.rate * hundredths // 100

    # What ------------------------------------------------------------------------------------------------------------

    def money(self, cents: int) -> Amount:
        """A price in the shop's cents, as this order's customer is asked for it."""
        return self.ledger.currencies.amount(cents)

    def charge(
        self, line_type: str, title: str, cents: int, quantity: int = 1, taxes: tuple[Tax, ...] | None = None
    ) -> Charge:
        """Price something without putting it on the order yet."""
        rates = self.taxes if taxes is None else taxes
        serial, unit = self.ledger.next_id(), self.money(cents)
        return Charge(serial, line_type, title, quantity, unit, self.ledger.taxes_included, rates)

    def line(self, ware: Ware, quantity: int = 1, cents: int | None = None) -> Charge:
        """Price a variant; gift cards carry no tax."""
        card, price = ware.product.is_gift_card, ware.variant.price if cents is None else cents
        title = ware.product.state(self.now).title
        charge = self.charge("GIFT_CARD" if card else "PRODUCT", title, price, quantity, () if card else None)
        charge.ware, charge.detail = ware, ware.variant.title
        return charge

    def add(self, charge: Charge) -> Charge:
        """Put a priced charge on the order before it is placed."""
        self.ledger.charges.append(charge)
        return charge

    def some_ware(self, cheapest: int = 500, dearest: int = 30_000) -> Ware:
        """A variant of the fixed range within a span of prices in cents."""
        return self.rng.choice([w for w in self.stall.catalogue.wares if cheapest <= w.variant.price <= dearest])

    def basket(self, least: int = 1, most: int = 4) -> list[Charge]:
        """Put some different variants on the order, mostly one of each."""
        wares = self.rng.sample(self.stall.catalogue.wares, self.rng.randint(least, most))
        return [self.add(self.line(ware, self.rng.choice((1, 1, 1, 2, 3)))) for ware in wares]

    def of_product(self, product: Product, quantity: int = 1) -> Charge:
        """Put the first variant of a product on the order."""
        return self.add(self.line(Ware(product, product.state(self.now).variants[0]), quantity))

    def ship(self, cents: int | None = None) -> Charge:
        """Add a shipping line."""
        title, code, price = self.rng.choice(
            (("Standard", "STD", 650), ("Rural delivery", "RUR", 1149), ("Overnight", "ONT", 1299))
        )
        charge = self.add(self.charge("SHIPPING", title, price if cents is None else cents))
        charge.detail = code
        return charge

    def discount(self, kind: str, title: str, charges: Sequence[Charge] | None = None, **terms: Any) -> None:
        """Take a discount off charges, by default every product line; terms as `Discount` names them."""
        discount = Discount(len(self.ledger.discounts), kind, title, **terms)
        self.ledger.discounts.append(discount)
        discount.on(self.ledger.charged("PRODUCT") if charges is None else charges)

    def on_account(self, days: int) -> None:
        """The order is payable so many days after it is placed."""
        self.header.terms = Terms(f"Net {days}", days, self.now, self.now + timedelta(days=days))

    def place(self) -> None:
        """The order is placed: taxes are worked out and the ledger opened."""
        for charge in self.ledger.charges:
            charge.settle_taxes()
        self.ledger.place(self.now)

    def checkout(self, least: int = 1, most: int = 4) -> list[Charge]:
        """An ordinary online order, placed: some lines and shipping."""
        lines = self.basket(least, most)
        self.ship()
        self.place()
        return lines

    # Money -----------------------------------------------------------------------------------------------------------

    def pay(
        self,
        gateway: str = CARD,
        amount: Amount | None = None,
        kind: str = "SALE",
        status: str = "SUCCESS",
        parent: Transaction | None = None,
    ) -> Transaction:
        """Record a payment of an amount, by default of all that is outstanding."""
        due = self.ledger.outstanding if amount is None else amount
        return self.ledger.move(Transaction(self.ledger.next_id(), kind, status, gateway, due, self.now, parent))

    def pay_without_channel_tax(self) -> None:
        """A marketplace pays out all but the tax it remits itself; with that the order is paid."""
        liable = (zip(charge.taxes, charge.tax_amounts, strict=True) for charge in self.ledger.charges)
        kept = total(amount for taxes in liable for tax, amount in taxes if tax.channel_liable)
        self.pay(amount=self.ledger.outstanding - kept)
        self.ledger.kept_back = kept

    def part_of_due(self, hundredths: int) -> Amount:
        """A share of what is outstanding, in whole cents."""
        return both(lambda cents: cents * hundredths // 100, self.ledger.outstanding)

    # Afterwards ------------------------------------------------------------------------------------------------------

    def refund(
        self,
        units: Sequence[tuple[Charge, int]] = (),
        money: Amount | None = None,
        status: str = "SUCCESS",
        restock_type: str = "RETURN",
        reason: str = "REFUND_DISCREPANCY",
    ) -> Refund:
        """Take units back and pay money, by default just their worth; what differs is a discrepancy."""
        refund, rows = self.ledger.take_back(self.now, units, restock_type)
        worth = -total(row.total for row in rows)
        paid = worth if money is None else money
        rows = rows + self.ledger.adjust(refund, worth - paid, reason)
        if status == "PENDING":
            rows += self.ledger.adjust(refund, paid) + self.ledger.adjust(refund, -paid, "PENDING_REFUND_DISCREPANCY")
        self.ledger.agree(self.now, "REFUND", rows, refund=refund)
        if paid:
            self.ledger.pay_back(refund, paid, status)
        return refund

    def give_back(self, charge: Charge, hundredths: int) -> None:
        """Pay a share of a charge back, such as of the shipping; no unit of it comes back."""
        part = both(lambda cents: cents * hundredths // 100, charge.net)
        refund, rows = self.ledger.give_back(self.now, charge, part)
        self.ledger.agree(self.now, "REFUND", rows, refund=refund)
        self.ledger.pay_back(refund, -total(row.total for row in rows))

    def credit(self, units: Sequence[tuple[Charge, int]]) -> None:
        """Take units of an unpaid order back: less is due, no money moves."""
        refund, rows = self.ledger.take_back(self.now, units)
        self.ledger.agree(self.now, "REFUND", rows, refund=refund)

    def pay_back_what_is_owed(self) -> None:
        """Pay back what is paid beyond the order as it stands: a refund of money alone."""
        refund = Refund(self.ledger.next_id(), self.now)
        owed = -self.ledger.outstanding
        self.ledger.refunds.append(refund)
        self.ledger.agree(self.now, "REFUND", [], refund=refund)
        self.ledger.pay_back(refund, owed)

    def exchange(self, units: Sequence[tuple[Charge, int]], wares: Sequence[Charge]) -> None:
        """Units come back and others go out in one agreement; a difference in the customer's favour is paid back."""
        for charge in wares:
            charge.settle_taxes()
        refund, rows = self.ledger.take_back(self.now, units)
        owed = -(total(row.total for row in rows) + total(charge.total for charge in wares))
        if owed.shop > 0:
            self.ledger.agree(self.now, "REFUND", rows, wares, refund)
            self.ledger.pay_back(refund, owed)
        else:
            self.ledger.agree(self.now, "RETURN", rows, wares)
        self.header.returned = True

    def edit(self, added: Sequence[Charge] = (), removed: Sequence[tuple[Charge, int]] = ()) -> None:
        """Staff edit the order; what they take off leaves a refund record of lines without money."""
        for charge in added:
            charge.settle_taxes()
        rows = self.ledger.take_back(self.now, removed, "NO_RESTOCK")[1] if removed else []
        self.ledger.agree(self.now, "ORDER_EDIT", rows, added)
        self.header.edited = True

    def charge_less(self, charge: Charge, cents: int = 0, *, only_tax: bool = False) -> None:
        """Staff change what was charged, after the sale: some cents less, or no tax any more."""
        row = self.ledger.change(charge, self.money(cents), only_tax=only_tax)
        self.ledger.agree(self.now, "ORDER_EDIT", [row])
        self.header.edited = True

    def take_off(self, charge: Charge) -> None:
        """Staff take shipping off the order."""
        self.ledger.agree(self.now, "ORDER_EDIT", [self.ledger.remove(charge)])
        self.header.edited = True

    def everything(self) -> list[tuple[Charge, int]]:
        """All units that are still on the order, as `refund` wants them."""
        return [
            (charge, charge.quantity - charge.gone) for charge in self.ledger.charges if charge.gone < charge.quantity
        ]

    def cancel(self, reason: str = "CUSTOMER", money: Amount | None = None) -> None:
        """Cancel the order: everything unsent is taken off, and paid back as far as `money` says."""
        self.header.cancelled_at, self.header.cancel_reason = self.now, reason
        refund, rows = self.ledger.take_back(self.now, self.everything(), "CANCEL")
        self.ledger.agree(self.now, "REFUND", rows, refund=refund)
        if money:
            self.ledger.pay_back(refund, money)

    # Time ------------------------------------------------------------------------------------------------------------

    def later(self, least_hours: float = 1, most_hours: float = 60) -> None:
        """Publish the order as it stands and go on some time later."""
        minutes = self.rng.randint(int(least_hours * 60), int(most_hours * 60))
        if not self.hurried and self.rng.random() < 0.25:
            minutes += self.rng.randint(1, 17) * 24 * 60
        self.at(self.now + timedelta(minutes=minutes, seconds=self.rng.randrange(60)))

    def at(self, instant: datetime) -> None:
        """Publish the order as it stands and go on at an instant, or a minute on if that is past."""
        self._publish(self.now)
        reached = max(instant, self.now + timedelta(minutes=1))
        self._ripple(reached)
        self.now = reached

    def finish(self) -> list[Version]:
        """Publish the order as it ended, and again when its customer or a product changes afterwards."""
        self._publish(self.now)
        self._ripple(None)
        return self.versions

    def _ripple(self, until: datetime | None) -> None:
        """Publish what changes without the order's doing: a customer merged or forgotten, a product deleted."""
        changes: dict[datetime, bool] = dict.fromkeys(self._product_changes(), False)
        if self.header.person is not None:
            changes.update(self.header.person.changes())
        for at in sorted(changes):
            if self.now < at and (until is None or at < until):
                self._publish(at, changes[at])

    def _product_changes(self) -> list[datetime]:
        wares = (charge.ware for charge in self.ledger.charges if charge.ware is not None)
        return [at for ware in wares for at in ware.product.changes()]

    def _publish(self, at: datetime, touched: bool = True) -> None:
        if touched:
            self.header.updated_at = at
        self.versions.append(Version(at, order_node(self.header, self.ledger, at)))
