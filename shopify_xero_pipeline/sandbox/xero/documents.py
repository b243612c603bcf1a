"""Invoices and Credit Notes: the rules of creating, changing, voiding and deleting them (B16 to B18, B20 to B24).

The arithmetic of lines is in `lines.py`, the form of responses in `document_views.py`, money in `payments.py` and
`allocations.py`. The sandbox supports sales documents only: ACCREC and ACCRECCREDIT.
"""

from dataclasses import dataclass
from datetime import date
from typing import Any
from urllib.parse import urlsplit

from msgspec.structs import replace

from shopify_xero_pipeline.sandbox.xero.answers import ZERO_GUID, Rejected
from shopify_xero_pipeline.sandbox.xero.api_context import ApiContext
from shopify_xero_pipeline.sandbox.xero.contacts import ARCHIVED_FOR_DOCUMENT, Contacts
from shopify_xero_pipeline.sandbox.xero.lines import LineBook, totals
from shopify_xero_pipeline.sandbox.xero.records import Contact, Document
from shopify_xero_pipeline.sandbox.xero.wire import Json, flag_of, read_day, read_number, text_of

_OPEN = ("DRAFT", "SUBMITTED")
_STRICT = ("SUBMITTED", "AUTHORISED")
_FINAL = ("VOIDED", "DELETED")
NOT_VALID_FOR_CHANGE = "Invoice not of valid status for modification"
TOUCHED = "This document cannot be edited as it has a payment or credit note allocated to it."
_NO_CONTACT = "A Contact must be specified for this type of transaction"


@dataclass(frozen=True)
class Family:
    """The names that differ between invoices and credit notes."""

    type: str
    noun: str
    id_field: str
    number_field: str
    sequence: str
    not_unique: str
    not_found: str
    has_due_date: bool


INVOICE = Family(
    "ACCREC",
    "Invoice",
    "InvoiceID",
    "InvoiceNumber",
    "INV-",
    "Invoice # must be unique.",
    "An existing Invoice with the specified InvoiceID could not be found",
    has_due_date=True,
)
CREDIT_NOTE = Family(
    "ACCRECCREDIT",
    "Credit Note",
    "CreditNoteID",
    "CreditNoteNumber",
    "CN-",
    "Credit Note # must be unique.",
    "An existing Credit Note with the specified CreditNoteID could not be found",
    has_due_date=False,
)


