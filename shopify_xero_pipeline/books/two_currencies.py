"""Amounts of an order in the shop's currency and in the presentment currency, the customer's.

This module only reads Shopify's amounts; `exchange_differences.py` handles changed rates.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal

from shopify_xero_pipeline.books.currency import ZERO
from shopify_xero_pipeline.books.documents import BookedAgreement, signed_total
from shopify_xero_pipeline.books.order_context import OrderContext
from shopify_xero_pipeline.shopify.models import Agreement


@dataclass(frozen=True)
class AmountPair:
    """One amount in the shop's currency and in the customer's."""

    shop: Decimal = ZERO
    presentment: Decimal = ZERO

    def __add__(self, other: "AmountPair") -> "AmountPair":
        return AmountPair(self.shop + other.shop, self.presentment + other.presentment)

    def __sub__(self, other: "AmountPair") -> "AmountPair":
        return self + other.times(-1)

    def times(self, factor: int) -> "AmountPair":
        """Return both amounts, multiplied by a factor."""
        return AmountPair(self.shop * factor, self.presentment * factor)


def totals(context: OrderContext, bookings: Iterable[BookedAgreement]) -> dict[str, AmountPair] | None:
    """Return the documents' totals by Shopify id, credit notes negative.

    Args:
        context: the order.
        bookings: its agreements with their documents.

    Returns:
        None if the order has one currency, or if a sale has no amount in the customer's currency.
    """
    if context.order.presentment_currency_code == context.currency:
        return None
    sums = {}
    for booking in bookings:
        if booking.document is not None:
            presentment = _presentment_total(context, booking)
            if presentment is None:
                return None
            sums[booking.document.shopify_id] = AmountPair(signed_total(booking.document), presentment)
    return sums


def _presentment_total(context: OrderContext, booking: BookedAgreement) -> Decimal | None:
    """Return a document's total in the customer's currency by Shopify's figures; None if an amount is missing."""
    sales = booking.agreement.sales
    is_main = context.is_main(booking.agreement)
    bags = [context.order.original_total_price_set] if is_main else [sale.total_amount for sale in sales]
    amounts = [context.presentment_amount(bag) for bag in bags]
    known = [amount for amount in amounts if amount is not None]
    return sum(known, ZERO) if len(known) == len(amounts) else None


def channel_taxes(context: OrderContext, agreements: Iterable[Agreement]) -> AmountPair:
    """Return the sum of the taxes in agreements that the sales channel remits.

    Args:
        context: the order.
        agreements: agreements of the order.
    """
    taxes = (
        tax for agreement in agreements for sale in agreement.sales for tax in sale.taxes if tax.tax_line.channel_liable
    )
    return sum(
        (AmountPair(tax.amount.shop_money.amount, context.presentment_amount(tax.amount) or ZERO) for tax in taxes),
        AmountPair(),
    )
