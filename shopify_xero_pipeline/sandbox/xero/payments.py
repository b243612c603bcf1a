"""Payments of invoices and refunds of credit notes, never deduplicated, at most the outstanding amount (B25, B26)."""

from decimal import Decimal
from typing import Any

from shopify_xero_pipeline.sandbox.xero.answers import Rejected
from shopify_xero_pipeline.sandbox.xero.api_context import ApiContext
from shopify_xero_pipeline.sandbox.xero.batch import SavedRecord, Shape
from shopify_xero_pipeline.sandbox.xero.document_views import DocumentViews
from shopify_xero_pipeline.sandbox.xero.documents import settle
from shopify_xero_pipeline.sandbox.xero.records import ZERO, Document, Payment
from shopify_xero_pipeline.sandbox.xero.wire import (
    Json,
    ms_date,
    present,
    read_day,
    read_number,
    text_of,
    updated_string,
)

EXCEEDS = "Payment amount exceeds the amount outstanding on this document"
NOT_AUTHORISED = "Payments can only be made against Authorised documents"

SHAPE = Shape(
    collection="Payments",
    noun="Payment",
    id_field="PaymentID",
    flag="HasValidationErrors",
    known=frozenset(
        {
            "PaymentID",
            "Invoice",
            "CreditNote",
            "InvoiceID",
            "InvoiceNumber",
            "CreditNoteID",
            "CreditNoteNumber",
            "Account",
        }
        | {"AccountID", "Code", "Date", "Amount", "Reference", "CurrencyRate", "Status", "IsReconciled", "BankAmount"}
    ),
    echo=dict,
)


