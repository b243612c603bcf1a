"""From rows of the sales ledger to document lines that add up to the cent, whatever was discounted or returned.

Only lines belong here (docs/books.md §3). Accounts are chosen in `accounts.py`, tax types in `tax.py`. Lines are built
in the sign of their document: a credit note negates every row.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

from shopify_xero_pipeline.books.accounts import account_of, line_item_of
from shopify_xero_pipeline.books.currency import ZERO, rounded, shop_amount
from shopify_xero_pipeline.books.errors import Blocked
from shopify_xero_pipeline.books.gift_cards import discount_on_card
from shopify_xero_pipeline.books.order_context import Case
from shopify_xero_pipeline.books.tax import RowTax, row_taxes, tax_account_of, tax_type_of, untaxed_type
from shopify_xero_pipeline.books.text import cut, plain
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
class Row:
    """A sale row in its document's sign. `total` includes tax; `sign` is -1 on credit notes."""

    sale: Sale
    sign: int
    total: Decimal
    taxes: tuple[RowTax, ...]
    account: str
    description: str
    note: str
    variant_id: str | None

    @property
    def own(self) -> tuple[RowTax, ...]:
        """Taxes the merchant remits."""
        return tuple(tax for tax in self.taxes if not tax.channel_liable)

    @property
    def channel(self) -> tuple[RowTax, ...]:
        """Taxes the sales channel remits."""
        return tuple(tax for tax in self.taxes if tax.channel_liable)

    @property
    def units(self) -> int:
        """How many units the row is about; at least one."""
        return abs(self.sale.quantity or 0) or 1


def amount_types(case: Case) -> AmountTypes:
    """Return how amounts of lines are meant: with tax, without, or without any tax of Xero's (mode `lines`)."""
    if case.policy.tax.mode == "lines":
        return "NoTax"
    return "Inclusive" if case.order.taxes_included else "Exclusive"


def lines_of(case: Case, entry: Agreement, sign: int) -> tuple[Line, ...]:
    """Return an agreement's lines, in the ledger's own order.

    Args:
        case: the order.
        entry: the agreement.
        sign: 1 for an invoice, -1 for a credit note.

    Raises:
        Blocked: a row has no rule.
    """
    return tuple(line for sale in entry.sales for line in _lines_of_row(case, _row(case, sale, sign)))


def adjusting_line(case: Case, description: str, account: str, amount: Decimal) -> Line:
    """Return a line of a plain amount without tax: rounding, channel tax, an uncovered refund."""
    return Line(
        description=cut(description, DESCRIPTION_LIMIT),
        quantity=ONE,
        unit_amount=amount,
        account_code=account,
        tax_type=case.policy.tax.none,
        tax_amount=ZERO,
    )


def tax_total(lines: Sequence[Line]) -> Decimal:
    """Return the tax of lines, as Xero will sum it."""
    return sum((line.tax_amount for line in lines), ZERO)


def total_of(lines: Sequence[Line], types: AmountTypes) -> Decimal:
    """Return the total of lines including tax, as Xero will sum it."""
    amounts = sum((line.amount for line in lines), ZERO)
    return amounts + tax_total(lines) if types == "Exclusive" else amounts


