"""Document lines, built from sales; their sums equal Shopify's totals to the cent (docs/books.md §3).

This module only builds lines. `accounts.py` chooses accounts, `tax.py` chooses tax types. Lines have the sign of their
document: a credit note negates each sale.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

from shopify_xero_pipeline.books.accounts import account_of, discount_on_card
from shopify_xero_pipeline.books.currency import ZERO, round_half_up, shop_amount
from shopify_xero_pipeline.books.order_context import OrderBlockedError, OrderContext
from shopify_xero_pipeline.books.tax import SaleTaxAmount, sale_taxes, tax_account_for, tax_type_for, untaxed_type
from shopify_xero_pipeline.books.text import strip_control_chars, truncate
from shopify_xero_pipeline.shopify.models import Agreement, LineItem, Sale
from shopify_xero_pipeline.xero.models import Line

AmountTypes = Literal["Exclusive", "Inclusive", "NoTax"]

DESCRIPTION_LIMIT = 4000  # characters of a line in Xero (docs/contracts/xero.md §6.3)
NO_VARIANT = "Default Title"
ONE = Decimal(1)
ACTION_TYPES = ("ORDER", "RETURN", "UPDATE")
LABELS = {
    "PRODUCT": "Product",
    "TIP": "Tip",
    "GIFT_CARD": "Gift card",
    "SHIPPING": "Shipping",
    "DUTY": "Duty",
    "FEE": "Fee",
    "ADDITIONAL_FEE": "Additional fee",
    "ADJUSTMENT": "Refund adjustment",
}


@dataclass(frozen=True)
class SaleRow:
    """A sale in its document's sign.

    Attributes:
        sign: -1 on credit notes.
        total: the amount with tax, in the shop's currency.
        taxes: all taxes of the sale.
        own_taxes: those that the merchant remits.
        channel_taxes: those that the sales channel remits.
        account: the account code.
        note: the amount in the customer's currency, for the description; '' in the shop's currency.
    """

    sale: Sale
    item: LineItem | None
    sign: int
    total: Decimal
    taxes: tuple[SaleTaxAmount, ...]
    own_taxes: tuple[SaleTaxAmount, ...]
    channel_taxes: tuple[SaleTaxAmount, ...]
    account: str
    description: str
    note: str

    @property
    def variant_id(self) -> str | None:
        """The variant whose Item the line names; None for a deleted product, which has no Item."""
        if self.item is None or self.item.product is None or self.item.variant is None:
            return None
        return self.item.variant.legacy_id

    @property
    def units(self) -> int:
        """The number of units, at least one."""
        return abs(self.sale.quantity or 1)


@dataclass(frozen=True)
class BookedSale:
    """A sale with its lines."""

    row: SaleRow
    lines: tuple[Line, ...]


def amount_types(context: OrderContext) -> AmountTypes:
    """Return whether line amounts include tax, exclude it, or have no tax in Xero (mode `lines`)."""
    if context.policy.tax.mode == "lines":
        return "NoTax"
    return "Inclusive" if context.order.taxes_included else "Exclusive"


def book_sales(context: OrderContext, agreement: Agreement, sign: int) -> tuple[BookedSale, ...]:
    """Return an agreement's sales with their lines, in the order of the sales ledger.

    Args:
        context: the order.
        agreement: the agreement.
        sign: 1 for an invoice, -1 for a credit note.

    Raises:
        OrderBlockedError: a sale is not supported.
    """
    return tuple(_book_sale(context, sale, sign) for sale in agreement.sales)


def adjustment_line(context: OrderContext, description: str, account: str, amount: Decimal) -> Line:
    """Return a line without tax: rounding, channel tax, an uncovered refund.

    Args:
        context: the order.
        description: the line's text.
        account: the account code.
        amount: in the shop's currency, in the sign of the document.
    """
    return Line(
        description=truncate(description, DESCRIPTION_LIMIT),
        quantity=ONE,
        unit_amount=amount,
        account_code=account,
        tax_type=context.policy.tax.none,
        tax_amount=ZERO,
    )


def tax_total(lines: Sequence[Line]) -> Decimal:
    """Return the sum of the lines' tax, as Xero computes it.

    Args:
        lines: the lines of one document.
    """
    return sum((line.tax_amount for line in lines), ZERO)


def lines_total(lines: Sequence[Line], types: AmountTypes) -> Decimal:
    """Return the total of lines with tax, as Xero computes it.

    Args:
        lines: the lines of one document.
        types: whether their amounts include tax.
    """
    amounts = sum((line.amount for line in lines), ZERO)
    return amounts + tax_total(lines) if types == "Exclusive" else amounts


def _book_sale(context: OrderContext, sale: Sale, sign: int) -> BookedSale:
    row = _row(context, sale, sign)
    return BookedSale(row, tuple(_lines_of_row(context, row)))


def _row(context: OrderContext, sale: Sale, sign: int) -> SaleRow:
    if sale.action_type not in ACTION_TYPES:
        raise OrderBlockedError(
            f"sale {sale.legacy_id} has the action {sale.action_type}, which is not supported;"
            " enter this order in Xero by hand"
        )
    item = context.line_item_of(sale)
    money = sale.total_amount.presentment_money
    total, taxes = sign * shop_amount(sale.total_amount, context.currency), sale_taxes(context, sale, sign)
    return SaleRow(
        sale=sale,
        item=item,
        sign=sign,
        total=total,
        taxes=taxes,
        own_taxes=tuple(tax for tax in taxes if not tax.channel_liable),
        channel_taxes=tuple(tax for tax in taxes if tax.channel_liable),
        account=account_of(context, sale),
        description=_description(sale, item),
        # The amount in the customer's currency if it is another one (docs/books.md §8.1).
        note="" if money.currency_code == context.currency else f" [{money.currency_code} {money.amount}]",
    )


def _lines_of_row(context: OrderContext, row: SaleRow) -> list[Line]:
    if row.sale.line_type == "GIFT_CARD" and any(tax.amount for tax in row.taxes):
        raise OrderBlockedError(
            f"sale {row.sale.legacy_id} is a gift card with tax, which is not supported;"
            " enter this order in Xero by hand"
        )
    if discount := row.sign * discount_on_card(context, row.sale):
        return _card_lines(context, row, discount)
    if amount_types(context) == "NoTax":
        return _rows_with_tax_lines(context, row)
    account = context.policy.accounts.channel_tax
    return _taxed_lines(context, row) + [
        adjustment_line(context, f"{tax.label} remitted by the sales channel", account, tax.amount)
        for tax in row.channel_taxes
        if tax.amount
    ]


def _card_lines(context: OrderContext, row: SaleRow, discount: Decimal) -> list[Line]:
    """Return the lines of a discounted gift card: face value and discount, which does not lower the liability."""
    discount_line = adjustment_line(
        context, f"Discount on {row.description}", context.policy.accounts.card_discounts, -discount
    )
    face = row.total + discount
    if not face:
        return [discount_line]
    quantity = Decimal(row.units)
    return [_line(row, quantity, face / quantity, context.policy.tax.none, ZERO), discount_line]


def _rows_with_tax_lines(context: OrderContext, row: SaleRow) -> list[Line]:
    """Return the lines of mode `lines`: the goods, then each tax on its liability account."""
    goods = row.total - sum((tax.amount for tax in row.taxes), ZERO)
    lines = [_line(row, ONE, goods, context.policy.tax.none, ZERO)]
    for tax in row.taxes:
        if tax.amount:
            account = context.policy.accounts.channel_tax if tax.channel_liable else tax_account_for(context, tax)
            lines.append(adjustment_line(context, tax.label, account, tax.amount))
    return lines


def _taxed_lines(context: OrderContext, row: SaleRow) -> list[Line]:
    tax = sum((tax.amount for tax in row.own_taxes), ZERO)
    channel = sum((tax.amount for tax in row.channel_taxes), ZERO)
    amount = row.total - channel - (ZERO if context.order.taxes_included else tax)
    tax_type = _tax_type(context, row)
    net = row.total - channel - tax
    if tax and (abs(tax) > abs(amount) or tax * net <= 0):
        return _tax_change_lines(context, row, amount, tax, tax_type)
    line = _line_with_unit_price(context, row, amount, tax, tax_type)
    if line is not None:
        return [line]
    quantity = Decimal(row.units)
    unit = round_half_up(amount / quantity, context.currency)
    if unit * quantity == amount and abs(tax) <= abs(unit):
        return [_line(row, quantity, unit, tax_type, tax)]
    return [_line(row, ONE, amount, tax_type, tax)]


def _tax_type(context: OrderContext, row: SaleRow) -> str:
    policy = context.policy.tax
    if row.sale.line_type == "GIFT_CARD":
        return policy.none
    if row.channel_taxes and not row.own_taxes:
        return policy.channel_liable
    if row.own_taxes:
        return tax_type_for(context, row.own_taxes)
    return policy.none if row.sale.line_type in {"TIP", "ADJUSTMENT"} else untaxed_type(context)


def _line_with_unit_price(
    context: OrderContext, row: SaleRow, amount: Decimal, tax: Decimal, tax_type: str
) -> Line | None:
    """Return a line with unit price and discount for a product that is sold; None if they do not yield the amount."""
    item = row.item
    is_sold = row.sale.line_type == "PRODUCT" and row.sale.action_type == "ORDER" and row.sign > 0 and amount > 0
    if item is None or not is_sold or row.channel_taxes:
        return None
    price, quantity = item.original_unit_price_set.shop_money.amount, Decimal(row.units)
    unit = round_half_up(price, context.currency)
    discount = quantity * unit - amount
    if unit != price or discount < 0 or abs(tax) > unit:
        return None
    return _line(row, quantity, unit, tax_type, tax, discount or None)


def _tax_change_lines(context: OrderContext, row: SaleRow, amount: Decimal, tax: Decimal, tax_type: str) -> list[Line]:
    """Return two lines for a sale that changes tax more than goods: the base of that tax, and the rest without tax."""
    rate = sum((line.rate or ZERO for line in row.own_taxes), ZERO)
    if not rate:
        raise OrderBlockedError(
            f"sale {row.sale.legacy_id}: a tax of {tax} on {amount} has no rate, so its base is unknown;"
            " enter this order in Xero by hand"
        )
    base = round_half_up(tax / rate, context.currency) + (tax if context.order.taxes_included else ZERO)
    rest = adjustment_line(
        context,
        truncate(row.description, DESCRIPTION_LIMIT, " (less what only the tax is for)"),
        row.account,
        amount - base,
    )
    return [_line(row, ONE, base, tax_type, tax), rest]


def _line(
    row: SaleRow, quantity: Decimal, unit: Decimal, tax_type: str, tax: Decimal, discount: Decimal | None = None
) -> Line:
    count = f" ({row.units} units)" if quantity != row.units else ""
    return Line(
        description=truncate(row.description, DESCRIPTION_LIMIT, count + row.note),
        quantity=quantity,
        unit_amount=unit,
        discount_amount=discount,
        account_code=row.account,
        tax_type=tax_type,
        tax_amount=tax,
        variant_id=row.variant_id,
    )


def _description(sale: Sale, item: LineItem | None) -> str:
    if item is None:
        return strip_control_chars(sale.title) or LABELS[sale.line_type]
    variant = strip_control_chars(item.variant_title)
    title = strip_control_chars(item.title)
    if not title and item.product is not None:
        title = strip_control_chars(item.product.title)
    title = title or LABELS[sale.line_type]
    return f"{title} - {variant}" if variant and variant != NO_VARIANT else title
