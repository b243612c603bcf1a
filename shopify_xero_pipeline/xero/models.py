"""What Xero holds, as we want it: Contact, Item, Invoice, Credit Note, Payment, Allocation, and the settings.

Only shapes belong here. Records name each other by Shopify id (a document its Contact, a Payment its document), because
a plan is made before Xero has given any id; `serialization.py` turns them into Xero's own JSON once the ids are known.
Money is `Decimal` in the document's currency; dates are calendar days in the shop's zone.
"""

from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field


class Kind(StrEnum):
    """The kinds of record this project writes, in the order they are written."""

    CONTACT = "contact"
    ITEM = "item"
    INVOICE = "invoice"
    CREDIT_NOTE = "credit_note"
    PAYMENT = "payment"
    ALLOCATION = "allocation"


class XeroRecord(BaseModel):
    """Base of all records: frozen, and known by its Shopify id within its kind."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    shopify_id: str

    @property
    def natural_key(self) -> str:
        """The key under which Xero, or we when reading back, can find the record again."""
        raise TypeError(f"{type(self).__name__} has no natural key")

    def content(self) -> dict[str, object]:
        """Return what the checksum covers: everything but references that never change the money."""
        return self.model_dump(mode="json", exclude_none=True)


class PostalAddress(BaseModel):
    """A street address within Xero's lengths (docs/contracts/xero.md §6.1)."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    line1: str | None = None
    line2: str | None = None
    city: str | None = None
    region: str | None = None
    postal_code: str | None = None
    country: str | None = None


class Contact(XeroRecord):
    """A Contact. `shopify_id` is `<customer id>`, `company:<id>` or `guest`; `contact_number` is in `references.py`."""

    kind: Literal[Kind.CONTACT] = Kind.CONTACT
    contact_number: str
    name: str
    first_name: str | None = None
    last_name: str | None = None
    email: str | None = None
    phone: str | None = None
    address: PostalAddress | None = None

    @property
    def natural_key(self) -> str:
        """ContactNumber, unique in Xero and writable by the API only."""
        return self.contact_number


class Item(XeroRecord):
    """An untracked Item. `shopify_id` is the variant's id; the price informs and never drives a document."""

    kind: Literal[Kind.ITEM] = Kind.ITEM
    code: str
    name: str
    description: str | None = None
    unit_price: Decimal | None = None

    @property
    def natural_key(self) -> str:
        """Code, unique in Xero."""
        return self.code


class Line(BaseModel):
    """A document line. `tax_amount` is always given.

    `variant_id` names the Item that the line is of. `item_code` is that Item's code, known once the document may be
    sent; empty where the line is sent without one because Xero has refused the Item for good.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    description: str
    quantity: Decimal
    unit_amount: Decimal
    discount_amount: Decimal | None = None
    account_code: str
    tax_type: str
    tax_amount: Decimal
    variant_id: str | None = None
    item_code: str | None = None

    @property
    def amount(self) -> Decimal:
        """Quantity x unit less discount; includes tax when the document's amounts are Inclusive."""
        return self.quantity * self.unit_amount - (self.discount_amount or Decimal(0))


class Document(XeroRecord):
    """An Invoice or Credit Note. `shopify_id` is `<order id>/<agreement id>` or `<order id>/<letter><transaction>`."""

    number: str
    reference: str
    order_id: str
    order_name: str
    contact_id: str
    date: date
    line_amount_types: Literal["Exclusive", "Inclusive", "NoTax"]
    lines: tuple[Line, ...]
    currency: str
    total: Decimal
    total_tax: Decimal

    @property
    def natural_key(self) -> str:
        """InvoiceNumber or CreditNoteNumber."""
        return self.number

    def content(self) -> dict[str, object]:
        """Return the fingerprint; of a line's Item only the code it was sent with, which no plan knows yet."""
        return self.model_dump(mode="json", exclude_none=True, exclude={"lines": {"__all__": {"variant_id"}}})


