"""Invoices and Credit Notes in the form of responses: complete, as list entries, saved and refused (B9, B12, C).

Nothing in this module changes the books.
"""

from typing import Any

from shopify_xero_pipeline.sandbox.xero.api_context import ApiContext
from shopify_xero_pipeline.sandbox.xero.batch import Shape
from shopify_xero_pipeline.sandbox.xero.contacts import SHAPE as CONTACT_SHAPE
from shopify_xero_pipeline.sandbox.xero.contacts import show as show_contact
from shopify_xero_pipeline.sandbox.xero.records import Allocation, Document, Line, Payment
from shopify_xero_pipeline.sandbox.xero.wire import Json, day_fields, ms_date, present, read_day, updated_string

_NO_CONTACT_LISTS: Json = {"Addresses": [], "Phones": [], "ContactGroups": [], "ContactPersons": []}
_NAMES = frozenset(
    {"Type", "Contact", "LineItems", "Date", "DueDate", "LineAmountTypes", "Reference", "BrandingThemeID", "Url"}
    | {"CurrencyCode", "CurrencyRate", "Status", "SentToContact", "Description", "Quantity", "UnitAmount", "ItemCode"}
    | {"AccountCode", "AccountID", "TaxType", "TaxAmount", "LineAmount", "DiscountRate", "DiscountAmount", "LineItemID"}
    | {"SubTotal", "TotalTax", "Total", "Tracking"}
)


class DocumentViews:
    """A renderer of documents with the number of decimals of a unit price that the call requested."""

    def __init__(self, context: ApiContext, decimals: int) -> None:
        self._context = context
        self._books = context.books
        self._decimals = decimals

    def full(self, document: Document, *, written: bool = False) -> Json:
        """Return a document with its lines and its contact; the response to a write omits empty lists of money."""
        contact = show_contact(self._books.contacts[document.contact_id])
        return self._render(document, contact, self._lines(document), written=written)

    def listed(self, document: Document, *, lines: bool) -> Json:
        """Return a document as a list entry, with its contact's name only, and with lines only on pages."""
        rows = self._lines(document) if lines else []
        return self._render(document, self._brief_contact(document), rows, written=False)

    def nested(self, document: Document) -> Json:
        """Return a document as part of a payment; a credit note has the form of an invoice.

        Source: docs/contracts/xero.md §6.4.
        """
        return {
            "Type": document.type,
            "InvoiceID": document.id,
            "InvoiceNumber": document.number,
            "Payments": [],
            "CreditNotes": [],
            "Prepayments": [],
            "Overpayments": [],
            "HasErrors": False,
            "IsDiscounted": False,
            "Contact": self._brief_contact(document),
            "LineItems": [],
            "CurrencyCode": document.currency,
        }

    def _brief_contact(self, document: Document) -> Json:
        contact = self._books.contacts[document.contact_id]
        return {"ContactID": contact.id, "Name": contact.name, **_NO_CONTACT_LISTS, "HasValidationErrors": False}

    def _render(self, document: Document, contact: Json, lines: list[Json], *, written: bool) -> Json:
        own = self._credit_note(document) if document.is_credit_note else self._invoice(document, written=written)
        return {
            **own,
            "UpdatedDateUTCString": updated_string(document.updated),
            "Contact": contact,
            **day_fields("Date", document.date),
            **day_fields("DueDate", document.due_date),
            **present({"BrandingThemeID": document.branding_theme_id}),
            "Status": document.status,
            "LineAmountTypes": document.line_amount_types,
            "LineItems": lines,
            "SubTotal": document.sub_total,
            "TotalTax": document.total_tax,
            "Total": document.total,
            "UpdatedDateUTC": ms_date(document.updated),
            "CurrencyCode": document.currency,
            **({"FullyPaidOnDate": ms_date(document.fully_paid_on)} if document.fully_paid_on else {}),
        }

    def _invoice(self, document: Document, *, written: bool) -> Json:
        money: Json = {
            "Payments": [nested_payment(payment) for payment in self._books.payments_of(document)],
            "CreditNotes": [self._applied_credit(allocation) for allocation in self._books.allocations_of(document)],
        }
        if written:
            money = {name: entries for name, entries in money.items() if entries}
        return {
            "Type": document.type,
            "InvoiceID": document.id,
            "InvoiceNumber": document.number,
            "Reference": document.reference,
            **money,
            "Prepayments": [],
            "Overpayments": [],
            "AmountDue": document.outstanding,
            "AmountPaid": document.paid,
            **({} if written and not document.credited else {"AmountCredited": document.credited}),
            **present({"Url": document.url}),
            "SentToContact": document.sent_to_contact,
            "CurrencyRate": document.currency_rate,
            "IsDiscounted": any(line.discount_rate or line.discount_amount for line in document.lines),
            "HasAttachments": False,
            "HasErrors": False,
            "InvoicePaymentServices": [],
        }

    def _credit_note(self, document: Document) -> Json:
        return {
            "CreditNoteID": document.id,
            "CreditNoteNumber": document.number,
            "SentToContact": document.sent_to_contact,
            "Payments": [nested_payment(payment) for payment in self._books.payments_of(document)],
            "ID": document.id,
            "HasErrors": False,
            "InvoiceAddresses": [],
            "CurrencyRate": document.currency_rate,
            "Type": document.type,
            "Reference": document.reference,
            "RemainingCredit": document.outstanding,
            "Allocations": [self._allocation(allocation) for allocation in self._books.allocations_of(document)],
            "HasAttachments": False,
        }

    def _applied_credit(self, allocation: Allocation) -> Json:
        credit_note = self._books.documents[allocation.credit_note_id]
        return {
            "CreditNoteID": credit_note.id,
            "CreditNoteNumber": credit_note.number,
            "ID": credit_note.id,
            "HasErrors": False,
            "AppliedAmount": allocation.amount,
            **day_fields("Date", allocation.date),
            "LineItems": [],
            "Total": credit_note.total,
        }

    def _allocation(self, allocation: Allocation) -> Json:
        invoice = self._books.documents[allocation.invoice_id]
        empty: Json = {name: [] for name in ("Payments", "CreditNotes", "Prepayments", "Overpayments", "LineItems")}
        named = {"InvoiceID": invoice.id, "InvoiceNumber": invoice.number, **empty, "HasErrors": False}
        return {
            "AllocationID": allocation.id,
            "Amount": allocation.amount,
            "Date": ms_date(allocation.date),
            "Invoice": named,
        }

    def _lines(self, document: Document) -> list[Json]:
        return [self._line(line) for line in document.lines]

    def _line(self, line: Line) -> Json:
        """Return a line; a description line has no figures."""
        head = present({"ItemCode": line.item_code, "Description": line.description})
        tail: Json = {"Tracking": line.tracking, "LineItemID": line.id, "ValidationErrors": []}
        if line.quantity is None:
            return head | tail
        account = self._books.account(line.account_code) or {}
        figures = {
            "UnitAmount": self._context.round_amount(line.unit_amount, self._decimals),
            "TaxType": line.tax_type,
            "TaxAmount": line.tax_amount,
            "LineAmount": line.line_amount,
            "AccountCode": line.account_code,
            "Quantity": line.quantity,
            "DiscountRate": line.discount_rate,
            "DiscountAmount": line.discount_amount,
            "AccountID": account.get("AccountID"),
        }
        return head | self._item(line) | present(figures) | tail

    def _item(self, line: Line) -> Json:
        item = self._books.item_coded(line.item_code) if line.item_code else None
        return {"Item": {"ItemID": item.id, "Name": item.name, "Code": item.code}} if item else {}


