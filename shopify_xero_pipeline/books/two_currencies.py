"""Amounts of an order in the shop's currency and in the customer's, its presentment currency.

Only reading both from what Shopify says belongs here; what a rate does that moved is in `exchange_differences.py`.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal

from shopify_xero_pipeline.books.currency import ZERO
from shopify_xero_pipeline.books.documents import BookedAgreement, signed_total
from shopify_xero_pipeline.books.order_context import OrderContext
from shopify_xero_pipeline.shopify.models import Agreement, MoneyBag


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
        """Return both amounts times a factor."""
        return AmountPair(self.shop * factor, self.presentment * factor)


def totals(case: OrderContext, booked: Iterable[BookedAgreement]) -> dict[str, AmountPair] | None:
    """Return the documents' totals, credit notes negative; None if all is in one currency, or a row does not say."""
    if case.order.presentment_currency_code == case.currency:
        return None
    found = {}
    for entry in booked:
        if entry.document is not None:
            presentment = _presentment_total(case, entry)
            if presentment is None:
                return None
            found[entry.document.shopify_id] = AmountPair(signed_total(entry.document), presentment)
    return found


def _presentment_total(case: OrderContext, entry: BookedAgreement) -> Decimal | None:
    """Return a document's total in the customer's currency, as Shopify says it."""
    is_main = case.main is not None and entry.entry.id == case.main.id
    bags = [case.order.original_total_price_set] if is_main else [sale.total_amount for sale in entry.entry.sales]
    amounts = [presentment_amount(case, bag) for bag in bags]
    known = [amount for amount in amounts if amount is not None]
    return sum(known, ZERO) if len(known) == len(amounts) else None


def presentment_amount(case: OrderContext, bag: MoneyBag) -> Decimal | None:
    """Return an amount in the customer's currency; None if it is not in the currency of the order."""
    money = bag.presentment_money
    return money.amount if money.currency_code == case.order.presentment_currency_code else None


def channel_taxes(case: OrderContext, entries: Iterable[Agreement]) -> AmountPair:
    """Return the tax in agreements that sales channels remit."""
    taxes = (tax for entry in entries for sale in entry.sales for tax in sale.taxes if tax.tax_line.channel_liable)
    return sum(
        (AmountPair(tax.amount.shop_money.amount, presentment_amount(case, tax.amount) or ZERO) for tax in taxes),
        AmountPair(),
    )
