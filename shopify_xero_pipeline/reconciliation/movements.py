"""What moved in an order's books, in three columns: what Shopify says, what we posted, what Xero reads back.

Only the shape, the sums and the comparison belong here. Where the columns come from stands in `shopify_movements.py`
and `xero_movements.py`; what an accountant is shown of them in `statements.py` and `months.py`.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from enum import StrEnum

from pydantic import BaseModel, ConfigDict

from shopify_xero_pipeline.books.policy import BooksPolicy
from shopify_xero_pipeline.reconciliation.rollup import sum_by
from shopify_xero_pipeline.xero.models import Organisation

ZERO = Decimal(0)
CENT = Decimal("0.01")
KEYS = ("posted", "currency", "side", "key", "category")
COLUMNS = ("shopify", "mapping", "xero")


class StatementSection(StrEnum):
    """What is compared with what, in the order in which it is shown.

    SALES: lines without their tax, by account. TAX: tax, by Xero's tax type or by its own account. DOCUMENTS: totals,
    invoices and credit notes apart. PAYMENTS and REFUNDS: money by account. OUTSTANDING: what is still owed on the
    orders, as of now; it has no posting day of its own and bears that of its orders.
    """

    SALES = "sales"
    TAX = "tax"
    DOCUMENTS = "documents"
    PAYMENTS = "payments"
    REFUNDS = "refunds"
    OUTSTANDING = "outstanding"


class Movement(BaseModel):
    """Amounts under one key on one posting day, in `currency`.

    `key` is what all columns share: an account code, a tax type, a kind of document. `category` is Shopify's own
    finer word (`goods sold`, `GST 15 %`, a gateway), empty for the other two columns. Credit notes count negative;
    payments and refunds are each positive.
    """

    model_config = ConfigDict(frozen=True)

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
        """Shopify, mapping, Xero."""
        return self.shopify, self.mapping, self.xero


class UnbalancedOrder(BaseModel):
    """Where one order's columns differ. `text` holds the arithmetic, without the order's name."""

    model_config = ConfigDict(frozen=True)

    order_id: str
    order_name: str
    posted: date
    currency: str
    text: str


@dataclass(frozen=True)
class AccountNames:
    """Names of accounts, and the accounts that hold tax lines: what stands on those is tax, not sales."""

    names: Mapping[str, str] = field(default_factory=dict)
    taxes: frozenset[str] = frozenset()

    def side(self, account: str) -> StatementSection:
        """Return whether a line on an account is tax or sales."""
        return StatementSection.TAX if account in self.taxes else StatementSection.SALES

    def label(self, key: str) -> str:
        """Return a key as people know it: `200 Sales`."""
        name = self.names.get(key, "")
        return f"{key} {name}" if name and name != key else key


def account_names(policy: BooksPolicy, organisation: Organisation | None) -> AccountNames:
    """Return the chart of accounts as far as movements need it; names only where Xero's settings are known."""
    accounts = organisation.accounts if organisation is not None else ()
    taxes = {policy.accounts.channel_tax, *(entry.account for entry in policy.tax.lines)}
    return AccountNames({account.code: account.name for account in accounts if account.code}, frozenset(taxes))


def sum_movements(movements: Iterable[Movement]) -> list[Movement]:
    """Return movements with everything of the same day, currency, side, key and category in one; zeros are left out."""
    rows = [{name: getattr(one, name) for name in (*KEYS, *COLUMNS)} for one in movements]
    if not rows:
        return []
    sums = sum_by(rows, KEYS, COLUMNS).to_dict("records")
    cents = [{**row, **{name: row[name].quantize(CENT) for name in COLUMNS}} for row in sums]
    return [Movement.model_validate(row) for row in cents if any(row[name] for name in COLUMNS)]


def differences(movements: Iterable[Movement], chart: AccountNames) -> list[tuple[date, str]]:
    """Return where one order's columns differ: posting day and arithmetic, in the order of the statement."""
    sides = list(StatementSection)
    found = sorted(_sums(movements).items(), key=lambda entry: (entry[0][0], sides.index(entry[0][1]), entry[0][2]))
    return [
        (posted, f"{describe_key(side, key, chart)} on {posted}: {describe_amounts(*amounts)}")
        for (posted, side, key), amounts in found
        if len(set(amounts)) > 1
    ]


def largest_difference(movements: Iterable[Movement]) -> Decimal:
    """Return how far apart two columns of one order are at most, on any day and under any key."""
    return max((max(amounts) - min(amounts) for amounts in _sums(movements).values()), default=ZERO)


def _sums(movements: Iterable[Movement]) -> dict[tuple[date, StatementSection, str], list[Decimal]]:
    """Return the three columns by posting day, side and key."""
    sums: dict[tuple[date, StatementSection, str], list[Decimal]] = defaultdict(lambda: [ZERO, ZERO, ZERO])
    for one in movements:
        for place, amount in enumerate(one.amounts):
            sums[one.posted, one.side, one.key][place] += amount
    return sums


def describe_key(side: StatementSection, key: str, chart: AccountNames) -> str:
    """Return what a sum is about, for people: `200 Sales`, `tax OUTPUT2`, `payments on 601 Shopify Payments`."""
    label = chart.label(key)
    if side in {StatementSection.PAYMENTS, StatementSection.REFUNDS}:
        return f"{side} on {label}"
    return f"tax {label}" if side is StatementSection.TAX else label


def describe_amounts(shopify: Decimal, mapping: Decimal, xero: Decimal) -> str:
    """Spell three amounts and how far Xero is from Shopify; the mapping only where it is not Shopify's figure too."""
    ours = "" if mapping == shopify else f"mapping {mapping:,.2f}, "
    return f"Shopify {shopify:,.2f}, {ours}Xero {xero:,.2f}, difference {xero - shopify:,.2f}"