class Invoice(Document):
    """An ACCREC invoice, created AUTHORISED."""

    kind: Literal[Kind.INVOICE] = Kind.INVOICE
    due_date: date
    url: str | None = None


class CreditNote(Document):
    """An ACCRECCREDIT credit note, created AUTHORISED; Xero allows no discounts on it."""

    kind: Literal[Kind.CREDIT_NOTE] = Kind.CREDIT_NOTE


class Payment(XeroRecord):
    """A Payment of an Invoice, or a refund of a Credit Note. `shopify_id` is `<transaction id>/<document number>`."""

    kind: Literal[Kind.PAYMENT] = Kind.PAYMENT
    order_id: str
    order_name: str
    document_kind: Literal[Kind.INVOICE, Kind.CREDIT_NOTE]
    document_id: str
    document_number: str
    account_code: str
    date: date
    amount: Decimal
    currency: str
    gateway: str
    reference: str

    @property
    def natural_key(self) -> str:
        """Reference and document number together; Xero enforces neither, so the journal does."""
        return f"{self.reference}|{self.document_number}"


class Allocation(XeroRecord):
    """Credit set against an Invoice. `shopify_id` is `<credit note number>/<invoice number>/<amount>`.

    Xero cannot change an Allocation: one of another amount is another Allocation, and takes the first one's place.
    """

    kind: Literal[Kind.ALLOCATION] = Kind.ALLOCATION
    order_id: str
    order_name: str
    credit_note_id: str
    credit_note_number: str
    invoice_id: str
    invoice_number: str
    amount: Decimal
    date: date
    currency: str

    @property
    def natural_key(self) -> str:
        """The two numbers and the amount."""
        return f"{self.credit_note_number}|{self.invoice_number}|{self.amount.normalize():f}"


AnyRecord = Annotated[Contact | Item | Invoice | CreditNote | Payment | Allocation, Field(discriminator="kind")]


class Account(BaseModel):
    """An account of the chart. `account_class` ASSET, EQUITY, EXPENSE, LIABILITY, REVENUE.

    `system_account` is what Xero itself uses it for (DEBTORS, GST, ROUNDING ...), None for all others.
    """

    model_config = ConfigDict(frozen=True)

    code: str | None
    name: str
    type: str
    account_class: str
    status: str
    enable_payments: bool
    currency: str | None = None
    system_account: str | None = None


class TaxComponent(BaseModel):
    """A part of a tax rate, `rate` in per cent; a compound one is charged on the price and the other parts together."""

    model_config = ConfigDict(frozen=True)

    name: str
    rate: Decimal
    is_compound: bool


class TaxRate(BaseModel):
    """A tax rate. `effective_rate` in per cent; `applies_to` the account classes it may be used with."""

    model_config = ConfigDict(frozen=True)

    tax_type: str
    name: str
    status: str
    effective_rate: Decimal
    applies_to: frozenset[str]
    components: tuple[TaxComponent, ...] = ()

    def is_of(self, rates: Sequence[Decimal]) -> bool:
        """Return whether these taxes, in per cent, are the whole of this rate: as their sum, or one by one.

        One by one matters where a part is compound: GST 5 % and QST 9.975 % on top of it are 15.47375 % in Xero, and
        two taxes of 5 and 9.975 % in Shopify.
        """
        parts = sorted(component.rate for component in self.components)
        return sum(rates, Decimal(0)) == self.effective_rate or sorted(rates) == parts


class Organisation(BaseModel):
    """The settings that decide what may be posted. Lock dates are calendar days; the later one counts."""

    model_config = ConfigDict(frozen=True)

    name: str
    short_code: str | None = None
    base_currency: str
    currencies: frozenset[str]
    period_lock_date: date | None = None
    end_of_year_lock_date: date | None = None
    accounts: tuple[Account, ...]
    tax_rates: tuple[TaxRate, ...]

    @property
    def locked_until(self) -> date | None:
        """The last locked day, or None."""
        return max(filter(None, (self.period_lock_date, self.end_of_year_lock_date)), default=None)
