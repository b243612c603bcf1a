"""Charges of an order: a quantity at a unit price with discounts and taxes, and the share of each unit in them.

One class serves lines, shipping, duties, fees, tips and gift cards, because the ledger treats them alike. Discounts are
applied first and taxes last; afterwards a charge's money never changes (docs/contracts/shopify_orders.md §4.3, §4.10,
docs/contracts/shopify.md E14, E15).
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from shopify_xero_pipeline.sandbox.shop_generator.catalogue import CatalogueItem
from shopify_xero_pipeline.sandbox.shop_generator.money import (
    ZERO,
    Amount,
    contained_tax,
    per_cent,
    spread,
    total,
    units_of,
)


@dataclass(frozen=True, slots=True)
class Tax:
    """A tax that the shop charges; 1,500 basis points are 15 %."""

    title: str
    basis_points: int
    channel_liable: bool = False


@dataclass(frozen=True, slots=True)
class Discount:
    """A discount by code, automatic or manual, on lines or on shipping, by amount or by share.

    Attributes:
        kind: `DiscountCodeApplication`, `AutomaticDiscountApplication` or `ManualDiscountApplication`.
        method: `ACROSS` the order, or `EACH` line on its own.
        amount: the amount taken off; None for a share.
        basis_points: the share taken off; 10,000 is 100 %.
    """

    index: int
    kind: str
    title: str
    target: str = "LINE_ITEM"
    method: str = "ACROSS"
    amount: Amount | None = None
    basis_points: int = 0

    def on(self, charges: Sequence["Charge"]) -> None:
        """Allocate the discount to charges, after their earlier discounts."""
        nets = [charge.net for charge in charges]
        if self.amount is not None:
            shares = spread(self.amount, nets)
        else:
            shares = [per_cent(net, self.basis_points) for net in nets]
        for charge, share in zip(charges, shares, strict=True):
            if share:
                charge.allocations.append((self, share))


@dataclass(frozen=True, slots=True)
class Portion:
    """The money of some units of a charge: net price in the order's tax mode, discount, taxes and total."""

    units: int
    net: Amount
    discount: Amount
    taxes: tuple[Amount, ...]
    total: Amount


@dataclass(slots=True, eq=False)
class Charge:
    """A charged item; `gone` counts the units removed or returned since.

    Attributes:
        line_type: the ledger's type: PRODUCT, SHIPPING, TIP, GIFT_CARD, DUTY, ADDITIONAL_FEE or FEE.
        included: whether the unit price contains the taxes.
        detail: the variant's title, the shipping code or the duty's tariff number.
        part_gone: the refunded part of its net price without a returned unit.
        removed: whether an edit removed it from the order.
    """

    serial: int
    line_type: str
    title: str
    quantity: int
    unit: Amount
    included: bool
    taxes: tuple[Tax, ...] = ()
    item: CatalogueItem | None = None
    detail: str | None = None
    allocations: list[tuple[Discount, Amount]] = field(default_factory=list)
    tax_amounts: tuple[Amount, ...] = ()
    gone: int = 0
    part_gone: Amount = ZERO
    removed: bool = False

    @property
    def gross(self) -> Amount:
        """The amount before discounts."""
        return self.unit * self.quantity

    @property
    def discount(self) -> Amount:
        """All discounts allocated to the charge."""
        return total(share for _, share in self.allocations)

    @property
    def net(self) -> Amount:
        """The amount after discounts, with tax if prices contain it."""
        return self.gross - self.discount

    @property
    def tax(self) -> Amount:
        """All taxes on the charge."""
        return total(self.tax_amounts)

    @property
    def total(self) -> Amount:
        """The amount that the customer pays for it."""
        return self.net if self.included else self.net + self.tax

    def settle_taxes(self) -> None:
        """Compute the taxes, each rounded half up on the discounted total; call once, after the discounts."""
        self.tax_amounts = tuple(self._tax_of(tax, self.net) for tax in self.taxes)

    def part(self, net: Amount) -> Portion:
        """Return a share of the net price with its taxes, without any unit."""
        taxes = tuple(self._tax_of(tax, net) for tax in self.taxes)
        return Portion(0, net, ZERO, taxes, net if self.included else net + total(taxes))

    def _tax_of(self, tax: Tax, net: Amount) -> Amount:
        if not self.included:
            return per_cent(net, tax.basis_points)
        together = sum(other.basis_points for other in self.taxes)
        whole = contained_tax(net, together)
        if tax is self.taxes[0]:
            others = (self._share(whole, other.basis_points, together) for other in self.taxes[1:])
            return whole - total(others)
        return self._share(whole, tax.basis_points, together)

    @staticmethod
    def _share(whole: Amount, part: int, together: int) -> Amount:
        return ZERO if together == 0 else per_cent(whole, 10_000 * part // together)

    def portion(self, start: int, units: int) -> Portion:
        """Return the money of `units` units from unit `start` on; the portions of a charge add up to it exactly."""
        discount = units_of(self.discount, self.quantity, start, units)
        taxes = tuple(units_of(tax, self.quantity, start, units) for tax in self.tax_amounts)
        net = self.unit * units - discount
        return Portion(units, net, discount, taxes, net if self.included else net + total(taxes))
