"""Allocations: credit of a credit note set against invoices that are still open (B26, docs/contracts/xero.md §6.5)."""

from datetime import date
from decimal import Decimal

from shopify_xero_pipeline.sandbox.xero.answers import Rejected
from shopify_xero_pipeline.sandbox.xero.api_context import Desk
from shopify_xero_pipeline.sandbox.xero.batch import Shape, Written
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
    """The rules of allocations of one credit note."""

    def __init__(self, desk: Desk, credit_note: Document) -> None:
        self._desk = desk
        self._books = desk.books
        self._credit_note = credit_note

    def create(self, sent: Json) -> Written:
        """Set credit against an invoice; both documents follow.

        Raises:
            Rejected: not open, another contact or currency, too much, locked.
        """
        invoice = self._invoice(sent)
        amount = self._desk.rounded(read_number(sent.get("Amount")) or ZERO)
        day = read_day(sent.get("Date")) or max(self._credit_note.date, invoice.date)
        complaints = self._complaints(invoice, amount) or self._desk.lock_complaints(day)
        if complaints:
            raise Rejected(*complaints)
        allocation = Allocation(self._books.new_id(), self._credit_note.id, invoice.id, amount, day)
        self._books.keep_allocation(allocation)
        self._credit(invoice, amount, day)
        return Written(self._show(allocation))

    def delete(self, allocation: Allocation) -> Json:
        """Take an allocation back, and show it as it was, marked as deleted.

        Raises:
            Rejected: it lies in a locked period.
        """
        complaints = self._desk.lock_complaints(allocation.date)
        if complaints:
            raise Rejected(*complaints, record_id=allocation.id)
        shown = self._show(allocation) | {"IsDeleted": True}
        self._books.drop_allocation(allocation)
        self._credit(self._books.documents[allocation.invoice_id], -allocation.amount, allocation.date)
        return shown if self._desk.options.allocation_deletion == "collection" else _described(allocation)

    def show_all(self) -> list[Json]:
        """Return the credit note's allocations."""
        return [self._show(allocation) for allocation in self._books.allocations_of(self._credit_note)]

    def _invoice(self, sent: Json) -> Document:
        named = sent.get("Invoice") or {}
        document_id, number = text_of(named, "InvoiceID"), text_of(named, "InvoiceNumber")
        found = self._books.documents.get(document_id.lower()) if document_id else None
        if not document_id and number:
            found = self._books.document_numbered("ACCREC", number)
        if found is None:
            raise Rejected("Document could not be found")
        return found

    def _complaints(self, invoice: Document, amount: Decimal) -> list[str]:
        """Return the first thing that is wrong."""
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
        now = self._desk.now()
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


def _described(allocation: Allocation) -> Json:
    """Return a deleted allocation as Xero's OpenAPI document shows one; shape and spelling are its own."""
    return {
        "AllocationId": allocation.id,
        "Date": ms_date(allocation.date),
        "Invoice": [{"InvoiceID": allocation.invoice_id}],
        "IsDeleted": True,
    }
