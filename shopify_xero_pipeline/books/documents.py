"""From agreements of the sales ledger to documents: one agreement, one invoice or credit note (docs/books.md §1).

Only documents belong here, whole: their kind, number, day, contact and lines. What money does to them stands in
`settlement.py`.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from shopify_xero_pipeline.books.currency import ZERO, shop_amount
from shopify_xero_pipeline.books.dates import PostingDate, agreement_date, document_date, due_date
from shopify_xero_pipeline.books.errors import OrderBlockedError
from shopify_xero_pipeline.books.lines import adjustment_line, amount_types, build_lines, lines_total, tax_total
from shopify_xero_pipeline.books.numbering import (
    LETTERS,
    document_reference,
    number_of_agreement,
    number_of_transaction,
)
from shopify_xero_pipeline.books.order_context import OrderContext
from shopify_xero_pipeline.shopify.models import Agreement
from shopify_xero_pipeline.xero.models import CreditNote, Invoice, Kind, Line

AnyDocument = Invoice | CreditNote


@dataclass(frozen=True)
class BookedAgreement:
    """An agreement with the lines it became and their document, if there is one."""

    entry: Agreement
    sign: int
    lines: tuple[Line, ...]
    document: AnyDocument | None


def signed_total(document: AnyDocument) -> Decimal:
    """Return a document's total, negative for a credit note."""
    return document.total if document.kind is Kind.INVOICE else -document.total


def net_amount(case: OrderContext, entry: Agreement) -> Decimal:
    """Return what an agreement adds to the order, tax included."""
    return sum((shop_amount(sale.total_amount, case.currency) for sale in entry.sales), ZERO)


def book_agreement(case: OrderContext, entry: Agreement, contact_id: str, *, is_zero_value: bool) -> BookedAgreement:
    """Return an agreement's lines and its document.

    Args:
        case: the order.
        entry: the agreement.
        contact_id: the contact of all documents of the order.
        is_zero_value: whether the order as a whole is worth nothing and is posted all the same.

    Raises:
        Blocked: the agreement, or a row of it, has no rule.
    """
    if entry.reason not in LETTERS:
        raise OrderBlockedError(
            f"agreement {entry.legacy_id} has the reason {entry.reason}, for which these books have no rule;"
            " enter this order in Xero by hand"
        )
    is_main = case.main is not None and entry.id == case.main.id
    net = net_amount(case, entry)
    if is_main and net < 0:
        raise OrderBlockedError(f"the order began with {net}, less than nothing; enter it in Xero by hand")
    sign = -1 if net < 0 else 1
    lines = build_lines(case, entry, sign)
    if is_main:
        lines += _rounding_lines(case, lines)
    is_posted = case.document_id(entry.legacy_id) in case.posted
    needs_document = net != 0 or (is_main and is_zero_value) or is_posted or not _cancels_out(lines)
    document = _document(case, entry, sign, lines, contact_id) if lines and needs_document else None
    return BookedAgreement(entry, sign, lines, document)


def adjustment_document(
    case: OrderContext, *, kind: Kind, letter: str, transaction_id: str, day: date, line: Line, contact_id: str
) -> AnyDocument:
    """Return the one-line document that money itself calls for: cash rounding, or a refund without a credit note."""
    tail = letter + transaction_id
    number = number_of_transaction(case, letter, transaction_id)
    return _assemble(case, kind, tail, number, document_date(case, tail, day, number), (line,), contact_id)


def _rounding_lines(case: OrderContext, lines: tuple[Line, ...]) -> tuple[Line, ...]:
    """Close the gap between an order's rows and the total it began with, up to the cap."""
    stated = shop_amount(case.order.original_total_price_set, case.currency)
    total = lines_total(lines, amount_types(case))
    gap = stated - total
    if not gap:
        return ()
    cap = case.policy.rounding.cap
    if abs(gap) > cap:
        raise OrderBlockedError(
            f"Shopify's total is {stated}, its rows add up to {total}: a gap of {gap}, more than rounding.cap"
            f" {cap} in books.yaml;"
            " look at the order in Shopify"
        )
    return (adjustment_line(case, "Shopify rounding", case.policy.accounts.rounding, gap),)


def _cancels_out(lines: Iterable[Line]) -> bool:
    """Return whether nothing is left on any account at any tax type."""
    sums: Mapping[tuple[str, str], list[Decimal]] = defaultdict(lambda: [ZERO, ZERO])
    for line in lines:
        amounts = sums[line.account_code, line.tax_type]
        amounts[0] += line.amount
        amounts[1] += line.tax_amount
    return not any(any(amounts) for amounts in sums.values())


def _document(case: OrderContext, entry: Agreement, sign: int, lines: tuple[Line, ...], contact_id: str) -> AnyDocument:
    number = number_of_agreement(case, entry)
    dated = document_date(case, entry.legacy_id, agreement_date(case, entry), number)
    kind = Kind.INVOICE if sign > 0 else Kind.CREDIT_NOTE
    return _assemble(case, kind, entry.legacy_id, number, dated, lines, contact_id)


def _assemble(
    case: OrderContext, kind: Kind, tail: str, number: str, dated: PostingDate, lines: tuple[Line, ...], contact_id: str
) -> AnyDocument:
    types = amount_types(case)
    first = lines[0].model_copy(update={"description": lines[0].description[: 4000 - len(dated.note)] + dated.note})
    content = {
        "shopify_id": case.document_id(tail),
        "number": number,
        "reference": document_reference(case, tail),
        "order_id": case.order_id,
        "order_name": case.order.name,
        "contact_id": contact_id,
        "date": dated.posting_date,
        "line_amount_types": types,
        "lines": (first, *lines[1:]),
        "currency": case.currency,
        "total": lines_total(lines, types),
        "total_tax": tax_total(lines),
    }
    if kind is Kind.CREDIT_NOTE:
        return CreditNote.model_validate(content)
    return Invoice.model_validate({**content, "due_date": due_date(case, dated.posting_date), "url": _url(case)})


def _url(case: OrderContext) -> str | None:
    """Link the order in the admin; Xero refuses addresses that contain its own name (docs/contracts/xero.md §6.3)."""
    if not case.shop_handle:
        return None
    url = f"https://admin.shopify.com/store/{case.shop_handle}/orders/{case.order_id}"
    return None if "xero" in url.casefold() else url
