"""Edits by people in Xero's own screens while the pipeline runs, which a plan must detect (B28 h).

A person has fewer restrictions than the API: nothing in this module checks permissions. Each edit moves UpdatedDateUTC.
"""

from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from typing import Any

from shopify_xero_pipeline.clock import Clock
from shopify_xero_pipeline.sandbox.xero.allocations import Allocations
from shopify_xero_pipeline.sandbox.xero.api_context import ApiContext
from shopify_xero_pipeline.sandbox.xero.books import XeroBooks
from shopify_xero_pipeline.sandbox.xero.documents import CREDIT_NOTE, INVOICE, Documents
from shopify_xero_pipeline.sandbox.xero.options import XeroOptions
from shopify_xero_pipeline.sandbox.xero.payments import Payments
from shopify_xero_pipeline.sandbox.xero.records import Contact, Document, Payment
from shopify_xero_pipeline.sandbox.xero.wire import ms_date


class Person:
    """A user of Xero with full access.

    Args:
        books: the organisation.
        clock: the source of the instant of each edit.
        options: the rounding of entered documents.
    """

    def __init__(self, books: XeroBooks, clock: Clock, options: XeroOptions | None = None) -> None:
        self._books = books
        self._context = ApiContext(books, clock, options or XeroOptions())

    def invoice(self, number: str) -> Document:
        """Return an invoice by its number.

        Raises:
            LookupError: there is none.
        """
        return self._document("ACCREC", number)

    def credit_note(self, number: str) -> Document:
        """Return a credit note by its number.

        Raises:
            LookupError: there is none.
        """
        return self._document("ACCRECCREDIT", number)

    def contact(self, number: str) -> Contact:
        """Return a contact by its ContactNumber.

        Raises:
            LookupError: there is none.
        """
        contact = self._books.contact_numbered(number)
        if contact is None:
            raise LookupError(f"no contact has the number {number}")
        return contact

    def void_document(self, document: Document) -> None:
        """Remove the payments and allocations of a document, then void it."""
        self._clear(document)
        self._set(document, status="VOIDED")

    def delete_document(self, document: Document) -> None:
        """Delete a document; Xero's screens allow it for drafts only, tests may need it for any."""
        self._clear(document)
        self._set(document, status="DELETED")

    def edit_document(self, document: Document, **changes: Any) -> None:
        """Change fields of a document by their names in `records.Document`, such as `reference` or `date`."""
        self._set(document, **changes)

    def enter_invoice(self, sent: Mapping[str, Any]) -> Document:
        """Enter an invoice in the API's form.

        Raises:
            Rejected: the invoice is invalid.
        """
        return Documents(self._context, INVOICE, 4).create(dict(sent))

    def enter_credit_note(self, sent: Mapping[str, Any]) -> Document:
        """Enter a credit note in the API's form.

        Raises:
            Rejected: the credit note is invalid.
        """
        return Documents(self._context, CREDIT_NOTE, 4).create(dict(sent))

    def pay(self, document: Document, amount: Decimal, account: str, day: date, reference: str = "") -> Payment:
        """Pay an invoice or refund a credit note.

        Args:
            document: the invoice or credit note.
            amount: the amount in the document's currency.
            account: the code of the account.
            day: the date of the payment.
            reference: the reference of the payment.

        Raises:
            Rejected: the payment is invalid.
        """
        identity = {"CreditNote": {"CreditNoteID": document.id}} if document.is_credit_note else None
        sent = identity or {"Invoice": {"InvoiceID": document.id}}
        money = {"Account": {"Code": account}, "Amount": amount, "Date": day.isoformat(), "Reference": reference}
        written = Payments(self._context).create(sent | money)
        return self._books.payments[written.answer["PaymentID"]]

    def delete_payment(self, payment: Payment) -> None:
        """Delete a payment.

        Raises:
            Rejected: the payment cannot be deleted.
        """
        Payments(self._context).delete(payment, {"Status": "DELETED"})

    def remove_allocations(self, document: Document) -> None:
        """Remove the allocations of an invoice or of a credit note."""
        for allocation in self._books.allocations_of(document):
            self._books.drop_allocation(allocation)
            for document_id in (allocation.credit_note_id, allocation.invoice_id):
                other = self._books.documents[document_id]
                self._set(other, credited=other.credited - allocation.amount, status="AUTHORISED", fully_paid_on=None)

    def allocate(self, credit_note: Document, invoice: Document, amount: Decimal) -> None:
        """Allocate credit to an invoice.

        Args:
            credit_note: the credit note.
            invoice: the invoice.
            amount: the amount in their currency.

        Raises:
            Rejected: the allocation is invalid.
        """
        Allocations(self._context, credit_note).create({"Amount": amount, "Invoice": {"InvoiceID": invoice.id}})

    def edit_contact(self, contact: Contact, *, name: str | None = None, email: str | None = None) -> None:
        """Change a contact's name or e-mail address.

        Args:
            contact: the contact.
            name: the new name; None leaves it.
            email: the new e-mail address; None leaves it.
        """
        contact.name = contact.name if name is None else name
        contact.texts = contact.texts if email is None else contact.texts | {"EmailAddress": email}
        self._keep_contact(contact)

    def archive_contact(self, contact: Contact) -> None:
        """Archive a contact."""
        contact.status = "ARCHIVED"
        self._keep_contact(contact)

    def merge_contacts(self, contact: Contact, into: Contact) -> None:
        """Merge a contact into another one, which receives its documents."""
        for document in self._books.documents.values():
            if document.contact_id == contact.id:
                self._set(document, contact_id=into.id)
        contact.merged_into = into.id
        self.archive_contact(contact)

    def restore_contact(self, contact: Contact) -> None:
        """Restore an archived contact, which the API cannot do."""
        contact.status = "ACTIVE"
        self._keep_contact(contact)

    def archive_account(self, code: str) -> None:
        """Archive an account of the chart."""
        self._change_account(code, "ARCHIVED")

    def restore_account(self, code: str) -> None:
        """Restore an archived account."""
        self._change_account(code, "ACTIVE")

    def set_lock_dates(self, *, period: date | None = None, end_of_year: date | None = None) -> None:
        """Set the organisation's lock dates; None removes one."""
        for name, day in (("PeriodLockDate", period), ("EndOfYearLockDate", end_of_year)):
            self._books.organisation.pop(name, None)
            if day:
                self._books.organisation[name] = ms_date(day)

    def add_currency(self, code: str) -> None:
        """Enable a currency."""
        self._books.currencies.append({"Code": code, "Description": code})

    def _document(self, document_type: str, number: str) -> Document:
        document = self._books.document_numbered(document_type, number)
        if document is None:
            raise LookupError(f"no {document_type} document has the number {number}")
        return document

    def _clear(self, document: Document) -> None:
        for payment in self._books.payments_of(document):
            self.delete_payment(payment)
        self.remove_allocations(document)

    def _set(self, document: Document, **changes: Any) -> None:
        for name, value in changes.items():
            setattr(document, name, value)
        document.updated = self._context.now()
        self._books.keep_document(document)

    def _keep_contact(self, contact: Contact) -> None:
        contact.updated = self._context.now()
        self._books.keep_contact(contact)

    def _change_account(self, code: str, status: str) -> None:
        account = self._books.account(code)
        if account is None:
            raise LookupError(f"no account has the code {code}")
        account["Status"] = status
        account["UpdatedDateUTC"] = ms_date(self._context.now())
