"""The records of Xero that this project writes, and the organisation's settings.

This module only has models. Records refer to each other by Shopify id (a document to its Contact, a Payment to its
document), because Xero assigns its ids after the plan; `serialization.py` builds Xero's JSON once the ids are known.
Money is `Decimal` in the document's currency. Dates are calendar days in the shop's time zone.
"""

from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from shopify_xero_pipeline.xero import references


class Kind(StrEnum):
    """The kinds of record that this project writes, in the order of writing."""

    CONTACT = "contact"
    ITEM = "item"
    INVOICE = "invoice"
    CREDIT_NOTE = "credit_note"
    PAYMENT = "payment"
    ALLOCATION = "allocation"


def kind_label(kind: str) -> str:
    """Return the name of a kind of record for people, such as `credit note`."""
    return kind.replace("_", " ")


class XeroRecord(BaseModel):
    """Base of all records, which are frozen and identified by kind and Shopify id."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    shopify_id: str

    @property
    def natural_key(self) -> str:
        """The key with which Xero or a read-back identifies the record.

        Raises:
            TypeError: the class of the record defines none.
        """
        raise TypeError(f"{type(self).__name__} has no natural key")

    def content(self) -> dict[str, object]:
        """Return the fields of the checksum as JSON values."""
        return self.model_dump(mode="json", exclude_none=True)


class PostalAddress(BaseModel):
    """A street address within Xero's field lengths (docs/contracts/xero.md §6.1)."""

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
    """An untracked Item. `shopify_id` is the variant id; no document takes its price from the Item."""

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
    """A document line, always with a `tax_amount`.

    `variant_id` identifies the Item of the line. `item_code` is its code: None until the document may be sent, empty if
    the line is sent without a code (`loading/parent_ids.py`).
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
        """Quantity times unit amount, less the discount; with tax if `line_amount_types` is Inclusive."""
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
        """Return the fields of the checksum; a line has its code as sent, which no plan knows, but no variant id."""
        return self.model_dump(mode="json", exclude_none=True, exclude={"lines": {"__all__": {"variant_id"}}})


class Invoice(Document):
    """A sales invoice (ACCREC), created as AUTHORISED."""

    kind: Literal[Kind.INVOICE] = Kind.INVOICE
    due_date: date
    url: str | None = None


class CreditNote(Document):
    """A sales credit note (ACCRECCREDIT), created as AUTHORISED; Xero allows no discounts on it."""

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
        """Reference and document number; the journal, not Xero, enforces that they are unique."""
        return references.payment_key(self.reference, self.document_number)


class Allocation(XeroRecord):
    """An Allocation of a Credit Note to an Invoice. `shopify_id` is `<credit note number>/<invoice number>/<amount>`.

    Xero cannot update an Allocation: another amount is a new Allocation that replaces the old one.
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
        """Credit Note number, Invoice number and amount."""
        return references.allocation_key(self.credit_note_number, self.invoice_number, self.amount)


AnyRecord = Annotated[Contact | Item | Invoice | CreditNote | Payment | Allocation, Field(discriminator="kind")]
RECORD: TypeAdapter[AnyRecord] = TypeAdapter(AnyRecord, config={"hide_input_in_errors": True})
"""The parser of a stored record."""


class Account(BaseModel):
    """An account in the chart of accounts.

    `account_class` is ASSET, EQUITY, EXPENSE, LIABILITY or REVENUE. `system_account` is Xero's own use of the account
    (DEBTORS, GST, ROUNDING ...), None for all others.
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
    """A component of a tax rate, `rate` in per cent; a compound one applies to the price and the other components."""

    model_config = ConfigDict(frozen=True)

    name: str
    rate: Decimal
    is_compound: bool


class TaxRate(BaseModel):
    """A tax rate. `effective_rate` is in per cent; `applies_to` has the account classes that may use the rate."""

    model_config = ConfigDict(frozen=True)

    tax_type: str
    name: str
    status: str
    effective_rate: Decimal
    applies_to: frozenset[str]
    components: tuple[TaxComponent, ...] = ()

    def is_of(self, rates: Sequence[Decimal]) -> bool:
        """Return whether taxes equal this rate by their sum or component by component.

        The components matter if one is compound: GST 5 % and QST 9.975 % on top of it are 15.47375 % in Xero, and two
        taxes of 5 and 9.975 % in Shopify.

        Args:
            rates: the taxes of a line in Shopify, in per cent.
        """
        components = sorted(component.rate for component in self.components)
        return sum(rates, Decimal(0)) == self.effective_rate or sorted(rates) == components


class Organisation(BaseModel):
    """The settings of an organisation. Lock dates are calendar days; the later one counts."""

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
