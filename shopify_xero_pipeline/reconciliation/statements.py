"""A statement of movements for accountants: lines by category and account, control totals, and unbalanced orders.

This module only has the layout, for a day and for a month. The UI and the terminal render it. A statement is in one
currency.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from decimal import Decimal

from shopify_xero_pipeline.reconciliation import shopify_movements as categories
from shopify_xero_pipeline.reconciliation.movements import (
    ZERO,
    AccountNames,
    FrozenModel,
    Movement,
    StatementSection,
    UnbalancedOrder,
)
from shopify_xero_pipeline.reconciliation.rollup import group_by

CATEGORY_ORDER = (
    categories.SOLD,
    categories.DISCOUNTS,
    categories.RETURNED,
    "shipping",
    "shipping refunded",
    "fees",
    "duties",
    "tips",
    categories.CARDS_SOLD,
    categories.CARDS_RETURNED,
    categories.CARD_DISCOUNTS,
    "refund adjustments",
    categories.UNCOVERED,
    categories.ROUNDED,
    categories.CASH_ROUNDED,
    categories.EXCHANGE_DIFFERENCES,
)
LINE_SECTIONS = (StatementSection.SALES, StatementSection.TAX)
NAMES = ("Shopify", "mapping", "Xero")
NOTHING = Decimal("0.00")
TOGETHER, TOTAL = "together", "total"
OPENING, CLOSING = "owed before", "owed after"
KEY_ORDER = (categories.INVOICES, categories.CREDIT_NOTES, OPENING, CLOSING)
Columns = tuple[Decimal, Decimal, Decimal]
MovementsBySide = defaultdict[StatementSection, list[Movement]]


class StatementLine(FrozenModel):
    """A line of three columns.

    Only Shopify has categories. A category that shares its account with others has None in the other two columns.
    """

    side: StatementSection
    what: str
    account: str
    shopify: Decimal
    mapping: Decimal | None = None
    xero: Decimal | None = None

    @property
    def difference(self) -> Decimal | None:
        """Xero's difference from Shopify."""
        return None if self.xero is None else self.xero - self.shopify


class ControlTotal(FrozenModel):
    """Sums that must be equal in a column, as text with their figures, and the difference."""

    column: str
    text: str
    agrees: bool
    off: Decimal = NOTHING


class Statement(FrozenModel):
    """All movements of a day or a month in one currency. `broken` has the unbalanced orders with their arithmetic."""

    currency: str
    lines: tuple[StatementLine, ...]
    identities: tuple[ControlTotal, ...]
    broken: tuple[UnbalancedOrder, ...]

    @property
    def agrees(self) -> bool:
        """Whether the three columns are equal on every line and every control total agrees."""
        equal = all(line.shopify == line.mapping == line.xero for line in self.lines if line.xero is not None)
        return equal and all(identity.agrees for identity in self.identities) and not self.broken

    @property
    def largest_difference(self) -> Decimal:
        """The largest distance of two columns on a line, or of the two sides of a control total."""
        compared = [(line.shopify, line.mapping or NOTHING, line.xero) for line in self.lines if line.xero is not None]
        distances = [max(columns) - min(columns) for columns in compared]
        return max([*distances, *(abs(identity.off) for identity in self.identities)], default=NOTHING)


def build_statements(
    movements: Iterable[Movement], broken: Iterable[UnbalancedOrder], account_names: AccountNames
) -> list[Statement]:
    """Return a statement for each currency, sorted by currency.

    Args:
        movements: the movements of a day or a month.
        broken: the unbalanced orders.
        account_names: account names, and the accounts that hold tax.
    """
    by_currency = group_by((movement.currency, movement) for movement in movements)
    broken_by_currency = group_by((order.currency, order) for order in broken)
    statements = []
    for currency in sorted({*by_currency, *broken_by_currency}):
        by_side = group_by((movement.side, movement) for movement in by_currency[currency])
        statement = Statement(
            currency=currency,
            lines=tuple(_lines(by_side, account_names)),
            identities=tuple(_control_totals(by_side, account_names)),
            broken=tuple(broken_by_currency[currency]),
        )
        statements.append(statement)
    return statements


def section_amounts(movements: Iterable[Movement]) -> Columns:
    """Return the sums of Shopify, the mapping and Xero.

    Args:
        movements: movements in one currency.
    """
    rows = [movement.amounts for movement in movements]
    first, second, third = (sum((amounts[column] for amounts in rows), NOTHING) for column in range(3))
    return first, second, third


def format_sum(terms: Sequence[tuple[str, Decimal]]) -> str:
    """Return a sum as text, such as `goods sold 100.00 - discounts 7.00 + GST 15 % 12.13`.

    Args:
        terms: pairs of name and amount.
    """
    parts = [f"{name} {abs(amount):,.2f}" for name, amount in terms]
    signs = ["-" if amount < 0 else "+" for _, amount in terms]
    text = " ".join(f"{sign} {part}" for sign, part in zip(signs, parts, strict=True))
    return text.removeprefix("+ ") or "nothing"


