"""Taxes of a sale, and the look-up of its TaxType, or of each tax's account, in `books.yaml` (docs/books.md §4).

`tax_rules.py` chooses the most exact entry. Tax amounts come from the sales ledger and are never computed from rates. A
tax without an entry blocks the order, and the reason contains the entry to add.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from shopify_xero_pipeline.books.currency import ZERO, shop_amount
from shopify_xero_pipeline.books.order_context import OrderBlockedError, OrderContext
from shopify_xero_pipeline.books.tax_rules import Place, most_exact
from shopify_xero_pipeline.books.unmapped import label, no_tax_account, no_tax_rate
from shopify_xero_pipeline.shopify.models import Order, Sale


@dataclass(frozen=True)
class SaleTaxAmount:
    """One tax of a sale.

    Attributes:
        title: from its tax line.
        rate: a fraction, from its tax line; None if Shopify gives none.
        amount: from the sales ledger, in the shop's currency and in the sign of the document.
        channel_liable: whether the sales channel remits the tax.
    """

    title: str
    rate: Decimal | None
    amount: Decimal
    channel_liable: bool

    @property
    def label(self) -> str:
        """The name for people: `GST 15 %`; `Tax 15 %` if the title is blank."""
        return label(self)


def sale_taxes(context: OrderContext, sale: Sale, sign: int) -> tuple[SaleTaxAmount, ...]:
    """Return the taxes of a sale, in the document's sign.

    Args:
        context: the order.
        sale: the sale.
        sign: 1 for an invoice, -1 for a credit note.

    Raises:
        OrderBlockedError: the taxes do not add up to the sale's total tax.
    """
    taxes = tuple(
        SaleTaxAmount(
            title=tax.tax_line.title,
            rate=tax.tax_line.rate,
            amount=sign * shop_amount(tax.amount, context.currency),
            channel_liable=bool(tax.tax_line.channel_liable),
        )
        for tax in sale.taxes
    )
    total, stated = (
        sum((tax.amount for tax in taxes), ZERO),
        sign * shop_amount(sale.total_tax_amount, context.currency),
    )
    if total != stated:
        raise OrderBlockedError(
            f"sale {sale.legacy_id}: its taxes add up to {total}, but Shopify states {stated} of tax;"
            " check the order in Shopify and enter it in Xero by hand"
        )
    return taxes


def tax_type_for(context: OrderContext, taxes: Sequence[SaleTaxAmount]) -> str:
    """Return the TaxType for those taxes of one sale that the merchant remits.

    Args:
        context: the order, for its place of delivery.
        taxes: the sale's taxes, at least one, including those of 0 %.

    Raises:
        OrderBlockedError: no entry of `tax.rates` matches them.
    """
    named = tuple((tax.title, tax.rate) for tax in taxes)
    tax_type = context.tax_types.get(named)
    if tax_type is None:
        place = place_of(context.order)
        rule = most_exact(context.policy.tax.rates, taxes, place)
        if rule is None:
            raise OrderBlockedError(no_tax_rate(context, taxes, place.country))
        tax_type = context.tax_types[named] = rule.tax_type
    return tax_type


def tax_account_for(context: OrderContext, tax: SaleTaxAmount) -> str:
    """Return the liability account of one tax in mode `lines`.

    Raises:
        OrderBlockedError: no entry of `tax.lines` matches it.
    """
    entry = most_exact(context.policy.tax.lines, (tax,), place_of(context.order))
    if entry is None:
        raise OrderBlockedError(no_tax_account(context, tax))
    return entry.account


def untaxed_type(context: OrderContext) -> str:
    """Return the TaxType of a sale without tax lines, by country if `books.yaml` has an entry for it."""
    policy = context.policy.tax
    return policy.untaxed_by_country.get(place_of(context.order).country or "", policy.untaxed)


def place_of(order: Order) -> Place:
    """Return the place of delivery from the shipping address, else from the billing address."""
    for address in (order.shipping_address, order.billing_address):
        if address is not None and address.country_code_v2:
            return Place(address.country_code_v2, address.province_code)
    return Place()
