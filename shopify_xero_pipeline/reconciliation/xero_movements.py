"""The columns of the mapping and of Xero, the movements of posted records and of their read-back.

This module only reads: the content of a mapped record, and an element of the mirror (lines with LineAmount, TaxAmount,
TaxType and AccountCode, docs/contracts/xero.md §6.3). Both become postings of the same form, so that the comparison
shows a line that a person moved to another account, tax type or date.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any, Literal

from shopify_xero_pipeline.changes.fields import parse_payload
from shopify_xero_pipeline.changes.posted_records import RECORD
from shopify_xero_pipeline.reconciliation.movements import AccountNames, Movement, StatementSection
from shopify_xero_pipeline.reconciliation.shopify_movements import DOCUMENT_KEYS
from shopify_xero_pipeline.state.records import MappedRecord, MirrorRecord
from shopify_xero_pipeline.xero.models import CreditNote, Invoice, Kind, Payment

DOCUMENT_SIGN = {Kind.INVOICE: 1, Kind.CREDIT_NOTE: -1}
XERO_DATE = re.compile(r"/Date\((-?\d+)")
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
Element = Mapping[str, Any]


@dataclass(frozen=True)
class Posting:
    """An amount on an account or at a tax type, or the total of a document.

    Credit notes count negative; payments and refunds are positive.

    Attributes:
        key: the account code, the tax type, or the kind of document.
        amount: the amount in `currency`.
        tax_type: the tax type of the line, for net amounts only.
    """

    posted: date
    currency: str
    side: StatementSection
    key: str
    amount: Decimal
    tax_type: str = ""


def to_movements(postings: Iterable[Posting], column: Literal["mapping", "xero"], currency: str) -> list[Movement]:
    """Return postings as movements.

    Args:
        postings: the postings of one record.
        column: the column of their amounts.
        currency: the currency of a posting without one.
    """
    return [
        Movement.model_validate(
            {
                "posted": posting.posted,
                "currency": posting.currency or currency,
                "side": posting.side,
                "key": posting.key,
                column: posting.amount,
            }
        )
        for posting in postings
    ]


def posted_postings(row: MappedRecord, account_names: AccountNames) -> list[Posting]:
    """Return the postings of a posted record; an Allocation has none."""
    if row.kind == Kind.ALLOCATION:
        return []
    record = RECORD.validate_json(row.payload)
    if isinstance(record, Payment):
        side = StatementSection.PAYMENTS if record.document_kind == Kind.INVOICE else StatementSection.REFUNDS
        return [Posting(record.date, record.currency, side, record.account_code, record.amount)]
    if not isinstance(record, Invoice | CreditNote):
        return []
    reader = _DocumentReader(record.kind, record.date, record.currency, record.line_amount_types, account_names)
    lines = [(line.account_code, line.tax_type, line.amount, line.tax_amount) for line in record.lines]
    return [*reader.postings(lines), reader.total(record.total)]


def mirrored_postings(row: MirrorRecord, account_names: AccountNames) -> list[Posting]:
    """Return the postings of a document or payment in Xero."""
    element = parse_payload(row.payload)
    if row.kind == Kind.PAYMENT:
        return [_payment_posting(element, _element_date(element, row))]
    kind = Kind(row.kind)
    line_amount_types = str(element.get("LineAmountTypes") or "Exclusive")
    currency = str(element.get("CurrencyCode") or "")
    reader = _DocumentReader(kind, _element_date(element, row), currency, line_amount_types, account_names)
    return [*reader.postings(_document_lines(element)), reader.total(_decimal(element.get("Total")))]


@dataclass(frozen=True)
class _DocumentReader:
    """A reader of one document's lines and total."""

    kind: Kind
    posted: date
    currency: str
    line_amount_types: str
    account_names: AccountNames

    def postings(self, lines: Iterable[tuple[str, str, Decimal, Decimal]]) -> Iterator[Posting]:
        """Yield the net amount and the tax of each line.

        Args:
            lines: account, tax type, amount and tax of each line.
        """
        sign = DOCUMENT_SIGN[self.kind]
        for account, tax_type, amount, tax in lines:
            net = amount - tax if self.line_amount_types == "Inclusive" else amount
            side = self.account_names.side(account)
            yield Posting(self.posted, self.currency, side, account, sign * net, tax_type)
            if tax:
                yield Posting(self.posted, self.currency, StatementSection.TAX, tax_type, sign * tax)

    def total(self, amount: Decimal) -> Posting:
        """Return the posting of the document's total."""
        key, sign = DOCUMENT_KEYS[self.kind], DOCUMENT_SIGN[self.kind]
        return Posting(self.posted, self.currency, StatementSection.DOCUMENTS, key, sign * amount)


def _document_lines(element: Element) -> Iterator[tuple[str, str, Decimal, Decimal]]:
    """Yield the lines of an element. A line without an amount is a description and is omitted."""
    for line in element.get("LineItems") or []:
        if line.get("LineAmount") is not None:
            figures = _decimal(line["LineAmount"]), _decimal(line.get("TaxAmount"))
            yield str(line.get("AccountCode") or ""), str(line.get("TaxType") or ""), *figures


def _payment_posting(element: Element, day: date) -> Posting:
    account, invoice = element.get("Account") or {}, element.get("Invoice") or {}
    credit_note = element.get("CreditNote") or {}
    document = credit_note if credit_note.get("CreditNoteID") else invoice
    is_of_credit = invoice.get("Type") == "ACCRECCREDIT" or element.get("PaymentType") == "ARCREDITPAYMENT"
    is_refund = document is credit_note or is_of_credit
    key = str(account.get("Code") or account.get("AccountID") or "")
    side = StatementSection.REFUNDS if is_refund else StatementSection.PAYMENTS
    currency = str(document.get("CurrencyCode") or element.get("CurrencyCode") or "")
    return Posting(day, currency, side, key, _decimal(element.get("Amount")))


def _element_date(element: Element, row: MirrorRecord) -> date:
    """Return an element's calendar date, which `/Date(1789344000000+0000)/` gives as midnight UTC.

    Source: docs/contracts/xero.md §6. Xero always returns a date; without one, the date of the last change is used.
    """
    match = XERO_DATE.match(str(element.get("Date") or ""))
    return (EPOCH + timedelta(milliseconds=int(match[1]))).date() if match else row.updated_at.date()


def _decimal(amount: object) -> Decimal:
    return Decimal(str(amount or 0))
