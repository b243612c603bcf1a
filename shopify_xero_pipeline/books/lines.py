"""From rows of the sales ledger to document lines that add up to the cent, whatever was discounted or returned.

Only lines belong here (docs/books.md §3). Accounts are chosen in `accounts.py`, tax types in `tax.py`. Lines are built
in the sign of their document: a credit note negates every row.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

from shopify_xero_pipeline.books.accounts import account_of, line_item_of
from shopify_xero_pipeline.books.currency import ZERO, round_half_up, shop_amount
from shopify_xero_pipeline.books.errors import OrderBlockedError
from shopify_xero_pipeline.books.gift_cards import discount_on_card
from shopify_xero_pipeline.books.order_context import OrderContext
from shopify_xero_pipeline.books.tax import SaleTaxAmount, sale_taxes, tax_account_for, tax_type_for, untaxed_type
from shopify_xero_pipeline.books.text import strip_control_chars, truncate
from shopify_xero_pipeline.shopify.models import Agreement, LineItem, Sale
from shopify_xero_pipeline.xero.models import Line

AmountTypes = Literal["Exclusive", "Inclusive", "NoTax"]

DESCRIPTION_LIMIT = 4000
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
    """A sale row in its document's sign. `total` includes tax; `sign` is -1 on credit notes."""

    sale: Sale
    sign: int
    total: Decimal
    taxes: tuple[SaleTaxAmount, ...]
    account: str
    description: str
    note: str
    variant_id: str | None

    @property
    def own_taxes(self) -> tuple[SaleTaxAmount, ...]:
        """Taxes the merchant remits."""
        return tuple(tax for tax in self.taxes if not tax.channel_liable)

    @property
    def channel_taxes(self) -> tuple[SaleTaxAmount, ...]:
        """Taxes the sales channel remits."""
        return tuple(tax for tax in self.taxes if tax.channel_liable)

    @property
    def units(self) -> int:
        """How many units the row is about; at least one."""
        return abs(self.sale.quantity or 0) or 1


def amount_types(case: OrderContext) -> AmountTypes:
    """Return how amounts of lines are meant: with tax, without, or without any tax of Xero's (mode `lines`)."""
    if case.policy.tax.mode == "lines":
        return "NoTax"
    return "Inclusive" if case.order.taxes_included else "Exclusive"


def build_lines(case: OrderContext, entry: Agreement, sign: int) -> tuple[Line, ...]:
    """Return an agreement's lines, in the ledger's own order.

    Args:
        case: the order.
        entry: the agreement.
        sign: 1 for an invoice, -1 for a credit note.

    Raises:
        Blocked: a row has no rule.
    """
    return tuple(line for sale in entry.sales for line in _lines_of_row(case, _row(case, sale, sign)))


def adjustment_line(case: OrderContext, description: str, account: str, amount: Decimal) -> Line:
    """Return a line of a plain amount without tax: rounding, channel tax, an uncovered refund."""
    return Line(
        description=truncate(description, DESCRIPTION_LIMIT),
        quantity=ONE,
        unit_amount=amount,
        account_code=account,
        tax_type=case.policy.tax.none,
        tax_amount=ZERO,
    )


def tax_total(lines: Sequence[Line]) -> Decimal:
    """Return the tax of lines, as Xero will sum it."""
    return sum((line.tax_amount for line in lines), ZERO)


def lines_total(lines: Sequence[Line], types: AmountTypes) -> Decimal:
    """Return the total of lines including tax, as Xero will sum it."""
    amounts = sum((line.amount for line in lines), ZERO)
    return amounts + tax_total(lines) if types == "Exclusive" else amounts


def _row(case: OrderContext, sale: Sale, sign: int) -> SaleRow:
    if sale.action_type not in ACTION_TYPES:
        raise OrderBlockedError(
            f"sale {sale.legacy_id} has the action {sale.action_type}, for which these books have no rule;"
            " enter this order in Xero by hand"
        )
    item = line_item_of(case, sale)
    return SaleRow(
        sale=sale,
        sign=sign,
        total=sign * shop_amount(sale.total_amount, case.currency),
        taxes=sale_taxes(case, sale, sign),
        account=account_of(case, sale),
        description=_description(case, sale),
        note=_presentment(case, sale),
        variant_id=_variant(item),
    )


def _variant(item: LineItem | None) -> str | None:
    """Return the variant that a line is of; of a deleted product no Item is made, so that none may be named."""
    if item is None or item.product is None or item.variant is None:
        return None
    return item.variant.legacy_id


def _lines_of_row(case: OrderContext, row: SaleRow) -> list[Line]:
    if row.sale.line_type == "GIFT_CARD" and any(tax.amount for tax in row.taxes):
        raise OrderBlockedError(
            f"sale {row.sale.legacy_id} is a gift card with tax on it, which these books have no rule for;"
            " enter this order in Xero by hand"
        )
    if discount := row.sign * discount_on_card(case, row.sale):
        return _card_lines(case, row, discount)
    if amount_types(case) == "NoTax":
        return _rows_with_tax_lines(case, row)
    channel = [
        adjustment_line(
            case, f"{tax.label} remitted by the sales channel", case.policy.accounts.channel_tax, tax.amount
        )
        for tax in row.channel_taxes
        if tax.amount
    ]
    return [*_taxed_lines(case, row), *channel]


