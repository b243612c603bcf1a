"""Movements, amounts of an order's books in three columns: Shopify's ledger, the mapping and Xero's read-back.

This module only has the model, the sums and the comparison. The columns are read in `shopify_movements.py` and
`xero_movements.py`. The statements are in `statements.py` and `months.py`.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from enum import StrEnum

from pydantic import BaseModel, ConfigDict

from shopify_xero_pipeline.books.policy import BooksPolicy
from shopify_xero_pipeline.reconciliation.rollup import group_by, sum_by
from shopify_xero_pipeline.xero.models import Organisation

ZERO = Decimal(0)
CENT = Decimal("0.01")
KEY_COLUMNS = ("posted", "currency", "side", "key", "category")
AMOUNT_COLUMNS = ("shopify", "mapping", "xero")


class FrozenModel(BaseModel):
    """A model whose fields cannot be changed, the base of the models of this room."""

    model_config = ConfigDict(frozen=True)


class StatementSection(StrEnum):
    """The sections of a statement, in their order on the page.

    SALES: lines without their tax, by account. TAX: tax, by Xero's tax type or by its own account. DOCUMENTS: totals of
    Invoices and of Credit Notes. PAYMENTS and REFUNDS: money by account. OUTSTANDING: the outstanding amount of the
    orders at the time of the comparison, on the day of the order.
    """

    SALES = "sales"
    TAX = "tax"
    DOCUMENTS = "documents"
    PAYMENTS = "payments"
    REFUNDS = "refunds"
    OUTSTANDING = "outstanding"


class Movement(FrozenModel):
    """Amounts under one key on one posting date, in `currency`.

    Credit Notes count negative. Payments and refunds are both positive.

    Attributes:
        key: the key that all columns share: an account code, a tax type, or a kind of document.
        category: Shopify's finer term, such as `goods sold`, `GST 15 %` or a gateway; empty for the other two columns.
    """

    posted: date
    currency: str
    side: StatementSection
    key: str
    category: str = ""
    shopify: Decimal = ZERO
    mapping: Decimal = ZERO
    xero: Decimal = ZERO

    @property
    def amounts(self) -> tuple[Decimal, Decimal, Decimal]:
        """The amounts of Shopify, the mapping and Xero, in this order."""
        return self.shopify, self.mapping, self.xero


class UnbalancedOrder(FrozenModel):
    """A difference between the columns of an order. `text` is the arithmetic without the order's name."""

    order_id: str
    order_name: str
    posted: date
    currency: str
    text: str


@dataclass(frozen=True)
class AccountNames:
    """The names of accounts, and the accounts for tax lines: a line on one of these is tax, not sales."""

    names: Mapping[str, str] = field(default_factory=dict)
    taxes: frozenset[str] = frozenset()

    def side(self, account: str) -> StatementSection:
        """Return the section of a line on an account: tax or sales."""
        return StatementSection.TAX if account in self.taxes else StatementSection.SALES

    def label(self, key: str) -> str:
        """Return an account's code and name, such as `200 Sales`."""
        name = self.names.get(key, "")
        return f"{key} {name}" if name and name != key else key


def account_names(policy: BooksPolicy, organisation: Organisation | None) -> AccountNames:
    """Return the account names of an organisation. Without Xero's settings there are codes only."""
    accounts = organisation.accounts if organisation is not None else ()
    taxes = {policy.accounts.channel_tax, *(entry.account for entry in policy.tax.lines)}
    return AccountNames({account.code: account.name for account in accounts if account.code}, frozenset(taxes))


def sum_movements(movements: Iterable[Movement]) -> list[Movement]:
    """Return one movement per date, currency, section, key and category, rounded to cents, without zero rows.

    Args:
        movements: movements of any orders and days.
    """
    rows = [{name: getattr(movement, name) for name in (*KEY_COLUMNS, *AMOUNT_COLUMNS)} for movement in movements]
    if not rows:
        return []
    sums = sum_by(rows, KEY_COLUMNS, AMOUNT_COLUMNS).to_dict("records")
    rounded = [{**row, **{name: row[name].quantize(CENT) for name in AMOUNT_COLUMNS}} for row in sums]
    return [Movement.model_validate(row) for row in rounded if any(row[name] for name in AMOUNT_COLUMNS)]


def differences(movements: Iterable[Movement], names: AccountNames) -> list[tuple[date, str]]:
    """Return the differences between the columns of one order, as date and arithmetic, in the order of the statement.

    The arithmetic omits the mapping if it equals Shopify's amount.

    Args:
        movements: the movements of one order.
        names: account names for the sentences.
    """
    sections = list(StatementSection)
    sums = sorted(_sums(movements).items(), key=lambda entry: (entry[0][0], sections.index(entry[0][1]), entry[0][2]))
    texts = []
    for (posted, side, key), (shopify, mapping, xero) in sums:
        if not shopify == mapping == xero:
            ours = "" if mapping == shopify else f"mapping {mapping:,.2f}, "
            amounts = f"Shopify {shopify:,.2f}, {ours}Xero {xero:,.2f}, difference {xero - shopify:,.2f}"
            texts.append((posted, f"{_describe_key(side, key, names)} on {posted}: {amounts}"))
    return texts


def largest_difference(movements: Iterable[Movement]) -> Decimal:
    """Return the largest distance of two columns of one order over all dates and keys.

    Args:
        movements: the movements of one order, in one currency.
    """
    return max((max(amounts) - min(amounts) for amounts in _sums(movements).values()), default=ZERO)


def _sums(movements: Iterable[Movement]) -> dict[tuple[date, StatementSection, str], list[Decimal]]:
    """Return the three columns by posting date, section and key."""
    groups = group_by(((movement.posted, movement.side, movement.key), movement.amounts) for movement in movements)
    return {key: [sum(column, ZERO) for column in zip(*rows, strict=True)] for key, rows in groups.items()}


def _describe_key(side: StatementSection, key: str, names: AccountNames) -> str:
    """Return the label of a sum, such as `200 Sales`, `tax OUTPUT2` or `payments on 601 Shopify Payments`."""
    label = names.label(key)
    if side in {StatementSection.PAYMENTS, StatementSection.REFUNDS}:
        return f"{side} on {label}"
    return f"tax {label}" if side is StatementSection.TAX else label
