"""The columns of the mapping and of Xero, the movements of posted records and of their read-back.

This module only reads: the content of a mapped record, and an element of the mirror (lines with LineAmount, TaxAmount,
TaxType and AccountCode, docs/contracts/xero.md §6.3). Both become postings of the same form, so that the comparison
shows a line that a person moved to another account, tax type or date.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Literal

from shopify_xero_pipeline.reconciliation.movements import ZERO, AccountNames, Movement, StatementSection
from shopify_xero_pipeline.reconciliation.shopify_movements import DOCUMENT_KEYS
from shopify_xero_pipeline.state.records import MappedRecord, MirrorRecord
from shopify_xero_pipeline.xero.elements import Element
from shopify_xero_pipeline.xero.models import RECORD, CreditNote, Invoice, Kind, Payment

DOCUMENT_SIGN = {Kind.INVOICE: 1, Kind.CREDIT_NOTE: -1}


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
    element = Element.from_row(row)
    day, amount = element.date or row.updated_at.date(), element.amount or ZERO
    if element.kind is Kind.PAYMENT:
        side = StatementSection.REFUNDS if element.is_refund else StatementSection.PAYMENTS
        return [Posting(day, element.currency, side, element.account, amount)]
    line_amount_types = element.text("LineAmountTypes") or "Exclusive"
    reader = _DocumentReader(element.kind, day, element.currency, line_amount_types, account_names)
    # A line without an amount is a description.
    lines = [
        (line.account_code, line.tax_type, line.amount, line.tax_amount or ZERO)
        for line in element.lines
        if line.amount is not None
    ]
    return [*reader.postings(lines), reader.total(amount)]


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
