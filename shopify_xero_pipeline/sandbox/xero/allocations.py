"""Allocations of a Credit Note to Invoices that are still open (B26, docs/contracts/xero.md §6.5)."""

from datetime import date
from decimal import Decimal

from shopify_xero_pipeline.sandbox.xero.answers import Rejected
from shopify_xero_pipeline.sandbox.xero.api_context import ApiContext
from shopify_xero_pipeline.sandbox.xero.batch import SavedRecord, Shape
from shopify_xero_pipeline.sandbox.xero.documents import settle
from shopify_xero_pipeline.sandbox.xero.records import ZERO, Allocation, Document
from shopify_xero_pipeline.sandbox.xero.wire import Json, ms_date, read_day, read_number, text_of

PAID_OFF = "The invoice you are trying to allocate to has already been paid off"
TOO_MUCH = "Credit Note cannot be allocated as amount is greater than amount outstanding"
WRONG_TYPE = "Credit Note cannot be allocated to an incorrect invoice type"

SHAPE = Shape(
    collection="Allocations",
    noun="Allocation",
    id_field="AllocationID",
    flag="",
    known=frozenset({"AllocationID", "Amount", "Date", "Invoice", "InvoiceID", "InvoiceNumber"}),
    echo=dict,
)


class Allocations:
    """The rules for Allocations of one Credit Note."""

    def __init__(self, context: ApiContext, credit_note: Document) -> None:
        self._context = context
        self._books = context.books
        self._credit_note = credit_note

    def create(self, sent: Json) -> SavedRecord:
        """Allocate credit to an Invoice and update both documents.

        Raises:
            Rejected: not open, another Contact or currency, too much, or locked.
        """
        invoice = self._invoice(sent)
        amount = self._context.round_amount(read_number(sent.get("Amount")) or ZERO)
        day = read_day(sent.get("Date")) or max(self._credit_note.date, invoice.date)
        errors = self._errors(invoice, amount) or self._context.lock_date_errors(day)
        if errors:
            raise Rejected(*errors)
        allocation = Allocation(self._books.new_id(), self._credit_note.id, invoice.id, amount, day)
        self._books.keep_allocation(allocation)
        self._credit(invoice, amount, day)
        return SavedRecord(self._show(allocation))

    def delete(self, allocation: Allocation) -> Json:
        """Delete an Allocation and return it as it was, marked as deleted.

        Raises:
            Rejected: it is in a locked period.
        """
        errors = self._context.lock_date_errors(allocation.date)
        if errors:
            raise Rejected(*errors, record_id=allocation.id)
        deleted = self._show(allocation) | {"IsDeleted": True}
        self._books.drop_allocation(allocation)
        self._credit(self._books.documents[allocation.invoice_id], -allocation.amount, allocation.date)
        return deleted if self._context.options.allocation_deletion == "collection" else _openapi_example(allocation)

    def show_all(self) -> list[Json]:
        """Return the Credit Note's Allocations."""
        return [self._show(allocation) for allocation in self._books.allocations_of(self._credit_note)]

    def _invoice(self, sent: Json) -> Document:
        named = sent.get("Invoice") or {}
        document_id, number = text_of(named, "InvoiceID"), text_of(named, "InvoiceNumber")
        invoice = self._books.documents.get(document_id.lower()) if document_id else None
        if not document_id and number:
            invoice = self._books.document_numbered("ACCREC", number)
        if invoice is None:
            raise Rejected("Document could not be found")
        return invoice

    def _errors(self, invoice: Document, amount: Decimal) -> list[str]:
        """Return the first violated rule."""
        credit_note = self._credit_note
        rules = [
            (invoice.is_credit_note, WRONG_TYPE),
            (amount <= 0, "Amount must be greater than zero"),
            (invoice.status == "PAID", PAID_OFF),
            (invoice.status != "AUTHORISED", "Credit Notes can only be allocated to Authorised documents"),
            (credit_note.status not in ("AUTHORISED", "PAID"), "Credit Note not of valid status for allocation"),
            (invoice.contact_id != credit_note.contact_id, "Credit Note and Invoice must have the same contact"),
            (invoice.currency != credit_note.currency, "Credit Note and Invoice must have the same currency"),
            (amount > min(credit_note.outstanding, invoice.outstanding), TOO_MUCH),
        ]
        return [words for broken, words in rules if broken][:1]

    def _credit(self, invoice: Document, amount: Decimal, day: date) -> None:
        now = self._context.now()
        for document in (invoice, self._credit_note):
            document.credited, document.updated = document.credited + amount, now
            settle(document, day)
            self._books.keep_document(document)

    def _show(self, allocation: Allocation) -> Json:
        empty: Json = {name: [] for name in ("Payments", "CreditNotes", "Prepayments", "Overpayments", "LineItems")}
        invoice = self._books.documents[allocation.invoice_id]
        named = {"InvoiceID": invoice.id, "InvoiceNumber": invoice.number, **empty}
        credit_note = {"CreditNoteID": allocation.credit_note_id, "ID": allocation.credit_note_id, "LineItems": []}
        return {
            "AllocationID": allocation.id,
            "Amount": allocation.amount,
            "Date": ms_date(allocation.date),
            "Invoice": {**named, "HasErrors": False, "IsDiscounted": False, "ValidationErrors": []},
            "CreditNote": credit_note,
            "IsDeleted": False,
            "ValidationErrors": [],
        }


def _openapi_example(allocation: Allocation) -> Json:
    """Return a deleted Allocation in the shape and spelling of Xero's OpenAPI document."""
    return {
        "AllocationId": allocation.id,
        "Date": ms_date(allocation.date),
        "Invoice": [{"InvoiceID": allocation.invoice_id}],
        "IsDeleted": True,
    }