def _card_lines(case: OrderContext, row: SaleRow, discount: Decimal) -> list[Line]:
    """A gift card sold below its face value: what is owed for it, and the discount, which lowers no liability."""
    less = adjustment_line(case, f"Discount on {row.description}", case.policy.accounts.card_discounts, -discount)
    face = row.total + discount
    if not face:
        return [less]
    quantity = Decimal(row.units)
    unit = round_half_up(face / quantity, case.currency)
    owed = (quantity, unit) if unit * quantity == face else (ONE, face)
    return [_line(row, *owed, case.policy.tax.none, ZERO), less]


def _rows_with_tax_lines(case: OrderContext, row: SaleRow) -> list[Line]:
    """Mode `lines`, the US way: the goods, then each tax on its own liability account."""
    goods = row.total - sum((tax.amount for tax in row.taxes), ZERO)
    lines = [_line(row, ONE, goods, case.policy.tax.none, ZERO)]
    for tax in row.taxes:
        if tax.amount:
            account = case.policy.accounts.channel_tax if tax.channel_liable else tax_account_for(case, tax)
            lines.append(adjustment_line(case, tax.label, account, tax.amount))
    return lines


def _taxed_lines(case: OrderContext, row: SaleRow) -> list[Line]:
    tax = sum((tax.amount for tax in row.own_taxes), ZERO)
    channel = sum((tax.amount for tax in row.channel_taxes), ZERO)
    amount = row.total - channel - (ZERO if case.order.taxes_included else tax)
    tax_type = _tax_type(case, row)
    net = row.total - channel - tax
    if tax and (abs(tax) > abs(amount) or tax * net <= 0):
        return _tax_change_lines(case, row, amount, tax, tax_type)
    priced = _with_unit_price(case, row, amount, tax, tax_type)
    if priced is not None:
        return [priced]
    quantity = Decimal(row.units)
    unit = round_half_up(amount / quantity, case.currency)
    if unit * quantity == amount and abs(tax) <= abs(unit):
        return [_line(row, quantity, unit, tax_type, tax)]
    return [_line(row, ONE, amount, tax_type, tax)]


def _tax_type(case: OrderContext, row: SaleRow) -> str:
    policy = case.policy.tax
    if row.sale.line_type == "GIFT_CARD":
        return policy.none
    if row.channel_taxes and not row.own_taxes:
        return policy.channel_liable
    untaxed = policy.none if row.sale.line_type in {"TIP", "ADJUSTMENT"} else untaxed_type(case)
    return tax_type_for(case, row.own_taxes, untaxed)


def _with_unit_price(case: OrderContext, row: SaleRow, amount: Decimal, tax: Decimal, tax_type: str) -> Line | None:
    """Show unit price and discount where a product is sold; None where they would not say how the amount came about."""
    item = line_item_of(case, row.sale)
    sold = row.sale.line_type == "PRODUCT" and row.sale.action_type == "ORDER" and row.sign > 0 and amount > 0
    if item is None or not sold or row.channel_taxes:
        return None
    price, quantity = item.original_unit_price_set.shop_money.amount, Decimal(row.units)
    unit = round_half_up(price, case.currency)
    discount = quantity * unit - amount
    if unit != price or discount < 0 or abs(tax) > unit:
        return None
    line = _line(row, quantity, unit, tax_type, tax)
    return line.model_copy(update={"discount_amount": discount}) if discount else line


def _tax_change_lines(case: OrderContext, row: SaleRow, amount: Decimal, tax: Decimal, tax_type: str) -> list[Line]:
    """A row that changes tax more than goods: the base that carries such a tax, and the rest without tax."""
    rate = sum((line.rate or ZERO for line in row.own_taxes), ZERO)
    if not rate:
        raise OrderBlockedError(
            f"sale {row.sale.legacy_id}: a tax of {tax} on {amount} with no rate to find its base by;"
            " enter this order in Xero by hand"
        )
    base = round_half_up(tax / rate, case.currency) + (tax if case.order.taxes_included else ZERO)
    rest = adjustment_line(
        case,
        truncate(row.description, DESCRIPTION_LIMIT, " (less what only the tax is for)"),
        row.account,
        amount - base,
    )
    return [_line(row, ONE, base, tax_type, tax), rest]


def _line(row: SaleRow, quantity: Decimal, unit: Decimal, tax_type: str, tax: Decimal) -> Line:
    count = f" ({row.units} units)" if quantity != row.units else ""
    return Line(
        description=truncate(row.description, DESCRIPTION_LIMIT, count + row.note),
        quantity=quantity,
        unit_amount=unit,
        account_code=row.account,
        tax_type=tax_type,
        tax_amount=tax,
        variant_id=row.variant_id,
    )


def _description(case: OrderContext, sale: Sale) -> str:
    item = line_item_of(case, sale)
    if item is None:
        return strip_control_chars(sale.title) or LABELS[sale.line_type]
    variant = strip_control_chars(item.variant_title)
    now = strip_control_chars(item.product.title) if item.product is not None else ""
    title = strip_control_chars(item.title) or now or LABELS[sale.line_type]
    return f"{title} - {variant}" if variant and variant != NO_VARIANT else title


def _presentment(case: OrderContext, sale: Sale) -> str:
    """Name the customer's own currency where it is another one (docs/books.md §8)."""
    money = sale.total_amount.presentment_money
    return "" if money.currency_code == case.currency else f" [{money.currency_code} {money.amount}]"