def _row(case: Case, sale: Sale, sign: int) -> Row:
    if sale.action_type not in ACTION_TYPES:
        raise Blocked(
            f"sale {sale.legacy_id} has the action {sale.action_type}, for which these books have no rule;"
            " enter this order in Xero by hand"
        )
    item = line_item_of(case, sale)
    return Row(
        sale=sale,
        sign=sign,
        total=sign * shop_amount(sale.total_amount, case.currency),
        taxes=row_taxes(case, sale, sign),
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


def _lines_of_row(case: Case, row: Row) -> list[Line]:
    if row.sale.line_type == "GIFT_CARD" and any(tax.amount for tax in row.taxes):
        raise Blocked(
            f"sale {row.sale.legacy_id} is a gift card with tax on it, which these books have no rule for;"
            " enter this order in Xero by hand"
        )
    if discount := row.sign * discount_on_card(case, row.sale):
        return _card_lines(case, row, discount)
    if amount_types(case) == "NoTax":
        return _rows_with_tax_lines(case, row)
    channel = [
        adjusting_line(case, f"{tax.label} remitted by the sales channel", case.policy.accounts.channel_tax, tax.amount)
        for tax in row.channel
        if tax.amount
    ]
    return [*_taxed_lines(case, row), *channel]


def _card_lines(case: Case, row: Row, discount: Decimal) -> list[Line]:
    """A gift card sold below its face value: what is owed for it, and the discount, which lowers no liability."""
    less = adjusting_line(case, f"Discount on {row.description}", case.policy.accounts.card_discounts, -discount)
    face = row.total + discount
    if not face:
        return [less]
    quantity = Decimal(row.units)
    unit = rounded(face / quantity, case.currency)
    owed = (quantity, unit) if unit * quantity == face else (ONE, face)
    return [_line(row, *owed, case.policy.tax.none, ZERO), less]


def _rows_with_tax_lines(case: Case, row: Row) -> list[Line]:
    """Mode `lines`, the US way: the goods, then each tax on its own liability account."""
    goods = row.total - sum((tax.amount for tax in row.taxes), ZERO)
    lines = [_line(row, ONE, goods, case.policy.tax.none, ZERO)]
    for tax in row.taxes:
        if tax.amount:
            account = case.policy.accounts.channel_tax if tax.channel_liable else tax_account_of(case, tax)
            lines.append(adjusting_line(case, tax.label, account, tax.amount))
    return lines


def _taxed_lines(case: Case, row: Row) -> list[Line]:
    tax = sum((tax.amount for tax in row.own), ZERO)
    channel = sum((tax.amount for tax in row.channel), ZERO)
    amount = row.total - channel - (ZERO if case.order.taxes_included else tax)
    tax_type = _tax_type(case, row)
    net = row.total - channel - tax
    if tax and (abs(tax) > abs(amount) or tax * net <= 0):
        return _tax_change_lines(case, row, amount, tax, tax_type)
    priced = _with_unit_price(case, row, amount, tax, tax_type)
    if priced is not None:
        return [priced]
    quantity = Decimal(row.units)
    unit = rounded(amount / quantity, case.currency)
    if unit * quantity == amount and abs(tax) <= abs(unit):
        return [_line(row, quantity, unit, tax_type, tax)]
    return [_line(row, ONE, amount, tax_type, tax)]


def _tax_type(case: Case, row: Row) -> str:
    policy = case.policy.tax
    if row.sale.line_type == "GIFT_CARD":
        return policy.none
    if row.channel and not row.own:
        return policy.channel_liable
    untaxed = policy.none if row.sale.line_type in {"TIP", "ADJUSTMENT"} else untaxed_type(case)
    return tax_type_of(case, row.own, untaxed)


def _with_unit_price(case: Case, row: Row, amount: Decimal, tax: Decimal, tax_type: str) -> Line | None:
    """Show unit price and discount where a product is sold; None where they would not say how the amount came about."""
    item = line_item_of(case, row.sale)
    sold = row.sale.line_type == "PRODUCT" and row.sale.action_type == "ORDER" and row.sign > 0 and amount > 0
    if item is None or not sold or row.channel:
        return None
    price, quantity = item.original_unit_price_set.shop_money.amount, Decimal(row.units)
    unit = rounded(price, case.currency)
    discount = quantity * unit - amount
    if unit != price or discount < 0 or abs(tax) > unit:
        return None
    line = _line(row, quantity, unit, tax_type, tax)
    return line.model_copy(update={"discount_amount": discount}) if discount else line


def _tax_change_lines(case: Case, row: Row, amount: Decimal, tax: Decimal, tax_type: str) -> list[Line]:
    """A row that changes tax more than goods: the base that carries such a tax, and the rest without tax."""
    rate = sum((line.rate or ZERO for line in row.own), ZERO)
    if not rate:
        raise Blocked(
            f"sale {row.sale.legacy_id}: a tax of {tax} on {amount} with no rate to find its base by;"
            " enter this order in Xero by hand"
        )
    base = rounded(tax / rate, case.currency) + (tax if case.order.taxes_included else ZERO)
    rest = adjusting_line(
        case, cut(row.description, DESCRIPTION_LIMIT, " (less what only the tax is for)"), row.account, amount - base
    )
    return [_line(row, ONE, base, tax_type, tax), rest]


def _line(row: Row, quantity: Decimal, unit: Decimal, tax_type: str, tax: Decimal) -> Line:
    count = f" ({row.units} units)" if quantity != row.units else ""
    return Line(
        description=cut(row.description, DESCRIPTION_LIMIT, count + row.note),
        quantity=quantity,
        unit_amount=unit,
        account_code=row.account,
        tax_type=tax_type,
        tax_amount=tax,
        variant_id=row.variant_id,
    )


def _description(case: Case, sale: Sale) -> str:
    item = line_item_of(case, sale)
    if item is None:
        return plain(sale.title) or LABELS[sale.line_type]
    variant = plain(item.variant_title)
    now = plain(item.product.title) if item.product is not None else ""
    title = plain(item.title) or now or LABELS[sale.line_type]
    return f"{title} - {variant}" if variant and variant != NO_VARIANT else title


def _presentment(case: Case, sale: Sale) -> str:
    """Name the customer's own currency where it is another one (docs/books.md §8)."""
    money = sale.total_amount.presentment_money
    return "" if money.currency_code == case.currency else f" [{money.currency_code} {money.amount}]"
