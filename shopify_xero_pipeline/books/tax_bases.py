"""Warnings about tax bases that Xero's tax report shows too low.

Some shops and apps put all tax of an order on its first sale, which is common in India. Total and tax remain exactly as
Shopify states them; only the base in Xero's report is that of the sale. This module warns and changes nothing. Amounts
are `Decimal` in the shop's currency.
"""

from collections.abc import Iterator, Sequence
from decimal import Decimal

from shopify_xero_pipeline.books.currency import ZERO, shop_amount
from shopify_xero_pipeline.books.order_context import OrderContext
from shopify_xero_pipeline.books.tax import SaleTaxAmount, sale_taxes
from shopify_xero_pipeline.shopify.models import Agreement, Sale

OUTSIDE_TAX = frozenset({"TIP", "ADJUSTMENT", "GIFT_CARD"})
MIN_DIFFERENCE, SHARE = Decimal("0.05"), Decimal("0.01")
"""Largest rounding difference between a tax and its rate times its base: 0.05, or a hundredth of the tax."""


def tax_base_warnings(context: OrderContext, agreements: Sequence[Agreement]) -> tuple[str, ...]:
    """Return a warning for each agreement whose tax was charged on more sales than carry it; none in mode `lines`.

    Args:
        context: the order.
        agreements: its agreements in these books.

    Raises:
        OrderBlockedError: the taxes of a sale do not add up to Shopify's figure.
    """
    if context.policy.tax.mode == "lines":
        return ()
    return tuple(warning for agreement in agreements for warning in _warnings(context, agreement))


def _warnings(context: OrderContext, agreement: Agreement) -> Iterator[str]:
    sales = [
        (_net(context, sale), sale_taxes(context, sale, 1))
        for sale in agreement.sales
        if sale.line_type not in OUTSIDE_TAX
    ]
    taxed = [(net, taxes) for net, taxes in sales if any(tax.amount for tax in taxes)]
    kinds = {tuple((tax.label, tax.rate) for tax in taxes) for _, taxes in taxed}
    if len(kinds) != 1 or len(taxed) == len(sales):
        return
    rate = sum((tax.rate or ZERO for tax in taxed[0][1]), ZERO)
    tax_amount = sum((tax.amount for _, taxes in taxed for tax in taxes), ZERO)
    taxed_net, total_net = sum((net for net, _ in taxed), ZERO), sum((net for net, _ in sales), ZERO)
    if _is_close(tax_amount, rate * total_net) and not _is_close(tax_amount, rate * taxed_net):
        yield (
            f"all tax ({_labels(taxed[0][1])}, {tax_amount:,.2f}) is on rows of {taxed_net:,.2f}, but was charged on"
            f" {total_net:,.2f}: Xero's tax report shows {taxed_net:,.2f} as its base"
        )


def _net(context: OrderContext, sale: Sale) -> Decimal:
    """Return a sale's amount without tax; `total_amount` of the sales ledger includes it."""
    return shop_amount(sale.total_amount, context.currency) - shop_amount(sale.total_tax_amount, context.currency)


def _is_close(tax_amount: Decimal, computed: Decimal) -> bool:
    return abs(tax_amount - computed) <= max(MIN_DIFFERENCE, SHARE * abs(tax_amount))


def _labels(taxes: Sequence[SaleTaxAmount]) -> str:
    return " and ".join(tax.label for tax in taxes)
