"""What the sandbox's Xero keeps about each record, as plain structures that survive a restart as JSON.

Only stored facts belong here: no rule, no index, no wire format. Money is `Decimal`, document dates are calendar
days, `updated` is an aware UTC instant. Accounts, tax rates and the organisation are kept in Xero's own JSON shape
instead, so that recorded ones can be loaded as they are.
"""

import datetime as dt
from decimal import Decimal
from typing import Any

from msgspec import Struct, field

ZERO = Decimal("0.00")


class Contact(Struct):
    """A contact; `addresses` and `phones` hold only what was sent, by type."""

    id: str
    updated: dt.datetime
    name: str = ""
    number: str = ""
    account_number: str = ""
    status: str = "ACTIVE"
    texts: dict[str, str] = {}
    addresses: dict[str, dict[str, str]] = {}
    phones: dict[str, dict[str, str]] = {}
    persons: list[dict[str, Any]] = []
    is_customer: bool = False
    merged_into: str = ""


class Item(Struct):
    """An item; the two details hold `UnitPrice`, `AccountCode` and `TaxType` where given."""

    id: str
    updated: dt.datetime
    code: str
    name: str = ""
    description: str = ""
    purchase_description: str = ""
    is_sold: bool = True
    is_purchased: bool = True
    is_tracked: bool = False
    sales_price: Decimal | None = None
    sales_texts: dict[str, str] = {}
    purchase_price: Decimal | None = None
    purchase_texts: dict[str, str] = {}


class Line(Struct):
    """A document line; one without `quantity` is a description only."""

    id: str
    description: str = ""
    quantity: Decimal | None = None
    unit_amount: Decimal = ZERO
    line_amount: Decimal = ZERO
    tax_type: str = ""
    tax_amount: Decimal = ZERO
    account_code: str = ""
    item_code: str = ""
    discount_rate: Decimal | None = None
    discount_amount: Decimal | None = None
    tracking: list[dict[str, Any]] = []


class Document(Struct):
    """An invoice (`ACCREC`) or a credit note (`ACCRECCREDIT`); `paid`, `credited` follow payments and allocations."""

    id: str
    updated: dt.datetime
    type: str
    number: str
    contact_id: str
    date: dt.date
    due_date: dt.date | None
    status: str
    line_amount_types: str
    currency: str
    lines: list[Line] = []
    reference: str = ""
    url: str = ""
    branding_theme_id: str = ""
    currency_rate: Decimal = Decimal("1.0")
    sent_to_contact: bool = False
    sub_total: Decimal = ZERO
    total_tax: Decimal = ZERO
    total: Decimal = ZERO
    paid: Decimal = ZERO
    credited: Decimal = ZERO
    fully_paid_on: dt.date | None = None

    @property
    def is_credit_note(self) -> bool:
        """Whether this is a credit note."""
        return self.type == "ACCRECCREDIT"

    @property
    def outstanding(self) -> Decimal:
        """AmountDue of an invoice, RemainingCredit of a credit note; nothing once voided or deleted."""
        return ZERO if self.status in ("VOIDED", "DELETED") else self.total - self.paid - self.credited

    @property
    def is_touched(self) -> bool:
        """Whether a payment or an allocation stands on it."""
        return bool(self.paid or self.credited)


class Payment(Struct):
    """A payment of an invoice or a refund of a credit note."""

    id: str
    updated: dt.datetime
    document_id: str
    account_id: str
    date: dt.date
    amount: Decimal
    reference: str = ""
    currency_rate: Decimal = Decimal("1.0")
    status: str = "AUTHORISED"


class Allocation(Struct):
    """Credit set against an invoice."""

    id: str
    credit_note_id: str
    invoice_id: str
    amount: Decimal
    date: dt.date


class RefreshToken(Struct):
    """A refresh token; once used it is good for a grace period only."""

    client_id: str
    scopes: list[str]
    issued: dt.datetime
    used: dt.datetime | None = None


class Contents(Struct):
    """Everything an organisation holds, in the order it came."""

    tenant_id: str
    organisation: dict[str, Any]
    accounts: list[dict[str, Any]]
    tax_rates: list[dict[str, Any]]
    currencies: list[dict[str, Any]]
    contacts: list[Contact] = []
    items: list[Item] = []
    documents: list[Document] = []
    payments: list[Payment] = []
    allocations: list[Allocation] = []
    history: dict[str, list[dict[str, Any]]] = {}
    refresh_tokens: dict[str, RefreshToken] = {}
    counters: dict[str, int] = field(default_factory=dict)
