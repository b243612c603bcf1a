"""The scenario of one order: buyer, basket, payments and later events.

A kind of order calls these methods in turn. Each advance in time publishes the order, so each version is what the API
would have returned at that instant. The scenario has its own random source, so an order depends only on seed, day and
position in the day. Arithmetic is in `ledger.py`, the node's shape in `render.py`.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from random import Random
from typing import Any
from zoneinfo import ZoneInfo

from shopify_xero_pipeline.sandbox.nodes import Version
from shopify_xero_pipeline.sandbox.shop_generator.catalogue import Catalogue, CatalogueItem, Product
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
class ShopContext:
    """The state that all orders of a shop share."""

    catalogue: Catalogue
    people: People
    zone: ZoneInfo
    currency: str


@dataclass(slots=True)
class OrderScenario:
    """One order in the course of its events.

    Attributes:
        shop: the shop's shared state.
        rng: the order's own random source.
        day: the local day of the order's placement.
        now: the current instant of the scenario, in UTC.
        header: the order's fields besides charges and money.
        ledger: charges, sales ledger and payments.
        hurried: whether later events follow within days; otherwise they may take up to three weeks.
        taxes: the taxes on new charges.
        versions: the published versions.
    """

    shop: ShopContext
    rng: Random
    day: date
    now: datetime
    header: Header
    ledger: Ledger
    hurried: bool = True
    taxes: tuple[Tax, ...] = (GST,)
    versions: list[Version] = field(default_factory=list)

    # Buyer -----------------------------------------------------------------------------------------------------------

    def set_buyer(self, person: Person) -> None:
        """Set the customer, with the customer's own address for delivery and billing."""
        self.header.person = person.current(self.now)
        self.header.address = self.header.person.state(self.now).address

    def set_guest(self, address: bool = True) -> None:
        """Set a buyer without a customer record, online with an address."""
        self.header.person = None
        self.header.address = guest_address(self.ledger.serial, self.now, self.rng) if address else None

    def set_company(self) -> Company:
        """Set a company and its buyer, at prices without tax."""
        company = self.rng.choice(self.shop.people.companies)
        self.set_buyer(company.buyer)
        self.header.company = company
        self.ledger.taxes_included = False
        return company

    def sell_in_person(self) -> None:
        """Set the source to the point of sale, without delivery."""
        self.header.source, self.header.address = "pos", None

    def mark_as_draft(self) -> None:
        """Set the source to a draft order by staff."""
        self.header.source = "shopify_draft_order"

    def pay_in(self, currency: str, rate: int) -> None:
        """Set the customer's currency, at a price in 1/10,000 of the shop's; call first."""
        self.ledger.currencies = Currencies(self.shop.currency, currency, rate)

    def change_rate(self, hundredths: int) -> None:
        """Set the rate to a number of hundredths of the rate at the order's placement."""
        self.ledger.rate = self.ledger.currencies.rate * hundredths // 100

    # Charges ---------------------------------------------------------------------------------------------------------

    def money(self, cents: int) -> Amount:
        """Return a price in the shop's cents as this order's customer sees it."""
        return self.ledger.currencies.amount(cents)

    def charge(
        self, line_type: str, title: str, cents: int, quantity: int = 1, taxes: tuple[Tax, ...] | None = None
    ) -> Charge:
        """Return a charge that is not on the order yet.

        Args:
            line_type: the ledger's type, such as PRODUCT or TIP.
            title: the title of the line.
            cents: the unit price in the shop's cents.
            quantity: the units.
            taxes: the taxes; by default those of the scenario.
        """
        rates = self.taxes if taxes is None else taxes
        serial, unit = self.ledger.next_id(), self.money(cents)
        return Charge(serial, line_type, title, quantity, unit, self.ledger.taxes_included, rates)

    def line(self, item: CatalogueItem, quantity: int = 1, cents: int | None = None) -> Charge:
        """Return a charge for a variant, without tax for a gift card.

        Args:
            item: the variant with its product.
            quantity: the units.
            cents: the unit price in the shop's cents; by default the variant's.
        """
        card, price = item.product.is_gift_card, item.variant.price if cents is None else cents
        title = item.product.state(self.now).title
        charge = self.charge("GIFT_CARD" if card else "PRODUCT", title, price, quantity, () if card else None)
        charge.item, charge.detail = item, item.variant.title
        return charge

    def add(self, charge: Charge) -> Charge:
        """Add a charge to the order before its placement."""
        self.ledger.charges.append(charge)
        return charge

    def pick_item(self, cheapest: int = 500, dearest: int = 30_000) -> CatalogueItem:
        """Return a random variant of the fixed range within a range of prices in cents."""
        return self.rng.choice([i for i in self.shop.catalogue.items if cheapest <= i.variant.price <= dearest])

    def basket(self, least: int = 1, most: int = 4) -> list[Charge]:
        """Add different variants to the order, mostly one unit of each."""
        items = self.rng.sample(self.shop.catalogue.items, self.rng.randint(least, most))
        return [self.add(self.line(item, self.rng.choice((1, 1, 1, 2, 3)))) for item in items]

    def add_product(self, product: Product, quantity: int = 1) -> Charge:
        """Add the first variant of a product to the order."""
        return self.add(self.line(CatalogueItem(product, product.state(self.now).variants[0]), quantity))

    def ship(self, cents: int | None = None) -> Charge:
        """Add a shipping line."""
        title, code, price = self.rng.choice(
            (("Standard", "STD", 650), ("Rural delivery", "RUR", 1149), ("Overnight", "ONT", 1299))
        )
        charge = self.add(self.charge("SHIPPING", title, price if cents is None else cents))
        charge.detail = code
        return charge

    def discount(self, kind: str, title: str, charges: Sequence[Charge] | None = None, **terms: Any) -> None:
        """Apply a discount to charges.

        Args:
            kind: the type of the discount application.
            title: its title or code.
            charges: the charges; by default all product lines.
            **terms: further fields of `Discount`.
        """
        discount = Discount(len(self.ledger.discounts), kind, title, **terms)
        self.ledger.discounts.append(discount)
        discount.on(self.ledger.charged("PRODUCT") if charges is None else charges)

    def set_terms(self, days: int) -> None:
        """Make the order payable a number of days after its placement."""
        self.header.terms = Terms(f"Net {days}", days, self.now, self.now + timedelta(days=days))

    def place(self) -> None:
        """Place the order: compute the taxes and open the ledger."""
        for charge in self.ledger.charges:
            charge.settle_taxes()
        self.ledger.place(self.now)

    def checkout(self, least: int = 1, most: int = 4) -> list[Charge]:
        """Place an ordinary online order with some lines and shipping; return the lines."""
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
        """Record a payment.

        Args:
            gateway: the payment gateway.
            amount: the amount; by default the outstanding one.
            kind: SALE, AUTHORIZATION, CAPTURE or VOID.
            status: the transaction's status.
            parent: the transaction that it belongs to.
        """
        due = self.ledger.outstanding if amount is None else amount
        return self.ledger.move(Transaction(self.ledger.next_id(), kind, status, gateway, due, self.now, parent))

    def pay_without_channel_tax(self) -> None:
        """Pay all but the tax that a marketplace remits; the order then counts as paid."""
        liable = (zip(charge.taxes, charge.tax_amounts, strict=True) for charge in self.ledger.charges)
        withheld = total(amount for taxes in liable for tax, amount in taxes if tax.channel_liable)
        self.pay(amount=self.ledger.outstanding - withheld)
        self.ledger.withheld = withheld

    def part_of_due(self, hundredths: int) -> Amount:
        """Return a share of the outstanding amount, in whole cents."""
        return both(lambda cents: cents * hundredths // 100, self.ledger.outstanding)

    # Later events ----------------------------------------------------------------------------------------------------

    def refund(
        self,
        units: Sequence[tuple[Charge, int]] = (),
        money: Amount | None = None,
        status: str = "SUCCESS",
        restock_type: str = "RETURN",
        reason: str = "REFUND_DISCREPANCY",
    ) -> Refund:
        """Take units back and refund money; a difference from their price is a discrepancy.

        Args:
            units: charges with the number of units to take back.
            money: the refunded amount; by default the price of the units.
            status: the status of the refund's transactions.
            restock_type: Shopify's restock type.
            reason: the reason of the discrepancy.
        """
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
        """Refund a share of a charge, such as of the shipping, without a returned unit."""
        part = both(lambda cents: cents * hundredths // 100, charge.net)
        refund, rows = self.ledger.give_back(self.now, charge, part)
        self.ledger.agree(self.now, "REFUND", rows, refund=refund)
        self.ledger.pay_back(refund, -total(row.total for row in rows))

    def credit(self, units: Sequence[tuple[Charge, int]]) -> None:
        """Take units of an unpaid order back; less is due, and no money moves."""
        refund, rows = self.ledger.take_back(self.now, units)
        self.ledger.agree(self.now, "REFUND", rows, refund=refund)

    def refund_overpayment(self) -> None:
        """Refund the money paid beyond the order's current total: a refund of money only."""
        refund = Refund(self.ledger.next_id(), self.now)
        owed = -self.ledger.outstanding
        self.ledger.refunds.append(refund)
        self.ledger.agree(self.now, "REFUND", [], refund=refund)
        self.ledger.pay_back(refund, owed)

    def exchange(self, units: Sequence[tuple[Charge, int]], items: Sequence[Charge]) -> None:
        """Exchange units for new charges in one agreement, and refund a difference in the customer's favour."""
        for charge in items:
            charge.settle_taxes()
        refund, rows = self.ledger.take_back(self.now, units)
        owed = -(total(row.total for row in rows) + total(charge.total for charge in items))
        if owed.shop > 0:
            self.ledger.agree(self.now, "REFUND", rows, items, refund)
            self.ledger.pay_back(refund, owed)
        else:
            self.ledger.agree(self.now, "RETURN", rows, items)
        self.header.returned = True

    def edit(self, added: Sequence[Charge] = (), removed: Sequence[tuple[Charge, int]] = ()) -> None:
        """Edit the order; removed units leave a refund of lines without money."""
        for charge in added:
            charge.settle_taxes()
        rows = self.ledger.take_back(self.now, removed, "NO_RESTOCK")[1] if removed else []
        self.ledger.agree(self.now, "ORDER_EDIT", rows, added)
        self.header.edited = True

    def charge_less(self, charge: Charge, cents: int = 0, *, only_tax: bool = False) -> None:
        """Reduce a charge after the sale by an amount in the shop's cents, or by its tax.

        Args:
            charge: the charge.
            cents: the amount taken off, in the shop's cents.
            only_tax: whether to take off its taxes instead.
        """
        row = self.ledger.change(charge, self.money(cents), only_tax=only_tax)
        self.ledger.agree(self.now, "ORDER_EDIT", [row])
        self.header.edited = True

    def take_off(self, charge: Charge) -> None:
        """Remove shipping from the order."""
        self.ledger.agree(self.now, "ORDER_EDIT", [self.ledger.remove(charge)])
        self.header.edited = True

    def remaining_units(self) -> list[tuple[Charge, int]]:
        """Return all units that are still on the order, in the form that `refund` takes."""
        return [
            (charge, charge.quantity - charge.gone) for charge in self.ledger.charges if charge.gone < charge.quantity
        ]

    def cancel(self, reason: str = "CUSTOMER", money: Amount | None = None) -> None:
        """Cancel the order: remove everything unsent and refund `money`, if any."""
        self.header.cancelled_at, self.header.cancel_reason = self.now, reason
        refund, rows = self.ledger.take_back(self.now, self.remaining_units(), "CANCEL")
        self.ledger.agree(self.now, "REFUND", rows, refund=refund)
        if money:
            self.ledger.pay_back(refund, money)

    # Time ------------------------------------------------------------------------------------------------------------

    def advance(self, least_hours: float = 1, most_hours: float = 60) -> None:
        """Publish the order and advance by a random time."""
        minutes = self.rng.randint(int(least_hours * 60), int(most_hours * 60))
        if not self.hurried and self.rng.random() < 0.25:
            minutes += self.rng.randint(1, 17) * 24 * 60
        self.advance_to(self.now + timedelta(minutes=minutes, seconds=self.rng.randrange(60)))

    def advance_to(self, instant: datetime) -> None:
        """Publish the order and advance to an instant, or by a minute if it is past."""
        self._publish(self.now)
        target = max(instant, self.now + timedelta(minutes=1))
        self._publish_outside_changes(target)
        self.now = target

    def finish(self) -> list[Version]:
        """Publish the order at its end and after later changes of its customer or products; return all versions."""
        self._publish(self.now)
        self._publish_outside_changes(None)
        return self.versions

    def _publish_outside_changes(self, until: datetime | None) -> None:
        """Publish changes from outside the order: a customer merged or erased, a product deleted."""
        changes: dict[datetime, bool] = dict.fromkeys(self._product_changes(), False)
        if self.header.person is not None:
            changes.update(self.header.person.changes())
        for at in sorted(changes):
            if self.now < at and (until is None or at < until):
                self._publish(at, changes[at])

    def _product_changes(self) -> list[datetime]:
        items = (charge.item for charge in self.ledger.charges if charge.item is not None)
        return [at for item in items for at in item.product.changes()]

    def _publish(self, at: datetime, touched: bool = True) -> None:
        if touched:
            self.header.updated_at = at
        self.versions.append(Version(at, order_node(self.header, self.ledger, at)))
