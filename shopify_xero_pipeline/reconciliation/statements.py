"""A statement for an accountant: movements by category and account, what ties them together, who breaks it.

Only the arrangement belongs here, for a day and for a month alike; how it is drawn is decided by the UI and by the
terminal. One statement is in one currency.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from decimal import Decimal

from pydantic import BaseModel, ConfigDict

from shopify_xero_pipeline.reconciliation import shopify_movements as words
from shopify_xero_pipeline.reconciliation.movements import (
    ZERO,
    AccountNames,
    Movement,
    StatementSection,
    UnbalancedOrder,
)

ORDER = (
    *(words.SOLD, words.DISCOUNTS, words.RETURNED, "shipping", "shipping refunded", "fees", "duties", "tips"),
    *(words.CARDS_SOLD, words.CARDS_RETURNED, words.CARD_DISCOUNTS),
    *("refund adjustments", words.UNCOVERED, words.ROUNDED, words.CASH_ROUNDED, words.EXCHANGED),
)
PARTS = (StatementSection.SALES, StatementSection.TAX)
NAMES = ("Shopify", "mapping", "Xero")
NOTHING = Decimal("0.00")
TOGETHER, TOTAL = "together", "total"
OPENING, CLOSING = "owed before", "owed after"
KEY_ORDER = (words.INVOICES, words.CREDIT_NOTES, OPENING, CLOSING)
Columns = tuple[Decimal, Decimal, Decimal]


class StatementLine(BaseModel):
    """A line of three columns. Where categories share an account only Shopify knows them apart: the others are None."""

    model_config = ConfigDict(frozen=True)

    side: StatementSection
    what: str
    account: str
    shopify: Decimal
    mapping: Decimal | None = None
    xero: Decimal | None = None

    @property
    def difference(self) -> Decimal | None:
        """How far Xero is from Shopify."""
        return None if self.xero is None else self.xero - self.shopify


class ControlTotal(BaseModel):
    """What must add up in one column, spelled with its figures, and by how much it does not."""

    model_config = ConfigDict(frozen=True)

    column: str
    text: str
    agrees: bool
    off: Decimal = NOTHING


class Statement(BaseModel):
    """All movements of a day or a month in one currency. `broken` names orders with their arithmetic."""

    model_config = ConfigDict(frozen=True)

    currency: str
    lines: tuple[StatementLine, ...]
    identities: tuple[ControlTotal, ...]
    broken: tuple[UnbalancedOrder, ...]

    @property
    def agrees(self) -> bool:
        """Whether the three columns are equal on every line and every identity holds."""
        equal = all(line.shopify == line.mapping == line.xero for line in self.lines if line.xero is not None)
        return equal and all(identity.agrees for identity in self.identities) and not self.broken

    @property
    def largest_difference(self) -> Decimal:
        """The largest distance of two columns on a line, or by which an identity is off."""
        compared = [(line.shopify, line.mapping or NOTHING, line.xero) for line in self.lines if line.xero is not None]
        apart = [max(columns) - min(columns) for columns in compared]
        return max([*apart, *(abs(identity.off) for identity in self.identities)], default=NOTHING)


def build_statements(
    movements: Iterable[Movement], broken: Iterable[UnbalancedOrder], chart: AccountNames
) -> list[Statement]:
    """Return a statement for each currency, sorted by currency."""
    by_currency: dict[str, list[Movement]] = defaultdict(list)
    breaks: dict[str, list[UnbalancedOrder]] = defaultdict(list)
    for one in movements:
        by_currency[one.currency].append(one)
    for entry in broken:
        breaks[entry.currency].append(entry)
    return [
        Statement(
            currency=currency,
            lines=tuple(_lines(by_currency[currency], chart)),
            identities=tuple(_identities(by_currency[currency], chart)),
            broken=tuple(breaks[currency]),
        )
        for currency in sorted({*by_currency, *breaks})
    ]


def section_amounts(movements: Iterable[Movement]) -> Columns:
    """Return the three columns' sums."""
    found = [one.amounts for one in movements]
    first, second, third = (sum((each[place] for each in found), NOTHING) for place in range(3))
    return first, second, third


def format_sum(terms: Sequence[tuple[str, Decimal]]) -> str:
    """Spell a sum: `goods sold 100.00 - discounts 7.00 + GST 15 % 12.13`."""
    parts = [f"{name} {abs(amount):,.2f}" for name, amount in terms]
    signs = ["-" if amount < 0 else "+" for _, amount in terms]
    spelled = " ".join(f"{sign} {part}" for sign, part in zip(signs, parts, strict=True))
    return spelled.removeprefix("+ ") or "nothing"


def _lines(movements: Sequence[Movement], chart: AccountNames) -> list[StatementLine]:
    found: list[StatementLine] = []
    for side in StatementSection:
        keys: dict[str, list[Movement]] = defaultdict(list)
        for one in movements:
            if one.side is side:
                keys[one.key].append(one)
        for key in sorted(keys, key=lambda key: _rank(key, keys[key])):
            found += _key_lines(side, key, keys[key], chart)
        if len(keys) > 1 and side is not StatementSection.OUTSTANDING:
            found.append(_line(side, TOTAL, "", [one for several in keys.values() for one in several]))
    return found


