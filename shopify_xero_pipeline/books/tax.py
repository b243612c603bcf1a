"""Which Xero TaxType a row of the sales ledger gets, or which account each of its taxes, looked up in `books.yaml`.

Only the look-up belongs here (docs/books.md §4); which entry fits best is decided in `tax_rules.py`. Amounts are
never computed from rates: they stand in the ledger. A tax that no entry covers stops the order and names the entry to
add.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from shopify_xero_pipeline.books.currency import ZERO, shop_amount
from shopify_xero_pipeline.books.errors import OrderBlockedError
from shopify_xero_pipeline.books.order_context import OrderContext
from shopify_xero_pipeline.books.tax_rules import Place, most_exact
from shopify_xero_pipeline.books.unmapped import label, no_tax_account, no_tax_rate
from shopify_xero_pipeline.shopify.models import Order, Sale


@dataclass(frozen=True)
class SaleTaxAmount:
    """One tax of a row: what the ledger says it amounts to, and from its tax line title, rate and who remits it."""

    title: str
    rate: Decimal | None
    amount: Decimal
    channel_liable: bool

    @property
    def label(self) -> str:
        """The tax as people know it: `GST 15 %`; `Tax 15 %` if its title is blank."""
        return label(self)


def sale_taxes(case: OrderContext, sale: Sale, sign: int) -> tuple[SaleTaxAmount, ...]:
    """Return the taxes of a row, in the document's sign.

    Raises:
        Blocked: they do not add up to the row's own tax.
    """
    taxes = tuple(
        SaleTaxAmount(
            title=tax.tax_line.title,
            rate=tax.tax_line.rate,
            amount=sign * shop_amount(tax.amount, case.currency),
            channel_liable=bool(tax.tax_line.channel_liable),
        )
        for tax in sale.taxes
    )
    total, stated = sum((tax.amount for tax in taxes), ZERO), sign * shop_amount(sale.total_tax_amount, case.currency)
    if total != stated:
        raise OrderBlockedError(
            f"sale {sale.legacy_id}: its taxes add up to {total}, but Shopify states {stated} of tax;"
            " look at the order in Shopify and enter it in Xero by hand"
        )
    return taxes


def tax_type_for(case: OrderContext, taxes: Sequence[SaleTaxAmount], untaxed: str) -> str:
    """Return the TaxType for the taxes of one row that the merchant remits.

    Args:
        case: the order, for its country.
        taxes: the row's taxes, 0 % ones too; none gives `untaxed`.
        untaxed: what a row without any tax gets.

    Raises:
        Blocked: no entry of tax.rates covers them.
    """
    if not taxes:
        return untaxed
    place = place_of(case.order)
    rule = most_exact(case.policy.tax.rates, taxes, place)
    if rule is None:
        raise OrderBlockedError(no_tax_rate(case, taxes, place.country))
    return rule.tax_type


def tax_account_for(case: OrderContext, tax: SaleTaxAmount) -> str:
    """Return the liability account of one tax in mode `lines`.

    Raises:
        Blocked: no entry of tax.lines covers it.
    """
    entry = most_exact(case.policy.tax.lines, (tax,), place_of(case.order))
    if entry is None:
        raise OrderBlockedError(no_tax_account(case, tax))
    return entry.account


def untaxed_type(case: OrderContext) -> str:
    """Return the TaxType of a row without any tax line, by country where `books.yaml` says so."""
    policy = case.policy.tax
    return policy.untaxed_by_country.get(place_of(case.order).country or "", policy.untaxed)


def place_of(order: Order) -> Place:
    """Return where the goods go: by the shipping address, else by the billing address."""
    for address in (order.shipping_address, order.billing_address):
        if address is not None and address.country_code_v2:
            return Place(address.country_code_v2, address.province_code)
    return Place()
