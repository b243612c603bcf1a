"""Our column and Xero's: movements of the records we posted, and of what Xero reads back of them.

Only reading belongs here: a record of the mapping as it was posted, an element of the mirror as Xero shows it (its
lines with LineAmount, TaxAmount, TaxType and AccountCode, docs/contracts/xero.md §6.3). Both are brought to the same
postings, so that a line which a person moved to another account, tax type or day shows.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

from shopify_xero_pipeline.changes.fields import parse_payload
from shopify_xero_pipeline.changes.posted_records import RECORD
from shopify_xero_pipeline.reconciliation.movements import ZERO, AccountNames, Movement, StatementSection
from shopify_xero_pipeline.reconciliation.shopify_movements import TOTALS
from shopify_xero_pipeline.state.records import MappedRecord, MirrorRecord
from shopify_xero_pipeline.xero.models import CreditNote, Invoice, Kind, Payment

SIGN = {Kind.INVOICE: 1, Kind.CREDIT_NOTE: -1}
MILLISECONDS = re.compile(r"/Date\((-?\d+)")
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
Element = Mapping[str, Any]


@dataclass(frozen=True)
class Posting:
    """An amount on an account, at a tax type, or a document's total; credit notes negative, money positive.

    `tax_type` is the line's, for amounts without their tax.
    """

    posted: date
    currency: str
    side: StatementSection
    key: str
    amount: Decimal
    tax_type: str = ""


def mapping_movements(row: MappedRecord, chart: AccountNames) -> list[Movement]:
    """Return what we posted with one record; an Allocation moves nothing."""
    return [
        Movement(posted=one.posted, currency=one.currency, side=one.side, key=one.key, mapping=one.amount)
        for one in posted_postings(row, chart)
    ]


def xero_movements(row: MirrorRecord, chart: AccountNames, currency: str) -> list[Movement]:
    """Return what Xero shows of one document or payment; `currency` counts where its element names none."""
    return [
        Movement(posted=one.posted, currency=one.currency or currency, side=one.side, key=one.key, xero=one.amount)
        for one in mirrored_postings(row, chart)
    ]


def net_by_tax_type(postings: Iterable[Posting]) -> dict[str, Decimal]:
    """Return amounts without tax by the tax type of their lines, zeros left out."""
    sums: dict[str, Decimal] = defaultdict(lambda: ZERO)
    for one in postings:
        if one.tax_type:
            sums[one.tax_type] += one.amount
    return {tax_type: amount for tax_type, amount in sorted(sums.items()) if amount}


def posted_postings(row: MappedRecord, chart: AccountNames) -> list[Posting]:
    """Return the postings of a record as it was posted."""
    if row.kind == Kind.ALLOCATION:
        return []
    record = RECORD.validate_json(row.payload)
    if isinstance(record, Payment):
        side = StatementSection.PAYMENTS if record.document_kind == Kind.INVOICE else StatementSection.REFUNDS
        return [Posting(record.date, record.currency, side, record.account_code, record.amount)]
    if not isinstance(record, Invoice | CreditNote):
        return []
    reading = _Document(record.kind, record.date, record.currency, record.line_amount_types, chart)
    lines = [(line.account_code, line.tax_type, line.amount, line.tax_amount) for line in record.lines]
    return [*reading.postings(lines), reading.total(record.total)]


def mirrored_postings(row: MirrorRecord, chart: AccountNames) -> list[Posting]:
    """Return the postings of a document or payment as Xero shows it."""
    found = parse_payload(row.payload)
    if row.kind == Kind.PAYMENT:
        return [_payment(found, _day(found, row))]
    kind = Kind(row.kind)
    types = str(found.get("LineAmountTypes") or "Exclusive")
    reading = _Document(kind, _day(found, row), str(found.get("CurrencyCode") or ""), types, chart)
    return [*reading.postings(_lines(found)), reading.total(_decimal(found.get("Total")))]


@dataclass(frozen=True)
class _Document:
    """A document being taken apart."""

    kind: Kind
    posted: date
    currency: str
    line_amount_types: str
    chart: AccountNames

    def postings(self, lines: Iterable[tuple[str, str, Decimal, Decimal]]) -> Iterator[Posting]:
        """Yield, for each line (account, tax type, amount, tax), its amount without tax and its tax."""
        sign = SIGN[self.kind]
        for account, tax_type, amount, tax in lines:
            net = amount - tax if self.line_amount_types == "Inclusive" else amount
            side = self.chart.side(account)
            yield Posting(self.posted, self.currency, side, account, sign * net, tax_type)
            if tax:
                yield Posting(self.posted, self.currency, StatementSection.TAX, tax_type, sign * tax)

    def total(self, amount: Decimal) -> Posting:
        """Return the document's total."""
        return Posting(
            self.posted, self.currency, StatementSection.DOCUMENTS, TOTALS[self.kind], SIGN[self.kind] * amount
        )


def _lines(found: Element) -> Iterator[tuple[str, str, Decimal, Decimal]]:
    """Yield an element's lines; one without an amount is only a description."""
    for line in found.get("LineItems") or []:
        if line.get("LineAmount") is not None:
            figures = _decimal(line["LineAmount"]), _decimal(line.get("TaxAmount"))
            yield str(line.get("AccountCode") or ""), str(line.get("TaxType") or ""), *figures


def _payment(found: Element, day: date) -> Posting:
    account, invoice = found.get("Account") or {}, found.get("Invoice") or {}
    note = found.get("CreditNote") or {}
    document = note if note.get("CreditNoteID") else invoice
    refund = document is note or invoice.get("Type") == "ACCRECCREDIT" or found.get("PaymentType") == "ARCREDITPAYMENT"
    key = str(account.get("Code") or account.get("AccountID") or "")
    side = StatementSection.REFUNDS if refund else StatementSection.PAYMENTS
    currency = str(document.get("CurrencyCode") or found.get("CurrencyCode") or "")
    return Posting(day, currency, side, key, _decimal(found.get("Amount")))


def _day(found: Element, row: MirrorRecord) -> date:
    """Return an element's calendar day, which `/Date(1789344000000+0000)/` gives as midnight UTC.

    Source: docs/contracts/xero.md §6.

    One without a day, which Xero does not show, counts on the day it was last changed.
    """
    shown = MILLISECONDS.match(str(found.get("Date") or ""))
    return (EPOCH + timedelta(milliseconds=int(shown[1]))).date() if shown else row.updated_at.date()


def _decimal(amount: object) -> Decimal:
    return Decimal(str(amount or 0))
