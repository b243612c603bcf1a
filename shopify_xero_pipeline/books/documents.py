"""Documents of an order: one invoice or credit note for each agreement of the sales ledger (docs/books.md §1).

This module builds whole documents: kind, number, date, Contact and lines. `settlement.py` applies money to them.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from shopify_xero_pipeline.books.currency import ZERO, shop_amount
from shopify_xero_pipeline.books.dates import agreement_date, document_date, due_date
from shopify_xero_pipeline.books.lines import (
    DESCRIPTION_LIMIT,
    BookedSale,
    adjustment_line,
    amount_types,
    book_sales,
    lines_total,
    tax_total,
)
from shopify_xero_pipeline.books.numbering import (
    LETTERS,
    document_reference,
    number_of_agreement,
    number_of_transaction,
)
from shopify_xero_pipeline.books.order_context import OrderBlockedError, OrderContext
from shopify_xero_pipeline.shopify.models import Agreement
from shopify_xero_pipeline.xero.models import CreditNote, Invoice, Kind, Line

AnyDocument = Invoice | CreditNote


@dataclass(frozen=True)
class BookedAgreement:
    """An agreement with its sales, its lines and its document, if it needs one. `sign` is -1 for a credit note.

    The lines are those of the sales and, for the order's first agreement, a rounding line.
    """

    agreement: Agreement
    sign: int
    sales: tuple[BookedSale, ...]
    lines: tuple[Line, ...]
    document: AnyDocument | None


def signed_total(document: AnyDocument) -> Decimal:
    """Return a document's total, negative for a credit note."""
    return document.total if document.kind is Kind.INVOICE else -document.total


def net_amount(context: OrderContext, agreement: Agreement) -> Decimal:
    """Return the total of an agreement, with tax, in the shop's currency."""
    return sum((shop_amount(sale.total_amount, context.currency) for sale in agreement.sales), ZERO)


def book_agreement(
    context: OrderContext, agreement: Agreement, contact_id: str, *, is_zero_value: bool
) -> BookedAgreement:
    """Return an agreement's lines and its document.

    Args:
        context: the order.
        agreement: the agreement.
        contact_id: the Contact of all documents of the order.
        is_zero_value: whether the order has a total of zero but is posted.

    Raises:
        OrderBlockedError: the agreement or one of its sales is not supported, its original total is negative, or a new
            document would fall into a locked period.
    """
    if agreement.reason not in LETTERS:
        raise OrderBlockedError(
            f"agreement {agreement.legacy_id} has the reason {agreement.reason}, which is not supported;"
            " enter this order in Xero by hand"
        )
    is_main = context.is_main(agreement)
    net = net_amount(context, agreement)
    if is_main and net < 0:
        raise OrderBlockedError(f"the order's original total is negative, {net}; enter it in Xero by hand")
    sign = -1 if net < 0 else 1
    sales = book_sales(context, agreement, sign)
    lines = tuple(line for sale in sales for line in sale.lines)
    if is_main:
        lines += _rounding_lines(context, lines)
    is_posted = context.posted_document(agreement.legacy_id) is not None
    needs_document = net != 0 or (is_main and is_zero_value) or is_posted or not _cancels_out(lines)
    if not lines or not needs_document:
        return BookedAgreement(agreement, sign, sales, lines, None)
    kind = Kind.INVOICE if sign > 0 else Kind.CREDIT_NOTE
    number, day = number_of_agreement(context, agreement), agreement_date(context, agreement)
    document = _assemble(context, kind, agreement.legacy_id, number, day, lines, contact_id)
    return BookedAgreement(agreement, sign, sales, lines, document)


def adjustment_document(
    context: OrderContext, *, kind: Kind, letter: str, transaction_id: str, day: date, line: Line, contact_id: str
) -> AnyDocument:
    """Return a document with one line for cash rounding, an exchange difference or an uncovered refund.

    Args:
        context: the order.
        kind: invoice or credit note.
        letter: the document's letter in its number (`numbering.py`).
        transaction_id: digits of the transaction's id.
        day: the original date, in the shop's time zone.
        line: the only line.
        contact_id: the Contact of all documents of the order.

    Raises:
        OrderBlockedError: a new document would fall into a locked period and `locked_period` is `block`.
    """
    tail = letter + transaction_id
    number = number_of_transaction(context, letter, transaction_id)
    return _assemble(context, kind, tail, number, day, (line,), contact_id)


def _rounding_lines(context: OrderContext, lines: tuple[Line, ...]) -> tuple[Line, ...]:
    """Return a rounding line if the sales of an order do not add up to its original total, up to `rounding.cap`."""
    stated = shop_amount(context.order.original_total_price_set, context.currency)
    total = lines_total(lines, amount_types(context))
    gap = stated - total
    if not gap:
        return ()
    cap = context.policy.rounding.cap
    if abs(gap) > cap:
        raise OrderBlockedError(
            f"Shopify's total is {stated}, its rows add up to {total}: a gap of {gap}, more than rounding.cap {cap} in"
            " books.yaml; check the order in Shopify"
        )
    return (adjustment_line(context, "Shopify rounding", context.policy.accounts.rounding, gap),)


def _cancels_out(lines: Iterable[Line]) -> bool:
    """Return whether the lines sum to zero on each account and tax type."""
    sums: Mapping[tuple[str, str], list[Decimal]] = defaultdict(lambda: [ZERO, ZERO])
    for line in lines:
        amounts = sums[line.account_code, line.tax_type]
        amounts[0] += line.amount
        amounts[1] += line.tax_amount
    return not any(any(amounts) for amounts in sums.values())


def _assemble(
    context: OrderContext,
    kind: Kind,
    tail: str,
    number: str,
    day: date,
    lines: tuple[Line, ...],
    contact_id: str,
) -> AnyDocument:
    types = amount_types(context)
    posting_date = document_date(context, tail, day, number)
    if note := posting_date.note:
        description = lines[0].description[: DESCRIPTION_LIMIT - len(note)] + note
        lines = (lines[0].model_copy(update={"description": description}), *lines[1:])
    content = {
        "shopify_id": context.document_id(tail),
        "number": number,
        "reference": document_reference(context, tail),
        "order_id": context.order_id,
        "order_name": context.order.name,
        "contact_id": contact_id,
        "date": posting_date.posting_date,
        "line_amount_types": types,
        "lines": lines,
        "currency": context.currency,
        "total": lines_total(lines, types),
        "total_tax": tax_total(lines),
    }
    if kind is Kind.CREDIT_NOTE:
        return CreditNote.model_validate(content)
    return Invoice.model_validate(
        {**content, "due_date": due_date(context, posting_date.posting_date), "url": _url(context)}
    )


def _url(context: OrderContext) -> str | None:
    """Return the order's admin page, or None, as Xero rejects URLs with its name (docs/contracts/xero.md §6.3)."""
    if not context.shop_handle:
        return None
    url = f"https://admin.shopify.com/store/{context.shop_handle}/orders/{context.order_id}"
    return None if "xero" in url.casefold() else url
