"""Warnings about tax that is stated on fewer sales than it was charged on.

Some shops and apps put all tax of an order on its first sale, which is common in India. Total and tax remain exactly as
Shopify states them; only the base in Xero's tax report is that of the sale, which is too low. This module changes no
amount.
"""

from collections.abc import Iterator, Sequence
from decimal import Decimal

from shopify_xero_pipeline.books.currency import ZERO
from shopify_xero_pipeline.books.documents import BookedAgreement
from shopify_xero_pipeline.books.lines import SaleRow
from shopify_xero_pipeline.books.order_context import OrderContext

OUTSIDE_TAX = frozenset({"TIP", "ADJUSTMENT", "GIFT_CARD"})
MIN_DIFFERENCE, SHARE = Decimal("0.05"), Decimal("0.01")
"""Largest rounding difference between a tax and its rate times its base: 0.05, or a hundredth of the tax."""


def tax_base_warnings(context: OrderContext, bookings: Sequence[BookedAgreement]) -> tuple[str, ...]:
    """Return a warning for each agreement whose tax was charged on more sales than carry it; none in mode `lines`.

    Args:
        context: the order.
        bookings: its agreements in these books.
    """
    if context.policy.tax.mode == "lines":
        return ()
    return tuple(warning for booking in bookings for warning in _base_warnings(booking))


def _base_warnings(booking: BookedAgreement) -> Iterator[str]:
    rows = [sale.row for sale in booking.sales if sale.row.sale.line_type not in OUTSIDE_TAX]
    taxed = [row for row in rows if any(tax.amount for tax in row.taxes)]
    if not taxed or len(taxed) == len(rows):
        return
    if len({tuple((tax.label, tax.rate) for tax in row.taxes) for row in taxed}) != 1:
        return
    taxes = taxed[0].taxes
    rate = sum((tax.rate or ZERO for tax in taxes), ZERO)
    tax_amount = sum(map(_tax, taxed), ZERO)
    taxed_net, total_net = sum(map(_net, taxed), ZERO), sum(map(_net, rows), ZERO)
    if _is_close(tax_amount, rate * total_net) and not _is_close(tax_amount, rate * taxed_net):
        labels = " and ".join(tax.label for tax in taxes)
        yield (
            f"all tax ({labels}, {tax_amount:,.2f}) is on rows of {taxed_net:,.2f}, but was charged on"
            f" {total_net:,.2f}: Xero's tax report shows {taxed_net:,.2f} as its base"
        )


def _tax(row: SaleRow) -> Decimal:
    """Return the tax of a sale, in the sign of the ledger."""
    return row.sign * sum((tax.amount for tax in row.taxes), ZERO)


def _net(row: SaleRow) -> Decimal:
    """Return the amount of a sale without tax, in the sign of the ledger."""
    return row.sign * row.total - _tax(row)


def _is_close(tax_amount: Decimal, computed: Decimal) -> bool:
    return abs(tax_amount - computed) <= max(MIN_DIFFERENCE, SHARE * abs(tax_amount))