def _key_lines(
    side: StatementSection, key: str, movements: Sequence[Movement], chart: AccountNames
) -> list[StatementLine]:
    """Return one line for an account of one category, or a line for each category and one for all together."""
    if side in {StatementSection.DOCUMENTS, StatementSection.OUTSTANDING}:
        return [_line(side, key, "", movements)]
    categories, account = _by_category(movements), chart.label(key)
    if len(categories) < 2:
        return [_line(side, next(iter(categories), "not in Shopify's ledger"), account, movements)]
    parts = [
        StatementLine(side=side, what=name, account=account, shopify=amount) for name, amount in categories.items()
    ]
    return [*parts, _line(side, TOGETHER, account, movements)]


def _line(side: StatementSection, what: str, account: str, movements: Iterable[Movement]) -> StatementLine:
    shopify, mapping, xero = section_amounts(movements)
    return StatementLine(side=side, what=what, account=account, shopify=shopify, mapping=mapping, xero=xero)


def _by_category(movements: Iterable[Movement]) -> dict[str, Decimal]:
    sums: dict[str, Decimal] = {}
    for one in sorted(movements, key=lambda one: (_place(one.category), one.category)):
        if one.category:
            sums[one.category] = sums.get(one.category, ZERO) + one.shopify
    return {name: amount for name, amount in sums.items() if amount}


def _rank(key: str, movements: Iterable[Movement]) -> tuple[int, str]:
    if key in KEY_ORDER:
        return KEY_ORDER.index(key), key
    return min((_place(one.category) for one in movements if one.category), default=len(ORDER) + 1), key


def _place(category: str) -> int:
    return ORDER.index(category) if category in ORDER else len(ORDER)


def _identities(movements: Sequence[Movement], chart: AccountNames) -> list[ControlTotal]:
    """Return, for each column, that lines and tax add up to the documents, and documents to money and what is owed."""
    documents = section_amounts(one for one in movements if one.side is StatementSection.DOCUMENTS)
    found = []
    for place, terms in enumerate(_terms(movements, chart)):
        parts = [(name, amount) for name, amount in terms if amount]
        found.append(_identity(NAMES[place], parts, [("documents", documents[place])]))
    return [*_joined(found), *_joined(_settled(movements, documents))]


def _joined(identities: Iterable[ControlTotal]) -> list[ControlTotal]:
    """Say once what holds in the same words for several columns."""
    columns: dict[str, list[ControlTotal]] = defaultdict(list)
    for identity in identities:
        columns[identity.text].append(identity)
    return [
        found[0].model_copy(update={"column": " and ".join(one.column for one in found)}) for found in columns.values()
    ]


def _settled(movements: Sequence[Movement], documents: Columns) -> list[ControlTotal]:
    """Return, for each column, that documents and what was owed before are either paid or still owed."""
    paid, refunded = (
        section_amounts(one for one in movements if one.side is side)
        for side in (StatementSection.PAYMENTS, StatementSection.REFUNDS)
    )
    before, after = (
        section_amounts(
            one for one in movements if one.side is StatementSection.OUTSTANDING and (one.key == OPENING) == is_opening
        )
        for is_opening in (True, False)
    )
    later = CLOSING if any(one.key == CLOSING for one in movements) else "outstanding"
    found = []
    for place, column in enumerate(NAMES):
        left = [("documents", documents[place])] + ([(OPENING, before[place])] if any(before) else [])
        right = [("payments", paid[place]), ("refunds", -refunded[place]), (later, after[place])]
        found.append(_identity(column, left, right))
    return found


def _identity(column: str, left: Sequence[tuple[str, Decimal]], right: Sequence[tuple[str, Decimal]]) -> ControlTotal:
    off = sum((amount for _, amount in left), ZERO) - sum((amount for _, amount in right), ZERO)
    gap = f" (off by {off:,.2f})" if off else ""
    return ControlTotal(column=column, text=f"{format_sum(left)} = {format_sum(right)}{gap}", agrees=not off, off=off)


def _terms(movements: Sequence[Movement], chart: AccountNames) -> tuple[list[tuple[str, Decimal]], ...]:
    """Return what the documents consist of: Shopify's by category, the other two by account and tax type."""
    parts = [one for one in movements if one.side in PARTS]
    categories: list[tuple[str, Decimal]] = []
    for side in PARTS:
        categories += _by_category(one for one in parts if one.side is side).items()
    keys = sorted({(PARTS.index(one.side), one.key) for one in parts})
    sums = {key: section_amounts(one for one in parts if (PARTS.index(one.side), one.key) == key) for key in keys}
    mapping, xero = ([(chart.label(key[1]), sums[key][place]) for key in keys] for place in (1, 2))
    return categories, mapping, xero
