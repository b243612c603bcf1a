"""The stored records of the sandbox's Xero, as plain structures that are saved as JSON.

This module contains no rules, no index and no wire format. Money is `Decimal`, document dates are calendar days,
`updated` is an aware UTC instant. Accounts, tax rates and the organisation are stored in Xero's own JSON form, so that
recorded ones load unchanged.
"""

import datetime as dt
from decimal import Decimal
from typing import Any

from msgspec import Struct, field

ZERO = Decimal("0.00")


class Contact(Struct):
    """A contact; `addresses` and `phones` contain the sent ones only, by type."""

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
    """An item; its two details contain `UnitPrice`, `AccountCode` and `TaxType` if they were sent."""

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
    """A document line; a line without `quantity` is a description only."""

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
        """AmountDue of an invoice, RemainingCredit of a credit note; zero once it is voided or deleted."""
        return ZERO if self.status in ("VOIDED", "DELETED") else self.total - self.paid - self.credited

    @property
    def is_touched(self) -> bool:
        """Whether the document has a payment or an allocation."""
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
    """Credit that a credit note allocates to an invoice."""

    id: str
    credit_note_id: str
    invoice_id: str
    amount: Decimal
    date: dt.date


class RefreshToken(Struct):
    """A refresh token; after its use it is valid for a grace period only."""

    client_id: str
    scopes: list[str]
    issued: dt.datetime
    used: dt.datetime | None = None


class Contents(Struct):
    """The content of an organisation, in the order of creation."""

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
