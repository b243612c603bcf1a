"""Orders whose tax stands on fewer rows than it was charged on, and what Xero's tax report then shows as its base.

Some shops and apps put all tax of an order on its first row (India is known for it). Total and tax are right to the
cent, and stay as Shopify states them; only the base in Xero's report is that of the row. That is said, as a warning,
and nothing is changed. Amounts are `Decimal` in the shop's currency.
"""

from collections.abc import Iterator, Sequence
from decimal import Decimal

from shopify_xero_pipeline.books.currency import ZERO, shop_amount
from shopify_xero_pipeline.books.order_context import OrderContext
from shopify_xero_pipeline.books.tax import SaleTaxAmount, sale_taxes
from shopify_xero_pipeline.shopify.models import Agreement, Sale

OUTSIDE_TAX = frozenset({"TIP", "ADJUSTMENT", "GIFT_CARD"})
MIN_DIFFERENCE, SHARE = Decimal("0.05"), Decimal("0.01")
"""How far a tax may be from its rate times its base by rounding: 0.05, or a hundredth of the tax."""


def narrow_bases(case: OrderContext, agreements: Sequence[Agreement]) -> tuple[str, ...]:
    """Return a warning for each entry whose tax is that of more rows than bear it; none in mode `lines`.

    Raises:
        Blocked: the taxes of a row do not add up to what Shopify states.
    """
    if case.policy.tax.mode == "lines":
        return ()
    return tuple(warning for entry in agreements for warning in _of_entry(case, entry))


def _of_entry(case: OrderContext, entry: Agreement) -> Iterator[str]:
    rows = [(_net(case, sale), sale_taxes(case, sale, 1)) for sale in entry.sales if sale.line_type not in OUTSIDE_TAX]
    bearing = [(net, taxes) for net, taxes in rows if any(tax.amount for tax in taxes)]
    kinds = {tuple((tax.label, tax.rate) for tax in taxes) for _, taxes in bearing}
    if len(kinds) != 1 or len(bearing) == len(rows):
        return
    rate = sum((tax.rate or ZERO for tax in bearing[0][1]), ZERO)
    charged = sum((tax.amount for _, taxes in bearing for tax in taxes), ZERO)
    shown, meant = sum((net for net, _ in bearing), ZERO), sum((net for net, _ in rows), ZERO)
    if _explains(charged, rate * meant) and not _explains(charged, rate * shown):
        yield (
            f"all tax ({_labels(bearing[0][1])}, {charged:,.2f}) stands on rows of {shown:,.2f}, but is that of"
            f" {meant:,.2f}: Xero's tax report shows {shown:,.2f} as its base"
        )


def _net(case: OrderContext, sale: Sale) -> Decimal:
    """Return a row's amount without tax; `total_amount` of the ledger includes it."""
    return shop_amount(sale.total_amount, case.currency) - shop_amount(sale.total_tax_amount, case.currency)


def _explains(charged: Decimal, worked_out: Decimal) -> bool:
    return abs(charged - worked_out) <= max(MIN_DIFFERENCE, SHARE * abs(charged))


def _labels(taxes: Sequence[SaleTaxAmount]) -> str:
    return " and ".join(tax.label for tax in taxes)