class Documents:
    """The rules of one family of documents in the organisation's books."""

    def __init__(self, context: ApiContext, family: Family, decimals: int) -> None:
        self._context = context
        self._books = context.books
        self._family = family
        self._decimals = decimals
        self._contacts = Contacts(context)

    def create(self, sent: Json) -> Document:
        """Create a document (PUT); a number in use is refused, also of a voided or deleted document.

        Raises:
            Rejected: the document is invalid.
        """
        number = text_of(sent, self._family.number_field)
        if number and self._books.document_numbered(self._family.type, number):
            raise Rejected(self._family.not_unique)
        if (sent.get("Status") or "DRAFT") not in ("DRAFT", "SUBMITTED", "AUTHORISED"):
            raise Rejected(f"{self._family.noun} not of valid status for creation")
        if sent.get("Type") != self._family.type:
            raise Rejected(f"Type must be {self._family.type}.")
        blank = Document(
            id=self._books.new_id(),
            updated=self._context.now(),
            type=self._family.type,
            number=number or "",
            contact_id="",
            date=self._context.today(),
            due_date=None,
            status="DRAFT",
            line_amount_types="Exclusive",
            currency=self._books.base_currency,
        )
        return self._save(blank, sent, ZERO_GUID)

    def upsert(self, sent: Json) -> Document:
        """Update the document that matches by id or by number, without a warning, or create one (POST).

        Raises:
            Rejected: the document is invalid.
        """
        known = self.find(sent)
        if known is None and sent.get(self._family.id_field):
            raise Rejected(self._family.not_found)
        return self.create(sent) if known is None else self._change(known, sent)

    def find(self, sent: Json) -> Document | None:
        """Return the document with the sent id or, without an id, with the sent number."""
        document_id, number = text_of(sent, self._family.id_field), text_of(sent, self._family.number_field)
        if document_id:
            document = self._books.documents.get(document_id.lower())
            return document if document and document.type == self._family.type else None
        return self._books.document_numbered(self._family.type, number) if number else None

    def warnings(self, sent: Json, document: Document) -> tuple[str, ...]:
        """Return Xero's warnings for a document that it accepts."""
        ignored = sent.get("SentToContact") and document.status in _OPEN
        return ("Only AUTHORISED invoices may have SentToContact updated.",) if ignored else ()

    def _change(self, known: Document, sent: Json) -> Document:
        self._check_status(known, sent)
        status = text_of(sent, "Status") or known.status
        if status in _FINAL:
            return self._end(known, status)
        changed = replace(known, updated=self._context.now(), lines=list(known.lines))
        return self._save(changed, sent, known.id, before=known)

    def _check_status(self, known: Document, sent: Json) -> None:
        """Refuse a change of status that Xero does not allow (docs/contracts/xero.md §6.3)."""
        status = text_of(sent, "Status") or known.status
        if known.is_touched and status != known.status:
            reason = "it has payments or credit notes allocated to it."
            if status == "AUTHORISED":
                reason = "it has payment or Credit notes allocated to it."
            noun = self._family.noun.lower()
            raise Rejected(f"The status {status} cannot be applied to the {noun} because {reason}", record_id=known.id)
        allowed = {
            "DRAFT": ("DRAFT", "SUBMITTED", "AUTHORISED", "DELETED"),
            "SUBMITTED": ("DRAFT", "SUBMITTED", "AUTHORISED", "DELETED"),
            "AUTHORISED": ("AUTHORISED", "VOIDED"),
            "PAID": ("PAID", "AUTHORISED", "VOIDED"),
        }
        if status not in allowed.get(known.status, ()):
            raise Rejected(NOT_VALID_FOR_CHANGE, record_id=known.id)

    def _end(self, known: Document, status: str) -> Document:
        """Void or delete a document, which is final."""
        errors = self._context.lock_date_errors(known.date) if status == "VOIDED" else []
        if errors:
            raise Rejected(*errors, record_id=known.id)
        known.status, known.updated = status, self._context.now()
        self._books.keep_document(known)
        return known

    def _save(self, document: Document, sent: Json, record_id: str, before: Document | None = None) -> Document:
        """Apply the sent fields to a document, validate it, and store it if it is valid."""
        errors: list[str] = []
        number = text_of(sent, self._family.number_field) or document.number
        if before and number.casefold() != before.number.casefold():
            duplicate = self._books.document_numbered(self._family.type, number)
            errors += [self._family.not_unique] if duplicate else []
        document.number = number
        self._set_head(document, sent, errors)
        contact = self._contact(document, sent, errors)
        self._set_lines(document, sent, before, errors)
        errors += self._validate(document, before)
        if errors:
            raise Rejected(*errors, record_id=record_id)
        if contact:
            self._attach(document, contact)
        document.number = document.number or self._next_number()
        settle(document, document.date)
        self._books.keep_document(document)
        return document

    def _set_head(self, document: Document, sent: Json, errors: list[str]) -> None:
        for name, attribute in _HEAD.items():
            if text_of(sent, name) is not None:
                setattr(document, attribute, text_of(sent, name))
        for name, attribute in (("Date", "date"), ("DueDate", "due_date")):
            if sent.get(name) is not None and (name == "Date" or self._family.has_due_date):
                day = read_day(sent[name])
                if day is None:
                    errors.append(f"{name} must be a date.")
                else:
                    setattr(document, attribute, day)
        rates = self._context.options.currency_rates
        if sent.get("CurrencyRate") is not None:
            document.currency_rate = read_number(sent["CurrencyRate"]) or document.currency_rate
        elif document.currency != self._books.base_currency and document.currency_rate == 1:
            document.currency_rate = rates.get(document.currency, document.currency_rate)
        if document.status not in _OPEN:
            document.sent_to_contact = flag_of(sent, "SentToContact", document.sent_to_contact)

    def _contact(self, document: Document, sent: Json, errors: list[str]) -> Contact | None:
        """Return the contact to store with the document: new for an unknown name, changed if fields were sent."""
        fields = sent.get("Contact")
        if not fields:
            if not document.contact_id:
                errors.append(_NO_CONTACT)
            return None
        known = self._contacts.find(fields)
        if known is None and (fields.get("ContactID") or not fields.get("Name")):
            errors.append("The specified contact could not be found" if fields.get("ContactID") else _NO_CONTACT)
            return None
        if known and known.status == "ARCHIVED":
            errors.append(ARCHIVED_FOR_DOCUMENT)
            return None
        if known and not fields.keys() - {"ContactID"}:
            return known
        return self._contact_from_fields(fields, known, errors)

    def _contact_from_fields(self, fields: Json, known: Contact | None, errors: list[str]) -> Contact | None:
        """Return the contact with the sent fields; more than a ContactID updates it and removes its persons.

        Source: docs/contracts/xero.md §6.1.
        """
        try:
            draft = self._contacts.draft(fields, known)
        except Rejected as rejected:
            errors.extend(rejected.messages)
            return None
        draft.persons = []
        return draft

    def _attach(self, document: Document, contact: Contact) -> None:
        """Link the document with its contact, a customer from then on, without a change of UpdatedDateUTC."""
        document.contact_id = contact.id
        contact.is_customer = contact.is_customer or document.status not in ("DRAFT", "DELETED")
        self._books.keep_contact(contact)

    def _set_lines(self, document: Document, sent: Json, before: Document | None, errors: list[str]) -> None:
        """Replace all lines if any are sent; a line without a known LineItemID is new (B23)."""
        same_amounts = before is None or before.line_amount_types == document.line_amount_types
        same_status = before is None or before.status == document.status
        if sent.get("LineItems") is None and same_amounts and same_status:
            return
        book = LineBook(
            context=self._context,
            amounts=document.line_amount_types,
            decimals=self._decimals,
            strict=document.status in (*_STRICT, "PAID"),
            discounts=not document.is_credit_note,
            keeps_tax=same_amounts,
            errors=errors,
        )
        old_lines = {line.id: line for line in document.lines}
        sent_lines = sent.get("LineItems")
        sent_lines = [{"LineItemID": line_id} for line_id in old_lines] if sent_lines is None else sent_lines
        document.lines = [
            book.read(line, old_lines.get(str(line.get("LineItemID") or "").lower())) for line in sent_lines
        ]
        totals(document)

    def _validate(self, document: Document, before: Document | None) -> list[str]:
        errors = self._form_errors(document)
        if not document.lines:
            errors.append("One or more line items must be specified")
        if document.total < 0:
            errors.append("The Total for this document must be greater than or equal to zero.")
        if document.status in _STRICT and self._family.has_due_date and document.due_date is None:
            errors.append("The document DueDate field must be specified")
        if document.status in (*_STRICT, "PAID"):
            days = {document.date} | ({before.date} if before and before.status not in _OPEN else set())
            errors += [words for day in sorted(days) for words in self._context.lock_date_errors(day)]
        if before and before.is_touched:
            errors += _touched_errors(before, document)
        return list(dict.fromkeys(errors))

    def _form_errors(self, document: Document) -> list[str]:
        errors = [
            f"{name} must not be longer than 255 characters."
            for name, text in ((self._family.number_field, document.number), ("Reference", document.reference))
            if len(text) > 255
        ]
        if document.line_amount_types not in ("Exclusive", "Inclusive", "NoTax"):
            errors.append(f"LineAmountTypes '{document.line_amount_types}' is not valid.")
        if document.currency not in {currency["Code"] for currency in self._books.currencies}:
            errors.append(f"Organisation is not subscribed to currency {document.currency}")
        parts = urlsplit(document.url)
        if document.url and (not (parts.scheme and parts.netloc) or "xero" in document.url.lower()):
            errors.append("Url must be a valid absolute url")
        return errors

    def _next_number(self) -> str:
        """Return the next free number of Xero's own sequence."""
        while True:
            number = f"{self._family.sequence}{self._books.next_number(self._family.sequence):04d}"
            if self._books.document_numbered(self._family.type, number) is None:
                return number