def _lines(by_side: MovementsBySide, account_names: AccountNames) -> list[StatementLine]:
    lines: list[StatementLine] = []
    for side in StatementSection:
        keys = group_by((movement.key, movement) for movement in by_side[side])
        for key in sorted(keys, key=lambda key: _key_rank(key, keys[key])):
            lines += _key_lines(side, key, keys[key], account_names)
        if len(keys) > 1 and side is not StatementSection.OUTSTANDING:
            lines.append(_line(side, TOTAL, "", by_side[side]))
    return lines


def _key_lines(
    side: StatementSection, key: str, movements: Sequence[Movement], account_names: AccountNames
) -> list[StatementLine]:
    """Return one line for an account with one category, otherwise a line for each category and one for their sum."""
    if side in {StatementSection.DOCUMENTS, StatementSection.OUTSTANDING}:
        return [_line(side, key, "", movements)]
    sums, account = _sums_by_category(movements), account_names.label(key)
    if len(sums) < 2:
        return [_line(side, next(iter(sums), "not in Shopify's ledger"), account, movements)]
    parts = [StatementLine(side=side, what=name, account=account, shopify=amount) for name, amount in sums.items()]
    return [*parts, _line(side, TOGETHER, account, movements)]


def _line(side: StatementSection, what: str, account: str, movements: Iterable[Movement]) -> StatementLine:
    shopify, mapping, xero = section_amounts(movements)
    return StatementLine(side=side, what=what, account=account, shopify=shopify, mapping=mapping, xero=xero)


def _sums_by_category(movements: Iterable[Movement]) -> dict[str, Decimal]:
    sums: dict[str, Decimal] = {}
    for movement in sorted(movements, key=lambda movement: (_category_rank(movement.category), movement.category)):
        if movement.category:
            sums[movement.category] = sums.get(movement.category, ZERO) + movement.shopify
    return {name: amount for name, amount in sums.items() if amount}


def _key_rank(key: str, movements: Iterable[Movement]) -> tuple[int, str]:
    if key in KEY_ORDER:
        return KEY_ORDER.index(key), key
    ranks = (_category_rank(movement.category) for movement in movements if movement.category)
    return min(ranks, default=len(CATEGORY_ORDER) + 1), key  # keys without a category come last


def _category_rank(category: str) -> int:
    return CATEGORY_ORDER.index(category) if category in CATEGORY_ORDER else len(CATEGORY_ORDER)


def _control_totals(by_side: MovementsBySide, account_names: AccountNames) -> list[ControlTotal]:
    """Return the control totals of each column, with columns of equal texts merged into one.

    Lines and tax equal documents; documents and opening balance equal payments, refunds and closing balance.
    """
    sections = (StatementSection.DOCUMENTS, StatementSection.PAYMENTS, StatementSection.REFUNDS)
    documents, payments, refunds = (section_amounts(by_side[side]) for side in sections)
    balances = by_side[StatementSection.OUTSTANDING]
    opening = section_amounts(movement for movement in balances if movement.key == OPENING)
    closing = section_amounts(movement for movement in balances if movement.key != OPENING)
    closing_term = CLOSING if any(movement.key == CLOSING for movement in balances) else "outstanding"
    line_totals, payment_totals = [], []
    for index, (column, terms) in enumerate(zip(NAMES, _terms(by_side, account_names), strict=True)):
        parts = [(name, amount) for name, amount in terms if amount]
        line_totals.append(_control_total(column, parts, [("documents", documents[index])]))
        sources = [("documents", documents[index])] + ([(OPENING, opening[index])] if any(opening) else [])
        uses = [("payments", payments[index]), ("refunds", -refunds[index]), (closing_term, closing[index])]
        payment_totals.append(_control_total(column, sources, uses))
    by_text = group_by((total.text, total) for total in [*line_totals, *payment_totals])
    return [
        totals[0].model_copy(update={"column": " and ".join(total.column for total in totals)})
        for totals in by_text.values()
    ]


def _control_total(
    column: str, sources: Sequence[tuple[str, Decimal]], uses: Sequence[tuple[str, Decimal]]
) -> ControlTotal:
    difference = sum((amount for _, amount in sources), ZERO) - sum((amount for _, amount in uses), ZERO)
    gap = f" (off by {difference:,.2f})" if difference else ""
    text = f"{format_sum(sources)} = {format_sum(uses)}{gap}"
    return ControlTotal(column=column, text=text, agrees=not difference, off=difference)


def _terms(by_side: MovementsBySide, account_names: AccountNames) -> tuple[list[tuple[str, Decimal]], ...]:
    """Return the terms of the documents' total by column: Shopify's by category, the others by account and tax type."""
    shopify, mapping, xero = list[tuple[str, Decimal]](), list[tuple[str, Decimal]](), list[tuple[str, Decimal]]()
    for side in LINE_SECTIONS:
        shopify += _sums_by_category(by_side[side]).items()
        keys = group_by((movement.key, movement) for movement in by_side[side])
        for key in sorted(keys):
            _, posted, in_xero = section_amounts(keys[key])
            mapping.append((account_names.label(key), posted))
            xero.append((account_names.label(key), in_xero))
    return shopify, mapping, xero
