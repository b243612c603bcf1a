"""The elements of Xero's JSON, read by our names.

An element is a record in a response or in the mirror. This module is pure and the only reader of records: other modules
use its properties, so that the place of each field in Xero's JSON is defined once. The tables of names also serve
`serialization.py`, which writes. Xero's data is taken as it is: a field that is missing is None or empty.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any, NamedTuple, Self

from shopify_xero_pipeline.state.canonical import canonical_json, parse_exact_json
from shopify_xero_pipeline.state.privacy import CONTACT_FIELDS_RETAINED
from shopify_xero_pipeline.state.records import MirrorRecord
from shopify_xero_pipeline.xero import references
from shopify_xero_pipeline.xero.models import Kind

NAME = {
    Kind.CONTACT: "Contact",
    Kind.ITEM: "Item",
    Kind.INVOICE: "Invoice",
    Kind.CREDIT_NOTE: "CreditNote",
    Kind.PAYMENT: "Payment",
    Kind.ALLOCATION: "Allocation",
}
COLLECTION = {kind: f"{name}s" for kind, name in NAME.items()}
ID = {kind: f"{name}ID" for kind, name in NAME.items()}
KEY = {kind: f"{NAME[kind]}Number" for kind in (Kind.CONTACT, Kind.INVOICE, Kind.CREDIT_NOTE)} | {Kind.ITEM: "Code"}
"""The natural key of a kind; the key of Payments and Allocations has several parts."""

SALES_FIELDS: dict[Kind, tuple[str, set[str | None]]] = {
    Kind.INVOICE: ("Type", {"ACCREC"}),
    Kind.CREDIT_NOTE: ("Type", {"ACCRECCREDIT"}),
    Kind.PAYMENT: ("PaymentType", {"ACCRECPAYMENT", "ARCREDITPAYMENT", None}),
}
"""The field and the values that distinguish sales from purchases; other kinds have no such field."""

CONTACT_FIELDS = {"name": "Name", "first_name": "FirstName", "last_name": "LastName", "email": "EmailAddress"}
ADDRESS_FIELDS = {
    "line1": "AddressLine1",
    "line2": "AddressLine2",
    "city": "City",
    "region": "Region",
    "postal_code": "PostalCode",
    "country": "Country",
}
LINE_FIELDS = {
    "quantity": "Quantity",
    "unit_amount": "UnitAmount",
    "discount_amount": "DiscountAmount",
    "account_code": "AccountCode",
    "tax_type": "TaxType",
    "tax_amount": "TaxAmount",
    "item_code": "ItemCode",
}
STORED_CONTACT_FIELDS = frozenset({*CONTACT_FIELDS_RETAINED, *CONTACT_FIELDS.values(), "Phones", "Addresses"})
RESPONSE_STATUS = "StatusAttributeString"
"""Field of an element in a response to a write; the record itself does not have it."""

REMOVED_STATUSES = frozenset({"VOIDED", "DELETED"})
NO_ID = "00000000-0000-0000-0000-000000000000"  # of a refused create (docs/contracts/xero.md §3)
GUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
MILLISECONDS = re.compile(r"/Date\((-?\d+)")
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class ElementLine(NamedTuple):
    """A line of a document. `amount` is None for a line that is only a description."""

    account_code: str
    tax_type: str
    item_code: str
    amount: Decimal | None
    tax_amount: Decimal | None


@dataclass(frozen=True)
class Element:
    """A record in Xero's JSON, with its fields under Xero's names."""

    kind: Kind
    fields: Mapping[str, Any]

    @classmethod
    def from_row(cls, row: MirrorRecord) -> Self:
        """Return the element of a row of the mirror."""
        return cls(Kind(row.kind), parse_exact_json(row.payload))

    # -- identity ------------------------------------------------------------------------------------------------------

    @property
    def xero_id(self) -> str | None:
        """Xero's id, or None if it is missing or all zeros, as for a refused create."""
        text = self.text(ID[self.kind])
        return text if GUID.fullmatch(text) and text != NO_ID else None

    @property
    def natural_key(self) -> str:
        """The natural key; empty if the element has none."""
        if self.kind is Kind.PAYMENT:
            return references.payment_key(self.reference, self.document.natural_key)
        if self.kind is Kind.ALLOCATION:
            note, invoice = self._parent(Kind.CREDIT_NOTE), self._parent(Kind.INVOICE)
            return references.allocation_key(note.natural_key, invoice.natural_key, self.amount or Decimal(0))
        return self.text(KEY[self.kind])

    @property
    def correlation_key(self) -> str:
        """The key that matches an element of a request with its element in the response."""
        if self.kind is Kind.PAYMENT:
            return references.payment_key(self.reference, self.document.text(ID[self.document.kind]).lower())
        if self.kind is Kind.ALLOCATION:
            return self._parent(Kind.INVOICE).text(ID[Kind.INVOICE]).lower()
        return self.natural_key.casefold()

    @property
    def reference(self) -> str:
        """The Reference; empty if the element has none."""
        return self.text("Reference")

    @property
    def status(self) -> str:
        """The status; ACTIVE for Items, which have none."""
        return self.text("ContactStatus" if self.kind is Kind.CONTACT else "Status") or "ACTIVE"

    @property
    def is_sale(self) -> bool:
        """Whether the element belongs to sales; the mirror has no purchases."""
        field, accepted = SALES_FIELDS.get(self.kind, ("", {None}))
        return self.fields.get(field) in accepted

    @property
    def has_errors(self) -> bool:
        """Whether Xero refused the element."""
        flags = ("ValidationErrors", "HasErrors", "HasValidationErrors")
        return any(self.fields.get(flag) for flag in flags) or self.text(RESPONSE_STATUS) == "ERROR"

    # -- money and dates -----------------------------------------------------------------------------------------------

    @property
    def amount(self) -> Decimal | None:
        """The total of a document, or the amount of a Payment or Allocation."""
        return _decimal(self.fields.get("Total", self.fields.get("Amount")))

    @property
    def outstanding(self) -> Decimal | None:
        """The unpaid amount of an Invoice, or the remaining credit of a Credit Note."""
        return _decimal(self.fields.get("AmountDue", self.fields.get("RemainingCredit")))

    @property
    def currency(self) -> str:
        """The currency; a Payment has that of its document."""
        return self.document.text("CurrencyCode") or self.text("CurrencyCode")

    @property
    def date(self) -> date | None:
        """The calendar day of a document, a Payment or an Allocation."""
        return _read_day(self.fields, "Date")

    @property
    def updated_at(self) -> datetime:
        """The instant of the last change by Xero's clock."""
        return parse_instant(self.fields.get("UpdatedDateUTC")) or EPOCH

    # -- parts ---------------------------------------------------------------------------------------------------------

    @property
    def contact_id(self) -> str | None:
        """The Xero id of a document's Contact."""
        return self._nested("Contact").get(ID[Kind.CONTACT])

    @property
    def account_code(self) -> str | None:
        """The code of a Payment's account; an account may have only an id."""
        return self._nested("Account").get("Code") or None

    @property
    def account(self) -> str:
        """The code of a Payment's account, or else its id."""
        return str(self.account_code or self._nested("Account").get("AccountID") or "")

    @property
    def document(self) -> "Element":
        """The document of a Payment; a refund may name its Credit Note as Invoice (docs/contracts/xero.md §6.4)."""
        note = self._parent(Kind.CREDIT_NOTE)
        return note if note.text(ID[Kind.CREDIT_NOTE]) else self._parent(Kind.INVOICE)

    @property
    def is_refund(self) -> bool:
        """Whether a Payment gives money back."""
        document = self.document
        is_of_credit = document.kind is Kind.CREDIT_NOTE or document.text("Type") == "ACCRECCREDIT"
        return is_of_credit or self.text("PaymentType") == "ARCREDITPAYMENT"

    @property
    def lines(self) -> list[ElementLine]:
        """The lines of a document."""
        return [
            ElementLine(
                account_code=str(line.get("AccountCode") or ""),
                tax_type=str(line.get("TaxType") or ""),
                item_code=str(line.get("ItemCode") or ""),
                amount=_decimal(line.get("LineAmount")),
                tax_amount=_decimal(line.get("TaxAmount")),
            )
            for line in self.fields.get("LineItems") or ()
        ]

    @property
    def payments(self) -> "list[Element]":
        """The Payments in a document."""
        return [Element(Kind.PAYMENT, payment) for payment in self.fields.get("Payments") or ()]

    @property
    def allocations(self) -> "list[Element]":
        """The Allocations in a Credit Note, each with the id and number of its Credit Note."""
        names = (ID[Kind.CREDIT_NOTE], KEY[Kind.CREDIT_NOTE])
        parent = {"CreditNote": {name: self.fields.get(name) for name in names}}
        return [Element(Kind.ALLOCATION, {**fields, **parent}) for fields in self.fields.get("Allocations") or ()]

    @property
    def merged_into(self) -> str:
        """The Xero id of the Contact into which a person merged this one; empty without a merge."""
        return self.text("MergedToContactID")

    @property
    def is_tracked_or_unsold(self) -> bool:
        """Whether an Item cannot be on our documents."""
        return self.fields.get("IsTrackedAsInventory") is True or self.fields.get("IsSold") is False

    # -- whole elements ------------------------------------------------------------------------------------------------

    def content(self) -> dict[str, Any]:
        """Return the fields under our names, for a comparison with a record's content; an omitted field is None."""
        if self.kind is Kind.CONTACT:
            return self._contact_content()
        if self.kind is Kind.ITEM:
            names = {"name": self.fields.get("Name"), "description": self.fields.get("Description")}
            return names | {"unit_price": self._nested("SalesDetails").get("UnitPrice")}
        if self.kind is Kind.ALLOCATION:
            return {"date": self.date, "amount": self.fields.get("Amount")}
        if self.kind is Kind.PAYMENT:
            money = {"date": self.date, "amount": self.fields.get("Amount")}
            return money | {"account_code": self.account_code, "reference": self.fields.get("Reference")}
        return self._document_content()

    def text(self, name: str) -> str:
        """Return a field of Xero as text; empty if it is missing."""
        return str(self.fields.get(name) or "")

    def to_row(self, key: str | None = None) -> MirrorRecord:
        """Return the row of the mirror, with only the personal data that comparisons need.

        Allocations have no Reference in Xero; their row has the id of the Credit Note instead.

        Args:
            key: natural key, if the element of a response lacks a part of it.
        """
        is_allocation, is_contact = self.kind is Kind.ALLOCATION, self.kind is Kind.CONTACT
        note_id = self._parent(Kind.CREDIT_NOTE).text(ID[Kind.CREDIT_NOTE]) if is_allocation else ""
        contact_fields = {name: value for name, value in self.fields.items() if name in STORED_CONTACT_FIELDS}
        fields = {name: value for name, value in self.fields.items() if name != RESPONSE_STATUS}
        return MirrorRecord(
            kind=self.kind,
            xero_id=str(self.fields[ID[self.kind]]),
            natural_key=self.natural_key if key is None else key,
            reference=note_id or self.reference,
            status=self.status,
            updated_at=self.updated_at,
            payload=canonical_json(contact_fields if is_contact else _without_names(fields)),
        )

    def fingerprint(self) -> str:
        """Return the figures and the status for the evidence, without personal data."""
        names = ("Status", "ContactStatus", "Total", "TotalTax", "Amount", "UpdatedDateUTC")
        return canonical_json({name: self.fields[name] for name in names if name in self.fields})

    def _nested(self, name: str) -> Mapping[str, Any]:
        value = self.fields.get(name)
        return value if isinstance(value, Mapping) else {}

    def _parent(self, kind: Kind) -> "Element":
        return Element(kind, self._nested(NAME[kind]))

    def _contact_content(self) -> dict[str, Any]:
        content = {ours: self.fields.get(theirs) for ours, theirs in CONTACT_FIELDS.items()}
        for phone in self.fields.get("Phones") or ():
            if phone.get("PhoneType") == "DEFAULT":
                content["phone"] = phone.get("PhoneNumber")
        for address in self.fields.get("Addresses") or ():
            if address.get("AddressType") == "STREET":
                content["address"] = {ours: address.get(theirs) for ours, theirs in ADDRESS_FIELDS.items()}
        return content

    def _document_content(self) -> dict[str, Any]:
        lines = [
            # Xero omits an empty ItemCode; the value of another omitted part is unknown.
            {ours: line.get(theirs) for ours, theirs in LINE_FIELDS.items()} | {"item_code": line.get("ItemCode") or ""}
            for line in self.fields.get("LineItems") or ()
        ]
        return {
            "contact": self.contact_id,
            "number": self.fields.get("InvoiceNumber") or self.fields.get("CreditNoteNumber"),
            "reference": self.fields.get("Reference"),
            "date": self.date,
            "due_date": _read_day(self.fields, "DueDate"),
            "line_amount_types": self.fields.get("LineAmountTypes"),
            "currency": self.fields.get("CurrencyCode"),
            "total": self.fields.get("Total"),
            "total_tax": self.fields.get("TotalTax"),
            "lines": lines,
        }


