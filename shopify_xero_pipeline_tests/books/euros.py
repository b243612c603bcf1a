"""An order of 38.79 that its customer pays as EUR 45.00, its money, and its books as plain rows.

Only orders belong here, no figure that the books work out.
"""

from typing import Any

from shopify_xero_pipeline.books.records import OrderBooks
from shopify_xero_pipeline.shopify.models import Agreement, Order, Refund, Sale, SaleTax, Transaction
from shopify_xero_pipeline_tests.books.booking import DAY
from shopify_xero_pipeline_tests.books.builders import (
    NOON,
    agreement,
    bag,
    line_item,
    order,
    sale,
    shown_allocations,
    shown_documents,
    shown_payments,
    tax,
    transaction,
)

LATER = NOON + 7 * DAY
OWN = ("SH-1001", "38.79", "0")


def row(
    total: str,
    euros: str,
    action: str = "ORDER",
    number: int = 1,
    taxes: tuple[SaleTax, ...] = (),
    currency: str = "NZD",
) -> Sale:
    return sale(total, *taxes, number=number, line=11, action=action, presentment=(euros, "EUR"), currency=currency)


def sold(
    *later: Agreement,
    money: list[Transaction],
    refunds: tuple[Refund, ...] = (),
    euros: str = "45.00",
    total: str = "38.79",
    taxes: tuple[SaleTax, ...] = (),
    currency: str = "NZD",
    **stated: Any,
) -> Order:
    """Return an order of 38.79, EUR 45.00 by default."""
    content: dict[str, Any] = {
        "lines": [line_item(11, total, currency=currency)],
        "currency": currency,
        "presentment": "EUR",
        "original_total_price_set": bag(total, currency, (euros, "EUR")),
    }
    first = agreement(1, row(total, euros, taxes=taxes, currency=currency))
    return order(first, *later, transactions=money, refunds=refunds, **(content | stated))


def moved(number: int, amount: str, euros: str, kind: str = "SALE", **more: Any) -> Transaction:
    return transaction(number, amount, kind, presentment=(euros, "EUR"), **({"at": LATER} | more))


def channel_tax(amount: str, euros: str) -> SaleTax:
    """Return a tax that the sales channel remits."""
    return tax(amount, channel_liable=True, presentment=(euros, "EUR"))


PAID = moved(91, "38.79", "45.00", at=NOON)


def money(books: OrderBooks) -> tuple[Any, ...]:
    return shown_documents(books), shown_payments(books), shown_allocations(books)


def settled(books: OrderBooks) -> bool:
    """Return whether nothing is open on any document."""
    open_amounts = {document.shopify_id: document.total for document in books.documents}
    for payment in books.payments:
        open_amounts[payment.document_id] -= payment.amount
    for entry in books.allocations:
        open_amounts[entry.credit_note_id] -= entry.amount
        open_amounts[entry.invoice_id] -= entry.amount
    return not any(open_amounts.values())


def differences(books: OrderBooks) -> list[tuple[str, str]]:
    """Return the transaction and the signed total of each exchange difference."""
    prefix = "SH-1001-X"
    return [(number.removeprefix(prefix), total) for number, total, _ in shown_documents(books) if prefix in number]