_HEAD = {
    "Reference": "reference",
    "Url": "url",
    "BrandingThemeID": "branding_theme_id",
    "CurrencyCode": "currency",
    "LineAmountTypes": "line_amount_types",
    "Status": "status",
}


def settle(document: Document, day: date) -> None:
    """Set PAID if nothing is outstanding, and AUTHORISED if something is again (B24).

    Args:
        document: an approved document; others do not change.
        day: the day of the money or of the document, which becomes FullyPaidOnDate.
    """
    if document.status not in ("AUTHORISED", "PAID"):
        return
    if document.outstanding == 0:
        document.fully_paid_on = day if document.status == "AUTHORISED" else document.fully_paid_on
        document.status = "PAID"
    else:
        document.status, document.fully_paid_on = "AUTHORISED", None


def _touched_errors(before: Document, after: Document) -> list[str]:
    """Return errors for forbidden changes of a document with money; texts, accounts and due date may change (B22)."""
    if before.date != after.date:
        return ["Date cannot be changed on an invoice that has payment or credit notes allocated to it."]
    same_head = (before.currency, before.line_amount_types) == (after.currency, after.line_amount_types)
    figures = [[_figures(line) for line in document.lines] for document in (before, after)]
    return [] if same_head and figures[0] == figures[1] else [TOUCHED]


def _figures(line: Any) -> tuple[Any, ...]:
    return line.id, line.quantity, line.unit_amount, line.line_amount, line.tax_amount, line.tax_type, line.item_code