def parse_instant(text: object) -> datetime | None:
    """Return the instant of `/Date(1789378199100+0000)/`, with or without offset, in UTC; None for any other value."""
    match = MILLISECONDS.match(str(text or ""))
    return EPOCH + timedelta(milliseconds=int(match[1])) if match else None


def parse_day(text: object) -> date | None:
    """Return a calendar day, which Xero gives as its midnight in UTC (docs/contracts/xero.md §8)."""
    instant = parse_instant(text)
    return instant.date() if instant else None


def _read_day(fields: Mapping[str, Any], name: str) -> date | None:
    """Return a calendar day, from its text or else from its midnight in UTC."""
    text = str(fields.get(f"{name}String") or "")
    return date.fromisoformat(text[:10]) if text else parse_day(fields.get(name))


def _decimal(value: object) -> Decimal | None:
    return None if value is None else Decimal(str(value))


def _without_names(content: Any) -> Any:
    """Return a document or its money with only the id of its Contact."""
    if isinstance(content, Mapping):
        contact = content.get("Contact")
        id_only = {"Contact": {ID[Kind.CONTACT]: contact.get(ID[Kind.CONTACT])}} if isinstance(contact, Mapping) else {}
        return id_only | {name: _without_names(value) for name, value in content.items() if name != "Contact"}
    return [_without_names(item) for item in content] if isinstance(content, list) else content