def nested_payment(payment: Payment) -> Json:
    """Return a payment as part of its document."""
    return {
        "PaymentID": payment.id,
        "Date": ms_date(payment.date),
        "Amount": payment.amount,
        **present({"Reference": payment.reference}),
        "CurrencyRate": payment.currency_rate,
        "HasAccount": False,
        "HasValidationErrors": False,
    }


def _echo(sent: Json, id_field: str, lists: tuple[str, ...]) -> Json:
    """Return a refused document: the sent fields, dates in both forms, and the empty lists that Xero adds."""
    contact = {**_NO_CONTACT_LISTS, "HasValidationErrors": False, "ValidationErrors": [], **(sent.get("Contact") or {})}
    days = [(name, read_day(sent[name])) for name in ("Date", "DueDate") if sent.get(name)]
    document: Json = {name: [] for name in lists}
    document |= {"IsDiscounted": False, "InvoiceAddresses": [], "HasErrors": True, "InvoicePaymentServices": []}
    document |= {name: value for name, value in sent.items() if name != id_field}
    for name, day in days:
        document |= day_fields(name, day)
    return document | {"Contact": contact, "LineItems": sent.get("LineItems") or []}


def _echo_invoice(sent: Json) -> Json:
    return _echo(sent, "InvoiceID", ("Payments", "CreditNotes", "Prepayments", "Overpayments"))


def _echo_credit_note(sent: Json) -> Json:
    return _echo(sent, "CreditNoteID", ("Payments", "Allocations"))


INVOICE_SHAPE = Shape(
    collection="Invoices",
    noun="Invoice",
    id_field="InvoiceID",
    flag="HasErrors",
    known=_NAMES | CONTACT_SHAPE.known | {"InvoiceID", "InvoiceNumber"},
    echo=_echo_invoice,
)
CREDIT_NOTE_SHAPE = Shape(
    collection="CreditNotes",
    noun="CreditNote",
    id_field="CreditNoteID",
    flag="HasErrors",
    known=_NAMES | CONTACT_SHAPE.known | {"CreditNoteID", "CreditNoteNumber"},
    echo=_echo_credit_note,
)


def fields(context: ApiContext, number_field: str, id_field: str) -> dict[str, Any]:
    """Return the fields of a document that `where` and `order` may name.

    Args:
        context: the books, clock and options.
        number_field: the name of the document's number.
        id_field: the name of its id.
    """
    contacts = context.books.contacts
    return {
        id_field: lambda document: document.id,
        number_field: lambda document: document.number,
        "Type": lambda document: document.type,
        "Status": lambda document: document.status,
        "Reference": lambda document: document.reference or None,
        "Date": lambda document: document.date,
        "DueDate": lambda document: document.due_date,
        "Total": lambda document: document.total,
        "AmountDue": lambda document: document.outstanding,
        "AmountPaid": lambda document: document.paid,
        "RemainingCredit": lambda document: document.outstanding,
        "CurrencyCode": lambda document: document.currency,
        "UpdatedDateUTC": lambda document: document.updated,
        "Contact.ContactID": lambda document: document.contact_id,
        "Contact.Name": lambda document: contacts[document.contact_id].name,
        "Contact.ContactNumber": lambda document: contacts[document.contact_id].number or None,
    }