class Payments:
    """The rules of payments in the organisation's books."""

    def __init__(self, context: ApiContext) -> None:
        self._context = context
        self._books = context.books
        self._views = DocumentViews(context, 2)

    def create(self, sent: Json) -> SavedRecord:
        """Create a payment; the same request twice creates two payments.

        Raises:
            Rejected: an unknown document or account, not open, too much, or locked.
        """
        document = self._document(sent)
        account = self._account(sent, document)
        amount, day = self._amount(sent), read_day(sent["Date"]) if sent.get("Date") else self._context.today()
        if day is None:
            raise Rejected("Date must be a date.")
        errors = _open_errors(document, amount) + self._context.lock_date_errors(day)
        if errors:
            raise Rejected(*errors)
        now = self._context.now()
        payment = Payment(
            id=self._books.new_id(),
            updated=now,
            document_id=document.id,
            account_id=account["AccountID"],
            date=day,
            amount=amount,
            reference=text_of(sent, "Reference") or "",
            currency_rate=read_number(sent.get("CurrencyRate")) or document.currency_rate,
        )
        document.paid, document.updated = document.paid + amount, now
        settle(document, day)
        self._books.keep_payment(payment)
        self._books.keep_document(document)
        return SavedRecord(self.show(payment))

    def delete(self, payment: Payment, sent: Json) -> SavedRecord:
        """Delete a payment, the only possible change; it stays in lists, and its document opens again.

        Raises:
            Rejected: another status, already deleted, or locked.
        """
        if sent.get("Status") != "DELETED":
            raise Rejected("Payments can only be deleted, not changed.", record_id=payment.id)
        if payment.status == "DELETED":
            raise Rejected("Payment not of valid status for modification", record_id=payment.id)
        errors = self._context.lock_date_errors(payment.date)
        if errors:
            raise Rejected(*errors, record_id=payment.id)
        document = self._books.documents[payment.document_id]
        payment.status = "DELETED"
        payment.updated = document.updated = self._context.now()
        document.paid -= payment.amount
        settle(document, payment.date)
        self._books.keep_payment(payment)
        self._books.keep_document(document)
        return SavedRecord(self.show(payment))

    def show(self, payment: Payment) -> Json:
        """Return a payment in the form of the response; its document, also a credit note, is under `Invoice`.

        Source: docs/contracts/xero.md §6.4.
        """
        document = self._books.documents[payment.document_id]
        account = self._books.account(account_id=payment.account_id) or {}
        return {
            "PaymentID": payment.id,
            "Date": ms_date(payment.date),
            "BankAmount": payment.amount,
            "Amount": payment.amount,
            **present({"Reference": payment.reference}),
            "CurrencyRate": payment.currency_rate,
            "PaymentType": "ARCREDITPAYMENT" if document.is_credit_note else "ACCRECPAYMENT",
            "Status": payment.status,
            "UpdatedDateUTC": ms_date(payment.updated),
            "UpdatedDateUTCString": updated_string(payment.updated),
            "HasAccount": True,
            "IsReconciled": False,
            "Account": present({name: account.get(name) for name in ("AccountID", "Code", "Name")}),
            "Invoice": self._views.nested(document),
            "HasValidationErrors": False,
        }

    def _document(self, sent: Json) -> Document:
        invoice, credit_note = sent.get("Invoice") or {}, sent.get("CreditNote") or {}
        document_id = text_of(invoice, "InvoiceID") or text_of(credit_note, "CreditNoteID")
        document = self._books.documents.get(document_id.lower()) if document_id else None
        number = text_of(invoice, "InvoiceNumber") or text_of(sent, "InvoiceNumber")
        if not document_id and number:
            document = self._books.document_numbered("ACCREC", number)
        number = text_of(credit_note, "CreditNoteNumber") or text_of(sent, "CreditNoteNumber")
        if not document_id and document is None and number:
            document = self._books.document_numbered("ACCRECCREDIT", number)
        if document is None or (invoice and document.is_credit_note) or (credit_note and not document.is_credit_note):
            raise Rejected("Document could not be found")
        return document

    def _account(self, sent: Json, document: Document) -> dict[str, Any]:
        """Return the account of the payment: a BANK account, or one that allows payments, in a matching currency."""
        named = sent.get("Account") or {}
        code, account_id = text_of(named, "Code") or text_of(sent, "Code"), text_of(named, "AccountID")
        if not code and not account_id:
            raise Rejected("You must specify an Account code or Account ID for the payment")
        account = self._books.account(None if account_id else code, account_id)
        if account is None:
            raise Rejected("Account could not be found")
        takes_payments = account["Type"] == "BANK" or account.get("EnablePaymentsToAccount")
        if account.get("Status") != "ACTIVE" or not takes_payments:
            raise Rejected("Account type is invalid for making a payment to/from.")
        currency = account.get("CurrencyCode") or self._books.base_currency
        if currency not in (document.currency, self._books.base_currency):
            raise Rejected(f"The currency of the account does not fit a document in {document.currency}.")
        return account

    def _amount(self, sent: Json) -> Decimal:
        amount = self._context.round_amount(read_number(sent.get("Amount")) or ZERO)
        if amount <= 0:
            raise Rejected("Payment amount must be greater than zero")
        return amount


def _open_errors(document: Document, amount: Decimal) -> list[str]:
    errors = [EXCEEDS] if amount > document.outstanding else []
    return errors + ([NOT_AUTHORISED] if document.status != "AUTHORISED" else [])


def fields(context: ApiContext) -> dict[str, Any]:
    """Return the fields of a payment that `where` and `order` may name."""
    documents = context.books.documents
    return {
        "PaymentID": lambda payment: payment.id,
        "Status": lambda payment: payment.status,
        "Date": lambda payment: payment.date,
        "Amount": lambda payment: payment.amount,
        "Reference": lambda payment: payment.reference or None,
        "PaymentType": lambda payment: (
            "ARCREDITPAYMENT" if documents[payment.document_id].is_credit_note else "ACCRECPAYMENT"
        ),
        "Invoice.InvoiceID": lambda payment: payment.document_id,
        "Invoice.InvoiceNumber": lambda payment: documents[payment.document_id].number,
        "UpdatedDateUTC": lambda payment: payment.updated,
    }
